"""The engines: what is true is proved, what is not is refuted, and nothing else counts."""

from pathlib import Path

import pytest
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Assume, Cover, Module, Mux, Signal
from amaranth.lib import memory

from postern_formal.engines import Induction, Pdr, Result, cover, formula, search

pytestmark = pytest.mark.formal

ENGINES = (Pdr(), Induction(1))


def counter(m: Module, *, last: int, bound: int) -> None:
    """Count up to ``last``; assert that it is below ``bound``."""
    count, enable = Signal(4), Signal()
    m.d.comb += enable.eq(AnySeq(1))
    with m.If(enable & (count != last)):
        m.d.sync += count.eq(count + 1)
    m.d.comb += [Assert(count < bound), Cover(count == last), Cover(count == last + 1)]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_what_is_true_is_proved(engine, tmp_path: Path) -> None:
    formula(lambda m: counter(m, last=9, bound=10), tmp_path)
    assert engine.prove(tmp_path, 30).result is Result.PROVED


@pytest.mark.parametrize("engine", [Pdr(), Induction(12)], ids=lambda engine: engine.name)
def test_what_is_false_is_refuted(engine, tmp_path: Path) -> None:
    formula(lambda m: counter(m, last=9, bound=9), tmp_path)
    assert engine.prove(tmp_path, 30).result is Result.REFUTED


def test_an_induction_that_fails_determines_nothing(tmp_path: Path) -> None:
    formula(lambda m: counter(m, last=9, bound=12), tmp_path)
    verdict = Induction(1).prove(tmp_path, 30)
    assert (verdict.result, verdict.note) == (Result.UNDETERMINED, "no induction over 1")


def test_a_search_proves_nothing(tmp_path: Path) -> None:
    formula(lambda m: counter(m, last=9, bound=10), tmp_path)
    assert search(tmp_path, 5, 30).result is Result.UNDETERMINED


def test_a_cover_that_is_not_reached_is_named(tmp_path: Path) -> None:
    formula(lambda m: counter(m, last=9, bound=10), tmp_path)
    assert cover(tmp_path, 20, 30) == ["cover 0"]
    assert len(cover(tmp_path, 5, 30)) == 2


@pytest.mark.parametrize("engine", [Pdr(), Induction(3)], ids=lambda engine: engine.name)
def test_memories_hold_anything_at_first(engine, tmp_path: Path) -> None:
    """Amaranth writes zeros where nothing is said of the contents. After a reset that is not so."""

    def build(m: Module) -> None:
        m.submodules.cells = cells = memory.Memory(shape=4, depth=4, init=[])
        port = cells.read_port(domain="comb")
        m.d.comb += [port.addr.eq(AnySeq(2)), Assert(port.data == 0)]

    formula(build, tmp_path)
    assert engine.prove(tmp_path, 30).result is Result.REFUTED


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_assumptions_are_heeded(engine, tmp_path: Path) -> None:
    def build(m: Module) -> None:
        value, kept = Signal(4), Signal(4)
        m.d.comb += [value.eq(AnySeq(4)), Assume(value < 3), Assert(kept < 3)]
        m.d.sync += kept.eq(Mux(value == 3, 5, value))

    formula(build, tmp_path)
    assert engine.prove(tmp_path, 30).result is Result.PROVED
