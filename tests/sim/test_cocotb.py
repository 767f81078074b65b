"""The cocotb benches: each must run its tests and pass them all."""

import pytest

from postern_sim import benches
from postern_sim.soak import CONFIGURATIONS

pytestmark = pytest.mark.sim


@pytest.mark.parametrize(("bench", "tests"), [("axi_lite", 4), ("wishbone", 5), ("hostile", 4), ("driver", 2)])
def test_bench(bench, tests):
    assert benches.run(CONFIGURATIONS["mixed"], bench) == (tests, 0)
