"""Section 14 of docs/states.md: what is counted of a VM, when, and what clears it."""

import pytest

from postern_spec.regmap import Command, Count, Fault, Handover, Result, counts

A, B = 0, 1


@pytest.fixture
def counted(make_block, blocks_config):
    """Two connected VMs of a block with counters, which are zero."""
    block = make_block(blocks_config.replace(counters=True))
    block.connect(A, B, credits=3)
    block.grant(vm0=2, vm1=1)
    block.model.tick(1000)
    return block


def figures(block, vm):
    """Return what is not zero, by name."""
    seen = {item.name: block.see(f"COUNT_{item.name}", vm) for item in counts(block.config)}
    return {name: value for name, value in seen.items() if value}


def test_messages(counted):
    for word in range(3):
        counted.send(A, B, word)
    counted.receive(B)
    counted.send(A, B, 9, 9, 9)
    assert figures(counted, A) == {"SENT": 4}
    assert figures(counted, B) == {"RECEIVED": 4, "QUEUE_PEAK": 3}


@pytest.mark.parametrize(("outcome", "name"), [(item, item.name) for item in Result if item not in (Result.ACCEPTED,)])
def test_refusals(counted, outcome, name):
    """Each outcome has its counter, and what a lane ignores after it another."""
    block = counted
    to, words = B, (1,)
    match outcome:
        case Result.NO_CREDIT:
            block.command(B, Command.PAUSE)
        case Result.DENIED:
            block.manage("PERMIT", B, 0, value=0)
        case Result.PEER_GONE:
            block.command(B, Command.DRAIN)
        case Result.TORN:
            block.write(A, "STAGE", 0, 1, value=1)
        case Result.BAD_BLOCK:
            block.give(A, to, 3, Handover.MOVE)
            words = ()
    if words:
        block.send(A, to, *words)
    assert block.result(A)[0] == outcome
    assert figures(block, A) == {name: 1}
    block.send(A, B, 1)
    block.send(A, B, 1, lane=1) if outcome is Result.TORN else None
    sent = {"SENT": 1} if outcome is Result.TORN else {}
    assert figures(block, A) == {name: 1, "IGNORED": 1} | sent
    assert "IGNORED" not in figures(block, B)


def test_partial_commits(counted):
    assert counted.write(A, "COMMIT", 0, 0, 0, B, value=1, strobes=7) is Fault.PARTIAL
    assert counted.write(A, "COMMIT", 0, 0, 0, B, value=1, strobes=7) is Fault.PARTIAL
    assert counted.write(A, "COMMIT", 0, 0, 0, B, value=1, strobes=0) is Fault.NONE  # no access
    assert figures(counted, A) == {"TORN": 1, "IGNORED": 1}


def test_doorbells(counted):
    for _ in range(2):  # the second finds it set
        counted.write(A, "RING", value=B)
    assert counted.write(A, "RING", value=2) is Fault.DENIED
    counted.command(B, Command.DRAIN)
    assert counted.write(A, "RING", value=B) is Fault.NONE  # and nothing happens
    assert figures(counted, A) == {"DOORBELLS": 2}


def test_what_a_closed_vm_tries_is_not_counted(counted):
    assert counted.send(2, B, 1) is Fault.CLOSED
    assert counted.write(2, "RING", value=B) is Fault.CLOSED
    assert figures(counted, 2) == {}


def test_blocks(counted):
    mine = [counted.alloc(A), counted.alloc(A)]
    assert counted.alloc(A) is None
    counted.settle(A, "FREE", mine[0])
    assert figures(counted, A) == {"BLOCKS_PEAK": 2}
    counted.manage("COUNT_CLEAR", 0, value=1)
    assert figures(counted, A) == {}
    counted.model.tick(100)
    counted.alloc(A)
    assert figures(counted, A) == {"BLOCKS_PEAK": 2}  # with the one that was there


def test_clear_takes_whom_it_names(counted):
    for sender, receiver in ((A, B), (B, A)):
        counted.send(sender, receiver, 1)
    before = figures(counted, B)
    assert counted.manage("COUNT_CLEAR", 0, value=1 << A | 1 << 3) is Fault.NONE
    assert figures(counted, A) == {}
    assert figures(counted, B) == before == {"SENT": 1, "RECEIVED": 1, "QUEUE_PEAK": 1}
    counted.send(A, B, 1)
    assert figures(counted, B)["QUEUE_PEAK"] == 2


def test_opening_clears_and_closing_does_not(counted):
    counted.write(A, "RING", value=B)
    counted.command(A, Command.CLOSE)
    assert figures(counted, A) == {"DOORBELLS": 1}
    counted.command(A, Command.OPEN)
    assert figures(counted, A) == {}


def test_counters_wrap(counted):
    counted.model._vms[A].counts[Count.DOORBELLS] = 0xFFFF_FFFF
    counted.write(A, "RING", value=B)
    assert figures(counted, A) == {}


def test_in_steps_an_event_is_counted_one_cycle_later(make_block, config):
    block = make_block(config.replace(counters=True), stepped_counts=True)
    block.connect(A, B)
    block.write(A, "RING", value=B)
    for expected in ({}, {}, {"DOORBELLS": 1}, {"DOORBELLS": 1}):
        assert figures(block, A) == expected
        block.model.counted()


def test_waits_come_from_whoever_has_a_clock(counted):
    counted.model.waited(A, 7)
    counted.model.waited(A, 0xFFFF_FFFF)
    assert figures(counted, A) == {"WAITED": 6}


def test_counters_can_only_be_read(counted):
    for item in counts(counted.config):
        assert counted.manage(f"COUNT_{item.name}", A, value=1) is Fault.DIRECTION
    counted.see("COUNT_CLEAR", 0)
    assert counted.fault is Fault.DIRECTION


def test_without_counters_there_is_nothing(make_block, config):
    with_them = make_block(config.replace(counters=True)).manager
    block = make_block(config)
    assert not any(register.name.startswith("COUNT_") for register in block.manager.registers)
    for register in ("COUNT_SENT", "COUNT_WAITED"):
        offset = getattr(with_them, register).at(0)
        if offset < block.manager.size:
            assert block.manager.decode(offset) is None
