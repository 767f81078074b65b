"""A sender's blocks: which of them which peer holds, and no more of them for one peer than its share."""

from collections import deque

from postern_spec.regmap import Handover, Holding

from .driver import Mailbox
from .errors import BlockRefused

__all__ = ["Stock"]


class _Shelf:
    """The blocks of one peer."""

    __slots__ = ("busy", "idle", "lent")

    def __init__(self) -> None:
        self.idle: list[int] = []  # ours; hold bytes that only this peer may see
        self.busy = 0  # being filled, or committed and not confirmed
        self.lent: deque[int] = deque()  # confirmed, and not seen back yet

    def count(self) -> int:
        return len(self.idle) + self.busy + len(self.lent)


class Stock:
    """The blocks that a sender fills and hands over. Each method says how many accesses it takes.

    A block that came back from a peer is used for that peer again, or freed, which scrubs it: no other peer ever sees
    what it held.

    Parameters
    ----------
    mailbox : Mailbox
        Whose blocks.
    lane : int
        Lane for ``FREE`` and ``REVOKE``.
    quota : int
        Blocks that this VM may have, at least 1.
    share : int or None
        Most blocks that one peer may hold, kept ones included. ``None``: a quarter of the quota, at least one.
    """

    def __init__(self, mailbox: Mailbox, lane: int, quota: int, share: int | None):
        self._mailbox = mailbox
        self._lane = lane
        self._shelves = [_Shelf() for _ in range(mailbox.config.vms)]
        self._free = 0  # buffers of the program that nobody was sent yet
        self._moved = 0  # at most so many blocks have been moved, or are about to be, and not freed
        self.share = -(-quota // 4) if share is None else share
        self.moves = max(1, quota // 2)

    def take(self, vm: int, how: Handover, thorough: bool = True) -> int | None:
        """Return a block to be filled for a peer, ``None`` where there is none at present. Mostly one read.

        Parameters
        ----------
        vm : int
            The peer.
        how : Handover
            ``MOVE`` or ``LEND``.
        thorough : bool
            Before there is none, look at all that are lent to the peer, so that ``LOAN`` is worth waiting for.
        """
        shelf = self._shelves[vm]
        block = shelf.idle.pop() if shelf.idle else self._returned(shelf)
        if how is Handover.MOVE:
            allowed = self._may_move()
            if not allowed:
                if block is not None:
                    shelf.idle.append(block)
                return None
        else:
            allowed = shelf.count() < self.share
        if block is None and allowed:
            block = self._mailbox.alloc()
            if block is None:
                self._spare(vm)
        if block is None and thorough:
            for _ in range(len(shelf.lent)):
                if (block := self._returned(shelf)) is not None:
                    break
        if block is not None:
            shelf.busy += 1
            self._moved += how is Handover.MOVE
        return block

    def adopt(self, vm: int, how: Handover) -> bool:
        """Count a buffer of the program as one for a peer; ``False`` where that is too many at present."""
        shelf = self._shelves[vm]
        while shelf.idle:  # the buffer is used instead
            self._mailbox.free(shelf.idle.pop(), self._lane)
        if how is Handover.MOVE:
            if not self._may_move():
                return False
            self._moved += 1
        elif shelf.count() >= self.share:
            while (block := self._returned(shelf)) is not None:
                self._mailbox.free(block, self._lane)
            if shelf.count() >= self.share:
                return False
        shelf.busy += 1
        self._free -= 1
        return True

    def disown(self, vm: int) -> None:
        """Count a buffer that was adopted for a peer as the program's again. No access."""
        self._shelves[vm].busy -= 1
        self._free += 1

    def sent(self, vm: int, block: int, how: Handover) -> None:
        """Note that the message with a block was accepted. No access."""
        shelf = self._shelves[vm]
        shelf.busy -= 1
        if how is not Handover.MOVE:
            shelf.lent.append(block)

    def lost(self, vm: int) -> None:
        """Note that a block turned out not to be ours. No access."""
        self._shelves[vm].busy -= 1

    def put_back(self, vm: int, block: int) -> None:
        """Take back a block whose message did not go. No access."""
        shelf = self._shelves[vm]
        shelf.busy -= 1
        shelf.idle.append(block)

    def buffer(self) -> int | None:
        """Return a block of zeros that is for nobody yet, ``None`` where there is none at present. One read."""
        block = self._mailbox.alloc()
        if block is None:
            self._spare(None)
        else:
            self._free += 1
        return block

    def drop(self, block: int) -> None:
        """Free a buffer that was sent to nobody. Two accesses."""
        self._free -= 1
        self._mailbox.free(block, self._lane)

    def holds(self, vm: int) -> int:
        """Return how many lent blocks a peer has not given back. One read for each that was out."""
        shelf = self._shelves[vm]
        for _ in range(len(shelf.lent)):
            if (block := self._returned(shelf)) is not None:
                shelf.idle.append(block)
        return len(shelf.lent)

    def forget(self, vm: int) -> None:
        """Free what is kept for a peer. Two accesses for each block, and one for each that was out."""
        self.holds(vm)
        shelf = self._shelves[vm]
        while shelf.idle:
            self._mailbox.free(shelf.idle.pop(), self._lane)

    def revoke(self, vm: int) -> int:
        """Take back all that is lent to a peer, free it, and return how many loans that ended."""
        shelf, ended = self._shelves[vm], 0
        while shelf.lent:
            block = shelf.lent.popleft()
            try:
                self._mailbox.revoke(block, self._lane)
                ended += 1
            except BlockRefused:
                pass  # it came back in this moment
            shelf.idle.append(block)
        self.forget(vm)
        return ended

    def _may_move(self) -> bool:
        """Whether one more block may be moved. No access while the count is low, else one read."""
        if self._moved >= self.moves:
            # Who holds what was moved, nobody says. It is what is charged to this VM and neither kept nor lent.
            known = self._free + sum(len(it.idle) + len(it.lent) for it in self._shelves)
            self._moved = self._mailbox.quota().used - known
        return self._moved < self.moves

    def _returned(self, shelf: _Shelf) -> int | None:
        """Return the block that is out for longest if it is back, otherwise let the next one be looked at then."""
        if not shelf.lent:
            return None
        block = shelf.lent.popleft()
        info = self._mailbox.holding(block)
        if info is None:
            return None  # taken away by the manager
        if info.holding is Holding.OWNED:
            return block
        shelf.lent.append(block)
        return None

    def _spare(self, vm: int | None) -> None:
        """Free what is kept for other peers, so that the next allocation can have it once it has been scrubbed."""
        for peer, shelf in enumerate(self._shelves):
            if peer != vm:
                while shelf.idle:
                    self._mailbox.free(shelf.idle.pop(), self._lane)
