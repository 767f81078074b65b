"""A sender that loses nothing: counts credits, batches, and sends again what was refused."""

from collections import deque
from collections.abc import Sequence

from postern_spec.regmap import Result

from .driver import Mailbox, Source
from .errors import REFUSALS
from .ledger import Ledger

__all__ = ["Sender"]


class Sender:
    """Sends messages through one lane and loses none, nor their order, whatever is refused.

    It counts credits, commits as far as they reach without asking, reads ``RESULT`` once per batch, and keeps a copy
    of each message until then. After a refusal exactly the suffix that did not go is kept as ``unsent`` and the lane
    acknowledged. What time heals is sent again: ``NO_CREDIT`` when credit or the peer's state changes, ``TORN`` at
    once. What only the program can decide about is raised: ``PeerGone`` and ``Denied``. Then ``connect`` again and
    ``flush``, or ``drop``.

    The lane must be this object's alone. ``CREDIT`` and ``PEER`` are cleared here, and they are one each for all of
    a VM: of its contexts, one at a time may wait for credit.

    Parameters
    ----------
    mailbox : Mailbox
        Whose lane.
    lane : int
        The lane.
    batch : int
        Most messages that are committed between two reads of ``RESULT``, 1 to 255.

    Raises
    ------
    NoCredit, Denied, PeerGone, Torn
        The lane still holds a refusal of before.
    """

    def __init__(self, mailbox: Mailbox, lane: int = 0, *, batch: int = 64):
        self.mailbox = mailbox
        self.lane = lane
        self._unsent: deque[tuple[int, tuple[int, ...]]] = deque()
        self._ledger: Ledger[tuple[int, tuple[int, ...]]] = Ledger(mailbox, lane, batch)
        self._credits = [0] * mailbox.config.vms  # commits that can be tried without asking
        self._starved = False  # the last refusal was NO_CREDIT

    @property
    def unsent(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Destination and words of the messages that are known not to have gone, oldest first."""
        return tuple(self._unsent)

    @property
    def unconfirmed(self) -> int:
        """How many messages were committed since ``RESULT`` was read."""
        return len(self._ledger)

    def send(self, dest: int, words: Sequence[int], timeout: float | None = None) -> None:
        """Commit a message after all earlier ones, waiting for credit where needed.

        Whatever is raised but ``ValueError``, the message is kept, and ``flush`` goes on with it.

        Raises
        ------
        ValueError
            A parameter outside its limits. The message is not kept.
        Timeout
            No credit for ``timeout`` seconds.
        PeerGone, Denied
            An unconfirmed message, this one or an earlier one, cannot be delivered.
        Torn
            Twice in a row: the lane is somebody else's, too.
        """
        kept = tuple(words)
        self.mailbox.check(dest, kept)
        self._unsent.append((dest, kept))
        self._push(timeout)

    def flush(self, timeout: float | None = None) -> None:
        """Return when every message has been accepted. Raises what ``send`` raises."""
        while self._unsent or self._ledger:
            self._push(timeout)
            self._confirm()

    def drop(self, dest: int) -> list[tuple[int, ...]]:
        """Forget the unsent messages to a VM, and return them."""
        dropped = [words for to, words in self._unsent if to == dest]
        self._unsent = deque(item for item in self._unsent if item[0] != dest)
        self._ledger.torn = False
        return dropped

    def _push(self, timeout: float | None) -> None:
        while self._unsent:
            dest, words = self._unsent[0]
            if not self._credits[dest]:
                self._confirm()
                self._refill(self._unsent[0][0], timeout)
                continue
            self.mailbox.send(dest, words, self.lane)
            self._credits[dest] -= 1
            if self._ledger.add(dest, self._unsent.popleft()):
                self._confirm()

    def _refill(self, dest: int, timeout: float | None) -> None:
        wanted = Source.CREDIT | Source.PEER
        if self._starved:
            self.mailbox.wait(wanted, timeout)
            self._starved = False
        # Cleared before the look, so that what comes after the look ends the next wait.
        self.mailbox.irq_clear(wanted)
        available = self.mailbox.credit(dest).available
        # Without credit one commit is tried all the same: its refusal says why, be it a pause, no permission, or a peer
        # that is gone.
        self._credits[dest] = max(1, available)

    def _confirm(self) -> None:
        _, refused = self._ledger.settle()
        if refused is None:
            return
        self._unsent.extendleft(reversed(self._ledger.take_back()))
        self._credits = [0] * len(self._credits)
        self._starved = refused.code is Result.NO_CREDIT
        if refused.again or refused.code in (Result.DENIED, Result.PEER_GONE):
            raise REFUSALS[refused.code](refused.vm, refused.accepted)
