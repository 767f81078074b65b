"""Shown rings: live data in a block that its owner goes on writing while a peer reads. Format: ``docs/protocol.md``."""

from contextlib import suppress
from typing import NamedTuple

from postern_spec.regmap import Handover, Holding

from .endpoint import Endpoint
from .errors import BlockRefused, Closed, ProtocolError, Violation
from .inbox import Received
from .wire import Content

__all__ = ["Entry", "RingReader", "RingWriter"]

HEAD = 8
"""Bytes before the slots, and before the data of a slot."""

NUMBERS = (1 << 32) - 1
"""Entries have the numbers from 1 to this."""


class Entry(NamedTuple):
    """An entry as it was written.

    Parameters
    ----------
    number : int
        Its number.
    data : bytes
        Its data.
    missed : int
        Entries before it that were overwritten before this reader got to them.
    """

    number: int
    data: bytes
    missed: int


def _after(number: int, by: int = 1) -> int:
    """Return the number ``by`` entries after another one."""
    return (number - 1 + by) % NUMBERS + 1


class RingWriter:
    """Shows a ring to a peer. ``publish`` never waits: the oldest entry is overwritten.

    Parameters
    ----------
    endpoint : Endpoint
        Whose.
    peer : int
        VM-ID of the reader.
    channel : int
        Channel in which the ring is announced.
    size : int
        Most bytes of an entry, at least 1.
    timeout : float or None
        Seconds to wait for a block and a credit.

    Raises
    ------
    ValueError
        Not even one entry fits into a block.
    Timeout, PeerGone, Denied
        It could not be shown.
    """

    def __init__(self, endpoint: Endpoint, peer: int, channel: int, size: int, timeout: float | None = None):
        block_size = endpoint.mailbox.config.block_size
        slot = HEAD + (size + 3) // 4 * 4
        if size < 1 or HEAD + slot > block_size:
            raise ValueError(f"size must be from 1 to {block_size - 2 * HEAD}, not {size}")
        self.endpoint = endpoint
        self.peer = peer
        self.size = size
        self.slots = (block_size - HEAD) // slot
        self._slot = slot
        self._newest = 0
        self._buffer = endpoint.buffer(0, timeout)
        self._open = True
        try:
            self._buffer.write(0, bytes(4) + slot.to_bytes(4, "little"))
            used = HEAD + self.slots * slot
            endpoint.send_buffer(
                peer,
                self._buffer,
                used,
                channel=channel,
                kind=Content.RING,
                how=Handover.SHOW,
                timeout=timeout,
            )
        except BaseException:
            self.close()
            raise

    def publish(self, data: bytes) -> int:
        """Write an entry, and return its number. Four accesses more than the data have words.

        Raises
        ------
        ValueError
            It is longer than an entry may be.
        """
        if len(data) > self.size:
            raise ValueError(f"entry must be of at most {self.size} bytes, not {len(data)}")
        if not self._open:
            raise Closed("ring must be open to be written, not closed")
        number = _after(self._newest)
        at, write = HEAD + self._slot * (number % self.slots), self._buffer.write
        name = number.to_bytes(4, "little")
        write(at, bytes(4))  # nobody takes the slot for an entry while it changes
        write(at + 4, len(data).to_bytes(4, "little") + data)
        write(at, name)
        write(0, name)
        self._newest = number
        return number

    def shown(self) -> bool:
        """Whether the peer has the ring and has not given it back. One read."""
        info = self.endpoint.mailbox.holding(self._buffer.block) if self._open else None
        return info is not None and info.holding is Holding.SHOWN

    def close(self) -> None:
        """Take the ring back. The reader reads zeros from now on."""
        if self._open:
            self._open = False
            self.endpoint.confirm()
            with suppress(BlockRefused):  # the peer has given it back, or never got it
                self.endpoint.mailbox.revoke(self._buffer.block, self.endpoint.lane)
            self._buffer.free()

    def __enter__(self) -> "RingWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RingReader:
    """Reads a ring that a peer shows.

    Parameters
    ----------
    endpoint : Endpoint
        Whose.
    received : Received
        What announced it: a transfer of kind ``RING``.

    Raises
    ------
    ValueError
        It is no ring.
    ProtocolError
        Its slots cannot be. It was given back.
    """

    TRIES = 8
    """Looks for an entry that the writer does not overwrite before it has been read."""

    def __init__(self, endpoint: Endpoint, received: Received):
        loan = received.loan
        if received.kind is not Content.RING or loan is None:
            raise ValueError(f"ring must be read from a transfer that shows one, not from {received!r}")
        self.endpoint = endpoint
        self.peer = received.sender
        self._received = received
        self._loan = loan
        self._last = 0  # number of the last entry that was read
        self._slot = self._word(4) if len(received) >= HEAD else 0
        fits = self._slot % 4 == 0 and self._slot > HEAD
        self.slots = (len(received) - HEAD) // self._slot if fits else 0
        if not self.slots or HEAD + self.slots * self._slot != len(received):
            endpoint.note(received)
            received.release()
            raise ProtocolError(received.sender, received.generation, Violation.CONTENT, received.channel)

    def read(self) -> Entry | None:
        """Return the next entry that is still there, ``None`` where there is no new one.

        Raises
        ------
        Closed
            The writer took the ring back, or is gone.
        """
        for _ in range(self.TRIES):
            newest = self._newest()
            ahead = (newest - self._last) % NUMBERS if self._last else newest
            if not ahead:
                return None
            if ahead >= self.slots:  # the oldest is about to be overwritten: leave it
                ahead = max(1, self.slots - 1)
                wanted = _after(newest, 1 - ahead)
            else:
                wanted = _after(self._last) if self._last else 1
            if entry := self._fetch(wanted):
                return entry
        return None

    def latest(self) -> Entry | None:
        """Return the newest entry, ``None`` where it was read before. ``missed`` counts those in between. Raises what
        ``read`` does."""
        for _ in range(self.TRIES):
            newest = self._newest()
            if newest == self._last:
                return None
            if entry := self._fetch(newest):
                return entry
        return None

    def close(self) -> None:
        """Give the ring back."""
        self._received.release()

    def __enter__(self) -> "RingReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _word(self, at: int) -> int:
        return int.from_bytes(self.endpoint.mailbox.read_sram(self._loan.block, at, 4), "little")

    def _newest(self) -> int:
        newest = self._word(0)
        if not newest:
            info = self.endpoint.mailbox.holding(self._loan.block)
            if self._received.loan is None or info is None or info.loan != self._loan:
                raise Closed(f"ring of VM {self.peer} must be shown to be read, not closed")
            return self._last  # none yet
        return newest

    def _fetch(self, number: int) -> Entry | None:
        """Return an entry if it can be read whole."""
        at = HEAD + self._slot * (number % self.slots)
        read = self.endpoint.mailbox.read_sram
        head = read(self._loan.block, at, HEAD)
        length = int.from_bytes(head[4:], "little")
        if int.from_bytes(head[:4], "little") != number or length > self._slot - HEAD:
            return None
        data = read(self._loan.block, at + HEAD, length)
        if self._word(at) != number:
            return None
        before, self._last = self._last, number
        passed = (number - before) % NUMBERS if before else number
        return Entry(number, data, passed - 1)
