#!/usr/bin/env python3
"""Draw the plots of docs/performance.md from the committed figures (docs/figures).

python docs/plots.py            write docs/images/growth.svg and hybrid.svg
python docs/plots.py --check    whether they show the committed figures
"""

import io
import json
import sys
from pathlib import Path
from typing import Any

import matplotlib
from drawing import main
from matplotlib.figure import Figure

FIGURES = Path(__file__).with_name("figures")
SIZES = {"4B": 4, "16B": 16, "64B": 64, "256B": 256, "1KiB": 1024, "4KiB": 4096, "64KiB": 65536, "1MiB": 1 << 20}
WAYS = {"registers": "#b4472e", "blocks": "#2f6f9f", "hybrid": "#1f2a33"}

# The same bytes on every run and machine: no date, no random identifiers, text as text.
matplotlib.rcParams["svg.hashsalt"] = "postern"
matplotlib.rcParams["svg.fonttype"] = "none"


def _read(name: str) -> dict[str, Any]:
    path = FIGURES / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _text(figure: Figure) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None}, facecolor="#fcfcfa")
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def growth(found: dict[str, dict[str, dict[str, int]]]) -> str:
    """Return LUT4 and flip-flops against ports, VMs and blocks, one panel each."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    panels = figure.subplots(1, len(found), sharey=True)
    for panel, (sweep, values) in zip(panels, found.items(), strict=True):
        counts = [int(value) for value in values]
        for key, label, mark in (("lut4", "LUT4", "o-"), ("ff", "flip-flops", "s--")):
            panel.plot(counts, [entry[key] for entry in values.values()], mark, label=label, markersize=4)
        panel.set_xticks(counts, [str(count) for count in counts])
        panel.set_xlabel(sweep if sweep != "vms" else "VMs")
        panel.grid(alpha=0.3)
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("cells")
    panels[0].legend()
    return _text(figure)


def hybrid(found: dict[str, Any]) -> str:
    """Return cycles per byte against the size of a transfer: registers, blocks, and what the driver chooses."""
    figure = Figure(figsize=(7, 3.8), layout="constrained")
    panel = figure.subplots()
    for way, colour in WAYS.items():
        points = [(size, found[f"{way}_cycles_{name}"] / size) for name, size in SIZES.items()]
        wide = way == "hybrid"
        panel.plot(*zip(*points, strict=True), "o:" if wide else "o-", color=colour, label=way, markersize=4)
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_xticks(list(SIZES.values()), [name.removesuffix("iB").removesuffix("B") for name in SIZES])
    panel.set_xlabel("bytes")
    panel.set_ylabel("cycles per byte, one way")
    panel.grid(alpha=0.3)
    panel.legend()
    return _text(figure)


def draw() -> dict[str, str]:
    """Return the plots for which there are figures, by file name."""
    grown, measured = _read("growth.json"), _read("bench.json")
    plots = {"growth.svg": growth(grown)} if grown else {}
    if "hybrid_cycles_1MiB" in measured:
        plots["hybrid.svg"] = hybrid(measured)
    return plots


if __name__ == "__main__":
    sys.exit(main("Draw the plots of the performance page.", draw))
