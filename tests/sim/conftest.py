"""What the tests in simulation share."""

import pytest

from postern_sim.rtl import Rtl
from postern_sim.soak import CONFIGURATIONS
from postern_spec.regmap import guest_page


@pytest.fixture
def small():
    """Return the preset ``small`` in Verilator, the build that lockstep uses too."""
    with Rtl(CONFIGURATIONS["small"], probe=True) as rtl:
        rtl.page = guest_page(rtl.config)
        yield rtl
