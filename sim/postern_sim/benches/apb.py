"""APB4, driven by the requester of cocotbext-apb and by one that pauses."""

import random

import cocotb
from cocotb.triggers import RisingEdge
from cocotbext.apb import Apb4Bus, ApbMaster, ApbProt

from postern_spec.config import Bus, Identity
from postern_spec.regmap import address_map

from ..traffic import Traffic
from . import configuration
from .common import Reference, edges, settle, start

CONFIG = configuration()
PORTS = [index for index, port in enumerate(CONFIG.ports) if port.bus is Bus.APB]


class Requester:
    """Makes one access after the other, with pauses between them."""

    def __init__(self, dut, port: int, seed: int = 1, gap: float = 0.0):
        self.dut, self.port, self.gap = dut, port, gap
        self.random = random.Random(seed)
        self.sideband = CONFIG.ports[port].identity is Identity.SIDEBAND
        self.cycles = 0  # of the last access, from its setup phase to its answer

    def _pin(self, name):
        return getattr(self.dut, f"s{self.port}_apb_{name}")

    async def access(self, address, word=None, tag=0, *, strobes=0xF, secure=True):
        """Make an access (without a word: a read); return the word and whether there was an error."""
        while self.random.random() < self.gap:
            await RisingEdge(self.dut.clk)
        self._pin("psel").value, self._pin("penable").value = 1, 0
        self._pin("paddr").value, self._pin("pwrite").value = address, int(word is not None)
        self._pin("pwdata").value, self._pin("pstrb").value = word or 0, strobes if word is not None else 0
        self._pin("pprot").value = 0 if secure else 2
        if self.sideband:
            self._pin("puser").value = tag
        await RisingEdge(self.dut.clk)
        self._pin("penable").value = 1
        self.cycles = 1
        while True:
            await RisingEdge(self.dut.clk)
            self.cycles += 1
            if self._pin("pready").value:
                break
        self._pin("psel").value, self._pin("penable").value = 0, 0
        return int(self._pin("prdata").value), bool(self._pin("pslverr").value)


async def opened(dut) -> Reference:
    """Open all VMs and acknowledge them at the sideband port, in block and model."""
    reference = Reference(CONFIG)
    port = next(port for port in PORTS if CONFIG.ports[port].identity is Identity.SIDEBAND)
    requester = Requester(dut, port)
    writes = [(0, write) for write in reference.opening(port)]
    writes += [(vm, write) for vm in range(CONFIG.vms) for write in reference.greetings(port, vm)]
    for tag, (address, data) in writes:
        reference.write(port, address, data, tag)
        await requester.access(address, data, tag)
    return reference


@cocotb.test()
@cocotb.parametrize(gap=(0.0, 0.5))
async def like_the_model(dut, gap):
    """Random accesses at all ports, one after the other, answer as the model does."""
    await start(dut, CONFIG)
    reference = await opened(dut)
    traffic = Traffic(CONFIG, 3, 300)
    requesters = {port: Requester(dut, port, port, gap) for port in PORTS}
    rng = random.Random(8)
    at = dict.fromkeys(PORTS, 0)
    for _ in range(500):
        port = rng.choice(PORTS)
        access = traffic.accesses[port][at[port]]
        at[port] += 1
        if access.name == "IRQ_MODERATION":
            continue  # its timer counts the very cycles, which are not those of this model; lockstep has them
        reference.model.tick(4)  # so long at least takes the access before
        go = requesters[port].access
        if access.path == 0:
            reference.write(port, access.address, access.data, access.tag, strobes=access.strobes, secure=access.secure)
            _, error = await go(access.address, access.data, access.tag, strobes=access.strobes, secure=access.secure)
            assert not error
            await settle(dut, CONFIG, access)
        else:
            wanted = reference.read(port, access.address, access.tag, secure=access.secure)
            assert await go(access.address, None, access.tag, secure=access.secure) == wanted, (port, access)


@cocotb.test()
async def as_many_cycles_as_published(dut):
    """From the setup phase to the answer, inclusive: what docs/integration_guide.md says."""
    await start(dut, CONFIG)
    reference = await opened(dut)
    g, port = reference.guest, PORTS[0]
    requester = Requester(dut, port)
    base = address_map(CONFIG, port).guest(1)
    more = int(CONFIG.request_register)
    for address, word, cycles in (
        (g.STAGE.at(0, 0), 1, 2),
        (g.COMMIT.at(0, 0, 1, 2), 1, 3),
        (g.IRQ_ENABLE.at(0), 0, 5),
        (g.MAGIC.at(), None, 4),
        (g.HEADER.at(0), None, 4),
    ):
        await requester.access(base + address, word, 1)
        assert requester.cycles == cycles + more, hex(address)


@cocotb.test()
async def foreign_requester(dut):
    """The requester of cocotbext-apb sends a message and reads its result; a refused read is an error to it."""
    await start(dut, CONFIG)
    reference = await opened(dut)
    g = reference.guest
    port = next(port for port in PORTS if CONFIG.ports[port].identity is Identity.SIDEBAND)
    sender, receiver = 1, 2
    base = address_map(CONFIG, port).guest(sender)
    bus = ApbMaster(Apb4Bus.from_prefix(dut, f"s{port}_apb"), dut.clk)
    tag = getattr(dut, f"s{port}_apb_puser")
    tag.value = sender
    await edges(dut, 2)
    for word in range(CONFIG.words - 1):
        await bus.write(base + g.STAGE.at(0, word), 10 + word)
    await bus.write(base + g.COMMIT.at(0, 0, int(CONFIG.words > 1), receiver), 99)
    await bus.read(base + g.RESULT.at(0), g.RESULT.pack(CODE=1, COUNT=1))
    tag.value = receiver
    header = int.from_bytes(await bus.read(base + g.HEADER.at(0)), "little")
    assert g.HEADER.COUNT.get(header) == CONFIG.words
    for word in range(CONFIG.words - 1):
        await bus.read(base + g.WORD.at(word), 10 + word)
    await bus.read(base + g.POP.at(0), 99)
    manager = address_map(CONFIG, port).manager_base
    assert manager is not None
    await bus.read(manager + reference.manager.DRAIN.at(), 1, prot=ApbProt.PRIVILEGED)
    await bus.read(manager + reference.manager.DRAIN.at(), 0, prot=ApbProt.NONSECURE, error_expected=CONFIG.read_error)


@cocotb.test()
async def reset_of_a_port(dut):
    """An access that is under way in a port reset is dropped with it; the next one is answered."""
    await start(dut, CONFIG)
    reference = await opened(dut)
    g, port = reference.guest, PORTS[0]
    base = address_map(CONFIG, port).guest(1)
    reset = getattr(dut, f"s{port}_rst")
    for cycles in range(1, 7):
        requester = Requester(dut, port)
        task = cocotb.start_soon(requester.access(base + g.SELF.at(), None, 1))
        await edges(dut, cycles)
        task.cancel()
        reset.value = 1
        requester._pin("psel").value = requester._pin("penable").value = 0
        await edges(dut, 2)
        reset.value = 0
        assert await requester.access(base + g.MAGIC.at(), None, 1) == (g.MAGIC.VALUE.reset, False)
