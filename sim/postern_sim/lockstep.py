"""Lockstep: random programs on the RTL, replayed into the functional model, every output compared in every cycle.

The RTL says with its probes when it passes an access on, and the scoreboard has the model do the same in the order of
``docs/states.md``. In cycle ``c``:

1. accesses that are accepted are bound to a VM-ID;
2. reads of ``WORD`` that are passed on now, and other reads that were passed on in ``c - 2``, look;
3. stale pops, then reads of ``HEADER`` that were passed on in ``c - 1``; then writes of SRAM that were passed on in
   ``c - 1``, and its reads; then an ``ALLOC`` of ``c - 2``;
4. writes that are passed on now are staged; then the commit that was passed on in ``c - 1`` acts, or another write of
   ``c - 3``, or one step of an opening, or of tearing down a killed VM, whose block follows a cycle later;
5. a block becomes clean; cycles of waiting are added to their counter, then the events of ``c - 1`` are counted;
   refusals of ``c - 1``, or of SRAM those that the RTL said it logs in ``c - 1``, are logged; then pops that were
   passed on in ``c - 1`` take the head, and killed VMs lose a message; then a ``KILL`` acts;
6. responses that are taken now are compared.

The interrupt lines in ``c`` are compared with the model before step 2. A port that is in reset in ``c`` has lost what
it had not passed on, and what it had not answered.
"""

import random
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from postern.model import Model, Token
from postern_spec.config import Config, Manager
from postern_spec.regmap import (
    Command,
    Damage,
    Fault,
    Handover,
    Injection,
    Popped,
    Result,
    State,
    address_map,
    guest_page,
    manager_page,
)

from .rtl import EVENT, Pace, ProtocolError, Request, Rtl, varied
from .traffic import ALLOC, HEADER, NOTHING, POP, SRAM_READ, SRAM_WRITE, WORD, WRITE, Access, Traffic, describe

__all__ = ["Episode", "Mismatch", "Plan", "Scoreboard", "crossings", "kill_crossings", "run_episode"]

(
    IRQ, MANAGER_IRQ, PORT_RESET, BLOCK_RESET, RESOLVED, ACCEPT, WALK, KILL, CLEAN, WAITED, READ_ISSUE, WRITE_ISSUE,
    READ_LOGGED, WRITE_LOGGED, READ_DONE, WRITE_DONE,
) = range(16)  # fmt: skip
EVENT_NAMES = (
    "irq", "manager_irq", "port reset", "block reset", "resolved", "accepted", "walk", "kill", "clean", "waited",
    "read issued", "write issued", "read logged", "write logged", "read answered", "write answered",
)  # fmt: skip

ERROR_RESPONSE = 2  # SLVERR; the masters report ERR of Wishbone as the same

_CHUNK = 1024  # cycles for which masters keep their pace
_SETTLING = 3  # cycles after an access in which outputs of the model can still change by themselves


class Mismatch(AssertionError):
    """RTL and model differ; the text says where and what happened before."""


@dataclass
class Episode:
    """What an episode covered.

    Attributes
    ----------
    cycles : int
        Cycles in which all outputs were compared.
    accesses : int
        Responses that were compared.
    coverage : Counter
        How often each outcome was seen.
    """

    cycles: int = 0
    accesses: int = 0
    coverage: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Episode") -> None:
        """Add the figures of another episode."""
        self.cycles += other.cycles
        self.accesses += other.accesses
        self.coverage += other.coverage


Passed = tuple[int, int, Access, int | None]
"""Port, number, what the scoreboard knows of the request, and the VM that was bound to it."""

Refusal = tuple[int, int | None, int, Fault, bool]
"""A refusal: port, VM, address, why, whether a write."""


def crossings() -> set[str]:
    """Return what ``Crossings`` can count: every operation in every state by everybody that there is in it."""
    people = {
        "dirty": ("stranger",),
        "clean": ("stranger",),
        "owned": ("owner", "stranger"),
        "lent": ("owner", "borrower", "stranger"),
        "shown": ("owner", "borrower", "stranger"),
    }
    met = {f"{state} / {who}" for state, all_of_them in people.items() for who in all_of_them}
    found = {f"{way} / {what} / still" for way in ("read", "write") for what in met}
    # Nothing but the scrubber touches a dirty block, and that changes nobody's rights.
    found |= {f"{way} / {what} / changing" for way in ("read", "write") for what in met if "dirty" not in what}
    writes = ("FREE", "RETURN", "REVOKE", *(how.name for how in Handover))
    found |= {f"{name} / {what} / still" for name in writes for what in met}
    # Of writes there is one at a time: beside them only an allocation changes anything.
    return found | {f"{name} / clean / allocator / changing" for name in writes} | {"ALLOC / given", "ALLOC / none"}


class Crossings:
    """Counts which operations met which state of a block, by whom, and whether its rights changed in the same cycle.

    Parameters
    ----------
    config : Config
        The block.
    model : Model
        What the scoreboard replays into.
    coverage : Counter
        Where to count, as ``operation / state / who / changing or still``.
    """

    def __init__(self, config: Config, model: Model, coverage: Counter[str]):
        self.config = config
        self.model = model
        self._coverage = coverage
        self._fields = guest_page(config).RETURN if config.blocks else None
        self.reset()

    def reset(self) -> None:
        """Forget the cycle."""
        self._met: list[tuple[int, str]] = []  # of this cycle: block, and what met it
        self._changed: set[int] = set()

    def _state(self, block: int, vm: int | None) -> str:
        owner, borrower, shown = self.model.rights(block)
        if owner is None:
            return f"{'clean' if self.model.clean(block) else 'dirty'} / stranger"
        state = "owned" if borrower is None else "shown" if shown else "lent"
        if self.model.dying(owner):
            state += " by the dead"
        elif borrower is not None and self.model.dying(borrower):
            state += " to the dead"
        return f"{state} / {'owner' if vm == owner else 'borrower' if vm == borrower else 'stranger'}"

    def touched(self, write: bool, port: int, vm: int | None, address: int, fault: Fault) -> None:
        """Count an access of SRAM, whose rights have not changed yet."""
        if fault in (Fault.NONE, Fault.BLOCK):
            where = address_map(self.config, port)
            assert vm is not None
            block = (address - where.sram(vm)) // self.config.block_size
            self._met.append((block, f"{'write' if write else 'read'} / {self._state(block, vm)}"))

    def allocated(self, vm: int | None, answer: int) -> None:
        """Count an ``ALLOC`` that was answered like this."""
        self._coverage[f"ALLOC / {'given' if answer else 'none'}"] += 1
        if answer:
            self._changed.add(guest_page(self.config).ALLOC.BLOCK.get(answer))

    def before(self, token: Token) -> None:
        """Look at what a write is about to do."""
        name, block, vm = self._about(token)
        if name:
            # A block that was allocated in this very cycle counts as clean: that is what it was before.
            fresh = block in self._changed
            state = "clean / allocator" if fresh and self.model.rights(block)[0] == vm else self._state(block, vm)
            self._coverage[f"{name} / {state} / {'changing' if fresh else 'still'}"] += 1
            self._rights = self.model.rights(block)

    def after(self, token: Token) -> None:
        """Look at what it did."""
        name, block, _ = self._about(token)
        if name and self.model.rights(block) != self._rights:
            self._changed.add(block)

    def _about(self, token: Token) -> tuple[str, int, int]:
        decoded, _, vm, _, word, whole, settled, _ = token
        name = decoded.name
        if self._fields is None or vm is None or settled is Fault.NONE or not whole or decoded.fault:
            return "", 0, 0
        if name == "COMMIT" and decoded.where[1] and self._fields.KIND.get(word):
            name = Handover(self._fields.KIND.get(word)).name
        elif name not in ("FREE", "RETURN", "REVOKE"):
            return "", 0, 0
        block = self._fields.BLOCK.get(word)
        return (name, block, vm) if block < self.config.blocks else ("", 0, 0)

    def end(self) -> None:
        """End the cycle."""
        for block, what in self._met:
            self._coverage[f"{what} / {'changing' if block in self._changed else 'still'}"] += 1
        if self._met or self._changed:
            self._met, self._changed = [], set()


def kill_crossings(c: Config) -> set[str]:
    """Return what ``Kills`` counts on a block with a manager: a VM killed in every state, while it does anything, and
    everything that it can have of a block, and what others do to that before it is torn down."""
    found = {f"KILL / {state} / {queue}" for state in ("OPEN", "PAUSED", "DRAINING") for queue in ("mail", "no mail")}
    now = ["its pop", "a pop of its message", "its header", "its STAGE", "its COMMIT", "its register write", "its read"]
    found |= {"KILL / refused", "KILL / while another is torn down", "OPEN / the dead", "CREDITS / at the dead"}
    found |= {"OPEN / while another is torn down"}
    if c.blocks:
        now += ["its ALLOC", "its read of SRAM", "its write of SRAM", "a read of its loan", "its COMMIT with a block"]
        now += ["a COMMIT with a block to it"]
        payers = ("itself", "another", "nobody")
        found |= {f"torn / {state} by it / paid by {payer}" for state in ("owned", "lent", "shown") for payer in payers}
        found |= {f"torn / {state} to it / paid by {payer}" for state in ("lent", "shown") for payer in payers}
        found |= {f"torn / {state} by another / paid by itself" for state in ("owned", "lent", "shown")}
        found |= {"torn / nothing", "FREE / orphan", "QUOTA / with orphans"}
        found |= {f"RECLAIM / {what}" for what in ("owned orphan", "lent orphan", "shown orphan", "no orphan")}
        loans = ("lent", "shown")
        found |= {f"{name} / {loan} by the dead / borrower / still" for name in ("RETURN", "read") for loan in loans}
        found |= {f"{name} / {loan} to the dead / owner / still" for name in ("REVOKE", "FREE") for loan in loans}
        found |= {f"{way} / owned by the dead / owner / still" for way in ("read", "write")}
    return found | {f"KILL / {what}" for what in now}


class Kills:
    """Counts what a VM had and did when it was killed, and what became of that.

    Parameters
    ----------
    config : Config
        The block.
    model : Model
        What the scoreboard replays into.
    coverage : Counter
        Where to count.
    """

    def __init__(self, config: Config, model: Model, coverage: Counter[str]):
        self.config = config
        self.model = model
        self._coverage = coverage
        self._dead = 0  # whose step of tearing down was the last

    @staticmethod
    def victim(token: Token) -> int | None:
        """Return which VM a write asks to kill."""
        decoded, _, _, _, data, whole, _, _ = token
        kills = decoded.name == "CONTROL" and data == Command.KILL and whole and not decoded.fault
        return decoded.where[0] if kills else None

    @staticmethod
    def closes(token: Token) -> bool:
        """Return whether a write asks for a flip that closes the block."""
        decoded, _, _, _, data, whole, _, _ = token
        return decoded.name == "INJECT" and whole and not decoded.fault and data & 0xF > Injection.SRAM_TWO

    def before(self, token: Token, doing: set[str]) -> None:
        """Look at a VM that is about to be killed, and at what it does, or others do with it, in this cycle."""
        model, vm = self.model, self.victim(token)
        assert vm is not None
        state = model.state(vm)
        if state is State.CLOSED:
            self._coverage["KILL / refused"] += 1
            return
        self._coverage[f"KILL / {state.name} / {'mail' if model.senders(vm) else 'no mail'}"] += 1
        for what in doing:
            self._coverage[f"KILL / {what}"] += 1
        if model.killing is not None:
            self._coverage["KILL / while another is torn down"] += 1

    def write(self, token: Token) -> None:
        """Look at what another write is about to do to the dead, or to what they left."""
        decoded, _, vm, _, data, whole, _, _ = token
        model, name, where = self.model, decoded.name, decoded.where
        if decoded.fault or not whole or name not in ("CONTROL", "CREDITS", "QUOTA", "RECLAIM", "FREE"):
            return
        if name == "CONTROL" and data == Command.OPEN and model.state(where[0]) is State.CLOSED:
            if model.dying(where[0]):
                self._coverage["OPEN / the dead"] += 1
            elif model.killing is not None:
                self._coverage["OPEN / while another is torn down"] += 1
        elif name == "CREDITS" and model.dying(where[0]):
            self._coverage["CREDITS / at the dead"] += 1
        elif name == "QUOTA" and model.orphans:
            self._coverage["QUOTA / with orphans"] += 1
        elif name in ("RECLAIM", "FREE") and data < self.config.blocks:
            owner, borrower, shown = model.rights(data)
            orphan = owner is not None and model.payer(data) is None
            if name == "RECLAIM":
                how = "owned" if borrower is None else "shown" if shown else "lent"
                self._coverage[f"RECLAIM / {how} orphan" if orphan else "RECLAIM / no orphan"] += 1
            elif orphan and owner == vm:
                self._coverage["FREE / orphan"] += 1

    def step(self, dead: int) -> None:
        """Remember whose step of tearing down acts."""
        self._dead = dead

    def block(self, block: int) -> None:
        """Look at a block that is about to lose what the dead had of it."""
        if block >= self.config.blocks:
            return
        owner, borrower, shown = self.model.rights(block)
        payer = self.model.payer(block)
        state = "owned" if borrower is None else "shown" if shown else "lent"
        paid = "paid by " + ("nobody" if payer is None else "itself" if payer == self._dead else "another")
        what = "nothing"
        if owner is not None and self._dead in (owner, borrower, payer):
            side = "by it" if owner == self._dead else "to it" if borrower == self._dead else "by another"
            what = f"{state} {side} / {paid}"
        self._coverage[f"torn / {what}"] += 1


class Scoreboard:
    """Replays events into a model and compares.

    Parameters
    ----------
    config : Config
        The block.
    accesses : list of list of Access
        Of each port, by number of the request.
    model : Model
        A model after reset, with ``stepped_open``, ``stepped_kill``, ``stepped_scrub`` and ``stepped_counts``.
    """

    def __init__(self, config: Config, accesses: list[list[Access]], model: Model):
        self.config = config
        self.accesses = accesses
        self.model = model
        self.episode = Episode()
        self.recent: deque[tuple[int, ...]] = deque(maxlen=60)
        ports = range(len(config.ports))
        self._bound: list[dict[int, int | None]] = [{} for _ in ports]  # VM of the accepted requests
        self._results: list[dict[int, tuple[int, int]]] = [{} for _ in ports]  # data and response of those that acted
        self._lines = 0  # interrupt lines of the RTL, the manager's above the cores'
        self._expected = 0
        self._doubtful = _SETTLING  # cycles for which the expectation has to be computed anew
        self._cycle = 0
        self._started = False
        # What was passed on, by the cycles until it acts: (port, number, access, VM), of writes (port, number, token).
        self._pops: list[Passed] = []
        self._reads: tuple[list[Passed], ...] = ([], [])
        self._refused: tuple[list[Passed], ...] = ([], [])  # belonged to the port's own path, but the VM was closed
        self._writes: tuple[list[tuple[int, int, Token]], ...] = ([], [], [])
        self._new_pops: list[Passed] = []
        self._headers: list[Passed] = []
        self._new_headers: list[Passed] = []
        self._new_reads: list[Passed] = []
        self._new_refused: list[Passed] = []
        self._new_writes: list[tuple[int, int, Token]] = []
        self._new_commits: list[tuple[int, int, Token]] = []
        # Refusals: port, VM, address, why, whether a write. They are in the log a cycle later.
        self._faults: list[Refusal] = []
        self._logged: list[Refusal] = []
        # Of the SRAM: what was passed on, as above, and refusals until the RTL logs them, by port.
        self._allocs: list[Passed] = []
        self._touches: list[Passed] = []
        self._new_touches: list[Passed] = []
        self._waiting = {kind: [deque[Refusal]() for _ in ports] for kind in (READ_LOGGED, WRITE_LOGGED)}
        self._late_faults: list[Refusal] = []
        self._clean: int | None = None
        self._waited: list[tuple[int, int]] = []  # VM, cycles
        self._crossings = Crossings(config, model, self.episode.coverage)
        self._kills = Kills(config, model, self.episode.coverage)
        self._walk = self._kill = False
        self._torn: int | None = None  # the block of the step of tearing down that acted in the last cycle
        self._noted: list[tuple[str, int | None]] = []  # of this cycle: what acted at once, and whose it was
        self._answers: list[tuple[int, int, int, int, int]] = []  # of this cycle: port, number, kind, data, response
        self._has_manager = config.manager is not Manager.NONE
        self._manager_line = (config.cores + 31) // 32 * 32  # above the words of the cores' lines
        self._coverage = self.episode.coverage
        self._guest = guest_page(config)
        self._manager = manager_page(config)

    def replay(self, events: bytes, end: int) -> None:
        """Replay the events of all cycles before ``end``.

        Raises
        ------
        Mismatch
            RTL and model differ.
        """
        model = self.model
        for event in EVENT.iter_unpack(events):
            cycle, kind, port, response, index, data = event
            if cycle != self._cycle:
                self._advance(cycle)
            self.recent.append(event)
            if kind == IRQ:
                mask = 0xFFFF_FFFF << 32 * port
                self._lines = self._lines & ~mask | data << 32 * port
            elif kind == MANAGER_IRQ:
                self._lines = self._lines & (1 << self._manager_line) - 1 | data << self._manager_line
            elif kind == PORT_RESET:
                self._reset_port(port)
            elif kind == BLOCK_RESET:
                self._reset()
            elif kind == RESOLVED:
                self._resolve(port, index, data)
            else:
                if not self._started:
                    self._start()
                if kind == WALK:
                    self._walk = True
                    continue
                if kind == KILL:
                    self._kill = True
                    continue
                if kind == CLEAN:
                    self._clean = data
                    continue
                if kind == WAITED:
                    self._waited.append((port, data))
                    continue
                if kind in (READ_LOGGED, WRITE_LOGGED):
                    if not self._waiting[kind][port]:
                        self._fail("no refused access of SRAM to log", EVENT_NAMES[kind])
                    self._late_faults.append(self._waiting[kind][port].popleft())
                    continue
                access = self.accesses[port][index]
                if kind == ACCEPT:
                    self._bind(port, index, model.bind(port, access.address, tag=access.tag))
                elif kind == READ_ISSUE:
                    self._read_issue(port, index, access)
                elif kind == WRITE_ISSUE:
                    self._write_issue(port, index, access)
                else:
                    self._answers.append((port, index, kind, data, response))
        if end != self._cycle:  # a run may end where the one before did
            self._advance(end)

    # One cycle

    def _advance(self, cycle: int) -> None:
        """End the current cycle and all others up to ``cycle``, which becomes the current one."""
        model, timed = self.model, self.config.moderation
        while True:
            if not self._started:
                self._start()
            self._end()
            if self._doubtful or timed:
                model.tick()
            self._cycle += 1
            self._started = False
            if self._cycle == cycle:
                break
            if not (self._doubtful or self._busy()):
                # Nothing is under way, no event comes, and the lines have had their time to follow: only a timer can
                # still raise one.
                alarm = model.alarm() if timed else None
                skipped = cycle - self._cycle
                if alarm is not None and alarm <= skipped:
                    skipped = alarm - 1
                    self._doubtful = _SETTLING
                if timed:
                    model.tick(skipped)
                self._cycle += skipped
                if self._cycle == cycle:
                    break
        if timed:
            self._doubtful = self._doubtful or 1

    def _busy(self) -> bool:
        under_way = (
            self._pops, self._headers, self._logged, self._touches, *self._reads, *self._refused, *self._writes,
        )  # fmt: skip
        return any(under_way) or self._torn is not None or self.model.killing is not None

    def _start(self) -> None:
        """Do what looks: the interrupt lines, then the reads that were passed on before."""
        self._started = True
        self._compare_lines()
        for passed in self._reads[0]:
            if passed[2].path == ALLOC:
                self._allocs.append(passed)
            else:
                self._read(*passed)
        for port, index, access, vm in self._refused[0]:
            closed = access.strobes == 0xF or not self.model.state(vm)
            fault = Fault.CLOSED if closed else Fault.NONE
            if fault:
                self._faults.append((port, vm, access.address, fault, False))
            self._give(port, index, 0, fault)
        if self._pops:
            stale = [pop for pop in self._pops if not self._pops_now(pop)]
            for pop in stale:
                self._pops.remove(pop)
                self._pop(*pop)
        for port, index, access, vm in self._headers:
            if self.model.state(vm):
                self._read(port, index, access, vm)
            else:
                self._refused[1].append((port, index, access, vm))  # the engine refuses it a cycle later
        if self._touches:
            for way in (SRAM_WRITE, SRAM_READ):
                for passed in self._touches:
                    if passed[2].path == way:
                        self._touch(*passed)
        for port, index, access, vm in self._allocs:
            self._read(port, index, access, vm)
            self._crossings.allocated(vm, self._results[port][index][0])
            self._noted.append(("its ALLOC", vm))
            self._doubtful = _SETTLING
        self._allocs.clear()

    def _pops_now(self, pop: "Passed") -> bool:
        _, _, access, vm = pop
        return bool(self.model.state(vm)) and self.model.fresh(vm, access.lane)

    def _end(self) -> None:
        """Do what acts."""
        model = self.model
        if self._torn is not None:
            self._kills.block(self._torn)
            model.tear_block(self._torn)
            self._torn = None
        killing: tuple[int, int, Token] | None = None
        closing: tuple[int, int, Token] | None = None
        doing: set[str] = set()
        if self._writes[0] or self._walk or self._kill:
            for passed in self._writes[0]:
                victim = self._kills.victim(passed[2])
                if victim is not None:
                    killing, doing = passed, self._doing(victim)
                elif self._kills.closes(passed[2]):
                    closing = passed
                else:
                    self._write(*passed)
            if self._kill:
                if model.killing is None:
                    self._fail("no VM is being torn down", "a step of tearing down")
                self._kills.step(model.killing)
                self._torn = model.tear_row()
                self._kill = False
                self._doubtful = _SETTLING
            if self._walk:
                if not model.walking:
                    self._fail("no VM is being opened", "a step of an opening")
                model.walk()
                self._walk = False
                self._doubtful = _SETTLING
        if self._logged:
            for port, vm, address, fault, write in self._logged:
                model.log(port, vm, address, fault, write=write)
            self._doubtful = _SETTLING
        if self._clean is not None:
            try:
                model.scrubbed(self._clean if self.config.strict else None)
            except RuntimeError as error:
                self._fail(str(error), "a block that becomes clean")
            self._coverage["scrubbed"] += 1
            self._clean = None
            self._doubtful = _SETTLING
        for vm, cycles in self._waited:
            model.waited(vm, cycles)
            self._coverage["waited"] += cycles
        self._waited.clear()
        if self.config.counters:
            model.counted()
        for pop in self._pops:
            self._pop(*pop)
            self._doubtful = _SETTLING
        if model.killing is not None:
            model.drop()
            self._doubtful = _SETTLING
        if killing:
            self._kills.before(killing[2], doing)
            self._write(*killing)
        if closing:
            self._write(*closing)
        if self.config.protection and model.flipped():
            self._doubtful = _SETTLING
        self._crossings.end()
        self._logged, self._faults, self._late_faults = self._faults + self._late_faults, [], []
        if self._answers:
            for answer in self._answers:
                self._respond(*answer)
            self._answers.clear()
        self._pops = self._new_pops
        self._headers = self._new_headers
        self._reads = self._reads[1], self._new_reads
        self._refused = self._refused[1], self._new_refused
        self._writes = self._writes[1] + self._new_commits, self._writes[2], self._new_writes
        self._new_pops, self._new_headers, self._new_reads, self._new_refused = [], [], [], []
        self._new_writes, self._new_commits = [], []
        self._touches, self._new_touches = self._new_touches, []
        self._noted.clear()

    def _write(self, port: int, index: int, token: Token) -> None:
        """Do what a write does behind its port."""
        self._kills.write(token)
        self._crossings.before(token)
        fault = self.model.finish_write(token, log=False)
        self._crossings.after(token)
        if fault:
            _, _, vm, address, *_ = token
            self._faults.append((port, vm, address, fault, True))
        self._doubtful = _SETTLING
        self._results[port][index] = 0, 0
        self._coverage[f"write {fault.name}"] += 1

    def _doing(self, vm: int) -> set[str]:
        """Return what a VM does, or others do with it, in this cycle; of writes, that they wait behind their port."""
        doing = {what for what, who in self._noted if who == vm}
        for _, _, _, who in self._pops:
            if who == vm:
                doing.add("its pop")
            if self.model.senders(who or 0)[0] == vm:
                doing.add("a pop of its message")
        for what, passed in (("its header", self._headers), ("its read", self._reads[1] + self._new_reads)):
            doing |= {what for *_, who in passed if who == vm}
        for _, _, token in (*self._writes[1], *self._writes[2], *self._new_writes, *self._new_commits):
            decoded, who = token[0], token[2]
            gives = decoded.name == "COMMIT" and decoded.where[1]
            if who == vm:
                commits = "its COMMIT with a block" if gives else "its COMMIT"
                doing.add(commits if decoded.name == "COMMIT" else "its register write")
            if gives and decoded.where[3] == vm:
                doing.add("a COMMIT with a block to it")
        for port, _, access, who in self._touches:
            read = access.path == SRAM_READ
            if who == vm:
                doing.add(f"its {'read' if read else 'write'} of SRAM")
            elif who is not None and read:
                block = (access.address - address_map(self.config, port).sram(who)) // self.config.block_size
                if block < self.config.blocks and self.model.rights(block)[:2] == (vm, who):
                    doing.add("a read of its loan")
        return doing

    def _compare_lines(self) -> None:
        if self._doubtful:
            model = self.model
            lines = sum(1 << core for core in range(self.config.cores) if model.irq(core))
            if self._has_manager and model.manager_irq:
                lines |= 1 << self._manager_line
            self._expected = lines
            self._doubtful -= 1
        if self._lines != self._expected:
            wrong = self._lines ^ self._expected
            line = (wrong & -wrong).bit_length() - 1
            name = "manager_irq" if line == self._manager_line else f"irq[{line}]"
            self._fail(f"{name} {self._expected >> line & 1}", f"{self._lines >> line & 1}")

    # Accesses

    def _resolve(self, port: int, index: int, data: int) -> None:
        """Fill in what a request took from a pocket; the rest of a burst follows its address."""
        accesses = self.accesses[port]
        access = accesses[index]
        if access.path not in (SRAM_READ, SRAM_WRITE):
            accesses[index] = access._replace(data=data)
            return
        offset = data - access.address
        while True:
            accesses[index] = access._replace(address=access.address + offset)
            index += 1
            if index == len(accesses) or not accesses[index].continues:
                return
            access = accesses[index]

    def _bind(self, port: int, index: int, vm: int | None) -> None:
        """Remember the VM of a request, and of all others of its burst."""
        bound, accesses = self._bound[port], self.accesses[port]
        bound[index] = vm
        index += 1
        while index < len(accesses) and accesses[index].continues:
            bound[index] = vm
            index += 1

    def _read_issue(self, port: int, index: int, access: Access) -> None:
        vm = self._bound[port].pop(index)
        path = access.path
        if path == NOTHING:
            self._results[port][index] = 0, 0
        elif path == SRAM_READ:
            self._new_touches.append((port, index, access, vm))
        elif vm is not None and path == HEADER and access.strobes == 0xF:
            self._new_headers.append((port, index, access, vm))
        elif vm is not None and (path == WORD or (path == POP and access.strobes == 0xF)):
            if not self.model.state(vm):
                self._new_refused.append((port, index, access, vm))
            elif path == POP:
                self._new_pops.append((port, index, access, vm))
            else:
                self._read(port, index, access, vm)
        else:
            self._new_reads.append((port, index, access, vm))

    def _write_issue(self, port: int, index: int, access: Access) -> None:
        vm = self._bound[port].pop(index)
        word = varied(access.data, index) if access.vary else access.data
        if access.path == SRAM_WRITE:
            self._new_touches.append((port, index, access._replace(data=word), vm))
            return
        word &= 0xFFFF_FFFF
        token = self.model.stage_write(
            port, vm, access.address, word, access.strobes, secure=access.secure, cacheable=access.cacheable
        )
        decoded, *_, settled, _ = token
        if settled is Fault.NONE:  # a staged word: that was all
            self._results[port][index] = 0, 0
            self._noted.append(("its STAGE", vm))
        elif decoded.name == "COMMIT" and not decoded.where[1]:  # without a block; decoded in its port
            self._new_commits.append((port, index, token))
        else:  # decoded and checked in the engine, which takes two cycles
            self._new_writes.append((port, index, token))

    def _read(self, port: int, index: int, access: Access, vm: int | None) -> None:
        full = access.strobes == 0xF
        value, fault = self.model.read(
            port, vm, access.address, full=full, secure=access.secure, cacheable=access.cacheable, log=False
        )
        if fault:
            self._faults.append((port, vm, access.address, fault, False))
        self._give(port, index, value, fault)

    def _touch(self, port: int, index: int, access: Access, vm: int | None) -> None:
        write, model = access.path == SRAM_WRITE, self.model
        wide = self.config.ports[port].data_bits == 64
        value, fault = 0, Fault.NONE
        for half in range(1 + wide):  # both have the same block, and so the same rights
            address = access.address & ~7 | 4 * half | access.address & 3 if wide else access.address
            how = {"secure": access.secure, "cacheable": access.cacheable}
            if write:
                word, strobes = access.data >> 32 * half & 0xFFFF_FFFF, access.strobes >> 4 * half & 0xF
                token = model.stage_write(port, vm, address, word, strobes, **how)
                fault = model.finish_write(token, log=False) or fault
            else:
                word, fault = model.read(port, vm, address, log=False, **how)
                value |= word << 32 * half
        if not write or access.strobes:
            self._crossings.touched(write, port, vm, access.address, fault)
        if fault and self._has_manager:
            kind = WRITE_LOGGED if write else READ_LOGGED
            self._waiting[kind][port].append((port, vm, access.address, fault, write))
        if write:
            self._results[port][index] = 0, 0
            self._coverage[f"write {fault.name}"] += 1
        else:
            self._give(port, index, value, fault)

    def _pop(self, port: int, index: int, access: Access, vm: int) -> None:
        if self.model.state(vm):
            value, fault = self.model.read(port, vm, access.address, secure=access.secure, log=False)
        else:
            value, fault = 0, Fault.NONE  # closed since it was passed on
        self._give(port, index, value, fault)

    def _give(self, port: int, index: int, value: int, fault: Fault) -> None:
        self._coverage[f"read {fault.name}"] += 1
        self._results[port][index] = value, ERROR_RESPONSE if fault and self.config.read_error else 0

    def _respond(self, port: int, index: int, kind: int, data: int, response: int) -> None:
        result = self._results[port].pop(index, None)
        if result is None:
            self._fail("an effect before the answer", "an answer before the effect", port, index)
        elif result != (data, response):
            self._fail(f"{result[0]:#x}, response {result[1]}", f"{data:#x}, response {response}", port, index)
        self.episode.accesses += 1
        if kind == READ_DONE:
            access = self.accesses[port][index]
            self._note(access.name, data)

    def _note(self, name: str, data: int) -> None:
        """Count what a read showed."""
        guest = self._guest
        if name == "RESULT" and data:
            self._coverage[f"commit {Result(guest.RESULT.CODE.get(data)).name}"] += 1
        elif name == "RX_RESULT":
            self._coverage[f"pop {Popped(guest.RX_RESULT.CODE.get(data)).name}"] += 1
        elif name == "HEADER":
            count = guest.HEADER.COUNT.get(data)
            self._coverage[f"message of {count} words" if count else "no message"] += 1
        elif name == "INTEGRITY":
            self._coverage[f"damage {Damage(self._manager.INTEGRITY.KIND.get(data)).name}"] += 1
        elif name in ("INTEGRITY_POOL", "INTEGRITY_SRAM"):
            register = getattr(self._manager, name)
            for what in ("CORRECTED", "LOST"):
                if getattr(register, what).get(data):
                    self._coverage[f"{name} {what} not zero"] += 1
        elif name == "INJECT" and data:
            self._coverage[f"waiting {Injection(self._manager.INJECT.KIND.get(data)).name}"] += 1
        elif name.startswith("COUNT_") and data:
            self._coverage[f"{name} not zero"] += 1

    # Resets

    def _reset_port(self, port: int) -> None:
        self.model.reset_port(port)
        self._bound[port].clear()
        self._results[port].clear()
        self._coverage["port reset"] += 1

    def _reset(self) -> None:
        if not self._started:
            self._compare_lines()
            self._started = True
        self.model.reset()
        for port in range(len(self.config.ports)):
            self._bound[port].clear()
            self._results[port].clear()
        self._pops, self._headers, self._reads, self._refused, self._writes = [], [], ([], []), ([], []), ([], [], [])
        self._faults, self._logged, self._late_faults = [], [], []
        self._allocs, self._touches, self._clean, self._waited = [], [], None, []
        self._torn, self._kill = None, False
        for queues in self._waiting.values():
            for queue in queues:
                queue.clear()
        self._crossings.reset()
        self._doubtful = _SETTLING
        self._coverage["block reset"] += 1

    # Reports

    def _fail(self, expected: str, got: str, port: int | None = None, index: int = 0) -> None:
        where = f"\n  at port {port}, {self._text(port, index)}" if port is not None else ""
        self.fail(f"cycle {self._cycle}: the model says {expected}, the RTL says {got}{where}")

    def fail(self, text: str) -> None:
        """Raise a ``Mismatch`` with this text and the last events."""
        events = "\n".join(f"  {self._event(*event)}" for event in self.recent)
        raise Mismatch(f"{text}\nthe last events:\n{events}")

    def _text(self, port: int, index: int) -> str:
        access = self.accesses[port][index]
        writes = access.path in (WRITE, SRAM_WRITE)
        what = f"request {index}: {'write' if writes else 'read'} {access.address:#x}"
        what += f" {describe(self.config, port, access.address)}"
        if writes:
            what += f" = {varied(access.data, index) if access.vary else access.data:#x}"
        bound = self._bound[port].get(index, "-")
        return f"{what} tag {access.tag} strobes {access.strobes:04b} secure {int(access.secure)} VM {bound}"

    def _event(self, cycle: int, kind: int, port: int, response: int, index: int, data: int) -> str:
        text = f"{cycle:8} {EVENT_NAMES[kind]:14}"
        if kind in (IRQ, MANAGER_IRQ):
            return f"{text} {data:#x}"
        if kind in (WALK, KILL, CLEAN, BLOCK_RESET):
            return text
        if kind == WAITED:
            return f"{text} VM {port}, {data} cycles"
        if kind in (PORT_RESET, READ_LOGGED, WRITE_LOGGED):
            return f"{text} port {port}"
        if kind == RESOLVED:
            return f"{text} port {port} request {index}: {data:#x}"
        if kind == READ_DONE:
            return f"{text} port {port} request {index}: {data:#x} response {response}"
        if kind == WRITE_DONE:
            return f"{text} port {port} request {index}: response {response}"
        return f"{text} port {port} {self._text(port, index)}"


@lru_cache(maxsize=32)
def _model(config: Config) -> Model:
    """Return a model that is used again, because it remembers what addresses mean."""
    return Model(
        config, stepped_open=True, stepped_kill=True, stepped_scrub=True, stepped_counts=True, stepped_flips=True
    )


class Plan:
    """Programs, resets and paces of an episode, all of them from one seed.

    Parameters
    ----------
    config : Config
        The block.
    seed : int
        Of everything that is random.
    length : int
        Requests of each port.
    deadly : bool or None
        VMs are killed all the time; ``None``: in some of the programs.

    Attributes
    ----------
    traffic : Traffic
        The programs.
    limit : int
        Cycles within which they have to end.
    """

    def __init__(self, config: Config, seed: int, length: int, deadly: bool | None = None):
        rng = random.Random(seed)
        ports = len(config.ports)
        self.config = config
        patient = seed % 10 == 6  # one in ten
        self.traffic = Traffic(config, rng.getrandbits(32), length, deadly, patient)
        self.limit = 200 * length
        self._seed = rng.getrandbits(30) | 1
        expected = 3 * length

        def resets(rng: random.Random, count: int) -> list[tuple[int | None, int, int]]:
            return [(rng.randrange(ports), rng.randrange(expected), rng.choice((1, 1, 2, 5))) for _ in range(count)]

        self._resets = resets(rng, rng.choice((0, 1, 3, 8)))
        if patient:
            self._resets = []
        elif rng.random() < 0.3:
            self._resets.append((None, rng.randrange(expected), rng.choice((1, 2, 3))))
        if seed % 5 == 4:  # now and then so many that a reset meets everything that a port can be doing
            self._resets += resets(rng, length // 20)
        self._paces = rng.getstate()

    def board(self, model: Model | None = None) -> "Scoreboard":
        """Return a scoreboard of these programs, over the model as it is unless another one is given."""
        model = model or _model(self.config)
        model.reset()
        return Scoreboard(self.config, [list(accesses) for accesses in self.traffic.accesses], model)

    def start(self, *, text: str | None = None, mutant: int | None = None, coverage: bool = False) -> Rtl:
        """Return the RTL with the programs before it; ``text``, ``mutant`` and ``coverage`` as ``Rtl`` takes them."""
        config = self.config
        rtl = Rtl(config, probe=True, text=text, seed=self._seed, mutant=mutant, coverage=coverage)
        self.load(rtl, self.traffic.requests)
        rtl.log(True)
        return rtl

    def drop_block_resets(self) -> None:
        """Leave out the resets of the whole block."""
        self._resets = [reset for reset in self._resets if reset[0] is not None]

    def load(self, rtl: Rtl, requests: Sequence[Iterable[Request] | bytes]) -> None:
        """Put the programs, whose requests may be packed already, and the resets before the RTL."""
        config, ports = self.config, len(self.config.ports)
        # A grant takes a turn of all ports, of three cycles each where turns are fixed. A manager may wait until as
        # many VMs are open as other ports ask for, and each step of that takes a grant.
        turn, steps = (3 if config.strict else 2) * (ports + 1), max(config.vms, config.lanes) + 1
        settle = 100 + 4 * config.vms * config.depth + config.blocks
        rtl.limits(bound=100 + 20 * turn + ports * steps * turn, settle=settle)
        for port in range(ports):
            rtl.issue(port, requests[port])
            rtl.use(port, self.traffic.uses[port])
        for reset in self._resets:
            rtl.schedule_reset(*reset)

    def pace(self, rtl: Rtl, rng: random.Random) -> None:
        """Let the masters behave in another way from here on."""
        for port in range(len(self.config.ports)):
            rtl.pace(port, _pace(rng))

    def run(self, rtl: Rtl, step: int = _CHUNK) -> Iterator[tuple[bytes, int, ProtocolError | None]]:
        """Run until the programs end or a bus rule is broken; return events, cycle and broken rule every few cycles."""
        rng = random.Random()
        rng.setstate(self._paces)
        while True:
            self.pace(rtl, rng)
            for _ in range(_CHUNK // step):
                passed, failure = step, None
                try:
                    passed = rtl.run(step)
                except ProtocolError as error:
                    failure = error
                yield rtl.events(), rtl.cycle, failure
                if failure or passed < step or rtl.cycle > self.limit:
                    return

    def check(self, board: "Scoreboard", events: bytes, cycle: int, failure: ProtocolError | None) -> None:
        """Replay what ``run`` returned.

        Raises
        ------
        Mismatch
            RTL and model differ, or the RTL broke a bus rule, or the programs do not end.
        """
        try:
            board.replay(events, cycle)
        except RuntimeError as error:  # so the model says that hardware must not let this happen now
            board.fail(f"cycle {cycle}: {error}")
        if failure:
            board.fail(str(failure))
        if cycle > self.limit:
            board.fail(f"the programs must end within {self.limit} cycles")
        board.episode.cycles = cycle


def run_episode(
    config: Config,
    seed: int,
    *,
    length: int = 3000,
    text: str | None = None,
    model: Model | None = None,
    deadly: bool | None = None,
) -> Episode:
    """Run one random program on every port of a block and compare. The same arguments give the same run.

    Parameters
    ----------
    config : Config
        The block.
    seed : int
        Of everything that is random.
    length : int
        Requests of each port.
    text : str
        The Verilog, where it is not that of ``config`` as it is.
    model : Model
        What to compare with, where it is not the model as it is.
    deadly : bool
        VMs are killed all the time. By default in some of the programs.

    Raises
    ------
    Mismatch
        RTL and model differ, or the RTL broke a bus rule.
    """
    plan = Plan(config, seed, length, deadly)
    board = plan.board(model)
    with plan.start(text=text) as rtl:
        for part in plan.run(rtl):
            plan.check(board, *part)
    return board.episode


def _pace(rng: random.Random) -> Pace:
    chances = (0, 0, 20, 128, 250)
    return Pace(
        seed=rng.getrandbits(32),
        b_chance=rng.choice(chances),
        r_chance=rng.choice(chances),
        pause=rng.choice((1, 3, 30)),
        reads=rng.choice((1, 2, 4, 16)),
        writes=rng.choice((1, 2, 4, 16)),
        noise=rng.random() < 0.5,
    )
