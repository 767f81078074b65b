# amaranth: UnusedElaboratable=no
from random import Random

import pytest

from postern_hw.interrupts import Interrupts
from postern_spec.config import Config, Identity, Manager, Port
from postern_spec.regmap import Interrupt, sources

from .support import bits, coin, drive, ones, simulate

MAIL, DOORBELL, CREDIT, PEER, REFUSAL, *_ = (1 << source for source in Interrupt)
PORTS = (Port(identity=Identity.PAGE, cores=2), Port(identity=Identity.STATIC, vm=1))
EVENTS = ("filled", "popped", "doorbell", "credit", "peer", "opened", "closed", "refusing", "open")
WRITES = ("clear", "test", "set_moderation", "set_enable", "set_resident", "arm", "disarm", "clear_fired")


def configuration(**changes):
    return Config(ports=PORTS, vms=changes.pop("vms", 3), depth=4, page_stride=65536, **changes)


class Model:
    """``docs/states.md`` sections 7 and 8, a cycle at a time."""

    def __init__(self, c: Config):
        self.c = c
        vms = range(c.vms)
        self.latch = [0 for _ in vms]
        self.enable = [[0] * c.cores for _ in vms]
        self.count, self.time, self.waited = ([0 for _ in vms] for _ in range(3))
        self.fixed = [p.vm if p.identity is Identity.STATIC else None for p in c.ports for _ in range(p.cores)]
        self.resident = list(self.fixed)
        self.armed, self.fired = set(), set()

    def state(self, vm, now):
        mail = now["filled"] >> vm & 1
        if self.c.moderation:
            expired = self.time[vm] and self.waited[vm] >= self.time[vm]
            mail = mail and (self.count[vm] <= 1 or now["level"][vm] >= self.count[vm] or expired)
        state = self.latch[vm] | MAIL * bool(mail)
        return state | DOORBELL * (now["doorbell"] >> vm & 1) | REFUSAL * (now["refusing"] >> vm & 1)

    def line(self, core, now):
        vm = self.resident[core]
        return vm is not None and bool(self.state(vm, now) & self.enable[vm][core])

    def waiting(self, now):
        return {
            vm
            for vm in range(self.c.vms)
            if now["open"] >> vm & 1
            and vm not in self.resident
            and any(self.state(vm, now) & enable for enable in self.enable[vm])
        }

    def clock(self, now, does, vm, core, data, half):
        fires = self.waiting(now) & self.armed
        chosen = {v for v in ones(data << 32 * half) if v < self.c.vms}
        self.armed = self.armed - fires - (chosen if does == "disarm" else set())
        self.armed |= chosen if does == "arm" else set()
        self.fired = self.fired - (chosen if does == "clear_fired" else set()) | fires
        if does == "clear":
            self.latch[vm] &= ~data
        elif does == "test":
            self.latch[vm] |= data & (1 << len(sources(self.c))) - 1
        elif does == "set_enable":
            self.enable[vm][core] = data & (1 << len(sources(self.c))) - 1
        elif does == "set_moderation":
            self.count[vm], self.time[vm] = data & 0x1FF, data >> 16
        elif does == "set_resident" and self.fixed[core] is None:
            self.resident[core] = data & 3 if data >> 31 else None
        for v in range(self.c.vms):
            if (now["opened"] | now["closed"]) >> v & 1:
                self.latch[v] = 0
            self.latch[v] |= CREDIT * (now["credit"] >> v & 1) | PEER * (now["peer"] >> v & 1)
            if now["closed"] >> v & 1:
                self.enable[v] = [0] * self.c.cores
                self.count[v] = self.time[v] = 0
            restarts = not now["filled"] >> v & 1 or now["popped"] >> v & 1
            self.waited[v] = 0 if restarts else self.waited[v] + 1


@pytest.mark.parametrize("moderation", [False, True])
def test_random_events_and_writes_against_the_model(moderation):
    c = configuration(moderation=moderation)
    dut, random, seen = Interrupts(c), Random(moderation), set()

    async def bench(ctx):
        model = Model(c)
        calm = dict.fromkeys(EVENTS, 0) | {"open": 0b111, "filled": 0}
        levels = dict.fromkeys(("filled", "doorbell", "refusing"), 0)
        for cycle in range(2500):
            now = dict(calm)
            for name in levels:  # what lasts
                levels[name] ^= bits(vm for vm in range(c.vms) if coin(random, 0.03))
            now |= levels
            for name, odds in (("credit", 0.1), ("peer", 0.1), ("opened", 0.01), ("closed", 0.01)):
                now[name] = bits(vm for vm in range(c.vms) if coin(random, odds))
            now["popped"] = now["filled"] & bits(vm for vm in range(c.vms) if coin(random, 0.05))
            now["open"] = random.choice((0b111, 0b111, 0b111, 0b011))
            now["level"] = [random.randint(1, 4) if now["filled"] >> vm & 1 else 0 for vm in range(c.vms)]
            does = random.choice((*WRITES, "arm", "set_resident", "", "", "")) if cycle % 64 < 40 else ""
            vm, core, data = random.randrange(c.vms), random.randrange(c.cores), random.getrandbits(32)
            if does == "set_resident":
                data = random.randrange(c.vms) | coin(random, 0.5) << 31
            elif does == "set_moderation":
                data = random.randrange(6) | random.randrange(20) << 16
            elif does == "set_enable":
                data &= random.getrandbits(32)
            for name in EVENTS:
                ctx.set(getattr(dut, name), now[name])
            for v in range(c.vms):
                ctx.set(dut.level[v], now["level"][v])
            drive(ctx, dut, vm=vm, core=core, data=data, half=0, look_vm=vm, look_core=core)
            drive(ctx, dut, **{name: name == does for name in WRITES})

            waiting = model.waiting(now)
            assert ctx.get(dut.look_state) == model.state(vm, now)
            assert ctx.get(dut.look_enable) == model.enable[vm][core]
            looked, resident = ctx.get(dut.look_resident), model.resident[core]
            assert (looked.valid, resident) in ((0, None), (1, looked.vm))
            if moderation:
                assert ctx.get(dut.look_moderation) == model.count[vm] | model.time[vm] << 16
            assert ctx.get(dut.lines) == bits(core for core in range(c.cores) if model.line(core, now))
            assert ctx.get(dut.waiting) == bits(waiting)
            assert ctx.get(dut.armed) == bits(model.armed)
            assert ctx.get(dut.fired) == bits(model.fired)

            chosen = set(ones(data & 0b111))
            firing = bool(waiting & model.armed & chosen)
            seen.update(f"fires and {name}" for name in ("arm", "disarm", "clear_fired") if firing and does == name)
            events = CREDIT * (now["credit"] >> vm & 1) | PEER * (now["peer"] >> vm & 1)
            if does == "clear" and events & data & model.latch[vm]:
                seen.add("event and clear")
            if events and (now["opened"] | now["closed"]) >> vm & 1:
                seen.add("event and opened or closed")
            await ctx.tick()
            model.clock(now, does if does != "set_moderation" or moderation else "", vm, core, data, 0)

    simulate(dut, bench)
    together = {"fires and arm", "fires and disarm", "fires and clear_fired"}
    assert seen == together | {"event and clear", "event and opened or closed"}


def rest(ctx, dut, **inputs):
    """Set these inputs and all other events and writes to zero."""
    idle = dict.fromkeys((*EVENTS, *WRITES, "data", "vm", "core", "half"), 0) | {"open": -1}
    drive(ctx, dut, **idle | inputs)


async def after(ctx, dut, **inputs):
    """Give these inputs for one cycle."""
    rest(ctx, dut, **inputs)
    await ctx.tick()
    rest(ctx, dut)


@pytest.mark.parametrize("event", ["credit", "peer"])
def test_event_beats_a_clear_in_the_same_cycle(event):
    c = configuration()
    dut = Interrupts(c)

    async def bench(ctx):
        mask = {"credit": CREDIT, "peer": PEER}[event]
        ctx.set(dut.look_vm, 2)
        await after(ctx, dut, **{event: 0b100}, clear=1, vm=2, data=0x1F)
        assert ctx.get(dut.look_state) == mask
        await after(ctx, dut, clear=1, vm=2, data=~mask & 0x1F)
        assert ctx.get(dut.look_state) == mask
        await after(ctx, dut, clear=1, vm=2, data=mask)
        assert ctx.get(dut.look_state) == 0

    simulate(dut, bench)


def test_wake_up_fires_once_whatever_comes_first():
    dut = Interrupts(configuration())

    async def bench(ctx):
        await after(ctx, dut, set_enable=1, vm=2, core=1, data=CREDIT)
        for armed_first in (True, False):
            await after(ctx, dut, clear=1, vm=2, data=0x1F)
            await after(ctx, dut, clear_fired=1, data=0b111)
            steps = [{"arm": 1, "data": 0b100}, {"credit": 0b100}]
            for step in steps if armed_first else reversed(steps):
                assert ctx.get(dut.fired) == 0
                await after(ctx, dut, **step)
            assert (ctx.get(dut.waiting), ctx.get(dut.armed), ctx.get(dut.fired)) == (0b100, 0b100, 0)
            await after(ctx, dut)
            assert (ctx.get(dut.armed), ctx.get(dut.fired)) == (0, 0b100)
            await after(ctx, dut, clear_fired=1, data=0b100)
            await after(ctx, dut)
            assert ctx.get(dut.fired) == 0  # it does not fire again, although the cause is still there
            assert ctx.get(dut.waiting) == 0b100

    simulate(dut, bench)


def test_upper_half_selects_the_vms_from_32_on():
    dut = Interrupts(configuration(vms=34))

    async def bench(ctx):
        await after(ctx, dut, arm=1, data=0xFFFF_FFFF, half=1)
        assert ctx.get(dut.armed) == 0b11 << 32
        await after(ctx, dut, disarm=1, data=0b10, half=0)
        await after(ctx, dut, disarm=1, data=0b10, half=1)
        assert ctx.get(dut.armed) == 0b01 << 32

    simulate(dut, bench)


def test_moderation_holds_mail_back_until_count_or_time():
    dut = Interrupts(configuration(moderation=True))

    async def bench(ctx):
        async def cycles_to_mail(level, **inputs):
            for cycle in range(40):
                rest(ctx, dut, filled=0b001, **(inputs if cycle == 0 else {}))
                ctx.set(dut.level[0], level)
                if ctx.get(dut.look_state):
                    return cycle
                await ctx.tick()
            return None

        for count, time, level, cycles in (
            (0, 0, 1, 0),
            (1, 9, 1, 0),
            (3, 0, 2, None),
            (3, 0, 3, 0),
            (3, 7, 2, 7),
            (3, 7, 3, 0),
        ):
            await after(ctx, dut, set_moderation=1, data=time << 16 | count)
            assert await cycles_to_mail(level) == cycles, (count, time, level)
            await after(ctx, dut)
        # A pop restarts the timer.
        await after(ctx, dut, set_moderation=1, data=5 << 16 | 3)
        assert await cycles_to_mail(2) == 5
        await after(ctx, dut, filled=0b001, popped=0b001)
        assert await cycles_to_mail(2) == 5

    simulate(dut, bench)


def test_without_manager_only_static_residents_and_no_wake_ups():
    c = Config(ports=PORTS, vms=2, depth=4, manager=Manager.NONE, open_at_reset=True)
    dut = Interrupts(c)

    async def bench(ctx):
        for core in range(c.cores):
            await after(ctx, dut, set_resident=1, core=core, data=1 << 31)
            await after(ctx, dut, set_enable=1, core=core, vm=1, data=MAIL)
        await after(ctx, dut, arm=1, data=0b11)
        rest(ctx, dut, filled=0b11)
        assert ctx.get(dut.lines) == 0b100
        await ctx.tick()
        assert ctx.get(dut.armed) == ctx.get(dut.fired) == ctx.get(dut.waiting) == 0

    simulate(dut, bench)
