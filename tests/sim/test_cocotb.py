"""The cocotb benches: each must run its tests and pass them all."""

import pytest

from postern_sim import benches
from postern_sim.soak import CONFIGURATIONS

pytestmark = pytest.mark.sim


@pytest.mark.parametrize(
    ("config", "bench", "tests"),
    [
        ("mixed", "axi_lite", 4),
        ("mixed", "wishbone", 5),
        ("mixed", "hostile", 4),
        ("mixed", "driver", 2),
        ("blocks", "manager", 3),
        ("bursts", "axi4", 9),
        ("doubles", "axi4_sram", 6),
        ("apb", "apb", 5),
        ("apb", "driver", 2),
    ],
)
def test_bench(config, bench, tests):
    assert benches.run(CONFIGURATIONS[config], bench) == (tests, 0)
