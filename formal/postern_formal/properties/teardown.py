"""What is left of a VM that was killed, and when."""

from amaranth.hdl import Assume, Cat, Cover, Module, Signal

from postern_hw.directory import Directory
from postern_hw.doorbells import Doorbells
from postern_hw.queue import Queue
from postern_spec.config import Config, Port
from postern_spec.regmap import State
from postern_spec.sizes import kill_steps, step_wait

from ..engines import Induction, Pdr
from ..harness import at_most_one, claim, fill, index, past, rows_of
from ..property import Assumption, Control, Inside, Property, free, free_inputs, symbolic
from . import blocks
from .directory import ENGINE, any_commands
from .identity import CHECKED_STAYS, COMMIT_IS_ONE, CONNECTED, any_writes, reduced

__all__ = ["PROPERTIES", "RINGS", "any_bells"]

CROWDED = Assumption("crowded-by-a-commit", "The pool is crowded only in a cycle in which a commit acts.")
STEP_STAYS = Assumption("step-stays", "A step of tearing down is offered, unchanged, until it is taken.")
STEP_TAKEN = Assumption("step-is-taken", "A step of tearing down acts in time (teardown-steps), and names VM and row.")
QUEUE_EMPTIES = Assumption("queue-empties", "The queue of a killed VM is empty in time (teardown-queue), and stays so.")
RINGS = Assumption("rings-living", "Only a VM that is not closed rings, and only one that is open or paused is rung.")
NO_PUSH = Assumption("dead-get-nothing", "No message is pushed for a VM that is being torn down.")
GIVES = Assumption("gives-to-the-open", "A block is handed over to open VMs only.")


class Steps(Property):
    """The write engine, with a step of tearing down on offer."""

    name = "teardown-steps"
    promise = 8
    also = (4,)
    statement = (
        "While no VM is being opened, a step of tearing down acts within the published number of cycles from when it is"
        " offered, whatever ports ask for, alone in the engine, for the killed VM and its row."
    )
    parameters = {
        "2 ports, no blocks": reduced(blocks=0, vms=2, lanes=1),
        "2 ports, blocks": reduced(vms=2, lanes=1, blocks=2, banks=1),
        "3 ports, no blocks": reduced(blocks=0, ports=(Port(),) * 3, lanes=1),
    }
    engines = (Induction(14),)
    covers = 18
    seconds = 200
    assumptions = (COMMIT_IS_ONE, CONNECTED, CHECKED_STAYS, CROWDED, STEP_STAYS)
    reduction = "What the rest of the block answers the engine is free. VMs, lanes and words are not looked at."
    controls = (
        Control(
            "steps wait while the first port asks",
            "write_engine.py",
            "stepping = Mux(self.walking, ~self.walk, self.killing & ~self.kill)",
            "stepping = Mux(self.walking, ~self.walk, self.killing & ~self.kill & ~self.requests[0].valid)",
            depth=16,
        ),
        Control(
            "a step is one of the wrong VM",
            "write_engine.py",
            "sender.eq(Mux(self.walking, self.walk_vm, self.kill_vm)),",
            "sender.eq(self.walk_vm),",
            depth=8,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut, inside = any_writes(m, c, but=("walking", "will_walk"))
        busy = inside.signal("_checking") | inside.signal("decoding")
        most = step_wait(c)
        who = Cat(dut.kill_vm, dut.kill_step)
        offered = Signal()
        m.d.comb += [
            offered.eq(dut.killing & ~dut.kill),
            Assume(~dut.crowded | dut.word.request.any()),
            Assume(~past(m, offered, "was_offered") | (dut.killing & (who == past(m, who, "who_before")))),
            Assume((dut.kill_vm < c.vms) & (dut.kill_step < kill_steps(c))),
        ]
        waited = Signal(range(most + 2))
        with m.If(~offered):
            m.d.sync += waited.eq(0)
        with m.Elif(waited <= most):
            m.d.sync += waited.eq(waited + 1)
        claim(
            m,
            bound=waited <= most,
            offered=~dut.kill | past(m, offered, "offered_before"),
            acts=~dut.word.request.any() | dut.acted.any(),
            alone=~dut.kill | ~(dut.acted.any() | dut.push.any() | dut.fault.valid | busy),
            names=~dut.kill | (dut.source == dut.kill_vm) & ((dut.target == dut.kill_step) | (dut.kill_step >= c.vms)),
        )
        m.d.comb += [Cover(waited == most), Cover(dut.kill)]


def any_bells(m: Module, c: Config) -> tuple[Directory, Doorbells, Inside, Signal]:
    """Add directory and doorbells, wired as in the block and used as the write engine may.

    Returns both, the insides of the doorbells, and whether tables are being filled.
    """
    dut, bells = Directory(c), Doorbells(c)
    m.submodules.directory = dut
    m.submodules.doorbells = inside = Inside(bells)
    filling = fill(m, c, dut, bells, rows=c.vms)
    any_commands(m, c, dut, filling)
    free(m, bells.ring, bells.clear, bells.half, bells.data)
    m.d.comb += [
        bells.row.eq(dut.target),
        bells.sender.eq(dut.source),
        bells.forget_sender.eq((dut.walk & ~dut.walk_last) | (dut.kill & (dut.kill_step < c.vms))),
        bells.forget_all.eq((dut.walk & dut.walk_last) | dut.closing),
        Assume(at_most_one(Cat(bells.ring, bells.clear, dut.walk, dut.kill, dut.command))),
        Assume(~(bells.ring | bells.clear) | ~filling),
        Assume(~bells.ring | (dut.source_open & dut.target_alive)),
        Assume(~dut.kill | (dut.source == dut.kill_vm)),
        Assume(~dut.kill | (dut.target == dut.kill_step) | (dut.kill_step >= c.vms)),
    ]
    return dut, bells, inside, filling


class Walk(Property):
    """Directory and doorbells; a symbolic VM, and a symbolic peer of it."""

    name = "teardown-walk"
    promise = 8
    also = (6,)
    statement = (
        "A VM that was killed is torn down step by step, each row of doorbells and each block once and in order, within"
        " the published number of cycles if nobody is opened meanwhile. Then, until it is"
        " opened again, no doorbell of it is pending anywhere, and none for it."
    )
    parameters = {
        "2 VMs": reduced(blocks=0, vms=2, lanes=1, depth=2),
        "3 VMs, 4 blocks": reduced(vms=3, lanes=1, depth=2),
    }
    engines = (Pdr(),)
    covers = 30
    assumptions = (*ENGINE, STEP_TAKEN, QUEUE_EMPTIES, RINGS)
    reduction = (
        "VM and peer are symbolic. A step may take up to four cycles here: how many it may is a factor of the bound."
    )
    controls = (
        Control(
            "the walk begins at the row after the first",
            "directory.py",
            "guard.set(self.kill_vm, self.target), guard.set(self.kill_step, 0)]",
            "guard.set(self.kill_vm, self.target), guard.set(self.kill_step, 1)]",
            depth=24,
        ),
        Control(
            "the walk ends a step early",
            "directory.py",
            "last.eq(self.kill_step == kill_steps(c) - 1),",
            "last.eq(self.kill_step == kill_steps(c) - 2),",
            depth=24,
        ),
        Control(
            "a closed VM keeps its doorbells",
            "doorbells.py",
            "        with m.If(self.forget_all):\n            m.d.comb += following.eq(0)",
            "        with m.If(self.forget_all & self.ring):\n            m.d.comb += following.eq(0)",
            depth=24,
        ),
    )
    WAIT = 4

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut, _, inside, filling = any_bells(m, c)
        vms, steps = range(c.vms), kill_steps(c)
        vm, peer = symbolic(m, vms, "vm", below=c.vms), symbolic(m, vms, "peer", below=c.vms)
        dying, killed, opened = (bits.bit_select(vm, 1) for bits in (dut.dying, dut.closed, dut.opened))
        mine = dut.kill_vm == vm
        # A step is taken in time, unless a VM is being opened; the queue loses a message a cycle.
        waited, age, since = Signal(range(self.WAIT + 2)), Signal(range(64)), Signal(range(c.depth + 2))
        with m.If(~dut.killing | dut.kill | dut.walking):
            m.d.sync += waited.eq(0)
        with m.Else():
            m.d.sync += waited.eq(waited + 1)
        with m.If(~dying):
            m.d.sync += since.eq(0)
        with m.Elif(since <= c.depth):
            m.d.sync += since.eq(since + 1)
        m.d.comb += [
            Assume(waited <= self.WAIT),
            Assume((since < c.depth) | ~dut.filled.bit_select(vm, 1)),
        ]
        most = c.depth + steps * (self.WAIT + 2) + 3
        disturbed = Signal()  # somebody was opened meanwhile
        with m.If(~dying):
            m.d.sync += [age.eq(0), disturbed.eq(0)]
        with m.Elif(mine):
            m.d.sync += [age.eq(age + ~age.all()), disturbed.eq(disturbed | dut.walking)]
        # Which steps there were.
        ends = dut.kill & mine & (dut.kill_step == steps - 1)
        following, gone = Signal(range(steps + 1)), Signal()
        with m.If(dut.kill & mine & dying):
            m.d.sync += following.eq(following + 1)
        with m.If(~dying):
            m.d.sync += following.eq(0)
        with m.If(ends & dying):
            m.d.sync += gone.eq(1)
        with m.If(opened | dying & ~ends):
            m.d.sync += gone.eq(0)
        was_dying = past(m, dying, "was_dying")
        rows = rows_of(inside, "pending", c.vms)
        own, theirs = index(rows, vm), index(rows, peer).bit_select(vm, 1)
        state = index([dut.states[i] for i in vms], vm)
        claim(
            m,
            bound=(age <= most) | disturbed | dut.walking,
            steps=~(dut.kill & mine & dying) | (dut.kill_step == following),
            all=~was_dying | dying | past(m, ends, "ended"),
            own=filling | (state != State.CLOSED) | (own == 0),
            theirs=~gone | ~theirs,
            walked=~(dying & mine) | (peer >= following) | ~theirs,
        )
        m.d.comb += [Cover(gone & (peer != vm)), Cover(dying & theirs & (peer != vm)), Cover(killed & (own != 0))]


class Drain(Property):
    """The queue of a killed VM."""

    name = "teardown-queue"
    promise = 8
    statement = (
        "From the cycle after a kill on, the queue of the VM loses a message in every cycle: it is empty within as many"
        " cycles as it holds. Each gives its sender the credit back. No lane may pop."
    )
    parameters = {
        "depth 4": reduced(blocks=0),
        "depth 5, 3 lanes": reduced(blocks=0, depth=5, lanes=3),
        "depth 16": reduced(depth=16),
    }
    engines = (Induction(3),)
    covers = 44
    assumptions = (NO_PUSH,)
    controls = (
        Control(
            "what is dropped gives no credit back",
            "queue.py",
            "went.write.eq(self.popped),",
            "went.write.eq(self.popped & ~self.drop),",
            depth=20,
        ),
        Control(
            "a lane stays fresh",
            "queue.py",
            "with m.If(self.popped | self.forget):",
            "with m.If(self.popped & ~self.drop):",
            depth=20,
        ),
        Control(
            "the last message stays",
            "queue.py",
            "takes | (self.drop & self.filled))",
            "takes | (self.drop & self.filled & (self.level != 1)))",
            depth=20,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut = Queue(c, 1)
        m.submodules.queue = inside = Inside(dut)
        filling = fill(m, c, dut, rows=max(c.depth, c.vms))
        free_inputs(m, dut, but=("fill", "fill_row", "drop"))
        # Killed in this cycle (with it the lanes are made stale); torn down until it is over.
        kills, over = Signal(), Signal()
        free(m, kills, over)
        with m.If(kills & ~filling):
            m.d.sync += dut.drop.eq(1)
        with m.Elif(over & ~dut.filled):
            m.d.sync += dut.drop.eq(0)
        m.d.comb += [
            Assume(~filling | ~(dut.push | dut.take.any() | dut.look.any() | dut.grant)),
            Assume(~dut.push | (dut.level != c.depth)),
            Assume(~kills | dut.forget & ~dut.drop & ~dut.push),
            Assume(~dut.drop | ~(dut.push | kills)),
            Assume(~dut.filled | (dut.head.sender < c.vms)),
        ]
        sender = symbolic(m, range(c.vms), "sender", below=c.vms)
        gone = index(rows_of(inside, "went", c.vms), sender)
        passed = Signal(range(c.depth + 2))
        with m.If(~dut.drop):
            m.d.sync += passed.eq(0)
        with m.Elif(passed <= c.depth):
            m.d.sync += passed.eq(passed + 1)
        dropped = past(m, dut.drop & dut.filled, "dropped")
        of_sender = past(m, dut.popped & (dut.head.sender == sender), "of_sender")
        begun = past(m, ~filling, "begun")
        level_before = past(m, dut.level, "level_before")
        gone_before = past(m, gone, "gone_before")
        claim(
            m,
            ends=(dut.level <= c.depth) & (dut.first < c.depth) & (dut.tail < c.depth),
            filled=dut.filled == (dut.level != 0),
            empty=~filling | (dut.level == 0),
            lost=~dropped | (dut.level == level_before - 1),
            bound=~dut.drop | (dut.level + passed <= c.depth) | ~dut.filled,
            credit=~begun | (gone == (gone_before + of_sender)[: len(gone)]),
            lanes=~(dut.drop | ~dut.filled) | ~dut.fresh.any(),
        )
        m.d.comb += [Cover(dut.drop & (level_before == c.depth) & dropped), Cover(past(m, dut.drop, "d") & ~dut.drop)]


class Taken(blocks.Ownership):
    """A symbolic block after the step that came to it."""

    name = "teardown-blocks"
    promise = 8
    also = (5, 6)
    statement = (
        "From the step of tearing down that comes to a block until the VM is opened again, the VM neither owns nor"
        " borrows nor pays for that block."
    )
    limits = "That the walk comes to every block, and when, is teardown-walk."
    assumptions = (*blocks.ENGINE, GIVES)
    controls = (
        Control(
            "the blocks of the dead stay theirs",
            "blocks.py",
            "leaves.eq((kills & owned) | reclaims),",
            "leaves.eq(reclaims),",
            depth=26,
        ),
        Control(
            "the loans to the dead go on",
            "blocks.py",
            "over.eq((leaves & held.loan) | (kills & borrowed)),",
            "over.eq(leaves & held.loan),",
            depth=26,
        ),
        Control(
            "the dead go on paying",
            "blocks.py",
            "orphans.eq(kills & ~owned & paid),",
            "orphans.eq(0),",
            depth=26,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        found = self.follow(m, parameters)
        parts, dut = found.parts, found.parts.dut
        m.d.comb += Assume(~dut.give | dut.open.bit_select(dut.target, 1))
        gone = Signal()
        with m.If(parts.torn & (parts.torn_vm == found.vm) & (parts.torn_block == found.block)):
            m.d.sync += gone.eq(1)
        with m.If(dut.open.bit_select(found.vm, 1)):
            m.d.sync += gone.eq(0)
        rights = dut.look_rights
        claim(
            m,
            not_owner=~gone | ~(rights.owned & (rights.owner == found.vm)),
            not_borrower=~gone | ~(rights.owned & rights.lent & (rights.borrower == found.vm)),
            not_payer=~gone | ~(rights.owned & ~rights.orphan & (rights.payer == found.vm)),
        )
        m.d.comb += Cover(gone & rights.owned)


PROPERTIES = [Steps, Walk, Drain, Taken]
