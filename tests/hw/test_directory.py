# amaranth: UnusedElaboratable=no
from random import Random

import pytest

from postern_hw.directory import Directory
from postern_spec.config import Config, Identity, Manager, Port
from postern_spec.regmap import Command, State
from postern_spec.sizes import kill_steps

from .support import bits, coin, drive, fill, ones, simulate

PORTS = (Port(identity=Identity.STATIC),)

# ``docs/states.md`` section 5: from which states a command is taken, and where it leads.
COMMANDS = {
    Command.OPEN: ({State.CLOSED}, State.OPEN),
    Command.PAUSE: ({State.OPEN}, State.PAUSED),
    Command.RESUME: ({State.PAUSED}, State.OPEN),
    Command.DRAIN: ({State.OPEN, State.PAUSED}, State.DRAINING),
    Command.CLOSE: ({State.OPEN, State.PAUSED, State.DRAINING}, State.CLOSED),
    Command.KILL: ({State.OPEN, State.PAUSED, State.DRAINING}, State.CLOSED),
}


class Model:
    """States, generations, permissions and acknowledgements of all VMs."""

    def __init__(self, c: Config):
        vms, opened = range(c.vms), c.open_at_reset
        self.state = [State.OPEN if opened else State.CLOSED for _ in vms]
        self.generation = [int(opened) for _ in vms]
        self.permit = [{s for s in vms if opened and s != d} for d in vms]
        self.known = [{s for s in vms if opened} for _ in vms]  # who acknowledged this VM's generation
        self.refused = set()
        self.dying = []  # in the order in which they are torn down

    def kill(self, vm):
        self.dying.append(vm)
        self.dying[1:] = sorted(self.dying[1:])

    def takes(self, vm, command, *, empty=True, idle=True):
        if command not in list(Command) or self.state[vm] not in COMMANDS[command][0]:
            return False
        if command == Command.CLOSE:
            return empty
        return command != Command.OPEN or (vm not in self.dying and (idle or self.generation[vm] != 255))

    def enter(self, vm, state):
        """Return who learns of it."""
        self.state[vm] = state
        return self.permit[vm] - {vm}

    def open(self, vm):
        self.generation[vm] = self.generation[vm] % 255 + 1
        self.known[vm] = set()
        for known in self.known:
            known.discard(vm)
        return self.enter(vm, State.OPEN)


def strobes(ctx, dut, **chosen):
    drive(ctx, dut, **{name: chosen.get(name, 0) for name in ("acknowledge", "set_permit", "command", "walk", "kill")})


def ask(ctx, dut, source, target):
    drive(ctx, dut, source=source, target=target, sources=1 << source, targets=1 << target)


async def command(ctx, dut, model, vm, word, *, empty=True, idle=True):
    """Give a command and take all steps of an opening, comparing what is to be seen on the way."""
    ask(ctx, dut, vm, vm)
    ctx.set(dut.data, word)
    await ctx.tick()
    strobes(ctx, dut, command=1)
    drive(ctx, dut, empty=empty, idle=idle)
    taken = model.takes(vm, word, empty=empty, idle=idle)
    assert ctx.get(dut.refuse) == (not taken)
    told = model.enter(vm, COMMANDS[word][1]) if taken and word != Command.OPEN else set()
    (model.refused.discard if taken else model.refused.add)(vm)
    assert ctx.get(dut.changed) == bits(told)
    assert ctx.get(dut.opened) == 0
    assert ctx.get(dut.closed) == (1 << vm if taken and word in (Command.CLOSE, Command.KILL) else 0)
    if taken and word == Command.KILL:
        model.kill(vm)
    await ctx.tick()
    strobes(ctx, dut)
    assert ctx.get(dut.walking) == (taken and word == Command.OPEN)
    while ctx.get(dut.walking):
        assert ctx.get(dut.walk_vm) == vm
        assert ctx.get(dut.states[vm]) == State.CLOSED
        last = ctx.get(dut.walk_last)
        ask(ctx, dut, vm, vm if last else ctx.get(dut.walk_step))
        strobes(ctx, dut, walk=1)
        assert ctx.get(dut.opened) == (1 << vm if last else 0)
        assert ctx.get(dut.closed) == 0
        assert ctx.get(dut.changed) == (bits(model.open(vm)) if last else 0)
        await ctx.tick()
        strobes(ctx, dut)
        await ctx.tick()  # the engine does something else in between


async def tear_down(ctx, dut, model, steps, *, filled=0):
    """Take some steps of tearing down VMs that were killed, as they are offered, and compare which these are."""
    for _ in range(steps):
        ctx.set(dut.filled, filled)
        await ctx.tick().repeat(2)
        if not model.dying:
            assert not ctx.get(dut.killing)
            return
        vm, last = ctx.get(dut.kill_vm), ctx.get(dut.kill_step) == kill_steps(dut.config) - 1
        assert vm == model.dying[0]
        assert ctx.get(dut.dying) == bits(model.dying)
        waits = last and filled >> vm & 1
        assert ctx.get(dut.killing) == (not waits)
        if waits:
            continue
        strobes(ctx, dut, kill=1)
        assert ctx.get(dut.opened) == ctx.get(dut.closed) == ctx.get(dut.changed) == 0
        await ctx.tick()
        strobes(ctx, dut)
        assert not ctx.get(dut.killing)
        if last:
            model.dying.pop(0)


def compare(ctx, dut, model, source, target, looker, looked):
    """Compare all that the two engines can see when they ask about these VMs."""
    ask(ctx, dut, source, target)
    drive(ctx, dut, look_source=looker, look_target=looked)
    assert [ctx.get(state) for state in dut.states] == model.state
    assert ctx.get(dut.open) == bits(vm for vm, state in enumerate(model.state) if state != State.CLOSED)
    assert ctx.get(dut.refused) == bits(model.refused)
    assert ctx.get(dut.dying) == bits(model.dying)
    for signal, value in (
        ("source_open", model.state[source] != State.CLOSED),
        ("source_draining", model.state[source] == State.DRAINING),
        ("target_alive", model.state[target] in (State.OPEN, State.PAUSED)),
        ("target_open", model.state[target] == State.OPEN),
        ("source_generation", model.generation[source]),
        ("target_generation", model.generation[target]),
        ("permitted", source in model.permit[target]),
        ("acknowledged", source in model.known[target]),
        ("look_permits", bits(model.permit[looked])),
        ("look_permitted", looker in model.permit[looked]),
        ("look_acknowledged", looker in model.known[looked]),
        ("look_generation", model.generation[looked]),
        ("look_own_generation", model.generation[looker]),
    ):
        assert ctx.get(getattr(dut, signal)) == value, signal


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("vms", [2, 5, 34])
def test_random_commands_against_the_table(vms, opened):
    c = Config(
        ports=PORTS, vms=vms, lanes=3, depth=64, open_at_reset=opened, credits=1, manager=Manager.PAGE,
        page_stride=65536,
    )  # fmt: skip
    dut, random, seen = Directory(c), Random(vms), set()

    async def bench(ctx):
        await fill(ctx, dut, 4 * vms)
        model = Model(c)
        busiest = range(2)  # so that all states of some VMs are reached
        for _ in range(500):
            source, target = random.randrange(vms), random.choice((random.randrange(vms), random.choice(busiest)))
            compare(ctx, dut, model, source, target, random.randrange(vms), random.randrange(vms))
            does = random.choices(("command", "acknowledge", "set_permit", "kill", ""), (6, 5, 3, 2, 1))[0]
            if does == "kill":
                some = random.randrange(1, 5)
                await tear_down(ctx, dut, model, some, filled=0 if coin(random, 0.9) else random.getrandbits(vms))
                continue
            word, half = random.getrandbits(32), random.randrange(1 + (vms > 32))
            if does == "command":
                word = random.choice((*Command, *Command, 0, 7, Command.OPEN + 8, Command.CLOSE + (1 << 31)))
                seen.add(model.state[target])
                await command(ctx, dut, model, target, word, empty=coin(random, 0.7), idle=coin(random, 0.5))
                seen.add(f"{len(model.dying)} torn down")
                continue
            drive(ctx, dut, data=word, permit_half=half)
            strobes(ctx, dut, **({does: 1} if does else {}))
            assert not ctx.get(dut.changed)
            await ctx.tick()
            strobes(ctx, dut)
            if does == "acknowledge":
                model.known[target].add(source)
            elif does == "set_permit":
                kept = {s for s in model.permit[target] if s // 32 != half}
                model.permit[target] = kept | {s for s in ones(word << 32 * half) if s < vms}

    simulate(dut, bench)
    assert seen >= {*State, *(f"{count} torn down" for count in range(3))}


@pytest.mark.parametrize("word", Command)
@pytest.mark.parametrize("state", State)
def test_each_command_from_each_state(state, word):
    way = {
        State.CLOSED: (),
        State.OPEN: (Command.OPEN,),
        State.PAUSED: (Command.OPEN, Command.PAUSE),
        State.DRAINING: (Command.OPEN, Command.DRAIN),
    }[state]
    c = Config(ports=PORTS, vms=3, lanes=1, depth=2)
    dut = Directory(c)

    async def bench(ctx):
        await fill(ctx, dut, 4)
        model = Model(c)
        for step in way:
            await command(ctx, dut, model, 1, step)
        assert model.state[1] == state
        await command(ctx, dut, model, 1, word, empty=False)
        await command(ctx, dut, model, 1, word)
        compare(ctx, dut, model, 0, 1, 1, 2)
        await tear_down(ctx, dut, model, 2 * kill_steps(c))
        assert not model.dying
        compare(ctx, dut, model, 0, 1, 1, 2)

    simulate(dut, bench)


def test_a_killed_vm_is_torn_down_before_it_is_opened():
    c = Config(ports=PORTS, vms=4, lanes=1, depth=2)
    dut = Directory(c)

    async def bench(ctx):
        await fill(ctx, dut, 4)
        model = Model(c)
        for vm in range(4):
            await command(ctx, dut, model, vm, Command.OPEN)
        for vm in (3, 2, 0):  # the others wait; of those the lowest goes first
            await command(ctx, dut, model, vm, Command.KILL)
        assert model.dying == [3, 0, 2]
        await command(ctx, dut, model, 3, Command.OPEN)
        assert model.refused == {3}
        await command(ctx, dut, model, 1, Command.CLOSE)
        await command(ctx, dut, model, 1, Command.OPEN)  # opening another goes before, and does not end it
        await tear_down(ctx, dut, model, 10, filled=1 << 3)  # the last step waits for the queue
        assert model.dying == [3, 0, 2]
        await tear_down(ctx, dut, model, 1)
        assert model.dying == [0, 2]
        await command(ctx, dut, model, 3, Command.OPEN)
        assert model.state[3] == State.OPEN
        await tear_down(ctx, dut, model, 8)
        assert not model.dying
        compare(ctx, dut, model, 1, 3, 2, 0)

    simulate(dut, bench)


def test_generation_goes_from_255_to_1_when_nothing_bears_it():
    c = Config(ports=PORTS, vms=2, lanes=1, depth=2)
    dut = Directory(c)

    async def bench(ctx):
        await fill(ctx, dut, 2)
        model = Model(c)
        for _ in range(255):
            await command(ctx, dut, model, 0, Command.OPEN, idle=False)
            await command(ctx, dut, model, 0, Command.CLOSE)
        assert model.generation[0] == 255
        await command(ctx, dut, model, 0, Command.OPEN, idle=False)
        assert model.refused == {0}
        compare(ctx, dut, model, 0, 1, 0, 1)
        await command(ctx, dut, model, 0, Command.OPEN)
        assert model.generation[0] == 1
        compare(ctx, dut, model, 0, 1, 0, 1)

    simulate(dut, bench)


def test_without_manager_everything_is_as_after_reset():
    c = Config(ports=PORTS, vms=3, depth=4, manager=Manager.NONE, open_at_reset=True)
    dut = Directory(c)

    async def bench(ctx):
        assert [ctx.get(state) for state in dut.states] == [State.OPEN] * 3
        assert ctx.get(dut.open) == 0b111
        for source in range(3):
            for target in range(3):
                ask(ctx, dut, source, target)
                drive(ctx, dut, look_source=source, look_target=target)
                assert ctx.get(dut.permitted) == ctx.get(dut.look_permitted) == (source != target)
                for name in ("source_generation", "target_generation", "look_generation", "look_own_generation"):
                    assert ctx.get(getattr(dut, name)) == 1
                for name in ("acknowledged", "look_acknowledged", "source_open", "target_alive", "target_open"):
                    assert ctx.get(getattr(dut, name)) == 1
        await ctx.tick()

    simulate(dut, bench)
