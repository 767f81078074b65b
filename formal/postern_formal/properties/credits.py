"""Credits: what senders were promised fits into the queue."""

from functools import reduce
from operator import add

from amaranth.hdl import Assume, Cat, Const, Cover, Module, Mux, Signal
from amaranth.lib import data

from postern_hw.queue import Queue, entry
from postern_spec.config import Config, Identity, Manager, preset

from ..engines import Induction
from ..harness import claim, count, fill, index, rows_of, window
from ..property import Assumption, Control, Inside, Property, free, free_inputs
from .identity import CHECKED_STAYS, COMMIT_IS_ONE, CONNECTED, any_writes, reduced

__all__ = ["PROPERTIES"]

VM = 1
"""Whose queue it is. Not the first, so that numbers matter."""


EXISTS = Assumption("requester-exists", "A commit is of a VM that there is.")


class Sum(Property):
    """A queue and the write engine."""

    name = "credit-sum"
    promise = 7
    also = (3,)
    statement = (
        "The messages that wait in a queue are, sender by sender, within the limits that the manager has set, and these"
        " limits never sum to more than the queue holds: who has credit finds a place, whatever other senders do."
        " Nothing is pushed into a full queue."
    )
    parameters = {
        "2 ports, no blocks": reduced(blocks=0, lanes=1),
        "2 ports, blocks": reduced(lanes=1),
        "small": preset("small"),
        "3 VMs, no manager": reduced(
            Identity.PAGE, blocks=0, lanes=1, manager=Manager.NONE, open_at_reset=True, credits=2
        ),
        "open at reset, depth 5": reduced(blocks=0, lanes=1, depth=5, open_at_reset=True, credits=2),
    }
    engines = (Induction(5),)
    covers = 40
    assumptions = (COMMIT_IS_ONE, CONNECTED, CHECKED_STAYS, EXISTS)
    reduction = (
        "One queue; others differ in their number. What else the rest of the block answers the engine is free, and"
        " so is what is read, popped and dropped of the queue. Depth and VMs are widths of counters and rows of tables."
    )
    controls = (
        Control(
            "limits may sum to one more than the queue holds",
            "write_engine.py",
            "(above <= c.depth + limit)),",
            "(above <= c.depth + limit + 1)),",
            depth=20,
        ),
        Control(
            "a limit is set below what waits",
            "write_engine.py",
            "fits.eq(possible & ((spare >= 0) | (late & (spare == -1)))",
            "fits.eq(possible & ((spare >= -1) | (late & (spare == -1)))",
            depth=20,
        ),
        Control(
            "a sender's message is counted for whoever sends next",
            "queue.py",
            "went.write_row.eq(owner),",
            "went.write_row.eq(self.sender),",
            depth=20,
        ),
        Control(
            "a message needs no credit",
            "write_engine.py",
            "self.push.eq(self._targets & ~self.spent & willing.replicate(c.vms)),",
            "self.push.eq(self._targets & willing.replicate(c.vms)),",
            depth=20,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        queue = Queue(c, VM)
        m.submodules.queue = inside = Inside(queue)
        wired = ("push", "message", "sender", "grant", "new_sent", "new_stop")
        free_inputs(m, queue, but=("fill", "fill_row", *wired))
        answers = {"sent": queue.sent, "gone": queue.gone, "stops": queue.stop}
        bits = {"spent": queue.spent, "returns": queue.returns}
        engine, judge = any_writes(m, c, but=("fill", "fill_row", *answers, *bits))
        for name, answer in answers.items():
            for vm, value in enumerate(getattr(engine, name)):
                if vm == VM:
                    m.d.comb += value.eq(answer)
                else:
                    free(m, value)
        for name, answer in bits.items():
            others = Signal(c.vms, name=f"others_{name}")
            free(m, others)
            m.d.comb += getattr(engine, name).eq(Cat(answer if vm == VM else others[vm] for vm in range(c.vms)))
        for request in engine.requests:
            m.d.comb += Assume(~request.payload.commit | (request.payload.vm < c.vms))
        filling = fill(m, c, engine, queue)
        m.d.comb += [
            queue.push.eq(engine.push[VM]),
            queue.message.eq(engine.message),
            queue.sender.eq(engine.source),
            queue.grant.eq(engine.grant[VM]),
            queue.new_sent.eq(engine.new_sent),
            queue.new_stop.eq(engine.new_stop),
            # Ports accept nothing meanwhile.
            Assume(~filling | ~(engine.push.any() | engine.grant.any() | queue.take.any() | queue.look.any())),
        ]

        managed = c.manager is not Manager.NONE
        senders = c.vms if managed or c.vms > 2 else 1
        width = len(queue.sent)
        came = data.StructLayout({"sent": width, "stop": width})
        counts = rows_of(inside, "counts", senders, came)
        went = rows_of(inside, "went", senders)
        head = queue.head.sender
        # The head is in a register; behind it lie the others.
        behind = window(Mux(queue.first == c.depth - 1, 0, queue.first + 1), queue.level - 1, c.depth)
        layout = entry(c)
        slot_bits = layout["slot"].width
        stored = [
            data.View(layout, Cat(Const(0, slot_bits), inside.memory("rest", place))).sender for place in range(c.depth)
        ]
        claims = {}
        limits, waiting = [], []
        for sender, (row, gone) in enumerate(zip(counts, went, strict=True)):
            used, limit = (Signal(width, name=f"{name}_{sender}") for name in ("used", "limit"))
            m.d.comb += [used.eq(row.sent - gone), limit.eq(row.sent - row.stop)]
            # Of two VMs without a manager just one sends here.
            here = [
                (value == sender if senders > 1 else 1) & place for value, place in zip(stored, behind, strict=True)
            ]
            first = queue.filled & (head == sender if senders > 1 else 1)
            claims[f"counted_{sender}"] = used == count([first, *(queue.filled & bit for bit in here)])
            claims[f"within_{sender}"] = (used <= limit) & (limit <= c.depth)
            waiting.append(used)
            limits.append(limit)
        total = reduce(add, limits)
        claims |= {
            "fits": total <= c.depth,
            "level": queue.level == reduce(add, waiting),
            "room": ~queue.push | (queue.level != c.depth),
            "ends": (queue.first < c.depth) & (queue.tail < c.depth) & (queue.filled | (queue.first == queue.tail)),
            "lanes": queue.filled | ~queue.fresh.any(),
        }
        if managed:
            claims["promised"] = index(rows_of(judge, "promised", c.vms), Const(VM)) == total
            claims["senders"] = ~queue.filled | (head < c.vms)
        claim(m, **claims)
        m.d.comb += [Cover((queue.level == c.depth) & ~filling), Cover(queue.push & queue.popped)]
        if managed:
            m.d.comb += Cover(queue.grant & (queue.level != 0))


PROPERTIES = [Sum]
