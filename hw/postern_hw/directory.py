"""Who is there and who may reach whom: states, generations, permissions, acknowledged generations."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config, Manager
from postern_spec.regmap import Command, State
from postern_spec.sizes import kill_steps, open_steps

from .ecc import Guard
from .native import Sizes
from .queue import fill_bits
from .select import any_of, choose, index_of, lowest, mux_by_index, one_hot
from .table import Table

__all__ = ["Directory"]


class Directory(wiring.Component):
    """States, generations, permissions and acknowledged generations of all VMs. See ``docs/states.md``, section 5.

    Permissions and acknowledgements are one row per receiver with one bit per sender, so that all that is asked about
    a receiver is one look-up. What must be cleared for a sender, when its VM-ID is opened again, is a column; a walk
    clears it row by row, in turns that the write engine gives it. What is left of a killed VM is cleared by another
    walk, which waits while a VM is being opened.

    Parameters
    ----------
    config : Config

    Members
    -------
    source, target, sources, targets : In
        Sender and receiver that the write engine asks about, by number and as a bit each.
    permitted : Out(1)
        The source may send to the target.
    acknowledged : Out(1)
        The source has acknowledged the target's generation.
    source_open, source_draining : Out(1)
        The source is not closed; it is draining.
    connected : Out(1)
        All of these that let the source send: permitted, acknowledged, open and not draining.
    target_alive, target_open : Out(1)
        The target is open or paused; it is open.
    source_generation, target_generation : Out(8)
    acknowledge : In(1)
        The source acknowledges the target's generation.
    set_permit : In(1)
        Replace ``permit_half`` of the target's row by ``data``.
    data : In(32)
    command : In(1)
        Give the target the command in ``data``. Both must have been there in the cycle before, and its state settled.
    empty : In(1)
        The target's queue is empty.
    idle : In(1)
        No message of the target, taken as a sender, waits anywhere.
    orphans : In(1)
        Some block is an orphan: nobody is opened then. Only where the block is strict and has blocks.
    refuse : Out(1)
        The command is refused.
    walking, will_walk : Out(1)
        A VM is being opened: now, and in the next cycle.
    walk_vm, walk_step : Out
        Which one, and the row whose turn it is.
    walk_last : Out(1)
        This step ends the walk.
    walk : In(1)
        Take the step. Then ``target`` is ``walk_step`` (in the last step, the VM) and ``source`` the VM.
    killing : Out(1), kill_vm, kill_step : Out
        A VM is being torn down: which one, and the step whose turn it is. ``killing`` is low in the cycle after a
        step, and while the last step has to wait.
    kill : In(1)
        Take the step.
    filled : In(vms)
        Some message is in the queue of this VM.
    states : Out(2).array(vms)
    open : Out(vms)
        VMs whose accesses act.
    opened, closed : Out(vms), closing : Out(1)
        This VM is opened or closed at the end of this cycle; some VM is closed.
    dying : Out(vms)
        This VM was killed, and not torn down yet.
    changed : Out(vms)
        VMs that learn of a change of state.
    refused : Out(vms)
        The last command to this VM was refused.
    look_target, look_source : In
    look_permits, look_permitted, look_acknowledged, look_generation, look_own_generation : Out
        The same tables for the read engine; ``look_permits`` is the whole row.
    fill, fill_row : In
    unsound, damaged : Out(1)
        With protection: a register has a flipped bit; a row of a table that is read has one.
    inject_states, inject_permits : In(1)
        With protection: flip one for the check.
    """

    def __init__(self, config: Config):
        self.config = config
        sizes = Sizes(config)
        vm = unsigned(sizes.vm_bits)
        vms = config.vms
        super().__init__(
            {
                "source": In(vm),
                "target": In(vm),
                "sources": In(vms),
                "targets": In(vms),
                "permitted": Out(1),
                "acknowledged": Out(1),
                "source_open": Out(1),
                "source_draining": Out(1),
                "connected": Out(1),
                "target_alive": Out(1),
                "target_open": Out(1),
                "source_generation": Out(8),
                "target_generation": Out(8),
                "acknowledge": In(1),
                "set_permit": In(1),
                "permit_half": In(1),
                "data": In(32),
                "command": In(1),
                "empty": In(1),
                "idle": In(1),
                "refuse": Out(1),
                "walking": Out(1),
                "will_walk": Out(1),
                "walk_vm": Out(vm),
                "walk_step": Out(range(open_steps(config))),
                "walk_last": Out(1),
                "walk": In(1),
                "killing": Out(1),
                "kill_vm": Out(vm),
                "kill_step": Out(range(kill_steps(config))),
                "kill": In(1),
                "filled": In(vms),
                "states": Out(2, init=self.initial(config)).array(vms),
                "open": Out(vms, init=((1 << vms) - 1) * (self.initial(config) is State.OPEN)),
                "opened": Out(vms),
                "closed": Out(vms),
                "closing": Out(1),
                "dying": Out(vms),
                "changed": Out(vms),
                "refused": Out(vms),
                "look_target": In(vm),
                "look_source": In(vm),
                "look_permits": Out(vms),
                "look_permitted": Out(1),
                "look_acknowledged": Out(1),
                "look_generation": Out(8),
                "look_own_generation": Out(8),
                "fill": In(1),
                "fill_row": In(fill_bits(config)),
            }
            | ({"orphans": In(1)} if config.strict and config.blocks else {})
            | (
                {"unsound": Out(1), "damaged": Out(1), "inject_states": In(1), "inject_permits": In(1)}
                if config.protection
                else {}
            )
        )

    @staticmethod
    def initial(c: Config) -> State:
        """Return the state of every VM after reset."""
        return State.OPEN if c.open_at_reset else State.CLOSED

    def elaborate(self, platform):
        m = Module()
        if self.config.manager is Manager.NONE:
            self._fixed(m)
        else:
            self._managed(m)
        return m

    def _fixed(self, m: Module):
        """Without a manager everything is as after reset, and that is constants."""
        for state in self.states:
            m.d.comb += state.eq(State.OPEN)
        m.d.comb += [
            self.permitted.eq(self.source != self.target),
            self.look_permitted.eq(self.look_source != self.look_target),
            self.acknowledged.eq(1),
            self.look_acknowledged.eq(1),
            self.source_open.eq(1),
            self.connected.eq(self.permitted),
            self.target_alive.eq(1),
            self.target_open.eq(1),
            self.open.eq((1 << self.config.vms) - 1),
        ]
        for generation in ("source_generation", "target_generation", "look_generation", "look_own_generation"):
            m.d.comb += getattr(self, generation).eq(1)

    def _managed(self, m: Module):
        c = self.config
        vms = c.vms
        all_but = [((1 << vms) - 1) & ~(1 << vm) if c.open_at_reset else 0 for vm in range(vms)]

        def table(name, width, readers, init):
            m.submodules[name] = made = Table(
                vms, width, readers=readers, init=init, fill_bits=len(self.fill_row), parity=c.protection
            )
            m.d.comb += [made.fill.eq(self.fill), made.fill_row.eq(self.fill_row), made.write_row.eq(self.target)]
            return made

        # Who is in one of these states: kept beside the states, so that a commit need not decode them.
        def members(*states):
            return Signal(
                vms,
                name="_".join(("in", *(state.name.lower() for state in states))),
                init=((1 << vms) - 1) * (self.initial(c) in states),
            )

        tracked: tuple[tuple[State, ...], ...] = ((State.OPEN,), (State.OPEN, State.PAUSED), (State.DRAINING,))
        among = {states: members(*states) for states in tracked}
        among[State.OPEN, State.PAUSED, State.DRAINING] = self.open

        permits = table("permits", vms, 2, all_but)
        known = table("known", vms, 2, [(1 << vms) - 1 if c.open_at_reset else 0] * vms)
        generations = table("generations", 8, 4, [int(c.open_at_reset)] * vms)
        permit_row = permits.read(m, 0, self.target)
        known_row = known.read(m, 0, self.target)
        m.d.comb += [
            self.look_permits.eq(permits.read(m, 1, self.look_target)),
            self.permitted.eq((permit_row & self.sources).any()),
            self.acknowledged.eq((known_row & self.sources).any()),
            self.look_permitted.eq(mux_by_index(list(self.look_permits), self.look_source)),
            self.look_acknowledged.eq(mux_by_index(list(known.read(m, 1, self.look_target)), self.look_source)),
            self.source_generation.eq(generations.read(m, 0, self.source)),
            self.target_generation.eq(generations.read(m, 1, self.target)),
            self.look_generation.eq(generations.read(m, 2, self.look_target)),
            self.look_own_generation.eq(generations.read(m, 3, self.look_source)),
            self.source_open.eq((self.sources & self.open).any()),
            self.source_draining.eq((self.sources & among[State.DRAINING,]).any()),
            # Of bits, not of the others above: it goes furthest.
            self.connected.eq((permit_row & known_row & self.sources & among[State.OPEN, State.PAUSED]).any()),
            self.target_alive.eq((self.targets & among[State.OPEN, State.PAUSED]).any()),
            self.target_open.eq((self.targets & among[State.OPEN,]).any()),
        ]

        # Commands: what they mean is found out in the cycle before they act.
        after = Signal(2)
        illegal, opens, closes, kills, wraps = (
            Signal(name=name) for name in ("illegal", "opens", "closes", "kills", "wraps")
        )
        state = choose(self.targets, list(self.states))
        m.d.sync += [
            illegal.eq(1),
            opens.eq(self.data == Command.OPEN),
            closes.eq(self.data == Command.CLOSE),
            kills.eq(self.data == Command.KILL),
            wraps.eq(self.target_generation == 255),
        ]
        with m.Switch(self.data):
            with m.Case(Command.OPEN):
                m.d.sync += illegal.eq((state != State.CLOSED) | (self.targets & self.dying).any())
            with m.Case(Command.PAUSE):
                m.d.sync += [illegal.eq(state != State.OPEN), after.eq(State.PAUSED)]
            with m.Case(Command.RESUME):
                m.d.sync += [illegal.eq(state != State.PAUSED), after.eq(State.OPEN)]
            with m.Case(Command.DRAIN):
                m.d.sync += [
                    illegal.eq((state == State.CLOSED) | (state == State.DRAINING)),
                    after.eq(State.DRAINING),
                ]
            with m.Case(Command.CLOSE, Command.KILL):
                m.d.sync += [illegal.eq(state == State.CLOSED), after.eq(State.CLOSED)]
        orphans = self.orphans if c.strict and c.blocks else 0
        wrong = Signal()
        done = Signal()
        enters = Signal(2)
        ends = Signal()
        m.d.comb += [
            wrong.eq(illegal | (closes & ~self.empty)),
            self.refuse.eq(wrong | (opens & (wraps & ~self.idle | orphans))),
            done.eq(self.command & ~wrong & ~opens),
            self.closing.eq(done & (closes | kills)),
            enters.eq(Mux(ends, State.OPEN, after)),
            self.walk_last.eq(self.walk_step == open_steps(c) - 1),
            ends.eq(self.walk & self.walk_last),
        ]
        for vm, target in enumerate(self.targets):
            with m.If(target & self.command):
                m.d.sync += self.refused[vm].eq(self.refuse)
            with m.If(target & (ends | done)):
                m.d.sync += [
                    self.states[vm].eq(enters),
                    *(
                        vms_there[vm].eq(any_of([enters == state for state in states]))
                        for states, vms_there in among.items()
                    ),
                ]
            m.d.comb += [self.opened[vm].eq(target & ends), self.closed[vm].eq(target & self.closing)]
        m.d.comb += self.changed.eq(permit_row & (ends | done).replicate(vms) & ~self.targets)
        starts = Signal()
        guard = Guard(c.protection)
        m.d.comb += [
            starts.eq(self.command & ~self.refuse & opens),
            self.will_walk.eq(starts | (self.walking & ~ends)),
        ]
        m.d.sync += guard.set(self.walking, self.will_walk)
        with m.If(starts):
            m.d.sync += [guard.set(self.walk_vm, self.target), guard.set(self.walk_step, 0)]
        with m.Elif(self.walk):
            m.d.sync += guard.set(self.walk_step, self.walk_step + 1)

        self._tear_down(m, done & kills, guard)
        if c.protection:
            # A state and its memberships say the same twice.
            twisted = [
                vms_there[vm] ^ any_of([state == member for member in states])
                for vm, state in enumerate(self.states)
                for states, vms_there in among.items()
            ]
            twisted[0] = twisted[0] ^ self.inject_states
            m.d.comb += [
                permits.inject.eq(self.inject_permits),
                self.unsound.eq(guard.error | any_of(twisted)),
                self.damaged.eq(permits.error | known.error | generations.error),
            ]

        half = Mux(self.permit_half, Cat(permit_row[:32], self.data), Cat(self.data[: min(vms, 32)], permit_row[32:]))
        m.d.comb += [
            permits.write.eq(self.set_permit),
            permits.write_data.eq(half),
            known.write.eq(self.acknowledge | self.walk),
            known.write_data.eq(
                Mux(self.walk, Mux(self.walk_last, 0, known_row & ~self.sources), known_row | self.sources)
            ),
            generations.write.eq(ends),
            generations.write_data.eq(Mux(self.target_generation == 255, 1, self.target_generation + 1)),
        ]

    def _tear_down(self, m: Module, kills, guard: Guard):
        """Walk over what the target had when ``kills`` is set, or after those that were killed before."""
        c = self.config
        last, busy = Signal(), Signal()
        rest = Signal(c.vms)  # those that wait, when the walk is over
        now = Cat(one_hot(self.kill_vm, c.vms, self.kill & last))
        filled = mux_by_index(list(self.filled), self.kill_vm)
        m.d.comb += [
            last.eq(self.kill_step == kill_steps(c) - 1),
            rest.eq(self.dying & ~now),
        ]
        m.d.sync += [
            guard.set(self.dying, rest | (self.targets & kills.replicate(c.vms))),
            # The queue loses a message a cycle, which may take longer than the walk.
            guard.set(self.killing, busy & ~self.kill & ~(last & filled)),
        ]
        with m.If(kills & ~busy):
            m.d.sync += [guard.set(busy, 1), guard.set(self.kill_vm, self.target), guard.set(self.kill_step, 0)]
        with m.If(self.kill):
            m.d.sync += guard.set(self.kill_step, self.kill_step + 1)
            with m.If(last):
                m.d.sync += [
                    guard.set(busy, rest.any()),
                    guard.set(self.kill_vm, index_of(lowest(rest))),
                    guard.set(self.kill_step, 0),
                ]
