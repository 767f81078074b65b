"""The committed generated files are what the generator writes today, byte for byte. If not: make gen."""

from pathlib import Path

import pytest

from postern_hw.verilog import emit
from postern_sim.build import verilog
from postern_spec.config import PRESETS, preset
from postern_spec.emit import documents, file_names

ROOT = Path(__file__).resolve().parents[2]


def test_there_is_a_folder_for_each_preset_and_no_more() -> None:
    assert sorted(path.name for path in (ROOT / "gen").iterdir()) == sorted(PRESETS)
    assert sorted(path.name for path in (ROOT / "docs" / "registers").iterdir()) == sorted(f"{n}.md" for n in PRESETS)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_documents_are_current(name: str) -> None:
    c = preset(name)
    folder = ROOT / "gen" / name
    assert {path.name for path in folder.iterdir()} == set(file_names(c).values())
    made = documents(c)
    stale = [file for file, text in made.items() if (folder / file).read_bytes() != text.encode()]
    assert stale == []
    page = ROOT / "docs" / "registers" / f"{name}.md"
    assert page.read_bytes() == made["registers.md"].encode()


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_verilog_is_current(name: str) -> None:
    c = preset(name)
    same = (ROOT / "gen" / name / f"{c.name}.v").read_bytes() == verilog(c).encode()
    assert same, f"gen/{name}/{c.name}.v must be current (make gen), not out of date"


def test_simulation_and_generator_write_the_same_verilog() -> None:
    c = preset("small")
    assert verilog(c) == emit(c)
