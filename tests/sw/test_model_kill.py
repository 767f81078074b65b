"""Kill, orphans and reclaim on the model: ``docs/states.md``, section 14, and what sections 3 to 12 say of them."""

import pytest

from postern_spec.regmap import Command, Fault, Handover, Holding, Interrupt, Result, Settled, State
from postern_spec.sizes import kill_steps

CREDIT, PEER, LOAN = (1 << source for source in (Interrupt.CREDIT, Interrupt.PEER, Interrupt.LOAN))
LIVING = ([Command.OPEN], [Command.OPEN, Command.PAUSE], [Command.OPEN, Command.DRAIN])


@pytest.fixture(params=[False, True], ids=["at once", "stepped"])
def block(request, make_block, blocks_config):
    """A block with three open VMs that may do anything, whose model tears down at once, or by steps."""
    block = make_block(blocks_config, stepped_kill=request.param)
    block.connect(0, 1, 2)
    block.grant(vm0=2, vm1=2, vm2=2)
    for vm in range(3):
        block.write(vm, "IRQ_STATE", value=0xFFFF_FFFF)
    return block


@pytest.fixture
def stepped(make_block, blocks_config):
    block = make_block(blocks_config, stepped_kill=True)
    block.connect(0, 1, 2)
    block.grant(vm0=2, vm1=2, vm2=2)
    return block


def kill(block, vm):
    assert block.command(vm, Command.KILL) is Fault.NONE


def tear_down(block):
    """Take all steps that are left."""
    while block.model.killing is not None:
        for _ in range(block.config.depth):
            block.model.drop()
        block.model.tear_block(block.model.tear_row())


def lend(block, owner, borrower, how=Handover.LEND):
    """Lend a new block; return its number and the word with which it can be given back."""
    number = block.alloc(owner)
    assert block.give(owner, borrower, number, how) is Fault.NONE
    assert block.result(owner)[0] == Result.ACCEPTED
    return number, block.receive(borrower)[2][-1]


def rights(block, number):
    """Return what ``RIGHTS`` says, by name, without what is zero."""
    word = block.see("RIGHTS", number)
    fields = block.manager.RIGHTS.fields
    return {field.name: field.get(word) for field in fields if field.get(word)}


@pytest.mark.parametrize("way", LIVING)
def test_the_dead_can_do_nothing_and_reach_nothing(make_block, blocks_config, way):
    block = make_block(blocks_config, stepped_kill=True)
    block.connect(0, 1)
    block.grant(vm0=1)
    number = block.alloc(0)
    block.poke(0, number, 7)
    block.write(0, "IRQ_ENABLE", 0, value=0x7F)
    block.write(0, "IRQ_TEST", value=0x7F)
    block.write(1, "RING", value=0)
    for command in way[1:]:
        block.command(0, command)
    kill(block, 0)
    assert block.control(0, "STATE") == State.CLOSED
    assert block.control(0, "KILLING")
    assert not block.control(0, "REFUSED")
    assert not block.model.irq(0)
    for name in ("SELF", "IRQ_STATE", "QUOTA", "ALLOC"):
        assert block.read(0, name) == 0
        assert block.fault is Fault.CLOSED
    for name in ("HEADER", "POP", "RESULT"):
        assert block.read(0, name, 0) == 0
        assert block.fault is Fault.CLOSED
    assert block.write(0, "STAGE", 0, 0, value=1) is Fault.CLOSED
    assert block.write(0, "RING", value=1) is Fault.CLOSED
    assert block.send(0, 1, 1) is Fault.CLOSED
    assert (block.peek(0, number), block.fault) == (0, Fault.BLOCK)
    assert block.poke(0, number, 1) is Fault.BLOCK
    block.send(1, 0, 1)
    assert block.result(1)[0] == Result.PEER_GONE
    assert block.write(1, "RING", value=0) is Fault.NONE
    assert block.see("WAITING", 0) == 0


def test_peers_learn_of_it(block):
    kill(block, 0)
    assert block.read(1, "IRQ_STATE") & PEER
    assert block.read(2, "IRQ_STATE") & PEER
    word = block.read(1, "PEER", 0)
    assert not block.field("guest", "PEER", "ALIVE", word)


def test_messages_to_it_go_and_their_credits_come_back(block):
    block.send(1, 0, 1)
    block.send(2, 0, 2)
    kill(block, 0)
    tear_down(block)
    for vm in (1, 2):
        assert block.read(vm, "IRQ_STATE") & CREDIT
        assert block.field("manager", "CREDITS", "USED", block.see("CREDITS", 0, vm)) == 0
    assert block.control(0, "QUEUED") == 0


def test_messages_of_it_stay(block):
    block.send(0, 1, 11)
    kill(block, 0)
    tear_down(block)
    assert block.field("manager", "CREDITS", "USED", block.see("CREDITS", 1, 0)) == 1
    assert block.command(0, Command.OPEN) is Fault.NONE
    assert block.receive(1) == (0, 1, (11,))  # with the generation in which it was sent
    assert block.see("GENERATION", 0) == 2


def test_doorbells_of_it_go(block):
    block.write(0, "RING", value=1)
    block.write(2, "RING", value=1)
    kill(block, 0)
    tear_down(block)
    assert block.read(1, "PENDING", 0) == 0b100


def test_a_message_a_cycle_is_dropped(stepped):
    for word in range(2):
        stepped.send(1, 0, word)
        stepped.send(2, 0, word)
    kill(stepped, 0)
    for left in (3, 2, 1, 0, 0):
        stepped.model.drop()
        assert stepped.control(0, "QUEUED") == left


def test_the_walk_has_its_steps_and_waits_for_the_queue(stepped):
    with pytest.raises(RuntimeError, match=r"^a VM must be killed for a step of tearing it down, not none$"):
        stepped.model.tear_row()
    stepped.send(1, 0, 1)
    kill(stepped, 0)
    steps = kill_steps(stepped.config)
    assert steps == 6
    assert [stepped.model.tear_row() for _ in range(steps - 1)] == list(range(steps - 1))
    assert stepped.model.killing == 0
    with pytest.raises(RuntimeError, match=r"^queue of VM 0 must be empty to end its walk, not hold messages$"):
        stepped.model.tear_row()


def test_others_are_killed_meanwhile(stepped):
    for vm in (1, 2, 0):
        kill(stepped, vm)
    assert [stepped.control(vm, "STATE") for vm in range(3)] == [State.CLOSED] * 3
    order = []
    while stepped.model.killing is not None:
        order.append(stepped.model.killing)
        stepped.model.tear_block(stepped.model.tear_row())
    assert order == [1] * 6 + [0] * 6 + [2] * 6


def test_opening_is_refused_while_it_is_torn_down(stepped):
    kill(stepped, 0)
    assert stepped.command(0, Command.OPEN) is Fault.BAD_VALUE
    assert stepped.control(0, "REFUSED")
    assert stepped.command(0, Command.KILL) is Fault.BAD_VALUE
    assert stepped.command(3, Command.OPEN) is Fault.NONE  # another one is opened
    tear_down(stepped)
    assert not stepped.control(0, "KILLING")
    assert stepped.command(0, Command.OPEN) is Fault.NONE


def test_the_next_one_has_no_past_and_is_not_sent_to_by_mistake(block):
    block.send(0, 1, 1)
    block.receive(1)
    block.send(0, 3, 1)  # refused
    kill(block, 0)
    tear_down(block)
    block.command(0, Command.OPEN)
    assert block.result(0) == (Result.ACCEPTED, 0, 0)
    assert block.read(0, "IRQ_STATE") == 0
    block.send(1, 0, 1)
    assert block.result(1)[0] == Result.PEER_GONE
    block.write(1, "ACK", 0)
    assert block.write(1, "PEER", 0, value=block.see("GENERATION", 0)) is Fault.NONE
    block.send(1, 0, 1)
    assert block.result(1)[0] == Result.ACCEPTED


def test_its_blocks_are_given_up_and_their_payers_credited(block):
    own, moved = block.alloc(0), block.alloc(1)
    block.give(1, 0, moved, Handover.MOVE)  # in its queue still
    assert block.quota(1) == (1, 2)
    kill(block, 0)
    tear_down(block)
    assert block.holdings(0) == (0, 0)
    assert [block.quota(vm) for vm in (0, 1)] == [(0, 2), (0, 2)]
    assert [rights(block, number) for number in (own, moved)] == [{}, {}]
    assert block.see("ORPHANS") == 0


@pytest.mark.parametrize("how", [Handover.LEND, Handover.SHOW])
def test_a_borrower_of_the_dead_reads_zero_at_once(stepped, how):
    number, word = lend(stepped, 0, 1, how)
    assert stepped.holding(1, number)[0] in (Holding.BORROWED, Holding.WATCHED)
    kill(stepped, 0)
    assert (stepped.peek(1, number), stepped.fault) == (0, Fault.BLOCK)
    assert stepped.holding(1, number) == (Holding.NONE, 0, 0)
    assert stepped.settle(1, "RETURN", word) == (Settled.STALE, Fault.NONE)
    assert stepped.command(1, Command.CLOSE) is Fault.BAD_VALUE  # until the loan is taken off it
    tear_down(stepped)
    assert stepped.read(1, "IRQ_STATE") & LOAN
    assert stepped.settle(1, "RETURN", word) == (Settled.STALE, Fault.NONE)
    assert stepped.holdings(1) == (0, 0)
    assert stepped.command(1, Command.CLOSE) is Fault.NONE


@pytest.mark.parametrize("how", [Handover.LEND, Handover.SHOW])
def test_the_owner_has_its_block_back_from_a_dead_borrower(block, how):
    number, word = lend(block, 0, 1, how)
    kill(block, 1)
    tear_down(block)
    assert block.read(0, "IRQ_STATE") & LOAN
    assert block.holding(0, number)[0] == Holding.OWNED
    assert block.settle(0, "FREE", number) == (Settled.DONE, Fault.NONE)
    block.command(1, Command.OPEN)
    assert block.settle(1, "RETURN", word)[0] is Settled.STALE  # the word of the dead ends nothing


def test_before_the_walk_the_owner_may_revoke(stepped):
    number, _ = lend(stepped, 0, 1)
    kill(stepped, 1)
    assert stepped.settle(0, "FREE", number)[0] is Settled.REFUSED
    assert stepped.settle(0, "REVOKE", number) == (Settled.DONE, Fault.NONE)
    assert stepped.settle(0, "FREE", number) == (Settled.DONE, Fault.NONE)
    tear_down(stepped)
    assert stepped.holdings(1) == (0, 0)


def orphaned(block):
    """Have VM 1 own a block whose payer, VM 0, was killed."""
    number = block.alloc(0)
    block.give(0, 1, number, Handover.MOVE)
    block.poke(1, number, 5)
    kill(block, 0)
    tear_down(block)
    return number


def test_a_block_whose_payer_was_killed_is_an_orphan(block):
    number = orphaned(block)
    assert block.see("ORPHANS") == 1
    assert rights(block, number) == {"OWNER": 1, "OWNED": 1, "ORPHAN": 1}
    assert block.peek(1, number) == 5  # its owner goes on with it
    assert block.quota(0) == (0, 1)
    assert block.manage("QUOTA", 0, value=2) is Fault.BAD_VALUE  # 1 + 2 + 2 are granted, and 1 is taken
    assert block.settle(1, "FREE", number) == (Settled.DONE, Fault.NONE)
    assert block.see("ORPHANS") == 0
    assert [block.quota(vm) for vm in range(3)] == [(0, 1), (0, 2), (0, 2)]
    assert block.manage("QUOTA", 0, value=2) is Fault.NONE


def test_an_orphan_can_be_moved_lent_and_left_by_a_second_death(block):
    number = orphaned(block)
    assert block.give(1, 2, number, Handover.LEND) is Fault.NONE
    _, _, words = block.receive(2)
    assert block.settle(2, "RETURN", words[-1])[0] is Settled.DONE
    assert block.give(1, 2, number, Handover.MOVE) is Fault.NONE
    assert rights(block, number) == {"OWNER": 2, "OWNED": 1, "ORPHAN": 1}
    kill(block, 2)
    tear_down(block)
    assert block.see("ORPHANS") == 0
    assert rights(block, number) == {}
    assert block.quota(2) == (0, 2)


def test_the_loan_of_a_block_that_becomes_an_orphan_goes_on(block):
    number = block.alloc(0)
    block.give(0, 1, number, Handover.MOVE)
    block.receive(1)
    block.poke(1, number, 5)
    assert block.give(1, 2, number, Handover.SHOW) is Fault.NONE
    kill(block, 0)
    tear_down(block)
    assert rights(block, number) == {"OWNER": 1, "OWNED": 1, "ORPHAN": 1, "BORROWER": 2, "LENT": 1, "SHOWN": 1}
    assert block.peek(2, number) == 5


def test_a_payer_that_borrows_its_own_block_leaves_an_orphan_without_loan(block):
    number = block.alloc(0)
    block.give(0, 1, number, Handover.MOVE)
    block.receive(1)
    block.give(1, 0, number, Handover.LEND)
    kill(block, 0)
    tear_down(block)
    assert rights(block, number) == {"OWNER": 1, "OWNED": 1, "ORPHAN": 1}
    assert block.holding(1, number)[0] == Holding.OWNED


def test_reclaim_takes_an_orphan_from_its_owner(block):
    number = orphaned(block)
    block.give(1, 2, number, Handover.LEND)
    _, _, words = block.receive(2)
    for vm in (1, 2):
        block.write(vm, "IRQ_STATE", value=0xFFFF_FFFF)
    assert block.manage("RECLAIM", value=number) is Fault.NONE
    for vm in (1, 2):
        assert block.read(vm, "IRQ_STATE") & LOAN
        assert (block.peek(vm, number), block.fault) == (0, Fault.BLOCK)
        assert block.holding(vm, number) == (Holding.NONE, 0, 0)
        assert block.holdings(vm) == (0, 0)
    assert block.settle(2, "RETURN", words[-1])[0] is Settled.STALE
    assert block.settle(1, "FREE", number)[0] is Settled.REFUSED
    assert block.see("ORPHANS") == 0
    assert block.manage("RECLAIM", value=number) is Fault.BAD_VALUE


@pytest.mark.parametrize("value", [0, 5, 6, 0x1_0000, 0x8000_0000])
def test_reclaim_of_what_is_no_orphan_is_refused(block, value):
    assert block.alloc(0) == 0
    before = sum(block.pool())
    assert block.manage("RECLAIM", value=value) is Fault.BAD_VALUE
    assert sum(block.pool()) == before
    assert block.holding(0, 0)[0] == Holding.OWNED


def test_a_payer_that_is_closed_leaves_no_orphan(block):
    number = block.alloc(0)
    block.give(0, 1, number, Handover.MOVE)
    assert block.command(0, Command.CLOSE) is Fault.NONE
    assert block.see("ORPHANS") == 0
    assert rights(block, number) == {"OWNER": 1, "OWNED": 1}  # and VM 0 pays
    assert block.quota(0) == (1, 2)


def test_block_reset_ends_it(stepped):
    lend(stepped, 0, 1)
    kill(stepped, 0)
    stepped.model.reset()
    assert stepped.model.killing is None
    assert not stepped.control(0, "KILLING")
    assert stepped.see("ORPHANS") == 0


def test_port_reset_does_not_touch_it(stepped):
    kill(stepped, 0)
    stepped.model.tear_row()
    stepped.model.reset_port(0)
    assert stepped.model.tear_row() == 1


def test_what_is_locked_is_locked_for_the_next_one_too(block):
    orphaned(block)
    block.manage("LOCK", value=0xFF)
    block.command(0, Command.OPEN)
    assert block.manage("QUOTA", 0, value=0) is Fault.BAD_VALUE
    assert block.quota(0) == (0, 1)  # what the orphan took stays taken
