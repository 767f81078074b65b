"""Who owns, pays for and has borrowed which block; allocation; and what waits to be scrubbed."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config, Manager
from postern_spec.regmap import Handover, Holding, Settled
from postern_spec.sizes import kill_steps

from .ecc import Guard
from .native import Sizes
from .queue import fill_bits
from .select import after, any_of, bits_for, index_of, lowest, mux_by_index, one_hot
from .sram import look_up
from .table import Table

__all__ = ["Blocks", "rights"]


def rights(c: Config) -> data.StructLayout:
    """Who has a block, as ``RIGHTS`` shows it. Members that do not apply are zero."""
    vm = unsigned(Sizes(c).vm_bits)
    return data.StructLayout({"owner": vm, "owned": 1, "payer": vm, "orphan": 1, "borrower": vm, "lent": 1, "shown": 1})


class Blocks(wiring.Component):
    """Rights to blocks, and those that nobody owns: one ring, or in a strict block a pool for each VM. See
    ``docs/states.md``, sections 11 to 13 and 16.

    Two tables hold the rights, because two engines change them in the same cycle: ``ALLOC`` writes {toggle, payer}, and
    the write engine {toggle, moved, holder, loan, shown, borrower, orphan}. A block has an owner where the toggles
    differ: the payer until it has moved, then the holder. Numbers of blocks are counted the same way, each by one
    writer.

    A VM that was killed has no right from the next cycle on: its port knows that it is closed, and what the port had
    passed on before is stopped here, beside the look-up. A walk takes it out of the tables: a step looks its block up
    in the cycle in which the write engine says ``kill``, and acts in the next. No write of blocks can come between.

    The write engine's word and requester must have been there for a cycle when it acts; what they refer to is looked up
    in that cycle, and an ``ALLOC`` of that cycle or of the act itself still counts. Everything that looks sees the
    rights as they were before the cycle.

    Parameters
    ----------
    config : Config
        With blocks.

    Members
    -------
    w_look, r_look : In(look_up).array(banks), w_allowed, r_allowed : Out(banks)
        Rights to what a bank writes or reads.
    data : In(32), vm, target : In
        The word of the write engine, its requester, and the VM that it is about.
    may_give : Out(1), tag : Out(8)
        The word hands a block over that the requester may hand over; tag of the loan, zero of a move.
    give : In(1)
        It is handed over, to the target.
    free, give_back, revoke : In(1)
        ``FREE``, ``RETURN``, ``REVOKE``. At most one of these and ``give``.
    settled : Out(2)
        The outcome of these three.
    reclaim : In(1), is_orphan : Out(1)
        Make the block in ``data`` dirty; it is one that this can be done to.
    kill : In(1), kill_vm, kill_block : In
        In the next cycle this block, where there is one, loses what that VM had of it.
    open : In(vms)
        VMs that are not closed.
    keeps : Out(1)
        The target owns or has borrowed a block, an ``ALLOC`` of this cycle included.
    set_limit : In(1), limit_fits : Out(1)
        Give the target the quota in ``data``; it may have it.
    alloc : In(1), alloc_vm : In
        This VM, which is not draining, allocates.
    alloc_given : Out(1), alloc_block : Out
        It gets this block.
    alloc_used : Out
        It had so many allocated before. Only with counters.
    opened, closed : In(vms)
        This VM is opened or closed at the end of this cycle.
    available, loan_over : Out(vms)
        Events: a VM that got no block would get one now; a loan by or to this VM is over by the other's doing, or a
        block of it was reclaimed.
    clean, dirty : Out
        How many blocks nobody owns.
    scrub : Out(1), scrub_block : Out, scrubbed : In(1)
        The oldest dirty block, and that it is zero at the end of this cycle.
    scrub_vm : In, scrubbed_block : In
        Where the block is strict: in whose pool ``scrub_block`` is, there the first dirty one; which one is zero.
    look_vm, look_block : In, look_holding, look_other, look_tag : Out
        What a VM has of a block, as ``BLOCK`` shows it.
    look_rights : Out(rights)
        Everybody's rights to that block.
    look_account : In, look_used, look_limit, look_owned, look_borrowed : Out
        Numbers of blocks of a VM.
    orphans : Out
        How many orphans there are.
    fill, fill_row : In
    unsound, damaged : Out(1)
        With protection: a register has a flipped bit; a row of a table that is read has one.
    inject_rights, inject_pointers : In(1)
        With protection: flip one for the check.
    """

    def __init__(self, config: Config):
        self.config = config
        vm, block = unsigned(Sizes(config).vm_bits), unsigned(bits_for(config.blocks))
        vms, banks = config.vms, config.banks
        count = self._count = bits_for(config.blocks + 1)
        super().__init__(
            {
                "w_look": In(look_up(config)).array(banks),
                "r_look": In(look_up(config)).array(banks),
                "w_allowed": Out(banks),
                "r_allowed": Out(banks),
                "data": In(32),
                "vm": In(vm),
                "target": In(vm),
                "may_give": Out(1),
                "tag": Out(8),
                "give": In(1),
                "free": In(1),
                "give_back": In(1),
                "revoke": In(1),
                "settled": Out(Settled),
                "reclaim": In(1),
                "is_orphan": Out(1),
                "kill": In(1),
                "kill_vm": In(vm),
                "kill_block": In(range(kill_steps(config))),
                "open": In(vms),
                "keeps": Out(1),
                "set_limit": In(1),
                "limit_fits": Out(1),
                "alloc": In(1),
                "alloc_vm": In(vm),
                "alloc_given": Out(1),
                "alloc_block": Out(block),
                "opened": In(vms),
                "closed": In(vms),
                "available": Out(vms),
                "loan_over": Out(vms),
                "clean": Out(count),
                "dirty": Out(count, init=config.blocks),
                "scrub": Out(1),
                "scrub_block": Out(block),
                "scrubbed": In(1),
                "look_vm": In(vm),
                "look_block": In(block),
                "look_holding": Out(Holding),
                "look_other": Out(vm),
                "look_tag": Out(8),
                "look_rights": Out(rights(config)),
                "look_account": In(vm),
                "look_used": Out(count),
                "look_limit": Out(count),
                "look_owned": Out(count),
                "look_borrowed": Out(count),
                "orphans": Out(count),
                "fill": In(1),
                "fill_row": In(fill_bits(config)),
            }
            | ({"alloc_used": Out(count)} if config.counters else {})
            | ({"scrub_vm": In(vm), "scrubbed_block": In(block)} if config.strict else {})
            | (
                {"unsound": Out(1), "damaged": Out(1), "inject_rights": In(1), "inject_pointers": In(1)}
                if config.protection
                else {}
            )
        )
        self._bought = data.StructLayout({"toggle": 1, "payer": vm})
        self._managed = config.manager is not Manager.NONE
        self._held = data.StructLayout(
            {"toggle": 1, "moved": 1, "holder": vm, "loan": 1, "shown": 1, "borrower": vm}  # shown: only with loan
            | ({"orphan": 1} if self._managed else {})  # only with an owner
        )

    def elaborate(self, platform):
        m = Module()
        self._guard = Guard(self.config.protection, inject=self.inject_pointers if self.config.protection else None)
        self._errors: list[Value] = []  # of the tables
        self._rights(m)
        self._allocate(m)
        self._write(m)
        self._look(m)
        self._accounts(m)
        if self.config.protection:
            m.d.comb += [self.unsound.eq(self._guard.error), self.damaged.eq(any_of(self._errors))]
        return m

    def _table(self, m: Module, name: str, depth: int, width: int, readers: int, init: int = 0) -> Table:
        m.submodules[name] = made = Table(
            depth,
            width,
            readers=readers,
            init=[init] * depth,
            fill_bits=len(self.fill_row),
            parity=self.config.protection,
        )
        if made.parity:
            self._errors.append(made.error)
        m.d.comb += [made.fill.eq(self.fill), made.fill_row.eq(self.fill_row)]
        return made

    def _rights(self, m: Module):
        """The tables of rights, with a look-up for each bank and direction, for ``BLOCK``, and for the write engine."""
        c = self.config
        looks = [*(self.w_look[bank] for bank in range(c.banks)), *(self.r_look[bank] for bank in range(c.banks))]
        readers = len(looks) + 2
        self._alloc_table = self._table(m, "bought", c.blocks, self._bought.size, readers)
        self._held_table = self._table(m, "held", c.blocks, self._held.size, readers + c.strict)
        if c.protection:
            m.d.comb += self._held_table.inject.eq(self.inject_rights)
        self._tags = self._table(m, "tags", c.blocks, len(self.tag), 2)
        self._doomed = Signal(name="doomed")  # a VM was closed in the last cycle: this one
        self._doomed_vm = Signal(len(self.vm), name="doomed_vm")
        if self._managed:
            m.d.sync += [
                self._guard.set(self._doomed, self.closed.any()),
                self._guard.set(self._doomed_vm, self.target),
            ]
        for i, look in enumerate(looks):
            bank, writes = i % c.banks, i < c.banks
            bought, held, owns = self._found(m, i, look.block, look.vm, f"{'w' if writes else 'r'}_{bank}")
            if writes:
                allowed = owns & (~held.loan | held.shown)
            else:
                allowed = owns | self._borrows(bought, held, look.vm)
            if self._managed:
                allowed = allowed & ~(self._doomed & (look.vm == self._doomed_vm))
            m.d.comb += (self.w_allowed if writes else self.r_allowed)[bank].eq(allowed)

    def _found(self, m: Module, port: int, block, vm, name: str):
        """Look a block up. Returns both rows, and whether ``vm`` owns it."""
        bought = Signal(self._bought, name=f"{name}_bought")
        held = Signal(self._held, name=f"{name}_held")
        m.d.comb += [
            bought.as_value().eq(self._alloc_table.read(m, port, block)),
            held.as_value().eq(self._held_table.read(m, port, block)),
        ]
        owns = (bought.toggle ^ held.toggle) & Mux(held.moved, held.holder == vm, bought.payer == vm)
        if self.config.protection:  # half of the truth gives no right
            owns = owns & ~getattr(self._alloc_table, f"bad_{port}") & ~getattr(self._held_table, f"bad_{port}")
        return bought, held, owns

    def _owner(self, bought, held):
        return Mux(held.moved, held.holder, bought.payer)

    def _borrows(self, bought, held, vm):
        """Whether ``vm`` has the block as a loan, from an owner that lives."""
        borrows = held.loan & (held.borrower == vm)
        return borrows & mux_by_index(list(self.open), self._owner(bought, held)) if self._managed else borrows

    def _allocate(self, m: Module):
        """``ALLOC``, and those who went away without a block."""
        c = self.config
        self._freed = freed = Signal()
        self._free_toggle = Signal()
        self._block = Signal(len(self.alloc_block))  # on which the write engine acts
        spent = self._spent = Signal(
            c.vms, init=0 if c.open_at_reset and c.block_quota else (1 << c.vms) - 1
        )  # who has no quota left
        given = self.alloc_given
        some, block, toggle = self._pools(m) if c.strict else self._ring(m)
        mine = mux_by_index(list(some), self.alloc_vm) if c.strict else some
        if c.strict and c.protection:  # what the toggle is must be known
            mine = mine & ~getattr(self._held_table, f"bad_{self._held_table.readers - 1}")
        m.d.comb += [
            given.eq(self.alloc & mine & ~mux_by_index(list(spent), self.alloc_vm)),
            self.alloc_block.eq(block),
            self._alloc_table.write.eq(given),
            self._alloc_table.write_row.eq(block),
            self._alloc_table.write_data.eq(Cat(~toggle, self.alloc_vm)),
        ]
        m.d.sync += [
            self._guard.set(self.clean, self.clean + self.scrubbed - given),
            self._guard.set(self.dirty, self.dirty + freed - self.scrubbed),
        ]

        # Who went away without one, and would get one now.
        hungry = Signal(c.vms)
        fails = Cat(one_hot(self.alloc_vm, c.vms, self.alloc & ~given))
        fed = Cat(one_hot(self.alloc_vm, c.vms, given))
        m.d.comb += self.available.eq(hungry & ~spent & (some if c.strict else some.replicate(c.vms)))
        m.d.sync += hungry.eq(((hungry & ~self.available) | fails) & ~fed & ~self.opened & ~self.closed)

    def _pools(self, m: Module):
        """Blocks without an owner, those of each VM by themselves: in a pool the order is that of their numbers.

        Returns in which pools there is a clean block, and of the one that the allocating VM gets its number, and what
        the toggles are while nobody has it.
        """
        c, own = self.config, self.config.own_blocks
        is_clean = Signal(c.blocks)
        is_dirty = Signal(c.blocks, init=(1 << c.blocks) - 1)

        def first_of(bits, vm):
            pool = mux_by_index([bits[n * own : (n + 1) * own] for n in range(c.vms)], vm)
            return pool.any(), (vm * own + index_of(lowest(pool)))[: len(self.alloc_block)]

        def just(number, enable):
            return Cat(one_hot(number, c.blocks, enable))

        number = Signal(len(self.alloc_block), name="offered")
        dirty, to_scrub = first_of(is_dirty, self.scrub_vm)
        zero, freed = just(self.scrubbed_block, self.scrubbed), just(self._block, self._freed)
        m.d.comb += [
            number.eq(first_of(is_clean, self.alloc_vm)[1]),
            self.scrub.eq(dirty & ~self.fill),
            self.scrub_block.eq(to_scrub),
        ]
        m.d.sync += [
            self._guard.set(is_clean, (is_clean & ~just(number, self.alloc_given)) | zero),
            self._guard.set(is_dirty, (is_dirty & ~zero) | freed),
        ]
        some = Cat(is_clean[n * own : (n + 1) * own].any() for n in range(c.vms))
        held = data.View(self._held, self._held_table.read(m, self._held_table.readers - 1, number))
        return some, number, held.toggle

    def _ring(self, m: Module):
        """Blocks without an owner in the order in which they were given up, clean ones first.

        Returns whether there is a clean one, the number of the oldest, and what its toggles are while nobody has it.
        """
        c = self.config
        # The pointers and the head decide who gets whose block.
        guard, checked = self._guard, int(c.protection)
        entry = data.StructLayout(
            {"block": unsigned(len(self.alloc_block)), "toggle": 1} | ({"parity": 1} if checked else {})
        )
        m.submodules.ring = ring = memory.Memory(shape=entry, depth=c.blocks, init=[])
        w_port = ring.write_port()
        first, second, oldest, tail = (
            Signal(range(c.blocks), name=name, init=init % c.blocks)
            for name, init in (("first", 0), ("second", 1), ("oldest", 0), ("tail", 0))
        )
        head = Signal(entry)  # there in time, because it has been in the ring for longer than it takes to scrub it

        def read(row):
            port = ring.read_port(domain="comb")
            m.d.comb += port.addr.eq(row)
            return port.data

        given, freed = self.alloc_given, self._freed
        fill_here = self.fill & (self.fill_row < c.blocks)
        m.d.comb += [
            w_port.en.eq(freed | fill_here),
            w_port.addr.eq(Mux(self.fill, self.fill_row, tail)),
            w_port.data.block.eq(Mux(self.fill, self.fill_row, self._block)),
            w_port.data.toggle.eq(self._free_toggle & ~self.fill),
            *([w_port.data.parity.eq(w_port.data.block.xor() ^ w_port.data.toggle)] if checked else []),
            self.scrub.eq((self.dirty != 0) & ~self.fill),
            self.scrub_block.eq(read(oldest).block),
        ]
        some = Signal()  # there is a clean block
        m.d.sync += [
            head.eq(Mux(given, read(second).as_value(), read(first).as_value())),
            guard.set(some, self.scrubbed | Mux(given, self.clean > 1, some)),
        ]
        for pointer, moves in ((first, given), (second, given), (oldest, self.scrubbed), (tail, freed)):
            with m.If(moves):
                m.d.sync += guard.set(pointer, after(pointer, c.blocks))
        if checked:
            # What was read of the ring, where it means anything: the head, and the block that is to be scrubbed.
            twisted = head.as_value().xor()
            self._errors += [twisted & some, self.scrub & read(oldest).as_value().xor()]
            return some & ~twisted, head.block, head.toggle
        return some, head.block, head.toggle

    def _write(self, m: Module):
        """What the write engine does: looked up in the cycle before, done in this one."""
        c = self.config
        page = Sizes(c).guest_page
        fields, word = page.RETURN, self.data

        def part(item):
            return word[item.lsb : item.lsb + item.width]

        number, tag, kind = part(fields.BLOCK), part(fields.TAG), part(fields.KIND)
        meant = sum((1 << item.width) - 1 << item.lsb for item in fields.fields)
        block = number[: len(self.alloc_block)]
        asker = self.vm
        exists = number < c.blocks
        strange = (word & (0xFFFF_FFFF ^ meant)).any()  # bits where no field is

        # The look-up. A block that is allocated in this cycle or in the next is the requester's, too.
        port = 2 * c.banks
        looked = block
        if self._managed:
            looked, asker = Mux(self.kill, self.kill_block, block)[: len(block)], Mux(self.kill, self.kill_vm, self.vm)
        bought_now, held_now, owns = self._found(m, port, looked, asker, "engine")
        tag_now = self._tags.read(m, 0, looked)
        fresh = Signal()
        bought, held, tag_then = Signal(self._bought), Signal(self._held), Signal(len(self.tag))
        free_to_give, lends, borrows, formed, plain, whole = (
            Signal(name=name) for name in ("free_to_give", "lends", "borrows", "formed", "plain", "whole")
        )
        m.d.comb += fresh.eq(self.alloc_given & (self.alloc_block == block) & (self.alloc_vm == self.vm))
        m.d.sync += [
            bought.eq(bought_now),
            held.eq(held_now),
            tag_then.eq(tag_now),
            free_to_give.eq((owns & ~held_now.loan) | fresh),
            lends.eq(owns & held_now.loan),
            borrows.eq(exists & self._borrows(bought_now, held_now, self.vm) & (tag == tag_now)),
            formed.eq(exists & ~strange & kind.any() & ~tag.any()),
            plain.eq(exists & ~strange & ~kind.any() & ~tag.any()),
            whole.eq(~strange),
        ]

        # The act.
        moves, frees, returns, revokes, leaves, over, orphans = (
            Signal(name=name) for name in ("moves", "frees", "returns", "revokes", "leaves", "over", "orphans")
        )
        moving = kind == Handover.MOVE
        following = Signal(self._held)
        m.d.comb += [
            self.may_give.eq(formed & (free_to_give | fresh)),
            self.tag.eq(Mux(moving, 0, tag_then)),
            moves.eq(self.give & moving),
            frees.eq(self.free & plain & (free_to_give | fresh)),
            returns.eq(self.give_back & whole & borrows),
            revokes.eq(self.revoke & plain & lends),
            self.settled.eq(
                Mux(
                    frees | returns | revokes,
                    Settled.DONE,
                    Mux(self.give_back & whole, Settled.STALE, Settled.REFUSED),
                )
            ),
            following.eq(held),
            following.loan.eq(0),
            following.shown.eq(0),
            self._block.eq(block),
            self._held_table.write.eq(self.give | self._freed | returns | revokes | over | orphans),
            self._held_table.write_row.eq(self._block),
            self._held_table.write_data.eq(following.as_value()),
            self._tags.write.eq(returns | revokes | over),
            self._tags.write_row.eq(self._block),
            self._tags.write_data.eq(tag_then + 1),
            self._freed.eq(frees | leaves),
            self._free_toggle.eq(~held.toggle),
        ]
        others = self.give_back | self.revoke
        if self._managed:
            found = asker, owns, bought_now, held_now
            others = others | self._take_away(m, found, held, following, (leaves, over, orphans))
        self._others = others
        with m.If(self.free | leaves):
            m.d.comb += [following.toggle.eq(~held.toggle), following.moved.eq(0)]
            if self._managed:
                m.d.comb += following.orphan.eq(0)
        with m.Elif(~others):
            with m.If(moving):
                m.d.comb += [following.moved.eq(1), following.holder.eq(self.target)]
            with m.Else():
                m.d.comb += [
                    following.loan.eq(1),
                    following.shown.eq(kind == Handover.SHOW),
                    following.borrower.eq(self.target),
                ]
        owner = self._owner(bought, held)
        giver, owner_told, borrower_told = Value.cast(self.vm), Value.cast(returns), Value.cast(revokes)
        if self._managed:
            giver = Mux(leaves, owner, self.vm)
            owner_told, borrower_told = returns | self._surprised, revokes | (over & leaves)
        m.d.comb += self.loan_over.eq(
            Cat(one_hot(owner, c.vms, owner_told)) | Cat(one_hot(held.borrower, c.vms, borrower_told))
        )
        # Who has not got the block by a move has allocated it.
        self._payer = Mux(held.moved, bought.payer, giver)
        self._was_orphan = held.orphan if self._managed else 0
        self._giver = giver
        self._moves, self._ends, self._orphaned = moves, returns | revokes | over, orphans
        self._borrower = held.borrower
        self._lends = self.give & ~moving

    def _take_away(self, m: Module, found, held, following, outcome):
        """What is done to a block over its owner's head: ``RECLAIM``, and a step of tearing down a VM.

        Takes what is looked up now, and in ``held`` what was in the last cycle. Sets what follows, and of the outcome
        that the block has no owner any more, that its loan is over, and that its payer is gone, who is not the owner.
        Returns whether it acts.
        """
        asker, owns, bought_now, held_now = found
        leaves, over, orphans = outcome
        kills, reclaimable, owned, borrowed, paid = (
            Signal(name=name) for name in ("kills", "reclaimable", "dead_owned", "dead_borrowed", "dead_paid")
        )
        number = Signal(len(self.alloc_block), name="killed_block")
        exists = self.kill_block < self.config.blocks
        m.d.sync += [
            kills.eq(self.kill & exists),
            number.eq(self.kill_block),
            owned.eq(owns),
            borrowed.eq(held_now.loan & (held_now.borrower == asker)),
            paid.eq((bought_now.toggle ^ held_now.toggle) & ~held_now.orphan & (bought_now.payer == asker)),
            reclaimable.eq((self.data < self.config.blocks) & held_now.orphan),
        ]
        reclaims = self.reclaim & reclaimable
        self._surprised = Signal(name="owner_told")
        m.d.comb += [
            self.is_orphan.eq(reclaimable),
            leaves.eq((kills & owned) | reclaims),
            over.eq((leaves & held.loan) | (kills & borrowed)),
            orphans.eq(kills & ~owned & paid),
            self._surprised.eq(reclaims | (kills & ~owned & borrowed)),
        ]
        with m.If(kills):
            m.d.comb += [
                self._block.eq(number),
                following.loan.eq(held.loan & ~over),
                following.shown.eq(held.shown & ~over),
                following.orphan.eq(held.orphan | orphans),
            ]
        return kills | self.reclaim

    def _look(self, m: Module):
        """``BLOCK``."""
        bought, held, owns = self._found(m, 2 * self.config.banks + 1, self.look_block, self.look_vm, "look")
        borrows = self._borrows(bought, held, self.look_vm)
        m.d.comb += self.look_holding.eq(Holding.NONE)
        with m.If(owns):
            m.d.comb += self.look_holding.eq(
                Mux(held.loan, Mux(held.shown, Holding.SHOWN, Holding.LENT), Holding.OWNED)
            )
        with m.Elif(borrows):
            m.d.comb += self.look_holding.eq(Mux(held.shown, Holding.WATCHED, Holding.BORROWED))
        tag = self._tags.read(m, 1, self.look_block)
        with m.If(held.loan & (owns | borrows)):
            m.d.comb += [self.look_other.eq(Mux(owns, held.borrower, self._owner(bought, held))), self.look_tag.eq(tag)]
        if self._managed:
            owned = bought.toggle ^ held.toggle
            m.d.comb += [
                self.look_rights.owned.eq(owned),
                self.look_rights.orphan.eq(owned & held.orphan),
                self.look_rights.lent.eq(held.loan),
                self.look_rights.shown.eq(held.shown),
            ]
            with m.If(owned):
                m.d.comb += self.look_rights.owner.eq(self._owner(bought, held))
                with m.If(~held.orphan):
                    m.d.comb += self.look_rights.payer.eq(bought.payer)
                with m.If(held.loan):
                    m.d.comb += self.look_rights.borrower.eq(held.borrower)

    def _accounts(self, m: Module):
        """Numbers of blocks. Each table has one writer; what one of them took away, the other counted."""
        c, count, guard = self.config, self._count, self._guard
        managed = self._managed
        given, frees = self.alloc_given, self._freed & ~self._was_orphan if managed else self._freed
        orphaned = self._orphaned
        allocated = self._table(m, "allocated", c.vms, count, 3)
        freed = self._table(m, "freed", c.vms, count, 4)
        sold, paid = allocated.read(m, 0, self.alloc_vm), freed.read(m, 3, self.alloc_vm)
        m.d.comb += [
            allocated.write.eq(given),
            allocated.write_row.eq(self.alloc_vm),
            allocated.write_data.eq(sold + 1),
            freed.write.eq(frees | orphaned if managed else frees),
            freed.write_row.eq(self._payer),
            freed.write_data.eq(freed.read(m, 0, self._payer) + 1),
            self.look_used.eq(allocated.read(m, 1, self.look_account) - freed.read(m, 1, self.look_account)),
        ]
        if c.counters:
            m.d.comb += self.alloc_used.eq(sold - paid)
        initial = c.block_quota if c.open_at_reset else 0
        same, before = Signal(), Signal()  # the target allocates in this cycle, or did in the one before
        m.d.comb += same.eq(given & (self.alloc_vm == self.target))
        m.d.sync += before.eq(same)
        limit = initial
        if managed:
            limits = self._table(m, "limits", c.vms, count, 3, initial)
            limit = limits.read(m, 2, self.alloc_vm)
            asked = self.data[:count]
            total = Signal(count + 2)
            promised = Signal(count, init=initial * c.vms)  # and what orphans take: an orphan takes it from its payer
            account = Mux(orphaned, self._payer, self.target)
            granted = limits.read(m, 0, account)
            # How many more than it has the target could have, looked up in the cycle before: since then it may have
            # got two.
            used = (allocated.read(m, 2, self.target) - freed.read(m, 2, self.target))[:count]
            exact, above = (Signal(3, name=name) for name in ("exact", "above"))
            got_since = same + before
            possible = Signal(name="possible")
            m.d.sync += [
                total.eq(promised - granted + asked),
                possible.eq(self.data[:16] <= c.largest_quota),
                exact.eq(Cat(asked == used + n for n in range(3))),
                above.eq(Cat(asked >= used + n for n in range(3))),
            ]
            m.d.comb += [
                self.limit_fits.eq(possible & (total <= c.blocks) & above.bit_select(got_since, 1)),
                limits.write.eq((self.set_limit & self.limit_fits) | orphaned),
                limits.write_row.eq(account),
                limits.write_data.eq(Mux(orphaned, granted - 1, asked)),
                self.look_limit.eq(limits.read(m, 1, self.look_account)),
            ]
            orphan_freed = self._freed & self._was_orphan
            with m.If(limits.write & ~orphaned):
                m.d.sync += guard.set(promised, total)
            with m.Elif(orphan_freed):
                m.d.sync += guard.set(promised, promised - 1)
            with m.If(orphaned | orphan_freed):
                m.d.sync += guard.set(self.orphans, Mux(orphaned, self.orphans + 1, self.orphans - 1))
        else:
            m.d.comb += self.look_limit.eq(initial)

        takes, gets, pays = (
            one_hot(row, c.vms, enable)
            for row, enable in (
                (self.alloc_vm, given),
                (self.target, limits.write & ~orphaned if managed else 0),
                (self._payer, frees),
            )
        )
        last = (sold + 1 - paid)[:count] == limit
        for vm in range(c.vms):
            with m.If(gets[vm]):
                full = exact.bit_select(got_since, 1) if managed else 0
                m.d.sync += guard.set(self._spent, full, vm)
            with m.Elif(pays[vm]):
                m.d.sync += guard.set(self._spent, 0, vm)
            with m.Elif(takes[vm]):
                m.d.sync += guard.set(self._spent, last, vm)

        if not managed:  # then nobody closes a VM, or asks what it has
            return
        came, gone = self._table(m, "came", c.vms, count, 2), self._table(m, "gone", c.vms, count, 3)
        borrowed = self._table(m, "borrowed", c.vms, count, 3)
        row = Mux(self._others, self._borrower, self.target)  # known before whether it is handed over
        loans = borrowed.read(m, 0, row)
        got = came.read(m, 0, self.target)
        own = Signal(count)
        kept = Signal()
        m.d.comb += [
            came.write.eq(self._moves),
            came.write_row.eq(self.target),
            came.write_data.eq(got + 1),
            gone.write.eq(self._moves | self._freed),
            gone.write_row.eq(self._giver),
            gone.write_data.eq(gone.read(m, 0, self._giver) + 1),
            borrowed.write.eq(self._lends | self._ends),
            borrowed.write_row.eq(row),
            borrowed.write_data.eq(Mux(self._others, loans - 1, loans + 1)),
            own.eq(allocated.read(m, 2, self.target) + got - gone.read(m, 1, self.target)),
            self.keeps.eq(kept | same),
            self.look_owned.eq(
                allocated.read(m, 1, self.look_account)
                + came.read(m, 1, self.look_account)
                - gone.read(m, 2, self.look_account)
            ),
            self.look_borrowed.eq(borrowed.read(m, 1, self.look_account)),
        ]
        m.d.sync += kept.eq(own.any() | borrowed.read(m, 2, self.target).any() | same)
