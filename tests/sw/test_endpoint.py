"""Transfers of every size through registers and blocks, and what peers can do to them."""

import random
from contextlib import suppress

import pytest

from postern import (
    BadBlock,
    BlockRefused,
    Closed,
    Content,
    Denied,
    DeviceError,
    Endpoint,
    Handover,
    Holding,
    Mailbox,
    ModelBus,
    Overrun,
    PeerGone,
    ProtocolError,
    Source,
    Timeout,
    Torn,
    TracingBus,
    Violation,
    measure,
    ways,
    wire,
)
from postern_spec.config import Config, preset


def pattern(size, salt=0):
    return bytes((index * 151 + (index >> 8) + salt) & 0xFF for index in range(size))


def sizes_of(config, threshold):
    """Every boundary between size classes, and one below and above it."""
    single = wire.capacity(config.words, False)
    around = {single, threshold, 2 * threshold}
    if config.blocks:
        size = config.block_size
        around |= {size, size + threshold, 2 * size, config.sram_bytes, 3 * config.sram_bytes}
    found = {0, 1, 2, 3, 4, 5, 7, 8, 9} | {edge + delta for edge in around for delta in (-1, 0, 1)}
    return sorted(size for size in found if size >= 0)


# Sizes


@pytest.mark.parametrize("handover", [Handover.LEND, Handover.MOVE])
@pytest.mark.parametrize("quota", [0, 1, 2, 4])
@pytest.mark.parametrize("seed", [None, 1])
def test_every_size_both_ways_at_once(make_net, net_config, seed, quota, handover):
    net = make_net(seed=seed, quota=quota)
    sizes = sizes_of(net_config, ways.threshold(net_config.words))
    sizes += [3 * net_config.sram_bytes, 0]  # the largest ones of both at the same time

    def talk(peer):
        def body(endpoint):
            for size in sizes:
                endpoint.send(peer, pattern(size, peer), channel=size & 0xFF)
            endpoint.flush()
            got = [endpoint.receive() for _ in sizes]
            assert [item.data for item in got] == [pattern(size, 1 - peer) for size in sizes]
            assert [(item.channel, item.sender, item.kind) for item in got] == [
                (size & 0xFF, peer, Content.DATA) for size in sizes
            ]
            endpoint.settle(peer)
            return endpoint.violations(peer)

        return body

    net.add(0, talk(1), "zero", handover=handover)
    net.add(1, talk(0), "one", handover=handover)
    assert net.run() == {"zero": {}, "one": {}}
    if handover is Handover.MOVE:
        assert [net.used(vm) for vm in (0, 1)] == [0, 0]


def other(name):
    small = preset("small")
    return {
        "small": small,
        "two words": small.replace(words=2),
        "two words and blocks": Config(words=2, blocks=16, block_size=64, manager="page"),
        "three words and blocks": Config(words=3, blocks=16, block_size=64, manager="page"),
        "pages": preset("large").replace(blocks=64, block_size=256, words=8),
        "default with blocks": preset("default").replace(blocks=64),
    }[name]


NAMES = ["small", "two words", "two words and blocks", "three words and blocks", "pages", "default with blocks"]


@pytest.mark.parametrize("name", NAMES)
def test_every_size_in_other_configurations(make_net, name):
    config = other(name)
    net = make_net(config, seed=5, vms=[1, 2]) if config.vms > 2 else Static(config)
    first, second = (1, 2) if config.vms > 2 else (0, 1)
    sizes = [size for size in sizes_of(config, ways.threshold(config.words)) if size < 100_000]

    def sender(endpoint):
        for size in sizes:
            endpoint.send(second, pattern(size))
        endpoint.flush()

    def receiver(endpoint):
        assert [endpoint.receive().data for _ in sizes] == [pattern(size) for size in sizes]
        return endpoint.violations(first)

    net.add(first, sender)
    net.add(second, receiver)
    assert net.run()["receiver"] == {}


class Static:
    """A block that is open at reset, without a manager."""

    def __init__(self, config):
        from postern import Model, Programs

        self.config, self.model, self.programs = config, Model(config), Programs(seed=5)

    def add(self, vm, body, **options):
        make = lambda bus: Endpoint(Mailbox(bus, 0, self.config), **options)  # noqa: E731
        self.programs.add(body.__name__, body, ModelBus(self.model, vm), make)

    def run(self):
        return self.programs.run()


def test_words_of_one_are_too_few(make_net):
    config = preset("small").replace(words=1)
    with pytest.raises(ValueError, match=r"^words must be at least 2 for this protocol, not 1$"):
        Endpoint(Mailbox(ModelBus(Static(config).model, 0), 0, config))


@pytest.mark.parametrize("seed", range(8))
def test_random_traffic_between_all(make_net, net_config, seed):
    """Three VMs, random sizes and channels, both sides sending and receiving as they like, through both handovers."""
    net = make_net(seed=seed, credits=3, quota=3)
    rng = random.Random(seed)
    vms = (0, 1, 2)
    plan = {
        (a, b): [(rng.randrange(256), rng.choice([0, 3, 60, 61, 117, 300, 1500])) for _ in range(rng.randrange(4, 12))]
        for a in vms
        for b in vms
        if a != b
    }

    def program(me):
        order = [(to, item) for (a, to), items in plan.items() if a == me for item in items]
        local = random.Random(100 * seed + me)
        local.shuffle(order)
        mine = {to: [item for it, item in order if it == to] for to in vms if to != me}
        plan.update({(me, to): items for to, items in mine.items()})
        expected = sum(len(items) for (_, to), items in plan.items() if to == me)

        def body(endpoint):
            got = {vm: [] for vm in vms if vm != me}
            left, count = list(order), 0
            while left or count < expected:
                if left and local.random() < 0.6:
                    to, (channel, size) = left.pop(0)
                    endpoint.send(to, pattern(size, channel), channel=channel)
                elif count < expected:
                    try:
                        item = endpoint.receive(timeout=0 if left else None)
                    except Timeout:
                        continue
                    count += 1
                    got[item.sender].append((item.channel, len(item)))
                    assert item.data == pattern(len(item), item.channel)
            endpoint.flush()
            return got

        return body

    for vm in vms:
        handover = Handover.MOVE if vm == 2 else Handover.LEND
        net.add(vm, program(vm), f"vm{vm}", handover=handover)
    found = net.run()
    for (sender, receiver), items in plan.items():
        assert found[f"vm{receiver}"][sender] == items  # whole, once, in order


# What it costs


@pytest.fixture
def traced(make_net):
    """Two endpoints, and the bus of the first one."""
    net = make_net(credits=8)
    bus = TracingBus(net.bus(0), net.config)
    return bus, Endpoint(net.mailbox(0, bus)), net.endpoint(1)


def test_steady_state_takes_five_accesses_for_16_bytes(traced):
    bus, sender, receiver = traced
    sender.send(1, bytes(16))
    bus.take()
    for size in (0, 4, 16, 60):
        sender.send(1, bytes(size))
        assert [access.kind for access in bus.take()] == ["write"] * (1 + size // 4)
    assert [len(receiver.receive().data) for _ in range(5)] == [16, 0, 4, 16, 60]


def test_looks_at_credit_and_result_once_per_batch(traced):
    bus, sender, receiver = traced
    sender.send(1, b"")
    bus.take()
    for _ in range(64):
        sender.send(1, b"")
        receiver.receive()
    kinds = [access.kind for access in bus.take()]
    assert kinds.count("write") == 64
    assert kinds.count("read") == 1 + 9  # RESULT once, CREDIT when the count is used up


def test_receive_takes_two_more_accesses_than_the_data(make_net):
    net = make_net()
    bus = TracingBus(net.bus(1))
    sender, receiver = net.endpoint(0), Endpoint(net.mailbox(1, bus))
    sender.send(1, pattern(16))
    bus.take()
    receiver.receive()
    assert len(bus.take()) == 6


@pytest.mark.parametrize("size", [0, 4, 16, 60, 61, 116, 117, 256, 1024])
def test_costs_are_those_of_the_formulas(size):
    words, block = measure.CONFIG.words, measure.CONFIG.block_size
    registers, blocks = ways.registers(size, words), ways.blocks(size, words, block)
    if registers.total < 5000:
        found = measure.on_model(size, "registers")
        credits = found.send - registers.send  # CREDIT, where more messages are needed than there were credits
        assert 0 <= credits <= 2
        assert found.receive - registers.receive in (0, *range(2, 40)) if credits else found == registers
    assert measure.on_model(size, "blocks") == blocks
    assert measure.on_model(size, "hybrid").total <= min(registers.total, blocks.total)


@pytest.mark.parametrize("words", range(3, 17))
def test_threshold_is_where_blocks_are_cheaper(words):
    at = ways.threshold(words)
    for size in range(at + 200):
        registers, blocks = ways.registers(size, words).total, ways.blocks(size, words, 4096).total
        assert (registers > blocks) == (size > at)


def test_threshold_can_be_set(traced):
    bus, sender, receiver = traced
    assert sender.threshold == ways.threshold(16) == 116
    sender.threshold = 1000
    sender.send(1, bytes(200))
    assert not any("COMMIT[0][1]" in line for line in bus.text().splitlines())
    bus.take()
    sender.threshold = -1
    sender.send(1, b"")
    assert any("COMMIT[0][1]" in line for line in bus.text().splitlines())
    assert [len(receiver.receive().data) for _ in range(2)] == [200, 0]


def test_arguments(make_net):
    net = make_net()
    mailbox = net.mailbox(0)
    for options, text in [
        ({"batch": 0}, "batch must be from 1 to 255, not 0"),
        ({"batch": 256}, "batch must be from 1 to 255, not 256"),
        ({"share": 0}, "share must be at least 1, not 0"),
        ({"handover": Handover.SHOW}, "handover must be LEND or MOVE, not SHOW"),
        ({"limit": -1}, "limit must be from 0 to 4294967295, not -1"),
        ({"limit": 1000, "backlog": 1000}, "backlog must be at least 1384 for transfers of 1000 bytes, not 1000"),
    ]:
        with pytest.raises(ValueError, match=f"^{text}$"):
            Endpoint(mailbox, **options)
    endpoint = Endpoint(mailbox)
    with pytest.raises(ValueError, match=r"^destination must be from 0 to 3, not 4$"):
        endpoint.send(4, b"")
    with pytest.raises(ValueError, match=r"^channel must be from 0 to 255, not 256$"):
        endpoint.send(1, b"", channel=256)
    with pytest.raises(ValueError, match=r"^buffer must be of 0 to 64 bytes, not 65$"):
        endpoint.buffer(65)
    buffer = endpoint.buffer(64)
    with pytest.raises(ValueError, match=r"^size must be from 0 to 64, not 65$"):
        endpoint.send_buffer(1, buffer, 65)
    buffer.free()
    with pytest.raises(ValueError, match=r"^buffer must be used before it is sent or freed, not after$"):
        buffer.write(0, b"")


def test_needs_the_address_of_the_sram(make_net):
    net = make_net()
    with pytest.raises(ValueError, match=r"^sram must be given where the configuration was probed, not None$"):
        Endpoint(Mailbox(net.bus(0)))


# Slow and greedy receivers


@pytest.mark.parametrize("seed", range(4))
def test_receiver_that_stops_and_starts(make_net, net_config, seed):
    net = make_net(seed=seed, credits=2)
    sizes = [3, 200, 61, 1500, 0, 640, 60] * 2

    def sender(endpoint):
        for size in sizes:
            endpoint.send(1, pattern(size))
        endpoint.flush()
        endpoint.settle(1)

    def receiver(endpoint):
        got = []
        for index in range(len(sizes)):
            if index % 3 == 0:
                endpoint.mailbox.irq_enable(0)
                assert not endpoint.mailbox.bus.wait_for_interrupt(3e-4)
            got.append(endpoint.receive().data)
        return got

    net.add(0, sender)
    net.add(1, receiver)
    assert net.run()["receiver"] == [pattern(size) for size in sizes]


def lent(net, vm):
    """Return to whom a VM has lent how many blocks."""
    count = {}
    for info in net.mailbox(vm).holdings():
        if info.holding is Holding.LENT:
            count[info.vm] = count.get(info.vm, 0) + 1
    return count


@pytest.mark.parametrize("quota", [2, 4])
def test_receiver_that_keeps_every_block_gets_its_share_and_then_registers(make_net, quota):
    net = make_net(seed=3, quota=quota, credits=4)
    big = pattern(64)  # one block
    held = {}

    def sender(endpoint):
        endpoint.threshold = 20
        for index in range(6):
            endpoint.send(1, pattern(64, index))
            endpoint.send(2, big)
        endpoint.flush()
        endpoint.settle(2)
        held.update(lent(net, 0))
        return endpoint.share

    def hoarder(endpoint):
        kept = [endpoint.receive(copy=False) for _ in range(6)]
        return [(item.data[:8], bool(item.loan)) for item in kept if not item.loan], [i for i in kept if i.loan]

    def other(endpoint):
        return [endpoint.receive().data for _ in range(6)]

    net.add(0, sender)
    net.add(1, hoarder)
    net.add(2, other)
    found = net.run()
    share = found["sender"]
    assert share == 1
    assert held == {1: share}
    through_registers, in_blocks = found["hoarder"]
    assert len(in_blocks) == share
    assert net.mailbox(1).read_sram(in_blocks[0].loan.block, 0, 64) == pattern(64)
    assert len(through_registers) == 6 - share
    assert found["other"] == [big] * 6


def test_blocks_are_used_again_when_a_hoarder_gives_back(make_net):
    net = make_net(quota=4)
    sender, receiver = net.endpoint(0, threshold=20, patience=1e-5), net.endpoint(1)
    ways_seen, kept = [], []
    for index in range(5):
        sender.send(1, pattern(64, index))
        kept.append(receiver.receive(copy=False))
        ways_seen.append(kept[-1].loan is not None)
        if index == 2:
            assert kept[0].release()
    assert ways_seen == [True, False, False, True, False]
    assert [item.data for item in kept[1:]] == [pattern(64, index) for index in range(1, 5)]
    assert sender.reclaim(1) == 0


def test_receiver_that_takes_nothing_costs_a_timeout_and_no_one_else(make_net):
    net = make_net(credits=2)
    sender, receiver = net.endpoint(0), net.endpoint(2)
    for _ in range(2):
        sender.send(1, b"x")
    with pytest.raises(Timeout, match=r"^a transfer to VM 1 must be there in time, not later$"):
        sender.send(1, b"y", timeout=1e-3)
    assert sender.lost(1) == 1
    for size in (3, 64, 100):
        sender.send(2, pattern(size), timeout=0)
        assert receiver.receive(timeout=0).data == pattern(size)
    assert [net.endpoint(1).receive(timeout=0).data for _ in range(2)] == [b"x", b"x"]


def test_train_that_was_given_up_is_cut_and_the_next_transfer_arrives(make_net):
    net = make_net(credits=2)
    sender, receiver = net.endpoint(0), net.endpoint(1)
    with pytest.raises(Timeout):
        sender.send(1, pattern(500), channel=3, timeout=2e-3)
    with pytest.raises(Timeout, match=r"^a transfer must be there in time, not later$"):
        receiver.receive(timeout=0)
    sender.send(1, b"next", channel=3)
    assert receiver.receive(timeout=0).data == b"next"
    assert receiver.violations(0) == {Violation.CUT: 1}
    text = "message of VM 0 in channel 3 must be followed by the rest of its train, not CUT"
    assert [str(error) for error in receiver.errors(0)] == [text]
    assert sender.lost(1) == 1
    sender.settle(1, timeout=0)


def test_no_more_of_a_peers_blocks_than_the_share(make_net, net_config):
    net = make_net(quota=8, seed=11)
    most = []

    def sender(endpoint):
        endpoint.send(1, pattern(3 * net_config.sram_bytes))
        endpoint.flush()
        return endpoint.share

    def receiver(endpoint):
        inbox = endpoint._inbox
        put = inbox.put

        def watch(message, in_place=False):
            most.append(net.used(0))
            put(message, in_place)

        inbox.put = watch
        return endpoint.receive().data

    net.add(0, sender)
    net.add(1, receiver)
    found = net.run()
    assert found["receiver"] == pattern(3 * net_config.sram_bytes)
    assert max(most) <= found["sender"] == 2


def test_share_of_one_block_for_two_who_keep_it(make_net):
    """All quota is with hoarders: who else there is gets registers."""
    net = make_net(quota=2)
    sender = net.endpoint(0, threshold=20, patience=1e-5)
    kept = []
    for vm in (1, 2):
        sender.send(vm, pattern(64))
        kept.append(net.endpoint(vm).receive(copy=False))
        assert kept[-1].loan
    sender.send(3, pattern(64))
    got = net.endpoint(3).receive(copy=False)
    assert got.loan is None
    assert got.data == pattern(64)


def test_kept_blocks_are_freed_for_other_peers(make_net):
    net = make_net(quota=2)
    sender, one, two, three = (net.endpoint(vm, **({"share": 2} if not vm else {})) for vm in range(4))
    for index in range(3):
        for vm, receiver in ((1, one), (2, two), (3, three)):
            sender.threshold = 20
            sender.send(vm, pattern(100, index))
            item = receiver.receive(copy=False)
            assert item.data == pattern(100, index)
    assert net.used(0) <= 2


# Blocks that are gone


def test_reclaim_takes_back_what_was_not_read(make_net):
    net = make_net()
    sender, receiver = net.endpoint(0, threshold=20), net.endpoint(1)
    sender.send(1, pattern(64))
    sender.flush()
    assert sender.reclaim(1) == 1
    assert net.used(0) == 0
    sender.send(1, b"after")
    assert receiver.receive(timeout=0).data == b"after"
    assert receiver.violations(0) == {Violation.REVOKED: 1}


def test_reclaim_while_the_receiver_reads_in_place(make_net):
    net = make_net()
    sender, receiver = net.endpoint(0, threshold=20), net.endpoint(1)
    for last in (False, True):
        sender.send(1, pattern(64))
        item = receiver.receive(copy=False)
        assert item.read(0, 8) == pattern(8)
        sender.flush()
        assert sender.reclaim(1) == 1
        assert item.read(0, 8) == bytes(8)
        if last:
            with pytest.raises(
                ProtocolError, match=r"^message of VM 0 in channel 0 must be with a block that stays until"
            ):
                _ = item.data
        else:
            assert item.release() is False
    assert receiver.violations(0) == {Violation.REVOKED: 2}
    with pytest.raises(ValueError, match=r"^transfer must be read before its block is released, not after$"):
        item.read(0, 4)
    assert item.release() is False


def test_block_that_is_not_ours(make_net):
    net = make_net()
    sender, receiver = net.endpoint(0), net.endpoint(1)
    buffer = sender.buffer(8)
    sender.mailbox.free(buffer.block)
    sender.send_buffer(1, buffer)
    with pytest.raises(BadBlock):
        sender.flush()
    assert sender.lost(1) == 1
    with pytest.raises(BadBlock):
        sender.send(1, b"x")
    sender.connect(1)
    sender.send(1, b"x")
    assert receiver.receive(timeout=0).data == b"x"
    assert sender.lost(1) == 0


def test_no_residue_for_a_new_generation(make_net):
    """A block that had been lent to a VM is scrubbed before whoever is opened under its number gets one."""
    net = make_net(quota=1)
    sender, receiver = net.endpoint(0, threshold=20), net.endpoint(1)
    sender.send(1, b"\xff" * 64)
    receiver.receive()
    sender.settle(1)
    sender.send(1, b"\xee" * 24)
    again = receiver.receive(copy=False)
    assert net.mailbox(1).read_sram(again.loan.block, 24, 40) == b"\xff" * 40  # the same peer, its own bytes
    again.release()
    net.manager.close(1)
    net.manager.open(1)
    sender.connect(1)
    receiver = net.endpoint(1)
    net.model.tick(1000)
    sender.send(1, b"\xdd" * 24)
    fresh = receiver.receive(copy=False)
    assert fresh.loan
    assert net.mailbox(1).read_sram(fresh.loan.block, 0, 64) == b"\xdd" * 24 + bytes(40)


# Buffers


def test_buffer_is_moved(make_net):
    net = make_net()
    sender, receiver = net.endpoint(0), net.endpoint(1)
    with sender.buffer(10) as buffer:
        buffer.write(0, b"0123456789")
        assert buffer.read(4, 4) == b"4567"
        sender.send_buffer(1, buffer, channel=9)
    item = receiver.receive(copy=False)
    assert item.loan.how is Handover.MOVE
    assert (item.channel, len(item), item.read(4, 6)) == (9, 10, b"456789")
    assert [info.holding for info in net.mailbox(1).holdings()] == [Holding.OWNED]
    assert net.used(0) == 1  # the sender pays until it is freed
    assert item.release()
    assert item.release() is False
    assert net.used(0) == 0
    assert repr(item) == "Received(sender=0, generation=1, channel=9, kind=DATA, 10 bytes here)"


def test_buffer_is_lent(make_net):
    net = make_net()
    sender, receiver = net.endpoint(0), net.endpoint(1)
    buffer = sender.buffer(8)
    buffer.write(0, b"lent")
    sender.send_buffer(1, buffer, 4, how=Handover.LEND)
    with receiver.receive(copy=False) as item:
        assert f"in block {item.loan.block}" in repr(item)
        assert item.read(0, 4) == b"lent"
        with pytest.raises(ValueError, match=r"^part must lie in the 4 bytes of the transfer, not at 0 to 8$"):
            item.read(0, 8)
        with pytest.raises(ValueError, match=r"^offset must be a multiple of 4, not 2$"):
            item.read(2, 1)
    sender.settle(1, timeout=0)


def test_buffer_that_was_not_sent_is_freed(make_net):
    net = make_net()
    sender = net.endpoint(0)
    with sender.buffer(8):
        assert net.used(0) == 1
    assert net.used(0) == 0


def test_buffer_stays_ours_when_it_could_not_be_sent(make_net):
    net = make_net(credits=1)
    sender = net.endpoint(0)
    sender.send(1, b"")
    with sender.buffer(4) as buffer:
        with pytest.raises(Timeout):
            sender.send_buffer(1, buffer, timeout=1e-4)
        assert net.mailbox(0).holding(buffer.block).holding is Holding.OWNED
        net.endpoint(1).receive()
        sender.send_buffer(1, buffer, timeout=0)
    assert len(net.endpoint(1).receive(copy=False)) == 4


def test_moved_blocks_take_at_most_half_of_the_quota(make_net):
    net = make_net(quota=4)
    sender, one, two = net.endpoint(0, threshold=20, patience=1e-5), net.endpoint(1), net.endpoint(2)
    for _ in range(2):
        sender.send_buffer(1, sender.buffer(4))
    kept = [one.receive(copy=False) for _ in range(2)]
    with sender.buffer(4) as buffer:
        with pytest.raises(Timeout):
            sender.send_buffer(2, buffer, timeout=1e-4)
        sender.send_buffer(2, buffer, how=Handover.LEND, timeout=0)
    assert two.receive(copy=False).release()
    sender.send(2, pattern(64))
    assert two.receive(copy=False).loan  # what is lent goes on
    kept[0].release()
    sender.send_buffer(2, sender.buffer(4), timeout=1e-3)


def test_no_buffers_without_quota(make_net):
    net = make_net(quota=0)
    endpoint = net.endpoint(0)
    assert endpoint.share == 0
    with pytest.raises(ValueError, match=r"^buffer must be of 0 to 0 bytes, not 4$"):
        endpoint.buffer(4)
    assert endpoint.reclaim(1) == 0


def test_buffer_waits_for_a_block(make_net):
    net = make_net(quota=1)
    sender, receiver = net.endpoint(0), net.endpoint(1)
    sender.send_buffer(1, sender.buffer(4))
    item = receiver.receive(copy=False)
    with pytest.raises(Timeout, match=r"^a block must be there in time, not later$"):
        sender.buffer(4, timeout=1e-4)
    item.release()
    sender.buffer(4, timeout=1e-3).free()


# Peers that are gone, refuse, or pause


def test_peer_that_is_closed_and_opened_anew(make_net):
    net = make_net()
    sender, receiver, bystander = net.endpoint(0, threshold=20), net.endpoint(1), net.endpoint(2)
    sender.send(1, b"old")
    receiver.receive()
    sender.connect(2)
    net.manager.close(1)
    assert net.open(1) == 2
    sender.send(1, b"lost")  # committed, and refused
    sender.send(2, b"not lost")
    sender.send(1, b"lost, too")
    with pytest.raises(PeerGone):
        sender.flush()
    assert sender.lost(1) == 2
    for _ in range(2):
        with pytest.raises(PeerGone):
            sender.send(1, pattern(64))
    assert bystander.receive(timeout=0).data == b"not lost"
    assert sender.connect(1) == 2
    receiver = net.endpoint(1)
    sender.send(1, pattern(100))
    assert receiver.receive(timeout=0).data == pattern(100)
    with pytest.raises(Timeout):
        receiver.receive(timeout=0)


def test_train_to_a_peer_that_goes(make_net):
    net = make_net(credits=2, seed=2)

    def sender(endpoint):
        with pytest.raises(PeerGone):
            endpoint.send(1, pattern(5000))
        assert endpoint.lost(1) == 1
        endpoint.send(2, b"go on")
        return endpoint.mailbox.quota().used <= endpoint.share

    def quitter(mailbox):
        for _ in range(3):
            message = mailbox.receive()
            mailbox.give_back(message.loan)
        net.manager.drain(1)
        while message := mailbox.try_receive():
            mailbox.give_back(message.loan)
        net.manager.close(1)

    def other(endpoint):
        return endpoint.receive().data

    net.add(0, sender)
    net.mail(1, quitter)
    net.add(2, other)
    found = net.run()
    assert found["other"] == b"go on"
    assert found["sender"]


def test_not_permitted(make_net):
    net = make_net()
    sender = net.endpoint(0)
    sender.send(1, b"one")
    net.manager.permit(0, 1, False)
    sender.send(1, b"two")
    with pytest.raises(Denied):
        sender.flush()
    with pytest.raises(Denied):
        sender.send(1, b"three")
    with pytest.raises(Denied):
        sender.connect(1)
    net.manager.permit(0, 1)
    sender.connect(1)
    sender.send(1, b"four")
    receiver = net.endpoint(1)
    assert [receiver.receive(timeout=0).data for _ in range(2)] == [b"one", b"four"]


@pytest.mark.parametrize("change", ["permit", "close"])
def test_peer_that_goes_while_there_is_no_credit(make_net, change):
    net = make_net(credits=1, seed=1)

    def sender(endpoint):
        endpoint.send(1, b"one")
        with pytest.raises(Denied if change == "permit" else PeerGone):
            endpoint.send(1, b"two")

    def peer(mailbox):
        while not net.model.now > 2000:
            mailbox.identity()
        if change == "permit":
            net.manager.permit(0, 1, False)
            net.manager.pause(1)  # the change of a permission alone raises nothing
            net.manager.resume(1)
        else:
            net.manager.drain(1)
        for _ in range(100):  # a credit that came back first would let the message go
            mailbox.identity()
        mailbox.try_receive()

    net.add(0, sender)
    net.mail(1, peer)
    net.run()


def test_paused_peer_stops_nobody_else_and_gets_all_in_order(make_net):
    net = make_net(credits=8)
    sender, one, two = net.endpoint(0), net.endpoint(1), net.endpoint(2)
    sender.send(1, b"0")
    net.manager.pause(1)
    for index in range(1, 4):
        sender.send(1, str(index).encode())  # committed, and refused
        sender.send(2, str(index).encode())
    sender.send(2, pattern(70), timeout=1e-2)
    with pytest.raises(Timeout, match=r"^transfers must be there in time, not later$"):
        sender.flush(timeout=1e-4)
    assert [two.receive(timeout=0).data for _ in range(4)] == [b"1", b"2", b"3", pattern(70)]
    assert one.receive(timeout=0).data == b"0"
    with pytest.raises(Timeout):
        one.receive(timeout=0)
    net.manager.resume(1)
    sender.send(1, b"4")
    sender.flush()
    assert [one.receive(timeout=0).data for _ in range(4)] == [b"1", b"2", b"3", b"4"]


def test_resume_that_comes_before_the_refusal_is_seen_is_not_missed(make_net):
    net = make_net()
    sender, receiver = net.endpoint(0), net.endpoint(1)
    sender.send(1, b"0")
    sender.flush()
    net.manager.pause(1)
    sender.send(1, b"1")
    net.manager.resume(1)
    sender.flush(timeout=1e-4)
    assert [receiver.receive(timeout=0).data for _ in range(2)] == [b"0", b"1"]


class Stray(ModelBus):
    """A bus on which somebody else stages a word in lane 0 before a commit, so often."""

    def __init__(self, *args, page, times, **options):
        super().__init__(*args, **options)
        self.stage, self.commits = page.STAGE.at(0, 3), range(page.COMMIT.at(0, 0, 0, 0), page.COMMIT.at(1, 0, 0, 0))
        self.times = times

    def write32(self, address, value):
        if address in self.commits and self.times:
            self.times -= 1
            super().write32(self.stage, 0)
        super().write32(address, value)


@pytest.mark.parametrize("times", [1, 2])
def test_torn(make_net, times):
    from postern_spec.regmap import guest_page

    net = make_net()
    page = guest_page(net.config)
    bus = Stray(net.model, 0, tag=0, page=page, times=0)
    sender = Endpoint(net.mailbox(0, bus))
    sender.send(1, b"one")
    sender.flush()
    bus.times = times
    sender.send(1, b"two")
    sender.send(2, b"three")
    if times == 1:
        sender.flush()
    else:
        with pytest.raises(Torn):
            sender.flush()
        sender.flush()
    assert [net.endpoint(1).receive().data for _ in range(2)] == [b"one", b"two"]
    assert net.endpoint(2).receive().data == b"three"


def test_result_that_cannot_be(make_net):
    net = make_net()
    sender = net.endpoint(0)
    sender.send(1, b"x")
    net.mailbox(0).send(1, [0])  # through the endpoint's lane
    with pytest.raises(DeviceError, match=r"^RESULT must count 1 commits or say why not, not 2$"):
        sender.flush()


# Garbage


def raw(net, vm, *words, block=None, how=Handover.LEND, to=0):
    mailbox = net.mailbox(vm)
    mailbox.connect(to)
    if block is None:
        mailbox.send(to, words)
    else:
        mailbox.send_block(to, words, block, how)
    assert mailbox.result().check()
    mailbox.acknowledge()


def head(length, first=True, last=True, channel=0, kind=1):
    return wire.word0(channel, kind, length, first, last)


TRAIN = [(head(4, True, False), 12, 1), (head(4, False, False), 2), (head(4, False, True), 3)]


@pytest.mark.parametrize(
    ("messages", "expected", "arrives"),
    [
        (TRAIN, {}, 1),
        ([(0,), (0x2000_0000,)], {Violation.VERSION: 2}, 0),
        ([(head(0, kind=0),), (head(0, kind=15),), (head(0) | 1 << 15,)], {Violation.HEADER: 3}, 0),
        ([(head(5), 0), (head(5), 0, 0, 0), (head(0, False),)], {Violation.LENGTH: 3}, 0),
        (TRAIN[1:], {Violation.ORDER: 2}, 0),
        ([TRAIN[0], (head(4, False, True, kind=2), 0), *TRAIN[1:]], {Violation.ORDER: 3}, 0),
        ([TRAIN[0], (head(4, False, False, kind=2), 0), *TRAIN[1:]], {Violation.ORDER: 1}, 0),
        ([TRAIN[0], TRAIN[2]], {Violation.TOTAL: 1}, 0),
        ([TRAIN[0], (head(12, False, False), 1, 2, 3), TRAIN[2]], {Violation.TOTAL: 1}, 0),
        ([TRAIN[0], (head(8, False, False), 1, 2), TRAIN[2]], {Violation.TOTAL: 1}, 0),
        ([TRAIN[0], *TRAIN], {Violation.CUT: 1}, 1),
        ([TRAIN[0], (head(4), 9)], {Violation.CUT: 1}, 1),
        ([(head(4, True, False), 10_001, 1), *TRAIN[1:]], {Violation.LIMIT: 1}, 0),
        ([TRAIN[0], (head(4, channel=1), 9), *TRAIN[1:]], {}, 2),
    ],
)
def test_garbage_in_registers(make_net, messages, expected, arrives):
    net = make_net(credits=8)
    endpoint, good = net.endpoint(0, limit=10_000), net.endpoint(2)
    for words in messages:
        raw(net, 1, *words)
    good.send(0, b"good")
    got = []
    while not got or got[-1].sender != 2:
        got.append(endpoint.receive(timeout=0))
    assert len(got) == arrives + 1
    assert got[-1].data == b"good"
    assert endpoint.violations(1) == expected
    assert {error.violation for error in endpoint.errors(1)} == set(expected)
    assert endpoint.violations(2) == {}
    good.send(0, b"again")
    raw(net, 1, head(4), 7)
    assert endpoint.receive().data == b"again"
    assert endpoint.receive().data == b"\7\0\0\0"
    assert endpoint._inbox._sources[1].held == 0


@pytest.mark.parametrize("how", list(Handover))
@pytest.mark.parametrize(
    ("words", "violation"),
    [
        ((), Violation.LENGTH),
        ((0,), Violation.VERSION),
        ((head(65),), Violation.LENGTH),
        ((head(4), 0), Violation.LENGTH),
        ((head(4, False, True),), Violation.ORDER),
        ((head(4, kind=9),), Violation.HANDOVER),
        ((head(4, True, False), 10_001), Violation.LIMIT),
    ],
)
def test_garbage_with_a_block_gives_the_block_back(make_net, words, violation, how):
    net = make_net()
    endpoint = net.endpoint(0, limit=10_000)
    block = net.mailbox(1).alloc()
    raw(net, 1, *words, block=block, how=how)
    if how is Handover.SHOW:
        if words == (head(4, kind=9),):
            item = endpoint.receive(timeout=0)  # which is right
            assert item.loan
            item.release()
        elif violation in (Violation.ORDER, Violation.LIMIT):
            violation = Violation.HANDOVER
    if not (how is Handover.SHOW and words == (head(4, kind=9),)):
        with pytest.raises(Timeout):
            endpoint.receive(timeout=0)
        assert endpoint.violations(1) == {violation: 1}
    assert net.mailbox(0).holdings() == []
    assert net.used(1) == (how is not Handover.MOVE)


@pytest.mark.parametrize("seed", range(20))
def test_nonsense_does_no_harm(make_net, seed):
    """Random messages between good ones, from a peer that hands blocks over in any way and takes them back."""
    rng = random.Random(seed)
    net = make_net(credits=8, quota=4, seed=seed)
    wanted = [pattern(rng.choice([0, 5, 100, 200, 900]), index) for index in range(12)]

    def word():
        likely = head(rng.randrange(70), rng.random() < 0.5, rng.random() < 0.5)
        return rng.choice([0, 1, 4, 64, rng.getrandbits(32), likely])

    def villain(mailbox):
        mailbox.connect(0)
        for _ in range(60):
            words = [word() for _ in range(rng.randrange(1, 4))]
            block = mailbox.alloc() if rng.random() < 0.5 else None
            if block is None:
                mailbox.send(0, words)
            else:
                mailbox.send_block(0, words[: rng.randrange(3)], block, rng.choice(list(Handover)))
            if mailbox.result().code != 1:
                mailbox.acknowledge()
            for info in mailbox.holdings():
                if info.holding is Holding.OWNED:
                    mailbox.free(info.block)
                elif rng.random() < 0.3:
                    with suppress(BlockRefused):  # it came back in this moment
                        mailbox.revoke(info.block)

    def friend(endpoint):
        for data in wanted:
            endpoint.send(0, data)
        endpoint.flush()
        endpoint.settle(0)

    def target(endpoint):
        got = []
        while len(got) < len(wanted):
            item = endpoint.receive(copy=rng.random() < 0.5)
            if item.sender == 2:
                got.append(item.data)
            item.release()
        while "villain" not in net.done or endpoint.mailbox.header():
            with suppress(Timeout):
                endpoint.receive(timeout=1e-6).release()
        assert endpoint.mailbox.holdings() == []
        return got, endpoint.violations(2)

    net.mail(1, villain)
    net.add(2, friend)
    net.add(0, target, limit=2000)
    assert net.run()["target"] == (wanted, {})


def test_sender_that_is_opened_anew_in_a_train(make_net):
    net = make_net()
    endpoint = net.endpoint(0)
    raw(net, 1, *TRAIN[0])
    raw(net, 1, head(4, channel=2), 5)
    net.manager.close(1)
    net.open(1)
    raw(net, 1, head(4, channel=2), 6)
    raw(net, 1, *TRAIN[1])
    assert [endpoint.receive(timeout=0).generation for _ in range(2)] == [1, 2]
    with pytest.raises(Timeout):
        endpoint.receive(timeout=0)
    assert endpoint.violations(1) == {Violation.RESTARTED: 1, Violation.ORDER: 1}
    assert [error.generation for error in endpoint.errors(1)] == [1, 2]


def test_trains_that_never_end_keep_no_more_than_the_backlog(make_net):
    net = make_net(credits=8)
    endpoint, good = net.endpoint(0, limit=1000, backlog=2000), net.endpoint(2)
    sixty = (1,) * 15
    for channel in range(256):
        raw(net, 1, head(56, True, False, channel), 1000, *sixty[:14])
        with pytest.raises(Timeout):
            endpoint.receive(timeout=0)
    source = endpoint._inbox._sources[1]
    assert source.held <= 2000
    assert endpoint.violations(1) == {Violation.OVERRUN: 256 - 2000 // 120}
    good.post(0, pattern(900))
    while True:
        try:
            assert endpoint.receive(timeout=0).data == pattern(900)
            break
        except Timeout:
            good.poll()


# Backlog


def test_waiting_to_send_takes_what_fits_and_leaves_the_rest(make_net):
    net = make_net(credits=4)
    endpoint, peer = net.endpoint(0, limit=200, backlog=600), net.endpoint(1)
    for _ in range(4):
        endpoint.send(2, b"")
    for _ in range(3):
        for _ in range(4):
            peer.post(0, bytes(60))
        with pytest.raises(Timeout):
            endpoint.send(2, b"x", timeout=1e-5)
        peer.poll()
    assert 0 < net.manager.queued(0) == 4
    assert [len(endpoint.receive().data) for _ in range(8)] == [60] * 8
    assert endpoint.violations(1) == {}


# Posting


def test_post_does_not_wait(make_net):
    net = make_net(credits=2)
    sender, one, two = net.endpoint(0), net.endpoint(1), net.endpoint(2)
    data = bytearray(pattern(300))
    transfers = [sender.post(1, data) for _ in range(3)]
    data[:] = bytes(300)
    with pytest.raises(Overrun, match=r"^transfers on their way to VM 1 must be at most 3, not more$"):
        sender.post(1, b"", most=3)
    assert not any(transfer.done for transfer in transfers)
    sender.send(2, b"not held up", timeout=0)
    assert two.receive(timeout=0).data == b"not held up"
    got = []
    while len(got) < 3:
        try:
            got.append(one.receive(timeout=0).data)
        except Timeout:
            sender.poll()
            net.model.tick(100)
    assert got == [pattern(300)] * 3
    assert all(transfer.done for transfer in transfers)
    sender.flush(timeout=0)


def test_channels_take_turns(make_net):
    net = make_net(credits=2)
    sender, receiver = net.endpoint(0), net.endpoint(1)
    sender.post(1, pattern(900), channel=1)
    sender.post(1, b"short", channel=2)
    order = []
    while len(order) < 2:
        try:
            order.append(receiver.receive(timeout=0).channel)
        except Timeout:
            sender.poll()
            net.model.tick(100)
    assert order == [2, 1]


def test_a_vm_with_two_lanes(make_net):
    """One context sends through lane 1 while another one sends and receives through lane 0."""
    net = make_net(seed=4, credits=6)
    config = net.config

    def both(endpoint):
        for index in range(10):
            endpoint.send(1, pattern(150, index), channel=1)
        endpoint.flush()
        return [endpoint.receive().data for _ in range(5)]

    def alone(endpoint):
        for index in range(10):
            endpoint.send(2, pattern(40, index), channel=2)
        endpoint.flush()

    def one(endpoint):
        got = [endpoint.receive().data for _ in range(10)]
        for index in range(5):
            endpoint.send(0, pattern(99, index))
        endpoint.flush()
        return got

    def two(endpoint):
        return [endpoint.receive().data for _ in range(10)]

    net.add(0, both)
    bus = ModelBus(net.model, 3, tag=0)
    net.programs.add("alone", alone, bus, lambda bus: Endpoint(Mailbox(bus, 0, config), lane=1))
    net.add(1, one)
    net.add(2, two)
    found = net.run()
    assert found["both"] == [pattern(99, index) for index in range(5)]
    assert found["one"] == [pattern(150, index) for index in range(10)]
    assert found["two"] == [pattern(40, index) for index in range(10)]


# The end


def test_close_waits_for_loans_and_frees_all(make_net):
    net = make_net(seed=6)

    def sender(endpoint):
        with endpoint:
            endpoint.send(1, pattern(500))
        assert net.used(0) == 0
        with pytest.raises(Closed, match=r"^endpoint must be open to send, not closed$"):
            endpoint.send(1, b"")

    def receiver(endpoint):
        return endpoint.receive().data

    net.add(0, sender)
    net.add(1, receiver)
    assert net.run()["receiver"] == pattern(500)


def test_close_takes_back_what_is_kept(make_net):
    net = make_net()
    sender, receiver = net.endpoint(0, threshold=20), net.endpoint(1)
    sender.send(1, pattern(64))
    item = receiver.receive(copy=False)
    sender.close(timeout=1e-4)
    assert net.used(0) == 0
    assert not item.release()


def test_close_says_what_was_lost(make_net):
    net = make_net()
    sender = net.endpoint(0)
    sender.send(1, b"one")
    net.endpoint(1).receive()
    net.manager.close(1)
    sender.send(1, b"two")
    with pytest.raises(PeerGone):
        sender.close()
    assert net.used(0) == 0


def test_interrupts_that_no_configuration_has_are_not_enabled():
    net = Static(preset("small"))
    endpoint = Endpoint(Mailbox(ModelBus(net.model, 0), 0, net.config))
    assert endpoint._latches == Source.CREDIT | Source.PEER
