"""``postern info``: what a configuration comes to."""

import itertools

from postern_spec.config import Config, Identity, Manager, load
from postern_spec.emit.common import acting_words, bus_words, digest, manager_words, port_groups
from postern_spec.pins import pins
from postern_spec.regmap import guest_page, manager_page
from postern_spec.sizes import block_rams, pool_banks, slots, sram_block_rams

from .words import counted

__all__ = ["picture", "run", "text"]


def run(config: str) -> int:
    """Print what a configuration comes to."""
    print(text(load(config)), end="")
    return 0


def text(c: Config) -> str:
    """Return picture, sizes, address map and memory of a configuration."""
    banks, words = pool_banks(c)
    guest, manager = guest_page(c), manager_page(c)
    wires = sum(pin.width for pin in pins(c))
    lines = [f"{c.name}  (configuration {digest(c)[:16]})", "", *picture(c), ""]
    lines += _table(
        [
            ("VMs", f"{c.vms}, each with {counted(c.lanes, 'lane')} and a queue of {c.depth} messages"),
            ("message", f"1 to {c.words} words of 32 bits"),
            ("cores", f"{c.cores}, each with an interrupt line"),
            ("manager", manager_words(c)),
            ("at reset", f"all VMs open, {c.credits} credits each" if c.open_at_reset else "all VMs closed"),
            ("guest page", f"{guest.size} bytes of {c.page_stride}"),
            ("manager page", f"{manager.size} bytes" if manager.size else "none"),
            ("module", f"{len(pins(c))} ports, {wires} wires"),
        ]
    )
    lines += ["", "Address map"]
    for who, _, rows in port_groups(c):
        lines.append(f"  {who}")
        shown = rows if len(rows) <= 6 else [*rows[:2], ("...", "", ""), *rows[-2:]]
        lines += [
            f"    {name:<16} {first:>10} {'to' if first else '  '} {last:>10}".rstrip() for name, first, last in shown
        ]
    lines += ["", "Reads that act"]
    lines += [f"  {line.replace('`', '')}" for line in acting_words(c)]
    lines += ["", "Memory"]
    lines += _table(
        [
            (
                "message slots",
                f"{slots(c)}: {c.vms * c.depth} of queues, {slots(c) - c.vms * c.depth} of lanes and ports",
            ),
            ("payload", f"{banks} banks of {words} words, {banks * words * 4 / 1024:.0f} KiB"),
            ("block RAM", f"about {block_rams(c)} of 512 x 36 bits (ECP5 DP16KD, half a Xilinx RAMB36)"),
            *_sram(c),
        ]
    )
    return "\n".join([*lines, ""])


def _sram(c: Config) -> list[tuple[str, str]]:
    if not c.blocks:
        return []
    size = f"{c.sram_bytes / 1024:g} KiB: {counted(c.blocks, 'block')} of {c.block_size} bytes"
    rams = sram_block_rams(c)
    return [
        ("SRAM", f"{size}, in {counted(c.banks, 'bank')}; about {rams} block RAMs of 2048 x 9 bits (the same ones)")
    ]


def picture(c: Config) -> list[str]:
    """Draw the block: its ports above, the queues inside. Equal neighbours share a column."""
    columns = []
    for _, group in itertools.groupby(enumerate(c.ports), lambda item: (item[1], _side(c, item[0]))):
        numbers = [index for index, _ in group]
        port = c.ports[numbers[0]]
        name = f"port {numbers[0]}" if len(numbers) == 1 else f"ports {numbers[0]}-{numbers[-1]}"
        cores = counted(port.cores, "core") + (" each" if len(numbers) > 1 else "")
        who = f"static: VM {port.vm}" if port.identity is Identity.STATIC else str(port.identity)
        columns.append([cores, name, bus_words(port), who, _side(c, numbers[0])])
    widths = [max(map(len, column)) + 4 for column in columns]
    rows = [
        "".join(cell.center(width) for cell, width in zip(row, widths, strict=True))
        for row in zip(*columns, strict=True)
    ]
    rows = [row for row in rows if row.strip()]
    stems = "".join("|".center(width) for width in widths)
    inside = [
        f"{c.vms} VMs: queue, doorbells, interrupts",
        f"{c.vms} x {c.depth} messages of up to {c.words} words",
    ]
    if c.blocks:
        inside.append(f"SRAM: {c.blocks} blocks of {c.block_size} bytes, one owner each")
    if c.manager is not Manager.NONE:
        inside.append("manager: who may talk to whom, credits, faults")
    width = max(len(stems), *(len(line) + 4 for line in inside))
    pad = (width - len(stems)) // 2
    top = (" " * pad + stems).ljust(width).replace(" ", "-").replace("|", "+")
    lines = [(" " * (pad + 1) + row).rstrip() for row in [*rows, stems]]
    lines.append(f"+{top}+")
    lines += [f"|{line.center(width)}|" for line in inside]
    lines += [f"+{'-' * width}+"]
    outputs = f"irq x {c.cores}" + (", manager_irq" if c.manager is not Manager.NONE else "")
    lines += ["|".center(width + 2).rstrip(), outputs.center(width + 2).rstrip()]
    return [f"  {line}" for line in lines]


def _side(c: Config, port: int) -> str:
    return "the manager's" if c.manager is Manager.PORT and c.manager_port == port else ""


def _table(rows: list[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"  {name:<{width}}  {value}" for name, value in rows]
