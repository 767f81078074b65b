"""Functional model of a block: every access of ``docs/states.md``, and nothing of its timing.

It has two uses. For software it is a device that answers at once (``bind``, ``read``, ``write``). For tests it is the
scoreboard of the hardware: they replay its requests in the order in which they took effect, and a write in the two
parts in which the hardware executes it (``stage_write``, ``finish_write``). Accesses of the shared SRAM may go the
same way, or by themselves (``in_sram``, ``read_sram``, ``write_sram``). Time passes only with ``tick``.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from postern_spec.config import Config, Identity, Manager
from postern_spec.model import Access, Page, Register, pow2
from postern_spec.regmap import (
    INJECTED_PER_PORT,
    INJECTED_PER_VM,
    LOCKED,
    Arbitration,
    Command,
    Count,
    Damage,
    Fault,
    Handover,
    Holding,
    Injection,
    Interrupt,
    Lock,
    Popped,
    Result,
    Settled,
    State,
    address_map,
    counts,
    guest_page,
    injections,
    manager_page,
)
from postern_spec.sizes import kill_steps, scrub_window

__all__ = ["Model", "Token"]

MAIL, DOORBELL, CREDIT, PEER, REFUSAL, BLOCK, LOAN = (1 << source for source in Interrupt)
_WORD = 0xFFFF_FFFF
_COUNT_MAX = 0xFFFF
_NOTHING = Fault.NONE
_CLOSED = State.CLOSED
_ACCEPTED = Result.ACCEPTED
_SRAM = "SRAM"  # in the place of a register's name
_DAMAGE = {
    Injection.FATAL: Damage.FATAL,
    Injection.TAGS: Damage.TAGS,
    Injection.LOCKS: Damage.TAGS,
    Injection.REQUEST: Damage.PORT,
    Injection.LANES: Damage.PORT,
    Injection.STATES: Damage.VMS,
    Injection.PERMISSIONS: Damage.VMS,
    Injection.DESCRIPTOR: Damage.QUEUES,
    Injection.CREDITS: Damage.QUEUES,
    Injection.RIGHTS: Damage.BLOCKS,
    Injection.BLOCKS: Damage.BLOCKS,
}
"""What an injection that closes the block is found as."""

_LEFT_OVER = 0x0BAD_B10C  # what a block that was never scrubbed holds; nobody ever reads it


class _Message(NamedTuple):
    """A message in a queue."""

    sender: int
    header: int  # as ``HEADER`` reads
    words: tuple[int, ...]


class _Lane:
    """What a lane of a VM shows at every port."""

    __slots__ = ("code", "count", "fresh", "popped", "settled", "vm")

    def __init__(self) -> None:
        self.fresh = False
        self.popped = Popped.NONE
        self.settled = Settled.NONE  # the last FREE, RETURN or REVOKE
        self.acknowledge()

    def acknowledge(self) -> None:
        self.code = _ACCEPTED
        self.vm = 0
        self.count = 0


class _Vm:
    """What the block knows of a VM. The lanes' staged words are kept per port, in ``Model``."""

    def __init__(self, c: Config, vm: int) -> None:
        everybody = (1 << c.vms) - 1
        opened = c.open_at_reset
        others = everybody & ~(1 << vm)
        self.state = State.OPEN if opened else State.CLOSED
        self.generation = int(opened)
        self.refused = False  # the last command
        self.dying = False  # killed, and not torn down yet
        self.queue: deque[_Message] = deque()
        self.permit = others if opened else 0  # who may send to it
        self.limit = [c.credits if opened and s != vm else 0 for s in range(c.vms)]
        self.used = [0] * c.vms
        self.acknowledged = everybody if opened else 0  # whose generation it has acknowledged
        self.counts = [0] * len(Count)
        self.quota = c.block_quota if opened and c.blocks else 0
        self.charged = 0  # blocks that it pays for
        self.owned = 0  # blocks
        self.borrowed = 0  # blocks that are lent or shown to it
        self.forget(c)

    def forget(self, c: Config) -> None:
        """Give it a context without a past."""
        self.lanes = [_Lane() for _ in range(c.lanes)]
        self.pending = 0
        self.latches = 0
        self.enable = [0] * c.cores
        self.hold_count = 0  # moderation
        self.hold_time = 0
        self.since = 0  # cycle in which the moderation timer is zero, meaningful while the queue is not empty


class _Block:
    """A block of the SRAM. Without an owner it is in the list of clean or of dirty blocks."""

    __slots__ = ("borrower", "how", "owner", "payer", "tag")

    def __init__(self) -> None:
        self.owner: int | None = None
        self.payer: int | None = None  # who allocated it, while it has an owner; nobody for an orphan
        self.borrower: int | None = None
        self.how = Handover.MOVE  # with a borrower: LEND or SHOW
        self.tag = 0  # counts loans


class _Record:
    """A record of the fault log."""

    __slots__ = ("address", "count", "kind", "port")

    def __init__(self) -> None:
        self.kind = Fault.NONE
        self.port = self.address = self.count = 0

    def log(self, kind: Fault, port: int, address: int) -> None:
        if self.count == 0:
            self.kind, self.port, self.address = kind, port, address
        self.count = min(self.count + 1, _COUNT_MAX)


class _Tag:
    """An entry of the tag table."""

    __slots__ = ("mask", "match", "valid", "vm")

    def __init__(self, index: int, c: Config) -> None:
        self.valid = index < min(c.vms, 1 << c.tag_bits)
        self.match = self.vm = index if self.valid else 0
        self.mask = (1 << c.tag_bits) - 1


class _Decoded(NamedTuple):
    """What an address means to a requester, in one direction."""

    fault: Fault  # of the checks that nothing but the address decides
    guest: bool  # the VM must not be closed; this check comes before ``UNMAPPED`` and ``DIRECTION``
    name: str  # of the register, or ``_SRAM``; empty where there is neither, and for an upper half
    act: Callable[..., Any]  # read: () -> value, of SRAM ``None`` without the right; write: (data) -> Fault
    where: tuple[int, ...]  # indices of the register


_Event = tuple[int, Count | None, int]
"""What is to be counted: whose, what, and of a peak its value. ``None`` clears."""

Token = tuple[_Decoded, int, int | None, int, int, bool, Fault | None, tuple[int, ...] | None]
"""A write whose lane part has been done: what it decodes to, port, VM, address, data, whether all strobes are set, the
verdict (of a whole staging write and of a write of SRAM, which are judged at once), the words (of a commit; ``None``
where torn)."""


class Model:
    """A block without timing.

    Parameters
    ----------
    config : Config
        The block.
    stepped_open : bool
        The command ``OPEN`` only begins to open a VM, and each ``walk`` goes one step further, as in the hardware.
        Without it opening is one step.
    stepped_kill : bool
        The command ``KILL`` only begins to tear a VM down: each ``drop`` takes a message out of the queues of those
        that were killed, each ``tear_row`` and then ``tear_block`` is a step of the walk, as in the hardware. Without
        it killing is one step.
    stepped_scrub : bool
        A dirty block becomes clean when ``scrubbed`` is called, and only then. Without it the scrubber takes
        ``block_size / 4 / banks`` cycles for each block, as in hardware while no port writes SRAM; in a strict block
        one of the VM's own in its window (``postern_spec.sizes.scrub_window``).
    stepped_counts : bool
        An event is in its counter after the second ``counted`` from then on, as in the hardware after the second cycle.
        Without it, at once.
    stepped_flips : bool
        What an injection into a word does to ``INJECT`` and to the counts of flipped bits is seen some calls of
        ``flipped`` later, as in the hardware as many cycles. Without it, at once.
    """

    def __init__(
        self,
        config: Config,
        *,
        stepped_open: bool = False,
        stepped_kill: bool = False,
        stepped_scrub: bool = False,
        stepped_counts: bool = False,
        stepped_flips: bool = False,
    ) -> None:
        self.config = config
        self.now = 0
        self._stepped_open = stepped_open
        self._stepped_kill = stepped_kill
        self._stepped_scrub = stepped_scrub
        self._stepped_counts = stepped_counts
        self._stepped_flips = stepped_flips
        self._read_delay = int(config.request_register or config.blocks > 0)  # of words of messages
        self._injections = injections(config)
        self._guest = guest_page(config)
        self._manager = manager_page(config)
        guest = self._guest  # packers of what is read often; the rest names its fields where it packs them
        self._pack_self = _packer(guest.SELF, "VM", "GENERATION", "STATE", "PORT")
        self._pack_result = _packer(guest.RESULT, "CODE", "VM", "COUNT")
        self._pack_header = _packer(guest.HEADER, "COUNT", "KIND", "SENDER", "GENERATION")
        self._pack_peer = _packer(guest.PEER, "GENERATION", "REACHABLE", "ALIVE", "ACKNOWLEDGED")
        self._pack_credit = _packer(guest.CREDIT, "AVAILABLE", "LIMIT")
        self._counters = {getattr(self._manager, f"COUNT_{item.name}"): item for item in counts(config)}
        self._acting = {r.name for r in guest.registers if any(field.access is Access.RA for field in r.fields)}
        self._block_words = config.block_size // 4
        self._maps = [address_map(config, port) for port in range(len(config.ports))]
        self._binders = [self._binder(port) for port in range(len(config.ports))]
        self._everybody = (1 << config.vms) - 1
        self._reads: dict[tuple[int, int | None, bool, int], _Decoded] = {}
        self._writes: dict[tuple[int, int | None, bool, int], _Decoded] = {}
        self._sram = [_LEFT_OVER] * (config.sram_bytes // 4)
        self.reset()

    # Resets and time

    def reset(self) -> None:
        """Reset the block: everything as after power-up."""
        c = self.config
        self._vms = [_Vm(c, vm) for vm in range(c.vms)]
        self._staged: list[list[list[list[int] | None]]] = [
            [[[] for _ in range(c.lanes)] for _ in range(c.vms)] for _ in c.ports
        ]  # of port, VM and lane: the words that it holds, or ``None`` where it is torn
        self._epoch = 0
        self._integrity_enable = 0
        self._damage = Damage.NONE  # that closed the block
        self._injection: tuple[Injection, int] | None = None  # what is still to be flipped, and at which port
        self._injection_seen = 0  # as it reads
        self._injections_written = 0
        self._flips = {True: [0, 0], False: [0, 0]}  # words of the SRAM, of messages: corrected, lost
        self._unseen: list[tuple[int, Callable[[], None]]] = []  # in how many cycles what is seen
        self._fixed = [p.vm if p.identity is Identity.STATIC else None for p in c.ports for _ in range(p.cores)]
        self._resident = list(self._fixed)  # of core: the VM, if any
        self._resident_vm = [vm or 0 for vm in self._fixed]  # of core: the field, which is kept without a VM, too
        self._tags = [_Tag(index, c) for index in range(c.tags)]
        self._locked = 0
        self._arbitration = Arbitration.STRICT
        self._tag_vms: dict[int, int | None] = {}  # what the tag table says of the tags that were asked for
        self._armed = self._arming = self._firing = self._fired = 0
        self._write_faults = [_Record() for _ in range(c.vms + 1)]
        self._read_faults = [_Record() for _ in range(c.vms + 1)]
        self._faulty = 0  # records that are filled
        self._fault_enable = 0
        self._stray_enable = False
        self._walking: tuple[int, int] | None = None  # the VM that is being opened, the next step
        self._blocks = [_Block() for _ in range(c.blocks)]
        self._clean: deque[int] = deque()  # blocks without an owner, in the order in which they were given up
        self._dirty = deque(range(c.blocks))
        self._scrubbing = self.now  # cycle in which the scrubber began with the oldest dirty block
        self._hungry = self._feeding = 0  # VMs
        self._uncounted: tuple[list[_Event], list[_Event]] = ([], [])  # of the cycle before, of this one
        self._orphans = 0
        self._tearing: tuple[int, int] | None = None  # the killed VM that is walked over, the next step
        self._torn = 0  # whose step was the last

    def reset_port(self, port: int) -> None:
        """Reset a port: its lanes are empty. The caller drops the requests that it had not yet passed on."""
        for vm in range(self.config.vms):
            self._tear(port, vm)

    def tick(self, cycles: int = 1) -> None:
        """Let clock cycles pass. All accesses since the last call belong to the first of them."""
        while cycles and (self._armed or self._firing or self._hungry or self._feeding):
            # Firing and feeding were decided by the state in which this cycle began: they beat a clear and a disarming
            # in the cycle, and arming in the cycle beats firing.
            self._fired |= self._firing
            self._armed = self._armed & ~self._firing | self._arming
            self._arming = 0
            if self._feeding:
                self._feed()
            self.now += 1
            timed = self.config.moderation
            if self._dirty and not self._stepped_scrub:
                self._scrub()
                timed |= bool(self._hungry)
            self._firing = self._wait(self._armed)
            self._feeding = self._hungry and self._fed()
            cycles -= 1
            if not (self._firing or self._feeding or timed):
                break  # nothing changes before the next access
        self.now += cycles
        if self._dirty and not self._stepped_scrub:
            self._scrub()

    def _count(self, vm: int, what: Count | None, value: int = 0) -> None:
        """Count an event of a VM; of a peak, its ``value``; ``None`` clears all."""
        if not self.config.counters:
            return
        self._uncounted[1].append((vm, what, value))
        if not self._stepped_counts:
            self.counted()
            self.counted()

    def counted(self) -> None:
        """End a cycle of the counters: what happened in the one before is counted."""
        due, new = self._uncounted
        for vm, what, value in due:
            it = self._vms[vm].counts
            if what is None:
                it[:] = [0] * len(it)
            elif what in (Count.QUEUE_PEAK, Count.BLOCKS_PEAK):
                it[what] = max(it[what], value)
            else:
                it[what] = (it[what] + 1) & _WORD
        self._uncounted = (new, [])

    def flipped(self) -> bool:
        """End a cycle in which flips of words come to be seen. Return whether some are still to come."""
        due, self._unseen = self._unseen, []
        for cycles, see in due:
            if cycles > 1:
                self._unseen.append((cycles - 1, see))
            else:
                see()
        return bool(due)

    def _later(self, cycles: int, see: Callable[[], None]) -> None:
        if self._stepped_flips:
            self._unseen.append((cycles, see))
        else:
            see()

    def _hit(self, port: int, value: int, *, sram: bool) -> int:
        """Return a word as this port reads it: as it is, or zero where two of its bits are flipped for the check."""
        if self._injection is None or self._injection[1] != port:
            return value
        kind = self._injection[0]
        if (kind in (Injection.SRAM_ONE, Injection.SRAM_TWO)) is not sram:
            return value
        self._injection = None
        lost = kind in (Injection.WORD_TWO, Injection.SRAM_TWO)

        def count() -> None:
            counts = self._flips[sram]
            counts[lost] = min(counts[lost] + 1, _COUNT_MAX)

        written = self._injections_written

        def clear() -> None:
            if self._injections_written == written:  # nothing else was written meanwhile
                self._injection_seen = 0

        delay = 0 if sram else self._read_delay
        self._later(1 if sram else 2, clear)
        self._later(3 + delay, count)
        return 0 if lost else value

    def waited(self, vm: int, cycles: int) -> None:
        """Count cycles in which a request of a VM waited: the model has no timing, and cannot know."""
        it = self._vms[vm].counts
        it[Count.WAITED] = (it[Count.WAITED] + cycles) & _WORD

    def scrubbed(self, block: int | None = None) -> int:
        """Make a block clean: the scrubber has written its last word. Return its number.

        Parameters
        ----------
        block : int or None
            Which one; by default the oldest dirty one, as it is always unless the block is strict.

        Raises
        ------
        RuntimeError
            It is not dirty, or none is.
        """
        if not self._dirty or (block is not None and block not in self._dirty):
            raise RuntimeError(
                f"a block must be dirty to be scrubbed, not {'none' if block is None else f'block {block}'}"
            )
        if block is None:
            block = self._dirty[0]
        self._dirty.remove(block)
        start = block * self._block_words
        self._sram[start : start + self._block_words] = [0] * self._block_words
        self._clean.append(block)
        return block

    def _scrub(self) -> None:
        """Make clean what the scrubber has finished by now."""
        c = self.config
        if c.strict:
            window = scrub_window(c)
            begin = -(-self._scrubbing // window)  # the first window that began after it
            for vm in (number % c.vms for number in range(begin, self.now // window)):
                if (block := self._of_pool(self._dirty, vm)) is not None:
                    self.scrubbed(block)
            self._scrubbing = max(self._scrubbing, self.now // window * window)
            return
        cycles = self._block_words // c.banks
        while self._dirty and self.now - self._scrubbing >= cycles:
            self.scrubbed()
            self._scrubbing += cycles

    def _of_pool(self, blocks: deque[int], vm: int) -> int | None:
        """Return which of the clean or of the dirty blocks is the next one for a VM."""
        own = self.config.own_blocks
        if own:
            return min((block for block in blocks if block // own == vm), default=None)
        return blocks[0] if blocks else None

    def _fed(self) -> int:
        """Return the hungry VMs that could allocate a block now."""
        hungry = [vm for vm in range(self._hungry.bit_length()) if self._hungry >> vm & 1]
        paid = [vm for vm in hungry if self._vms[vm].charged < self._vms[vm].quota]
        return sum(1 << vm for vm in paid if self._of_pool(self._clean, vm) is not None)

    def _feed(self) -> None:
        for vm in range(self._feeding.bit_length()):
            if self._feeding >> vm & 1:
                self._vms[vm].latches |= BLOCK
        self._hungry &= ~self._feeding

    def walk(self) -> bool:
        """Execute one step of an opening in progress; return whether it was the last.

        Raises
        ------
        RuntimeError
            No VM is being opened.
        """
        if self._walking is None:
            raise RuntimeError("a VM must be opening for a step of it, not none")
        vm, step = self._walking
        if step < max(self.config.vms, self.config.lanes):
            if step < self.config.vms:
                self._vms[step].pending &= ~(1 << vm)
            self._walking = vm, step + 1
            return False
        self._walking = None
        opened = self._vms[vm]
        opened.forget(self.config)
        opened.acknowledged = 0
        for peer in self._vms:
            peer.acknowledged &= ~(1 << vm)
        opened.generation = opened.generation % 255 + 1
        self._hungry &= ~(1 << vm)
        self._tear_everywhere(vm)
        self._count(vm, None)
        self._enter(vm, State.OPEN)
        return True

    # Tearing down

    @property
    def killing(self) -> int | None:
        """The killed VM that is walked over, if any."""
        return self._tearing[0] if self._tearing else None

    @property
    def orphans(self) -> int:
        """Number of blocks that have an owner and nobody who pays for them."""
        return self._orphans

    def drop(self) -> None:
        """Take the oldest message out of the queue of each VM that is being torn down, where there is one."""
        for it in self._vms:
            if it.dying and it.queue:
                head = it.queue.popleft()
                it.used[head.sender] -= 1
                self._vms[head.sender].latches |= CREDIT

    def tear_row(self) -> int:
        """Execute one step of the walk over what a killed VM had, but for the block; return the number of the step.

        Raises
        ------
        RuntimeError
            No VM is being torn down, or its queue is not empty in the last step.
        """
        if self._tearing is None:
            raise RuntimeError("a VM must be killed for a step of tearing it down, not none")
        dead, step = self._tearing
        if step < self.config.vms:
            self._vms[step].pending &= ~(1 << dead)
        self._tearing = dead, step + 1
        self._torn = dead
        if step + 1 == kill_steps(self.config):
            if self._vms[dead].queue:
                raise RuntimeError(f"queue of VM {dead} must be empty to end its walk, not hold messages")
            self._vms[dead].dying = False
            queued = [vm for vm, it in enumerate(self._vms) if it.dying]
            self._tearing = (queued[0], 0) if queued else None
        return step

    def tear_block(self, step: int) -> None:
        """Execute the rest of that step: the block of this number loses what the killed VM had of it."""
        if step >= self.config.blocks:
            return
        dead, it = self._torn, self._blocks[step]
        if it.owner == dead:
            self._give_up(step)
        elif it.owner is not None:
            if it.borrower == dead:
                self._end_loan(it)
                self._vms[it.owner].latches |= LOAN
            if it.payer == dead:
                payer = self._vms[dead]
                payer.charged -= 1
                payer.quota -= 1
                it.payer = None
                self._orphans += 1

    def _kill(self, vm: int) -> None:
        self._shut(vm)
        self._vms[vm].dying = True
        if self._tearing is None:
            self._tearing = vm, 0
        while not self._stepped_kill and self._vms[vm].dying:
            while self._vms[vm].queue:
                self.drop()
            self.tear_block(self.tear_row())

    def _give_up(self, block: int) -> None:
        """Make a block dirty that somebody owns, and end its loan."""
        it = self._blocks[block]
        assert it.owner is not None
        if it.borrower is not None:
            self._vms[it.borrower].latches |= LOAN
            self._end_loan(it)
        if it.payer is None:
            self._orphans -= 1
        else:
            self._vms[it.payer].charged -= 1
        self._vms[it.owner].owned -= 1
        it.owner = it.payer = None
        if not self._dirty:
            self._scrubbing = self.now
        self._dirty.append(block)

    # Outputs

    def irq(self, core: int) -> bool:
        """Return the level of a core's interrupt line."""
        vm = self._resident[core]
        if vm is None or self._damage:
            return False
        enable = self._vms[vm].enable[core]
        return bool(enable and self._irq_state(vm) & enable)

    @property
    def manager_irq(self) -> bool:
        """Level of the manager's interrupt line."""
        stray = self._stray_enable << self.config.vms
        return bool(
            self._fired or self._faulty & (self._fault_enable | stray) or (self._integrity_enable and self._damaged)
        )

    @property
    def _damaged(self) -> bool:
        """Whether the block is closed by damage, or a word was lost."""
        return bool(self._damage or self._flips[False][1] or self._flips[True][1])

    @property
    def waiting(self) -> int:
        """VMs that have something pending and enabled and are nowhere resident, one bit per VM."""
        return self._wait(self._everybody)

    def _wait(self, mask: int) -> int:
        found = 0
        for vm in range(mask.bit_length()):
            if mask >> vm & 1 and vm not in self._resident:
                it = self._vms[vm]
                state = self.state(vm) is not _CLOSED and self._irq_state(vm)
                for enable in it.enable:
                    if state & enable:
                        found |= 1 << vm
                        break
        return found

    def alarm(self) -> int | None:
        """Return in how many cycles a moderation timer raises ``MAIL`` by itself, or ``None`` where none will."""
        running = [
            it.hold_time - (self.now - it.since)
            for it in self._vms
            if it.hold_time and 0 < len(it.queue) < it.hold_count
        ]
        return min((cycles for cycles in running if cycles > 0), default=None)

    @property
    def walking(self) -> bool:
        """Whether a VM is being opened."""
        return self._walking is not None

    def fresh(self, vm: int, lane: int) -> bool:
        """Return whether a pop by this lane would pop."""
        return self._vms[vm].lanes[lane].fresh

    def state(self, vm: int) -> State:
        """Return the state of a VM, as everybody sees it."""
        return _CLOSED if self._damage else self._vms[vm].state

    @property
    def dirty(self) -> int:
        """Number of the blocks that wait to be scrubbed."""
        return len(self._dirty)

    def clean(self, block: int) -> bool:
        """Return whether a block is ready to be allocated."""
        return block in self._clean

    def rights(self, block: int) -> tuple[int | None, int | None, bool]:
        """Return the owner and the borrower of a block, as far as it has them, and whether it is shown, not lent."""
        it = self._blocks[block]
        return it.owner, it.borrower, it.borrower is not None and it.how is Handover.SHOW

    def dying(self, vm: int) -> bool:
        """Return whether a VM was killed and is not torn down yet."""
        return self._vms[vm].dying

    def senders(self, vm: int) -> list[int]:
        """Return the senders of the messages in the queue of a VM, the oldest first."""
        return [message.sender for message in self._vms[vm].queue]

    def payer(self, block: int) -> int | None:
        """Return who pays for a block; nobody does for an orphan, or where nobody owns it."""
        return self._blocks[block].payer

    # Accesses

    def bind(self, port: int, address: int, *, tag: int = 0) -> int | None:
        """Return the VM-ID that a request gets now, or ``None`` where identity yields none.

        Parameters
        ----------
        port : int
            Port that accepts the request.
        address : int
            Its byte address there, which is the identity of a ``page`` port.
        tag : int
            Its tag, which is the identity of a ``sideband`` port.
        """
        return self._binders[port](address, tag)

    def read(
        self,
        port: int,
        vm: int | None,
        address: int,
        *,
        full: bool = True,
        secure: bool = True,
        cacheable: bool = False,
        log: bool = True,
    ) -> tuple[int, Fault]:
        """Read.

        Parameters
        ----------
        port : int
            Port of the request.
        vm : int or None
            VM-ID that was bound to it.
        address : int
            Byte address at that port.
        full : bool
            All four bytes are selected; only Wishbone and AXI4 can say otherwise. (Without any select it is no access.)
            It does not matter in SRAM.
        secure : bool
            AxPROT[1] was low.
        cacheable : bool
            AxCACHE asks for allocation. Only a port with ``refuse_cacheable`` cares.
        log : bool
            A refusal is logged. Otherwise that is left to the caller, see ``log``.

        Returns
        -------
        tuple of int and Fault
            The word, zero where refused, and why it was refused.

        Raises
        ------
        ValueError
            The address has more bits than the port.
        """
        decoded = self._reads.get((port, vm, secure, address)) or self._decode(port, vm, secure, address, False)
        if cacheable and self.config.ports[port].refuse_cacheable:
            decoded = _CACHEABLE
        fault = decoded.fault
        if vm is not None and decoded.guest and (self._damage or self._vms[vm].state is _CLOSED):
            fault = Fault.CLOSED
        elif fault is _NOTHING:
            if full or decoded.name not in self._acting:
                value = decoded.act()
                if value is not None:
                    return value, fault
                fault = Fault.BLOCK
            else:
                fault = Fault.PARTIAL
        if log:
            self.log(port, vm, address, fault, write=False)
        return 0, fault

    def write(
        self,
        port: int,
        vm: int | None,
        address: int,
        data: int,
        strobes: int = 0xF,
        *,
        secure: bool = True,
        cacheable: bool = False,
    ) -> Fault:
        """Write, both parts at once; parameters and errors as ``stage_write``, result as ``finish_write``."""
        return self.finish_write(self.stage_write(port, vm, address, data, strobes, secure=secure, cacheable=cacheable))

    def stage_write(
        self,
        port: int,
        vm: int | None,
        address: int,
        data: int,
        strobes: int = 0xF,
        *,
        secure: bool = True,
        cacheable: bool = False,
    ) -> Token:
        """Do the lane part of a write: ``STAGE`` puts a word into the lane, ``COMMIT`` takes what the lane holds. A
        write of SRAM is done here.

        Parameters
        ----------
        port : int
            Port of the request.
        vm : int or None
            VM-ID that was bound to it.
        address : int
            Byte address at that port.
        data : int
            The word.
        strobes : int
            Byte strobes, one bit per byte. Without any it is no access at all.
        secure : bool
            AxPROT[1] was low.
        cacheable : bool
            AxCACHE asks for allocation. Only a port with ``refuse_cacheable`` cares.

        Returns
        -------
        Token
            For ``finish_write``.

        Raises
        ------
        ValueError
            The address has more bits than the port.
        """
        decoded = self._writes.get((port, vm, secure, address)) or self._decode(port, vm, secure, address, True)
        if cacheable and self.config.ports[port].refuse_cacheable:
            decoded = _CACHEABLE
        whole = strobes == 0xF
        settled = words = None
        if not strobes:
            settled = _NOTHING
        elif vm is not None and decoded.guest and decoded.fault is _NOTHING:
            if decoded.name == "STAGE":
                settled = self._stage(port, vm, decoded.where, data, whole)
            elif decoded.name == "COMMIT":
                words = self._take(port, vm, decoded.where, data, whole)
        elif decoded.name is _SRAM:
            settled = decoded.act(data, strobes)
        return decoded, port, vm, address, data, whole, settled, words

    def finish_write(self, token: Token, *, log: bool = True) -> Fault:
        """Do the rest of a write: verdict, register, log. Return why it was refused.

        Parameters
        ----------
        token : Token
            What ``stage_write`` returned.
        log : bool
            A refusal is logged. Otherwise that is left to the caller, see ``log``.
        """
        decoded, port, vm, address, data, whole, fault, words = token
        if fault is None:
            fault = decoded.fault
            if vm is not None and decoded.guest and (self._damage or self._vms[vm].state is _CLOSED):
                fault = Fault.CLOSED
            elif fault is _NOTHING:
                if vm is not None and decoded.name == "COMMIT":
                    fault = self._judge(vm, decoded.where, words)
                    if not whole:
                        fault = Fault.PARTIAL
                elif whole or not decoded.name:
                    fault = decoded.act(data)
                else:
                    fault = Fault.PARTIAL
        if log and fault is not _NOTHING:
            self.log(port, vm, address, fault, write=True)
        return fault

    def log(self, port: int, vm: int | None, address: int, fault: Fault, *, write: bool) -> None:
        """Enter a refused access into the fault log."""
        records = self._write_faults if write else self._read_faults
        record = self.config.vms if vm is None else vm
        records[record].log(fault, port, address)
        self._faulty |= 1 << record

    # Accesses of SRAM. What is refused is logged by whoever calls these.

    def in_sram(self, port: int, address: int) -> bool:
        """Return whether an address of a port lies in the SRAM window (or in what is left free behind it)."""
        base = self._maps[port].sram_base
        return base is not None and address >= base and not self._to_manager(port, address)

    def read_sram(self, port: int, vm: int | None, address: int) -> tuple[int, Fault]:
        """Read a word of SRAM; parameters and result as ``read``."""
        return self.read(port, vm, address, log=False)

    def write_sram(self, port: int, vm: int | None, address: int, data: int, strobes: int = 0xF) -> Fault:
        """Write bytes of a word of SRAM; parameters as ``stage_write``, result as ``finish_write``."""
        return self.finish_write(self.stage_write(port, vm, address, data, strobes), log=False)

    def load(self, port: int, vm: int | None, address: int, count: int) -> list[int] | None:
        """Read words of one block at once, or none of them.

        Returns
        -------
        list of int or None
            The words. ``None`` where not all of them lie in one block that the VM may read.
        """
        start = self._start(port, vm, address, count)
        if start is None or not self._may_read(vm, start // self._block_words):
            return None
        return self._sram[start : start + count]

    def store(self, port: int, vm: int | None, address: int, words: Sequence[int]) -> bool:
        """Write words of one block at once, or none of them: return whether all lie in one that the VM may write.

        Raises
        ------
        ValueError
            A word has more than 32 bits.
        """
        start = self._start(port, vm, address, len(words))
        if start is None or not self._may_write(vm, start // self._block_words):
            return False
        if words and (min(words) < 0 or max(words) > _WORD):
            wrong = next(word for word in words if word >> 32)
            raise ValueError(f"value must be from 0 to 0xffffffff, not {wrong:#x}")
        self._sram[start : start + len(words)] = words
        return True

    def _start(self, port: int, vm: int | None, address: int, count: int) -> int | None:
        """Return the index of the first of some words, or ``None`` where they are not words of one block."""
        if vm is None or not self.in_sram(port, address):
            return None
        block, offset = divmod((address - self._maps[port].sram(vm)) // 4, self._block_words)
        if not 0 <= block < self.config.blocks or offset + count > self._block_words:
            return None
        return block * self._block_words + offset

    def _lives(self, vm: int | None) -> bool:
        return vm is not None and self.state(vm) is not _CLOSED

    def _may_read(self, vm: int | None, block: int) -> bool:
        it = self._blocks[block]
        return self._lives(vm) and (vm == it.owner or (vm == it.borrower and self._lives(it.owner)))

    def _may_write(self, vm: int | None, block: int) -> bool:
        it = self._blocks[block]
        return self._lives(vm) and vm == it.owner and (it.borrower is None or it.how is Handover.SHOW)

    def _fetch(self, port: int, vm: int, index: int) -> int | None:
        if not self._may_read(vm, index // self._block_words):
            return None
        return self._hit(port, self._sram[index], sram=True)

    def _put(self, vm: int, index: int, data: int, strobes: int) -> Fault:
        if not self._may_write(vm, index // self._block_words):
            return Fault.BLOCK
        mask = sum(0xFF << 8 * byte for byte in range(4) if strobes >> byte & 1)
        self._sram[index] = self._sram[index] & ~mask | data & mask
        return _NOTHING

    # Identity: a function of address and tag for each port

    def _binder(self, port: int) -> Callable[[int, int], int | None]:
        c, where = self.config, self._maps[port]
        core, fixed = c.core_base(port), c.ports[port].vm

        def by_address(address: int, _: int) -> int | None:
            if self._to_manager(port, address):
                return None
            if self.in_sram(port, address):
                vm = (address - where.sram(0)) // where.sram_stride
            else:
                vm = (address - where.guest_base) // where.guest_stride
            return vm if vm < c.vms else None

        return {
            Identity.STATIC: lambda _, __: fixed,
            Identity.RESIDENT: lambda _, __: self._resident[core],
            Identity.SIDEBAND: lambda _, tag: self._tag_vms[tag] if tag in self._tag_vms else self._match(tag),
            Identity.PAGE: by_address,
        }[c.ports[port].identity]

    def _match(self, tag: int) -> int | None:
        vm = next((e.vm for e in self._tags if e.valid and not (tag ^ e.match) & e.mask), None)
        self._tag_vms[tag] = vm
        return vm

    # Decoding: once for every address that is used, and from the register map

    def _to_manager(self, port: int, address: int) -> bool:
        base = self._maps[port].manager_base
        return base is not None and address >= base

    def _is_manager(self, port: int, vm: int | None, secure: bool) -> bool:
        c = self.config
        return {
            Manager.PAGE: True,
            Manager.SECURE: secure,
            Manager.VM: vm == c.manager_vm,
            Manager.PORT: port == c.manager_port,
        }[c.manager]

    def _decode(self, port: int, vm: int | None, secure: bool, address: int, write: bool) -> _Decoded:
        where = self._maps[port]
        if not 0 <= address < 1 << where.bits:
            raise ValueError(f"address must be from 0 to {(1 << where.bits) - 1:#x}, not {address:#x}")
        if self._to_manager(port, address):
            assert where.manager_base is not None
            if not self._is_manager(port, vm, secure):
                decoded = _refused(Fault.NOT_MANAGER)
            else:
                decoded = self._find(self._manager, address - where.manager_base, write, ())
        elif vm is None:
            decoded = _refused(Fault.NO_VM)
        elif self.in_sram(port, address):
            return self._find_word(port, vm, address, write)  # not kept: there are too many
        else:
            offset = address - where.guest(vm)
            decoded = self._find(self._guest, offset, write, (port, vm))._replace(guest=not offset % 4)
        (self._writes if write else self._reads)[port, vm, secure, address] = decoded
        return decoded

    def _find_word(self, port: int, vm: int, address: int, write: bool) -> _Decoded:
        index = self._start(port, vm, address, 1)
        if index is None:
            return _refused(Fault.UNMAPPED)
        act = partial(self._put, vm, index) if write else partial(self._fetch, port, vm, index)
        return _Decoded(_NOTHING, False, _SRAM, act, ())

    def _find(self, page: Page, offset: int, write: bool, requester: tuple[int, ...]) -> _Decoded:
        if offset % 4:
            return _refused(Fault.UNALIGNED)
        if offset % 8:
            return _Decoded(_NOTHING, False, "", _ignore if write else int, ())
        found = page.decode(offset)
        if found is None:
            return _refused(Fault.UNMAPPED)
        register, indices = found
        if not (register.writable if write else register.readable):
            return _refused(Fault.DIRECTION)
        name = f"_{page.name}_{register.name.lower()}_{'write' if write else 'read'}"
        if write and register.name in ("STAGE", "COMMIT"):
            act: Callable[..., Any] = _ignore  # see ``stage_write``
        elif register in self._counters:
            act = partial(self._manager_count, self._counters[register], *indices)
        elif not write and not hasattr(self, name):
            act = partial(int, _constant(register))
        else:
            act = partial(getattr(self, name), *requester, *indices)
        if write and page is self._manager:
            for lock, names in LOCKED.items():
                if register.name in names:
                    act = partial(self._unless_locked, lock, act)
        return _Decoded(_NOTHING, False, register.name, act, indices)

    # Lanes, sending side

    def _tear(self, port: int, vm: int) -> None:
        self._staged[port][vm] = [[] for _ in range(self.config.lanes)]

    def _tear_everywhere(self, vm: int) -> None:
        for port in range(len(self.config.ports)):
            self._tear(port, vm)

    def _stage(self, port: int, vm: int, where: tuple[int, ...], data: int, whole: bool) -> Fault | None:
        lane, word = where
        lanes = self._staged[port][vm]
        held = lanes[lane]
        closed = self.state(vm) is _CLOSED
        if not whole:
            if not closed:
                lanes[lane] = None
            return None  # judged with the rest
        if closed:
            return Fault.CLOSED
        if word == 0:
            lanes[lane] = [data]
        elif held is not None and word == len(held):
            held.append(data)
        else:
            lanes[lane] = None
        return _NOTHING

    def _take(self, port: int, vm: int, where: tuple[int, ...], data: int, whole: bool) -> tuple[int, ...] | None:
        lane, _, many, _ = where
        lanes = self._staged[port][vm]
        held, lanes[lane] = lanes[lane], []
        fits = held is not None and (0 < len(held) < self.config.words if many else not held)
        return (*held, data) if held is not None and fits and whole else None

    # Lanes, results

    def _judge(self, s: int, where: tuple[int, ...], words: tuple[int, ...] | None) -> Fault:
        sender, d = self._vms[s], where[3]
        receiver, lane = self._vms[d], sender.lanes[where[0]]
        if lane.code is not _ACCEPTED:
            self._count(s, Count.IGNORED)
            return _NOTHING
        fault = _NOTHING
        if words is None:
            code = Result.TORN
        elif sender.state is State.DRAINING or not receiver.permit >> s & 1:
            code, fault = Result.DENIED, Fault.DENIED
        elif not self._reachable(s, d):
            code = Result.PEER_GONE
        elif where[1] and not self._may_give(s, words[-1]):
            code, fault = Result.BAD_BLOCK, Fault.BLOCK
        elif receiver.state is State.PAUSED or receiver.used[s] >= receiver.limit[s]:
            code = Result.NO_CREDIT
        else:
            lane.count = (lane.count + 1) & 0xFF
            if not receiver.queue:
                receiver.since = self.now + 1
            header = self._pack_header(len(words), where[1], s, sender.generation)
            if where[1]:
                words = (*words[:-1], self._give(d, words[-1]))
            receiver.queue.append(_Message(s, header, words))
            receiver.used[s] += 1
            self._count(s, Count.SENT)
            self._count(d, Count.RECEIVED)
            self._count(d, Count.QUEUE_PEAK, len(receiver.queue))
            return fault
        self._count(s, Count(code))
        lane.code, lane.vm = code, d
        return fault

    def _reachable(self, s: int, d: int) -> bool:
        alive = self._vms[d].state in (State.OPEN, State.PAUSED)
        return alive and bool(self._vms[s].acknowledged >> d & 1)

    # Blocks. The last word of a message with a block has the fields of ``RETURN``.

    def _may_give(self, o: int, word: int) -> bool:
        fields = self._guest.RETURN
        kind, block = fields.KIND.get(word), fields.BLOCK.get(word)
        if not kind or block >= self.config.blocks or word != fields.pack(KIND=kind, BLOCK=block):
            return False
        return self._blocks[block].owner == o and self._blocks[block].borrower is None

    def _give(self, d: int, word: int) -> int:
        """Hand a block over to ``d``; return the word that is delivered."""
        fields = self._guest.RETURN
        it, how = self._blocks[fields.BLOCK.get(word)], Handover(fields.KIND.get(word))
        receiver = self._vms[d]
        if how is Handover.MOVE:
            assert it.owner is not None
            self._vms[it.owner].owned -= 1
            receiver.owned += 1
            it.owner = d
            return word
        receiver.borrowed += 1
        it.borrower, it.how = d, how
        return word | fields.TAG.put(it.tag)

    def _end_loan(self, it: _Block) -> None:
        assert it.borrower is not None
        self._vms[it.borrower].borrowed -= 1
        it.borrower = None
        it.tag = (it.tag + 1) % (1 << self._guest.RETURN.TAG.width)

    def _settle(self, vm: int, lane: int, outcome: Settled) -> Fault:
        self._vms[vm].lanes[lane].settled = outcome
        return Fault.BLOCK if outcome is Settled.REFUSED else _NOTHING

    # VMs

    def _enter(self, vm: int, state: State) -> None:
        it = self._vms[vm]
        it.state = state
        for peer, other in enumerate(self._vms):
            if it.permit >> peer & 1 and peer != vm:
                other.latches |= PEER

    def _shut(self, vm: int) -> None:
        self._hungry &= ~(1 << vm)
        self._tear_everywhere(vm)
        self._vms[vm].forget(self.config)
        self._enter(vm, State.CLOSED)

    def _irq_state(self, vm: int) -> int:
        it = self._vms[vm]
        state = it.latches
        waiting = len(it.queue)
        if waiting:
            expired = it.hold_time and self.now - it.since >= it.hold_time
            if waiting >= it.hold_count or expired:
                state |= MAIL
        if it.pending:
            state |= DOORBELL
        for lane in it.lanes:
            if lane.code is not _ACCEPTED:
                return state | REFUSAL
        return state

    # Guest page. Each handler is named after its register and gets port, VM, the indices of the register and the word.

    def _guest_self_read(self, port: int, vm: int) -> int:
        it = self._vms[vm]
        return self._pack_self(vm, it.generation, it.state, port)

    def _guest_epoch_read(self, port: int, vm: int) -> int:
        return self._epoch

    def _guest_irq_state_read(self, port: int, vm: int) -> int:
        return self._irq_state(vm)

    def _guest_irq_state_write(self, port: int, vm: int, data: int) -> Fault:
        self._vms[vm].latches &= ~data
        return _NOTHING

    def _guest_irq_test_write(self, port: int, vm: int, data: int) -> Fault:
        self._vms[vm].latches |= self._guest.IRQ_TEST.SOURCES.get(data)
        return _NOTHING

    def _guest_irq_moderation_read(self, port: int, vm: int) -> int:
        it = self._vms[vm]
        return self._guest.IRQ_MODERATION.pack(COUNT=it.hold_count, TIME=it.hold_time)

    def _guest_irq_moderation_write(self, port: int, vm: int, data: int) -> Fault:
        register, it = self._guest.IRQ_MODERATION, self._vms[vm]
        it.hold_count, it.hold_time = register.COUNT.get(data), register.TIME.get(data)
        return _NOTHING

    def _guest_irq_enable_read(self, port: int, vm: int, core: int) -> int:
        return self._vms[vm].enable[core]

    def _guest_irq_enable_write(self, port: int, vm: int, core: int, data: int) -> Fault:
        self._vms[vm].enable[core] = self._guest.IRQ_ENABLE.SOURCES.get(data)
        return _NOTHING

    def _guest_ring_write(self, port: int, vm: int, data: int) -> Fault:
        d = data  # as it is: a word beyond the field is no VM-ID
        if d >= self.config.vms or self._vms[vm].state is State.DRAINING or not self._vms[d].permit >> vm & 1:
            return Fault.DENIED
        if self._reachable(vm, d):
            self._vms[d].pending |= 1 << vm
            self._count(vm, Count.DOORBELLS)
        return _NOTHING

    def _guest_pending_read(self, port: int, vm: int, half: int) -> int:
        return _half(self._vms[vm].pending, half)

    def _guest_pending_write(self, port: int, vm: int, half: int, data: int) -> Fault:
        self._vms[vm].pending &= ~(data << 32 * half)
        return _NOTHING

    def _guest_result_read(self, port: int, vm: int, lane: int) -> int:
        it = self._vms[vm].lanes[lane]
        return self._pack_result(it.code, it.vm, it.count)

    def _guest_ack_write(self, port: int, vm: int, lane: int, data: int) -> Fault:
        self._vms[vm].lanes[lane].acknowledge()
        return _NOTHING

    def _guest_header_read(self, port: int, vm: int, lane: int) -> int:
        it = self._vms[vm]
        it.lanes[lane].fresh = bool(it.queue)
        return it.queue[0].header if it.queue else 0

    def _guest_word_read(self, port: int, vm: int, word: int) -> int:
        queue = self._vms[vm].queue
        return self._hit(port, queue[0].words[word], sram=False) if queue and word < len(queue[0].words) else 0

    def _guest_pop_read(self, port: int, vm: int, lane: int) -> int:
        it = self._vms[vm]
        if not it.lanes[lane].fresh:
            it.lanes[lane].popped = Popped.STALE
            return 0
        head = it.queue.popleft()
        for other in it.lanes:
            other.fresh = False
        it.lanes[lane].popped = Popped.POPPED
        it.since = self.now + 1
        it.used[head.sender] -= 1
        self._vms[head.sender].latches |= CREDIT
        return head.words[-1]

    def _guest_rx_result_read(self, port: int, vm: int, lane: int) -> int:
        return self._vms[vm].lanes[lane].popped

    def _guest_peer_read(self, port: int, vm: int, d: int) -> int:
        peer = self._vms[d]
        if not peer.permit >> vm & 1:
            return 0
        alive = peer.state in (State.OPEN, State.PAUSED)
        return self._pack_peer(peer.generation, 1, alive, self._vms[vm].acknowledged >> d & 1)

    def _guest_peer_write(self, port: int, vm: int, d: int, data: int) -> Fault:
        if not self._vms[d].permit >> vm & 1:
            return Fault.DENIED
        if data == self._vms[d].generation:
            self._vms[vm].acknowledged |= 1 << d
        return _NOTHING

    def _guest_credit_read(self, port: int, vm: int, d: int) -> int:
        peer = self._vms[d]
        if not peer.permit >> vm & 1:
            return 0
        return self._pack_credit(peer.limit[vm] - peer.used[vm], peer.limit[vm])

    def _guest_quota_read(self, port: int, vm: int) -> int:
        it = self._vms[vm]
        return self._guest.QUOTA.pack(USED=it.charged, LIMIT=it.quota)

    def _guest_alloc_read(self, port: int, vm: int) -> int:
        it = self._vms[vm]
        if it.state is State.DRAINING:
            return 0
        block = self._of_pool(self._clean, vm)
        if block is None or it.charged >= it.quota:
            self._hungry |= 1 << vm
            return 0
        self._hungry &= ~(1 << vm)
        self._clean.remove(block)
        self._blocks[block].owner = self._blocks[block].payer = vm
        it.charged += 1
        it.owned += 1
        self._count(vm, Count.BLOCKS_PEAK, it.charged)
        return self._guest.ALLOC.pack(BLOCK=block, VALID=1)

    def _guest_free_write(self, port: int, vm: int, lane: int, data: int) -> Fault:
        if data >= self.config.blocks:  # the whole word
            return self._settle(vm, lane, Settled.REFUSED)
        it = self._blocks[data]
        if it.owner != vm or it.borrower is not None:
            return self._settle(vm, lane, Settled.REFUSED)
        self._give_up(data)
        return self._settle(vm, lane, Settled.DONE)

    def _guest_return_write(self, port: int, vm: int, lane: int, data: int) -> Fault:
        fields = self._guest.RETURN
        block, tag = fields.BLOCK.get(data), fields.TAG.get(data)
        if data != fields.pack(KIND=fields.KIND.get(data), TAG=tag, BLOCK=block):
            return self._settle(vm, lane, Settled.REFUSED)
        if block >= self.config.blocks or self._blocks[block].borrower != vm or self._blocks[block].tag != tag:
            return self._settle(vm, lane, Settled.STALE)
        it = self._blocks[block]
        assert it.owner is not None
        if not self._lives(it.owner):
            return self._settle(vm, lane, Settled.STALE)
        self._end_loan(it)
        self._vms[it.owner].latches |= LOAN
        return self._settle(vm, lane, Settled.DONE)

    def _guest_revoke_write(self, port: int, vm: int, lane: int, data: int) -> Fault:
        if data >= self.config.blocks:  # the whole word
            return self._settle(vm, lane, Settled.REFUSED)
        it = self._blocks[data]
        if it.owner != vm or it.borrower is None:
            return self._settle(vm, lane, Settled.REFUSED)
        self._vms[it.borrower].latches |= LOAN
        self._end_loan(it)
        return self._settle(vm, lane, Settled.DONE)

    def _guest_block_result_read(self, port: int, vm: int, lane: int) -> int:
        return self._vms[vm].lanes[lane].settled

    def _guest_block_read(self, port: int, vm: int, block: int) -> int:
        it, pack = self._blocks[block], self._guest.BLOCK.pack
        if it.owner == vm and it.borrower is None:
            return pack(HOLDING=Holding.OWNED)
        shown = it.how is Handover.SHOW
        if it.owner == vm and it.borrower is not None:
            return pack(HOLDING=Holding.SHOWN if shown else Holding.LENT, VM=it.borrower, TAG=it.tag)
        if it.borrower == vm and it.owner is not None and self._lives(it.owner):
            return pack(HOLDING=Holding.WATCHED if shown else Holding.BORROWED, VM=it.owner, TAG=it.tag)
        return 0

    # Manager page

    def _manager_pool_read(self) -> int:
        return self._manager.POOL.pack(CLEAN=len(self._clean), DIRTY=len(self._dirty))

    def _manager_orphans_read(self) -> int:
        return self._orphans

    def _manager_reclaim_write(self, data: int) -> Fault:
        if data >= self.config.blocks:  # the whole word
            return Fault.BAD_VALUE
        it = self._blocks[data]
        if it.owner is None or it.payer is not None:
            return Fault.BAD_VALUE
        self._vms[it.owner].latches |= LOAN
        self._give_up(data)
        return _NOTHING

    def _manager_rights_read(self, block: int) -> int:
        it, pack = self._blocks[block], self._manager.RIGHTS.pack
        if it.owner is None:
            return 0
        paid = {"ORPHAN": 1} if it.payer is None else {"PAYER": it.payer}
        lent = {} if it.borrower is None else {"BORROWER": it.borrower, "LENT": 1, "SHOWN": it.how is Handover.SHOW}
        return pack(OWNER=it.owner, OWNED=1, **paid, **lent)

    def _manager_quota_read(self, vm: int) -> int:
        it = self._vms[vm]
        return self._manager.QUOTA.pack(LIMIT=it.quota, USED=it.charged)

    def _manager_quota_write(self, vm: int, data: int) -> Fault:
        it, limit = self._vms[vm], data & 0xFFFF  # a number too large for the field is no smaller one
        most = self.config.largest_quota
        if limit < it.charged or limit > most or self._promised() - it.quota + limit > self.config.blocks:
            return Fault.BAD_VALUE
        it.quota = limit
        return _NOTHING

    def _promised(self) -> int:
        return sum(it.quota for it in self._vms) + self._orphans

    def _manager_holdings_read(self, vm: int) -> int:
        it = self._vms[vm]
        return self._manager.HOLDINGS.pack(OWNED=it.owned, BORROWED=it.borrowed)

    def _manager_epoch_read(self) -> int:
        return self._epoch

    def _manager_epoch_write(self, data: int) -> Fault:
        self._epoch = data
        return _NOTHING

    # Nothing flips here but what is injected.
    def _manager_integrity_read(self) -> int:
        return self._manager.INTEGRITY.pack(
            FATAL=int(self._damage is not Damage.NONE), KIND=self._damage, ENABLE=self._integrity_enable
        )

    def _manager_integrity_write(self, data: int) -> Fault:
        self._integrity_enable = self._manager.INTEGRITY.ENABLE.get(data)
        return _NOTHING

    def _manager_integrity_pool_read(self) -> int:
        corrected, lost = self._flips[False]
        return self._manager.INTEGRITY_POOL.pack(CORRECTED=corrected, LOST=lost)

    def _manager_integrity_sram_read(self) -> int:
        corrected, lost = self._flips[True]
        return self._manager.INTEGRITY_SRAM.pack(CORRECTED=corrected, LOST=lost)

    def _manager_inject_read(self) -> int:
        return self._injection_seen

    def _manager_inject_write(self, data: int) -> Fault:
        register = self._manager.INJECT
        kind, index = Injection(register.KIND.get(data)), register.INDEX.get(data)
        if (
            kind not in (Injection.NONE, *self._injections)
            or (kind in INJECTED_PER_PORT and index >= len(self.config.ports))
            or (kind in INJECTED_PER_VM and index >= self.config.vms)
        ):
            return Fault.BAD_VALUE
        self._injection, self._injection_seen = None, 0
        self._injections_written += 1
        if kind in _DAMAGE:
            self._damage = self._damage or _DAMAGE[kind]
        elif kind is not Injection.NONE:
            self._injection = kind, index
            self._injection_seen = register.pack(KIND=kind, INDEX=index)
        return _NOTHING

    def _manager_tear_write(self, data: int) -> Fault:
        register = self._manager.TEAR
        vm, port = register.VM.get(data), register.PORT.get(data)
        if vm >= self.config.vms or port >= len(self.config.ports):
            return Fault.BAD_VALUE
        self._tear(port, vm)
        return _NOTHING

    def _manager_lock_read(self) -> int:
        return self._locked

    def _manager_lock_write(self, data: int) -> Fault:
        self._locked |= data & sum(field.mask for field in self._manager.LOCK.fields)
        return _NOTHING

    def _manager_arbitration_read(self) -> int:
        return self._arbitration

    def _manager_arbitration_write(self, data: int) -> Fault:
        self._arbitration = Arbitration(self._manager.ARBITRATION.MODE.get(data))
        return _NOTHING

    def _unless_locked(self, lock: Lock, act: Callable[[int], Fault], data: int) -> Fault:
        return Fault.BAD_VALUE if self._locked >> lock & 1 else act(data)

    def _clear_faults(self, record: int) -> None:
        self._write_faults[record] = _Record()
        self._read_faults[record] = _Record()
        self._faulty &= ~(1 << record)

    def _manager_fault_pending_read(self, half: int) -> int:
        return _half(self._faulty & self._everybody, half)

    def _manager_fault_pending_write(self, half: int, data: int) -> Fault:
        for vm in range(self.config.vms):
            if data << 32 * half >> vm & 1:
                self._clear_faults(vm)
        return _NOTHING

    def _manager_fault_enable_read(self, half: int) -> int:
        return _half(self._fault_enable, half)

    def _manager_fault_enable_write(self, half: int, data: int) -> Fault:
        self._fault_enable = self._with_half(self._fault_enable, half, data)
        return _NOTHING

    def _manager_stray_read(self) -> int:
        damaged = {"DAMAGED": int(self._damaged)} if self.config.protection else {}
        return self._manager.STRAY.pack(PENDING=self._faulty >> self.config.vms, ENABLE=self._stray_enable, **damaged)

    def _manager_stray_write(self, data: int) -> Fault:
        register = self._manager.STRAY
        if register.PENDING.get(data):
            self._clear_faults(self.config.vms)
        self._stray_enable = bool(register.ENABLE.get(data))
        return _NOTHING

    def _manager_waiting_read(self, half: int) -> int:
        return _half(self.waiting, half)

    def _manager_wait_arm_read(self, half: int) -> int:
        return _half(self._armed, half)

    def _manager_wait_arm_write(self, half: int, data: int) -> Fault:
        ones = self._with_half(0, half, data)
        self._armed |= ones
        self._arming |= ones
        return _NOTHING

    def _manager_wait_disarm_write(self, half: int, data: int) -> Fault:
        self._armed &= ~(data << 32 * half)
        self._arming &= ~(data << 32 * half)
        return _NOTHING

    def _manager_wait_fired_read(self, half: int) -> int:
        return _half(self._fired, half)

    def _manager_wait_fired_write(self, half: int, data: int) -> Fault:
        self._fired &= ~(data << 32 * half)
        return _NOTHING

    def _manager_resident_read(self, core: int) -> int:
        return self._manager.RESIDENT.pack(VM=self._resident_vm[core], VALID=self._resident[core] is not None)

    def _manager_resident_write(self, core: int, data: int) -> Fault:
        register = self._manager.RESIDENT
        vm, valid = register.VM.get(data), register.VALID.get(data)
        if self._fixed[core] is not None or (valid and vm >= self.config.vms):
            return Fault.BAD_VALUE
        self._resident[core] = vm if valid else None
        self._resident_vm[core] = vm % pow2(self.config.vms)
        return _NOTHING

    def _manager_control_read(self, vm: int) -> int:
        it = self._vms[vm]
        return self._manager.CONTROL.pack(
            STATE=self.state(vm), REFUSED=it.refused, KILLING=it.dying, QUEUED=len(it.queue)
        )

    def _wraps(self, vm: int) -> bool:
        """Return whether the generation that comes next may still be on a message."""
        return self._vms[vm].generation == 255 and any(receiver.used[vm] for receiver in self._vms)

    def _manager_control_write(self, vm: int, data: int) -> Fault:
        it = self._vms[vm]
        match data, it.state:
            case Command.OPEN, State.CLOSED if not (
                it.dying or self._wraps(vm) or (self.config.strict and self._orphans)
            ):
                if self._walking:
                    raise RuntimeError(f"VM {self._walking[0]} must be open before another command, not opening")
                self._walking = vm, 0
                while not self._stepped_open and not self.walk():
                    pass
            case Command.PAUSE, State.OPEN:
                self._enter(vm, State.PAUSED)
            case Command.RESUME, State.PAUSED:
                self._enter(vm, State.OPEN)
            case Command.DRAIN, (State.OPEN | State.PAUSED):
                self._enter(vm, State.DRAINING)
            case Command.CLOSE, (State.OPEN | State.PAUSED | State.DRAINING) if not (
                it.queue or it.owned or it.borrowed
            ):
                self._shut(vm)
            case Command.KILL, (State.OPEN | State.PAUSED | State.DRAINING):
                self._kill(vm)
            case _:
                it.refused = True
                return Fault.BAD_VALUE
        it.refused = False
        return _NOTHING

    def _manager_generation_read(self, vm: int) -> int:
        return self._vms[vm].generation

    def _manager_permit_read(self, vm: int, half: int) -> int:
        return _half(self._vms[vm].permit, half)

    def _manager_permit_write(self, vm: int, half: int, data: int) -> Fault:
        it = self._vms[vm]
        it.permit = self._with_half(it.permit, half, data)
        return _NOTHING

    def _manager_tag_match_read(self, entry: int) -> int:
        return self._tags[entry].match

    def _manager_tag_match_write(self, entry: int, data: int) -> Fault:
        return self._set_tag(entry, match=self._manager.TAG_MATCH.VALUE.get(data))

    def _manager_tag_mask_read(self, entry: int) -> int:
        return self._tags[entry].mask

    def _manager_tag_mask_write(self, entry: int, data: int) -> Fault:
        return self._set_tag(entry, mask=self._manager.TAG_MASK.VALUE.get(data))

    def _manager_tag_vm_read(self, entry: int) -> int:
        it = self._tags[entry]
        return self._manager.TAG_VM.pack(VM=it.vm, VALID=it.valid)

    def _manager_tag_vm_write(self, entry: int, data: int) -> Fault:
        register = self._manager.TAG_VM
        vm, valid = register.VM.get(data), register.VALID.get(data)
        if valid and vm >= self.config.vms:
            return Fault.BAD_VALUE
        return self._set_tag(entry, vm=vm % pow2(self.config.vms), valid=bool(valid))

    def _set_tag(self, entry: int, **values: int) -> Fault:
        for name, value in values.items():
            setattr(self._tags[entry], name, value)
        self._tag_vms.clear()
        return _NOTHING

    def _manager_fault_write_read(self, record: int) -> int:
        return self._info(self._manager.FAULT_WRITE, self._write_faults[record])

    def _manager_fault_write_address_read(self, record: int) -> int:
        return self._write_faults[record].address

    def _manager_fault_read_read(self, record: int) -> int:
        return self._info(self._manager.FAULT_READ, self._read_faults[record])

    def _manager_fault_read_address_read(self, record: int) -> int:
        return self._read_faults[record].address

    def _info(self, register: Register, record: _Record) -> int:
        return register.pack(KIND=record.kind, PORT=record.port, COUNT=record.count)

    def _manager_credits_read(self, receiver: int, sender: int) -> int:
        it = self._vms[receiver]
        return self._manager.CREDITS.pack(LIMIT=it.limit[sender], USED=it.used[sender])

    def _manager_credits_write(self, receiver: int, sender: int, data: int) -> Fault:
        it, limit = self._vms[receiver], data & 0xFFFF  # a number too large for the field is no smaller one
        if limit < it.used[sender] or sum(it.limit) - it.limit[sender] + limit > self.config.depth:
            return Fault.BAD_VALUE
        it.limit[sender] = limit
        return _NOTHING

    def _manager_count_clear_write(self, half: int, data: int) -> Fault:
        for vm in range(self.config.vms):
            if data << 32 * half >> vm & 1:
                self._count(vm, None)
        return _NOTHING

    def _manager_count(self, what: Count, vm: int) -> int:
        return self._vms[vm].counts[what]

    def _with_half(self, mask: int, half: int, data: int) -> int:
        return (mask & ~(_WORD << 32 * half) | data << 32 * half) & self._everybody


def _ignore(_: int) -> Fault:
    return _NOTHING


def _refused(fault: Fault) -> _Decoded:
    return _Decoded(fault, False, "", _ignore, ())


_CACHEABLE = _refused(Fault.CACHEABLE)


def _constant(register: Register) -> int:
    """Return what a register always reads as."""
    values = {field.name: field.reset for field in register.fields if field.access is Access.RO}
    return register.pack(**{name: value for name, value in values.items() if value is not None})


def _packer(register: Register, *names: str) -> Callable[..., int]:
    """Return a function that packs the named fields, from values that fit them."""
    shifts = tuple(getattr(register, name).lsb for name in names)

    def pack(*values: int) -> int:
        word = 0
        for value, shift in zip(values, shifts, strict=True):
            word |= value << shift
        return word

    return pack


def _half(mask: int, half: int) -> int:
    return mask >> 32 * half & _WORD
