"""What was found to be flipped: counts of memory errors, and the fatal state."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from postern_spec.regmap import Damage

from .ecc import Guard

__all__ = ["Integrity"]


class Integrity(wiring.Component):
    """Collects what the checks find. See ``docs/states.md``, section 17.

    Members
    -------
    unsound, damaged : In(len(Damage))
        By ``Damage``: a register has a flipped bit in this cycle; a row of a table that is read has one.
    pool_corrected, pool_lost, sram_corrected, sram_lost : In(1)
        A word that was read had one flipped bit, or more.
    set_enable : In(1), data : In(32)
        Take bit 8 of ``data``: whether the manager is interrupted.
    failed : Out(1)
        No guest may reach anything: in the cycle in which a register is unsound, from the next one on where a row was
        damaged, and until reset.
    fatal : Out(1)
        It was so in the last cycle.
    kind : Out(Damage)
        What was found first.
    enable, interrupt : Out(1)
    counts : Out(16).array(4)
        Cycles with such a word, up to 65535, in the order of the inputs.
    """

    def __init__(self):
        super().__init__(
            {
                "unsound": In(len(Damage)),
                "damaged": In(len(Damage)),
                "pool_corrected": In(1),
                "pool_lost": In(1),
                "sram_corrected": In(1),
                "sram_lost": In(1),
                "set_enable": In(1),
                "data": In(32),
                "failed": Out(1),
                "fatal": Out(1),
                "kind": Out(Damage),
                "enable": Out(1),
                "interrupt": Out(1),
                "counts": Out(16).array(4),
            }
        )

    def elaborate(self, platform):
        m = Module()
        guard = Guard(enabled=True)
        found = Signal(len(Damage))
        m.d.comb += found.eq(self.unsound | self.damaged)
        m.d.sync += guard.set(self.fatal, self.failed | self.damaged.any())
        # A flip of the fatal state itself closes as well, and so does one of its complement.
        m.d.comb += self.failed.eq(self.fatal | guard.error | self.unsound.any())
        with m.If(~self.fatal):
            first: Value = Const(0)
            for damage in reversed(Damage):
                first = Mux(found[damage], damage, first)
            m.d.sync += self.kind.eq(first)
        with m.If(self.set_enable):
            m.d.sync += self.enable.eq(self.data[8])
        events = (self.pool_corrected, self.pool_lost, self.sram_corrected, self.sram_lost)
        for count, event in zip(self.counts, events, strict=True):
            with m.If(event & ~count.all()):
                m.d.sync += count.eq(count + 1)
        lost = Cat(self.counts[1], self.counts[3]).any()
        m.d.comb += self.interrupt.eq(self.enable & (self.fatal | lost))
        return m
