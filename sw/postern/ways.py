"""What the two ways of a transfer cost in bus accesses, and from which size on which one is cheaper.

These are counts, not guesses: ``python -m postern.measure`` counts them at the bus, and a test compares.
"""

from typing import NamedTuple

from . import wire

__all__ = ["Cost", "blocks", "registers", "threshold"]


class Cost(NamedTuple):
    """Accesses of sender and receiver for a transfer."""

    send: int
    receive: int

    @property
    def total(self) -> int:
        """Both."""
        return self.send + self.receive


def registers(size: int, words: int) -> Cost:
    """Return what a transfer costs through registers.

    Parameters
    ----------
    size : int
        Bytes.
    words : int
        Words of a message.
    """
    data, train = (size + 3) // 4, size > wire.capacity(words, False)
    messages = 1
    if train:
        messages -= -(size - wire.capacity(words, True)) // wire.capacity(words, False)
    # Word 0 is written; header and word 0 are read. TOTAL is both.
    return Cost(data + messages + train, data + 2 * messages + train)


def blocks(size: int, words: int, block_size: int) -> Cost:
    """Return what a transfer costs through blocks, as soon as there are some that come back.

    Parameters
    ----------
    size : int
        Bytes.
    words : int
        Words of a message.
    block_size : int
        Bytes of a block.
    """
    data, messages, train = (size + 3) // 4, max(1, -(-size // block_size)), size > block_size
    ahead = train and words < 3  # TOTAL goes in a message of its own, with another word 0
    # The block is looked for, then two words are written; header, word 0 and the block are read, the block is given
    # back and the outcome read.
    return Cost(data + 3 * messages + train + ahead, data + 5 * messages + train + 2 * ahead)


def threshold(words: int) -> int:
    """Return up to how many bytes registers take no more accesses than a block: what two messages of ``words`` words
    hold.

    Three messages cost 11 accesses beside the data, two of them 8, and so does a block.
    """
    return wire.capacity(words, True) + wire.capacity(words, False)
