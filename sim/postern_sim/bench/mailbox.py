"""Cycles and accesses of the register mailbox."""

from postern import Mailbox, Manager, TracingBus
from postern_spec.config import Config, preset
from postern_spec.config import Manager as ManagerKind

from ..rtl import EVENT, Request
from .setup import Setup, expect

__all__ = ["accesses", "burst", "latencies", "sustained"]


def latencies(config: Config) -> tuple[int, int, int]:
    """Return cycles from the acceptance of a commit to the interrupt and to its readability, and of a read.

    A message is readable from the first cycle in which the acceptance of a read of ``HEADER`` returns it. The read
    latency is the longest of ``HEADER``, ``WORD``, ``POP`` and ``MAGIC``.
    """
    setup = Setup(config)
    rtl, sender, receiver = setup.rtl, 0, 1
    setup.permit(sender, receiver, 1)
    if config.manager is not ManagerKind.NONE:
        Manager(setup.bus(0, config.manager_vm), config).resident(config.core_base(1), receiver)
    Mailbox(setup.bus(1, receiver), config=config).irq_enable(1, config.core_base(1))
    (commit,) = setup.message(0, sender, receiver, [1])
    header = setup.reception(1, receiver, 1)[0]

    seen = {}
    for delay in range(12):
        done = setup.go(p0=[commit._replace(gap=6)], p1=[header._replace(gap=6 + delay)])
        after = done["p1"][0].accepted - done["p0"][0].accepted
        seen[after] = done["p1"][0].data != 0
        setup.go(p1=setup.reception(1, receiver, 1))
    readable = max(after for after, found in seen.items() if not found) + 1 if not all(seen.values()) else min(seen)

    rtl.log(True)
    rtl.step(10)
    rtl.events()
    accepted = setup.go(p0=[commit])["p0"][0].accepted
    rtl.step(10)
    rises = [cycle for cycle, kind, *_ in EVENT.iter_unpack(rtl.events()) if kind == 0]
    rtl.log(False)

    reads = [*setup.reception(1, receiver, 2), Request(setup.at(1, receiver, "MAGIC"), tag=setup.tag(1, receiver))]
    latency = 0
    for read in reads:
        (last,) = setup.go(p1=[read])["p1"]
        latency = max(latency, last.answered - last.accepted)
    return rises[0] - accepted, readable, latency


def burst(config: Config, words: int) -> float:
    """Return words per cycle and port: all ports send at once, to distinct receivers, as many messages as credits."""
    setup = Setup(config)
    ports = len(config.ports)
    half = config.vms // 2
    for port in range(ports):
        setup.permit(port, half + port, config.depth)
    sent = {
        port: [[port << 16 | number << 8 | word for word in range(words)] for number in range(config.depth)]
        for port in range(ports)
    }
    queues = {
        f"p{port}": [request for message in sent[port] for request in setup.message(port, port, half + port, message)]
        for port in range(ports)
    }
    rates = []
    for results in setup.go(**queues).values():
        cycles = results[-1].accepted - results[0].accepted + 1
        rates.append(len(results) / cycles)
    for port in range(ports):
        receiver = Mailbox(setup.bus(port, half + port), config=config)
        for message in sent[port]:
            expect(list(receiver.receive().words), message)
    return min(rates)


def sustained(config: Config, words: int, messages: int = 400) -> float:
    """Return words per cycle and port that receivers take, all ports sending and receiving at once.

    Reading a message takes an access more than sending it, so senders leave a cycle between two messages.
    """
    setup = Setup(config)
    ports, half = len(config.ports), config.vms // 2
    lead = config.depth // 2 * (words + 1)  # the queues are half full when the receivers begin
    queues = {}
    for port in range(ports):
        receiver = half + (port + 1) % ports
        setup.permit(port, receiver, config.depth)
        requests = []
        for number in range(messages):
            first, *rest = setup.message(port, port, receiver, [number << 8 | word for word in range(words)])
            requests += [first._replace(gap=1, data_gap=1), *rest]
        first, *rest = setup.reception(port, half + port, words) * messages
        queues[f"p{port}"] = [*requests, first._replace(gap=lead), *rest]
    rates = []
    for results in setup.go(**queues).values():
        reads = results[messages * words :]
        taken = [done.data for index, done in enumerate(reads) if index % (words + 1)]
        expect(taken, [number << 8 | word for number in range(messages) for word in range(words)])
        rates.append(messages * words / (reads[-1].answered - reads[0].accepted + 1))
    return min(rates)


def accesses() -> tuple[int, int]:
    """Return the accesses of the driver for sending and for receiving 16 bytes."""
    config = preset("small")
    setup = Setup(config)
    a, b = TracingBus(setup.bus(0, 0)), TracingBus(setup.bus(1, 1))
    sender, receiver = Mailbox(a, config=config), Mailbox(b, config=config)
    a.take(), b.take()
    sender.send(1, [1, 2, 3, 4])
    receiver.receive()
    return len(a.take()), len(b.take())
