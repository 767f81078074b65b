"""Mutants: which there are, that tests notice them, that proofs know equivalent ones, that holes are reported."""

import json

import pytest

from postern_mutate import equivalence, netlist, proofs, run
from postern_mutate.hunt import hunt, rush
from postern_sim import lockstep
from postern_sim.coverage import source_text
from postern_sim.soak import CONFIGURATIONS

pytestmark = [pytest.mark.formal, pytest.mark.sim]

CONFIG = CONFIGURATIONS["tiny"]
COUNT = 120
JOBS = 2


@pytest.fixture(scope="module")
def mutants():
    return netlist.choose(CONFIG, COUNT)


@pytest.fixture(scope="module")
def text(mutants):
    return netlist.mutated(CONFIG, mutants)


@pytest.fixture(scope="module")
def kills(text):
    """How the mutants of the first two episodes were noticed, by number."""
    found, alive = {}, list(range(1, COUNT + 1))
    for seed in range(2):
        for number, _, kill in hunt(CONFIG, text, alive, seed=seed, length=600, jobs=JOBS):
            if kill:
                found[number] = kill
        alive = [number for number in alive if number not in found]
    return found


def test_mutants_are_the_same_every_time_and_spread_over_the_lines(mutants):
    assert mutants == netlist.choose(CONFIG, COUNT)
    assert len(set(mutants)) == COUNT
    assert len({mutant.source for mutant in mutants}) > COUNT / 2
    assert all(mutant.source.startswith("hw/postern_hw") for mutant in mutants)
    assert {mutant.mode for mutant in mutants} == set(netlist.MODES)


def test_mutants_can_be_taken_from_some_files_only():
    chosen = netlist.choose(CONFIG, 40, files=("queue.py", "arbiter.py"))
    assert {mutant.source.partition(":")[0] for mutant in chosen} == {
        "hw/postern_hw/queue.py",
        "hw/postern_hw/arbiter.py",
    }


def test_more_mutants_than_the_control_input_can_name_are_refused(mutants):
    with pytest.raises(ValueError, match=r"^number of mutants must be below 65536, not 65640$"):
        netlist.mutated(CONFIG, mutants * 547)


def test_most_mutants_are_noticed_and_every_kill_says_why(kills):
    assert len(kills) > COUNT / 2
    assert all(kill.why.startswith("cycle ") for kill in kills.values())


def test_a_mutant_that_hangs_the_bus_is_noticed_by_its_time_limit(kills):
    assert any("in time" in kill.why for kill in kills.values())


def test_an_attack_notices_what_only_comes_later():
    """A port that takes the long way does all that the model says, but a staged word then takes longer than alone."""
    slow = [
        mutant
        for mutant in netlist.choose(CONFIG, 10_000, files=("port.py",))
        if mutant.part == "port_0"
        and mutant.port == "D"
        and mutant.mode == "const1"
        and "diverted" in source_text(mutant.source)
    ]
    late = dict(rush(CONFIG, netlist.mutated(CONFIG, slow), [1, 2], attacks=1, count=50, jobs=JOBS))
    # The long way of a staged word is longer, that of a payload read is not.
    assert sorted(late.values()) == ["", "staged word must take 1 cycles undisturbed, not 4"]


def test_a_property_refutes_an_arbiter_that_is_not_fair():
    """A line that never moves is seen by no program that gets on, but by the proof of bounded waiting."""
    unfair = [
        mutant
        for mutant in netlist.choose(CONFIG, 10_000, files=("arbiter.py",))
        if mutant.part == "write_engine.arbiter" and mutant.port == "D" and mutant.mode != "inv"
    ]
    assert unfair
    refuted = dict(proofs.refute(CONFIG, dict(enumerate(unfair[:2])), seconds=20, jobs=JOBS))
    assert all(item.startswith("arbiter-wait") for item in refuted.values())


def test_no_mutant_that_was_noticed_is_called_equivalent(mutants, kills):
    """And some of the others are."""
    numbered = dict(enumerate(mutants, 1))
    at_first_sight = [
        number
        for depth in (0, 1)
        for _, same in equivalence.together(CONFIG, numbered, depth=depth, seconds=300, jobs=JOBS)
        for number in same
    ]
    assert at_first_sight
    assert not set(at_first_sight) & set(kills)
    some = {number: mutant for number, mutant in numbered.items() if number in (*at_first_sight[:3], *list(kills)[:12])}
    verdicts = dict(equivalence.alone(CONFIG, some, seconds=5, jobs=JOBS))
    assert set(verdicts) == set(some)
    assert all(verdicts[number] == equivalence.EQUIVALENT for number in at_first_sight[:3])
    assert equivalence.EQUIVALENT not in {verdicts[number] for number in list(kills)[:12]}


def test_what_is_left_needs_a_reason(monkeypatch, tmp_path, capsys):
    """The full form fails where a survivor has no reason, or a reason no survivor."""
    blind = run.Survivor("small", "hw/postern_hw/port.py:1", "port_0", "A", "inv", "surviving")
    hole = {**vars(blind), "cell": "$1", "bit": 0, "visible": True}
    monkeypatch.setattr(run, "TARGETS", (run.Target("small", 1, 1),))
    monkeypatch.setattr(run, "load", lambda source: CONFIG)
    monkeypatch.setattr(run.Campaign, "holes", lambda self: [hole])
    for step in ("lockstep", "compare_together", "rush", "prove", "compare"):
        monkeypatch.setattr(run.Campaign, step, lambda self, *_: None)
    reasons = tmp_path / "survivors.toml"
    monkeypatch.setattr(run, "SURVIVORS", reasons)
    path = tmp_path / "mutation.json"
    entry = '[[survivor]]\nreason = "because"\npart = "port_0"\n'
    for text, code in (("survivor = []\n", 1), (entry, 0), (entry + '[[survivor]]\nreason = "old"\nmode = "x"\n', 1)):
        reasons.write_text(text)
        assert run.main(["-o", str(path)]) == code
        assert json.loads(path.read_text())["survivors"][0]["reason"] == (
            "because" if text != "survivor = []\n" else None
        )
    assert "reason must explain a survivor, not none: old" in capsys.readouterr().err


def test_blind_tests_leave_survivors_that_are_reported(mutants, kills, monkeypatch):
    few = [mutants[number - 1] for number in list(kills)[:4]]
    monkeypatch.setattr(lockstep.Scoreboard, "replay", lambda self, events, end: None)
    monkeypatch.setattr(lockstep.Plan, "check", lambda self, board, events, cycle, failure: None)
    campaign = run.Campaign("blind", CONFIG, few, JOBS, keep=False)
    campaign.lockstep(((0, 200),))
    campaign.compare(2)
    assert campaign.counts() == {"mutants": 4, "killed": 0, "equivalent": 0, "undecided": 0, "surviving": 4}
    shown = run.report([campaign], {})
    for mutant, hole in zip(sorted(few, key=lambda m: (m.source, m.cell, m.mode)), campaign.holes(), strict=True):
        assert f"blind, {mutant.source}: " in shown
        assert hole["status"] == "surviving"
        assert {key: hole[key] for key in ("source", "cell", "port", "mode")} == {
            "source": mutant.source, "cell": mutant.cell, "port": mutant.port, "mode": mutant.mode,
        }  # fmt: skip


def test_the_command_writes_its_result_and_goes_on_where_it_was(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(run, "TARGETS", (run.Target("small", 12, 6),))
    monkeypatch.setattr(run, "load", lambda source: CONFIG)
    path = tmp_path / "mutation.json"
    assert run.main(["--short", "--jobs", "2", "-o", str(path)]) == 0
    first = json.loads(path.read_text())
    counts = first["configs"]["small"]
    assert counts["mutants"] == 6
    assert sum(counts[name] for name in ("killed", "equivalent", "undecided", "surviving")) == 6
    assert sum(counts["killed_by"].values()) == counts["killed"]
    monkeypatch.setattr(run, "hunt", None)  # nothing is left to do
    assert run.main(["--short", "--jobs", "2", "-o", str(path)]) == 0
    assert json.loads(path.read_text())["configs"] == first["configs"]
    assert "small" in capsys.readouterr().out
