# amaranth: UnusedElaboratable=no
from collections import Counter, deque
from random import Random

import pytest
from amaranth.hdl import ResetInserter, Signal

from postern_hw.blocks import Blocks
from postern_spec.config import Config, Identity, Manager, Port
from postern_spec.regmap import Handover, Holding, Settled, guest_page

from .support import coin, drive, fill, simulate


class Reference:
    """Blocks as ``docs/states.md`` has them, sections 11 to 13."""

    def __init__(self, c):
        self.c = c
        self.owner, self.payer, self.loan = [None] * c.blocks, [None] * c.blocks, [None] * c.blocks
        self.tag = [0] * c.blocks
        self.clean, self.dirty = deque(), deque(range(c.blocks))
        self.limit = [c.block_quota if c.open_at_reset else 0] * c.vms
        self.hungry = set()

    def used(self, vm):
        return self.payer.count(vm)

    def owned(self, vm):
        return self.owner.count(vm)

    def borrowed(self, vm):
        return sum(loan is not None and loan[0] == vm for loan in self.loan)

    def may_write(self, vm, block):
        return self.owner[block] == vm and (self.loan[block] is None or self.loan[block][1] is Handover.SHOW)

    def may_read(self, vm, block):
        return self.owner[block] == vm or (self.loan[block] is not None and self.loan[block][0] == vm)

    def holding(self, vm, block):
        loan = self.loan[block]
        shown = loan is not None and loan[1] is Handover.SHOW
        if self.owner[block] == vm:
            if loan is None:
                return Holding.OWNED, 0, 0
            return Holding.SHOWN if shown else Holding.LENT, loan[0], self.tag[block]
        if loan is not None and loan[0] == vm:
            return Holding.WATCHED if shown else Holding.BORROWED, self.owner[block], self.tag[block]
        return Holding.NONE, 0, 0

    def alloc(self, vm):
        if not self.clean or self.used(vm) >= self.limit[vm]:
            self.hungry.add(vm)
            return None
        self.hungry.discard(vm)
        block = self.clean.popleft()
        self.owner[block] = self.payer[block] = vm
        return block

    def may_give(self, vm, word, fields):
        kind, block = fields.KIND.get(word), fields.BLOCK.get(word)
        return (
            kind != 0
            and block < self.c.blocks
            and word == fields.pack(KIND=kind, BLOCK=block)
            and self.owner[block] == vm
            and self.loan[block] is None
        )

    def give(self, word, target, fields):
        kind, block = Handover(fields.KIND.get(word)), fields.BLOCK.get(word)
        if kind is Handover.MOVE:
            self.owner[block] = target
        else:
            self.loan[block] = target, kind

    def settle(self, op, vm, word, fields):
        """Return the outcome, and who hears of the end of a loan."""
        block, tag = fields.BLOCK.get(word), fields.TAG.get(word)
        if op == "give_back":
            if word != fields.pack(KIND=fields.KIND.get(word), TAG=tag, BLOCK=block):
                return Settled.REFUSED, None
            if (
                block >= self.c.blocks
                or self.loan[block] is None
                or self.loan[block][0] != vm
                or self.tag[block] != tag
            ):
                return Settled.STALE, None
            told = self.owner[block]
        else:
            if word >= self.c.blocks or self.owner[block] != vm or (self.loan[block] is None) == (op == "revoke"):
                return Settled.REFUSED, None
            if op == "free":
                self.owner[block] = self.payer[block] = None
                self.dirty.append(block)
                return Settled.DONE, None
            told = self.loan[block][0]
        self.loan[block] = None
        self.tag[block] = (self.tag[block] + 1) % 256
        return Settled.DONE, told


def configuration(vms, blocks, banks, manager=Manager.PAGE, quota=0):
    return Config(
        ports=(Port(identity=Identity.PAGE),) * 2, vms=vms, lanes=1, words=1, depth=2 * vms, blocks=blocks,
        block_size=64, banks=banks, manager=manager, open_at_reset=quota > 0, credits=1, block_quota=quota,
        page_stride=65536,
    )  # fmt: skip


CONFIGURATIONS = [
    configuration(2, 1, 1),
    configuration(3, 4, 2, quota=1),
    configuration(4, 7, 1),
    configuration(5, 16, 4, quota=3),
    configuration(6, 13, 2, manager=Manager.NONE, quota=2),
    configuration(9, 40, 8),
]


@pytest.mark.parametrize("config", CONFIGURATIONS, ids=lambda c: f"{c.vms}-{c.blocks}-{c.banks}")
def test_random_use(config):
    c = config
    dut, reset, random = Blocks(c), Signal(), Random(c.blocks)
    fields = guest_page(c).RETURN
    managed = c.manager is not Manager.NONE
    seen = Counter()

    async def bench(ctx):
        it = None
        check = None  # what the write engine has looked up in the last cycle: operation, VM, word, target
        for _ in range(2000):
            if it is None:
                await fill(ctx, dut, max(c.blocks, c.vms))
                it, check = Reference(c), None
            clear = coin(random, 0.002)
            ctx.set(reset, clear)

            # Looks.
            for name, may in (("w", it.may_write), ("r", it.may_read)):
                expected = 0
                for bank in range(c.banks):
                    block, vm = random.randrange(c.blocks), random.randrange(c.vms)
                    if coin(random, 0.5) and it.owner[block] is not None:
                        vm = it.owner[block]
                    drive(ctx, getattr(dut, f"{name}_look")[bank], block=block, vm=vm)
                    expected |= may(vm, block) << bank
                assert ctx.get(getattr(dut, f"{name}_allowed")) == expected
            block, vm = random.randrange(c.blocks), random.randrange(c.vms)
            drive(ctx, dut, look_block=block, look_vm=vm, look_account=vm)
            got = ctx.get(dut.look_holding), ctx.get(dut.look_other), ctx.get(dut.look_tag)
            assert got == it.holding(vm, block)
            assert (ctx.get(dut.look_used), ctx.get(dut.look_limit)) == (it.used(vm), it.limit[vm])
            if managed:
                assert (ctx.get(dut.look_owned), ctx.get(dut.look_borrowed)) == (it.owned(vm), it.borrowed(vm))
            assert (ctx.get(dut.clean), ctx.get(dut.dirty)) == (len(it.clean), len(it.dirty))
            assert ctx.get(dut.scrub) == bool(it.dirty)
            if it.dirty:
                assert ctx.get(dut.scrub_block) == it.dirty[0]
            hungry = {vm for vm in it.hungry if it.clean and it.used(vm) < it.limit[vm]}
            available = ctx.get(dut.available)
            assert available == sum(1 << vm for vm in hungry)
            it.hungry -= hungry
            seen["available"] += len(hungry)

            # An allocation.
            alloc, vm = coin(random, 0.3), random.randrange(c.vms)
            drive(ctx, dut, alloc=alloc, alloc_vm=vm)
            guess = ctx.get(dut.alloc_block)
            given = ctx.get(dut.alloc_given)
            if alloc:
                block = it.alloc(vm)
                assert given == (block is not None)
                assert block is None or guess == block
                seen["allocated" if given else "not allocated"] += 1
            else:
                assert not given

            # A write acts whose word has been there for a cycle.
            drive(ctx, dut, give=0, free=0, give_back=0, revoke=0, set_limit=0)
            told = 0
            closed = 0
            if check is not None:
                op, who, word, target = check
                if op == "give":
                    may = it.may_give(who, word, fields)
                    assert ctx.get(dut.may_give) == may
                    if may and coin(random, 0.8):
                        kind, block = fields.KIND.get(word), fields.BLOCK.get(word)
                        assert ctx.get(dut.tag) == (it.tag[block] if kind != Handover.MOVE else 0)
                        ctx.set(dut.give, 1)
                        it.give(word, target, fields)
                        seen[Handover(kind).name] += 1
                        seen["fresh"] += bool(given and block == guess)
                elif op == "limit":
                    ctx.set(dut.set_limit, 1)
                    asked = word & 0xFFFF
                    fits = asked >= it.used(target) and sum(it.limit) - it.limit[target] + asked <= c.blocks
                    assert ctx.get(dut.limit_fits) == fits
                    if fits:
                        it.limit[target] = asked
                    seen["limit" if fits else "bad limit"] += 1
                elif op == "close":
                    assert ctx.get(dut.keeps) == bool(it.owned(target) or it.borrowed(target))
                    if not ctx.get(dut.keeps) and coin(random, 0.5):
                        closed = 1 << target
                        it.hungry.discard(target)
                        seen["closed"] += 1
                else:
                    ctx.set(getattr(dut, op), 1)
                    outcome, hears = it.settle(op, who, word, fields)
                    assert ctx.get(dut.settled) == outcome
                    told = 0 if hears is None else 1 << hears
                    seen[f"{op} {outcome.name}"] += 1
            opened = 0 if closed or not coin(random, 0.01) else random.getrandbits(c.vms)
            it.hungry = {vm for vm in it.hungry if not opened >> vm & 1}
            drive(ctx, dut, closed=closed, opened=opened)
            assert ctx.get(dut.loan_over) == told

            # The next write, which may be about a block that is only now or in the next cycle allocated.
            check, acted = None, check is not None
            if not acted:
                ops = ["give", "give", "give", "free", "give_back", "give_back", "revoke"] + [
                    "limit",
                    "close",
                ] * managed
                op, who, target = random.choice(ops), random.randrange(c.vms), random.randrange(c.vms)
                block = random.randrange(c.blocks)
                if coin(random, 0.25):
                    block = guess
                    who = vm
                elif coin(random, 0.8):
                    mine = [b for b in range(c.blocks) if it.owner[b] is not None]
                    if mine:
                        block = random.choice(mine)
                        who = it.owner[block]
                        if op == "give_back" and it.loan[block]:
                            who = it.loan[block][0]
                word = block
                if op == "give":
                    word = fields.pack(KIND=random.choice((1, 1, 2, 2, 3, 3, 0)), BLOCK=block)
                elif op == "give_back":
                    tag = it.tag[block] if coin(random, 0.9) else random.randrange(256)
                    word = fields.pack(KIND=random.randrange(4), TAG=tag, BLOCK=block)
                elif op == "limit":
                    word = random.randrange(c.blocks + 2) if coin(random, 0.9) else random.getrandbits(32)
                if op != "limit" and coin(random, 0.05):
                    word ^= 1 << random.randrange(32)
                drive(ctx, dut, vm=who, target=target, data=word)
                check = op, who, word, target

            scrubbed = ctx.get(dut.scrub) and coin(random, 0.3)
            ctx.set(dut.scrubbed, scrubbed)
            if scrubbed and not clear:
                it.clean.append(it.dirty.popleft())
            await ctx.tick()
            if clear:
                ctx.set(reset, 0)
                drive(ctx, dut, give=0, free=0, give_back=0, revoke=0, set_limit=0, alloc=0, scrubbed=0)
                drive(ctx, dut, closed=0, opened=0)
                it = None

    simulate(ResetInserter(reset)(dut), bench)
    wanted = ["allocated", "MOVE", "LEND", "SHOW", "free DONE", "free REFUSED", "give_back DONE", "give_back STALE",
              "give_back REFUSED", "revoke DONE", "revoke REFUSED", "available"]  # fmt: skip
    wanted += ["limit", "bad limit", "closed"] * managed
    assert min(seen[key] for key in wanted) > 0, seen
