"""A master that does to accesses what bridges and caches do: reorders, splits, acknowledges early, reads ahead."""

import random

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge

from postern_spec.config import Bus, Identity
from postern_spec.model import Access
from postern_spec.regmap import address_map

from . import configuration
from .common import Reference, start

CONFIG = configuration()
PORT = next(
    index for index, port in enumerate(CONFIG.ports) if port.bus is Bus.AXI4_LITE and port.identity is Identity.SIDEBAND
)
PREFIX = f"s{PORT}_axi"
SENDER, RECEIVER = 1, 2


class Bridge:
    """Queues of reads and writes on an AXI4-Lite port. Writes are acknowledged to the core before they are made.

    Nothing but the order within one direction is kept: a read may overtake any number of writes, and the other way
    around; the data of a write may come long before or after its address.
    """

    def __init__(self, dut, seed: int):
        self.dut = dut
        self.random = random.Random(seed)
        self.aw, self.w, self.ar = [], [], []
        self.answers, self.outstanding = [], 0
        cocotb.start_soon(self._run())

    def _pin(self, name):
        return getattr(self.dut, f"{PREFIX}_{name}")

    def write(self, address, word, tag=SENDER, strobes=0xF):
        self.aw.append((address, tag))
        self.w.append((word, strobes))
        self.outstanding += 1

    def read(self, address, tag=SENDER):
        self.ar.append((address, tag))
        self.outstanding += 1

    async def _run(self):
        chance = self.random.random
        offers: dict[str, tuple[int, int] | None] = {"aw": None, "w": None, "ar": None}
        while True:
            for channel, queue in (("aw", self.aw), ("w", self.w), ("ar", self.ar)):
                if offers[channel] is None and queue and chance() < 0.4:
                    offers[channel] = first, second = queue.pop(0)
                    names = ("wdata", "wstrb") if channel == "w" else (f"{channel}addr", f"{channel}user")
                    self._pin(names[0]).value, self._pin(names[1]).value = first, second
                self._pin(f"{channel}valid").value = int(offers[channel] is not None)
            self._pin("awprot").value = self._pin("arprot").value = 0
            self._pin("bready").value = int(chance() < 0.5)
            self._pin("rready").value = int(chance() < 0.5)
            await ReadOnly()
            taken = [name for name in offers if self._pin(f"{name}valid").value and self._pin(f"{name}ready").value]
            written = self._pin("bvalid").value and self._pin("bready").value
            word = int(self._pin("rdata").value) if self._pin("rvalid").value and self._pin("rready").value else None
            await RisingEdge(self.dut.clk)
            for channel in taken:
                offers[channel] = None
            self.outstanding -= int(bool(written)) + (word is not None)
            if word is not None:
                self.answers.append(word)

    async def settle(self):
        """Wait for all answers; return the words that were read since the last time."""
        while self.outstanding:
            await RisingEdge(self.dut.clk)
        answers, self.answers = self.answers, []
        return answers


async def opened(dut, bridge) -> Reference:
    reference = Reference(CONFIG)
    for address, data in reference.opening(PORT):
        bridge.write(address, data, 0)
    await bridge.settle()
    for vm in (SENDER, RECEIVER):
        for address, data in reference.greetings(PORT, vm):
            bridge.write(address, data, vm)
    await bridge.settle()
    return reference


def at(register, *indices, vm=SENDER):
    return address_map(CONFIG, PORT).guest(vm) + register.at(*indices)


async def receive(bridge, g):
    """Take one message as a careful receiver: the answers of reads come in order, whatever else is under way."""
    bridge.read(at(g.HEADER, 0, vm=RECEIVER), RECEIVER)
    for word in range(CONFIG.words - 1):
        bridge.read(at(g.WORD, word, vm=RECEIVER), RECEIVER)
    bridge.read(at(g.POP, 0, vm=RECEIVER), RECEIVER)
    return await bridge.settle()


def inert_reads(g):
    """Return every register whose read has no effect."""
    return [item.offset for item in g.registers if all(field.access is not Access.RA for field in item.fields)]


@cocotb.test()
@cocotb.parametrize(seed=(1, 2, 3))
async def messages_survive(dut, seed):
    """Writes acknowledged early and reordered against reads, split in two, among reads ahead: messages are whole."""
    await start(dut, CONFIG)
    rng = random.Random(seed)
    bridge = Bridge(dut, seed)
    g = (await opened(dut, bridge)).guest
    ahead = inert_reads(g)

    def write(register, *indices, data):
        """Write, as a 64-bit store whose upper half nobody meant, in either order of its halves, or as it is."""
        address = at(register, *indices)
        halves = [(address, data)]
        if rng.random() < 0.5:
            halves.append((address + 4, rng.getrandbits(32)))
            rng.shuffle(halves)
        for half in halves:
            bridge.write(*half)
        for _ in range(rng.randrange(3)):  # what a bridge reads ahead, or a 64-bit load brings along
            bridge.read(at(g.MAGIC) - g.MAGIC.offset + rng.choice(ahead) + rng.choice((0, 4)))

    for number in range(12):
        words = [number << 16 | word for word in range(CONFIG.words)]
        for word, data in enumerate(words[:-1]):
            write(g.STAGE, 0, word, data=data)
        write(g.COMMIT, 0, 0, int(CONFIG.words > 1), RECEIVER, data=words[-1])
        await bridge.settle()
        bridge.read(at(g.RESULT, 0))
        (result,) = await bridge.settle()
        assert result == g.RESULT.pack(CODE=1, COUNT=number + 1)
        # The upper halves of the receiver's acting registers are inert, too.
        for register in (g.HEADER, g.POP):
            bridge.read(at(register, 0, vm=RECEIVER) + 4, RECEIVER)
        assert await bridge.settle() == [0, 0]
        header, *got = await receive(bridge, g)
        assert g.HEADER.COUNT.get(header) == CONFIG.words
        assert got == words


@cocotb.test()
async def partial_stores(dut):
    """A store that a bridge cut into bytes tears the lane, and is no message."""
    await start(dut, CONFIG)
    bridge = Bridge(dut, 4)
    g = (await opened(dut, bridge)).guest
    for strobes in (0b0001, 0b0011, 0b1100, 0b0111):
        commit = at(g.COMMIT, 0, 0, 0, RECEIVER)
        bridge.write(commit, 7, strobes=strobes)
        bridge.write(commit, 7, strobes=0xF & ~strobes)
        await bridge.settle()
        bridge.read(at(g.RESULT, 0))
        (result,) = await bridge.settle()
        assert result == g.RESULT.pack(CODE=5, VM=RECEIVER)
        bridge.write(at(g.ACK, 0), 0)
        await bridge.settle()
    bridge.read(at(g.HEADER, 0, vm=RECEIVER), RECEIVER)
    assert await bridge.settle() == [0]
