"""What can go wrong, each cause with its own type."""

from enum import Enum

from postern_spec.regmap import Result

__all__ = [
    "BadBlock",
    "BlockRefused",
    "BusError",
    "Closed",
    "CommandRefused",
    "Deadlock",
    "Denied",
    "DeviceError",
    "NoCredit",
    "Overrun",
    "PeerGone",
    "PosternError",
    "ProtocolError",
    "Refused",
    "RemoteError",
    "Timeout",
    "Torn",
    "Violation",
]


class PosternError(Exception):
    """Base of all errors of this package that are not a caller's bad argument (those are ``ValueError``)."""


class BusError(PosternError):
    """The bus answered a read with an error."""


class DeviceError(PosternError):
    """A register held what it cannot hold: no such block here, the VM is closed, or this is not the manager."""


class Timeout(PosternError, TimeoutError):
    """The time given has passed without an interrupt, or the tries without an end."""


class Deadlock(PosternError):
    """Every program waits for an interrupt, and none can come."""


class Refused(PosternError):
    """A commit was refused, and its lane refuses everything until it is acknowledged; or it is known that it would be.

    Parameters
    ----------
    vm : int
        Destination of the first refused commit.
    accepted : int or None
        Commits of the lane that were accepted since its last acknowledge, mod 256. ``None``: nothing was committed.
    """

    cause = "refused"

    def __init__(self, vm: int, accepted: int | None = None):
        before = "" if accepted is None else f" (accepted before: {accepted})"
        super().__init__(f"message to VM {vm} must be {self.cause}{before}")
        self.vm = vm
        self.accepted = accepted


class NoCredit(Refused):
    """All credits at the receiver are in use, or it is paused. Wait for ``CREDIT`` or ``PEER`` and send again."""

    cause = "covered by a credit, and the VM not paused, not NO_CREDIT"


class Denied(Refused):
    """This VM may not send there, or is draining. Only the manager can change that."""

    cause = "permitted, not DENIED"


class PeerGone(Refused):
    """The receiver is closed or draining, or has been opened anew since ``connect``. Connect again before sending."""

    cause = "to an open VM and the generation that was connected, not PEER_GONE"


class Torn(Refused):
    """The lane did not hold the message: another context used it, or the manager emptied it. Send again."""

    cause = "staged whole, not TORN"


class BadBlock(Refused):
    """The block of a message was not this VM's to hand over: not its own, or lent or shown already."""

    cause = "with a block that is its sender's and neither lent nor shown, not BAD_BLOCK"


REFUSALS: dict[Result, type[Refused]] = {
    Result.NO_CREDIT: NoCredit,
    Result.DENIED: Denied,
    Result.PEER_GONE: PeerGone,
    Result.TORN: Torn,
    Result.BAD_BLOCK: BadBlock,
}
"""Which error stands for which outcome of a commit."""


class BlockRefused(PosternError):
    """FREE or REVOKE was refused: the block is not in the state that it needs, or not this VM's.

    Parameters
    ----------
    block : int
        The block.
    wanted : str
        What it must be.
    """

    def __init__(self, block: int, wanted: str):
        super().__init__(f"block {block} must be {wanted}, not in another state or another VM's")
        self.block = block


class CommandRefused(PosternError):
    """The block refused what the manager asked for; the text says what is in the way."""


class Violation(Enum):
    """What can be wrong with what a peer sent (``docs/protocol.md``); the value says what it must be."""

    VERSION = "of a version that is known"
    HEADER = "of a known kind and without reserved bits"
    LENGTH = "of as many words as its length asks for"
    HANDOVER = "with a block that is moved or lent, or shown as a ring"
    ORDER = "first of a transfer, or the next of the one that was begun"
    TOTAL = "part of a train that adds up to its total"
    LIMIT = "of a transfer within the limit"
    CUT = "followed by the rest of its train"
    RESTARTED = "followed by the rest of its train, not by a new generation"
    REVOKED = "with a block that stays until it has been read"
    OVERRUN = "of a transfer for which there is room"
    CONTENT = "with content that its kind allows"


class ProtocolError(PosternError):
    """A peer sent what it must not, or more than there was room for. What it sent was released and discarded.

    Parameters
    ----------
    vm : int
        Who.
    generation : int
        Its generation.
    violation : Violation
        What was wrong.
    channel : int or None
        In which channel; ``None`` where that cannot be told.
    """

    def __init__(self, vm: int, generation: int, violation: Violation, channel: int | None = None):
        where = "" if channel is None else f" in channel {channel}"
        super().__init__(f"message of VM {vm}{where} must be {violation.value}, not {violation.name}")
        self.vm = vm
        self.generation = generation
        self.violation = violation
        self.channel = channel


class Overrun(PosternError):
    """More waits to be sent to a VM than was allowed to."""


class Closed(PosternError):
    """A stream, a ring or an endpoint has ended."""


class RemoteError(PosternError):
    """The server of a request failed; the text is its own."""
