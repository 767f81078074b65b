"""The receive queue of a VM."""

from amaranth.hdl import Assume, Cat, Cover, Module, Mux, Signal

from postern_hw.queue import Queue
from postern_spec.config import Config, Manager, preset
from postern_spec.regmap import Popped

from ..engines import Induction
from ..harness import claim, fill, index, past
from ..property import Assumption, Control, Inside, Property, free, free_inputs, symbolic

__all__ = ["PROPERTIES"]

NOT_FULL = Assumption("push-has-room", "A message is pushed only where a place of the queue is free.")


class _Queue(Property):
    parameters = {
        "small": preset("small"),
        "default": preset("default"),  # of which a queue sees VMs, lanes and depth
        "3 VMs, depth 5, 3 lanes": Config(vms=3, depth=5, lanes=3, manager=Manager.VM),
    }
    short = ("small",)
    engines = (Induction(2),)
    assumptions = (NOT_FULL,)
    covers = 26

    def queue(self, m: Module, c: Config):
        """Add a queue that is filled after reset and gets any input afterwards. Returns it, open, and what it holds."""
        dut = Queue(c, 1)
        m.submodules.queue = inside = Inside(dut)
        filling = fill(m, c, dut, rows=max(c.depth, c.vms))
        free_inputs(m, dut, but=("fill", "fill_row"))
        first, tail = dut.first, dut.tail
        level = Signal(range(c.depth + 1))
        m.d.comb += [
            Assume(~filling | ~(dut.push | dut.take.any() | dut.look.any())),
            Assume(~dut.push | (level != c.depth)),
        ]
        m.d.sync += level.eq(level + dut.push - dut.popped)
        claim(
            m,
            level=level == dut.level,
            bounds=(level <= c.depth) & (first < c.depth) & (tail < c.depth),
            ends=(first + level == tail) | (first + level == tail + c.depth),
            filled=dut.filled == (level != 0),
            empty=~filling | (level == 0),
            fresh=dut.filled | ~dut.fresh.any(),
        )
        return dut, inside, level


class Order(_Queue):
    """A symbolic message on its way through the queue."""

    name = "queue-order"
    promise = 3
    statement = (
        "Messages leave a queue in the order in which they were accepted, each once and as it was put in: slot, length,"
        " sender, generation and kind."
    )
    controls = (
        Control(
            "the head is not renewed when a push and the pop of the last message meet",
            "queue.py",
            "straight.eq(~self.filled | single),",
            "straight.eq(~self.filled),",
            depth=22,
        ),
        Control(
            "a pop leaves the queue where it was",
            "queue.py",
            "guard.set(first, next_first)\n",
            "guard.set(first, first)\n",
            depth=22,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut, inside, level = self.queue(m, c)
        # The message that comes as number `ahead` behind the head is watched, once.
        choose, watched, gone = Signal(), Signal(), Signal()
        ahead = Signal(range(c.depth + 1))
        kept = Signal(len(dut.message.as_value()))
        free(m, choose)
        with m.If(dut.push & choose & ~watched):
            m.d.sync += [watched.eq(1), kept.eq(dut.message), ahead.eq(level - dut.popped)]
        with m.If(watched & ~gone & dut.popped):
            m.d.sync += [ahead.eq(ahead - 1), gone.eq(ahead == 0)]
        waits = watched & ~gone
        place = Signal(range(2 * c.depth))
        at = Signal(range(c.depth))
        m.d.comb += [place.eq(dut.first + ahead), at.eq(Mux(place >= c.depth, place - c.depth, place))]
        stored = Cat(inside.memory("slots", at), inside.memory("rest", at))
        head = dut.head.as_value()
        claim(
            m,
            order=~(waits & (ahead == 0)) | (head == kept),
            there=~waits | (ahead < level),
            stored=~waits | (ahead == 0) | (stored == kept),  # the head is in a register
        )
        m.d.comb += [Cover(waits & (ahead == 0) & dut.popped & dut.push), Cover(gone)]


class Fresh(_Queue):
    """A symbolic lane."""

    name = "queue-pop"
    promise = 3
    statement = (
        "A pop acts only for a lane that has read the header of the message that is still the head; nothing is popped"
        " twice, nor from an empty queue, and the lane's result says which it was. Nothing else takes a message away"
        " but the tearing down of a killed VM."
    )
    controls = (
        Control(
            "a pop leaves other lanes fresh",
            "queue.py",
            "with m.If(self.popped | self.forget):",
            "with m.If((self.popped & self.take[lane]) | self.forget):",
            "3 VMs, depth 5, 3 lanes",
        ),
        Control(
            "a header read from an empty queue lets a lane pop",
            "queue.py",
            "m.d.sync += self.fresh[lane].eq(self.filled)",
            "m.d.sync += self.fresh[lane].eq(1)",
            depth=22,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut, _, _ = self.queue(m, c)
        lane = symbolic(m, range(c.lanes), "lane", below=c.lanes)
        looks, takes, fresh = (bits.bit_select(lane, 1) for bits in (dut.look, dut.take, dut.fresh))
        dropped = dut.drop & dut.filled if c.manager is not Manager.NONE else 0  # with its VM, which was killed
        # Since the present head came, the lane has read its header, and nobody has popped.
        seen = Signal()
        with m.If(dut.popped | dut.forget):
            m.d.sync += seen.eq(0)
        with m.Elif(looks):
            m.d.sync += seen.eq(dut.filled)
        result = index([dut.rx_result[2 * i : 2 * i + 2] for i in range(c.lanes)], lane)
        took, forgot = past(m, takes, "took"), past(m, dut.forget, "forgot")
        was_seen = past(m, seen, "was_seen")
        claim(
            m,
            fresh=fresh == seen,
            popped=dut.popped == ((dut.take & dut.fresh).any() | dropped),
            there=~dut.popped | dut.filled,
            told=~took | forgot | (result == Mux(was_seen, Popped.POPPED, Popped.STALE)),
            forgot=~forgot | (result == Popped.NONE) & ~seen,
        )
        m.d.comb += [Cover(takes & ~fresh & dut.filled), Cover(takes & fresh & (result == Popped.STALE))]


PROPERTIES = [Order, Fresh]
