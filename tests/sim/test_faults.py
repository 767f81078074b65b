"""Which bits are flipped, how they are flipped, and what is made of the answers."""

import random

import pytest

from postern import Flips, Injection, Lock, Mailbox, Manager, Model, ModelBus, State
from postern_sim import build, faults
from postern_sim.lockstep import run_episode
from postern_sim.rtl import Request, Rtl, RtlBus
from postern_sim.soak import CONFIGURATIONS
from postern_spec.config import Config, Identity, Port
from postern_spec.config import Manager as Kind
from postern_spec.regmap import Damage, Fault, address_map, guest_page, injections

TEXT = r"""module \top.queue_1 (rst, clk);
  reg [3:0] first = 4'h0;
  reg [3:0] not_first = 4'hf;
  reg fresh = 1'h0;
  reg [6:0] slots [1:0];
  always @(posedge clk)
    first <= \$1 ;
  always @(posedge clk)
    not_first <= \$2 ;
  always @(posedge clk)
    fresh <= \$3 ;
  always @(posedge clk) begin
    if (w_port__en)
      slots[w_port__addr] <= w_port__data;
  end
endmodule
module top(rst, irq, manager_irq, clk);
  input clk;
  wire failed;
  \top.integrity  integrity (
    .failed(failed),
    .counts__0(a),
    .counts__1(b),
    .counts__2(c),
    .counts__3(d)
  );
  interrupts interrupts (
    .lines(irq)
  );
  assign manager_irq = x | y;
endmodule
"""


def test_what_is_protected_is_found():
    assert faults.targets(TEXT, "top") == [
        faults.Target("queue_1", "first", -1, 4),
        faults.Target("queue_1", "not_first", -1, 4),
        faults.Target("queue_1", "slots", 0, 7),
        faults.Target("queue_1", "slots", 1, 7),
    ]


def test_registers_that_yosys_named():
    """A register is found by what it is compared with: its complement, or the parity of some of its bits."""
    text = r"""module \top.port_0 (rst, clk);
  reg [2:0] \orphans$24  = 3'h0;
  reg [2:0] not_orphans = 3'h7;
  reg [9:0] \$7  = 10'h000;
  assign \$3  = \orphans$24  ^ not_orphans;
  assign \$5  = ^ \$7 [6:4];
  assign \$6  = \$5  ^ r_parity;
  always @(posedge clk)
    \orphans$24  <= \$8 ;
  always @(posedge clk)
    not_orphans <= \$9 ;
  always @(posedge clk)
    \$7  <= \$10 ;
endmodule
"""
    found = faults.targets(text, "top")
    assert {(item.name, *item.bits) for item in found} == {
        (r"\$7", 4, 5, 6),
        (r"\orphans$24", 0, 1, 2),
        ("not_orphans", 0, 1, 2),
    }
    held = next(item for item in found if item.name == r"\$7")
    assert r"    \$7  <= (\$10 ) ^ (10'd1 << (top.mutant - 16'd1));" in faults.instrument(text, "top", {5: (held, 4)})


def test_bits_are_flipped_by_number():
    first, slots = faults.Target("queue_1", "first", -1, 4), faults.Target("queue_1", "slots", 1, 7)
    text = faults.instrument(TEXT, "top", {7: (first, 2), 9: (slots, 0)})
    assert r"    first <= (\$1 ) ^ (4'd1 << (top.mutant - 16'd5));" in text
    assert r"    not_first <= \$2 ;" in text
    assert "    if (top.mutant - 16'd9 < 16'd7)\n      slots[1] <= slots[1] ^ (7'd1 << (top.mutant - 16'd9));\n" in text


def test_lines_tell_what_was_found():
    text = faults.instrument(TEXT, "top", {})
    assert "module top(rst, irq, manager_irq, clk, mutant);\n  input [15:0] mutant;\n  input clk;\n" in text
    assert "    .lines()\n" in text
    assert text.count("assign manager_irq") == 1
    assert "  assign manager_irq = failed;\n  assign irq = {(| b) | (| d), (| a) | (| c)};\nendmodule" in text


def test_a_memory_without_a_store_is_refused():
    text = TEXT.replace("slots[w_port__addr]", "others[w_port__addr]")
    with pytest.raises(ValueError, match=r"^memory queue_1\.slots must have one store, not 0$"):
        faults.instrument(text, "top", {1: (faults.Target("queue_1", "slots", 0, 7), 0)})


def test_every_bit_of_a_register_and_a_sample_of_a_memory():
    found = [faults.Target("m", "r", -1, 3), *(faults.Target("m", "cells", row, 32) for row in range(64))]
    chosen = faults._choose(found, random.Random(1), short=False)
    assert sum(target.row < 0 for target, _ in chosen.values()) == 3
    assert sum(target.row >= 0 for target, _ in chosen.values()) == 16
    assert len(set(chosen.values())) == len(chosen)


def test_reads_by_guests():
    where = address_map(CONFIGURATIONS["guarded"], 1)
    assert where.manager_base is not None
    requests = [Request(0), Request(0, 1, True), Request(where.manager_base), Request(0, beats=0), Request(8)]
    packed = b"".join(request.pack() for request in requests)
    assert faults._guest_reads(packed, where) == [True, False, False, False, True]


def test_protected_rtl_is_the_model():
    config = CONFIGURATIONS["guarded"]
    for seed in range(3):
        assert run_episode(config, seed, length=1500).accesses > 1000


# Payload, at the bus of a small block with protection

PAYLOAD = Config(
    name="payload",
    ports=(Port(identity=Identity.STATIC, vm=0), Port(identity=Identity.STATIC, vm=1)),
    vms=2,
    lanes=1,
    words=2,
    depth=2,
    manager=Kind.PAGE,
    open_at_reset=True,
    credits=1,
    blocks=2,
    block_size=64,
    banks=1,
    block_quota=1,
    protection=True,
)


@pytest.fixture
def flipped():
    """Return a block, and what flips a bit of every row of some of its memories."""
    text = build.verilog(PAYLOAD)
    found = [target for target in faults.targets(text, PAYLOAD.name) if target.module in ("pool", "sram")]
    numbers = dict(enumerate(((target, bit) for target in found for bit in range(target.width)), 1))
    with Rtl(PAYLOAD, text=faults.instrument(text, PAYLOAD.name, numbers), mutant=0) as rtl:

        def flip(module, bit):
            for number, (target, place) in numbers.items():
                if target.module == module and place == bit:
                    rtl.mutate(number)
                    rtl.step()
            rtl.mutate(0)

        rtl.reset()
        yield rtl, flip


def test_flipped_bits_of_payload(flipped):
    rtl, flip = flipped
    guest, peer = (Mailbox(RtlBus(rtl, port), 0, PAYLOAD) for port in (0, 1))
    manager = Manager(RtlBus(rtl, 0), PAYLOAD)

    def send():
        guest.send(1, [0x01234567, 0x89ABCDEF])

    send()
    flip("pool", 3)
    assert peer.receive().words == (0x01234567, 0x89ABCDEF)
    seen = manager.integrity()
    assert (seen.fatal, seen.pool.lost, seen.sram) == (False, 0, Flips(0, 0))
    assert seen.pool.corrected > 0

    send()
    flip("pool", 38)  # the parity of everything
    flip("pool", 0)
    assert peer.receive().words == (0, 0)
    assert manager.integrity().pool.lost > 0

    block = guest.alloc()
    bus, at = RtlBus(rtl, 0), address_map(PAYLOAD, 0).sram(0) + block * PAYLOAD.block_size
    bus.write32(at, 0xDEADBEEF)
    flip("sram", 12)
    assert bus.read32(at) == 0xDEADBEEF
    seen = manager.integrity()
    assert (seen.fatal, seen.sram.lost) == (False, 0)
    assert seen.sram.corrected > 0
    flip("sram", 7)
    assert bus.read32(at) == 0
    assert manager.integrity().sram.lost > 0
    bus.write32(at, 0xDEADBEEF)  # and is whole again
    assert bus.read32(at) == 0xDEADBEEF
    assert not manager.integrity().fatal


# Injections, at the bus: of each kind the same is seen of the RTL and of the model

GUARDED = CONFIGURATIONS["guarded"]


def strike(kind, bus, manager):
    """Have bits of this kind flipped; return what everybody sees then."""
    manager.open(0)
    manager.connect(0, 0, 1)
    manager.quota(0, 1)
    manager.alarm(True)
    guest = Mailbox(bus, 0, GUARDED)
    guest.connect(0)
    guest.send(0, [1, 0x1234])
    block = guest.alloc()
    while block is None:  # it is being scrubbed
        block = guest.alloc()
    at = address_map(GUARDED, 0).sram(0) + block * GUARDED.block_size
    bus.write32(at, 0xDEADBEEF)
    manager.inject(kind)
    words = [bus.read32(where) for where in (guest_page(GUARDED).WORD.offset, at) for _ in range(2)]
    return manager.integrity(), manager.injection(), manager.damaged, manager.state(0), words, manager.faults()


def test_injections_are_found():
    with Rtl(GUARDED, probe=True) as rtl:
        damages = set()
        for kind in injections(GUARDED):
            rtl.reset()
            bus, model = RtlBus(rtl, 0), Model(GUARDED)
            model.tick(10_000)
            seen = strike(kind, bus, Manager(bus, GUARDED))
            twin = ModelBus(model, tag=0)
            assert seen == strike(kind, twin, Manager(twin, GUARDED)), kind.name
            assert seen[0].fatal == (kind > Injection.SRAM_TWO)
            assert rtl.manager_irq == model.manager_irq == seen[2]
            damages.add(seen[0].damage)
        assert damages == set(Damage)


def test_injections_by_others_and_after_the_lock():
    with Rtl(GUARDED, probe=True) as rtl:
        rtl.reset()
        manager = Manager(RtlBus(rtl, 0), GUARDED)
        register, base = manager.page.INJECT, address_map(GUARDED, 0).manager_base
        manager.open(1)
        RtlBus(rtl, 0, tag=1).write32(base + register.offset, register.pack(KIND=Injection.FATAL))
        assert manager.faults()[0].kind is Fault.NOT_MANAGER
        manager.clear_faults(1)
        manager.lock(Lock.INJECTION)
        RtlBus(rtl, 0).write32(base + register.offset, register.pack(KIND=Injection.FATAL))
        assert manager.faults()[0].kind is Fault.BAD_VALUE
        assert not manager.integrity().fatal
        assert manager.state(1) is State.OPEN
