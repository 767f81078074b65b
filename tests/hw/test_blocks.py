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
        self.orphan = [False] * c.blocks
        self.dead = set()
        self.doomed = None  # died in the last cycle

    def pool(self, blocks, vm):
        """Return those of some blocks that could be a VM's, the next one first."""
        own = self.c.own_blocks
        return sorted(block for block in blocks if block // own == vm) if own else list(blocks)

    def used(self, vm):
        return self.payer.count(vm)

    def owned(self, vm):
        return self.owner.count(vm)

    def borrowed(self, vm):
        return sum(loan is not None and loan[0] == vm for loan in self.loan)

    def may_write(self, vm, block):
        mine = self.owner[block] == vm and vm != self.doomed
        return mine and (self.loan[block] is None or self.loan[block][1] is Handover.SHOW)

    def may_read(self, vm, block):
        return vm != self.doomed and (self.owner[block] == vm or self.has_loan(vm, block))

    def has_loan(self, vm, block):
        return self.loan[block] is not None and self.loan[block][0] == vm and self.owner[block] not in self.dead

    def rights(self, block):
        if self.owner[block] is None:
            return dict.fromkeys(("owner", "owned", "payer", "orphan", "borrower", "lent", "shown"), 0)
        loan = self.loan[block]
        return {
            "owner": self.owner[block],
            "owned": 1,
            "payer": 0 if self.orphan[block] else self.payer[block],
            "orphan": self.orphan[block],
            "borrower": loan[0] if loan else 0,
            "lent": loan is not None,
            "shown": loan is not None and loan[1] is Handover.SHOW,
        }

    def end_loan(self, block):
        self.loan[block] = None
        self.tag[block] = (self.tag[block] + 1) % 256

    def give_up(self, block):
        """Return who hears of it, but for the owner."""
        told = set()
        if self.loan[block]:
            told.add(self.loan[block][0])
            self.end_loan(block)
        self.owner[block] = self.payer[block] = None
        self.orphan[block] = False
        self.dirty.append(block)
        return told

    def kill(self, vm, block):
        """Take from a block what a VM has of it. Returns who hears of it, and the outcome."""
        owner, payer, loan = self.owner[block], self.payer[block], self.loan[block]
        if owner is None or vm not in (owner, payer, loan and loan[0]):
            return set(), "nothing"
        if owner == vm:
            how = "orphan" if self.orphan[block] else "own" if payer == vm else "other's"
            return self.give_up(block), f"owned {how}"
        told, outcome = set(), []
        if loan and loan[0] == vm:
            told.add(owner)
            self.end_loan(block)
            outcome.append("borrowed")
        if payer == vm and not self.orphan[block]:
            self.payer[block] = None
            self.orphan[block] = True
            self.limit[vm] -= 1
            outcome.append("paid lent" if loan and not outcome else "paid")
        return told, " ".join(outcome) or "nothing"

    def reclaim(self, word):
        """Return who hears of it, or ``None`` where it is refused."""
        if word >= self.c.blocks or not self.orphan[word]:
            return None
        return {self.owner[word]} | self.give_up(word)

    def promised(self):
        return sum(self.limit) + sum(self.orphan)

    def holding(self, vm, block):
        loan = self.loan[block]
        shown = loan is not None and loan[1] is Handover.SHOW
        if self.owner[block] == vm:
            if loan is None:
                return Holding.OWNED, 0, 0
            return Holding.SHOWN if shown else Holding.LENT, loan[0], self.tag[block]
        if self.has_loan(vm, block):
            return Holding.WATCHED if shown else Holding.BORROWED, self.owner[block], self.tag[block]
        return Holding.NONE, 0, 0

    def alloc(self, vm):
        clean = self.pool(self.clean, vm)
        if not clean or self.used(vm) >= self.limit[vm]:
            self.hungry.add(vm)
            return None
        self.hungry.discard(vm)
        block = clean[0]
        self.clean.remove(block)
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
                or not self.has_loan(vm, block)
                or self.tag[block] != tag
            ):
                return Settled.STALE, None
            told = self.owner[block]
        else:
            if word >= self.c.blocks or self.owner[block] != vm or (self.loan[block] is None) == (op == "revoke"):
                return Settled.REFUSED, None
            if op == "free":
                self.give_up(block)
                return Settled.DONE, None
            told = self.loan[block][0]
        self.end_loan(block)
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
    configuration(4, 12, 2, quota=2).replace(strict=True),
    configuration(3, 6, 1, manager=Manager.NONE, quota=2).replace(strict=True),
]


RANDOM = [
    "allocated", "MOVE", "LEND", "SHOW", "free DONE", "free REFUSED", "give_back DONE", "give_back STALE",
    "give_back REFUSED", "revoke DONE", "revoke REFUSED", "available",
]  # fmt: skip
MANAGED = ["limit", "bad limit", "closed", "not reclaimed"]
DEADLY = [
    "allocated", "MOVE", "LEND", "SHOW", "reclaimed", "kill owned own", "kill owned other's", "kill owned orphan",
    "kill borrowed", "kill paid", "kill paid lent", "kill nothing", "free DONE", "give_back DONE", "revoke DONE",
]  # fmt: skip


@pytest.mark.parametrize("config", CONFIGURATIONS, ids=lambda c: f"{c.vms}-{c.blocks}-{c.banks}{'-strict' * c.strict}")
def test_random_use(config):
    seen = use(config, 2000, deadly=False)
    assert min(seen[key] for key in RANDOM + MANAGED * (config.manager is not Manager.NONE)) > 0, seen


@pytest.mark.parametrize(
    ("config", "cycles"),
    [(configuration(5, 16, 2, quota=3), 4000), (configuration(4, 20, 2, quota=5).replace(strict=True), 8000)],
    ids=["ring", "pools"],
)
def test_killing_at_random(config, cycles):
    seen = use(config, cycles, deadly=True)
    assert min(seen[key] for key in DEADLY) > 0, seen


def use(config, cycles, *, deadly):
    """Drive everything at random for some cycles, with VMs that are killed or without; return what was seen."""
    c = config
    dut, reset, random = Blocks(c), Signal(), Random(c.blocks)
    fields = guest_page(c).RETURN
    managed = c.manager is not Manager.NONE
    seen = Counter()

    async def bench(ctx):
        it = None
        check = None  # what the write engine has looked up in the last cycle: operation, VM, word, target
        for _ in range(cycles):
            if it is None:
                await fill(ctx, dut, max(c.blocks, c.vms))
                it, check = Reference(c), None
            clear = coin(random, 0.002)
            ctx.set(reset, clear)
            ctx.set(dut.open, sum(1 << vm for vm in range(c.vms) if vm not in it.dead))

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
            if managed:
                assert {name: ctx.get(getattr(dut.look_rights, name)) for name in it.rights(0)} == it.rights(block)
                assert ctx.get(dut.orphans) == sum(it.orphan)
            assert (ctx.get(dut.look_used), ctx.get(dut.look_limit)) == (it.used(vm), it.limit[vm])
            if managed:
                assert (ctx.get(dut.look_owned), ctx.get(dut.look_borrowed)) == (it.owned(vm), it.borrowed(vm))
            assert (ctx.get(dut.clean), ctx.get(dut.dirty)) == (len(it.clean), len(it.dirty))
            scrub_vm = random.randrange(c.vms)
            if c.strict:
                ctx.set(dut.scrub_vm, scrub_vm)
            dirty = it.pool(it.dirty, scrub_vm)
            assert ctx.get(dut.scrub) == bool(dirty)
            if dirty:
                assert ctx.get(dut.scrub_block) == dirty[0]
            hungry = {vm for vm in it.hungry if it.pool(it.clean, vm) and it.used(vm) < it.limit[vm]}
            available = ctx.get(dut.available)
            assert available == sum(1 << vm for vm in hungry)
            it.hungry -= hungry
            seen["available"] += len(hungry)

            # An allocation.
            alloc, vm = coin(random, 0.3), random.choice([vm for vm in range(c.vms) if vm not in it.dead])
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
            drive(ctx, dut, give=0, free=0, give_back=0, revoke=0, set_limit=0, reclaim=0, kill=0)
            told = 0
            closed = 0
            victim = it.doomed = None
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
                    fits = (
                        it.used(target) <= asked <= c.largest_quota
                        and it.promised() - it.limit[target] + asked <= c.blocks
                    )
                    assert ctx.get(dut.limit_fits) == fits
                    if fits:
                        it.limit[target] = asked
                    seen["limit" if fits else "bad limit"] += 1
                elif op == "kill":
                    hears, outcome = it.kill(who, word)
                    told = sum(1 << vm for vm in hears)
                    seen[f"kill {outcome}"] += 1
                elif op == "reclaim":
                    ctx.set(dut.reclaim, 1)
                    hears = it.reclaim(word)
                    assert ctx.get(dut.is_orphan) == (hears is not None)
                    told = sum(1 << vm for vm in hears or ())
                    seen["reclaimed" if hears else "not reclaimed"] += 1
                elif op == "close":
                    assert ctx.get(dut.keeps) == bool(it.owned(target) or it.borrowed(target))
                    if not ctx.get(dut.keeps) and coin(random, 0.5):
                        closed = 1 << target
                        it.doomed = target
                        it.hungry.discard(target)
                        seen["closed"] += 1
                else:
                    ctx.set(getattr(dut, op), 1)
                    outcome, hears = it.settle(op, who, word, fields)
                    assert ctx.get(dut.settled) == outcome
                    told = 0 if hears is None else 1 << hears
                    seen[f"{op} {outcome.name}"] += 1
            if deadly and not closed and check is None and coin(random, 0.01) and len(it.dead) < c.vms - 1:
                victim = random.choice([vm for vm in range(c.vms) if vm not in it.dead])
                closed = 1 << victim
                ctx.set(dut.target, victim)
            opened = 0 if closed or not coin(random, 0.01) else random.getrandbits(c.vms)
            it.hungry = {vm for vm in it.hungry if not opened >> vm & 1}
            drive(ctx, dut, closed=closed, opened=opened)
            assert ctx.get(dut.loan_over) == told

            # The next write, which may be about a block that is only now or in the next cycle allocated.
            check, acted = None, check is not None
            if not acted and not closed:
                ops = ["give", "give", "give", "free", "give_back", "give_back", "revoke"]
                ops += ["limit", "close", "reclaim", *["kill"] * 12 * bool(it.dead)] * managed
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
                if op == "kill":
                    who, word = random.choice(sorted(it.dead)), random.randrange(c.blocks)
                    left = [b for b in range(c.blocks) if who in (it.owner[b], it.payer[b], (it.loan[b] or [None])[0])]
                    if left and coin(random, 0.8):
                        word = random.choice(left)
                    drive(ctx, dut, kill=1, kill_vm=who, kill_block=word, vm=0, data=0)
                elif op == "reclaim" and any(it.orphan) and coin(random, 0.8):
                    word = it.orphan.index(True)
                if op != "kill" and who in it.dead:
                    who = None
                if who is not None:
                    check = op, who, word, target
                    if op != "kill":
                        drive(ctx, dut, vm=who, target=target, data=word)

            if victim is not None:
                it.hungry.discard(victim)
                it.dead.add(victim)
                it.doomed = victim
            it.dead = {vm for vm in it.dead if it.owned(vm) or it.borrowed(vm) or it.used(vm) or coin(random, 0.8)}
            scrubbed = ctx.get(dut.scrub) and coin(random, 0.3)
            ctx.set(dut.scrubbed, scrubbed)
            if scrubbed and c.strict:
                ctx.set(dut.scrubbed_block, dirty[0])
            if scrubbed and not clear:
                it.dirty.remove(dirty[0])
                it.clean.append(dirty[0])
            await ctx.tick()
            if clear:
                ctx.set(reset, 0)
                drive(ctx, dut, give=0, free=0, give_back=0, revoke=0, set_limit=0, alloc=0, scrubbed=0)
                drive(ctx, dut, kill=0, reclaim=0)
                drive(ctx, dut, closed=0, opened=0)
                it = None

    simulate(ResetInserter(reset)(dut), bench)
    return seen
