"""Figures: cycles at the bus of the generated Verilog, and rates of the driver. Writes ``build/bench.json``.

    python -m postern_sim.bench

Cycle figures count from the cycle of one handshake to that of another; a response that is taken two cycles after its
request was accepted has a latency of two.
"""

import json
import sys
import time
from collections.abc import Callable

from postern import Mailbox, Manager, Model, ModelBus, TracingBus
from postern_spec.config import Config, preset
from postern_spec.config import Manager as ManagerKind
from postern_spec.regmap import address_map, guest_page

from . import build
from .rtl import EVENT, Done, Request, Rtl, RtlBus

__all__ = ["BARS", "main", "measure"]

BARS: dict[str, tuple[str, float]] = {
    "send_accesses_16B": ("<=", 4),
    "receive_accesses_16B": ("<=", 5),
    "commit_to_irq_cycles": ("<=", 2),
    "commit_to_readable_cycles": ("<=", 2),
    "read_latency_cycles": ("<=", 3),
    "default_commit_to_irq_cycles": ("<=", 3),
    "default_commit_to_readable_cycles": ("<=", 3),
    "default_read_latency_cycles": ("<=", 5),
    "mailbox_words_per_cycle_per_port": (">=", 0.95),
    "mailbox_sustained_fraction": (">=", 0.95),
    "driver_accesses_per_second_rtl": (">=", 100_000),
    "model_messages_per_second": (">=", 50_000),
}
"""What a figure should reach; the others have no bar."""


class Setup:
    """A block with all VMs open and permitted to send to one another, and short ways to its registers.

    Parameters
    ----------
    config : Config
        The block. ``sideband`` ports, whose tags are VM-IDs, or ``static`` ones.
    """

    def __init__(self, config: Config):
        self.config = config
        self.rtl = Rtl(config)
        self.page = guest_page(config)
        if config.manager is not ManagerKind.NONE:
            manager = Manager(self.bus(0, config.manager_vm), config)
            for vm in range(config.vms):
                manager.open(vm)

    def bus(self, port: int, vm: int) -> RtlBus:
        """Return the bus of a VM at a port."""
        return RtlBus(self.rtl, port, tag=self.tag(port, vm))

    def tag(self, port: int, vm: int) -> int:
        """Return the tag of a VM's requests at a port."""
        return vm if self.config.tags else 0

    def permit(self, sender: int, receiver: int, credits: int) -> None:
        """Let ``sender`` send, and acknowledge the receiver."""
        if self.config.manager is ManagerKind.NONE:
            return
        manager = Manager(self.bus(0, self.config.manager_vm), self.config)
        manager.permit(sender, receiver)
        manager.credits(sender, receiver, credits)
        Mailbox(self.bus(0, sender), config=self.config).connect(receiver)

    def at(self, port: int, vm: int, name: str, *indices: int) -> int:
        """Return the address of a guest's register."""
        return address_map(self.config, port).guest(vm) + getattr(self.page, name).at(*indices)

    def message(self, port: int, sender: int, receiver: int, words: list[int]) -> list[Request]:
        """Return the writes that send a message."""
        tag, n = self.tag(port, sender), len(words)
        staged = [
            Request(self.at(port, sender, "STAGE", 0, word), data, True, tag) for word, data in enumerate(words[:-1])
        ]
        commit = self.at(port, sender, "COMMIT", 0, 0, int(n > 1), receiver)
        return [*staged, Request(commit, words[-1], True, tag)]

    def reception(self, port: int, vm: int, count: int) -> list[Request]:
        """Return the reads that take a message of ``count`` words."""
        addresses = [self.at(port, vm, "HEADER", 0)]
        addresses += [self.at(port, vm, "WORD", word) for word in range(count - 1)]
        addresses.append(self.at(port, vm, "POP", 0))
        return [Request(address, tag=self.tag(port, vm)) for address in addresses]

    def go(self, **queues: list[Request]) -> dict[str, list[Done]]:
        """Run queues ``p0``, ``p1``, ... of ports at the same time; return what became of each request."""
        self.rtl.forget()
        for port, requests in queues.items():
            self.rtl.issue(int(port[1:]), requests)
        self.rtl.run()
        return {port: self.rtl.done(int(port[1:])) for port in queues}


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
            _expect(list(receiver.receive().words), message)
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
        _expect(taken, [number << 8 | word for number in range(messages) for word in range(words)])
        rates.append(messages * words / (reads[-1].answered - reads[0].accepted + 1))
    return min(rates)


def _expect(got: list[int], wanted: list[int]) -> None:
    if got != wanted:
        raise RuntimeError(f"messages must arrive as they were sent, not as {got[:8]} instead of {wanted[:8]} ...")


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


def _rate(body: Callable[[], object], seconds: float = 1.5) -> float:
    """Return how often a second ``body`` can be called."""
    start, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < seconds:
        for _ in range(100):
            body()
        count += 100
    return count / passed


def driver_rate(config: Config) -> float:
    """Return accesses per second of one program that sends and receives 16 bytes on the RTL."""
    setup = Setup(config)
    setup.permit(0, 1, 1)
    buses = [TracingBus(setup.bus(port, port)) for port in (0, 1)]
    sender, receiver = (Mailbox(bus, config=config) for bus in buses)

    def exchange() -> None:
        sender.send(1, [1, 2, 3, 4])
        receiver.receive()

    for bus in buses:
        bus.take()
    exchange()
    each = sum(len(bus.take()) for bus in buses)
    sender, receiver = (Mailbox(bus.bus, config=config) for bus in buses)  # without the record
    return each * _rate(exchange)


def model_rate(config: Config) -> float:
    """Return messages of 16 bytes that driver and model send and receive in a second."""
    model = Model(config)
    manager = Manager(ModelBus(model, 0, tag=config.manager_vm), config)
    for vm in (0, 1):
        manager.open(vm)
    manager.connect(0, 1, 1)
    sender = Mailbox(ModelBus(model, 0, tag=0), config=config)
    receiver = Mailbox(ModelBus(model, 1, tag=1), config=config)
    sender.connect(1)

    def exchange() -> None:
        sender.send(1, [1, 2, 3, 4])
        receiver.receive()

    return _rate(exchange)


def generate_seconds(config: Config) -> float:
    """Return how long the Verilog of a block takes."""
    from postern_hw.verilog import emit

    start = time.perf_counter()
    emit(config)
    return time.perf_counter() - start


def measure() -> dict[str, float]:
    """Return all figures by name."""
    small, default = preset("small"), preset("default")
    figures: dict[str, float] = {}
    figures["send_accesses_16B"], figures["receive_accesses_16B"] = accesses()
    for prefix, config in (("", small), ("default_", default)):
        irq, readable, read = latencies(config)
        figures[f"{prefix}commit_to_irq_cycles"] = irq
        figures[f"{prefix}commit_to_readable_cycles"] = readable
        figures[f"{prefix}read_latency_cycles"] = read
    words = default.words
    for count in (1, 2, 4, words):
        name = "mailbox_words_per_cycle_per_port" + (f"_{count}_words" if count != words else "")
        figures[name] = round(burst(default, count), 4)
    figures["mailbox_sustained_words_per_cycle_per_port"] = rate = round(sustained(default, words), 4)
    figures["mailbox_sustained_fraction"] = round(rate / (words / (words + 1)), 4)
    figures["driver_accesses_per_second_rtl"] = round(driver_rate(default))
    figures["small_driver_accesses_per_second_rtl"] = round(driver_rate(small))
    figures["model_messages_per_second"] = round(model_rate(default))
    figures["generate_seconds_default"] = round(generate_seconds(default), 2)
    return figures


def main() -> int:
    """Measure, print a table, write ``bench.json``; return the exit code."""
    try:
        figures = measure()
    except build.BuildError as error:
        print(error, file=sys.stderr)
        return 1
    path = build.build_folder() / "bench.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n")
    width = max(map(len, figures))
    for name, value in figures.items():
        relation, bar = BARS.get(name, ("", 0))
        met = "" if not relation else "met" if (value <= bar if relation == "<=" else value >= bar) else "missed"
        wanted = f"{relation} {bar:,}" if relation else ""
        print(f"{name:{width}}  {value:>12,}  {wanted:>12}  {met}")
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
