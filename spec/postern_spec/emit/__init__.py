"""What is generated from the register description besides Verilog. Standard library only.

Nothing here depends on date, machine or folder: the same configuration gives the same bytes everywhere.
"""

from ..config import Config
from . import c_header, html, instance, manifest, markdown, systemrdl

__all__ = ["documents", "file_names"]


def file_names(c: Config) -> dict[str, str]:
    """Return the name of each file that ``postern generate`` writes, by what it is."""
    return {
        "verilog": f"{c.name}.v",
        "instance": f"{c.name}_inst.v",
        "c_header": f"{c.name}.h",
        "systemrdl": f"{c.name}.rdl",
        "registers_markdown": "registers.md",
        "registers_html": "registers.html",
        "manifest": "manifest.json",
    }


def documents(c: Config) -> dict[str, str]:
    """Return the text of every generated file except the Verilog, by file name."""
    names = file_names(c)
    return {
        names["instance"]: instance.emit(c),
        names["c_header"]: c_header.emit(c),
        names["systemrdl"]: systemrdl.emit(c),
        names["registers_markdown"]: markdown.emit(c),
        names["registers_html"]: html.emit(c),
        names["manifest"]: manifest.emit(c, names),
    }
