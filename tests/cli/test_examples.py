"""The examples work, as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from postern_cli import info
from postern_spec.config import Bus, Identity, Manager, load, preset
from postern_spec.emit import instance
from postern_spec.pins import pins

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
RECIPES = sorted(EXAMPLES.glob("*.toml"))


def program(name: str, *arguments: str) -> str:
    """Run an example as a user would, and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_recipes_are_what_they_say() -> None:
    zynq, polarfire, soft = (load(EXAMPLES / f"{name}.toml") for name in ("zynq_ultrascale", "polarfire", "soft_riscv"))
    assert [port.identity for port in zynq.ports] == [Identity.PAGE]
    assert [port.bus for port in (*zynq.ports, *polarfire.ports)] == [Bus.AXI4, Bus.AXI4]
    assert (zynq.sram_width, polarfire.sram_width) == (32, 64)
    assert "axi4 64 bits" in info.text(polarfire)
    assert "bits" not in info.picture(zynq)[2]
    assert (zynq.cores, zynq.page_stride, zynq.manager) == (4, 65536, Manager.PAGE)
    assert [port.identity for port in polarfire.ports] == [Identity.PAGE]
    assert (polarfire.cores, polarfire.manager) == (4, Manager.PAGE)
    assert [port.identity for port in soft.ports] == [Identity.STATIC, Identity.STATIC, Identity.RESIDENT]
    assert soft.manager is Manager.PAGE
    assert [path.stem for path in RECIPES] == ["polarfire", "soft_riscv", "zynq_ultrascale"]


def test_two_vms_on_the_model() -> None:
    shown = program("two_vms.py")
    answers = re.findall(r"^(\d+) squared is (\d+)$", shown, re.M)
    assert len(answers) == 5
    assert all(int(question) ** 2 == int(answer) for question, answer in answers)
    assert shown.endswith("the server answered 5 questions\n")


@pytest.mark.sim
def test_two_vms_on_the_hardware() -> None:
    assert program("two_vms.py", "--rtl") == program("two_vms.py")


@pytest.mark.sim
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_and_their_templates_lint(path: Path) -> None:
    from postern_sim.build import lint, verilog

    c = load(path)
    wired = f"module user;\n{instance.emit(c)}endmodule\n"
    assert lint(verilog(c) + wired, "user") == ""


@pytest.mark.sim
def test_a_template_that_forgot_a_pin_does_not_lint() -> None:
    from postern_sim.build import lint, verilog

    c = preset("small")
    wired = f"module user;\n{instance.emit(c)}endmodule\n"
    assert lint(verilog(c) + wired, "user") == ""
    for pin in pins(c)[:1] + pins(c)[-1:]:
        without = re.sub(rf"\n    \.{pin.name} +\({pin.name}\),?", "", wired).replace(",\n);", "\n);")
        assert pin.name in lint(verilog(c) + without, "user")


@pytest.mark.sim
def test_the_top_level_lints() -> None:
    from postern_sim.build import lint, verilog

    text = (EXAMPLES / "soft_riscv_top.v").read_text(encoding="utf-8")
    c = load(EXAMPLES / "soft_riscv.toml")
    assert lint(verilog(c) + text, "soft_riscv_top") == ""
    connected = re.findall(r"^        \.(\w+) +\(", text, re.M)
    assert sorted(connected) == sorted(pin.name for pin in pins(c))


@pytest.mark.sim
def test_the_cocotb_bench() -> None:
    assert program("bench/run.py").endswith("\n4 tests, 0 failed\n")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_templates_parse_elsewhere(path: Path) -> None:
    import pyslang

    for text in (f"module user;\n{instance.emit(load(path))}endmodule\n", (EXAMPLES / "soft_riscv_top.v").read_text()):
        tree = pyslang.syntax.SyntaxTree.fromText(text)
        assert [str(item) for item in tree.diagnostics] == []
    assert list(pyslang.syntax.SyntaxTree.fromText("module broken(;").diagnostics)
