"""What the manager sees of a block, as data and as a table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from postern_spec.regmap import Arbitration, Damage, Fault, Lock, State

from .driver import Quota

__all__ = [
    "Counters",
    "FaultRecord",
    "Holdings",
    "Limit",
    "Pool",
    "Rights",
    "Setup",
    "Status",
    "Tag",
    "VmSetup",
    "VmStatus",
]


class FaultRecord(NamedTuple):
    """The first refused access of a VM in one direction since its records were cleared.

    Parameters
    ----------
    vm : int or None
        Whose; ``None``: requests without a VM-ID.
    write : bool
        Direction.
    kind : Fault
        Why it was refused.
    port : int
        Port that carried it.
    address : int
        Byte address at that port.
    times : int
        Refused accesses in all, up to 65535.
    """

    vm: int | None
    write: bool
    kind: Fault
    port: int
    address: int
    times: int

    def __str__(self) -> str:
        whom = "no VM" if self.vm is None else f"VM {self.vm}"
        way = "write" if self.write else "read"
        return f"fault of {whom}: {way} of {self.address:#x} at port {self.port}, {self.kind.name}, x{self.times}"


class Limit(NamedTuple):
    """Credits of a sender at a receiver: granted, and in use by messages that wait."""

    limit: int
    used: int


class Holdings(NamedTuple):
    """Blocks of a VM: those that it owns, and those that are lent or shown to it."""

    owned: int
    borrowed: int


class Rights(NamedTuple):
    """Who has a block.

    Parameters
    ----------
    owner : int or None
        Whose it is; ``None``: nobody's, and then the rest is ``None``, too.
    payer : int or None
        Against whose quota it counts; ``None``: against nobody's.
    borrower : int or None
        To whom it is lent or shown.
    shown : bool
        It is shown.
    """

    owner: int | None
    payer: int | None = None
    borrower: int | None = None
    shown: bool = False

    @property
    def orphan(self) -> bool:
        """Whether somebody owns it and nobody pays for it, because the payer was killed."""
        return self.owner is not None and self.payer is None


class Pool(NamedTuple):
    """Blocks without an owner: ready to be allocated, and still to be scrubbed."""

    clean: int
    dirty: int


class Flips(NamedTuple):
    """Cycles in which words with one flipped bit were read and corrected, and with more and read as zero: to 65535."""

    corrected: int
    lost: int


class Integrity(NamedTuple):
    """What was found of flipped bits since reset.

    Parameters
    ----------
    fatal : bool
        Some were in what decides who may do what: no guest reaches anything until reset.
    damage : Damage
        Where they were found first.
    alarm : bool
        This, or a lost word, raises the manager's interrupt.
    pool, sram : Flips, Flips or None
        In words of messages, and of the SRAM if there is one.
    """

    fatal: bool
    damage: Damage
    alarm: bool
    pool: Flips
    sram: Flips | None


class Tag(NamedTuple):
    """An entry of the tag table. ``vm`` is ``None`` where it is not used."""

    match: int
    mask: int
    vm: int | None


@dataclass(frozen=True)
class Counters:
    """What was counted of a VM since it was opened or its counters were cleared. Counters have 32 bits and wrap.

    Parameters
    ----------
    sent : int
        Messages of the VM that were accepted.
    received : int
        Messages that were accepted into its queue.
    no_credit, denied, peer_gone, torn, bad_block : int
        Commits that were refused, by outcome. Without blocks ``bad_block`` is 0.
    ignored : int
        Commits by a lane that waited for a refusal to be acknowledged.
    doorbells : int
        Doorbells that it rang.
    waited : int
        Cycles in which a request of the VM waited for somebody else's.
    queue_peak, blocks_peak : int
        The most messages in its queue, the most blocks allocated. Without blocks the latter is 0.
    """

    sent: int = 0
    received: int = 0
    no_credit: int = 0
    denied: int = 0
    peer_gone: int = 0
    torn: int = 0
    bad_block: int = 0
    ignored: int = 0
    doorbells: int = 0
    waited: int = 0
    queue_peak: int = 0
    blocks_peak: int = 0

    @property
    def refused(self) -> int:
        """Commits that were refused, whatever the outcome."""
        return self.no_credit + self.denied + self.peer_gone + self.torn + self.bad_block

    def since(self, earlier: "Counters") -> "Counters":
        """Return what came since an earlier reading, across a wrap; peaks as they are now."""
        return Counters(
            **{
                item.name: getattr(self, item.name)
                if item.name.endswith("peak")
                else (getattr(self, item.name) - getattr(earlier, item.name)) % (1 << 32)
                for item in fields(self)
            }
        )


@dataclass(frozen=True)
class VmStatus:
    """What the manager sees of a VM.

    Parameters
    ----------
    vm : int
        VM-ID.
    state : State
    generation : int
    queued : int
        Messages in its queue.
    senders : tuple of int
        Who may send to it.
    limits : tuple of Limit
        Credits at it, of each sender.
    cores : tuple of int
        Where it is resident.
    waiting : bool
        It has something pending and enabled, and is nowhere resident.
    armed, fired : bool
        ``waiting`` is watched; the watch fired and nobody took note yet.
    faults : int
        Refused accesses in the log.
    quota : Quota or None
        Blocks that it pays for, and may; ``None`` where there is no SRAM.
    holdings : Holdings or None
        Blocks that it has; ``None`` where there is no SRAM.
    counters : Counters or None
        ``None`` where there are none.
    killing : bool
        It was killed and is not torn down yet.
    """

    vm: int
    state: State
    generation: int
    queued: int
    senders: tuple[int, ...]
    limits: tuple[Limit, ...]
    cores: tuple[int, ...]
    waiting: bool
    armed: bool = False
    fired: bool = False
    faults: int = 0
    quota: Quota | None = None
    holdings: Holdings | None = None
    counters: Counters | None = None
    killing: bool = False

    @property
    def watch(self) -> str:
        """What is to be said of its waiting, in a word or two."""
        words = ["yes"] * self.waiting + ["armed"] * self.armed + ["fired"] * self.fired
        return ", ".join(words) or "-"


@dataclass(frozen=True)
class Status:
    """All that the manager sees. As text it is a table, and where there are counters a second one.

    Parameters
    ----------
    epoch : int
        Boot epoch.
    vms : tuple of VmStatus
        By VM-ID.
    faults : tuple of FaultRecord
        The fault log.
    depth : int
        Messages that a queue holds.
    locked : tuple of Lock
        What cannot be changed until reset.
    pool : Pool or None
        ``None`` where there is no SRAM.
    orphans : int
        Blocks that have an owner and nobody who pays for them.
    arbitration : Arbitration or None
        How ports take turns; ``None`` where the block is not strict and there is no choice.
    """

    epoch: int
    vms: tuple[VmStatus, ...]
    faults: tuple[FaultRecord, ...]
    depth: int
    locked: tuple[Lock, ...] = ()
    pool: Pool | None = None
    orphans: int = 0
    arbitration: Arbitration | None = None

    def __str__(self) -> str:
        lines = self._table()
        if any(it.counters for it in self.vms):
            lines += ["", *self._counted()]
        if self.pool:
            lines.append(f"blocks without an owner: {self.pool.clean} clean, {self.pool.dirty} dirty")
        if self.orphans:
            lines.append(f"blocks whose payer was killed: {self.orphans}")
        if self.arbitration is not None:
            lines.append(f"arbitration: {'by turns' if self.arbitration is Arbitration.STRICT else 'round robin'}")
        if self.locked:
            lines.append(f"locked until reset: {', '.join(lock.name.lower() for lock in self.locked)}")
        return "\n".join([*lines, *map(str, self.faults)])

    def _table(self) -> list[str]:
        blocks = ("blocks (used/quota)", "owned", "borrowed") if self.pool else ()
        last = "may be sent to by (used/credits)"
        heads = ("VM", "state", "generation", "queue", "cores", "waiting", "faults", *blocks, last)
        rows = [
            (
                it.vm,
                "killed" if it.killing else it.state.name.lower(),
                it.generation,
                f"{it.queued}/{self.depth}",
                " ".join(map(str, it.cores)) or "-",
                it.watch,
                it.faults or "-",
                *((f"{it.quota.used}/{it.quota.limit}",) if it.quota else ()),
                *(it.holdings or ()),
                " ".join(f"{s} ({it.limits[s].used}/{it.limits[s].limit})" for s in it.senders) or "-",
            )
            for it in self.vms
        ]
        return columns(heads, rows)

    def _counted(self) -> list[str]:
        names = [item.name for item in fields(Counters) if self.pool or item.name not in ("bad_block", "blocks_peak")]
        rows = [(it.vm, *(getattr(it.counters, name) for name in names)) for it in self.vms if it.counters]
        return columns(("VM", *(name.replace("_", " ") for name in names)), rows)


@dataclass(frozen=True)
class VmSetup:
    """What the manager configured for a VM.

    Parameters
    ----------
    state : State
        What came of its commands.
    generation : int
        How often it was opened.
    senders : int
        Who may send to it, one bit per VM.
    credits : tuple of int
        Granted to each sender at it.
    quota : int
        Blocks that it may have allocated.
    """

    state: State
    generation: int
    senders: int
    credits: tuple[int, ...]
    quota: int = 0


@dataclass(frozen=True)
class Setup:
    """All that the manager configured, in any run of it since the block was reset.

    Parameters
    ----------
    epoch : int
        Boot epoch.
    vms : tuple of VmSetup
        By VM-ID.
    residents : tuple of int or None
        Who runs on each core.
    armed, fired : int
        VMs whose waiting is watched, and those whose watch fired, one bit per VM.
    fault_interrupts : int
        VMs whose faults raise the manager's interrupt, one bit per VM.
    stray_interrupt : bool
        Faults without a VM-ID do.
    tags : tuple of Tag
        The tag table.
    locked : tuple of Lock
        What cannot be changed until reset.
    arbitration : Arbitration or None
        How ports take turns; ``None`` where the block is not strict and there is no choice.
    """

    epoch: int
    vms: tuple[VmSetup, ...]
    residents: tuple[int | None, ...]
    armed: int
    fired: int
    fault_interrupts: int
    stray_interrupt: bool
    tags: tuple[Tag, ...]
    locked: tuple[Lock, ...]
    arbitration: Arbitration | None = None


def columns(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of a table whose columns are as wide as they need to be."""
    cells = [heads, *(tuple(map(str, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
