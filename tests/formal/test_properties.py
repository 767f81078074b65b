# amaranth: UnusedElaboratable=no
"""The properties as such: complete, and with controls that fit the sources. Needs no engine."""

from pathlib import Path

import pytest
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module

import postern_hw
from postern_formal.properties import PROPERTIES
from postern_formal.property import Control, ControlError, Property

SOURCES = Path(str(postern_hw.__file__)).parent


def test_names_are_unique() -> None:
    names = [item.name for item in PROPERTIES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("item", PROPERTIES, ids=lambda item: item.name)
def test_a_property_is_complete(item: Property) -> None:
    assert item.promise in range(1, 11)
    assert item.statement.endswith(".")
    assert set(item.short) <= set(item.parameters)
    assert item.controls
    assert {control.parameters for control in item.controls} <= {"", *item.parameters}


@pytest.mark.parametrize(
    ("item", "control"),
    [(item, control) for item in PROPERTIES for control in item.controls],
    ids=lambda value: value.name if isinstance(value, Property) else value.title,
)
def test_a_control_fits_the_sources(item: Property, control: Control, tmp_path: Path) -> None:
    control.apply(SOURCES, tmp_path)
    changed = tmp_path / SOURCES.name / control.file
    compile(changed.read_text(encoding="utf-8"), str(changed), "exec")
    assert changed.read_text(encoding="utf-8") != (SOURCES / control.file).read_text(encoding="utf-8")


def test_a_control_that_does_not_fit_is_named(tmp_path: Path) -> None:
    control = Control("nothing", "arbiter.py", "there is no such text", "")
    with pytest.raises(ControlError, match=r"^text of the control 'nothing' must be once in arbiter\.py, not 0 times$"):
        control.apply(SOURCES, tmp_path)


@pytest.mark.parametrize("item", PROPERTIES, ids=lambda item: item.name)
def test_a_harness_asserts_and_covers(item: Property) -> None:
    """What has nothing to reach would hold of nothing."""
    m = Module()
    m.domains.sync = domain = ClockDomain(reset_less=True)
    item.build(m, next(iter(item.parameters.values())))
    text = rtlil.convert(m, ports=[domain.clk], emit_src=False)
    assert 'parameter \\FLAVOR "assert"' in text
    assert 'parameter \\FLAVOR "cover"' in text
