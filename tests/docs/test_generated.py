"""Generated parts of pages: the mechanism, and whether the committed pages are current."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


def script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DOCS / name), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture
def docs(monkeypatch: pytest.MonkeyPatch):
    """The scripts of the documentation as modules."""
    monkeypatch.syspath_prepend(str(DOCS))
    import figures
    import generated

    yield figures, generated
    for name in ("figures", "generated"):
        del sys.modules[name]


@pytest.mark.parametrize("name", ["figures.py", "protocol.py", "testplan.py", "assurance.py"])
def test_pages_are_current(name: str):
    done = script(name, "--check")
    assert done.returncode == 0, done.stdout


def test_parts_are_put_between_their_markers(docs):
    _, generated = docs
    page = "above\n<!-- begin a -->\nold\n<!-- end a -->\nbelow\n"
    assert generated.put(page, {"a": "new"}) == "above\n<!-- begin a -->\n\nnew\n\n<!-- end a -->\nbelow\n"
    assert generated.put(generated.put(page, {"a": "new"}), {"a": "new"}) == generated.put(page, {"a": "new"})
    with pytest.raises(ValueError, match=r"^parts of the page must be b, not a$"):
        generated.put(page, {"b": "new"})


def test_figures_say_what_keeps_its_bar(docs):
    figures, _ = docs
    text = figures.bench({"send_accesses_16B": 4, "receive_accesses_16B": 6, "something_else": 1.5})
    assert "| bus accesses to send 16 bytes | 4 | ≤ 4 | yes |" in text
    assert "| bus accesses to receive 16 bytes | 6 | ≤ 5 | **no** |" in text
    assert f"| `small`: read accepted to data | {figures.ABSENT} | ≤ 3 |  |" in text
    assert "| `something_else` | 1.5 | | |" in text


def test_a_block_that_the_device_cannot_hold_has_no_clock(docs):
    figures, _ = docs
    text = figures.area({"large": {"lut4": 100000, "ff": 1, "dpr16x4": 1, "ccu2c": 1, "ebr": 1, "fmax_mhz": None}})
    assert "| `large` | 100,000 | 1 | 1 | 1 | 1 | does not fit |" in text
    assert figures.ABSENT in text  # of the others


def test_fewer_seeds_than_usual_are_told(docs):
    figures, _ = docs
    found = {"lut4": 1, "ff": 1, "dpr16x4": 1, "ccu2c": 1, "ebr": 1, "fmax_mhz": 60.0}
    assert "| 60 (2 seeds) |" in figures.area({"default": found | {"fmax_mhz_seeds": [59.0, 61.0]}})
    assert "| 60 |" in figures.area({"default": found | {"fmax_mhz_seeds": [60.0] * 5}})


def test_figures_of_a_run_are_taken(docs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    figures, _ = docs
    monkeypatch.setattr(figures, "FIGURES", tmp_path / "committed")
    with pytest.raises(
        SystemExit, match=r"must hold bench.json or synth.json \(make bench, make synth\), not neither$"
    ):
        figures.take(tmp_path)
    (tmp_path / "bench.json").write_text(json.dumps({"send_accesses_16B": 4}))
    figures.take(tmp_path)
    assert figures.read("bench.json") == {"send_accesses_16B": 4}
    assert figures.read("synth.json") == {}
