"""The wire format of ``docs/protocol.md``: word 0 of a message, and fragments."""

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from postern_spec.regmap import Handover

from .driver import Loan
from .errors import Violation

__all__ = [
    "CHANNELS",
    "LARGEST",
    "VERSION",
    "Content",
    "Fragment",
    "bytes_of",
    "capacity",
    "parse",
    "word0",
    "words_of",
]

VERSION = 1
"""Version of the wire format."""

CHANNELS = 256
"""Channels between two VMs, in each direction."""

LARGEST = (1 << 32) - 1
"""Longest transfer in bytes."""

LENGTH_MASK = (1 << 13) - 1
FIRST = 1 << 13
LAST = 1 << 14
RESERVED = 1 << 15
CHANNEL_AT = 16
KIND_AT = 24
VERSION_AT = 28


class Content(IntEnum):
    """What a transfer is."""

    DATA = 1  # the program's
    REQUEST = 2
    RESPONSE = 3
    FAILURE = 4  # a request could not be answered
    STREAM = 5
    END = 6  # of one direction of a stream
    WINDOW = 7  # how far the other side may write
    RESET = 8  # a stream is broken off
    RING = 9  # a block that is shown


class Fragment(NamedTuple):
    """What word 0, and ``TOTAL``, say of a message.

    Parameters
    ----------
    channel : int
        The channel.
    kind : Content
        What the transfer is.
    length : int
        Bytes of the transfer in this fragment.
    first, last : bool
        The transfer begins, ends with it.
    total : int
        Bytes of the transfer; 0 in a later fragment of a train.
    """

    channel: int
    kind: Content
    length: int
    first: bool
    last: bool
    total: int


_KINDS = {int(kind): kind for kind in Content}


def word0(channel: int, kind: int, length: int, first: bool = True, last: bool = True) -> int:
    """Return word 0 of a message. The caller keeps to the limits."""
    return VERSION << VERSION_AT | kind << KIND_AT | channel << CHANNEL_AT | LAST * last | FIRST * first | length


def words_of(data: bytes | memoryview) -> tuple[int, ...]:
    """Return bytes as words, the last one filled up with zeros."""
    count = (len(data) + 3) // 4
    return struct.unpack(f"<{count}I", bytes(data) + bytes(4 * count - len(data)))


def bytes_of(words: Sequence[int], length: int) -> bytes:
    """Return the first bytes of words."""
    return struct.pack(f"<{len(words)}I", *words)[:length]


def capacity(words: int, total: bool) -> int:
    """Return how many bytes fit into the registers of a message of ``words`` words, with or without ``TOTAL``."""
    return 4 * (words - 1 - total)


def parse(words: Sequence[int], loan: Loan | None, block_size: int) -> Fragment | Violation:
    """Return what a message is, or what is wrong with it.

    Parameters
    ----------
    words : sequence of int
        The words of the message, without that of the block.
    loan : Loan or None
        The block that came with it.
    block_size : int
        Bytes of a block.
    """
    head = words[0] if words else 0
    if head >> VERSION_AT != VERSION:
        return Violation.VERSION if words else Violation.LENGTH
    kind = _KINDS.get(head >> KIND_AT & 0xF)
    if kind is None or head & RESERVED:
        return Violation.HEADER
    length, first, last = head & LENGTH_MASK, bool(head & FIRST), bool(head & LAST)
    beside = 1 + (first and not last)
    if len(words) != beside + (0 if loan else (length + 3) // 4):
        return Violation.LENGTH
    if (loan and length > block_size) or not (length or first):
        return Violation.LENGTH
    shown = loan is not None and loan.how is Handover.SHOW
    if shown != (kind is Content.RING) or (shown and not (first and last)):
        return Violation.HANDOVER
    total = 0
    if first:
        total = length if last else words[1]
        if not last and total <= length:
            return Violation.TOTAL
    return Fragment(head >> CHANNEL_AT & 0xFF, kind, length, first, last, total)
