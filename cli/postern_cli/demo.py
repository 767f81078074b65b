"""``postern demo``: virtual machines that talk through a block, and one that misbehaves.

Everything that is printed was seen in this run: what a read returned, or the cycle in which something happened.
"""

import importlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postern import Bus, BusError, Mailbox, Manager, Message, Model, ModelBus, PosternError, Source
from postern_spec.config import Config, Identity, load
from postern_spec.config import Manager as ManagerKind
from postern_spec.emit.common import digest, manager_words, windows
from postern_spec.pins import pins
from postern_spec.regmap import Command, Fault, Handover, Kind, State, address_map, guest_page, manager_page

from .errors import CommandError, needs, write
from .info import picture
from .words import counted

if TYPE_CHECKING:
    from postern_sim.rtl import Rtl

__all__ = ["Seat", "cast", "hardware", "manager_seat", "run", "signal_list"]


@dataclass(frozen=True)
class Seat:
    """Where a VM sits.

    Parameters
    ----------
    vm : int
        VM-ID.
    port : int
        Its port.
    core : int
        Its core, counted over all ports.
    base : int
        Address of its guest page at that port.
    tag : int
        Tag of its requests.
    """

    vm: int
    port: int
    core: int
    base: int
    tag: int


def cast(c: Config, most: int = 3) -> list[Seat]:
    """Seat up to so many VMs, on different ports where that can be; the manager's VM comes last."""
    order = sorted(range(c.vms), key=lambda vm: (c.manager is ManagerKind.VM and vm == c.manager_vm, vm))
    used = [0] * len(c.ports)
    seats: list[Seat] = []
    for vm in order:
        free = [port for port in range(len(c.ports)) if _reaches(c, port, vm, used[port])]
        if not free or len(seats) == most:
            continue
        # The manager's own port comes last: through it a guest would be the manager.
        port = min(free, key=lambda port: (c.manager is ManagerKind.PORT and port == c.manager_port, used[port]))
        seats.append(_seat(c, port, vm, used[port]))
        used[port] += 1
    return seats


def _reaches(c: Config, port: int, vm: int, used: int) -> bool:
    """Whether a VM can use a port, as things are after reset, beside those that sit there already."""
    here = c.ports[port]
    if here.identity is Identity.RESIDENT:
        return used == 0
    if here.identity is Identity.SIDEBAND:
        return vm < min(c.tags, 1 << c.tag_bits)
    return vm in c.port_vms(port)


def _seat(c: Config, port: int, vm: int, used: int) -> Seat:
    sideband = c.ports[port].identity is Identity.SIDEBAND
    core = c.core_base(port) + used % c.ports[port].cores
    return Seat(vm, port, core, address_map(c, port).guest(vm), vm if sideband else 0)


def manager_seat(c: Config) -> Seat:
    """Return from where the manager reaches its page.

    Raises
    ------
    CommandError
        Its VM reaches no port after reset.
    """
    if c.manager is ManagerKind.VM:
        found = [
            _seat(c, port, c.manager_vm, 0)
            for port in range(len(c.ports))
            if _reaches(c, port, c.manager_vm, 0) and c.ports[port].identity is not Identity.RESIDENT
        ]
        if not found:
            raise CommandError(f"manager of {c.name} must be one that reaches a port after reset, not {c.manager_vm}")
        return found[0]
    return _seat(c, c.manager_port if c.manager is ManagerKind.PORT else 0, 0, 0)


def run(config: str, *, wave: str | None = None, model: bool = False) -> int:
    """Run the demonstration.

    Parameters
    ----------
    config : str
        Preset or file.
    wave : str
        File for the waveform; beside it a signal list with the ending ``.gtkw``.
    model : bool
        Run on the functional model instead of the hardware.

    Raises
    ------
    ConfigError, CommandError
        There is no such configuration, nobody to demonstrate with, or a tool is missing.
    """
    c = load(config)
    seats = cast(c)
    if len(seats) < 2:
        raise CommandError(f"VMs that reach a port of {c.name} must be at least 2 to demonstrate, not {len(seats)}")
    block = Model(c) if model else hardware(c, "demo", wave)
    with nullcontext() if isinstance(block, Model) else block:
        try:
            _Show(c, seats, block).play()
        except PosternError as error:
            raise CommandError(f"demonstration must run to its end, not stop ({error})") from error
    if wave is not None:
        _finish_wave(c, Path(wave), seats)
    _ending(config, c, wave)
    return 0


def hardware(c: Config, command: str, wave: str | None = None) -> "Rtl":
    """Build a block in Verilator for a command, which records its waveform where one is asked for.

    Raises
    ------
    CommandError
        A tool is missing, or the waveform cannot be written.
    """
    if wave is not None:
        write(Path(wave), "")
    with needs("sim", f"run the hardware in a simulator; `postern {command} --model` needs nothing"):
        for package in ("amaranth", "verilator"):
            importlib.import_module(package)
        from postern_sim.build import BuildError
        from postern_sim.rtl import Rtl
    try:
        rtl = Rtl(c, trace=wave is not None)
    except BuildError as error:
        raise CommandError(str(error)) from None
    if wave is not None:
        rtl.trace(wave)
    return rtl


class _Show:
    """The play. One method per act."""

    def __init__(self, c: Config, seats: Sequence[Seat], block: "Model | Rtl"):
        self.c = c
        self.block = block
        self.rtl: Any = None if isinstance(block, Model) else block
        self.colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self.managed = c.manager is not ManagerKind.NONE
        # Two guests that behave, and one that does not. With only two VMs, the first of them has to play both.
        if len(seats) > 2:
            self.anna, self.ben, self.rogue = seats[:3]
        else:
            self.anna, self.ben, self.rogue = seats[1], seats[0], seats[0]
        self.seats = list(dict.fromkeys([self.anna, self.ben, self.rogue]))
        # What the rogue may send to, and what it may not: nobody may send to itself.
        self.open_to_rogue = self.anna if self.rogue is self.ben else self.ben
        self.closed_to_rogue = self.rogue if self.rogue is self.ben or not self.managed else self.anna
        self.manager: Manager | None = None
        self.tried = self.refused = 0

    def play(self) -> None:
        self._title()
        if self.managed:
            self._manager()
        boxes = {
            seat: Mailbox(self._bus(seat), seat.base, core=seat.core, sram=self._sram(seat)) for seat in self.seats
        }
        self._discovery(boxes)
        self._messages(boxes)
        self._doorbells(boxes)
        if self.c.blocks:
            self._blocks(boxes)
        self._rogue(boxes)
        if self.manager is not None:
            self._faults(self.manager)
        if self.rtl is not None:
            self._figures()

    # Ways in

    def _bus(self, seat: Seat, *, manager: bool = False) -> Bus:
        """Return the bus of a seat. Where the manager is whoever is secure, guests are not."""
        secure = manager or self.c.manager is not ManagerKind.SECURE
        if isinstance(self.block, Model):
            return ModelBus(self.block, seat.port, tag=seat.tag, secure=secure, core=seat.core)
        from postern_sim.rtl import RtlBus

        return RtlBus(self.block, seat.port, tag=seat.tag, secure=secure, core=seat.core)

    def _sram(self, seat: Seat) -> int | None:
        """Return where a seat sees the shared SRAM, if there is one."""
        return address_map(self.c, seat.port).sram(seat.vm) if self.c.blocks else None

    # Acts

    def _title(self) -> None:
        c = self.c
        kinds = " and ".join(sorted({str(port.bus) for port in c.ports}))
        where = "the functional model" if self.rtl is None else "the generated Verilog, in Verilator"
        self._say(f"{self._bold('Postern')}: {c.vms} virtual machines behind {counted(len(c.ports), f'{kinds} port')}")
        self._say(f"Runs on {where}. Every number below was measured in this run.")
        if self.rtl is not None:
            self._say("The first column is the clock cycle.")
        self._say("")
        for line in picture(c):
            self._say(line)
        self._say("")
        names = ["Anna", "Ben", "Rogue"] if self.rogue is not self.ben else ["Anna", "Ben, who turns rogue"]
        for name, seat in zip(names, self.seats, strict=True):
            identity = self.c.ports[seat.port].identity
            how = {
                Identity.SIDEBAND: f"known by the tag {seat.tag} that its requests carry",
                Identity.PAGE: f"known by its register page at 0x{seat.base:X}",
                Identity.RESIDENT: f"known because the manager says that it runs on core {seat.core}",
                Identity.STATIC: "known because the port is its own",
            }[identity]
            self._say(f"  VM {seat.vm}  {name:<21} port {seat.port}, {how}")

    def _manager(self) -> None:
        c = self.c
        self._act("The manager opens virtual machines and says who may talk to whom")
        seat = manager_seat(c)
        bus = self._bus(seat, manager=True)
        self.manager = manager = Manager(bus, c, address_map(c, seat.port).manager_base)
        manager.epoch = 1
        self._step("manager", f"is {manager_words(c)}")
        for guest in self.seats:
            if c.open_at_reset:
                self._step("manager", f"VM {guest.vm} is open from reset on, generation {manager.generation(guest.vm)}")
            else:
                self._step("manager", f"opens VM {guest.vm}: generation {manager.open(guest.vm)}")
            if c.ports[guest.port].identity is not Identity.STATIC:
                manager.resident(guest.core, guest.vm)
        if not c.open_at_reset:
            several = max(1, min(4, c.depth // 2))
            manager.connect(self.anna.vm, self.ben.vm, several)
            self._step(
                "manager", f"VM {self.anna.vm} and VM {self.ben.vm} may talk, {counted(several, 'message')} ahead"
            )
        if self.rogue is not self.ben:
            if c.open_at_reset:
                manager.permit(self.rogue.vm, self.anna.vm, False)
            else:
                few = max(1, min(2, c.depth // 4))
                manager.credits(self.rogue.vm, self.ben.vm, few)
                manager.permit(self.rogue.vm, self.ben.vm)
            limit = manager.limit(self.rogue.vm, self.ben.vm).limit
            self._step(
                "manager", f"VM {self.rogue.vm} may send to VM {self.ben.vm} only, {counted(limit, 'message')} ahead"
            )

        if c.blocks:
            share = min(4, c.blocks // len(self.seats))
            for guest in self.seats:
                manager.quota(guest.vm, share)
            self._step("manager", f"each may have {counted(share, 'block')} of {c.block_size} bytes")

    def _discovery(self, boxes: dict[Seat, Mailbox]) -> None:
        self._act("They find out who they are and whom they can reach")
        for seat, box in boxes.items():
            me = box.identity()
            peers = box.peers()
            found = (
                ", ".join(f"VM {peer.vm} (generation {peer.generation})" for peer in peers if peer.alive) or "nobody"
            )
            self._step(f"VM {seat.vm}", f"I am VM {me.vm}, generation {me.generation}. I can reach {found}.")
            for peer in peers:
                if peer.alive:
                    box.connect(peer.vm)

    def _messages(self, boxes: dict[Seat, Mailbox]) -> None:
        self._act("They talk")
        for sender, receiver, text in [
            (self.anna, self.ben, "Hello, who's there?"),
            (self.ben, self.anna, "Ben. And you?"),
        ]:
            words = self._pack(text)
            box, other = boxes[sender], boxes[receiver]
            self._step(f"VM {sender.vm}", f"sends {counted(len(words), 'word')}: {self._quote(words)}")
            box.send(receiver.vm, words)
            outcome = box.result()
            self._step("", f"result {outcome.code.name}, {outcome.accepted} accepted")
            box.acknowledge()
            self._show_message(receiver, other.receive(timeout=1e-3))

    def _doorbells(self, boxes: dict[Seat, Mailbox]) -> None:
        self._act("They ring")
        ringers = [seat for seat in self.seats if boxes[seat].peer(self.open_to_rogue.vm)]
        target = self.open_to_rogue
        for seat in [*ringers, ringers[-1]]:
            boxes[seat].ring(target.vm)
            self._step(f"VM {seat.vm}", f"rings VM {target.vm}")
        # A ring has no answer; a read of the ringer's own port comes back after it has taken effect.
        for seat in ringers:
            boxes[seat].identity()
        box = boxes[target]
        pending = box.pending()
        who = ", ".join(f"VM {vm}" for vm in range(self.c.vms) if pending >> vm & 1)
        self._step(f"VM {target.vm}", f"PENDING is 0b{pending:b}: {who} rang; two rings of one VM are one bit")
        box.clear_pending(pending)
        self._step(f"VM {target.vm}", f"cleared, PENDING is 0b{box.pending():b}")

    def _blocks(self, boxes: dict[Seat, Mailbox]) -> None:
        c, sender, receiver, rogue = self.c, self.anna, self.ben, self.rogue
        self._act("They hand over memory")
        mine, theirs = boxes[sender], boxes[receiver]
        names = {seat: f"VM {seat.vm}" for seat in self.seats}
        if not mine.quota().limit:
            self._step(names[sender], "may have no block: this configuration grants none")
            return
        while (block := mine.alloc()) is None:
            mine.wait(Source.BLOCK, timeout=1e-3)
        self._step(names[sender], f"allocates a block and gets number {block}")
        line = b"What is large goes through memory, and its owner changes with the message. "
        data = (line * (c.block_size // len(line) + 1))[: c.block_size]
        start = self._now()
        mine.write_sram(block, 0, data)
        self._step(names[sender], f"fills it: {len(data)} bytes")
        self._took(start)
        if rogue is not receiver:
            self._step(names[rogue], f"reads block {block}, which is not its own")
            try:
                seen = boxes[rogue].read_sram(block, 0, 16)
                answer = f"it sees {seen.hex(' ', 4)}"
            except BusError:  # where the block was built with read_error
                seen, answer = b"", "the read gets a bus error"
            self._refused(f"refused: {answer}", not any(seen))
        self._step(names[sender], f"moves the block to {names[receiver]}, in a message of {counted(1, 'word')}")
        mine.send_block(receiver.vm, [], block, Handover.MOVE)
        mine.result().check()
        mine.acknowledge()
        message = theirs.receive(timeout=1e-3)
        if message.loan is None or message.loan.block != block:
            raise CommandError(f"message must bring block {block}, not {message.loan}")
        self._step(names[receiver], f"receives block {block} from VM {message.sender}; nothing was copied")
        mine.write_sram(block, 0, b"too late")
        self._step(names[sender], "writes to the block that it gave away")
        start = self._now()
        seen = theirs.read_sram(block, 0, c.block_size)
        self._refused(f"refused: {names[receiver]} reads all {len(seen)} bytes as they were sent", seen == data)
        self._took(start)
        theirs.free(block)
        self._step(names[receiver], "frees the block; it is scrubbed before anybody gets it")
        if self.manager is not None:
            self._log(self.manager)

    def _now(self) -> int:
        return 0 if self.rtl is None else int(self.rtl.cycle)

    def _took(self, start: int) -> None:
        if self.rtl is not None:
            self._step("", f"that took {self._now() - start} cycles")

    def _rogue(self, boxes: dict[Seat, Mailbox]) -> None:
        c, rogue, target = self.c, self.rogue, self.open_to_rogue
        name = f"VM {rogue.vm}"
        box, bus, page = boxes[rogue], boxes[rogue].bus, guest_page(c)
        self._act(f"VM {rogue.vm} misbehaves")

        victim = next(seat for seat in self.seats if seat not in (rogue, target)) if len(self.seats) > 2 else target
        self._step(name, f"forges: writes VM {victim.vm} into SELF, the register that says who it is")
        bus.write32(rogue.base + page.SELF.at(), page.SELF.pack(VM=victim.vm))
        self._refused(f"ignored: SELF still says VM {box.identity().vm}", box.identity().vm == rogue.vm)
        words = self._pack(f"I am VM {victim.vm}!")
        box.send(target.vm, words)
        self._step(name, f"forges: sends {self._quote(words)} to VM {target.vm}")
        message = boxes[target].receive(timeout=1e-3)
        self._show_message(target, message)
        self._refused(f"exposed: the hardware names VM {message.sender} as sender", message.sender == rogue.vm)
        box.acknowledge()

        base = address_map(c, rogue.port).manager_base
        if base is None:
            self._step(name, "would reach for the manager page: this block has none")
        elif c.manager is ManagerKind.PAGE:
            self._step(name, "would reach for the manager page: stage 2 or PMP does not map it, as this block demands")
        elif c.manager is ManagerKind.PORT and rogue.port == c.manager_port:
            self._step(name, "sits behind the manager's port here: the manager page is open to it")
        else:
            control = manager_page(c).CONTROL
            self._step(name, "reaches for the manager page: closes VM " + str(victim.vm) + ", then reads its state")
            bus.write32(base + control.at(victim.vm), control.COMMAND.put(Command.CLOSE))
            try:
                seen = bus.read32(base + control.at(victim.vm))
                answer = f"it reads 0x{seen:X}"
            except BusError:  # where the block was built with read_error
                seen, answer = 0, "the read gets a bus error"
            assert self.manager is not None
            state = self.manager.state(victim.vm)
            unharmed = seen == 0 and state is State.OPEN
            self._refused(f"refused: {answer}; VM {victim.vm} is {state.name}", unharmed)

        self._step(name, f"sends to VM {self.closed_to_rogue.vm}, which it may not")
        box.send(self.closed_to_rogue.vm, self._pack("psst"))
        self._result(box)

        self._step(name, "commits a message of which it never wrote the beginning")
        bus.write32(rogue.base + page.COMMIT.at(0, Kind.PLAIN, 1, target.vm), 0)
        self._result(box)

        credit = box.credit(target.vm)
        tries = credit.limit + 3
        self._step(name, f"floods VM {target.vm}: {tries} messages at once, with credit for {credit.limit}")
        for number in range(tries):
            box.send(target.vm, [number])
        self._result(box)
        honest = next((seat for seat in self.seats if seat not in (rogue, target)), None)
        if honest is not None and boxes[honest].peer(target.vm):
            boxes[honest].send(target.vm, self._pack("still here"))
            outcome = boxes[honest].result()
            self._step(
                f"VM {honest.vm}", f"sends to VM {target.vm} meanwhile: {outcome.code.name}, its credits are its own"
            )
            boxes[honest].acknowledge()
        taken: list[Message] = []
        while (message_or_none := boxes[target].try_receive()) is not None:
            taken.append(message_or_none)
        each = {
            vm: sum(1 for message in taken if message.sender == vm) for vm in dict.fromkeys(m.sender for m in taken)
        }
        story = ", ".join(f"{counted(count, 'message')} of VM {vm}" for vm, count in each.items())
        self._step(f"VM {target.vm}", f"empties its queue: {story}")
        self._say("")
        self._say(f"  {self.tried} attempts, {self.refused} refused.")

    def _faults(self, manager: Manager) -> None:
        self._act("The manager reads the fault log")
        self._log(manager)

    def _log(self, manager: Manager) -> None:
        """Show the fault log, and clear it."""
        names = {False: "read", True: "write"}
        records = manager.faults()
        for record in records:
            whom = "a request without VM" if record.vm is None else f"VM {record.vm}"
            more = f", and {record.times - 1} more" if record.times > 1 else ""
            self._step(
                "manager",
                f"{whom}: {names[record.write]} of {self._register(record.port, record.address)} "
                f"through port {record.port}, {Fault(record.kind).name}{more}",
            )
            manager.clear_faults(record.vm)
        if not records:
            self._step("manager", "nothing")

    def _figures(self) -> None:
        """Measure a message at the wires. The queues of the simulation issue back to back, as a fast core would."""
        from postern_sim.rtl import Request

        c, rtl, sender, receiver = self.c, self.rtl, self.anna, self.ben
        self._act("What it takes, in clock cycles at the bus of the generated Verilog")
        page = guest_page(c)
        count = min(4, c.words)
        prot = 0b010 if c.manager is ManagerKind.SECURE else 0

        def go(seat: Seat, requests: list[Any]) -> list[Any]:
            rtl.forget()
            rtl.issue(seat.port, [request._replace(tag=seat.tag, prot=prot) for request in requests])
            rtl.run()
            return list(rtl.done(seat.port))

        enable = receiver.base + page.IRQ_ENABLE.at(receiver.core)
        go(receiver, [Request(enable, Source.MAIL, write=True)])
        message = [Request(sender.base + page.STAGE.at(0, word), word, write=True) for word in range(count - 1)]
        commit = sender.base + page.COMMIT.at(0, Kind.PLAIN, int(count > 1), receiver.vm)
        message.append(Request(commit, 0x600D, write=True))
        rtl.forget()
        rtl.issue(sender.port, [request._replace(tag=sender.tag, prot=prot) for request in message])
        raised = None
        for _ in range(200):
            rtl.step()
            if rtl.irq(receiver.core):
                raised = rtl.cycle - 1
                break
        rtl.run()
        sent = rtl.done(sender.port)
        takes = [Request(receiver.base + page.HEADER.at(0))]
        takes += [Request(receiver.base + page.WORD.at(word)) for word in range(count - 1)]
        takes.append(Request(receiver.base + page.POP.at(0)))
        received = go(receiver, takes)
        header = received[0].data
        if page.HEADER.SENDER.get(header) != sender.vm or received[-1].data != 0x600D:
            raise CommandError(f"message must arrive as it was sent, not with header 0x{header:X}")
        single = go(receiver, [Request(receiver.base + page.SELF.at())])[0]

        size = f"{4 * count} bytes"
        self._row(
            f"send {size}: {counted(len(sent), 'access')}, first accepted to last accepted",
            sent[-1].accepted - sent[0].accepted + 1,
        )
        if raised is not None:
            self._row("last write accepted to the receiver's interrupt", raised - sent[-1].accepted)
        self._row("a read, accepted to answered", single.answered - single.accepted)
        self._row(
            f"receive {size}: {counted(len(received), 'access')}, first accepted to last answered",
            received[-1].answered - received[0].accepted + 1,
        )
        self._row("the whole demonstration", rtl.cycle)

    # Words

    def _pack(self, text: str) -> list[int]:
        data = text.encode("ascii")[: 4 * self.c.words]
        data += b"\0" * (-len(data) % 4)
        return [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]

    def _quote(self, words: Sequence[int]) -> str:
        text = b"".join(word.to_bytes(4, "little") for word in words).rstrip(b"\0").decode("ascii", "replace")
        return f'"{text}"'

    def _show_message(self, seat: Seat, message: Message) -> None:
        self._step(
            f"VM {seat.vm}",
            f"receives {self._quote(message.words)} from VM {message.sender}, generation {message.generation}"
            " (sender put there by the hardware)",
        )

    def _register(self, port: int, address: int) -> str:
        """Return address and register, such as ``0x1190 (manager CONTROL)``."""
        for page, _, base, size in windows(self.c, port):
            if base <= address < base + size:
                if page == "sram":
                    return f"0x{address:X} (block {(address - base) // self.c.block_size})"
                described = guest_page(self.c) if page == "guest" else manager_page(self.c)
                found = described.decode(address - base)
                return f"0x{address:X} ({page} {found[0].name})" if found else f"0x{address:X} ({page})"
        return f"0x{address:X}"

    def _result(self, box: Mailbox) -> None:
        outcome = box.result()
        self._refused(f"{outcome.code.name}, {outcome.accepted} accepted before", outcome.code.name != "ACCEPTED")
        box.acknowledge()

    def _refused(self, text: str, held: bool) -> None:
        self.tried += 1
        if not held:
            raise CommandError(f"misbehaviour must be refused, not succeed ({text})")
        self.refused += 1
        self._step("", self._paint("31", text))

    def _act(self, title: str) -> None:
        self._say("")
        self._say(self._bold(title))

    def _step(self, who: str, text: str) -> None:
        at = "" if self.rtl is None else f"{self.rtl.cycle:>7} "
        self._say(f"{self._paint('2', at)} {self._paint('36', f'{who:<8}')} {text}")

    def _row(self, text: str, cycles: int) -> None:
        self._say(f"  {cycles:>7}  {text}")

    def _bold(self, text: str) -> str:
        return self._paint("1", text)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text

    def _say(self, text: str) -> None:
        print(text.rstrip(), flush=True)


def _finish_wave(c: Config, wave: Path, seats: Sequence[Seat]) -> None:
    write(wave.with_suffix(".gtkw"), signal_list(c, wave.name, [seat.port for seat in seats]))


def signal_list(c: Config, wave: str, ports: Sequence[int]) -> str:
    """Return a GTKWave save file: clock, reset and interrupts, then the pins of some ports, each under a title."""
    lines = [f'[dumpfile] "{wave}"', "[timestart] 0", "[signals_width] 200"]
    for port in [None, *dict.fromkeys(ports)]:
        if port is not None:
            lines += ["@200", f"-port {port}"]
        for pin in pins(c):
            if pin.port == port:
                hexadecimal = pin.width > 1
                lines.append("@22" if hexadecimal else "@28")
                lines.append(f"{c.name}.{pin.name}" + (f"[{pin.width - 1}:0]" if hexadecimal else ""))
    return "\n".join([*lines, ""])


def _ending(config: str, c: Config, wave: str | None) -> None:
    print()
    if wave is not None:
        print(f"The waveform is in {wave}; open it with: gtkwave {Path(wave).with_suffix('.gtkw')}")
    name = Path(config).stem
    folder = Path("build") / name
    if _is_block(folder, c):
        print(f"The block is in {folder}: {c.name}.v, {c.name}.h, registers.html and more.")
    # As it was typed. Found on the PATH, it comes as an absolute path; make has more on its PATH than who called it.
    command = "postern" if os.path.isabs(sys.argv[0]) and shutil.which("postern") else os.path.relpath(sys.argv[0])
    lines = [
        (f"{command} generate {config} -o {folder}", "write the block"),
        (f"{command} info {config}", "see its sizes and addresses"),
        (f"{command} config new mine.toml", "start a configuration of your own"),
        (f"{command} demo --wave build/demo.vcd", "record the waveform of this"),
    ]
    print("What to do next:")
    width = max(len(line) for line, _ in lines)
    for line, text in lines[int(_is_block(folder, c)) : 3 if wave is not None else 4]:
        print(f"  {line:<{width}}  {text}")


def _is_block(folder: Path, c: Config) -> bool:
    """Whether a folder holds this block, generated before."""
    try:
        made = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(made, dict) and made.get("configuration_sha256") == digest(c)
