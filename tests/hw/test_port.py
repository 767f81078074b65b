# amaranth: UnusedElaboratable=no
from collections import deque
from random import Random

import pytest

from postern_hw.native import Sizes
from postern_hw.port import ANSWERS, Port
from postern_spec.config import Config, Identity, Manager
from postern_spec.config import Port as PortConfig
from postern_spec.regmap import address_map, guest_page, manager_page

from .support import FULL, bits, bound, coin, drive, fill, ones, simulate

PAGES = Config(
    ports=(PortConfig(identity=Identity.PAGE),) * 2, vms=3, lanes=3, words=3, depth=4, manager=Manager.PAGE,
    read_error=True,
)  # fmt: skip
CONFIGURATIONS = {
    "registered": PAGES,
    "direct": PAGES.replace(request_register=False),
    "counted": PAGES.replace(counters=True),
    "static": Config(
        ports=(PortConfig(identity=Identity.STATIC, vm=1),) * 2, vms=2, lanes=1, words=4, depth=4,
        manager=Manager.NONE, open_at_reset=True, request_register=False,
    ),
}  # fmt: skip
PORT = 1  # the second one, so that its slots begin behind those of another
EMPTY, TORN = (), None  # what a lane holds, beside a tuple of words


class Lanes:
    """The lanes of one port as ``docs/states.md`` section 2 tells them."""

    def __init__(self, words):
        self.words = words
        self.held = {}
        self.seen = set()  # state and event

    def __getitem__(self, lane):
        return self.held.get(lane, EMPTY)

    def _see(self, lane, event):
        held = self[lane]
        self.seen.add(("TORN" if held is TORN else len(held), event))
        return held

    def stage(self, lane, word, data, strobes):
        held = self._see(lane, ("stage", word) if strobes == FULL else "stage partial")
        if strobes != FULL:
            self.held[lane] = TORN
        elif word == 0:
            self.held[lane] = (data,)
        else:
            self.held[lane] = (*held, data) if held is not TORN and held and word == len(held) else TORN

    def commit(self, lane, many, data, strobes):
        """Return the message, or ``TORN``."""
        held = self._see(lane, f"commit {'many' if many else 'one'}" if strobes == FULL else "commit partial")
        self.held[lane] = EMPTY
        if held is TORN or strobes != FULL:
            return TORN
        fits = 0 < len(held) < self.words if many else not held
        return (*held, data) if fits else TORN

    def empty(self, vms, why):
        for lane in self.held:
            if lane[0] in vms:
                self._see(lane, why)
                self.held[lane] = EMPTY

    @staticmethod
    def arcs(words):
        """Every state together with every event."""
        events = [("stage", word) for word in range(words)]
        events += ["stage partial", "commit one", "commit many", "commit partial", "tear", "reset"]
        return {(state, event) for state in (0, *range(1, words + 1), "TORN") for event in events}


class Rig:
    """Everything around a port: masters, pool, engines and queues. It compares each cycle with what must happen.

    Parameters
    ----------
    odds : dict
        ``offer``, ``take``, ``pool``, ``engine``: how often the bus offers and takes, the pool and the engines grant.
    """

    def __init__(self, c: Config, dut, random, **odds):
        self.c, self.dut, self.random = c, dut, random
        self.odds = {"offer": 0.8, "take": 0.7, "pool": 0.7, "engine": 0.7} | odds
        self.page = guest_page(c)
        self.map = address_map(c, PORT)
        self.vms = c.port_vms(PORT)
        self.writes, self.reads = deque(), deque()  # what the bus has still to offer
        self.offers = {"write": False, "read": False}
        self.accepted = {"write": deque(), "read": deque()}
        self.cycle = self.waited = 0
        # Writes.
        self.lanes = Lanes(c.words)
        self.open = set(range(c.vms))
        self.pool = {}
        sizes = Sizes(c)
        self.read_delay = sizes.read_delay
        base = c.vms * c.depth + sum(sizes.lane_slots[:PORT]) + PORT
        self.mine = set(range(base, base + 1 + sizes.lane_slots[PORT]))  # spare and lanes
        self.others = set(range(c.depth))
        self.lane_slot = {}
        self.acting = deque()  # what the write engine holds, and in which cycle it acts on it
        self.owed = self.unanswered = 0
        self.messages, self.issued, self.answered = [], 0, 0
        # Reads.
        self.queues = [None] * c.vms  # head of each
        self.were_open = self.open
        self.under_way = [None] * (2 + sizes.read_delay)  # the reads in stages 2 and later
        self.pool_answers = [0] * (1 + sizes.read_delay)  # of now and the cycles to come
        self.due = deque()  # answers that the bus has not taken
        self.popped = 0
        self.back = None
        self.hold = 0
        self.drained = 0

    def address(self, vm, offset):
        return self.map.guest(vm) + offset

    def _offer(self, ctx):
        for name, queue in (("write", self.writes), ("read", self.reads)):
            stream = getattr(self.dut, name)
            if queue:
                self.offers[name] |= coin(self.random, self.odds["offer"])
                access = queue[0]
                payload = {"address": access["address"], "strobes": access["strobes"]}
                ctx.set(stream.payload, payload | ({"data": access["data"]} if name == "write" else {}))
            ctx.set(stream.valid, self.offers[name])

    async def step(self, ctx, *, reset=0, tear=0, fresh=0, take=None):
        """Go through one cycle."""
        assert self.cycle < 20_000  # or something waits for ever
        dut, random, odds = self.dut, self.random, self.odds
        if reset:  # the master is reset, too
            self.offers = {"write": False, "read": False}
        self._offer(ctx)
        drive(ctx, dut, reset=reset, tear=tear, fresh=fresh, open=bits(self.open), hold=self.hold)
        ctx.set(dut.changed, bool(self.open - self.were_open))
        self.were_open = set(self.open)
        ctx.set(dut.written.ready, coin(random, odds["take"]) if take is None else take)
        ctx.set(dut.answer.ready, coin(random, odds["take"]) if take is None else take)
        self._act(ctx)
        drive(ctx, dut, filled=bits(vm for vm, head in enumerate(self.queues) if head))
        for vm, head in enumerate(self.queues):
            if head:
                ctx.set(dut.head[vm], head)
        ctx.set(dut.r_pool.data, self.pool_answers.pop(0))
        answer = {"r_data": random.getrandbits(32), "r_good": coin(random, 0.7)}
        drive(ctx, dut, **answer, r_error=not answer["r_good"])
        for side in (dut.w_pool, dut.r_pool):
            ctx.set(side.grant, ctx.get(side.request) and coin(random, odds["pool"]))
        for side in (dut.w_engine, dut.r_engine):
            ctx.set(side.ready, ctx.get(side.valid) and coin(random, odds["engine"]))

        done = self._last_stage(answer)
        self._stage_two(ctx, reset, fresh)
        self._accept(ctx, reset)
        self._issue_write(ctx, reset)
        self._issue_read(ctx, reset)
        if self.c.counters:
            self._waits(ctx)
        self._answer(ctx, reset, done)
        if reset:
            self._reset()
        self.lanes.empty([vm for vm in range(self.c.vms) if tear >> vm & 1], "tear")
        await ctx.tick()
        self.cycle += 1

    def _reset(self):
        for queue in self.accepted.values():
            queue.clear()
        for acting in self.acting:  # acts all the same, but is not answered
            acting["dropped"] = True
        self.lanes.empty(range(self.c.vms), "reset")
        self.owed = self.unanswered = 0
        self.due.clear()
        self.under_way = [None] * len(self.under_way)

    def _accept(self, ctx, reset):
        for name, queue in (("write", self.writes), ("read", self.reads)):
            if ctx.get(getattr(self.dut, name).valid) and ctx.get(getattr(self.dut, name).ready):
                assert not reset
                access = queue.popleft()
                # A read of DRAIN waits for the writes that were accepted in earlier cycles.
                access["older"] = [write for write in self.accepted["write"] if write["cycle"] < self.cycle]
                access["cycle"] = self.cycle
                self.accepted[name].append(access)
                self.offers[name] = False

    # Writes.

    def _act(self, ctx):
        """The write engine acts on what it took in the cycle before: a commit costs a slot and brings one."""
        acts = bool(self.acting) and self.acting[0]["cycle"] == self.cycle
        acting = self.acting.popleft() if acts else None
        swaps = acts and acting["commit"] and not acting["torn"]
        back, self.back = self.back, None  # its number comes a cycle later
        if swaps:
            accepted = coin(self.random, 0.7)
            self.back = self.random.choice(sorted(self.others)) if accepted else acting["slot"]
            if accepted:
                self.others = self.others - {self.back} | {acting["slot"]}
            self.mine.add(self.back)
        anything = self.random.getrandbits(len(self.dut.back))
        drive(ctx, self.dut, w_acted=acts, slot_back=swaps, back=anything if back is None else back)
        self.owing = acts and not acting["dropped"]

    def _issue_write(self, ctx, reset):
        dut = self.dut
        stores, passes = ctx.get(dut.w_pool.grant), ctx.get(dut.w_engine.valid) and ctx.get(dut.w_engine.ready)
        owed = int(self.owing)
        if stores and ctx.get(dut.w_pool.enable):
            slot, word = ctx.get(dut.w_pool.slot), ctx.get(dut.w_pool.word)
            assert slot in self.mine
            self.pool[slot, word] = ctx.get(dut.w_pool.data)
        if ctx.get(dut.w_issue):
            access = self.accepted["write"].popleft()
            access["issued"] = self.cycle
            self.issued += 1
            self.unanswered += 1
            owed += self._effect(ctx, access, stores, passes)
        else:
            assert not passes
        self.owed_next = owed

    def _effect(self, ctx, access, stores, passes):
        """Compare what a write does. Return how many answers it is owed now."""
        name, vm, where, data, strobes = (access[key] for key in ("name", "vm", "where", "data", "strobes"))
        # Requests of a port take effect in order: what the engine still holds acts in this cycle at the latest.
        assert all(acting["cycle"] <= self.cycle + (name == "COMMIT" and passes) for acting in self.acting)
        if strobes == 0:  # no access at all, whoever answers it
            if passes:
                payload = ctx.get(self.dut.w_engine.payload)
                assert (payload.commit, payload.strobes) == (0, 0)
                self.acting.append({"commit": 0, "cycle": self.cycle + 2, "dropped": False})
            return int(not passes)
        if name == "STAGE" and strobes == FULL and vm in self.open:
            assert stores
            assert not passes
            self.lanes.stage((vm, where[0]), where[1], data, strobes)
            self._own((vm, where[0]), ctx.get(self.dut.w_pool.slot))
            return 1
        assert passes
        assert not (access["manager"] and self.hold)
        payload = ctx.get(self.dut.w_engine.payload)
        for key, value in bound(self.c, PORT, access["address"], vm, allowed=True, strobes=strobes).items():
            assert payload[key] == value, key
        assert (payload.data, payload.commit, payload.direct) == (data, name == "COMMIT", name == "STAGE")
        acting = {key: payload[key] for key in ("commit", "torn", "slot")}
        # A commit acts in the next cycle, anything else in that after it.
        self.acting.append(acting | {"cycle": self.cycle + (1 if payload.commit else 2), "dropped": False})
        if name == "STAGE" and vm in self.open:  # the lanes of a closed VM stay as they are
            self.lanes.stage((vm, where[0]), where[1], data, strobes)
        if name == "COMMIT":
            message = self.lanes.commit((vm, where[0]), where[2], data, strobes)
            assert payload.torn == (message is TORN)
            if message is not TORN:
                if vm in self.open:  # a closed VM's words are not stored, and the engine refuses its commits
                    assert tuple(self.pool[payload.slot, word] for word in range(payload.last)) == message[:-1]
                    assert (payload.last, payload.data) == (len(message) - 1, message[-1])
                self._own((vm, where[0]), payload.slot)
                self.mine.remove(payload.slot)
                del self.lane_slot[vm, where[0]]
                self.messages.append(message)
        return 0

    def _waits(self, ctx):
        """Who asks and gets nothing waits; who is passed on does not."""
        dut, must, may = self.dut, set(), set()
        for queue, engine, pool, issue in (
            (self.accepted["write"], dut.w_engine, dut.w_pool, dut.w_issue),
            (self.accepted["read"], dut.r_engine, dut.r_pool, dut.r_issue),
        ):
            if not queue or ctx.get(issue) or queue[0]["vm"] is None:
                continue
            if ctx.get(engine.valid):
                must.add(queue[0]["vm"])
            elif ctx.get(pool.request) and not ctx.get(pool.grant):
                may.add(queue[0]["vm"])  # or it goes to the engine in the next cycle
        waits = set(ones(ctx.get(dut.waits)))
        assert must <= waits <= must | may
        self.waited += len(waits)

    def _own(self, lane, slot):
        """A lane keeps its slot until a commit takes it, and shares it with nobody."""
        assert self.lane_slot.setdefault(lane, slot) == slot
        assert len(set(self.lane_slot.values())) == len(self.lane_slot)

    # Reads.

    def _issue_read(self, ctx, reset):
        dut = self.dut
        passes = ctx.get(dut.r_engine.valid) and ctx.get(dut.r_engine.ready)
        assert ctx.get(dut.answer.valid) == (len(self.due) > 0 and not reset)
        payload = ctx.get(dut.answer.payload)
        offered = (payload.data, payload.error)
        assert not ctx.get(dut.answer.valid) or offered == self.due[0]
        self.taken = offered if ctx.get(dut.answer.valid) and ctx.get(dut.answer.ready) else None
        self.first = None
        if not ctx.get(dut.r_issue):
            assert not passes
            return
        access = self.accepted["read"].popleft()
        name, vm, where, strobes = (access[key] for key in ("name", "vm", "where", "strobes"))
        assert self._outstanding() < Port.responses(self.c) + bool(self.taken)
        head = self.queues[vm] if vm is not None else None
        whole = strobes == FULL
        pops = name == "POP" and whole
        payload_read = bool(strobes) and (name == "WORD" or pops)
        engine = not (payload_read and vm in self.open)
        assert passes == engine or strobes == 0
        engine = passes
        read = {"engine": engine, "word": None, "pops": None, "cell": None}
        if engine:
            assert not (access["manager"] and self.hold)
            payload = ctx.get(dut.r_engine.payload)
            for key, value in bound(self.c, PORT, access["address"], vm, allowed=True, strobes=strobes).items():
                assert payload[key] == value, key
            assert payload.direct == payload_read or strobes == 0
            if name == "DRAIN":
                assert all(write.get("issued", self.cycle) < self.cycle for write in access["older"])
                self.drained += bool(access["older"])
        elif payload_read:
            assert vm != self.popping  # its head is about to change
            if pops:
                read["pops"] = vm * self.c.lanes + where[0]
            if head and (pops or where[0] <= head["last"]):
                place = head["slot"], head["last"] if pops else where[0]
                assert ctx.get(dut.r_pool.grant)
                assert (ctx.get(dut.r_pool.slot), ctx.get(dut.r_pool.word)) == place
                read["word"] = self.pool[place]
            # The pool gives some word even where there is none to be shown.
            read["cell"] = self.random.getrandbits(32) if read["word"] is None else read["word"]
        self.first = read

    def _outstanding(self):
        return len(self.due) + sum(read is not None for read in self.under_way)

    def _stage_two(self, ctx, reset, fresh):
        """A pop is decided."""
        read, take = self.under_way[0], 0
        self.popping = None  # whose head goes at the end of this cycle
        kept = read and read["cell"] is not None and ctx.get(self.dut.r_pool.keep)
        self.pool_answers.append(read["cell"] if kept else 0)
        if read and read["pops"] is not None:
            take = 1 << read["pops"]
            self.popped += 1
            if take & fresh:
                self.popping = read["pops"] // self.c.lanes
            else:
                read["word"] = None
        assert ctx.get(self.dut.take) == take

    def _last_stage(self, answer):
        """The engine answers. Return word and error of the read that is done."""
        read = self.under_way[-1]
        if read is None:
            return None
        if read["engine"]:
            good = answer["r_good"]
            return answer["r_data"] * good, int(not good and self.c.read_error)
        return read["word"] or 0, 0

    def _answer(self, ctx, reset, done):
        dut = self.dut
        assert ctx.get(dut.written.valid) == (self.owed > 0 and not reset)
        if ctx.get(dut.written.valid) and ctx.get(dut.written.ready):
            self.owed -= 1
            self.unanswered -= 1
            self.answered += 1
        self.owed += self.owed_next
        assert self.unanswered <= ANSWERS
        if self.taken:
            assert self.taken == self.due.popleft()
            self.answered += 1
        if done is not None:
            self.due.append(done)
        self.under_way = [self.first, *self.under_way[:-1]]

    # What the masters ask for.

    def write(self, name, vm, *where, data=None, strobes=FULL, upper=0):
        """Queue a write of a register; ``upper`` goes to its upper half or off its alignment."""
        page = self.page if name in self.page else manager_page(self.c)
        base = self.map.guest(vm) if page is self.page else self.map.manager_base
        self.writes.append(self._access(page, name, vm, where, base, upper, strobes))
        self.writes[-1]["data"] = self.random.getrandbits(32) if data is None else data

    def read(self, name, vm, *where, strobes=FULL, upper=0):
        page = self.page if name in self.page else manager_page(self.c)
        base = self.map.guest(vm) if page is self.page else self.map.manager_base
        self.reads.append(self._access(page, name, vm, where, base, upper, strobes))

    def _access(self, page, name, vm, where, base, upper, strobes):
        manager = page is not self.page
        return {
            "address": base + getattr(page, name).at(*where) + upper,
            "name": "" if upper else name,
            "vm": None if manager and self.c.ports[PORT].identity is Identity.PAGE else vm,
            "where": where,
            "strobes": strobes,
            "manager": manager,
        }

    def message(self, vm, lane, words):
        """Queue the writes of a message."""
        for word in range(words - 1):
            self.write("STAGE", vm, lane, word)
        self.write("COMMIT", vm, lane, 0, int(words > 1), 0)

    def random_write(self):
        c, random = self.c, self.random
        vm, lane = random.choice(self.vms), random.randrange(c.lanes)
        strobes = random.choices((FULL, random.randrange(1, 15), 0), (12, 2, 1))[0]
        kind = random.choices(("message", "stage", "commit", "upper", "ACK", "manager"), (3, 6, 4, 1, 1, 1))[0]
        held = self.lanes[vm, lane]
        if kind == "message":
            self.message(vm, lane, random.randint(1, c.words))
        elif kind == "stage":
            fitting = len(held) % c.words if held else 0
            word = random.choice((fitting, fitting, fitting, random.randrange(c.words)))
            self.write("STAGE", vm, lane, word, strobes=strobes)
        elif kind == "commit":
            self.write("COMMIT", vm, lane, 0, random.randrange(2), random.randrange(c.vms), strobes=strobes)
        elif kind == "upper":
            name, where = random.choice((("STAGE", (lane, 0)), ("COMMIT", (lane, 0, 1, 0))))
            self.write(name, vm, *where, upper=random.choice((1, 2, 4, 6)), strobes=strobes)
        elif kind == "ACK" or c.manager is Manager.NONE:
            self.write("ACK", vm, lane, strobes=strobes)
        else:
            self.write("TEAR", vm)

    def random_read(self):
        c, random = self.c, self.random
        vm, lane = random.choice(self.vms), random.randrange(c.lanes)
        strobes = random.choices((FULL, random.randrange(1, 15), 0), (12, 1, 1))[0]
        kind = random.choices(("WORD", "POP", "HEADER", "SELF", "upper", "DRAIN"), (5, 4, 4, 2, 1, 2))[0]
        if kind == "WORD":
            self.read("WORD", vm, random.randrange(c.words), strobes=strobes)
        elif kind in ("POP", "HEADER"):
            self.read(kind, vm, lane, strobes=strobes)
        elif kind == "SELF" or (kind == "DRAIN" and c.manager is Manager.NONE):
            self.read("SELF", vm, strobes=strobes)
        elif kind == "upper":
            self.read("POP", vm, lane, upper=random.choice((1, 2, 4, 6)), strobes=strobes)
        else:
            self.read("DRAIN", vm)


async def start(ctx, c, dut, random, **odds):
    """Fill the tables, during which nothing may be accepted, and return the rig."""
    drive(ctx, dut.write, valid=1)
    drive(ctx, dut.read, valid=1)
    assert not ctx.get(dut.write.ready)
    assert not ctx.get(dut.read.ready)
    await fill(ctx, dut, 4 * c.vms * c.lanes)
    drive(ctx, dut, ready=1)
    return Rig(c, dut, random, **odds)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_arc_of_a_lane(name):
    c = CONFIGURATIONS[name]
    dut, random = Port(c, PORT), Random(name)

    async def bench(ctx):
        rig = await start(ctx, c, dut, random, offer=1, take=1, pool=1, engine=1)
        vm, lane = rig.vms[-1], c.lanes - 1

        async def settle():
            while rig.writes or rig.accepted["write"]:
                await rig.step(ctx)

        async def do(event):
            if event == "tear":
                await rig.step(ctx, tear=1 << vm)
            elif event == "reset":
                await rig.step(ctx, reset=1)
            else:
                what, which = event if isinstance(event, tuple) else event.split()
                strobes = random.randrange(1, 15) if which == "partial" else FULL
                if what == "stage":
                    rig.write("STAGE", vm, lane, 0 if which == "partial" else which, strobes=strobes)
                else:
                    rig.write("COMMIT", vm, lane, 0, int(which != "one"), 0, strobes=strobes)
                await settle()

        for state, event in sorted(Lanes.arcs(c.words), key=str):
            for probe in ("commit one", "commit many"):
                for word in range(state if state != "TORN" else 1):
                    await do(("stage", word))
                if state == "TORN":
                    await do("stage partial")
                await do(event)
                await do(probe)
                await do("tear")
        assert rig.lanes.seen >= Lanes.arcs(c.words)
        assert len(rig.messages) > 20

    simulate(dut, bench)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_write_without_strobes_leaves_a_staged_word_as_it_is(name):
    c = CONFIGURATIONS[name]
    dut, random = Port(c, PORT), Random(name)

    async def bench(ctx):
        rig = await start(ctx, c, dut, random, offer=1, take=1, pool=1, engine=1)
        for _ in range(4):
            rig.write("STAGE", rig.vms[-1], 0, 0)
            rig.write("STAGE", rig.vms[-1], 0, 0, strobes=0)
            rig.write("COMMIT", rig.vms[-1], 0, 0, 1, 0)
            while rig.writes or rig.accepted["write"]:
                await rig.step(ctx)
        assert len(rig.messages) == 4

    simulate(dut, bench)


def random_head(c, random, slots):
    head = {"slot": random.choice(slots), "last": random.randrange(c.words), "sender": random.randrange(c.vms)}
    return head if c.manager is Manager.NONE else head | {"generation": random.getrandbits(8)}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_random_accesses(name):
    c = CONFIGURATIONS[name]
    dut, random = Port(c, PORT), Random(name)

    async def bench(ctx):
        rig = await start(ctx, c, dut, random)
        for slot in range(c.depth):
            rig.pool |= {(slot, word): random.getrandbits(32) for word in range(c.words)}
        resetting, changing = 0, set()
        for cycle in range(1500):
            while len(rig.writes) < 2:
                rig.random_write()
            while len(rig.reads) < 2:
                rig.random_read()
            if cycle % 100 == 0:
                pace = random.choice(((0.9, 0.9, 0.9), (0.1, 0.9, 0.9), (0.9, 0.3, 0.9), (0.9, 0.9, 0.2)))
                rig.odds |= dict(zip(("take", "pool", "engine"), pace, strict=True))
            if cycle % 7 == 0:  # a head stays while it is read; the queues of other tests move
                heads = sorted(slot for slot in rig.others if all((slot, w) in rig.pool for w in range(c.words)))
                rig.queues = [
                    random_head(c, random, heads) if heads and coin(random, 0.7) else None for _ in rig.queues
                ]
            tear = bits(vm for vm in rig.vms if coin(random, 0.01))
            if c.manager is not Manager.NONE:
                rig.hold = coin(random, 0.2)
                rig.open ^= changing
                changing = {random.choice(rig.vms)} if coin(random, 0.02) else set()
                tear |= bits(changing)  # closing and opening empty the lanes; the cycle after that shows it
            resetting = resetting - 1 if resetting else random.randint(1, 3) * coin(random, 0.01)
            await rig.step(ctx, reset=resetting > 0, tear=tear, fresh=random.getrandbits(c.vms * c.lanes))
        while any((*rig.accepted.values(), rig.owed, rig.due, rig.acting, *rig.under_way)):
            rig.offers = {"write": False, "read": False}
            rig.writes.clear()
            rig.reads.clear()
            rig.hold = 0
            await rig.step(ctx, take=1)
        assert len(rig.messages) > 50
        assert rig.popped > 15
        assert rig.drained > 3 or name != "registered"

    simulate(dut, bench)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_word_per_cycle_in_each_direction(name):
    c = CONFIGURATIONS[name]
    dut, random = Port(c, PORT), Random(name)

    async def bench(ctx):
        rig = await start(ctx, c, dut, random, offer=1, take=1, pool=1, engine=1)
        rig.pool = {(0, word): 100 + word for word in range(c.words)}
        rig.queues = [{"slot": 0, "last": c.words - 1}] * c.vms
        vm, messages = rig.vms[-1], 20
        for _ in range(messages):
            rig.message(vm, 0, c.words)
            for word in range(c.words):
                rig.read("WORD", vm, word)
        for _ in range(messages * c.words + 4 + rig.read_delay):
            await rig.step(ctx)
        assert rig.answered == 2 * messages * c.words
        assert len(rig.messages) == messages

    simulate(dut, bench)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_bus_that_takes_no_answers_stops_the_port(name):
    c = CONFIGURATIONS[name]
    dut, random = Port(c, PORT), Random(name)

    async def bench(ctx):
        rig = await start(ctx, c, dut, random, offer=1, pool=1, engine=1)
        for _ in range(20):
            rig.message(rig.vms[0], 0, 1)
            rig.read("SELF", rig.vms[0])
        for _ in range(60):
            await rig.step(ctx, take=0)
        assert 3 <= rig.unanswered <= ANSWERS
        assert len(rig.due) == Port.responses(c)
        for _ in range(60):
            await rig.step(ctx, take=1)
        assert rig.answered == 40

    simulate(dut, bench)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_spare_slot_returns_although_the_port_is_reset(name):
    c = CONFIGURATIONS[name]
    dut, random = Port(c, PORT), Random(name)

    async def bench(ctx):
        rig = await start(ctx, c, dut, random, offer=1, take=1, pool=1, engine=1)
        for _ in range(5):
            rig.message(rig.vms[0], 0, 1)
            while not rig.acting:
                await rig.step(ctx)
            await rig.step(ctx, reset=1)  # in the cycle in which the commit acts
            assert not rig.owed
        assert len(rig.messages) == 5
        for _ in range(4):
            await rig.step(ctx)
            assert not ctx.get(dut.written.valid)

    simulate(dut, bench)


def test_pop_acts_though_a_reset_takes_its_answer():
    c = CONFIGURATIONS["registered"]
    dut, random = Port(c, PORT), Random(1)

    async def bench(ctx):
        rig = await start(ctx, c, dut, random, offer=1, take=1, pool=1, engine=1)
        rig.pool[0, 0] = 5
        rig.queues = [{"slot": 0, "last": 0}] * c.vms
        for reset in (0, 1):
            rig.read("POP", 2, 1)
            while rig.under_way[0] is None:
                await rig.step(ctx)
            await rig.step(ctx, reset=reset, fresh=-1)
            assert rig.popped == 1 + reset
            for _ in range(4 + rig.read_delay):
                await rig.step(ctx)
            assert rig.answered == 1

    simulate(dut, bench)


def test_drain_waits_for_the_older_write_only():
    c = CONFIGURATIONS["registered"]
    dut, random = Port(c, PORT), Random(1)

    async def bench(ctx):
        rig = await start(ctx, c, dut, random, offer=1, take=1, pool=1, engine=1)
        rig.write("ACK", 0, 0)
        await rig.step(ctx)
        rig.odds["engine"] = 0
        rig.read("DRAIN", 0)
        for _ in range(8):
            await rig.step(ctx)
            assert not ctx.get(dut.r_engine.valid)
        # One cycle lets the older write go; the next write comes in at once, and DRAIN no longer waits.
        rig.write("ACK", 0, 0)
        rig.write("ACK", 0, 0)
        rig.odds["engine"] = 1
        await rig.step(ctx)
        assert rig.issued == 1
        rig.odds["engine"] = 0
        await rig.step(ctx)
        assert rig.accepted["write"]
        assert ctx.get(dut.r_engine.valid)
        rig.odds["engine"] = 1
        for _ in range(12):
            await rig.step(ctx)
        assert rig.answered == 4

    simulate(dut, bench)


@pytest.mark.parametrize(
    ("what", "name", "where", "odds"),
    [
        ("write", "ACK", (0,), "engine"),
        ("write", "COMMIT", (0, 0, 0, 1), "engine"),
        ("write", "STAGE", (0, 0), "pool"),
        ("read", "SELF", (), "engine"),
        ("read", "HEADER", (0,), "engine"),
        ("read", "WORD", (0,), "pool"),
    ],
)
def test_who_is_held_up_by_others_waits(what, name, where, odds):
    """Every cycle in which it asks and gets nothing, and no other."""
    c, vm, cycles = CONFIGURATIONS["counted"], 2, 7
    dut, random = Port(c, PORT), Random(1)

    async def bench(ctx):
        rig = await start(ctx, c, dut, random, offer=1, take=1, pool=1, engine=1)
        rig.odds[odds] = 0
        getattr(rig, what)(name, vm, *where)
        await rig.step(ctx)  # it is accepted, and asks in the next cycle
        assert rig.waited == 0
        for cycle in range(cycles):
            await rig.step(ctx)
            assert rig.waited == cycle + 1
        rig.odds[odds] = 1
        for _ in range(8):
            await rig.step(ctx)
        assert (rig.waited, rig.answered) == (cycles, 1)

    simulate(dut, bench)


def test_what_the_port_itself_holds_back_does_not_wait():
    c = CONFIGURATIONS["counted"]
    dut, random = Port(c, PORT), Random(1)

    async def bench(ctx):
        rig = await start(ctx, c, dut, random, offer=1, pool=1, engine=1)
        for _ in range(12):  # answers that nobody takes, and writes behind a write that is slow
            rig.message(0, 0, 1)
            rig.write("ACK", 0, 0)
            rig.read("SELF", 0)
        for _ in range(60):
            await rig.step(ctx, take=0)
        rig.hold = 1  # a VM is opened
        rig.write("TEAR", 0)
        rig.read("DRAIN", 0)
        for _ in range(60):
            await rig.step(ctx, take=1)
        assert (rig.waited, rig.answered) == (0, 36)

    simulate(dut, bench)
