"""What is counted of every VM, for the manager."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config
from postern_spec.model import pow2
from postern_spec.regmap import Count

from .native import Sizes
from .queue import fill_bits
from .select import after, bits_for, mux_by_index, one_hot
from .table import Table

__all__ = ["EVENTS", "Counters"]

EVENTS = 8
"""Counts of a VM that grow with its own writes: those from ``DOORBELLS`` to ``IGNORED``."""


class Counters(wiring.Component):
    """Counters and peaks of all VMs. See ``docs/states.md``, section 14.

    What happens in a cycle is in its counter two cycles later. Every table has one writer, and its rows hold whatever
    they held until they are ``live``: what is cleared is not live any more, all of a VM in one cycle. Any number of VMs
    can wait in a cycle, so each has a small counter of its own, and these are added to the table in turn.

    Parameters
    ----------
    config : Config
        With ``counters``.
    width : int
        Bits of a counter. They wrap.

    Members
    -------
    event : In(1), vm, what : In
        One of the ``EVENTS`` happens to this VM.
    received : In(1), receiver : In, level : In
        A message comes into the queue of this VM, which had ``level`` before.
    allocated : In(1), account : In, used : In
        This VM gets a block, and had ``used`` before. Only with blocks.
    waits : In(vms)
        VMs of which a request waits.
    clear : In(vms)
        Everything of these VMs is zero again, after what happens in this cycle.
    added : Out(range(vms + 1)), added_vm : Out
        So many cycles of waiting are added to the table of this VM at the end of this cycle.
    look_vm, look_what : In, look : Out(32)
        A counter, by its number, for the read engine.
    fill, fill_row : In
        As of every table; nothing here needs to be filled.
    """

    def __init__(self, config: Config, *, width: int = 32):
        self.config = config
        self.width = width
        vm = unsigned(Sizes(config).vm_bits)
        self._level, self._used = bits_for(config.depth + 1), bits_for(config.blocks + 1)
        super().__init__(
            {
                "event": In(1),
                "vm": In(vm),
                "what": In(range(EVENTS)),
                "received": In(1),
                "receiver": In(vm),
                "level": In(self._level),
                "waits": In(config.vms),
                "clear": In(config.vms),
                "added": Out(range(config.vms + 1)),
                "added_vm": Out(vm),
                "look_vm": In(vm),
                "look_what": In(range(pow2(len(Count)))),
                "look": Out(32),
                "fill": In(1),
                "fill_row": In(fill_bits(config)),
            }
            | ({"allocated": In(1), "account": In(vm), "used": In(self._used)} if config.blocks else {})
        )

    def elaborate(self, platform):
        m = Module()
        self._clear = Signal.like(self.clear)
        m.d.sync += self._clear.eq(self.clear)
        found = dict.fromkeys(range(EVENTS), self._events(m))
        found |= self._messages(m)
        found[Count.WAITED] = self._waits(m)
        if self.config.blocks:
            found[Count.BLOCKS_PEAK] = self._blocks(m)
        m.d.comb += self.look.eq(
            mux_by_index([found.get(what, 0) for what in range(1 << len(self.look_what))], self.look_what)
        )
        return m

    def _table(self, m: Module, name: str, depth: int, width: int) -> Table:
        """Make a table that is read to be changed, and read by the read engine."""
        m.submodules[name] = made = Table(depth, width, readers=2, init=None, fill_bits=len(self.fill_row))
        m.d.comb += [made.fill.eq(self.fill), made.fill_row.eq(self.fill_row)]
        return made

    def _live(self, m: Module, name: str, written) -> Signal:
        """Return which VMs have something in a table: those of ``written`` after this cycle, unless cleared in it."""
        live = Signal(self.config.vms, name=f"{name}_live")
        m.d.sync += live.eq((live | Cat(written)) & ~self._clear)
        return live

    def _value(self, m: Module, table: Table, reader: int, row, live) -> Signal:
        """Return a row, zero where it is not live."""
        value = Signal(table.width)
        with m.If(live):
            m.d.comb += value.eq(table.read(m, reader, row))
        return value

    def _later(self, m: Module, name: str, *inputs: str):
        """Return these inputs of the cycle before: the first as a strobe."""
        late = [Signal.like(getattr(self, item), name=f"{name}_{item}") for item in inputs]
        m.d.sync += [register.eq(getattr(self, item)) for register, item in zip(late, inputs, strict=True)]
        return late

    def _events(self, m: Module):
        """Commits by their outcome, and doorbells: a row for each VM and kind of event."""
        vms = self.config.vms
        event, vm, what = self._later(m, "late", "event", "vm", "what")
        table = self._table(m, "events", EVENTS * pow2(vms), self.width)
        here = [one_hot(what, EVENTS, one) for one in one_hot(vm, vms, event)]
        live = [Signal(EVENTS, name=f"events_live_{number}") for number in range(vms)]
        for own, written, cleared in zip(live, here, self._clear, strict=True):
            m.d.sync += own.eq((own | Cat(written)) & ~cleared.replicate(EVENTS))

        def value(reader, of, kind):
            own = Signal(EVENTS)
            m.d.comb += own.eq(mux_by_index(live, of))
            return self._value(m, table, reader, Cat(kind, of), mux_by_index(list(own), kind))

        m.d.comb += [
            table.write.eq(event),
            table.write_row.eq(Cat(what, vm)),
            table.write_data.eq(value(0, vm, what) + 1),
        ]
        return value(1, self.look_vm, self.look_what[: len(what)])

    def _messages(self, m: Module) -> dict:
        """Messages that came, and the most that waited."""
        vms = self.config.vms
        received, receiver, level = self._later(m, "late", "received", "receiver", "level")
        entry = data.StructLayout({"count": self.width, "peak": self._level})
        table = self._table(m, "messages", vms, entry.size)
        live = self._live(m, "messages", one_hot(receiver, vms, received))
        old, seen = (
            data.View(entry, self._value(m, table, reader, row, mux_by_index(list(live), row)))
            for reader, row in enumerate((receiver, self.look_vm))
        )
        now = Signal(self._level)
        m.d.comb += [
            now.eq(level + 1),
            table.write.eq(received),
            table.write_row.eq(receiver),
            table.write_data.eq(Cat((old.count + 1)[: self.width], Mux(now > old.peak, now, old.peak))),
        ]
        return {Count.RECEIVED: seen.count, Count.QUEUE_PEAK: seen.peak}

    def _waits(self, m: Module):
        """Cycles of waiting: one VM after the other gets those added that came since its last turn."""
        vms = self.config.vms
        (waits,) = self._later(m, "late", "waits")
        turn = Signal.like(self.added_vm)
        table = self._table(m, "waited", vms, self.width)
        turns = one_hot(turn, vms)
        live = self._live(m, "waited", turns)
        recent = [Signal(range(vms + 1), name=f"recent_{vm}") for vm in range(vms)]
        for own, waited, here, cleared in zip(recent, waits, turns, self._clear, strict=True):
            with m.If(cleared):
                m.d.sync += own.eq(0)
            with m.Else():
                m.d.sync += own.eq(Mux(here, 0, own) + waited)
        m.d.sync += turn.eq(after(turn, vms))
        m.d.comb += [
            self.added.eq(mux_by_index(recent, turn)),
            self.added_vm.eq(turn),
            table.write.eq(1),
            table.write_row.eq(turn),
            table.write_data.eq(self._value(m, table, 0, turn, mux_by_index(list(live), turn)) + self.added),
        ]
        return self._value(m, table, 1, self.look_vm, mux_by_index(list(live), self.look_vm))

    def _blocks(self, m: Module):
        """The most blocks that were allocated."""
        vms = self.config.vms
        allocated, account, used = self._later(m, "late", "allocated", "account", "used")
        table = self._table(m, "blocks", vms, self._used)
        live = self._live(m, "blocks", one_hot(account, vms, allocated))
        now = Signal(self._used)
        old = self._value(m, table, 0, account, mux_by_index(list(live), account))
        m.d.comb += [
            now.eq(used + 1),
            table.write.eq(allocated & (now > old)),
            table.write_row.eq(account),
            table.write_data.eq(now),
        ]
        return self._value(m, table, 1, self.look_vm, mux_by_index(list(live), self.look_vm))
