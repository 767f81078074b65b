"""The guest's side: what a VM can do with its mailbox, one method for each thing that the hardware does.

There is no state here beyond addresses, and each method says how many accesses it takes. ``Sender`` has the policy that
most programs want on top.
"""

import sys
from array import array
from collections.abc import Sequence
from contextlib import suppress
from enum import IntFlag
from typing import NamedTuple

from postern_spec.config import Bus as BusKind
from postern_spec.config import Config, ConfigError, Identity, Manager, Port
from postern_spec.model import Page
from postern_spec.regmap import (
    MAGIC,
    VERSION,
    Handover,
    Holding,
    Interrupt,
    Kind,
    Popped,
    Result,
    Settled,
    State,
    address_map,
    guest_page,
    sources,
)

from .bus import Bus
from .errors import REFUSALS, BlockRefused, Denied, DeviceError, PeerGone, Timeout

__all__ = [
    "BlockInfo",
    "Credit",
    "Header",
    "Loan",
    "Mailbox",
    "Message",
    "Outcome",
    "Peer",
    "Quota",
    "Source",
    "Who",
    "probe",
]

_BLOCK_WORD = guest_page(Config(blocks=1)).RETURN  # the same in every block that has an SRAM


class Source(IntFlag):
    """Interrupt sources, as a mask."""

    NONE = 0
    MAIL = 1 << Interrupt.MAIL
    DOORBELL = 1 << Interrupt.DOORBELL
    CREDIT = 1 << Interrupt.CREDIT
    PEER = 1 << Interrupt.PEER
    REFUSAL = 1 << Interrupt.REFUSAL
    BLOCK = 1 << Interrupt.BLOCK
    LOAN = 1 << Interrupt.LOAN


class Who(NamedTuple):
    """Who the hardware says this is."""

    vm: int
    generation: int
    state: State
    port: int


class Peer(NamedTuple):
    """A VM that this one may send to."""

    vm: int
    generation: int
    alive: bool
    acknowledged: bool


class Credit(NamedTuple):
    """Messages that could still be sent to a VM, and the most that may wait there at a time."""

    available: int
    limit: int


class Header(NamedTuple):
    """What the hardware says of the oldest message."""

    length: int
    kind: Kind
    sender: int
    generation: int


class Loan(NamedTuple):
    """A block that came with a message, and how.

    Parameters
    ----------
    block : int
        Number of the block.
    how : Handover
        ``MOVE``: it is ours now. ``LEND``, ``SHOW``: it is to be given back.
    tag : int
        Which loan of this block it is; 0 of a move.
    """

    block: int
    how: Handover
    tag: int = 0

    @property
    def word(self) -> int:
        """The word that stands for it in messages and in ``RETURN``."""
        return _BLOCK_WORD.pack(KIND=self.how, TAG=self.tag, BLOCK=self.block)

    @classmethod
    def of(cls, word: int) -> "Loan":
        """Return the loan for which a word stands.

        Raises
        ------
        ValueError
            For none.
        """
        block, tag = _BLOCK_WORD.BLOCK.get(word), _BLOCK_WORD.TAG.get(word)
        loan = cls(block, Handover(_BLOCK_WORD.KIND.get(word)), tag)
        if loan.word != word:
            raise ValueError(f"word must be that of a block, not {word:#x}")
        return loan


class Message(NamedTuple):
    """A message that was received.

    Parameters
    ----------
    sender : int
        VM-ID of the sender.
    generation : int
        The sender's generation when it committed.
    words : tuple of int
        Payload, without the word of the block.
    loan : Loan or None
        The block that came with it.
    """

    sender: int
    generation: int
    words: tuple[int, ...]
    loan: Loan | None = None


class BlockInfo(NamedTuple):
    """What this VM has of a block.

    Parameters
    ----------
    block : int
        Number of the block.
    holding : Holding
        What it is.
    vm : int or None
        ``LENT``, ``SHOWN``: who has it. ``BORROWED``, ``WATCHED``: whose it is. ``OWNED``: ``None``.
    tag : int
        Tag of the loan; 0 if there is none.
    """

    block: int
    holding: Holding
    vm: int | None
    tag: int

    @property
    def loan(self) -> Loan | None:
        """The loan to this VM, as the message brought it; ``None`` where the block is its own."""
        how = {Holding.BORROWED: Handover.LEND, Holding.WATCHED: Handover.SHOW}.get(self.holding)
        return None if how is None else Loan(self.block, how, self.tag)


class Quota(NamedTuple):
    """Blocks that a VM has allocated and that were not freed yet, wherever they are, and the most it may have."""

    used: int
    limit: int


class Outcome(NamedTuple):
    """What became of a lane's commits since its last acknowledge.

    Parameters
    ----------
    code : Result
        ``ACCEPTED``, or the first refusal.
    vm : int
        Destination of that refusal.
    accepted : int
        Commits accepted, mod 256: exactly the first so many.
    """

    code: Result
    vm: int
    accepted: int

    def check(self) -> int:
        """Return ``accepted``.

        Raises
        ------
        NoCredit, Denied, PeerGone, Torn, BadBlock
            A commit was refused.
        """
        if self.code is not Result.ACCEPTED:
            raise REFUSALS[self.code](self.vm, self.accepted)
        return self.accepted


class _Probed(Config):
    """What ``probe`` found. The ports are made up: it does not say where their windows lie."""


def probe(bus: Bus, base: int = 0) -> Config:
    """Return what a guest can find out about a block: all that the addresses of its page depend on. Five reads, six
    where there is an SRAM.

    Raises
    ------
    DeviceError
        There is no block, this VM has no access to it, or it is of a kind that this driver does not know.
    """
    page = guest_page(Config(blocks=1, protection=True))  # the registers that tell lie at the same place in every block

    def read(name: str) -> int:
        return bus.read32(base + getattr(page, name).at())

    magic = read("MAGIC")
    if magic != MAGIC:
        raise DeviceError(f"MAGIC must be {MAGIC:#x}, not {magic:#x}")
    major = page.VERSION.MAJOR.get(read("VERSION"))
    if major != VERSION >> 16:
        raise DeviceError(f"major version of the register map must be {VERSION >> 16}, not {major}")
    features, dimensions, capacity = read("FEATURES"), read("DIMENSIONS"), read("CAPACITY")
    ports, cores = page.CAPACITY.PORTS.get(capacity), page.DIMENSIONS.CORES.get(dimensions)
    if not 1 <= ports <= cores <= 8 * ports:
        raise DeviceError(f"CORES must be from 1 to 8 for each of the {ports} ports, not {cores} in all")
    # Which port has which cores does not matter here, nor do bus and identity.
    more, rest = divmod(cores, ports)
    managed = page.FEATURES.MANAGER.get(features)
    memory = read("MEMORY") if page.FEATURES.BLOCKS.get(features) else 0
    try:
        return _Probed(
            ports=tuple(Port(BusKind.AXI4_LITE, Identity.STATIC, 0, more + (i < rest)) for i in range(ports)),
            vms=page.DIMENSIONS.VMS.get(dimensions),
            lanes=page.DIMENSIONS.LANES.get(dimensions),
            words=page.DIMENSIONS.WORDS.get(dimensions),
            depth=page.CAPACITY.DEPTH.get(capacity),
            page_stride=65536,
            manager=Manager.PAGE if managed else Manager.NONE,
            open_at_reset=not managed,
            credits=0,
            blocks=page.MEMORY.BLOCKS.get(memory),
            block_size=1 << page.MEMORY.SIZE_LOG.get(memory) if memory else Config.block_size,
            banks=page.MEMORY.BANKS.get(memory) if memory else Config.banks,
            moderation=bool(page.FEATURES.MODERATION.get(features)),
            protection=bool(managed and page.FEATURES.PROTECTION.get(features)),
            read_error=bool(page.FEATURES.READ_ERROR.get(features)),
        )
    except ConfigError as error:
        names = "DIMENSIONS, CAPACITY and MEMORY" if memory else "DIMENSIONS and CAPACITY"
        raise DeviceError(f"{names} must be those of a block: {error}") from None


class Mailbox:
    """The mailbox of the VM that uses this bus. Everything is an access or a few; nothing is buffered.

    Contexts that can preempt each other (cores, interrupt levels, threads) use different lanes or a lock.

    Parameters
    ----------
    bus : Bus
        The way to the registers.
    base : int
        Address of the guest page.
    config : Config or None
        The block, or whatever agrees with it in what ``probe`` returns. ``None``: probe.
    core : int or None
        Core on which this runs, counted over all ports: whose interrupt line ``wait`` and ``receive`` enable. ``None``:
        the first core behind the port that ``SELF`` names, all ports having as many; read when it is needed first.
    sram : int or None
        Address of this VM's window to the shared SRAM. ``None``: where the configuration puts it, the guest page being
        at ``base``; with an SRAM and a probed configuration it must be given before a block can be read or written.

    Raises
    ------
    DeviceError
        Probing found no block.
    """

    def __init__(
        self,
        bus: Bus,
        base: int = 0,
        config: Config | None = None,
        *,
        core: int | None = None,
        sram: int | None = None,
    ):
        c = config or probe(bus, base)
        self.bus = bus
        self.base = base
        self.config = c
        self._core = None if core is None else self._check_core(core)
        self._sram = sram
        self.page: Page = guest_page(c)
        self._read, self._write = bus.read32, bus.write32

        page, lanes, vms, words = self.page, range(c.lanes), range(c.vms), range(c.words)

        def at(name: str, *indices: int) -> int:
            address: int = base + getattr(page, name).at(*indices)
            return address

        # Addresses of all that is used often; indices are checked where they come in.
        self._stage = [[at("STAGE", lane, word) for word in words] for lane in lanes]
        kinds = (Kind.PLAIN, Kind.BLOCK) if c.blocks else (Kind.PLAIN,)
        self._commit, *self._commit_block = (
            [[[at("COMMIT", lane, kind, many, vm) for vm in vms] for many in (0, 1)] for lane in lanes]
            for kind in kinds
        )
        self._word = [at("WORD", word) for word in words]
        self._header = [at("HEADER", lane) for lane in lanes]
        self._pop = [at("POP", lane) for lane in lanes]
        self._result = [at("RESULT", lane) for lane in lanes]
        self._ack = [at("ACK", lane) for lane in lanes]
        self._rx_result = [at("RX_RESULT", lane) for lane in lanes]
        self._peer = [at("PEER", vm) for vm in vms]
        self._credit = [at("CREDIT", vm) for vm in vms]
        self._enable = [at("IRQ_ENABLE", core) for core in range(c.cores)]
        self._pending = [at("PENDING", half) for half in range((c.vms + 31) // 32)]
        self._self, self._epoch, self._ring = at("SELF"), at("EPOCH"), at("RING")
        self._irq_state, self._irq_test = at("IRQ_STATE"), at("IRQ_TEST")
        if c.blocks:
            self._free = [at("FREE", lane) for lane in lanes]
            self._return = [at("RETURN", lane) for lane in lanes]
            self._revoke = [at("REVOKE", lane) for lane in lanes]
            self._settled = [at("BLOCK_RESULT", lane) for lane in lanes]
            self._alloc, self._quota = at("ALLOC"), at("QUOTA")
        header = page.HEADER
        self._count, self._kind, self._sender, self._generation = (
            (field.lsb, (1 << field.width) - 1)
            for field in (header.COUNT, header.KIND, header.SENDER, header.GENERATION)
        )

    @property
    def core(self) -> int:
        """Core on which this runs."""
        if self._core is None:
            ports, cores = len(self.config.ports), self.config.cores
            if cores % ports:
                raise ValueError(f"core must be given where {ports} ports share {cores} cores, not None")
            self._core = self.identity().port * (cores // ports)
        return self._core

    # Who and whom

    def identity(self) -> Who:
        """Return who the hardware says we are. One read.

        Raises
        ------
        DeviceError
            Nobody: the VM is closed.
        """
        word, register = self._read(self._self), self.page.SELF
        generation, state = register.GENERATION.get(word), State(register.STATE.get(word))
        if not generation or state is State.CLOSED:
            raise DeviceError(f"SELF must be that of an open VM, not {word:#x}")
        return Who(register.VM.get(word), generation, state, register.PORT.get(word))

    def epoch(self) -> int:
        """Return the boot epoch that the manager supplied. One read."""
        return self._read(self._epoch)

    def peer(self, vm: int) -> Peer | None:
        """Return what is known of a VM, ``None`` where we may not send to it. One read."""
        self._check_vm(vm)
        word, register = self._read(self._peer[vm]), self.page.PEER
        if not register.REACHABLE.get(word):
            if word:
                raise DeviceError(f"PEER of VM {vm} must be zero or reachable, not {word:#x}")
            return None
        return Peer(
            vm,
            register.GENERATION.get(word),
            bool(register.ALIVE.get(word)),
            bool(register.ACKNOWLEDGED.get(word)),
        )

    def peers(self) -> list[Peer]:
        """Return the VMs that we may send to. One read for each VM of the block."""
        found = (self.peer(vm) for vm in range(self.config.vms))
        return [peer for peer in found if peer]

    def connect(self, vm: int) -> int:
        """Acknowledge the generation of a VM, so that we can send to it, and return it. One read, one write.

        A generation that ends between the two is not acknowledged; then commits are refused as ``PEER_GONE``.

        Raises
        ------
        Denied
            We may not send to it.
        PeerGone
            It is closed or draining.
        """
        peer = self.peer(vm)
        if peer is None:
            raise Denied(vm)
        if not peer.alive:
            raise PeerGone(vm)
        self._write(self._peer[vm], peer.generation)
        return peer.generation

    def credit(self, vm: int) -> Credit:
        """Return our credit at a VM; zero where we may not send to it. One read."""
        self._check_vm(vm)
        word, register = self._read(self._credit[vm]), self.page.CREDIT
        return Credit(register.AVAILABLE.get(word), register.LIMIT.get(word))

    # Send

    def send(self, dest: int, words: Sequence[int], lane: int = 0) -> None:
        """Send a message: as many writes as words, and nothing else.

        What became of it is in ``result``. Who counts credits asks once per batch of at most 255 messages.

        Parameters
        ----------
        dest : int
            VM-ID of the receiver.
        words : sequence of int
            Payload, 1 to ``config.words`` words of 32 bits.
        lane : int
            Lane.

        Raises
        ------
        ValueError
            A parameter outside its limits. Nothing was committed.
        """
        count = len(words)
        c = self.config
        if not 0 < count <= c.words:
            raise ValueError(f"message must be of 1 to {c.words} words, not {count}")
        if not 0 <= dest < c.vms:
            self._check_vm(dest)
        if not 0 <= lane < c.lanes:
            self._check_lane(lane)
        write = self._write
        if count > 1:
            stage = self._stage[lane]
            for index in range(count - 1):
                write(stage[index], words[index])
        write(self._commit[lane][count > 1][dest], words[-1])

    def check(self, dest: int, words: Sequence[int]) -> None:
        """Raise ``ValueError`` where ``send`` would. No access."""
        if not 0 < len(words) <= self.config.words:
            raise ValueError(f"message must be of 1 to {self.config.words} words, not {len(words)}")
        for word in words:
            if word >> 32:
                raise ValueError(f"word must be from 0 to 0xffffffff, not {word:#x}")
        self._check_vm(dest)

    def result(self, lane: int = 0) -> Outcome:
        """Return what became of a lane's commits since its last acknowledge. One read.

        Raises
        ------
        DeviceError
            No outcome: the VM is closed.
        """
        self._check_lane(lane)
        word, register = self._read(self._result[lane]), self.page.RESULT
        code = register.CODE.get(word)
        known = code in REFUSALS and (code != Result.BAD_BLOCK or self.config.blocks)
        if code != Result.ACCEPTED and not known:
            raise DeviceError(f"RESULT must hold the outcome of a commit, not {word:#x}")
        return Outcome(Result(code), register.VM.get(word), register.COUNT.get(word))

    def acknowledge(self, lane: int = 0) -> None:
        """Acknowledge the result: the lane accepts again, and its count restarts. One write."""
        self._check_lane(lane)
        self._write(self._ack[lane], 1)

    # Receive

    def header(self, lane: int = 0) -> Header | None:
        """Return the header of the oldest message, ``None`` where there is none, and let this lane pop it. One read.

        Raises
        ------
        DeviceError
            The header is none of this block.
        """
        self._check_lane(lane)
        word = self._read(self._header[lane])
        return self._parse(word) if word else None

    def try_receive(self, lane: int = 0) -> Message | None:
        """Take the oldest message, ``None`` where there is none. One read more than the message has words.

        A last word of zero costs another read, to be told from a message that another lane of this VM took first. In
        that case it looks again.

        Raises
        ------
        DeviceError
            The block holds what it cannot hold.
        """
        self._check_lane(lane)
        read = self._read
        while word := read(self._header[lane]):
            header = self._parse(word)
            words = [read(address) for address in self._word[: header.length - 1]]
            last = read(self._pop[lane])
            if last or self._popped(lane):
                if header.kind is Kind.BLOCK:
                    return Message(header.sender, header.generation, tuple(words), self._loan(last))
                words.append(last)
                return Message(header.sender, header.generation, tuple(words))
        return None

    def receive(self, lane: int = 0, timeout: float | None = None) -> Message:
        """Take the oldest message, and wait for one if there is none. Where there is one it is ``try_receive``.

        Raises
        ------
        Timeout
            None came within ``timeout`` seconds.
        DeviceError
            The block holds what it cannot hold.
        """
        while (message := self.try_receive(lane)) is None:
            self.wait(Source.MAIL, timeout)
        return message

    def _parse(self, word: int) -> Header:
        (count_at, count), (kind_at, kind), (sender_at, sender), (generation_at, generation) = (
            self._count,
            self._kind,
            self._sender,
            self._generation,
        )
        header = Header(
            word >> count_at & count,
            Kind.BLOCK if word >> kind_at & kind else Kind.PLAIN,
            word >> sender_at & sender,
            word >> generation_at & generation,
        )
        if not 0 < header.length <= self.config.words or header.sender >= self.config.vms or not header.generation:
            raise DeviceError(f"HEADER must be zero or that of a message, not {word:#x}")
        return header

    def _loan(self, word: int) -> Loan:
        try:
            loan = Loan.of(word)
        except ValueError:
            loan = None
        if loan is None or loan.block >= self.config.blocks:
            raise DeviceError(f"POP of a message with a block must name one, not {word:#x}")
        return loan

    def _popped(self, lane: int) -> bool:
        word = self._read(self._rx_result[lane])
        if word not in (Popped.POPPED, Popped.STALE):
            raise DeviceError(f"RX_RESULT must be POPPED or STALE after a pop, not {word:#x}")
        return word == Popped.POPPED

    # Blocks. A method for each thing that a VM can do with them; none of them waits.

    def alloc(self) -> int | None:
        """Allocate a block, which reads as zero, and return its number. ``None``: no quota left, no clean block yet, or
        this VM is draining. One read.

        After ``None``, ``BLOCK`` is raised when it is worth another try.

        Raises
        ------
        DeviceError
            The block holds what it cannot hold.
        """
        self._check_blocks()
        word, register = self._read(self._alloc), self.page.ALLOC
        if not word:
            return None
        block = register.BLOCK.get(word)
        if not register.VALID.get(word) or block >= self.config.blocks:
            raise DeviceError(f"ALLOC must be zero or a block, not {word:#x}")
        return block

    def free(self, block: int, lane: int = 0) -> None:
        """Give up a block of this VM. One write, one read.

        Raises
        ------
        BlockRefused
            It is not this VM's, or lent or shown.
        """
        self._check_block(block)
        if self._settle(self._free, lane, block) is not Settled.DONE:
            raise BlockRefused(block, "this VM's and neither lent nor shown to be freed")

    def give_back(self, loan: Loan, lane: int = 0) -> bool:
        """Give a borrowed block back. One write, one read.

        Whoever copied from the block acts on the copy only where this returns true: the loan stood until now, so what
        was read was the owner's and not the zeros of a block that was taken back.

        Returns
        -------
        bool
            The loan stood. ``False``: it was over already, and nothing has changed.
        """
        self._check_block(loan.block)
        return self._settle(self._return, lane, loan.word) is Settled.DONE

    def revoke(self, block: int, lane: int = 0) -> None:
        """End the loan of a block of this VM. One write, one read.

        Raises
        ------
        BlockRefused
            It is not this VM's, or neither lent nor shown (any more).
        """
        self._check_block(block)
        if self._settle(self._revoke, lane, block) is not Settled.DONE:
            raise BlockRefused(block, "this VM's, and lent or shown, to be revoked")

    def send_block(self, dest: int, words: Sequence[int], block: int, how: Handover, lane: int = 0) -> None:
        """Send a message that hands a block over: as many writes as words, the block being the last one.

        What became of it is in ``result``, as with ``send``. What was written into the block before through this bus is
        there for the receiver; see ``publish`` for what was written through another one.

        Parameters
        ----------
        dest : int
            VM-ID of the receiver.
        words : sequence of int
            Payload, 0 to ``config.words - 1`` words of 32 bits.
        block : int
            The block, which is this VM's and neither lent nor shown.
        how : Handover
            ``MOVE``, ``LEND`` or ``SHOW``.
        lane : int
            Lane.

        Raises
        ------
        ValueError
            A parameter outside its limits. Nothing was committed.
        """
        count = len(words)
        if not 0 <= count < self.config.words:
            raise ValueError(
                f"message with a block must be of 0 to {self.config.words - 1} words beside it, not {count}"
            )
        self._check_block(block)
        self._check_vm(dest)
        self._check_lane(lane)
        last = Loan(block, Handover(how)).word
        write, stage = self._write, self._stage[lane]
        for index in range(count):
            write(stage[index], words[index])
        write(self._commit_block[0][lane][count > 0][dest], last)

    def holding(self, block: int) -> BlockInfo | None:
        """Return what this VM has of a block, ``None`` where that is nothing. One read."""
        self._check_block(block)
        register = self.page.BLOCK
        word = self._read(self.base + register.at(block))
        holding, vm, tag = register.HOLDING.get(word), register.VM.get(word), register.TAG.get(word)
        if not holding:
            if word:
                raise DeviceError(f"BLOCK of block {block} must be zero or say what is held, not {word:#x}")
            return None
        try:
            what = Holding(holding)
        except ValueError:
            raise DeviceError(f"BLOCK of block {block} must be zero or say what is held, not {word:#x}") from None
        return BlockInfo(block, what, None if what is Holding.OWNED else vm, tag)

    def holdings(self) -> list[BlockInfo]:
        """Return what this VM has of all blocks. One read for each block that there is."""
        found = (self.holding(block) for block in range(self.config.blocks))
        return [info for info in found if info]

    def quota(self) -> Quota:
        """Return what this VM has allocated and may allocate. One read."""
        self._check_blocks()
        word, register = self._read(self._quota), self.page.QUOTA
        return Quota(register.USED.get(word), register.LIMIT.get(word))

    @property
    def sram(self) -> int:
        """Address of this VM's window to the shared SRAM. The first time it may take a read, of ``SELF``.

        Raises
        ------
        ValueError
            There is no SRAM, or nobody said where it is.
        """
        self._check_blocks()
        if self._sram is None:
            if isinstance(self.config, _Probed):
                raise ValueError("sram must be given where the configuration was probed, not None")
            who = self.identity()
            where = address_map(self.config, who.port)
            self._sram = self.base - where.guest(who.vm) + where.sram(who.vm)
        return self._sram

    def write_sram(self, block: int, offset: int, data: bytes) -> None:
        """Write into a block: an access, or a beat of a burst, for each word.

        A write without the right to it is refused by the hardware, changes nothing and is logged for the manager.

        Parameters
        ----------
        block : int
            The block.
        offset : int
            Where in it, a multiple of 4.
        data : bytes
            What. A last word that is not whole is filled up with zeros.

        Raises
        ------
        ValueError
            Outside the block, or not at a word.
        """
        address = self._place(block, offset, len(data))
        self.bus.write_burst(address, _words_of(data))

    def read_sram(self, block: int, offset: int, length: int) -> bytes:
        """Read from a block: an access, or a beat of a burst, for each word.

        What this VM may not read is zero.

        Parameters
        ----------
        block : int
            The block.
        offset : int
            Where in it, a multiple of 4.
        length : int
            Bytes.

        Raises
        ------
        ValueError
            Outside the block, or not at a word.
        """
        address = self._place(block, offset, length)
        return _bytes_of(self.bus.read_burst(address, (length + 3) // 4), length)

    def publish(self) -> None:
        """Return when every write through this bus has taken effect, in SRAM as in registers. One read.

        A message through this bus needs it not: accesses of one bus take effect in their order. It is for what others
        learn by another way: before a core that uses another port is told, through memory, to hand a block over.
        """
        self._read(self._self)

    def _place(self, block: int, offset: int, length: int) -> int:
        self._check_block(block)
        size = self.config.block_size
        if offset % 4:
            raise ValueError(f"offset must be a multiple of 4, not {offset}")
        if not 0 <= offset <= offset + length <= size:
            raise ValueError(f"data must lie in the {size} bytes of a block, not at {offset} to {offset + length}")
        return self.sram + block * size + offset

    def _settle(self, addresses: list[int], lane: int, word: int) -> Settled:
        self._check_lane(lane)
        self._write(addresses[lane], word)
        result = self._read(self._settled[lane])
        try:
            outcome = Settled(result)
        except ValueError:
            outcome = Settled.NONE
        if outcome is Settled.NONE or (outcome is Settled.REFUSED and addresses is self._return):
            raise DeviceError(f"BLOCK_RESULT must hold the outcome of what was written, not {result:#x}")
        return outcome

    # All of it

    def reset(self, passes: int = 16) -> int:
        """Begin anew on a VM that is running: give back, take back and free all blocks, forget all else.

        For a driver that starts where another one was. It takes what waits and throws it away, together with the blocks
        that came with it; returns all loans, revokes and frees all blocks; empties the lanes at this port and
        acknowledges all of them; clears doorbells and interrupts and disables them on all cores. So nothing that was
        lost stays lost: no block, no credit. What arrives meanwhile is thrown away or kept whole.
        No other context of this VM may use the mailbox meanwhile. Lanes at other ports keep what was staged there.

        Parameters
        ----------
        passes : int
            How often it looks for blocks before it gives up, at least 1. Once more than there are blocks is enough
            where peers do not go on handing over more; usually two are.

        Returns
        -------
        int
            How many messages were thrown away.

        Raises
        ------
        Timeout
            Peers went on handing blocks over.
        """
        c = self.config
        everything = sum(1 << source for source in sources(c))
        for core in range(c.cores):
            self._write(self._enable[core], 0)
        for lane in range(c.lanes):
            # One word staged and a commit of just one: that is torn, whatever the lane held, and it is empty then.
            self._write(self._stage[lane][0], 0)
            self._write(self._commit[lane][0][0], 0)
            self._write(self._ack[lane], 1)
        thrown = 0
        for _ in range(passes):
            # What was committed before this loop is gone after it, so that no message that stays has a block that is
            # given up here.
            for _ in range(c.depth):
                if self.try_receive() is None:
                    break
                thrown += 1
            if not (c.blocks and self._release()):
                break
        else:
            raise Timeout(f"peers must stop handing blocks over within {passes} passes, not go on")
        if c.moderation:
            self.moderation(0, 0)
        self.clear_pending((1 << c.vms) - 1)
        self.irq_clear(everything)
        return thrown

    def _release(self) -> bool:
        """Give up all blocks; return whether there were any."""
        found = self.holdings()
        for info in found:
            if info.loan:
                self.give_back(info.loan)
                continue
            if info.holding is not Holding.OWNED:
                with suppress(BlockRefused):  # it came back by itself since
                    self.revoke(info.block)
            self.free(info.block)
        return bool(found)

    # Doorbells

    def ring(self, vm: int) -> None:
        """Ring the doorbell of a VM. One write.

        It says nothing more than "look": rings coalesce, and there is no result. A ring without permission is
        refused and logged for the manager, one to a VM that is closed, draining or not connected does nothing.
        """
        self._check_vm(vm)
        self._write(self._ring, vm)

    def pending(self) -> int:
        """Return who rang, one bit per VM. One read, two in a block of more than 32 VMs."""
        mask = 0
        for half, address in enumerate(self._pending):
            mask |= self._read(address) << 32 * half
        return mask

    def clear_pending(self, mask: int) -> None:
        """Clear the bits of ``mask``, before looking at what the ring was about. One write for every 32 VMs with one.

        A ring in the same moment is not lost: it is pending again.
        """
        self._check_mask(mask)
        for half, address in enumerate(self._pending):
            if part := mask >> 32 * half & 0xFFFF_FFFF:
                self._write(address, part)

    # Interrupts

    def irq_state(self) -> Source:
        """Return the sources that are active, enabled or not. One read."""
        return Source(self._read(self._irq_state))

    def irq_clear(self, sources: int) -> None:
        """Clear sources. ``MAIL``, ``DOORBELL`` and ``REFUSAL`` stay active while their cause lasts. One write."""
        self._write(self._irq_state, sources)

    def irq_test(self, sources: int) -> None:
        """Make sources active, to test the way to the handler. One write."""
        self._write(self._irq_test, sources)

    def irq_enable(self, sources: int, core: int | None = None) -> None:
        """Let just these sources raise the line of a core (of this one) while this VM is resident there. One write."""
        self._write(self._enable[self.core if core is None else self._check_core(core)], sources)

    def irq_enabled(self, core: int | None = None) -> Source:
        """Return the sources that raise the line of a core (of this one). One read."""
        return Source(self._read(self._enable[self.core if core is None else self._check_core(core)]))

    def moderation(self, count: int, time: int) -> None:
        """Hold ``MAIL`` back until ``count`` messages wait, or for ``time`` clock cycles. 0 and 0: not at all. One
        write.

        Raises
        ------
        ValueError
            Outside the limits, or the block was built without moderation.
        """
        if not self.config.moderation:
            raise ValueError("block must be built with moderation to hold interrupts back, not without")
        register = self.page.IRQ_MODERATION
        self._write(self.base + register.at(), register.pack(COUNT=count, TIME=time))

    def wait(self, sources: int, timeout: float | None = None) -> Source:
        """Wait until one of ``sources`` is active, and return which are. Enables just these on this core, and leaves
        it so.

        Raises
        ------
        Timeout
            None became active within ``timeout`` seconds.
        """
        while not (active := self.irq_state() & sources):
            self.irq_enable(sources)
            self.bus.note = str(Source(sources).name).replace("|", " or ")
            if not self.bus.wait_for_interrupt(timeout):
                raise Timeout(f"{self.bus.note} must become active within {timeout} s, not later")
        return active

    # Arguments

    def _check_vm(self, vm: int) -> None:
        if not 0 <= vm < self.config.vms:
            raise ValueError(f"VM must be from 0 to {self.config.vms - 1}, not {vm}")

    def _check_blocks(self) -> None:
        if not self.config.blocks:
            raise ValueError("block must be built with an SRAM to have blocks of it, not without")

    def _check_block(self, block: int) -> None:
        if not 0 <= block < self.config.blocks:
            self._check_blocks()
            raise ValueError(f"block must be from 0 to {self.config.blocks - 1}, not {block}")

    def _check_lane(self, lane: int) -> None:
        if not 0 <= lane < self.config.lanes:
            raise ValueError(f"lane must be from 0 to {self.config.lanes - 1}, not {lane}")

    def _check_core(self, core: int) -> int:
        if not 0 <= core < self.config.cores:
            raise ValueError(f"core must be from 0 to {self.config.cores - 1}, not {core}")
        return core

    def _check_mask(self, mask: int) -> None:
        if not 0 <= mask < 1 << self.config.vms:
            raise ValueError(f"mask must have no bit beyond VM {self.config.vms - 1}, not {mask:#x}")


def _words_of(data: bytes) -> Sequence[int]:
    """Return the little-endian words of some bytes, the last one filled up with zeros."""
    words = array("I", bytes(data) + bytes(-len(data) % 4))
    if sys.byteorder != "little":
        words.byteswap()
    return words


def _bytes_of(words: Sequence[int], length: int) -> bytes:
    """Return the first bytes of little-endian words."""
    packed = array("I", words)
    if sys.byteorder != "little":
        packed.byteswap()
    return packed.tobytes()[:length]
