"""What a guest reads, as a property of two runs."""

from itertools import combinations

from amaranth.hdl import Assume, Cat, Const, Cover, Module, Mux, Value
from amaranth.lib.wiring import In

from postern_hw.read_engine import ReadEngine
from postern_spec.config import Config, Manager, preset

from ..engines import Induction
from ..harness import claim, line, past
from ..property import Control, Inside, Property, free, symbolic
from .identity import reduced

__all__ = ["PROPERTIES"]

PEERS = ("states", "sent", "gone", "stops")
"""What is there once per VM, of which a VM learns from its peers: who is alive, and how many credits are left there."""
OWN = ("filled", "heads", "rx_results", "firsts", "tails")
"""What is there once per VM, and nobody else's business."""
MANAGER = (
    "permits", "refused", "dying", "locked", "resident_vm", "resident_valid", "waiting", "armed", "fired",
    "fault_pending", "fault_enable", "fault_write", "fault_read", "tag_match", "tag_mask", "tag_vm", "tag_valid",
    "rights", "orphans", "clean", "dirty",
)  # fmt: skip
"""What only the manager page shows."""
PEER = ("acknowledged", "generation")
"""What other components answer about the peer that the address names."""
SHARED = ("epoch",)
"""What all may know."""
RESULT = ("result_code", "result_vm", "result_count")
"""What is asked for with the others, and answered in the cycle in which the answer is put together."""


class Reads(Property):
    """Two read engines that get the same requests, and differ in everything that the requester may not know."""

    name = "confinement-reads"
    promise = 2
    also = (6, 10)
    statement = (
        "What a guest reads of its page, whether it is refused, and when, does not depend on the queue, credits,"
        " results, interrupts, blocks or state of a VM that it may not send to, nor on anything that the manager page"
        " shows: with all of it different in a second copy, every answer is the same."
    )
    parameters = {
        "2 ports, blocks": reduced(),
        "2 ports, no blocks": reduced(blocks=0),
        "no request register": reduced(request_register=False, blocks=0),
        "small": preset("small"),
    }
    short = ("2 ports, blocks",)
    engines = (Induction(6),)
    reduction = (
        "The requester is symbolic. What others answer the engine about the requester is the same in both copies,"
        " because they look it up by the number that the engine gives; that number is asserted to be the requester's."
    )
    limits = (
        "Of peers to which it may send, a VM sees whether they live, their generation, and its credits there, as the"
        " register map says. Words of messages do not pass this engine (refusal-sram has those of the SRAM)."
    )
    controls = (
        Control(
            "credits at a peer are shown without permission",
            "read_engine.py",
            '(self._hits["guest", name] & self.permitted for name in',
            '(self._hits["guest", name] for name in',
        ),
        Control(
            "the header is that of the first VM",
            "read_engine.py",
            "head.as_value().eq(mux_by_index([item.as_value() for item in self.heads], chosen.vm)),",
            "head.as_value().eq(self.heads[0].as_value()),",
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        one, two = ReadEngine(c), ReadEngine(c)
        m.submodules.one, m.submodules.two = inside, other = Inside(one), Inside(two)
        vm = symbolic(m, range(c.vms), "vm", below=c.vms)
        for engine in (inside, other):
            line(m, engine.part("arbiter"), len(c.ports))
        for pair in combinations(range(len(c.ports)), 2):
            first, second = (engine.part("arbiter").signal("behind_{}_{}".format(*pair)) for engine in (inside, other))
            claim(m, **{"behind_{}_{}".format(*pair): first == second})
        for mine, theirs in zip(one.requests, two.requests, strict=True):
            payload = Value.cast(mine.payload)
            free(m, mine.valid, payload)
            m.d.comb += [theirs.valid.eq(mine.valid), Value.cast(theirs.payload).eq(payload)]
            # The VM of a request exists, and what the port calls its own path is of the guest page.
            m.d.comb += [Assume(mine.payload.vm < c.vms), Assume(~(mine.payload.manager & mine.payload.direct))]
            if c.manager is Manager.NONE:
                m.d.comb += Assume(~mine.payload.manager)

        # Whom the engine looks at now, and whether that is for the symbolic VM.
        asked = [past(m, self._granted(item, vm), f"asked_{i}") for i, item in enumerate(one.requests)]
        looks = past(m, Cat(asked).any(), "looks")
        joins = past(m, looks, "joins") if one.sizes.read_delay else looks
        for name, member in one.signature.members.items():
            if member.flow is not In or name == "requests":
                continue
            a, b = getattr(one, name), getattr(two, name)
            if member.dimensions:
                for i in range(c.vms):
                    free(m, a[i], b[i])
                    same = Value.cast(a[i]) == Value.cast(b[i])
                    may = Const(0) if name in OWN else looks & one.permitted & (one.other == i)
                    m.d.comb += Assume(same | ~((vm == i) | may))
                continue
            free(m, a, b)
            same = Value.cast(a) == Value.cast(b)
            if name in SHARED:
                m.d.comb += Assume(same)
            elif name in PEER:
                m.d.comb += Assume(same | ~(looks & one.permitted))
            elif name == "filled":
                m.d.comb += Assume(~(one.filled ^ two.filled).bit_select(vm, 1))
            elif name in RESULT:
                m.d.comb += Assume(same | ~joins)
            elif name not in MANAGER:
                m.d.comb += Assume(same | ~looks)

        stages = 1 if one.sizes.read_delay else 0
        answered, was_one, was_two = looks, Cat(one.fault.valid, one.fault.kind), Cat(two.fault.valid, two.fault.kind)
        for i in range(stages):
            answered = past(m, answered, f"answered_{i}")
        shown_one, shown_two = Mux(one.good, one.data, 0), Mux(two.good, two.data, 0)
        claim(
            m,
            data=~answered | (shown_one == shown_two),
            good=~answered | ((one.good == two.good) & (one.error == two.error)),
            fault=~looks | (was_one == was_two),
            own=~looks | (one.own == vm),
            ready=Cat(item.ready for item in one.requests) == Cat(item.ready for item in two.requests),
            effects=~past(m, Const(1), "begun") | ~looks | (self._alloc(one) == self._alloc(two)),
        )
        m.d.comb += [Cover(answered & (shown_one != 0) & (vm == 1)), Cover(looks & one.fault.valid)]

    @staticmethod
    def _granted(request, vm):
        return request.valid & request.ready & (request.payload.vm == vm) & ~request.payload.manager

    @staticmethod
    def _alloc(engine):
        return engine.alloc if hasattr(engine, "alloc") else Const(0)


PROPERTIES = [Reads]
