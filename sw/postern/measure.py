"""Counts what a transfer costs through registers, through blocks, and as ``Endpoint`` chooses.

    python -m postern.measure

prints the table of ``docs/protocol.md``, counted over the functional model. The two programs of ``one_way`` run on any
bus, so that the same is measured on hardware.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from postern_spec.config import Config, Identity, Port
from postern_spec.config import Manager as ManagerKind

from . import ways
from .bus import Bus, ModelBus
from .driver import Mailbox, Source
from .endpoint import Endpoint
from .errors import DeviceError
from .manager import Manager
from .model import Model
from .programs import Programs
from .ways import Cost
from .wire import LARGEST

__all__ = ["WAYS", "CountingBus", "Span", "endpoint", "main", "on_model", "one_way", "table"]

WAYS = ("registers", "blocks", "hybrid")
"""How a transfer can go: all of it one way, or as the endpoint chooses."""

CONFIG = Config(
    ports=(Port(identity=Identity.STATIC, vm=0), Port(identity=Identity.STATIC, vm=1)),
    vms=2,
    lanes=1,
    manager=ManagerKind.PAGE,
    blocks=64,
)
"""The block of the published table: 16 words a message, 16 messages in a queue, blocks of 1024 bytes."""

SIZES = (0, 4, 16, 60, 61, 64, 116, 117, 176, 256, 1024, 1028, 4096, 65536)


class CountingBus(Bus):
    """A bus that counts the accesses of another one; each word of a burst is one."""

    def __init__(self, bus: Bus):
        self.bus = bus
        self.bursts = bus.bursts
        self.accesses = 0

    def read32(self, address: int) -> int:
        self.accesses += 1
        return self.bus.read32(address)

    def write32(self, address: int, value: int) -> None:
        self.accesses += 1
        self.bus.write32(address, value)

    def read_burst(self, address: int, words: int) -> list[int]:
        self.accesses += words
        return self.bus.read_burst(address, words)

    def write_burst(self, address: int, words: Sequence[int]) -> None:
        self.accesses += len(words)
        self.bus.write_burst(address, words)

    def clock(self) -> float:
        return self.bus.clock()

    def wait_for_interrupt(self, timeout: float | None = None) -> bool:
        self.bus.note = self.note
        return self.bus.wait_for_interrupt(timeout)


class Span(NamedTuple):
    """What one side did for the transfer that is measured.

    Parameters
    ----------
    begin, end : float
        Times of ``bus.clock()``: before its first access, and after its last.
    accesses : int
        Accesses between them.
    """

    begin: float
    end: float
    accesses: int


def endpoint(mailbox: Mailbox, way: str, **options: object) -> Endpoint:
    """Return an endpoint whose transfers go one way.

    Raises
    ------
    ValueError
        There is no such way, or no block for it.
    """
    if way not in WAYS:
        raise ValueError(f"way must be one of {', '.join(WAYS)}, not {way}")
    found = Endpoint(mailbox, **options)  # type: ignore[arg-type]
    if way != "hybrid":
        found.threshold = LARGEST if way == "registers" else -1
    if way == "blocks" and not found.share:
        raise ValueError("quota must be at least 1 to send blocks, not 0")
    return found


def one_way(
    size: int, way: str, destination: int, make: Callable[[Bus], Mailbox], *, warm: int = 2
) -> tuple[Callable[[Bus], Span], Callable[[Bus], Span]]:
    """Return the programs of sender and receiver, which are to run at the same time: one transfer, in steady state.

    The receiver begins when the first message is there, and wakes by interrupt. What it got is compared.

    Parameters
    ----------
    size : int
        Bytes of the transfer.
    way : str
        One of ``WAYS``.
    destination : int
        VM-ID of the receiver.
    make : function
        Makes a mailbox from a bus.
    warm : int
        Transfers of the same size before the one that is measured.
    """
    data = bytes(index * 151 + (index >> 8) & 0xFF for index in range(size))

    def send(at: Bus) -> Span:
        bus = CountingBus(at)
        mailbox = make(bus)
        it = endpoint(mailbox, way)
        for _ in range(warm):
            it.send(destination, data)
        it.flush()
        while (credit := mailbox.credit(destination)).available < credit.limit:
            bus.wait_for_interrupt(1e-6)
        bus.wait_for_interrupt(1e-5)  # by then the receiver has given all back, and waits, too
        begin, before = bus.clock(), bus.accesses
        it.send(destination, data)
        span = Span(begin, bus.clock(), bus.accesses - before)
        it.flush()
        it.settle(destination)
        return span

    def receive(at: Bus) -> Span:
        bus = CountingBus(at)
        mailbox = make(bus)
        it = endpoint(mailbox, "hybrid", limit=max(size, 1 << 16))
        for _ in range(warm):
            it.receive()
        mailbox.wait(Source.MAIL)
        begin, before = bus.clock(), bus.accesses
        found = it.receive()
        span = Span(begin, bus.clock(), bus.accesses - before)
        if found.data != data:
            raise DeviceError(f"transfer of {size} bytes must arrive as it was sent, not changed")
        return span

    return send, receive


def on_model(size: int, way: str, config: Config = CONFIG) -> Cost:
    """Return the accesses for a transfer from VM 0 to VM 1 over the functional model."""
    model = Model(config)
    manager = Manager(ModelBus(model, 0), config)
    for vm in range(config.vms):
        manager.open(vm)
    manager.connect(0, 1, config.depth)
    if config.blocks:
        manager.quota(0, config.blocks // 2)
    programs = Programs()
    for vm, body in enumerate(one_way(size, way, 1, lambda bus: Mailbox(bus, 0, config))):
        programs.add(str(vm), body, ModelBus(model, vm), lambda bus: bus)
    spans = programs.run()
    return Cost(spans["0"].accesses, spans["1"].accesses)


def table(sizes: Sequence[int] = SIZES, config: Config = CONFIG) -> str:
    """Return the table of ``docs/protocol.md``."""
    lines = [
        f"| bytes | {' | '.join(WAYS)} |",
        f"|--:|{'--:|' * len(WAYS)}",
    ]
    for size in sizes:
        costs = [on_model(size, way, config) for way in WAYS]
        lines.append(f"| {size:,} | {' | '.join(f'{c.send:,} + {c.receive:,}' for c in costs)} |")
    found = ways.threshold(config.words)
    return "\n".join([*lines, "", f"Threshold: {found} bytes with {config.words} words in a message."])


def main() -> None:
    """Print the table."""
    print(table())


if __name__ == "__main__":
    main()
