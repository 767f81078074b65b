"""Which mutants are no other hardware: proofs that nothing outside can tell a mutant from the original.

Memories are cut out, but for those in which a port holds its request: what is asked of them counts as an output, and
what they answer as an input, the same for both as long as both ask the same. Whatever is proven so holds for the whole
block; a difference that is found so may still need contents that no memory can have.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from postern_sim import build
from postern_spec.config import Config

from . import netlist
from .aig import Aig, Builder, constant_outputs, read
from .netlist import CONTROL_BITS, Mutant
from .yosys import abc, yosys

__all__ = ["DIFFERS", "EQUIVALENT", "UNDECIDED", "alone", "together"]

EQUIVALENT, DIFFERS, UNDECIDED = "equivalent", "differs", "undecided"

_TOGETHER = 100, 25  # mutants in one proof, at depth 0 and beyond: its time grows faster than their number
_INVARIANTS = (
    "scorr -C 10000 -F 2"  # signals that are the same in all states that can be reached, by induction over two steps
)


def _cut(module: dict[str, Any]) -> None:
    """Turn the ports of memories into ports of the module."""
    for name, cell in list(module["cells"].items()):
        kind = cell["type"]
        if kind.startswith(("$memrd", "$memwr")):
            for pin in ("ADDR", "DATA", "EN"):
                answer = kind.startswith("$memrd") and pin == "DATA"
                port = {"direction": "input" if answer else "output", "bits": cell["connections"][pin]}
                module["ports"][f"{kind[1:6]}:{name}:{pin}"] = port
        if kind.startswith("$mem") or kind == "$scopeinfo":
            del module["cells"][name]
    module.pop("memories", None)


@dataclass(frozen=True)
class _Function:
    """Next state and outputs of a block with mutants, as a function of state, inputs and the number of a mutant."""

    graph: Aig
    control: dict[int, int]  # of the bits of the control input: which bit of the number
    masks: dict[str, list[str]]  # of outputs to a memory: which enable has to be high before they matter

    def values(self, to: Builder, leaves: dict[int, int], number: int) -> list[int]:
        """Return the literal of every node of the graph, by its number, for a mutant."""
        values = [0] * (self.graph.ands[-1][0] // 2 + 1)
        for leaf, literal in leaves.items():
            values[leaf >> 1] = literal
        for leaf, bit in self.control.items():
            values[leaf >> 1] = number >> bit & 1
        both = to.both
        for node, a, b in self.graph.ands:
            values[node >> 1] = both(values[a >> 1] ^ a & 1, values[b >> 1] ^ b & 1)
        return values

    def outputs(self, to: Builder, values: list[int]) -> list[int]:
        """Return what is seen from outside: pins, and what is asked of memories where it matters."""

        def value(literal: int) -> int:
            return values[literal >> 1] ^ literal & 1

        found = self.graph.outputs
        seen = []
        for name, literal in found.items():
            enables = self.masks.get(name)
            enabled = 1 if enables is None else to.any([value(found[enable]) for enable in enables])
            seen.append(to.both(value(literal), enabled))
        return seen


def _masks(names: Sequence[str]) -> dict[str, list[str]]:
    """A word is written where its bit is enabled, to an address that matters where any is; likewise of reads."""
    enables: dict[str, list[str]] = {}
    for name in names:
        if found := re.fullmatch(r"(mem(?:rd|wr):.*):EN(?:\[\d+\])?", name):
            enables.setdefault(found[1], []).append(name)
    masks = {}
    for name in names:
        if found := re.fullmatch(r"(mem(?:rd|wr):.*):(ADDR|DATA)(\[\d+\])?", name):
            same_bit = f"{found[1]}:EN{found[3] or ''}"
            alone = found[2] == "DATA" and same_bit in enables[found[1]]
            masks[name] = [same_bit] if alone else enables[found[1]]
    return masks


def _function(config: Config, mutants: dict[int, Mutant], folder: Path) -> _Function:
    control = ("mutant_now", CONTROL_BITS)
    commands = [m.command(config.name, (control[0], number)) for number, m in mutants.items()]
    plain = netlist.flat(config) / "plain.il"
    # What a port holds of a request is in a memory of two rows, beside registers that must agree with it: those stay.
    # After a reset they hold anything.
    kept = ("memory_collect", "memory_map c:*_late", "setattr -unset init w:port_*.?_late???", "memory_unpack")
    yosys("\n".join([f"read_rtlil {plain}", *commands, *kept, "write_json whole.json", ""]), folder, "mutants")
    text = json.loads((folder / "whole.json").read_text())
    module = text["modules"][config.name]
    _cut(module)
    (folder / "cut.json").write_text(json.dumps(text))
    yosys(
        "read_json cut.json\nsimplemap\ntechmap\ndffunmap\nopt_clean\naigmap\n"
        "write_aiger -ascii -symbols -zinit cut.aag\n",
        folder,
        "graph",
    )
    graph = read(folder / "cut.aag")
    ports = module["ports"].values()
    wanted = sum(len(port["bits"]) for port in ports if port["direction"] == "input")
    # A register that begins with anything has an input for what it begins with.
    found = sum(not name.startswith("init:") for name in graph.inputs)
    if found != wanted:
        raise build.BuildError(f"the graph must have {wanted} inputs, not {found}")
    bits = {graph.inputs[f"{control[0]}[{bit}]"]: bit for bit in range(CONTROL_BITS)}
    return _Function(graph, bits, _masks(list(graph.outputs)))


class _Comparison:
    """Builds miters of the original and its mutants. In all of them there is one original."""

    def __init__(self, function: _Function):
        self.function = function
        self.graph = function.graph

    def _original(self, to: Builder, kept: set[int] | None = None) -> tuple[dict[int, int], list[int]]:
        """Add the original; return its leaves and values. Of registers that are not ``kept`` any value is possible."""
        graph = self.graph
        leaves = {leaf: to.input() for leaf in graph.inputs.values() if leaf not in self.function.control}
        leaves |= {latch: to.latch() if kept is None or latch in kept else to.input() for latch, _ in graph.latches}
        values = self.function.values(to, leaves, 0)
        for latch, following in graph.latches:
            if kept is None or latch in kept:
                to.follow(leaves[latch], values[following >> 1] ^ following & 1)
        return leaves, values

    @cached_property
    def _inputs(self) -> dict[int, tuple[int, int]]:
        """By the number of an AND: the numbers of what it has as inputs."""
        return {node >> 1: (a >> 1, b >> 1) for node, a, b in self.graph.ands}

    @cached_property
    def _following(self) -> dict[int, int]:
        """By the number of a register: that of what it takes next."""
        return {latch >> 1: following >> 1 for latch, following in self.graph.latches}

    def _before(self, nodes: Iterable[int]) -> set[int]:
        """Return the registers that some nodes depend on within a cycle."""
        seen: set[int] = set()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += self._inputs.get(node, ())
        return {2 * node for node in seen if node in self._following}

    def _near(self, numbers: Sequence[int], count: int) -> set[int]:
        """Return the registers that decide first whether some mutants are other ones, about ``count`` of them."""
        to = Builder()
        leaves, values = self._original(to, set())
        changed: set[int] = set()
        for number in numbers:
            others = self.function.values(to, leaves, number)
            changed |= {node for node in self._inputs if others[node] != values[node]}
        # What meets the changed nodes on their way decides whether they show, so from all of them.
        beside = {node for node, inputs in self._inputs.items() if changed.intersection(inputs)}
        kept = self._before(beside)
        while len(kept) < count:
            more = self._before(self._following[latch >> 1] for latch in kept) | kept
            if more == kept:
                break
            kept = more
        return kept

    def miter(
        self, numbers: Sequence[int], *, depth: int | None = None, near: int | None = None
    ) -> tuple[Builder, list[int]]:
        """Return one miter for some mutants: of each, whether it may show that it is another block.

        A mutant has copies of the registers that can differ from the original's: of those that it changes itself, of
        those that these change and so on, ``depth`` steps far. Where others would differ, it counts as shown. So what
        is proven of it holds for any depth; a small one is proven faster, and none at all (0) is one copy of the state
        for all, in which no mutant ever takes another step. With ``near``, registers further away than about that many
        have any value in any cycle, so that what is proven holds for those that they do have.
        """
        to = Builder()
        kept = None if near is None else self._near(numbers, near)
        leaves, values = self._original(to, kept)
        outputs = self.function.outputs(to, values)
        bad = []
        for number in numbers:
            copies, steps = dict(leaves), 0
            while True:
                others = self.function.values(to, copies, number)
                shared = [(latch, n) for latch, n in self.graph.latches if copies[latch] == leaves[latch]]
                differing = [latch for latch, n in shared if others[n >> 1] != values[n >> 1]]
                differing = [latch for latch in differing if kept is None or latch in kept]
                if not differing or steps == depth:
                    break
                copies |= {latch: to.latch() for latch in differing}
                steps += 1
            for latch, n in self.graph.latches:
                if copies[latch] != leaves[latch]:
                    to.follow(copies[latch], others[n >> 1] ^ n & 1)
            seen = self.function.outputs(to, others)
            shown = [to.differ(values[n >> 1], others[n >> 1]) for _, n in shared]
            bad.append(to.any(shown + [to.differ(a, b) for a, b in zip(outputs, seen, strict=True)]))
        return to, bad


def _prove(folder: Path, number: int, seconds: float) -> str:
    """Ask ABC whether a miter that was written can become true."""
    name = f"miter_{number}"
    if _asserted(abc(f"read_aiger {name}.aig; bmc3 -F 8 -C 2000", folder, 60)):
        return DIFFERS
    said = abc(f"read_aiger {name}.aig; {_INVARIANTS}; write_aiger {name}_small.aig", folder, seconds)
    small = folder / f"{name}_small.aig"
    if said is not None and small.exists() and constant_outputs(small) == [True]:
        return EQUIVALENT
    source = small.name if said is not None and small.exists() else f"{name}.aig"
    said = abc(f"read_aiger {source}; pdr", folder, seconds)
    if said is None:
        return UNDECIDED
    if "Property proved" in said:
        return EQUIVALENT
    return DIFFERS if _asserted(said) else UNDECIDED


def _asserted(said: str | None) -> bool:
    return said is not None and re.search(r"Output \d+ of miter .* was asserted", said) is not None


def _comparison(config: Config, mutants: dict[int, Mutant]) -> tuple[_Comparison, Path]:
    folder = netlist.flat(config) / f"equivalence-{build.digest(repr(mutants))}"
    folder.mkdir(exist_ok=True)
    return _Comparison(_function(config, mutants, folder)), folder


def together(
    config: Config, mutants: dict[int, Mutant], *, depth: int, near: int | None = None, seconds: float, jobs: int
) -> Iterator[tuple[list[int], list[int]]]:
    """Sort out mutants that are no other block, many in one proof.

    Parameters
    ----------
    config : Config
        The block.
    mutants : dict of int to Mutant
        By their numbers.
    depth : int
        How many registers deep the state of a mutant may be another one.
    near : int or None
        How many registers are looked at, about, the nearest ones. By default all: too many of a large block.
    seconds : float
        Of processor time, for each proof.
    jobs : int
        Processes.

    Returns
    -------
    iterator of tuple
        Of each proof, in any order: the numbers that it was about, and those of them for which it holds.
    """
    if not mutants:
        return
    comparison, folder = _comparison(config, mutants)

    def job(numbers: list[int]) -> tuple[list[int], list[int]]:
        to, bad = comparison.miter(numbers, depth=depth, near=near)
        name = f"together_{depth}_{numbers[0]}"
        to.write(folder / f"{name}.aig", bad)
        said = abc(f"read_aiger {name}.aig; {_INVARIANTS}; write_aiger {name}_small.aig", folder, seconds)
        same = [False] * len(numbers) if said is None else constant_outputs(folder / f"{name}_small.aig")
        return numbers, [number for number, held in zip(numbers, same, strict=True) if held]

    # Mutants of one part need the same invariants of the original.
    order = sorted(mutants, key=lambda number: (mutants[number].part, mutants[number].cell))
    size = _TOGETHER[min(depth, 1)] if near is None else _TOGETHER[1]
    with ThreadPoolExecutor(jobs) as pool:
        for done in as_completed([pool.submit(job, order[i : i + size]) for i in range(0, len(order), size)]):
            yield done.result()


def alone(config: Config, mutants: dict[int, Mutant], *, seconds: float, jobs: int) -> Iterator[tuple[int, str]]:
    """Compare mutants with the original, each for itself.

    Parameters
    ----------
    config : Config
        The block.
    mutants : dict of int to Mutant
        By their numbers.
    seconds : float
        Of processor time, for each of two proofs of a mutant.
    jobs : int
        Processes.

    Returns
    -------
    iterator of tuple
        Of each mutant, in any order: its number, and ``EQUIVALENT``, ``DIFFERS`` or ``UNDECIDED``. One that differs
        does so for some inputs and some answers of memories, which masters that keep to their bus may never bring
        about.
    """
    if not mutants:
        return
    comparison, folder = _comparison(config, mutants)

    def job(number: int) -> tuple[int, str]:
        to, bad = comparison.miter([number])
        to.write(folder / f"miter_{number}.aig", bad)
        return number, _prove(folder, number, seconds)

    with ThreadPoolExecutor(jobs) as pool:
        for done in as_completed([pool.submit(job, number) for number in mutants]):
            yield done.result()
