"""AXI4, driven by the master of cocotbext-axi, with pauses on every channel; and by hand, where it has no way to."""

import random

import cocotb
import cocotb.utils
from cocotb.triggers import Combine, RisingEdge
from cocotbext.axi import AxiBurstType, AxiBus, AxiLockType, AxiMaster, AxiProt, AxiResp

from postern_spec.config import Bus, Identity
from postern_spec.regmap import MAGIC, Result, address_map

from ..traffic import FIXED, INCR, WRAP, burst, lanes
from . import configuration
from .common import Reference, edges, pauses, start

CONFIG = configuration()
PORTS = [index for index, port in enumerate(CONFIG.ports) if port.bus is Bus.AXI4]
ALLOCATE = 0b1111  # AxCACHE, write-back with allocation


class Master:
    """A master of cocotbext-axi at a port (unless it is driven by hand), and what the model says of its bursts."""

    def __init__(self, dut, port: int, by_hand: bool = False):
        self.dut, self.port = dut, port
        chosen = CONFIG.ports[port]
        self.bytes = chosen.data_bits // 8
        self.top = self.bytes.bit_length() - 1  # AxSIZE of a whole beat
        self.ids = 1 << chosen.id_bits
        self.sideband = chosen.identity is Identity.SIDEBAND
        self.refuses = chosen.refuse_cacheable
        self.where = address_map(CONFIG, port)
        if not by_hand:
            self.bus = AxiMaster(AxiBus.from_prefix(dut, f"s{port}_axi"), dut.clk, getattr(dut, f"s{port}_rst"))

    def pause(self, seed: int, often: float) -> None:
        """Pause on all five channels."""
        write, read = self.bus.write_if, self.bus.read_if
        channels = (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel)
        for number, channel in enumerate(channels):
            channel.set_pause_generator(pauses(seed + number, often))

    def options(self, tag: int, secure: bool, cache: int, lock: bool) -> dict:
        """Return what goes with an address."""
        found = {"prot": AxiProt.PRIVILEGED if secure else AxiProt.NONSECURE, "cache": cache}
        found["lock"] = AxiLockType.EXCLUSIVE if lock else AxiLockType.NORMAL
        return found | ({"user": tag} if self.sideband else {})

    async def read(self, address, length=4, tag=0, *, size=2, kind=INCR, secure=True, cache=0, lock=False, id=None):
        """Read bytes; return them, and the worst response."""
        answer = await self.bus.read(
            address, length, arid=id, burst=AxiBurstType(kind), size=size, **self.options(tag, secure, cache, lock)
        )
        return bytes(answer.data), answer.resp

    async def write(self, address, data, tag=0, *, size=2, kind=INCR, secure=True, cache=0, lock=False, id=None):
        """Write bytes; return the response."""
        answer = await self.bus.write(
            address, data, awid=id, burst=AxiBurstType(kind), size=size, **self.options(tag, secure, cache, lock)
        )
        return answer.resp

    async def read32(self, address: int, tag: int = 0) -> int:
        return int.from_bytes((await self.read(address, 4, tag))[0], "little")

    async def write32(self, address: int, data: int, tag: int = 0) -> None:
        assert await self.write(address, data.to_bytes(4, "little"), tag) == AxiResp.OKAY

    def _beats(self, address, length, size, kind):
        """Yield address and byte lanes of the beats that carry so many bytes from ``address`` on."""
        count = (address % (1 << size) + length + (1 << size) - 1) >> size
        for at in burst(address, count, size, kind):
            yield at, lanes(at, size, self.bytes)

    def expected(self, reference, address, length, tag, *, size=2, kind=INCR, secure=True, cache=0, lock=False):
        """Read the model a beat at a time; return what the master shall see."""
        found, worst = bytearray(), AxiResp.OKAY
        for at, mine in self._beats(address, length, size, kind):
            half = at & 4 if self.bytes == 8 else 0
            full = mine >> half & 0xF == 0xF
            value, error = reference.read(self.port, at, tag, full=full, secure=secure, cacheable=cache > 3)
            worst = AxiResp.SLVERR if error else worst
            found += bytes(byte for lane, byte in enumerate(value.to_bytes(8, "little")) if mine >> lane & 1)
        return bytes(found[:length]), worst

    def apply(self, reference, address, data, tag, *, size=2, kind=INCR, secure=True, cache=0, lock=False):
        """Write the model a beat at a time."""
        at_byte = 0
        for at, mine in self._beats(address, len(data), size, kind):
            word = strobes = 0
            for lane in range(self.bytes):
                if mine >> lane & 1 and at_byte < len(data):
                    word |= data[at_byte] << 8 * lane
                    strobes |= 1 << lane
                    at_byte += 1
            half = at & 4 if self.bytes == 8 else 0
            reference.write(
                self.port, at, word >> 8 * half & 0xFFFF_FFFF, tag, strobes=strobes >> half & 0xF, secure=secure,
                cacheable=cache > 3,
            )  # fmt: skip


async def opened(dut, masters) -> Reference:
    """Open all VMs through the first port, acknowledge them there, have one run on each core: block and model."""
    reference = Reference(CONFIG)
    first = masters[PORTS[0]]
    manager = first.where.manager_base
    assert manager is not None
    resident = reference.manager.RESIDENT
    writes = [(0, write) for write in reference.opening(PORTS[0])]
    writes += [
        (0, (manager + resident.at(core), resident.pack(VM=core % CONFIG.vms, VALID=1))) for core in range(CONFIG.cores)
    ]
    writes += [(vm, write) for vm in range(CONFIG.vms) for write in reference.greetings(PORTS[0], vm)]
    for tag, (address, data) in writes:
        reference.write(PORTS[0], address, data, tag)
        await first.write32(address, data, tag)
    return reference


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(often=(0.0, 0.5))
async def like_the_model(dut, often):
    """Random bursts at all ports, one after the other: whole, narrow, unaligned, fixed, cacheable, exclusive."""
    await start(dut, CONFIG)
    masters = {port: Master(dut, port) for port in PORTS}
    reference = await opened(dut, masters)
    rng = random.Random(f"{often}")
    for port, master in masters.items():
        master.pause(port * 10, often)
    g = reference.guest
    errors = 0
    for _ in range(400):
        port = rng.choice(PORTS)
        master = masters[port]
        vm = rng.randrange(CONFIG.vms)
        size = rng.choice((2, master.top, rng.randrange(master.top + 1)))
        step = 1 << size
        kind = FIXED if rng.random() < 0.2 and size == master.top else INCR
        address = master.where.guest(vm) + rng.choice((g.HEADER.at(0), g.STAGE.at(0, 0), rng.randrange(g.size)))
        if rng.random() < 0.7 or kind == FIXED:
            address = address >> size << size
        length = rng.choice((1, step, 3 * step, rng.randrange(1, 80)))
        if kind == FIXED:
            length = step * min(16, -(-length // step))
        options = {"size": size, "kind": kind, "secure": rng.random() < 0.5, "lock": rng.random() < 0.2}
        options["cache"] = rng.choice((0, 0b0011, ALLOCATE))
        id = rng.randrange(master.ids)
        if rng.random() < 0.5:
            wanted = master.expected(reference, address, length, vm, **options)
            got = await master.read(address, length, vm, id=id, **options)
            assert got == wanted, (port, hex(address), length, options)
            errors += wanted[1] != AxiResp.OKAY
        else:
            data = rng.randbytes(length)
            master.apply(reference, address, data, vm, **options)
            assert await master.write(address, data, vm, id=id, **options) == AxiResp.OKAY
    assert errors > 20


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def many_at_once(dut):
    """Bursts of many IDs, reads and writes, none waited for: each is answered, with its own data and ID, in order."""
    await start(dut, CONFIG)
    masters = {port: Master(dut, port) for port in PORTS}
    reference = await opened(dut, masters)
    g, master = reference.guest, masters[PORTS[0]]
    rng = random.Random(4)
    for channel in range(2):
        master.pause(20 + channel, 0.3)
    sender, receiver = 1, 2
    read, write = master.options(receiver, True, 0, False), master.options(sender, True, 0, False)
    base = master.where.guest(0)
    magic = MAGIC.to_bytes(4, "little")
    reads, writes = [], []
    for _ in range(30):
        length = rng.choice((4, 8, 12))
        reads.append((length, master.bus.init_read(base, length, arid=rng.randrange(master.ids), size=2, **read)))
        # Words for a lane, in a burst with the halves in between; nothing is sent.
        words = rng.randbytes(8 * (CONFIG.words - 1))
        writes.append(
            master.bus.init_write(base + g.STAGE.at(0, 0), words, awid=rng.randrange(master.ids), size=2, **write)
        )
    for length, event in reads:
        await event.wait()
        assert event.data.data[:4] == magic
        assert len(event.data.data) == length
    for event in writes:
        await event.wait()
        assert event.data.resp == AxiResp.OKAY
    await master.write32(base + g.COMMIT.at(0, 0, 1, receiver), 77, sender)
    header = await master.read32(base + g.HEADER.at(0), receiver)
    assert g.HEADER.COUNT.get(header) == CONFIG.words
    stream, _ = await master.read(base + g.WORD.at(0), 8 * (CONFIG.words - 1), receiver, size=master.top)
    got = [stream[8 * index : 8 * index + 4] for index in range(CONFIG.words - 1)]
    assert got == [words[8 * index : 8 * index + 4] for index in range(CONFIG.words - 1)]
    assert await master.read32(base + g.POP.at(0), receiver) == 77


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def all_ports_send(dut):
    """Every port sends a message, its words in one burst of whole beats, at the same time; all arrives, whole."""
    await start(dut, CONFIG)
    masters = {port: Master(dut, port) for port in PORTS}
    reference = await opened(dut, masters)
    g, n = reference.guest, CONFIG.words
    speaker = {}
    for index, port in enumerate(PORTS):
        resident = CONFIG.core_base(port) % CONFIG.vms
        speaker[port] = resident if CONFIG.ports[port].identity is Identity.RESIDENT else (index + 3) % CONFIG.vms
    assert len(set(speaker.values())) == len(PORTS)
    listener = {port: speaker[PORTS[(index + 1) % len(PORTS)]] for index, port in enumerate(PORTS)}
    for port, master in masters.items():
        master.pause(port, 0.3)

    async def send(port):
        master, vm = masters[port], speaker[port]
        base = master.where.guest(vm)
        staged = b"".join((0x100 * port + word).to_bytes(8, "little") for word in range(n - 1))
        await master.write(base + g.STAGE.at(0, 0), staged, vm, size=master.top)
        await master.write32(base + g.COMMIT.at(0, 0, 1, listener[port]), 0x100 * port + n - 1, vm)

    await Combine(*(cocotb.start_soon(send(port)) for port in PORTS))
    for index, port in enumerate(PORTS):
        before, master, vm = PORTS[index - 1], masters[port], speaker[port]
        base = master.where.guest(vm)
        header = await master.read32(base + g.HEADER.at(0), vm)
        assert (g.HEADER.COUNT.get(header), g.HEADER.SENDER.get(header)) == (n, speaker[before])
        stream, _ = await master.read(base + g.WORD.at(0), 8 * (n - 1), vm, size=master.top)
        words = [int.from_bytes(stream[at : at + 8], "little") for at in range(0, len(stream), 8)]
        words.append(await master.read32(base + g.POP.at(0), vm))
        assert words == [0x100 * before + word for word in range(n)]


class ByHand:
    """Address, word and response wires of a port, for what has to come in certain cycles."""

    def __init__(self, dut, port: int):
        self.dut, self.port = dut, port
        self.set(bready=0, rready=0, awvalid=0, wvalid=0, arvalid=0, awlock=0, arlock=0, awcache=0, arcache=0)
        self.set(awprot=0, arprot=0)

    def pin(self, name: str):
        return getattr(self.dut, f"s{self.port}_axi_{name}")

    def set(self, **values: int) -> None:
        for name, value in values.items():
            self.pin(name).value = value

    def get(self, name: str) -> int:
        return int(self.pin(name).value)

    def address(self, way: str, address: int, beats: int, size: int, kind: int, id: int, tag: int = 0) -> None:
        shown = {"addr": address, "len": beats - 1, "size": size, "burst": kind, "id": id}
        if CONFIG.ports[self.port].identity is Identity.SIDEBAND:
            shown["user"] = tag
        self.set(**{f"a{way}{name}": value for name, value in shown.items()})

    async def read(self, address: int, beats: int, size: int, kind: int, tag: int = 0, id: int = 1) -> list[int]:
        """Read a burst, taking every beat at once; return its words."""
        self.address("r", address, beats, size, kind, id, tag)
        self.set(arvalid=1, rready=1)
        found = []
        while len(found) < beats:
            await RisingEdge(self.dut.clk)
            if self.get("arvalid") and self.get("arready"):
                self.set(arvalid=0)
            if self.get("rvalid"):
                assert (self.get("rid"), self.get("rlast")) == (id, len(found) == beats - 1)
                found.append(self.get("rdata"))
        self.set(rready=0)
        return found


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def wrapping_bursts(dut):
    """A wrapping burst reads the words of its container, from where it begins."""
    await start(dut, CONFIG)
    masters = {port: Master(dut, port, by_hand=port != PORTS[0]) for port in PORTS}
    reference = await opened(dut, masters)
    hands = {port: ByHand(dut, port) for port in PORTS[1:]}
    g = reference.guest
    for port, hand in hands.items():
        master = masters[port]
        for beats in (2, 4, 8, 16):
            for first in range(0, 64, master.bytes):
                address = master.where.guest(1) + g.MAGIC.at() + first
                got = await hand.read(address, beats, master.top, WRAP, tag=1)
                wanted = [reference.read(port, at, 1)[0] for at in burst(address, beats, master.top, WRAP)]
                assert got == wanted, (port, beats, first)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_beat_per_cycle(dut):
    """Bursts back to back in both directions at once: not a cycle between two beats or two bursts."""
    await start(dut, CONFIG)
    masters = {port: Master(dut, port, by_hand=port != PORTS[0]) for port in PORTS}
    reference = await opened(dut, masters)
    g, port = reference.guest, PORTS[1]  # by pages, 64 bits
    hand, master = ByHand(dut, port), masters[port]
    vm, bursts, beats = 1, 6, CONFIG.words
    base = master.where.guest(vm)
    hand.address("r", base + g.WORD.at(0), beats, master.top, INCR, 2)
    hand.address("w", base + g.STAGE.at(0, 0), beats, master.top, INCR, 3)
    hand.set(wdata=5, wstrb=2**master.bytes - 1, arvalid=1, awvalid=1, wvalid=1, rready=1, bready=1)
    taken = {"ar": [], "w": [], "r": [], "b": []}
    cycle = 0
    while len(taken["r"]) < bursts * beats or len(taken["b"]) < bursts:
        hand.set(wlast=len(taken["w"]) % beats == beats - 1)
        await RisingEdge(dut.clk)
        cycle += 1
        for channel, cycles in taken.items():
            if hand.get(f"{channel}valid") and hand.get(f"{channel}ready"):
                cycles.append(cycle)
        hand.set(arvalid=len(taken["ar"]) < bursts, wvalid=len(taken["w"]) < bursts * beats)
        hand.set(awvalid=-(-len(taken["w"]) // beats) < bursts)
    for channel in ("w", "r"):
        cycles = taken[channel]
        assert cycles == list(range(cycles[0], cycles[0] + bursts * beats)), channel
    assert [later - sooner for sooner, later in zip(taken["ar"], taken["ar"][1:], strict=False)] == [beats] * (
        bursts - 1
    )
    assert [later - sooner for sooner, later in zip(taken["b"], taken["b"][1:], strict=False)] == [beats] * (bursts - 1)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def the_owner_of_a_burst(dut):
    """A burst goes on as the VM that began it, whoever is resident meanwhile; a closed VM's ends in zeros."""
    await start(dut, CONFIG)
    masters = {port: Master(dut, port, by_hand=port != PORTS[0]) for port in PORTS}
    reference = await opened(dut, masters)
    g, m, first = reference.guest, reference.manager, masters[PORTS[0]]
    port = next(port for port in PORTS if CONFIG.ports[port].identity is Identity.RESIDENT)
    core = CONFIG.core_base(port)
    hand, base = ByHand(dut, port), masters[port].where.guest(0)
    before, after = core % CONFIG.vms, (core + 1) % CONFIG.vms
    manager = first.where.manager_base
    assert manager is not None

    async def beats(change):
        """Read SELF over and over in one burst, and make a change after the first beats; return who it was."""
        hand.address("r", base + g.SELF.at(), 16, 2, FIXED, 0)
        hand.set(arvalid=1, rready=1)
        while not (hand.get("arvalid") and hand.get("arready")):
            await RisingEdge(dut.clk)
        hand.set(arvalid=0)
        await edges(dut, 3)
        hand.set(rready=0)
        await edges(dut, 1)
        words = []
        await change()
        hand.set(rready=1)
        while not (hand.get("rvalid") and hand.get("rlast")):
            await RisingEdge(dut.clk)
            words.append(hand.get("rdata") if hand.get("rvalid") else None)
        hand.set(rready=0)
        return [word for word in words if word is not None]

    async def switch():
        await first.write32(manager + m.RESIDENT.at(core), m.RESIDENT.pack(VM=after, VALID=1))

    words = await beats(switch)
    assert {g.SELF.VM.get(word) for word in words} == {before}
    assert len(words) > 8
    (word,) = await hand.read(base + g.SELF.at(), 1, 2, INCR)
    assert g.SELF.VM.get(word) == after

    async def close():
        await first.write32(manager + m.CONTROL.at(after), 5)

    words = await beats(close)
    assert words[-1] == 0
    assert any(words)
    assert words == sorted(words, reverse=True)  # never back again


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_master_that_stops(dut):
    """A master that stops in the middle of bursts, in both directions, holds up its own port and nobody else."""
    await start(dut, CONFIG)
    masters = {port: Master(dut, port, by_hand=port == PORTS[1]) for port in PORTS}
    reference = await opened(dut, masters)
    g, port = reference.guest, PORTS[1]
    hand, first, vm = ByHand(dut, port), masters[PORTS[0]], 1
    base = masters[port].where.guest(vm)
    hand.address("w", base + g.STAGE.at(0, 0), 16, 2, INCR, 1)
    hand.address("r", base + g.MAGIC.at(), 256, 2, INCR, 1)
    hand.set(awvalid=1, wvalid=1, wdata=0, wstrb=15, wlast=0, arvalid=1)
    while not (hand.get("awvalid") and hand.get("awready")):
        await RisingEdge(dut.clk)
    hand.set(awvalid=0, wvalid=0)  # one word of 16; and no word that is read is taken
    await edges(dut, 100)
    assert hand.get("rvalid")
    assert not hand.get("bvalid")
    hand.set(awvalid=1, arvalid=1)
    for port_of_others in (PORTS[0], PORTS[2]):
        other = masters[port_of_others]
        for _ in range(5):
            begin = cocotb.utils.get_sim_time("ns")
            word = await other.read32(other.where.guest(2) + g.MAGIC.at(), 2)
            assert word == MAGIC
            assert cocotb.utils.get_sim_time("ns") - begin < 200
    manager = first.where.manager_base
    assert manager is not None
    for command in (2, 3):  # pause it and let it go on: the manager does not wait for the burst either
        await first.write32(manager + reference.manager.CONTROL.at(vm), command)
        state = reference.manager.CONTROL.STATE.get(await first.read32(manager + reference.manager.CONTROL.at(vm)))
        assert state == {2: 2, 3: 1}[command]
    hand.set(awvalid=0, arvalid=0, wvalid=1, rready=1, bready=1)  # it thinks better of it
    words, beats, answers = 0, 1, 0
    while words < 256 or not answers:
        await RisingEdge(dut.clk)
        words += hand.get("rvalid") and hand.get("rready")
        answers += hand.get("bvalid") and hand.get("bready")
        beats += hand.get("wvalid") and hand.get("wready")
        hand.set(wvalid=beats < 16, wlast=beats == 15)
    assert (words, beats, answers) == (256, 16, 1)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_of_a_port(dut):
    """A port reset in the middle of bursts drops what is staged there; the other ports do not notice."""
    await start(dut, CONFIG)
    masters = {port: Master(dut, port) for port in PORTS}
    reference = await opened(dut, masters)
    port, other, g = PORTS[0], PORTS[1], reference.guest
    sender, receiver = 1, 2
    master, base = masters[port], masters[port].where.guest(sender)
    elsewhere = masters[other].where.guest(receiver)
    reset = getattr(dut, f"s{port}_rst")
    options = master.options(sender, True, 0, False)
    for cycles in range(1, 14):
        await master.write32(base + g.STAGE.at(0, 0), 1, sender)
        master.bus.init_write(base + g.STAGE.at(0, 1), bytes(32), size=2, **options)
        master.bus.init_read(base, 64, size=2, **options)
        reading = cocotb.start_soon(masters[other].read32(elsewhere + g.MAGIC.at(), receiver))
        await edges(dut, cycles)
        reset.value = 1
        await edges(dut, 2)
        reset.value = 0
        assert await reading == MAGIC
        await RisingEdge(dut.clk)
        await master.write32(base + g.COMMIT.at(0, 0, 1, receiver), 0, sender)
        result = await master.read32(base + g.RESULT.at(0), sender)
        assert g.RESULT.CODE.get(result) == Result.TORN
        await master.write32(base + g.ACK.at(0), 0, sender)
