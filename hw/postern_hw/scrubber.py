"""The scrubber: writes zero to blocks that were given up."""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config

from .select import bits_for, log2

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

    Uncontended, a block takes as many cycles as it has words in a bank, and two more. With ports that always write it
    takes ``SHARE`` cycles per word.

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
    """

    def __init__(self, config: Config, *, rows: int, row_bits: int):
        self.config = config
        self.rows = rows
        super().__init__(
            {
                "dirty": In(1),
                "block": In(unsigned(bits_for(config.blocks))),
                "clean": Out(1),
                "scrub": Out(ScrubSignature(row_bits)).array(config.banks),
                "first": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        row_log = log2(self.rows)
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
                m.d.sync += row.eq(0)
            with m.Elif(scrub.taken):
                m.d.sync += row.eq(row + 1)
        m.d.comb += self.clean.eq(busy & done.all())
        with m.If(self.clean):
            m.d.sync += busy.eq(0)
        with m.Elif(~busy & self.dirty):
            m.d.sync += [busy.eq(1), block.eq(self.block)]
        return m
