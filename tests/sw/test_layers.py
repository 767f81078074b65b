"""What stands on top of endpoints: channels, requests, streams, shown rings."""

from contextlib import suppress

import pytest

from postern import (
    Channel,
    Client,
    Closed,
    Content,
    Entry,
    Handover,
    Holding,
    PeerGone,
    ProtocolError,
    RemoteError,
    RingReader,
    RingWriter,
    Server,
    Stream,
    Timeout,
    Violation,
    ring,
)


def pattern(size, salt=0):
    return bytes((index * 151 + (index >> 8) + salt) & 0xFF for index in range(size))


# Channels


def test_channels_are_apart(make_net):
    net = make_net()
    sender, endpoint = net.endpoint(0), net.endpoint(1)
    sender.send(1, b"early", channel=2)
    with pytest.raises(Timeout):
        Channel(endpoint, 2, 7).receive(timeout=0)
    two, three = Channel(endpoint, 0, 2), Channel(endpoint, 0, 3)
    sender.send(1, b"three", channel=3)
    sender.send(1, b"none", channel=4)
    sender.send(1, b"two", channel=2)
    assert [two.receive(timeout=0).data for _ in range(2)] == [b"early", b"two"]
    assert three.receive(timeout=0).data == b"three"
    assert endpoint.receive(timeout=0).data == b"none"
    with pytest.raises(ValueError, match=r"^channel must be one that is not in use, not 2$"):
        Channel(endpoint, 0, 2)
    two.close()
    two.close()
    with Channel(endpoint, 0, 2) as again:
        again.send(pattern(100))
        assert (item := sender.receive(timeout=0)).data == pattern(100)
        assert (item.sender, item.channel) == (1, 2)


def test_what_was_waiting_for_anybody_moves_into_a_new_channel(make_net):
    net = make_net()
    sender, endpoint = net.endpoint(0), net.endpoint(1)
    for channel in (5, 6, 5):
        sender.send(1, bytes([channel]), channel=channel)
    endpoint.poll()
    with Channel(endpoint, 0, 5) as channel:
        assert [channel.receive(timeout=0).data for _ in range(2)] == [b"\5", b"\5"]
    assert endpoint.receive(timeout=0).data == b"\6"


def test_channel_tells_of_violations_and_restarts_in_their_place(make_net):
    net = make_net(credits=2)
    sender, endpoint = net.endpoint(0), net.endpoint(1)
    channel = Channel(endpoint, 0, 3)
    channel.send(b"hello")
    with pytest.raises(Timeout):
        sender.send(1, pattern(500), channel=3, timeout=2e-3)
    with pytest.raises(Timeout):
        channel.receive(timeout=0)
    sender.send(1, b"after", channel=3)
    with pytest.raises(ProtocolError) as caught:
        channel.receive(timeout=0)
    assert caught.value.violation is Violation.CUT
    assert channel.receive(timeout=0).data == b"after"
    sender.receive()
    sender.settle(1, timeout=1e-3)
    sender.close()
    net.manager.close(0)
    with pytest.raises(PeerGone):
        channel.receive()
    net.open(0)
    net.endpoint(0).send(1, b"new", channel=3)
    with pytest.raises(PeerGone):
        channel.receive(timeout=0)
    assert channel.receive(timeout=0).data == b"new"
    with pytest.raises(PeerGone):
        channel.send(b"old")
    endpoint.connect(0)
    channel.send(b"to the new one")


def test_what_came_before_the_peer_went_is_received(make_net):
    net = make_net()
    sender, endpoint = net.endpoint(0), net.endpoint(1)
    channel = Channel(endpoint, 0, 3)
    channel.send(b"x")
    sender.receive()
    sender.send(1, b"last words", channel=3)
    net.manager.close(0)
    assert channel.receive().data == b"last words"
    with pytest.raises(PeerGone):
        channel.receive()


def test_peer_that_floods_another_channel_is_cut_off_and_holds_nobody_up(make_net):
    net = make_net(credits=8)
    flood, friend, endpoint = net.endpoint(0), net.endpoint(2), net.endpoint(1, limit=500, backlog=1000)
    noisy, quiet = Channel(endpoint, 0, 1), Channel(endpoint, 2, 1)
    count = 0
    for _ in range(10):
        for _ in range(8):
            flood.post(1, bytes(60), channel=1)
            count += 1
        friend.send(1, b"here", channel=1)
        assert quiet.receive(timeout=0).data == b"here"
        flood.poll()
    received = overruns = 0
    while received + overruns < count:
        try:
            received += len(noisy.receive(timeout=0).data) == 60
        except ProtocolError as error:
            overruns += error.violation is Violation.OVERRUN
        except Timeout:
            flood.poll()
    assert overruns == endpoint.violations(0)[Violation.OVERRUN] > 0
    assert received > 0
    assert endpoint.violations(2) == {}
    flood.send(1, b"still served", channel=1)
    assert noisy.receive(timeout=0).data == b"still served"


# Requests


@pytest.mark.parametrize("seed", range(3))
def test_calls_of_two_clients(make_net, seed):
    net = make_net(seed=seed, credits=2)
    sizes = [0, 1, 52, 60, 200, 1000]

    def client(me):
        def body(endpoint):
            with Client(endpoint, 2) as it:
                assert [it.call(pattern(size, me)) for size in sizes] == [pattern(size, me)[::-1] for size in sizes]
                with pytest.raises(RemoteError, match=r"^no$"):
                    it.call(b"fail")
            return endpoint.violations(2)

        return body

    def server(endpoint):
        def handler(data, sender):
            if data == b"fail":
                raise RemoteError("no")
            assert data == pattern(len(data), sender)
            return data[::-1]

        with Server(endpoint, handler) as it:
            found = [it.serve() for _ in range(2 * len(sizes) + 2)]
            endpoint.flush()
            return sorted(found), it.dropped

    net.add(0, client(0), "zero")
    net.add(1, client(1), "one")
    net.add(2, server)
    found = net.run()
    assert found["server"] == ([0] * 7 + [1] * 7, 0)
    assert found["zero"] == found["one"] == {}


def test_answers_in_any_order_late_and_never_asked(make_net):
    net = make_net(credits=8)
    endpoint, peer = net.endpoint(0), net.endpoint(1)
    client = Client(endpoint, 1, channel=4)
    first, second, third = (client.begin(b"?") for _ in range(3))
    with pytest.raises(Timeout):
        client.result(first, timeout=1e-5)
    asked = [peer.receive(timeout=0) for _ in range(3)]
    assert [item.kind for item in asked] == [Content.REQUEST] * 3

    def answer(number, data, kind=Content.RESPONSE):
        peer.send(0, number + data, channel=4, kind=kind)

    numbers = [item.data[:4] for item in asked]
    answer(numbers[2], b"3")
    answer(numbers[0], b"1")  # late
    answer(b"\xff" * 4, b"never asked")
    answer(b"\xff", b"", Content.RESPONSE)  # no number
    answer(numbers[1], b"2", Content.DATA)
    answer(numbers[2], b"twice")
    answer(numbers[1], b"broken", Content.FAILURE)
    with pytest.raises(RemoteError, match=r"^broken$"):
        client.result(second, timeout=0)
    assert client.result(third) == b"3"
    assert client.late == 1
    assert endpoint.violations(1) == {Violation.CONTENT: 4}
    with pytest.raises(ValueError, match=r"^number must be that of a request without an answer, not 0$"):
        client.result(first)


def test_server_that_goes_ends_the_call(make_net):
    net = make_net()
    endpoint, peer = net.endpoint(0), net.endpoint(1)
    client = Client(endpoint, 1)
    client.begin(b"x")
    peer.receive()
    net.manager.close(1)
    with pytest.raises(PeerGone):
        client.result(0)
    with pytest.raises(PeerGone):
        client.call(b"y")
    net.open(1)
    endpoint.connect(1)
    assert client.begin(b"z") == 1
    assert net.endpoint(1).receive().data == b"\1\0\0\0z"


def test_answer_goes_to_who_asked_or_to_nobody(make_net):
    net = make_net()
    asker, endpoint = net.endpoint(0), net.endpoint(1)
    server = Server(endpoint, lambda data, sender: data)
    asker.send(1, b"1234old", channel=1, kind=Content.REQUEST)
    net.manager.close(0)
    net.open(0)
    assert server.serve(timeout=0) == 0
    assert server.dropped == 1
    again = net.endpoint(0)
    client = Client(again, 1)
    number = client.begin(b"new")
    server.serve(timeout=0)
    assert client.result(number, timeout=0) == b"new"
    assert server.dropped == 1


def test_client_that_takes_no_answers_holds_nobody_up(make_net):
    net = make_net(credits=4)
    deaf, good, endpoint = net.endpoint(0), net.endpoint(2), net.endpoint(1)
    server = Server(endpoint, lambda data, sender: pattern(100), pending=3)
    client = Client(good, 1)
    for _ in range(5):
        for _ in range(4):
            deaf.send(1, b"1234", channel=1, kind=Content.REQUEST)
            assert server.serve(timeout=0) == 0
        number = client.begin(b"")
        assert server.serve(timeout=0) == 2
        assert client.result(number, timeout=0) == pattern(100)
    assert server.dropped > 0
    deaf.send(1, b"123", channel=1, kind=Content.REQUEST)
    deaf.send(1, b"1234", channel=1, kind=Content.DATA)
    with pytest.raises(Timeout):
        server.serve(timeout=0)
    assert endpoint.violations(0) == {Violation.CONTENT: 2}


def test_handler_that_fails(make_net):
    net = make_net()
    endpoint = net.endpoint(1)
    client = Client(net.endpoint(0), 1)

    def handler(data, sender):
        raise KeyError("secret")

    server = Server(endpoint, handler)
    number = client.begin(b"")
    with pytest.raises(KeyError):
        server.serve()
    with pytest.raises(RemoteError, match=r"^the handler of the request failed$"):
        client.result(number, timeout=0)


# Streams


@pytest.mark.parametrize("seed", range(4))
def test_streams_both_ways_with_ends_of_their_own(make_net, seed):
    net = make_net(seed=seed, credits=3)
    size = 20_000

    def talker(endpoint):
        with Stream(endpoint, 1, 9, window=4096) as stream:
            for at in range(0, size, 3000):
                stream.write(pattern(size)[at : at + 3000])
            stream.end()
            with pytest.raises(Closed, match=r"^stream must be written before its end, not after$"):
                stream.write(b"x")
            return stream.read_exactly(size // 2), stream.read()

    def listener(endpoint):
        with Stream(endpoint, 0, 9, window=8192) as stream:
            got = b""
            while part := stream.read(1234):
                got += part
                assert stream.received - len(got) <= 8192
            stream.write(got[: size // 2])
            stream.end()
            return got, stream.read()

    net.add(0, talker)
    net.add(1, listener)
    found = net.run()
    assert found["listener"] == (pattern(size), b"")
    assert found["talker"] == (pattern(size)[: size // 2], b"")


def pair(net, **options):
    return [Stream(net.endpoint(vm), 1 - vm, 3, **options) for vm in (0, 1)]


def test_no_more_than_the_window_goes_before_the_reader_reads(make_net):
    net = make_net(seed=1)

    def writer(endpoint):
        stream = Stream(endpoint, 1, 3)
        with pytest.raises(Timeout):
            stream.write(bytes(5000), timeout=1e-3)
        return stream.sent

    def reader(endpoint):
        found = 0
        with suppress(Timeout):
            while True:
                found += len(endpoint.receive(timeout=3e-3))
        return found

    net.add(0, writer)
    net.add(1, reader)
    assert net.run() == {"writer": 4096, "reader": 4096}


def test_stream_that_is_broken_off(make_net):
    net = make_net()
    one, two = pair(net)
    one.write(b"not read")
    one.reset()
    with pytest.raises(Closed, match=r"^stream must not be broken off to be used, but this side did so$"):
        one.write(b"x")
    two.endpoint.poll()
    with pytest.raises(Closed, match=r"^stream must not be broken off to be used, but the other side did so$"):
        two.read(timeout=0)  # what was not read is discarded
    with pytest.raises(Closed):
        two.write(b"x")
    one.close()
    two.close()


def test_what_comes_after_a_stream_is_discarded(make_net):
    net = make_net()
    one, two = pair(net)
    one.end()
    two.end()
    one.close()
    two.close()
    for kind in (Content.WINDOW, Content.STREAM, Content.END, Content.RESET):
        one.endpoint.send(1, pattern(100), channel=3, kind=kind)
        two.endpoint.poll()
    one.endpoint.send(1, b"other", channel=3)
    assert two.endpoint.receive(timeout=0).data == b"other"
    assert two.endpoint.violations(0) == {}
    again = Stream(one.endpoint, 1, 3), Stream(two.endpoint, 0, 3)
    again[0].write(b"again")
    assert again[1].read(timeout=0) == b"again"


def test_end_that_is_missing_when_the_stream_is_closed(make_net):
    net = make_net()
    one, two = pair(net)
    one.write(b"data")
    one.close(timeout=1e-5)
    assert two.read() == b"data"
    assert two.read() == b""
    two.endpoint.poll()
    with pytest.raises(Closed):
        two.write(b"x")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Content.STREAM, b""),
        (Content.STREAM, bytes(4097)),
        (Content.END, b"x"),
        (Content.WINDOW, b"123"),
        (Content.WINDOW, (4095).to_bytes(4, "little")),
        (Content.RESET, b"x"),
        (Content.DATA, b"x"),
    ],
)
def test_what_a_stream_must_not_have(make_net, kind, data):
    net = make_net(credits=8, quota=8)
    endpoint, peer = net.endpoint(0, limit=8192), net.endpoint(1, threshold=8192)
    stream = Stream(endpoint, 1, 3)
    transfer = peer.post(0, data, channel=3, kind=kind)
    while transfer and not transfer.done:
        endpoint.poll()
        peer.poll()
    endpoint.poll()
    with pytest.raises(ProtocolError) as caught:
        stream.read(timeout=0)
    assert caught.value.violation is Violation.CONTENT
    assert endpoint.violations(1) == {Violation.CONTENT: 1}
    assert peer.receive(timeout=0).kind is Content.RESET


def test_bytes_after_the_end(make_net):
    net = make_net()
    one, two = pair(net)
    one.end()
    one.endpoint.send(1, b"x", channel=3, kind=Content.STREAM)
    assert two.read() == b""
    two.endpoint.poll()
    assert two.read() == b""
    with pytest.raises(ProtocolError):
        two.write(b"y")


def test_stream_and_a_peer_that_is_gone(make_net):
    net = make_net()
    one, two = pair(net)
    one.write(b"last")
    two.write(b"x")
    assert one.read() == b"x"
    one.endpoint.close()
    net.manager.close(0)
    assert two.read() == b"last"
    with pytest.raises(PeerGone):
        two.read()
    with pytest.raises(PeerGone):
        two.write(b"y")


def test_window_goes_round(make_net):
    net = make_net()
    one, two = pair(net, window=4096)
    for stream in (one, two):  # as if nearly 4 GiB had gone
        stream.sent = stream.received = (1 << 32) - 1000
        stream._allowed = stream._granted = (1 << 32) + 3096
    for index in range(80):
        one.write(pattern(150, index), timeout=0)
        assert two.read_exactly(150, timeout=0) == pattern(150, index)
        one.endpoint.poll()
    one.write(b"ab")
    one.end()
    with pytest.raises(Closed, match=r"^stream must have 3 bytes before its end, not 2$"):
        two.read_exactly(3)
    assert two.read() == b"ab"


# Rings


def test_ring(make_net, net_config):
    net = make_net()
    endpoint, reader_side = net.endpoint(0), net.endpoint(1)
    writer = RingWriter(endpoint, 1, 5, size=6)
    assert writer.slots == 3
    assert writer.shown()
    reader = RingReader(reader_side, reader_side.receive(timeout=0))
    assert reader.read() is None
    assert reader.latest() is None
    assert writer.publish(b"one") == 1
    assert reader.read() == Entry(1, b"one", 0)
    assert reader.read() is None
    for text in (b"two", b"three", b"", b"five", b"sixsix"):
        writer.publish(text)
    assert reader.read() == Entry(5, b"five", 3)
    assert reader.read() == Entry(6, b"sixsix", 0)
    writer.publish(b"a")
    writer.publish(b"b")
    assert reader.latest() == Entry(8, b"b", 1)
    assert reader.latest() is None
    with pytest.raises(ValueError, match=r"^entry must be of at most 6 bytes, not 7$"):
        writer.publish(bytes(7))
    reader.close()
    assert not writer.shown()
    with pytest.raises(Closed, match=r"^ring of VM 0 must be shown to be read, not closed$"):
        reader.read()
    writer.publish(b"nobody")
    writer.close()
    assert net.used(0) == 0
    with pytest.raises(Closed):
        writer.publish(b"")


def test_ring_that_is_taken_back(make_net):
    net = make_net()
    endpoint, reader_side = net.endpoint(0, threshold=20), net.endpoint(1)
    with RingWriter(endpoint, 1, 5, size=6) as writer:
        reader = RingReader(reader_side, reader_side.receive(timeout=0))
        writer.publish(b"one")
        for index in range(3):  # the block of the ring is used for nothing else
            endpoint.send(1, pattern(64, index), timeout=0)
            assert reader_side.receive(timeout=0).data == pattern(64, index)
        assert reader.read() == Entry(1, b"one", 0)
    with pytest.raises(Closed):
        reader.latest()


def test_ring_that_could_not_be_shown_is_freed(make_net):
    net = make_net(credits=1)
    endpoint = net.endpoint(0)
    endpoint.send(1, b"")
    with pytest.raises(Timeout):
        RingWriter(endpoint, 1, 5, size=6, timeout=1e-5)
    endpoint.send(2, b"")
    net.endpoint(2).receive()
    net.manager.close(2)
    writer = RingWriter(endpoint, 2, 5, size=6)  # committed, and refused
    assert not writer.shown()
    writer.close()
    assert net.used(0) == 0
    with pytest.raises(ValueError, match=r"^size must be from 1 to 48, not 49$"):
        RingWriter(endpoint, 1, 5, size=49)


@pytest.mark.parametrize("seed", range(6))
def test_no_torn_entry_is_read(make_net, seed):
    net = make_net(seed=seed)
    count = 150

    def writer(endpoint):
        with RingWriter(endpoint, 1, 5, size=12) as it:
            for index in range(1, count):
                it.publish(bytes([index]) * (index % 12 + 1))
            while it.shown():
                endpoint.mailbox.identity()

    def reader(endpoint):
        it = RingReader(endpoint, endpoint.receive())
        last = missed = read = 0
        while last < count - 1:
            entry = it.read() if read % 3 else it.latest()
            if entry:
                assert entry.data == bytes([entry.number]) * (entry.number % 12 + 1)
                assert entry.number == last + entry.missed + 1
                last, missed, read = entry.number, missed + entry.missed, read + 1
        it.close()
        return read, missed

    net.add(0, writer)
    net.add(1, reader)
    read, missed = net.run()["reader"]
    assert read + missed == count - 1
    assert missed > 0


def test_numbers_of_entries_go_round(make_net):
    net = make_net()
    endpoint, reader_side = net.endpoint(0), net.endpoint(1)
    writer = RingWriter(endpoint, 1, 5, size=4)
    reader = RingReader(reader_side, reader_side.receive(timeout=0))
    writer._newest = reader._last = ring.NUMBERS - 2
    for expected in (ring.NUMBERS - 1, ring.NUMBERS, 1, 2):
        assert writer.publish(b"data") == expected
        assert reader.read() == Entry(expected, b"data", 0)
    for _ in range(writer.slots + 1):
        writer.publish(b"more")
    assert reader.read().missed == 2


@pytest.mark.parametrize(("length", "slot"), [(4, 12), (64, 0), (64, 8), (64, 14), (63, 12), (64, 1 << 31), (20, 16)])
def test_ring_whose_slots_cannot_be(make_net, length, slot):
    net = make_net()
    endpoint, reader_side = net.endpoint(0), net.endpoint(1)
    buffer = endpoint.buffer(64)
    buffer.write(4, slot.to_bytes(4, "little"))
    endpoint.send_buffer(1, buffer, length, kind=Content.RING, how=Handover.SHOW)
    with pytest.raises(ProtocolError):
        RingReader(reader_side, reader_side.receive(timeout=0))
    assert reader_side.violations(0) == {Violation.CONTENT: 1}
    assert net.mailbox(0).holding(buffer.block).holding is Holding.OWNED


def test_garbage_in_a_ring(make_net):
    net = make_net()
    endpoint, reader_side = net.endpoint(0), net.endpoint(1)
    writer = RingWriter(endpoint, 1, 5, size=4)
    reader = RingReader(reader_side, reader_side.receive(timeout=0))
    block = writer._buffer.block
    for word in range(2, 14):
        net.mailbox(0).write_sram(block, 4 * word, b"\xff" * 4)
    net.mailbox(0).write_sram(block, 0, b"\xff" * 4)
    assert reader.read() is None
    assert reader.latest() is None
    net.mailbox(0).write_sram(block, 0, b"\7\0\0\0")
    assert reader.latest() is None


def test_not_a_ring(make_net):
    net = make_net()
    net.endpoint(0).send(1, b"x")
    endpoint = net.endpoint(1)
    with pytest.raises(ValueError, match=r"^ring must be read from a transfer that shows one, not from Received"):
        RingReader(endpoint, endpoint.receive())
