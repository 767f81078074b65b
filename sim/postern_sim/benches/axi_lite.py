"""AXI4-Lite, driven by the master of cocotbext-axi, with pauses on every channel."""

import random

import cocotb
from cocotb.triggers import Combine, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiProt, AxiResp

from postern_spec.config import Bus, Identity
from postern_spec.regmap import Result, address_map

from ..traffic import Traffic
from . import configuration
from .common import Reference, edges, pauses, settle, start

CONFIG = configuration()
PORTS = [index for index, port in enumerate(CONFIG.ports) if port.bus is Bus.AXI4_LITE]


class Master:
    """A master of cocotbext-axi. It has no user signals: the tag stands beside it and is held for an access."""

    def __init__(self, dut, port: int):
        self.dut, self.port = dut, port
        self.sideband = CONFIG.ports[port].identity is Identity.SIDEBAND
        self.bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, f"s{port}_axi"), dut.clk, getattr(dut, f"s{port}_rst"))

    def tag(self, tag: int) -> None:
        """Set the tag of the accesses that follow."""
        if self.sideband:
            getattr(self.dut, f"s{self.port}_axi_awuser").value = tag
            getattr(self.dut, f"s{self.port}_axi_aruser").value = tag

    def pause(self, seed: int, often: float) -> None:
        """Pause on all five channels."""
        write, read = self.bus.write_if, self.bus.read_if
        channels = (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel)
        for number, channel in enumerate(channels):
            channel.set_pause_generator(pauses(seed + number, often))

    async def read(self, address: int, secure: bool = True) -> tuple[int, AxiResp]:
        prot = AxiProt.PRIVILEGED if secure else AxiProt.NONSECURE
        answer = await self.bus.read(address, 4, prot=prot)
        return int.from_bytes(answer.data, "little"), answer.resp

    async def write(self, address: int, data: int, secure: bool = True) -> AxiResp:
        prot = AxiProt.PRIVILEGED if secure else AxiProt.NONSECURE
        return (await self.bus.write(address, data.to_bytes(4, "little"), prot=prot)).resp


async def opened(dut, masters) -> Reference:
    """Open all VMs through the first port and acknowledge them there, in block and model."""
    reference = Reference(CONFIG)
    first = masters[PORTS[0]]
    writes = [(0, write) for write in reference.opening(PORTS[0])]
    writes += [(vm, write) for vm in range(CONFIG.vms) for write in reference.greetings(PORTS[0], vm)]
    for tag, (address, data) in writes:
        first.tag(tag)
        reference.write(PORTS[0], address, data, tag)
        assert await first.write(address, data) == AxiResp.OKAY
    return reference


@cocotb.test()
@cocotb.parametrize(often=(0.0, 0.5))
async def like_the_model(dut, often):
    """Random accesses at all ports, one after the other, answer as the model does."""
    await start(dut, CONFIG)
    masters = {port: Master(dut, port) for port in PORTS}
    reference = await opened(dut, masters)
    for port, master in masters.items():
        master.pause(port * 10, often)
    traffic = Traffic(CONFIG, 5, 250)
    rng = random.Random(6)
    at = dict.fromkeys(PORTS, 0)
    for _ in range(500):
        port = rng.choice(PORTS)
        access = traffic.accesses[port][at[port]]
        at[port] += 1
        if access.address % 4 or access.strobes != 0xF:
            continue  # this master splits them
        masters[port].tag(access.tag)
        if access.path == 0:
            reference.write(port, access.address, access.data, access.tag, secure=access.secure)
            assert await masters[port].write(access.address, access.data, access.secure) == AxiResp.OKAY
            await settle(dut, CONFIG, access)
        else:
            value, error = reference.read(port, access.address, access.tag, secure=access.secure)
            got = await masters[port].read(access.address, access.secure)
            assert got == (value, AxiResp.SLVERR if error else AxiResp.OKAY), (port, access)


@cocotb.test()
async def all_at_once(dut):
    """Every port sends to its neighbour at the same time, without waiting for answers; all arrives, whole, in order."""
    await start(dut, CONFIG)
    masters = {port: Master(dut, port) for port in PORTS}
    reference = await opened(dut, masters)
    first = masters[PORTS[0]]
    first.tag(0)
    manager = address_map(CONFIG, PORTS[0]).manager_base
    assert manager is not None
    # Who speaks at which port: its own VM, the resident one, or any.
    speaker = {}
    for index, port in enumerate(PORTS):
        identity = CONFIG.ports[port].identity
        speaker[port] = CONFIG.ports[port].vm if identity is Identity.STATIC else (index + 3) % CONFIG.vms
        if identity is Identity.RESIDENT:
            word = reference.manager.RESIDENT.pack(VM=speaker[port], VALID=1)
            await first.write(manager + reference.manager.RESIDENT.at(CONFIG.core_base(port)), word)
    assert len(set(speaker.values())) == len(PORTS)
    listener = {port: speaker[PORTS[(index + 1) % len(PORTS)]] for index, port in enumerate(PORTS)}

    g, n = reference.guest, CONFIG.words
    for port, master in masters.items():
        master.pause(port, 0.3)
        master.tag(speaker[port])

    async def send(port):
        base, events = address_map(CONFIG, port).guest(speaker[port]), []
        for word in range(n - 1):
            data = 0x100 * port + word
            events.append(masters[port].bus.init_write(base + g.STAGE.at(0, word), data.to_bytes(4, "little")))
        commit = base + g.COMMIT.at(0, 0, int(n > 1), listener[port])
        events.append(masters[port].bus.init_write(commit, (0x100 * port + n - 1).to_bytes(4, "little")))
        for event in events:
            await event.wait()

    await Combine(*(cocotb.start_soon(send(port)) for port in PORTS))
    for index, port in enumerate(PORTS):
        before = PORTS[index - 1]
        base = address_map(CONFIG, port).guest(speaker[port])
        header, _ = await masters[port].read(base + g.HEADER.at(0))
        assert (g.HEADER.COUNT.get(header), g.HEADER.SENDER.get(header)) == (n, speaker[before])
        words = [(await masters[port].read(base + g.WORD.at(word)))[0] for word in range(n - 1)]
        words.append((await masters[port].read(base + g.POP.at(0)))[0])
        assert words == [0x100 * before + word for word in range(n)]


@cocotb.test()
async def reset_of_a_port(dut):
    """A port reset in the middle of a message drops what is staged there; the other ports do not notice."""
    await start(dut, CONFIG)
    masters = {port: Master(dut, port) for port in PORTS}
    reference = await opened(dut, masters)
    port, other, g = PORTS[0], PORTS[1], reference.guest
    sender, receiver = 1, 2
    masters[port].tag(sender)
    base = address_map(CONFIG, port).guest(sender)
    reset = getattr(dut, f"s{port}_rst")
    elsewhere = address_map(CONFIG, other).guest(receiver)
    for cycles in range(1, 9):
        await masters[port].write(base + g.STAGE.at(0, 0), 1)
        masters[port].bus.init_write(base + g.STAGE.at(0, 1), bytes(4))
        masters[port].bus.init_read(base + g.SELF.at(), 4)
        reading = cocotb.start_soon(masters[other].read(elsewhere + g.MAGIC.at()))
        await edges(dut, cycles)
        reset.value = 1
        await edges(dut, 2)
        reset.value = 0
        assert (await reading)[0] == g.MAGIC.VALUE.reset
        await RisingEdge(dut.clk)
        await masters[port].write(base + g.COMMIT.at(0, 0, 1, receiver), 0)
        result, _ = await masters[port].read(base + g.RESULT.at(0))
        assert g.RESULT.CODE.get(result) == Result.TORN
        await masters[port].write(base + g.ACK.at(0), 0)
