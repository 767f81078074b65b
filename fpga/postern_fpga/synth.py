"""Area and clock of the presets on an ECP5: ``python -m postern_fpga.synth``.

Yosys maps the block alone and its cells are counted, so nothing but the block is in the figures of area. Then a ring of
flip-flops takes the place of the pins (``netlist.ring``), and nextpnr places and routes it several times with different
seeds. The options of both are those with which other mailboxes were measured; ``-nowidelut`` would save some LUT4 and
cost some of the clock.
"""

import argparse
import json
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from postern_hw.verilog import YosysError, emit
from postern_spec.config import Config, ConfigError, load, preset

from .netlist import AREA, area, give_names, parts, ring
from .tools import INSIDE, ToolError, nextpnr_ecp5, yosys

__all__ = ["Synthesis", "critical_path"]

DEVICE = ["--85k", "--package", "CABGA381", "--speed", "6"]
DEVICE_LUTS = 83_640
"""LUT4 of that device. What has more is mapped and counted, but cannot be placed."""

FREQUENCY = 200
"""MHz that place and route aims for: more than any block reaches, so that it never stops trying."""

WITHOUT_SRAM = "default_without_sram"
"""The preset ``default`` with no blocks: a register mailbox, to be compared with others."""

BARS: dict[str, dict[str, float]] = {
    "small": {"lut4": 1100, "ebr": 2, "fmax_mhz": 130},
    WITHOUT_SRAM: {"lut4": 6000, "ebr": 12, "fmax_mhz": 100},
    "default": {"fmax_mhz": 100},
    "large": {},
}
"""What is measured, and what it is to keep within. ``fmax_mhz`` is a lower bound, the others are upper bounds."""

SLOWEST_SHOWN = 3
"""Critical paths that are printed, of as many seeds."""


class Synthesis:
    """Synthesis of one block.

    Parameters
    ----------
    config : Config
        The block.
    folder : Path
        For everything that is made on the way.
    """

    def __init__(self, config: Config, folder: Path):
        self.config = config
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():  # what a failed run leaves must not be taken for a result
            old.unlink()
        (folder / "block.v").write_text(emit(config))

    def _map(self, name: str, options: str = "") -> dict[str, Any]:
        """Map to ECP5 cells, but for the step that gives names of its own to what has none. Return the netlist."""
        script = [
            f"read_verilog {INSIDE}/block.v",
            f"synth_ecp5 {options} -top {self.config.name} -run begin:check",
            "check -noinit -assert",
            "blackbox =A:whitebox",  # the cells of the library, which are not part of the design
            f"write_json {INSIDE}/{name}.json",
        ]
        yosys(self.folder, "\n".join(script) + "\n", name=name)
        return json.loads((self.folder / f"{name}.json").read_text())

    def area(self) -> dict[str, int]:
        """Map the block, count its cells, and leave it in its ring for ``place``."""
        top = self.config.name
        netlist = self._map("flat")
        give_names(netlist, top)
        counted = area(netlist, top)
        self._flip_flops = counted["ff"] + ring(netlist, top)
        (self.folder / "ring.json").write_text(json.dumps(netlist))
        return counted

    def parts(self) -> dict[str, dict[str, int]]:
        """Count the cells of each part mapped on its own. The block, optimised across parts, has fewer than that."""
        return parts(self._map("parts", "-noflatten"), self.config.name)

    def place(self, seed: int) -> dict[str, Any]:
        """Place and route with a seed. Return ``fmax_mhz`` and the critical ``path``."""
        report = f"seed{seed}.report.json"
        options = ["--freq", str(FREQUENCY), "--timing-allow-fail", "--lpf-allow-unconstrained"]
        files = ["--json", f"{INSIDE}/ring.json", "--top", self.config.name, "--report", f"{INSIDE}/{report}"]
        nextpnr_ecp5(self.folder, [*DEVICE, *options, *files, "--seed", str(seed)], name=f"seed{seed}")
        found = json.loads((self.folder / report).read_text())
        placed = found["utilization"]["TRELLIS_FF"]["used"]
        if placed != self._flip_flops:
            raise ToolError(f"nextpnr must place all {self._flip_flops} flip-flops of {self.config.name}, not {placed}")
        (clock,) = found["fmax"].values()
        return {"fmax_mhz": round(clock["achieved"], 1), "path": critical_path(found)}


def critical_path(report: dict[str, Any]) -> dict[str, Any]:
    """Return the slowest path between registers of a report of nextpnr.

    Parameters
    ----------
    report : dict
        As read from nextpnr's JSON.

    Returns
    -------
    dict
        ``from`` and ``to``, the cells at its ends; ``logic_ns`` and ``routing_ns``, which add up to the period;
        ``levels`` of logic between them; ``through``, the signals on the way that have a name in the source.
    """
    steps = next(item["path"] for item in report["critical_paths"] if item["from"] == item["to"] != "<async>")
    routing = [step for step in steps if step["type"] == "routing"]
    return {
        "from": steps[0]["from"]["cell"],
        "to": steps[-1]["to"]["cell"],
        "logic_ns": round(sum(step["delay"] for step in steps if step["type"] != "routing"), 2),
        "routing_ns": round(sum(step["delay"] for step in routing), 2),
        "levels": sum(step["type"] == "logic" for step in steps),
        "through": [step["net"] for step in routing[1:] if not step["net"].startswith("$")],
    }


def _seeds(text: str) -> list[int]:
    """``1-5`` or ``1,3,7``."""
    try:
        seeds: list[int] = []
        for item in text.split(","):
            first, _, last = item.partition("-")
            seeds += range(int(first), int(last or first) + 1)
    except ValueError:
        seeds = []
    if not seeds:
        raise argparse.ArgumentTypeError(f"seeds must be numbers or a range such as 1-5, not {text!r}")
    return seeds


def _change(text: str) -> tuple[str, Any]:
    """``name=value``, as a line of a TOML file would say it."""
    name, _, value = (part.strip() for part in text.partition("="))
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        raise argparse.ArgumentTypeError(
            f"change must be the name of an option, =, and its value as in TOML, not {text!r}"
        ) from None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="postern_fpga.synth", description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--config", nargs="+", default=list(BARS), metavar="CONFIG", help="presets, default_without_sram or TOML files"
    )
    parser.add_argument(
        "--set", type=_change, nargs="+", default=[], metavar="NAME=VALUE", help="change these options of all of them"
    )
    parser.add_argument("--area", action="store_true", help="area only: nothing is placed, and parts are not mapped")
    parser.add_argument("--seeds", type=_seeds, default="1-5", help="seeds of place and route (1-5)")
    parser.add_argument("--quick", action="store_true", help="the first seed only, and no areas of parts")
    parser.add_argument("--jobs", type=int, default=2, help="place and route this many at once (2)")
    parser.add_argument("--out", type=Path, default=Path("build/synth.json"), help="where the figures go")
    return parser.parse_args()


def _say(text: str) -> None:
    print(f"[{time.monotonic() - _START:5.0f} s] {text}", flush=True)


_START = time.monotonic()


def main() -> int:
    """Measure, print a table, write the figures."""
    arguments = _arguments()
    seeds = arguments.seeds[:1] if arguments.quick else arguments.seeds
    results: dict[str, Any] = {}
    areas: dict[str, Any] = {}
    paths: dict[str, Any] = {}

    def keep() -> None:
        """Write what is known, so that hours of work are not lost with a later block."""
        report = results | {"parts": areas, "critical_paths": paths, "seeds": seeds}
        arguments.out.write_text(json.dumps(report, indent=2) + "\n")

    try:
        for source in arguments.config:
            config = preset("default").replace(blocks=0) if source == WITHOUT_SRAM else load(source)
            name = Path(source).stem + "".join(f",{option}={value}" for option, value in arguments.set)
            if arguments.set:
                config = Config.from_dict(dict(arguments.set), base=config)
            _say(f"{name}: generating Verilog")
            synthesis = Synthesis(config, arguments.out.parent / "synth" / name)
            _say(f"{name}: mapping to ECP5")
            results[name] = synthesis.area()
            _say(f"{name}: " + ", ".join(f"{number} {AREA[figure]}" for figure, number in results[name].items()))
            if arguments.area:
                keep()
                continue
            if results[name]["lut4"] > DEVICE_LUTS:
                _say(f"{name}: does not fit into a device of {DEVICE_LUTS:,} LUT4, so it has no clock")
                results[name] |= {"fmax_mhz": None, "fmax_mhz_seeds": []}
                keep()
                continue
            if not arguments.quick:
                _say(f"{name}: mapping each part")
                areas[name] = synthesis.parts()
            placed = []
            with ThreadPoolExecutor(arguments.jobs) as pool:
                for seed, one in zip(seeds, pool.map(synthesis.place, seeds), strict=True):
                    _say(f"{name}: seed {seed}: {one['fmax_mhz']} MHz")
                    placed.append(one)
            frequencies = [one["fmax_mhz"] for one in placed]
            results[name] |= {"fmax_mhz": median(frequencies), "fmax_mhz_seeds": frequencies}
            paths[name] = [one["path"] for one in sorted(placed, key=lambda one: one["fmax_mhz"])]
            keep()
    except (ConfigError, ToolError, YosysError) as error:
        print(error, file=sys.stderr)
        return 1

    _print(results, areas, paths)
    print(f"\nThe figures are in {arguments.out}, what the tools said in {arguments.out.parent / 'synth'}.")
    return 0


def _print(results: dict[str, Any], areas: dict[str, Any], paths: dict[str, Any]) -> None:
    figures = [*AREA, "fmax_mhz"]
    titles = ["LUT4", "FF", "DPR16X4", "CCU2C", "DP16KD", "Fmax MHz"]
    print(f"\n{'':12}" + "".join(f"{title:>12}" for title in titles) + "   seeds")
    for name, found in results.items():
        seeds = found.get("fmax_mhz_seeds")
        spread = (
            f"   {min(seeds)} to {max(seeds)}" if seeds else "   not placed" if seeds is None else "   does not fit"
        )
        print(
            f"{name:12}"
            + "".join(f"{'' if found.get(figure) is None else found[figure]:>12}" for figure in figures)
            + spread
        )
        if name in BARS and seeds:
            print(f"{'  bar':12}" + "".join(f"{_bar(name, found, figure):>12}" for figure in figures))
    for name, found in areas.items():
        print(f"\n{name + ', by part':18}{'count':>8}" + "".join(f"{title:>12}" for title in titles[:-1]))
        for part, entry in found.items():
            print(f"  {part:16}{entry['count']:>8}" + "".join(f"{entry[figure]:>12}" for figure in AREA))
    for name, found in paths.items():
        for path in found[:SLOWEST_SHOWN]:
            print(f"\n{name}: {path['from']} to {path['to']}")
            print(f"  {path['logic_ns']} ns of logic in {path['levels']} levels, {path['routing_ns']} ns of routing")
            for signal in path["through"]:
                print(f"  through {signal}")


def _bar(name: str, found: dict[str, Any], figure: str) -> str:
    limit = BARS[name].get(figure)
    if limit is None:
        return ""
    if figure == "fmax_mhz":
        return f">={limit} {'ok' if found[figure] >= limit else 'missed'}"
    return f"<={limit} {'ok' if found[figure] <= limit else 'missed'}"


if __name__ == "__main__":
    sys.exit(main())
