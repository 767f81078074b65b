"""The driver as users run it in a testbench of their own: blocking programs over ``DutBus``."""

import cocotb
from cocotb.task import bridge
from cocotb.triggers import Combine
from cocotb.utils import get_sim_time

from postern import Mailbox, Manager, NoCredit, Source
from postern_spec.config import Identity

from ..cocotb_bus import DutBus
from . import configuration
from .common import start

CONFIG = configuration()
SIDEBAND = [index for index, port in enumerate(CONFIG.ports) if port.identity is Identity.SIDEBAND]
HERE = SIDEBAND[0]
THERE = next(index for index in SIDEBAND if CONFIG.ports[index].bus is not CONFIG.ports[HERE].bus)


@cocotb.test()
async def two_programs(dut):
    """A client behind one bus and a server behind another talk, at the same time, and sleep while they wait."""
    buses = DutBus(dut, CONFIG, HERE, tag=0), DutBus(dut, CONFIG, HERE, tag=1), DutBus(dut, CONFIG, THERE, tag=2)
    await start(dut, CONFIG)

    def set_up():
        manager = Manager(buses[0], CONFIG)
        for vm in (1, 2):
            manager.open(vm)
        manager.connect(1, 2, credits=2)
        manager.resident(CONFIG.core_base(HERE), 1)
        manager.resident(CONFIG.core_base(THERE), 2)

    def client():
        mailbox = Mailbox(buses[1], config=CONFIG)
        mailbox.connect(2)
        answers = []
        for number in range(5):
            mailbox.send(2, [number, number])
            answers.append(mailbox.receive().words)
        return answers

    def server():
        mailbox = Mailbox(buses[2], config=CONFIG)
        mailbox.connect(1)
        for _ in range(5):
            message = mailbox.receive()
            assert message.sender == 1
            mailbox.send(1, [sum(message.words)])

    await bridge(set_up)()
    tasks = [cocotb.start_soon(bridge(program)()) for program in (client, server)]
    await Combine(*tasks)
    assert tasks[0].result() == [(2 * number,) for number in range(5)]


@cocotb.test()
async def refusals_and_timeouts(dut):
    """A refusal is an error of the driver; a wait ends in time."""
    buses = DutBus(dut, CONFIG, HERE, tag=0), DutBus(dut, CONFIG, HERE, tag=1)
    await start(dut, CONFIG)

    def program():
        manager = Manager(buses[0], CONFIG)
        for vm in (1, 2):
            manager.open(vm)
        manager.connect(1, 2, credits=1)
        mailbox = Mailbox(buses[1], config=CONFIG)
        mailbox.connect(2)
        mailbox.send(2, [1])
        mailbox.send(2, [2])
        try:
            mailbox.result().check()
        except NoCredit as refusal:
            mailbox.acknowledge()
            return refusal.vm, refusal.accepted
        return None

    assert await bridge(program)() == (2, 1)
    before = get_sim_time("ns")
    assert not await bridge(lambda: buses[1].wait_for_interrupt(1e-6))()
    assert 1000 <= get_sim_time("ns") - before <= 1020
    assert not await bridge(lambda: buses[1].wait_for_interrupt(0))()

    def ring_myself():
        manager = Manager(buses[0], CONFIG)
        manager.resident(CONFIG.core_base(HERE), 1)
        mailbox = Mailbox(buses[1], config=CONFIG)
        mailbox.irq_enable(Source.CREDIT)
        mailbox.irq_test(Source.CREDIT)
        return buses[1].wait_for_interrupt()

    assert await bridge(ring_myself)()
