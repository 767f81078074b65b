# amaranth: UnusedElaboratable=no
from collections import deque
from random import Random

import pytest

from postern_hw.queue import Queue
from postern_spec.config import Config, Identity, Manager, Port
from postern_spec.regmap import Popped

from .support import bits, coin, drive, fill, simulate

PORTS = (Port(identity=Identity.STATIC),)
CONFIGURATIONS = {
    "managed": Config(ports=PORTS, vms=5, lanes=3, words=4, depth=6, open_at_reset=True, credits=1),
    "power_of_two": Config(ports=PORTS, vms=3, lanes=1, words=1, depth=4),
    "fixed": Config(
        ports=PORTS, vms=2, lanes=2, words=16, depth=16, manager=Manager.NONE, open_at_reset=True, credits=16
    ),
}
VM = 1  # whose queue it is


class Model:
    """A queue as ``docs/states.md`` section 4 tells it, on a deque."""

    def __init__(self, c: Config):
        self.messages = deque()
        self.slots = {VM * c.depth + entry for entry in range(c.depth)}  # of the ring, in use or free
        self.fresh = [False] * c.lanes
        self.result = [Popped.NONE] * c.lanes
        self.came, self.went = [0] * c.vms, [0] * c.vms
        self.limit = [c.credits if c.open_at_reset and vm != VM else 0 for vm in range(c.vms)]

    def free(self):
        return self.slots - {message["slot"] for message in self.messages}

    def used(self, vm):
        return sum(message["sender"] == vm for message in self.messages)

    def clock(self, look, take, push, given_up, forget):
        pops = {lane for lane in take if self.fresh[lane]}
        for lane in look:
            self.fresh[lane] = bool(self.messages)
        for lane in take:
            self.result[lane] = Popped.POPPED if lane in pops else Popped.STALE
        if pops:
            self.went[self.messages.popleft()["sender"]] += 1
        if pops or forget:
            self.fresh = [False] * len(self.fresh)
        if forget:
            self.result = [Popped.NONE] * len(self.result)
        if push:
            self.messages.append(push)
            self.came[push["sender"]] += 1
            self.slots = self.slots - {given_up} | {push["slot"]}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_against_a_deque(name):
    c = CONFIGURATIONS[name]
    dut, random, seen = Queue(c, VM), Random(name), set()

    async def bench(ctx):
        await fill(ctx, dut, 4 * c.depth)
        model = Model(c)
        outside = {99, 100, 101} if c.vms > 3 else {0, 12 - c.depth}  # free slots that senders hold
        outside = {slot % (1 << len(dut.free_slot)) for slot in outside} - model.slots
        looks = dut.look_sent, dut.look_gone, dut.look_stop
        senders = [vm for vm in range(c.vms) if c.manager is not Manager.NONE or vm != VM]
        for cycle in range(2500):
            flood = cycle // 100 % 3  # mostly coming, mostly going, both
            sender, reader = random.choice(senders), random.choice(senders)
            room = len(model.messages) < c.depth and model.used(sender) < model.limit[sender]
            push = None
            if room and coin(random, (0.9, 0.2, 0.7)[flood]):
                push = {"slot": random.choice(sorted(outside)), "last": random.randrange(c.words), "sender": sender}
                if c.manager is not Manager.NONE:
                    push["generation"] = random.getrandbits(8)
            look = [lane for lane in range(c.lanes) if coin(random, 0.5)]
            take = [random.randrange(c.lanes)] if coin(random, (0.2, 0.9, 0.7)[flood]) else []
            forget = not model.messages and not push and coin(random, 0.2)
            grant = c.manager is not Manager.NONE and not push and coin(random, 0.1)
            new_limit = random.randint(model.used(sender), c.depth)
            drive(ctx, dut, push=push is not None, sender=sender, reader=reader, look=bits(look), take=bits(take))
            drive(ctx, dut, message=push or {}, forget=forget, grant=grant)
            modulus = 1 << len(dut.sent)
            assert modulus > c.depth
            came = model.came[sender] + bool(push)
            limit = new_limit if grant else model.limit[sender]
            drive(ctx, dut, new_sent=came % modulus, new_stop=(came - limit) % modulus)

            # What is there in this cycle.
            count = len(model.messages)
            pops = any(model.fresh[lane] for lane in take)
            assert ctx.get(dut.filled) == (count > 0)
            assert ctx.get(dut.level) == count
            if count:
                head = ctx.get(dut.head)
                assert {key: head[key] for key in model.messages[0]} == model.messages[0]
            assert ctx.get(dut.popped) == pops
            assert ctx.get(dut.fresh) == bits(lane for lane in range(c.lanes) if model.fresh[lane])
            assert ctx.get(dut.rx_result) == sum(result << 2 * lane for lane, result in enumerate(model.result))
            for vm, signals in ((sender, (dut.sent, dut.gone, dut.stop)), (reader, looks)):
                expected = [model.came[vm], model.went[vm], model.came[vm] - model.limit[vm]]
                assert [ctx.get(signal) for signal in signals] == [value % modulus for value in expected]
            assert ctx.get(dut.spent) == (model.used(sender) == model.limit[sender])
            assert (ctx.get(dut.tail) - ctx.get(dut.first) - count) % c.depth == 0
            given_up = ctx.get(dut.free_slot)
            if count < c.depth:
                assert given_up in model.free()
            seen.update(
                what
                for what, happened in {
                    "full": count == c.depth,
                    "both with one message": push and pops and count == 1,
                    "both with more": push and pops and count > 1,
                    "push into nothing": push and not count,
                    "last one goes": pops and not push and count == 1,
                    "stale": take and not pops,
                    "look at nothing": look and not count,
                    "look while popped": look and pops,
                    "forget after a result": forget and any(model.result),
                }.items()
                if happened
            )

            await ctx.tick()
            model.clock(look, take, push, given_up, forget)
            if push:
                outside = outside - {push["slot"]} | {given_up}
            if grant:
                model.limit[sender] = new_limit
            assert not outside & model.slots
            assert len(model.slots) == c.depth

    simulate(dut, bench)
    assert len(seen) == 9, seen


def test_message_is_there_in_the_next_cycle():
    dut = Queue(CONFIGURATIONS["managed"], VM)

    async def bench(ctx):
        await fill(ctx, dut, 8)
        drive(ctx, dut, push=1, message={"slot": 50, "sender": 2})
        assert not ctx.get(dut.filled)
        await ctx.tick()
        drive(ctx, dut, push=0)
        assert ctx.get(dut.filled)
        assert ctx.get(dut.head).slot == 50

    simulate(dut, bench)
