"""And-inverter graphs: read from Yosys, built with shared structure, written for ABC."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Aig", "Builder", "constant_outputs", "read"]

# A literal is twice the number of a node, plus one where it is inverted; 0 is false and 1 is true.


@dataclass(frozen=True)
class Aig:
    """A graph as ``write_aiger -ascii -symbols -zinit`` writes it: all latches begin with 0.

    Parameters
    ----------
    inputs, outputs : dict of str to int
        Literals by name; bit ``n`` of a wider one is called ``name[n]``.
    latches : list of tuple of int
        Literal and next value of each.
    ands : list of tuple of int
        Literal and both inputs of each, in an order in which these are known before.
    """

    inputs: dict[str, int]
    outputs: dict[str, int]
    latches: list[tuple[int, int]]
    ands: list[tuple[int, int, int]]


def read(path: Path) -> Aig:
    """Read an ASCII file."""
    lines = iter(path.read_text(encoding="utf-8").splitlines())
    _, _, inputs, latches, outputs, ands = next(lines).split()[:6]
    found_inputs = [int(next(lines)) for _ in range(int(inputs))]
    found_latches = [tuple(map(int, next(lines).split()[:2])) for _ in range(int(latches))]
    found_outputs = [int(next(lines)) for _ in range(int(outputs))]
    found_ands = sorted(tuple(map(int, next(lines).split())) for _ in range(int(ands)))
    names = {"i": dict[int, str](), "o": dict[int, str](), "l": dict[int, str]()}
    for line in lines:
        if line == "c":
            break
        place, _, name = line.partition(" ")
        names[place[0]][int(place[1:])] = name.replace(" [", "[")
    return Aig(
        {names["i"][index]: literal for index, literal in enumerate(found_inputs)},
        {names["o"][index]: literal for index, literal in enumerate(found_outputs)},
        found_latches,  # type: ignore[arg-type]
        found_ands,  # type: ignore[arg-type]
    )


class Builder:
    """A graph in which what is the same by structure is there once."""

    def __init__(self) -> None:
        self._nodes: list[tuple[int, int] | None] = [None]  # inputs of each AND; None for what has none
        self._known: dict[tuple[int, int], int] = {}
        self._inputs: list[int] = []
        self._latches: list[int] = []
        self._next: dict[int, int] = {}

    def _leaf(self, kind: list[int]) -> int:
        self._nodes.append(None)
        kind.append(2 * len(self._nodes) - 2)
        return kind[-1]

    def input(self) -> int:
        """Return a new input."""
        return self._leaf(self._inputs)

    def latch(self) -> int:
        """Return a new latch that begins with 0; ``follow`` says what it takes next."""
        return self._leaf(self._latches)

    def follow(self, latch: int, value: int) -> None:
        """Say what a latch takes next."""
        self._next[latch] = value

    def both(self, a: int, b: int) -> int:
        """Return AND."""
        if a > b:
            a, b = b, a
        if a == 0 or a == b ^ 1:
            return 0
        if a == 1 or a == b:
            return b
        found = self._known.get((a, b))
        if found is None:
            found = 2 * len(self._nodes)
            self._nodes.append((a, b))
            self._known[a, b] = found
        return found

    def either(self, a: int, b: int) -> int:
        """Return OR."""
        return self.both(a ^ 1, b ^ 1) ^ 1

    def differ(self, a: int, b: int) -> int:
        """Return XOR."""
        if a == b:
            return 0
        return self.either(self.both(a, b ^ 1), self.both(a ^ 1, b))

    def any(self, values: Sequence[int]) -> int:
        """Return OR of many, as a tree."""
        rest = sorted(set(values))
        while len(rest) > 1:
            rest = [self.either(*rest[i : i + 2]) if i + 1 < len(rest) else rest[i] for i in range(0, len(rest), 2)]
        return rest[0] if rest else 0

    def write(self, path: Path, outputs: Sequence[int]) -> None:
        """Write what some outputs depend on as a binary AIGER file."""
        needed: set[int] = set()
        waiting = [output >> 1 for output in outputs]
        latches = {latch >> 1: self._next[latch] for latch in self._latches}
        while waiting:
            node = waiting.pop()
            if node in needed:
                continue
            needed.add(node)
            if node in latches:
                waiting.append(latches[node] >> 1)
            elif inputs := self._nodes[node]:
                waiting += [literal >> 1 for literal in inputs]
        order = [0, *(i >> 1 for i in self._inputs if i >> 1 in needed), *(i for i in latches if i in needed)]
        leaves = len(order) - 1
        order += [node for node in range(len(self._nodes)) if node in needed and self._nodes[node]]
        number = {node: 2 * index for index, node in enumerate(order)}

        def mapped(literal: int) -> int:
            return number[literal >> 1] | literal & 1

        kept = [node for node in latches if node in needed]
        ands = order[leaves + 1 :]
        header = f"aig {len(order) - 1} {leaves - len(kept)} {len(kept)} {len(outputs)} {len(ands)}\n"
        text = header + "".join(f"{mapped(latches[node])}\n" for node in kept)
        data = bytearray((text + "".join(f"{mapped(output)}\n" for output in outputs)).encode())
        for node in ands:
            low, high = sorted(mapped(literal) for literal in self._nodes[node] or ())
            for delta in (number[node] - high, high - low):
                while delta >= 0x80:
                    data.append(delta & 0x7F | 0x80)
                    delta >>= 7
                data.append(delta)
        path.write_bytes(data)


def constant_outputs(path: Path) -> list[bool]:
    """Return of each output of a binary AIGER file whether it is false whatever happens."""
    with open(path, "rb") as file:
        _, _, _, latches, outputs = file.readline().split()[:5]
        for _ in range(int(latches)):
            file.readline()
        return [int(file.readline()) == 0 for _ in range(int(outputs))]
