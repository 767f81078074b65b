#!/usr/bin/env python3
"""Write the test plan of docs/testplan.toml into docs/testplan.md.

    python docs/testplan.py            write
    python docs/testplan.py --check    compare with what is there

``tests/test_testplan.py`` checks that every test which the plan names exists, and that every promise in scope has an
entry.
"""

import sys
import tomllib
from dataclasses import dataclass
from typing import Any

from generated import DOCS, parser, table, write

PLAN = DOCS / "testplan.toml"
SCOPES = ("in", "part", "out")


@dataclass(frozen=True)
class Promise:
    """What the block promises: its name, whether it is in scope, and the reason if it is not, or not wholly."""

    id: str
    name: str
    scope: str
    reason: str = ""


@dataclass(frozen=True)
class Entry:
    """What is tested: stimulus, check, and the tests that do it."""

    name: str
    promises: tuple[str, ...]
    stimulus: str
    check: str
    tests: tuple[str, ...]


def _take(kind: type, values: dict[str, Any]) -> Any:
    try:
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
    except TypeError:
        known = ", ".join(kind.__dataclass_fields__)
        raise ValueError(f"{kind.__name__.lower()} must have {known}, not {', '.join(values)}") from None


def load(text: str) -> tuple[list[Promise], list[Entry]]:
    """Return promises and entries of a plan.

    Raises
    ------
    ValueError
        The plan contradicts itself; the text says where.
    """
    plan = tomllib.loads(text)
    promises = [_take(Promise, {"id": key, **value}) for key, value in plan["promises"].items()]
    entries = [_take(Entry, value) for value in plan["entry"]]
    for promise in promises:
        if promise.scope not in SCOPES:
            raise ValueError(f"scope of promise {promise.id} must be one of {', '.join(SCOPES)}, not {promise.scope}")
        if (promise.scope == "in") == bool(promise.reason):
            raise ValueError(f"promise {promise.id} must have a reason just where it is not wholly in scope")
        if (promise.scope != "out") != any(promise.id in entry.promises for entry in entries):
            raise ValueError(f"promise {promise.id} must have an entry just where it is in scope")
    names = [entry.name for entry in entries]
    known = {promise.id for promise in promises}
    for entry in entries:
        if names.count(entry.name) > 1:
            raise ValueError(f"name of an entry must be given once, not twice: {entry.name}")
        if not entry.tests:
            raise ValueError(f"entry {entry.name} must name a test")
        if unknown := set(entry.promises) - known:
            raise ValueError(f"entry {entry.name} must name known promises, not {', '.join(sorted(unknown))}")
    return promises, entries


def parts(promises: list[Promise], entries: list[Entry]) -> dict[str, str]:
    """Return the generated parts of the page."""
    shown = {"in": "in scope", "part": "in part", "out": "not yet"}
    rows = [
        [
            promise.id,
            promise.name,
            shown[promise.scope],
            ", ".join(entry.name for entry in entries if promise.id in entry.promises) or promise.reason,
        ]
        for promise in promises
    ]
    notes = [f"- **{p.name}**, in part: {p.reason}" for p in promises if p.scope == "part"]
    texts = []
    for entry in entries:
        text = f"### {entry.name}\n\n"
        if entry.promises:
            text += f"Promises: {', '.join(entry.promises)}.\n\n"
        text += f"**Stimulus.** {entry.stimulus.strip()}\n\n**Check.** {entry.check.strip()}\n\n"
        texts.append(text + "\n".join(f"- `{test}`" for test in entry.tests))
    return {
        "promises": table(["#", "promise", "scope", "tested by"], rows) + "\n\n" + "\n".join(notes),
        "entries": "\n\n".join(texts),
    }


def main() -> int:
    """Write or check the page."""
    arguments = parser("Write the test plan into docs/testplan.md.").parse_args()
    return write("testplan.md", parts(*load(PLAN.read_text(encoding="utf-8"))), check=arguments.check)


if __name__ == "__main__":
    sys.exit(main())
