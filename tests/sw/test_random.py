"""Random programs on the model, held against invariants that know nothing of its tables."""

from collections import Counter, defaultdict, deque

from hypothesis import given, settings
from hypothesis import strategies as st

from postern_spec.regmap import Command, Fault, Result, State

VMS, LANES, PORTS = 3, 2, 2

vm = st.integers(0, VMS - 1)
lane = st.integers(0, LANES - 1)
port = st.integers(0, PORTS - 1)

STEPS = st.one_of(
    st.tuples(st.just("send"), vm, vm, lane, port, st.integers(1, 4)),
    st.tuples(st.just("send"), vm, vm, lane, port, st.integers(1, 4)),
    st.tuples(st.just("receive"), vm, lane, port),
    st.tuples(st.just("receive"), vm, lane, port),
    st.tuples(st.just("look"), vm, lane, port),
    st.tuples(st.just("pop"), vm, lane, port),
    st.tuples(st.just("stage"), vm, lane, port, st.integers(0, 3), st.sampled_from([0xF, 0xF, 0x7])),
    st.tuples(st.just("partial commit"), vm, vm, lane, port),
    st.tuples(st.just("acknowledge"), vm, lane),
    st.tuples(st.just("connect"), vm, vm),
    st.tuples(st.just("ring"), vm, vm),
    st.tuples(st.just("answer"), vm),
    st.tuples(st.just("command"), vm, st.sampled_from(Command)),
    st.tuples(st.just("credits"), vm, vm, st.integers(0, 9)),
    st.tuples(st.just("permit"), vm, st.integers(0, 15)),
    st.tuples(st.just("tear"), vm, port),
    st.tuples(st.just("reset port"), port),
)


class World:
    """A block, and what must be true of it: who was told that a message went, and what may be seen where."""

    def __init__(self, block):
        self.block = block
        self.number = 0
        self.queues = defaultdict(deque)  # of receiver: accepted messages, as sender, generation and words
        self.staged = {}  # of port, VM and lane: the words since word 0, or None where they are no message
        self.rung = set()  # receiver, sender
        self.looked = {}  # of VM and lane: number of the head when it looked
        for v in range(VMS):
            block.command(v, Command.OPEN)
            block.manage("PERMIT", v, 0, value=(1 << VMS) - 1)
            for s in range(VMS):
                block.manage("CREDITS", v, s, value=2)
                block.write(s, "PEER", v, value=block.see("GENERATION", v))

    def state(self, v):
        return State(self.block.control(v, "STATE"))

    def word(self, receiver):
        """Return a word that nobody else sends, and that says who may read it."""
        self.number += 1
        return self.number << 8 | receiver << 4 | 0xF

    def commit(self, s, d, lane, port, words, held):
        """Commit the last of ``words``; ``held`` are those that the lane holds."""
        block = self.block
        if self.state(s) is State.CLOSED:
            assert block.write(s, "COMMIT", lane, 0, int(len(words) > 1), d, value=words[-1], port=port)
            return
        before = block.result(s, lane)
        block.write(s, "COMMIT", lane, 0, int(len(words) > 1), d, value=words[-1], port=port)
        code, to, count = block.result(s, lane)
        self.staged[port, s, lane] = []
        if before[0] != Result.ACCEPTED:
            assert (code, to, count) == before
        elif code == Result.ACCEPTED:
            assert count == (before[2] + 1) % 256
            assert held == words[:-1], "only whole messages are accepted"
            generation = block.see("GENERATION", s)
            self.queues[d].append((s, generation, tuple(words)))
        else:
            assert (to, count) == (d, before[2])

    def step(self, name, *arguments):
        getattr(self, name.replace(" ", "_"))(*arguments)
        self.check()

    def send(self, s, d, lane, port, count):
        words = [self.word(d) for _ in range(count)]
        if self.state(s) is not State.CLOSED:
            for index, word in enumerate(words[:-1]):
                self.put(s, lane, port, index, word)
        self.commit(s, d, lane, port, words, self.staged.get((port, s, lane), []))

    def put(self, s, lane, port, index, word, strobes=0xF):
        fault = self.block.write(s, "STAGE", lane, index, value=word, strobes=strobes, port=port)
        if self.state(s) is State.CLOSED:
            assert fault is Fault.CLOSED
            return
        key = (port, s, lane)
        held = self.staged.get(key, [])
        if strobes != 0xF:
            self.staged[key] = None
        elif index == 0:
            self.staged[key] = [word]
        else:
            self.staged[key] = [*held, word] if held is not None and len(held) == index else None

    def stage(self, s, lane, port, index, strobes):
        self.put(s, lane, port, index, self.word(s), strobes)

    def partial_commit(self, s, d, lane, port):
        self.staged.pop((port, s, lane), None)
        assert self.block.write(s, "COMMIT", lane, 0, 0, d, value=1, strobes=0b11, port=port)

    def look(self, v, lane, port):
        header = self.block.read(v, "HEADER", lane, port=port)
        self.looked.pop((v, lane), None)
        if self.state(v) is not State.CLOSED and self.queues[v]:
            sender, generation, words = self.queues[v][0]
            assert header == self.block.guest.HEADER.pack(COUNT=len(words), SENDER=sender, GENERATION=generation)
            self.looked[v, lane] = words
        else:
            assert header == 0

    def pop(self, v, lane, port):
        word = self.block.read(v, "POP", lane, port=port)
        looked = self.looked.pop((v, lane), None)
        if looked is None:
            assert word == 0
            return
        assert looked == self.queues[v].popleft()[2], "at most once, in order, and only what was looked at"
        assert word == looked[-1]
        for other in range(LANES):
            self.looked.pop((v, other), None)

    def receive(self, v, lane, port):
        self.look(v, lane, port)
        self.pop(v, lane, port)

    def acknowledge(self, s, lane):
        self.block.write(s, "ACK", lane, value=1)

    def connect(self, s, d):
        self.block.write(s, "PEER", d, value=self.block.see("GENERATION", d))

    def ring(self, s, d):
        peer = self.block.read(s, "PEER", d)
        may = self.block.field("guest", "PEER", "ALIVE", peer) and self.block.field(
            "guest", "PEER", "ACKNOWLEDGED", peer
        )
        self.block.write(s, "RING", value=d)
        if may and self.state(s) in (State.OPEN, State.PAUSED):
            self.rung.add((d, s))

    def answer(self, v):
        for d, s in list(self.rung):
            if d == v and self.state(v) is not State.CLOSED:
                self.block.write(v, "PENDING", 0, value=1 << s)
                self.rung.discard((d, s))

    def command(self, v, command):
        before = self.state(v)
        if self.block.command(v, command) is not Fault.NONE:
            assert self.state(v) is before
        elif self.state(v) is State.CLOSED or before is State.CLOSED:
            assert not self.queues[v]
            for key in [key for key in self.staged if key[1] == v]:
                del self.staged[key]
            for key in [key for key in self.looked if key[0] == v]:
                del self.looked[key]
            opened = before is State.CLOSED
            self.rung = {(d, s) for d, s in self.rung if d != v and not (opened and s == v)}

    def credits(self, s, d, count):
        self.block.manage("CREDITS", d, s, value=count)

    def permit(self, d, senders):
        self.block.manage("PERMIT", d, 0, value=senders)

    def tear(self, v, port):
        self.block.manage("TEAR", value=self.block.manager.TEAR.pack(VM=v, PORT=port))
        for lane in range(LANES):
            self.staged.pop((port, v, lane), None)

    def reset_port(self, port):
        self.block.model.reset_port(port)
        for key in [key for key in self.staged if key[0] == port]:
            del self.staged[key]

    def check(self):
        """Credits are conserved, queues bounded, doorbells just those that were rung; nobody reads another's words."""
        block = self.block
        for d in range(VMS):
            waiting = Counter(sender for sender, _, _ in self.queues[d])
            granted = 0
            for s in range(VMS):
                word = block.see("CREDITS", d, s)
                limit, used = (block.field("manager", "CREDITS", name, word) for name in ("LIMIT", "USED"))
                assert used == waiting[s] <= limit
                granted += limit
            assert block.control(d, "QUEUED") == len(self.queues[d]) <= granted <= block.config.depth
            assert block.read(d, "PENDING", 0) == sum(1 << s for receiver, s in self.rung if receiver == d)
            for index in range(block.config.words):
                word = block.read(d, "WORD", index)
                assert word == 0 or word >> 4 & 0xF == d


@settings(max_examples=250, deadline=None, derandomize=True)
@given(steps=st.lists(STEPS, max_size=60))
def test_invariants(make_block, config, steps):
    world = World(make_block(config.replace(vms=VMS)))
    world.check()
    for step in steps:
        world.step(*step)


def test_the_world_sees_what_it_must(make_block, config):
    """The same steps with each of these outcomes at least once: otherwise the invariants above are empty."""
    world = World(make_block(config.replace(vms=VMS)))
    for step in (
        ("send", 0, 1, 0, 0, 4),
        ("send", 0, 1, 0, 1, 1),
        ("send", 0, 1, 0, 0, 2),  # no credit
        ("acknowledge", 0, 0),
        ("look", 1, 0, 0),
        ("pop", 1, 1, 0),  # stale
        ("pop", 1, 0, 1),
        ("send", 2, 1, 1, 0, 3),
        ("ring", 0, 1),
        ("receive", 1, 0, 0),
        ("receive", 1, 1, 1),
        ("command", 0, Command.CLOSE),
        ("command", 0, Command.OPEN),
        ("connect", 0, 1),
        ("send", 0, 1, 0, 0, 1),
    ):
        world.step(*step)
    assert [words[2][0] >> 4 & 0xF for words in world.queues[1]] == [1]
    assert world.queues[1][0][1] == 2
    assert world.rung == set()
