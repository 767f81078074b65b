"""SystemRDL 2.0: one address map per page, and one per bus port that places the pages."""

import dataclasses
from enum import IntEnum

from ..config import Config
from ..model import Access, Field, Page, Register
from ..regmap import address_map
from .common import pages, windows

__all__ = ["emit"]

_ACCESS = {
    Access.RO: "sw = r; hw = w;",
    Access.RW: "sw = rw; hw = rw;",
    Access.W1C: "sw = rw; hw = rw; onwrite = woclr; precedence = hw;",  # hardware wins: no event is lost
    Access.W1S: "sw = rw; hw = rw; onwrite = woset;",
    Access.WO: "sw = w; hw = r;",
    Access.RA: "sw = r; hw = w; onread = ruser;",
}


def emit(c: Config) -> str:
    """Return the SystemRDL text.

    ``NAME_guest`` and ``NAME_manager`` describe the pages; ``NAME_port0`` and so on are what one bus port sees. A
    register whose read acts is ``external`` with ``onread = ruser``. Dimensions that do not follow each other without a
    gap are nested register files.
    """
    out = [
        f"// {c.name}: registers in SystemRDL 2.0.",
        f"// Elaborate {c.name}_portN for what port N sees, or a page alone.",
    ]
    enums: dict[str, type[IntEnum]] = {}
    for page in pages(c):
        for register in page.registers:
            for item in register.fields:
                if item.values is not None:
                    enums[_enum_name(c, item.values)] = item.values
    for name, values in enums.items():
        out += ["", f"enum {name} {{"]
        out += [f"    {value.name} = {value.value};" for value in values]
        out.append("};")
    for page in pages(c):
        out += ["", *_page(c, page)]
    for index in range(len(c.ports)):
        out += ["", *_port(c, index)]
    return "\n".join([*out, ""])


def _enum_name(c: Config, values: type[IntEnum]) -> str:
    return f"{c.name}_{values.__name__.lower()}_e"


def _text(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _page(c: Config, page: Page) -> list[str]:
    out = [
        f"addrmap {c.name}_{page.name} {{",
        f'    name = "{c.name} {page.name} page";',
        "    littleendian;",
        "    default regwidth = 32;",
        "    default accesswidth = 32;",
    ]
    return [*out, *_indent(_group(c, page.registers, 0)), "};"]


def _group(c: Config, registers: tuple[Register, ...], base: int) -> list[str]:
    """Registers from ``base`` on; those that take turns within the stride of one array become a register file."""
    out: list[str] = []
    rest = registers
    while rest:
        first = rest[0]
        turn = 1
        if first.dims:
            end = first.offset + first.dims[0].stride
            while turn < len(rest) and rest[turn].dims[:1] == first.dims[:1] and rest[turn].offset < end:
                turn += 1
        group, rest = rest[:turn], rest[turn:]
        out.append("")
        if len(group) == 1 and len(first.dims) <= 1:
            out += _register(c, first, base)
            continue
        dim = first.dims[0]
        inner = tuple(dataclasses.replace(item, dims=item.dims[1:]) for item in group)
        prefix = first.name if len(group) == 1 else _shared([item.name for item in group])
        name = f"{prefix}_{dim.name.upper()}".lstrip("_")
        out += ["regfile {", *_indent(_group(c, inner, first.offset))]
        out.append(f"}} {name}[{dim.count}] @ 0x{first.offset - base:X} += 0x{dim.stride:X};")
    return out


def _shared(names: list[str]) -> str:
    """Return the word that all names begin with, else both of two, else nothing: no name is twice in a page."""
    words = {name.split("_")[0] for name in names}
    if len(words) == 1:
        return words.pop()
    return "_".join(names) if len(names) == 2 else ""


def _register(c: Config, register: Register, base: int) -> list[str]:
    external = "external " if any(item.access is Access.RA for item in register.fields) else ""
    body = [f"desc = {_text(register.doc)};"]
    for item in register.fields:
        body += _field(c, item)
    array = "".join(f"[{dim.count}]" for dim in register.dims)
    stride = "".join(f" += 0x{dim.stride:X}" for dim in register.dims)
    return [
        f"{external}reg {{",
        *_indent(body),
        f"}} {register.name}{array} @ 0x{register.offset - base:X}{stride};",
    ]


def _field(c: Config, item: Field) -> list[str]:
    body = [f"desc = {_text(item.doc)};", _ACCESS[item.access]]
    if item.values is not None:
        body.append(f"encode = {_enum_name(c, item.values)};")
    reset = "" if item.reset is None else f" = 0x{item.reset:X}"
    return ["field {", *_indent(body), f"}} {item.name}[{item.lsb + item.width - 1}:{item.lsb}]{reset};"]


def _port(c: Config, index: int) -> list[str]:
    places = windows(c, index)
    guests = [base for page, _, base, _ in places if page == "guest"]
    out = [f"addrmap {c.name}_port{index} {{", f'    name = "{c.name} as port {index} sees it";']
    array = f"[{len(guests)}] @ 0x{guests[0]:X} += 0x{c.page_stride:X}" if len(guests) > 1 else f" @ 0x{guests[0]:X}"
    out.append(f"    {c.name}_guest guest{array};")
    out += [f"    {c.name}_manager manager @ 0x{base:X};" for page, _, base, _ in places if page == "manager"]
    srams = [base for page, _, base, _ in places if page == "sram"]
    if srams:
        body = f"external mem {{ mementries = {c.sram_bytes // 4}; memwidth = 32; sw = rw; }} sram"
        stride = f"[{len(srams)}] @ 0x{srams[0]:X} += 0x{address_map(c, index).sram_stride:X}"
        out.append(f"    {body}{stride};" if len(srams) > 1 else f"    {body} @ 0x{srams[0]:X};")
    return [*out, "};"]


def _indent(lines: list[str]) -> list[str]:
    return ["    " + line if line else line for line in lines]
