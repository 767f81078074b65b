"""How software reaches a block: the one interface that a new environment implements, and three environments.

Order
-----
This is what every ``Bus`` promises, and all that the driver relies on:

1. The accesses of one bus take effect in the order of the calls.
2. ``read32`` returns after every earlier ``write32`` of the same bus has taken effect. So a read is the fence that
   waits for writes; the block answers a write only after it has taken effect.
3. ``write32`` may return before the write has taken effect.
4. Nothing orders the accesses of one bus against those of another, except that a message, a doorbell or an interrupt
   that was seen through one bus happened after the write that caused it, through whichever bus.
5. Ordinary memory is another matter: who hands over a buffer in shared memory needs a barrier between filling it and
   the commit, and between the receive and reading it. Payload in registers needs none, nor do blocks of the SRAM of the
   block: their accesses are accesses of the bus, under rules 1 to 4.
6. A burst is as many accesses in ascending order of the addresses, and nothing more: others may act between them.

Rules 1 and 2 ask for a mapping as device memory: neither cached, nor gathered, nor reordered, nor speculated on. AXI
does not order reads behind unanswered writes; a master that issues both must wait for the write's answer.
"""

import mmap
import os
import select
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from postern_spec.config import Config
from postern_spec.regmap import Fault, guest_page

from .errors import BusError, Deadlock
from .model import Model

__all__ = ["Access", "Bus", "MmapBus", "ModelBus", "TracingBus", "check_requester"]


class Bus(ABC):
    """Access to the registers as one program on one core sees them. Order and fences: see the module.

    Attributes
    ----------
    note : str
        What the program waits for, set by whoever calls ``wait_for_interrupt``. Shown where a wait cannot end.
    bursts : bool
        ``read_burst`` and ``write_burst`` are much faster than as many single accesses, because these overlap: by DMA,
        or by wide loads. ``Endpoint`` chooses its threshold by it.
    """

    note: str = "an interrupt"
    bursts: bool = False

    def clock(self) -> float:
        """Return the time in seconds in which timeouts are meant, from any beginning. It never goes back.

        A bus whose time is simulated overrides it.
        """
        return time.monotonic()

    @abstractmethod
    def read32(self, address: int) -> int:
        """Read the word at a byte address, in one access of four bytes.

        Raises
        ------
        BusError
            The bus answered with an error.
        """

    @abstractmethod
    def write32(self, address: int, value: int) -> None:
        """Write the word at a byte address, in one access of four bytes.

        Raises
        ------
        ValueError
            The value does not fit 32 bits.
        """

    def read_burst(self, address: int, words: int) -> list[int]:
        """Read consecutive words. A bus that has something better than an access each overrides it.

        Parameters
        ----------
        address : int
            Byte address of the first.
        words : int
            How many.

        Raises
        ------
        BusError
            The bus answered with an error.
        """
        return [self.read32(address + 4 * index) for index in range(words)]

    def write_burst(self, address: int, words: Sequence[int]) -> None:
        """Write consecutive words. A bus that has something better than an access each overrides it.

        Parameters
        ----------
        address : int
            Byte address of the first.
        words : sequence of int
            The words.

        Raises
        ------
        ValueError
            A word does not fit 32 bits. Those before it may have been written.
        """
        for index, word in enumerate(words):
            self.write32(address + 4 * index, word)

    @abstractmethod
    def wait_for_interrupt(self, timeout: float | None = None) -> bool:
        """Wait until the interrupt line is high. Returns at once where it already is.

        Parameters
        ----------
        timeout : float or None
            Seconds (of simulated time where time is simulated); 0 only looks; ``None`` waits for ever.

        Returns
        -------
        bool
            The line is high. ``False``: the time has passed.
        """


def check_requester(config: Config, port: int, tag: int, core: int | None) -> None:
    """Check that a block has a port, a tag and a core. (``None`` is no core, which is always there.)

    Raises
    ------
    ValueError
        One of them must be another.
    """
    if not 0 <= port < len(config.ports):
        raise ValueError(f"port must be from 0 to {len(config.ports) - 1}, not {port}")
    if core is not None and not 0 <= core < config.cores:
        raise ValueError(f"core must be from 0 to {config.cores - 1}, not {core}")
    if not 0 <= tag < 1 << config.tag_bits:
        raise ValueError(f"tag must be from 0 to {(1 << config.tag_bits) - 1}, not {tag}")


class ModelBus(Bus):
    """A port of the functional model.

    Parameters
    ----------
    model : Model
        The block. Several buses may share it.
    port : int
        The port.
    tag : int
        Tag of the requests, which is the identity on a ``sideband`` port.
    secure : bool
        Requests are secure transactions.
    core : int or None
        The core whose interrupt line is waited for; by default the first core behind the port.
    manager : bool
        Wait for the manager's interrupt instead.
    """

    CYCLES_PER_ACCESS = 4
    """Clock cycles that pass with each access, about as in hardware."""

    CLOCK_HZ = 100_000_000
    """Clock cycles in a second of a timeout."""

    def __init__(
        self,
        model: Model,
        port: int = 0,
        *,
        tag: int = 0,
        secure: bool = True,
        core: int | None = None,
        manager: bool = False,
    ):
        check_requester(model.config, port, tag, core)
        self.model = model
        self.port = port
        self.tag = tag
        self.secure = secure
        self.core = model.config.core_base(port) if core is None else core
        self.manager = manager

    def read32(self, address: int) -> int:
        model, port = self.model, self.port
        vm = model.bind(port, address, tag=self.tag)
        value, fault = model.read(port, vm, address, secure=self.secure)
        model.tick(self.CYCLES_PER_ACCESS)
        if fault and model.config.read_error:
            raise BusError(f"read of {address:#x} must be allowed, not refused as {Fault(fault).name}")
        return value

    def write32(self, address: int, value: int) -> None:
        if value >> 32:
            raise ValueError(f"value must be from 0 to 0xffffffff, not {value:#x}")
        model, port = self.model, self.port
        model.write(port, model.bind(port, address, tag=self.tag), address, value, secure=self.secure)
        model.tick(self.CYCLES_PER_ACCESS)

    def read_burst(self, address: int, words: int) -> list[int]:
        model, port, found = self.model, self.port, []
        for at, count in self._pieces(address, words):
            part = model.load(port, model.bind(port, at, tag=self.tag), at, count)
            if part is None:  # refused, or no SRAM: each access by itself
                part = super().read_burst(at, count)
            else:
                model.tick(self.CYCLES_PER_ACCESS + count)
            found += part
        return found

    def write_burst(self, address: int, words: Sequence[int]) -> None:
        model, port, done = self.model, self.port, 0
        for at, count in self._pieces(address, len(words)):
            part = words[done : done + count]
            if model.store(port, model.bind(port, at, tag=self.tag), at, part):
                model.tick(self.CYCLES_PER_ACCESS + count)
            else:
                super().write_burst(at, part)
            done += count

    def _pieces(self, address: int, words: int) -> Iterator[tuple[int, int]]:
        """Yield address and number of the words of a burst that lie in each block."""
        size = self.model.config.block_size
        while words > 0:
            count = min(words, (size - address % size) // 4)
            yield address, count
            address += 4 * count
            words -= count

    def clock(self) -> float:
        return self.model.now / self.CLOCK_HZ

    def wait_for_interrupt(self, timeout: float | None = None) -> bool:
        """Let time pass until the line is high.

        Raises
        ------
        Deadlock
            No timeout was given, and only another program could raise the line: nobody will while this one waits.
            Programs that wait for each other run in ``Programs``.
        """
        longest = 1 << 16  # what the slowest moderation timer takes; scrubbing a block is faster, nothing else changes
        cycles = longest if timeout is None else round(timeout * self.CLOCK_HZ)
        for _ in range(min(cycles, longest)):
            if self._line():
                return True
            self.model.tick()
        if self._line():
            return True
        if timeout is None:
            raise Deadlock(f"{self.note} must come from another program, which cannot run while this one waits alone")
        self.model.tick(max(0, cycles - longest))
        return False

    def _line(self) -> bool:
        return self.model.manager_irq if self.manager else self.model.irq(self.core)


class MmapBus(Bus):
    """A memory-mapped block: UIO, ``/dev/mem``, or any file that can be mapped. Little-endian hosts only.

    Each access is one load or store of 32 bits. Use it as a context manager, or call ``close``.

    Parameters
    ----------
    path : str or Path
        File to map.
    size : int
        Bytes to map. Addresses are from 0 to ``size - 4``.
    offset : int
        Where in the file the block begins, a multiple of the page size: a physical address for ``/dev/mem``, the
        number of the mapping times the page size for UIO.
    interrupts : str, Path, int or None
        Where interrupts come from: a UIO device or an open file descriptor of one, which is not closed here. Writing
        a 1 enables the interrupt, reading waits for it. ``None``: there are none to wait for.

    Raises
    ------
    OSError
        The file cannot be opened or mapped.
    """

    def __init__(
        self, path: str | Path, size: int, *, offset: int = 0, interrupts: str | Path | int | None = None
    ) -> None:
        if sys.byteorder != "little":
            raise OSError(f"host must be little-endian, not {sys.byteorder}-endian")
        if size <= 0 or size % 4:
            raise ValueError(f"size must be a positive multiple of 4, not {size}")
        self._closers: list[Callable[[], None]] = []
        file = os.open(path, os.O_RDWR | getattr(os, "O_SYNC", 0))
        try:
            mapped = mmap.mmap(file, size, offset=offset)
        finally:
            os.close(file)
        self._closers.append(mapped.close)
        self._words = memoryview(mapped).cast("I")
        self._closers.append(self._words.release)
        self._interrupts: int | None = None
        if isinstance(interrupts, int):
            self._interrupts = interrupts
        elif interrupts is not None:
            try:
                line = self._interrupts = os.open(interrupts, os.O_RDWR)
            except OSError:
                self.close()
                raise
            self._closers.append(lambda: os.close(line))

    def close(self) -> None:
        """Unmap."""
        while self._closers:
            self._closers.pop()()

    def __enter__(self) -> "MmapBus":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read32(self, address: int) -> int:
        return self._words[self._index(address)]

    def write32(self, address: int, value: int) -> None:
        if value >> 32:
            raise ValueError(f"value must be from 0 to 0xffffffff, not {value:#x}")
        self._words[self._index(address)] = value

    def read_burst(self, address: int, words: int) -> list[int]:
        start = self._indices(address, words)
        return self._words[start : start + words].tolist()  # word by word, unlike a copy to bytes

    def write_burst(self, address: int, words: Sequence[int]) -> None:
        view, start = self._words, self._indices(address, len(words))
        for index, word in enumerate(words, start):  # a slice would be copied with accesses of any width
            if word >> 32:
                raise ValueError(f"value must be from 0 to 0xffffffff, not {word:#x}")
            view[index] = word

    def wait_for_interrupt(self, timeout: float | None = None) -> bool:
        """Enable the interrupt, then wait for it by reading the descriptor.

        Raises
        ------
        ValueError
            The bus was made without a source of interrupts.
        """
        if self._interrupts is None:
            raise ValueError("interrupts must be given to wait for them, not None")
        os.write(self._interrupts, (1).to_bytes(4, sys.byteorder))
        ready, _, _ = select.select([self._interrupts], [], [], timeout)
        if not ready:
            return False
        os.read(self._interrupts, 4)
        return True

    def _index(self, address: int) -> int:
        if address % 4 or not 0 <= address < 4 * len(self._words):
            last = 4 * len(self._words) - 4
            raise ValueError(f"address must be a multiple of 4 from 0 to {last:#x}, not {address:#x}")
        return address >> 2

    def _indices(self, address: int, words: int) -> int:
        """Return the index of the first of some words, all of which are mapped."""
        start = self._index(address) if words else 0
        if words:
            self._index(address + 4 * (words - 1))
        return start


class Access(NamedTuple):
    """One access: ``kind`` is ``"read"`` or ``"write"``."""

    kind: str
    address: int
    value: int


class TracingBus(Bus):
    """A bus that keeps a record of every access to another one.

    Parameters
    ----------
    bus : Bus
        Where the accesses go.
    config : Config or None
        With it ``text`` names the registers of the guest page.
    base : int
        Address of the guest page.
    """

    def __init__(self, bus: Bus, config: Config | None = None, base: int = 0):
        self.bus = bus
        self.bursts = bus.bursts
        self.trace: list[Access] = []
        self._page = guest_page(config) if config else None
        self._base = base

    def read32(self, address: int) -> int:
        value = self.bus.read32(address)
        self.trace.append(Access("read", address, value))
        return value

    def write32(self, address: int, value: int) -> None:
        self.trace.append(Access("write", address, value))
        self.bus.write32(address, value)

    def read_burst(self, address: int, words: int) -> list[int]:
        found = self.bus.read_burst(address, words)
        self.trace += [Access("read", address + 4 * index, word) for index, word in enumerate(found)]
        return found

    def write_burst(self, address: int, words: Sequence[int]) -> None:
        self.trace += [Access("write", address + 4 * index, word) for index, word in enumerate(words)]
        self.bus.write_burst(address, words)

    def clock(self) -> float:
        return self.bus.clock()

    def wait_for_interrupt(self, timeout: float | None = None) -> bool:
        self.bus.note = self.note
        return self.bus.wait_for_interrupt(timeout)

    def take(self) -> list[Access]:
        """Return what was recorded and start anew."""
        trace, self.trace = self.trace, []
        return trace

    def text(self) -> str:
        """Return the record as text, one access a line."""
        return "\n".join(f"{kind:5} {self._name(address)} {value:#010x}" for kind, address, value in self.trace)

    def _name(self, address: int) -> str:
        found = self._page.decode(address - self._base) if self._page else None
        if found is None:
            return f"{address:#06x}"
        register, indices = found
        return f"{address:#06x} {register.name}{''.join(f'[{index}]' for index in indices)}"
