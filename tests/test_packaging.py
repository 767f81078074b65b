"""The distribution: no dependencies, all packages in it, a driver and model that run where nothing else is."""

import email
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "postern", "postern_spec", "postern_hw", "postern_sim", "postern_mutate", "postern_cli", "postern_fpga",
    "postern_formal",
}  # fmt: skip

# Run in the empty environment: use what is installed, then list what that has loaded. Each prints "works" if it does.
MODEL = """
from postern.model import Model
from postern_spec.config import preset
from postern_spec.regmap import guest_page

config = preset("small")
page, model = guest_page(config), Model(config)
model.write(0, model.bind(0, 0), page.COMMIT.at(0, 0, 0, 1), 0x1234)
header, _ = model.read(1, model.bind(1, 0), page.HEADER.at(0))
word, _ = model.read(1, model.bind(1, 0), page.POP.at(0))
if page.HEADER.COUNT.get(header) == 1 and page.HEADER.SENDER.get(header) == 0 and word == 0x1234:
    print("works")
"""
FOREIGN = """
import sys

for name in sorted(set(sys.modules) - before):
    top = name.partition(".")[0]
    if top not in ("postern", "postern_spec") and top not in sys.stdlib_module_names:
        print("foreign module", name)
"""


def requirement_names(requirements: list[str]) -> set[str]:
    names = (re.match(r"[A-Za-z0-9._-]+", text) for text in requirements)
    return {re.sub(r"[-_.]+", "-", name.group()).lower() for name in names if name}


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def empty_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the wheel and nothing else, not even pip."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    # No --no-deps: a dependency would make this fail, because there is no index to take it from.
    command = [sys.executable, "-m", "pip", "--isolated", "--python", str(python), "install", "--no-index", str(wheel)]
    subprocess.run(command, check=True, capture_output=True)
    return python


def test_base_dependencies_are_empty(project: dict) -> None:
    assert project["dependencies"] == []


def test_wheel_requires_nothing_without_an_extra(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line] == []


def test_wheel_has_all_packages_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert {Path(name).name for name in names} >= {"LICENSE", "LICENSE-NOTICE.md"}


@pytest.mark.parametrize("use", [MODEL], ids=["model"])
def test_runs_in_an_empty_environment(empty_python: Path, use: str) -> None:
    program = "import sys\nbefore = set(sys.modules)\nimport postern\nprint(postern.__file__)\n" + use + FOREIGN
    done = subprocess.run([empty_python, "-I", "-c", program], cwd="/", capture_output=True, text=True, check=False)
    assert done.stderr == ""
    where, *rest = done.stdout.splitlines()
    assert Path(where).is_relative_to(empty_python.parent.parent)
    assert rest == ["works"]


def test_command_names_the_missing_extra_in_an_empty_environment(empty_python: Path, tmp_path: Path) -> None:
    command = [empty_python.parent / "postern", "generate", "small", "-o", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "postern[hw]" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_extra_is_pinned(project: dict) -> None:
    lines = (ROOT / "requirements" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[a-z0-9-]+==[0-9][A-Za-z0-9.]*", line)] == []
    wanted = {name for extra in project["optional-dependencies"].values() for name in requirement_names(extra)}
    assert wanted - {"postern"} - requirement_names(pins) == set()
