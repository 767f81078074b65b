"""RTL against model, every output in every cycle."""

import pytest

from postern import Model
from postern_sim.lockstep import Episode, Mismatch, crossings, kill_crossings, run_episode
from postern_sim.soak import CONFIGURATIONS
from postern_spec.regmap import Count, counts

pytestmark = pytest.mark.sim

CYCLES = 170_000
"""Compared on each of the configurations below: over a million together."""


def _missing(names: list[str], wanted: set[str], least: int, *, deadly: bool | None = None) -> set[str]:
    """Run episodes for ``least`` cycles, up to five times that while something wanted is missing; return what is."""
    total = Episode()
    seed = 0
    while total.cycles < least or (wanted - set(total.coverage) and total.cycles < 5 * least):
        for name in names:
            total.add(run_episode(CONFIGURATIONS[name], seed, deadly=deadly))
        seed += 1
    return wanted - set(total.coverage)


# What has to come up at least once where the configuration has it, or the programs got nowhere.
EVERYWHERE = {
    "commit ACCEPTED", "commit DENIED", "commit TORN", "commit NO_CREDIT", "pop POPPED", "pop STALE", "no message",
    "message of 1 words", "read NONE", "write NONE", "write DENIED", "write PARTIAL", "write DIRECTION",
    "read DIRECTION", "port reset", "block reset",
}  # fmt: skip
MANAGED = {"commit PEER_GONE", "write CLOSED", "read CLOSED", "write BAD_VALUE"}


@pytest.mark.parametrize("name", ["small", "default", "mixed", "wishbone", "resident", "secure", "bursts", "apb"])
def test_rtl_is_the_model(name):
    wanted = EVERYWHERE if name == "small" else EVERYWHERE | MANAGED
    assert _missing([name], wanted, CYCLES) == set()


WITH_BLOCKS = ["blocks", "banks", "quota", "doubles"]
BLOCKS = {"commit BAD_BLOCK", "read BLOCK", "write BLOCK", "read UNMAPPED", "write UNMAPPED", "scrubbed"}


def test_blocks_of_rtl_and_model_are_the_same_in_every_crossing():
    """Every operation, on a block in every state, by everybody, while its rights change and while they do not."""
    counters = {f"COUNT_{item.name} not zero" for item in counts(CONFIGURATIONS["blocks"])}
    wanted = crossings() | EVERYWHERE | MANAGED | BLOCKS | counters
    assert _missing(WITH_BLOCKS, wanted, 2 * len(WITH_BLOCKS) * CYCLES) == set()


class Forgetful(Model):
    """A model that forgets to count one thing, or with ``None`` to clear."""

    forgets: Count | None = None

    def _count(self, vm, what, value=0):
        if what is not self.forgets:
            super()._count(vm, what, value)

    def waited(self, vm, cycles):
        if self.forgets is not Count.WAITED:
            super().waited(vm, cycles)


@pytest.mark.parametrize("forgets", [*counts(CONFIGURATIONS["blocks"]), None])
def test_a_wrong_counter_is_noticed(forgets):
    config = CONFIGURATIONS["blocks"]
    model = Forgetful(config, stepped_open=True, stepped_scrub=True, stepped_counts=True)
    model.forgets = forgets

    def soak():
        for seed in range(30):
            run_episode(config, seed, model=model)

    with pytest.raises(Mismatch, match=r"read 0x\w+ manager COUNT_"):
        soak()


@pytest.mark.parametrize(
    ("name", "seed", "deadly"),
    [
        ("apb", 20, False),  # a read waits for the way of a refused one while its tag comes to mean a VM
        ("banks", 19, False),  # the programs end in the last cycle of a chunk
        ("doubles", 3, True),  # a burst that wraps is moved to another block
    ],
)
def test_episodes_that_once_failed(name, seed, deadly):
    assert run_episode(CONFIGURATIONS[name], seed, deadly=deadly).cycles > 0


DEADLY = ["blocks", "banks", "doubles"]


def test_kills_on_rtl_and_model_are_the_same_in_every_crossing():
    """VMs killed in every state, while they do anything, with anything of blocks, and others at that before it goes."""
    wanted = set().union(*(kill_crossings(CONFIGURATIONS[name]) for name in DEADLY))
    assert _missing(DEADLY, wanted, 8 * CYCLES, deadly=True) == set()


@pytest.mark.parametrize("name", ["mixed", "wishbone", "secure", "apb"])
def test_kills_without_blocks(name):
    wanted = {"KILL / OPEN / mail", "KILL / OPEN / no mail", "KILL / while another is torn down", "OPEN / the dead"}
    assert _missing([name], wanted, CYCLES, deadly=True) == set()


def test_an_episode_comes_again():
    first, second = (run_episode(CONFIGURATIONS["small"], 7, length=500) for _ in range(2))
    assert first == second
