"""The register map: guest page, manager page, and where they lie in the address space of a port.

This is the one description of the registers. RTL decoder, driver, C header, SystemRDL and documentation derive from it.

Layout rule, the same for every configuration: regions follow one another in the order below, each rounded up to a power
of two and aligned to its size, array strides rounded up likewise. So a decoder compares address bits and never subtracts,
and software that reads ``DIMENSIONS`` can compute every address. Every register lies at a stride of 8 bytes with an inert
upper half.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from .config import Config, Identity, Manager
from .model import Access, Dim, Field, Page, Register, pow2

__all__ = [
    "AddressMap",
    "Arbitration",
    "Command",
    "Count",
    "Damage",
    "Fault",
    "Handover",
    "Holding",
    "INJECTED_PER_PORT",
    "INJECTED_PER_VM",
    "Injection",
    "Interrupt",
    "Kind",
    "LOCKED",
    "Lock",
    "MAGIC",
    "Popped",
    "Result",
    "Settled",
    "State",
    "VERSION",
    "address_map",
    "counts",
    "guest_page",
    "injections",
    "locks",
    "manager_page",
    "sources",
]

MAGIC = 0x4E545350
"""``PSTN`` in the order of its bytes in memory."""

VERSION = 0x0001_0000
"""Version of the register map, major in the upper half. A new major version breaks drivers."""


class Result(IntEnum):
    """Outcome of a commit."""

    ACCEPTED = 1
    NO_CREDIT = 2
    DENIED = 3
    PEER_GONE = 4
    TORN = 5
    BAD_BLOCK = 6


class Popped(IntEnum):
    """Outcome of a pop."""

    NONE = 0
    POPPED = 1
    STALE = 2


class Kind(IntEnum):
    """What a message carries."""

    PLAIN = 0
    BLOCK = 1


class Handover(IntEnum):
    """How a message hands its block over."""

    MOVE = 1  # the receiver becomes the owner
    LEND = 2  # the receiver reads; nobody writes until the loan is over
    SHOW = 3  # the receiver reads while the owner goes on writing


class Settled(IntEnum):
    """Outcome of FREE, RETURN and REVOKE."""

    NONE = 0
    DONE = 1
    STALE = 2  # RETURN: this loan was over already
    REFUSED = 3  # not the requester's block, or not in a state that allows it


class Holding(IntEnum):
    """What a VM has of a block."""

    NONE = 0
    OWNED = 1
    LENT = 2  # its own, and lent out
    SHOWN = 3  # its own, and shown to somebody
    BORROWED = 4  # lent to it
    WATCHED = 5  # shown to it


class Interrupt(IntEnum):
    """Interrupt sources: bit positions in STATE, TEST and ENABLE. The last two only with blocks."""

    MAIL = 0
    DOORBELL = 1
    CREDIT = 2
    PEER = 3
    REFUSAL = 4
    BLOCK = 5
    LOAN = 6


class State(IntEnum):
    """State of a VM."""

    CLOSED = 0
    OPEN = 1
    PAUSED = 2
    DRAINING = 3


class Command(IntEnum):
    """What the manager asks of a VM."""

    OPEN = 1
    PAUSE = 2
    RESUME = 3
    DRAIN = 4
    CLOSE = 5
    KILL = 6


class Fault(IntEnum):
    """Why an access was refused. ``docs/states.md``, section 1, says which one counts where several apply."""

    NONE = 0
    NO_VM = 1  # the tag matches no VM, or nobody is resident
    UNALIGNED = 2  # an address that is not a multiple of four
    NOT_MANAGER = 3  # the manager page, by somebody else
    CLOSED = 4  # by a VM that is not open
    UNMAPPED = 5  # nothing is there
    DIRECTION = 6  # a write of a read-only register, a read of a write-only one
    PARTIAL = 7  # a write without all of its byte strobes
    DENIED = 8  # a commit or a doorbell to a VM that may not be reached
    BAD_VALUE = 9  # a manager's value that must not take effect
    BLOCK = 10  # a block that the VM has no such right to
    CACHEABLE = 11  # a transaction that asks for allocation in a cache, at a port that refuses these


class Lock(IntEnum):
    """What the manager can lock until reset: bit positions in LOCK."""

    TAGS = 0
    PERMISSIONS = 1
    CREDITS = 2
    QUOTAS = 3
    RESIDENCY = 4
    ARBITRATION = 5
    INJECTION = 6


class Arbitration(IntEnum):
    """How ports that want the same thing take turns."""

    ROUND_ROBIN = 0
    STRICT = 1


class Damage(IntEnum):
    """Where a flipped bit was found that closed the block. ``docs/states.md``, section 17."""

    NONE = 0
    FATAL = 1  # the fatal state itself
    TAGS = 2  # what tags mean, who is resident, locks
    PORT = 3  # held requests and lanes
    VMS = 4  # states, generations, permissions
    QUEUES = 5  # descriptors and credits
    BLOCKS = 6  # owners, quotas, the ring of free blocks, scrubbing


class Injection(IntEnum):
    """What INJECT flips for the checks to find. ``docs/states.md``, section 17."""

    NONE = 0
    WORD_ONE = 1  # one bit of a word of a message, two
    WORD_TWO = 2
    SRAM_ONE = 3  # one bit of a byte of the SRAM, two
    SRAM_TWO = 4
    FATAL = 5  # the fatal state itself
    TAGS = 6  # an entry of the tag table
    LOCKS = 7
    REQUEST = 8  # whose request a port holds
    LANES = 9  # which lanes of a port are in use
    STATES = 10  # of VMs
    PERMISSIONS = 11
    DESCRIPTOR = 12  # the head of a queue
    CREDITS = 13
    RIGHTS = 14  # whose a block is
    BLOCKS = 15  # counts and pointers of blocks without an owner


INJECTED_PER_PORT = (
    Injection.WORD_ONE, Injection.WORD_TWO, Injection.SRAM_ONE, Injection.SRAM_TWO, Injection.REQUEST, Injection.LANES,
)  # fmt: skip
"""Kinds for which INJECT names a port."""

INJECTED_PER_VM = (Injection.DESCRIPTOR, Injection.CREDITS)
"""Kinds for which INJECT names a VM."""


class Count(IntEnum):
    """What is counted of a VM: positions in its row of counters. ``docs/states.md``, section 14."""

    DOORBELLS = 0
    SENT = 1  # these six as in Result
    NO_CREDIT = 2
    DENIED = 3
    PEER_GONE = 4
    TORN = 5
    BAD_BLOCK = 6
    IGNORED = 7
    RECEIVED = 8
    WAITED = 9
    QUEUE_PEAK = 10
    BLOCKS_PEAK = 11


LOCKED = {
    Lock.TAGS: ("TAG_MATCH", "TAG_MASK", "TAG_VM"),
    Lock.PERMISSIONS: ("PERMIT",),
    Lock.CREDITS: ("CREDITS",),
    Lock.QUOTAS: ("QUOTA",),
    Lock.RESIDENCY: ("RESIDENT",),
    Lock.ARBITRATION: ("ARBITRATION",),
    Lock.INJECTION: ("INJECT",),
}
"""Registers of the manager page that a lock keeps from being written."""

RO, RW, W1C, W1S, WO, RA = Access.RO, Access.RW, Access.W1C, Access.W1S, Access.WO, Access.RA

BLOCK_FIELDS = (
    Field("BLOCK", 0, 10, WO, "Number of the block.", 0),
    Field("TAG", 16, 8, WO, "Which loan of this block; 0 of a move.", 0),
    Field("KIND", 30, 2, WO, "How it is handed over.", 0, Handover),
)
"""The last word of a message with a block. The sender leaves TAG zero, the receiver sees it filled in."""

FAULT_RECORDS_EXTRA = 1
"""Fault records beyond one per VM: the last one is for requests without a VM-ID."""


# The tables below stay one entry per line, for reading; the formatter would triple their height.
# fmt: off

def sources(c: Config) -> tuple[Interrupt, ...]:
    """Return the interrupt sources of a VM that a block has."""
    return tuple(item for item in Interrupt if c.blocks or item not in (Interrupt.BLOCK, Interrupt.LOAN))


def locks(c: Config) -> tuple[Lock, ...]:
    """Return the locks that a block has: those of what there is to be configured."""
    if c.manager is Manager.NONE:
        return ()
    return tuple(
        item for item in Lock
        if (c.tags or item is not Lock.TAGS) and (c.blocks or item is not Lock.QUOTAS)
        and (c.strict or item is not Lock.ARBITRATION) and (c.protection or item is not Lock.INJECTION)
    )


def injections(c: Config) -> tuple[Injection, ...]:
    """Return what can be injected into a block: flips of what it has."""
    if not c.protection:
        return ()
    missing = set()
    if not c.blocks:
        missing |= {Injection.SRAM_ONE, Injection.SRAM_TWO, Injection.RIGHTS, Injection.BLOCKS}
    if not c.tags:
        missing |= {Injection.TAGS}
    if not c.request_register:
        missing |= {Injection.REQUEST}
    return tuple(item for item in Injection if item not in missing and item is not Injection.NONE)


def counts(c: Config) -> tuple[Count, ...]:
    """Return the counters of a VM that a block has."""
    if not c.counters:
        return ()
    return tuple(item for item in Count if c.blocks or item not in (Count.BAD_BLOCK, Count.BLOCKS_PEAK))


@lru_cache(maxsize=256)
def guest_page(c: Config) -> Page:
    """Return the registers that a guest sees."""
    regs: list[Register] = []
    vms, lanes, words, cores = pow2(c.vms), pow2(c.lanes), pow2(c.words), pow2(c.cores)
    active = len(sources(c))
    bits = min(c.vms, 32)
    halves = (Dim("half", (c.vms + 31) // 32, 8),)

    regs += [
        Register("MAGIC", 0x00, "Identifies the block.", (Field("VALUE", 0, 32, RO, "`PSTN` in the order of its bytes.", MAGIC),)),
        Register("VERSION", 0x08, "Version of this register map.", (
            Field("MINOR", 0, 16, RO, "Grows with every addition.", VERSION & 0xFFFF),
            Field("MAJOR", 16, 16, RO, "Grows with every change that breaks a driver.", VERSION >> 16))),
        Register("FEATURES", 0x10, "What was built in.", (
            Field("MODERATION", 0, 1, RO, "Mail interrupts can be moderated.", int(c.moderation)),
            Field("MANAGER", 1, 1, RO, "There is a manager page.", int(c.manager is not Manager.NONE)),
            Field("READ_ERROR", 2, 1, RO, "Refused reads raise a bus error.", int(c.read_error)),
            Field("BLOCKS", 3, 1, RO, "There is a shared SRAM with blocks.", int(c.blocks > 0)),
            *([Field("PROTECTION", 4, 1, RO, "Flipped bits are detected.", 1)] if c.protection else ()))),
        Register("DIMENSIONS", 0x18, "Sizes, from which software computes addresses.", (
            Field("VMS", 0, 7, RO, "VM-IDs.", c.vms),
            Field("LANES", 8, 4, RO, "Lanes of a VM.", c.lanes),
            Field("WORDS", 16, 5, RO, "Longest message in words.", c.words),
            Field("CORES", 24, 8, RO, "Cores behind all ports.", c.cores))),
        Register("CAPACITY", 0x20, "Sizes that no address depends on.", (
            Field("DEPTH", 0, 9, RO, "Messages in a queue.", c.depth),
            Field("PORTS", 16, 5, RO, "Bus ports.", len(c.ports)))),
        Register("SELF", 0x28, "Who the requester is.", (
            Field("VM", 0, 6, RO, "VM-ID of this request.", None),
            Field("GENERATION", 8, 8, RO, "How often this VM-ID was opened; 1 to 255, then 1 again.", None),
            Field("STATE", 16, 2, RO, "State of the VM.", None, State),
            Field("PORT", 24, 4, RO, "Port that carried this read.", None))),
        Register("EPOCH", 0x30, "Boot epoch that the manager supplied.", (Field("VALUE", 0, 32, RO, "The epoch.", 0),)),
    ]
    if c.blocks:
        regs += [
            Register("MEMORY", 0x38, "The shared SRAM.", (
                Field("BLOCKS", 0, 11, RO, "Blocks.", c.blocks),
                Field("SIZE_LOG", 16, 4, RO, "A block has two to the power of this many bytes.", c.block_size.bit_length() - 1),
                Field("BANKS", 24, 4, RO, "Banks; consecutive words lie in different ones.", c.banks))),
            Register("QUOTA", 0x40, "Blocks that this VM has allocated and that were not freed yet, wherever they are now.", (
                Field("USED", 0, 11, RO, "How many.", 0),
                Field("LIMIT", 16, 11, RO, "How many it may have allocated.", None))),
            Register("ALLOC", 0x48, "Allocates a block. The read makes this VM the owner of a block of zeros.", (
                Field("BLOCK", 0, 10, RA, "Number of the block.", 0),
                Field("VALID", 31, 1, RA, "There is one. Zero: no quota left, or no clean block yet.", 0))),
        ]
    regs += [
        Register("IRQ_STATE", 0x80, "Interrupt sources. MAIL, DOORBELL and REFUSAL stay set while their cause lasts.", (
            Field("SOURCES", 0, active, W1C, "One bit per source, see `Interrupt`.", 0),)),
        Register("IRQ_TEST", 0x88, "Sets interrupt sources.", (Field("SOURCES", 0, active, WO, "Ones set bits of IRQ_STATE.", 0),)),
    ]
    if c.moderation:
        regs.append(Register("IRQ_MODERATION", 0x90, "Holds MAIL back until COUNT messages wait or TIME has passed since the first.", (
            Field("COUNT", 0, 9, RW, "Messages; 0 and 1 hold nothing back.", 0),
            Field("TIME", 16, 16, RW, "Clock cycles; 0 sets no limit.", 0))))
    regs += [
        Register("RING", 0xA0, "Rings the doorbell of a VM.", (Field("VM", 0, 6, WO, "Whose doorbell.", 0),)),
        Register("PENDING", 0xB0, "Doorbells that were rung, one bit per sender.", (
            Field("SENDERS", 0, bits, W1C, "VM-ID `32 * half + bit` rang.", 0),), halves),
    ]
    at = 0xC0

    def place(size: int) -> int:
        nonlocal at
        offset = -(-at // size) * size
        at = offset + size
        return offset

    core = Dim("core", c.cores, 8)
    lane_stride = 64 if c.blocks else 32
    lane = Dim("lane", c.lanes, lane_stride)
    word = Dim("word", c.words, 8)
    dest = Dim("vm", c.vms, 8)

    regs.append(Register("IRQ_ENABLE", place(8 * cores), "Sources that raise the line of a core while this VM is resident there.", (
        Field("SOURCES", 0, active, RW, "One bit per source.", 0),), (core,)))
    base = place(lane_stride * lanes)
    regs += [
        Register("RESULT", base + 0x00, "What became of this lane's commits since the last acknowledge. Never zero.", (
            Field("CODE", 0, 3, RO, "The first refusal, or ACCEPTED if there was none.", Result.ACCEPTED, Result),
            Field("VM", 8, 6, RO, "Destination of that refusal.", 0),
            Field("COUNT", 16, 8, RO, "Commits accepted since the last acknowledge, mod 256.", 0)), (lane,)),
        Register("ACK", base + 0x08, "Acknowledges RESULT: the lane accepts again and COUNT restarts.", (
            Field("VALUE", 0, 32, WO, "Any value.", 0),), (lane,)),
        Register("HEADER", base + 0x10, "Header of the oldest message, zero if there is none. The read lets this lane pop it.", (
            Field("COUNT", 0, 5, RA, "Words, 1 to WORDS.", 0),
            Field("KIND", 7, 1, RA, "What the message carries.", 0, Kind),
            Field("SENDER", 8, 6, RA, "VM-ID of the sender.", 0),
            Field("GENERATION", 16, 8, RA, "The sender's generation when it committed.", 0)), (lane,)),
        Register("RX_RESULT", base + 0x18, "Outcome of this lane's last pop.", (
            Field("CODE", 0, 2, RO, "The outcome.", 0, Popped),), (lane,)),
    ]
    if c.blocks:
        number = (Field("BLOCK", 0, 10, WO, "Number of the block; the bits above must be zero.", 0),)
        regs += [
            Register("FREE", base + 0x20, "Gives up a block of this VM that is neither lent nor shown.", number, (lane,)),
            Register("RETURN", base + 0x28, "Ends a loan to this VM, given by the last word of the message that brought it.", BLOCK_FIELDS, (lane,)),
            Register("REVOKE", base + 0x30, "Ends a loan by this VM.", number, (lane,)),
            Register("BLOCK_RESULT", base + 0x38, "Outcome of this lane's last FREE, RETURN or REVOKE.", (
                Field("CODE", 0, 2, RO, "The outcome.", 0, Settled),), (lane,)),
        ]
    base = place(16 * vms)
    peer = Dim("vm", c.vms, 16)
    regs += [
        Register("PEER", base, "A VM that this one may send to; zero for any other. A write acknowledges a generation.", (
            Field("GENERATION", 0, 8, RW, "Its generation. A write of just this number lets this VM send to it.", None),
            Field("REACHABLE", 8, 1, RO, "This VM may send to it.", None),
            Field("ALIVE", 9, 1, RO, "It is open or paused.", None),
            Field("ACKNOWLEDGED", 10, 1, RO, "This VM has acknowledged the generation.", None)), (peer,)),
        Register("CREDIT", base + 8, "Messages that this VM could still send to a VM that it may reach.", (
            Field("AVAILABLE", 0, 9, RO, "Free credits.", None),
            Field("LIMIT", 16, 9, RO, "Credits in all.", None)), (peer,)),
    ]
    if c.blocks:
        regs.append(Register("BLOCK", place(8 * pow2(c.blocks)), "What this VM has of a block; zero if nothing.", (
            Field("HOLDING", 0, 3, RO, "What it is.", 0, Holding),
            Field("VM", 8, 6, RO, "LENT, SHOWN: who has it. BORROWED, WATCHED: whose it is.", 0),
            Field("TAG", 16, 8, RO, "Tag of the loan; zero if there is none.", 0)), (Dim("block", c.blocks, 8),)))
    regs.append(Register("STAGE", place(8 * words * lanes), "Payload of the message that a lane is putting together. Word 0 restarts it.", (
        Field("VALUE", 0, 32, WO, "The word.", 0),), (Dim("lane", c.lanes, 8 * words), word)))
    # Payload behind all else that is read: a bit or two tell it apart, which shortens the way to the block RAM.
    half = 8 * max(words, lanes)
    base = place(2 * half)
    regs += [
        Register("WORD", base, "Payload of the oldest message; zero beyond its end.", (
            Field("VALUE", 0, 32, RO, "The word.", None),), (word,)),
        Register("POP", base + half, "Last word of the oldest message. The read removes the message if this lane read its header.", (
            Field("WORD", 0, 32, RA, "The word; zero where nothing was popped.", 0),), (Dim("lane", c.lanes, 8),)),
    ]
    last = "The last word." + (" Of a message with a block it says which and how, in the fields of `RETURN`." if c.blocks else "")
    regs.append(Register("COMMIT", place(32 * vms * lanes), "Last word of a message: the write sends it.", (
        Field("WORD", 0, 32, WO, last, 0),), (
        Dim("lane", c.lanes, 32 * vms),
        Dim("kind", 2 if c.blocks else 1, 16 * vms),  # 0 plain, 1 with a block
        Dim("many", 2, 8 * vms),  # 0: this is the only word; 1: it follows the staged words
        dest)))
    return Page("guest", at, tuple(regs))


@lru_cache(maxsize=256)
def manager_page(c: Config) -> Page:
    """Return the registers of the manager. Its size is 0 where there is no manager page."""
    if c.manager is Manager.NONE:
        return Page("manager", 0, ())
    vms, cores = pow2(c.vms), pow2(c.cores)
    bits = min(c.vms, 32)
    halves = (Dim("half", (c.vms + 31) // 32, 8),)
    at = 0x100
    locked = {
        Lock.TAGS: "`TAG_MATCH`, `TAG_MASK` and `TAG_VM` cannot be written any more.",
        Lock.PERMISSIONS: "`PERMIT` cannot be written any more.",
        Lock.CREDITS: "`CREDITS` cannot be written any more.",
        Lock.QUOTAS: "`QUOTA` cannot be written any more.",
        Lock.RESIDENCY: "`RESIDENT` cannot be written any more.",
        Lock.ARBITRATION: "`ARBITRATION` cannot be written any more.",
        Lock.INJECTION: "`INJECT` cannot be written any more.",
    }
    counted = {
        Count.DOORBELLS: "Doorbells that the VM rang.",
        Count.SENT: "Messages of the VM that were accepted.",
        Count.NO_CREDIT: "Its commits that were refused for lack of credit.",
        Count.DENIED: "Its commits that were refused for lack of permission.",
        Count.PEER_GONE: "Its commits that were refused because the peer was gone.",
        Count.TORN: "Its commits that were refused as torn.",
        Count.BAD_BLOCK: "Its commits that were refused for the block that they should hand over.",
        Count.IGNORED: "Its commits by a lane that waited for a refusal to be acknowledged.",
        Count.RECEIVED: "Messages that were accepted into the queue of the VM.",
        Count.WAITED: "Cycles in which a request of the VM waited for somebody else's.",
        Count.QUEUE_PEAK: "The most messages that were in its queue.",
        Count.BLOCKS_PEAK: "The most blocks that it had allocated.",
    }
    regs = [
        Register("EPOCH", 0x00, "Boot epoch that guests read.", (Field("VALUE", 0, 32, RW, "The epoch.", 0),)),
        Register("DRAIN", 0x08, "Answered when everything that this port accepted before has taken effect.", (
            Field("DONE", 0, 1, RO, "Always one.", 1),)),
        Register("TEAR", 0x10, "Empties the lanes of a VM at a port.", (
            Field("VM", 0, 6, WO, "Whose lanes.", 0),
            Field("PORT", 8, 4, WO, "At which port.", 0))),
        Register("LOCK", 0x18, "Locks configuration until reset.", tuple(
            Field(lock.name, lock, 1, W1S, locked[lock], 0) for lock in locks(c))),
        Register("FAULT_PENDING", 0x20, "VMs with a logged fault. A written one clears the record and arms it again.", (
            Field("VMS", 0, bits, W1C, "VM-ID `32 * half + bit`.", 0),), halves),
        Register("FAULT_ENABLE", 0x30, "Faults that raise the manager's interrupt.", (
            Field("VMS", 0, bits, RW, "VM-ID `32 * half + bit`.", 0),), halves),
        Register("WAITING", 0x40, "VMs that have something pending and enabled and are nowhere resident.", (
            Field("VMS", 0, bits, RO, "VM-ID `32 * half + bit`.", 0),), halves),
        Register("WAIT_ARM", 0x50, "VMs whose WAITING is watched. Disarmed by itself when it fires.", (
            Field("VMS", 0, bits, W1S, "VM-ID `32 * half + bit`.", 0),), halves),
        Register("WAIT_DISARM", 0x60, "Stops watching.", (
            Field("VMS", 0, bits, WO, "VM-ID `32 * half + bit`.", 0),), halves),
        Register("WAIT_FIRED", 0x70, "VMs whose watch fired; raises the manager's interrupt.", (
            Field("VMS", 0, bits, W1C, "VM-ID `32 * half + bit`.", 0),), halves),
        Register("STRAY", 0x80, "Faults of requests without a VM-ID.", (
            Field("PENDING", 0, 1, W1C, "There is a record. A written one clears it and arms it again.", 0),
            *([Field("DAMAGED", 4, 1, RO, "`INTEGRITY` has `FATAL`, or a word was lost.", 0)] if c.protection else ()),
            Field("ENABLE", 8, 1, RW, "It raises the manager's interrupt.", 0))),
    ]
    if c.blocks:
        regs.append(Register("POOL", 0x90, "Blocks that nobody owns.", (
            Field("CLEAN", 0, 11, RO, "Zero, and ready to be allocated.", None),
            Field("DIRTY", 16, 11, RO, "Still to be scrubbed.", None))))
        regs += [
            Register("ORPHANS", 0x98, "Blocks that somebody owns and nobody pays for, because the payer was killed.", (
                Field("COUNT", 0, 11, RO, "Theirs, and the limits of all quotas, are at most all blocks.", 0),)),
            Register("RECLAIM", 0xA0, "Takes an orphan from its owner. Refused for any other block.", (
                Field("BLOCK", 0, 10, WO, "Number of the block; the bits above must be zero.", 0),)),
        ]

    if c.strict:
        regs.append(Register("ARBITRATION", 0xA8, "How ports that want the same thing take turns.", (
            Field("MODE", 0, 1, RW, "Bits above are ignored.", Arbitration.STRICT, Arbitration),)))

    if c.protection:
        flips = (
            Field("CORRECTED", 0, 16, RO, "Cycles in which one flipped bit was corrected, up to 65535.", 0),
            Field("LOST", 16, 16, RO, "Cycles in which a word had more and was read as zero, up to 65535.", 0))
        regs += [
            Register("INTEGRITY", 0xB0, "Flipped bits in what decides who may do what.", (
                Field("FATAL", 0, 1, RO, "There was one. No guest reaches anything until reset.", 0),
                Field("KIND", 4, 3, RO, "Where it was found first.", 0, Damage),
                Field("ENABLE", 8, 1, RW, "FATAL, or a word that is lost, raises the manager's interrupt.", 0))),
            Register("INTEGRITY_POOL", 0xB8, "Flipped bits in words of messages.", flips),
        ]
        if c.blocks:
            regs.append(Register("INTEGRITY_SRAM", 0xC0, "Flipped bits in words of the SRAM.", flips))
        regs.append(Register("INJECT", 0xC8, "Flips bits once, for the checks to find. Reads what is still to come.", (
            Field("KIND", 0, 4, RW, "What, see `Injection`; 0 takes back what is still to come.", 0, Injection),
            Field("INDEX", 8, 6, RW, "Of which port, or which VM, where the kind has one of each.", 0))))
    if c.counters:
        regs.append(Register("COUNT_CLEAR", 0xF0, "Sets all counters and peaks of VMs to zero.", (
            Field("VMS", 0, bits, WO, "VM-ID `32 * half + bit`.", 0),), halves))

    def place(size: int) -> int:
        nonlocal at
        offset = -(-at // size) * size
        at = offset + size
        return offset

    vm16 = (Dim("vm", c.vms, 16),)
    regs.append(Register("RESIDENT", place(8 * cores), "Who runs on a core.", (
        Field("VM", 0, 6, RW, "VM-ID.", None),
        Field("VALID", 31, 1, RW, "Somebody does.", None)), (Dim("core", c.cores, 8),)))
    if c.blocks:
        base = place(16 * vms)
        regs += [
            Register("QUOTA", base, "Blocks that a VM may have allocated.", (
                Field("LIMIT", 0, 11, RW, "Granted: at least USED, and at most all blocks over all VMs.", None),
                Field("USED", 16, 11, RO, "Allocated by this VM-ID and not freed yet, wherever they are now.", 0)), vm16),
            Register("HOLDINGS", base + 8, "Blocks of a VM: what remains before it can be closed.", (
                Field("OWNED", 0, 11, RO, "It owns.", 0),
                Field("BORROWED", 16, 11, RO, "Lent or shown to it.", 0)), vm16),
        ]
    base = place(16 * vms)
    regs += [
        Register("CONTROL", base, "Commands to and state of a VM.", (
            Field("COMMAND", 0, 3, WO, "What to do.", 0, Command),
            Field("STATE", 8, 2, RO, "State of the VM.", None, State),
            Field("REFUSED", 10, 1, RO, "The last command was refused.", 0),
            Field("KILLING", 11, 1, RO, "It was killed, and what it had is being torn down. It cannot be opened yet.", 0),
            Field("QUEUED", 16, 9, RO, "Messages in its queue: what remains before it can be closed.", 0),
            ), vm16),
        Register("GENERATION", base + 8, "Generation of a VM.", (Field("VALUE", 0, 8, RO, "How often it was opened.", None),), vm16),
    ]
    regs.append(Register("PERMIT", place(16 * vms), "Who may send to a VM.", (
        Field("SENDERS", 0, bits, RW, "VM-ID `32 * half + bit` may.", None),), (*vm16, *halves)))
    if c.tags:
        base = place(32 * pow2(c.tags))
        entry = (Dim("entry", c.tags, 32),)
        regs += [
            Register("TAG_MATCH", base, "Bits that a tag must have.", (Field("VALUE", 0, c.tag_bits, RW, "The bits.", None),), entry),
            Register("TAG_MASK", base + 8, "Bits that are compared.", (Field("VALUE", 0, c.tag_bits, RW, "Ones are compared.", None),), entry),
            Register("TAG_VM", base + 16, "VM of an entry; the lowest entry that matches counts.", (
                Field("VM", 0, 6, RW, "VM-ID.", None),
                Field("VALID", 31, 1, RW, "The entry is used.", None)), entry),
        ]
    base = place(32 * pow2(c.vms + FAULT_RECORDS_EXTRA))
    records = (Dim("vm", c.vms + FAULT_RECORDS_EXTRA, 32),)
    info = (
        Field("KIND", 0, 4, RO, "Why it was refused.", None, Fault),
        Field("PORT", 8, 4, RO, "Port that carried it.", None),
        Field("COUNT", 16, 16, RO, "Faults of this VM in this direction since it was armed, up to 65535.", None))
    address = (Field("OFFSET", 0, 32, RO, "Byte address at that port.", None),)
    regs += [
        Register("FAULT_WRITE", base, "First refused write of a VM; the last record is for requests without one.", info, records),
        Register("FAULT_WRITE_ADDRESS", base + 8, "Its address.", address, records),
        Register("FAULT_READ", base + 16, "First refused read of a VM; the last record is for requests without one.", info, records),
        Register("FAULT_READ_ADDRESS", base + 24, "Its address.", address, records),
    ]
    regs.append(Register("CREDITS", place(8 * vms * vms), "Credits of a sender at a receiver.", (
        Field("LIMIT", 0, 9, RW, "Credits granted: at least USED, and at most DEPTH over all senders.", None),
        Field("USED", 16, 9, RO, "Messages that wait.", 0)), (Dim("receiver", c.vms, 8 * vms), Dim("sender", c.vms, 8))))
    if c.counters:
        base = place(8 * pow2(len(Count)) * vms)
        counters = (Dim("vm", c.vms, 8 * pow2(len(Count))),)
        regs += [
            Register(f"COUNT_{item.name}", base + 8 * item, counted[item], (Field("VALUE", 0, 32, RO, text, 0),), counters)
            for item in counts(c)
            for text in ("Since the VM was opened or its counters were cleared" + ("." if "PEAK" in item.name else "; wraps."),)
        ]
    if c.blocks:
        regs.append(Register("RIGHTS", place(8 * pow2(c.blocks)), "Who has a block; zero if nobody owns it.", (
            Field("OWNER", 0, 6, RO, "Whose it is.", 0),
            Field("OWNED", 7, 1, RO, "Somebody's.", 0),
            Field("PAYER", 8, 6, RO, "Against whose quota it counts, unless it is an orphan.", 0),
            Field("ORPHAN", 15, 1, RO, "Against nobody's: the payer was killed.", 0),
            Field("BORROWER", 16, 6, RO, "LENT: who may read it, too.", 0),
            Field("LENT", 22, 1, RO, "It is lent or shown.", 0),
            Field("SHOWN", 23, 1, RO, "It is shown.", 0)), (Dim("block", c.blocks, 8),)))
    return Page("manager", at, tuple(regs))

# fmt: on


@dataclass(frozen=True)
class AddressMap:
    """Where pages and SRAM lie in the address space of one port.

    From the top bit of the address down: the manager page where it is set; with blocks, the SRAM where the next one is.

    Parameters
    ----------
    guest_base : int
        Guest page; with ``page`` identity that of VM 0.
    guest_stride : int
        From one VM's guest page to the next with ``page`` identity, else 0: all VMs see the same addresses.
    manager_base : int or None
        Manager page.
    sram_base : int or None
        Block 0 of the SRAM; with ``page`` identity in the window of VM 0.
    sram_stride : int
        From one VM's window to the next with ``page`` identity, else 0.
    bits : int
        Width of an address.
    """

    guest_base: int
    guest_stride: int
    manager_base: int | None
    sram_base: int | None
    sram_stride: int
    bits: int

    def guest(self, vm: int) -> int:
        """Return the guest page of ``vm``."""
        return self.guest_base + self.guest_stride * vm

    def sram(self, vm: int) -> int:
        """Return the SRAM window of ``vm``. Requires: there is an SRAM."""
        assert self.sram_base is not None
        return self.sram_base + self.sram_stride * vm


def address_map(c: Config, port: int) -> AddressMap:
    """Return the address map of ``port``."""
    paged = c.ports[port].identity is Identity.PAGE
    guests = pow2(c.vms) * c.page_stride if paged else c.page_stride
    # A window must be a whole number of pages of the MMU.
    window = max(pow2(c.sram_bytes), c.page_stride) if c.blocks else 0
    region = max(guests, window * (pow2(c.vms) if paged else 1))
    managed = c.manager is not Manager.NONE
    if managed:
        region = max(region, pow2(manager_page(c).size), 4096)
    below = 2 * region if c.blocks else region
    return AddressMap(
        guest_base=0,
        guest_stride=c.page_stride if paged else 0,
        manager_base=below if managed else None,
        sram_base=region if c.blocks else None,
        sram_stride=window if paged else 0,
        bits=below.bit_length() - (not managed),
    )
