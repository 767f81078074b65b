"""A second implementation of docs/protocol.md, written from that page over the bare driver, talks to the endpoint."""

import random

import pytest

from postern import Handover

SIZES = [0, 1, 3, 4, 5, 59, 60, 61, 64, 65, 116, 117, 128, 129, 300, 1000, 2048]


def pattern(size, salt=0):
    return bytes((index * 37 + salt) & 0xFF for index in range(size))


class Other:
    """The other implementation. It cuts transfers into fragments of random length and way, and knows no threshold."""

    def __init__(self, mailbox, seed):
        self.mailbox = mailbox
        self.random = random.Random(seed)
        self.trains = {}

    # Send

    def send(self, to, data, channel):
        rest, begun = data, False
        while rest or not begun:
            shortest = 1 if begun else 0
            block = self.mailbox.alloc() if self.random.random() < 0.5 else None
            room = 64 if block is not None else 56
            count = self.random.randint(min(shortest, len(rest)), min(room, len(rest)))
            first, last = not begun, count == len(rest)
            word = 1 << 28 | 1 << 24 | channel << 16 | last << 14 | first << 13 | count
            words = [word] + ([len(data)] if first and not last else [])
            part, rest, begun = rest[:count], rest[count:], True
            if block is None:
                padded = part + bytes(-len(part) % 4)
                words += [int.from_bytes(padded[at : at + 4], "little") for at in range(0, len(padded), 4)]
                self.commit(lambda words=words: self.mailbox.send(to, words))
            else:
                self.mailbox.write_sram(block, 0, part)
                how = self.random.choice([Handover.MOVE, Handover.LEND])
                self.commit(lambda words=words, block=block, how=how: self.mailbox.send_block(to, words, block, how))
                if how is Handover.LEND:
                    while self.mailbox.holding(block).holding.name == "LENT":
                        self.mailbox.bus.wait_for_interrupt(1e-6)
                    self.mailbox.free(block)

    def commit(self, act):
        while True:
            act()
            refused = self.mailbox.result().code.name
            self.mailbox.acknowledge()
            if refused == "ACCEPTED":
                return
            assert refused == "NO_CREDIT"
            self.mailbox.bus.wait_for_interrupt(1e-6)

    # Receive

    def receive(self):
        while True:
            if (done := self.fragment(self.mailbox.receive())) is not None:
                return done

    def fragment(self, message):
        words = list(message.words)
        word = words.pop(0)
        length, first, last, channel = word & 0x1FFF, word >> 13 & 1, word >> 14 & 1, word >> 16 & 0xFF
        assert word >> 28 == 1
        assert word >> 24 & 0xF == 1
        assert not word >> 15 & 1
        total = words.pop(0) if first and not last else length
        if message.loan:
            assert not words
            data = self.mailbox.read_sram(message.loan.block, 0, length)
            if message.loan.how is Handover.MOVE:
                self.mailbox.free(message.loan.block)
            else:
                assert self.mailbox.give_back(message.loan)
        else:
            assert len(words) == (length + 3) // 4
            data = b"".join(word.to_bytes(4, "little") for word in words)
            assert not any(data[length:])
            data = data[:length]
        if first:
            assert channel not in self.trains
            self.trains[channel] = (total, data)
        else:
            assert length
            self.trains[channel] = (self.trains[channel][0], self.trains[channel][1] + data)
        total, have = self.trains[channel]
        assert bool(last) == (len(have) == total)
        return (channel, self.trains.pop(channel)[1]) if last else None


@pytest.mark.parametrize("handover", [Handover.LEND, Handover.MOVE])
@pytest.mark.parametrize("quota", [0, 3])
@pytest.mark.parametrize("seed", range(4))
def test_two_implementations_talk(make_net, seed, quota, handover):
    net = make_net(seed=seed, credits=3, quota=quota)
    plan = [(size & 0xFF, pattern(size, size)) for size in SIZES]

    def endpoint(it):
        for channel, data in plan:
            it.send(1, data, channel=channel)
        it.flush()
        got = [it.receive() for _ in plan]
        return [(item.channel, item.data) for item in got], it.violations(1)

    def other(mailbox):
        mailbox.connect(0)
        it = Other(mailbox, seed)
        got = [it.receive() for _ in plan]
        for channel, data in plan:
            it.send(0, data, channel)
        return got

    net.add(0, endpoint, handover=handover)
    net.mail(1, other)
    found = net.run()
    assert found["other"] == plan
    assert found["endpoint"] == (plan, {})
