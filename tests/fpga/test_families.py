"""The generated Verilog goes through synthesis for every family of FPGAs that Yosys knows well."""

from pathlib import Path

import pytest

from postern_fpga.tools import INSIDE, ToolError, yosys
from postern_hw.verilog import emit
from postern_spec.config import preset

pytestmark = pytest.mark.fpga

FAMILIES = {
    "ecp5": "synth_ecp5",
    "ice40": "synth_ice40",
    "gowin": "synth_gowin",
    "xilinx7": "synth_xilinx -family xc7",
}


def synthesise(folder: Path, verilog: str, *, top: str, command: str) -> None:
    """Map Verilog to the cells of a family.

    Raises
    ------
    ToolError
        Yosys ended with an error, or there is a latch, a loop, or a signal with two drivers or none.
    """
    (folder / "block.v").write_text(verilog)
    script = [
        f"read_verilog {INSIDE}/block.v",
        f"hierarchy -check -top {top}",
        "proc",
        # Only here: some families have no latches and turn them into loops of LUTs.
        "select -assert-none t:$dlatch t:$adlatch t:$dlatchsr t:$sr",
        "check -assert",
        f"{command} -top {top}",
        "check -noinit -assert",
    ]
    yosys(folder, "\n".join(script) + "\n", name="families")


@pytest.mark.parametrize("family", FAMILIES)
def test_small(family, tmp_path):
    synthesise(tmp_path, emit(preset("small")), top="postern_small", command=FAMILIES[family])


@pytest.mark.parametrize("family", ["ecp5", "xilinx7"])
def test_default(family, tmp_path):
    synthesise(tmp_path, emit(preset("default")), top="postern", command=FAMILIES[family])


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("always @* if (a) x = b;", "selection is not empty"),
        ("always @(posedge c) x <= a; always @(posedge c) x <= b;", r"multiple conflicting drivers for bad\.\\x"),
        ("wire y; always @* x = a ^ y;", r"Wire bad\.\\y is used but has no driver"),
        ("missing part(a, b);", r"Module `\\missing' .* is not part of the design"),
    ],
    ids=["latch", "two drivers", "no driver", "no such module"],
)
def test_what_is_noticed(body, complaint, tmp_path):
    """The same steps refuse a module with such a mistake."""
    verilog = f"module bad(input a, input b, input c, output reg x); {body} endmodule"
    with pytest.raises(ToolError, match=complaint):
        synthesise(tmp_path, verilog, top="bad", command="synth_ecp5")
