"""Cycles and rates of the shared SRAM."""

from postern import Mailbox, TracingBus
from postern_spec.config import Config
from postern_spec.regmap import Handover

from ..rtl import Request
from .setup import Setup, expect

__all__ = ["alloc_accesses", "efficiency", "move_cycles", "read_latency", "worst_wait"]

PASSES = 8
"""How often a port goes through its block in a figure of throughput."""


def efficiency(config: Config, ports: int) -> float:
    """Return the share of the words per cycle that banks and ports allow, all ports streaming blocks of their own.

    First all write, then all read and the words are compared; the lower rate counts. Port ``p`` is that of VM ``p``.
    Nothing is to be scrubbed meanwhile.
    """
    setup = Setup(config)
    setup.scrubbed()
    words = config.block_size // 4
    blocks = [setup.block(port, port) for port in range(ports)]
    limit = min(ports, config.banks)
    rates = []
    for write in (True, False):
        queues = {}
        for port in range(ports):
            base, tag = setup.sram(port, port, blocks[port]), setup.tag(port, port)
            queues[f"p{port}"] = [
                Request(base + 4 * word, port << 24 | word, write, tag) for _ in range(PASSES) for word in range(words)
            ]
        done = setup.go(**queues)
        first = min(results[0].accepted for results in done.values())
        last = max(results[-1].accepted for results in done.values())
        rates.append(ports * PASSES * words / (last - first + 1) / limit)
        if not write:
            for port in range(ports):
                wanted = [port << 24 | word for word in range(words)] * PASSES
                expect([found.data for found in done[f"p{port}"]], wanted)
    return min(rates)


def read_latency(config: Config) -> int:
    """Return cycles from the acceptance of a read to its word, with nobody else there."""
    setup = Setup(config)
    address = setup.sram(0, 0, setup.block(0, 0))
    (read,) = setup.go(p0=[Request(address, tag=setup.tag(0, 0))])["p0"]
    return read.answered - read.accepted


def worst_wait(config: Config) -> int:
    """Return the longest time from the acceptance of an access to its answer, all ports hammering one bank.

    Every port writes and reads without a pause, in a block of its own, and blocks are being scrubbed. (Whoever has not
    been served for longest goes first, so a port that comes rarely waits for nobody.)
    """
    setup = Setup(config)
    ports = range(len(config.ports))
    stride = 4 * config.banks
    rows = config.block_size // stride
    queues = {}
    for port in ports:
        base, tag = setup.sram(port, port, setup.block(port, port)), setup.tag(port, port)
        queues[f"p{port}"] = [
            Request(base + stride * (count % rows), count, bool(way), tag) for count in range(1000) for way in (1, 0)
        ]
    for vm in ports:  # blocks given up all the time, so that the scrubber has work
        for _ in range(config.blocks // config.vms - 1):
            setup.rtl.write(vm, setup.at(vm, vm, "FREE", 0), setup.block(vm, vm), tag=setup.tag(vm, vm))
    return max(done.answered - done.accepted for results in setup.go(**queues).values() for done in results)


def move_cycles(config: Config) -> int:
    """Return cycles from the acceptance of the commit that moves a block until a read by its receiver gets the word.

    The read is accepted that many cycles after the commit, at the earliest.
    """
    setup = Setup(config)
    sender, receiver, word = 0, 1, 0x600D_DA7A
    setup.permit(sender, receiver, 1)
    seen = {}
    for delay in range(12):
        block = setup.block(0, sender)
        setup.go(p0=[Request(setup.sram(0, sender, block), word, True, setup.tag(0, sender))])
        commit = setup.hand_over(0, sender, receiver, block, Handover.MOVE)
        read = Request(setup.sram(1, receiver, block), tag=setup.tag(1, receiver))
        done = setup.go(p0=[commit._replace(gap=6)], p1=[read._replace(gap=6 + delay)])
        after = done["p1"][0].accepted - done["p0"][0].accepted
        seen[after] = done["p1"][0].data == word
        setup.go(p1=setup.reception(1, receiver, 1))
        setup.rtl.write(1, setup.at(1, receiver, "FREE", 0), block, tag=setup.tag(1, receiver))
    return min(after for after, found in seen.items() if found)


def alloc_accesses(config: Config) -> int:
    """Return the accesses in which the driver gets a block."""
    setup = Setup(config)
    setup.block(0, 0)  # from here on one is clean
    bus = TracingBus(setup.bus(0, 0))
    mailbox = Mailbox(bus, config=config)
    bus.take()
    if mailbox.alloc() is None:
        raise RuntimeError("a block must be there to be allocated, not none")
    return len(bus.take())
