"""Rates per second: of the driver on RTL and model, and of generating Verilog. They depend on the machine."""

import time
from collections.abc import Callable

from postern import Mailbox, Manager, Model, ModelBus, TracingBus
from postern_spec.config import Config

from .setup import Setup

__all__ = ["driver_rate", "generate_seconds", "model_rate"]


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
