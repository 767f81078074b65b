"""What arrives: trains put together again, garbage noted and discarded, and everything sorted to whoever wants it."""

from collections import Counter, deque
from typing import NamedTuple

from postern_spec.regmap import Handover

from . import wire
from .driver import Loan, Mailbox, Message
from .errors import BlockRefused, PeerGone, PosternError, ProtocolError, Violation
from .wire import Content, Fragment

__all__ = ["Inbox", "Received", "Route"]

BESIDE = 64
"""Bytes that a transfer counts for beside its data, so that empty ones fill the backlog, too."""


_OF_STREAMS = frozenset((Content.STREAM, Content.END, Content.WINDOW, Content.RESET))


class Received:
    """A transfer that was received. Its bytes are here, or still in the block that brought them.

    Attributes
    ----------
    sender, generation : int
        Who sent it, as the hardware says.
    channel : int
        In which channel.
    kind : Content
        What it is.
    """

    __slots__ = ("_data", "_inbox", "_loan", "_size", "channel", "generation", "kind", "sender")

    def __init__(
        self,
        sender: int,
        generation: int,
        fragment: Fragment,
        data: bytes | None,
        inbox: "Inbox | None" = None,
        loan: Loan | None = None,
    ):
        self.sender = sender
        self.generation = generation
        self.channel = fragment.channel
        self.kind = fragment.kind
        self._size = fragment.length if data is None else len(data)
        self._data = data
        self._inbox = inbox
        self._loan = loan

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        where = f"in block {self._loan.block}" if self._loan else "here"
        return (
            f"Received(sender={self.sender}, generation={self.generation}, channel={self.channel}, "
            f"kind={self.kind.name}, {self._size} bytes {where})"
        )

    @property
    def loan(self) -> Loan | None:
        """The block that has the bytes, until ``release``."""
        return self._loan

    @property
    def data(self) -> bytes:
        """The bytes. Where they are in a block, this copies them out and releases it.

        Raises
        ------
        ProtocolError
            The block was taken back before: the bytes are lost.
        ValueError
            The block was released before.
        """
        if self._data is None:
            data = self.read(0, self._size)
            if not self.release():
                raise ProtocolError(self.sender, self.generation, Violation.REVOKED, self.channel)
            self._data = data
        return self._data

    def read(self, offset: int, length: int) -> bytes:
        """Return a part of the bytes, from the block where they are there.

        From a lent block it is not safe to act upon before ``release`` has returned true: the sender could have taken
        it back, and then it reads as zero.

        Parameters
        ----------
        offset : int
            Where, a multiple of 4.
        length : int
            Bytes.

        Raises
        ------
        ValueError
            Outside the transfer, not at a word, or the block was released.
        """
        if offset % 4:
            raise ValueError(f"offset must be a multiple of 4, not {offset}")
        if not 0 <= offset <= offset + length <= self._size:
            raise ValueError(
                f"part must lie in the {self._size} bytes of the transfer, not at {offset} to {offset + length}"
            )
        if self._data is not None:
            return self._data[offset : offset + length]
        if self._inbox is None or self._loan is None:
            raise ValueError("transfer must be read before its block is released, not after")
        return self._inbox.mailbox.read_sram(self._loan.block, offset, length)

    def release(self) -> bool:
        """Give the block up. Two accesses, none where there is no block (any more).

        Returns
        -------
        bool
            All that was read was what the sender sent. ``False``: it took the block back before.
        """
        if self._loan is None or self._inbox is None:
            return self._data is not None
        loan, inbox = self._loan, self._inbox
        self._loan = self._inbox = None
        stood = inbox.release(loan)
        if not stood:
            inbox.note(self.sender, self.generation, Violation.REVOKED, self.channel)
        return stood

    def __enter__(self) -> "Received":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Route:
    """Where the transfers of a channel go, instead of to whoever asks for any.

    Parameters
    ----------
    vm : int or None
        Transfers of this VM; then its violations and restarts come here, too, in their place. ``None``: of any VM.
    """

    __slots__ = ("items", "vm")

    def __init__(self, vm: int | None):
        self.vm = vm
        self.items: deque[Received | PosternError] = deque()


class _Train(NamedTuple):
    """A train that is not complete. ``data`` is ``None`` where the rest is discarded."""

    kind: Content
    total: int
    data: bytearray | None


class _Source:
    """What there is to say of a sender."""

    __slots__ = ("counts", "errors", "generation", "held", "trains")

    def __init__(self) -> None:
        self.generation = 0
        self.trains: dict[int, _Train] = {}
        self.held = 0  # bytes of trains, and of transfers that nobody has taken
        self.counts: Counter[Violation] = Counter()
        self.errors: deque[ProtocolError] = deque(maxlen=16)


class Inbox:
    """Makes transfers of messages.

    Parameters
    ----------
    mailbox : Mailbox
        Where blocks are read and given up.
    lane : int
        Lane for that.
    limit : int
        Longest transfer that is taken, in bytes.
    backlog : int
        Most bytes that are kept for one sender.
    """

    def __init__(self, mailbox: Mailbox, lane: int, *, limit: int, backlog: int):
        self.mailbox = mailbox
        self.limit = limit
        self.backlog = backlog
        self.queue: deque[Received] = deque()  # what has no route
        self._lane = lane
        self._routes: dict[tuple[int | None, int], Route] = {}
        self._retired: set[tuple[int | None, int]] = set()  # channels of streams that are over
        self._sources = [_Source() for _ in range(mailbox.config.vms)]
        config = mailbox.config
        self._most = BESIDE + max(config.block_size if config.blocks else 0, 4 * config.words)

    # Routes

    def open(self, vm: int | None, channel: int) -> Route:
        """Return a new route for a channel, with what has arrived in it and was not taken.

        Raises
        ------
        ValueError
            There is one.
        """
        if (vm, channel) in self._routes:
            raise ValueError(f"channel must be one that is not in use, not {channel}")
        self._retired.discard((vm, channel))
        route = self._routes[vm, channel] = Route(vm)
        kept = [item for item in self.queue if item.channel == channel and vm in (None, item.sender)]
        if kept:
            self.queue = deque(item for item in self.queue if item not in kept)
            route.items.extend(kept)
        return route

    def close(self, vm: int | None, channel: int, *, retire: bool = False) -> None:
        """Forget a route, and discard what nobody took from it. ``retire``: it was that of a stream, of which something
        may still be on its way; that is discarded, too."""
        route = self._routes.pop((vm, channel))
        if retire:
            self._retired.add((vm, channel))
        while route.items:
            item = self.take(route.items)
            if isinstance(item, Received):
                item.release()

    def take(self, items: "deque[Received] | deque[Received | PosternError]") -> Received | PosternError:
        """Take the next transfer from a queue. It does not count for the backlog any more."""
        item = items.popleft()
        if isinstance(item, Received):
            self._sources[item.sender].held -= BESIDE + len(item)
        return item

    # What is known of senders

    def violations(self, vm: int) -> "Counter[Violation]":
        """Return how often a peer violated what."""
        return self._sources[vm].counts

    def errors(self, vm: int) -> "deque[ProtocolError]":
        """Return the last violations of a peer."""
        return self._sources[vm].errors

    def generation(self, vm: int) -> int:
        """Return the generation of a peer's last message; 0: there was none."""
        return self._sources[vm].generation

    def room(self, vm: int) -> bool:
        """Whether any message of a peer fits into its backlog."""
        return self._sources[vm].held + self._most <= self.backlog

    @property
    def roomy(self) -> bool:
        """Whether any message of anybody fits."""
        return all(source.held + self._most <= self.backlog for source in self._sources)

    def note(self, vm: int, generation: int, violation: Violation, channel: int | None = None) -> None:
        """Note a violation that its channel need not be told about in its place."""
        source = self._sources[vm]
        source.counts[violation] += 1
        source.errors.append(ProtocolError(vm, generation, violation, channel))

    def _tell(self, vm: int, generation: int, violation: Violation, channel: int) -> None:
        """Note a violation, in its channel, too."""
        self.note(vm, generation, violation, channel)
        if route := self._routes.get((vm, channel)):
            route.items.append(self._sources[vm].errors[-1])

    def release(self, loan: Loan) -> bool:
        """Give up a block that came with a message; return whether it was what the sender had handed over until now."""
        if loan.how is not Handover.MOVE:
            return self.mailbox.give_back(loan, self._lane)
        try:
            self.mailbox.free(loan.block, self._lane)
        except BlockRefused:  # the manager has reclaimed it
            return False
        return True

    # Messages

    def put(self, message: Message, in_place: bool = False) -> None:
        """Sort a message in.

        Parameters
        ----------
        message : Message
            The message.
        in_place : bool
            A transfer that is one block is not copied out of it.
        """
        vm, generation, words, loan = message
        source = self._sources[vm]
        if generation != source.generation:
            self._restart(vm, source, generation)
        fragment = wire.parse(words, loan, self.mailbox.config.block_size)
        if isinstance(fragment, Violation):
            if loan:
                self.release(loan)
            self.note(vm, generation, fragment)
            return
        channel = fragment.channel
        if fragment.first:
            violation = self._begin(vm, source, generation, fragment)
        else:
            violation = self._check(source, fragment)
        if violation:
            self._cut(vm, source, generation, channel, violation)
        train = source.trains.get(channel)
        whole = fragment.first and fragment.last
        if violation or (not whole and (train is None or train.data is None)):
            if loan:
                self.release(loan)
        elif whole and loan and (in_place or fragment.kind is Content.RING):
            self._deliver(source, Received(vm, generation, fragment, None, self, loan))
        else:
            data = self._data(words, fragment, loan)
            if data is None:
                self._cut(vm, source, generation, channel, Violation.REVOKED)
            elif whole:
                self._deliver(source, Received(vm, generation, fragment, data))
            elif train and train.data is not None:
                train.data.extend(data)
                source.held += len(data)
                if fragment.last:
                    del source.trains[channel]
                    source.held -= BESIDE + train.total
                    self._deliver(source, Received(vm, generation, fragment, bytes(train.data)))
        if fragment.last:
            self._forget(source, channel)

    def _begin(self, vm: int, source: _Source, generation: int, fragment: Fragment) -> Violation | None:
        """Begin a transfer; return what is wrong with it."""
        channel = fragment.channel
        train = self._forget(source, channel)
        if train and train.data is not None:
            self._tell(vm, generation, Violation.CUT, channel)
        if fragment.total > self.limit:
            violation = Violation.LIMIT
        elif source.held + BESIDE + fragment.length > self.backlog:
            violation = Violation.OVERRUN
        else:
            violation = None
        if not fragment.last:
            source.trains[channel] = _Train(fragment.kind, fragment.total, bytearray())
            source.held += BESIDE
        return violation

    def _check(self, source: _Source, fragment: Fragment) -> Violation | None:
        """Return what is wrong with a later fragment of a train."""
        train = source.trains.get(fragment.channel)
        if train is None:
            return Violation.ORDER
        if train.data is None:
            return None
        if train.kind is not fragment.kind:
            return Violation.ORDER
        have = len(train.data) + fragment.length
        if have > train.total or fragment.last != (have == train.total):
            return Violation.TOTAL
        if source.held + fragment.length > self.backlog:
            return Violation.OVERRUN
        return None

    def _cut(self, vm: int, source: _Source, generation: int, channel: int, violation: Violation) -> None:
        """Note a violation, and discard the rest of the train in this channel."""
        self._tell(vm, generation, violation, channel)
        train = self._forget(source, channel)
        if train:
            source.trains[channel] = train._replace(data=None)

    def _forget(self, source: _Source, channel: int) -> _Train | None:
        train = source.trains.pop(channel, None)
        if train and train.data is not None:
            source.held -= BESIDE + len(train.data)
        return train

    def _restart(self, vm: int, source: _Source, generation: int) -> None:
        """Begin anew with a sender that was opened anew."""
        for channel in list(source.trains):
            train = self._forget(source, channel)
            if train and train.data is not None:
                self._tell(vm, source.generation, Violation.RESTARTED, channel)
        if source.generation:
            for (of, _), route in self._routes.items():
                if of == vm:
                    route.items.append(PeerGone(vm))
            self._retired = {key for key in self._retired if key[0] != vm}
        source.generation = generation

    def _data(self, words: tuple[int, ...], fragment: Fragment, loan: Loan | None) -> bytes | None:
        """Return the bytes of a fragment, ``None`` where they were taken back."""
        if loan is None:
            return wire.bytes_of(words[1 + (fragment.first and not fragment.last) :], fragment.length)
        data = self.mailbox.read_sram(loan.block, 0, fragment.length)
        return data if self.release(loan) else None

    def _deliver(self, source: _Source, item: Received) -> None:
        channel = item.channel
        route = self._routes.get((item.sender, channel)) or self._routes.get((None, channel))
        if route is None and item.kind in _OF_STREAMS and (item.sender, channel) in self._retired:
            item.release()
            return
        source.held += BESIDE + len(item)
        if route:
            route.items.append(item)
        else:
            self.queue.append(item)
