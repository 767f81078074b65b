"""``postern config``: print, check and start configurations."""

import dataclasses
import inspect
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from postern_spec.config import Config, ConfigError, Port, load, preset

from .errors import write
from .words import counted

__all__ = ["check", "new", "show", "to_toml"]


def to_toml(c: Config, *, explain: bool = False) -> str:
    """Return a configuration as TOML, optionally with what each parameter means above it."""
    lines: list[str] = []
    words = _explanations(Config) if explain else {}
    values = c.to_dict()
    for name, value in values.items():
        if name != "port":
            lines += [*_comment(words.get(name, "")), f"{name} = {json.dumps(value, ensure_ascii=False)}"]
            lines += [""] if explain else []
    first = True
    words = _explanations(Port) if explain else {}
    for table, group in itertools.groupby(values["port"]):
        lines += [] if explain and first else [""]
        lines.append("[[port]]")
        count = len(list(group))
        if explain and first:
            lines += ["# Equal ports in a row are one table with a count."]
        if count > 1:
            lines.append(f"count = {count}")
        for name, value in table.items():
            lines += [*_comment(words.get(name, "") if first else ""), f"{name} = {json.dumps(value)}"]
        first = False
    return "\n".join([*lines, ""])


def _explanations(kind: type) -> dict[str, str]:
    """Return what the docstring of a class of parameters says about each."""
    found: dict[str, str] = {}
    names = {item.name for item in dataclasses.fields(kind)}
    current = ""
    for line in inspect.cleandoc(kind.__doc__ or "").splitlines():
        name = line.partition(" : ")[0]
        if not line.startswith(" ") and name in names and " : " in line:
            current = name
            found[current] = ""
        elif current and line.startswith("    "):
            found[current] = f"{found[current]} {line.strip()}".strip()
    return {name: text.replace("``", "") for name, text in found.items()}


def _comment(text: str) -> list[str]:
    lines, line = [], "#"
    for word in text.split():
        if len(line) + 1 + len(word) > 100:
            lines.append(line)
            line = "#"
        line += f" {word}"
    return [*lines, line] if text else []


def show(config: str) -> int:
    """Print every parameter of a configuration."""
    print(to_toml(load(config)), end="")
    return 0


def check(configs: Sequence[str]) -> int:
    """Say of each configuration whether it is good; return 1 if one is not."""
    status = 0
    for config in configs:
        try:
            c = load(config)
        except ConfigError as error:
            print(f"postern: {config}: {error}", file=sys.stderr)
            status = 1
        else:
            print(f"{config}: good ({c.name}, {counted(len(c.ports), 'port')}, {c.vms} VMs)")
    return status


def new(file: str, base: str) -> int:
    """Write a configuration file with the parameters of a preset, each explained."""
    c = preset(base)
    text = f"# A block of Postern, started from the preset {base}. Generate it with:\n"
    text += f"#     postern generate {Path(file).name} -o build/{c.name}\n\n"
    write(Path(file), text + to_toml(c, explain=True), new=True)
    print(f"{file}: the preset {base}, every parameter explained; see `postern info {file}`")
    return 0
