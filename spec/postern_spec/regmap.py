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
    "Command",
    "Fault",
    "Interrupt",
    "Kind",
    "MAGIC",
    "Popped",
    "Result",
    "State",
    "VERSION",
    "address_map",
    "guest_page",
    "manager_page",
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


class Interrupt(IntEnum):
    """Interrupt sources: bit positions in STATE, TEST and ENABLE."""

    MAIL = 0
    DOORBELL = 1
    CREDIT = 2
    PEER = 3
    REFUSAL = 4


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


RO, RW, W1C, W1S, WO, RA = Access.RO, Access.RW, Access.W1C, Access.W1S, Access.WO, Access.RA

FAULT_RECORDS_EXTRA = 1
"""Fault records beyond one per VM: the last one is for requests without a VM-ID."""


# The tables below stay one entry per line, for reading; the formatter would triple their height.
# fmt: off

@lru_cache(maxsize=256)
def guest_page(c: Config) -> Page:
    """Return the registers that a guest sees."""
    regs: list[Register] = []
    vms, lanes, words, cores = pow2(c.vms), pow2(c.lanes), pow2(c.words), pow2(c.cores)
    sources = len(Interrupt)
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
            Field("READ_ERROR", 2, 1, RO, "Refused reads raise a bus error.", int(c.read_error)))),
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
        Register("IRQ_STATE", 0x80, "Interrupt sources. MAIL, DOORBELL and REFUSAL stay set while their cause lasts.", (
            Field("SOURCES", 0, sources, W1C, "One bit per source, see `Interrupt`.", 0),)),
        Register("IRQ_TEST", 0x88, "Sets interrupt sources.", (Field("SOURCES", 0, sources, WO, "Ones set bits of IRQ_STATE.", 0),)),
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
    lane = Dim("lane", c.lanes, 32)
    word = Dim("word", c.words, 8)
    dest = Dim("vm", c.vms, 8)

    regs.append(Register("IRQ_ENABLE", place(8 * cores), "Sources that raise the line of a core while this VM is resident there.", (
        Field("SOURCES", 0, sources, RW, "One bit per source.", 0),), (core,)))
    base = place(32 * lanes)
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
    regs.append(Register("COMMIT", place(32 * vms * lanes), "Last word of a message: the write sends it.", (
        Field("WORD", 0, 32, WO, "The last word.", 0),), (
        Dim("lane", c.lanes, 32 * vms),
        Dim("kind", 1, 16 * vms),  # 0 plain; the room behind it is for messages that carry a block
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
    regs = [
        Register("EPOCH", 0x00, "Boot epoch that guests read.", (Field("VALUE", 0, 32, RW, "The epoch.", 0),)),
        Register("DRAIN", 0x08, "Answered when everything that this port accepted before has taken effect.", (
            Field("DONE", 0, 1, RO, "Always one.", 1),)),
        Register("TEAR", 0x10, "Empties the lanes of a VM at a port.", (
            Field("VM", 0, 6, WO, "Whose lanes.", 0),
            Field("PORT", 8, 4, WO, "At which port.", 0))),
        Register("LOCK", 0x18, "Locks configuration until reset.", (
            Field("TAGS", 0, 1, W1S, "The tag table cannot be written any more.", 0),)),
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
            Field("ENABLE", 8, 1, RW, "It raises the manager's interrupt.", 0))),
    ]

    def place(size: int) -> int:
        nonlocal at
        offset = -(-at // size) * size
        at = offset + size
        return offset

    vm16 = (Dim("vm", c.vms, 16),)
    regs.append(Register("RESIDENT", place(8 * cores), "Who runs on a core.", (
        Field("VM", 0, 6, RW, "VM-ID.", None),
        Field("VALID", 31, 1, RW, "Somebody does.", None)), (Dim("core", c.cores, 8),)))
    base = place(16 * vms)
    regs += [
        Register("CONTROL", base, "Commands to and state of a VM.", (
            Field("COMMAND", 0, 3, WO, "What to do.", 0, Command),
            Field("STATE", 8, 2, RO, "State of the VM.", None, State),
            Field("REFUSED", 10, 1, RO, "The last command was refused.", 0),
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
    return Page("manager", at, tuple(regs))

# fmt: on


@dataclass(frozen=True)
class AddressMap:
    """Where the pages lie in the address space of one port.

    Parameters
    ----------
    guest_base : int
        Guest page; with ``page`` identity that of VM 0.
    guest_stride : int
        From one VM's guest page to the next with ``page`` identity, else 0: all VMs see the same addresses.
    manager_base : int or None
        Manager page.
    bits : int
        Width of an address.
    """

    guest_base: int
    guest_stride: int
    manager_base: int | None
    bits: int

    def guest(self, vm: int) -> int:
        """Return the guest page of ``vm``."""
        return self.guest_base + self.guest_stride * vm


def address_map(c: Config, port: int) -> AddressMap:
    """Return the address map of ``port``."""
    paged = c.ports[port].identity is Identity.PAGE
    guests = pow2(c.vms) * c.page_stride if paged else c.page_stride
    size = pow2(manager_page(c).size)
    if size <= 1:
        return AddressMap(0, c.page_stride if paged else 0, None, guests.bit_length() - 1)
    half = max(guests, size, 4096)
    return AddressMap(0, c.page_stride if paged else 0, half, half.bit_length())
