#!/usr/bin/env python3
"""Write the figures into docs/performance.md.

python docs/figures.py                 from docs/figures/bench.json and synth.json, the committed figures
python docs/figures.py --take build    copy the figures of the last `make bench` and `make synth` there first
python docs/figures.py --check         whether the page shows the committed figures
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

from generated import DOCS, parser, table, write

FIGURES = DOCS / "figures"
ABSENT = "not measured yet"
TOO_LARGE = "does not fit"
SEEDS = 5
"""Runs of place and route whose median is published; where there were fewer, the table says so."""


class Figure(NamedTuple):
    """A figure of the bench: its key, what it is, and its bar. ``at_least`` says which side of the bar is good."""

    key: str
    what: str
    bar: float | None
    at_least: bool = False
    unit: str = ""


BENCH = (
    Figure("send_accesses_16B", "bus accesses to send 16 bytes", 4),
    Figure("receive_accesses_16B", "bus accesses to receive 16 bytes", 5),
    Figure("commit_to_irq_cycles", "`small`: last write accepted to interrupt", 2, unit="cycles"),
    Figure("commit_to_readable_cycles", "`small`: last write accepted to message readable", 2, unit="cycles"),
    Figure("read_latency_cycles", "`small`: read accepted to data", 3, unit="cycles"),
    Figure("default_commit_to_irq_cycles", "`default`: last write accepted to interrupt", 3, unit="cycles"),
    Figure("default_commit_to_readable_cycles", "`default`: last write accepted to message readable", 3, unit="cycles"),
    Figure("default_read_latency_cycles", "`default`: read accepted to data", 5, unit="cycles"),
    Figure(
        "mailbox_words_per_cycle_per_port", "`default`: all ports send 16-word messages, words per cycle and port",
        0.95, True,
    ),
    Figure(
        "mailbox_sustained_fraction", "`default`: the same sustained with receivers, of the limit n / (n + 1)",
        0.95, True,
    ),
    Figure(
        "sram_efficiency_disjoint", "SRAM: all ports stream blocks of their own, of min(ports, banks) words per cycle",
        0.95, True,
    ),
    Figure("sram_efficiency_single_port", "SRAM: the same of one port, of a word per cycle", 0.99, True),
    Figure("sram_read_latency_cycles", "SRAM: read accepted to data", None, unit="cycles"),
    Figure("sram_worst_wait_cycles", "SRAM: offered to answered, all others at the same bank", None, unit="cycles"),
    Figure("move_cycles", "commit of a moved block accepted to its receiver's first read", None, unit="cycles"),
    Figure("alloc_accesses", "bus accesses to allocate a block", 1),
    Figure("endpoint_send_accesses_16B", "`Endpoint`: bus accesses to send 16 bytes", 5),
    Figure("hybrid_threshold_bytes", "`Endpoint`: longest transfer through registers", None, unit="bytes"),
    Figure("driver_accesses_per_second_rtl", "driver on the RTL in process, one program", 100_000, True, "accesses/s"),
    Figure("model_messages_per_second", "16-byte messages through driver and model", 50_000, True, "messages/s"),
    Figure("generate_seconds_default", "generating `default`", None, unit="s"),
)  # fmt: skip

SIZES = ("4B", "16B", "64B", "256B", "1KiB", "4KiB", "64KiB", "1MiB")
WAYS = ("registers", "blocks", "hybrid")
HYBRID_SLACK = 1.05
"""How much slower than the better of the two ways the hybrid may be, at any size."""

AREA = {
    "lut4": "LUT4", "ff": "flip-flops", "dpr16x4": "DPR16X4", "ccu2c": "CCU2C", "ebr": "DP16KD", "fmax_mhz": "Fmax MHz",
}  # fmt: skip
BARS: dict[str, dict[str, float]] = {
    "small": {"lut4": 1100, "ebr": 2, "fmax_mhz": 130},
    "default_without_sram": {"lut4": 6000, "ebr": 12, "fmax_mhz": 100},
    "default": {"fmax_mhz": 100},
    "large": {},
}

# Measured with the same tools as Postern, three seeds, before this project; interfaces and features differ.
PEERS: tuple[tuple[str, dict[str, float], str, str], ...] = (
    ("pulp `axi_lite_mailbox`, depth 8",
     {"lut4": 1220, "ff": 820, "dpr16x4": 0, "ccu2c": 129, "ebr": 0, "fmax_mhz": 134}, "2", "4 / 5"),
    ("pulp `axi_lite_mailbox`, depth 16",
     {"lut4": 1716, "ff": 1338, "dpr16x4": 0, "ccu2c": 146, "ebr": 0, "fmax_mhz": 127}, "2", "4 / 5"),
    ("pulp `mailbox_unit`",
     {"lut4": 597, "ff": 251, "dpr16x4": 0, "ccu2c": 3, "ebr": 0, "fmax_mhz": 91}, "1", "7 / 6"),
    ("Carbon `ipi_mailbox`, depth 16",
     {"lut4": 289, "ff": 100, "dpr16x4": 16, "ccu2c": 16, "ebr": 0, "fmax_mhz": 153}, "1", "4 / 4"),
    ("NEORV32 ICC pair, depth 4",
     {"lut4": 163, "ff": 80, "dpr16x4": 16, "ccu2c": 0, "ebr": 0, "fmax_mhz": 216}, "2", "4 / 4"),
    ("Caliptra mailbox core, 4 KB with ECC",
     {"lut4": 680, "ff": 230, "dpr16x4": 0, "ccu2c": 36, "ebr": 3, "fmax_mhz": 66}, "2", "10 / 6"),
    ("OpenTitan `mbx`, SRAM outside",
     {"lut4": 1466, "ff": 577, "dpr16x4": 0, "ccu2c": 106, "ebr": 0, "fmax_mhz": 71}, "3", "6 / 6"),
    ("limit: bare FIFO, 16 words, no bus",
     {"lut4": 21, "ff": 14, "dpr16x4": 8, "ccu2c": 6, "ebr": 0, "fmax_mhz": 239}, "1", ""),
)  # fmt: skip


def number(value: float | None) -> str:
    """Return a figure as text: no more digits than it deserves."""
    if value is None:
        return ABSENT
    if isinstance(value, int) or value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 10 else f"{value:.1f}".removesuffix(".0")


def kept(value: float | None, bar: float | None, at_least: bool) -> str:
    """Return whether a figure keeps its bar."""
    if value is None or bar is None:
        return ""
    return "yes" if (value >= bar if at_least else value <= bar) else "**no**"


def bench(found: dict[str, Any]) -> str:
    """Return the table of cycles and rates. Figures that are not known here are listed by their key."""
    rows = []
    for figure in BENCH:
        value = found.get(figure.key)
        bar = "" if figure.bar is None else f"{'≥' if figure.at_least else '≤'} {number(figure.bar)}"
        shown = number(value) + (f" {figure.unit}" if figure.unit and value is not None else "")
        rows.append([figure.what, shown, bar, kept(value, figure.bar, figure.at_least)])
    shown_apart = {item.key for item in BENCH} | {
        f"{way}_{what}_{size}" for way in WAYS for what in ("cycles", "accesses") for size in SIZES
    }
    others = [f"| `{key}` | {number(found[key])} | | |" for key in sorted(found.keys() - shown_apart)]
    return "\n".join([table(["what", "figure", "bar", "kept"], rows), *others])


def sizes(found: dict[str, Any]) -> str:
    """Return the table of one-way transfers by size and way."""
    heads = ["size", *(f"{way}: {what}" for what in ("cycles", "accesses") for way in WAYS), "kept"]
    rows = []
    for size in SIZES:
        cycles = {way: found.get(f"{way}_cycles_{size}") for way in WAYS}
        accesses = [number(found.get(f"{way}_accesses_{size}")) for way in WAYS]
        best = min((cycles[way] for way in WAYS[:2] if cycles[way] is not None), default=None)
        bar = None if best is None else HYBRID_SLACK * best
        rows.append([size, *(number(cycles[way]) for way in WAYS), *accesses, kept(cycles["hybrid"], bar, False)])
    return table(heads, rows, right=1)


def area(found: dict[str, Any]) -> str:
    """Return the table of area and clock of the presets."""
    rows = []
    for name, bars in BARS.items():
        figures = found.get(name, {})
        shown = [TOO_LARGE if figures.get(key, 0) is None else number(figures.get(key)) for key in AREA]
        seeds = figures.get("fmax_mhz_seeds", [])
        if 0 < len(seeds) < SEEDS:
            shown[-1] += f" ({len(seeds)} seed{'s' if len(seeds) > 1 else ''})"
        rows.append([f"`{name}`", *shown])
        if not bars:
            continue
        limits = [f"{'≥' if key == 'fmax_mhz' else '≤'} {number(bars[key])}" if key in bars else "" for key in AREA]
        rows.append(["bar", *limits])
        met = [kept(figures.get(key), bars.get(key), key == "fmax_mhz") for key in AREA]
        rows.append(["kept", *met])
    return table(["preset", *AREA.values()], rows, right=1)


def parts(found: dict[str, Any]) -> str:
    """Return the tables of area by part."""
    if not found.get("parts"):
        return f"By part: {ABSENT}."
    keys = [key for key in AREA if key != "fmax_mhz"]
    texts = []
    for name, entries in found["parts"].items():
        rows = [
            [f"`{part}`", number(entry["count"]), *(number(entry[key]) for key in keys)]
            for part, entry in entries.items()
        ]
        texts.append(f"`{name}`, by part:\n\n{table(['part', 'number', *(AREA[key] for key in keys)], rows, right=1)}")
    return "\n\n".join(texts)


def peers(cycles: dict[str, Any], synth: dict[str, Any]) -> str:
    """Return the table of peers, with the presets on top."""

    def accesses(found: dict[str, Any]) -> str:
        pair = [found.get(key) for key in ("send_accesses_16B", "receive_accesses_16B")]
        return ABSENT if None in pair else f"{number(pair[0])} / {number(pair[1])}"

    rows = [
        [
            f"**Postern `{name}`**", *(number(synth.get(name, {}).get(key)) for key in AREA),
            number(cycles.get(f"{prefix}commit_to_irq_cycles")), accesses(cycles),
        ]
        for name, prefix in (("small", ""), ("default_without_sram", "default_"))
    ]  # fmt: skip
    rows += [[name, *(number(figures[key]) for key in AREA), irq, pair] for name, figures, irq, pair in PEERS]
    return table(["block", *AREA.values(), "to interrupt", "send / receive 16 B"], rows, right=1)


def read(name: str) -> dict[str, Any]:
    """Return the committed figures of a file, empty where nothing was measured yet."""
    path = FIGURES / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def take(folder: Path) -> None:
    """Copy the figures of the last run. Where there is none, what is committed stays."""
    FIGURES.mkdir(exist_ok=True)
    copied = [name for name in ("bench.json", "synth.json", "growth.json") if (folder / name).exists()]
    if not copied:
        raise SystemExit(f"{folder} must hold bench.json or synth.json (make bench, make synth), not neither")
    for name in copied:
        shutil.copyfile(folder / name, FIGURES / name)
        print(f"took {name}")


def main() -> int:
    """Write or check the page."""
    arguments = parser("Write the figures into docs/performance.md.")
    arguments.add_argument("--take", type=Path, metavar="FOLDER", help="copy bench.json and synth.json from here first")
    chosen = arguments.parse_args()
    if chosen.take:
        take(chosen.take)
    cycles, synth = read("bench.json"), read("synth.json")
    pages = {
        "bench": bench(cycles),
        "sizes": sizes(cycles),
        "area": area(synth),
        "parts": parts(synth),
        "peers": peers(cycles, synth),
    }
    return write("performance.md", pages, check=chosen.check)


if __name__ == "__main__":
    sys.exit(main())
