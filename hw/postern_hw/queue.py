"""The receive queue of one VM, with its senders' credits."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config, Manager
from postern_spec.model import pow2
from postern_spec.regmap import Popped

from .ecc import Guard
from .native import Sizes
from .select import after, bits_for
from .table import Table

__all__ = ["Queue", "entry", "fill_bits", "fill_rows", "level"]


def entry(c: Config) -> data.StructLayout:
    """Descriptor of a message: its slot, index of its last word, sender, the sender's generation, and its kind.

    Without a manager there is no generation: it is 1 for ever. Without blocks there is one kind.
    """
    sizes = Sizes(c)
    generation = {} if c.manager is Manager.NONE else {"generation": 8}
    return data.StructLayout(
        {"slot": unsigned(sizes.slot_bits), "last": unsigned(sizes.word_bits), "sender": unsigned(sizes.vm_bits)}
        | generation
        | ({"kind": 1} if c.blocks else {})
    )


class Queue(wiring.Component):
    """Ring of message descriptors, read from its head and written at its tail.

    An entry of the ring that holds no message holds a free slot. A message takes the place of the free slot at the
    tail, so slots are exchanged and no list of free ones is needed. Entries between head and tail are messages. See
    ``docs/states.md``, section 4.

    The head is kept in a register, so that it is there in the cycle after a message came or went. When a push and a
    pop meet, both happen.

    Parameters
    ----------
    config : Config
    vm : int
        Whose queue this is.

    Members
    -------
    push : In(1)
        Store ``message``. The credit check keeps this from happening in a full queue.
    message : In(entry)
    free_slot : Out
        The free slot that ``push`` gives up.
    filled : Out(1)
        There is a message.
    head : Out(entry)
        The oldest one, where ``filled``.
    first, tail, level : Out
        Where head and tail are in the ring, and how many messages lie between.
    look : In(lanes)
        This lane reads the header.
    take : In(lanes)
        This lane tries to pop; acts where the lane is fresh. Ports see to it that no two succeed at once.
    fresh : Out(lanes)
        The lane has read the header of the message that is now the head.
    popped : Out(1)
        The head goes.
    stays : Out(1)
        There is a message in the next cycle, even if none comes.
    rx_result : Out(2 * lanes)
        ``Popped`` of each lane.
    forget : In(1)
        The VM is opened or closed: all lanes stale, no results.
    drop : In(1)
        The VM was killed: the head goes. No lane is fresh then. Only with a manager.
    sender : In
        Whose credits the write engine looks at and changes.
    sent, gone, stop, spent, returns : Out
        Messages of theirs that came and that went; how many will have gone when their credits are used up, all modulo a
        power of two above the depth; whether they are used up; and whether one more is gone at the end of this cycle.
    grant : In(1)
        The limit changes. Absent without a manager.
    new_sent, new_stop : In
        Stored with ``push`` or ``grant``.
    reader : In
        Whose credits the read engine looks at.
    look_sent, look_gone, look_stop : Out
    fill, fill_row : In
        Tables are filled after reset.
    unsound, damaged : Out(1)
        With protection: a register has a flipped bit; a row of a table that is read has one.
    inject_head, inject_counts : In(1)
        With protection: flip one for the check.
    """

    def __init__(self, config: Config, vm: int):
        self.config = config
        self.vm = vm
        sizes = Sizes(config)
        count = bits_for(config.depth + 1)
        self._fill_bits = fill_bits(config)
        super().__init__(
            {
                "push": In(1),
                "message": In(entry(config)),
                "free_slot": Out(unsigned(sizes.slot_bits)),
                "filled": Out(1),
                "head": Out(entry(config)),
                "first": Out(range(config.depth)),
                "tail": Out(range(config.depth)),
                "level": Out(count),
                "look": In(config.lanes),
                "take": In(config.lanes),
                "fresh": Out(config.lanes),
                "popped": Out(1),
                "stays": Out(1),
                "rx_result": Out(2 * config.lanes),
                "forget": In(1),
                "drop": In(1),
                "sender": In(unsigned(sizes.vm_bits)),
                "sent": Out(count),
                "gone": Out(count),
                "stop": Out(count),
                "spent": Out(1),
                "returns": Out(1),
                "grant": In(1),
                "new_sent": In(count),
                "new_stop": In(count),
                "reader": In(unsigned(sizes.vm_bits)),
                "look_sent": Out(count),
                "look_gone": Out(count),
                "look_stop": Out(count),
                "fill": In(1),
                "fill_row": In(self._fill_bits),
            }
            | (
                {"unsound": Out(1), "damaged": Out(1), "inject_head": In(1), "inject_counts": In(1)}
                if config.protection
                else {}
            )
        )

    def elaborate(self, platform):
        m = Module()
        self._guard = Guard(self.config.protection)
        self._counts_error = Signal()
        self._ring(m)
        self._lanes(m)
        self._credits(m)
        return m

    def _ring(self, m: Module):
        depth = self.config.depth
        layout = entry(self.config)
        slot_bits = len(self.free_slot)
        rest_bits = layout.size - slot_bits
        guard, checked = self._guard, int(self.config.protection)  # with a parity bit above

        m.submodules.slots = slots = memory.Memory(shape=unsigned(slot_bits + checked), depth=depth, init=[])
        m.submodules.rest = rest = memory.Memory(shape=unsigned(rest_bits + checked), depth=depth, init=[])
        slot_w, rest_w = slots.write_port(), rest.write_port()
        slot_next, rest_next = slots.read_port(domain="comb"), rest.read_port(domain="comb")
        slot_tail = slots.read_port(domain="comb")

        first, next_first, tail = (Signal(range(depth), name=name) for name in ("first", "next_first", "tail"))
        fill_here = Signal()
        single = Signal()  # the head is the only message
        straight = Signal()  # a message that comes becomes the head at once, if the head goes
        new_slot = Mux(self.fill, self.vm * depth + self.fill_row[: len(tail)], self.message.slot)
        new_rest = self.message.as_value()[slot_bits:]
        if checked:
            new_slot, new_rest = new_slot[:slot_bits], Cat(new_rest, new_rest.xor())
            new_slot = Cat(new_slot, new_slot.xor())
        m.d.comb += [
            next_first.eq(after(first, depth)),
            single.eq(next_first == tail),
            straight.eq(~self.filled | single),
            self.first.eq(first),
            self.tail.eq(tail),
            self.level.eq(level(self.filled, first, tail, depth)),
            self.stays.eq(self.filled & ~(self.popped & single)),
            self.free_slot.eq(slot_tail.data[:slot_bits]),
            slot_tail.addr.eq(tail),
            slot_next.addr.eq(next_first),
            rest_next.addr.eq(next_first),
            rest_w.addr.eq(tail),
            rest_w.en.eq(1),  # behind the messages nobody looks
            rest_w.data.eq(new_rest),
            fill_here.eq(self.fill & (self.fill_row < depth)),
            slot_w.en.eq(self.push | fill_here),
            slot_w.addr.eq(Mux(self.fill, self.fill_row[: len(tail)], tail)),
            slot_w.data.eq(new_slot),
        ]
        with m.If(self.push):
            m.d.sync += [guard.set(tail, after(tail, depth)), guard.set(self.filled, 1)]
        with m.Elif(self.popped & single):
            m.d.sync += guard.set(self.filled, 0)
        with m.If(self.popped):
            m.d.sync += guard.set(first, next_first)
        # Without a message it stays, or who waits for it would wait longer. In a strict block a pop that leaves nothing
        # keeps it, too: a port asks for the bank where it ends, and must not be told so what others just send.
        leaves = self.popped & ~(single & ~self.push) if self.config.strict else self.popped
        with m.If(leaves | self.push & ~self.filled):
            following = Cat(slot_next.data[:slot_bits], rest_next.data[:rest_bits])
            m.d.sync += self.head.as_value().eq(Mux(straight, self.message.as_value(), following))
            if checked:
                parity = Signal(name="head_parity")
                read = slot_next.data[slot_bits] ^ rest_next.data[rest_bits]
                m.d.sync += parity.eq(Mux(straight, self.message.as_value().xor(), read))
        if checked:
            twisted = Signal(name="head_twisted")
            m.d.comb += [
                twisted.eq(self.head.as_value().xor() ^ parity ^ self.inject_head),
                self.unsound.eq(guard.error | ((self.filled | self.inject_head) & twisted)),
                self.damaged.eq((slot_tail.data.xor() & ~self.fill) | self._counts_error),
            ]

    def _lanes(self, m: Module):
        takes = (self.take & self.fresh).any()
        m.d.comb += self.popped.eq(takes if self.config.manager is Manager.NONE else takes | (self.drop & self.filled))
        for lane in range(self.config.lanes):
            result = self.rx_result[2 * lane : 2 * lane + 2]
            with m.If(self.look[lane]):
                m.d.sync += self.fresh[lane].eq(self.filled)
            with m.If(self.popped | self.forget):
                m.d.sync += self.fresh[lane].eq(0)
            with m.If(self.take[lane]):
                m.d.sync += result.eq(Mux(self.fresh[lane], Popped.POPPED, Popped.STALE))
            with m.If(self.forget):
                m.d.sync += result.eq(Popped.NONE)

    def _credits(self, m: Module):
        c = self.config
        count = len(self.sent)
        # Without a manager nobody sends to itself, so that of two VMs just one is a sender here.
        senders = c.vms if c.manager is not Manager.NONE or c.vms > 2 else 1

        def table(name, width, readers, init):
            m.submodules[name] = made = Table(
                senders, width, readers=readers, init=init, fill_bits=self._fill_bits, parity=c.protection
            )
            m.d.comb += [made.fill.eq(self.fill), made.fill_row.eq(self.fill_row)]
            return made

        # The limit is what is between ``stop`` and ``sent``. Both change in turns of the write engine, ``gone`` with
        # pops, so each table has one writer.
        initial = [c.credits if c.open_at_reset and vm != self.vm else 0 for vm in range(c.vms)]
        if senders == 1:
            initial = [c.credits]
        came = data.StructLayout({"sent": count, "stop": count})
        counts = table("counts", came.size, 2, [came.const({"stop": -n % (1 << count)}).as_bits() for n in initial])
        went = table("went", count, 3, [0] * senders)
        mine, theirs = (
            data.View(came, counts.read(m, port, row)) for port, row in enumerate((self.sender, self.reader))
        )
        owner = self.head.sender
        spent = self.gone == self.stop
        if c.protection:
            spent = spent | counts.bad_0 | went.bad_0
            m.d.comb += [counts.inject.eq(self.inject_counts), self._counts_error.eq(counts.error | went.error)]
        m.d.comb += [
            self.sent.eq(mine.sent),
            self.stop.eq(mine.stop),
            self.gone.eq(went.read(m, 0, self.sender)),
            self.spent.eq(spent),
            self.returns.eq(self.popped & (owner == self.sender)),
            self.look_sent.eq(theirs.sent),
            self.look_stop.eq(theirs.stop),
            self.look_gone.eq(went.read(m, 1, self.reader)),
            counts.write.eq(self.push | self.grant),
            counts.write_row.eq(self.sender),
            counts.write_data.eq(Cat(self.new_sent, self.new_stop)),
            went.write.eq(self.popped),
            went.write_row.eq(owner),
            went.write_data.eq(went.read(m, 2, owner) + 1),
        ]


def fill_rows(c: Config) -> int:
    """Return how many rows the deepest table has, which is how many cycles it takes to fill all of them."""
    return max(c.depth, c.vms * pow2(c.lanes), c.blocks)


def fill_bits(c: Config) -> int:
    """Return the width of the counter that fills the tables."""
    return bits_for(fill_rows(c))


def level(filled, first, tail, depth: int):
    """Return how many messages lie between ``first`` and ``tail`` of a ring of ``depth``."""
    difference = (tail - first)[: len(tail)]
    if depth & (depth - 1):
        difference = Mux(tail < first, (difference + depth)[: len(tail)], difference)
    return Mux(filled & (first == tail), depth, difference)
