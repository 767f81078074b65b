"""Coverage: what is read from Verilator, how holes are put together, and that each needs a reason."""

from collections import Counter

import pytest

from postern_sim.coverage import Explanation, Hole, Point, _places, explain, explanations, holes, page, parse

VERILOG = """module top(a);
  (* src = "/x/hw/postern_hw/queue.py:12" *)
  wire a;
  assign b = a;
  (* src = "/x/amaranth/hdl/_ast.py:1318" *)
  wire c;
endmodule
module other(a);
  wire a;
"""


def line(page, number, what, place, count, column=3):
    fields = {"f": "block.v", "l": number, "n": column, "t": "x", "page": f"{page}/m", "o": what, "h": place}
    return "C '" + "".join(f"\x01{key}\x02{value}" for key, value in fields.items()) + f"' {count}"


def test_lines_of_verilog_come_from_lines_of_python():
    here = "hw/postern_hw/queue.py:12"
    assert _places(VERILOG) == ["", "", here, here, here, "", "", "", "", ""]


def test_points_are_read_with_their_place_and_counts_of_one_point_are_added():
    data = "\n".join(
        [
            "# SystemC::Coverage-3",
            line("v_toggle", 3, "answer___05Fvalid[2]:0->1", "top.port_0", 0),
            line("v_toggle", 3, "answer___05Fvalid[2]:0->1", "top.port_1", 4),
            line("v_expr", 4, "(a==0) => 0", "top.doorbells$525", 2),
            line("v_branch", 4, "if", "top", 7),
            line("v_branch", 4, "if", "top", 1),
            line("v_user", 4, "not ours", "top", 1),
        ]
    )
    counts = parse(data, _places(VERILOG))
    here = "hw/postern_hw/queue.py:12"
    assert counts == Counter(
        {
            Point("port", "toggle", here, "answer__valid[2]:0->1 @3 top.port_0", 3): 0,
            Point("port", "toggle", here, "answer__valid[2]:0->1 @3 top.port_1", 3): 4,
            Point("doorbells", "expression", here, "(a==0) => 0 @3 top.doorbells$525", 4): 2,
            Point("", "line", here, "if @3 top", 4): 8,
        }
    )
    # One of two ports did not do it: that is a hole, whatever the other did.
    assert holes("small", counts) == [Hole("small", "port", "toggle", here, "answer__valid")]


HOLES = [
    Hole("small", "port", "toggle", "hw/postern_hw/port.py:1", "request__secure"),
    Hole("small", "port", "line", "hw/postern_hw/port.py:2", "if"),
]


def test_every_hole_needs_an_explanation_and_every_explanation_a_hole():
    good = Explanation("because", {"part": "port", "what": ".*secure"})
    idle = Explanation("no longer", {"part": "queue"})
    explained, without, unused = explain(HOLES, [good, idle])
    assert explained == [(good, [HOLES[0]])]
    assert without == [HOLES[1]]
    assert unused == [idle]
    shown = page({"small": Counter({Point("port", "line", HOLES[1].source, "if @3 top.port_0", 4): 0})}, {}, [good])
    assert "Not explained" in shown
    assert HOLES[1].source in shown


def test_a_pattern_is_about_all_of_a_field_and_about_the_text_of_the_source():
    hole = Hole("small", "queue", "line", "hw/postern_hw/queue.py:1", "if")
    assert Explanation("r", {"text": '"""[^"]*"""'}).covers(hole)
    assert not Explanation("r", {"part": "que"}).covers(hole)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[hole]]\npart = "a"\n', "explanation of holes must have a reason, not only {'part': 'a'}"),
        ('[[hole]]\nreason = "r"\n', "patterns must be for config, kind, part, source, text, what, not "),
        (
            '[[hole]]\nreason = "r"\ncell = "a"\n',
            "patterns must be for config, kind, part, source, text, what, not cell",
        ),
    ],
)
def test_explanations_that_say_nothing_are_refused(tmp_path, text, message):
    path = tmp_path / "coverage.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{message}$"):
        explanations(path)


def test_the_explanations_of_the_project_can_be_read():
    assert all(len(one.reason) > 20 for one in explanations())
