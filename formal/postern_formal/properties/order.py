"""Order: what is answered has happened."""

from amaranth.hdl import Assume, Cover, Module, Mux, Signal
from amaranth.lib import wiring

from postern_hw.port import Port as PortComponent
from postern_spec.config import Config, Identity, preset

from ..engines import Induction
from ..harness import claim, fill
from ..property import Assumption, Control, Inside, Property, free, free_inputs
from .identity import CHECKED_STAYS, COMMIT_IS_ONE, CONNECTED, any_writes, reduced

__all__ = ["PROPERTIES"]

GRANTED = Assumption("granted-has-asked", "The SRAM grants a port an access only where it asks for one.")


class Order(Property):
    """The write side of a port, and the write engine; the other ports are free."""

    name = "write-order"
    promise = 3
    also = (0,)
    statement = (
        "A port answers a write only after it has taken effect, once: in the engine, in the pool or in the SRAM. No"
        " write is passed on while one that the port has accepted before has not acted yet and does not act in that"
        " cycle."
    )
    parameters = {
        "2 ports, no blocks": reduced(blocks=0, lanes=1),
        "2 ports, blocks": reduced(lanes=1),
        "no request register": reduced(Identity.PAGE, blocks=0, lanes=1, request_register=False),
        "small": preset("small"),
    }
    engines = (Induction(5),)
    covers = 24
    assumptions = (COMMIT_IS_ONE, CONNECTED, CHECKED_STAYS, GRANTED)
    reduction = "Answers of pool, SRAM and the rest of the block are free. VMs, lanes and words are rows of tables."
    limits = "That reads which come after the answer see it: tested (lockstep)."
    controls = (
        Control(
            "a write is answered when it is passed on",
            "port.py",
            "came = early + (self.w_acted & ~dropped)",
            "came = early + passed",
            depth=20,
        ),
        Control(
            "a write passes one that the engine has not acted on",
            "port.py",
            "able.eq(~crammed & ~slow),",
            "able.eq(~crammed),",
            depth=20,
        ),
        Control(
            "a write of a port that was reset is answered all the same",
            "port.py",
            "came = early + (self.w_acted & ~dropped)",
            "came = early + self.w_acted",
            depth=20,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        engine, judge = any_writes(m, c, but=("requests", "fill", "fill_row"))
        port = PortComponent(c, 0)
        m.submodules.port = inside = Inside(port)
        free_inputs(m, port, but=("fill", "fill_row", "ready", "w_acted", "slot_back", "back", "w_engine"))
        wiring.connect(m, port.w_engine, engine.requests[0])
        for other in list(engine.requests)[1:]:
            free(m, other.valid, other.payload)
        filling = fill(m, c, engine, port)
        m.d.comb += [
            port.ready.eq(~filling),
            port.w_acted.eq(engine.acted[0]),
            port.slot_back.eq(engine.slot_back[0]),
            port.back.eq(engine.back),
        ]
        accepted = port.write.valid & port.write.ready
        fires = port.w_engine.valid & port.w_engine.ready
        guarded = port.w_sram.request & port.w_sram.grant & port.w_issue & ~fires if c.blocks else 0
        if c.blocks:
            m.d.comb += Assume(~port.w_sram.grant | port.w_sram.request)
        acts, acted = Signal(), engine.acted[0]
        m.d.sync += acts.eq(guarded)
        early = port.w_issue & ~fires & ~guarded
        answered = port.written.valid & port.written.ready
        waiting, flying, lost, owed = Signal(range(4)), Signal(), Signal(), Signal(range(16))
        m.d.sync += [
            waiting.eq(Mux(port.reset, 0, waiting + accepted - port.w_issue)),
            flying.eq(fires | (flying & ~acted)),
            # A reset takes the answer, not the effect.
            lost.eq(~acted & (lost | (port.reset & flying))),
            owed.eq(Mux(port.reset, 0, owed + early + acts + (acted & ~lost) - answered)),
        ]
        slow = inside.signal("slow")  # something flies that is no commit without a block
        names = ("_taken", "_checking", "decoding")
        taken, checking, decoding = (judge.signal(name) for name in names)
        claims = {
            "happened": ~port.written.valid | (owed != 0),
            "order": ~port.w_issue | ~flying | acted,
            "once": ~acted | flying,
            "accepted": ~port.w_issue | (waiting != 0 if c.request_register else accepted),
            # What makes it inductive.
            "owed": inside.signal("pending") == owed,
            "lost": inside.signal("dropped") == lost,
            "slow": (~slow | flying) & (~(flying & ~acted) | slow),
            "lost_flies": ~lost | flying,
            "flies": flying == (acted | (taken[0] & (decoding | checking))),
            "waiting": (waiting == inside.signal("w_occupied")) if c.request_register else (waiting == 0),
        }
        if c.request_register:  # what is decoded of the request that waits
            near, own = inside.signal("w_near_stage"), inside.signal("w_own_stage")
            claims["decoded"] = ~inside.signal("w_occupied") | ~near | own
            if c.blocks:
                held, parts = inside.signal("w_held"), inside.module.submodules
                sram = held[len(held) - len(port.write.payload.strobes) - len(parts.w_binding.place) - 1]
                claims["decoded_sram"] = ~inside.signal("w_occupied") | ~sram | (own & ~near)
        claim(m, **claims)
        m.d.comb += [
            Cover(port.written.valid & (owed == 2)),
            Cover(port.w_issue & flying & acted),
            Cover(lost & acted),
        ]


PROPERTIES = [Order]
