"""Sections 11 to 13 of docs/states.md: blocks, loans and scrubbing, cell by cell; and what the others say of them."""

import pytest

from postern import Model
from postern_spec.config import Config, Identity, Manager, Port
from postern_spec.regmap import (
    Command,
    Fault,
    Handover,
    Holding,
    Interrupt,
    Kind,
    Result,
    Settled,
    State,
    address_map,
)

MOVE, LEND, SHOW = Handover
OWNED, LENT, SHOWN, BORROWED, WATCHED = (item for item in Holding if item)
DONE, STALE, REFUSED = Settled.DONE, Settled.STALE, Settled.REFUSED
BLOCK, LOAN = 1 << Interrupt.BLOCK, 1 << Interrupt.LOAN
OWNER, OTHER, THIRD = 0, 1, 2  # VMs; the third one has nothing to do with the block
NOTHING = (Holding.NONE, 0, 0)
NUMBER = 0  # of the block that the tables are about


@pytest.fixture
def blocks(make_block, blocks_config):
    """Three VMs that may send to one another, with a quota of two each; every block is clean."""
    block = make_block(blocks_config, stepped_scrub=True)
    block.connect(OWNER, OTHER, THIRD)
    block.grant(vm0=2, vm1=2, vm2=2)
    block.scrub()
    return block


def enter(block, state, number=NUMBER):
    """Bring block 0 into a state, from CLEAN, all others being clean; the queues are empty, latches clear."""
    if state != "CLEAN":
        assert block.alloc(OWNER) == number
    if state == "DIRTY":
        assert block.settle(OWNER, "FREE", number) == (DONE, Fault.NONE)
    if state in ("LENT", "SHOWN"):
        assert block.give(OWNER, OTHER, number, LEND if state == "LENT" else SHOW) is Fault.NONE
        assert block.receive(OTHER)
    for vm in (OWNER, OTHER, THIRD):
        block.write(vm, "IRQ_STATE", value=0xFF)
        for lane in range(block.config.lanes):
            block.write(vm, "ACK", lane, value=1)


def state_of(block, number=NUMBER, owner=OWNER, borrower=OTHER):
    """Return the state of a block from what all VMs and the manager see, which must fit together."""
    seen = {vm: block.holding(vm, number) for vm in (OWNER, OTHER, THIRD)}
    total = block.config.blocks
    held = [vm for vm in seen if seen[vm] != NOTHING]
    owned = sum(block.holdings(vm)[0] for vm in seen)
    assert sum(block.pool()) == total - owned
    if not held:
        return "DIRTY" if block.pool()[1] else "CLEAN"
    tag = seen[owner][2]
    if held == [owner]:
        assert seen[owner] == (OWNED, 0, 0)
        return "OWNED"
    assert sorted(held) == sorted((owner, borrower))
    holding = seen[owner][0]
    assert seen[owner][1] == borrower
    assert seen[borrower] == ({LENT: BORROWED, SHOWN: WATCHED}[holding], owner, tag)
    assert block.holdings(borrower)[1] == 1
    return Holding(holding).name


STATES = ("DIRTY", "CLEAN", "OWNED", "LENT", "SHOWN")


def test_states_are_reached(make_block, blocks_config):
    for state in STATES:
        block = make_block(blocks_config, stepped_scrub=True)
        block.connect(OWNER, OTHER, THIRD)
        block.grant(vm0=2, vm1=2, vm2=2)
        block.scrub()
        enter(block, state)
        assert state_of(block) == state


# Outcome of what ends a block or a loan, and the state after it, by the state before it; refused (stale) in all others.
SETTLING = {
    ("FREE", OWNER): {"OWNED": (DONE, "DIRTY")},
    ("FREE", OTHER): {},
    ("FREE", THIRD): {},
    ("REVOKE", OWNER): {"LENT": (DONE, "OWNED"), "SHOWN": (DONE, "OWNED")},
    ("REVOKE", OTHER): {},
    ("REVOKE", THIRD): {},
    ("RETURN", OWNER): {},
    ("RETURN", OTHER): {"LENT": (DONE, "OWNED"), "SHOWN": (DONE, "OWNED")},
    ("RETURN", THIRD): {},
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("name", "vm"), sorted(SETTLING))
def test_free_return_revoke(blocks, state, name, vm):
    enter(blocks, state)
    outcome, after = SETTLING[name, vm].get(state, (STALE if name == "RETURN" else REFUSED, state))
    word = blocks.block_word(NUMBER, LEND if state == "LENT" else SHOW) if name == "RETURN" else NUMBER
    used, before = blocks.quota(OWNER)[0], blocks.read(vm, "BLOCK_RESULT", 0)
    assert blocks.settle(vm, name, word, lane=1) == (outcome, Fault.BLOCK if outcome is REFUSED else Fault.NONE)
    assert blocks.read(vm, "BLOCK_RESULT", 0) == before  # of the other lane
    assert state_of(blocks) == after
    assert blocks.quota(OWNER)[0] == used - (after != state and name == "FREE")
    told = {"RETURN": OWNER, "REVOKE": OTHER, "FREE": None}[name] if outcome is DONE else None
    for other in (OWNER, OTHER, THIRD):
        assert blocks.read(other, "IRQ_STATE") == (LOAN if other == told else 0)
    assert blocks.see("FAULT_PENDING", 0) == (1 << vm if outcome is REFUSED else 0)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("how", Handover)
@pytest.mark.parametrize("vm", [OWNER, OTHER, THIRD])
def test_hand_over(blocks, state, how, vm):
    """A block goes only from its owner, and only where it is neither lent nor shown."""
    enter(blocks, state)
    to = OTHER if vm != OTHER else THIRD
    fault = blocks.give(vm, to, NUMBER, how, 5)
    if state == "OWNED" and vm == OWNER:
        assert fault is Fault.NONE
        assert blocks.result(vm) == (Result.ACCEPTED, 0, 1)
        expected = {MOVE: "OWNED", LEND: "LENT", SHOW: "SHOWN"}[how]
        assert state_of(blocks, owner=to if how is MOVE else vm, borrower=to) == expected
        assert blocks.quota(OWNER) == (1, 2)
        assert blocks.quota(to) == (0, 2)  # whoever gets it does not pay
        return
    assert fault is Fault.BLOCK
    assert blocks.result(vm) == (Result.BAD_BLOCK, to, 0)
    assert blocks.read(vm, "IRQ_STATE") == 1 << Interrupt.REFUSAL
    assert state_of(blocks) == state
    assert blocks.read(to, "HEADER", 0) == 0
    assert blocks.see("FAULT_PENDING", 0) == 1 << vm


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("vm", [OWNER, OTHER, THIRD])
def test_access(blocks, state, vm):
    if state == "CLEAN":
        blocks.alloc(OWNER)
        blocks.poke(OWNER, NUMBER, 0xABCD, 3)
        blocks.settle(OWNER, "FREE", NUMBER)
        blocks.scrub()
    elif state == "DIRTY":
        blocks.alloc(OWNER)
        blocks.poke(OWNER, NUMBER, 0xABCD, 3)
        blocks.settle(OWNER, "FREE", NUMBER)
    else:
        enter(blocks, state)
    writers = {"OWNED": {OWNER}, "SHOWN": {OWNER}}.get(state, set())
    readers = {"OWNED": {OWNER}, "SHOWN": {OWNER, OTHER}, "LENT": {OWNER, OTHER}}.get(state, set())
    written = blocks.poke(vm, NUMBER, 0x1234, 3)
    assert written is (Fault.NONE if vm in writers else Fault.BLOCK)
    value = blocks.peek(vm, NUMBER, 3)
    assert blocks.fault is (Fault.NONE if vm in readers else Fault.BLOCK)
    assert value == (0x1234 if vm in writers else 0)
    assert blocks.see("FAULT_PENDING", 0) == (1 << vm if vm not in writers else 0)
    assert state_of(blocks) == state


def test_what_is_lent_does_not_change_and_what_is_shown_does(blocks):
    for how, after in ((LEND, 0x11), (SHOW, 0x22)):
        number = blocks.alloc(OWNER)
        blocks.poke(OWNER, number, 0x11)
        blocks.give(OWNER, OTHER, number, how)
        blocks.poke(OWNER, number, 0x22)
        assert blocks.peek(OTHER, number) == blocks.peek(OWNER, number) == after
        blocks.settle(OWNER, "REVOKE", number)
        assert blocks.peek(OTHER, number) == 0
        assert blocks.fault is Fault.BLOCK


def test_moved_block_keeps_its_words(blocks):
    blocks.alloc(OWNER)
    blocks.poke(OWNER, 0, 0x77, 15)
    blocks.give(OWNER, OTHER, 0, MOVE)
    assert blocks.peek(OTHER, 0, 15) == 0x77
    assert (blocks.peek(OWNER, 0, 15), blocks.fault) == (0, Fault.BLOCK)
    assert blocks.poke(OWNER, 0, 1, 15) is Fault.BLOCK
    assert blocks.poke(OTHER, 0, 0x78, 15) is Fault.NONE
    assert blocks.settle(OTHER, "FREE", 0)[0] is DONE
    assert blocks.quota(OWNER) == (0, 2)


# Messages with a block


@pytest.mark.parametrize("words", [(), (1,), (1, 2, 3)])
@pytest.mark.parametrize("how", Handover)
def test_what_arrives(blocks, how, words):
    blocks.alloc(OWNER)
    blocks.alloc(OWNER)
    for tag in range(3):
        assert blocks.give(OWNER, OTHER, 1, how, *words) is Fault.NONE
        header = blocks.read(OTHER, "HEADER", 0)
        assert blocks.field("guest", "HEADER", "KIND", header) == Kind.BLOCK
        assert blocks.field("guest", "HEADER", "COUNT", header) == len(words) + 1
        word = blocks.block_word(1, how, 0 if how is MOVE else tag)
        assert blocks.read(OTHER, "WORD", len(words)) == word
        assert blocks.receive(OTHER) == (OWNER, 1, (*words, word))
        if how is MOVE:
            blocks.give(OTHER, OWNER, 1, MOVE)
            blocks.receive(OWNER)
        else:
            assert blocks.settle(OTHER, "RETURN", word) == (DONE, Fault.NONE)


def test_a_plain_message_with_the_word_of_a_block_hands_nothing_over(blocks):
    blocks.alloc(OWNER)
    assert blocks.send(OWNER, OTHER, blocks.block_word(0, MOVE)) is Fault.NONE
    assert blocks.field("guest", "HEADER", "KIND", blocks.read(OTHER, "HEADER", 0)) == Kind.PLAIN
    assert state_of(blocks) == "OWNED"


@pytest.mark.parametrize(
    "word",
    [
        0,  # no kind
        1 << 10 | MOVE << 30,  # a bit above the number
        0 | MOVE << 30 | 1 << 29,
        0 | MOVE << 30 | 1 << 15,
        0 | LEND << 30 | 1 << 16,  # a tag
        6 | MOVE << 30,  # no such block
        1023 | MOVE << 30,
        1 | MOVE << 30,  # nobody's
    ],
)
def test_malformed_block_words(blocks, word):
    blocks.alloc(OWNER)
    assert blocks.write(OWNER, "COMMIT", 0, 1, 0, OTHER, value=word) is Fault.BLOCK
    assert blocks.result(OWNER) == (Result.BAD_BLOCK, OTHER, 0)
    assert state_of(blocks) == "OWNED"
    # the lane refuses until it is acknowledged, without a fault, and the block stays
    assert blocks.give(OWNER, OTHER, 0, MOVE) is Fault.NONE
    assert blocks.result(OWNER) == (Result.BAD_BLOCK, OTHER, 0)
    assert state_of(blocks) == "OWNED"
    blocks.write(OWNER, "ACK", 0, value=1)
    assert blocks.give(OWNER, OTHER, 0, MOVE) is Fault.NONE
    assert blocks.result(OWNER) == (Result.ACCEPTED, 0, 1)


def refuse_torn(block):
    block.write(OWNER, "STAGE", 0, 1, value=1)
    return Result.TORN, Fault.NONE


def refuse_denied(block):
    block.manage("PERMIT", OTHER, 0, value=0)
    return Result.DENIED, Fault.DENIED


def refuse_draining(block):
    block.command(OWNER, Command.DRAIN)
    return Result.DENIED, Fault.DENIED


def refuse_gone(block):
    block.command(OTHER, Command.DRAIN)
    return Result.PEER_GONE, Fault.NONE


@pytest.mark.parametrize("refuse", [refuse_torn, refuse_denied, refuse_draining, refuse_gone])
def test_what_comes_before_bad_block(blocks, refuse):
    code, fault = refuse(blocks)
    assert blocks.write(OWNER, "COMMIT", 0, 1, 0, OTHER, value=0) is fault
    assert blocks.result(OWNER) == (code, OTHER, 0)


@pytest.mark.parametrize("refuse", [refuse_torn, refuse_denied, refuse_draining, refuse_gone])
def test_a_refused_message_hands_nothing_over(blocks, refuse):
    blocks.alloc(OWNER)
    code, fault = refuse(blocks)
    assert blocks.give(OWNER, OTHER, 0, MOVE) is fault
    assert blocks.result(OWNER)[0] == code
    assert blocks.holding(OWNER, 0) == (OWNED, 0, 0)


def test_partial_commit_hands_nothing_over(blocks):
    blocks.alloc(OWNER)
    word = blocks.block_word(0, MOVE)
    assert blocks.write(OWNER, "COMMIT", 0, 1, 0, OTHER, value=word, strobes=0x7) is Fault.PARTIAL
    assert blocks.result(OWNER) == (Result.TORN, OTHER, 0)
    assert state_of(blocks) == "OWNED"


@pytest.mark.parametrize("how", ["paused", "used up"])
def test_no_credit_comes_after_bad_block(blocks, how):
    blocks.alloc(OWNER)
    if how == "paused":
        blocks.command(OTHER, Command.PAUSE)
    else:
        blocks.send(OWNER, OTHER, 1)
        blocks.send(OWNER, OTHER, 2)
    assert blocks.give(OWNER, OTHER, 0, MOVE) is Fault.NONE
    assert blocks.result(OWNER)[0] == Result.NO_CREDIT
    assert state_of(blocks) == "OWNED"
    blocks.write(OWNER, "ACK", 0, value=1)
    assert blocks.give(OWNER, OTHER, 1, MOVE) is Fault.BLOCK
    assert blocks.result(OWNER)[0] == Result.BAD_BLOCK


def test_a_queued_message_pins_nothing(blocks):
    """The rights change when the message is accepted, not when it is read."""
    blocks.alloc(OWNER)
    blocks.give(OWNER, OTHER, 0, MOVE)
    assert blocks.poke(OTHER, 0, 5) is Fault.NONE
    assert blocks.settle(OTHER, "FREE", 0)[0] is DONE
    assert blocks.receive(OTHER)[2] == (blocks.block_word(0, MOVE),)


@pytest.mark.parametrize("how", Handover)
def test_to_oneself(blocks, how):
    blocks.manage("PERMIT", OWNER, 0, value=0b111)
    blocks.manage("CREDITS", OWNER, OWNER, value=1)
    blocks.write(OWNER, "PEER", OWNER, value=1)
    blocks.alloc(OWNER)
    assert blocks.give(OWNER, OWNER, 0, how) is Fault.NONE
    assert blocks.result(OWNER) == (Result.ACCEPTED, 0, 1)
    assert blocks.holdings(OWNER) == (1, 0 if how is MOVE else 1)
    assert blocks.holding(OWNER, 0) == {MOVE: (OWNED, 0, 0), LEND: (LENT, 0, 0), SHOW: (SHOWN, 0, 0)}[how]
    assert blocks.poke(OWNER, 0, 1) is (Fault.BLOCK if how is LEND else Fault.NONE)
    blocks.receive(OWNER)
    expected = STALE if how is MOVE else DONE
    assert blocks.settle(OWNER, "RETURN", blocks.block_word(0, how)) == (expected, Fault.NONE)
    assert blocks.holding(OWNER, 0) == (OWNED, 0, 0)
    assert blocks.holdings(OWNER) == (1, 0)


# Words of FREE, RETURN and REVOKE; tags


@pytest.mark.parametrize("name", ["FREE", "REVOKE"])
@pytest.mark.parametrize("word", [6, 1023, 1 << 10, 1 << 31, MOVE << 30])
def test_other_bits_of_free_and_revoke(blocks, name, word):
    enter(blocks, "OWNED" if name == "FREE" else "LENT")
    assert blocks.settle(OWNER, name, word) == (REFUSED, Fault.BLOCK)
    assert state_of(blocks) == ("OWNED" if name == "FREE" else "LENT")


@pytest.mark.parametrize("bit", [10, 11, 12, 13, 14, 15, 24, 27, 29])
def test_other_bits_of_return(blocks, bit):
    enter(blocks, "LENT")
    assert blocks.settle(OTHER, "RETURN", blocks.block_word(0, LEND) | 1 << bit) == (REFUSED, Fault.BLOCK)
    assert state_of(blocks) == "LENT"


@pytest.mark.parametrize("kind", range(4))
def test_return_is_not_compared_in_kind(blocks, kind):
    enter(blocks, "SHOWN")
    assert blocks.settle(OTHER, "RETURN", kind << 30) == (DONE, Fault.NONE)


@pytest.mark.parametrize("number", [6, 7, 1023])
def test_return_of_a_block_that_does_not_exist_is_stale(blocks, number):
    assert blocks.settle(OTHER, "RETURN", blocks.block_word(number, LEND)) == (STALE, Fault.NONE)


def test_a_word_of_a_former_loan_ends_nothing(blocks):
    blocks.alloc(OWNER)
    words = []
    for end in (OTHER, OWNER):  # the first loan is returned, the second revoked
        blocks.give(OWNER, OTHER, 0, LEND)
        words.append(blocks.receive(OTHER)[2][-1])
        if end == OTHER:
            assert blocks.settle(OTHER, "RETURN", words[-1])[0] is DONE
        else:
            assert blocks.settle(OWNER, "REVOKE", 0)[0] is DONE
        for word in words:
            assert blocks.settle(OTHER, "RETURN", word) == (STALE, Fault.NONE)
    blocks.give(OWNER, OTHER, 0, SHOW)
    for word in words:
        assert blocks.settle(OTHER, "RETURN", word) == (STALE, Fault.NONE)
    assert state_of(blocks) == "SHOWN"
    assert blocks.settle(OTHER, "RETURN", blocks.receive(OTHER)[2][-1])[0] is DONE


def alloc_first(block):
    """Allocate block 0, once it is its turn."""
    while block.alloc(OWNER) != 0:
        for number in range(1, block.config.blocks):
            if block.holding(OWNER, number) != NOTHING:
                block.settle(OWNER, "FREE", number)
                block.scrub()


def test_tag_survives_freeing_and_wraps(blocks):
    for _ in range(2):
        alloc_first(blocks)
        for _ in range(150):
            blocks.give(OWNER, OTHER, 0, LEND)
            blocks.settle(OTHER, "RETURN", blocks.receive(OTHER)[2][-1])
        blocks.settle(OWNER, "FREE", 0)
        blocks.scrub()
    alloc_first(blocks)
    blocks.give(OWNER, OTHER, 0, LEND)
    assert blocks.holding(OTHER, 0) == (BORROWED, OWNER, 300 % 256)
    blocks.model.reset()
    blocks.connect(OWNER, OTHER)
    blocks.grant(vm0=6)
    blocks.scrub()
    blocks.alloc(OWNER)
    blocks.give(OWNER, OTHER, 0, LEND)
    assert blocks.holding(OTHER, 0) == (BORROWED, OWNER, 0)


@pytest.mark.parametrize("name", ["FREE", "RETURN", "REVOKE"])
def test_partial_writes_settle_nothing(blocks, name):
    enter(blocks, "OWNED" if name == "FREE" else "LENT")
    state = state_of(blocks)
    vm = OTHER if name == "RETURN" else OWNER
    assert blocks.write(vm, name, 0, value=0, strobes=0b1) is Fault.PARTIAL
    assert blocks.read(vm, "BLOCK_RESULT", 0) == Settled.NONE
    assert state_of(blocks) == state


# Allocation, quotas, scrubbing


def test_alloc_takes_the_oldest_clean_block(blocks):
    assert [blocks.alloc(OWNER), blocks.alloc(OTHER)] == [0, 1]
    blocks.settle(OTHER, "FREE", 1)
    blocks.settle(OWNER, "FREE", 0)
    assert blocks.pool() == (4, 2)
    assert [blocks.alloc(OTHER) for _ in range(2)] == [2, 3]
    assert [blocks.alloc(OWNER) for _ in range(2)] == [4, 5]
    assert blocks.alloc(THIRD) is None  # none is clean
    assert blocks.model.scrubbed() == 1  # in the order in which they were given up
    assert blocks.alloc(THIRD) == 1
    assert blocks.model.scrubbed() == 0
    assert blocks.alloc(THIRD) == 0


def test_alloc_without_quota(blocks):
    assert [blocks.alloc(OWNER) for _ in range(3)] == [0, 1, None]
    assert blocks.fault is Fault.NONE
    assert blocks.quota(OWNER) == (2, 2)
    blocks.give(OWNER, OTHER, 0, MOVE)
    assert blocks.alloc(OWNER) is None  # it still pays
    blocks.settle(OTHER, "FREE", 0)
    assert blocks.quota(OWNER) == (1, 2)
    assert blocks.alloc(OWNER) == 2


def test_nobody_fills_the_quota_of_another(blocks):
    blocks.alloc(OWNER), blocks.alloc(OWNER)
    for number in (0, 1):
        blocks.give(OWNER, OTHER, number, MOVE)
    assert blocks.holdings(OTHER) == (2, 0)
    assert [blocks.alloc(OTHER) for _ in range(3)] == [2, 3, None]
    assert blocks.holdings(OTHER) == (4, 0)


@pytest.mark.parametrize(("state", "command"), [(State.PAUSED, Command.PAUSE), (State.DRAINING, Command.DRAIN)])
def test_alloc_by_state(blocks, state, command):
    blocks.command(OWNER, command)
    assert blocks.alloc(OWNER) == (0 if state is State.PAUSED else None)
    assert blocks.fault is Fault.NONE


def test_a_draining_vm_gives_up_what_it_has(blocks):
    enter(blocks, "LENT")
    blocks.alloc(OTHER)
    blocks.give(OTHER, OWNER, 1, SHOW)
    for vm in (OWNER, OTHER):
        blocks.command(vm, Command.DRAIN)
    assert blocks.settle(OTHER, "RETURN", blocks.block_word(0, LEND))[0] is DONE
    assert blocks.settle(OTHER, "REVOKE", 1)[0] is DONE
    assert blocks.settle(OTHER, "FREE", 1)[0] is DONE
    assert blocks.peek(OWNER, 0) == 0
    assert blocks.fault is Fault.NONE
    assert blocks.settle(OWNER, "FREE", 0)[0] is DONE


def test_partial_read_of_alloc(blocks):
    assert blocks.alloc(OWNER, full=False) is None
    assert blocks.fault is Fault.PARTIAL
    assert blocks.quota(OWNER) == (0, 2)


def test_quota_limits(blocks):
    assert blocks.manage("QUOTA", 3, value=1) is Fault.BAD_VALUE  # six are promised
    blocks.alloc(OWNER)
    assert blocks.manage("QUOTA", OWNER, value=0) is Fault.BAD_VALUE  # one is in use
    assert blocks.manage("QUOTA", OWNER, value=1) is Fault.NONE
    assert blocks.manage("QUOTA", OWNER, value=1 << 11 | 1) is Fault.BAD_VALUE  # no smaller number than it is
    assert blocks.manage("QUOTA", OWNER, value=1 << 16 | 1) is Fault.NONE  # USED is not looked at
    assert blocks.manage("QUOTA", 3, value=1) is Fault.NONE
    assert [blocks.quota(vm) for vm in range(4)] == [(1, 1), (0, 2), (0, 2), (0, 1)]
    assert blocks.manage("QUOTA", OWNER, value=0, strobes=0b11) is Fault.PARTIAL


def test_quota_at_reset():
    static = tuple(Port(identity=Identity.STATIC, vm=vm) for vm in range(2))
    config = Config(
        ports=static, vms=2, manager=Manager.NONE, open_at_reset=True, blocks=5, block_quota=2, block_size=64
    )
    model = Model(config, stepped_scrub=True)
    page = model._guest
    assert model.read(0, 0, page.QUOTA.at()) == (page.QUOTA.pack(LIMIT=2), Fault.NONE)
    model.scrubbed()
    assert model.read(1, 1, page.ALLOC.at())[0] == page.ALLOC.pack(VALID=1)


def test_quotas_are_zero_at_reset(make_block, blocks_config):
    block = make_block(blocks_config.replace(block_quota=3))  # which is for blocks that are open at reset
    block.connect(OWNER)
    block.model.tick(1000)
    assert block.pool() == (6, 0)
    assert block.quota(OWNER) == (0, 0)
    assert block.alloc(OWNER) is None


def test_blocks_after_reset_are_dirty_in_order(make_block, blocks_config):
    block = make_block(blocks_config, stepped_scrub=True)
    block.connect(OWNER)
    block.grant(vm0=6)
    for _ in range(2):
        assert block.pool() == (0, 6)
        assert block.alloc(OWNER) is None
        assert [block.model.scrubbed() for _ in range(6)] == list(range(6))
        for number in range(6):
            assert block.alloc(OWNER) == number
            assert [block.peek(OWNER, number, word) for word in range(16)] == [0] * 16
            block.poke(OWNER, number, 0xFFFF_FFFF, 7)
        block.model.reset()
        block.connect(OWNER)
        block.grant(vm0=6)
        assert block.holdings(OWNER) == (0, 0)


def test_a_freed_block_comes_back_as_zeros(blocks):
    blocks.grant(vm1=0, vm2=0, vm0=6)
    for _ in range(3):
        for number in range(6):
            assert blocks.alloc(OWNER) == number
            assert [blocks.peek(OWNER, number, word) for word in range(16)] == [0] * 16
            for word in range(16):
                blocks.poke(OWNER, number, 0xFFFF_FFFF, word)
        for number in range(6):
            blocks.settle(OWNER, "FREE", number)
        blocks.scrub()


def test_scrubbing_takes_its_time(make_block, blocks_config):
    """Without steps a block takes a cycle for each word of a bank."""
    block = make_block(blocks_config)
    cycles = blocks_config.block_size // 4 // blocks_config.banks
    model = block.model
    for scrubbed in range(6):
        model.tick(cycles - 1 - (0 if scrubbed == 0 else 1))
        assert block.pool() == (scrubbed, 6 - scrubbed)  # that read took the last cycle
        assert block.pool() == (scrubbed + 1, 5 - scrubbed)
    model.tick(10_000)
    block.connect(OWNER)
    block.grant(vm0=1)
    number = block.alloc(OWNER)
    block.settle(OWNER, "FREE", number)  # with a read a cycle later
    model.tick(cycles - 3)
    assert block.pool() == (5, 1)
    assert block.pool() == (6, 0)


def test_scrubbed_without_a_dirty_block(blocks):
    with pytest.raises(RuntimeError, match=r"^a block must be dirty to be scrubbed, not none$"):
        blocks.model.scrubbed()


# Hungry VMs


def latched(block, vm, what=BLOCK):
    return bool(block.read(vm, "IRQ_STATE") & what)


def test_hungry_until_a_block_is_clean(blocks):
    blocks.grant(vm1=0, vm0=3)
    numbers = [blocks.alloc(OWNER) for _ in range(3)]
    assert [blocks.alloc(THIRD) for _ in range(2)] == [3, 4]
    blocks.grant(vm0=4)
    assert blocks.alloc(OWNER) == 5
    blocks.settle(OWNER, "FREE", numbers[0])
    assert blocks.alloc(OWNER) is None
    blocks.model.tick(100)
    assert not latched(blocks, OWNER)
    blocks.model.scrubbed()
    blocks.model.tick()
    blocks.model.tick()
    assert latched(blocks, OWNER)
    assert not latched(blocks, THIRD)
    blocks.write(OWNER, "IRQ_STATE", value=BLOCK)
    blocks.model.tick(100)
    assert not latched(blocks, OWNER)  # once


def test_block_is_raised_a_cycle_after_its_cause(make_block, blocks_config):
    model = make_block(blocks_config, stepped_scrub=True)
    model.connect(OWNER)
    model.grant(vm0=1)
    at = model.at(OWNER, "IRQ_STATE")
    look = lambda: model.model.read(0, OWNER, at)[0]  # noqa: E731
    model.model.read(0, OWNER, model.at(OWNER, "ALLOC"))  # hungry from the next cycle on
    model.model.tick(7)
    model.model.scrubbed()  # clean from the next cycle on
    seen = []
    for _ in range(4):
        seen.append(bool(look() & BLOCK))
        model.model.tick()
    assert seen == [False, False, True, True]


def test_raising_beats_clearing_and_alloc(make_block, blocks_config):
    block = make_block(blocks_config, stepped_scrub=True)
    block.connect(OWNER)
    block.grant(vm0=1)
    assert block.alloc(OWNER) is None
    block.model.scrubbed()
    block.model.tick()  # hungry, and a clean block: BLOCK comes with the end of this cycle
    block.model.read(0, OWNER, block.at(OWNER, "ALLOC"))
    block.model.write(0, OWNER, block.at(OWNER, "IRQ_STATE"), BLOCK)
    block.model.tick()
    assert latched(block, OWNER)
    assert block.holdings(OWNER) == (1, 0)


def test_hungry_until_there_is_quota(blocks):
    for _ in range(2):
        blocks.alloc(OWNER)
    assert blocks.alloc(OWNER) is None
    blocks.model.tick(50)
    assert not latched(blocks, OWNER)
    blocks.give(OWNER, OTHER, 0, MOVE)
    blocks.model.tick(50)
    assert not latched(blocks, OWNER)
    blocks.settle(OTHER, "FREE", 0)
    blocks.model.tick(2)
    assert latched(blocks, OWNER)


def test_hungry_until_the_manager_grants(blocks):
    blocks.grant(vm0=0)
    assert blocks.alloc(OWNER) is None
    blocks.model.tick(50)
    assert not latched(blocks, OWNER)
    blocks.grant(vm0=1)
    blocks.model.tick(2)
    assert latched(blocks, OWNER)


@pytest.mark.parametrize("end", ["alloc", "close"])
def test_what_ends_hunger(blocks, end):
    blocks.grant(vm0=0)
    assert blocks.alloc(OWNER) is None
    if end == "alloc":
        blocks.grant(vm0=1)
        # in the same cycle as the grant, so before the block is told
        blocks.model.write(0, None, blocks.managed_at("QUOTA", OWNER), 0)
        blocks.grant(vm0=1)
        assert blocks.alloc(OWNER) is not None
    else:
        blocks.command(OWNER, Command.CLOSE)
        blocks.grant(vm0=1)
        blocks.command(OWNER, Command.OPEN)
    blocks.write(OWNER, "IRQ_STATE", value=BLOCK)
    blocks.grant(vm0=2)
    blocks.model.tick(50)
    assert not latched(blocks, OWNER)


def test_a_draining_vm_does_not_get_hungry(blocks):
    blocks.command(OWNER, Command.DRAIN)
    blocks.alloc(OWNER)
    blocks.model.tick(50)
    assert not latched(blocks, OWNER)


def test_hunger_wakes_a_waiting_vm(make_block, blocks_config):
    """BLOCK raises WAITING, and so the manager's interrupt, by time alone."""
    block = make_block(blocks_config)
    block.connect(OWNER)
    block.grant(vm0=1)
    block.write(OWNER, "IRQ_ENABLE", 0, value=BLOCK)
    block.manage("WAIT_ARM", 0, value=1 << OWNER)
    block.model.reset()
    block.connect(OWNER)
    block.grant(vm0=1)
    block.write(OWNER, "IRQ_ENABLE", 0, value=BLOCK)
    block.manage("WAIT_ARM", 0, value=1 << OWNER)
    for _ in range(6):
        block.model.tick(100)
        if (number := block.alloc(OWNER)) is not None:
            block.settle(OWNER, "FREE", number)
    # all six were allocated and freed; some are dirty, but a clean one is left
    while block.alloc(OWNER) is None:
        pass
    assert not block.model.manager_irq
    block.grant(vm0=1)
    assert block.alloc(OWNER) is None  # no quota
    assert not block.model.manager_irq
    block.grant(vm0=2)
    block.model.tick(5)
    assert block.model.manager_irq
    assert block.see("WAIT_FIRED", 0) == 1 << OWNER


# Closing, opening, and what else changes a VM


@pytest.mark.parametrize("what", ["owned", "lent", "shown to it", "lent to it", "moved to it"])
def test_close_is_refused_while_something_is_held(blocks, what):
    blocks.alloc(OWNER)
    if what != "owned":
        how = {"lent": LEND, "lent to it": LEND, "shown to it": SHOW, "moved to it": MOVE}[what]
        blocks.give(OWNER, OTHER, 0, how)
        blocks.receive(OTHER)
    vm = OWNER if what in ("owned", "lent") else OTHER
    for command in (None, Command.DRAIN):
        if command:
            assert blocks.command(vm, command) is Fault.NONE
        assert blocks.command(vm, Command.CLOSE) is Fault.BAD_VALUE
        assert blocks.control(vm, "REFUSED") == 1
    if what.endswith("to it") and not what.startswith("moved"):
        assert blocks.settle(vm, "RETURN", blocks.block_word(0, LEND))[0] is DONE
    else:
        blocks.settle(vm, "REVOKE", 0)
        assert blocks.settle(vm, "FREE", 0)[0] is DONE
    assert blocks.command(vm, Command.CLOSE) is Fault.NONE


def test_moved_away_blocks_do_not_hold_a_vm(blocks):
    """Whoever pays may close, and pays on: the VM-ID does, whoever it is next."""
    blocks.alloc(OWNER), blocks.alloc(OWNER)
    blocks.give(OWNER, OTHER, 0, MOVE)
    blocks.settle(OWNER, "FREE", 1)
    assert blocks.command(OWNER, Command.CLOSE) is Fault.NONE
    assert blocks.quota(OWNER) == (1, 2)
    assert blocks.command(OWNER, Command.OPEN) is Fault.NONE
    assert blocks.quota(OWNER) == (1, 2)
    assert blocks.holding(OWNER, 0) == NOTHING
    assert (blocks.peek(OWNER, 0), blocks.fault) == (0, Fault.BLOCK)
    assert blocks.alloc(OWNER) == 2
    assert blocks.alloc(OWNER) is None
    blocks.settle(OTHER, "FREE", 0)
    assert blocks.quota(OWNER) == (1, 2)


def test_a_recycled_vm_has_no_outcomes(blocks):
    blocks.settle(OWNER, "FREE", 5, lane=1)
    assert blocks.read(OWNER, "BLOCK_RESULT", 1) == REFUSED
    blocks.command(OWNER, Command.CLOSE)
    assert blocks.command(OWNER, Command.OPEN) is Fault.NONE
    assert blocks.read(OWNER, "BLOCK_RESULT", 1) == Settled.NONE


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", ["port reset", "TEAR", "PAUSE", "DRAIN"])
def test_what_blocks_do_not_feel(blocks, state, event):
    enter(blocks, state)
    if event == "port reset":
        for port in range(2):
            blocks.model.reset_port(port)
    elif event == "TEAR":
        blocks.manage("TEAR", value=blocks.manager.TEAR.pack(VM=OWNER, PORT=0))
    else:
        for vm in (OWNER, OTHER):
            assert blocks.command(vm, Command[event]) is Fault.NONE
    assert state_of(blocks) == state


def test_a_closed_vm_fails_at_every_block(blocks):
    blocks.alloc(OWNER)
    assert (blocks.peek(3, 0), blocks.fault) == (0, Fault.BLOCK)
    assert blocks.poke(3, 0, 1) is Fault.BLOCK
    for name in ("ALLOC", "BLOCK", "QUOTA"):
        blocks.read(3, name, *((0,) if name == "BLOCK" else ()))
        assert blocks.fault is Fault.CLOSED


# The window


def test_order_of_checks_in_the_window(blocks):
    port, beyond = 0, blocks.word_at(0, 6)
    last = beyond - 4
    model = blocks.model
    assert model.read(port, None, last) == (0, Fault.NO_VM)
    assert model.read(port, None, beyond) == (0, Fault.NO_VM)
    assert model.write(port, None, beyond, 1) is Fault.NO_VM
    assert model.read(port, 3, beyond) == (0, Fault.UNMAPPED)  # before BLOCK, which a closed VM always is
    assert model.write(port, OWNER, beyond, 1) is Fault.UNMAPPED
    assert model.read(port, OWNER, last) == (0, Fault.BLOCK)
    assert model.read(port, OWNER, address_map(blocks.config, 0).manager_base - 4) == (0, Fault.UNMAPPED)
    assert blocks.see("FAULT_READ_ADDRESS", OWNER) == last
    assert blocks.see("FAULT_READ_ADDRESS", 3) == beyond


@pytest.mark.parametrize("strobes", range(16))
def test_byte_strobes(blocks, strobes):
    blocks.alloc(OWNER)
    blocks.poke(OWNER, 0, 0x4433_2211, 2)
    assert blocks.poke(OWNER, 0, 0xDDCC_BBAA, 2, strobes=strobes) is Fault.NONE
    old, new = (0x11, 0x22, 0x33, 0x44), (0xAA, 0xBB, 0xCC, 0xDD)
    expected = sum((new if strobes >> byte & 1 else old)[byte] << 8 * byte for byte in range(4))
    assert blocks.peek(OWNER, 0, 2) == expected
    assert blocks.peek(OWNER, 0, 1) == blocks.peek(OWNER, 0, 3) == 0
    assert blocks.poke(OTHER, 0, 1, strobes=strobes) is (Fault.BLOCK if strobes else Fault.NONE)


@pytest.mark.parametrize("low", range(4))
def test_address_bits_that_are_not_looked_at(blocks, low):
    blocks.alloc(OWNER)
    at = blocks.word_at(OWNER, 0, 5) + low
    assert blocks.model.write(0, OWNER, at, 0x4433_2211, 0b0110) is Fault.NONE
    assert blocks.model.read(0, OWNER, at ^ 3, full=False) == (0x0033_2200, Fault.NONE)
    assert blocks.model.read(0, OTHER, at) == (0, Fault.BLOCK)
    assert blocks.see("FAULT_READ_ADDRESS", OTHER) == at  # as it came


def test_pages_have_windows(make_block, blocks_config):
    ports = (Port(identity=Identity.PAGE), Port(identity=Identity.SIDEBAND))
    block = make_block(blocks_config.replace(ports=ports, vms=3), stepped_scrub=True)
    block.connect(OWNER, OTHER)
    block.grant(vm0=1, vm1=1)
    block.scrub()
    where = address_map(block.config, 0)
    bind = block.model.bind
    windows = [where.sram_base + where.sram_stride * index for index in range(4)]
    assert [bind(0, at + 60) for at in windows] == [0, 1, 2, None]
    assert [bind(0, at - 4) for at in windows[1:3]] == [0, 1]
    assert bind(0, where.manager_base) is None
    assert [block.alloc(vm) for vm in (OWNER, OTHER)] == [0, 1]
    assert block.poke(OTHER, 1, 7, 4) is Fault.NONE
    assert block.peek(OTHER, 1, 4, port=1) == 7
    assert block.model.read(0, OTHER, windows[1] + 6 * 64) == (0, Fault.UNMAPPED)
    assert block.model.read(0, None, windows[3]) == (0, Fault.NO_VM)


def test_each_port_has_its_own_map(make_block, blocks_config):
    ports = (Port(identity=Identity.PAGE), Port(identity=Identity.SIDEBAND))
    block = make_block(blocks_config.replace(ports=ports), stepped_scrub=True)
    block.connect(OWNER)
    block.grant(vm0=1)
    block.scrub()
    block.alloc(OWNER, port=1)
    assert block.word_at(OWNER, 0, port=0) != block.word_at(OWNER, 0, port=1)
    block.poke(OWNER, 0, 3, port=0)
    assert block.peek(OWNER, 0, port=1) == 3


# For scoreboards


def test_steps_of_a_scoreboard(blocks):
    """SRAM by itself, nothing logged; and a write in two parts, of which the first one writes."""
    model, at = blocks.model, blocks.word_at(OWNER, 0, 1)
    assert model.in_sram(0, at)
    assert not model.in_sram(0, blocks.at(OWNER, "ALLOC"))
    assert not model.in_sram(0, blocks.managed_at("POOL"))
    assert model.write_sram(0, OWNER, at, 1) is Fault.BLOCK
    assert model.read_sram(0, OWNER, at) == (0, Fault.BLOCK)
    assert blocks.see("FAULT_PENDING", 0) == 0
    model.log(0, OWNER, at, Fault.BLOCK, write=True)
    assert blocks.see("FAULT_PENDING", 0) == 1 << OWNER
    blocks.alloc(OWNER)
    assert model.write_sram(0, OWNER, at, 0xAABB, 0b10) is Fault.NONE
    assert model.read_sram(0, OWNER, at) == (0xAA00, Fault.NONE)
    token = model.stage_write(0, OWNER, at, 5)
    assert model.read_sram(0, OWNER, at) == (5, Fault.NONE)
    assert model.finish_write(token) is Fault.NONE
    token = model.stage_write(0, OTHER, at, 6)
    assert model.finish_write(token, log=False) is Fault.BLOCK
    assert blocks.see("FAULT_PENDING", 0) == 1 << OWNER


def test_words_of_a_block_at_once(blocks):
    blocks.alloc(OWNER), blocks.alloc(OWNER)
    model, at = blocks.model, blocks.word_at(OWNER, 0)
    assert model.store(0, OWNER, at + 8, [1, 2, 3])
    assert model.load(0, OWNER, at, 6) == [0, 0, 1, 2, 3, 0]
    assert model.load(0, OWNER, at, 17) is None  # beyond the block, if only into the next one of the VM
    assert not model.store(0, OWNER, at + 60, [1, 2])
    assert model.load(0, OTHER, at, 1) is None
    assert not model.store(0, OTHER, at, [1])
    assert model.load(0, None, at, 1) is None
    assert model.load(0, OWNER, blocks.at(OWNER, "MAGIC"), 1) is None
    blocks.give(OWNER, OTHER, 0, LEND)
    assert model.load(0, OTHER, at + 8, 3) == [1, 2, 3]
    assert not model.store(0, OWNER, at, [1])
    with pytest.raises(ValueError, match=r"^value must be from 0 to 0xffffffff, not 0x100000000$"):
        model.store(0, OWNER, at + 64, [1, 1 << 32])
    assert model.load(0, OWNER, at + 64, 2) == [0, 0]


def test_without_blocks_there_is_nothing(block):
    block.connect(0, 1)
    model = block.model
    assert address_map(block.config, 0).sram_base is None
    assert model.read(0, 0, 0x48) == (0, Fault.UNMAPPED)
    assert not model.in_sram(0, 0x1000)
    assert model.load(0, 0, 0x1000, 1) is None
    assert block.write(0, "IRQ_TEST", value=BLOCK | LOAN) is Fault.NONE
    assert block.read(0, "IRQ_STATE") == 0
