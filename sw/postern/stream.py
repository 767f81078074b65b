"""Streams of bytes in a channel, both ways: each way has its own end, and no more goes than its reader grants."""

from .endpoint import Endpoint
from .errors import Closed, Overrun, PosternError, ProtocolError, Timeout, Violation
from .inbox import Received
from .wire import Content

__all__ = ["FIRST_WINDOW", "Stream"]

FIRST_WINDOW = 4096
"""Bytes that each side may write before the other side has said anything."""

_TURN = 1 << 32


class Stream:
    """A stream of bytes to and from a peer. Both sides make one with the same channel; there is no opening.

    Parameters
    ----------
    endpoint : Endpoint
        Whose.
    peer : int
        VM-ID of the other side.
    channel : int
        The channel, this stream's alone. It may be used again when each side knows that the other one has closed.
    window : int
        Bytes that the peer may write ahead of ``read``, from 4096.

    Attributes
    ----------
    sent, received : int
        Bytes written so far, and bytes that have arrived.
    """

    def __init__(self, endpoint: Endpoint, peer: int, channel: int, *, window: int = 1 << 16):
        if not FIRST_WINDOW <= window < _TURN // 2:
            raise ValueError(f"window must be from {FIRST_WINDOW} to {_TURN // 2 - 1}, not {window}")
        self.endpoint = endpoint
        self.peer = peer
        self.channel = channel
        self.window = window
        self.sent = 0
        self.received = 0
        self._route = endpoint.route(peer, channel)
        self._open = True
        self._allowed = FIRST_WINDOW  # how far this side may write
        self._granted = FIRST_WINDOW  # how far the other side may
        self._buffer = bytearray()
        self._over = False  # the other side has ended
        self._ended = False  # this side has
        self._broken: PosternError | None = None

    # Write

    def write(self, data: bytes | bytearray | memoryview, timeout: float | None = None) -> None:
        """Write all of ``data``, waiting while the reader is behind.

        Raises
        ------
        Timeout
            Not all of it could go within ``timeout`` seconds. ``sent`` has counted what went; the rest was not written.
        Closed
            This side was ended, or the other side broke the stream off.
        PeerGone, Denied, ProtocolError
            The stream is broken.
        """
        self._check()
        if self._ended:
            raise Closed("stream must be written before its end, not after")
        deadline = self.endpoint.deadline(timeout)
        view = memoryview(data).cast("B")
        self._sort_all()
        self._check()
        while view:
            while self.sent >= self._allowed:
                self._take(deadline)
            count = min(len(view), self._allowed - self.sent)
            self._send(Content.STREAM, view[:count], deadline)
            self.sent += count
            view = view[count:]

    def end(self, timeout: float | None = None) -> None:
        """End this side: the other side reads to here, and then nothing more. It may go on writing."""
        self._check()
        if not self._ended:
            self._send(Content.END, b"", self.endpoint.deadline(timeout))
            self._ended = True

    # Read

    def read(self, size: int = -1, timeout: float | None = None) -> bytes:
        """Return some bytes as soon as there are any: up to ``size``, or all that are there. None at all is the end.

        Raises
        ------
        Timeout
            None came within ``timeout`` seconds.
        Closed
            The other side broke the stream off.
        PeerGone, ProtocolError
            The stream is broken, and what had arrived before is read.
        """
        deadline = self.endpoint.deadline(timeout)
        self._sort_all()
        while not self._buffer and not self._over and size:
            self._take(deadline)
        if not self._buffer and not self._over:
            self._check()
        count = len(self._buffer) if size < 0 else min(size, len(self._buffer))
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._grant()
        return data

    def read_exactly(self, size: int, timeout: float | None = None) -> bytes:
        """Return just so many bytes. Raises what ``read`` does; what had come by then can be read.

        Raises
        ------
        Closed
            The stream ends before.
        """
        deadline = self.endpoint.deadline(timeout)
        found = bytearray()
        try:
            while len(found) < size:
                left = None if deadline is None else max(0.0, deadline - self.endpoint.mailbox.bus.clock())
                part = self.read(size - len(found), left)
                if not part:
                    raise Closed(f"stream must have {size} bytes before its end, not {len(found)}")
                found += part
        except PosternError:
            self._buffer[:0] = found
            raise
        return bytes(found)

    # The end

    def reset(self) -> None:
        """Break the stream off, both ways. What was not read is discarded."""
        self._break(Closed("stream must not be broken off to be used, but this side did so"))

    def close(self, timeout: float | None = 1.0) -> None:
        """End this side, discard what comes until the other side ends, and give the channel back. Break the stream off
        if the other side does not end within ``timeout`` seconds."""
        if not self._open:
            return
        deadline = self.endpoint.deadline(timeout)
        try:
            if not self._broken:
                if not self._ended:
                    self._send(Content.END, b"", deadline)
                    self._ended = True
                while not self._over:
                    self._take(deadline)
                    self._buffer.clear()
                    self._grant()
        except Timeout:
            self.reset()
        except PosternError:
            pass  # it is broken, and over
        finally:
            self._open = False
            self.endpoint.unroute(self.peer, self.channel, retire=True)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Inside

    def _check(self) -> None:
        if self._broken:
            raise self._broken

    def _send(self, kind: Content, data: bytes | memoryview, deadline: float | None) -> None:
        left = None if deadline is None else max(0.0, deadline - self.endpoint.mailbox.bus.clock())
        self.endpoint.send(self.peer, data, channel=self.channel, kind=kind, timeout=left)

    def _take(self, deadline: float | None) -> None:
        """Wait for something from the other side, and see to it."""
        self._check()
        try:
            item = self.endpoint.take_until(self._route, deadline)
        except Timeout:
            raise
        except PosternError as error:
            self._break(error)
            raise
        self._sort(item)
        self._check()

    def _sort_all(self) -> None:
        """See to what has arrived. A violation among it breaks the stream."""
        while self._route.items and not self._broken:
            item = self.endpoint.next_of(self._route)
            if isinstance(item, PosternError):
                self._break(item)
            else:
                self._sort(item)

    def _sort(self, item: Received) -> None:
        data = item.data
        if item.kind is Content.STREAM and data and not self._over and self.received + len(data) <= self._granted:
            self.received += len(data)
            self._buffer += data
        elif item.kind is Content.END and not data and not self._over:
            self._over = True
        elif item.kind is Content.WINDOW and len(data) == 4:
            ahead = (int.from_bytes(data, "little") - self._allowed) % _TURN
            if ahead >= _TURN // 2:
                self._violated(item)
            else:
                self._allowed += ahead
        elif item.kind is Content.RESET and not data:
            self._broken = Closed("stream must not be broken off to be used, but the other side did so")
            self._buffer.clear()
        else:
            self._violated(item)

    def _violated(self, item: Received) -> None:
        self.endpoint.note(item)
        self._break(ProtocolError(item.sender, item.generation, Violation.CONTENT, self.channel))

    def _break(self, error: PosternError) -> None:
        if self._broken is None:
            self._broken = error
            self._post(Content.RESET, b"")

    def _grant(self) -> None:
        """Let the other side write on, when it has used half of what it was granted."""
        read = self.received - len(self._buffer)
        if not self._over and not self._broken and self._granted - read <= self.window // 2:
            granted = read + self.window
            if self._post(Content.WINDOW, (granted % _TURN).to_bytes(4, "little")):
                self._granted = granted

    def _post(self, kind: Content, data: bytes) -> bool:
        try:
            self.endpoint.post(self.peer, data, channel=self.channel, kind=kind)
        except Overrun:  # said again at the next read
            return False
        except PosternError as error:
            self._broken = self._broken or error
            return False
        return True
