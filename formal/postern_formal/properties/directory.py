"""States of VMs: commands, opening and closing."""

from amaranth.hdl import Assume, Cat, Cover, Module, Signal

from postern_hw.directory import Directory
from postern_spec.config import Config
from postern_spec.regmap import Command, State
from postern_spec.sizes import open_steps

from ..engines import Induction
from ..harness import at_most_one, claim, fill, index, past, rows_of
from ..property import Assumption, Control, Inside, Property, free, symbolic
from .identity import reduced

__all__ = ["ENGINE", "PROPERTIES", "WALKS_ALONE", "any_commands"]


WALKS_ALONE = Assumption("engine-walks-alone", "While a VM is being opened the manager waits; each step names its row.")
ENGINE = (
    Assumption("engine-one-at-a-time", "The write engine has the directory do one thing at a time."),
    Assumption("engine-command-stays", "Command and target have been there for a cycle, with the state settled."),
    WALKS_ALONE,
    Assumption("engine-closed-acts-not", "No VM that is closed acknowledges anything."),
)


def any_commands(m: Module, c: Config, dut: Directory, filling: Signal) -> None:
    """Drive a directory as the write engine may."""
    free(m, dut.source, dut.target, dut.data, dut.permit_half, dut.empty, dut.idle)
    free(m, dut.acknowledge, dut.set_permit, dut.command, dut.walk, dut.kill, dut.filled)
    vms = range(c.vms)
    m.d.comb += [
        dut.targets.eq(Cat(dut.target == vm for vm in vms)),
        dut.sources.eq(Cat(dut.source == vm for vm in vms)),
        Assume((dut.target < c.vms) & (dut.source < c.vms)),
    ]
    acts = Signal()
    what = Cat(dut.target, dut.data)
    step_row = dut.target == dut.walk_step
    m.d.comb += [
        acts.eq(dut.acknowledge | dut.set_permit | dut.command | dut.walk | dut.kill),
        Assume(at_most_one(Cat(dut.acknowledge, dut.set_permit, dut.command, dut.walk, dut.kill))),
        Assume(~acts | ~filling & ~past(m, filling, "filled_before")),
        Assume(~dut.command | (what == past(m, what, "what_before"))),
        Assume(~dut.command | ~past(m, dut.command | dut.walk, "settling")),
        Assume(~(dut.command | dut.set_permit) | ~dut.walking),
        Assume(~dut.walk | (dut.walking & (dut.source == dut.walk_vm))),
        Assume(~dut.walk | (dut.walk_last & (dut.target == dut.walk_vm)) | (~dut.walk_last & step_row)
               | (~dut.walk_last & (dut.walk_step >= c.vms))),
        Assume(~dut.acknowledge | dut.source_open),
        Assume(~dut.kill | dut.killing),
    ]  # fmt: skip
    if any(step >= c.vms for step in range(open_steps(c) - 1)):
        # Steps beyond the last row (there are more lanes than VMs) clear a row again.
        m.d.comb += Assume(~dut.walk | dut.walk_last | (dut.walk_step < c.vms) | (dut.target < c.vms))


class States(Property):
    """A symbolic VM, and a symbolic peer of it."""

    name = "vm-states"
    promise = 8
    also = (9,)
    statement = (
        "Only the commands of the state machine change the state of a VM; a refused one changes nothing. A VM that is"
        " not killed closes only when its queue is empty and it holds no block; one that was killed is not opened"
        " before it is torn down. When it is opened again its generation is another one, it has acknowledged nobody,"
        " and nobody has acknowledged it."
    )
    parameters = {
        "3 VMs": reduced(blocks=0),
        "2 VMs, 4 lanes": reduced(blocks=0, vms=2, lanes=4),
        "5 VMs (LUT RAM)": reduced(blocks=0, vms=5),
    }
    short = ("3 VMs",)
    engines = (Induction(3),)
    covers = 34
    assumptions = ENGINE
    reduction = "A VM is compared with one peer at a time; which ones is symbolic. More VMs are more rows."
    limits = "That tearing down ends in bounded time, and what it leaves: teardown-walk, -steps, -queue and -blocks."
    controls = (
        Control(
            "a VM closes with messages in its queue",
            "directory.py",
            "wrong.eq(illegal | (closes & ~self.empty)),",
            "wrong.eq(illegal),",
            depth=20,
        ),
        Control(
            "peers keep their acknowledgement of the former generation",
            "directory.py",
            "Mux(self.walk, Mux(self.walk_last, 0, known_row & ~self.sources), known_row | self.sources)",
            "Mux(self.walk, Mux(self.walk_last, known_row, known_row & ~self.sources), known_row | self.sources)",
            depth=22,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut = Directory(c)
        m.submodules.directory = inside = Inside(dut)
        filling = fill(m, c, dut, rows=c.vms)
        any_commands(m, c, dut, filling)
        vms = range(c.vms)
        vm, peer = symbolic(m, vms, "vm", below=c.vms), symbolic(m, vms, "peer", below=c.vms)
        states = [dut.states[i] for i in vms]
        state = index(states, vm)
        is_open, opened, closed = (bits.bit_select(vm, 1) for bits in (dut.open, dut.opened, dut.closed))
        known = rows_of(inside, "known", c.vms)
        generations = rows_of(inside, "generations", c.vms)
        generation = index(generations, vm)
        mine = index(known, peer).bit_select(vm, 1)  # the VM has acknowledged the peer
        theirs = index(known, vm).bit_select(peer, 1)  # the peer has acknowledged the VM
        walked = dut.walking & (dut.walk_vm == vm)
        was = past(m, state, "state_before")
        was_generation = past(m, generation, "generation_before")
        begun = past(m, ~filling, "begun")
        refused = past(m, dut.command & dut.refuse, "refused")
        commanded = past(m, dut.command & ~dut.refuse & (dut.target == vm), "commanded")
        command = past(m, dut.data, "command_before")
        was_empty = past(m, dut.empty, "was_empty")
        did_open, did_close = past(m, opened, "did_open"), past(m, closed, "did_close")
        arcs = (
            ((command == Command.PAUSE) & (was == State.OPEN) & (state == State.PAUSED))
            | ((command == Command.RESUME) & (was == State.PAUSED) & (state == State.OPEN))
            | ((command == Command.DRAIN) & (was != State.CLOSED) & (was != State.DRAINING) & (state == State.DRAINING))
            | ((command == Command.CLOSE) & (was != State.CLOSED) & (state == State.CLOSED) & was_empty)
            | ((command == Command.KILL) & (was != State.CLOSED) & (state == State.CLOSED))
        )
        opens = did_open & (was == State.CLOSED) & (state == State.OPEN)
        claims = {
            "open": is_open == (state != State.CLOSED),
            "changes": ~begun | (state == was) | (commanded & arcs) | opens,
            "refused": ~begun | ~refused | ((state == was) & (generation == was_generation)),
            "closes": ~did_close | ((state == State.CLOSED) & (was_empty | (command == Command.KILL))),
            "torn_down": ~(walked | is_open) | ~dut.dying.bit_select(vm, 1),
            "generation": ~begun | (generation == was_generation) | opens,
            "another": ~did_open | ((generation != was_generation) & (generation != 0)),
            "past": ~did_open | ~(mine | theirs),
            # What makes it inductive.
            "walks": ~walked | (state == State.CLOSED),
            "walked": ~walked | ~(peer < dut.walk_step) | ~mine,
            "step": ~dut.walking | (dut.walk_step < open_steps(c)),
            "walker": dut.walk_vm < c.vms,
        }
        claim(m, **{name: filling | holds for name, holds in claims.items()})
        nobody = Cat(dut.open, dut.walking, dut.walk_vm, dut.walk_step, dut.dying) == 0
        claim(m, fresh=~filling | (nobody & (state == State.CLOSED)))
        m.d.comb += [Cover(did_open & (generation == 2)), Cover(did_close), Cover(refused)]


PROPERTIES = [States]
