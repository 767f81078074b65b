"""A sender of transfers to many peers through one lane: none waits for another peer's credits or blocks."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from postern_spec.regmap import Handover, Result

from . import wire
from .driver import Mailbox
from .errors import REFUSALS, Denied, PeerGone, PosternError, Torn
from .ledger import Ledger
from .stock import Stock
from .wire import Content

__all__ = ["Outbox", "Transfer"]


class Transfer:
    """A transfer on its way out.

    Attributes
    ----------
    done : bool
        All of it is committed.
    error : PosternError or None
        Why it was given up.
    """

    __slots__ = ("block", "channel", "data", "done", "error", "how", "kind", "offset", "size", "started")

    def __init__(self, channel: int, kind: Content, data: memoryview, how: Handover):
        self.channel = channel
        self.kind = kind
        self.data = data
        self.size = len(data)
        self.how = how
        self.block: int | None = None  # a buffer of the program that has the data
        self.offset = 0
        self.started = False
        self.done = False
        self.error: PosternError | None = None


class _Item(NamedTuple):
    """A message: what is kept of it until RESULT has said that it went."""

    transfer: Transfer | None  # None: a whole transfer in this message, without a block
    words: tuple[int, ...]
    block: int | None
    how: Handover


class _Destination:
    """What there is to say of a peer."""

    __slots__ = ("credits", "error", "generation", "hoards", "lost", "queues", "redo", "since", "starved", "vm")

    def __init__(self, vm: int):
        self.vm = vm
        self.generation: int | None = None  # that is connected
        self.error: PosternError | None = None  # why nothing goes there until it is connected again
        self.lost = 0  # transfers given up since it was connected
        self.credits = 0  # commits that can be tried without asking
        self.starved = False  # refused as NO_CREDIT; wait for an event before another try
        self.redo: deque[_Item] = deque()  # refused, to be sent before all else
        self.queues: dict[int, deque[Transfer]] = {}  # by channel, the next one to have its turn first
        self.since: float | None = None  # when a block was missed first
        self.hoards = False  # patience is over: registers until there is a block

    @property
    def busy(self) -> bool:
        return bool(self.redo or self.queues)


class Outbox:
    """Sends transfers, in fragments, and loses none silently.

    Parameters
    ----------
    mailbox : Mailbox
        Whose lane.
    lane : int
        The lane, this object's alone.
    batch : int
        Most messages that are committed between two reads of ``RESULT``, 1 to 255.
    stock : Stock or None
        The blocks; ``None``: registers only.
    threshold : int
        Bytes up to which what is left of a transfer goes through registers.
    patience : float
        Seconds that a fragment waits for a block before it goes through registers.
    """

    def __init__(
        self, mailbox: Mailbox, lane: int, *, batch: int, stock: Stock | None, threshold: int, patience: float
    ):
        self._mailbox = mailbox
        self._lane = lane
        self._stock = stock
        self.threshold = threshold
        self.patience = patience
        self._words = mailbox.config.words
        self._block_size = mailbox.config.block_size
        self._single = wire.capacity(self._words, False)
        self._destinations = [_Destination(vm) for vm in range(mailbox.config.vms)]
        self._ledger: Ledger[tuple[_Destination, _Item]] = Ledger(mailbox, lane, batch)
        self.changes = 0  # counts what somebody might wait for: commits, and transfers given up

    # Peers

    def connect(self, vm: int) -> int:
        """Give up what is left for a peer's former generation, and acknowledge its present one."""
        self.confirm()
        to = self._destinations[vm]
        self._give_up(to, PeerGone(vm))
        to.generation = None
        try:
            to.generation = self._mailbox.connect(vm)
        finally:
            if self._stock:  # after: what a former generation has given up until now is not for the present one
                self._stock.forget(vm)
        to.error, to.lost = None, 0
        to.credits, to.starved, to.since, to.hoards = 0, False, None, False
        return to.generation

    def generation(self, vm: int) -> int | None:
        """Return the generation that is connected."""
        return self._destinations[vm].generation

    def error(self, vm: int) -> PosternError | None:
        """Return why nothing goes to a peer."""
        return self._destinations[vm].error

    def errors(self) -> Iterator[PosternError]:
        """Yield why nothing goes to some peers."""
        return (to.error for to in self._destinations if to.error)

    def lost(self, vm: int) -> int:
        """Return how many transfers to a peer were given up since it was connected."""
        return self._destinations[vm].lost

    def fail(self, vm: int, error: PosternError) -> None:
        """Give up all transfers to a peer; the next call about it raises ``error``."""
        self.confirm()
        to = self._destinations[vm]
        self._give_up(to, error)
        to.error = error

    def _ready(self, vm: int) -> _Destination:
        to = self._destinations[vm]
        if to.error:
            raise to.error
        if to.generation is None:
            self.connect(vm)
        return to

    # Transfers

    def post(self, vm: int, channel: int, kind: Content, data: memoryview, how: Handover) -> Transfer | None:
        """Queue a transfer, or commit it at once where that can be done; then there is none to wait for.

        Raises
        ------
        PeerGone, Denied, BadBlock
            An earlier transfer to this peer was refused, or this one is.
        """
        to = self._ready(vm)
        size = len(data)
        if to.credits and not to.redo and not to.queues and size <= self.threshold and size <= self._single:
            words = (wire.word0(channel, kind, size), *wire.words_of(data))
            self._commit(to, _Item(None, words, None, how))
            return None
        transfer = Transfer(channel, kind, data, how)
        to.queues.setdefault(channel, deque()).append(transfer)
        return transfer

    def post_block(self, vm: int, channel: int, kind: Content, block: int, size: int, how: Handover) -> Transfer:
        """Queue a transfer whose data are in a block of the program; the stock has counted it for this peer."""
        to = self._ready(vm)
        transfer = Transfer(channel, kind, memoryview(b""), how)
        transfer.block, transfer.size = block, size
        to.queues.setdefault(channel, deque()).append(transfer)
        return transfer

    def waiting(self, vm: int) -> int:
        """Return how many transfers to a peer are not committed whole."""
        return sum(map(len, self._destinations[vm].queues.values()))

    def cancel(self, vm: int, transfer: Transfer, error: PosternError) -> None:
        """Give up a transfer. Its peer discards what has arrived of it."""
        to = self._destinations[vm]
        if not transfer.done and transfer.error is None:
            self._forsake(to, transfer, error)
            queue = to.queues[transfer.channel]
            queue.remove(transfer)
            if not queue:
                del to.queues[transfer.channel]
            to.redo = deque(item for item in to.redo if not self._stale(to, item))

    @property
    def busy(self) -> bool:
        """Whether anything is left to be committed."""
        return any(to.busy for to in self._destinations)

    def hurry(self) -> float | None:
        """Return the time at which somebody's patience is over, ``None`` where nobody is waiting for a block."""
        moments = [to.since for to in self._destinations if to.since is not None and to.queues and not to.hoards]
        return min(moments) + self.patience if moments else None

    def advance(self) -> None:
        """Commit what can be committed."""
        for to in self._destinations:
            if to.busy:
                self._advance(to)

    def awake(self) -> None:
        """Let those try again who were refused for want of credit. To be called between a clear of events and a try,
        the clear being after ``confirm``."""
        for to in self._destinations:
            to.starved = False

    def _advance(self, to: _Destination) -> None:
        while to.busy and (to.credits or self._refill(to)):
            item = to.redo.popleft() if to.redo else self._next(to)
            if item is None:
                return
            self._commit(to, item)

    def _refill(self, to: _Destination) -> bool:
        if to.starved:
            return False
        to.credits = self._mailbox.credit(to.vm).available
        if to.credits:
            return True
        peer = self._mailbox.peer(to.vm)
        if peer is None:
            self.fail(to.vm, Denied(to.vm))
        elif not peer.alive or peer.generation != to.generation or not peer.acknowledged:
            self.fail(to.vm, PeerGone(to.vm))
        return False

    # Fragments

    def _next(self, to: _Destination) -> _Item | None:
        """Return the next fragment, ``None`` where it waits for a block."""
        channel, queue = next(iter(to.queues.items()))
        transfer = queue[0]
        item = self._buffered(transfer) if transfer.block is not None else self._fragment(to, transfer)
        if item is None:
            return None
        del to.queues[channel]  # the other channels are next
        if transfer.offset == transfer.size:
            transfer.done = True
            queue.popleft()
        if queue:
            to.queues[channel] = queue
        return item

    def _buffered(self, transfer: Transfer) -> _Item:
        transfer.started, transfer.offset = True, transfer.size
        word = wire.word0(transfer.channel, transfer.kind, transfer.size)
        return _Item(transfer, (word,), transfer.block, transfer.how)

    def _fragment(self, to: _Destination, transfer: Transfer) -> _Item | None:
        first, left = not transfer.started, transfer.size - transfer.offset
        block = None
        # Beside a block in a message of two words there is no room for TOTAL: it goes ahead.
        ahead = first and left > self._block_size and self._words < 3
        if left > self.threshold and self._stock and not ahead:
            block = self._stock.take(to.vm, transfer.how, not to.hoards)
            if block is None and not self._impatient(to):
                return None
        if block is not None:
            to.since, to.hoards = None, False
            length = min(left, self._block_size)
        else:
            length = min(left, wire.capacity(self._words, first and left > self._single))
        last = length == left
        data = transfer.data[transfer.offset : transfer.offset + length]
        words: tuple[int, ...] = (wire.word0(transfer.channel, transfer.kind, length, first, last),)
        if first and not last:
            words += (transfer.size,)
        if block is None:
            words += wire.words_of(data)
        else:
            self._mailbox.write_sram(block, 0, bytes(data))
        transfer.started = True
        transfer.offset += length
        return _Item(transfer, words, block, transfer.how)

    def _impatient(self, to: _Destination) -> bool:
        if not to.hoards:
            now = self._mailbox.bus.clock()
            if to.since is None:
                to.since = now
            to.hoards = now - to.since >= self.patience
        return to.hoards

    # Commits

    def _commit(self, to: _Destination, item: _Item) -> None:
        if item.block is None:
            self._mailbox.send(to.vm, item.words, self._lane)
        else:
            self._mailbox.send_block(to.vm, item.words, item.block, item.how, self._lane)
        to.credits -= 1
        self.changes += 1
        if self._ledger.add(to.vm, (to, item)):
            self.confirm()

    def confirm(self) -> None:
        """Find out what became of what was committed. No access if nothing was, else one read, and one write more after
        a refusal.

        Raises
        ------
        Torn
            Twice in a row: the lane is somebody else's, too.
        DeviceError
            The block tells what cannot be.
        """
        went, refused = self._ledger.settle()
        for to, item in went:
            if item.block is not None and self._stock and item.how is not Handover.SHOW:
                self._stock.sent(to.vm, item.block, item.how)
        if refused is None:
            return
        back = self._ledger.take_back()
        refuser, cause = back[0]
        if refused.code is Result.BAD_BLOCK and self._stock:
            if cause.how is not Handover.SHOW:
                self._stock.lost(refuser.vm)
            back[0] = (refuser, cause._replace(block=None))
        for to, item in reversed(back):
            to.credits += 1
            if not self._stale(to, item):
                to.redo.appendleft(item)
        if refused.code is Result.NO_CREDIT:
            refuser.credits, refuser.starved = 0, True
        elif refused.code is not Result.TORN:
            error = REFUSALS[refused.code](refused.vm)
            self._give_up(refuser, error)
            refuser.error = error
        elif refused.again:
            raise Torn(refused.vm, refused.accepted)

    def _stale(self, to: _Destination, item: _Item) -> bool:
        """Whether a message that did not go belongs to a transfer that was given up; then release its block."""
        if item.transfer is None or item.transfer.error is None:
            return False
        self._release(to, item)
        return True

    def _release(self, to: _Destination, item: _Item) -> None:
        if item.block is not None and self._stock and item.how is not Handover.SHOW:
            self._stock.put_back(to.vm, item.block)

    def _forsake(self, to: _Destination, transfer: Transfer, error: PosternError) -> None:
        """Note that a transfer is not delivered. A buffer that was not committed is the program's again."""
        if transfer.error is None:
            transfer.error = error
            to.lost += 1
            adopted = transfer.block is not None and not transfer.started and transfer.how is not Handover.SHOW
            if adopted and self._stock:
                self._stock.disown(to.vm)

    def _give_up(self, to: _Destination, error: PosternError) -> None:
        """Forget all that is not known to have gone to a peer, and release its blocks."""
        self.changes += 1
        for item in to.redo:
            if item.transfer is None:
                to.lost += 1
            else:
                self._forsake(to, item.transfer, error)
            self._release(to, item)
        to.redo.clear()
        for queue in to.queues.values():
            for transfer in queue:
                self._forsake(to, transfer, error)
        to.queues.clear()
