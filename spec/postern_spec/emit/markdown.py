"""Register page in Markdown."""

from ..config import Config
from ..model import Page, Register
from ..regmap import sources
from .common import (
    ACCESS,
    acting,
    acting_words,
    bits,
    direction,
    introduction,
    meanings,
    pages,
    parameters,
    port_groups,
    reset_words,
    sketch,
)

__all__ = ["emit"]


def emit(c: Config) -> str:
    """Return the register page of a configuration."""
    out = [f"# Registers of `{c.name}`", ""]
    for paragraph in introduction(c):
        out += [paragraph, ""]
    out += ["## Configuration", ""]
    out += _table(["parameter", "value"], [[f"`{name}`", f"`{value}`"] for name, value in parameters(c)])
    out += ["## Address map", ""]
    for who, what, rows in port_groups(c):
        out += [f"{who}: {what}.", ""]
        out += _table(["page", "first", "last"], [[name, f"`{first}`", f"`{last}`"] for name, first, last in rows])
    out += ["## Reads that act", ""]
    out += ["No other read has a side effect, and nothing clears on read.", ""]
    out += [f"- {line}" for line in acting_words(c)]
    out += ["", "## Access", ""]
    out += _table(["", "meaning"], [[short, text] for short, text in ACCESS.values()])
    out += ["## Interrupt sources", ""]
    out += _table(["bit", "source"], [[str(item.value), f"`{item.name}`"] for item in sources(c)])
    for page in pages(c):
        out += [f"## {page.name.capitalize()} page", "", f"{page.size} bytes.", ""]
        out += _overview(page)
        for register in page.registers:
            out += _register(page, register)
    return "\n".join(out).rstrip("\n") + "\n"


def _overview(page: Page) -> list[str]:
    rows = []
    for register in page.registers:
        count = 1
        for dim in register.dims:
            count *= dim.count
        access = direction(register) + (", acts" if register in acting(page) else "")
        rows.append([f"`0x{register.offset:03X}`", f"`{register.name}`", str(count), access, register.doc])
    return _table(["offset", "register", "number", "access", ""], rows)


def _register(page: Page, register: Register) -> list[str]:
    out = [f"### {page.name.capitalize()} page: {register.name}", "", register.doc, "", f"Offset `{sketch(register)}`"]
    ranges = [f"{dim.name} 0 to {dim.count - 1}" for dim in register.dims if dim.count > 1]
    out[-1] += f", {', '.join(ranges)}." if ranges else "."
    if register in acting(page):
        out[-1] += " **The read acts.**"
    out.append("")
    rows = []
    for item in sorted(register.fields, key=lambda item: -item.lsb):
        text = item.doc + (f" {meanings(item)}." if item.values is not None else "")
        rows.append([bits(item), f"`{item.name}`", ACCESS[item.access][0], reset_words(item), text])
    return out + _table(["bits", "field", "access", "reset", ""], rows)


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines] + [""]
