"""Random programs with blocks on the model, held against invariants that know nothing of its tables."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postern_spec.regmap import Command, Fault, Handover, Holding, Result, Settled, State

VMS, BLOCKS, WORDS = 3, 5, 16
OWN = (Holding.OWNED, Holding.LENT, Holding.SHOWN)
THEIRS = {Holding.LENT: Holding.BORROWED, Holding.SHOWN: Holding.WATCHED}

vm = st.integers(0, VMS - 1)
number = st.integers(0, BLOCKS)  # one more than there are

STEPS = st.one_of(
    st.tuples(st.just("alloc"), vm),
    st.tuples(st.just("alloc"), vm),
    st.tuples(st.just("give"), vm, vm, number, st.sampled_from(Handover)),
    st.tuples(st.just("give"), vm, vm, number, st.sampled_from(Handover)),
    st.tuples(st.just("give own"), vm, vm, st.integers(0, 9), st.sampled_from(Handover)),
    st.tuples(st.just("give own"), vm, vm, st.integers(0, 9), st.sampled_from(Handover)),
    st.tuples(st.just("free"), vm, number),
    st.tuples(st.just("free own"), vm, st.integers(0, 9)),
    st.tuples(st.just("revoke"), vm, number),
    st.tuples(st.just("give back"), vm, st.integers(0, 9)),
    st.tuples(st.just("give back"), vm, st.integers(0, 9)),
    st.tuples(st.just("receive"), vm),
    st.tuples(st.just("write"), vm, number, st.integers(0, WORDS - 1)),
    st.tuples(st.just("scrub"), st.integers(1, 3)),
    st.tuples(st.just("command"), vm, st.sampled_from(Command)),
    st.tuples(st.just("command"), vm, st.just(Command.KILL)),
    st.tuples(st.just("reclaim"), number),
    st.tuples(st.just("quota"), vm, st.integers(0, BLOCKS + 1)),
    st.tuples(st.just("open"), vm),
)


class World:
    """A block, and what was seen of it from outside: which words were handed over, and what is in the blocks."""

    def __init__(self, block):
        self.block = block
        self.stamp = 0  # makes every word that is written another one
        self.loans = {v: [] for v in range(VMS)}  # words of loans that a VM has received, running or over
        self.contents = {}  # of blocks with an owner: their words
        self.payer = {}  # of the same blocks: who allocated them, nobody for an orphan
        self.tag = {}  # of blocks: tag of the last loan
        self.seen = Counter()  # what happened, to know that it did
        for v in range(VMS):
            self.open(v)
        for v, count in enumerate((2, 2, 1)):
            block.manage("QUOTA", v, value=count)

    def state(self, v):
        return State(self.block.control(v, "STATE"))

    def open(self, v):
        """Open a VM, let it and all others send to each other."""
        block = self.block
        block.command(v, Command.OPEN)
        for other in range(VMS):
            block.manage("PERMIT", other, 0, value=(1 << VMS) - 1)
            block.manage("CREDITS", v, other, value=2)
            for sender, receiver in ((v, other), (other, v)):
                block.write(sender, "PEER", receiver, value=block.see("GENERATION", receiver))

    def holdings(self, v):
        """Return what a VM holds, by number of the block, as it sees it itself."""
        if self.state(v) is State.CLOSED:
            return {}
        held = {b: self.block.holding(v, b) for b in range(BLOCKS)}
        return {b: (Holding(what), other, tag) for b, (what, other, tag) in held.items() if what}

    def owner(self, b):
        owners = [v for v in range(VMS) if self.holdings(v).get(b, (None,))[0] in OWN]
        assert len(owners) <= 1, "exactly one owner"
        return owners[0] if owners else None

    def run(self, steps):
        for step in steps:
            self.step(*step)

    def step(self, name, *arguments):
        getattr(self, name.replace(" ", "_"))(*arguments)
        self.check()

    def alloc(self, v):
        block = self.block
        state, clean, (used, limit) = self.state(v), block.pool()[0], block.quota(v)
        b = block.alloc(v)
        may = state in (State.OPEN, State.PAUSED) and clean and used < limit
        assert (b is not None) == bool(may)
        if b is not None:
            assert b not in self.contents, "nobody else's"
            assert [block.peek(v, b, word) for word in range(WORDS)] == [0] * WORDS, "zeros"
            self.contents[b], self.payer[b] = [0] * WORDS, v
            self.seen["alloc"] += 1
            for word in range(WORDS):
                self.write(v, b, word)

    def write(self, v, b, word):
        self.stamp += 1
        if self.block.poke(v, b, self.stamp, word) is Fault.NONE:
            self.contents[b][word] = self.stamp

    def give(self, s, d, b, how):
        block, before = self.block, self.holdings(s).get(b)
        lane = block.result(s)[0] if self.state(s) is not State.CLOSED else Result.ACCEPTED
        if lane != Result.ACCEPTED:
            block.write(s, "ACK", 0, value=1)
        block.give(s, d, b, how)
        if self.state(s) is State.CLOSED:
            return
        code = block.result(s)[0]
        self.seen[f"{how.name} {Result(code).name}"] += 1
        after = self.holdings(s).get(b)
        if code == Result.ACCEPTED:
            assert before == (Holding.OWNED, 0, 0), "only the owner, only what is not lent"
            got = self.holdings(d)[b]
            if how is Handover.MOVE:
                assert got == (Holding.OWNED, 0, 0)
                assert s == d or after is None
                return
            assert after[2] != self.tag.get(b), "every loan has another tag than the one before"
            self.tag[b] = after[2]
            if s != d:
                assert got == (THEIRS[after[0]], s, after[2])
        else:
            assert after == before, "a refusal hands nothing over"

    def own(self, v, index):
        """Return the number of a block that a VM owns, or a wrong one."""
        mine = [b for b, (what, _, _) in self.holdings(v).items() if what in OWN]
        return mine[index % len(mine)] if mine else BLOCKS

    def give_own(self, s, d, index, how):
        self.give(s, d, self.own(s, index), how)

    def free_own(self, v, index):
        self.free(v, self.own(v, index))

    def free(self, v, b):
        before = self.holdings(v).get(b)
        if self.state(v) is State.CLOSED:
            assert self.block.write(v, "FREE", 0, value=b) is Fault.CLOSED
            return
        outcome, _ = self.block.settle(v, "FREE", b)
        assert (outcome is Settled.DONE) == (before == (Holding.OWNED, 0, 0))
        if outcome is Settled.DONE:
            del self.contents[b], self.payer[b]
            self.seen["free"] += 1

    def revoke(self, v, b):
        before = self.holdings(v).get(b, (Holding.NONE, 0, 0))
        if self.state(v) is State.CLOSED:
            return
        outcome, _ = self.block.settle(v, "REVOKE", b)
        assert (outcome is Settled.DONE) == (before[0] in THEIRS)
        self.seen[f"revoke {outcome.name}"] += 1

    def receive(self, v):
        header = self.block.read(v, "HEADER", 0)
        message = self.block.receive(v)
        if message and self.block.field("guest", "HEADER", "KIND", header):
            self.loans[v].append(message[2][-1])

    def give_back(self, v, index):
        """Return any loan of the past: only one that runs ends, and only that of its borrower."""
        words = self.loans[v]
        if not words or self.state(v) is State.CLOSED:
            return
        word = words[index % len(words)]
        fields = self.block.guest.RETURN
        b, tag, moved = fields.BLOCK.get(word), fields.TAG.get(word), fields.KIND.get(word) == Handover.MOVE
        owner = self.owner(b)
        held = self.holdings(owner).get(b) if owner is not None else None
        runs = held is not None and held[0] in THEIRS and held[1:] == (v, tag)
        outcome, fault = self.block.settle(v, "RETURN", word)
        assert outcome is (Settled.DONE if runs else Settled.STALE)
        assert fault is Fault.NONE
        self.seen[f"{'moved ' * moved}{outcome.name}"] += 1

    def scrub(self, count):
        for _ in range(min(count, self.block.model.dirty)):
            self.block.model.scrubbed()

    def quota(self, v, count):
        used, limit = self.block.quota(v)
        others = sum(self.block.quota(other)[1] for other in range(VMS) if other != v)
        fault = self.block.manage("QUOTA", v, value=count)
        assert (fault is Fault.NONE) == (used <= count and others + self.orphans() + count <= BLOCKS)
        assert self.block.quota(v) == (used, count if fault is Fault.NONE else limit)

    def command(self, v, command):
        held, state, queued = self.holdings(v), self.state(v), self.block.control(v, "QUEUED")
        used, limit = self.block.quota(v)
        fault = self.block.command(v, command)
        if command is Command.CLOSE and state is not State.CLOSED:
            assert (fault is Fault.NONE) == (not held and not queued)
            self.seen[f"close {fault.name}"] += 1
        if command is Command.KILL:
            assert (fault is Fault.NONE) == (state is not State.CLOSED)
            for b in [b for b, (what, _, _) in held.items() if what in OWN]:
                del self.contents[b], self.payer[b]
                self.seen["left behind"] += 1
            orphans = [b for b, payer in self.payer.items() if payer == v and fault is Fault.NONE]
            self.payer |= dict.fromkeys(orphans)
            self.seen["orphan"] += len(orphans)
            used, limit = (0, limit - len(orphans)) if fault is Fault.NONE else (used, limit)
        assert self.block.quota(v) == (used, limit), "whoever pays pays on, but for the dead"
        if fault is Fault.NONE and command in (Command.OPEN, Command.CLOSE, Command.KILL):
            self.loans[v].clear()
            assert not self.holdings(v), "nothing of the former life"

    def orphans(self):
        return list(self.payer.values()).count(None)

    def reclaim(self, b):
        orphan = b in self.payer and self.payer[b] is None
        fault = self.block.manage("RECLAIM", value=b)
        assert fault is (Fault.NONE if orphan else Fault.BAD_VALUE)
        if orphan:
            del self.contents[b], self.payer[b]
            self.seen["reclaim"] += 1

    def check(self):
        """One owner, one writer, at most one borrower; what is lent does not change; payers pay for all, and once."""
        block = self.block
        held = {v: self.holdings(v) for v in range(VMS)}
        clean, dirty = block.pool()
        owned = {b: self.owner(b) for b in range(BLOCKS)}
        assert {b for b, v in owned.items() if v is not None} == set(self.contents)
        assert clean + dirty + len(self.contents) == BLOCKS
        assert block.see("ORPHANS") == self.orphans()
        assert sum(block.quota(v)[1] for v in range(VMS)) + self.orphans() <= BLOCKS
        for v in range(VMS):
            used, limit = block.quota(v)
            assert used == list(self.payer.values()).count(v) <= limit, "whoever allocated pays"
            own = [b for b, (what, _, _) in held[v].items() if what in OWN]
            borrowed = [b for b, (what, _, _) in held[v].items() if what not in OWN]
            to_itself = [b for b, (what, other, _) in held[v].items() if what in THEIRS and other == v]
            assert block.holdings(v) == (len(own), len(borrowed) + len(to_itself))
        for b, owner in owned.items():
            others = {v: held[v][b] for v in range(VMS) if b in held[v] and v != owner}
            if owner is None:
                assert not others
                readers, writers = set(), set()
            else:
                what, other, tag = held[owner][b]
                expected = {other: (THEIRS[what], owner, tag)} if what in THEIRS and other != owner else {}
                assert others == expected
                readers, writers = {owner, *others}, set() if what is Holding.LENT else {owner}
            for v in range(VMS):
                word = self.stamp % WORDS
                value = block.peek(v, b, word)
                assert value == (self.contents[b][word] if v in readers else 0)
                self.stamp += 1
                assert (block.poke(v, b, self.stamp, word) is Fault.NONE) == (v in writers), "one writer"
                if v in writers:
                    self.contents[b][word] = self.stamp


@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps=st.lists(STEPS, max_size=50))
def test_invariants(make_block, blocks_config, steps):
    world = World(make_block(blocks_config.replace(vms=VMS, blocks=BLOCKS), stepped_scrub=True))
    world.check()
    for step in steps:
        world.step(*step)


def test_the_world_sees_what_it_must(make_block, blocks_config):
    """The same steps with each of these outcomes at least once: otherwise the invariants above are empty."""
    world = World(make_block(blocks_config.replace(vms=VMS, blocks=BLOCKS), stepped_scrub=True))
    lend, show, move = Handover.LEND, Handover.SHOW, Handover.MOVE
    for step in (
        ("alloc", 0),
        ("scrub", 3),
        ("scrub", 3),
        ("alloc", 0),
        ("alloc", 0),
        ("alloc", 0),  # no quota
        ("give own", 0, 1, 0, lend),
        ("give", 0, 2, 0, move),  # lent
        ("receive", 1),
        ("give back", 1, 0),
        ("give back", 1, 0),  # stale
        ("give own", 0, 1, 0, show),
        ("revoke", 0, 0),
        ("revoke", 0, 0),  # refused
        ("give own", 0, 2, 0, move),
        ("receive", 2),
        ("give back", 2, 0),  # a move
        ("free", 0, 0),  # not its own any more
        ("command", 2, Command.CLOSE),  # owns it
        ("command", 0, Command.CLOSE),  # owns the other one
        ("free own", 0, 0),
        ("command", 0, Command.CLOSE),
        ("open", 0),
        ("quota", 0, 0),  # it still pays for what it moved
        ("free own", 2, 0),
        ("quota", 0, 0),
        ("quota", 1, 4),
        ("scrub", 3),
        ("alloc", 1),
        ("alloc", 1),
        ("alloc", 1),
        ("give own", 1, 0, 0, move),
        ("give own", 1, 0, 0, move),
        ("give own", 0, 2, 0, lend),
        ("receive", 2),
        ("command", 1, Command.KILL),  # one block left behind, two orphans, one of them lent
        ("reclaim", 9),
        *(("reclaim", b) for b in range(BLOCKS)),
        ("open", 1),
    ):
        world.step(*step)
    assert {"alloc", "free", "DONE", "STALE", "moved STALE", "revoke DONE", "revoke REFUSED"} <= set(world.seen)
    assert {"LEND ACCEPTED", "SHOW ACCEPTED", "MOVE ACCEPTED", "MOVE BAD_BLOCK"} <= set(world.seen)
    assert {"close NONE", "close BAD_VALUE"} <= set(world.seen)
    assert {"left behind": 1, "orphan": 2, "reclaim": 2}.items() <= world.seen.items()
    assert [world.block.quota(v) for v in range(VMS)] == [(0, 0), (0, 2), (0, 1)]


@pytest.mark.parametrize("mistake", ["writer", "reader", "dirty", "payer", "tag", "heir", "orphan"])
def test_the_world_notices_mistakes(make_block, blocks_config, mistake, monkeypatch):
    """A model with a mistake fails, so the invariants are no decoration."""
    world = World(make_block(blocks_config.replace(vms=VMS, blocks=BLOCKS), stepped_scrub=True))
    model = world.block.model
    if mistake == "writer":
        monkeypatch.setattr(model, "_may_write", lambda vm, block: vm == model._blocks[block].owner)
    elif mistake == "reader":
        monkeypatch.setattr(model, "_may_read", lambda vm, block: True)
    elif mistake == "dirty":
        monkeypatch.setattr(model, "scrubbed", lambda: model._clean.append(model._dirty.popleft()))
    elif mistake == "payer":
        give = type(model)._give

        def pay(d, word):
            word = give(model, d, word)
            it = model._blocks[model._guest.RETURN.BLOCK.get(word)]
            model._vms[it.payer].charged -= 1
            model._vms[d].charged += 1
            it.payer = d
            return word

        monkeypatch.setattr(model, "_give", pay)
    elif mistake == "heir":  # what a VM had outlives it
        monkeypatch.setattr(model, "tear_block", lambda step: None)
    elif mistake == "orphan":  # the next one pays for the dead
        tear = type(model).tear_block

        def skip(step):
            if model._blocks[step].owner == model._torn:
                tear(model, step)

        monkeypatch.setattr(model, "tear_block", skip)
    else:
        end = type(model)._end_loan

        def forget(it):
            tag = it.tag
            end(model, it)
            it.tag = tag

        monkeypatch.setattr(model, "_end_loan", forget)
    steps = [("scrub", 3), ("scrub", 3), ("alloc", 0), ("give own", 0, 1, 0, Handover.LEND), ("receive", 1)]
    steps += [("give back", 1, 0), ("give own", 0, 1, 0, Handover.LEND), ("receive", 1), ("give back", 1, 1)]
    steps += [("give own", 0, 1, 0, Handover.MOVE), ("alloc", 1), ("command", 0, Command.KILL), ("free own", 1, 0)]
    steps += [("command", 1, Command.KILL)]
    with pytest.raises(AssertionError):
        world.run(steps)
