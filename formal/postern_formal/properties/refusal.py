"""Refused accesses: they change nothing, read as zero, and are logged."""

from functools import reduce
from operator import or_

from amaranth.hdl import Assume, Cat, Const, Cover, Module, Mux, Signal, Value

from postern_hw.sram import LANE, Sram
from postern_hw.write_engine import WriteEngine
from postern_spec.config import Config, Manager, preset
from postern_spec.regmap import Settled

from ..engines import Induction
from ..harness import claim, line, past
from ..property import Assumption, Control, Inside, Property, free_inputs, symbolic
from .identity import CHECKED_STAYS, COMMIT_IS_ONE, CONNECTED, any_writes, reduced

__all__ = ["PROPERTIES", "effects"]


def effects(dut: WriteEngine, c: Config) -> Value:
    """Return a bit for everything that a write does to others, but for what its component refuses."""
    do = {name.lower(): getattr(dut.do, name.lower()) for name in dut.strobes(c)}
    if c.manager is Manager.NONE:
        del do["peer"]  # all generations are known for ever: nothing listens
    if c.blocks:
        do |= {name: do[name] & (dut.settled != Settled.REFUSED) for name in ("free", "return", "revoke")}
        do["quota"] &= dut.limit_fits
        if c.manager is not Manager.NONE:
            do["reclaim"] &= dut.is_orphan
    do["control"] &= ~dut.refused_command
    return Cat(*do.values(), dut.push, dut.grant, dut.give if c.blocks else Const(0, 1))


class Write(Property):
    """Refused writes in the write engine."""

    name = "refusal-write"
    promise = 9
    also = (2, 3)
    statement = (
        "A write that is logged as refused raises no strobe that anything acts on, pushes no message, hands no block"
        " over, gives no credit, and changes no lane's refusal but that of its own VM. A message is pushed only with"
        " permission and credit, from an open VM that is not draining to an open one whose generation it knows; a block"
        " is handed over with such a message, and only so."
    )
    parameters = {
        "2 ports, blocks": reduced(),
        "2 ports, no blocks": reduced(blocks=0),
        "small": preset("small"),
    }
    short = ("2 ports, blocks",)
    engines = (Induction(5),)
    reduction = (
        "What the rest of the block answers the engine is free. FREE, RETURN, REVOKE, QUOTA and CONTROL that their"
        " component refuses are raised and refused there: see block-rights, block-quota and vm-states."
    )
    assumptions = (COMMIT_IS_ONE, CONNECTED, CHECKED_STAYS)
    controls = (
        Control(
            "a message that may not be sent is sent all the same",
            "write_engine.py",
            "whole.eq(self._commits & accepting & ~request.torn & self.connected),",
            "whole.eq(self._commits & accepting & ~request.torn & self.source_open),",
        ),
        Control(
            "a partially strobed write acts",
            "write_engine.py",
            "self._fit.eq(~first.any() & ~partial),",
            "self._fit.eq(~first.any()),",
        ),
        Control(
            "a write of a closed VM acts",
            "write_engine.py",
            "good.eq(self._checking & self._fit & ~closed),",
            "good.eq(self._checking & self._fit),",
        ),
        Control(
            "a credit that comes back while a commit with a block is checked counts for the message only",
            "write_engine.py",
            "spent = (self.spent & ~self.returns & self._targets).any()",
            "spent = (self.spent & self._targets).any()",
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut, _ = any_writes(m, c)
        vm = symbolic(m, range(c.vms), "vm", below=c.vms)
        refusing = past(m, dut.refusing, "refusing_before")
        changed = (dut.refusing ^ refusing).bit_select(vm, 1)
        acted_vm, acted = past(m, dut.vm, "acted_vm"), past(m, dut.acted.any(), "acted")
        closed = past(m, dut.closed_vm.bit_select(vm, 1), "closed")
        faulty = past(m, dut.fault.valid, "faulty")
        epoch, locked = past(m, dut.epoch, "epoch_before"), past(m, dut.locked, "locked_before")
        claim(
            m,
            nothing=~dut.fault.valid | ~effects(dut, c).any(),
            accepted=~dut.push.any()
            | (dut.permitted & dut.acknowledged & dut.source_open & ~dut.source_draining & dut.target_open),
            credit=(dut.push & dut.spent) == 0,
            own_lanes=~changed | closed | (acted & (acted_vm == vm)),
            settings=~faulty | ((dut.epoch == epoch) & (dut.locked == locked)),
            one_message=(dut.push & (dut.push - 1)[: c.vms]) == 0,
            # A block is handed over with its message, and with nothing else.
            handed=(dut.give == (dut.push.any() & dut.message.kind)) | past(m, dut.fill, "filled") if c.blocks else 1,
            # Only what a port has passed on acts, and it acts for one port.
            acted=~(dut.push.any() | dut.fault.valid) | dut.acted.any() | dut.walk,
        )
        m.d.comb += [
            Cover(dut.fault.valid & (dut.fault.kind == 8)),
            Cover(dut.fault.valid & (dut.refusing == 0)),
            Cover(dut.push.any()),
        ]


class Memory(Property):
    """Accesses of the SRAM beside the rights to it."""

    name = "refusal-sram"
    promise = 2
    also = (5, 6, 9)
    statement = (
        "A word of the SRAM changes only by a write whose VM has the right to write its block in that cycle, or to zero"
        " by the scrubber; a read without the right is answered with zero and as refused, one with it gives the word"
        " as it is in that cycle; a port gets data only in answer to its own reads."
    )
    parameters = {
        "1 bank, 2 ports": reduced(banks=1),
        "2 banks, 2 ports": reduced(),
        "4 banks, 2 ports, 3 VMs": reduced(banks=4),
    }
    short = ("2 banks, 2 ports",)
    engines = (Induction(4),)
    reduction = (
        "The word, its bank and the byte are symbolic, the rights are free in each cycle: the proof does not depend on"
        " what they are (block-rights says that). Ports differ only by their number in an arbiter."
    )
    assumptions = (
        Assumption("scrubbed-has-no-owner", "A block that is being scrubbed gives nobody a right to read it."),
    )
    controls = (
        Control(
            "a write is not checked in its cycle but in the one before",
            "sram.py",
            "acts.eq(w_enable & self.w_allowed[bank]),",
            "acts.eq(w_enable),",
        ),
        Control(
            "a refused read shows the word",
            "sram.py",
            "r_right.eq(r_enable & right),",
            "r_right.eq(r_enable),",
        ),
        Control(
            "what is written in the same cycle is missed",
            "sram.py",
            "m.d.sync += passes.eq(acts & strobes[lane] & same)",
            "m.d.sync += passes.eq(0)",
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut = Sram(c)
        m.submodules.sram = inside = Inside(dut)
        free_inputs(m, dut)
        shape = dut.shape
        row = symbolic(m, range(shape.rows), "row", below=shape.rows)
        port = symbolic(m, range(len(dut.r)), "port", below=len(dut.r))
        block_log = shape.block_log - shape.bank_log
        claims = {}
        answers = []
        for bank in range(c.banks):
            line(m, inside.part(f"write_arbiter_{bank}"), len(dut.w))
            line(m, inside.part(f"read_arbiter_{bank}"), len(dut.r))
            word = Cat(inside.memory(f"{LANE}{bank}_{lane}", row) for lane in range(shape.lanes))
            before = past(m, word, f"word_before_{bank}")
            # Writes act a cycle after their grant: who and where as the port said then.
            who, place = Signal(shape.vm_bits, name=f"who_{bank}"), Signal(shape.word_bits, name=f"place_{bank}")
            writes = Signal(name=f"writes_{bank}")
            scrubbed, scrub_row = (
                past(m, dut.scrub[bank].taken, f"scrub_{bank}"),
                past(m, dut.scrub[bank].row, f"scrub_row_{bank}"),
            )
            mine = [w.grant & w.request & self._at(w.word, bank, shape) for w in dut.w]
            m.d.sync += [
                writes.eq(reduce(or_, [own & w.enable for own, w in zip(mine, dut.w, strict=True)])),
                who.eq(reduce(or_, [Mux(own, w.vm, 0) for own, w in zip(mine, dut.w, strict=True)])),
                place.eq(reduce(or_, [Mux(own, w.word, 0) for own, w in zip(mine, dut.w, strict=True)])),
            ]
            there = place[shape.bank_log :] == row
            may = (
                writes
                & there
                & dut.w_allowed[bank]
                & (dut.w_look[bank].block == row[block_log:])
                & (dut.w_look[bank].vm == who)
            )
            zeroed = scrubbed & (scrub_row == row)
            claims[f"written_{bank}"] = (
                ~past(m, Const(1), f"begun_{bank}")
                | (word == before)
                | past(m, may, f"may_{bank}")
                | (past(m, zeroed, f"zeroed_{bank}") & (word == 0))
            )
            # A read of the symbolic port that looks now, in this bank, at this row.
            r = [Cat(item.grant & item.request & self._at(item.word, bank, shape), item.enable, item.word, item.vm)
                 for item in dut.r]  # fmt: skip
            chosen = Signal(len(r[0]), name=f"read_{bank}")
            m.d.sync += chosen.eq(Mux(port == 0, r[0], r[-1]))
            looks = chosen[0] & chosen[1]
            at = chosen[2 : 2 + shape.word_bits][shape.bank_log :]
            asked_by = chosen[2 + shape.word_bits :]
            right = dut.r_allowed[bank]
            # See block-rights: what is being scrubbed has no owner and no borrower.
            m.d.comb += Assume(~(right & scrubbed & (scrub_row[block_log:] == dut.r_look[bank].block)))
            claims[f"asked_{bank}"] = ~looks | (
                (dut.r_look[bank].block == at[block_log:]) & (dut.r_look[bank].vm == asked_by)
            )
            # What it must get: the word after the writes of this cycle.
            answers.append((looks, right, at == row, word, bank))
        # Two cycles after the grant it is refused, three after it the data are there.
        refused = past(m, reduce(or_, [looks & ~right for looks, right, *_ in answers]), "refused_now")
        given = past(m, past(m, reduce(or_, [looks & right for looks, right, *_ in answers]), "given_0"), "given_1")
        data = Mux(port == 0, dut.r[0].data, dut.r[-1].data)
        claims["refused"] = Mux(port == 0, dut.r[0].refused, dut.r[-1].refused) == refused
        claims["zero"] = given | (data == 0)
        for looks, right, here, word, bank in answers:
            # `word` shows what is there before the write of this cycle; a cycle later it shows what came of it.
            seen = past(m, past(m, looks & right & here, f"seen_{bank}"), f"seen_late_{bank}")
            claims[f"data_{bank}"] = ~seen | (data == past(m, word, f"was_{bank}"))
            m.d.comb += Cover(seen & (data != 0))
        claim(m, **claims)
        m.d.comb += Cover(refused)

    @staticmethod
    def _at(word, bank: int, shape):
        return word[: shape.bank_log] == bank if shape.bank_log else Const(1)


PROPERTIES = [Write, Memory]
