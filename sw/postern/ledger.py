"""What was committed through a lane and is not confirmed yet. ``RESULT`` counts it."""

from collections import deque
from typing import Generic, NamedTuple, TypeVar

from postern_spec.regmap import Result

from .driver import Mailbox
from .errors import DeviceError

__all__ = ["Ledger", "Refused"]

Item = TypeVar("Item")


class Refused(NamedTuple):
    """The first refusal of a lane, acknowledged: why, for whom, how many went before it since the last acknowledge.

    ``again``: it was ``TORN``, as was the one before, and nothing went in between. The lane is somebody else's, too.
    """

    code: Result
    vm: int
    accepted: int
    again: bool


class Ledger(Generic[Item]):
    """Copies of what was committed, in order, until ``RESULT`` has said what became of it.

    Parameters
    ----------
    mailbox : Mailbox
        Whose lane.
    lane : int
        The lane, which nobody else may use.
    batch : int
        Most commits between two reads of ``RESULT``, 1 to 255.

    Attributes
    ----------
    torn : bool
        The last refusal was ``TORN``, and nothing has gone since.

    Raises
    ------
    ValueError
        ``batch`` is out of range.
    NoCredit, Denied, PeerGone, Torn, BadBlock
        The lane still holds a refusal of before.
    """

    def __init__(self, mailbox: Mailbox, lane: int, batch: int):
        if not 1 <= batch <= 255:
            raise ValueError(f"batch must be from 1 to 255, not {batch}")
        self._mailbox = mailbox
        self._lane = lane
        self._batch = batch
        self._open: deque[tuple[int, Item]] = deque()
        self._accepted = mailbox.result(lane).check()
        self.torn = False

    def __len__(self) -> int:
        """Return how many commits are not confirmed."""
        return len(self._open)

    def add(self, vm: int, item: Item) -> bool:
        """Note what was committed to a VM. Returns whether it must be confirmed before the next commit."""
        self._open.append((vm, item))
        return len(self._open) >= self._batch

    def settle(self) -> tuple[list[Item], Refused | None]:
        """Find out what became of it: return what went, and the refusal that ended it.

        After a refusal the lane is acknowledged, and ``take_back`` has what did not go. No access if nothing was
        committed, else one read, and one write more after a refusal.

        Raises
        ------
        DeviceError
            The block tells what cannot be.
        """
        sent = self._open
        if not sent:
            return [], None
        outcome = self._mailbox.result(self._lane)
        count = outcome.accepted - self._accepted & 0xFF
        refused = outcome.code is not Result.ACCEPTED
        if count > len(sent) or (count < len(sent)) != refused or (refused and sent[count][0] != outcome.vm):
            raise DeviceError(f"RESULT must count {len(sent)} commits or say why not, not {count}")
        self._accepted = outcome.accepted
        went = [sent.popleft()[1] for _ in range(count)]
        if went:
            self.torn = False
        if not refused:
            return went, None
        self._accepted = 0
        self._mailbox.acknowledge(self._lane)
        again = self.torn and outcome.code is Result.TORN
        self.torn = outcome.code is Result.TORN
        return went, Refused(outcome.code, outcome.vm, outcome.accepted, again)

    def take_back(self) -> list[Item]:
        """Return what did not go, oldest first, and forget it."""
        back = [item for _, item in self._open]
        self._open.clear()
        return back
