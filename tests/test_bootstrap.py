"""The set-up: what it says when something is missing."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def bootstrap() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "tools" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def without(tool: str) -> Callable[[str], str | None]:
    which = shutil.which
    return lambda name: None if name == tool else which(name)


@pytest.mark.parametrize(
    ("tool", "sentence"),
    [
        ("make", r"^make must be on the PATH \(on Debian: apt-get install make\), not missing\.$"),
        ("perl", r"^perl must be on the PATH \(on Debian: apt-get install perl\), not missing\.$"),
        ("git", r"^git must be on the PATH \(on Debian: apt-get install git\), not missing\.$"),
        (
            "c++",
            r"^A C\+\+ compiler \(c\+\+\) must be on the PATH \(on Debian: apt-get install g\+\+\), not missing\.$",
        ),
    ],
)
def test_a_missing_tool_is_named(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tool: str, sentence: str
) -> None:
    monkeypatch.setattr(bootstrap.shutil, "which", without(tool))
    with pytest.raises(bootstrap.SetupError, match=sentence):
        bootstrap.check_tools()


def test_an_old_python_is_named(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "sys", SimpleNamespace(version_info=(3, 9, 2), platform="linux"))
    sentence = r"^Python must be 3\.11 or newer, not 3\.9 \(make PYTHON=\.\.\. names another one\)\.$"
    with pytest.raises(bootstrap.SetupError, match=sentence):
        bootstrap.check_python()


def test_a_static_python_is_named(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "shared_libpython", lambda: "")
    with pytest.raises(
        bootstrap.SetupError, match=r"^Python must have a shared libpython .*, not only a static one\.$"
    ):
        bootstrap.check_python()


def test_a_path_with_spaces_is_named(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", "/a b")
    with pytest.raises(
        bootstrap.SetupError, match=r"^The path of this checkout must be free of spaces .*, not '/a b'\.$"
    ):
        bootstrap.check_tools()


def test_an_unknown_level_is_named() -> None:
    command = [sys.executable, ROOT / "tools" / "bootstrap.py", "everything"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "The level must be one of run, fpga, formal, docs or lock, not everything.\n"


def test_every_target_is_in_the_help() -> None:
    """A target that a person may call has a line in `make help`."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = next(line for line in text.splitlines() if line.startswith(".PHONY:")).split()[1:]
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert set(phony) - listed == {"demo", "setup-fpga", "setup-formal", "setup-docs"}
