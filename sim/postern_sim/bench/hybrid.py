"""Cycles and accesses of transfers between two VMs, by size and way."""

from postern import Mailbox, Manager
from postern.bus import Bus
from postern.measure import WAYS, endpoint, one_way
from postern_spec.config import Config

from ..cores import Cores
from .setup import Setup

__all__ = ["SIZES", "crossover", "figures", "send_accesses", "transfers"]

SIZES = {"4B": 4, "16B": 16, "64B": 64, "256B": 256, "1KiB": 1024, "4KiB": 4096, "64KiB": 65536, "1MiB": 1 << 20}

SENDER, RECEIVER = 0, 1
"""VMs, and their ports."""


def _pair(config: Config) -> Setup:
    """Return a block in which the sender may use all credits of the receiver, and half of all blocks."""
    setup = Setup(config, quotas=False)
    setup.permit(SENDER, RECEIVER, config.depth)
    manager = Manager(setup.bus(0, config.manager_vm), config)
    manager.quota(SENDER, config.blocks // 2)
    for vm in (SENDER, RECEIVER):
        manager.resident(config.core_base(vm), vm)
    return setup


def transfers(config: Config, size: int, way: str) -> tuple[int, int]:
    """Return cycles from the sender's first access to the receiver's last, and the accesses of both, of one transfer.

    Sender and receiver run at the same time on ports of their own (``Cores``), in steady state.

    Parameters
    ----------
    config : Config
        The block.
    size : int
        Bytes.
    way : str
        ``registers``, ``blocks`` or ``hybrid``, see ``postern.measure``.
    """
    setup = _pair(config)
    cores = Cores(setup.rtl, patience=2_000_000)

    def make(bus: Bus) -> Mailbox:
        # The bus may be one that counts; the port is that of the core behind it.
        vm = RECEIVER if bus.bus is buses[RECEIVER] else SENDER  # type: ignore[attr-defined]
        return Mailbox(bus, config=config, core=config.core_base(vm))

    buses = {vm: cores.bus(vm, setup.tag(vm, vm)) for vm in (SENDER, RECEIVER)}
    programs = one_way(size, way, RECEIVER, make, warm=1)
    for vm, program in zip((SENDER, RECEIVER), programs, strict=True):
        cores.add(buses[vm], lambda program=program, vm=vm: program(buses[vm]))  # type: ignore[misc]
    sent, received = cores.run()
    cycles = round((received.end - sent.begin) * Cores.CLOCK_HZ)
    return cycles, sent.accesses + received.accesses


def send_accesses(config: Config, size: int, count: int = 32) -> float:
    """Return the accesses of a send of ``size`` bytes through ``Endpoint``: the middle one of ``count`` in a row."""
    setup = _pair(config)
    bus = Cores(setup.rtl).bus(SENDER, setup.tag(SENDER, SENDER))
    receiver = Mailbox(setup.bus(RECEIVER, RECEIVER), config=config)
    taken = []

    def program() -> None:
        it = endpoint(Mailbox(bus, config=config, core=config.core_base(SENDER)), "hybrid")
        for _ in range(count):
            before = bus.accesses
            it.send(RECEIVER, bytes(size))
            taken.append(bus.accesses - before)
            while receiver.try_receive() is not None:
                pass

    cores = bus.cores
    cores.add(bus, program)
    cores.run()
    return sorted(taken)[len(taken) // 2]


def crossover(config: Config) -> int:
    """Return the largest size in bytes, in whole words, up to which registers take no more cycles than blocks."""
    size = 4
    while transfers(config, size, "registers")[0] <= transfers(config, size, "blocks")[0]:
        size += 4
    return size - 4


def figures(config: Config) -> dict[str, float]:
    """Return all transfers by name."""
    found: dict[str, float] = {
        "endpoint_send_accesses_16B": send_accesses(config, 16),
        "hybrid_threshold_bytes": crossover(config),
    }
    for name, size in SIZES.items():
        for way in WAYS:
            cycles, accesses = transfers(config, size, way)
            found[f"{way}_cycles_{name}"], found[f"{way}_accesses_{name}"] = cycles, accesses
    return found
