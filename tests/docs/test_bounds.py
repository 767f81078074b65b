"""The waits that docs/theory_of_operation.md derives: its table, and the hardware under attack of all ports."""

import random
import re
from collections import Counter
from pathlib import Path

import pytest

from postern_sim.rtl import Request, Rtl
from postern_sim.waits import attack
from postern_spec.config import Config, preset
from postern_spec.regmap import Command, address_map, guest_page, manager_page
from postern_spec.sizes import kill_cycles, kill_steps, longest_waits, write_cycles

PAGE = Path(__file__).resolve().parents[2] / "docs" / "theory_of_operation.md"


def sram_bounds(c: Config) -> dict[str, int]:
    """The same for accesses of the SRAM."""
    ports, register = len(c.ports), c.request_register
    return {
        "write of SRAM": register + 3 + (ports - 1) + -(-ports // 7) + 2,
        "read of SRAM": register + 1 + (ports - 1) + 3,
    }


def opening(c: Config) -> int:
    """Cycles that an opening adds to an access of the manager page, at most."""
    return 3 + (max(c.vms, c.lanes) + 1) * (write_cycles(c) * len(c.ports) + 2)


def test_the_table_has_the_derived_figures():
    rows = re.findall(r"^\| ([A-Za-z ,]+) \|(.*)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    table = {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}
    presets = [preset(name) for name in ("small", "default", "large")]
    for kind in longest_waits(presets[0]):
        assert table[kind] == [str(longest_waits(c)[kind]) for c in presets]
    for kind in sram_bounds(presets[1]):
        assert table[kind] == ["none", *(str(sram_bounds(c)[kind]) for c in presets[1:])]
    assert table["tearing down after a kill"] == ["none", *(str(kill_cycles(c)) for c in presets[1:])]
    assert table["manager page during an opening, added"] == ["none", *(str(opening(c)) for c in presets[1:])]


@pytest.mark.sim
@pytest.mark.parametrize(
    "c",
    [
        preset("small"),
        preset("default").replace(open_at_reset=True),
        preset("default").replace(strict=True, open_at_reset=True),
    ],
    ids=["small", "default", "strict"],
)
def test_attacks_stay_within_the_bounds(c: Config):
    longest: Counter[str] = Counter()
    for seed in range(60):
        longest |= attack(c, seed)
    for kind, bound in longest_waits(c).items():
        assert bound - 3 <= longest[kind] <= bound, f"{kind} must take up to {bound} cycles, not {longest[kind]}"
    assert longest["other read"] == longest_waits(c)["other read"], "the attack must reach the worst case of a read"


@pytest.mark.sim
def test_attacks_on_one_bank_stay_within_the_bounds():
    """All ports at one bank, each in its own block, with writes of registers in between, while blocks are scrubbed."""
    c = preset("default").replace(open_at_reset=True, block_quota=4)
    page, chance = guest_page(c), random.Random(1)
    base, step, rows = address_map(c, 0).sram_base, 4 * c.banks, c.block_size // (4 * c.banks)
    assert base is not None
    longest: Counter[str] = Counter()
    with Rtl(c) as rtl:
        rtl.step(1000)
        queues = []
        for port in range(len(c.ports)):
            block = page.ALLOC.BLOCK.get(rtl.read(port, page.ALLOC.at(), tag=port)[0])
            kinds = chance.choices(["write of SRAM", "read of SRAM", "other"], [4, 4, 1], k=4000)
            place = base + block * c.block_size
            queues.append(
                [
                    (kind, Request(page.ACK.at(0), 1, True, tag=port))
                    if kind == "other"
                    else (kind, Request(place + step * (at % rows), at, kind == "write of SRAM", tag=port))
                    for at, kind in enumerate(kinds)
                ]
            )
        for port, queue in enumerate(queues):
            rtl.issue(port, [wanted for _, wanted in queue])
        rtl.run()
        for port, queue in enumerate(queues):
            for (kind, _), done in zip(queue, rtl.done(port)[-len(queue) :], strict=True):
                longest[kind] = max(longest[kind], done.answered - done.accepted)
    for kind, bound in sram_bounds(c).items():
        assert bound - 3 <= longest[kind] <= bound, f"{kind} must take up to {bound} cycles, not {longest[kind]}"


@pytest.mark.sim
def test_an_opening_holds_the_manager_up_for_its_steps():
    c = preset("default")
    manager, base = manager_page(c), address_map(c, 0).manager_base
    assert base is not None
    steps = max(c.vms, c.lanes) + 1
    with Rtl(c) as rtl:
        rtl.step(100)
        rtl.issue(0, [Request(base + manager.CONTROL.at(1), Command.OPEN, True), Request(base + manager.DRAIN.at())])
        rtl.run()
        opened, drained = rtl.done(0)
        # Both are accepted in the same cycle or nearly so; DRAIN also waits for the write.
        assert 2 * steps < drained.answered - opened.answered <= opening(c)
        word, _ = rtl.read(0, base + manager.CONTROL.at(1))
    assert manager.CONTROL.STATE.get(word) == 1


@pytest.mark.sim
@pytest.mark.parametrize("attacked", [False, True])
def test_a_killed_vm_is_torn_down_in_the_published_time(attacked: bool):
    """VM 7, whose queue is full, while three ports write and the manager at the fourth asks whether it is done."""
    c = preset("default").replace(open_at_reset=True, credits=2, block_quota=1)
    page, manager, base = guest_page(c), manager_page(c), address_map(c, 0).manager_base
    assert base is not None
    control, victim, others = base + manager.CONTROL.at(7), 7, range(1, len(c.ports))
    with Rtl(c) as rtl:
        rtl.step(1000)
        for sender in range(7):
            for _ in range(2):
                rtl.write(0, page.COMMIT.at(0, 0, 0, victim), 1, tag=sender)
        if attacked:
            for port in others:
                rtl.issue(port, [Request(page.ACK.at(0), 1, True, tag=port)] * 2000)
            rtl.step(50)
        rtl.issue(0, [Request(control, Command.KILL, True)])
        rtl.issue(0, [Request(control, fence=True) for _ in range(1500)])
        rtl.run()
        kill, *asked = rtl.done(0)[-1501:]
        served = [rtl.done(port)[-1].answered for port in others if attacked]
    words = [manager.CONTROL.KILLING.get(done.data) for done in asked]
    assert words[0] == 1
    assert words == sorted(words, reverse=True)
    end = asked[words.index(0)]
    took = end.answered - kill.answered
    assert took <= kill_cycles(c) + longest_waits(c)["other read"]
    if attacked:
        assert end.answered < min(served), "the ports must write until it is done"
        assert took > kill_cycles(c) / 2, "the attack must come near to what is published"
    else:
        assert 3 * kill_steps(c) <= took <= 3 * kill_steps(c) + 30


@pytest.mark.sim
def test_writes_of_guests_to_the_manager_page_do_not_hold_the_manager_up():
    c = preset("default").replace(open_at_reset=True)
    manager, base = manager_page(c), address_map(c, 0).manager_base
    assert base is not None
    epoch = base + manager.EPOCH.at()
    guests = range(1, len(c.ports))
    with Rtl(c) as rtl:
        rtl.step(100)
        for port in guests:
            rtl.issue(port, [Request(epoch, 0xBAD, True, tag=port)] * 600)
        rtl.issue(0, [Request(epoch, index // 2, index % 2 == 0, fence=True) for index in range(100)])
        rtl.run()
        served = rtl.done(0)
        last = min(rtl.done(port)[-1].answered for port in guests)
    assert served[-1].answered < last, "the guests must write until the manager is done"
    assert [done.data for done in served[1::2]] == list(range(50))
    assert max(done.answered - done.accepted for done in served[::2]) <= longest_waits(c)["other write"]
    assert max(done.answered - done.accepted for done in served[1::2]) <= longest_waits(c)["other read"]
