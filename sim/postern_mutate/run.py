"""Mutation testing: python -m postern_mutate.run

Every mutant is run in lockstep with the model until an episode notices it. One proof sorts out most of those that are
no other hardware; the rest runs in more episodes, is attacked from all ports at once, is shown to the properties of
``make prove``, and is then compared with the original one by one. What is neither noticed nor equivalent is a hole in
the tests. Interrupted, it goes on where it was. What is left needs a reason in ``docs/survivors.toml``; the full form
fails where one has none, or where a reason has nothing left to explain.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import postern
import postern_sim
from postern_sim import build
from postern_sim.coverage import explain, explanations, source_text
from postern_sim.lockstep import Mismatch
from postern_spec.config import Config, load

from . import equivalence, netlist, proofs
from .hunt import Kill, hunt, rush
from .netlist import Mutant

__all__ = ["SURVIVORS", "TARGETS", "Campaign", "Survivor", "Target", "main", "report"]

SURVIVORS = Path(__file__).resolve().parents[2] / "docs" / "survivors.toml"
"""Reasons for mutants that nothing notices."""

# Files that decide who may do what: the guard and the tagger, arbiters, credits, and ownership.
_PROTECTION = (
    "identity.py", "faults.py", "arbiter.py", "queue.py", "directory.py", "blocks.py", "sram.py", "write_engine.py",
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """What is mutated.

    Parameters
    ----------
    source : str
        Preset or TOML file.
    mutants, short : int
        How many mutants, and how many of them in the short form.
    files : tuple of str
        Files of the hardware that they are taken from; empty for all.
    near : int or None
        How many registers the common proofs look at: see ``equivalence.together``.
    """

    source: str
    mutants: int
    short: int
    files: tuple[str, ...] = ()
    near: int | None = None


TARGETS = (Target("small", 3000, 240), Target("default", 2000, 80, _PROTECTION, 300))
"""The campaigns of ``make mutate``."""


@dataclass(frozen=True, order=True)
class Survivor:
    """Mutants that are neither noticed nor equivalent, alike but for the cell and its bit.

    Parameters
    ----------
    config : str
        Of the campaign.
    source, part, port, mode : str
        As ``Mutant`` has them.
    status : str
        ``undecided`` or ``surviving``.
    """

    config: str
    source: str
    part: str
    port: str
    mode: str
    status: str


Episodes = Sequence[tuple[int, int]]
"""Seeds and lengths."""

FIRST: Episodes = ((0, 200), (1, 1000))
"""Episodes for every mutant, until one notices it: most die in the first."""

MORE: Episodes = tuple((seed, 3000) for seed in (2, 4, 3, *range(5, 17)))
"""Episodes for mutants that are not equivalent at first sight; the second is full of port resets."""


RUSH, SHORT_RUSH = (12, 200), (2, 100)
"""Attacks of all ports at once, and their length, for mutants that no episode notices."""


class Campaign:
    """The mutants of one configuration and what became of them.

    Parameters
    ----------
    name : str
        For people.
    config : Config
        The block.
    mutants : list of Mutant
        Numbered from 1.
    jobs : int
        Processes.
    keep : bool
        Go on where an earlier run was, and let a later one do so.

    Attributes
    ----------
    kills : dict of int to Kill
        How mutants were noticed.
    visible : set of int
        Mutants that did something else than the original in an episode, which the model allowed.
    late : dict of int to str
        Waits that are longer than promised, of mutants that no episode noticed.
    refuted : dict of int to str
        Properties of ``make prove`` that refute mutants that nothing before noticed.
    verdicts : dict of int to str
        What was proven of the mutants that are left.
    """

    def __init__(self, name: str, config: Config, mutants: list[Mutant], jobs: int, *, keep: bool = True):
        self.name = name
        self.config = config
        self.mutants = mutants
        self.jobs = jobs
        self.kills: dict[int, Kill] = {}
        self.visible: set[int] = set()
        self.late: dict[int, str] = {}
        self.refuted: dict[int, str] = {}
        self.verdicts: dict[int, str] = {}
        self._keeps = keep
        self._ran: set[str] = set()
        self._said = time.monotonic()
        self.text = netlist.mutated(config, mutants)
        build.library(config, probe=True, text=self.text, mutants=True)
        # Anything that decides what an episode does, or what is noticed, makes earlier results void.
        code = [path.read_bytes() for path in _code()]
        self._memory = build.build_folder() / "mutate" / f"{config.name}-{build.digest(self.text, *code)}.json"
        self._remember()

    @property
    def alive(self) -> list[int]:
        """Numbers of the mutants that are neither noticed nor equivalent."""
        numbers = range(1, len(self.mutants) + 1)
        same = equivalence.EQUIVALENT
        noticed = {*self.kills, *self.late, *self.refuted}
        return [number for number in numbers if number not in noticed and self.verdicts.get(number) != same]

    @property
    def _silent(self) -> list[int]:
        """Numbers of the mutants that are alive and never did anything else than the original."""
        return [number for number in self.alive if number not in self.visible]

    def lockstep(self, episodes: Episodes) -> None:
        """Run episodes on the mutants that are alive."""
        for seed, length in episodes:
            alive = self.alive
            key = f"{seed}/{length}"
            if key in self._ran:
                continue
            found = hunt(self.config, self.text, alive, seed=seed, length=length, jobs=self.jobs)
            for done, (number, visible, kill) in enumerate(found, 1):
                if visible:
                    self.visible.add(number)
                if kill:
                    self.kills[number] = kill
                self._say(f"episode {seed}: {done:,} of {len(alive):,} mutants, {len(self.kills):,} noticed so far")
            self._ran.add(key)
            self._keep()

    def rush(self, attacks: int, count: int) -> None:
        """Attack the mutants that are alive from all ports at once."""
        key = f"rush {attacks}/{count}"
        if key in self._ran:
            return
        alive = self.alive
        found = rush(self.config, self.text, alive, attacks=attacks, count=count, jobs=self.jobs)
        for done, (number, why) in enumerate(found, 1):
            if why:
                self.late[number] = why
            self._say(f"attacks: {done:,} of {len(alive):,} mutants, {len(self.late):,} too late so far")
        self._ran.add(key)
        self._keep()

    def prove(self, seconds: float) -> None:
        """Ask the properties of ``make prove`` about the mutants that are alive."""
        if "proofs" in self._ran:
            return
        mutants = {number: self.mutants[number - 1] for number in self.alive}
        for done, (number, item) in enumerate(proofs.refute(self.config, mutants, seconds=seconds, jobs=self.jobs), 1):
            if item:
                self.refuted[number] = item
            self._say(f"properties: {done:,} of {len(mutants):,} mutants, {len(self.refuted):,} refuted so far")
        self._ran.add("proofs")
        self._keep()

    def compare_together(self, depth: int, near: int | None, seconds: float) -> None:
        """Sort out what is equivalent, a proof for many at once."""
        key = f"together {depth}"
        if key in self._ran:
            return
        mutants = {number: self.mutants[number - 1] for number in self._silent}
        done = 0
        proofs_done = equivalence.together(
            self.config, mutants, depth=depth, near=near, seconds=seconds, jobs=self.jobs
        )
        for numbers, same in proofs_done:
            done += len(numbers)
            self.verdicts |= dict.fromkeys(same, equivalence.EQUIVALENT)
            self._say(f"common proofs: {done:,} of {len(mutants):,} mutants, {len(self.verdicts):,} equivalent so far")
        self._ran.add(key)
        self._keep()

    def compare(self, seconds: float) -> None:
        """Compare each mutant that is alive, and never did anything else, with the original."""
        mutants = {number: self.mutants[number - 1] for number in self._silent if number not in self.verdicts}
        found = equivalence.alone(self.config, mutants, seconds=seconds, jobs=self.jobs)
        for done, (number, verdict) in enumerate(found, 1):
            self.verdicts[number] = verdict
            same = sum(verdict == equivalence.EQUIVALENT for verdict in self.verdicts.values())
            if self._say(f"proof: {done:,} of {len(mutants):,} mutants, {same:,} equivalent so far"):
                self._keep()
        self._keep()

    def status(self, number: int) -> str:
        """Return ``killed``, ``equivalent``, ``surviving`` or ``undecided``."""
        if number in self.kills or number in self.late or number in self.refuted:
            return "killed"
        verdict = self.verdicts.get(number, equivalence.UNDECIDED)
        if verdict == equivalence.UNDECIDED:
            return "surviving" if number in self.visible else "undecided"
        return "equivalent" if verdict == equivalence.EQUIVALENT else "surviving"

    def counts(self) -> dict[str, int]:
        """Return how many mutants there are of each status."""
        found = Counter(self.status(number) for number in range(1, len(self.mutants) + 1))
        names = ("killed", "equivalent", "undecided", "surviving")
        return {"mutants": len(self.mutants), **{name: found[name] for name in names}}

    def kills_by(self) -> dict[str, int]:
        """Return how many mutants lockstep noticed, how many the waits of attacks, and how many each property."""
        by = Counter(item.partition(",")[0] for item in self.refuted.values())
        return {"lockstep": len(self.kills), "waits": len(self.late), **dict(sorted(by.items()))}

    def holes(self) -> list[dict[str, Any]]:
        """Return the mutants that are neither noticed nor equivalent, by source line."""
        left = [(self.mutants[number - 1], self.status(number), number in self.visible) for number in self.alive]
        return [
            {"config": self.name, "status": status, "visible": visible, **asdict(mutant)}
            for mutant, status, visible in sorted(left, key=lambda item: (item[0].source, item[0].cell, item[0].mode))
        ]

    # Between runs

    def _say(self, text: str) -> bool:
        now = time.monotonic()
        if now - self._said < 2:
            return False
        self._said = now
        print(f"mutate: {self.name}, {text}", file=sys.stderr, flush=True)
        return True

    def _keep(self) -> None:
        if not self._keeps:
            return
        found = {
            "kills": {number: asdict(kill) for number, kill in sorted(self.kills.items())},
            "visible": sorted(self.visible),
            "late": dict(sorted(self.late.items())),
            "refuted": dict(sorted(self.refuted.items())),
            "verdicts": dict(sorted(self.verdicts.items())),
            "ran": sorted(self._ran),
        }
        build.replace(self._memory, json.dumps(found))

    def _remember(self) -> None:
        if self._keeps and self._memory.exists():
            found = json.loads(self._memory.read_text())
            self.kills = {int(number): Kill(**kill) for number, kill in found["kills"].items()}
            self.visible = set(found["visible"])
            self.late = {int(number): why for number, why in found["late"].items()}
            self.refuted = {int(number): item for number, item in found["refuted"].items()}
            self.verdicts = {int(number): verdict for number, verdict in found["verdicts"].items()}
            self._ran = set(found["ran"])


def _code() -> list[Path]:
    folders = [Path(package.__file__ or "").parent for package in (postern, postern_sim)]
    return [
        *(path for folder in folders for path in sorted(folder.rglob("*.py"))),
        build.SHIM,
        Path(__file__).with_name("hunt.py"),
    ]


def _survivor(hole: dict[str, Any]) -> Survivor:
    return Survivor(**{name: hole[name] for name in ("config", "source", "part", "port", "mode", "status")})


def report(campaigns: Sequence[Campaign], reasons: dict[Survivor, str]) -> str:
    """Return the result for people: a table, then what is left with its source lines and why that is no hole."""
    rows = [["", "mutants", "killed", "equivalent", "undecided", "surviving"]]
    rows += [[campaign.name, *(f"{count:,}" for count in campaign.counts().values())] for campaign in campaigns]
    out = ["  ".join(f"{cell:>10}" for cell in row) for row in rows]
    for campaign in campaigns:
        place = ""
        for hole in campaign.holes():
            if hole["source"] != place:
                place, reason = hole["source"], ""
                out += ["", f"{campaign.name}, {place}: {source_text(place)}"]
            note = ", does something else" if hole["visible"] else ""
            pin = f"{hole['port']}[{hole['bit']}] of {hole['part'] or 'top'} {hole['cell'].rpartition('.')[2]}"
            why = reasons.get(_survivor(hole), "not explained")
            if why != reason:
                reason = why
                out.append(f"  {reason}:")
            out.append(f"    {hole['status']:10} {hole['mode']:6} {pin}{note}")
    return "\n".join(out)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m postern_mutate.run", description="Mutation testing.")
    parser.add_argument("--short", action="store_true", help="fewer mutants and episodes, for CI")
    parser.add_argument("--config", action="append", help=f"only {' or '.join(t.source for t in TARGETS)}")
    parser.add_argument("--mutants", type=int, help="so many of each configuration")
    parser.add_argument("--episodes", type=int, default=len(MORE), help=f"more of them for what is left ({len(MORE)})")
    parser.add_argument(
        "--seconds", type=float, default=10, help="of processor time, for the proof of each mutant (10)"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("-o", "--output", type=Path, help="where to write (build/mutation.json)")
    options = parser.parse_args(arguments)
    chosen = [target for target in TARGETS if options.config is None or target.source in options.config]
    start = time.monotonic()
    campaigns = []
    try:
        known = explanations(SURVIVORS, table="survivor", kind=Survivor)
        for target in chosen:
            config = load(target.source)
            count = options.mutants or (target.short if options.short else target.mutants)
            mutants = netlist.choose(config, count, files=target.files)
            campaign = Campaign(target.source, config, mutants, options.jobs)
            campaign.lockstep(FIRST)
            campaign.compare_together(0, target.near, 60)
            if not options.short:
                campaign.lockstep(MORE[: options.episodes])
            campaign.rush(*(SHORT_RUSH if options.short else RUSH))
            campaign.compare_together(1, target.near, 120)
            campaign.prove(min(options.seconds, 10))
            campaign.compare(min(options.seconds, 5) if options.short else options.seconds)
            campaigns.append(campaign)
    except (ValueError, build.BuildError, Mismatch) as error:
        print(error, file=sys.stderr)
        return 1
    holes = [hole for campaign in campaigns for hole in campaign.holes()]
    explained, without, unused = explain({_survivor(hole) for hole in holes}, known)
    reasons = {survivor: one.reason for one, covered in explained for survivor in covered}
    print(report(campaigns, reasons))
    path = options.output or build.build_folder() / "mutation.json"
    result = {
        "form": "short" if options.short else "full",
        "seconds": round(time.monotonic() - start),
        "configs": {campaign.name: {**campaign.counts(), "killed_by": campaign.kills_by()} for campaign in campaigns},
        "survivors": [hole | {"reason": reasons.get(_survivor(hole))} for hole in holes],
    }
    build.replace(path, json.dumps(result, indent=1) + "\n")
    print(f"mutate: {path} written after {time.monotonic() - start:.0f} s")
    print(f"mutate: {len(holes):,} left, {sum(_survivor(hole) not in reasons for hole in holes):,} without a reason")
    if options.short or options.config or options.mutants or options.episodes < len(MORE):
        return 0
    # The full form is known one by one; a reason that explains nothing has had its time.
    for one in unused:
        print(f"mutate: reason must explain a survivor, not none: {one.reason}", file=sys.stderr)
    return 1 if without or unused else 0


if __name__ == "__main__":
    sys.exit(main())
