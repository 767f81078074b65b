"""Strict blocks on the model: pools of blocks, the choice of arbitration, orphans that keep VMs from being opened."""

import pytest

from postern import CommandRefused, Model, ModelBus
from postern import Manager as VmManager
from postern_spec.config import Config, ConfigError
from postern_spec.regmap import Arbitration, Command, Fault, Handover, Lock
from postern_spec.sizes import scrub_window

from .conftest import BLOCKS

STRICT = BLOCKS.replace(blocks=8, strict=True)


@pytest.fixture
def block(make_block):
    block = make_block(STRICT, stepped_scrub=True)
    block.connect(0, 1, 2)
    block.grant(vm0=2, vm1=2, vm2=2)
    block.scrub()
    return block


def test_a_vm_gets_blocks_of_its_pool_the_lowest_first(block):
    assert [block.alloc(1) for _ in range(3)] == [2, 3, None]
    assert [block.alloc(0) for _ in range(3)] == [0, 1, None]
    block.settle(1, "FREE", 3)
    block.settle(1, "FREE", 2)
    assert block.alloc(1) is None  # not yet zero
    block.model.scrubbed(3)
    assert [block.alloc(1), block.alloc(1)] == [3, None]


def test_a_block_that_was_moved_comes_back_to_the_pool_of_who_allocated_it(block):
    number = block.alloc(1)
    assert block.give(1, 2, number, Handover.MOVE) is Fault.NONE
    block.settle(2, "FREE", number)
    block.model.scrubbed(number)
    assert [block.alloc(2), block.alloc(2), block.alloc(2)] == [4, 5, None]
    assert block.alloc(1) == number


def test_only_what_is_dirty_is_scrubbed(block):
    with pytest.raises(RuntimeError, match="a block must be dirty to be scrubbed, not block 2"):
        block.model.scrubbed(2)
    block.settle(1, "FREE", block.alloc(1))
    with pytest.raises(RuntimeError, match="a block must be dirty to be scrubbed, not block 3"):
        block.model.scrubbed(3)


def test_quota_beyond_the_pool(block):
    assert block.manage("QUOTA", 1, value=3) is Fault.BAD_VALUE
    manager = VmManager(ModelBus(block.model), STRICT)
    with pytest.raises(
        CommandRefused, match=r"^quota of VM 1 must be at least the 0 in use, and at most the 2 of its pool, not 3$"
    ):
        manager.quota(1, 3)


def test_nobody_is_opened_while_there_are_orphans(block):
    number = block.alloc(1)
    block.give(1, 2, number, Handover.MOVE)
    block.command(1, Command.KILL)
    assert block.see("ORPHANS") == 1
    assert block.command(1, Command.OPEN) is Fault.BAD_VALUE
    assert block.manage("RECLAIM", value=number) is Fault.NONE
    assert block.command(1, Command.OPEN) is Fault.NONE


def test_the_scrubber_takes_a_block_of_a_vm_in_each_window_of_that_vm():
    model, window = Model(STRICT), scrub_window(STRICT)
    for round_ in (1, 2):
        model.tick(window * STRICT.vms)
        assert model.dirty == STRICT.blocks - round_ * STRICT.vms
    assert not model.dirty


def test_the_manager_chooses_the_arbitration_until_it_is_locked():
    manager = VmManager(ModelBus(Model(STRICT)), STRICT)
    assert manager.arbitration is Arbitration.STRICT
    assert "arbitration: by turns" in str(manager.status())
    manager.arbitration = Arbitration.ROUND_ROBIN
    assert manager.arbitration is Arbitration.ROUND_ROBIN
    assert manager.adopt().arbitration is Arbitration.ROUND_ROBIN
    assert "arbitration: round robin" in str(manager.status())
    manager.arbitration = Arbitration.STRICT
    manager.lock(Lock.ARBITRATION)
    with pytest.raises(CommandRefused, match=r"^arbitration must be unlocked to change, not locked until reset$"):
        manager.arbitration = Arbitration.ROUND_ROBIN
    assert manager.arbitration is Arbitration.STRICT


def test_without_strict_there_is_no_choice():
    manager = VmManager(ModelBus(Model(BLOCKS)), BLOCKS)
    with pytest.raises(ValueError, match=r"^strict must be true to choose the arbitration, not False$"):
        manager.arbitration = Arbitration.STRICT
    assert manager.status().arbitration is None
    with pytest.raises(ValueError, match="lock must be one of"):
        manager.lock(Lock.ARBITRATION)


def test_pools_must_be_of_one_size():
    with pytest.raises(ConfigError, match=r"^blocks must be a multiple of the 8 VMs where strict is true, not 60$"):
        Config(blocks=60, strict=True)
