"""Coverage: which lines, bits and terms of the generated Verilog the lockstep tests use, and which outcomes they see.

python -m postern_sim.coverage           writes build/coverage.md and build/coverage.json
python -m postern_sim.coverage --short   fewer configurations and episodes, for CI
"""

import argparse
import dataclasses
import json
import os
import re
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol, TypeVar

import postern_hw
from postern_spec.config import Config

from . import build
from .lockstep import Mismatch, Plan, crossings
from .soak import CONFIGURATIONS

__all__ = [
    "EXPLANATIONS",
    "Explanation",
    "Hole",
    "Point",
    "explain",
    "explanations",
    "holes",
    "main",
    "parse",
    "points",
    "source_text",
]

KINDS = {"v_line": "line", "v_branch": "line", "v_toggle": "toggle", "v_expr": "expression"}
"""Pages of Verilator's file and what they count."""

EXPLANATIONS = Path(__file__).resolve().parents[2] / "docs" / "coverage.toml"

SHORT = {"small": 16}
FULL = {"small": 30, "default": 20, "mixed": 10, "apb": 10, "bursts": 10, "blocks": 10, "doubles": 10}
"""Episodes of each configuration."""

LENGTH = 3000


@dataclass(frozen=True, order=True)
class Point:
    """Something that Verilator counts.

    Parameters
    ----------
    part : str
        Where it is in the hierarchy, without numbers: all ports are one part.
    kind : str
        ``line``, ``toggle`` or ``expression``.
    source : str
        The line of the Python source that it was made from, where that is known.
    what : str
        Which branch, bit and edge, or values of terms.
    line : int
        Line of the Verilog; distinguishes what is otherwise the same.
    """

    part: str
    kind: str
    source: str
    what: str
    line: int


@dataclass(frozen=True, order=True)
class Hole:
    """Points that were never counted, alike but for the bit, the edge and the number of the part."""

    config: str
    part: str
    kind: str
    source: str
    what: str


class Found(Protocol):
    """What is explained: a data class with text in all of its fields."""

    @property
    def source(self) -> str:
        """The line of the Python source that it was made from."""


@dataclass(frozen=True)
class Explanation:
    """Why holes of some kind are none.

    Parameters
    ----------
    reason : str
        A sentence.
    patterns : dict of str to str
        Regular expressions that the fields of a hole match wholly. ``text`` is the text of its source line.
    """

    reason: str
    patterns: Mapping[str, str]

    def covers(self, hole: Found) -> bool:
        """Return whether it is about a hole."""
        fields = {**vars(hole), "text": source_text(hole.source)}
        return all(re.fullmatch(pattern, fields[name]) for name, pattern in self.patterns.items())


AnyFound = TypeVar("AnyFound", bound=Found)


@cache
def source_text(source: str) -> str:
    """Return the text of a line of the hardware's source, such as ``hw/postern_hw/queue.py:124``."""
    name, _, number = source.partition(":")
    path = Path(postern_hw.__file__ or "").parent / name.removeprefix("hw/postern_hw/")
    if not number or not path.is_file():
        return ""
    return path.read_text(encoding="utf-8").splitlines()[int(number) - 1].strip()


def explanations(path: Path = EXPLANATIONS, *, table: str = "hole", kind: type = Hole) -> list[Explanation]:
    """Read the explanations of holes.

    Parameters
    ----------
    path : Path
        The TOML file.
    table : str
        Its array of tables: each has a reason, and patterns.
    kind : type
        The data class of what is explained.

    Raises
    ------
    ValueError
        One of them has no reason, or a pattern for what holes do not have.
    """
    known = {field.name for field in dataclasses.fields(kind)} | {"text"}
    found = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))[table]:
        reason = entry.pop("reason", "")
        if not reason:
            raise ValueError(f"explanation of {table}s must have a reason, not only {entry}")
        if not entry or set(entry) - known:
            raise ValueError(f"patterns must be for {', '.join(sorted(known))}, not {', '.join(sorted(entry))}")
        found.append(Explanation(reason, entry))
    return found


def explain(
    found: Iterable[AnyFound], known: Sequence[Explanation]
) -> tuple[list[tuple[Explanation, list[AnyFound]]], list[AnyFound], list[Explanation]]:
    """Return the holes of each explanation, the holes without one, and the explanations without a hole.

    A hole belongs to the first explanation that covers it.
    """
    sorted_out: dict[int, list[AnyFound]] = {}
    without = []
    for hole in sorted(found):  # type: ignore[type-var]
        index = next((index for index, one in enumerate(known) if one.covers(hole)), None)
        if index is None:
            without.append(hole)
        else:
            sorted_out.setdefault(index, []).append(hole)
    unused = [one for index, one in enumerate(known) if index not in sorted_out]
    return [(known[index], covered) for index, covered in sorted(sorted_out.items())], without, unused


# From Verilator


def _places(text: str) -> list[str | None]:
    """Return of each line of Verilog, from 1, the Python line that it was made from.

    ``None`` is for what Yosys adds to start processes: it does nothing.
    """
    places: list[str | None] = [""]
    now = ""
    for line in text.splitlines():
        if found := re.search(r'\(\* src = "([^"]*)" \*\)', line):
            mine = re.search(r"(postern_hw/(?:\w+/)*\w+\.py:\d+)", found[1])
            now = f"hw/{mine[1]}" if mine else ""
        elif line.startswith("module "):
            now = ""
        places.append(None if r"\$auto$verilog_backend" in line else now)
    return places


def parse(data: str, places: Sequence[str | None]) -> Counter[Point]:
    """Read Verilator's ``coverage.dat``.

    Parameters
    ----------
    data : str
        The file: of each point a line ``C '...' count``, with fields that begin with \\x01 and have \\x02 behind the
        name.
    places : sequence of str
        Of each line of the Verilog, from 1, the Python line; ``None`` for lines that do not count.
    """
    counts: Counter[Point] = Counter()
    for line in data.splitlines():
        if not line.startswith("C '"):
            continue
        quoted, _, count = line[3:].rpartition("' ")
        fields = dict(field.partition("\x02")[::2] for field in quoted.split("\x01") if field)
        kind = KINDS.get(fields.get("page", "").partition("/")[0])
        if kind is None:
            continue
        number = int(fields["l"])
        place = places[number]
        if place is None:
            continue
        part = re.sub(r"(\$\d+|_\d+)+\b", "", fields.get("h", "").partition(".")[2])
        # With its column and the number of its part, so that every point is one.
        what = f"{_decoded(fields['o'])} @{fields['n']} {fields['h']}"
        counts[Point(part, kind, place, what, number)] += int(count)
    return counts


def _decoded(name: str) -> str:
    """Return a name as the Verilog has it: Verilator writes other characters as __0 and their number."""
    return re.sub(r"__0([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), name)


def points(config: Config, seeds: Sequence[int]) -> tuple[Counter[Point], Counter[str]]:
    """Run episodes. Return how often each point was counted, and each outcome seen.

    Raises
    ------
    Mismatch
        RTL and model differ.
    """
    text = _verilog(config)
    places = _places(text)
    counts: Counter[Point] = Counter()
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coverage.dat"
        for seed in seeds:
            plan = Plan(config, seed, LENGTH)
            board = plan.board()
            with plan.start(text=text, coverage=True) as rtl:
                for part in plan.run(rtl):
                    plan.check(board, *part)
                rtl.write_coverage(path)
            for point, count in parse(path.read_text(), places).items():
                counts[point] += count
            outcomes += board.episode.coverage
    return counts, outcomes


@cache
def _verilog(config: Config) -> str:
    """Return the Verilog of a block with the Python lines in it, which are paths of this machine.

    Bits are counted of what has a name in the source. The values between operators, of which there are many more, show
    in the terms of the expressions.
    """
    from postern_hw.verilog import emit

    nameless = re.compile(r"^  (?:wire|reg) (?:\[\d+:0\] )?\\\$\d[^;]*;$", re.M)
    text = emit(config, probe=True, sources=True)
    return nameless.sub(r"  /*verilator coverage_off*/\n\g<0>\n  /*verilator coverage_on*/", text)


def holes(name: str, counts: Counter[Point]) -> list[Hole]:
    """Return what was never counted."""

    def plain(what: str) -> str:
        # Without bits, edges, and the numbers that Amaranth gives to what has no name of its own.
        what = re.sub(r"(:\d->\d)? @.*$", "", what)
        return re.sub(r"\{.*\}", "{}", re.sub(r"(?<=\w)\$\d+|(?<=\$)\d+|\[[\d:]+\]", "", what))

    return sorted({Hole(name, p.part, p.kind, p.source, plain(p.what)) for p, count in counts.items() if not count})


# The page


def _share(counts: Iterable[int]) -> str:
    seen = list(counts)
    return f"{sum(map(bool, seen)):,} of {len(seen):,} ({sum(map(bool, seen)) / len(seen):.1%})" if seen else "-"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]


def page(
    counted: Mapping[str, Counter[Point]], outcomes: Mapping[str, Counter[str]], known: Sequence[Explanation]
) -> str:
    """Return the page."""
    kinds = ("line", "toggle", "expression")
    out = ["# Coverage", ""]
    rows = [["configuration", *(f"{kind}s" for kind in kinds)]]
    for name, counts in counted.items():
        rows.append([name, *(_share(n for point, n in counts.items() if point.kind == kind) for kind in kinds)])
    out += [*_table(rows), ""]
    for name, counts in counted.items():
        out += [f"## {name}", ""]
        rows = [["part", *(f"{kind}s" for kind in kinds)]]
        for part in sorted({point.part for point in counts}):
            mine = [(point.kind, n) for point, n in counts.items() if point.part == part]
            rows.append([part or "top", *(_share(n for of, n in mine if of == kind) for kind in kinds)])
        out += [*_table(rows), ""]
    found = [hole for name, counts in counted.items() for hole in holes(name, counts)]
    explained, without, _ = explain(found, known)
    out += [
        "## Holes",
        "",
        f"{len(found):,} kinds of points were never counted; {len(without):,} are not explained.",
        "",
    ]
    for one, covered in explained:
        out += [f"- {len(covered):,}: {one.reason}"]
    if without:
        rows = [["configuration", "part", "kind", "what", "source"]]
        rows += [
            [
                h.config,
                h.part or "top",
                h.kind,
                f"`{h.what}`",
                f"{h.source} `{source_text(h.source)}`".replace("|", "\\|"),
            ]
            for h in without
        ]
        out += ["", "Not explained:", "", *_table(rows)]
    out += [
        "",
        "## Outcomes",
        "",
        "How often the lockstep tests saw each outcome and each crossing of operation and state.",
        "",
    ]
    total = sum(outcomes.values(), Counter[str]())
    met = {name for name, seen in outcomes.items() if CONFIGURATIONS[name].blocks}
    missing = sorted(crossings() - set(total)) if met else []
    out += _table([["outcome", "seen"], *([name, f"{count:,}"] for name, count in sorted(total.items()))])
    if missing:
        out += ["", "Crossings that were not seen:", "", *(f"- {name}" for name in missing)]
    return "\n".join(out) + "\n"


def _job(name: str, seeds: Sequence[int]) -> tuple[str, Counter[Point], Counter[str]]:
    return name, *points(CONFIGURATIONS[name], seeds)


def measure(episodes: Mapping[str, int], jobs: int) -> tuple[dict[str, Counter[Point]], dict[str, Counter[str]]]:
    """Run so many episodes of each configuration; return what was counted and seen, by configuration."""
    counted = {name: Counter[Point]() for name in episodes}
    outcomes = {name: Counter[str]() for name in episodes}
    for name in episodes:
        text = _verilog(CONFIGURATIONS[name])
        build.library(CONFIGURATIONS[name], probe=True, text=text, coverage=True)
    work = [(name, range(first, count, jobs)) for name, count in episodes.items() for first in range(min(jobs, count))]
    with ProcessPoolExecutor(jobs) as pool:
        for done, (name, counts, seen) in enumerate(pool.map(_job, *zip(*work, strict=True)), 1):
            for point, count in counts.items():
                counted[name][point] += count
            outcomes[name] += seen
            print(f"cover: {done} of {len(work)} parts, {name}", file=sys.stderr, flush=True)
    return counted, outcomes


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m postern_sim.coverage", description="Coverage of the Verilog.")
    parser.add_argument("--short", action="store_true", help="small only, few episodes, for CI")
    parser.add_argument("--config", action="append", help=f"only these of {', '.join(FULL)}")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args(arguments)
    episodes = SHORT if options.short else FULL
    episodes = {name: count for name, count in episodes.items() if options.config is None or name in options.config}
    start = time.monotonic()
    try:
        known = explanations()
        counted, outcomes = measure(episodes, options.jobs)
    except (ValueError, build.BuildError, Mismatch) as error:
        print(error, file=sys.stderr)
        return 1
    folder = build.build_folder()
    build.replace(folder / "coverage.md", page(counted, outcomes, known))
    found = [hole for name, counts in counted.items() for hole in holes(name, counts)]
    _, without, unused = explain(found, known)
    result = {
        name: {
            kind: [sum(map(bool, values)), len(values)]
            for kind in ("line", "toggle", "expression")
            if (values := [count for point, count in counts.items() if point.kind == kind])
        }
        for name, counts in counted.items()
    }
    result_text = json.dumps({"configs": result, "holes": [vars(hole) for hole in without]}, indent=1)
    build.replace(folder / "coverage.json", result_text + "\n")
    for name, kinds in result.items():
        shares = ", ".join(
            f"{kind} {seen:,} of {count:,} ({seen / count:.1%})" for kind, (seen, count) in kinds.items()
        )
        print(f"cover: {name}: {shares}")
    print(f"cover: {len(found):,} kinds of holes, {len(without):,} not explained")
    print(f"cover: {folder / 'coverage.md'} written after {time.monotonic() - start:.0f} s")
    if not options.short:
        return 0
    # What the short form finds is known one by one; an explanation without a hole has had its time.
    for hole in without:
        print(f"cover: not explained: {hole.part or 'top'} {hole.kind} {hole.what} {hole.source}", file=sys.stderr)
    for one in unused:
        print(f"cover: an explanation must be of a hole, not of none: {dict(one.patterns)}", file=sys.stderr)
    return int(bool(without or unused))


if __name__ == "__main__":
    sys.exit(main())
