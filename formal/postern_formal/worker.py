"""One task of a run, in a process of its own: build a harness and ask an engine.

    python -m postern_formal.worker prove NAME PARAMETERS ENGINE SECONDS FOLDER
    python -m postern_formal.worker cover NAME PARAMETERS - SECONDS FOLDER
    python -m postern_formal.worker control NAME NUMBER - SECONDS FOLDER

The answer is ``answer.json`` in the folder. For a control the changed ``postern_hw`` must lie in the folder and come
first in the path of modules.
"""

import json
import sys
from pathlib import Path

import postern_hw

from .engines import Result, Verdict, cover, formula, search
from .properties import by_name
from .property import Property

__all__ = ["main"]


def _control(item: Property, number: int, seconds: float, folder: Path) -> Verdict:
    control = item.controls[number]
    package = Path(str(postern_hw.__file__)).resolve().parent
    if package.parent != folder.resolve():
        raise RuntimeError(f"a control must be built from its own postern_hw in {folder}, not from {package}")
    label = control.parameters or next(iter(item.parameters))
    formula(lambda m: item.build(m, item.parameters[label]), folder)
    if control.depth:
        return search(folder, control.depth, seconds)
    return item.engines[0].prove(folder, seconds)


def main(arguments: list[str]) -> int:
    """Do one task."""
    kind, name, which, engine, limit, place = arguments
    item, seconds, folder = by_name(name), float(limit), Path(place)
    if kind == "control":
        verdict = _control(item, int(which), seconds, folder)
    else:
        formula(lambda m: item.build(m, item.parameters[which]), folder)
        if kind == "prove":
            verdict = item.engines_for(item.parameters[which])[int(engine)].prove(folder, seconds)
        else:
            missed = cover(folder, item.covers, seconds)
            verdict = Verdict(Result.UNDETERMINED if missed else Result.PROVED, ", ".join(missed))
    lines = [f"{step:3} {signal} {value:#x}\n" for step, signal, value in verdict.trace]
    (folder / "trace.txt").write_text("".join(lines), encoding="utf-8")
    answer = {"result": verdict.result, "note": verdict.note}
    (folder / "answer.json").write_text(json.dumps(answer), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
