"""Transfers of any size: small ones through registers, large ones through blocks. Format: ``docs/protocol.md``."""

from collections import Counter
from collections.abc import Sequence

from postern_spec.regmap import Handover, sources

from . import ways
from .driver import Mailbox, Source
from .errors import Closed, Overrun, PeerGone, PosternError, ProtocolError, Timeout, Violation
from .inbox import Inbox, Received, Route
from .outbox import Outbox, Transfer
from .stock import Stock
from .wire import CHANNELS, LARGEST, Content

__all__ = ["Buffer", "Endpoint"]

TICK = 1e-6
"""Shortest wait in seconds that is not none: rounding must not make a wait for the rest of a time go on for ever."""


class Buffer:
    """A block of this VM to be filled in place and sent without a copy. Leaving its ``with`` frees it if it was not.

    Parameters
    ----------
    endpoint : Endpoint
        Whose.
    block : int
        The block, of zeros.
    size : int
        Bytes that are to be sent, unless ``send_buffer`` says otherwise.
    """

    def __init__(self, endpoint: "Endpoint", block: int, size: int):
        self._endpoint = endpoint
        self._block: int | None = block
        self.size = size

    @property
    def block(self) -> int:
        """The block.

        Raises
        ------
        ValueError
            It was sent or freed.
        """
        if self._block is None:
            raise ValueError("buffer must be used before it is sent or freed, not after")
        return self._block

    def write(self, offset: int, data: bytes) -> None:
        """Write at an offset that is a multiple of 4. A last word that is not whole is filled up with zeros."""
        self._endpoint.mailbox.write_sram(self.block, offset, data)

    def read(self, offset: int, length: int) -> bytes:
        """Read from an offset that is a multiple of 4."""
        return self._endpoint.mailbox.read_sram(self.block, offset, length)

    def free(self) -> None:
        """Free the block, if it was not sent."""
        block, self._block = self._block, None
        if block is not None:
            self._endpoint._drop(block)

    def __enter__(self) -> "Buffer":
        return self

    def __exit__(self, *_: object) -> None:
        self.free()


class Endpoint:
    """Sends and receives transfers of any size, from and to all peers of a VM.

    ``send`` returns when the transfer is with the hardware, which delivers it or says that it did not: then the next
    call about this peer raises. Bad peers are noted (``violations``, ``errors``), cost others nothing, and never make
    ``receive`` raise. While any call waits, all posted transfers go on and messages are taken.

    The lane must be this object's alone, and one endpoint of a VM receives. Latched interrupts are cleared here, and
    they are one each for all of a VM: of its contexts, one at a time may wait for what they tell.

    Parameters
    ----------
    mailbox : Mailbox
        Whose mailbox. Requires: messages of at least 2 words; where there is an SRAM, its address is known.
    lane : int
        The lane.
    batch : int
        Most messages that are committed between two reads of ``RESULT``, 1 to 255.
    threshold : int or None
        Bytes up to which what is left of a transfer goes through registers. ``None``: what was measured
        (``ways.threshold``).
    share : int or None
        Most of this VM's blocks that are with, or kept for, one peer. ``None``: a quarter of the quota, at least one.
    patience : float
        Seconds that a fragment waits for a block before it goes through registers.
    handover : Handover
        How ``send`` hands blocks over. ``LEND``: they come back, and it is known who has them. ``MOVE``: nothing is
        left to come back, so what was accepted stays the receiver's even when this VM is gone.
    limit : int
        Longest transfer that is taken, in bytes.
    backlog : int or None
        Most bytes that are kept for one sender, at least ``limit``. ``None``: twice ``limit``.

    Raises
    ------
    ValueError
        A parameter outside its limits.
    Refused
        The lane still holds a refusal of before.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        *,
        lane: int = 0,
        batch: int = 64,
        threshold: int | None = None,
        share: int | None = None,
        patience: float = 1e-3,
        handover: Handover = Handover.LEND,
        limit: int = 1 << 24,
        backlog: int | None = None,
    ):
        c = mailbox.config
        if c.words < 2:
            raise ValueError(f"words must be at least 2 for this protocol, not {c.words}")
        if not 1 <= batch <= 255:
            raise ValueError(f"batch must be from 1 to 255, not {batch}")
        if share is not None and share < 1:
            raise ValueError(f"share must be at least 1, not {share}")
        if handover is Handover.SHOW:
            raise ValueError("handover must be LEND or MOVE, not SHOW")
        if not 0 <= limit <= LARGEST:
            raise ValueError(f"limit must be from 0 to {LARGEST}, not {limit}")
        room = limit + 2 * (c.block_size if c.blocks else 0) + 256
        if backlog is None:
            backlog = limit + room
        elif backlog < room:
            raise ValueError(f"backlog must be at least {room} for transfers of {limit} bytes, not {backlog}")
        self.mailbox = mailbox
        self.lane = lane
        self.handover = handover
        quota = 0
        if c.blocks:
            _ = mailbox.sram  # peers may send blocks: rather told now than when one comes
            quota = mailbox.quota().limit
        self._stock = Stock(mailbox, lane, quota, share) if quota else None
        self._outbox = Outbox(
            mailbox,
            lane,
            batch=batch,
            stock=self._stock,
            threshold=ways.threshold(c.words, mailbox.bus.bursts) if threshold is None else threshold,
            patience=patience,
        )
        self._inbox = Inbox(mailbox, lane, limit=limit, backlog=backlog)
        # What tells that another try is worth while.
        self._latches = (Source.CREDIT | Source.PEER | Source.BLOCK | Source.LOAN) & Source(
            sum(1 << source for source in sources(c))
        )
        self._full = False  # the head of the queue does not fit into the backlog
        self._look = False  # some peer has changed its state

    @property
    def threshold(self) -> int:
        """Bytes up to which what is left of a transfer goes through registers; -1: not even none."""
        return self._outbox.threshold

    @threshold.setter
    def threshold(self, value: int) -> None:
        self._outbox.threshold = value

    @property
    def share(self) -> int:
        """Most of this VM's blocks that are with, or kept for, one peer; 0 where it has none."""
        return self._stock.share if self._stock else 0

    # Peers

    def connect(self, vm: int) -> int:
        """Acknowledge the present generation of a peer, and return it. ``send`` does so the first time by itself.

        What was still to go to the former one is given up before.

        Raises
        ------
        Denied
            We may not send to it.
        PeerGone
            It is closed or draining.
        """
        return self._outbox.connect(vm)

    def connected(self, vm: int) -> int | None:
        """Return the generation of a peer that is connected. No access."""
        return self._outbox.generation(vm)

    def lost(self, vm: int) -> int:
        """Return how many transfers to a peer were given up since it was connected."""
        return self._outbox.lost(vm)

    def violations(self, vm: int) -> "Counter[Violation]":
        """Return how often a peer has violated what."""
        return self._inbox.violations(vm)

    def errors(self, vm: int) -> Sequence[ProtocolError]:
        """Return the last violations of a peer, the latest at the end."""
        return tuple(self._inbox.errors(vm))

    # Send

    def send(
        self,
        destination: int,
        data: bytes | bytearray | memoryview,
        *,
        channel: int = 0,
        kind: Content = Content.DATA,
        timeout: float | None = None,
    ) -> None:
        """Send a transfer, waiting for credits and blocks where needed.

        Parameters
        ----------
        destination : int
            VM-ID of the receiver.
        data : bytes-like
            What.
        channel : int
            In which channel, 0 to 255.
        kind : Content
            What it is.
        timeout : float or None
            Seconds in which the last of it must have been committed.

        Raises
        ------
        ValueError
            A parameter outside its limits.
        Timeout
            The time is over. The transfer is not delivered.
        PeerGone, Denied, BadBlock
            This transfer or an earlier one to this peer is not delivered; ``lost`` says how many. ``connect`` again.
        """
        view = self._check(destination, data, channel)
        transfer = self._outbox.post(destination, channel, kind, view, self.handover)
        if transfer is not None:
            self._finish(destination, transfer, timeout)

    def post(
        self,
        destination: int,
        data: bytes | bytearray | memoryview,
        *,
        channel: int = 0,
        kind: Content = Content.DATA,
        most: int = 64,
    ) -> Transfer | None:
        """Send a transfer without waiting: what cannot go at once goes while later calls wait, or at ``flush``.

        Parameters are those of ``send``, and ``most``: how many transfers may be on their way to this peer before.

        Returns
        -------
        Transfer or None
            It has ``done`` and ``error``. ``None``: it is committed.

        Raises
        ------
        Overrun
            So many are. Nothing was queued.
        ValueError, PeerGone, Denied, BadBlock
            As ``send``.
        """
        view = self._check(destination, data, channel)
        if self._outbox.waiting(destination) >= most:
            raise Overrun(f"transfers on their way to VM {destination} must be at most {most}, not more")
        if not isinstance(data, bytes):  # which may change until it goes
            view = memoryview(bytes(view))
        transfer = self._outbox.post(destination, channel, kind, view, self.handover)
        if transfer is not None:
            self._outbox.advance()
        return transfer

    def flush(self, timeout: float | None = None) -> None:
        """Return when all transfers have been accepted by the hardware.

        Raises
        ------
        Timeout
            Some have not within ``timeout`` seconds. They are kept.
        PeerGone, Denied, BadBlock
            Some transfers are not delivered. Those to other peers were flushed.
        """
        deadline = self._deadline(timeout)
        while True:
            self._outbox.advance()
            self._outbox.confirm()
            if not self._outbox.busy:
                break
            self._step(deadline, Source.NONE, "transfers")
        for error in self._outbox.errors():
            raise error

    def settle(self, destination: int, timeout: float | None = None) -> None:
        """Return when a peer has given back all that was lent to it: it has read all that was sent in blocks.

        Raises
        ------
        Timeout
            It has not within ``timeout`` seconds.
        PeerGone, Denied, BadBlock
            As ``send``.
        """
        deadline = self._deadline(timeout)
        while True:
            self._outbox.confirm()
            if error := self._outbox.error(destination):
                raise error
            if not self._outbox.waiting(destination) and not (self._stock and self._stock.holds(destination)):
                return
            self._step(deadline, self._latches, "loans")

    def reclaim(self, destination: int) -> int:
        """Take back all blocks that were lent to a peer, and return how many it had. It discards what it did not read.

        For a peer that keeps them. Nothing else ends a loan but the peer itself.
        """
        self._outbox.confirm()
        return self._stock.revoke(destination) if self._stock else 0

    # Send without a copy

    def buffer(self, size: int, timeout: float | None = None) -> Buffer:
        """Return a block to be filled in place, for ``send_buffer``.

        Raises
        ------
        ValueError
            It does not fit a block, or this VM has no blocks.
        Timeout
            There was none within ``timeout`` seconds.
        """
        most = self.mailbox.config.block_size if self._stock else 0
        if self._stock is None or not 0 <= size <= most:
            raise ValueError(f"buffer must be of 0 to {most} bytes, not {size}")
        deadline = self._deadline(timeout)
        while (block := self._stock.buffer()) is None:
            self._step(deadline, self._latches, "a block")
        return Buffer(self, block, size)

    def send_buffer(
        self,
        destination: int,
        buffer: Buffer,
        size: int | None = None,
        *,
        channel: int = 0,
        kind: Content = Content.DATA,
        how: Handover = Handover.MOVE,
        timeout: float | None = None,
    ) -> None:
        """Send the first bytes of a buffer without copying them. The buffer is gone with it.

        Parameters
        ----------
        destination, channel, kind, timeout
            As of ``send``.
        buffer : Buffer
            What.
        size : int or None
            How many bytes; ``None``: ``buffer.size``.
        how : Handover
            ``MOVE``: the receiver becomes the owner. ``LEND``: nobody writes until it gives the block back.
            ``SHOW``: for a ring; the buffer stays ours, to be written, and taken back before it is freed.

        Raises
        ------
        ValueError
            A parameter outside its limits.
        Timeout
            The time is over, or the peer has its share, or moved blocks half of the quota. The buffer is still ours.
        PeerGone, Denied, BadBlock
            As ``send``. After ``PeerGone`` and ``Denied`` the buffer may be still ours: then it has its ``block``.
        """
        self._check(destination, b"", channel)
        size = buffer.size if size is None else size
        most = self.mailbox.config.block_size
        if not 0 <= size <= most:
            raise ValueError(f"size must be from 0 to {most}, not {size}")
        block = buffer.block
        assert self._stock  # there is a buffer
        deadline = self._deadline(timeout)
        shown = how is Handover.SHOW  # then it stays the program's
        while not shown and not self._stock.adopt(destination, how):
            # No event tells that a moved block was freed: look again and again.
            self._step(deadline, self._latches, "a block", longest=self._outbox.patience)
            if error := self._outbox.error(destination):
                raise error
        try:
            transfer = self._outbox.post_block(destination, channel, kind, block, size, how)
        except PosternError:
            if not shown:
                self._stock.disown(destination)
            raise
        try:
            self._finish(destination, transfer, timeout)
        finally:
            if transfer.started and not shown:
                buffer._block = None

    # Receive

    def receive(self, timeout: float | None = None, *, copy: bool = True) -> Received:
        """Take the next transfer that belongs to no ``Channel`` or layer of its own, and wait for one if there is none.

        Parameters
        ----------
        timeout : float or None
            Seconds to wait; 0 only looks.
        copy : bool
            A transfer that is one block is copied out of it. ``False``: its memory is the block until ``release``.

        Raises
        ------
        Timeout
            None came.
        """
        queue = self._inbox.queue
        if not queue:
            deadline = self._deadline(timeout)
            while not self._inbox.queue:
                if not self._take_message(not copy):
                    self._step(deadline, Source.NONE, "a transfer", pump=False)
            queue = self._inbox.queue
        item = self._inbox.take(queue)
        assert isinstance(item, Received)  # violations go into routes only
        if copy and item.loan and item.kind is not Content.RING:
            _ = item.data
        return item

    # For the layers above

    def route(self, vm: int | None, channel: int) -> Route:
        """Return a new route: where the transfers of a channel, and of a VM or all, go instead of to ``receive``."""
        if vm is not None:
            self._check(vm, b"", channel)
        return self._inbox.open(vm, channel)

    def unroute(self, vm: int | None, channel: int, *, retire: bool = False) -> None:
        """Forget a route, and discard what it has; ``retire``: and what still comes there of a stream."""
        self._inbox.close(vm, channel, retire=retire)

    def receive_from(self, route: Route, timeout: float | None = None) -> Received:
        """Take the next transfer of a route, and wait for one if there is none.

        Raises
        ------
        Timeout
            None came within ``timeout`` seconds.
        ProtocolError
            The peer of the route violated the protocol at this place.
        PeerGone, Denied
            The peer of the route is gone, and all that it sent was taken.
        """
        return self.take_until(route, self._deadline(timeout))

    def take_until(self, route: Route, deadline: float | None) -> Received:
        """``receive_from`` with the time of ``bus.clock()`` at which it must have come."""
        look = True
        while not route.items:
            if self._take_message(False):
                continue
            if look or self._look:
                look = self._look = False
                if route.vm is not None and self._gone(route.vm):
                    if self._take_message(False):
                        look = True
                        continue
                    error = self._outbox.error(route.vm)
                    assert error
                    raise error
            self._step(deadline, Source.PEER, "a transfer", pump=False)
        item = self._inbox.take(route.items)
        if isinstance(item, PosternError):
            raise item
        return item

    def next_of(self, route: Route) -> Received | PosternError:
        """Take what a route has next. Requires: it has something. No access."""
        return self._inbox.take(route.items)

    def confirm(self) -> None:
        """Find out what became of what was committed. At most one read and, after a refusal, one write."""
        self._outbox.confirm()

    def poll(self) -> None:
        """Take what has arrived, and commit what can be, without waiting."""
        self._outbox.confirm()
        self._outbox.advance()
        self._pump()

    def note(self, received: Received, violation: Violation = Violation.CONTENT) -> None:
        """Note that a layer above found content that is not allowed."""
        self._inbox.note(received.sender, received.generation, violation, received.channel)

    def deadline(self, timeout: float | None) -> float | None:
        """Return the time of ``bus.clock()`` at which a timeout that begins now will be over."""
        return self._deadline(timeout)

    # The end

    def close(self, timeout: float | None = 1.0) -> None:
        """Flush, wait until all loans are back, take back those that are not in time, and free all blocks.

        Raises
        ------
        PeerGone, Denied, BadBlock
            Some transfers are not delivered. Blocks have been freed.
        """
        deadline, failure = self._deadline(timeout), None
        vms = range(self.mailbox.config.vms)
        try:
            self.flush(timeout)
        except Timeout:
            pass
        except PosternError as error:
            failure = error
        stock = self._stock
        if stock:
            try:
                while sum(stock.holds(vm) for vm in vms):
                    self._step(deadline, self._latches, "loans")
            except Timeout:
                pass
        self._outbox.confirm()
        for vm in vms:
            self._outbox.fail(vm, Closed("endpoint must be open to send, not closed"))
            if stock:
                stock.revoke(vm)
        if failure:
            raise failure

    def __enter__(self) -> "Endpoint":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Inside

    def _check(self, vm: int, data: bytes | bytearray | memoryview, channel: int) -> memoryview:
        if not 0 <= vm < self.mailbox.config.vms:
            raise ValueError(f"destination must be from 0 to {self.mailbox.config.vms - 1}, not {vm}")
        if not 0 <= channel < CHANNELS:
            raise ValueError(f"channel must be from 0 to {CHANNELS - 1}, not {channel}")
        view = memoryview(data).cast("B")
        if len(view) > LARGEST:
            raise ValueError(f"data must be of at most {LARGEST} bytes, not {len(view)}")
        return view

    def _deadline(self, timeout: float | None) -> float | None:
        return None if timeout is None else self.mailbox.bus.clock() + timeout

    def _drop(self, block: int) -> None:
        assert self._stock
        self._stock.drop(block)

    def _finish(self, vm: int, transfer: Transfer, timeout: float | None) -> None:
        deadline = self._deadline(timeout)
        self._outbox.advance()
        try:
            while not transfer.done and transfer.error is None:
                self._step(deadline, Source.NONE, f"a transfer to VM {vm}")
        except BaseException as error:
            self._outbox.cancel(
                vm, transfer, error if isinstance(error, PosternError) else Closed("transfer must be waited for")
            )
            raise
        if transfer.error:
            raise transfer.error

    def _take_message(self, in_place: bool) -> bool:
        message = self.mailbox.try_receive(self.lane)
        if message is None:
            return False
        self._inbox.put(message, in_place)
        return True

    def _pump(self) -> None:
        """Take the messages that are there, as far as they fit."""
        self._full = False
        while True:
            if not self._inbox.roomy:
                header = self.mailbox.header(self.lane)
                if header and not self._inbox.room(header.sender):
                    self._full = True
                    return
            if not self._take_message(False):
                return

    def _gone(self, vm: int) -> bool:
        """Whether a peer that was connected is gone. One read."""
        if self._outbox.error(vm):
            return True
        peer, connected = self.mailbox.peer(vm), self._outbox.generation(vm)
        if peer is None or connected is None or (peer.alive and peer.generation == connected):
            return False
        self._outbox.fail(vm, PeerGone(vm))
        return True

    def _step(
        self, deadline: float | None, wanted: Source, what: str, *, pump: bool = True, longest: float | None = None
    ) -> None:
        """Commit what can be committed; if nothing can, wait for an event and see to it.

        Parameters
        ----------
        deadline : float or None
            Time of ``bus.clock()`` at which it is over.
        wanted : Source
            What to wait for, beside mail and what the transfers on their way need.
        what : str
            What is missing then.
        pump : bool
            Take what arrives, as far as it fits. ``False``: return when something has arrived.
        longest : float or None
            Most seconds to wait before it returns without an event.

        Raises
        ------
        Timeout
            It is over.
        """
        outbox, bus = self._outbox, self.mailbox.bus
        # First confirm, then clear events: so the event that ends a refusal comes after the clear, or is seen by it.
        before = outbox.changes
        outbox.confirm()
        outbox.advance()
        if outbox.changes != before:
            return
        if outbox.busy:
            wanted |= self._latches
        if not (pump and self._full):
            wanted |= Source.MAIL
        now = bus.clock()
        ends = [
            end for end in (deadline, outbox.hurry(), None if longest is None else now + longest) if end is not None
        ]
        left = min(ends) - now if ends else None
        if left is not None:
            left = max(left, TICK) if left > 0 else 0
        try:
            active = self.mailbox.wait(wanted, left)
        except Timeout:
            if deadline is not None and deadline <= min(ends):
                raise Timeout(f"{what} must be there in time, not later") from None
            return
        if latched := active & self._latches:
            self.mailbox.irq_clear(latched)
            outbox.awake()
            self._look |= bool(latched & Source.PEER)
            self._full = False
        if pump and active & Source.MAIL:
            self._pump()
