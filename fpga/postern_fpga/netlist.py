"""Netlists as Yosys writes them (JSON): counting cells, telling names, and the ring of registers in place of pins."""

import re
from collections import Counter
from typing import Any

__all__ = ["AREA", "Netlist", "area", "give_names", "parts", "ring"]

Netlist = dict[str, Any]
"""As read from Yosys' JSON."""

AREA = {
    "lut4": "LUT4",
    "ff": "TRELLIS_FF",
    "dpr16x4": "TRELLIS_DPR16X4",
    "ccu2c": "CCU2C",
    "ebr": "DP16KD",
}
"""Figures of area and the ECP5 cells that each counts, as Yosys leaves them and before they are packed."""


def area(netlist: Netlist, top: str) -> dict[str, int]:
    """Count the cells of the flattened module ``top``."""
    return _count(netlist["modules"][top])


def _count(module: Netlist) -> dict[str, int]:
    cells = Counter(cell["type"] for cell in module["cells"].values())
    return {figure: cells[cell] for figure, cell in AREA.items()}


def parts(netlist: Netlist, top: str) -> dict[str, dict[str, int]]:
    """Count the cells of each part of ``top``, with everything inside it, in a netlist that was not flattened.

    Parts of one kind (``port_0``, ``port_1``) are added up under one name; ``count`` tells how many there are. What is
    in ``top`` itself is called ``top``.
    """
    found: dict[str, dict[str, int]] = {}
    seen = set()
    for name, module in netlist["modules"].items():
        if name != top and not name.startswith(f"{top}."):
            continue  # a cell of the library
        part = name.split(".")[1] if "." in name else "top"
        kind = re.sub(r"(\$\d+|_\d+)+$", "", part)
        entry = found.setdefault(kind, dict.fromkeys(["count", *AREA], 0))
        entry["count"] += part not in seen
        seen.add(part)
        for figure, number in _count(module).items():
            entry[figure] += number
    return dict(sorted(found.items(), key=lambda item: -item[1]["lut4"]))


def give_names(netlist: Netlist, top: str) -> None:
    """Leave each net of a flattened netlist its most telling name, and call each flip-flop after what it holds.

    Reports of place and route then speak of signals of the source. A net without a name there has one that starts
    with ``$``.
    """
    module = netlist["modules"][top]
    names: dict[int, list[str]] = {}
    for name, net in module["netnames"].items():
        for index, bit in enumerate(net["bits"]):
            names.setdefault(bit, []).append(f"{name}[{index}]" if len(net["bits"]) > 1 else name)

    owners = {}  # by the bit that a flip-flop holds
    for cell in module["cells"].values():
        if cell["type"] == "TRELLIS_FF":
            owners[cell["connections"]["Q"][0]] = _owner(module, cell)

    def telling(bit: int, name: str) -> tuple[bool, bool, bool, int, str]:
        part = name.rpartition(".")[0]
        return name.startswith("$"), part != owners.get(bit, part), "$" in name, len(name), name

    chosen = {
        bit: min(found, key=lambda name, bit=bit: telling(bit, name))  # type: ignore[misc]
        for bit, found in names.items()
        if isinstance(bit, int)  # constants are texts
    }
    module["netnames"] = {name: {"hide_name": 0, "bits": [bit], "attributes": {}} for bit, name in chosen.items()}
    module["cells"] = {
        chosen[cell["connections"]["Q"][0]] if cell["type"] == "TRELLIS_FF" else name: cell
        for name, cell in module["cells"].items()
    }


def _owner(module: Netlist, cell: Netlist) -> str:
    """Return which part of a flattened module a cell comes from, by the lines of the source that each part takes up."""
    place = re.match(r"[^|]*?:(\d+)", cell["attributes"].get("src", ""))
    if place:
        for name, scope in module["cells"].items():
            if scope["type"] == "$scopeinfo":
                lines = re.match(r".*?:(\d+)\.\d+-(\d+)\.", scope["attributes"]["module_src"])
                if lines and int(lines[1]) <= int(place[1]) <= int(lines[2]):
                    return name
    return ""


def ring(netlist: Netlist, top: str, *, clock: str = "clk") -> int:
    """Put a mapped and flattened netlist inside a ring of flip-flops, in place, and return their number.

    Inputs come from a shift register with one pin, outputs end in flip-flops of which the first drives a pin. The ring
    has no LUTs, and because nothing is optimised after it was added, it neither takes over logic of the block nor lets
    any be removed.
    """
    module = netlist["modules"][top]
    ports = module["ports"]
    (clk,) = ports[clock]["bits"]
    pin = 1 + max(bit for net in module["netnames"].values() for bit in net["bits"] if isinstance(bit, int))

    def bits(direction: str) -> list[tuple[str, int]]:
        return [
            (f"ring.{name}[{index}]", bit)
            for name, port in ports.items()
            if port["direction"] == direction and name != clock
            for index, bit in enumerate(port["bits"])
        ]

    inputs, outputs = bits("input"), bits("output")
    before = pin
    for name, bit in inputs:
        module["cells"][name] = _flip_flop(clk, before, bit)
        before = bit
    for number, (name, bit) in enumerate(outputs, pin + 1):
        module["cells"][name] = _flip_flop(clk, bit, number)
        module["netnames"][name] = {"hide_name": 0, "bits": [number], "attributes": {}}
    module["ports"] = {
        clock: ports[clock],
        "ring_in": {"direction": "input", "bits": [pin]},
        "ring_out": {"direction": "output", "bits": [pin + 1]},
    }
    return len(inputs) + len(outputs)


def _flip_flop(clock: int, data: int, out: int) -> Netlist:
    return {
        "hide_name": 0,
        "type": "TRELLIS_FF",
        # A text of ones and zeros is a number in this format; the blank keeps it a text.
        "parameters": {"CEMUX": "1 ", "CLKMUX": "CLK", "GSR": "DISABLED", "LSRMUX": "LSR", "REGSET": "RESET"},
        "attributes": {},
        "port_directions": {"CLK": "input", "DI": "input", "Q": "output"},
        "connections": {"CLK": [clock], "DI": [data], "Q": [out]},
    }
