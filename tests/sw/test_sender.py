"""The sender: its exact accesses, and that nothing is lost or reordered, whatever is refused."""

import random
import re
from collections import deque

import pytest

from postern import (
    Denied,
    DeviceError,
    Mailbox,
    Manager,
    Model,
    ModelBus,
    PeerGone,
    Programs,
    Result,
    Sender,
    Source,
    Timeout,
    Torn,
    TracingBus,
)
from postern_spec.regmap import guest_page

WANTED = Source.CREDIT | Source.PEER


@pytest.fixture
def managed(config):
    """A block with VMs 0 to 2 open on ports 0 and 1, each with two credits at each other; and its manager."""
    model = Model(config)
    manager = Manager(ModelBus(model, 0, tag=3, manager=True), config)
    for vm in range(3):
        manager.open(vm)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        manager.connect(a, b, 2)
    manager.resident(0, 0)
    manager.resident(1, 1)
    return manager


def mailbox(manager, vm, port=0):
    it = Mailbox(ModelBus(manager.bus.model, port, tag=vm), 0, manager.config)
    for peer in it.peers():
        it.connect(peer.vm)
    return it


def receive_all(it):
    return [message.words[0] for message in iter(it.try_receive, None)]


# Exact accesses


@pytest.fixture
def script(make_script, config):
    bus = make_script(guest_page(config))
    yield bus
    assert bus.done()


def result(code, vm=0, count=0, *, config):
    return guest_page(config).RESULT.pack(CODE=code, VM=vm, COUNT=count)


def commit(script, word, dest=1):
    return script.write("COMMIT", 0, 0, 0, dest, value=word)


def refill(script, available, config, dest=1):
    script.write("IRQ_STATE", value=WANTED)
    return script.read("CREDIT", dest, value=guest_page(config).CREDIT.pack(AVAILABLE=available, LIMIT=8))


def test_asks_once_per_batch(script, config):
    script.read("RESULT", 0, value=result(1, count=254, config=config))  # what was there before
    sender = Sender(Mailbox(script, 0, config), batch=3)
    refill(script, 8, config)
    for word in (1, 2, 3):
        commit(script, word)
    script.read("RESULT", 0, value=result(1, count=1, config=config))  # 254 + 3, mod 256
    commit(script, 4)
    for word in (1, 2, 3, 4):
        sender.send(1, [word])
    assert (sender.unsent, sender.unconfirmed) == ((), 1)
    script.read("RESULT", 0, value=result(1, count=2, config=config))
    sender.flush()
    assert sender.unconfirmed == 0


def test_sends_the_right_suffix_again(script, config):
    script.read("RESULT", 0, value=result(1, config=config))
    sender = Sender(Mailbox(script, 0, config, core=0))
    refill(script, 3, config)
    for word in (1, 2, 3):
        commit(script, word)
        sender.send(1, [word])
    script.read("RESULT", 0, value=result(Result.NO_CREDIT, 1, 1, config=config)).write("ACK", 0, value=1)
    script.read("IRQ_STATE", value=0).write("IRQ_ENABLE", 0, value=WANTED).wait(None, value=True)
    script.read("IRQ_STATE", value=Source.CREDIT)
    refill(script, 5, config)
    commit(script, 2)
    commit(script, 3)
    script.read("RESULT", 0, value=result(1, count=2, config=config))
    sender.flush()


def test_tries_one_commit_without_credit(script, config):
    script.read("RESULT", 0, value=result(1, config=config))
    sender = Sender(Mailbox(script, 0, config, core=0))
    refill(script, 0, config)
    commit(script, 1)
    sender.send(1, [1])
    script.read("RESULT", 0, value=result(Result.PEER_GONE, 1, config=config)).write("ACK", 0, value=1)
    with pytest.raises(PeerGone) as caught:
        sender.send(1, [2])
    assert caught.value.vm == 1
    assert sender.unsent == ((1, (1,)), (1, (2,)))


def test_torn_is_sent_again_once(script, config):
    script.read("RESULT", 0, value=result(1, config=config))
    sender = Sender(Mailbox(script, 0, config))
    torn = result(Result.TORN, 1, config=config)
    refill(script, 4, config)
    commit(script, 1)
    sender.send(1, [1])
    script.read("RESULT", 0, value=torn).write("ACK", 0, value=1)
    refill(script, 4, config)
    commit(script, 1)
    script.read("RESULT", 0, value=torn).write("ACK", 0, value=1)
    with pytest.raises(Torn, match=r"^message to VM 1 must be staged whole, not TORN \(accepted before: 0\)$"):
        sender.flush()
    assert sender.drop(1) == [(1,)]
    sender.flush()


@pytest.mark.parametrize(("code", "count"), [(1, 1), (1, 3), (Result.NO_CREDIT, 2), (Result.NO_CREDIT, 5)])
def test_impossible_count(script, config, code, count):
    script.read("RESULT", 0, value=result(1, config=config))
    sender = Sender(Mailbox(script, 0, config))
    refill(script, 4, config)
    for word in (1, 2):
        commit(script, word)
        sender.send(1, [word])
    script.read("RESULT", 0, value=result(code, count=count, config=config))
    with pytest.raises(DeviceError, match=f"^RESULT must count 2 commits or say why not, not {count}$"):
        sender.flush()


# Arguments


@pytest.mark.parametrize("batch", [0, 256])
def test_bad_batch(managed, batch):
    with pytest.raises(ValueError, match=f"^batch must be from 1 to 255, not {batch}$"):
        Sender(mailbox(managed, 0), batch=batch)


def test_lane_with_a_refusal(managed):
    it = mailbox(managed, 0)
    it.send(3, [1])
    with pytest.raises(Denied):
        Sender(it)
    it.acknowledge()
    Sender(it)


def test_bad_messages_are_not_kept(managed):
    sender = Sender(mailbox(managed, 0))
    for words, text in (([], "message must be of 1 to 4 words, not 0"), ([1 << 32], "word must be from 0 to")):
        with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
            sender.send(1, words)
    assert sender.unsent == ()


# Over the model


def test_no_credit(managed):
    sender, receiver = Sender(mailbox(managed, 0)), mailbox(managed, 1, 1)
    sender.send(1, [1])
    sender.send(1, [2])
    sender.send(1, [3])  # tried, because a refusal says more than a zero
    with pytest.raises(Timeout):
        sender.flush(timeout=0)
    assert [words for _, words in sender.unsent] == [(3,)]
    assert receiver.try_receive().words == (1,)
    sender.flush(timeout=0)
    assert receive_all(receiver) == [2, 3]


def test_pause(managed):
    sender, receiver = Sender(mailbox(managed, 0)), mailbox(managed, 1, 1)
    managed.pause(1)
    for word in (1, 2):
        sender.send(1, [word])
    with pytest.raises(Timeout, match=r"^CREDIT or PEER must become active within 1e-06 s, not later$"):
        sender.flush(timeout=1e-6)
    managed.resume(1)
    sender.flush(timeout=0)
    assert receive_all(receiver) == [1, 2]


def test_peer_gone(managed):
    it, receiver = mailbox(managed, 0), mailbox(managed, 1, 1)
    sender = Sender(it)
    sender.send(1, [1])
    assert receive_all(receiver) == [1]
    managed.close(1)
    managed.open(1)
    sender.send(1, [2])
    with pytest.raises(PeerGone) as caught:
        sender.flush()
    assert (caught.value.vm, sender.unsent) == (1, ((1, (2,)),))
    with pytest.raises(PeerGone):  # and again, until the program decides
        sender.flush()
    it.connect(1)
    sender.send(1, [3])
    sender.flush()
    assert receive_all(receiver) == [2, 3]


def test_denied_and_drop(managed):
    sender, receiver = Sender(mailbox(managed, 0)), mailbox(managed, 2, 1)
    managed.permit(0, 1, False)
    for dest, word in ((2, 1), (1, 2), (2, 3)):
        sender.send(dest, [word])
    with pytest.raises(Denied) as caught:
        sender.flush()
    assert (caught.value.vm, caught.value.accepted) == (1, 1)
    assert sender.drop(1) == [(2,)]
    sender.flush()
    assert receive_all(receiver) == [1, 3]


def test_tear_in_the_middle_of_a_message(managed):
    """A vCPU that is moved in the middle of a message sends it again."""
    model = managed.bus.model

    class Torn(ModelBus):
        writes = 0

        def write32(self, address, value):
            super().write32(address, value)
            self.writes += 1
            if self.writes == 8:
                managed.tear(0, 0)

    it = Mailbox(Torn(model, 0, tag=0), 0, managed.config)
    it.connect(1)
    sender, receiver = Sender(it), mailbox(managed, 1, 1)
    for word in (1, 2):
        sender.send(1, [word, 7, 7, 7])
    sender.flush()
    assert receive_all(receiver) == [1, 2]


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_lost_whatever_the_manager_does(managed, seed):
    """Two senders, a receiver that lives several times, and a manager that pauses, tears and reopens at random."""
    config, model, count = managed.config, managed.bus.model, 60
    received = {0: [], 2: []}
    finished = deque()

    def send(it):
        vm = it.identity().vm
        sender = Sender(it, batch=1 + seed)

        def connect():
            while True:
                it.irq_clear(Source.PEER)
                try:
                    return it.connect(1)
                except PeerGone:
                    it.wait(Source.PEER)

        def insist(step):
            while True:
                try:
                    return step()
                except PeerGone:
                    step = sender.flush
                    connect()

        connect()
        for number in range(count):
            insist(lambda number=number: sender.send(1, [number, vm, number]))
        insist(sender.flush)
        finished.append(vm)

    def receive(it):
        while len(received[0]) + len(received[2]) < 2 * count:
            if it.bus._bus.model.state(1):  # what a vCPU of a closed VM would do is nothing
                message = it.try_receive()
                if message:
                    number, vm, again = message.words
                    assert (vm, again) == (message.sender, number)
                    received[vm].append(number)
            else:
                it.bus.read32(0)

    def manage(it):
        draw = random.Random(seed)
        while len(finished) < 2:
            it.epoch  # noqa: B018 - an access, so that others run
            match draw.randrange(40):
                case 0:
                    it.pause(1)
                    for _ in range(draw.randrange(20)):
                        it.epoch = 1
                    it.resume(1)
                case 1:
                    it.drain(1)
                    while it.queued(1):
                        pass
                    it.close(1)
                    it.open(1)
                case 2:
                    it.tear(draw.choice((0, 2)), 0)

    programs = Programs(seed=seed)
    make = lambda core: lambda bus: Mailbox(bus, 0, config, core=core)  # noqa: E731
    managed.resident(0, 0)
    managed.resident(1, 2)
    programs.add("sender 0", send, ModelBus(model, 0, tag=0, core=0), make(0))
    programs.add("sender 2", send, ModelBus(model, 1, tag=2, core=1), make(1))
    programs.add("receiver", receive, ModelBus(model, 1, tag=1), make(1))
    programs.add("manager", manage, ModelBus(model, 0, tag=3, manager=True), lambda bus: Manager(bus, config))
    programs.run()
    assert received == {0: list(range(count)), 2: list(range(count))}


def test_trace_of_a_batch(managed):
    """Eight messages of four words: four accesses each, and three for each batch that two credits allow."""
    it, receiver = mailbox(managed, 0), mailbox(managed, 1, 1)
    bus = TracingBus(it.bus)
    sender = Sender(Mailbox(bus, 0, managed.config))
    bus.take()
    for number in range(8):
        sender.send(1, [number] * 4)
        receive_all(receiver)
    assert len(bus.take()) == 8 * 4 + 2 + 3 * 3
