"""Register page in HTML: one file that needs no other."""

import re
from html import escape

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
    spans,
)

__all__ = ["emit"]

_STYLE = """
:root { --ink: #1b1f24; --paper: #fff; --soft: #57606a; --line: #d0d7de; --box: #f6f8fa; --mark: #0550ae;
  --act: #9a3412 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9198a1; --line: #30363d; --box: #161b22; --mark: #79b8ff;
    --act: #ffa657 }
}
* { box-sizing: border-box }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
nav { position: fixed; inset: 0 auto 0 0; width: 15rem; overflow: auto; padding: 1rem;
  border-right: 1px solid var(--line); background: var(--box); font-size: 13px }
nav ul { list-style: none; margin: 0 0 1rem; padding: 0 }
nav b { display: block; margin-top: .5rem }
main { margin-left: 15rem; padding: 1rem 2rem 6rem; max-width: 62rem }
a { color: var(--mark); text-decoration: none } a:hover { text-decoration: underline }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line) }
h3 { margin: 2.5rem 0 .25rem; font-family: ui-monospace, monospace }
code { font-family: ui-monospace, monospace; font-size: 90% }
table { border-collapse: collapse; margin: .75rem 0; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid var(--line) }
th { color: var(--soft); font-weight: 600 }
td:first-child { white-space: nowrap }
.acts { color: var(--act); font-weight: 600 } .soft { color: var(--soft) }
svg { display: block; width: 100%; height: auto; margin: .5rem 0 }
svg rect { fill: var(--paper); stroke: var(--soft) } svg rect.none { fill: var(--box); stroke: var(--line) }
svg text { fill: var(--ink); font: 11px ui-monospace, monospace; text-anchor: middle }
svg text.bit { fill: var(--soft); font-size: 9px }
@media (max-width: 50rem) { nav { display: none } main { margin: 0; padding: 1rem } }
@media print { nav { display: none } main { margin: 0 } h3 { break-after: avoid } }
"""

_BIT = 26  # width of a bit in the picture
_LETTER = 6.8  # width of a letter


def emit(c: Config) -> str:
    """Return the register page of a configuration."""
    title = f"Registers of {c.name}"
    out = [
        "<!doctype html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>",
        "<body>",
        *_navigation(c),
        "<main>",
        f"<h1>{escape(title)}</h1>",
    ]
    out += [f"<p>{_inline(text)}</p>" for text in introduction(c)]
    out.append('<h2 id="configuration">Configuration</h2>')
    out += _table(["parameter", "value"], [[f"`{name}`", f"`{value}`"] for name, value in parameters(c)])
    out.append('<h2 id="address-map">Address map</h2>')
    for who, what, rows in port_groups(c):
        out.append(f"<p>{_inline(who)}: {_inline(what)}.</p>")
        out += _table(["page", "first", "last"], [[name, f"`{first}`", f"`{last}`"] for name, first, last in rows])
    out.append('<h2 id="acting-reads">Reads that act</h2>')
    out.append("<p>No other read has a side effect, and nothing clears on read.</p><ul>")
    out += [f"<li>{_inline(line)}</li>" for line in acting_words(c)]
    out.append('</ul><h2 id="access">Access</h2>')
    out += _table(["", "meaning"], [[short, text] for short, text in ACCESS.values()])
    out.append('<h2 id="interrupts">Interrupt sources</h2>')
    out += _table(["bit", "source"], [[str(item.value), f"`{item.name}`"] for item in sources(c)])
    for page in pages(c):
        out.append(f'<h2 id="{page.name}">{page.name.capitalize()} page</h2><p>{page.size} bytes.</p>')
        out += _overview(page)
        for register in page.registers:
            out += _register(page, register)
    return "\n".join([*out, "</main></body></html>", ""])


def _navigation(c: Config) -> list[str]:
    out = [f"<nav><b>{escape(c.name)}</b><ul>"]
    heads = ["Configuration", "Address map", "Reads that act", "Access", "Interrupt sources"]
    marks = ["configuration", "address-map", "acting-reads", "access", "interrupts"]
    out += [f'<li><a href="#{mark}">{head}</a></li>' for mark, head in zip(marks, heads, strict=True)]
    out.append("</ul>")
    for page in pages(c):
        out.append(f'<b><a href="#{page.name}">{page.name.capitalize()} page</a></b><ul>')
        out += [f'<li><a href="#{_mark(page, item)}"><code>{item.name}</code></a></li>' for item in page.registers]
        out.append("</ul>")
    return [*out, "</nav>"]


def _mark(page: Page, register: Register) -> str:
    return f"{page.name}-{register.name.lower()}"


def _inline(text: str) -> str:
    """Escape a text; what is between backticks becomes code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text, quote=False))


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    out = ["<table><thead><tr>" + "".join(f"<th>{_inline(cell)}</th>" for cell in head) + "</tr></thead><tbody>"]
    out += ["<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return [*out, "</tbody></table>"]


def _overview(page: Page) -> list[str]:
    out = ["<table><thead><tr><th>offset</th><th>register</th><th>access</th><th></th></tr></thead><tbody>"]
    for register in page.registers:
        acts = ' <span class="acts">acts</span>' if register in acting(page) else ""
        out.append(
            f"<tr><td><code>{_inline(sketch(register))}</code></td>"
            f'<td><a href="#{_mark(page, register)}"><code>{register.name}</code></a></td>'
            f"<td>{direction(register)}{acts}</td><td>{_inline(register.doc)}</td></tr>"
        )
    return [*out, "</tbody></table>"]


def _register(page: Page, register: Register) -> list[str]:
    out = [f'<h3 id="{_mark(page, register)}">{register.name}</h3>']
    where = f"<code>{_inline(sketch(register))}</code>"
    ranges = [f"{dim.name} 0 to {dim.count - 1}" for dim in register.dims if dim.count > 1]
    if ranges:
        where += f", {', '.join(ranges)}"
    acts = ' <span class="acts">The read acts.</span>' if register in acting(page) else ""
    out.append(f'<div class="soft">{page.name} page, {where}</div>')
    out.append(f"<p>{_inline(register.doc)}{acts}</p>")
    out += _picture(register)
    rows = []
    for item in sorted(register.fields, key=lambda item: -item.lsb):
        text = item.doc + (f" {meanings(item)}." if item.values is not None else "")
        rows.append([bits(item), f"`{item.name}`", ACCESS[item.access][0], reset_words(item), text])
    return out + _table(["bits", "field", "access", "reset", ""], rows)


def _picture(register: Register) -> list[str]:
    """Draw the 32 bits of a register. A name that is wider than its field stands upright."""
    parts = list(spans(register))
    lengths = [(len(item.name) * _LETTER, item.width * _BIT) for _, _, item in parts if item]
    height = max([30.0, *(length + 14 for length, width in lengths if length > width)])
    label = ", ".join(f"{item.name} {bits(item)}" for _, _, item in parts if item)
    out = [f'<svg viewBox="0 0 {32 * _BIT + 2} {height + 16:.0f}" role="img" aria-label="{register.name}: {label}">']
    for high, low, item in parts:
        left, width = (31 - high) * _BIT + 1, (high - low + 1) * _BIT
        kind = "" if item else ' class="none"'
        out.append(f'<rect{kind} x="{left}" y="14" width="{width}" height="{height:.0f}"/>')
        for bit in sorted({high, low}, reverse=True):
            out.append(f'<text class="bit" x="{(31 - bit) * _BIT + 1 + _BIT / 2:g}" y="10">{bit}</text>')
        if item is None:
            continue
        x, y = left + width / 2, 14 + height / 2
        if len(item.name) * _LETTER > width:
            out.append(f'<text x="{x:g}" y="{y:g}" dy="4" transform="rotate(-90 {x:g} {y:g})">{item.name}</text>')
        else:
            out.append(f'<text x="{x:g}" y="{y:g}" dy="4">{item.name}</text>')
    return [*out, "</svg>"]
