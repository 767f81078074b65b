"""The driver on the RTL: the same programs on model and RTL say the same."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from postern import (
    CommandRefused,
    Deadlock,
    Mailbox,
    Manager,
    Model,
    ModelBus,
    PosternError,
    Programs,
    Refused,
    Source,
)
from postern_sim.rtl import Rtl, RtlBus
from postern_sim.soak import CONFIGURATIONS
from postern_spec.regmap import Handover, State

pytestmark = pytest.mark.sim

SMALL, MIXED = CONFIGURATIONS["small"], CONFIGURATIONS["mixed"]


class Block:
    """A block in either form, and its buses."""

    def __init__(self, config, form):
        self.config = config
        self.block = Model(config) if form == "model" else Rtl(config, probe=True)
        self.kind = ModelBus if form == "model" else RtlBus

    def bus(self, port, **options):
        return self.kind(self.block, port, **options)


def on_both(program, config):
    """Run a program on model and RTL; return what it said, which is the same."""
    answers = [program(Block(config, form)) for form in ("model", "rtl")]
    assert answers[0] == answers[1]
    return answers[0]


def test_small():
    def program(block):
        a, b = (Mailbox(block.bus(port), config=SMALL) for port in (0, 1))
        said = [a.identity(), b.identity(), a.peers(), b.credit(0)]
        for length in range(1, 5):
            a.send(1, list(range(length)))
        said += [b.header(), *(b.try_receive() for _ in range(5)), a.result()]
        b.ring(0)
        said += [a.pending(), a.irq_state()]
        a.irq_enable(Source.DOORBELL)
        said += [block.bus(0).wait_for_interrupt(0), a.wait(Source.DOORBELL)]
        a.clear_pending(0b10)
        said.append(block.bus(0).wait_for_interrupt(1e-6))
        return said

    said = on_both(program, SMALL)
    assert [message.words for message in said[5:9]] == [(0,), (0, 1), (0, 1, 2), (0, 1, 2, 3)]
    assert said[-3:] == [True, Source.DOORBELL, False]


def test_manager():
    def program(block):
        manager = Manager(block.bus(0, tag=0, manager=True), MIXED)
        for vm in (1, 2, 3):
            manager.open(vm)
        manager.connect(1, 2, credits=2)
        manager.connect(2, 3, credits=1)
        wishbone = Mailbox(block.bus(1, tag=1), config=MIXED)
        static = Mailbox(block.bus(4), config=MIXED)
        paged = Mailbox(block.bus(2), base=MIXED.page_stride * 3, config=MIXED)
        wishbone.connect(2)
        static.connect(1)
        paged.connect(2)
        said = [box.identity() for box in (wishbone, static, paged)]
        wishbone.send(2, [1, 2, 3])
        paged.send(2, [4])
        said += [static.receive(), static.receive(), static.try_receive()]
        for _ in range(3):
            wishbone.send(2, [9])
        said.append(wishbone.result())
        wishbone.acknowledge()
        try:
            manager.close(2)
        except CommandRefused as error:
            said.append(str(error))
        manager.pause(2)
        said += [wishbone.peer(2), manager.queued(2), str(manager.status())]
        manager.fault_interrupts(0b11111)
        paged.ring(1)
        said += [block.bus(0, manager=True).wait_for_interrupt(0), manager.faults()]
        return said

    assert len(on_both(program, MIXED)) == 13


def test_kill():
    """A VM with mail, loans in both directions and a block that it paid for is killed, and opened again."""
    config = CONFIGURATIONS["blocks"].replace(blocks=8)

    def program(block):
        manager = Manager(block.bus(0, tag=0, manager=True), config)
        boxes = [Mailbox(block.bus(vm, tag=vm), config=config) for vm in range(3)]
        for vm in range(3):
            manager.open(vm)
            manager.quota(vm, 2)
        for a, b in ((0, 1), (0, 2), (1, 2)):
            manager.connect(a, b, credits=2)
        for box, peers in zip(boxes, ((1, 2), (0, 2), (0, 1)), strict=True):
            for vm in peers:
                box.connect(vm)

        def got(box):
            while (number := box.alloc()) is None:
                pass
            return number

        moved, lent, theirs = got(boxes[1]), got(boxes[1]), got(boxes[2])
        given = ((1, 2, moved, Handover.MOVE), (1, 0, lent, Handover.LEND), (2, 1, theirs, Handover.SHOW))
        for sender, receiver, number, how in given:
            boxes[sender].write_sram(number, 0, b"data")
            boxes[sender].send_block(receiver, [number], number, how)
        boxes[0].send(1, [7])
        loan = boxes[0].receive().loan
        said = [boxes[0].read_sram(lent, 0, 4), boxes[2].receive().loan, manager.queued(1)]
        manager.kill(1)
        said += [manager.state(1), manager.queued(1), boxes[0].read_sram(lent, 0, 4), boxes[0].give_back(loan)]
        said += [
            manager.charged(1),
            manager.holdings(1),
            manager.orphans(),
            manager.rights(moved),
            manager.rights(lent),
        ]
        said += [boxes[2].holding(theirs), boxes[2].read_sram(moved, 0, 4), boxes[0].credit(1), boxes[2].irq_state()]
        for again in (manager.kill, manager.pause):
            try:
                again(1)
            except CommandRefused as error:
                said.append(str(error))
        manager.reclaim(moved)
        said += [boxes[2].read_sram(moved, 0, 4), manager.orphans(), manager.open(1)]
        boxes[0].send(1, [8])
        said += [boxes[0].result(), boxes[1].try_receive()]
        boxes[0].acknowledge()
        boxes[0].connect(1)
        boxes[0].send(1, [9])
        said += [boxes[0].result(), boxes[1].receive()]
        return said

    said = on_both(program, config)
    assert said[0] == b"data"
    assert said[3:7] == [State.CLOSED, 0, bytes(4), False]
    assert said[-1].words == (9,)


def test_nobody_else_can_raise_the_line(small):
    with pytest.raises(Deadlock, match=r"must come from another program, which cannot run while this one waits alone$"):
        Mailbox(RtlBus(small), config=SMALL).wait(Source.MAIL)


@pytest.mark.parametrize("seed", [None, 3])
def test_programs_run_alike_every_time(seed):
    def run():
        trace = []
        with Rtl(SMALL, probe=True) as rtl:
            programs = Programs(seed=seed)

            def ping(mailbox):
                for number in range(20):
                    mailbox.send(1, [number])
                    trace.append((rtl.cycle, mailbox.receive().words))

            def pong(mailbox):
                for _ in range(20):
                    message = mailbox.receive()
                    trace.append((rtl.cycle, message.words))
                    mailbox.send(0, [message.words[0] + 100])

            for port, body in enumerate((ping, pong)):
                programs.add(body.__name__, body, RtlBus(rtl, port), lambda bus, core=port: Mailbox(bus, core=core))
            programs.run()
        return trace

    first = run()
    assert len(first) == 40
    assert first == run()


class Machine(RuleBasedStateMachine):
    """Model and RTL side by side: whatever driver and manager do, they see the same."""

    @initialize()
    def start(self):
        self.blocks = [Block(MIXED, form) for form in ("model", "rtl")]
        self.managers = [Manager(block.bus(0, tag=0, manager=True), MIXED) for block in self.blocks]
        self.open = set()
        for vm in range(4):
            self.do(lambda block, manager, vm=vm: manager.open(vm))
            for peer in range(4):
                self.do(lambda block, manager, vm=vm, peer=peer: manager.permit(vm, peer, vm != peer))
                self.do(lambda block, manager, vm=vm, peer=peer: manager.credits(vm, peer, 1))

    def teardown(self):
        if hasattr(self, "blocks"):
            self.blocks[1].block.close()

    def do(self, action):
        answers = []
        for block, manager in zip(self.blocks, self.managers, strict=True):
            try:
                answers.append(action(block, manager))
            except Refused as error:
                answers.append((type(error), error.vm, error.accepted))
            except PosternError as error:
                answers.append(type(error))
        assert answers[0] == answers[1]

    def guest(self, block, vm, through):
        """Return the mailbox of a VM behind the sideband port, the Wishbone port, or its page."""
        if through == 2:
            return Mailbox(block.bus(2), base=MIXED.page_stride * vm, config=MIXED, core=2)
        return Mailbox(block.bus(through, tag=vm), config=MIXED, core=through)

    vms, ports, lanes = st.integers(0, 3), st.integers(0, 2), st.integers(0, 1)

    @rule(vm=vms, port=ports, to=vms, lane=lanes, words=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4))
    def send(self, vm, port, to, lane, words):
        self.do(lambda block, _: self.guest(block, vm, port).send(to, words, lane))

    @rule(vm=vms, port=ports, lane=lanes, acknowledge=st.booleans())
    def result(self, vm, port, lane, acknowledge):
        self.do(lambda block, _: self.guest(block, vm, port).result(lane))
        if acknowledge:
            self.do(lambda block, _: self.guest(block, vm, port).acknowledge(lane))

    @rule(vm=vms, port=ports, lane=lanes)
    def receive(self, vm, port, lane):
        self.do(lambda block, _: self.guest(block, vm, port).try_receive(lane))

    @rule(vm=vms, port=ports, to=vms)
    def connect(self, vm, port, to):
        self.do(lambda block, _: self.guest(block, vm, port).connect(to))

    @rule(vm=vms, port=ports, to=vms)
    def ring(self, vm, port, to):
        self.do(lambda block, _: self.guest(block, vm, port).ring(to))

    @rule(vm=vms, port=ports, mask=st.integers(0, 31))
    def clear(self, vm, port, mask):
        self.do(lambda block, _: self.guest(block, vm, port).clear_pending(mask))
        self.do(lambda block, _: self.guest(block, vm, port).irq_clear(mask))

    @rule(vm=vms, port=ports, core=st.integers(0, 4), sources=st.integers(0, 31))
    def enable(self, vm, port, core, sources):
        self.do(lambda block, _: self.guest(block, vm, port).irq_enable(sources, core))

    @rule(vm=vms, command=st.sampled_from(["open", "pause", "resume", "drain", "close"]))
    def command(self, vm, command):
        self.do(lambda _, manager: getattr(manager, command)(vm))

    @rule(core=st.integers(0, 3), vm=st.none() | vms)
    def resident(self, core, vm):
        self.do(lambda _, manager: manager.resident(core, vm))

    @rule(vm=vms, to=vms, count=st.integers(0, 5))
    def credits(self, vm, to, count):
        self.do(lambda _, manager: manager.credits(vm, to, count))

    @rule(mask=st.integers(0, 31))
    def watch(self, mask):
        self.do(lambda _, manager: manager.arm(mask))

    @invariant()
    def lines_agree(self):
        if hasattr(self, "blocks"):
            for core in range(MIXED.cores):
                self.do(lambda block, _, core=core: block.bus(0, core=core).wait_for_interrupt(1e-7))
            self.do(lambda block, _: block.bus(0, manager=True).wait_for_interrupt(1e-7))
            self.do(lambda _, manager: (manager.status(), manager.faults(), manager.waiting(), manager.fired()))


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
