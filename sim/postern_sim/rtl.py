"""The generated hardware in this process: Verilated, compiled to a shared library, called through ctypes."""

import ctypes
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from postern.bus import Bus, check_requester
from postern.errors import BusError, Deadlock
from postern_spec.config import Bus as BusKind
from postern_spec.config import Config
from postern_spec.regmap import address_map

from . import build

__all__ = ["Done", "Pace", "ProtocolError", "Request", "Rtl", "RtlBus", "State", "Use", "transfer"]

# Structures of shim.cpp
REQUEST = struct.Struct("<QIHHHHHBBBBBBBBBx")
EVENT = struct.Struct("<IBBHI4xQ")
DONE = struct.Struct("<QQQHH4x")
RESET = struct.Struct("<QII")
PACE = struct.Struct("<IBBBBBBH")
USE = struct.Struct("<IBBBB")

BLOCK = 0xFFFF_FFFF
LONGEST = 256  # beats of a burst
BOUNDARY = 4096  # that no burst crosses
TAKE_BLOCK, TAKE_LOAN, TAKE_PLACE, TAKE_HOT_PLACE, TAKE_PEER = range(1, 6)  # of ``Use``
KEEP_BLOCK, KEEP_WORD, KEEP_PEER = 1, 2, 3
LATEST = 255  # the one of the four that came last
INSECURE = 0b010  # AxPROT of a non-secure access
FOREVER = 1 << 62


class ProtocolError(RuntimeError):
    """A bus rule that the hardware broke, with cycle and port."""


class State:
    """What became of a request."""

    PENDING = 0
    ANSWERED = 1
    DROPPED = 2  # by a reset


class Request(NamedTuple):
    """One access for the queue of a port.

    Parameters
    ----------
    address : int
        Byte address.
    data : int
        Word to write; at a port of 64 bits all of them, with a 32-bit word in the half that bit 2 of its address names.
    write : bool
        Direction.
    tag : int
        Of a sideband port.
    strobes : int
        Byte strobes of a write, as the data; on Wishbone the selects of either direction.
    prot : int
        AxPROT.
    gap, data_gap : int
        Idle cycles before the request, and before its data where the bus has a channel for it.
    fence : bool
        It and all that follow wait until everything before it on this port was answered.
    vary : bool
        Mix the number of the request in its port's queue into the data, see ``varied``.
    beats : int
        On AXI4: 1 to 256 begins a burst of so many; the others follow in the queue, each with 0. Only data, strobes,
        gaps and ``vary`` of those count, as their addresses follow from the first. The same direction for all.
    id, size, kind, cache, lock : int
        On AXI4: AxID, AxSIZE, AxBURST, AxCACHE and AxLOCK.
    """

    address: int
    data: int = 0
    write: bool = False
    tag: int = 0
    strobes: int = 0xF
    prot: int = 0
    gap: int = 0
    data_gap: int = 0
    fence: bool = False
    vary: bool = False
    beats: int = 1
    id: int = 0
    size: int = 2
    kind: int = 1
    cache: int = 0
    lock: bool = False

    def pack(self) -> bytes:
        """Return the structure of shim.cpp."""
        return REQUEST.pack(
            self.data,
            self.address,
            self.tag,
            self.gap,
            self.data_gap,
            self.beats,
            self.id,
            self.strobes,
            self.prot,
            self.write,
            self.fence,
            self.vary,
            self.size,
            self.kind,
            self.cache,
            self.lock,
        )


def varied(data: int, index: int) -> int:
    """Return the data of a request with ``vary`` that is number ``index`` in its port's queue."""
    return data ^ index * 0x9E3779B1 & 0xFFFF_FFFF


def transfer(
    config: Config,
    port: int,
    address: int,
    words: int,
    data: Sequence[int] | None = None,
    *,
    tag: int = 0,
    prot: int = 0,
    fence: bool = False,
) -> tuple[list[Request], list[tuple[int, int]]]:
    """Return the accesses of consecutive words that a port's bus makes best: bursts of its full width on AXI4.

    Parameters
    ----------
    config, port
        The block and the port.
    address : int
        Byte address of the first word, a multiple of four.
    words : int
        How many.
    data : sequence of int
        The words to write. ``None``: a read.
    tag, prot : int
        Of all requests.
    fence : bool
        The first one is a fence.

    Returns
    -------
    tuple of list
        Requests, and of each word which of them it is part of, and its lowest bit there.
    """
    chosen = config.ports[port]
    requests: list[Request] = []
    places: list[tuple[int, int]] = []
    wide = chosen.data_bits == 64
    burst = 0  # where the burst began that the next beat could go on with
    while len(places) < words:
        at = address + 4 * len(places)
        pair = wide and at % 8 == 0 and len(places) + 1 < words
        size, shift = (3, 0) if pair else (2, 8 * (at & 4) if wide else 0)
        word, strobes = 0, 0xFF if pair else 0xF << shift // 8
        if data is not None:
            word = data[len(places)] << shift | (data[len(places) + 1] << 32 if pair else 0)
        goes_on = (
            chosen.bus is BusKind.AXI4
            and requests
            and requests[burst].size == size
            and requests[burst].beats < LONGEST
            and at % BOUNDARY
        )
        places += [(len(requests), shift), (len(requests), 32)] if pair else [(len(requests), shift)]
        request = Request(at, word, data is not None, tag, strobes, prot, size=size)
        if goes_on:
            requests[burst] = requests[burst]._replace(beats=requests[burst].beats + 1)
            requests.append(request._replace(beats=0))
        else:
            burst = len(requests)
            requests.append(request._replace(fence=fence and not requests))
    return requests, places


class Use(NamedTuple):
    """What a request takes from what its VM remembers when it starts, or adds to that when it is answered.

    A VM remembers the last four blocks that it got, the last words of the last four messages that brought one, and the
    generations of its peers.

    Parameters
    ----------
    take : int
        ``TAKE_BLOCK`` puts the number of a block into the data, ``TAKE_LOAN`` is all of the data, ``TAKE_PLACE`` adds
        the offset of a block to the address, ``TAKE_HOT_PLACE`` that of the block that anybody handed over or gave
        up last, and ``TAKE_PEER`` puts the generation of a peer into the data.
    keep : int
        ``KEEP_BLOCK`` for the answer of ``ALLOC``, ``KEEP_WORD`` for a word of a message, ``KEEP_PEER`` for ``PEER``.
    vm : int
        Whose memory.
    pick : int
        Which of the four, or ``LATEST``; or which peer.
    """

    take: int = 0
    keep: int = 0
    vm: int = 0
    pick: int = 0


class Pace(NamedTuple):
    """How a master behaves.

    Parameters
    ----------
    seed : int
        Of its pauses, and of what it drives where no signal is valid.
    b_chance, r_chance : int
        Chance, in 256 per cycle, of a pause in taking responses. Masters of Wishbone and APB cannot pause.
    pause : int
        Longest such pause in cycles.
    reads, writes : int
        Most requests that are outstanding. (A burst is not held up in its middle; APB has one.)
    noise : bool
        Drive requests while the port is in reset, where they must not be accepted.
    """

    seed: int = 1
    b_chance: int = 0
    r_chance: int = 0
    pause: int = 0
    reads: int = 16
    writes: int = 16
    noise: bool = False


class Done(NamedTuple):
    """What became of a request.

    Parameters
    ----------
    accepted : int
        Cycle of the handshake; of a write, of the later one of address and data; on APB that of the setup phase.
    answered : int
        Cycle in which the response was taken.
    data : int
        Word that was read.
    response : int
        Bus response: 0, or an error.
    state : int
        One of ``State``.
    """

    accepted: int
    answered: int
    data: int
    response: int
    state: int


class Rtl:
    """A block in Verilator. Time passes only in calls of this object; cycle 0 begins a reset of two cycles.

    Parameters
    ----------
    config : Config
        The block.
    probe : bool
        With the probes of lockstep.
    trace : bool
        Able to write a waveform.
    text : str
        The Verilog, where it is not that of ``config`` as it is.
    seed : int
        What state without a reset value starts from; 0 is all zeros.
    mutant : int
        Which of its mutants the block is, where ``text`` holds mutants; 0 is none of them.
    coverage : bool
        Able to count lines, toggles and terms of expressions; much slower.

    Raises
    ------
    BuildError
        The block could not be built.
    """

    def __init__(
        self,
        config: Config,
        *,
        probe: bool = False,
        trace: bool = False,
        text: str | None = None,
        seed: int = 0,
        mutant: int | None = None,
        coverage: bool = False,
    ) -> None:
        self.config = config
        mutants = mutant is not None
        path = build.library(config, probe=probe, trace=trace, text=text, mutants=mutants, coverage=coverage)
        self._library = _load(path)
        self._bench: int | None = self._library.bench_new(seed)
        if mutant is not None:
            self._library.bench_mutant(self._bench, mutant)
        self._access = self._library.bench_access
        self.limit = 100_000
        """Cycles after which an access that was not answered raises ``TimeoutError``."""

    def close(self) -> None:
        """Give the simulation back; end the waveform."""
        if self._bench is not None:
            self._library.bench_delete(self._bench)
            self._bench = None

    def __enter__(self) -> "Rtl":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_bench", None) is not None:
            self.close()

    # Time and wires

    @property
    def cycle(self) -> int:
        """Number of the cycle that comes next."""
        return self._library.bench_cycle(self._bench)

    def step(self, cycles: int = 1) -> None:
        """Let clock cycles pass; queued requests proceed."""
        self._library.bench_run(self._bench, cycles, 0)
        self.check()

    def irq(self, core: int) -> bool:
        """Return the level of a core's interrupt line in the cycle that passed last."""
        return bool(self._library.bench_irq(self._bench, core // 32) >> core % 32 & 1)

    def renew(self, seed: int) -> None:
        """Begin again, as if the block had just been built."""
        self.close()
        self._bench = self._library.bench_new(seed)

    def mutate(self, mutant: int) -> None:
        """Set which mutant the block is from the next cycle on. Needs ``mutant``."""
        self._library.bench_mutant(self._bench, mutant)

    @property
    def manager_irq(self) -> bool:
        """Level of the manager's interrupt line in the cycle that passed last."""
        return bool(self._library.bench_manager_irq(self._bench))

    def wait(self, core: int | None, cycles: int) -> bool:
        """Run until an interrupt line is high.

        Parameters
        ----------
        core : int or None
            Whose line; ``None`` for the manager's.
        cycles : int
            At most so many.

        Returns
        -------
        bool
            Whether it is high.
        """
        high = bool(self._library.bench_wait(self._bench, -1 if core is None else core, cycles))
        self.check()
        return high

    def reset(self, cycles: int = 1) -> None:
        """Reset the block."""
        self.schedule_reset(None, self.cycle, cycles)
        self.step(cycles)

    def reset_port(self, port: int, cycles: int = 1) -> None:
        """Reset a port."""
        self.schedule_reset(port, self.cycle, cycles)
        self.step(cycles)

    def schedule_reset(self, port: int | None, cycle: int, cycles: int = 1) -> None:
        """Reset a port, or with ``None`` the block, from ``cycle`` on."""
        ports = BLOCK if port is None else 1 << port
        self._library.bench_reset(self._bench, RESET.pack(cycle, ports, cycles))

    def trace(self, path: str | Path | None) -> None:
        """Write the waveform from here on to a VCD file; end it with ``None``. Needs ``trace=True``."""
        self._library.bench_trace(self._bench, None if path is None else str(path).encode())

    def write_coverage(self, path: str | Path) -> None:
        """Write what was counted as Verilator writes it. Needs ``coverage=True``."""
        self._library.bench_coverage(self._bench, str(path).encode())

    def check(self) -> None:
        """Raise the ``ProtocolError`` of the first bus rule that was broken, if one was."""
        failure = self._library.bench_failure(self._bench)
        if failure:
            raise ProtocolError(failure.decode())

    # Accesses that wait for their answer

    def read(self, port: int, address: int, *, tag: int = 0, prot: int = 0, strobes: int = 0xF) -> tuple[int, int]:
        """Read; return the word and the bus response.

        Raises
        ------
        TimeoutError
            There was no answer.
        ProtocolError
            The hardware broke a bus rule.
        """
        done = self._access(self._bench, port, address, 0, 0, strobes, tag, prot, self.limit)
        if done >> 48 != State.ANSWERED:
            self._no_answer(port, address)
        return done & 0xFFFF_FFFF, done >> 32 & 0xFFFF

    def write(self, port: int, address: int, data: int, *, tag: int = 0, prot: int = 0, strobes: int = 0xF) -> int:
        """Write; return the bus response. Raises what ``read`` raises."""
        done = self._access(self._bench, port, address, data, 1, strobes, tag, prot, self.limit)
        if done >> 48 != State.ANSWERED:
            self._no_answer(port, address)
        return done >> 32 & 0xFFFF

    def _no_answer(self, port: int, address: int) -> None:
        self.check()
        raise TimeoutError(f"access of {address:#x} at port {port} must be answered within {self.limit} cycles")

    # Queues

    def pace(self, port: int, pace: Pace) -> None:
        """Set how the master of a port behaves."""
        self._library.bench_pace(self._bench, port, PACE.pack(*pace, 0))

    def limits(self, bound: int, settle: int) -> None:
        """Set how many cycles a request may wait while its master holds nothing back, and how many after a reset."""
        self._library.bench_limits(self._bench, bound, settle)

    def issue(self, port: int, requests: Iterable[Request] | bytes) -> None:
        """Append to the queue of a port. Time does not pass."""
        packed = requests if isinstance(requests, bytes) else b"".join(request.pack() for request in requests)
        self._library.bench_push(self._bench, port, packed, len(packed) // REQUEST.size)

    def use(self, port: int, uses: dict[int, Use]) -> None:
        """Say what some of the requests of a port take and keep, by number. They were issued and have not started."""
        packed = b"".join(USE.pack(index, *use) for index, use in uses.items())
        self._library.bench_use(self._bench, port, packed, len(uses))

    def run(self, cycles: int = 1_000_000) -> int:
        """Run until all queues are empty, at most ``cycles``; return how many cycles passed."""
        passed = self._library.bench_run(self._bench, cycles, 1)
        self.check()
        return passed

    def until(self, levels: dict[int, int], cores: Iterable[int] = (), cycles: int = 1_000_000) -> bool:
        """Run until a port has few requests left, or an interrupt line is high.

        Parameters
        ----------
        levels : dict
            Of each port that is watched: how many unanswered requests are few enough.
        cores : iterable of int
            Cores whose lines are watched.
        cycles : int
            At most so many.

        Returns
        -------
        bool
            Whether that was so before the cycles had passed.
        """
        ports = len(self.config.ports)
        lines = sum(1 << core for core in cores)
        words = (self.config.cores + 31) // 32
        reached = self._library.bench_until(
            self._bench,
            (ctypes.c_int32 * ports)(*(levels.get(port, -1) for port in range(ports))),
            (ctypes.c_uint32 * words)(*(lines >> 32 * word & 0xFFFF_FFFF for word in range(words))),
            cycles,
        )
        self.check()
        return bool(reached)

    def pending(self, port: int) -> int:
        """Return how many requests of a port are not answered yet."""
        return self._library.bench_pending(self._bench, port)

    def done(self, port: int) -> list[Done]:
        """Return what became of all requests that were issued at a port since ``forget``."""
        count = self._library.bench_size(self._bench, port)
        if not count:
            return []
        data = ctypes.string_at(self._library.bench_done(self._bench, port), count * DONE.size)
        return [Done(*fields) for fields in DONE.iter_unpack(data)]

    def forget(self, port: int | None = None) -> None:
        """Empty the records of a port, or of all, where nothing is outstanding."""
        self._library.bench_forget(self._bench, -1 if port is None else port)

    # Events, for lockstep

    def log(self, on: bool) -> None:
        """Record events from here on, or stop."""
        self._library.bench_log(self._bench, on)

    def events(self) -> bytes:
        """Return the events since the last call, in the structure of shim.cpp."""
        count = ctypes.c_size_t()
        pointer = self._library.bench_events(self._bench, ctypes.byref(count))
        data = ctypes.string_at(pointer, count.value * EVENT.size) if count.value else b""
        self._library.bench_clear_events(self._bench)
        return data


class RtlBus(Bus):
    """A port of the RTL. A write returns when the block has answered it, which is after it has taken effect.

    Parameters
    ----------
    rtl : Rtl
        The block. Several buses may share it.
    port : int
        The port.
    tag : int
        Tag of the requests, which is the identity on a ``sideband`` port.
    secure : bool
        Requests are secure transactions. (Wishbone cannot say so.)
    core : int or None
        The core whose interrupt line is waited for; by default the first core behind the port.
    manager : bool
        Wait for the manager's interrupt instead.
    """

    CLOCK_HZ = 100_000_000
    """Clock cycles in a second of a timeout."""

    def __init__(
        self,
        rtl: Rtl,
        port: int = 0,
        *,
        tag: int = 0,
        secure: bool = True,
        core: int | None = None,
        manager: bool = False,
    ):
        c = rtl.config
        check_requester(c, port, tag, core)
        self.rtl = rtl
        self.port = port
        self.core = None if manager else c.core_base(port) if core is None else core
        self._tag = tag
        self._prot = 0 if secure else INSECURE
        self._bits = address_map(c, port).bits

    def read32(self, address: int) -> int:
        if address >> self._bits:
            self._no_such(address)
        value, response = self.rtl.read(self.port, address, tag=self._tag, prot=self._prot)
        if response:
            raise BusError(f"read of {address:#x} must be answered with OKAY, not with error {response}")
        return value

    def write32(self, address: int, value: int) -> None:
        if value >> 32:
            raise ValueError(f"value must be from 0 to 0xffffffff, not {value:#x}")
        if address >> self._bits:
            self._no_such(address)
        response = self.rtl.write(self.port, address, value, tag=self._tag, prot=self._prot)
        if response:
            raise BusError(f"write of {address:#x} must be answered with OKAY, not with error {response}")

    def read_burst(self, address: int, words: int) -> list[int]:
        if self.rtl.config.ports[self.port].bus is not BusKind.AXI4 or words < 2:
            return super().read_burst(address, words)
        done, places = self._transfer(address, words, None)
        return [done[index].data >> shift & 0xFFFF_FFFF for index, shift in places]

    def write_burst(self, address: int, words: Sequence[int]) -> None:
        if bad := next((word for word in words if word >> 32), None):
            raise ValueError(f"value must be from 0 to 0xffffffff, not {bad:#x}")
        if self.rtl.config.ports[self.port].bus is not BusKind.AXI4 or len(words) < 2:
            super().write_burst(address, words)
        else:
            self._transfer(address, len(words), words)

    def _transfer(
        self, address: int, words: int, data: Sequence[int] | None
    ) -> tuple[list[Done], list[tuple[int, int]]]:
        if address + 4 * words - 1 >> self._bits:
            self._no_such(address)
        rtl = self.rtl
        requests, places = transfer(rtl.config, self.port, address, words, data, tag=self._tag, prot=self._prot)
        rtl.forget(self.port)
        rtl.issue(self.port, requests)
        if not rtl.until({self.port: 0}, cycles=rtl.limit + words):
            raise TimeoutError(f"burst at {address:#x} at port {self.port} must be answered within {rtl.limit} cycles")
        done = rtl.done(self.port)[-len(requests) :]
        if any(item.response for item in done):
            way = "read" if data is None else "write"
            raise BusError(f"{way} at {address:#x} must be answered with OKAY, not with an error")
        return done, places

    def _no_such(self, address: int) -> None:
        raise ValueError(f"address must be from 0 to {(1 << self._bits) - 1:#x}, not {address:#x}")

    def clock(self) -> float:
        return self.rtl.cycle / self.CLOCK_HZ

    def wait_for_interrupt(self, timeout: float | None = None) -> bool:
        """Let time pass until the line is high.

        Raises
        ------
        Deadlock
            No timeout was given, and only another program could raise the line: nobody will while this one waits.
            Programs that wait for each other run in ``Programs``.
        """
        longest = 1 << 16  # what the slowest moderation timer takes; nothing else changes by itself
        cycles = longest if timeout is None else round(timeout * self.CLOCK_HZ)
        if self.rtl.wait(self.core, cycles):
            return True
        if timeout is None:
            raise Deadlock(f"{self.note} must come from another program, which cannot run while this one waits alone")
        return False


_SIGNATURES: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "bench_new": (ctypes.c_void_p, (ctypes.c_uint32,)),
    "bench_delete": (None, (ctypes.c_void_p,)),
    "bench_failure": (ctypes.c_char_p, (ctypes.c_void_p,)),
    "bench_cycle": (ctypes.c_uint64, (ctypes.c_void_p,)),
    "bench_irq": (ctypes.c_uint32, (ctypes.c_void_p, ctypes.c_uint32)),
    "bench_manager_irq": (ctypes.c_uint32, (ctypes.c_void_p,)),
    "bench_limits": (None, (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)),
    "bench_pace": (None, (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_char_p)),
    "bench_reset": (None, (ctypes.c_void_p, ctypes.c_char_p)),
    "bench_log": (None, (ctypes.c_void_p, ctypes.c_int)),
    "bench_push": (None, (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t)),
    "bench_run": (ctypes.c_uint64, (ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int)),
    "bench_wait": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64)),
    "bench_until": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64)),
    "bench_pending": (ctypes.c_size_t, (ctypes.c_void_p, ctypes.c_uint32)),
    "bench_use": (None, (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t)),
    "bench_size": (ctypes.c_size_t, (ctypes.c_void_p, ctypes.c_uint32)),
    "bench_done": (ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_uint32)),
    "bench_events": (ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_void_p)),
    "bench_clear_events": (None, (ctypes.c_void_p,)),
    "bench_access": (ctypes.c_uint64, (ctypes.c_void_p, *(ctypes.c_uint32,) * 7, ctypes.c_uint64)),
    "bench_forget": (None, (ctypes.c_void_p, ctypes.c_int)),
}
_loaded: dict[Path, ctypes.CDLL] = {}


def _load(path: Path) -> ctypes.CDLL:
    """Load a shared library with the types of its functions; once, because it stays loaded anyway."""
    if path not in _loaded:
        # PyDLL: an access is shorter than giving the interpreter lock away and getting it back.
        library = ctypes.PyDLL(str(path))
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        if hasattr(library, "bench_trace"):
            library.bench_trace.restype, library.bench_trace.argtypes = None, (ctypes.c_void_p, ctypes.c_char_p)
        if hasattr(library, "bench_coverage"):
            library.bench_coverage.restype, library.bench_coverage.argtypes = None, (ctypes.c_void_p, ctypes.c_char_p)
        if hasattr(library, "bench_mutant"):
            library.bench_mutant.restype, library.bench_mutant.argtypes = None, (ctypes.c_void_p, ctypes.c_uint32)
        _loaded[path] = library
    return _loaded[path]
