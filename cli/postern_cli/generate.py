"""``postern generate``: write everything that belongs to a block."""

from pathlib import Path

from postern_spec.config import load
from postern_spec.emit import documents, file_names

from .errors import CommandError, needs, write
from .words import counted

__all__ = ["run"]

_WHAT = {
    "verilog": "the block",
    "instance": "instantiation template",
    "c_header": "C header",
    "systemrdl": "SystemRDL",
    "registers_markdown": "register page",
    "registers_html": "register page for a browser",
    "manifest": "pins, parameters and addresses for tools",
}


def run(config: str, output: str) -> int:
    """Write all files of a configuration into a folder.

    Raises
    ------
    ConfigError, CommandError
        There is no such configuration; Amaranth is missing; the folder cannot be written.
    """
    c = load(config)
    folder = Path(output)
    names = file_names(c)
    files = documents(c)
    # The cheap files first: a folder that cannot be written is known before the wait.
    for name, text in files.items():
        write(folder / name, text)
    with needs("hw", "write Verilog"):
        from postern_hw.verilog import YosysError, emit
    from postern_sim.build import wait_with_progress

    try:
        with wait_with_progress(f"postern: writing the Verilog of {c.name}"):
            files[names["verilog"]] = emit(c)
    except YosysError:
        raise CommandError(
            "Yosys must be installed to write Verilog (pip install 'postern[hw]'), not missing"
        ) from None
    write(folder / names["verilog"], files[names["verilog"]])

    width = max(map(len, names.values()))
    print(f"{c.name}: {counted(len(c.ports), 'port')}, {c.vms} VMs, in {output}")
    for kind, name in names.items():
        print(f"  {name:<{width}}  {len(files[name].encode()):>9,} bytes  {_WHAT[kind]}")
    return 0
