"""The generated Verilog, as other tools see it."""

import os
import shutil
import subprocess

import pyslang
import pytest

from postern_sim.build import lint, verilog
from postern_sim.soak import CONFIGURATIONS
from postern_spec.config import preset

NAMES = ["small", "default", "mixed", "wishbone", "tiny", "secure", "bursts", "apb", "doubles", "quota"]


@pytest.mark.parametrize("name", NAMES)
def test_lint(name):
    """Clean in Verilator's default lint, but for WIDTH."""
    config = CONFIGURATIONS[name]
    assert lint(verilog(config), config.name) == ""


def test_lint_notices():
    assert "UNUSED" not in lint("module m(input a, output b); assign b = a; endmodule", "m")
    assert "%Warning-LATCH" in lint("module m(input a, output reg b); always @* if (a) b = 1; endmodule", "m")


@pytest.mark.parametrize("name", NAMES)
def test_pyslang(name):
    text = verilog(CONFIGURATIONS[name])
    tree = pyslang.syntax.SyntaxTree.fromText(text)
    compilation = pyslang.ast.Compilation()
    compilation.addSyntaxTree(tree)
    errors = [item for item in compilation.getAllDiagnostics() if item.isError()]
    assert not errors, pyslang.DiagnosticEngine.reportAll(tree.sourceManager, errors)


@pytest.mark.parametrize("name", NAMES)
def test_icarus(name, tmp_path):
    if shutil.which("iverilog") is None and not os.environ.get("CI"):
        pytest.skip("iverilog must be on the PATH, not missing")
    source = tmp_path / "block.v"
    source.write_text(verilog(CONFIGURATIONS[name]))
    done = subprocess.run(
        ["iverilog", "-g2005", "-Wall", "-Wno-timescale", "-o", tmp_path / "block.vvp", source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_sram_has_no_contents():
    """It is scrubbed, and a line per byte would be most of the text."""
    text = verilog(CONFIGURATIONS["doubles"])
    assert "lane_0_7 [" in text
    assert "lane_0_7[0] =" not in text


def test_no_probes_in_a_product():
    text = verilog(preset("small"))
    assert "probe_" not in text
    assert "probe_" in verilog(preset("small"), probe=True)


def test_one_text():
    """The same configuration gives the same text, without a path or an attribute of the generator."""
    from postern_hw.verilog import emit

    text = emit(preset("small"))
    assert text == emit(preset("small"))
    assert "/" + "home" not in text
    assert "src =" not in text
