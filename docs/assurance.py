#!/usr/bin/env python3
"""Write what is proven of each promise into docs/assurance.md, from the registry of properties and the test plan.

python docs/assurance.py            write
python docs/assurance.py --check    compare with what is there
"""

import sys

from generated import parser, table, write
from testplan import PLAN, load

from postern_formal.properties import PROPERTIES
from postern_formal.property import Property


def _engines(item: Property) -> str:
    names = [engine.name for parameters in item.parameters.values() for engine in item.engines_for(parameters)]
    return ", ".join(dict.fromkeys(names))


def promises() -> str:
    """Return the table of promises: where each is tested and by which properties it is proven."""
    listed, entries = load(PLAN.read_text(encoding="utf-8"))
    rows = []
    for promise in listed:
        name, _, statement = promise.name.partition(": ")
        number = int(promise.id) if promise.id.isdigit() else 0
        own = [f"[{item.name}](#{item.name})" for item in PROPERTIES if item.promise == number]
        also = [f"[{item.name}](#{item.name})" for item in PROPERTIES if number in item.also]
        proofs = ", ".join(own) + (f" (and in part {', '.join(also)})" if own and also else ", ".join(also))
        tests = sum(promise.id in entry.promises for entry in entries)
        rows.append([promise.id, f"**{name}**: {statement}", f"{tests} entries" if tests else "none", proofs or "none"])
    return table(["#", "promise", "[test plan](testplan.md)", "properties"], rows)


def properties() -> str:
    """Return a section per property."""
    parts = []
    for item in PROPERTIES:
        numbers = ", ".join(str(number or "order") for number in (item.promise, *item.also))
        lines = [f"### {item.name}", f"Promise {numbers}. {item.statement}"]
        lines.append(f"- Proven for: {'; '.join(item.parameters)}. By: {_engines(item)}.")
        if item.reduction:
            lines[-1] += f"\n- Why that is enough: {item.reduction}"
        if item.assumptions:
            names = "; ".join(f"`{one.name}`" for one in item.assumptions)
            lines[-1] += f"\n- Assumes: {names}."
        if item.limits:
            lines[-1] += f"\n- Does not say: {item.limits}"
        bugs = "; ".join(control.title for control in item.controls)
        lines[-1] += f"\n- Seeded bugs that it refutes: {bugs}."
        parts.append("\n\n".join(lines))
    return "\n\n".join(parts)


def assumptions() -> str:
    """Return the table of what harnesses assume of the rest of the block."""
    texts = {one.name: one.text for item in PROPERTIES for one in item.assumptions}
    users = {
        name: [item.name for item in PROPERTIES if any(a.name == name for a in item.assumptions)] for name in texts
    }
    return table(
        ["assumption", "what", "used by"], [[f"`{name}`", texts[name], ", ".join(users[name])] for name in texts]
    )


if __name__ == "__main__":
    parts = {"promises": promises(), "properties": properties(), "assumptions": assumptions()}
    sys.exit(write("assurance.md", parts, check=parser(__doc__).parse_args().check))
