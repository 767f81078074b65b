"""Message slots: each is in one place, so that the words of a message are its sender's."""

from functools import reduce
from operator import add
from typing import Any

from amaranth.hdl import Cat, Cover, Module, Mux, Signal, Value
from amaranth.lib import wiring

from postern_hw.native import Sizes
from postern_hw.port import Port as PortComponent
from postern_hw.queue import Queue
from postern_hw.table import FLIP_FLOP_DEPTH
from postern_spec.config import Config, Identity, Manager, Port

from ..engines import Induction
from ..harness import claim, fill, past, rows_of
from ..property import Control, Inside, Property, free_inputs, symbolic
from .identity import CHECKED_STAYS, COMMIT_IS_ONE, CONNECTED, any_writes

__all__ = ["PROPERTIES"]


def tiny(**changes: Any) -> Config:
    """Return a block with two VMs: one at a port of its own, both at the other."""
    values = {
        "ports": (Port(identity=Identity.STATIC, vm=0), Port(identity=Identity.PAGE)),
        "vms": 2,
        "lanes": 1,
        "words": 2,
        "depth": 2,
        "manager": Manager.VM,
        "request_register": True,
    }
    return Config(**(values | changes))  # type: ignore[arg-type]


class Permutation(Property):
    """All queues, all ports and the write engine; a symbolic slot."""

    name = "slot-permutation"
    promise = 3
    also = (1, 2, 6)
    statement = (
        "Every message slot is in one place at any time: in the ring of one queue, with one lane of one VM at a port,"
        " as the spare of a port, or with a commit that is being judged. So what a lane stages is written into no slot"
        " of a queue, nor of another lane, and the words of a message are those that its lane has staged."
    )
    parameters = {
        "2 VMs": tiny(),
        "2 VMs, no request register, no manager": tiny(
            request_register=False, manager=Manager.NONE, open_at_reset=True, credits=1
        ),
        "2 VMs, 2 lanes, depth 3": tiny(lanes=2, depth=3),
        "2 VMs, blocks": tiny(blocks=2, block_size=64, banks=1),
    }
    engines = (Induction(4),)
    covers = 24
    assumptions = (COMMIT_IS_ONE, CONNECTED, CHECKED_STAYS)
    reduction = (
        "The slot is symbolic. All queues, all ports and the engine are there; what else the block answers them is"
        " free, also whether there is credit: a slot is exchanged, not made, even in a full queue. More VMs, lanes and"
        " ports are more rows of the same tables, and more terms of the same sum."
    )
    controls = (
        Control(
            "a refused message's slot is not given back, but the queue's",
            "write_engine.py",
            "self.back.eq(Mux(accepted, given_up, refused)),",
            "self.back.eq(given_up),",
            depth=16,
        ),
        Control(
            "a lane keeps its slot with a commit",
            "port.py",
            "slots.write_data.eq(spare),",
            "slots.write_data.eq(slot),",
            depth=16,
        ),
        Control(
            "a torn commit costs the spare",
            "port.py",
            "slots.write.eq(passed & payload.commit & ~torn),",
            "slots.write.eq(passed & payload.commit),",
            depth=16,
        ),
        Control(
            "a port commits without a spare",
            "port.py",
            "waits, turned = ~spare_here, diverted",
            "waits, turned = Const(0), diverted",
            depth=20,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        sizes = Sizes(c)
        engine, judge = any_writes(m, c, but=("requests", "free_slots", "fill", "fill_row"))
        ports = [PortComponent(c, index) for index in range(len(c.ports))]
        queues = [Queue(c, vm) for vm in range(c.vms)]
        filling = fill(m, c, engine, *ports, *queues)
        slot = symbolic(m, sizes.slot_bits, "slot", below=sizes.slots)
        ready = ~filling

        rings, lanes, spares = [], [], []  # where it may be, a bit each
        claims: dict[str, Value | int] = {}
        for vm, queue in enumerate(queues):
            m.submodules[f"queue_{vm}"] = inside = Inside(queue)
            free_inputs(m, queue, but=("fill", "fill_row", "push", "message"))
            m.d.comb += [
                queue.push.eq(engine.push[vm]),
                queue.message.eq(engine.message),
                engine.free_slots[vm].eq(queue.free_slot),
            ]
            for place in range(c.depth):
                cell = inside.memory("slots", place)
                rings.append(cell == slot)
                claims[f"filled_{vm}_{place}"] = ready | (engine.fill_row <= place) | (cell == vm * c.depth + place)
            claims[f"ends_{vm}"] = (queue.tail < c.depth) & (queue.first < c.depth)
        flying = Signal(len(ports))  # a port's slot is with a commit that is being judged
        names = ("_taken", "_commit", "_checking", "decoding")
        taken, commit, checking, decoding = (judge.signal(name) for name in names)
        staged: list[Value] = []
        for index, port in enumerate(ports):
            m.submodules[f"port_{index}"] = inside = Inside(port)
            wired = ("fill", "fill_row", "ready", "w_acted", "slot_back", "back", "w_engine")
            free_inputs(m, port, but=wired)
            wiring.connect(m, port.w_engine, engine.requests[index])
            m.d.comb += [
                port.ready.eq(ready),
                port.w_acted.eq(engine.acted[index]),
                port.slot_back.eq(engine.slot_back[index]),
                port.back.eq(engine.back),
            ]
            payload = port.w_engine.payload
            with m.If(engine.slot_back[index]):
                m.d.sync += flying[index].eq(0)
            with m.If(port.w_engine.valid & port.w_engine.ready & payload.commit & ~payload.torn):
                m.d.sync += flying[index].eq(1)
            base = c.vms * c.depth + sum(sizes.lane_slots[:index]) + index
            depth = len(port.vms) << sizes.lane_log
            for lane, row in enumerate(rows_of(inside, "slots", depth)):
                lanes.append(row == slot)
                first = (engine.fill_row <= lane) if depth > FLIP_FLOP_DEPTH else 0
                claims[f"filled_port_{index}_{lane}"] = ready | first | (row == base + 1 + lane)
            here, new, kept = (inside.signal(name) for name in ("spare_here", "new_spare", "kept_spare"))
            spare = Mux(new, engine.back, kept)
            spares.append(Mux(here, spare == slot, flying[index] & (engine.message.slot == slot)))
            claims |= {
                f"spare_{index}": here == ~flying[index],
                f"judged_{index}": ~flying[index] | commit[index] | (taken[index] & (decoding | checking)),
                f"back_{index}": ~engine.slot_back[index] | flying[index],
                f"filled_spare_{index}": ready | (here & ~new & (kept == base)),
            }
            if c.request_register:
                claims[f"nothing_{index}"] = ready | ~inside.signal("w_occupied")
            stages = port.w_pool.request.any() & port.w_pool.enable & port.w_pool.grant
            staged.append(stages & (port.w_pool.slot == slot))
        queued = Signal()
        m.d.comb += queued.eq(Cat(rings).any())
        last = engine.word.request.any() & engine.word.enable & (engine.word.slot == slot)
        claim(
            m,
            **claims,
            one_place=filling | (reduce(add, [*rings, *lanes, *spares]) == 1),
            one_commit=(flying & (flying - 1)[: len(ports)]) == 0,
            exchanged=~engine.push.any() | (engine.slot_back & flying).any(),
            idle=ready | ((flying == 0) & ~engine.push.any() & ~decoding & ~checking & (commit == 0)),
            # A staged word is written in the cycle after its grant, the last word when the message is judged.
            staged=filling | ~(Cat(staged).any() | past(m, Cat(staged).any(), "staged_before")) | ~queued,
            last=filling | ~last | ~queued,
        )
        m.d.comb += [
            Cover(queued & past(m, ~queued & ready, "was_elsewhere")),
            Cover(engine.slot_back.any() & ~engine.push.any()),
        ]


PROPERTIES = [Permutation]
