"""The committed pictures are those that their scripts draw."""

import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DOCS / script), "--check"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("script", ["diagrams.py", "plots.py"])
def test_drawings_are_current(script: str):
    done = run(script)
    assert done.returncode == 0, done.stdout


@pytest.mark.sim
def test_waveforms_are_those_of_the_simulation():
    done = run("waveforms.py")
    assert done.returncode == 0, done.stdout


def test_every_picture_is_shown_and_exists():
    pages = "".join(path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md"))
    pictures = sorted((DOCS / "images").glob("*.svg"))
    assert pictures
    for path in pictures:
        assert f"images/{path.name}" in pages, f"{path.name} must be shown on a page"
