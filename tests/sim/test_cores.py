"""Programs that run at the same time on the RTL."""

import pytest

from postern import Deadlock, Mailbox, Source, Timeout
from postern_sim.cores import Cores
from postern_sim.rtl import Rtl
from postern_sim.soak import CONFIGURATIONS

pytestmark = pytest.mark.sim

SMALL = CONFIGURATIONS["small"]


@pytest.fixture
def cores():
    with Rtl(SMALL, probe=True) as rtl:
        yield Cores(rtl)


def mailboxes(cores):
    buses = [cores.bus(port) for port in (0, 1)]
    return buses, [Mailbox(bus, config=SMALL, core=port) for port, bus in enumerate(buses)]


def test_accesses_of_two_ports_overlap(cores):
    """Alone a program takes as long as together with another one: neither waits for the other's accesses."""

    def program(mailbox):
        return lambda: [mailbox.identity().vm for _ in range(50)]

    taken = []
    for ports in ((0,), (1,), (0, 1)):
        run = Cores(cores.rtl)
        _, boxes = mailboxes(run)
        for port in ports:
            run.add(boxes[port].bus, program(boxes[port]))
        start = cores.rtl.cycle
        assert run.run() == [[port] * 50 for port in ports]
        taken.append(cores.rtl.cycle - start)
    assert taken[2] <= max(taken[:2]) + 50  # a cycle for each grant that the read engine gives to the other port
    assert taken[2] < sum(taken[:2]) * 0.75


def test_messages_arrive_in_order_and_are_counted(cores):
    buses, (a, b) = mailboxes(cores)
    sent = [[number, number ^ 0xFFFF_FFFF, 7, number << 8] for number in range(60)]

    def sender():
        for number, words in enumerate(sent):
            while not a.credit(1).available:
                pass
            a.send(1, words)
            if number % 8 == 7:
                assert a.result().check() % 256 == (number + 1) % 256

    cores.add(buses[0], sender)
    cores.add(buses[1], lambda: [list(b.receive().words) for _ in sent])
    assert cores.run()[1] == sent
    assert buses[0].accesses >= 60 * 5
    assert buses[1].accesses >= 60 * 5


def test_a_core_sleeps_until_its_line_is_high(cores):
    buses, (a, b) = mailboxes(cores)
    cycles = []

    def sleeper():
        b.wait(Source.DOORBELL)
        cycles.append(cores.rtl.cycle)

    def ringer():
        with pytest.raises(Timeout):
            a.wait(Source.DOORBELL, timeout=3e-6)
        cycles.append(cores.rtl.cycle)
        a.ring(1)

    cores.add(buses[0], ringer)
    cores.add(buses[1], sleeper)
    cores.run()
    assert 300 <= cycles[0] < 340
    assert cycles[0] < cycles[1] < cycles[0] + 20


def test_errors_reach_the_caller(cores):
    buses, (a, b) = mailboxes(cores)
    cores.add(buses[0], a.identity)
    with pytest.raises(ValueError, match=r"^port must be one without a program, not 0$"):
        cores.add(cores.bus(0), a.identity)
    run = Cores(cores.rtl, patience=1000)
    buses, (a, b) = mailboxes(run)
    run.add(buses[0], lambda: a.wait(Source.MAIL))
    run.add(buses[1], lambda: b.wait(Source.DOORBELL))
    with pytest.raises(Deadlock, match=r"^some program must be able to go on, but each waits: port 0 for MAIL; port 1"):
        run.run()
    run = Cores(cores.rtl)
    buses, (a, b) = mailboxes(run)
    run.add(buses[0], lambda: a.wait(Source.MAIL))
    run.add(buses[1], lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        run.run()
