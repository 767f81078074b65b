"""Flips the flip-flops of the protected state, and bits of memories, and says what became of each.

python -m postern_sim.faults                all of these flip-flops, and a sample of the memories
python -m postern_sim.faults --short        a sample of both
python -m postern_sim.faults --unprotected  the same block without protection, as the control
"""

import argparse
import contextlib
import json
import random
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import NamedTuple

from postern import Mailbox, Manager
from postern_spec.regmap import AddressMap, address_map

from . import build
from .lockstep import Plan
from .rtl import REQUEST, Done, ProtocolError, Rtl, RtlBus
from .soak import CONFIGURATIONS

__all__ = ["Outcome", "Target", "instrument", "main", "targets"]

CONFIG = CONFIGURATIONS["guarded"]
RESULTS = ("corrected", "detected", "masked", "silent")
NUMBERS = 16  # bits of the input that says what is flipped
SHORT = 100  # registers' bits of a sample
PAYLOAD = re.compile(r"pool|sram")  # most of what is there is never read again, so that more of it is flipped
CHUNK = 1024  # cycles for which masters keep their pace
PROTECTED = (
    (r"directory", r"states__\d+|in_\w+|open"),
    (r"queue_\d+", r"head(__\w+|_parity)?"),
    (r"port_\d+", r"[rw]_(held(__\w+)?|parity)"),
    (r"blocks", r"head"),
)
"""Registers with other protection than a complement, as patterns of module and name."""

MEMORIES = re.compile(
    r"directory\.(permits|known|generations)|queue_\d+(\.(counts|went))?|port_\d+\.(slots|states)"
    r"|port_\d+\.[rw]_binding|blocks(\.\w+)?|write_engine\.promised|pool|sram"
)
"""Modules whose memories are protected."""

MODULE = re.compile(r"^module (\S+?) ?\(.*?^endmodule", re.M | re.S)
REGISTER = re.compile(r"^  reg (?:\[(\d+):0\] )?(\S+)(?: += [^;]*)? *;", re.M)
MEMORY = re.compile(r"^  reg (?:\[(\d+):0\] )?(\S+) +\[(\d+):0\];", re.M)
STORE = re.compile(r"^(  always @\(posedge clk\)\n    (\S+) +<= )([^;]+);", re.M)
COMPLEMENT = re.compile(r"^  assign \S+ += (\S+) +\^ (\\?not_\S+) *;", re.M)
"""A register that is compared with its complement: Yosys may know it by another name."""

HELD = re.compile(
    r"^  assign (\S+) += \^ (\S+) \[(\d+):(\d+)\];(?=(?:.*\n)*?  assign \S+ += \1 +\^ ([rw]_parity) *;)", re.M
)
"""The bits of a held request that have a parity."""


class Target(NamedTuple):
    """A register, or a row of a memory, with bits to flip.

    Parameters
    ----------
    module, name : str
        Where it is in the Verilog.
    row : int
        Of a memory; -1 of a register.
    width : int
        Bits.
    first, last : int
        Of these, the bits that are protected; by default all.
    """

    module: str
    name: str
    row: int
    width: int
    first: int = 0
    last: int | None = None

    @property
    def bits(self) -> range:
        """Bits that are flipped."""
        return range(self.first, self.width if self.last is None else self.last + 1)

    @property
    def group(self) -> str:
        """Its line of the table."""
        rows = self.row >= 0 or re.fullmatch(r"row\d+", self.name)  # small tables are made of flip-flops
        return f"{re.sub(r'_[0-9]+', '', self.module.split('.')[0])}, {'memory' if rows else 'registers'}"


@dataclass(frozen=True)
class Outcome:
    """What became of a flipped bit.

    Parameters
    ----------
    where, bit, cycle : str, int, int
        What was flipped, and when.
    group : str
        Line of the table.
    result : str
        ``corrected``; ``detected``: the block closed; ``masked``: no answer was ever different; ``silent``: one was,
        and the block was not closed when it was given.
    reaction : int or None
        Cycles from the first in which the bit was wrong to the first in which the block was closed.
    leaks : int
        Answers to guests from then on with bits set that would not have been.
    """

    where: str
    bit: int
    cycle: int
    group: str
    result: str
    reaction: int | None
    leaks: int


def _modules(text: str, top: str) -> Iterator[tuple[str, str]]:
    for match in MODULE.finditer(text):
        name = match[1].lstrip("\\").removeprefix(top).removeprefix(".")
        yield name.split("$")[0], match[0]


def targets(text: str, top: str) -> list[Target]:
    """Return what is protected in the Verilog of a block with protection."""
    found = []
    for module, body in _modules(text, top):
        widths = {match[2]: int(match[1] or 0) + 1 for match in REGISTER.finditer(body)}
        stored = {match[2] for match in STORE.finditer(body)}
        remembers = MEMORIES.fullmatch(module)
        compared = {match[1]: match[2] for match in COMPLEMENT.finditer(body) if match[2] in stored}
        if re.fullmatch(r"port_\d+", module):
            held = {match[2]: (int(match[4]), int(match[3])) for match in HELD.finditer(body) if match[2] in stored}
            found += [Target(module, name, -1, widths[name], *places) for name, places in held.items()]
        for name in sorted(stored & set(widths)):
            if (
                name in compared
                or name in compared.values()
                or f"not_{name.removeprefix('not_')}" in stored
                or (remembers and re.fullmatch(r"row\d+", name))
                or any(re.fullmatch(place, module) and re.fullmatch(pattern, name) for place, pattern in PROTECTED)
            ):
                found.append(Target(module, name, -1, widths[name]))
        if remembers:
            for match in MEMORY.finditer(body):
                width, rows = int(match[1] or 0) + 1, int(match[3]) + 1
                found += [Target(module, match[2], row, width) for row in range(rows)]
    return found


def instrument(text: str, top: str, numbers: dict[int, tuple[Target, int]]) -> str:
    """Return the Verilog with an input ``mutant``: at a clock edge it flips the bit with that number.

    Interrupt lines become what is to be seen at once: the manager's that the block is closed, the first one of a core
    that a bit was corrected, and the second one that a word was lost.
    """
    first: dict[Target, int] = {}
    for number, (target, bit) in numbers.items():
        first.setdefault(target, number - bit)

    def bits(number: int, width: int) -> str:
        return f"({width}'d1 << ({top}.mutant - {NUMBERS}'d{number}))"

    parts = []
    for module, body in _modules(text, top):
        own = {(target.name, target.row): number for target, number in first.items() if target.module == module}
        widths = {(target.name, target.row): target.width for target in first if target.module == module}

        def flip(store: re.Match[str], own: dict = own, widths: dict = widths) -> str:
            key = store[2], -1
            return f"{store[1]}({store[3]}) ^ {bits(own[key], widths[key])};" if key in own else store[0]

        body = STORE.sub(flip, body)
        for name in sorted({name for name, row in own if row >= 0}):
            flips = "".join(
                f"    if ({top}.mutant - {NUMBERS}'d{own[key]} < {NUMBERS}'d{widths[key]})\n"
                f"      {name}[{key[1]}] <= {name}[{key[1]}] ^ {bits(own[key], widths[key])};\n"
                for key in own
                if key[0] == name and key[1] >= 0
            )
            store = re.compile(rf"^ +{re.escape(name)}\[.*\] <= .*;\n", re.M)
            found = store.findall(body)
            if len(found) != 1:
                raise ValueError(f"memory {module}.{name} must have one store, not {len(found)}")
            line = found[0]
            body = body.replace(line, line + flips, 1)
        if not module:
            body = body.replace(", clk);", ", clk, mutant);", 1)
            body = body.replace("\n  input clk;", f"\n  input [{NUMBERS - 1}:0] mutant;\n  input clk;", 1)
            body = _show(body)
        parts.append(body)
    return "\n".join(parts) + "\n"


def _guest_reads(packed: bytes, where: AddressMap) -> list[bool]:
    """Return of each request whether it is a read by a guest. The beats of a burst follow in its page."""
    found = []
    page = 0
    for _, address, _, _, _, beats, _, _, _, write, *_ in REQUEST.iter_unpack(packed):
        page = address if beats else page
        found.append(not write and (where.manager_base is None or page < where.manager_base))
    return found


def _show(body: str) -> str:
    """Return the top module with interrupt lines that tell what was found."""
    pins = dict(re.findall(r"^    \.(failed|counts__\d)\((.*)\),?$", body, re.M))
    closed = pins["failed"] if pins else "1'b0"
    corrected, lost = (
        " | ".join(f"(| {pins[f'counts__{i}']})" for i in which) if pins else "1'b0" for which in ((0, 2), (1, 3))
    )
    for name, shown in (("manager_irq", closed), ("irq", f"{{{lost}, {corrected}}}")):
        body = re.sub(rf"^  assign {name} = .*;\n", "", body, flags=re.M)
        body = re.sub(rf"^(    \.\w+)\({name}\)", r"\1()", body, flags=re.M)  # or a part drives it
        body = body.replace("\nendmodule", f"\n  assign {name} = {shown};\nendmodule")
    return body


class _Episode:
    """A random program that is run once as it is, and then again and again with a flip."""

    def __init__(self, rtl: Rtl, seed: int, length: int):
        self.rtl, self.seed = rtl, seed
        self.config = c = rtl.config
        self.plan = plan = Plan(c, seed, length)
        plan.drop_block_resets()  # they would undo everything
        self.requests = plan.traffic.requests
        self.guest_reads = [_guest_reads(self.requests[port], address_map(c, port)) for port in range(len(c.ports))]
        self.reference, _, self.cycles, *_ = self._run(0, -1)

    def _run(self, number: int, at: int) -> tuple[list[list[Done]], int | None, int, bool, bool]:
        """Return all answers, when the block was closed, how long it took, and whether bits were corrected or lost."""
        rtl, plan = self.rtl, self.plan
        rtl.renew(1)
        plan.load(rtl, self.requests)
        rng = random.Random(self.seed)
        ports = range(len(self.config.ports))
        closed: int | None = None
        with contextlib.suppress(ProtocolError):  # what was answered until then shows what is wrong
            while any(rtl.pending(port) for port in ports) and rtl.cycle < plan.limit:
                plan.pace(rtl, rng)
                end = rtl.cycle + CHUNK
                if rtl.cycle <= at < end:
                    rtl.run(at - rtl.cycle)
                    rtl.mutate(number)
                    rtl.step()
                    rtl.mutate(0)
                if number and rtl.cycle > at and closed is None and rtl.wait(None, end - rtl.cycle):
                    closed = rtl.cycle - 1
                rtl.run(end - rtl.cycle)
        answers = [rtl.done(port) for port in ports]
        return answers, closed, rtl.cycle, rtl.irq(0), rtl.irq(1)

    def flip(self, number: int, target: Target, bit: int, at: int) -> Outcome:
        answers, closed, _, corrected, _ = self._run(number, at)
        silent = leaks = 0
        for port, (got, expected) in enumerate(zip(answers, self.reference, strict=True)):
            for index, (one, other) in enumerate(zip(got, expected, strict=True)):
                if (one.data, one.response, one.state) == (other.data, other.response, other.state):
                    continue
                if closed is None or (one.answered and one.answered <= closed):
                    silent += 1
                elif self.guest_reads[port][index] and one.data & ~other.data:
                    leaks += 1
        result = "masked"
        if silent:
            result = "silent"
        elif closed is not None:
            result = "detected"
        elif corrected:
            result = "corrected"
        where = f"{target.module}.{target.name}" + (f"[{target.row}]" if target.row >= 0 else "")
        reaction = None if closed is None else closed - (at + 1)  # the first cycle in which it is wrong
        return Outcome(where, bit, at, target.group, result, reaction, leaks)


class _Reader:
    """A program that writes payload everywhere, and reads all of it again after a flip.

    One VM fills all queues with messages of full length, and all blocks. A word that nobody put there is masked.
    """

    def __init__(self, rtl: Rtl):
        self.rtl = rtl
        self.config = c = rtl.config
        self._bus = RtlBus(rtl, 0)
        self._guests = [Mailbox(RtlBus(rtl, 0, tag=vm), 0, c) for vm in range(c.vms)]
        self._words = [0x9E37_79B9 * (n + 1) & 0xFFFF_FFFF for n in range(c.words)]

    def flip(self, number: int, target: Target, bit: int) -> Outcome:
        rtl, c = self.rtl, self.config
        rtl.reset()
        manager, guests, bus = Manager(self._bus, c), self._guests, self._bus
        for vm in range(c.vms):
            manager.open(vm)
        manager.quota(0, c.blocks)
        for vm in range(c.vms):
            manager.credits(0, vm, c.depth)
            manager.permit(0, vm)
            guests[0].connect(vm)
            for _ in range(c.depth):
                guests[0].send(vm, self._words)
        base, blocks = address_map(c, 0).sram(0), 0
        while blocks < c.blocks:
            blocks += guests[0].alloc() is not None  # otherwise it is being scrubbed
        places = range(base, base + c.sram_bytes, 4)
        for at in places:
            bus.write32(at, at * 0x0101_0101 & 0xFFFF_FFFF)
        at_cycle = rtl.cycle
        rtl.mutate(number)
        rtl.step()
        rtl.mutate(0)
        wrong = sum(bus.read32(at) != at * 0x0101_0101 & 0xFFFF_FFFF for at in places)
        for guest in guests:
            for _ in range(c.depth):
                wrong += guest.receive().words != tuple(self._words)
        result = "silent" if wrong else "corrected" if rtl.irq(0) else "masked"
        where = f"{target.module}.{target.name}[{target.row}]"
        return Outcome(where, bit, at_cycle, f"{target.module.split('.')[0]}, read again", result, None, 0)


def _choose(found: list[Target], rng: random.Random, short: bool) -> dict[int, tuple[Target, int]]:
    """Return the bits to flip, by number: all of the registers and a sample of the memories; or a sample of both."""
    registers = [(target, bit) for target in found if target.row < 0 for bit in target.bits]
    by_memory: dict[tuple[str, str], list[tuple[Target, int]]] = {}
    for target in found:
        if target.row >= 0:
            own = by_memory.setdefault((target.module, target.name), [])
            own += [(target, bit) for bit in range(target.width)]
    chosen = set(rng.sample(registers, min(SHORT, len(registers))) if short else registers)
    for (module, _), bits in by_memory.items():
        count = (20 if short else 100) if PAYLOAD.fullmatch(module) else (1 if short else 16)
        chosen |= set(rng.sample(bits, min(count, len(bits))))
    numbers: dict[int, tuple[Target, int]] = {}
    following = 1
    for target in sorted({target for target, _ in chosen}):
        numbers |= {following + bit: (target, bit) for bit in range(target.width)}
        following += target.width
    if following >> NUMBERS:
        raise ValueError(f"bits to flip must be fewer than {1 << NUMBERS}, not {following}")
    return {number: item for number, item in numbers.items() if item in chosen}


def _table(outcomes: list[Outcome]) -> str:
    """Return what became of all flips, a line for each group."""
    lines = [f"{'':24}{'flips':>8}" + "".join(f"{name:>11}" for name in RESULTS) + f"{'leaks':>8}{'cycles':>16}"]
    for group in [*sorted({item.group for item in outcomes}), "all"]:
        own = [item for item in outcomes if group in (item.group, "all")]
        counts = Counter(item.result for item in own)
        times = [item.reaction for item in own if item.result == "detected" and item.reaction is not None]
        spread = f"{min(times)} / {statistics.median_low(times)} / {max(times)}" if times else "-"
        leaks = sum(item.leaks for item in own)
        lines.append(
            f"{group:24}{len(own):8,}" + "".join(f"{counts[name]:11,}" for name in RESULTS) + f"{leaks:8,}{spread:>16}"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m postern_sim.faults", description="Flips bits of the protected state and says what became of it."
    )
    parser.add_argument("--short", action="store_true", help="flip a sample only")
    parser.add_argument("--unprotected", action="store_true", help="the same without protection: the control")
    parser.add_argument("--seed", type=int, default=1, help="of program and choice")
    parser.add_argument("--length", type=int, default=300, help="requests of each port")
    options = parser.parse_args(arguments)
    rng = random.Random(options.seed)
    top = CONFIG.name
    numbers = _choose(targets(build.verilog(CONFIG, probe=True), top), rng, options.short)
    config = CONFIG
    if options.unprotected:
        config = CONFIG.replace(protection=False)
        there = {
            (item.module, item.name, item.row): item.width for item in _all(build.verilog(config, probe=True), top)
        }
        numbers = {
            number: (target._replace(width=there[target[:3]]), bit)
            for number, (target, bit) in numbers.items()
            if bit < there.get(target[:3], 0) and not target.name.startswith("\\")  # Yosys' own name: another's there
        }
    text = instrument(build.verilog(config, probe=True), top, numbers)
    outcomes: list[Outcome] = []
    start = said = time.monotonic()
    with Rtl(config, probe=True, text=text, mutant=0) as rtl:
        episode = _Episode(rtl, options.seed, options.length)
        for number, (target, bit) in numbers.items():
            at = rng.randrange(episode.cycles // 8, episode.cycles * 3 // 4)
            outcomes.append(episode.flip(number, target, bit, at))
            if time.monotonic() - said > 2:
                said = time.monotonic()
                print(f"faults: {len(outcomes):,} of {len(numbers):,} flips", flush=True)
        reader = _Reader(rtl)
        payload = [(number, *item) for number, item in numbers.items() if PAYLOAD.fullmatch(item[0].module)]
        for number, target, bit in payload:
            outcomes.append(reader.flip(number, target, bit))
            if time.monotonic() - said > 2:
                said = time.monotonic()
                print(f"faults: {len(outcomes) - len(numbers):,} of {len(payload):,} flips of payload", flush=True)
    print(_table(outcomes))
    kind = "without protection" if options.unprotected else "with protection"
    print(f"faults: {len(outcomes):,} flips {kind}, {episode.cycles:,} cycles each, {time.monotonic() - start:.0f} s")
    path = build.build_folder() / ("faults-unprotected.json" if options.unprotected else "faults.json")
    build.replace(path, json.dumps([asdict(item) for item in outcomes], indent=1) + "\n")
    bad = [item for item in outcomes if item.result == "silent" or item.leaks]
    if options.unprotected:
        return 0
    for item in bad[:20]:
        print(f"must not be {item.result}: {item.where} bit {item.bit}, cycle {item.cycle}", file=sys.stderr)
    return 1 if bad else 0


def _all(text: str, top: str) -> list[Target]:
    """Return everything that can be flipped, protected or not."""
    found = []
    for module, body in _modules(text, top):
        for match in REGISTER.finditer(body):
            found.append(Target(module, match[2], -1, int(match[1] or 0) + 1))
        for match in MEMORY.finditer(body):
            found += [Target(module, match[2], row, int(match[1] or 0) + 1) for row in range(int(match[3]) + 1)]
    return found


if __name__ == "__main__":
    sys.exit(main())
