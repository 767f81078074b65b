"""The guest's driver and the shared SRAM: the exact accesses of every function, and a driver that begins anew."""

import re

import pytest

from postern import (
    BadBlock,
    BlockInfo,
    BlockRefused,
    DeviceError,
    Handover,
    Holding,
    Loan,
    Mailbox,
    Manager,
    Message,
    Model,
    ModelBus,
    Quota,
    Result,
    Source,
    State,
    Timeout,
    TracingBus,
    probe,
)
from postern.bus import Access
from postern.driver import Outcome
from postern_spec.config import Identity, Port
from postern_spec.config import Manager as ManagerKind
from postern_spec.regmap import Kind, Popped, Settled, address_map, guest_page

BASE, SRAM = 0x4000_0000, 0x5000_0000
MOVE, LEND, SHOW = Handover


@pytest.fixture
def page(blocks_config):
    return guest_page(blocks_config)


@pytest.fixture
def script(make_script, page):
    bus = make_script(page, BASE)
    yield bus
    assert bus.done()


@pytest.fixture
def mailbox(script, blocks_config):
    return Mailbox(script, BASE, blocks_config, core=1, sram=SRAM)


def exactly(text):
    return f"^{re.escape(text)}$"


def word(page, block, how, tag=0):
    return page.RETURN.pack(BLOCK=block, KIND=how, TAG=tag)


# Probing


@pytest.mark.parametrize("banks", [1, 8])
@pytest.mark.parametrize("size", [64, 4096])
@pytest.mark.parametrize("blocks", [1, 6, 1024])
def test_probe_finds_the_sram(make_script, blocks_config, blocks, size, banks):
    """One read more than without, and the same page."""
    config = blocks_config.replace(blocks=blocks, block_size=size, banks=banks, page_stride=65536)
    page = guest_page(config)
    script = make_script(page, BASE)
    for register in (*page.registers[:5], page.MEMORY):
        script.read(register.name, value=register.pack(**{field.name: field.reset for field in register.fields}))
    found = probe(script, BASE)
    assert script.done()
    assert guest_page(found) == page
    assert (found.blocks, found.block_size, found.banks) == (blocks, size, banks)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"BLOCKS": 1025, "SIZE_LOG": 6, "BANKS": 1}, "blocks must be from 0 to 1024, not 1025"),
        ({"BLOCKS": 6, "SIZE_LOG": 5, "BANKS": 1}, "block_size must be a power of two from 64 to 4096, not 32"),
        ({"BLOCKS": 6, "SIZE_LOG": 6, "BANKS": 3}, "banks must be 1, 2, 4 or 8, not 3"),
    ],
)
def test_probe_of_an_impossible_sram(script, page, fields, text):
    for register in page.registers[:5]:
        script.read(register.name, value=register.pack(**{field.name: field.reset for field in register.fields}))
    script.read("MEMORY", value=page.MEMORY.pack(**fields))
    text = f"DIMENSIONS, CAPACITY and MEMORY must be those of a block: {text}"
    with pytest.raises(DeviceError, match=exactly(text)):
        probe(script, BASE)


# Allocate, free, revoke, give back


def test_alloc(script, mailbox, page):
    script.read("ALLOC", value=page.ALLOC.pack(BLOCK=5, VALID=1)).read("ALLOC", value=page.ALLOC.pack(VALID=1))
    script.read("ALLOC", value=0)
    assert [mailbox.alloc() for _ in range(3)] == [5, 0, None]


@pytest.mark.parametrize("fields", [{"BLOCK": 6, "VALID": 1}, {"BLOCK": 3}])
def test_impossible_alloc(script, mailbox, page, fields):
    value = page.ALLOC.pack(**fields)
    script.read("ALLOC", value=value)
    with pytest.raises(DeviceError, match=exactly(f"ALLOC must be zero or a block, not {value:#x}")):
        mailbox.alloc()


def test_free(script, mailbox):
    script.write("FREE", 1, value=5).read("BLOCK_RESULT", 1, value=Settled.DONE)
    mailbox.free(5, lane=1)
    script.write("FREE", 0, value=0).read("BLOCK_RESULT", 0, value=Settled.REFUSED)
    text = "block 0 must be this VM's and neither lent nor shown to be freed, not in another state or another VM's"
    with pytest.raises(BlockRefused, match=exactly(text)) as caught:
        mailbox.free(0)
    assert caught.value.block == 0


def test_revoke(script, mailbox):
    script.write("REVOKE", 1, value=5).read("BLOCK_RESULT", 1, value=Settled.DONE)
    mailbox.revoke(5, lane=1)
    script.write("REVOKE", 0, value=2).read("BLOCK_RESULT", 0, value=Settled.REFUSED)
    text = "block 2 must be this VM's, and lent or shown, to be revoked, not in another state or another VM's"
    with pytest.raises(BlockRefused, match=exactly(text)):
        mailbox.revoke(2)


def test_give_back(script, mailbox, page):
    loan = Loan(5, SHOW, 200)
    script.write("RETURN", 1, value=word(page, 5, SHOW, 200)).read("BLOCK_RESULT", 1, value=Settled.DONE)
    script.write("RETURN", 0, value=word(page, 5, SHOW, 200)).read("BLOCK_RESULT", 0, value=Settled.STALE)
    assert mailbox.give_back(loan, lane=1) is True
    assert mailbox.give_back(loan) is False


@pytest.mark.parametrize(
    ("name", "result"),
    [("FREE", 0), ("FREE", 4), ("REVOKE", 0), ("RETURN", 0), ("RETURN", Settled.REFUSED)],
)
def test_impossible_outcomes(script, mailbox, page, name, result):
    value = word(page, 1, LEND) if name == "RETURN" else 1
    script.write(name, 0, value=value).read("BLOCK_RESULT", 0, value=result)
    step = {"FREE": mailbox.free, "REVOKE": mailbox.revoke}.get(
        name, lambda block: mailbox.give_back(Loan(block, LEND))
    )
    text = f"BLOCK_RESULT must hold the outcome of what was written, not {int(result):#x}"
    with pytest.raises(DeviceError, match=exactly(text)):
        step(1)


# Messages with blocks


@pytest.mark.parametrize("lane", [0, 1])
@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("how", Handover)
def test_send_block_is_as_many_writes_as_words(script, mailbox, page, how, count, lane):
    words = list(range(0xA0, 0xA0 + count))
    for index, value in enumerate(words):
        script.write("STAGE", lane, index, value=value)
    script.write("COMMIT", lane, Kind.BLOCK, int(count > 0), 2, value=word(page, 5, how))
    mailbox.send_block(2, words, 5, how, lane)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1, [0] * 4, 0, MOVE), "message with a block must be of 0 to 3 words beside it, not 4"),
        ((4, [], 0, MOVE), "VM must be from 0 to 3, not 4"),
        ((1, [], 6, MOVE), "block must be from 0 to 5, not 6"),
        ((1, [], -1, MOVE), "block must be from 0 to 5, not -1"),
        ((1, [], 0, 0), "0 is not a valid Handover"),
        ((1, [], 0, MOVE, 2), "lane must be from 0 to 1, not 2"),
    ],
)
def test_bad_messages_with_blocks(mailbox, arguments, text):
    with pytest.raises(ValueError, match=exactly(text)):
        mailbox.send_block(*arguments)


def test_bad_block_as_error(script, mailbox, page):
    script.read("RESULT", 0, value=page.RESULT.pack(CODE=Result.BAD_BLOCK, VM=3, COUNT=2))
    outcome = mailbox.result()
    assert outcome == Outcome(Result.BAD_BLOCK, 3, 2)
    text = (
        "message to VM 3 must be with a block that is its sender's and neither lent nor shown, not BAD_BLOCK "
        "(accepted before: 2)"
    )
    with pytest.raises(BadBlock, match=exactly(text)):
        outcome.check()


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize(("how", "tag"), [(MOVE, 0), (LEND, 7), (SHOW, 255)])
def test_receive_of_a_block(script, mailbox, page, count, how, tag):
    script.read("HEADER", 0, value=page.HEADER.pack(COUNT=count, KIND=Kind.BLOCK, SENDER=2, GENERATION=3))
    for index in range(count - 1):
        script.read("WORD", index, value=index)
    script.read("POP", 0, value=word(page, 5, how, tag))
    message = mailbox.try_receive()
    assert message == Message(2, 3, tuple(range(count - 1)), Loan(5, how, tag))
    assert message.loan.word == word(page, 5, how, tag)


@pytest.mark.parametrize("value", [5, 6 | 1 << 30, 1 << 10 | 1 << 30, 1 << 24 | 2 << 30, 1 << 29 | 3 << 30])
def test_impossible_word_of_a_block(script, mailbox, page, value):
    script.read("HEADER", 0, value=page.HEADER.pack(COUNT=1, KIND=Kind.BLOCK, SENDER=2, GENERATION=3))
    script.read("POP", 0, value=value)
    text = f"POP of a message with a block must name one, not {value:#x}"
    with pytest.raises(DeviceError, match=exactly(text)):
        mailbox.try_receive()


def test_loan_of_a_word(page):
    assert Loan.of(word(page, 1000, LEND, 9)) == Loan(1000, LEND, 9)
    with pytest.raises(ValueError, match=r"^word must be that of a block, not 0x80000400$"):
        Loan.of(1 << 10 | 2 << 30)
    with pytest.raises(ValueError, match=r"^0 is not a valid Handover$"):
        Loan.of(5)


# What is held


def test_holding(script, mailbox, page):
    pack = page.BLOCK.pack
    script.read("BLOCK", 2, value=0).read("BLOCK", 5, value=pack(HOLDING=Holding.OWNED))
    script.read("BLOCK", 0, value=pack(HOLDING=Holding.WATCHED, VM=3, TAG=9))
    assert mailbox.holding(2) is None
    owned = mailbox.holding(5)
    assert owned == BlockInfo(5, Holding.OWNED, None, 0)
    assert owned.loan is None
    watched = mailbox.holding(0)
    assert watched == BlockInfo(0, Holding.WATCHED, 3, 9)
    assert watched.loan == Loan(0, SHOW, 9)
    assert BlockInfo(1, Holding.BORROWED, 2, 4).loan == Loan(1, LEND, 4)
    assert BlockInfo(1, Holding.LENT, 2, 4).loan is None


@pytest.mark.parametrize("value", [6, 7, 1 << 8, 1 << 16])
def test_impossible_holding(script, mailbox, value):
    script.read("BLOCK", 1, value=value)
    text = f"BLOCK of block 1 must be zero or say what is held, not {value:#x}"
    with pytest.raises(DeviceError, match=exactly(text)):
        mailbox.holding(1)


def test_holdings_is_a_read_for_each_block(script, mailbox, page):
    pack = page.BLOCK.pack
    lent = pack(HOLDING=Holding.LENT, VM=1, TAG=3)
    for index, value in enumerate((0, lent, 0, 0, pack(HOLDING=Holding.OWNED), 0)):
        script.read("BLOCK", index, value=value)
    assert mailbox.holdings() == [BlockInfo(1, Holding.LENT, 1, 3), BlockInfo(4, Holding.OWNED, None, 0)]


def test_quota(script, mailbox, page):
    script.read("QUOTA", value=page.QUOTA.pack(USED=3, LIMIT=5))
    assert mailbox.quota() == Quota(3, 5)


@pytest.mark.parametrize(
    "step",
    [
        lambda mailbox: mailbox.alloc(),
        lambda mailbox: mailbox.quota(),
        lambda mailbox: mailbox.sram,
        lambda mailbox: mailbox.free(0),
        lambda mailbox: mailbox.revoke(0),
        lambda mailbox: mailbox.holding(0),
        lambda mailbox: mailbox.give_back(Loan(0, LEND)),
        lambda mailbox: mailbox.send_block(1, [], 0, MOVE),
        lambda mailbox: mailbox.read_sram(0, 0, 4),
        lambda mailbox: mailbox.write_sram(0, 0, b"data"),
    ],
)
def test_a_block_without_sram(script, config, step):
    with pytest.raises(ValueError, match=r"^block must be built with an SRAM to have blocks of it, not without$"):
        step(Mailbox(script, BASE, config))


# Contents


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", []),
        (b"a", [0x61]),
        (b"abcd", [0x6463_6261]),
        (b"abcde", [0x6463_6261, 0x65]),
        (bytes(range(64)), [0x0302_0100 + 0x0404_0404 * index for index in range(16)]),
    ],
)
def test_contents_are_whole_words(script, mailbox, data, words):
    offset = 0 if len(data) > 56 else 8
    at = SRAM + 5 * 64 + offset
    script.at("write", at, *words)
    mailbox.write_sram(5, offset, data)
    script.at("read", at, *words)
    assert mailbox.read_sram(5, offset, len(data)) == data


def test_contents_of_other_kinds_of_bytes(script, mailbox):
    for data in (bytearray(b"abcde"), memoryview(b"abcde")):
        script.at("write", SRAM, 0x6463_6261, 0x65)
        mailbox.write_sram(0, 0, data)


@pytest.mark.parametrize(
    ("block", "offset", "length", "text"),
    [
        (6, 0, 4, "block must be from 0 to 5, not 6"),
        (0, 2, 4, "offset must be a multiple of 4, not 2"),
        (0, 64, 1, "data must lie in the 64 bytes of a block, not at 64 to 65"),
        (0, 60, 5, "data must lie in the 64 bytes of a block, not at 60 to 65"),
        (0, -4, 4, "data must lie in the 64 bytes of a block, not at -4 to 0"),
        (0, 0, -4, "data must lie in the 64 bytes of a block, not at 0 to -4"),
    ],
)
def test_bad_places(mailbox, block, offset, length, text):
    with pytest.raises(ValueError, match=exactly(text)):
        mailbox.read_sram(block, offset, length)
    if length >= 0:
        with pytest.raises(ValueError, match=exactly(text)):
            mailbox.write_sram(block, offset, bytes(length))


def test_publish_is_a_read(script, mailbox):
    script.read("SELF", value=0)
    mailbox.publish()


@pytest.mark.parametrize("identity", [Identity.STATIC, Identity.PAGE])
@pytest.mark.parametrize("base", [None, 0x8000_0000])
def test_the_window_is_found(make_script, blocks_config, identity, base):
    """Where the configuration puts it, the guest page being where it is: one read of SELF, once."""
    ports = (Port(identity=Identity.SIDEBAND), Port(identity=identity, vm=2))
    config = blocks_config.replace(ports=ports)
    where = address_map(config, 1)
    shift = 0 if base is None else base
    page = guest_page(config)
    script = make_script(page, shift + where.guest(2))
    script.read("SELF", value=page.SELF.pack(VM=2, GENERATION=1, STATE=State.OPEN, PORT=1))
    mailbox = Mailbox(script, shift + where.guest(2), config)
    assert mailbox.sram == mailbox.sram == shift + where.sram(2)
    assert script.done()


def test_the_window_must_be_given_where_nobody_knows(make_script, blocks_config):
    page = guest_page(blocks_config)
    script = make_script(page, BASE)
    for register in (*page.registers[:5], page.MEMORY):
        script.read(register.name, value=register.pack(**{field.name: field.reset for field in register.fields}))
    mailbox = Mailbox(script, BASE)
    for found in (mailbox, Mailbox(script, BASE, mailbox.config)):
        with pytest.raises(ValueError, match=r"^sram must be given where the configuration was probed, not None$"):
            found.read_sram(0, 0, 4)


# On the model


class System:
    """Three guests and a manager on one model."""

    def __init__(self, config, **options):
        self.config = config
        self.model = Model(config, **options)
        self.manager = Manager(ModelBus(self.model, 0, tag=3, manager=True), config)
        for vm in range(3):
            self.manager.open(vm)
        for a, b in ((0, 1), (0, 2), (1, 2)):
            self.manager.connect(a, b, 2)
        self.guests = [Mailbox(ModelBus(self.model, vm % 2, tag=vm), 0, config) for vm in range(3)]
        for vm, guest in enumerate(self.guests):
            self.manager.quota(vm, 2)
            for peer in range(3):
                if peer != vm:
                    guest.connect(peer)
        self.model.tick(10_000)


@pytest.fixture
def system(blocks_config):
    return System(blocks_config)


def test_lend_and_return(system):
    a, b, _ = system.guests
    block = a.alloc()
    a.write_sram(block, 0, b"some text")
    a.send_block(1, [9], block, LEND)
    message = b.receive()
    assert (message.words, message.loan) == ((9,), Loan(block, LEND, 0))
    assert b.read_sram(block, 0, 9) == b"some text"
    b.write_sram(block, 0, b"another")
    assert a.read_sram(block, 0, 9) == b"some text"
    assert b.give_back(message.loan)
    assert b.read_sram(block, 0, 9) == bytes(9)
    assert a.irq_state() & Source.LOAN
    a.free(block)
    assert a.quota() == Quota(0, 2)


def test_reset_gives_everything_up(system):
    """A guest that holds a block in every way there is, has mail, doorbells, a refusal and half a message."""
    a, b, c = system.guests
    system.manager.quota(2, 0)
    system.manager.quota(0, 4)
    for how in (LEND, SHOW):
        a.send_block(1, [], a.alloc(), how)
    a.alloc()
    moved = a.alloc()
    for index, how in enumerate((LEND, SHOW)):
        b.send_block(0, [], b.alloc(), how)
        if index == 0:
            assert a.try_receive()  # one was taken, the other still waits
    a.send_block(2, [], moved, MOVE)
    c.try_receive()
    c.send_block(0, [1, 2], moved, MOVE)
    c.ring(0)
    a.send(1, [1])  # the third: no credit
    assert a.result().code is Result.NO_CREDIT
    a.bus.write32(a.page.STAGE.at(1, 0), 5)
    a.irq_enable(Source.MAIL)
    a.moderation(3, 100)
    assert {info.holding for info in a.holdings()} == set(Holding) - {Holding.NONE}

    again = Mailbox(ModelBus(system.model, 0, tag=0), 0, system.config)
    assert again.reset() == 2
    assert again.holdings() == []
    assert again.quota() == Quota(0, 4)
    assert (again.irq_state(), again.irq_enabled(), again.pending()) == (0, 0, 0)
    assert again.result() == Outcome(Result.ACCEPTED, 0, 0)
    assert again.bus.read32(again.page.IRQ_MODERATION.at()) == 0
    assert [info.holding for info in b.holdings()] == [Holding.OWNED, Holding.OWNED]
    assert b.irq_state() & Source.LOAN
    assert system.manager.faults() == []
    b.try_receive(), b.try_receive()  # the loans that were revoked
    for lane in (0, 1):  # nothing is left half written
        again.send(1, [7], lane)
        assert again.result(lane).check() == 1
        assert b.receive().words == (7,)
    system.manager.drain(0)
    system.manager.close(0)


def test_reset_of_a_draining_vm(system):
    a, b, _ = system.guests
    b.send_block(0, [], b.alloc(), LEND)
    a.alloc()
    system.manager.drain(0)
    assert a.reset() == 1
    system.manager.close(0)


def test_exact_accesses_of_a_reset(make_script, config, page, blocks_config):
    def begin(script, page):
        for core in range(2):
            script.write("IRQ_ENABLE", core, value=0)
        for lane in range(2):
            script.write("STAGE", lane, 0, value=0).write("COMMIT", lane, 0, 0, 0, value=0).write("ACK", lane, value=1)
        return script

    def end(script, sources):
        script.write("IRQ_MODERATION", value=0).write("PENDING", 0, value=0xF).write("IRQ_STATE", value=sources)

    plain = guest_page(config)
    script = begin(make_script(plain, BASE), plain)
    script.read("HEADER", 0, value=plain.HEADER.pack(COUNT=1, SENDER=2, GENERATION=1)).read("POP", 0, value=4)
    end(script.read("HEADER", 0, value=0), 0b11111)
    assert Mailbox(script, BASE, config).reset() == 1
    assert script.done()

    script = begin(make_script(page, BASE), page).read("HEADER", 0, value=0)
    pack = page.BLOCK.pack
    held = [
        pack(HOLDING=Holding.OWNED),
        0,
        pack(HOLDING=Holding.LENT, VM=1, TAG=3),
        pack(HOLDING=Holding.BORROWED, VM=2, TAG=4),
        pack(HOLDING=Holding.SHOWN, VM=2, TAG=5),
        pack(HOLDING=Holding.WATCHED, VM=3, TAG=6),
    ]
    for index, value in enumerate(held):
        script.read("BLOCK", index, value=value)
    done, stale, refused = Settled.DONE, Settled.STALE, Settled.REFUSED
    script.write("FREE", 0, value=0).read("BLOCK_RESULT", 0, value=done)
    script.write("REVOKE", 0, value=2).read("BLOCK_RESULT", 0, value=done)
    script.write("FREE", 0, value=2).read("BLOCK_RESULT", 0, value=done)
    script.write("RETURN", 0, value=word(page, 3, LEND, 4)).read("BLOCK_RESULT", 0, value=done)
    script.write("REVOKE", 0, value=4).read("BLOCK_RESULT", 0, value=refused)  # just returned
    script.write("FREE", 0, value=4).read("BLOCK_RESULT", 0, value=done)
    script.write("RETURN", 0, value=word(page, 5, SHOW, 6)).read("BLOCK_RESULT", 0, value=stale)  # just revoked
    script.read("HEADER", 0, value=0)
    for index in range(6):
        script.read("BLOCK", index, value=0)
    end(script, 0b1111111)
    assert Mailbox(script, BASE, blocks_config).reset() == 0
    assert script.done()


class Meddling(ModelBus):
    """A bus on which something happens before an access."""

    def __init__(self, *arguments, address, times, what, **options):
        super().__init__(*arguments, **options)
        self.address, self.times, self.what = address, times, what

    def read32(self, address):
        if address == self.address and self.times:
            self.times -= 1
            self.what()
        return super().read32(address)


def test_reset_leaves_no_message_whose_block_it_freed(system):
    """A block that arrives between the last look into the queue and the look at the block goes with its message."""
    page = system.guests[0].page
    b = system.guests[1]
    arrived = []

    def arrive():
        block = b.alloc()
        b.send_block(0, [], block, MOVE)
        arrived.append(block)

    bus = Meddling(system.model, 0, tag=0, address=page.BLOCK.at(0), times=1, what=arrive)
    a = Mailbox(bus, 0, system.config)
    assert a.reset() == 1
    assert arrived
    assert a.try_receive() is None
    assert system.manager.holdings(0) == (0, 0)
    # after the last look at its block it stays, and the block with it
    bus.address, bus.times = page.BLOCK.at(5), 1
    assert a.reset() == 0
    message = a.try_receive()
    assert message.loan.block == arrived[-1] < 5
    assert a.holding(arrived[-1]).holding is Holding.OWNED


def test_reset_against_a_peer_that_does_not_stop(system):
    page = system.guests[0].page
    b = system.guests[1]

    def arrive():
        system.model.tick(1000)
        if b.result().code is not Result.ACCEPTED:
            b.acknowledge()
        if (block := b.alloc()) is not None:
            b.send_block(0, [], block, MOVE)

    bus = Meddling(system.model, 0, tag=0, address=page.BLOCK.at(0), times=-1, what=arrive)
    a = Mailbox(bus, 0, system.config)
    text = "peers must stop handing blocks over within 3 passes, not go on"
    with pytest.raises(Timeout, match=exactly(text)):
        a.reset(passes=3)
    bus.times = 0
    a.reset()
    assert system.manager.holdings(0) == (0, 0)


# Bursts


def test_bursts_of_the_model_are_accesses(system):
    """Word by word or at once, allowed or refused: the same words, the same faults."""
    config, model = system.config, system.model
    a, b, _ = system.guests
    first, second = a.alloc(), a.alloc()
    assert (first, second) == (0, 1)
    bus = a.bus
    words = list(range(100, 132))
    bus.write_burst(a.sram, words)  # over two blocks
    assert [bus.read32(a.sram + 4 * index) for index in range(32)] == words
    assert bus.read_burst(a.sram + 4, 30) == words[1:31]
    assert bus.read_burst(a.sram + 64 + 60, 3) == [words[31], 0, 0]  # what follows is not ours
    assert system.manager.faults()[-1].times == 2
    b.bus.write_burst(a.sram + 60, [1, 2, 3])
    assert bus.read_burst(a.sram + 60, 3) == words[15:18]
    fault = system.manager.faults()[-1]
    assert (fault.vm, fault.write, fault.times, fault.address) == (1, True, 3, a.sram + 60)
    assert bus.read_burst(a.page.MAGIC.at(), 4)[0::2] == [bus.read32(a.page.MAGIC.at()), bus.read32(8)]
    assert bus.read_burst(0, 0) == []
    before = model.now
    bus.read_burst(a.sram, 16)
    assert model.now - before < 16 * ModelBus.CYCLES_PER_ACCESS
    assert config.blocks == 6


def test_burst_with_a_word_that_does_not_fit(system):
    a = system.guests[0]
    a.alloc()
    with pytest.raises(ValueError, match=r"^value must be from 0 to 0xffffffff, not 0x100000000$"):
        a.bus.write_burst(a.sram, [1, 1 << 32])


def test_bursts_are_traced(system):
    bus = TracingBus(system.guests[0].bus)
    a = Mailbox(bus, 0, system.config, sram=system.guests[0].sram)
    a.alloc()
    bus.take()
    a.write_sram(0, 4, b"abcdefgh")
    assert a.read_sram(0, 8, 4) == b"efgh"
    at = a.sram + 4
    assert bus.take() == [
        Access("write", at, 0x6463_6261),
        Access("write", at + 4, 0x6867_6665),
        Access("read", at + 4, 0x6867_6665),
    ]


def test_windows_of_page_identity(blocks_config):
    """Each VM reaches its window through the page that is its identity."""
    config = blocks_config.replace(ports=(Port(identity=Identity.PAGE),), manager=ManagerKind.PAGE)
    model = Model(config)
    manager = Manager(ModelBus(model), config)
    guests = []
    for vm in (1, 2):
        manager.open(vm)
        manager.quota(vm, 1)
        guests.append(Mailbox(ModelBus(model), address_map(config, 0).guest(vm), config))
    model.tick(10_000)
    for guest, text in zip(guests, (b"one", b"two"), strict=True):
        block = guest.alloc()
        guest.write_sram(block, 0, text)
        assert guest.read_sram(block, 0, 3) == text
    assert guests[0].read_sram(1, 0, 3) == bytes(3)


def test_popped_stale_with_a_block(script, mailbox, page):
    """Another lane took it: a zero is no block."""
    head = page.HEADER.pack(COUNT=1, KIND=Kind.BLOCK, SENDER=2, GENERATION=3)
    script.read("HEADER", 0, value=head).read("POP", 0, value=0).read("RX_RESULT", 0, value=Popped.STALE)
    script.read("HEADER", 0, value=0)
    assert mailbox.try_receive() is None
