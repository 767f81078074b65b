"""Prove the promises, or show that each property catches its seeded bugs.

    python -m postern_formal.run [--short] [--only NAME] [--jobs N] [--controls] [--list]

A table goes to standard output, the results to ``build/proofs.json`` or ``build/controls.json``. The exit code is zero
only if everything that was asked for is proved and every cover reached, or every control refuted.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import postern_hw

from .engines import Result
from .properties import PROPERTIES
from .property import Control, ControlError, Property

__all__ = ["Task", "main", "tasks"]

COVER_SECONDS = 300
CONTROL_SECONDS = 300
PROGRESS_SECONDS = 5


@dataclass(frozen=True)
class Task:
    """Something that takes a process.

    Attributes
    ----------
    kind : str
        ``prove``, ``cover`` or ``control``.
    item : Property
    parameters : str
        Label of the parameters.
    engine : str
        Name of the engine.
    which : tuple of str
        What the worker is told: parameters and engine, or number of the control.
    seconds : int
    title : str
        Of a control.
    """

    kind: str
    item: Property
    parameters: str
    engine: str
    which: tuple[str, str]
    seconds: int
    title: str = ""

    @property
    def wanted(self) -> Result:
        """What it must end with."""
        return Result.REFUTED if self.kind == "control" else Result.PROVED

    def row(self, result: str, note: str, seconds: float) -> dict:
        """Return the object of the results."""
        row = {
            "property": self.item.name,
            "promise": self.item.promise,
            "parameters": self.parameters,
            "engine": self.engine,
            "result": result,
            "seconds": round(seconds, 1),
        }
        return row | ({"control": self.title} if self.title else {}) | ({"note": note} if note else {})


def tasks(items: list[Property], *, short: bool = False, controls: bool = False) -> list[Task]:
    """Return what is to be done for some properties.

    Parameters
    ----------
    items : list of Property
    short : bool
        Only the parameter sets of the short run, and one engine.
    controls : bool
        The seeded bugs instead of the proofs.
    """
    found = []
    for item in items:
        if controls:
            for number, control in enumerate(item.controls):
                label = control.parameters or next(iter(item.parameters))
                engine = "yices search" if control.depth else item.engines[0].name
                found.append(Task("control", item, label, engine, (str(number), "-"), CONTROL_SECONDS, control.title))
            continue
        if short and item.long:
            continue
        labels = (item.short or [next(iter(item.parameters))]) if short else item.parameters
        for label in labels:
            engines = list(enumerate(item.engines_for(item.parameters[label])))
            for which, prover in engines[:1] if short else engines:
                found.append(Task("prove", item, label, prover.name, (label, str(which)), item.seconds))
            found.append(Task("cover", item, label, "yices search", (label, "-"), COVER_SECONDS))
    return found


class Running:
    """A worker process.

    Parameters
    ----------
    task : Task
    folder : Path
        Made anew.
    """

    def __init__(self, task: Task, folder: Path):
        self.task = task
        self.folder = folder
        self.start = time.monotonic()
        folder.mkdir(parents=True)
        environment = dict(os.environ)
        if task.kind == "control":
            control: Control = task.item.controls[int(task.which[0])]
            control.apply(Path(str(postern_hw.__file__)).parent, folder)
            environment["PYTHONPATH"] = str(folder)
        command = [sys.executable, "-m", "postern_formal.worker", task.kind, task.item.name, *task.which]
        self._log = (folder / "log.txt").open("wb")
        self._process = subprocess.Popen(
            [*command, str(task.seconds), str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=environment,
            # Its own group, so that what it has started can be ended with it; and behind whatever else there is to do.
            start_new_session=True,
            preexec_fn=lambda: os.nice(5),
        )

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self.start

    def over(self) -> bool:
        """Whether it has ended, or has to be ended because its engine does not keep to its time."""
        if self._process.poll() is not None:
            return True
        if self.seconds > 2 * self.task.seconds + 60:
            self.end()
            return True
        return False

    def end(self) -> None:
        """End it."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, 9)
            self._process.wait()

    def answer(self) -> tuple[str, str]:
        """Return result and note. A worker that failed has determined nothing."""
        self._log.close()
        try:
            answer = json.loads((self.folder / "answer.json").read_text(encoding="utf-8"))
        except OSError:
            lines = (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return Result.UNDETERMINED, lines[-1] if lines else "no answer"
        return answer["result"], answer["note"]


def run(todo: list[Task], folder: Path, jobs: int) -> list[dict]:
    """Do tasks, several at a time; print each when it is done. Returns the rows in the order of the tasks."""
    shutil.rmtree(folder, ignore_errors=True)
    waiting = deque(enumerate(todo))
    running: dict[int, Running] = {}
    rows: dict[int, dict] = {}
    said = time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                number, task = waiting.popleft()
                running[number] = Running(task, folder / f"{number:03}-{task.item.name}")
            for number in [number for number, one in running.items() if one.over()]:
                one = running.pop(number)
                result, note = one.answer()
                rows[number] = row = one.task.row(result, note, one.seconds)
                mark = " " if result == one.task.wanted else "!"
                print(f"{mark} {len(rows):3}/{len(todo)} {_line(one.task, row)}", flush=True)
                said = time.monotonic()
                if result == one.task.wanted:
                    shutil.rmtree(one.folder)
            if time.monotonic() - said > PROGRESS_SECONDS:
                said = time.monotonic()
                names = ", ".join(f"{one.task.item.name} ({one.seconds:.0f} s)" for one in running.values())
                print(f"  {len(rows):3}/{len(todo)} ... {names}", flush=True)
            time.sleep(0.02)
    finally:
        for one in running.values():
            one.end()
    return [rows[number] for number in sorted(rows)]


def _line(task: Task, row: dict) -> str:
    what = "covers" if task.kind == "cover" else row["result"]
    if task.kind == "cover":
        what += " reached" if row["result"] == Result.PROVED else " not reached"
    note = f"  ({row['note']})" if row.get("note") else ""
    title = f"  {task.title}" if task.title else ""
    return (
        f"{task.item.promise:2}  {task.item.name:24} {task.parameters:24} {task.engine:16} {what:14}"
        f" {row['seconds']:6.1f} s{title}{note}"
    )


def _chosen(names: list[str]) -> list[Property]:
    known = [item.name for item in PROPERTIES]
    if wrong := [name for name in names if not any(known_name.startswith(name) for known_name in known)]:
        raise SystemExit(f"property must be one of {', '.join(known)} or how some begin, not {wrong[0]}")
    return [item for item in PROPERTIES if not names or any(item.name.startswith(name) for name in names)]


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="make prove", description="Prove the promises.")
    parser.add_argument("--short", action="store_true", help="each property once, with one engine")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="properties whose names begin so")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default 2)")
    parser.add_argument("--controls", action="store_true", help="the seeded bugs, each of which must be refuted")
    parser.add_argument("--list", action="store_true", help="list properties, and do nothing")
    parser.add_argument("--build", type=Path, default=Path("build"), help="folder of the results (default build)")
    options = parser.parse_args(arguments)
    items = _chosen(options.only)
    if options.list:
        for item in items:
            print(f"{item.promise:2}  {item.name:24} {item.statement}")
            print(f"{'':28} {'; '.join(item.parameters)}")
        return 0
    kind = "controls" if options.controls else "proofs"
    todo = tasks(items, short=options.short, controls=options.controls)
    options.build.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    try:
        rows = run(todo, options.build.resolve() / f"prove-{kind}", options.jobs)
    except ControlError as error:
        print(error, file=sys.stderr)
        return 1
    shown = [(task, row) for task, row in zip(todo, rows, strict=True) if task.kind != "cover"]
    missed = [row for task, row in zip(todo, rows, strict=True) if row["result"] != task.wanted]
    text = json.dumps([row for _, row in shown], indent=1) + "\n"
    with tempfile.NamedTemporaryFile("w", dir=options.build, delete=False, encoding="utf-8") as file:
        file.write(text)
    os.replace(file.name, options.build / f"{kind}.json")
    print(f"\n{len(shown)} {kind} in {time.monotonic() - start:.0f} s: ", end="")
    counts = [f"{sum(row['result'] == result for _, row in shown)} {result}" for result in Result]
    print(", ".join(counts) + f" ({options.build / f'{kind}.json'})")
    for row in missed:
        print(f"  not as wanted: {row['property']}, {row['parameters']}, {row['engine']}: {row['result']}"
              f" {row.get('note', '')}".rstrip())  # fmt: skip
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
