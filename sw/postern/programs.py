"""Several guest programs at once, one step after the other: the same interleaving on every run.

Each program is a plain blocking function in a thread of its own, but only the one that holds the baton runs. It hands
the baton on at each access (of a burst, at every sixteenth word), round robin or as a seed decides. So programs can be
as concurrent as on a chip, over the model and over the hardware in simulation, and what was seen once can be seen
again.
"""

import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

from .bus import Bus
from .driver import Mailbox
from .errors import Deadlock

__all__ = ["Programs"]


class _Cancelled(BaseException):
    """Ends a program because another one has failed. Not an ``Exception``, so that no program keeps it."""


class _Program:
    """One program, and where it stands."""

    def __init__(self, name: str, body: Callable[[Any], Any], bus: Bus, make: Callable[[Bus], Any]):
        self.name = name
        self.body = body
        self.bus = bus
        self.make = make
        self.baton = threading.Semaphore(0)
        self.waits = False  # for an interrupt
        self.left: int | None = None  # nanoseconds of its timeout
        self.note = ""  # what it waits for
        self.done = False
        self.result: Any = None

    def ready(self) -> bool:
        return not self.waits or self.left == 0 or self.bus.wait_for_interrupt(0)


class _TurnBus(Bus):
    """The bus of a program, which hands the baton on before each access."""

    def __init__(self, programs: "Programs", program: _Program):
        self._programs = programs
        self._program = program
        self._bus = program.bus
        self.bursts = program.bus.bursts

    def read32(self, address: int) -> int:
        self._programs._turn(self._program)
        return self._bus.read32(address)

    def write32(self, address: int, value: int) -> None:
        self._programs._turn(self._program)
        self._bus.write32(address, value)

    def read_burst(self, address: int, words: int) -> list[int]:
        found = []
        for at in range(0, words, self._programs.BURST):
            self._programs._turn(self._program)
            found += self._bus.read_burst(address + 4 * at, min(words - at, self._programs.BURST))
        return found

    def write_burst(self, address: int, words: Sequence[int]) -> None:
        for at in range(0, len(words), self._programs.BURST):
            self._programs._turn(self._program)
            self._bus.write_burst(address + 4 * at, words[at : at + self._programs.BURST])

    def clock(self) -> float:
        return self._bus.clock()

    def wait_for_interrupt(self, timeout: float | None = None) -> bool:
        program = self._program
        program.waits, program.note = True, self.note
        program.left = None if timeout is None else round(timeout * 1e9)
        try:
            self._programs._turn(program)
        finally:
            program.waits = False
        return self._bus.wait_for_interrupt(0)


class Programs:
    """Runs programs concurrently and deterministically. For buses over the model or a simulation.

    A timeout counts only the time in which all programs wait: accesses take no time.

    Parameters
    ----------
    seed : int or None
        Who is next is drawn at random from this seed; ``None``: round robin.
    patience : float
        Seconds of simulated time in which all programs wait without a timeout before that counts as a deadlock.
        Longer than the longest moderation time.
    """

    SLICE = 1000
    """Nanoseconds of simulated time that pass in a step while all programs wait."""

    BURST = 16
    """Words of a burst between which no other program acts, as on a bus with bursts."""

    def __init__(self, *, seed: int | None = None, patience: float = 1e-3):
        self._random = None if seed is None else random.Random(seed)
        self._patience = round(patience * 1e9)
        self._programs: list[_Program] = []
        self._at = -1  # index of the program that holds the baton
        self._failure: BaseException | None = None
        self._end = threading.Event()

    def add(self, name: str, body: Callable[[Any], Any], bus: Bus, make: Callable[[Bus], Any] = Mailbox) -> None:
        """Add a program.

        Parameters
        ----------
        name : str
            For error texts and results.
        body : function
            The program. It gets what ``make`` returns, and its own return value is kept.
        bus : Bus
            Its port and VM. Programs may share a block, not a bus.
        make : function
            Makes the program's argument from its bus, such as ``lambda bus: Manager(bus, config)``. By default a
            ``Mailbox`` that probes.

        Raises
        ------
        ValueError
            The name or the bus is taken.
        """
        for program in self._programs:
            if program.name == name:
                raise ValueError(f"name must be one that no other program has, not {name!r}")
            if program.bus is bus:
                raise ValueError(f"bus of {name} must be its own, not that of {program.name}")
        self._programs.append(_Program(name, body, bus, make))

    def run(self) -> dict[str, Any]:
        """Run all programs to their ends, once, and return what each returned.

        Raises
        ------
        Deadlock
            All that are left wait, and no interrupt comes. The text says who waits for what.
        Exception
            What a program raised; the others are ended.
        """
        programs, threads = self._programs, []
        if self._end.is_set():
            raise ValueError("programs must be added anew to run, not run twice")
        if not programs:
            return {}
        for program in programs:
            threads.append(threading.Thread(target=self._thread, args=(program,), name=program.name, daemon=True))
            threads[-1].start()
        try:
            self._hand_on(None)
            self._end.wait()
        except BaseException as error:  # such as Ctrl-C
            self._fail(error)
        for program in programs:  # of a failed run: let those that wait see it
            program.baton.release()
        for thread in threads:
            thread.join()
        if self._failure:
            raise self._failure
        return {program.name: program.result for program in programs}

    def _thread(self, program: _Program) -> None:
        program.baton.acquire()
        try:
            if self._failure is None:
                program.result = program.body(program.make(_TurnBus(self, program)))
        except _Cancelled:
            return
        except BaseException as error:
            self._fail(error)
            return
        program.done = True
        if all(it.done for it in self._programs):
            self._end.set()
        else:
            self._hand_on(None)

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._end.set()

    def _turn(self, program: _Program) -> None:
        """Hand the baton on, and return when it has come back."""
        self._hand_on(program)
        if self._failure:
            raise _Cancelled

    def _hand_on(self, program: _Program | None) -> None:
        """Choose who is next; where that is not ``program``, wake it and wait until ``program`` is chosen."""
        if self._failure:
            return
        ready = self._ready()
        if not ready:
            waiting = "; ".join(f"{it.name} waits for {it.note}" for it in self._programs if not it.done)
            self._fail(Deadlock(f"some program must be able to go on, but {waiting}"))
            return
        chosen = self._random.choice(ready) if self._random else ready[0]
        self._at = self._programs.index(chosen)
        if chosen is not program:
            chosen.baton.release()
            if program:
                program.baton.acquire()

    def _ready(self) -> list[_Program]:
        """Return the programs that can go on, in round-robin order, and let time pass until there is one."""
        order = self._programs[self._at + 1 :] + self._programs[: self._at + 1]
        left = [program for program in order if not program.done]
        waited = 0
        while not (ready := [program for program in left if program.ready()]):
            timeouts = [program.left for program in left if program.left is not None]
            if waited >= self._patience and not timeouts:
                break
            step = min([self.SLICE, *timeouts])
            left[0].bus.wait_for_interrupt(step * 1e-9)
            waited += step
            for program in left:
                if program.left is not None:
                    program.left -= step
        return ready
