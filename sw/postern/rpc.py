"""Requests and responses: calls that may time out, late answers told apart by their numbers."""

from collections.abc import Callable

from .endpoint import Endpoint
from .errors import Denied, Overrun, PeerGone, PosternError, RemoteError, Timeout
from .inbox import Received
from .wire import Content

__all__ = ["Client", "Server"]

NUMBER = 4
"""Bytes of the number of a request."""


class Client:
    """Asks one server through one channel.

    Parameters
    ----------
    endpoint : Endpoint
        Whose.
    server : int
        VM-ID of the server.
    channel : int
        The channel.

    Attributes
    ----------
    late : int
        Answers that came after nobody waited for them any more, and were discarded.
    """

    FORGET = 1024
    """Requests given up whose answers are still known to be late; those to older ones count as violations."""

    def __init__(self, endpoint: Endpoint, server: int, channel: int = 1):
        self.endpoint = endpoint
        self.server = server
        self.channel = channel
        self.late = 0
        self._route = endpoint.route(server, channel)
        self._number = 0
        self._answers: dict[int, Received | None] = {}  # to requests that somebody may wait for
        self._given_up: dict[int, None] = {}  # in the order in which they were

    def call(self, data: bytes, timeout: float | None = None) -> bytes:
        """Ask, and return the answer.

        Raises
        ------
        RemoteError
            The server says that it failed.
        Timeout
            No answer within ``timeout`` seconds. It is discarded when it comes.
        PeerGone, Denied
            The server is gone, or may not be asked. It may have acted on the request.
        ProtocolError
            The server sent what it must not in this channel: the answer may have been that.
        """
        deadline = self.endpoint.deadline(timeout)
        number = self.begin(data, timeout)
        return self._wait(number, deadline)

    def begin(self, data: bytes, timeout: float | None = None) -> int:
        """Ask without waiting for the answer; return the number for ``result``. Raises what ``Endpoint.send`` does."""
        number = self._number
        while number in self._answers or number in self._given_up:
            number = number + 1 & 0xFFFF_FFFF
        message = number.to_bytes(NUMBER, "little") + data
        self.endpoint.send(self.server, message, channel=self.channel, kind=Content.REQUEST, timeout=timeout)
        self._number = number + 1 & 0xFFFF_FFFF
        self._answers[number] = None
        return number

    def result(self, number: int, timeout: float | None = None) -> bytes:
        """Return the answer to a request; requests may be answered in any order. Raises what ``call`` does.

        Raises
        ------
        ValueError
            No such request waits for an answer.
        """
        if number not in self._answers:
            raise ValueError(f"number must be that of a request without an answer, not {number}")
        return self._wait(number, self.endpoint.deadline(timeout))

    def close(self) -> None:
        """Give the channel back."""
        self.endpoint.unroute(self.server, self.channel)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self, number: int, deadline: float | None) -> bytes:
        try:
            while (answer := self._answers[number]) is None:
                self._sort(self.endpoint.take_until(self._route, deadline))
        except PosternError:
            self._give_up(number)
            raise
        del self._answers[number]
        content = answer.data[NUMBER:]
        if answer.kind is Content.FAILURE:
            raise RemoteError(content.decode(errors="replace"))
        return content

    def _sort(self, answer: Received) -> None:
        data = answer.data
        number = int.from_bytes(data[:NUMBER], "little")
        if answer.kind not in (Content.RESPONSE, Content.FAILURE) or len(data) < NUMBER:
            self.endpoint.note(answer)
        elif number in self._given_up:
            del self._given_up[number]
            self.late += 1
        elif number not in self._answers or self._answers[number] is not None:
            self.endpoint.note(answer)
        else:
            self._answers[number] = answer

    def _give_up(self, number: int) -> None:
        del self._answers[number]
        self._given_up[number] = None
        if len(self._given_up) > self.FORGET:
            del self._given_up[next(iter(self._given_up))]


class Server:
    """Answers requests of all peers in one channel. No client holds it up: an answer that cannot go at once goes later,
    and those that a client does not take are discarded beyond ``pending``.

    Parameters
    ----------
    endpoint : Endpoint
        Whose.
    handler : function
        Gets the request and the VM-ID of the client, and returns the answer. A ``RemoteError`` that it raises goes to
        the client with its text. Of any other exception the client hears that there was one, and ``serve`` raises it.
    channel : int
        The channel.
    pending : int
        Answers to one client that may be on their way.

    Attributes
    ----------
    dropped : int
        Answers that were discarded: their clients were gone, or did not take them.
    """

    def __init__(
        self, endpoint: Endpoint, handler: Callable[[bytes, int], bytes], channel: int = 1, *, pending: int = 64
    ):
        self.endpoint = endpoint
        self.handler = handler
        self.channel = channel
        self.pending = pending
        self.dropped = 0
        self._route = endpoint.route(None, channel)

    def serve(self, timeout: float | None = None) -> int:
        """Answer the next request, and return whose it was.

        Raises
        ------
        Timeout
            None came within ``timeout`` seconds.
        Exception
            What the handler raised.
        """
        deadline = self.endpoint.deadline(timeout)
        while True:
            request = self.endpoint.take_until(self._route, deadline)
            if request.kind is Content.REQUEST and len(request) >= NUMBER:
                break
            self.endpoint.note(request)
        data = request.data
        number = data[:NUMBER]
        try:
            answer = self.handler(data[NUMBER:], request.sender)
        except RemoteError as error:
            self._answer(request, Content.FAILURE, number + str(error).encode())
        except Exception:
            self._answer(request, Content.FAILURE, number + b"the handler of the request failed")
            raise
        else:
            self._answer(request, Content.RESPONSE, number + answer)
        return request.sender

    def close(self) -> None:
        """Give the channel back."""
        self.endpoint.unroute(None, self.channel)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, request: Received, kind: Content, data: bytes) -> None:
        endpoint, vm = self.endpoint, request.sender
        try:
            if endpoint.connected(vm) != request.generation:
                peer = endpoint.mailbox.peer(vm)
                if peer is None or peer.generation != request.generation:
                    raise PeerGone(vm)
                endpoint.connect(vm)
                if endpoint.connected(vm) != request.generation:  # opened anew in this moment
                    raise PeerGone(vm)
            endpoint.post(vm, data, channel=self.channel, kind=kind, most=self.pending)
        except (PeerGone, Denied, Overrun, Timeout):
            self.dropped += 1
