#!/usr/bin/env python3
"""Draw the block diagram and the exchange of slots.

python docs/diagrams.py            write docs/images/block.svg and slots.svg
python docs/diagrams.py --check    compare with what is there
"""

import sys

from drawing import ACCENT, BLUE, GREEN, GREY, INK, MUTED, SAND, Svg, main


def block() -> Svg:
    """Return the block diagram: requests travel from left to right, answers come back the same way."""
    s = Svg(960, 560, "Block diagram of a Postern block")

    # Ports
    for shift in (12, 6, 0):
        s.rect(110 + shift, 70 + shift, 210, 416, fill="#ffffff", radius=6)
    s.text(215, 92, "port, one per bus", bold=True)
    s.box(126, 106, 178, 44, ["bus adapter", "AXI4, Wishbone or APB"], fill=BLUE)
    s.box(126, 166, 178, 44, ["identity", "VM-ID, on acceptance"], fill=SAND)
    s.box(126, 226, 178, 44, ["request register", "optional; decode ahead"], dashed=True)
    s.box(126, 296, 178, 60, ["lanes", "state and slot of each", "(VM, lane), one spare slot"])
    s.box(126, 372, 178, 44, ["payload", "is a pop fresh?"])
    s.box(126, 432, 178, 40, ["answers", "in order, per direction"], fill=BLUE)
    for y in (150, 210, 270):
        s.path([(215, y), (215, y + 16 if y < 270 else 296)], arrow=True)
    for y, name in ((118, "request"), (452, "answer")):
        s.text(58, y - 2, f"{name}s", size=12, fill=MUTED)
    s.path([(20, 128), (126, 128)], arrow=True)
    s.path([(126, 456), (20, 456)], arrow=True)

    # The middle
    s.box(400, 76, 190, 76, ["pool", "message slots in block RAM,", "banks by word, round robin"], fill=GREEN)
    s.box(
        400,
        216,
        190,
        92,
        ["write engine", "one write at a time,", "all ports in one order:", "judges every commit"],
        fill=SAND,
    )
    s.box(400, 376, 190, 76, ["read engine", "one read per cycle,", "of everything but payload"], fill=SAND)
    s.path([(332, 112), (400, 112)], arrow=True)
    s.text(366, 104, "words", size=11, fill=MUTED)
    s.path([(400, 136), (332, 136)], arrow=True)
    s.path([(332, 248), (400, 248)], arrow=True)
    s.text(366, 240, "writes", size=11, fill=MUTED)
    s.path([(400, 284), (332, 284)], arrow=True, dashed=True)
    s.text(366, 276, "slot back", size=11, fill=MUTED)
    s.path([(495, 216), (495, 152)], arrow=True)
    s.text(503, 188, "last word", size=11, anchor="start", fill=MUTED)
    s.path([(332, 402), (400, 402)], arrow=True)
    s.text(366, 394, "reads", size=11, fill=MUTED)
    s.path([(400, 430), (332, 430)], arrow=True)

    # What is shared
    s.rect(664, 70, 200, 416, fill="#ffffff", radius=6)
    s.text(764, 92, "state, per VM", bold=True)
    s.box(680, 106, 168, 60, ["queues", "ring of descriptors,", "credits per sender"], fill=GREEN)
    s.box(680, 178, 168, 60, ["directory", "states, generations,", "permissions"])
    s.box(680, 250, 168, 44, ["doorbells", "one bit per sender"])
    s.box(680, 306, 168, 60, ["interrupts", "sources, residency,", "waiting"])
    s.box(680, 378, 168, 44, ["fault log", "first offender per VM"])
    s.box(680, 434, 168, 40, ["tag table", "sideband ports only"], dashed=True)
    s.path([(590, 262), (664, 262)], arrow=True)
    s.text(627, 254, "strobes", size=11, fill=MUTED)
    s.path([(664, 414), (590, 414)], arrow=True)
    s.text(627, 406, "answers", size=11, fill=MUTED)
    s.path([(864, 326), (924, 326)], arrow=True)
    s.text(894, 318, "irq", size=12, mono=True)
    s.path([(864, 400), (924, 400)], arrow=True)
    s.text(912, 392, "manager_irq", size=12, mono=True)

    # Heads and pops
    s.path([(764, 70), (764, 44), (215, 44), (215, 70)], arrow=True, dashed=True)
    s.text(490, 36, "head of every queue: slot and length of the oldest message", size=12, fill=MUTED)
    s.path([(226, 498), (226, 524), (764, 524), (764, 486)], arrow=True, dashed=True)
    s.text(490, 542, "pops, decided at the port", size=12, fill=MUTED)
    return s


SLOTS = {"A": "#b9d3ee", "B": "#f3cf9a", "C": "#bfe0bf", "D": "#e3c4dd", "E": "#d6d6d6"}


def slots() -> Svg:
    """Return three panels: how a commit exchanges three slots, and no word is copied."""
    s = Svg(960, 330, "How a commit exchanges slots")

    def slot(x, y, name, note, *, message=False, moved=False):
        s.rect(x, y, 62, 40, fill=SLOTS[name], stroke=ACCENT if moved else INK)
        s.text(x + 31, y + 18, f"slot {name}", size=12, bold=message)
        s.text(x + 31, y + 33, note, size=11, fill=MUTED)

    def panel(x, title, lane, spare, ring, lines):
        s.text(x + 145, 30, title, bold=True)
        s.text(x, 64, "sender's port", size=12, anchor="start", fill=MUTED)
        for at, label, held in ((x, "lane", lane), (x + 150, "spare", spare)):
            s.text(at, 92, label, size=12, anchor="start")
            if held:
                slot(at + 48, 76, held[0], held[1], message=held[1] == "message", moved=held[2])
            else:
                s.rect(at + 48, 76, 62, 40, fill="none", stroke=MUTED, dashed=True)
                s.text(at + 79, 100, "on its way", size=11, fill=MUTED)
        s.text(x, 152, "receiver's ring", size=12, anchor="start", fill=MUTED)
        for i, (name, note, moved) in enumerate(ring):
            slot(x + 68 * i, 164, name, note, message=note == "message", moved=moved)
        s.text(x + 31, 222, "head", size=11, fill=MUTED)
        tail = next((i for i, item in enumerate(ring) if item[1] == "free"), 0)
        s.text(x + 68 * tail + 31, 222 if tail else 236, "tail", size=11, fill=MUTED)
        for i, line in enumerate(lines):
            s.text(x, 266 + 18 * i, line, size=12, anchor="start")

    start = [("A", "message", False), ("B", "free", False), ("C", "free", False)]
    panel(
        24, "before", ("D", "message", False), ("E", "free", False), start,
        ["The staged words lie in the lane's slot D.", "Ring entries that hold no message", "hold a free slot each."],
    )  # fmt: skip
    panel(
        344, "stage 1: the commit is passed on", ("E", "free", True), None, start,
        [
            "The commit goes to the engine, and the",
            "lane takes the spare: its next message",
            "has a slot already.",
        ],
    )  # fmt: skip
    panel(
        664, "stage 2: accepted", ("E", "free", False), ("B", "free", True),
        [("A", "message", False), ("D", "message", True), ("C", "free", False)],
        [
            "The last word goes into D; D takes the entry", "at the tail; B, which was there, is the new",
            "spare. (Refused: D becomes the spare.)",
        ],
    )  # fmt: skip
    for x in (328, 648):
        s.path([(x, 50), (x, 300)], stroke=GREY, width=2)
    return s


def draw() -> dict[str, str]:
    """Return the text of each picture, by file name."""
    return {"block.svg": str(block()), "slots.svg": str(slots())}


if __name__ == "__main__":
    sys.exit(main("Draw the block diagram and the exchange of slots.", draw))
