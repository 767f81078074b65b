"""Blocks: who may read and write them, that they are zero when they are handed out, and who pays."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

from amaranth.hdl import Assume, Cat, Cover, Module, Mux, Signal, Value
from amaranth.lib import enum, wiring

from postern_hw.blocks import Blocks
from postern_hw.queue import fill_rows
from postern_hw.scrubber import Scrubber
from postern_hw.select import log2
from postern_hw.sram import LANE, Shape, Sram
from postern_hw.table import FLIP_FLOP_DEPTH
from postern_spec.config import Config, Manager, Port
from postern_spec.regmap import Handover, Holding, Settled

from ..engines import Induction
from ..harness import at_most_one, claim, count, fill, index, past, rows_of, window
from ..property import Assumption, Control, Inside, Property, free, symbolic

__all__ = ["ENGINE", "PROPERTIES", "Ownership", "config"]


def config(*, vms: int, blocks: int, banks: int = 2, ports: int = 2) -> Config:
    """Return a block as small as can be, but for what matters to the rights of blocks."""
    return Config(
        ports=(Port(),) * ports,
        vms=vms,
        lanes=1,
        words=1,
        depth=2,
        manager=Manager.VM,
        blocks=blocks,
        block_size=64,
        banks=banks,
    )


ENGINE = (
    Assumption("acts-apart", "The write engine acts on blocks at most once in two cycles."),
    Assumption("word-stays", "Word, requester and target of what acts on blocks have been there for a cycle."),
    Assumption(
        "steps-apart", "In the cycle of a step of tearing down and the two after it, nothing else acts on blocks."
    ),
    Assumption("dead-are-closed", "A VM that is torn down is closed, and a closed one allocates nothing."),
    Assumption("gives-what-it-may", "The write engine hands a block over only where the blocks say that it may."),
)


class State(enum.Enum, shape=3):
    """State of a block, as in ``docs/states.md``."""

    DIRTY = 0
    CLEAN = 1
    OWNED = 2
    LENT = 3
    SHOWN = 4


class _Rights(Property):
    """Blocks and scrubber under any use that the write engine can make of them, and what is true of their insides."""

    parameters = {
        "2 VMs, 2 blocks": config(vms=2, blocks=2),
        "3 VMs, 4 blocks": config(vms=3, blocks=4),
        "2 VMs, 5 blocks (LUT RAM)": config(vms=2, blocks=5),
    }
    short = ("2 VMs, 2 blocks",)
    engines = (Induction(2),)
    covers = 26
    assumptions: ClassVar[Sequence[Assumption]] = ENGINE
    limits = "That tearing down ends in bounded time, and what it leaves: teardown-walk, -steps, -queue and -blocks."
    reduction = (
        "Blocks and VMs are only compared with each other, block by block: a violation names one block and two VMs. "
        "Which ones is symbolic; more of them add rows of the same tables. The SRAM may take as long as it likes."
    )

    def parts(self, m: Module, c: Config) -> SimpleNamespace:
        """Add the components; drive them as the write engine may; assert what is always true of their insides."""
        dut, shape = Blocks(c), Shape(c)
        scrubber = Scrubber(c, rows=shape.block_rows, row_bits=shape.row_bits)
        m.submodules.blocks = blocks = Inside(dut)
        m.submodules.scrubber = scrub = Inside(scrubber)
        filling = fill(m, c, dut)
        m.d.comb += [scrubber.dirty.eq(dut.scrub), scrubber.block.eq(dut.scrub_block), dut.scrubbed.eq(scrubber.clean)]
        memory = self.memory(m, c, dut, scrubber)
        free(m, dut.data, dut.vm, dut.target, dut.alloc, dut.alloc_vm)
        free(m, dut.give, dut.free, dut.give_back, dut.revoke, dut.set_limit, dut.opened)
        free(m, dut.reclaim, dut.kill, dut.kill_vm, dut.kill_block, dut.open, dut.closed)
        acts = Signal()
        m.d.comb += acts.eq(dut.give | dut.free | dut.give_back | dut.revoke | dut.set_limit | dut.reclaim)
        # A step of tearing down, and what is left of it in the next cycle, in which it acts.
        torn, torn_block = past(m, dut.kill, "torn"), past(m, dut.kill_block, "torn_block")
        torn_vm, was_torn = past(m, dut.kill_vm, "torn_vm"), past(m, torn, "was_torn")
        doomed, doomed_vm = past(m, dut.closed.any(), "was_closed"), past(m, dut.target, "closed_vm")
        word = Cat(dut.data, dut.vm, dut.target)
        m.d.comb += [
            Assume(at_most_one(Cat(dut.give, dut.free, dut.give_back, dut.revoke, dut.set_limit, dut.reclaim))),
            Assume(~acts | ~(dut.kill | torn | was_torn)),
            Assume(~dut.kill | ~(torn | filling)),
            Assume(~dut.kill | ((dut.kill_vm < c.vms) & ~dut.open.bit_select(dut.kill_vm, 1))),
            Assume(~torn | ~dut.open.bit_select(torn_vm, 1)),
            Assume(~dut.alloc | dut.open.bit_select(dut.alloc_vm, 1)),
            Assume(~acts | ~past(m, acts, "acted")),
            Assume(~acts | (word == past(m, word, "word_before"))),
            Assume(~acts | ~filling & ~past(m, filling, "filled_before")),
            Assume(~dut.alloc | ~filling),
            Assume(~dut.give | dut.may_give),
            Assume((dut.vm < c.vms) & (dut.target < c.vms) & (dut.alloc_vm < c.vms)),
        ]

        # The tables, row by row.
        bought = rows_of(blocks, "bought", c.blocks, dut._bought)
        held = rows_of(blocks, "held", c.blocks, dut._held)
        owned = Signal(c.blocks)
        m.d.comb += owned.eq(Cat(b.toggle ^ h.toggle for b, h in zip(bought, held, strict=True)))

        # The ring: blocks that nobody owns, each once.
        ring = [blocks.memory("ring", i) for i in range(c.blocks)]
        first, second, oldest, tail, head = (
            blocks.signal(name) for name in ("first", "second", "oldest", "tail", "head")
        )
        some, busy, scrubbing = blocks.signal("some"), scrub.signal("busy"), scrub.signal("block")
        clean_part, all_part = Signal(c.blocks), Signal(c.blocks)
        m.d.comb += [
            clean_part.eq(window(first, dut.clean, c.blocks)),
            all_part.eq(window(first, dut.clean + dut.dirty, c.blocks)),
        ]

        def reached(distance):
            return (first + distance == oldest) | (first + distance == oldest + c.blocks)

        def ended(distance):
            return (first + distance == tail) | (first + distance == tail + c.blocks)

        inside = [
            dut.clean + dut.dirty == count([~bit for bit in owned]),
            reached(dut.clean) & ended(dut.clean + dut.dirty),
            (first < c.blocks) & (oldest < c.blocks) & (tail < c.blocks),
            second == Mux(first == c.blocks - 1, 0, first + 1),
            some == (dut.clean != 0),
            ~some | (Value.cast(head) == index([Value.cast(entry) for entry in ring], first)),
            ~busy | ((dut.dirty != 0) & (scrubbing == index([entry.block for entry in ring], oldest))),
        ]
        for number, (b, h) in enumerate(zip(bought, held, strict=True)):
            here = Cat((entry.block == number) & place for entry, place in zip(ring, all_part, strict=True))
            inside += [
                count(list(here)) == ~owned[number],
                # A block that nobody owns has no loan, and has not moved; nor has it a VM that is none.
                owned[number] | ~(h.loan | h.moved),
                b.payer < c.vms,
                (h.holder < c.vms) & (h.borrower < c.vms),
            ]
            inside += [~bit | (entry.toggle == h.toggle) for bit, entry in zip(here, ring, strict=True)]
            # An orphan has moved: who has not is its own payer.
            inside.append(~h.orphan | (owned[number] & h.moved))
        inside += [
            blocks.signal("kills") == (torn & (torn_block < c.blocks)),
            ~torn | (blocks.signal("killed_block") == torn_block[: len(dut.alloc_block)]),
            blocks.signal("doomed") == doomed,
            ~doomed | (blocks.signal("doomed_vm") == doomed_vm),
            ~torn | (torn_vm < c.vms),
        ]
        claim(m, **{f"inside_{i}": filling | holds for i, holds in enumerate(inside)})
        # While tables are filled: as they are then.
        row = dut.fill_row
        for number, entry in enumerate(ring):
            claim(m, **{f"filled_{number}": ~filling | (row <= number) | ((entry.block == number) & ~entry.toggle)})
        tags = rows_of(blocks, "tags", c.blocks)
        rows = [Value.cast(item) for item in (*bought, *held, *tags)]
        for number in range(c.blocks):
            there = (row > number) if c.blocks > FLIP_FLOP_DEPTH else 1
            zero = Cat(rows[number :: c.blocks]) == 0
            claim(m, **{f"filled_{number}_rights": ~filling | ~Value.cast(there) | zero})
        claim(
            m,
            filled_ring=~filling | ((first == 0) & (oldest == 0) & (tail == 0) & (second == 1 % c.blocks)),
            filled_numbers=~filling | ((dut.clean == 0) & (dut.dirty == c.blocks) & ~some & ~busy),
            filled_row=~filling | (row < fill_rows(c)),
        )
        return SimpleNamespace(
            dut=dut, blocks=blocks, filling=filling, bought=bought, held=held, tags=tags, owned=owned, ring=ring,
            clean_part=clean_part, all_part=all_part, acts=acts, scrub=scrub, memory=memory, shape=shape,
            torn=torn, torn_block=torn_block, torn_vm=torn_vm, doomed=doomed, doomed_vm=doomed_vm,
        )  # fmt: skip

    def memory(self, m: Module, c: Config, dut: Blocks, scrubber: Scrubber) -> Any:
        """Add what the scrubber writes to: a memory that takes as long as it likes."""
        free(m, *(item.taken for item in scrubber.scrub))

    @staticmethod
    def _among(parts: SimpleNamespace, places, block: Signal):
        return Cat((entry.block == block) & place for entry, place in zip(parts.ring, places, strict=True)).any()


class Ownership(_Rights):
    """A symbolic block against its state machine."""

    name = "block-rights"
    promise = 5
    also = (2, 6)
    statement = (
        "Every block follows its state machine: in each cycle the rights to read and write it are those of its state."
        " So it has at most one writer, a former owner or borrower has none from the cycle in which the message or the"
        " end of the loan is visible, nobody who was killed has any from the next cycle on, and only clean blocks are"
        " handed out."
    )
    controls: ClassVar[Sequence[Control]] = (
        Control(
            "a lent block can still be written by its owner",
            "blocks.py",
            "allowed = owns & (~held.loan | held.shown)",
            "allowed = owns",
            depth=26,
        ),
        Control(
            "a stale word ends a later loan",
            "blocks.py",
            "borrows.eq(exists & self._borrows(bought_now, held_now, self.vm) & (tag == tag_now)),",
            "borrows.eq(exists & self._borrows(bought_now, held_now, self.vm)),",
            depth=26,
        ),
        Control(
            "a move leaves the former owner its right",
            "blocks.py",
            "owns = (bought.toggle ^ held.toggle) & Mux(held.moved, held.holder == vm, bought.payer == vm)",
            "owns = (bought.toggle ^ held.toggle) & ((held.moved & (held.holder == vm)) | (bought.payer == vm))",
            depth=26,
        ),
        Control(
            "a borrower reads on when the owner was killed",
            "blocks.py",
            "return borrows & mux_by_index(list(self.open), self._owner(bought, held)) if self._managed else borrows",
            "return borrows & mux_by_index(list(self.open), held.borrower) if self._managed else borrows",
            depth=26,
        ),
        Control(
            "what was passed on before a kill acts after it",
            "blocks.py",
            "allowed = allowed & ~(self._doomed & (look.vm == self._doomed_vm))",
            "allowed = allowed & ~(self._doomed & (look.vm != self._doomed_vm))",
            depth=26,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        self.follow(m, parameters)

    def follow(self, m: Module, c: Config) -> SimpleNamespace:
        """Follow a symbolic block through its states, beside what a symbolic VM may do with it."""
        parts = self.parts(m, c)
        dut = parts.dut
        block, vm = symbolic(m, range(c.blocks), "block", below=c.blocks), symbolic(m, range(c.vms), "vm", below=c.vms)
        for bank in range(c.banks):
            for look in (dut.w_look[bank], dut.r_look[bank]):
                m.d.comb += [look.block.eq(block), look.vm.eq(vm)]
        m.d.comb += [dut.look_block.eq(block), dut.look_vm.eq(vm)]

        # What docs/states.md says of it. An ALLOC comes before the act of the same cycle.
        state, next_state, now = (Signal(State, name=name) for name in ("state", "next_state", "now"))
        owner, borrower, tag = Signal(range(c.vms)), Signal(range(c.vms)), Signal(8)
        payer, orphan = Signal(range(c.vms)), Signal()
        owner_now, payer_now = Signal(range(c.vms)), Signal(range(c.vms))
        handed = Signal()
        m.d.comb += [
            handed.eq(dut.alloc_given & (dut.alloc_block == block)),
            now.eq(Mux(handed, State.OWNED, state)),
            owner_now.eq(Mux(handed, dut.alloc_vm, owner)),
            payer_now.eq(Mux(handed, dut.alloc_vm, payer)),
            next_state.eq(now),
        ]
        m.d.sync += [state.eq(next_state), owner.eq(owner_now), payer.eq(payer_now)]
        page = self._fields(c)
        number, field_tag, kind, strange = (page[name](dut.data) for name in ("number", "tag", "kind", "strange"))
        named = number == block
        mine = (now == State.OWNED) & (owner_now == dut.vm)
        # A loan that began in this or the last cycle cannot be meant: acts are apart.
        running = (state == State.LENT) | (state == State.SHOWN)
        plain = ~strange & ~kind.any() & ~field_tag.any()
        frees = dut.free & named & plain & mine
        gives = dut.give & named
        returns = dut.give_back & named & ~strange & running & (borrower == dut.vm) & (field_tag == tag)
        lives = dut.open.bit_select(owner, 1)
        returns = returns & past(m, lives, "lived")  # when the write was looked at
        revokes = dut.revoke & named & plain & running & (owner == dut.vm)
        dead, has_owner_now = parts.torn_vm, (now == State.OWNED) | running
        torn = parts.torn & (parts.torn_block == block) & has_owner_now
        reclaims = dut.reclaim & (dut.data == block) & orphan
        leaves = reclaims | (torn & (owner_now == dead))
        over = running & (leaves | (torn & (borrower == dead)))
        with m.If((state == State.DIRTY) & dut.scrubbed & (dut.scrub_block == block)):
            m.d.comb += next_state.eq(State.CLEAN)
        with m.If(frees):
            m.d.comb += next_state.eq(State.DIRTY)
        with m.If(gives & (kind == Handover.MOVE)):
            m.d.sync += owner.eq(dut.target)
        with m.If(gives & (kind != Handover.MOVE)):
            m.d.comb += next_state.eq(Mux(kind == Handover.SHOW, State.SHOWN, State.LENT))
            m.d.sync += borrower.eq(dut.target)
        with m.If(returns | revokes | over):
            m.d.comb += next_state.eq(State.OWNED)
            m.d.sync += tag.eq(tag + 1)
        with m.If(leaves):
            m.d.comb += next_state.eq(State.DIRTY)
        with m.If(torn & (owner_now != dead) & (payer_now == dead)):
            m.d.sync += orphan.eq(1)
        with m.If(leaves | frees):
            m.d.sync += orphan.eq(0)

        has_owner = (state == State.OWNED) | running
        owns, borrows = has_owner & (owner == vm), running & (borrower == vm) & lives
        living = ~(parts.doomed & (vm == parts.doomed_vm))
        ready = ~parts.filling
        claim(
            m,
            # The rights, in every bank, in this cycle.
            writes=~ready | (dut.w_allowed == Mux(living & owns & (state != State.LENT), (1 << c.banks) - 1, 0)),
            reads=~ready | (dut.r_allowed == Mux(living & (owns | borrows), (1 << c.banks) - 1, 0)),
            holding=~ready | ((dut.look_holding != Holding.NONE) == (owns | borrows)),
            # Only a clean block is handed out.
            handed_clean=~handed | (state == State.CLEAN),
            # What may be done, and what became of it.
            gives_own=~(parts.acts & named) | ~dut.give | (mine & ~strange & kind.any() & ~field_tag.any()),
            frees=~(dut.free & named) | ((dut.settled == Settled.DONE) == frees),
            returns=~(dut.give_back & named) | ((dut.settled == Settled.DONE) == returns),
            revokes=~(dut.revoke & named) | ((dut.settled == Settled.DONE) == revokes),
            reclaims=~(dut.reclaim & (dut.data == block)) | (dut.is_orphan == orphan),
            # What makes it inductive: the tables hold this state.
            owned=~ready | (index(list(parts.owned), block) == has_owner),
            owner=~ready | ~has_owner | (owner == self._owner(parts, block)),
            loan=~ready | (index([h.loan for h in parts.held], block) == running),
            shown=~ready | ~running | (index([h.shown for h in parts.held], block) == (state == State.SHOWN)),
            borrower=~ready | ~running | (index([h.borrower for h in parts.held], block) == borrower),
            tag=~ready | (index(parts.tags, block) == tag),
            payer=~ready | ~has_owner | orphan | (index([b.payer for b in parts.bought], block) == payer),
            orphan=~ready | (index([h.orphan for h in parts.held], block) == orphan),
            first=ready | (state == State.DIRTY) & (tag == 0) & ~orphan,
            clean=~ready | ((state == State.CLEAN) == self._among(parts, parts.clean_part, block)),
            state=Value.cast(state) <= State.SHOWN.value,
        )
        m.d.comb += [
            Cover(running & (owner != borrower) & (vm == borrower) & (tag != 0)),
            Cover((state == State.OWNED) & dut.free & named & (dut.settled == Settled.DONE)),
            Cover(torn & (borrower == dead) & running),
            Cover(reclaims),
        ]
        return SimpleNamespace(parts=parts, block=block, vm=vm)

    @staticmethod
    def _owner(parts: SimpleNamespace, block: Signal):
        return index([Mux(h.moved, h.holder, b.payer) for b, h in zip(parts.bought, parts.held, strict=True)], block)

    @staticmethod
    def _fields(c: Config) -> dict:
        from postern_spec.regmap import guest_page

        fields = guest_page(c).RETURN
        meant = sum((1 << item.width) - 1 << item.lsb for item in fields.fields)

        def part(item):
            return lambda word: word[item.lsb : item.lsb + item.width]

        return {
            "number": part(fields.BLOCK),
            "tag": part(fields.TAG),
            "kind": part(fields.KIND),
            "strange": lambda word: (word & (0xFFFF_FFFF ^ meant)).any(),
        }


class Zero(_Rights):
    """A symbolic word of the SRAM."""

    name = "block-zero"
    promise = 6
    also = (5,)
    statement = (
        "A block is zero, in each of its words, from the cycle in which it is clean until its next owner writes to it:"
        " what is allocated reads as zero."
    )
    parameters = {
        "2 VMs, 2 blocks, 4 banks": config(vms=2, blocks=2, banks=4, ports=1),
        "2 VMs, 2 blocks, 2 banks": config(vms=2, blocks=2),
        "2 VMs, 4 blocks, 4 banks, 2 ports": config(vms=2, blocks=4, banks=4),
    }
    short = ("2 VMs, 2 blocks, 4 banks",)
    reduction = (
        "The word is symbolic, in each bank; more words per block only make the scrubber count further."
        " Blocks and VMs as in block-rights."
    )
    covers = 16
    controls = (
        Control(
            "the scrubber stops a word early",
            "scrubber.py",
            "done[bank].eq(row[-1]),",
            "done[bank].eq(row[-1] | row[:-1].all()),",
            depth=24,
        ),
        Control(
            "a block counts as clean when its first bank is done",
            "scrubber.py",
            "m.d.comb += self.clean.eq(busy & done.all() & last)",
            "m.d.comb += self.clean.eq(busy & done.any())",
            "2 VMs, 2 blocks, 2 banks",
            depth=24,
        ),
    )

    def memory(self, m: Module, c: Config, dut: Blocks, scrubber: Scrubber) -> Any:
        sram = Sram(c)
        m.submodules.sram = inside = Inside(sram)
        for bank in range(c.banks):
            wiring.connect(m, scrubber.scrub[bank], sram.scrub[bank])
        m.d.comb += [sram.scrub_first.eq(scrubber.first), sram.w_allowed.eq(dut.w_allowed)]
        for w in sram.w:
            free(m, w.request, w.enable, w.word, w.vm, w.data, w.strobes)
            m.d.comb += Assume(w.vm < c.vms)
        for bank in range(c.banks):
            m.d.comb += dut.w_look[bank].eq(sram.w_look[bank])
        return inside

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        parts = self.parts(m, c)
        sram, scrub, shape = parts.memory, parts.scrub, parts.shape
        row = symbolic(m, range(shape.rows), "row", below=shape.rows)
        place = row[: log2(shape.block_rows)]
        block = row[log2(shape.block_rows) :]
        clean = self._among(parts, parts.clean_part, block)
        busy, scrubbing = scrub.signal("busy"), scrub.signal("block")
        for bank in range(c.banks):
            word = Cat(sram.memory(f"{LANE}{bank}_{lane}", row) for lane in range(shape.lanes))
            written = sram.signal(f"scrubs_{bank}") & (sram.signal(f"w_late_{bank}")[: shape.row_bits] == row)
            progress = scrub.signal(f"row_{bank}")
            past_it = busy & (scrubbing == block) & (place < progress)
            claim(
                m,
                **{
                    f"zero_{bank}": parts.filling | ~clean | (word == 0),
                    f"scrubbed_{bank}": parts.filling | ~past_it | (word == 0) | written,
                    # In the cycle after a word was taken it is written; by then the block is still being scrubbed.
                    f"late_{bank}": ~sram.signal(f"scrubs_{bank}")
                    | busy
                    & (sram.signal(f"w_late_{bank}")[: shape.row_bits] == Cat((progress - 1)[: len(place)], scrubbing))
                    & (progress != 0),
                    f"bound_{bank}": ~busy | (progress <= shape.block_rows),
                },
            )
            if bank == 0:
                m.d.comb += Cover(past_it & (word == 0) & written)
        m.d.comb += Cover(clean)


class Quota(_Rights):
    """Who pays, and that no VM can take what was promised to another."""

    name = "block-quota"
    promise = 7
    statement = (
        "Each VM has allocated as many blocks as are counted for it, never more than its quota; quotas and orphans"
        " never sum to more blocks than there are, so a VM with quota left gets a block as soon as one is clean,"
        " whatever others do."
    )
    controls = (
        Control(
            "a free is counted for who frees, not for who pays",
            "blocks.py",
            "self._payer = Mux(held.moved, bought.payer, giver)",
            "self._payer = giver",
            depth=30,
        ),
        Control(
            "quotas may sum to one block too many",
            "blocks.py",
            "(total <= c.blocks)",
            "(total <= c.blocks + 1)",
        ),
        Control(
            "an orphan takes nothing from the limit of its payer",
            "blocks.py",
            "limits.write_data.eq(Mux(orphaned, granted - 1, asked)),",
            "limits.write_data.eq(Mux(orphaned, granted, asked)),",
            depth=30,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        parts = self.parts(m, c)
        dut, blocks = parts.dut, parts.blocks
        for look in (*(dut.w_look[bank] for bank in range(c.banks)), *(dut.r_look[bank] for bank in range(c.banks))):
            m.d.comb += look.eq(0)
        allocated, freed, limits = (rows_of(blocks, name, c.vms) for name in ("allocated", "freed", "limits"))
        width = len(dut.clean)
        used = [Signal(width, name=f"used_{vm}") for vm in range(c.vms)]
        m.d.comb += [kept.eq(a - f) for kept, a, f in zip(used, allocated, freed, strict=True)]
        spent, promised = blocks.signal("spent"), blocks.signal("promised")
        claims = {
            "promised": promised == sum(limits[1:], limits[0]) + dut.orphans,
            "orphans": dut.orphans == count([h.orphan for h in parts.held]),
            "enough": promised <= c.blocks,
            # What nobody owns is at least what is still promised.
            "left": (dut.clean + dut.dirty) + sum(used[1:], used[0]) + dut.orphans == c.blocks,
            "gets": ~(dut.alloc & (dut.clean != 0))
            | (index(used, dut.alloc_vm) == index(limits, dut.alloc_vm))
            | dut.alloc_given,
            "within": ~dut.alloc_given | (index(used, dut.alloc_vm) < index(limits, dut.alloc_vm)),
        }
        for vm in range(c.vms):
            rows = zip(parts.owned, parts.bought, parts.held, strict=True)
            paid = count([own & (b.payer == vm) & ~h.orphan for own, b, h in rows])
            claims |= {
                f"paid_{vm}": used[vm] == paid,
                f"spent_{vm}": spent[vm] == (used[vm] == limits[vm]),
                f"quota_{vm}": used[vm] <= limits[vm],
            }
        claim(m, **{name: parts.filling | holds for name, holds in claims.items()})
        for vm in range(c.vms):
            zero = Cat(allocated[vm], freed[vm], limits[vm]) == 0
            there = (dut.fill_row > vm) if c.vms > FLIP_FLOP_DEPTH else Value.cast(1)
            claim(m, **{f"filled_{vm}_account": ~parts.filling | ~there | zero & spent[vm]})
        claim(m, filled_promised=~parts.filling | (promised == 0) & (dut.orphans == 0))
        m.d.comb += [
            Cover(dut.free & (dut.settled == Settled.DONE)),
            Cover((used[0] == limits[0]) & used[0].any()),
            Cover(dut.orphans == 1),
        ]


PROPERTIES = [Ownership, Zero, Quota]
