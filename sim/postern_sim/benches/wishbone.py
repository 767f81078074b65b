"""Wishbone B4, driven by a pipelined master and by the one of cocotbext-wishbone."""

import random

import cocotb
from cocotb.triggers import RisingEdge
from cocotbext.wishbone.driver import WBOp, WishboneMaster

from postern_spec.config import Bus
from postern_spec.regmap import address_map

from ..traffic import Traffic
from . import configuration
from .common import Reference, edges, start

CONFIG = configuration()
PORT = next(index for index, port in enumerate(CONFIG.ports) if port.bus is Bus.WISHBONE)
PREFIX = f"s{PORT}_wb"


class Pipelined:
    """A master that goes on without waiting: at most ``deep`` requests are out, answers come in order."""

    def __init__(self, dut, deep: int = 4, seed: int = 1, gap: float = 0.0):
        self.dut, self.deep, self.gap = dut, deep, gap
        self.random = random.Random(seed)

    def _pin(self, name):
        return getattr(self.dut, f"{PREFIX}_{name}")

    async def run(self, requests, *, stop_after: int | None = None):
        """Make requests (address, word or None, tag, selects); return words and errors.

        With ``stop_after`` the bus cycle ends when so many requests were taken, whatever is outstanding.
        """
        answers: list[tuple[int, bool]] = []
        taken = 0
        while len(answers) < len(requests):
            offered = taken < len(requests) and taken - len(answers) < self.deep and self.random.random() >= self.gap
            self._pin("cyc").value = int(offered or taken > len(answers))
            self._pin("stb").value = int(offered)
            while True:
                if offered:
                    address, word, tag, selects = requests[taken]
                    self._pin("adr").value = address >> 2
                    self._pin("we").value = int(word is not None)
                    self._pin("dat_w").value = word or 0
                    self._pin("sel").value = selects
                    self._pin("tga").value = tag
                await RisingEdge(self.dut.clk)
                if self._pin("ack").value or self._pin("err").value:
                    answers.append((int(self._pin("dat_r").value), bool(self._pin("err").value)))
                if not offered or not self._pin("stall").value:
                    break  # a request stays until it is taken
            taken += offered
            if taken == stop_after:
                break
        self._pin("cyc").value = 0
        self._pin("stb").value = 0
        await RisingEdge(self.dut.clk)
        return answers


async def opened(dut, master) -> Reference:
    """Open all VMs and acknowledge them, in block and model."""
    reference = Reference(CONFIG)
    writes = [(0, write) for write in reference.opening(PORT)]
    writes += [(vm, write) for vm in range(CONFIG.vms) for write in reference.greetings(PORT, vm)]
    for tag, (address, data) in writes:
        reference.write(PORT, address, data, tag, secure=False)
    await master.run([(address, data, tag, 0xF) for tag, (address, data) in writes])
    return reference


@cocotb.test()
@cocotb.parametrize((("deep", "gap"), [(1, 0.0), (4, 0.0), (16, 0.4)]))
async def like_the_model(dut, deep, gap):
    """Random requests, reads and writes mixed, several outstanding: effects and answers in order, as in the model."""
    await start(dut, CONFIG)
    reference = await opened(dut, Pipelined(dut))
    traffic = Traffic(CONFIG, 9, 400)
    requests, expected = [], []
    for access in traffic.accesses[PORT][:400]:
        write = access.path == 0
        requests.append((access.address, access.data if write else None, access.tag, access.strobes))
        if write:
            reference.write(PORT, access.address, access.data, access.tag, strobes=access.strobes, secure=False)
            expected.append(None)
        elif access.strobes:
            full = access.strobes == 0xF
            expected.append(reference.read(PORT, access.address, access.tag, full=full, secure=False))
        else:
            expected.append((0, False))
    answers = await Pipelined(dut, deep, 3, gap).run(requests)
    for request, answer, wanted in zip(requests, answers, expected, strict=True):
        assert not answer[1] if wanted is None else answer == wanted, request


@cocotb.test()
async def an_early_end(dut):
    """A bus cycle that ends with requests outstanding: they take effect, and nobody else gets their answers."""
    await start(dut, CONFIG)
    master = Pipelined(dut)
    reference = await opened(dut, master)
    g = reference.guest
    base = address_map(CONFIG, PORT).guest(1)
    await master.run([(base + g.IRQ_ENABLE.at(0), 0x15, 1, 0xF)] * 3, stop_after=3)
    answers = await master.run([(base + g.MAGIC.at(), None, 1, 0xF), (base + g.IRQ_ENABLE.at(0), None, 1, 0xF)])
    assert answers == [(g.MAGIC.VALUE.reset, False), (0x15, False)]


@cocotb.test()
async def foreign_master(dut):
    """The master of cocotbext-wishbone sends a message and reads its result."""
    await start(dut, CONFIG)
    reference = await opened(dut, Pipelined(dut))
    g = reference.guest
    base = address_map(CONFIG, PORT).guest(1)
    getattr(dut, f"{PREFIX}_tga").value = 1
    signals = {name: name for name in ("cyc", "stb", "we", "adr", "stall", "ack", "err", "sel")}
    bus = WishboneMaster(
        dut, PREFIX, dut.clk, width=32, timeout=50, signals_dict=signals | {"datwr": "dat_w", "datrd": "dat_r"}
    )
    await edges(dut, 2)
    operations = [WBOp(base + g.STAGE.at(0, word) >> 2, dat=10 + word) for word in range(CONFIG.words - 1)]
    operations.append(WBOp(base + g.COMMIT.at(0, 0, int(CONFIG.words > 1), 2) >> 2, dat=99))
    operations.append(WBOp(base + g.RESULT.at(0) >> 2))
    results = await bus.send_cycle(operations)
    assert int(results[-1].datrd) == g.RESULT.pack(CODE=1, COUNT=1)
    tags = [
        (address_map(CONFIG, PORT).guest(2) + offset, None, 2, 0xF)
        for offset in (g.HEADER.at(0), g.WORD.at(0), g.POP.at(0))
    ]
    header, first, last = [answer[0] for answer in await Pipelined(dut, 1).run(tags)]
    assert g.HEADER.COUNT.get(header) == CONFIG.words
    assert (first, last) == (10, 99)
