"""The manager at the bus, beside guests that are at work: counters, locks, adoption, a reset in the middle."""

import cocotb
from cocotb.task import bridge
from cocotb.triggers import Combine

from postern import Counters, Mailbox, Manager
from postern_spec.regmap import Lock, address_map, guest_page, manager_page

from ..cocotb_bus import DutBus
from . import configuration
from .common import edges, start

CONFIG = configuration()
BOSS, A, B = range(3)  # VMs, and the ports behind which they sit


async def opened(dut):
    """Open two guests that may send to each other; return manager and mailboxes."""
    buses = [DutBus(dut, CONFIG, port, tag=port) for port in (BOSS, A, B)]
    await start(dut, CONFIG)

    def set_up():
        manager = Manager(buses[BOSS], CONFIG)
        for vm in (A, B):
            manager.open(vm)
        manager.connect(A, B, credits=2)
        boxes = [Mailbox(buses[vm], config=CONFIG) for vm in (A, B)]
        for vm, box in zip((B, A), boxes, strict=True):
            box.connect(vm)
        manager.clear_counters(0b111)
        return manager, *boxes

    return await bridge(set_up)()


@cocotb.test()
async def counts_and_waits(dut):
    """What guests do is counted. Alone they never wait; at the same time they wait for each other."""
    manager, a, b = await opened(dut)

    def talk(box, peer):
        for number in range(3):  # two credits
            box.send(peer, [number])
        box.acknowledge()
        box.ring(peer)
        for _ in range(20):
            box.acknowledge()

    def counters():
        return manager.counters(A), manager.counters(B)

    await bridge(lambda: talk(a, B))()
    alone = Counters(sent=2, no_credit=1, doorbells=1)
    assert await bridge(counters)() == (alone, Counters(received=2, queue_peak=2))
    await Combine(*(cocotb.start_soon(bridge(talk)(box, peer)) for box, peer in ((a, B), (b, A))))
    first, second = await bridge(counters)()
    assert (first.sent, first.no_credit, first.ignored, first.received, first.queue_peak) == (2, 2, 2, 2, 2)
    assert (second.sent, second.no_credit, second.received, second.queue_peak) == (2, 1, 2, 2)
    assert first.waited + second.waited > 0
    await bridge(lambda: manager.clear_counters(1 << A))()
    assert await bridge(counters)() == (Counters(), second)


@cocotb.test()
async def locks_hold_and_nobody_else_sees(dut):
    """A locked register keeps its value; guests read zero from the page and change nothing."""
    manager, a, _ = await opened(dut)
    page, base = manager_page(CONFIG), address_map(CONFIG, A).manager_base
    assert base is not None

    def program():
        manager.lock(Lock.PERMISSIONS, Lock.CREDITS)
        before = manager.adopt()
        for bus in (manager.bus, a.bus):
            for register, where in ((page.PERMIT, (B, 0)), (page.CREDITS, (B, A)), (page.LOCK, ())):
                bus.write32(base + register.at(*where), 0)
        seen = [a.bus.read32(base + offset) for offset in range(0, page.size, 8)]
        a.bus.write32(base + page.COUNT_CLEAR.at(0), 7)
        again = Manager(manager.bus, CONFIG)
        return seen, before == again.adopt(), again.locked(), [record.vm for record in again.faults()]

    seen, same, locked, faulty = await bridge(program)()
    assert not any(seen)
    assert same
    assert locked == (Lock.PERMISSIONS, Lock.CREDITS)
    assert set(faulty) == {BOSS, A}


@cocotb.test()
async def a_port_reset_in_the_middle(dut):
    """A port that is reset while its guest puts a message together loses that, and no lock and no count."""
    manager, a, _ = await opened(dut)
    page = guest_page(CONFIG)

    def begin():
        manager.lock(Lock.RESIDENCY)
        a.send(B, [1])
        a.bus.write32(page.STAGE.at(0, 0), 7)

    def end():
        a.bus.write32(page.COMMIT.at(0, 0, 1, B), 7)
        a.bus.write32(page.COMMIT.at(0, 0, 1, B), 7)
        return manager.counters(A), manager.locked()

    await bridge(begin)()
    dut.s1_rst.value = 1
    await edges(dut, 2)
    dut.s1_rst.value = 0
    await edges(dut, 2)
    assert await bridge(end)() == (Counters(sent=1, torn=1, ignored=1), (Lock.RESIDENCY,))
