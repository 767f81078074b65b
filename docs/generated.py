"""Parts of pages that scripts write, between markers; the rest is written by hand. Standard library only."""

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["DOCS", "parser", "put", "table", "write"]

DOCS = Path(__file__).parent


def put(text: str, parts: Mapping[str, str]) -> str:
    """Return a page with the text between each pair of markers ``<!-- begin NAME -->``, ``<!-- end NAME -->`` replaced.

    Raises
    ------
    ValueError
        A page must have each of ``parts`` once, and no other.
    """
    names = re.findall(r"^<!-- begin ([\w-]+) -->$", text, re.MULTILINE)
    if sorted(names) != sorted(parts):
        raise ValueError(f"parts of the page must be {', '.join(sorted(parts))}, not {', '.join(sorted(names))}")
    for name, part in parts.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        if text.count(end) != 1:
            raise ValueError(f"part {name} must end once, not {text.count(end)} times")
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{part.strip()}\n\n{end}{rest.split(end)[1]}"
    return text


def table(heads: list[str], rows: list[list[str]], right: int | None = None) -> str:
    """Return a Markdown table. Columns from number ``right`` on are aligned right."""
    rule = ["--:" if right is not None and i >= right else "---" for i in range(len(heads))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [heads, rule, *rows])


def parser(what: str) -> argparse.ArgumentParser:
    """Return a command line with ``--check``."""
    result = argparse.ArgumentParser(description=what)
    result.add_argument("--check", action="store_true", help="change nothing; fail when the page is not current")
    return result


def write(page: str, parts: Mapping[str, str], *, check: bool) -> int:
    """Write the generated parts of a page, or with ``check`` say whether they are current. Returns the exit status."""
    path = DOCS / page
    old = path.read_text(encoding="utf-8")
    new = put(old, parts)
    if new == old:
        return 0
    if check:
        print(f"docs/{page} must be current (run docs/{Path(sys.argv[0]).name}), not out of date", file=sys.stderr)
        return 1
    path.write_text(new, encoding="utf-8")
    print(f"wrote docs/{page}")
    return 0
