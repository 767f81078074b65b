"""The proofs of the promises on mutants: which of them does a property refute?

Properties are stated of components. One applies to a mutant where its harness holds the very component that the mutant
is in: the same cells with the same parameters, under the same names.
"""

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from amaranth.hdl import Module

from postern_formal import properties
from postern_formal.engines import EngineError, Result, formula
from postern_formal.properties import PROPERTIES
from postern_formal.property import Property
from postern_sim import build
from postern_spec.config import Config

from . import netlist
from .netlist import Mutant
from .yosys import yosys

__all__ = ["refute"]

Cells = tuple[str, ...]
"""Type, name and parameters of every cell of a module, in their order."""


def cells(text: str) -> dict[str, Cells]:
    """Return the cells of each module of an RTLIL text."""
    found: dict[str, Cells] = {}
    for name, body in re.findall(r"^module \\(\S+)\n(.*?)^end\n", text, re.M | re.S):
        kept = re.findall(r"^  (cell \S+ \S+|  parameter .*)$", body, re.M)
        # Instances of other modules have names of their own in each design.
        found[name] = tuple(line for line in kept if not line.startswith("cell \\"))
    return found


@dataclass(frozen=True)
class _Harness:
    """A property with a set of parameters, and the folder of its design."""

    item: Property
    label: str
    folder: Path
    modules: dict[str, Cells]


def _build(item: Property, parameters: Any, m: Module) -> None:
    item.build(m, parameters)


def _harnesses(folder: Path) -> list[_Harness]:
    found = []
    for item in PROPERTIES:
        for label, parameters in item.parameters.items():
            place = folder / f"{item.name}-{re.sub(r'[^a-z0-9]+', '-', label.lower())}"
            if not place.exists():
                with build.fresh_folder(place) as new:
                    formula(partial(_build, item, parameters), new)
            text = (place / "design.il").read_text(encoding="utf-8")
            found.append(_Harness(item, label, place, cells(text)))
    return found


def _inside(mutant: Mutant, config: Config) -> tuple[str, str]:
    """Return module and cell of a mutant in the design that is not flattened; empty where it has none there."""
    local = re.fullmatch(r"(?:\$flatten((?:\\[^.\s]+\.)+))?(\$\d+)", mutant.cell)
    if local is None:
        return "", ""
    return ".".join([config.name, *re.findall(r"\\([^.\s]+)\.", local[1] or "")]), local[2]


def _ask(harness: _Harness, module: str, cell: str, mutant: Mutant, number: int, seconds: float) -> bool:
    """Return whether a property refutes a mutant."""
    place = harness.folder / f"mutant-{number}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    moved = Mutant(mutant.source, mutant.part, cell, mutant.port, mutant.bit, mutant.mode)
    script = f"read_rtlil ../design.il\n{moved.command(module)}\nwrite_rtlil design.il\n"
    yosys(script, place, "mutate")
    try:
        for engine in harness.item.engines_for(harness.item.parameters[harness.label]):
            if engine.prove(place, seconds).result is Result.REFUTED:
                return True
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return False


def refute(config: Config, mutants: dict[int, Mutant], *, seconds: float, jobs: int) -> Iterator[tuple[int, str]]:
    """Ask the properties about mutants.

    Parameters
    ----------
    config : Config
        The block.
    mutants : dict of int to Mutant
        By their numbers.
    seconds : float
        For each engine.
    jobs : int
        Processes.

    Returns
    -------
    iterator of tuple
        Of each mutant, in any order: its number, and the property that refutes it, or an empty text.

    Raises
    ------
    BuildError
        A tool failed.
    """
    if not mutants:
        return
    source = netlist.flat(config)
    known = cells((source / "block.il").read_text(encoding="utf-8"))
    code = [path.read_bytes() for path in sorted(Path(properties.__file__ or "").parent.glob("*.py"))]
    with build.wait_with_progress("mutate: building the harnesses of the properties"):
        harnesses = _harnesses(source / f"harnesses-{build.digest(*code)}")

    def job(number: int) -> tuple[int, str]:
        mutant = mutants[number]
        module, cell = _inside(mutant, config)
        for harness in harnesses if known.get(module) else ():
            for name, same in harness.modules.items():
                # What a property is about is the part of the harness itself, not a part of that.
                if (
                    name.count(".") == 1
                    and same == known[module]
                    and _ask(harness, name, cell, mutant, number, seconds)
                ):
                    return number, f"{harness.item.name}, {harness.label}"
        return number, ""

    try:
        with ThreadPoolExecutor(jobs) as pool:
            for done in as_completed([pool.submit(job, number) for number in mutants]):
                yield done.result()
    except EngineError as error:
        raise build.BuildError(str(error)) from None
