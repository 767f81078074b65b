"""Build the block of ``bench.py`` in Verilator and run its tests: python examples/bench/run.py"""

import os
import sys
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from postern import preset
from postern_sim.build import verilator_environment, verilog

HERE = Path(__file__).resolve().parent


def main() -> int:
    config = preset("small")
    folder = Path("build/bench").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{config.name}.v"
    source.write_text(verilog(config))  # or the file that `postern generate` wrote

    os.environ.update(verilator_environment())  # the Verilator of the sim extra
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), *sys.path])
    # The makefile of the Verilator package leaves the option open with which the compiler includes a header.
    os.environ["MAKEFLAGS"] = os.environ.get("MAKEFLAGS", "") + " CFG_CXXFLAGS_PCH_I=-include"
    runner = get_runner("verilator")
    runner.build(
        sources=[source],
        hdl_toplevel=config.name,
        build_dir=folder,
        build_args=["-Wno-fatal"],
        timescale=("1ns", "1ps"),
        log_file=folder / "build.log",
    )
    # Outside pytest the runner does not fail when a test fails: the results say.
    results = runner.test(test_module="bench", hdl_toplevel=config.name, build_dir=folder, test_dir=folder)
    tests, failed = get_results(Path(results))
    print(f"{tests} tests, {failed} failed")
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
