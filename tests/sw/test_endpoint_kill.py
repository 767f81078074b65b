"""Endpoints whose peer is killed at any moment and opened again: nothing is lost silently, doubled or kept."""

import random

import pytest

from postern import Endpoint, Handover, PeerGone, PosternError, ProtocolError, Timeout, Violation

SIZES = (0, 8, 60, 64, 117, 300, 1500)


def content(serial, size):
    """Return bytes that tell which transfer they are of."""
    return (serial.to_bytes(4, "little") * (size // 4 + 2))[: max(size, 4)]


def serial_of(data):
    serial = int.from_bytes(data[:4], "little")
    assert data == content(serial, len(data)), "a transfer must be whole and unmixed"
    return serial


class Drama:
    """VM 0 sends to VM 1; somebody kills one of them at a random moment, and opens it again later.

    Parameters
    ----------
    net : Net
        Three VMs.
    victim : int
        Who is killed.
    rng : random.Random
        When, and how long it stays dead.
    """

    def __init__(self, net, victim, rng):
        self.net = net
        self.victim = victim
        self.when, self.pause = rng.randrange(40, 900), rng.randrange(0, 300)
        self.dead = self.reborn = False

    def kill(self, mailbox):
        """Be the manager."""
        manager = self.net.manager
        while self.net.model.now < self.when:
            mailbox.identity()
        manager.kill(self.victim)
        self.dead = True
        reborn = self.net.model.now + self.pause
        while self.net.model.now < reborn or "victim" not in self.net.done:  # its vCPUs are stopped
            mailbox.identity()
        for vm in (0, 1):
            manager.quota(vm, 8)  # orphans took some
        manager.open(self.victim)
        self.reborn = True

    def mortal(self, body, **options):
        """Return ``body`` as a program that ends when its VM has been killed, whatever it meets then."""

        def program(mailbox):
            try:
                body(Endpoint(mailbox, **options), lambda: self.dead)
            except PosternError:
                if not self.dead:
                    raise
            return self.dead

        return program

    def next_life(self, body, **options):
        """Return a program of the victim's next life."""

        def program(mailbox):
            while not self.reborn:
                mailbox.bus.read32(0)  # refused while it is dead
            return body(Endpoint(self.net.mailbox(self.victim, mailbox.bus), **options))

        return program


def forever_receive(endpoint, over, got, last=None):
    while not over():
        try:
            item = endpoint.receive(timeout=0)
        except Timeout:
            continue  # time passes with accesses: the others never wait all at once
        try:
            got.append(serial_of(item.data))
        except ProtocolError:
            assert over(), "what a living sender lent must stay"
        if last is not None and got[-1:] == [last]:
            return


@pytest.mark.parametrize("how", [Handover.LEND, Handover.MOVE])
@pytest.mark.parametrize("seed", range(8))
def test_the_receiver_is_killed(make_net, seed, how):
    net = make_net(seed=seed, credits=4, quota=8, vms=(0, 1, 2))
    rng = random.Random(seed)
    drama = Drama(net, 1, rng)
    old, new = [], []
    last = 120
    sizes = [rng.choice(SIZES) for _ in range(last + 1)]

    def sender(endpoint):
        since, gone = 0, 0
        for serial, size in enumerate(sizes):
            if serial == last - 5 and not drama.reborn:
                while not drama.reborn:
                    endpoint.mailbox.identity()
            while True:
                try:
                    endpoint.send(1, content(serial, size))
                    if serial == last:
                        endpoint.flush()
                    break
                except PeerGone:
                    gone += 1
                while True:
                    try:
                        endpoint.connect(1)
                        since = serial
                        break
                    except PeerGone:
                        pass
        endpoint.close(timeout=None)
        return since, gone

    net.add(0, sender, handover=how)
    net.mail(1, drama.mortal(lambda endpoint, over: forever_receive(endpoint, over, old)), name="victim")
    net.mail(2, drama.kill)
    net.mail(
        1, drama.next_life(lambda endpoint: forever_receive(endpoint, lambda: False, new, last)), name="next receiver"
    )
    found = net.run()
    since, gone = found["sender"]
    assert found["victim"], "the victim must be killed while it receives"
    assert gone or not old, "a sender must hear of the end of its peer"
    assert old == list(range(len(old))), "the first life must have received all in order, from the first one on"
    assert new == list(range(since, last + 1)), "the next one everything since the sender greeted it, and nothing else"
    assert len(old) <= since + 1
    assert net.used(0) == 0
    assert net.manager.orphans() == []
    assert sum(net.manager.pool()) == net.config.blocks


@pytest.mark.parametrize("how", [Handover.LEND, Handover.MOVE])
@pytest.mark.parametrize("seed", range(8))
def test_the_sender_is_killed(make_net, seed, how):
    net = make_net(seed=seed, credits=4, quota=8, vms=(0, 1, 2))
    rng = random.Random(seed)
    drama = Drama(net, 0, rng)
    sizes = [rng.choice(SIZES) for _ in range(400)]
    last = 1_000_010

    def first_life(endpoint, over):
        for serial, size in enumerate(sizes):
            if over():
                return
            endpoint.send(1, content(serial, size))
        while not over():
            endpoint.mailbox.identity()

    def next_life(endpoint):
        while True:  # the receiver may still be full of what the first life sent
            try:
                endpoint.connect(1)
                break
            except PeerGone:
                pass
        for serial in range(1_000_000, last + 1):
            endpoint.send(1, content(serial, sizes[serial % len(sizes)]))
        endpoint.flush()
        endpoint.close(timeout=None)

    def receiver(endpoint):
        got = []
        while got[-1:] != [last]:
            item = endpoint.receive()
            generation = item.generation
            try:
                got.append(serial_of(item.data))
            except ProtocolError:
                assert generation == 1, "nobody takes back what the next life lent"
            assert (got[-1:] >= [1_000_000]) <= (generation == 2), "no transfer may have another life's stamp"
        return got, endpoint.violations(0)

    net.mail(0, drama.mortal(first_life, handover=how), name="victim")
    net.mail(0, drama.next_life(next_life, handover=how), name="next sender")
    net.add(1, receiver)
    net.mail(2, drama.kill)
    found = net.run()
    got, violations = found["receiver"]
    assert found["victim"], "the victim must be killed while it sends"
    first = [serial for serial in got if serial < 1_000_000]
    assert first == sorted(set(first)), "each at most once, in order"
    if how is Handover.MOVE:
        assert first == list(range(len(first))), "what was moved stays"
        assert set(violations) <= {Violation.RESTARTED, Violation.CUT}
    assert got[len(first) :] == list(range(1_000_000, last + 1)), "all of the next life"
    assert set(violations) <= {Violation.REVOKED, Violation.RESTARTED, Violation.CUT}
    assert net.used(0) == net.used(1) == 0
    assert net.manager.orphans() == []
    assert sum(net.manager.pool()) == net.config.blocks


def test_what_was_moved_outlives_its_payer_until_it_is_reclaimed(make_net):
    net = make_net()
    sender, receiver = net.endpoint(0), net.endpoint(1)
    for data in (b"kept", b"lost"):
        buffer = sender.buffer(4)
        buffer.write(0, data)
        sender.send_buffer(1, buffer)
    sender.flush()
    kept, lost = (receiver.receive(copy=False) for _ in range(2))
    net.manager.kill(0)
    assert net.manager.orphans() == sorted([kept.loan.block, lost.loan.block])
    net.manager.reclaim(lost.loan.block)
    assert kept.data == b"kept"
    with pytest.raises(ProtocolError):
        _ = lost.data
    assert receiver.violations(0) == {Violation.REVOKED: 1}
    assert net.manager.orphans() == []


def test_no_residue_for_who_is_opened_while_we_connect(make_net):
    """The peer is killed and opened again between the look at what it holds and the acknowledgement."""
    net = make_net(quota=1)
    sender, receiver = net.endpoint(0, threshold=20), net.endpoint(1)
    sender.send(1, b"\xff" * 64)
    kept = receiver.receive(copy=False)
    sender.flush()
    connect = sender.mailbox.connect

    def late(vm):
        net.manager.kill(1)
        net.open(1)
        return connect(vm)

    sender.mailbox.connect = late
    assert sender.connect(1) == 2
    assert kept.loan
    receiver = net.endpoint(1)
    net.model.tick(1000)
    sender.send(1, b"\xdd" * 24)
    fresh = receiver.receive(copy=False)
    assert fresh.loan
    assert net.mailbox(1).read_sram(fresh.loan.block, 0, 64) == b"\xdd" * 24 + bytes(40)


def test_the_dead_learn_nothing_and_say_so(make_net):
    net = make_net()
    victim = net.endpoint(0)
    victim.send(1, b"x")
    net.manager.kill(0)
    with pytest.raises(PosternError):
        victim.flush()
    with pytest.raises(PosternError):
        victim.send(1, b"y" * 300)
    with pytest.raises(PosternError):
        victim.receive(timeout=0)
