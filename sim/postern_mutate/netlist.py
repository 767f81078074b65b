"""Mutants of a block: which there are, and Verilog that can be any of them.

The hardware is taken as it is generated, but flattened and with the source line at every cell, in a build copy that
nobody else sees. A mutant changes one bit at one pin of one cell.
"""

import functools
import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postern_sim import build
from postern_spec.config import Config

from .yosys import yosys

__all__ = ["MODES", "Mutant", "choose", "flat", "mutated"]

MODES = ("inv", "const0", "const1")
"""What a mutant does to its bit: invert it, or tie it to a level."""

CONTROL_BITS = 16
"""Width of the input that says which mutant a block is; also of ``bench_mutant`` in ``shim.cpp``."""

# Pins that no mutant touches: one clock drives all, no cell has a reset pin of its own, a flip-flop whose output were
# changed would lose its value at power-up (its input is changed instead), and contents of memories are not logic.
_PINS_LEFT_ALONE = frozenset({"CLK", "ARST", "SRST", "Q"})
_CELLS_LEFT_ALONE = frozenset({"$scopeinfo", "$meminit", "$meminit_v2"})


@dataclass(frozen=True)
class Mutant:
    """One change of one bit.

    Parameters
    ----------
    source : str
        File and line of the operator or statement that the cell was made from, such as ``hw/postern_hw/queue.py:124``.
    part : str
        Where the cell is in the hierarchy; empty for the top.
    cell, port, bit
        The pin, as Yosys names it.
    mode : str
        One of ``MODES``.
    """

    source: str
    part: str
    cell: str
    port: str
    bit: int
    mode: str

    def command(self, top: str, control: tuple[str, int] | None = None) -> str:
        """Return the Yosys command that makes it; with ``control`` only while that signal has that value."""
        where = f"-module {top} -cell {self.cell} -port {self.port} -portbit {self.bit}"
        when = f" -ctrl {control[0]} {CONTROL_BITS} {control[1]}" if control else ""
        return f"mutate -mode {self.mode} {where}{when}"

    def __str__(self) -> str:
        return f"{self.source}: {self.mode} of {self.port}[{self.bit}] at {self.cell}"


@functools.lru_cache
def flat(config: Config) -> Path:
    """Return the folder of the flattened hardware: ``probed.il``, and ``plain.json`` without the probes."""
    from postern_hw.verilog import rtlil

    text = rtlil(config, probe=True, sources=True)
    folder = build.build_folder() / "mutate" / f"{config.name}-{build.digest(text, Path(__file__).read_bytes())}"
    if not folder.exists():
        with build.wait_with_progress(f"mutate: flattening {config.name}"), build.fresh_folder(folder) as new:
            (new / "block.il").write_text(text)
            yosys(
                "read_rtlil block.il\nproc\nflatten\nopt_expr\nopt_clean\nwrite_rtlil probed.il\n"
                "delete -port o:probe_*\nopt_clean\nwrite_rtlil plain.il\nwrite_json plain.json\n",
                new,
                "flatten",
            )
    return folder


def _relative(place: str) -> str:
    """Return a source line as it is called in the repository; empty where it is not one of the hardware."""
    found = re.search(r"(postern_hw/(?:\w+/)*\w+\.py:\d+)", place)
    return f"hw/{found[1]}" if found else ""


def _candidates(config: Config) -> dict[str, list[Mutant]]:
    """Return all mutants of what the pins of a block depend on, by source line."""
    module: dict[str, Any] = json.loads((flat(config) / "plain.json").read_text())["modules"][config.name]
    drives: dict[Any, str] = {}  # of bits: the first line that named a signal of it
    for net in module["netnames"].values():
        place = _relative(net["attributes"].get("src", ""))
        for bit in net["bits"] if place else ():
            drives.setdefault(bit, place)
    found: dict[str, list[Mutant]] = {}
    for name, cell in module["cells"].items():
        if cell["type"] in _CELLS_LEFT_ALONE:
            continue
        lines = filter(None, map(_relative, cell["attributes"].get("src", "").split("|")))
        output = next(pin for pin, way in cell["port_directions"].items() if way == "output" or pin == "DATA")
        source = next(lines, "") or drives.get(cell["connections"][output][0], "") or "hw/postern_hw"
        part = ".".join(re.findall(r"\\(\w+)(?:\$\d+)?\.", name))
        for pin, bits in sorted(cell["connections"].items()):
            if pin in _PINS_LEFT_ALONE:
                continue
            for index, bit in enumerate(bits):
                # Of constants only the inverse is another; those at memories say what kind of port it is.
                constant = isinstance(bit, str)
                for mode in () if constant and cell["type"].startswith("$mem") else ("inv",) if constant else MODES:
                    found.setdefault(source, []).append(Mutant(source, part, name, pin, index, mode))
    return dict(sorted(found.items()))


def choose(config: Config, count: int, *, files: Sequence[str] = (), seed: int = 1) -> list[Mutant]:
    """Choose mutants evenly over the source lines, the same ones every time.

    Parameters
    ----------
    config : Config
        The block.
    count : int
        How many, at most.
    files : sequence of str
        Only from these files of the hardware, such as ``queue.py``; all, where there are none.
    seed : int
        Of the choice within a line.
    """
    lines = _candidates(config)
    if files:
        lines = {line: found for line, found in lines.items() if line.rpartition(":")[0].rpartition("/")[2] in files}
    rng = random.Random(seed)
    for found in lines.values():
        rng.shuffle(found)
    longest = max(map(len, lines.values()), default=0)
    turns = (found[turn] for turn in range(longest) for found in lines.values() if turn < len(found))
    return [mutant for mutant, _ in zip(turns, range(count), strict=False)]


def mutated(config: Config, mutants: Sequence[Mutant]) -> str:
    """Return Verilog of a block that can be any of some mutants.

    It has an input ``mutant``, read while ``rst`` is high: 0 for the block as it is, 1 for the first of them and
    so on.
    """
    if len(mutants) >= 1 << CONTROL_BITS:
        raise ValueError(f"number of mutants must be below {1 << CONTROL_BITS}, not {len(mutants)}")
    source = flat(config)
    folder = source / f"mutants-{build.digest(repr(mutants))}"
    if not folder.exists():
        with (
            build.wait_with_progress(f"mutate: {len(mutants)} mutants of {config.name}"),
            build.fresh_folder(folder) as new,
        ):
            commands = (m.command(config.name, ("mutant_now", number)) for number, m in enumerate(mutants, 1))
            yosys(
                "\n".join(
                    [
                        f"read_rtlil {source / 'probed.il'}",
                        *commands,
                        # No hints about cases that exclude each other: a mutant may contradict them.
                        "write_verilog -noattr -noparallelcase raw.v",
                        "",
                    ]
                ),
                new,
                "mutate",
            )
            (new / "block.v").write_text(_latched((new / "raw.v").read_text()))
    return (folder / "block.v").read_text()


def _latched(text: str) -> str:
    """Put a register behind the control input: Verilator then leaves the mutants alone when other inputs change."""
    declared = re.compile(r"^  input (\[\d+:0\]) mutant_now;\n(?:  wire \[\d+:0\] mutant_now;\n)?", re.M)
    text, count = declared.subn(
        r"  input \1 mutant;\n  reg \1 mutant_now = 0;\n  always @(posedge clk) if (rst) mutant_now <= mutant;\n", text
    )
    header = re.compile(r"(^module [^;]*\b)mutant_now\b", re.M)
    text, again = header.subn(r"\1mutant", text, count=1)
    if (count, again) != (1, 1):
        raise build.BuildError("the control input must be declared once, not in another way than Yosys did so far")
    return text
