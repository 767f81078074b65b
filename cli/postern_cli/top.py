"""``postern top``: what the manager sees of a block that virtual machines are using, while they do.

The guests run on the generated Verilog, at the same time where each has a port of its own, and the view is one more
program beside them: a manager that reads its page.
"""

import os
import random
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from postern import (
    Bus,
    BusError,
    Handover,
    Mailbox,
    Manager,
    Model,
    ModelBus,
    PosternError,
    Programs,
    Result,
    Source,
    Status,
    VmStatus,
)
from postern.status import columns
from postern_spec.config import Config, Identity, load, preset
from postern_spec.config import Manager as ManagerKind
from postern_spec.regmap import address_map, guest_page

from .demo import Seat, cast, hardware, manager_seat
from .errors import CommandError
from .words import counted

__all__ = ["frame", "run"]

ONCE = 20_000
"""Cycles after which the one table of ``--once`` is shown, where nothing else is said."""

_PAUSE = 20e-6  # seconds of simulated time for which the view sleeps between two looks at the clock on the wall


def run(
    config: str | None, *, model: bool = False, once: bool = False, interval: float = 1.0, cycles: int | None = None
) -> int:
    """Run the guests and show them.

    Parameters
    ----------
    config : str or None
        Preset or file. ``None``: the preset ``default``, with counters.
    model : bool
        Run on the functional model instead of the hardware.
    once : bool
        Show one table and end.
    interval : float
        Seconds between two tables.
    cycles : int or None
        End after so many cycles of the simulation. ``None``: go on until interrupted; with ``once``, 20,000.

    Raises
    ------
    ConfigError, CommandError
        There is no such configuration, it has nobody to be shown or no manager to look, or a tool is missing.
    """
    c = preset("default").replace(counters=True) if config is None else load(config)
    if c.manager is ManagerKind.NONE:
        raise CommandError(f"manager of {c.name} must be one that has a page to look at, not none")
    if interval < 0:
        raise CommandError(f"interval must be at least 0 seconds, not {interval:g}")
    if cycles is not None and cycles < 1:
        raise CommandError(f"cycles must be at least 1, not {cycles}")
    where = "the functional model" if model else "the generated Verilog, in Verilator"
    ports = counted(len(c.ports), f"{' and '.join(sorted({str(port.bus) for port in c.ports}))} port")
    title = f"{c.name}: {c.vms} virtual machines behind {ports}, on {where}"
    block = Model(c) if model else hardware(c, "top")
    with nullcontext() if isinstance(block, Model) else block:
        screen = _Screen(title, once=once, interval=interval, cycles=ONCE if once and cycles is None else cycles)
        try:
            _Scene(c, block).play(screen)
        except PosternError as error:
            raise CommandError(f"programs must run to their ends, not stop ({error})") from error
        finally:
            screen.close()
    return 0


@dataclass
class _Screen:
    """Where the tables go: to the same place of a terminal, or one behind the other.

    Parameters
    ----------
    title : str
        What is shown.
    once, interval, cycles
        As of ``run``.
    """

    title: str
    once: bool
    interval: float
    cycles: int | None
    terminal: bool = field(default_factory=lambda: sys.stdout.isatty() and os.environ.get("TERM") != "dumb")
    shown: int = 0

    def show(self, lines: Sequence[str]) -> None:
        text = "\n".join([self.title, *lines])
        if not self.terminal or self.once:
            print("\n" * (self.shown > 0) + text, flush=True)
        else:
            width, height = shutil.get_terminal_size()
            kept = [line[:width] for line in text.split("\n")[: height - 1]]
            # Hide the cursor, go home, and clear the rest of each line instead of the screen, which would flicker.
            print("\x1b[?25l\x1b[H" + "".join(f"{line}\x1b[K\n" for line in kept) + "\x1b[J", end="", flush=True)
        self.shown += 1

    def close(self) -> None:
        """Give the cursor back."""
        if self.terminal and self.shown and not self.once:
            print("\x1b[?25h", end="", flush=True)


class _Scene:
    """The block, its guests and the manager that looks."""

    def __init__(self, c: Config, block: Any):
        self.c = c
        self.block = block
        self.boss = manager_seat(c)
        self.over = False
        guests = [
            seat for seat in cast(c, len(c.ports) + 1) if c.manager is not ManagerKind.VM or seat.vm != c.manager_vm
        ]
        apart = list({seat.port: seat for seat in reversed(guests) if seat.port != self.boss.port}.values())
        # At the same time only where each has a port of its own: a port has one master.
        self.parallel = not isinstance(block, Model) and len(apart) > 1
        self.guests = sorted(apart if len(apart) > 1 else guests[:3], key=lambda seat: seat.vm)
        if len(self.guests) < 2:
            raise CommandError(
                f"VMs that reach a port of {c.name} beside the manager must be at least 2, not {len(self.guests)}"
            )

    def play(self, screen: _Screen) -> None:
        """Run all programs until the view ends."""
        setup = self._manager(self._bus(self.boss))
        for seat in self.guests:
            self._admit(setup, seat)
        if not self.c.open_at_reset:
            self._connect(setup)
        if self.parallel:
            from postern_sim.cores import Cores

            cores = Cores(self.block)
            for seat in self.guests:
                bus = cores.bus(seat.port, seat.tag)
                cores.add(bus, partial(self._guest, seat, bus))
            bus = cores.bus(self.boss.port, self.boss.tag)
            cores.add(bus, partial(self._watch, screen, bus))
            cores.run()
        else:
            programs = Programs(seed=1)
            for seat in self.guests:
                programs.add(f"VM {seat.vm}", partial(self._guest, seat), self._bus(seat), _as_it_is)
            programs.add("manager", partial(self._watch, screen), self._bus(self.boss), _as_it_is)
            programs.run()

    def _bus(self, seat: Seat) -> Bus:
        if isinstance(self.block, Model):
            return ModelBus(self.block, seat.port, tag=seat.tag, core=seat.core)
        from postern_sim.rtl import RtlBus

        return RtlBus(self.block, seat.port, tag=seat.tag, core=seat.core)

    @property
    def cycle(self) -> int:
        """Clock cycles since the beginning."""
        return int(self.block.now if isinstance(self.block, Model) else self.block.cycle)

    # The manager

    def _manager(self, bus: Bus) -> Manager:
        return Manager(bus, self.c, address_map(self.c, self.boss.port).manager_base)

    def _admit(self, manager: Manager, seat: Seat) -> None:
        c = self.c
        if not c.open_at_reset:
            manager.open(seat.vm)
        if c.ports[seat.port].identity is not Identity.STATIC:
            manager.resident(seat.core, seat.vm)
        if c.blocks:
            manager.quota(seat.vm, min(4, c.blocks // len(self.guests)))

    def _connect(self, manager: Manager) -> None:
        """Let everybody send to everybody, but the last one, who will misbehave, only to the first."""
        vms = [seat.vm for seat in self.guests]
        share = max(1, min(4, self.c.depth // len(vms)))
        for a in vms:
            for b in vms:
                if a != b and (a != vms[-1] or b == vms[0]):
                    manager.credits(a, b, share)
                    manager.permit(a, b)

    def _watch(self, screen: _Screen, bus: Bus) -> None:
        """Look, show, and let time pass, until it is enough."""
        manager = self._manager(bus)
        before, then, began = None, self.cycle, self.cycle
        try:
            while not self.over:
                wake = time.monotonic() + screen.interval
                while True:
                    bus.wait_for_interrupt(_PAUSE)
                    if self._enough(screen, began) or (not screen.once and time.monotonic() >= wake):
                        break
                self.over = self._enough(screen, began)
                status, now = manager.status(), self.cycle
                screen.show(frame(status, before, now, now - then))
                before, then = status, now
        finally:
            self.over = True

    def _enough(self, screen: _Screen, began: int) -> bool:
        return screen.cycles is not None and self.cycle - began >= screen.cycles

    # The guests

    def _guest(self, seat: Seat, bus: Bus) -> None:
        """Talk to whoever can be reached; the last guest tries what it may not as well."""
        c = self.c
        sram = address_map(c, seat.port).sram(seat.vm) if c.blocks else None
        box = Mailbox(bus, seat.base, c, core=seat.core, sram=sram)
        rng = random.Random(seat.vm)
        rogue = seat is self.guests[-1]
        others = [other.vm for other in self.guests if other.vm != seat.vm]
        while not self.over:
            peers = [vm for vm in others if (peer := box.peer(vm)) and peer.alive]
            for vm in peers:
                box.connect(vm)
            for _ in range(rng.randrange(1, 4)):
                if peers:
                    self._speak(box, rng, rng.choice(peers))
            while (message := box.try_receive()) is not None:
                if message.loan is not None:
                    box.free(message.loan.block)
            if rogue and rng.random() < 0.3:
                self._misbehave(box, rng, rng.choice(others))
            box.irq_enable(Source.MAIL)
            bus.wait_for_interrupt(rng.choice((0.5e-6, 2e-6, 10e-6)))

    def _speak(self, box: Mailbox, rng: random.Random, peer: int) -> None:
        if box.config.blocks and rng.random() < 0.2 and (block := box.alloc()) is not None:
            box.send_block(peer, [rng.getrandbits(32)] if box.config.words > 1 else [], block, Handover.MOVE)
            if box.result().code is not Result.ACCEPTED:
                box.free(block)
        else:
            for _ in range(rng.randrange(1, 4)):
                box.send(peer, [rng.getrandbits(32) for _ in range(rng.randint(1, box.config.words))])
        if rng.random() < 0.2:
            box.ring(peer)
        if box.result().code is not Result.ACCEPTED:
            box.acknowledge()

    def _misbehave(self, box: Mailbox, rng: random.Random, peer: int) -> None:
        """Send where it may not, commit what was never written, and reach for a register that is nobody's."""
        page = guest_page(box.config)
        box.send(peer, [0])
        box.acknowledge()
        if box.config.words > 1:
            box.bus.write32(box.base + page.COMMIT.at(0, 0, 1, peer), 0)
            box.acknowledge()
        with suppress(BusError):  # where the block was built with read_error
            box.bus.read32(box.base + page.ACK.at(0))


def _as_it_is(bus: Bus) -> Bus:
    return bus


def frame(status: Status, before: Status | None, cycle: int, cycles: int) -> list[str]:
    """Return the lines of one table.

    Parameters
    ----------
    status, before : Status
        Now, and when the last table was shown, if there was one.
    cycle, cycles : int
        The cycle of now, and how many have passed since then.
    """
    there = [it for it in status.vms if it.generation]
    absent = len(status.vms) - len(there)
    lines = [f"cycle {cycle:,}, {counted(len(there), 'VM')}" + (f" ({absent} never opened)" if absent else ""), ""]
    blocks = ("blocks", "peak") if status.pool else ()
    counting = any(it.counters for it in there)
    heads = (
        "VM",
        "state",
        "gen",
        "queue",
        *(("peak",) if counting else ()),
        "credits",
        *blocks,
        "cores",
        "waiting",
        "faults",
    )
    if counting:
        heads += ("sent/k", "recv/k", "refused/k", "waited")
    lines += columns(heads, [_row(it, status, before, cycles) for it in there])
    if counting:
        names = ["sent", "received", "no credit", "denied", "peer gone", "torn", "ignored", "doorbells"]
        names += ["bad block"] if status.pool else []
        totals = [
            (it.vm, *(getattr(it.counters, name.replace(" ", "_")) for name in names)) for it in there if it.counters
        ]
        lines += ["", "since they were opened", *columns(["VM", *names], totals)]
    if status.pool:
        lines += ["", f"blocks without an owner: {status.pool.clean} clean, {status.pool.dirty} dirty"]
    return lines + ([""] if status.faults else []) + [str(fault) for fault in status.faults]


def _row(it: VmStatus, status: Status, before: Status | None, cycles: int) -> tuple[object, ...]:
    granted, used = sum(limit.limit for limit in it.limits), sum(limit.used for limit in it.limits)
    counters = it.counters
    row: tuple[object, ...] = (it.vm, it.state.name.lower(), it.generation, f"{it.queued}/{status.depth}")
    row += (counters.queue_peak,) if counters else ()
    row += (f"{used}/{granted}",)
    if it.quota:
        row += (f"{it.quota.used}/{it.quota.limit}", counters.blocks_peak if counters else "-")
    row += (" ".join(map(str, it.cores)) or "-", it.watch, it.faults or "-")
    if counters is None:
        return row
    was = before.vms[it.vm] if before else None
    same = was is not None and was.counters is not None and was.generation == it.generation
    new = counters.since(was.counters) if same and was is not None and was.counters is not None else counters
    span = max(1, cycles)
    rates = (f"{1000 * number / span:.1f}" for number in (new.sent, new.received, new.refused))
    return (*row, *rates, f"{new.waited / span:.1%}")
