"""The fault log: whatever is refused is in it."""

from functools import reduce
from operator import add, or_

from amaranth.hdl import Cat, Const, Cover, Module, Mux, Signal, Value

from postern_hw.faults import Faults, Refusals
from postern_spec.config import Config

from ..engines import Induction, Pdr
from ..harness import at_most_one, claim, line, past
from ..property import Control, Inside, Property, free, free_inputs, symbolic
from .identity import reduced

__all__ = ["PROPERTIES"]

MOST = 0xFFFF


class Log(Property):
    """The log, for a symbolic record."""

    name = "fault-log"
    promise = 9
    statement = (
        "Every refused access that an engine or a port reports is counted in the record of its VM, or in that of"
        " requests without one, and in no other, up to 65,535; the record shows kind, port and address of the oldest"
        " one since it was cleared; and nothing else fills or clears a record, also not in the cycle of a clear."
    )
    parameters = {
        "2 ports, blocks": reduced(),
        "2 ports, no blocks": reduced(blocks=0),
        "5 VMs": reduced(vms=5),
    }
    engines = (Induction(2),)
    covers = 8
    reduction = (
        "The record is symbolic. That a port's refusals get there is fault-queue; who asks is free, and in which cycle."
    )
    limits = (
        "That what is refused is reported, with the VM-ID of the request: refusal-write and refusal-sram say what"
        " a refusal is, identity-port whose request it was."
    )
    controls = (
        Control(
            "a fault in the cycle of a clear is lost",
            "faults.py",
            "m.d.sync += filled.eq((filled & ~cleared) | here)",
            "m.d.sync += filled.eq((filled | here) & ~cleared)",
        ),
        Control(
            "the latest fault is shown, not the first",
            "faults.py",
            "what_w.en.eq(fault.valid & ~kept),",
            "what_w.en.eq(fault.valid),",
        ),
        Control(
            "refusals by the SRAM are in the record of the first VM",
            "faults.py",
            'for member in ("record", "kind", "address"):\n            values',
            'for member in ("kind", "address"):\n            values',
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut = Faults(c)
        m.submodules.faults = inside = Inside(dut)
        free_inputs(m, dut, but=("look_record",))
        record = symbolic(m, range(dut.records), "record", below=dut.records)
        m.d.comb += dut.look_record.eq(record)
        words = Mux(dut.half, Cat(Const(0, 32), dut.data), dut.data)[: c.vms]
        cleared = Mux(record == c.vms, dut.set_stray & dut.data[0], dut.clear & words.bit_select(record, 1))
        claims: dict[str, Value] = {}
        pending: list[Value] = []
        for way, fault, look in (("write", dut.write, dut.look_write), ("read", dut.read, dut.look_read)):
            what = Cat(fault.kind, fault.port, fault.address)
            sources = [(way, fault.valid & (fault.record == record), what)]
            if c.blocks:
                streams = getattr(dut, f"{way[0]}_refusals")
                line(m, inside.part(f"{way}_turn"), len(streams))
                goes = [item.valid & item.ready for item in streams]
                claims[f"{way}_turns"] = at_most_one(Cat(goes)) & (
                    Cat(goes).any() == Cat(item.valid for item in streams).any()
                )
                mine = [go & (item.payload.record == record) for go, item in zip(goes, streams, strict=True)]
                words_of = [
                    Cat(item.payload.kind, Const(port, len(fault.port)), item.payload.address)
                    for port, item in enumerate(streams)
                ]
                taken = reduce(or_, [Mux(bit, word, 0) for bit, word in zip(mine, words_of, strict=True)])
                sources.append((f"{way}_sram", Cat(mine).any(), taken[: len(what)]))
            # What came in the last cycle is counted in this one.
            came = [past(m, bit, f"{name}_came") for name, bit, _ in sources]
            said = [past(m, word, f"{name}_said") for name, _, word in sources]
            numbers = [Signal(16, name=f"{name}_number") for name, _, _ in sources]
            first, some = Signal(len(what), name=f"{way}_oldest"), Signal(name=f"{way}_some")
            m.d.comb += some.eq(Cat(numbers).any())
            own = [Signal(len(what), name=f"{name}_oldest") for name, _, _ in sources]
            for bit, word, number, oldest in zip(came, said, numbers, own, strict=True):
                with m.If(cleared):
                    m.d.sync += number.eq(bit)
                with m.Elif(bit & (number != MOST)):
                    m.d.sync += number.eq(number + 1)
                with m.If(bit & (cleared | (number == 0))):
                    m.d.sync += oldest.eq(word)
            with m.If(Cat(came).any() & (cleared | ~some)):
                m.d.sync += first.eq(Mux(came[0], said[0], said[-1]))
            total = Signal(17, name=f"{way}_all")
            m.d.comb += total.eq(reduce(add, numbers))
            shown = Cat(look.kind, look.port, look.address)
            claims |= {
                f"{way}_count": look.count == Mux(total[16], MOST, total),
                f"{way}_first": shown == Mux(some, first, 0),
            }
            # What makes it inductive: the memories hold this.
            for (name, _, _), number, oldest in zip(sources, numbers, own, strict=True):
                filled = inside.signal(f"{name}_filled").bit_select(record, 1)
                claims[f"{name}_filled"] = filled == (number != 0)
                claims[f"{name}_kept"] = ~filled | (
                    (inside.memory(f"{name}_count", record) == number)
                    & (Value.cast(inside.memory(f"{name}_first", record)) == oldest)
                )
            if c.blocks:
                older = inside.signal(f"{way}_by_sram").bit_select(record, 1)
                claims[f"{way}_older"] = ~some | (
                    (numbers[0] != 0) & ~older & (first == own[0]) | (numbers[1] != 0) & older & (first == own[1])
                )
            else:
                claims[f"{way}_older"] = ~some | (first == own[0])
            pending.append(some)
            m.d.comb += [Cover(total == 2), Cover(cleared & Cat(came).any() & some)]
        claim(m, pending=dut.pending.bit_select(record, 1) == (pending[0] | pending[1]), **claims)


class Waiting(Property):
    """The queue of a port's refusals; a symbolic one of them."""

    name = "fault-queue"
    promise = 9
    statement = (
        "Refused accesses of the SRAM wait at their port until they are logged, each once, in their order, with the"
        " VM-ID, kind and address with which they came: none is lost, because a port passes nothing on for which there"
        " might be no room."
    )
    parameters = {"2 ports, blocks": reduced()}
    engines = (Pdr(),)
    covers = 14
    reduction = "When accesses are passed on, which of them are refused, and when one is logged is free."
    controls = (
        Control(
            "one access too many is passed on",
            "faults.py",
            "self.room.eq(after <= self.DEPTH - 3)",
            "self.room.eq(after <= self.DEPTH - 2)",
            depth=16,
        ),
        Control(
            "one that comes while another is logged is lost",
            "faults.py",
            "        with m.If(self.push):\n            m.d.sync += tail.eq(tail + 1)",
            "        with m.If(self.push & ~taken):\n            m.d.sync += tail.eq(tail + 1)",
            depth=16,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        dut = Refusals(parameters)
        m.submodules.waiting = dut
        passes, refused, choose, ready = (Signal(name=name) for name in ("passes", "refused", "choose", "logged"))
        free(m, passes, refused, choose, ready, dut.i)
        # An access is passed on where there is room, and refused two cycles later.
        late = past(m, past(m, passes & dut.room, "passed"), "passed_before")
        m.d.comb += [dut.push.eq(late & refused), dut.o.ready.eq(ready)]
        taken = dut.o.valid & dut.o.ready
        waiting, ahead = Signal(range(dut.DEPTH + 1)), Signal(range(dut.DEPTH + 1))
        watched, gone = Signal(), Signal()
        kept = Signal(len(Value.cast(dut.i)))
        m.d.sync += waiting.eq(waiting + dut.push - taken)
        with m.If(dut.push & choose & ~watched):
            m.d.sync += [watched.eq(1), kept.eq(dut.i), ahead.eq(waiting - taken)]
        with m.If(watched & ~gone & taken):
            m.d.sync += [ahead.eq(ahead - 1), gone.eq(ahead == 0)]
        waits = watched & ~gone
        claim(
            m,
            room=~dut.push | (waiting != dut.DEPTH),
            shown=dut.o.valid == (waiting != 0),
            order=~(waits & (ahead == 0)) | (dut.o.payload.as_value() == kept),
            there=~waits | (ahead < waiting),
        )
        m.d.comb += [Cover(waiting == dut.DEPTH), Cover(gone & taken)]


PROPERTIES = [Log, Waiting]
