"""Bus adapters: each request is answered once, nothing else is, and what waits does not change."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

from amaranth.hdl import Assume, Cat, Cover, Module, Mux, Signal, Value

from postern_hw.bus import ADAPTERS
from postern_spec.config import Bus, Config, Identity, Manager, Port

from ..engines import Induction, Pdr
from ..harness import at_most_one, claim, past
from ..property import Assumption, Control, Inside, Property, free

__all__ = ["PROPERTIES"]

OWED = 4
"""Requests that the port in a harness leaves unanswered, at most."""
READY = 2
"""Cycles in which the port in a harness takes a request, where it is not owed too much."""
ANSWER = 3
"""Cycles in which it answers the oldest."""

PORT = (
    Assumption("port-answers-once", "A port answers each access that it has taken once, not in the same cycle."),
    Assumption("port-answer-stays", "An answer of a port stays, unchanged, until the adapter takes it."),
)
MASTER = Assumption("master-keeps-the-protocol", "The master keeps what it offers until it is taken.")


def _config(bus: Bus) -> Config:
    return Config(
        ports=(Port(bus=bus, identity=Identity.STATIC, id_bits=2 if bus is Bus.AXI4 else 4),),
        vms=2,
        lanes=1,
        words=1,
        depth=2,
        manager=Manager.NONE,
        open_at_reset=True,
        credits=1,
        read_error=True,
    )


def any_master(m: Module, dut: Any, bus: Bus) -> dict:
    """Drive the bus as the protocol allows. Returns which requests and answers pass on it, for both directions."""

    def channel(name: str, valid: Signal, ready: Signal, *payload: Signal) -> None:
        free(m, valid, *payload)
        stays = past(m, valid & ~ready, f"{name}_stays")
        bits = Cat(*payload)
        m.d.comb += [Assume(~stays | valid), Assume(~stays | (bits == past(m, bits, f"{name}_was")))]

    if bus in (Bus.AXI4_LITE, Bus.AXI4):
        more = ("id", "len", "size", "burst", "lock", "cache") if bus is Bus.AXI4 else ()
        for way in "wr":
            names = (f"a{way}{name}" for name in ("addr", "prot", *more))
            payload = [getattr(dut, name) for name in names]
            channel(f"a{way}", getattr(dut, f"a{way}valid"), getattr(dut, f"a{way}ready"), *payload)
        channel("w", dut.wvalid, dut.wready, dut.wdata, dut.wstrb, *([dut.wlast] if bus is Bus.AXI4 else []))
        free(m, dut.bready, dut.rready)
        return {
            "b": dut.bvalid & dut.bready,
            "answers": ((dut.bvalid, dut.bready, (dut.bresp,)), (dut.rvalid, dut.rready, (dut.rdata, dut.rresp))),
        }
    if bus is Bus.WISHBONE:
        free(m, dut.cyc, dut.stb, dut.we, dut.adr, dut.dat_w, dut.sel)
        bits = Cat(dut.we, dut.adr, dut.dat_w, dut.sel)
        stays = past(m, dut.cyc & dut.stb & dut.stall, "stays")
        m.d.comb += [
            Assume(dut.cyc | ~dut.stb),
            Assume(~stays | (dut.cyc & dut.stb & (bits == past(m, bits, "was")))),
        ]
        return {}
    free(m, dut.psel, dut.penable, dut.paddr, dut.pprot, dut.pwrite, dut.pwdata, dut.pstrb)
    bits = Cat(dut.paddr, dut.pprot, dut.pwrite, dut.pwdata, dut.pstrb)
    # Setup is one cycle, access lasts until PREADY, and nothing changes meanwhile.
    setup, access = past(m, dut.psel & ~dut.penable, "setup"), past(m, dut.penable & ~dut.pready, "access")
    m.d.comb += [
        Assume(dut.psel | ~dut.penable),
        Assume(dut.penable == (setup | access)),
        Assume(~dut.penable | (bits == past(m, bits, "was"))),
    ]
    return {}


class _Adapter(Property):
    """An adapter between any master that keeps to the protocol and any port."""

    parameters = {bus.value: bus for bus in (Bus.AXI4_LITE, Bus.AXI4, Bus.WISHBONE, Bus.APB)}
    short = tuple(parameters)
    covers = 14
    seconds = 300
    assumptions: ClassVar[Sequence[Assumption]] = (*PORT, MASTER)
    reduction = (
        "Addresses and data pass an adapter as they are; that they stay while they wait is asserted of all bits."
        f" The port leaves at most {OWED} accesses unanswered: more of them only fill the same queue further."
    )

    def engines_for(self, parameters: Bus):
        # Two queues of beats are too much for reachability; induction is given what they hold.
        return (Induction(1),) if parameters is Bus.AXI4 else (Pdr(),)

    def adapter(self, m: Module, bus: Bus) -> SimpleNamespace:
        """Add an adapter, a master and a port. Returns what goes on at both sides."""
        dut: Any = ADAPTERS[bus](_config(bus), 0)
        m.submodules.adapter = inside = Inside(dut)
        if hasattr(dut, "rst"):
            m.d.comb += dut.rst.eq(0)
        ways = {}
        for name, request, answer in (("w", dut.write, dut.written), ("r", dut.read, dut.answer)):
            owed, waits, silent = (Signal(range(8), name=f"{name}_{what}") for what in ("owed", "waits", "silent"))
            taken, given = request.valid & request.ready, answer.valid & answer.ready
            free(m, request.ready, answer.valid)
            payload = Cat(answer.payload) if name == "r" else Cat()  # a write is answered without a word
            free(m, payload)
            stays = past(m, answer.valid & ~answer.ready, f"{name}_stays")
            m.d.sync += [
                owed.eq(owed + taken - given),
                waits.eq(Mux(request.valid & ~request.ready, waits + 1, 0)),
                silent.eq(Mux((owed != 0) & ~answer.valid, silent + 1, 0)),
            ]
            m.d.comb += [
                Assume(~answer.valid | (owed != 0)),
                Assume(~stays | answer.valid),
                Assume(~request.ready | (owed < OWED)),
                Assume(request.ready | ~request.valid | (owed == OWED) | (waits < READY)),
                Assume(answer.valid | (owed == 0) | (silent < ANSWER)),
                Assume(~stays | (payload == past(m, payload, f"{name}_before"))),
            ]
            ways[name] = SimpleNamespace(
                request=request, answer=answer, owed=owed, taken=taken, given=given, waits=waits, silent=silent
            )
        return SimpleNamespace(dut=dut, inside=inside, w=ways["w"], r=ways["r"], **any_master(m, dut, bus))


class Answers(_Adapter):
    """One response per request."""

    name = "bus-answers"
    promise = 9
    also = (4,)
    statement = (
        "An adapter answers each request once and nothing that was not asked, and what it offers while it has to wait"
        " neither goes away nor changes; an access goes to the port once, as it was on the bus."
    )
    controls = (
        Control(
            "a word is taken without its address",
            "bus/axi_lite.py",
            "self.wready.eq(both & self.write.ready),",
            "self.wready.eq(self.write.ready),",
            "axi4-lite",
        ),
        Control(
            "the burst is answered with its first beat",
            "bus/axi4.py",
            "self.bvalid.eq(self.written.valid & b_owed.last),",
            "self.bvalid.eq(self.written.valid),",
            "axi4",
        ),
        Control(
            "directions are not kept apart",
            "bus/wishbone.py",
            "((writing == self.we) & (outstanding != OUTSTANDING))",
            "(outstanding != OUTSTANDING)",
            "wishbone",
        ),
        Control(
            "an access is handed on again while its answer is awaited",
            "bus/apb.py",
            "offered = self.psel & ~taken",
            "offered = self.psel & ~self.pready",
            "apb",
        ),
    )

    def build(self, m: Module, parameters: Bus) -> None:
        parts = self.adapter(m, parameters)
        dut, w, r = parts.dut, parts.w, parts.r
        m.d.comb += [Cover(w.given), Cover(r.given & r.answer.payload.error)]
        {
            Bus.AXI4_LITE: self._axi_lite,
            Bus.AXI4: self._axi4,
            Bus.WISHBONE: self._wishbone,
            Bus.APB: self._apb,
        }[parameters](m, parts)
        for name, way in (("write", w), ("read", r)):
            bits = Value.cast(way.request.payload)
            stays = past(m, way.request.valid & ~way.request.ready, f"{name}_waits")
            # A change of mind of the bus is none of the adapter: Wishbone and APB keep what they offer as well.
            kept = bits == past(m, bits, f"{name}_kept")
            claim(m, **{f"{name}_request_stays": ~stays | (way.request.valid & kept)})
        claim(m, bounds=(w.owed <= OWED) & (r.owed <= OWED))
        del dut

    def _stable(self, m: Module, parts: SimpleNamespace) -> None:
        for name, (valid, ready, payload) in zip("br", parts.answers, strict=True):
            bits = Cat(*payload)
            stays = past(m, valid & ~ready, f"{name}_answer_waits")
            claim(m, **{f"{name}_stays": ~stays | (valid & (bits == past(m, bits, f"{name}_answer")))})

    def _axi_lite(self, m: Module, parts: SimpleNamespace) -> None:
        dut, w, r = parts.dut, parts.w, parts.r
        self._stable(m, parts)
        claim(
            m,
            together=(dut.awvalid & dut.awready) == (dut.wvalid & dut.wready),
            w_once=(dut.awvalid & dut.awready) == w.taken,
            r_once=(dut.arvalid & dut.arready) == r.taken,
            b_once=(dut.bvalid & dut.bready) == w.given,
            r_answer=(dut.rvalid & dut.rready) == r.given,
            b_asked=~dut.bvalid | (w.owed != 0),
            r_asked=~dut.rvalid | (r.owed != 0),
            b_okay=dut.bresp == 0,
            address=~w.taken | (w.request.payload.address == dut.awaddr),
            data=~w.taken | ((w.request.payload.data == dut.wdata) & (w.request.payload.strobes == dut.wstrb)),
        )

    def _axi4(self, m: Module, parts: SimpleNamespace) -> None:
        dut, w, r = parts.dut, parts.w, parts.r
        self._stable(m, parts)
        claim(m, words=(dut.wvalid & dut.wready) == w.taken, b_okay=dut.bresp == 0)
        for name, way, address, valid, ready, length, tag in (
            ("w", w, dut.awvalid & dut.awready, dut.bvalid, dut.bready, dut.awlen, dut.awid),
            ("r", r, dut.arvalid & dut.arready, dut.rvalid, dut.rready, dut.arlen, dut.arid),
        ):
            # The beats of a burst, counted; one beat is watched until it is answered.
            left, burst_id = Signal(8, name=f"{name}_left"), Signal(len(tag), name=f"{name}_id")
            running = Signal(name=f"{name}_running")
            is_last, of_id = Signal(name=f"{name}_is_last"), Signal(len(tag), name=f"{name}_of_id")
            m.d.comb += [
                is_last.eq(Mux(running, left == 0, length == 0)),
                of_id.eq(Mux(running, burst_id, tag)),
            ]
            with m.If(way.taken):
                m.d.sync += [running.eq(~is_last), left.eq(Mux(running, left, length) - 1), burst_id.eq(of_id)]
            choose, watched = Signal(name=f"{name}_choose"), Signal(name=f"{name}_watched")
            ahead, last, kept = Signal(4, name=f"{name}_ahead"), Signal(name=f"{name}_last"), Signal.like(burst_id)
            free(m, choose)
            with m.If(way.taken & choose & ~watched):
                m.d.sync += [watched.eq(1), ahead.eq(way.owed - way.given), last.eq(is_last), kept.eq(of_id)]
            with m.Elif(watched & way.given):
                m.d.sync += [ahead.eq(ahead - 1), watched.eq(ahead != 0)]
            mine = watched & (ahead == 0) & way.given
            answer = valid & ready
            got = (dut.bid, 1) if name == "w" else (dut.rid, dut.rlast)
            claim(
                m,
                **{
                    f"{name}_address": address == (way.taken & ~running),
                    f"{name}_asked": ~valid | (way.owed != 0),
                    f"{name}_mine": ~mine | (answer == (last | (name == "r"))),
                    f"{name}_id": ~(mine & answer) | ((got[0] == kept) & (last == got[1])),
                    f"{name}_ahead": ~watched | (ahead < way.owed),
                },
            )
            m.d.comb += Cover(mine & last & running)
            # What makes it inductive: the adapter keeps count as the harness does.
            owes, beats = parts.inside.part(f"{name}_owed"), parts.inside.part(f"{name}_beats")
            first, end, beats_owed = owes.signal("read__addr"), owes.signal("end"), owes.signal("count")
            place = Signal(len(first), name=f"{name}_place")
            m.d.comb += place.eq(first + ahead)
            claim(
                m,
                **{
                    f"{name}_count": beats_owed == way.owed,
                    f"{name}_ring": end == (first + beats_owed)[: len(end)],
                    f"{name}_stored": ~watched | (owes.memory("cells", place) == Cat(kept, last)),
                    f"{name}_burst": beats.signal("continues") == running,
                    f"{name}_left": ~running | (beats.signal("to_come") == left),
                    f"{name}_burst_id": ~running | (beats.signal("beat_id") == burst_id),
                },
            )

    def _wishbone(self, m: Module, parts: SimpleNamespace) -> None:
        dut, w, r = parts.dut, parts.w, parts.r
        accepted, answered = dut.cyc & dut.stb & ~dut.stall, dut.ack | dut.err
        # What was asked in this bus cycle and is not answered; a master that ends the cycle asks for nothing more.
        asked = Signal(range(16))
        m.d.sync += asked.eq(Mux(dut.cyc, asked + accepted - answered, 0))
        claim(
            m,
            once=accepted == (w.taken | r.taken),
            one=~(w.taken & r.taken) & ~(w.given & r.given) & ~(dut.ack & dut.err),
            asked=~answered | (asked != 0),
            all_answered=~dut.cyc | (asked == 0) | (asked <= w.owed + r.owed),
            none_left=~dut.cyc | (asked == 0) | ((w.owed == 0) | (r.owed == 0)),
            answered=~(dut.cyc & (w.given | r.given) & (asked != 0)) | answered,
            errors=~dut.err | (r.given & r.answer.payload.error),
        )

    def _apb(self, m: Module, parts: SimpleNamespace) -> None:
        dut, w, r = parts.dut, parts.w, parts.r
        # A transfer that is not over has gone to the port at most once.
        handed = Signal()
        ends = dut.psel & dut.penable & dut.pready
        with m.If(ends):
            m.d.sync += handed.eq(0)
        with m.Elif(w.taken | r.taken):
            m.d.sync += handed.eq(1)
        claim(
            m,
            once=~(handed & (w.taken | r.taken)),
            one=at_most_one(Cat(w.taken, r.taken)),
            direction=(~w.taken | dut.pwrite) & (~r.taken | ~dut.pwrite),
            answered=ends == (w.given | r.given),
            in_access=~(w.given | r.given) | dut.penable,
            handed=handed == ((w.owed + r.owed) == 1),
            none_more=w.owed + r.owed <= 1,
            errors=~(ends & dut.pslverr) | ~dut.pwrite,
        )


class Waits(_Adapter):
    """Nothing waits for ever, and for how long at most."""

    name = "bus-waits"
    promise = 4
    statement = (
        "While the master takes its responses and the port keeps its times, an adapter takes each request, and gives"
        " each response, within a fixed number of cycles: it cannot deadlock."
    )
    assumptions = (*PORT, MASTER, Assumption("port-keeps-its-times", "A port takes and answers within its bound."))
    bounds = {
        # A request waits for the port, or until the oldest of as many as may be owed is answered.
        Bus.AXI4_LITE: 1 + max(READY, ANSWER + 1),
        Bus.AXI4: 1 + max(READY, ANSWER + 1),
        # Before a change of direction all are answered.
        Bus.WISHBONE: 1 + OWED * (ANSWER + 1) + READY,
        Bus.APB: 2 + READY + ANSWER + 1,
    }
    controls = (
        Control(
            "what is answered stays counted",
            "bus/axi4.py",
            "m.d.sync += count.eq(count + self.put - self.get)",
            "m.d.sync += count.eq(count + self.put)",
            "axi4",
        ),
        Control(
            "a bus cycle that ended early is never forgotten",
            "bus/wishbone.py",
            "with m.If(outstanding - done == 0):",
            "with m.If(outstanding - done == 7):",
            "wishbone",
            depth=0,
        ),
    )

    def engines_for(self, parameters: Bus):
        return (Pdr(),)

    def build(self, m: Module, parameters: Bus) -> None:
        bus = parameters
        parts = self.adapter(m, bus)
        dut, inside, w, r = parts.dut, parts.inside, parts.w, parts.r
        waiting: dict[str, Value] = {}
        if bus in (Bus.AXI4_LITE, Bus.AXI4):
            m.d.comb += [Assume(dut.bready), Assume(dut.rready)]
            more = dict.fromkeys("wr", 0)
            if bus is Bus.AXI4:
                more = {way: inside.part(f"{way}_beats").signal("continues") for way in "wr"}
                for name, way in (("w", w), ("r", r)):
                    claim(m, **{f"{name}_count": inside.part(f"{name}_owed").signal("count") == way.owed})
            waiting = {
                "w": (dut.awvalid | more["w"]) & dut.wvalid & ~w.taken,
                "r": (dut.arvalid | more["r"]) & ~r.taken,
            }
        elif bus is Bus.WISHBONE:
            waiting = {"request": dut.cyc & dut.stb & dut.stall}
        else:
            waiting = {"transfer": dut.psel & ~dut.pready}
        bound = self.bounds[bus]
        for name, waits in waiting.items():
            cycles = Signal(range(bound + 2), name=f"{name}_cycles")
            m.d.sync += cycles.eq(Mux(waits, cycles + 1, 0))
            claim(m, **{f"{name}_is_taken": cycles <= bound})
            m.d.comb += Cover(cycles == READY)
        for name, way in (("w", w), ("r", r)):
            cycles = Signal(range(ANSWER + 3), name=f"{name}_unanswered")
            m.d.sync += cycles.eq(Mux((way.owed != 0) & ~way.given, cycles + 1, 0))
            claim(m, **{f"{name}_is_answered": cycles <= ANSWER + 1})


PROPERTIES = [Answers, Waits]
