"""What was found to be flipped: counts of memory errors, and the fatal state; and what is flipped on purpose."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from postern_spec.regmap import Damage, Injection

from .ecc import Guard

__all__ = ["Integrity"]

KINDS = len(Injection)


class Integrity(wiring.Component):
    """Collects what the checks find, and has them find something. See ``docs/states.md``, section 17.

    An injection that closes the block lasts for one cycle, that after the write. What is flipped is what a check sees;
    the state itself stays as it is, and the block is closed in that cycle whether the check finds it or not.

    Members
    -------
    unsound, damaged : In(len(Damage))
        By ``Damage``: a register has a flipped bit in this cycle; a row of a table that is read has one.
    pool_corrected, pool_lost, sram_corrected, sram_lost : In(1)
        A word that was read had one flipped bit, or more.
    set_enable, set_inject : In(1), data : In(32)
        Take bit 8 of ``data``: whether the manager is interrupted. Take what is to be flipped, as in ``INJECT``.
    injected : In(1)
        The bits of a word were flipped.
    failed : Out(1)
        No guest may reach anything: in the cycle in which a register is unsound, from the next one on where a row was
        damaged, and until reset.
    fatal : Out(1)
        It was so in the last cycle, and stays so.
    found : Out(1)
        It is so, or will be from the next cycle on.
    kind : Out(Damage)
        What was found first, this cycle included.
    enable, interrupt : Out(1)
    lost : Out(1)
        Some word was lost.
    counts : Out(16).array(4)
        Cycles with such a word, up to 65535, in the order of the inputs.
    inject : Out(len(Injection))
        By ``Injection``: flip this now, or of a word the next one that is read.
    index : Out(6)
        At which port, or of which VM.
    renewed : Out(1)
        It was written in the last cycle.
    closing : Out(1)
        An injection closes the block in this cycle.
    waiting : Out(3)
        Which word is still to be flipped, by ``Injection``.
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
                "set_inject": In(1),
                "data": In(32),
                "injected": In(1),
                "failed": Out(1),
                "fatal": Out(1),
                "found": Out(1),
                "kind": Out(Damage),
                "enable": Out(1),
                "interrupt": Out(1),
                "lost": Out(1),
                "counts": Out(16).array(4),
                "inject": Out(KINDS),
                "index": Out(6),
                "renewed": Out(1),
                "closing": Out(1),
                "waiting": Out(3),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._flip(m)
        guard = Guard(enabled=True, inject=self.inject[Injection.FATAL])
        found, first = Signal(len(Damage)), Signal(range(len(Damage)), name="first_kind")
        m.d.sync += guard.set(self.fatal, self.fatal | found.any())
        m.d.comb += found.eq(self.unsound | self.damaged | (guard.error << Damage.FATAL))
        # A flip of the fatal state itself closes as well, and so does one of its complement.
        m.d.comb += [
            self.failed.eq(self.fatal | guard.error | self.unsound.any() | self.closing),
            self.found.eq(self.failed | self.damaged.any()),
        ]
        chosen: Value = Const(0)
        for damage in reversed(Damage):
            chosen = Mux(found[damage], damage, chosen)
        m.d.comb += self.kind.eq(Mux(first == Damage.NONE, chosen, first))
        m.d.sync += first.eq(self.kind)
        with m.If(self.set_enable):
            m.d.sync += self.enable.eq(self.data[8])
        events = (self.pool_corrected, self.pool_lost, self.sram_corrected, self.sram_lost)
        for count, event in zip(self.counts, events, strict=True):
            with m.If(event & ~count.all()):
                m.d.sync += count.eq(count + 1)
        m.d.comb += [
            self.lost.eq(Cat(self.counts[1], self.counts[3]).any()),
            self.interrupt.eq(self.enable & (self.failed | self.lost)),
        ]
        return m

    def _flip(self, m: Module):
        kind = Signal(range(len(Injection)), name="injection")
        acts = Signal(name="injects")
        words = Injection.SRAM_TWO  # up to here they wait for a read
        m.d.sync += acts.eq(self.set_inject)
        with m.If(self.set_inject):
            m.d.sync += [kind.eq(self.data[:4]), self.index.eq(self.data[8:14])]
        with m.Elif(self.injected):
            m.d.sync += kind.eq(Injection.NONE)
        m.d.comb += [
            self.renewed.eq(acts),
            self.closing.eq(acts & (kind > words)),
            self.waiting.eq(Mux(kind > words, 0, kind)),
        ]
        for item in Injection:
            if item is not Injection.NONE:
                m.d.comb += self.inject[item].eq((kind == item) & (acts if item > words else 1))
