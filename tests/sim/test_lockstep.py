"""RTL against model, every output in every cycle."""

import pytest

from postern_sim.lockstep import Episode, run_episode
from postern_sim.soak import CONFIGURATIONS

pytestmark = pytest.mark.sim

CYCLES = 170_000
"""Compared on each of the configurations below: over a million together."""

# What has to come up at least once where the configuration has it, or the programs got nowhere.
EVERYWHERE = {
    "commit ACCEPTED", "commit DENIED", "commit TORN", "commit NO_CREDIT", "pop POPPED", "pop STALE", "no message",
    "message of 1 words", "read NONE", "write NONE", "write DENIED", "write PARTIAL", "write DIRECTION",
    "read DIRECTION", "port reset", "block reset",
}  # fmt: skip
MANAGED = {"commit PEER_GONE", "write CLOSED", "read CLOSED", "write BAD_VALUE"}


@pytest.mark.parametrize("name", ["small", "default", "mixed", "wishbone", "resident", "secure", "bursts", "apb"])
def test_rtl_is_the_model(name):
    total = Episode()
    seed = 0
    while total.cycles < CYCLES:
        total.add(run_episode(CONFIGURATIONS[name], seed))
        seed += 1
    wanted = EVERYWHERE if name == "small" else EVERYWHERE | MANAGED
    assert wanted <= set(total.coverage)


def test_an_episode_comes_again():
    first, second = (run_episode(CONFIGURATIONS["small"], 7, length=500) for _ in range(2))
    assert first == second
