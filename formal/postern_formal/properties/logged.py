"""What is refused is reported: nothing that asked for something goes without effect and unseen."""

from operator import attrgetter

from amaranth.hdl import Assume, Cat, Const, Cover, Module, Mux, Signal, Value

from postern_hw.read_engine import ReadEngine
from postern_hw.write_engine import result_entry
from postern_spec.config import Config, Manager, preset
from postern_spec.model import Page, Register
from postern_spec.regmap import Result, State

from ..engines import Induction
from ..harness import claim, fill, index, is_among, line, past, rows_of
from ..property import Assumption, Control, Inside, Property, free_inputs
from .identity import CHECKED_STAYS, COMMIT_IS_ONE, CONNECTED, any_writes, is_commit, reduced
from .refusal import effects

__all__ = ["PROPERTIES"]

DECODES = Assumption(
    "port-decodes", "A port tells of each write and read whether it is its own path: a commit, a staged word, payload."
)
ACTING = ("HEADER", "POP", "ALLOC")
"""Registers of the guest page that do something when they are read."""


def there(page: Page, offset: Value, wanted) -> Value:
    """Whether an offset, whose lowest three bits are zero, is that of a register for which ``wanted`` holds."""
    found = [place for register in page.registers if wanted(register) for place in register.offsets()]
    return is_among(offset, found) if found else Const(0)


def own_path(payload, *registers: Register) -> Value:
    """Whether a request is one of these registers of the guest page, which ports serve themselves."""
    own = payload.allowed & ~payload.manager & (payload.address[:3] == 0)
    offsets = [offset for register in registers for offset in register.offsets()]
    return own & is_among(Cat(Const(0, 3), payload.offset[3:]), offsets)


def names(fault, payload, port, vms: int) -> Value:
    """Whether a report says who asked for what, and where."""
    who = fault.record == Mux(payload.known, payload.vm, vms)
    return who & (fault.address == payload.address) & (fault.port == port)


class Watched:
    """The request that was granted last, as the port asked for it."""

    def __init__(self, m: Module, c: Config, requests, sizes):
        shape = requests[0].payload.shape()
        self.payload, self.port = Signal(shape, name="watched"), Signal(range(len(requests)), name="watched_port")
        for number, request in enumerate(requests):
            with m.If(request.valid & request.ready):
                m.d.sync += [self.payload.eq(request.payload), self.port.eq(number)]
            # The offset is the lower part of the address, without what aligns it.
            low = len(request.payload.offset)
            same = request.payload.offset[3:] == request.payload.address[3:low]
            m.d.comb += Assume(~request.valid | (same & (request.payload.vm < c.vms)))
            if c.manager is Manager.NONE:
                m.d.comb += Assume(~request.payload.manager)
        self.place = Cat(Const(0, 3), self.payload.offset[3:])
        guest, manager = sizes.guest_page, sizes.manager_page
        self.empty = (self.payload.strobes == 0) | self.payload.address[2]
        self.aligned = self.payload.address[:2] == 0
        self.mapped = {
            name: Mux(self.payload.manager, there(manager, self.place, wanted), there(guest, self.place, wanted))
            for name, wanted in (("writable", attrgetter("writable")), ("readable", attrgetter("readable")))
        }


class Writes(Property):
    """The write engine, and each request that a port may hand to it."""

    name = "logged-writes"
    promise = 9
    also = (3,)
    statement = (
        "A write that acts has an effect, or is reported as refused with who asked for what at which port, but for one"
        " without strobes and one of an upper half, at which there is nothing. Whatever is not aligned, not whole, of"
        " nobody, of a closed VM, or no register that can be written, is reported. A commit that makes no message"
        " leaves its lane refusing, or is reported; one without permission is reported, unless its lane was refusing."
    )
    parameters = {
        "2 ports, blocks": reduced(),
        "2 ports, no blocks": reduced(blocks=0),
        "small": preset("small"),
    }
    short = ("2 ports, no blocks",)
    engines = (Induction(6),)
    covers = 22
    assumptions = (COMMIT_IS_ONE, CONNECTED, CHECKED_STAYS, DECODES)
    reduction = "What the rest of the block answers the engine is free."
    limits = "That what is reported gets into the log is fault-log; that an effect is the right one, lockstep."
    controls = (
        Control(
            "a partially strobed write is dropped",
            "write_engine.py",
            "self._partial.eq(partial & ~nothing),",
            "self._partial.eq(0),",
        ),
        Control(
            "what a component refuses is not reported",
            "write_engine.py",
            "        with m.If(bad_value):",
            '        with m.If(bad_value & ~self._does["CREDITS"]):',
        ),
        Control(
            "a report names the port that asks next",
            "write_engine.py",
            "self.fault.port.eq(any_of([Mux(bit, p, 0) for p, bit in enumerate(self._taken)])),",
            "self.fault.port.eq(any_of([Mux(r.valid, p, 0) for p, r in enumerate(self.requests)])),",
        ),
        Control(
            "a commit without permission is refused to the lane only",
            "write_engine.py",
            "with m.If(commit & ~request.torn & ~may):",
            "with m.If(commit & ~request.torn & ~may & ~reaches):",
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut, inside = any_writes(m, c, but=("fill", "fill_row"))
        filling = fill(m, c, dut)
        guest = dut.sizes.guest_page
        for request in dut.requests:
            payload = request.payload
            m.d.comb += [
                Assume(payload.commit == (is_commit(c, payload) & payload.strobes.any())),
                Assume(payload.direct == own_path(payload, guest.STAGE)),
                Assume(~filling | ~request.valid),
            ]
        watched = Watched(m, c, dut.requests, dut.sizes)
        payload = watched.payload
        busy = Cat(inside.signal(name) for name in ("_commits", "_ordinary", "_checking", "decoding")).any()
        claim(m, quiet=~filling | ~busy)
        acted, fault = dut.acted.any(), dut.fault
        kept = ["ACK", "EPOCH", "LOCK", "ARBITRATION"]
        if c.manager is Manager.NONE:
            kept.append("PEER")  # all generations are known for ever
        settings = [dut._does[name] for name in kept if name in dut._does]
        effect = effects(dut, c).any() | Cat(settings).any()
        was_open, permitted = past(m, dut.source_open, "was_open"), past(m, dut.permitted, "may")  # when it was checked
        # A doorbell for a peer that is gone, and an acknowledgement of another generation, are in vain but not wrong.
        vain = ~payload.manager & there(guest, watched.place, lambda register: register.name in ("RING", "PEER"))
        legal = payload.allowed & watched.aligned & payload.strobes.all() & watched.mapped["writable"]
        ordinary = acted & ~payload.commit & ~watched.empty
        refusing = dut.refusing.bit_select(payload.vm, 1)
        unseen = acted & payload.commit & ~dut.push.any() & ~fault.valid
        dropped, whose = past(m, unseen & ~dut.closed_vm.bit_select(payload.vm, 1), "unseen"), past(m, payload.vm, "by")
        claim(
            m,
            seen=~ordinary | fault.valid | effect | (vain & permitted),
            legal=~ordinary | fault.valid | (legal & (payload.manager | was_open)),
            names=~(acted & fault.valid) | names(fault, payload, watched.port, c.vms),
            lane=~dropped | dut.refusing.bit_select(whose, 1),
            denied=~(unseen & ~refusing & ~payload.torn & payload.strobes.all()) | dut.permitted,
            closed=~(acted & payload.commit) | dut.source_open | fault.valid,
        )
        if c.manager is Manager.NONE:  # nobody closes; and results are stored at once, and decide themselves
            m.d.comb += Assume(dut.closed_vm == 0)
            rows = rows_of(inside, "results", c.vms << dut.sizes.lane_log, result_entry(c))
            for vm in range(c.vms):
                for lane in range(c.lanes):
                    waits = rows[vm << dut.sizes.lane_log | lane].code != Result.ACCEPTED
                    claim(m, **{f"waits_{vm}_{lane}": (inside.signal(f"refusing_{vm}")[lane] == waits)})
        m.d.comb += [
            Cover(ordinary & fault.valid & payload.manager) if c.manager is not Manager.NONE else Cover(ordinary),
            Cover(ordinary & effect & ~fault.valid),
            Cover(unseen & ~refusing),
            Cover(acted & payload.commit & fault.valid & dut.source_open),
        ]


class Reads(Property):
    """The read engine, and each request that a port may hand to it."""

    name = "logged-reads"
    promise = 9
    also = (6,)
    statement = (
        "A read that is answered as good is aligned, of the manager or of a VM that is open, of a register that can be"
        " read, and whole if it acts; any other is reported as refused with who asked for what at which port, but for"
        " one without strobes and one of an upper half, which are no reads of anything."
    )
    parameters = {
        "2 ports, blocks": reduced(),
        "2 ports, no blocks": reduced(blocks=0),
        "small": preset("small"),
    }
    short = ("2 ports, no blocks",)
    engines = (Induction(5),)
    assumptions = (DECODES,)
    reduction = "What the rest of the block answers the engine is free."
    controls = (
        Control(
            "a register that cannot be read reads as zero, and nobody hears of it",
            "read_engine.py",
            "self._directed.eq(nothing | either(lambda register: register.readable)),",
            "self._directed.eq(nothing | either(lambda register: True)),",
        ),
        Control(
            "reads of closed VMs are not reported",
            "read_engine.py",
            "closed.eq(self._guest & Mux(self._looked, self._shut, (state == State.CLOSED) | self._payload)),",
            "closed.eq(self._guest & Mux(self._looked, self._shut, self._payload)),",
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut = ReadEngine(c)
        m.submodules.engine = inside = Inside(dut)
        free_inputs(m, dut)
        line(m, inside.part("arbiter"), len(c.ports))
        page = dut.sizes.guest_page
        for request in dut.requests:
            m.d.comb += Assume(request.payload.direct == own_path(request.payload, page.WORD, page.POP))
        watched = Watched(m, c, dut.requests, dut.sizes)
        granted = Cat(request.valid & request.ready for request in dut.requests).any()
        # Granted, decoded in the next cycle, looked at in the one after.
        decodes = past(m, granted, "decodes")
        looks, payload = past(m, decodes, "looks"), Signal.like(watched.payload, name="looked")
        port, empty = past(m, watched.port, "looked_port"), past(m, watched.empty, "looked_empty")
        legal = watched.payload.allowed & watched.aligned & watched.mapped["readable"]
        acts = ~watched.payload.manager & there(page, watched.place, lambda register: register.name in ACTING)
        legal = past(m, legal & (watched.payload.strobes.all() | ~acts), "legal")
        header = there(page, watched.place, lambda register: register.name == "HEADER")
        early = past(m, header & watched.aligned & watched.payload.strobes.all(), "early")  # looked at a cycle before
        m.d.sync += payload.eq(watched.payload)
        is_open = index([state != State.CLOSED for state in dut.states], payload.vm)
        was_open = past(m, index([state != State.CLOSED for state in dut.states], watched.payload.vm), "was_open")
        direct = payload.direct & payload.strobes.all()
        served = legal & (payload.manager | (Mux(early, was_open, is_open) & ~direct))
        claim(
            m,
            seen=~looks | empty | dut.fault.valid | served,
            names=~dut.fault.valid | names(dut.fault, payload, port, c.vms),
            only=~dut.fault.valid | looks,
        )
        answered = past(m, looks, "answered") if dut.sizes.read_delay else looks
        reported = past(m, dut.fault.valid, "reported") if dut.sizes.read_delay else dut.fault.valid
        claim(m, good=~answered | (dut.good != reported), error=~answered | (dut.error == reported))
        m.d.comb += [
            Cover(looks & dut.fault.valid & payload.allowed & payload.manager)
            if c.manager is not Manager.NONE
            else Cover(looks & dut.fault.valid & payload.allowed),
            Cover(looks & ~dut.fault.valid & early),
        ]


PROPERTIES = [Writes, Reads]
