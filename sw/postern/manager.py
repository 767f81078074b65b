"""The manager's side: what a hypervisor or boot firmware does with a block."""

from dataclasses import fields

from postern_spec.config import Config, Identity
from postern_spec.model import Page, Register
from postern_spec.regmap import (
    INJECTED_PER_PORT,
    INJECTED_PER_VM,
    Arbitration,
    Command,
    Damage,
    Fault,
    Injection,
    Lock,
    State,
    address_map,
    counts,
    injections,
    locks,
    manager_page,
)
from postern_spec.sizes import kill_cycles, open_steps

from .bus import Bus
from .driver import Quota
from .errors import CommandRefused, DeviceError
from .status import (
    Counters,
    FaultRecord,
    Flips,
    Holdings,
    Integrity,
    Limit,
    Pool,
    Rights,
    Setup,
    Status,
    Tag,
    VmSetup,
    VmStatus,
)

__all__ = ["Manager"]

_WORD = 0xFFFF_FFFF


class Manager:
    """The manager page. All of it can be read back, so a restarted manager adopts a running block.

    Parameters
    ----------
    bus : Bus
        The way to the registers.
    config : Config
        The block. The manager knows what it runs on; only guests probe.
    base : int or None
        Address of the manager page; by default where the first port has it.

    Raises
    ------
    ValueError
        The block has no manager page.
    DeviceError
        There is none at ``base``, or this is not the manager.
    """

    def __init__(self, bus: Bus, config: Config, base: int | None = None):
        page = manager_page(config)
        if not page.size:
            raise ValueError(f"manager must be one that has a page, not {config.manager}")
        self.bus = bus
        self.config = config
        self.page: Page = page
        found = address_map(config, 0).manager_base if base is None else base
        assert found is not None
        self.base = found
        self.drain_port()

    # VMs

    def open(self, vm: int) -> int:
        """Open a VM, and return its new generation. Peers must connect again.

        Raises
        ------
        CommandRefused
            It is not closed, or was killed and is not torn down yet; or 255 generations have passed while a message of
            the first still waits somewhere.
        """
        self._command(vm, Command.OPEN)
        return self._read(self.page.GENERATION, vm)

    def pause(self, vm: int) -> None:
        """Let nobody send to a VM: they see ``NO_CREDIT``.

        Raises
        ------
        CommandRefused
            It is not open.
        """
        self._command(vm, Command.PAUSE)

    def resume(self, vm: int) -> None:
        """End a pause.

        Raises
        ------
        CommandRefused
            It is not paused.
        """
        self._command(vm, Command.RESUME)

    def drain(self, vm: int) -> None:
        """Let a VM receive but not send, and nobody send to it: the way to an empty queue.

        Raises
        ------
        CommandRefused
            It is neither open nor paused.
        """
        self._command(vm, Command.DRAIN)

    def close(self, vm: int) -> None:
        """Close a VM.

        Raises
        ------
        CommandRefused
            It is closed, or it still has messages in its queue or blocks; the text says how many.
        """
        self._command(vm, Command.CLOSE)

    def kill(self, vm: int, *, wait: bool = True) -> None:
        """Kill a VM, whatever it is at. When the command has acted, it can do nothing more and reach nothing.

        Its messages are dropped, its blocks given up, its loans ended and their other sides told, in at most
        ``postern_spec.sizes.kill_cycles`` cycles after those of VMs that were killed before. Blocks that it paid for
        and others own become orphans. A write that still waits in a bridge comes for whoever has the VM-ID then: fence
        and ``drain_port`` on every port that the VM could use, before it is opened again.

        Parameters
        ----------
        vm : int
            VM-ID.
        wait : bool
            Return when it is torn down and can be opened again. Otherwise at once; see ``killing``.

        Raises
        ------
        CommandRefused
            It is closed, or was killed already.
        DeviceError
            It is not torn down in the time that this can take.
        """
        self._command(vm, Command.KILL)
        if not wait:
            return
        # An access takes a cycle at least, an opening that goes before takes no more steps than a row for each VM.
        c = self.config
        patience = c.vms * (kill_cycles(c) + open_steps(c) * (3 * len(c.ports) + 3))
        for _ in range(patience):
            if not self.killing(vm):
                return
        raise DeviceError(f"VM {vm} must be torn down within {patience} accesses, not still be")

    def killing(self, vm: int) -> bool:
        """Return whether a VM was killed and is not torn down yet."""
        return bool(self.page.CONTROL.KILLING.get(self._read(self.page.CONTROL, vm)))

    def state(self, vm: int) -> State:
        """Return the state of a VM."""
        return State(self.page.CONTROL.STATE.get(self._read(self.page.CONTROL, vm)))

    def queued(self, vm: int) -> int:
        """Return how many messages are in the queue of a VM."""
        return self.page.CONTROL.QUEUED.get(self._read(self.page.CONTROL, vm))

    def generation(self, vm: int) -> int:
        """Return the generation of a VM; 0 if it was never opened."""
        return self._read(self.page.GENERATION, vm)

    def _command(self, vm: int, command: Command) -> None:
        register = self.page.CONTROL
        self._write(register, register.COMMAND.put(command), vm)
        word = self._read(register, vm)
        if not register.REFUSED.get(word):
            return
        state, queued = State(register.STATE.get(word)), register.QUEUED.get(word)
        allowed = {
            Command.OPEN: (State.CLOSED,),
            Command.PAUSE: (State.OPEN,),
            Command.RESUME: (State.PAUSED,),
            Command.DRAIN: (State.OPEN, State.PAUSED),
            Command.CLOSE: (State.OPEN, State.PAUSED, State.DRAINING),
            Command.KILL: (State.OPEN, State.PAUSED, State.DRAINING),
        }[command]
        name = command.name.lower()
        if state not in allowed:
            wanted = " or ".join(item.name.lower() for item in allowed)
            raise CommandRefused(f"VM {vm} must be {wanted} to {name}, not {state.name.lower()}")
        if register.KILLING.get(word):
            raise CommandRefused(f"VM {vm} must be torn down to {name}, not be killed a moment ago")
        if command is Command.CLOSE:
            left = self.holdings(vm) if self.config.blocks else Holdings(0, 0)
            messages = f"{queued} message{'s' * (queued > 1)}"
            if queued and not any(left):
                raise CommandRefused(f"queue of VM {vm} must be empty to close, not hold {messages}")
            still = [messages] * (queued > 0)
            still += [f"{left.owned} block{'s' * (left.owned > 1)} of its own"] * (left.owned > 0)
            still += [f"{left.borrowed} borrowed block{'s' * (left.borrowed > 1)}"] * (left.borrowed > 0)
            held = ", ".join(still) or "what it has given up since"
            raise CommandRefused(f"VM {vm} must hold nothing to close, not {held}")
        raise CommandRefused(f"queues must hold no message of VM {vm} to {name} it in generation 1, not still some")

    # Who may talk to whom

    def permit(self, sender: int, receiver: int, allowed: bool = True) -> None:
        """Say whether ``sender`` may send to ``receiver`` and ring it. Withdrawal acts on the next commit.

        Raises
        ------
        CommandRefused
            Permissions are locked.
        """
        self._check_vm(sender)
        half, bit = divmod(sender, 32)
        old = self._read(self.page.PERMIT, receiver, half)
        new = old | 1 << bit if allowed else old & ~(1 << bit)
        self._write(self.page.PERMIT, new, receiver, half)
        if self._read(self.page.PERMIT, receiver, half) != new:
            self._check_unlocked(Lock.PERMISSIONS, "permissions")

    def permitted(self, receiver: int) -> int:
        """Return who may send to a VM, one bit per VM."""
        return self._read_mask(self.page.PERMIT, receiver)

    def credits(self, sender: int, receiver: int, count: int) -> None:
        """Let up to ``count`` messages of ``sender`` wait at ``receiver``.

        Raises
        ------
        CommandRefused
            Fewer than wait there now, or more than the queue has room for beside what others were granted; or credits
            are locked.
        """
        register = self.page.CREDITS
        self._write(register, register.LIMIT.put(count), receiver, sender)
        limit, used = self.limit(sender, receiver)
        if limit != count:
            self._check_unlocked(Lock.CREDITS, "credits")
            depth = self.config.depth
            raise CommandRefused(
                f"credits of VM {sender} at VM {receiver} must be at least the {used} in use, "
                f"and with those of others at most {depth}, not {count}"
            )

    def limit(self, sender: int, receiver: int) -> Limit:
        """Return the credits of ``sender`` at ``receiver``."""
        register = self.page.CREDITS
        word = self._read(register, receiver, sender)
        return Limit(register.LIMIT.get(word), register.USED.get(word))

    def connect(self, a: int, b: int, credits: int) -> None:
        """Let two VMs send to each other, each with so many credits. Raises what ``credits`` raises."""
        for sender, receiver in ((a, b), (b, a)):
            self.credits(sender, receiver, credits)
            self.permit(sender, receiver)

    # Blocks

    def quota(self, vm: int, count: int) -> None:
        """Let a VM have up to ``count`` blocks allocated.

        Raises
        ------
        CommandRefused
            Fewer than it has allocated now, or more than there are beside what others were granted, or in its pool
            where the block is strict; or quotas are locked.
        ValueError
            There is no SRAM.
        """
        self._check_blocks()
        register = self.page.QUOTA
        self._write(register, register.LIMIT.put(count), vm)
        used, limit = self.charged(vm)
        if limit != count:
            self._check_unlocked(Lock.QUOTAS, "quotas")
            c = self.config
            most = f"at most the {c.own_blocks} of its pool" if c.strict else f"with those of others at most {c.blocks}"
            raise CommandRefused(f"quota of VM {vm} must be at least the {used} in use, and {most}, not {count}")

    def charged(self, vm: int) -> Quota:
        """Return the blocks that a VM pays for, wherever they are, and the most it may have allocated."""
        self._check_blocks()
        register = self.page.QUOTA
        word = self._read(register, vm)
        return Quota(register.USED.get(word), register.LIMIT.get(word))

    def holdings(self, vm: int) -> Holdings:
        """Return how many blocks a VM owns, and how many are lent or shown to it."""
        self._check_blocks()
        register = self.page.HOLDINGS
        word = self._read(register, vm)
        return Holdings(register.OWNED.get(word), register.BORROWED.get(word))

    def pool(self) -> Pool:
        """Return how many blocks have no owner, clean and dirty."""
        self._check_blocks()
        register = self.page.POOL
        word = self._read(register)
        return Pool(register.CLEAN.get(word), register.DIRTY.get(word))

    def rights(self, block: int) -> Rights:
        """Return who has a block."""
        self._check_blocks()
        register = self.page.RIGHTS
        word = self._read(register, block)
        if not register.OWNED.get(word):
            return Rights(None)
        return Rights(
            register.OWNER.get(word),
            None if register.ORPHAN.get(word) else register.PAYER.get(word),
            register.BORROWER.get(word) if register.LENT.get(word) else None,
            bool(register.SHOWN.get(word)),
        )

    def orphans(self) -> list[int]:
        """Return the blocks that somebody owns and nobody pays for, because the payer was killed.

        Each takes one of the blocks that could be granted as quota. It ends when its owner frees it or is killed, or by
        ``reclaim``.
        """
        self._check_blocks()
        if not self._read(self.page.ORPHANS):
            return []
        return [block for block in range(self.config.blocks) if self.rights(block).orphan]

    def reclaim(self, block: int) -> None:
        """Take an orphan from its owner, who reads zero from now on and has ``LOAN`` raised, as has a borrower.

        Raises
        ------
        CommandRefused
            The block is no orphan.
        """
        before = self.rights(block)
        if before.orphan:
            self._write(self.page.RECLAIM, block)
            if self.rights(block) != before:
                return
        what = "nobody's" if before.owner is None else f"one of VM {before.owner} that VM {before.payer} pays for"
        raise CommandRefused(f"block {block} must be an orphan to be reclaimed, not {what}")

    # Scheduling

    def drain_port(self) -> None:
        """Return when every write that this port accepted before has taken effect.

        Raises
        ------
        DeviceError
            There is no manager page, or this is not the manager.
        """
        word = self._read(self.page.DRAIN)
        if word != 1:
            raise DeviceError(f"DRAIN must read as 1 for the manager, not {word:#x}")

    def tear(self, vm: int, port: int) -> None:
        """Empty the lanes of a VM at a port: what a vCPU has left half written there when it leaves."""
        self._check_vm(vm)
        if not 0 <= port < len(self.config.ports):
            raise ValueError(f"port must be from 0 to {len(self.config.ports) - 1}, not {port}")
        register = self.page.TEAR
        self._write(register, register.pack(VM=vm, PORT=port))

    def resident(self, core: int, vm: int | None) -> None:
        """Say who runs on a core; ``None``: nobody.

        Raises
        ------
        CommandRefused
            Residency is locked.
        ValueError
            No such core or VM, or the core is behind a ``static`` port.
        """
        register = self.page.RESIDENT
        c = self.config
        if vm is not None:
            self._check_vm(vm)
        for index, port in enumerate(c.ports):
            if port.identity is Identity.STATIC and c.core_base(index) <= core < c.core_base(index) + port.cores:
                raise ValueError(f"core must not be behind a static port to change who runs there, not {core}")
        word = 0 if vm is None else register.pack(VM=vm, VALID=1)
        self._write(register, word, core)
        if self._read(register, core) != word:
            self._check_unlocked(Lock.RESIDENCY, "residency")

    def who(self, core: int) -> int | None:
        """Return who runs on a core."""
        register = self.page.RESIDENT
        word = self._read(register, core)
        return register.VM.get(word) if register.VALID.get(word) else None

    def schedule(self, core: int, old: int | None, new: int | None, port: int) -> None:
        """Switch a core from a vCPU of one VM to that of another.

        The caller has stopped the old vCPU, let its accesses finish (a barrier on that core), and reaches the
        manager page through the same port. Then: ``DRAIN``, so that all that the old vCPU wrote has taken effect;
        ``TEAR``, so that nothing half written stays; ``RESIDENT``; and a watch on the old VM, so that whatever is
        pending or comes for it while it is nowhere resident raises the manager's interrupt. The watch on the new VM
        ends.

        Parameters
        ----------
        core : int
            The core.
        old, new : int or None
            VM that leaves, VM that comes.
        port : int
            Port behind which the core is.
        """
        self.drain_port()
        if old is not None:
            self.tear(old, port)
        self.resident(core, new)
        if new is not None:
            self.disarm(1 << new)
        if old is not None and old != new:
            self.arm(1 << old)

    # Waiting: all masks have one bit per VM

    def waiting(self) -> int:
        """Return the VMs that have something pending and enabled and are nowhere resident."""
        return self._read_mask(self.page.WAITING)

    def arm(self, mask: int) -> None:
        """Watch VMs: the first moment in which one is waiting, now or later, makes it ``fired`` and ends the watch."""
        self._write_mask(self.page.WAIT_ARM, mask)

    def disarm(self, mask: int) -> None:
        """End the watch on VMs."""
        self._write_mask(self.page.WAIT_DISARM, mask)

    def armed(self) -> int:
        """Return the VMs that are watched."""
        return self._read_mask(self.page.WAIT_ARM)

    def fired(self) -> int:
        """Return the VMs whose watch fired. Any raises the manager's interrupt."""
        return self._read_mask(self.page.WAIT_FIRED)

    def acknowledge(self, mask: int) -> None:
        """Take note of fired watches."""
        self._write_mask(self.page.WAIT_FIRED, mask)

    # Tags

    def tag(self, entry: int, match: int, mask: int, vm: int | None) -> None:
        """Map the tags that have the bits ``match`` where ``mask`` has ones to a VM; the lowest entry that matches
        counts.

        The entry is out of use while it changes.

        Raises
        ------
        CommandRefused
            The tag table is locked.
        """
        page = self.page
        if "TAG_VM" not in page:
            raise ValueError("block must have a sideband port to map tags, not none")
        if vm is not None:
            self._check_vm(vm)
        self._check_unlocked(Lock.TAGS, "tag table")
        self._write(page.TAG_VM, 0, entry)
        self._write(page.TAG_MATCH, page.TAG_MATCH.VALUE.put(match), entry)
        self._write(page.TAG_MASK, page.TAG_MASK.VALUE.put(mask), entry)
        if vm is not None:
            self._write(page.TAG_VM, page.TAG_VM.pack(VM=vm, VALID=1), entry)

    def tags(self) -> list[Tag]:
        """Return the tag table; empty where there is none."""
        page, table = self.page, []
        for entry in range(self.config.tags):
            word = self._read(page.TAG_VM, entry)
            vm = page.TAG_VM.VM.get(word) if page.TAG_VM.VALID.get(word) else None
            table.append(Tag(self._read(page.TAG_MATCH, entry), self._read(page.TAG_MASK, entry), vm))
        return table

    # Locks

    def lock(self, *which: Lock) -> None:
        """Let nobody change this part of the configuration until the block is reset.

        Raises
        ------
        ValueError
            The block has no such configuration.
        """
        there = locks(self.config)
        for lock in which:
            if lock not in there:
                names = ", ".join(item.name for item in there)
                raise ValueError(f"lock must be one of {names}, not {Lock(lock).name}")
        self._write(self.page.LOCK, sum(1 << lock for lock in set(which)))

    def locked(self) -> tuple[Lock, ...]:
        """Return what is locked."""
        word = self._read(self.page.LOCK)
        return tuple(lock for lock in locks(self.config) if word >> lock & 1)

    def _check_unlocked(self, lock: Lock, what: str) -> None:
        if lock in self.locked():
            raise CommandRefused(f"{what} must be unlocked to change, not locked until reset")

    # Faults

    def faults(self) -> list[FaultRecord]:
        """Return what was refused, VM by VM, writes before reads, requests without a VM-ID last."""
        found = []
        pending = self._read_mask(self.page.FAULT_PENDING)
        stray = self.page.STRAY.PENDING.get(self._read(self.page.STRAY))
        for index in range(self.config.vms + 1):
            vm = index if index < self.config.vms else None
            if stray if vm is None else pending >> index & 1:
                found += [record for write in (True, False) if (record := self._record(vm, index, write))]
        return found

    def _record(self, vm: int | None, index: int, write: bool) -> FaultRecord | None:
        page = self.page
        info, address = (
            (page.FAULT_WRITE, page.FAULT_WRITE_ADDRESS) if write else (page.FAULT_READ, page.FAULT_READ_ADDRESS)
        )
        word = self._read(info, index)
        if not word:
            return None
        return FaultRecord(
            vm,
            write,
            Fault(info.KIND.get(word)),
            info.PORT.get(word),
            self._read(address, index),
            info.COUNT.get(word),
        )

    def clear_faults(self, vm: int | None) -> None:
        """Clear both records of a VM, or with ``None`` those of requests without a VM-ID, and arm them again."""
        if vm is not None:
            self._check_vm(vm)
            self._write_mask(self.page.FAULT_PENDING, 1 << vm)
        else:
            register = self.page.STRAY
            enabled = register.ENABLE.get(self._read(register))
            self._write(register, register.pack(PENDING=1, ENABLE=enabled))

    def fault_interrupts(self, mask: int, stray: bool = False) -> None:
        """Let faults of just these VMs, and of requests without a VM-ID, raise the manager's interrupt."""
        self._check_mask(mask)
        for half in range(self._halves):
            self._write(self.page.FAULT_ENABLE, mask >> 32 * half & _WORD, half)
        self._write(self.page.STRAY, self.page.STRAY.pack(ENABLE=stray))

    # Counters

    def counters(self, vm: int) -> Counters:
        """Return what was counted of a VM since it was opened or ``clear_counters``. A closed VM keeps its figures.

        Raises
        ------
        ValueError
            The block has no counters.
        """
        self._check_counters()
        there = [item.name for item in counts(self.config)]
        return Counters(
            **{
                item.name: self._read(getattr(self.page, f"COUNT_{item.name.upper()}"), vm)
                for item in fields(Counters)
                if item.name.upper() in there
            }
        )

    def clear_counters(self, mask: int) -> None:
        """Set all counters and peaks of VMs to zero, one bit per VM. Raises what ``counters`` raises."""
        self._check_counters()
        self._write_mask(self.page.COUNT_CLEAR, mask)

    # Arbitration

    @property
    def arbitration(self) -> Arbitration:
        """How ports that want the same thing take turns. ``STRICT`` after reset.

        Raises
        ------
        CommandRefused
            When it is set: it is locked.
        ValueError
            The block is not strict: there is no choice.
        """
        self._check_strict()
        return Arbitration(self.page.ARBITRATION.MODE.get(self._read(self.page.ARBITRATION)))

    @arbitration.setter
    def arbitration(self, mode: Arbitration) -> None:
        self._check_strict()
        self._write(self.page.ARBITRATION, Arbitration(mode))
        if self.arbitration is not mode:
            self._check_unlocked(Lock.ARBITRATION, "arbitration")

    # Flipped bits

    def integrity(self) -> Integrity:
        """Return what was found of flipped bits. Two reads, three where there is an SRAM; they change nothing.

        Raises
        ------
        ValueError
            The block was built without ``protection``.
        """
        self._check_protection()
        register, flips = self.page.INTEGRITY, self.page.INTEGRITY_POOL
        word = self._read(register)
        pool, sram = self._read(flips), self._read(self.page.INTEGRITY_SRAM) if self.config.blocks else None
        return Integrity(
            bool(register.FATAL.get(word)),
            Damage(register.KIND.get(word)),
            bool(register.ENABLE.get(word)),
            Flips(flips.CORRECTED.get(pool), flips.LOST.get(pool)),
            None if sram is None else Flips(flips.CORRECTED.get(sram), flips.LOST.get(sram)),
        )

    @property
    def damaged(self) -> bool:
        """Whether the block is closed by damage, or a word was lost: one read, of a register of the fault log.

        Raises
        ------
        ValueError
            The block was built without ``protection``.
        """
        self._check_protection()
        return bool(self.page.STRAY.DAMAGED.get(self._read(self.page.STRAY)))

    def alarm(self, on: bool) -> None:
        """Choose whether a closed block, or a lost word, raises the manager's interrupt: until reset.

        Raises
        ------
        ValueError
            The block was built without ``protection``.
        """
        self._check_protection()
        self._write(self.page.INTEGRITY, self.page.INTEGRITY.pack(ENABLE=int(on)))

    def inject(self, kind: Injection, index: int = 0) -> None:
        """Flip bits once, so that it is seen that the check of them finds them.

        One or two bits of a word are flipped at the next read that gives a port a word of this memory; of messages, at
        the next read of ``WORD``. Any other kind acts at once and closes the block until reset: for tests of a block
        that nobody needs. ``lock(Lock.INJECTION)`` ends it.

        Parameters
        ----------
        kind : Injection
            What to flip. ``NONE`` takes back what still waits for a read.
        index : int
            At which port, or of which VM, for a kind of which each has one.

        Raises
        ------
        ValueError
            The block was built without ``protection``, or has nothing of that kind, or no such port or VM.
        CommandRefused
            Injections are locked.
        """
        self._check_protection()
        kind = Injection(kind)
        kinds = (Injection.NONE, *injections(self.config))
        if kind not in kinds:
            raise ValueError(f"injection must be one of {', '.join(item.name for item in kinds)}, not {kind.name}")
        if kind in INJECTED_PER_PORT and not 0 <= index < len(self.config.ports):
            raise ValueError(f"port must be from 0 to {len(self.config.ports) - 1}, not {index}")
        if kind in INJECTED_PER_VM:
            self._check_vm(index)
        self._check_unlocked(Lock.INJECTION, "injections")
        self._write(self.page.INJECT, self.page.INJECT.pack(KIND=kind, INDEX=index))

    def injection(self) -> tuple[Injection, int] | None:
        """Return which flip of a word still waits for a read, and at which port; ``None``: none does.

        Raises
        ------
        ValueError
            The block was built without ``protection``.
        """
        self._check_protection()
        word = self._read(self.page.INJECT)
        return (Injection(self.page.INJECT.KIND.get(word)), self.page.INJECT.INDEX.get(word)) if word else None

    # All of it

    @property
    def epoch(self) -> int:
        """Boot epoch that guests read."""
        return self._read(self.page.EPOCH)

    @epoch.setter
    def epoch(self, value: int) -> None:
        self._write(self.page.EPOCH, value)

    def status(self) -> Status:
        """Return all that can be seen. ``str`` of it is a table."""
        c, page = self.config, self.page
        vms = range(c.vms)
        cores = [self.who(core) for core in range(c.cores)]
        waiting, armed, fired, faults = self.waiting(), self.armed(), self.fired(), self.faults()
        seen = []
        for vm in vms:
            word = self._read(page.CONTROL, vm)
            permitted = self.permitted(vm)
            seen.append(
                VmStatus(
                    vm,
                    State(page.CONTROL.STATE.get(word)),
                    self.generation(vm),
                    page.CONTROL.QUEUED.get(word),
                    tuple(sender for sender in vms if permitted >> sender & 1),
                    tuple(self.limit(sender, vm) for sender in vms),
                    tuple(core for core, who in enumerate(cores) if who == vm),
                    bool(waiting >> vm & 1),
                    bool(armed >> vm & 1),
                    bool(fired >> vm & 1),
                    sum(record.times for record in faults if record.vm == vm),
                    self.charged(vm) if c.blocks else None,
                    self.holdings(vm) if c.blocks else None,
                    self.counters(vm) if c.counters else None,
                    bool(page.CONTROL.KILLING.get(word)),
                )
            )
        pool = self.pool() if c.blocks else None
        orphans = self._read(page.ORPHANS) if c.blocks else 0
        turns = self.arbitration if c.strict else None
        return Status(self.epoch, tuple(seen), tuple(faults), c.depth, self.locked(), pool, orphans, turns)

    def adopt(self) -> Setup:
        """Return all that was configured since the block was reset, by whichever manager.

        The block forgets nothing of it, and a ``Manager`` remembers nothing. So a hypervisor that starts anew beside
        guests that run on reads here where its predecessor was, and goes on from there. Reading changes nothing, but
        takes a few accesses per VM and core, and one per pair of VMs. The guests may go on meanwhile; commands,
        configuration and scheduling must come from one manager only.
        """
        c, page = self.config, self.page
        vms = tuple(
            VmSetup(
                self.state(vm),
                self.generation(vm),
                self.permitted(vm),
                tuple(self.limit(sender, vm).limit for sender in range(c.vms)),
                self.charged(vm).limit if c.blocks else 0,
            )
            for vm in range(c.vms)
        )
        return Setup(
            self.epoch,
            vms,
            tuple(self.who(core) for core in range(c.cores)),
            self.armed(),
            self.fired(),
            self._read_mask(page.FAULT_ENABLE),
            bool(page.STRAY.ENABLE.get(self._read(page.STRAY))),
            tuple(self.tags()),
            self.locked(),
            self.arbitration if c.strict else None,
        )

    # Registers

    @property
    def _halves(self) -> int:
        return (self.config.vms + 31) // 32

    def _at(self, register: Register, indices: tuple[int, ...]) -> int:
        try:
            return self.base + register.at(*indices)
        except IndexError as error:
            raise ValueError(str(error)) from None

    def _read(self, register: Register, *indices: int) -> int:
        return self.bus.read32(self._at(register, indices))

    def _write(self, register: Register, value: int, *indices: int) -> None:
        self.bus.write32(self._at(register, indices), value)

    def _read_mask(self, register: Register, *indices: int) -> int:
        return sum(self._read(register, *indices, half) << 32 * half for half in range(self._halves))

    def _write_mask(self, register: Register, mask: int) -> None:
        self._check_mask(mask)
        for half in range(self._halves):
            if part := mask >> 32 * half & _WORD:
                self._write(register, part, half)

    def _check_blocks(self) -> None:
        if not self.config.blocks:
            raise ValueError("block must be built with an SRAM to have blocks of it, not without")

    def _check_protection(self) -> None:
        if not self.config.protection:
            raise ValueError("block must be built with protection to look for flipped bits, not without")

    def _check_strict(self) -> None:
        if not self.config.strict:
            raise ValueError("strict must be true to choose the arbitration, not False")

    def _check_counters(self) -> None:
        if not self.config.counters:
            raise ValueError("block must be built with counters to have figures of a VM, not without")

    def _check_vm(self, vm: int) -> None:
        if not 0 <= vm < self.config.vms:
            raise ValueError(f"VM must be from 0 to {self.config.vms - 1}, not {vm}")

    def _check_mask(self, mask: int) -> None:
        if not 0 <= mask < 1 << self.config.vms:
            raise ValueError(f"mask must have no bit beyond VM {self.config.vms - 1}, not {mask:#x}")
