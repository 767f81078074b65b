"""The scrubber: writes zero to blocks that were given up."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config
from postern_spec.sizes import scrub_window

from .ecc import Guard
from .native import Sizes
from .select import after, bits_for, log2

__all__ = ["SHARE", "ScrubSignature", "Scrubber"]

SHARE = 8
"""The scrubber has one write cycle in so many of each bank for certain. A power of two."""


class ScrubSignature(wiring.Signature):
    """Writes of zero into one bank, seen from the scrubber.

    Members
    -------
    want : Out(1), row : Out
        This row is to be zeroed.
    taken : In(1)
        It is, and will be in the next cycle.
    """

    def __init__(self, row_bits: int):
        super().__init__({"want": Out(1), "row": Out(unsigned(row_bits)), "taken": In(1)})


class Scrubber(wiring.Component):
    """Zeroes one block at a time, a word per bank and cycle. Banks do not wait for each other within a block.

    In a strict block it goes round the VMs, in a window each, whose length does not depend on what there is to scrub
    while the block goes by turns: a block is clean at the end of its window.

    Otherwise, uncontended, a block takes as many cycles as it has words in a bank, and two more. With ports that always
    write it takes ``SHARE`` cycles per word.

    Parameters
    ----------
    config : Config
        With blocks.
    rows : int
        Words of a block in each bank.
    row_bits : int
        Width of the number of a row of a bank.

    Members
    -------
    dirty : In(1), block : In
        A block waits to be zeroed; which one.
    clean : Out(1)
        Its last words are zero at the end of this cycle. ``block`` may change then.
    scrub : Out(ScrubSignature).array(banks), first : Out(1)
        To the SRAM.
    strict : In(1), vm : Out, cleaning : Out
        Where the block is strict: it goes by turns; in whose pool ``block`` is to be; which block is being zeroed.
    unsound : Out(1)
        With protection: a register has a flipped bit.
    """

    def __init__(self, config: Config, *, rows: int, row_bits: int):
        self.config = config
        self.rows = rows
        block = unsigned(bits_for(config.blocks))
        super().__init__(
            {
                "dirty": In(1),
                "block": In(block),
                "clean": Out(1),
                "scrub": Out(ScrubSignature(row_bits)).array(config.banks),
                "first": Out(1),
            }
            | (
                {"strict": In(1), "vm": Out(unsigned(Sizes(config).vm_bits)), "cleaning": Out(block)}
                if config.strict
                else {}
            )
            | ({"unsound": Out(1)} if config.protection else {})
        )

    def elaborate(self, platform):
        m = Module()
        row_log = log2(self.rows)
        guard = Guard(self.config.protection)
        phase = Signal(range(SHARE))
        busy = Signal()
        block = Signal.like(self.block)
        done = Signal(self.config.banks)
        m.d.sync += [phase.eq(phase + 1), self.first.eq(phase == SHARE - 1)]
        for bank, scrub in enumerate(self.scrub):
            # A bit more than a row needs: it says that the block is done here.
            row = Signal(row_log + 1, name=f"row_{bank}")
            m.d.comb += [
                done[bank].eq(row[-1]),
                scrub.want.eq(busy & ~row[-1]),
                scrub.row.eq(Cat(row[:-1], block)),
            ]
            with m.If(~busy):
                m.d.sync += guard.set(row, 0)
            with m.Elif(scrub.taken):
                m.d.sync += guard.set(row, row + 1)
        begins, last = Const(1), done.all()
        if self.config.strict:
            begins, last = self._windows(m, done.all(), guard)
            m.d.comb += self.cleaning.eq(block)
        m.d.comb += self.clean.eq(busy & done.all() & last)
        with m.If(busy & last):
            m.d.sync += guard.set(busy, 0)
        with m.Elif(~busy & self.dirty & begins):
            m.d.sync += [guard.set(busy, 1), guard.set(block, self.block)]
        if self.config.protection:
            m.d.comb += self.unsound.eq(guard.error)
        return m

    def _windows(self, m: Module, done, guard: Guard):
        """Whose window it is. Returns whether it begins, and whether it ends.

        By turns a window lasts as long as its block may take; otherwise it ends with the block, or at once.
        """
        cycles = scrub_window(self.config)
        time = Signal(range(cycles))
        begins, last = Signal(), Signal()
        m.d.comb += [
            begins.eq(time == 0),
            last.eq(Mux(self.strict, time == cycles - 1, Mux(begins, ~self.dirty, done))),
        ]
        with m.If(last):
            m.d.sync += [guard.set(time, 0), guard.set(self.vm, after(self.vm, self.config.vms))]
        with m.Elif(time != cycles - 1):
            m.d.sync += guard.set(time, time + 1)
        return begins, last
