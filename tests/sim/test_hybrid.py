"""Transfers between two cores on the RTL: the driver's choice of the way is the faster one."""

import pytest

from postern.ways import BURST_THRESHOLD
from postern_sim.bench import hybrid
from postern_sim.soak import CONFIGURATIONS

pytestmark = pytest.mark.sim

CONFIG = CONFIGURATIONS["default"]


def test_the_threshold_is_where_blocks_become_faster():
    assert hybrid.crossover(CONFIG) == BURST_THRESHOLD


@pytest.mark.parametrize("size", [0, 1, BURST_THRESHOLD, BURST_THRESHOLD + 1, 64, 1024, 1025, 5000])
def test_the_hybrid_is_nowhere_slower_than_the_better_way(size):
    registers, blocks, chosen = (hybrid.transfers(CONFIG, size, way)[0] for way in ("registers", "blocks", "hybrid"))
    assert chosen <= 1.05 * min(registers, blocks)


def test_sixteen_bytes_take_five_accesses():
    assert hybrid.send_accesses(CONFIG, 16) <= 5
