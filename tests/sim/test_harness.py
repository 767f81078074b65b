"""The tests' own tools: what is broken on purpose must be noticed."""

import re

import pytest

from postern import BusError
from postern import Manager as Manager_
from postern.model import Model
from postern_sim import build, soak
from postern_sim.lockstep import Mismatch, run_episode
from postern_sim.rtl import Pace, ProtocolError, Request, Rtl, RtlBus, transfer
from postern_sim.soak import CONFIGURATIONS
from postern_spec.config import Bus, Config, Identity, Manager, Port
from postern_spec.regmap import Fault, Result, address_map, guest_page, manager_page

pytestmark = pytest.mark.sim

SMALL = CONFIGURATIONS["small"]


# A wrong model


class MiscountsAccepted(Model):
    def _guest_result_read(self, port, vm, lane):
        word = super()._guest_result_read(port, vm, lane)
        count = self._guest.RESULT.COUNT
        return word if count.get(word) < 3 else word & ~count.mask


class KeepsFresh(Model):
    def _guest_pop_read(self, port, vm, lane):
        fresh = self.fresh(vm, lane)
        word = super()._guest_pop_read(port, vm, lane)
        self._vms[vm].lanes[lane].fresh = fresh and bool(self._vms[vm].queue)
        return word


class TakesGaps(Model):
    def _stage(self, port, vm, where, data, whole):
        lane, word = where
        held = self._staged[port][vm][lane]
        if held and word > len(held):
            where = lane, len(held)
        return super()._stage(port, vm, where, data, whole)


class ForgetsReset(Model):
    def reset_port(self, port):
        pass


class AllowsNoRing(Model):
    """Says that hardware must not let something happen, which it does."""

    def finish_write(self, token, *, log=True):
        if token[0].name == "RING":
            raise RuntimeError("nobody must ring")
        return super().finish_write(token, log=log)


class LateInterrupt(Model):
    def irq(self, core):
        vm = self._resident[core]
        return super().irq(core) and (len(self._vms[vm].queue) != 1 or self.now - self._vms[vm].since > 1)


class LogsTwice(Model):
    def log(self, port, vm, address, fault, *, write):
        for _ in range(1 + (fault is Fault.DIRECTION)):
            super().log(port, vm, address, fault, write=write)


@pytest.mark.parametrize("wrong", [MiscountsAccepted, KeepsFresh, TakesGaps, ForgetsReset, AllowsNoRing])
def test_wrong_model_is_noticed(wrong):
    _fails(SMALL, model=wrong(SMALL, stepped_open=True))


@pytest.mark.parametrize("wrong", [LateInterrupt, LogsTwice])
def test_wrong_model_is_noticed_with_a_manager(wrong):
    config = CONFIGURATIONS["mixed"]
    _fails(config, model=wrong(config, stepped_open=True))


def _fails(config, seeds=12, **options):
    for seed in range(seeds):
        try:
            run_episode(config, seed, **options)
        except Mismatch as error:
            return str(error)
    raise AssertionError("a difference must be noticed, not passed over")


# A wrong block


def _mutated(pattern, replacement):
    text = build.verilog(SMALL, probe=True)
    changed, count = re.subn(pattern, replacement, text, count=1)
    assert count == 1, pattern
    return changed


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        # a bit of the answers is stuck; the lines of the cores are exchanged
        (r"(  assign s1_axi_rdata = )(.*);", r"\1\2 & 32'hfffffffb;"),
        (r"\.lines\(irq\)", ".lines({irq[0], irq[1]})"),
    ],
)
def test_wrong_verilog_is_noticed(pattern, replacement):
    report = _fails(SMALL, text=_mutated(pattern, replacement))
    assert re.match(r"cycle \d+: the model says .*, the RTL says ", report)
    assert "the last events:" in report


def test_report_says_how_to_see_it_again(monkeypatch, capsys):
    def fails(config, seed):
        raise Mismatch("cycle 5: the model says 1, the RTL says 0")

    monkeypatch.setattr(soak, "run_episode", fails)
    assert soak.main(["--config", "small", "--seed", "9", "--episodes", "1", "--jobs", "1"]) == 1
    error = capsys.readouterr().err
    assert "small, seed 9: cycle 5: the model says 1" in error
    assert "python -m postern_sim.soak --config small --seed 9 --episodes 1" in error


def test_a_burst_that_changes_hands_is_noticed():
    """Beats are bound to whoever is resident in their own cycle, not to whoever began the burst."""
    config = CONFIGURATIONS["bursts"]
    text = build.verilog(config, probe=True)
    changed, count = re.subn(r"(assign \w+__payload\[\d+\] = )\\?continues[^;]*;", r"\g<1>1'h0;", text)
    assert count == 6  # two directions of three ports
    _fails(config, text=changed)


# A block that breaks bus rules: what it breaks is written to it.

BROKEN = Config(
    name="broken",
    ports=(Port(identity=Identity.STATIC),),
    vms=2,
    manager=Manager.NONE,
    open_at_reset=True,
    lanes=1,
    words=4,
)
TEXT = """
module broken(
    input clk, input rst, input s0_rst, output irq,
    input [11:0] s0_axi_awaddr, input [2:0] s0_axi_awprot, input s0_axi_awvalid, output s0_axi_awready,
    input [31:0] s0_axi_wdata, input [3:0] s0_axi_wstrb, input s0_axi_wvalid, output s0_axi_wready,
    output [1:0] s0_axi_bresp, output s0_axi_bvalid, input s0_axi_bready,
    input [11:0] s0_axi_araddr, input [2:0] s0_axi_arprot, input s0_axi_arvalid, output s0_axi_arready,
    output [31:0] s0_axi_rdata, output [1:0] s0_axi_rresp, output s0_axi_rvalid, input s0_axi_rready,
    output probe_accept, output probe_r_issue, output probe_w_issue, output probe_walk
);
    reg [3:0] fault; reg [7:0] time_; reg b, r;
    wire write = s0_axi_awvalid & s0_axi_wvalid & (~b | s0_axi_bready) & (~s0_rst | fault == 6);
    wire read = s0_axi_arvalid & (~r | s0_axi_rready) & ~s0_rst & (fault != 5);
    assign irq = 0, probe_walk = 0, probe_accept = 0, probe_w_issue = write, probe_r_issue = read;
    assign s0_axi_awready = write, s0_axi_wready = write, s0_axi_arready = read;
    assign s0_axi_bresp = 0, s0_axi_rresp = 0;
    assign s0_axi_bvalid = (b & ~s0_rst) | (fault == 1) | (fault == 7 & s0_rst);
    assign s0_axi_rvalid = fault == 2 ? r & ~time_[0] : fault == 4 ? 0 : r & ~s0_rst;
    assign s0_axi_rdata = fault == 3 ? time_ : 0;
    always @(posedge clk) begin
        time_ <= time_ + 1;
        if (s0_axi_bready) b <= 0;
        if (s0_axi_rready) r <= 0;
        if (write) begin b <= 1; fault <= s0_axi_wdata[3:0]; end
        if (read) r <= 1;
        if (rst) begin fault <= 0; time_ <= 0; end
        if (rst | s0_rst) begin b <= 0; r <= 0; end
    end
endmodule
"""


@pytest.fixture
def broken():
    with Rtl(BROKEN, probe=True, text=TEXT) as rtl:
        rtl.limits(bound=50, settle=0)
        rtl.pace(0, Pace(r_chance=255, pause=20, noise=True))
        rtl.step(5)
        yield rtl


def test_sound_block_passes(broken):
    broken.issue(0, [Request(0, write=bool(number % 3)) for number in range(500)])
    broken.schedule_reset(0, 100, 3)
    broken.run()
    assert {done.state for done in broken.done(0)} == {1, 2}


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (1, "BVALID without a write"),
        (2, "RVALID, RRESP or RDATA changed before RREADY"),
        (3, "RVALID, RRESP or RDATA changed before RREADY"),
        (4, "a read was not answered in time"),
        (5, "ARREADY did not come in time"),
        (6, "a request must not be accepted in reset"),
        (7, "a response must not be valid in reset"),
    ],
)
def test_broken_bus_rule_is_noticed(broken, fault, text):
    broken.issue(0, [Request(0, fault, write=True), *[Request(0)] * 50, *[Request(0, fault, write=True)] * 10])
    broken.schedule_reset(0, broken.cycle + 40, 10)
    with pytest.raises(ProtocolError, match=rf"^cycle \d+, port 0: {text}$"):
        broken.run(5000)


BURSTS = BROKEN.replace(name="bursts_broken", ports=(Port(Bus.AXI4, Identity.STATIC, id_bits=2),))
BURSTS_TEXT = """
module bursts_broken(
    input clk, input rst, input s0_rst, output irq,
    input [1:0] s0_axi_awid, input [11:0] s0_axi_awaddr, input [7:0] s0_axi_awlen, input [2:0] s0_axi_awsize,
    input [1:0] s0_axi_awburst, input s0_axi_awlock, input [3:0] s0_axi_awcache, input [2:0] s0_axi_awprot,
    input s0_axi_awvalid, output s0_axi_awready,
    input [31:0] s0_axi_wdata, input [3:0] s0_axi_wstrb, input s0_axi_wlast, input s0_axi_wvalid, output s0_axi_wready,
    output [1:0] s0_axi_bid, output [1:0] s0_axi_bresp, output s0_axi_bvalid, input s0_axi_bready,
    input [1:0] s0_axi_arid, input [11:0] s0_axi_araddr, input [7:0] s0_axi_arlen, input [2:0] s0_axi_arsize,
    input [1:0] s0_axi_arburst, input s0_axi_arlock, input [3:0] s0_axi_arcache, input [2:0] s0_axi_arprot,
    input s0_axi_arvalid, output s0_axi_arready,
    output [1:0] s0_axi_rid, output [31:0] s0_axi_rdata, output [1:0] s0_axi_rresp, output s0_axi_rlast,
    output s0_axi_rvalid, input s0_axi_rready,
    output probe_accept, output probe_r_issue, output probe_w_issue, output probe_walk
);
    reg [3:0] fault; reg w, b, r; reg [1:0] bid, rid; reg [7:0] left;
    wire beat = s0_axi_rvalid & s0_axi_rready;
    assign irq = 0, probe_walk = 0, probe_accept = 0, probe_w_issue = 0, probe_r_issue = 0;
    assign s0_axi_bresp = 0, s0_axi_rresp = 0, s0_axi_rdata = 0;
    assign s0_axi_awready = ~w & ~b & ~s0_rst, s0_axi_wready = w & ~s0_rst;
    assign s0_axi_arready = ~r & ~s0_rst;
    assign s0_axi_bvalid = (b & ~s0_rst) | (fault == 1 & w), s0_axi_bid = bid ^ (fault == 2);
    assign s0_axi_rvalid = r & ~s0_rst, s0_axi_rid = rid ^ (fault == 3);
    assign s0_axi_rlast = fault == 4 ? left == 1 : fault == 5 ? 1'b0 : left == 0;
    always @(posedge clk) begin
        if (s0_axi_awvalid & s0_axi_awready) begin w <= 1; bid <= s0_axi_awid; end
        if (s0_axi_wvalid & s0_axi_wready) begin
            fault <= s0_axi_wdata[3:0];
            if (s0_axi_wlast) begin w <= 0; b <= 1; end
        end
        if (b & s0_axi_bready) b <= 0;
        if (s0_axi_arvalid & s0_axi_arready) begin r <= 1; rid <= s0_axi_arid; left <= s0_axi_arlen; end
        if (beat) begin left <= left - 1; if (left == 0) r <= 0; end
        if (rst) fault <= 0;
        if (rst | s0_rst) begin w <= 0; b <= 0; r <= 0; end
    end
endmodule
"""


def _beats(beats, write=False, data=0, id=1):
    first = Request(0, data, write, beats=beats, id=id)
    return [first, *[Request(0, data, write, beats=0)] * (beats - 1)]


@pytest.fixture
def bursts():
    with Rtl(BURSTS, text=BURSTS_TEXT) as rtl:
        rtl.limits(bound=50, settle=0)
        rtl.pace(0, Pace(r_chance=100, b_chance=100, pause=5, noise=True))
        rtl.step(5)
        yield rtl


def test_sound_bursts_pass(bursts):
    for number in range(60):
        bursts.issue(0, _beats(1 + number % 7, number % 2 == 0, id=number % 4))
    bursts.schedule_reset(0, 100, 3)
    bursts.run()
    assert {done.state for done in bursts.done(0)} == {1, 2}


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (1, "BVALID without a write"),
        (2, "BID of another write"),
        (3, "RID of another read"),
        (4, "RLAST at the wrong beat"),
        (5, "RLAST at the wrong beat"),
    ],
)
def test_broken_rule_of_bursts_is_noticed(bursts, fault, text):
    bursts.issue(0, [*_beats(4, True, fault), *_beats(4), *_beats(4)])
    with pytest.raises(ProtocolError, match=rf"^cycle \d+, port 0: {text}$"):
        bursts.run(5000)


APB = BROKEN.replace(name="apb_broken", ports=(Port(Bus.APB, Identity.STATIC),))
APB_TEXT = """
module apb_broken(
    input clk, input rst, input s0_rst, output irq,
    input s0_apb_psel, input s0_apb_penable, input [11:0] s0_apb_paddr, input [2:0] s0_apb_pprot, input s0_apb_pwrite,
    input [31:0] s0_apb_pwdata, input [3:0] s0_apb_pstrb,
    output s0_apb_pready, output [31:0] s0_apb_prdata, output s0_apb_pslverr,
    output probe_accept, output probe_r_issue, output probe_w_issue, output probe_walk
);
    reg [3:0] fault; reg taken;
    wire accept = s0_apb_psel & ~taken & ~s0_rst & ~rst;
    assign irq = 0, probe_walk = 0;
    assign probe_accept = accept & (fault != 3), probe_w_issue = accept & s0_apb_pwrite;
    assign probe_r_issue = accept & ~s0_apb_pwrite;
    assign s0_apb_pready = fault == 2 ? 1'b1 : fault == 1 ? 1'b0 : taken;
    assign s0_apb_prdata = 0, s0_apb_pslverr = 0;
    always @(posedge clk) begin
        taken <= accept | taken & ~s0_apb_pready & ~s0_rst;
        if (accept & s0_apb_pwrite) fault <= s0_apb_pwdata[3:0];
        if (rst) begin fault <= 0; taken <= 0; end
    end
endmodule
"""


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (0, ""),
        (1, "PREADY did not come in time"),
        (2, "a request must not be accepted in reset"),
        (3, "a read was issued that was not accepted"),
    ],
)
def test_broken_rule_of_apb_is_noticed(fault, text):
    with Rtl(APB, probe=True, text=APB_TEXT) as rtl:
        rtl.limits(bound=50, settle=0)
        rtl.pace(0, Pace(noise=True))
        rtl.step(5)
        rtl.issue(0, [Request(0), Request(0, fault, write=True), *[Request(0)] * 60])
        rtl.schedule_reset(0, rtl.cycle + 40, 10)
        if text:
            with pytest.raises(ProtocolError, match=rf"^cycle \d+, port 0: {text}$"):
                rtl.run(5000)
        else:
            rtl.run(5000)
            assert {done.state for done in rtl.done(0)} <= {1, 2}


def test_words_of_a_wide_port():
    """A word of 32 bits goes in the half that its address names."""
    config = CONFIGURATIONS["bursts"]
    with Rtl(config, probe=True) as rtl:
        where = address_map(config, 1)
        manager = where.manager_base + manager_page(config).EPOCH.at()
        assert config.ports[1].data_bits == 64
        bus = RtlBus(rtl, 0, tag=0)
        bus.write32(address_map(config, 0).manager_base + manager_page(config).EPOCH.at(), 0x1234)
        assert rtl.read(1, manager) == (0, 2)  # by no manager
        bus.write32(address_map(config, 0).manager_base + manager_page(config).CONTROL.at(1), 1)
        bus.read32(address_map(config, 0).manager_base)  # waits until it is open
        enable = where.guest(1) + guest_page(config).IRQ_ENABLE.at(0)
        assert rtl.write(1, enable, 21) == 0
        assert rtl.write(1, enable + 4, 9) == 0
        assert rtl.read(1, enable) == (21, 0)
        assert rtl.read(1, enable + 4) == (0, 0)


# The RTL as a device


def test_an_access_that_is_not_answered():
    with Rtl(BROKEN, probe=True, text=TEXT) as rtl:
        rtl.limit = 100
        assert rtl.write(0, 0, 4) == 0
        with pytest.raises(TimeoutError, match=r"^access of 0x0 at port 0 must be answered within 100 cycles$"):
            rtl.read(0, 0)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"port": 2}, "port must be from 0 to 1, not 2"),
        ({"core": 2}, "core must be from 0 to 1, not 2"),
        ({"tag": 16}, "tag must be from 0 to 15, not 16"),
    ],
)
def test_arguments_of_the_bus(small, arguments, text):
    with pytest.raises(ValueError, match=f"^{text}$"):
        RtlBus(small, **arguments)


def test_addresses_and_words_of_the_bus(small):
    bus = RtlBus(small)
    for access in (lambda: bus.read32(0x1000), lambda: bus.write32(0x1000, 0), lambda: bus.read32(-4)):
        with pytest.raises(ValueError, match=r"^address must be from 0 to 0xfff, not"):
            access()
    with pytest.raises(ValueError, match=r"^value must be from 0 to 0xffffffff, not 0x100000000$"):
        bus.write32(0, 1 << 32)


def test_time_stamps(small):
    """Reads back to back: one per cycle, each answered after the same time."""
    small.issue(0, [Request(0)] * 20)
    small.run()
    done = small.done(0)
    assert {item.response for item in done} == {0}
    assert len({item.answered - item.accepted for item in done}) == 1
    assert done[-1].accepted - done[0].accepted == 19


def test_fence(small):
    small.issue(0, [Request(0), Request(0, fence=True), Request(0)])
    small.run()
    first, second, third = small.done(0)
    assert first.answered < second.accepted < third.accepted


def test_resets(small):
    page = small.page
    commit, result = page.COMMIT.at(0, 0, 0, 1), page.RESULT.at(0)
    small.write(0, page.STAGE.at(0, 0), 5)
    small.reset_port(0)
    small.write(0, commit, 1)
    assert small.read(0, result)[0] == page.RESULT.pack(CODE=Result.ACCEPTED, COUNT=1)
    small.reset()
    assert small.read(0, result)[0] == page.RESULT.pack(CODE=Result.ACCEPTED, COUNT=0)


def test_waveform(tmp_path):
    path = tmp_path / "wave.vcd"
    with Rtl(SMALL, probe=True, trace=True) as rtl:
        rtl.trace(path)
        rtl.step(10)
        rtl.trace(None)
    assert "s1_axi_rvalid" in path.read_text()


def test_bursts_of_the_bus():
    """Words go in bursts of the full width on AXI4, one by one elsewhere; they say the same."""
    config = CONFIGURATIONS["bursts"]
    guest = guest_page(config)
    with Rtl(config, probe=True) as rtl:
        manager = Manager_(RtlBus(rtl, 0), config)
        for vm in range(config.vms):
            manager.open(vm)
        for port, tag in ((0, 2), (1, 0)):
            base = address_map(config, port).guest(2)
            bus = RtlBus(rtl, port, tag=tag)
            for first in (0, 4, 8):
                for words in (1, 2, 3, 10):
                    start = base + guest.MAGIC.at() + first
                    assert bus.read_burst(start, words) == [bus.read32(start + 4 * word) for word in range(words)]
            bus.write_burst(base + guest.IRQ_ENABLE.at(0), [3, 99, 5])
            assert [bus.read32(base + guest.IRQ_ENABLE.at(core)) for core in (0, 1)] == [3, 5]
            with pytest.raises(BusError, match=r"^read at 0x\w+ must be answered with OKAY, not with an error$"):
                bus.read_burst(base + guest.RING.at() - 8, 4)
            with pytest.raises(ValueError, match=r"^value must be from 0 to 0xffffffff, not 0x100000000$"):
                bus.write_burst(base, [0, 1 << 32])


@pytest.mark.parametrize(
    ("kind", "address", "words", "beats"),
    [
        (Port(Bus.AXI4), 0x10, 5, [(2, 5)]),
        (Port(Bus.AXI4, data_bits=64), 0x10, 4, [(3, 2)]),
        (Port(Bus.AXI4, data_bits=64), 0x14, 4, [(2, 1), (3, 1), (2, 1)]),
        (Port(Bus.AXI4), 0xFF8, 4, [(2, 2), (2, 2)]),
        (Port(Bus.AXI4), 0, 300, [(2, 256), (2, 44)]),
        (Port(), 0x10, 3, [(2, 1), (2, 1), (2, 1)]),
    ],
)
def test_best_accesses_of_consecutive_words(kind, address, words, beats):
    config = Config(ports=(kind,), vms=2, depth=2)
    data = list(range(words))
    requests, places = transfer(config, 0, address, words, data)
    assert [(request.size, request.beats) for request in requests if request.beats] == beats
    assert sum(count for _, count in beats) == len(requests)
    assert [requests[index].data >> shift & 0xFFFF_FFFF for index, shift in places] == data
