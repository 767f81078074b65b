"""What several emitters say in the same way."""

import hashlib
import json
from collections.abc import Iterator

from ..config import Config, Identity, Manager, Port
from ..model import Access, Field, Page, Register, pow2
from ..regmap import VERSION, address_map, guest_page, manager_page

__all__ = [
    "ACCESS",
    "acting",
    "acting_addresses",
    "acting_words",
    "bits",
    "bus_words",
    "digest",
    "direction",
    "introduction",
    "manager_words",
    "meanings",
    "pages",
    "parameters",
    "port_groups",
    "reset_words",
    "sketch",
    "spans",
    "windows",
]

ACCESS = {
    Access.RO: ("RO", "Reads have no effect. A write is refused where no other field can be written."),
    Access.RW: ("RW", "Reads back what was written."),
    Access.W1C: ("W1C", "A written one clears the bit; an event in the same cycle wins and sets it."),
    Access.W1S: ("W1S", "A written one sets the bit; hardware clears it."),
    Access.WO: ("WO", "The write acts. Reads as zero; a read is refused where no other field can be read."),
    Access.RA: ("RA", "The read acts. See the list of reads that act."),
}
"""Short name and meaning of each access."""


def digest(c: Config) -> str:
    """Return the SHA-256 of a configuration: of its parameters as JSON, keys sorted, without spaces."""
    text = json.dumps(c.to_dict(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def pages(c: Config) -> tuple[Page, ...]:
    """Return the pages that a configuration has: the guest's, and the manager's unless there is none."""
    return (guest_page(c),) if c.manager is Manager.NONE else (guest_page(c), manager_page(c))


def acting(page: Page) -> tuple[Register, ...]:
    """Return the registers of a page whose reads act."""
    return tuple(r for r in page.registers if any(item.access is Access.RA for item in r.fields))


def acting_addresses(page: Page) -> tuple[int, ...]:
    """Return the offset of every register of a page whose read acts, in ascending order."""
    return tuple(sorted(offset for register in acting(page) for offset in register.offsets()))


def bits(field: Field) -> str:
    """Return the position of a field: ``31`` or ``15:8``."""
    return str(field.lsb) if field.width == 1 else f"{field.lsb + field.width - 1}:{field.lsb}"


def reset_words(field: Field) -> str:
    """Return the reset value for a table: hexadecimal, or a dash where it is not fixed."""
    return "-" if field.reset is None else f"0x{field.reset:X}" if field.reset > 9 else str(field.reset)


def spans(register: Register) -> Iterator[tuple[int, int, Field | None]]:
    """Yield highest bit, lowest bit and field of each part of a register from bit 31 down; ``None`` is unused."""
    top = 31
    for item in sorted(register.fields, key=lambda item: -item.lsb):
        high = item.lsb + item.width - 1
        if high < top:
            yield top, high + 1, None
        yield high, item.lsb, item
        top = item.lsb - 1
    if top >= 0:
        yield top, 0, None


def sketch(register: Register) -> str:
    """Return the offset as a sum: ``0x0E0 + 64 * lane``. Dimensions of one element are left out."""
    parts = [f"0x{register.offset:03X}"]
    parts += [f"{dim.stride} * {dim.name}" for dim in register.dims if dim.count > 1]
    return " + ".join(parts)


def windows(c: Config, port: int) -> list[tuple[str, int | None, int, int]]:
    """Return name, VM-ID (of ``page`` ports only), first address and size in bytes of each page and SRAM window."""
    where = address_map(c, port)
    vms: list[int | None] = list(range(c.vms)) if c.ports[port].identity is Identity.PAGE else [None]
    found = [("guest", vm, where.guest(vm or 0), c.page_stride) for vm in vms]
    if c.blocks:
        found += [("sram", vm, where.sram(vm or 0), max(pow2(c.sram_bytes), c.page_stride)) for vm in vms]
    if where.manager_base is not None:
        found.append(("manager", None, where.manager_base, (1 << where.bits) - where.manager_base))
    return found


def manager_words(c: Config) -> str:
    """Return who may use the manager page, as the end of a sentence."""
    return {
        Manager.NONE: "there is no manager page; every VM is open from reset on",
        Manager.PAGE: "whoever reaches its addresses, which stage 2 or PMP must guard",
        Manager.SECURE: "secure transactions (AxPROT[1] low)",
        Manager.VM: f"VM {c.manager_vm}",
        Manager.PORT: f"port {c.manager_port}",
    }[c.manager]


def introduction(c: Config) -> list[str]:
    """Return the paragraphs that open the register pages; `code` is between backticks."""
    sram = [
        f"The window of the shared SRAM has {c.blocks} blocks of {c.block_size} bytes, {c.sram_bytes} bytes in all; "
        f"block `b` begins at `{c.block_size} * b`. Each byte can be written by itself, and no read acts. What a VM "
        "has no right to reads as zero and is not written; such an access is logged for the manager. Map the window "
        "like the pages."
    ]
    return [
        f"Registers of the block `{c.name}`, generated from its configuration (SHA-256 `{digest(c)[:16]}`). "
        f"Register map version {VERSION >> 16}.{VERSION & 0xFFFF}.",
        "Registers have 32 bits and are little-endian. They lie at a stride of 8 bytes; the upper half of each stride "
        "is inert: it reads as zero and ignores writes. A write must set all four byte strobes, or it is refused. "
        "A refused access reads as zero, changes nothing but the lane that it concerns, and is logged for the manager. "
        "Map the pages non-cacheable and non-idempotent.",
        "All VMs see the guest registers at the same offsets; which VM's context answers follows from the identity of "
        f"the request. The manager page: {manager_words(c)}.",
        *(sram if c.blocks else []),
    ]


def acting_words(c: Config) -> list[str]:
    """Return the list of reads that act, one sentence for each register."""
    found = []
    for page in pages(c):
        for register in acting(page):
            offsets = ", ".join(f"`0x{offset:03X}`" for offset in register.offsets())
            found.append(f"`{register.name}` of the {page.name} page, at {offsets}")
    return found


def parameters(c: Config) -> list[tuple[str, str]]:
    """Return name and value of each parameter but the ports, as in a TOML file."""
    return [(name, json.dumps(value).strip('"')) for name, value in c.to_dict().items() if name != "port"]


def bus_words(port: Port) -> str:
    """Return the bus of a port, and its width where that is not what one expects."""
    return str(port.bus) if port.data_bits == 32 else f"{port.bus} {port.data_bits} bits"


def port_groups(c: Config) -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    """Return ports that look alike together: their numbers, what they are, and rows of page, first and last address."""
    found: dict[tuple[str, tuple[tuple[str, str, str], ...]], list[int]] = {}
    for index, port in enumerate(c.ports):
        where = address_map(c, index)
        who = f"VM {port.vm}" if port.identity is Identity.STATIC else f"{c.vms} VMs"
        cores = "1 core" if port.cores == 1 else f"{port.cores} cores"
        what = f"{bus_words(port)}, `{port.identity}` identity, {who}, {cores}, {where.bits} address bits"
        rows = []
        for page, vm, base, size in windows(c, index):
            name = page if vm is None else f"{page}, VM {vm}"
            rows.append((name, f"0x{base:X}", f"0x{base + size - 1:X}"))
        found.setdefault((what, tuple(rows)), []).append(index)
    return [
        (("Port " if len(numbers) == 1 else "Ports ") + ", ".join(map(str, numbers)), what, list(rows))
        for (what, rows), numbers in found.items()
    ]


def direction(register: Register) -> str:
    """Return which accesses a register takes: ``R``, ``W`` or ``RW``."""
    return ("R" if register.readable else "") + ("W" if register.writable else "")


def meanings(field: Field) -> str:
    """Return the values of a field and their names, or nothing."""
    if field.values is None:
        return ""
    return "; ".join(f"{item.value} `{item.name}`" for item in field.values)
