"""Programs on the RTL that run at the same time, cycle by cycle, one on each port.

``postern.Programs`` lets programs take turns at each access, so their accesses never overlap: right for tests of what
happens, wrong for how long it takes. Here each program is a core that runs on until it needs an answer. Its own
instructions take no time; what is counted is the buses and the block.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from postern.bus import Bus
from postern.errors import BusError, Deadlock

from .rtl import Rtl, transfer

__all__ = ["CoreBus", "Cores"]

STORES = 8
"""Writes that a core has under way before it waits, as with a store buffer."""


class _Ended(BaseException):
    """Ends a program because another one has failed."""


class CoreBus(Bus):
    """The bus of one core: writes are posted, a read waits for all that is before it, the words of a burst overlap.

    Parameters
    ----------
    cores : Cores
        Where it runs.
    port : int
        Its port.
    tag : int
        Tag of its requests.
    """

    bursts = True

    def __init__(self, cores: "Cores", port: int, tag: int = 0):
        self.cores = cores
        self._rtl = cores.rtl
        self.port = port
        self._tag = tag
        self.accesses = 0
        """Accesses so far."""
        self.level: int | None = None  # waits until so few accesses are unanswered
        self.line = False  # waits for the interrupt line
        self.wakes: int | None = None  # cycle in which it stops waiting for the line

    @property
    def core(self) -> int:
        """The first core behind the port."""
        return self._rtl.config.core_base(self.port)

    def read32(self, address: int) -> int:
        return self.read_burst(address, 1)[0]

    def read_burst(self, address: int, words: int) -> list[int]:
        self.accesses += words
        self._rtl.forget(self.port)
        requests, places = transfer(self._rtl.config, self.port, address, words, tag=self._tag, fence=True)
        self._rtl.issue(self.port, requests)
        self._wait(0)
        found = self._rtl.done(self.port)[-len(requests) :]
        if bad := next((done for done in found if done.response), None):
            raise BusError(f"read at {address:#x} must be answered with OKAY, not with error {bad.response}")
        return [found[index].data >> shift & 0xFFFF_FFFF for index, shift in places]

    def write32(self, address: int, value: int) -> None:
        self.write_burst(address, [value])

    def write_burst(self, address: int, words: Sequence[int]) -> None:
        self.accesses += len(words)
        self._rtl.forget(self.port)
        requests, _ = transfer(self._rtl.config, self.port, address, len(words), words, tag=self._tag)
        self._rtl.issue(self.port, requests)
        if self._rtl.pending(self.port) > STORES:
            self._wait(STORES // 2)

    def clock(self) -> float:
        return self._rtl.cycle / self.cores.CLOCK_HZ

    def wait_for_interrupt(self, timeout: float | None = None) -> bool:
        self._wait(0)
        self.line = True
        self.wakes = None if timeout is None else self._rtl.cycle + round(timeout * self.cores.CLOCK_HZ)
        self.cores.switch(self)
        self.line = False
        return self._rtl.irq(self.core)

    def ready(self) -> bool:
        """Whether the program can go on."""
        if self.level is not None:
            return self._rtl.pending(self.port) <= self.level
        over = self.wakes is not None and self._rtl.cycle >= self.wakes
        return not self.line or over or self._rtl.irq(self.core)

    def _wait(self, level: int) -> None:
        self.level = level
        self.cores.switch(self)
        self.level = None


class Cores:
    """Runs programs at the same time.

    Parameters
    ----------
    rtl : Rtl
        The block.
    patience : int
        Cycles after which it is a deadlock that no program could go on.
    """

    CLOCK_HZ = 100_000_000
    """Clock cycles in a second of a timeout."""

    def __init__(self, rtl: Rtl, *, patience: int = 100_000):
        self.rtl = rtl
        self._patience = patience
        self._programs: list[tuple[Callable[[], Any], CoreBus, threading.Semaphore]] = []
        self._done: dict[CoreBus, Any] = {}
        self._baton = threading.Semaphore(0)
        self._failure: BaseException | None = None

    def bus(self, port: int, tag: int = 0) -> CoreBus:
        """Return the bus of the core at a port."""
        return CoreBus(self, port, tag)

    def add(self, bus: CoreBus, body: Callable[[], Any]) -> None:
        """Add a program that uses ``bus``, and no other program does."""
        for _, other, _ in self._programs:
            if other.port == bus.port:
                raise ValueError(f"port must be one without a program, not {bus.port}")
        self._programs.append((body, bus, threading.Semaphore(0)))

    def run(self) -> list[Any]:
        """Run all programs to their ends; return what each returned.

        Raises
        ------
        Deadlock
            All that are left wait, and nothing happens.
        Exception
            What a program raised.
        """
        threads = [threading.Thread(target=self._thread, args=item, daemon=True) for item in self._programs]
        for thread in threads:
            thread.start()
        while self._failure is None and len(self._done) < len(self._programs):
            going = [(bus, turn) for _, bus, turn in self._programs if bus not in self._done]
            ready = [(bus, turn) for bus, turn in going if bus.ready()]
            for _, turn in ready:
                turn.release()
                self._baton.acquire()
            if not ready:
                self._pass([bus for bus, _ in going])
        self._failure = self._failure or _Ended()
        for _, _, turn in self._programs:
            turn.release()
        for thread in threads:
            thread.join()
        if not isinstance(self._failure, _Ended):
            raise self._failure
        return [self._done[bus] for _, bus, _ in self._programs]

    def switch(self, bus: CoreBus) -> None:
        """Let time pass until the program of ``bus`` can go on."""
        if bus.ready():
            return
        turn = next(turn for _, other, turn in self._programs if other is bus)
        self._baton.release()
        turn.acquire()
        if self._failure is not None:
            raise _Ended

    def _pass(self, waiting: list[CoreBus]) -> None:
        levels = {bus.port: bus.level for bus in waiting if bus.level is not None}
        wakes = [bus.wakes - self.rtl.cycle for bus in waiting if bus.line and bus.wakes is not None]
        lines = [bus.core for bus in waiting if bus.line]
        if not self.rtl.until(levels, lines, min([self._patience, *wakes])) and not wakes:
            what = "; ".join(f"port {bus.port} for {bus.note if bus.line else 'an answer'}" for bus in waiting)
            self._failure = Deadlock(f"some program must be able to go on, but each waits: {what}")

    def _thread(self, body: Callable[[], Any], bus: CoreBus, turn: threading.Semaphore) -> None:
        turn.acquire()
        if self._failure is None:
            try:
                result = body()
                bus._wait(0)  # what it has posted
                self._done[bus] = result
            except _Ended:
                return
            except BaseException as error:
                self._failure = error
        self._baton.release()
