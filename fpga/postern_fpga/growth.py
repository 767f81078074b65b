"""How area grows with ports, VMs and blocks: ``python -m postern_fpga.growth``.

Each sweep changes one parameter of a small base and maps the block alone, as ``postern_fpga.synth`` does, without place
and route. Writes ``build/growth.json``, from which ``docs/figures.py`` draws the plot of the performance page.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from postern_hw.verilog import YosysError
from postern_spec.config import Config, Port, preset

from .synth import Synthesis
from .tools import ToolError

__all__ = ["SWEEPS", "main"]


def _base() -> Config:
    return preset("default").replace(vms=4, blocks=16, block_quota=0, page_stride=65536)


SWEEPS: dict[str, dict[int, dict[str, Any]]] = {
    "ports": {count: {"ports": (Port(),) * count, "banks": max(1, count)} for count in (1, 2, 4, 8)},
    "vms": {count: {"vms": count} for count in (2, 4, 8, 16, 32)},
    "blocks": {count: {"blocks": count} for count in (0, 16, 64, 256)},
}
"""Changes to the base (``default`` with 4 VMs, 16 blocks and pages for more of these) by sweep and value. With the
ports grow the banks."""


def main() -> int:
    """Map every configuration, print a table, write the figures."""
    parser = argparse.ArgumentParser(prog="postern_fpga.growth", description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=Path("build/growth.json"), help="where the figures go")
    out = parser.parse_args().out
    start = time.monotonic()
    results: dict[str, dict[str, dict[str, int]]] = {}
    known: dict[Config, dict[str, int]] = {}
    sweeps = {
        name: {value: _base().replace(**changes) for value, changes in each.items()} for name, each in SWEEPS.items()
    }
    try:
        for sweep, configs in sweeps.items():
            results[sweep] = {}
            for value, config in configs.items():
                if config not in known:
                    print(f"[{time.monotonic() - start:5.0f} s] {sweep} = {value}", flush=True)
                    known[config] = Synthesis(config, out.parent / "growth" / f"{sweep}{value}").area()
                results[sweep][str(value)] = known[config]
    except (ToolError, YosysError) as error:
        print(error, file=sys.stderr)
        return 1
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(results, indent=2) + "\n")
    for sweep, found in results.items():
        columns = list(next(iter(found.values())))
        print(f"\n{sweep:10}" + "".join(f"{name:>10}" for name in columns))
        for setting, figures in found.items():
            print(f"{setting:10}" + "".join(f"{figures[name]:>10}" for name in columns))
    print(f"\nThe figures are in {out}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
