"""The guest's driver: the exact accesses of every function, and what it says to a block that cannot be."""

import re

import pytest

from postern import Denied, DeviceError, Mailbox, Message, PeerGone, Result, Source, Timeout, Who, probe
from postern.driver import Credit, Header, Outcome, Peer
from postern_spec.config import PRESETS, Identity, Manager, preset
from postern_spec.regmap import MAGIC, VERSION, Popped, State, guest_page

BASE = 0x4000_0000


@pytest.fixture
def page(config):
    return guest_page(config)


@pytest.fixture
def script(make_script, page):
    bus = make_script(page, BASE)
    yield bus
    assert bus.done()


@pytest.fixture
def mailbox(script, config):
    return Mailbox(script, BASE, config, core=1)


def exactly(text):
    return f"^{re.escape(text)}$"


# Probing


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_probe_finds_every_address(make_script, name):
    """Five reads, one more with blocks, and the page that follows is the block's, register by register."""
    config = preset(name)
    page = guest_page(config)
    script = make_script(page, BASE)
    for register in [*page.registers[:5], *([page.MEMORY] if config.blocks else [])]:
        script.read(register.name, value=register.pack(**{field.name: field.reset for field in register.fields}))
    found = probe(script, BASE)
    assert script.done()
    assert guest_page(found) == page


@pytest.mark.parametrize("ports", [1, 2, 3])
@pytest.mark.parametrize("cores", [3, 5, 16])
def test_probe_with_several_cores(make_script, ports, cores):
    config = preset("default")
    page = guest_page(config)
    script = make_script(page)
    script.read("MAGIC", value=MAGIC).read("VERSION", value=VERSION).read("FEATURES", value=2)
    script.read("DIMENSIONS", value=page.DIMENSIONS.pack(VMS=8, LANES=2, WORDS=16, CORES=cores))
    script.read("CAPACITY", value=page.CAPACITY.pack(DEPTH=16, PORTS=ports))
    if cores > 8 * ports:
        with pytest.raises(DeviceError, match=r"^CORES must be from 1 to 8 for each of the 1 ports, not 16 in all$"):
            probe(script)
    else:
        found = probe(script)
        assert (found.cores, len(found.ports)) == (cores, ports)


@pytest.mark.parametrize("magic", [0, 0xFFFF_FFFF])
def test_probe_of_something_else(script, magic):
    script.read("MAGIC", value=magic)
    with pytest.raises(DeviceError, match=exactly(f"MAGIC must be {MAGIC:#x}, not {magic:#x}")):
        Mailbox(script, BASE)


def test_probe_of_another_version(script):
    script.read("MAGIC", value=MAGIC).read("VERSION", value=2 << 16)
    with pytest.raises(DeviceError, match=r"^major version of the register map must be 1, not 2$"):
        Mailbox(script, BASE)


def test_probe_of_impossible_dimensions(script, page):
    script.read("MAGIC", value=MAGIC).read("VERSION", value=VERSION | 7).read("FEATURES", value=0)
    script.read("DIMENSIONS", value=page.DIMENSIONS.pack(VMS=1, LANES=2, WORDS=4, CORES=2))
    script.read("CAPACITY", value=page.CAPACITY.pack(DEPTH=8, PORTS=2))
    text = "DIMENSIONS and CAPACITY must be those of a block: vms must be from 2 to 64, not 1"
    with pytest.raises(DeviceError, match=exactly(text)):
        Mailbox(script, BASE)


# Who and whom


def test_identity(script, mailbox, page):
    script.read("SELF", value=page.SELF.pack(VM=3, GENERATION=9, STATE=State.PAUSED, PORT=1))
    assert mailbox.identity() == Who(3, 9, State.PAUSED, 1)


def test_identity_of_nobody(script, mailbox):
    script.read("SELF", value=0)
    with pytest.raises(DeviceError, match=r"^SELF must be that of an open VM, not 0x0$"):
        mailbox.identity()


def test_epoch(script, mailbox):
    script.read("EPOCH", value=5)
    assert mailbox.epoch() == 5


def test_peers(script, mailbox, page):
    alive = page.PEER.pack(GENERATION=2, REACHABLE=1, ALIVE=1, ACKNOWLEDGED=1)
    gone = page.PEER.pack(GENERATION=7, REACHABLE=1)
    for vm, word in enumerate((0, alive, gone, 0)):
        script.read("PEER", vm, value=word)
    assert mailbox.peers() == [Peer(1, 2, True, True), Peer(2, 7, False, False)]


def test_impossible_peer(script, mailbox):
    script.read("PEER", 2, value=3)
    with pytest.raises(DeviceError, match=r"^PEER of VM 2 must be zero or reachable, not 0x3$"):
        mailbox.peer(2)


def test_connect(script, mailbox, page):
    script.read("PEER", 1, value=page.PEER.pack(GENERATION=2, REACHABLE=1, ALIVE=1)).write("PEER", 1, value=2)
    assert mailbox.connect(1) == 2


@pytest.mark.parametrize(("alive", "error"), [(None, Denied), (False, PeerGone)])
def test_connect_in_vain(script, mailbox, page, alive, error):
    script.read("PEER", 1, value=0 if alive is None else page.PEER.pack(GENERATION=2, REACHABLE=1))
    with pytest.raises(error) as caught:
        mailbox.connect(1)
    assert caught.value.vm == 1


def test_credit(script, mailbox, page):
    script.read("CREDIT", 3, value=page.CREDIT.pack(AVAILABLE=2, LIMIT=5))
    assert mailbox.credit(3) == Credit(2, 5)


# Send


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("lane", [0, 1])
def test_send_is_as_many_writes_as_words(script, mailbox, count, lane):
    words = [0xA0 + index for index in range(count)]
    for index, word in enumerate(words[:-1]):
        script.write("STAGE", lane, index, value=word)
    script.write("COMMIT", lane, 0, int(count > 1), 2, value=words[-1])
    mailbox.send(2, words, lane)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1, []), "message must be of 1 to 4 words, not 0"),
        ((1, [0] * 5), "message must be of 1 to 4 words, not 5"),
        ((4, [0]), "VM must be from 0 to 3, not 4"),
        ((-1, [0]), "VM must be from 0 to 3, not -1"),
        ((1, [0], 2), "lane must be from 0 to 1, not 2"),
        ((1, [0], -1), "lane must be from 0 to 1, not -1"),
    ],
)
def test_bad_messages(mailbox, arguments, text):
    with pytest.raises(ValueError, match=exactly(text)):
        mailbox.send(*arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1, [1 << 32]), "word must be from 0 to 0xffffffff, not 0x100000000"),
        ((1, [-1]), "word must be from 0 to 0xffffffff, not -0x1"),
        ((1, []), "message must be of 1 to 4 words, not 0"),
        ((9, [1]), "VM must be from 0 to 3, not 9"),
    ],
)
def test_check_sees_what_send_refuses(mailbox, arguments, text):
    with pytest.raises(ValueError, match=exactly(text)):
        mailbox.check(*arguments)


def test_result(script, mailbox, page):
    script.read("RESULT", 1, value=page.RESULT.pack(CODE=Result.DENIED, VM=3, COUNT=200))
    assert mailbox.result(1) == Outcome(Result.DENIED, 3, 200)


@pytest.mark.parametrize("word", [0, Result.BAD_BLOCK, 7])
def test_impossible_result(script, mailbox, word):
    script.read("RESULT", 0, value=word)
    with pytest.raises(DeviceError, match=exactly(f"RESULT must hold the outcome of a commit, not {word:#x}")):
        mailbox.result()


def test_outcome_as_error():
    assert Outcome(Result.ACCEPTED, 0, 5).check() == 5
    text = "message to VM 3 must be permitted, not DENIED (accepted before: 7)"
    with pytest.raises(Denied, match=exactly(text)) as caught:
        Outcome(Result.DENIED, 3, 7).check()
    assert (caught.value.vm, caught.value.accepted) == (3, 7)


def test_acknowledge(script, mailbox):
    script.write("ACK", 1, value=1)
    mailbox.acknowledge(1)


# Receive


def header(page, count, sender=2, generation=3):
    return page.HEADER.pack(COUNT=count, SENDER=sender, GENERATION=generation)


def test_header(script, mailbox, page):
    script.read("HEADER", 1, value=header(page, 4)).read("HEADER", 0, value=0)
    assert mailbox.header(1) == Header(4, 0, 2, 3)
    assert mailbox.header() is None


@pytest.mark.parametrize("word", [{"count": 0}, {"count": 5}, {"count": 1, "sender": 4}, {"count": 1, "generation": 0}])
def test_impossible_header(script, mailbox, page, word):
    value = header(page, **word)
    script.read("HEADER", 0, value=value)
    with pytest.raises(DeviceError, match=exactly(f"HEADER must be zero or that of a message, not {value:#x}")):
        mailbox.try_receive()


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("lane", [0, 1])
@pytest.mark.parametrize("method", ["receive", "try_receive"])
def test_receive_is_one_read_more_than_words(script, mailbox, page, count, lane, method):
    script.read("HEADER", lane, value=header(page, count))
    for index in range(count - 1):
        script.read("WORD", index, value=index)
    script.read("POP", lane, value=7)
    assert getattr(mailbox, method)(lane) == Message(2, 3, (*range(count - 1), 7))


def test_receive_of_a_zero(script, mailbox, page):
    script.read("HEADER", 0, value=header(page, 1)).read("POP", 0, value=0)
    script.read("RX_RESULT", 0, value=Popped.POPPED)
    assert mailbox.try_receive() == Message(2, 3, (0,))


def test_receive_of_a_message_that_another_lane_took(script, mailbox, page):
    script.read("HEADER", 0, value=header(page, 2)).read("WORD", 0, value=1).read("POP", 0, value=0)
    script.read("RX_RESULT", 0, value=Popped.STALE)
    script.read("HEADER", 0, value=header(page, 1, sender=1)).read("POP", 0, value=9)
    assert mailbox.try_receive() == Message(1, 3, (9,))


@pytest.mark.parametrize("word", [Popped.NONE, 3])
def test_impossible_pop(script, mailbox, page, word):
    script.read("HEADER", 0, value=header(page, 1)).read("POP", 0, value=0).read("RX_RESULT", 0, value=word)
    text = f"RX_RESULT must be POPPED or STALE after a pop, not {int(word):#x}"
    with pytest.raises(DeviceError, match=exactly(text)):
        mailbox.try_receive()


def test_receive_waits(script, mailbox, page):
    script.read("HEADER", 0, value=0).read("IRQ_STATE", value=Source.CREDIT)
    script.write("IRQ_ENABLE", 1, value=Source.MAIL).wait(2.5, value=True).read("IRQ_STATE", value=Source.MAIL)
    script.read("HEADER", 0, value=header(page, 1)).read("POP", 0, value=9)
    assert mailbox.receive(timeout=2.5) == Message(2, 3, (9,))


def test_receive_waits_in_vain(script, mailbox):
    script.read("HEADER", 0, value=0).read("IRQ_STATE", value=0)
    script.write("IRQ_ENABLE", 1, value=Source.MAIL).wait(2.5, value=False)
    with pytest.raises(Timeout, match=r"^MAIL must become active within 2\.5 s, not later$"):
        mailbox.receive(timeout=2.5)


# Doorbells and interrupts


def test_doorbells(script, mailbox):
    script.write("RING", value=2).read("PENDING", 0, value=0b1010).write("PENDING", 0, value=0b1000)
    mailbox.ring(2)
    assert mailbox.pending() == 0b1010
    mailbox.clear_pending(0b1000)
    mailbox.clear_pending(0)  # nothing to write
    with pytest.raises(ValueError, match=r"^mask must have no bit beyond VM 3, not 0x10$"):
        mailbox.clear_pending(0x10)


def test_doorbells_of_many_vms(make_script, config):
    config = config.replace(vms=40, page_stride=65536)
    script = make_script(guest_page(config))
    mailbox = Mailbox(script, 0, config)
    script.read("PENDING", 0, value=1).read("PENDING", 1, value=0x80)
    assert mailbox.pending() == 1 << 39 | 1
    script.write("PENDING", 1, value=0x80)
    mailbox.clear_pending(1 << 39)
    assert script.done()


def test_interrupts(script, mailbox):
    script.read("IRQ_STATE", value=5).write("IRQ_STATE", value=4).write("IRQ_TEST", value=8)
    script.write("IRQ_ENABLE", 1, value=3).write("IRQ_ENABLE", 0, value=1).read("IRQ_ENABLE", 1, value=3)
    script.read("IRQ_ENABLE", 0, value=1)
    assert mailbox.irq_state() == Source.MAIL | Source.CREDIT
    mailbox.irq_clear(Source.CREDIT)
    mailbox.irq_test(Source.PEER)
    mailbox.irq_enable(Source.MAIL | Source.DOORBELL)
    mailbox.irq_enable(Source.MAIL, core=0)
    assert mailbox.irq_enabled() == Source.MAIL | Source.DOORBELL
    assert mailbox.irq_enabled(0) == Source.MAIL


def test_core_is_found_where_it_is_not_given(script, config, page):
    mailbox = Mailbox(script, BASE, config)
    script.read("SELF", value=page.SELF.pack(VM=0, GENERATION=1, STATE=State.OPEN, PORT=1))
    script.write("IRQ_ENABLE", 1, value=0).write("IRQ_ENABLE", 1, value=1)
    mailbox.irq_enable(0)
    mailbox.irq_enable(1)


def test_core_must_be_given_where_it_cannot_be_found(make_script, config):
    ports = (config.ports[0], type(config.ports[0])(identity=Identity.PAGE, cores=2))
    config = config.replace(ports=ports)
    mailbox = Mailbox(make_script(guest_page(config)), 0, config)
    with pytest.raises(ValueError, match=r"^core must be given where 2 ports share 3 cores, not None$"):
        mailbox.irq_enable(1)


@pytest.mark.parametrize("core", [-1, 2])
def test_bad_core(script, config, core):
    with pytest.raises(ValueError, match=exactly(f"core must be from 0 to 1, not {core}")):
        Mailbox(script, BASE, config, core=core)
    with pytest.raises(ValueError, match=exactly(f"core must be from 0 to 1, not {core}")):
        Mailbox(script, BASE, config).irq_enabled(core)


def test_moderation(script, mailbox, page, config):
    script.write("IRQ_MODERATION", value=page.IRQ_MODERATION.pack(COUNT=4, TIME=1000))
    mailbox.moderation(4, 1000)
    with pytest.raises(ValueError, match=r"^TIME must be from 0 to 65535, not 65536$"):
        mailbox.moderation(4, 65536)
    without = Mailbox(script, BASE, config.replace(moderation=False))
    with pytest.raises(ValueError, match=r"^block must be built with moderation to hold interrupts back, not without$"):
        without.moderation(0, 0)


def test_wait_returns_at_once_where_it_can(script, mailbox):
    script.read("IRQ_STATE", value=Source.MAIL | Source.PEER)
    assert mailbox.wait(Source.PEER | Source.CREDIT) == Source.PEER


def test_wait_names_what_it_waits_for(script, mailbox):
    script.read("IRQ_STATE", value=0).write("IRQ_ENABLE", 1, value=Source.PEER | Source.CREDIT).wait(0, value=False)
    with pytest.raises(Timeout, match=r"^CREDIT or PEER must become active within 0 s, not later$"):
        mailbox.wait(Source.PEER | Source.CREDIT, 0)


def test_manager_none_is_probed(make_script):
    config = preset("small")
    assert config.manager is Manager.NONE
    page = guest_page(config)
    script = make_script(page)
    for register in page.registers[:5]:
        script.read(register.name, value=register.pack(**{field.name: field.reset for field in register.fields}))
    assert probe(script).manager is Manager.NONE
