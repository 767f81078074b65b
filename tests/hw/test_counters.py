# amaranth: UnusedElaboratable=no
from collections import Counter
from random import Random

import pytest

from postern_hw.counters import EVENTS, Counters
from postern_spec.config import Config, Identity, Port
from postern_spec.regmap import Count, Result, counts

from .support import bits, coin, drive, fill, ones, simulate

BASE = Config(ports=(Port(identity=Identity.PAGE),) * 2, vms=5, depth=6, counters=True)
CONFIGURATIONS = {
    "flip-flops": BASE.replace(vms=2, depth=2),
    "five": BASE,
    "blocks": BASE.replace(vms=8, blocks=5, block_size=64),
    "wide": BASE.replace(vms=33, depth=256, page_stride=65536),
}
WIDTH = 2  # so that counters wrap


class Expected:
    """The counters as ``docs/states.md`` section 14 tells them."""

    def __init__(self, width):
        self.width = width
        self.values = Counter()
        self.added = Counter()  # cycles of waiting that the component said it added
        self.due = []

    def happens(self, vm, what, value=None):
        self.due.append((vm, what, value))

    def clock(self):
        """Return after the cycle in which what happened in the one before is counted."""
        due, self.due = self.due, []
        for vm, what, value in due:
            if what is None:
                for key in [key for key in self.values if key[0] == vm]:
                    del self.values[key]
            elif value is None:
                self.values[vm, what] = (self.values[vm, what] + 1) % (1 << self.width)
            else:
                self.values[vm, what] = max(self.values[vm, what], value)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_random_events_against_the_model(name):
    c = CONFIGURATIONS[name]
    dut, random, expected = Counters(c, width=WIDTH), Random(name), Expected(WIDTH)
    vms = range(c.vms)
    few = [0, c.vms - 1, c.vms // 2]  # meet more often
    wrapped = set()

    async def bench(ctx):
        for _ in range(2500 if c.vms <= 8 else 400):
            event, received, allocated = coin(random, 0.6), coin(random, 0.5), c.blocks and coin(random, 0.4)
            vm, receiver, account = (random.choice(few) for _ in range(3))
            what, level, used = random.randrange(EVENTS), random.randrange(c.depth), random.randrange(c.blocks or 1)
            clear = bits(v for v in vms if coin(random, 0.005))
            drive(ctx, dut, event=event, vm=vm, what=what, received=received, receiver=receiver, level=level)
            ctx.set(dut.clear, clear)
            if c.blocks:
                drive(ctx, dut, allocated=allocated, account=account, used=used)
            for _ in range(4):
                seen = random.choice(few) if coin(random, 0.9) else random.randrange(c.vms)
                kind = random.choice([item for item in counts(c) if item is not Count.WAITED])
                drive(ctx, dut, look_vm=seen, look_what=kind)
                assert ctx.get(dut.look) == expected.values[seen, kind], (seen, kind)
            for number in range(len(counts(c)), 16):
                if number not in counts(c):
                    ctx.set(dut.look_what, number)
                    assert ctx.get(dut.look) == 0
            await ctx.tick()
            expected.clock()
            if event:
                if expected.values[vm, what] == (1 << WIDTH) - 1:
                    wrapped.add(what)
                expected.happens(vm, Count(what))
            if received:
                expected.happens(receiver, Count.RECEIVED)
                expected.happens(receiver, Count.QUEUE_PEAK, level + 1)
            if allocated:
                expected.happens(account, Count.BLOCKS_PEAK, used + 1)
            for v in ones(clear):
                expected.happens(v, None)

    simulate(dut, bench)
    if name == "flip-flops":
        assert wrapped == set(range(EVENTS))


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_cycles_of_waiting_are_all_counted(name):
    """Any number of VMs wait in a cycle. What a clear does not take is in the counter ``VMS + 1`` cycles later."""
    c = CONFIGURATIONS[name]
    dut, random = Counters(c), Random(3)
    waited = Counter()

    async def bench(ctx):
        added = Counter()
        for cycle in range(15 * max(c.vms, 8)):
            often = (0.1, 0.9, 1)[cycle // c.vms % 3]
            waits = bits(vm for vm in range(c.vms) if coin(random, often))
            clear = bits(vm for vm in range(c.vms) if coin(random, 0.1 / c.vms))
            drive(ctx, dut, waits=waits, clear=clear)
            added[ctx.get(dut.added_vm)] += ctx.get(dut.added)
            await ctx.tick()
            for vm in ones(waits):
                waited[vm] += 1
            for vm in ones(clear):
                waited[vm] = 0
        drive(ctx, dut, waits=0, clear=0)
        await ctx.tick().repeat(c.vms + 1)
        ctx.set(dut.look_what, Count.WAITED)
        for vm in range(c.vms):
            ctx.set(dut.look_vm, vm)
            assert ctx.get(dut.look) == waited[vm]
        assert sum(added.values()) >= sum(waited.values()) > 0

    simulate(dut, bench)


def test_after_reset_everything_is_zero_whatever_the_tables_held():
    c = CONFIGURATIONS["blocks"]
    dut = Counters(c)

    async def bench(ctx):
        await fill(ctx, dut, 64)
        for vm in range(c.vms):
            for what in counts(c):
                drive(ctx, dut, look_vm=vm, look_what=what)
                assert ctx.get(dut.look) == 0

    simulate(dut, bench)


def test_outcomes_are_counted_under_their_own_number():
    assert [Count[item.name] for item in Result if item is not Result.ACCEPTED] == [
        item.value for item in Result if item is not Result.ACCEPTED
    ]
    assert Count.SENT == Result.ACCEPTED
