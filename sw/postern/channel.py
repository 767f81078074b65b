"""A conversation between two VMs: one channel, both ways, apart from all others."""

from .endpoint import Endpoint
from .inbox import Received
from .wire import Content

__all__ = ["Channel"]


class Channel:
    """One channel with one peer. What the peer sends in it comes here and nowhere else, in its order.

    Violations of the peer in this channel, and its restart, are raised by ``receive`` at their place in that order.

    Parameters
    ----------
    endpoint : Endpoint
        Whose.
    peer : int
        VM-ID of the other side.
    number : int
        The channel, 0 to 255.

    Raises
    ------
    ValueError
        Outside the limits, or somebody has this channel with this peer.
    """

    def __init__(self, endpoint: Endpoint, peer: int, number: int):
        self.endpoint = endpoint
        self.peer = peer
        self.number = number
        self._route = endpoint.route(peer, number)
        self._open = True

    def send(
        self, data: bytes | bytearray | memoryview, *, kind: Content = Content.DATA, timeout: float | None = None
    ) -> None:
        """``Endpoint.send`` in this channel."""
        self.endpoint.send(self.peer, data, channel=self.number, kind=kind, timeout=timeout)

    def receive(self, timeout: float | None = None) -> Received:
        """Take the next transfer, and wait for one if there is none.

        Raises
        ------
        Timeout
            None came within ``timeout`` seconds.
        ProtocolError
            Here the peer sent what it must not. What follows can be received.
        PeerGone
            The peer is gone, or was opened anew here. ``Endpoint.connect`` again to send to it.
        """
        return self.endpoint.receive_from(self._route, timeout)

    def close(self) -> None:
        """Give the channel back, and discard what nobody took."""
        if self._open:
            self._open = False
            self.endpoint.unroute(self.peer, self.number)

    def __enter__(self) -> "Channel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
