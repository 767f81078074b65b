"""Yosys and ABC, each in a process of its own, because an error ends the process."""

import math
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from postern_sim.build import BuildError

__all__ = ["abc", "yosys"]

_RUN = "import sys; from pyosys import libyosys as y; y.run_pass('script ' + sys.argv[1], y.Design())"


def _package() -> Path:
    spec = find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise BuildError("pyosys must be installed (pip install 'postern[formal]'), not missing")
    return Path(spec.origin).parent


def yosys(script: str, folder: Path, name: str) -> None:
    """Run a Yosys script in a folder; it stays there as ``name.ys``, and what Yosys said as ``name.log``.

    Raises
    ------
    BuildError
        Yosys is not installed, or failed.
    """
    _package()
    (folder / f"{name}.ys").write_text(script)
    log = folder / f"{name}.log"
    with open(log, "w", encoding="utf-8") as out:
        done = subprocess.run(
            [sys.executable, "-c", _RUN, f"{name}.ys"], cwd=folder, stdout=out, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode != 0:
        said = log.read_text(encoding="utf-8").strip().rpartition("\n")[2]
        raise BuildError(f"Yosys must succeed, not end with {done.returncode} ({log}): {said}")


def abc(commands: str, folder: Path, seconds: float) -> str | None:
    """Run ABC in a folder; return what it said, or ``None`` where it was not ready in so much processor time.

    Raises
    ------
    BuildError
        ABC is not installed, or failed.
    """
    # Processor time, so that a result does not depend on what else the machine does.
    limited = 'ulimit -t "$1"; exec "$2" -c "$3"'
    done = subprocess.run(
        ["/bin/sh", "-c", limited, "abc", f"{max(1, math.ceil(seconds))}", str(_package() / "yosys-abc"), commands],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return None
    if done.returncode != 0:
        raise BuildError(f"ABC must succeed, not end with {done.returncode}:\n{done.stdout}")
    return done.stdout
