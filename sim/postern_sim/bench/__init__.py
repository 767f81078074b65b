"""Figures: cycles at the bus of the generated Verilog, and rates of the driver. Writes ``build/bench.json``.

    python -m postern_sim.bench

Cycle figures count from the cycle of one handshake to that of another; a response that is taken two cycles after its
request was accepted has a latency of two.
"""

import json
import sys

from postern_spec.config import preset

from .. import build
from . import hybrid, sram
from .mailbox import accesses, burst, latencies, sustained
from .rates import driver_rate, generate_seconds, model_rate

__all__ = ["BARS", "main", "measure"]

BARS: dict[str, tuple[str, float]] = {
    "send_accesses_16B": ("<=", 4),
    "receive_accesses_16B": ("<=", 5),
    "commit_to_irq_cycles": ("<=", 2),
    "commit_to_readable_cycles": ("<=", 2),
    "read_latency_cycles": ("<=", 3),
    "default_commit_to_irq_cycles": ("<=", 3),
    "default_commit_to_readable_cycles": ("<=", 3),
    "default_read_latency_cycles": ("<=", 5),
    "mailbox_words_per_cycle_per_port": (">=", 0.95),
    "mailbox_sustained_fraction": (">=", 0.95),
    "sram_efficiency_disjoint": (">=", 0.95),
    "sram_efficiency_single_port": (">=", 0.99),
    "alloc_accesses": ("<=", 1),
    "endpoint_send_accesses_16B": ("<=", 5),
    "driver_accesses_per_second_rtl": (">=", 100_000),
    "model_messages_per_second": (">=", 50_000),
}
"""What a figure should reach; the others have no bar."""


def measure() -> dict[str, float]:
    """Return all figures by name."""
    small, default = preset("small"), preset("default")
    figures: dict[str, float] = {}
    figures["send_accesses_16B"], figures["receive_accesses_16B"] = accesses()
    for prefix, config in (("", small), ("default_", default)):
        irq, readable, read = latencies(config)
        figures[f"{prefix}commit_to_irq_cycles"] = irq
        figures[f"{prefix}commit_to_readable_cycles"] = readable
        figures[f"{prefix}read_latency_cycles"] = read
    words = default.words
    for count in (1, 2, 4, words):
        name = "mailbox_words_per_cycle_per_port" + (f"_{count}_words" if count != words else "")
        figures[name] = round(burst(default, count), 4)
    figures["mailbox_sustained_words_per_cycle_per_port"] = rate = round(sustained(default, words), 4)
    figures["mailbox_sustained_fraction"] = round(rate / (words / (words + 1)), 4)
    if default.blocks:
        figures["sram_efficiency_disjoint"] = round(sram.efficiency(default, len(default.ports)), 4)
        figures["sram_efficiency_single_port"] = round(sram.efficiency(default, 1), 4)
        figures["sram_read_latency_cycles"] = sram.read_latency(default)
        figures["sram_worst_wait_cycles"] = sram.worst_wait(default)
        figures["move_cycles"] = sram.move_cycles(default)
        figures["alloc_accesses"] = sram.alloc_accesses(default)
        figures |= hybrid.figures(default)
    figures["driver_accesses_per_second_rtl"] = round(driver_rate(default))
    figures["small_driver_accesses_per_second_rtl"] = round(driver_rate(small))
    figures["model_messages_per_second"] = round(model_rate(default))
    figures["generate_seconds_default"] = round(generate_seconds(default), 2)
    return figures


def main() -> int:
    """Measure, print a table, write ``bench.json``; return the exit code."""
    try:
        figures = measure()
    except build.BuildError as error:
        print(error, file=sys.stderr)
        return 1
    path = build.build_folder() / "bench.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n")
    width = max(map(len, figures))
    for name, value in figures.items():
        relation, bar = BARS.get(name, ("", 0))
        met = "" if not relation else "met" if (value <= bar if relation == "<=" else value >= bar) else "missed"
        wanted = f"{relation} {bar:,}" if relation else ""
        print(f"{name:{width}}  {value:>12,}  {wanted:>12}  {met}")
    print(f"written to {path}")
    return 0
