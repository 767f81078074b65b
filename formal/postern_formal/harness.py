"""What harnesses have in common."""

from collections.abc import Iterable
from itertools import combinations
from typing import Any

from amaranth.hdl import Assert, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data

from postern_hw.queue import fill_bits, fill_rows
from postern_hw.select import any_of
from postern_hw.table import FLIP_FLOP_DEPTH
from postern_spec.config import Config

from .property import Inside

__all__ = ["at_most_one", "claim", "count", "fill", "index", "is_among", "line", "past", "rows_of", "window"]


def fill(m: Module, config: Config, *components: Any, rows: int = 0) -> Signal:
    """Fill the tables of components after reset as the block does. Returns whether it is still going on.

    It takes as long as in the block, or as many cycles as the components have ``rows``.
    """
    filling, row = Signal(init=1), Signal(fill_bits(config))
    with m.If(filling):
        m.d.sync += [row.eq(row + 1), filling.eq(row != (rows or fill_rows(config)) - 1)]
    for component in components:
        m.d.comb += [component.fill.eq(filling), component.fill_row.eq(row)]
    return filling


def claim(m: Module, **claims: Any) -> None:
    """Assert some values, each under the name by which a trace shows it."""
    for name, value in claims.items():
        holds = Signal(name=f"claim_{name}")
        m.d.comb += [holds.eq(value), Assert(holds)]


def past(m: Module, value: Any, name: str) -> Signal:
    """Return what a value was in the cycle before; zero in the first."""
    bits = Value.cast(value)
    kept = Signal(len(bits), name=name)
    m.d.sync += kept.eq(bits)
    return kept


def line(m: Module, arbiter: Inside, requesters: int) -> None:
    """Claim of an arbiter that its line is one: whoever is behind others is behind those that they are behind."""
    behind = {(i, j): arbiter.signal(f"behind_{i}_{j}") for i, j in combinations(range(requesters), 2)}
    for i, j, k in combinations(range(requesters), 3):
        a, b, c = behind[i, j], behind[j, k], behind[i, k]
        m.d.comb += Assert(~(a & b & ~c) & ~(~a & ~b & c))


def rows_of(inside: Inside, name: str, depth: int, layout: Any = None) -> list:
    """Return all rows of a ``Table`` in a component, as views of a layout where one is given."""
    table = inside.part(name)
    if depth <= FLIP_FLOP_DEPTH:
        rows: list[Value] = [table.signal(f"row{i}") for i in range(depth)]
    else:
        rows = [table.memory("cells", Const(i, range(depth))) for i in range(depth)]
    return [data.View(layout, row) for row in rows] if layout is not None else rows


def count(bits: list[Value]) -> Value:
    """Return how many bits are set."""
    total: Value = Const(0, 1)
    for bit in bits:
        total = total + bit
    return total


def at_most_one(bits: Value) -> Value:
    """Whether at most one bit is set."""
    return (bits & (bits - 1)[: len(bits)]) == 0


def index(values: list[Value], number: Value) -> Value:
    """Return one of several values of a width."""
    found: Value = Value.cast(values[-1])
    for i in reversed(range(len(values) - 1)):
        found = Mux(number == i, values[i], found)
    return found


def is_among(value: Value, numbers: Iterable[int]) -> Value:
    """Whether a value is one of those numbers."""
    return any_of([value == number for number in numbers])


def window(first: Value, length: Value, size: int) -> Value:
    """Return which places of a ring of ``size`` lie among the ``length`` from ``first`` on, as a bit each."""
    return Cat(Mux(first <= i, i - first < length, i + size - first < length) for i in range(size))
