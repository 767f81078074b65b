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
    """
    setup = Setup(config)
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
    """Return the longest time from offering an access of SRAM to its answer, all ports hammering one bank.

    Port 0 is measured: its accesses come at all distances from one another, the other ports write and read without a
    pause, and blocks are being scrubbed.
    """
    setup = Setup(config)
    ports = len(config.ports)
    blocks = [setup.block(port, port) for port in range(ports)]
    stride = 4 * config.banks
    rows = config.block_size // stride
    queues = {}
    for port in range(1, ports):
        base, tag = setup.sram(port, port, blocks[port]), setup.tag(port, port)
        queues[f"p{port}"] = [
            Request(base + stride * (count % rows), count, bool(way), tag) for count in range(6000) for way in (1, 0)
        ]
    base, tag = setup.sram(0, 0, blocks[0]), setup.tag(0, 0)
    spare = [setup.block(0, 0) for _ in range(4)]  # given back on the way, so that the scrubber has work
    mine = []
    for count in range(400):
        if count % 100 == 0:
            mine.append(Request(setup.at(0, 0, "FREE", 0), spare[count // 100], True, tag, fence=True))
        mine.append(Request(base + stride * (count % rows), count, bool(count % 2), tag, gap=count % 13, fence=True))
    queues["p0"] = mine
    results = setup.go(**queues)["p0"]
    longest = 0
    for request, before, found in zip(mine[1:], results, results[1:], strict=False):
        longest = max(longest, found.answered - (before.answered + 1 + request.gap))
    return longest


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
