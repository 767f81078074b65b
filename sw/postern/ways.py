"""What the two ways of a transfer cost in bus accesses, and from which size on which one is cheaper.

These are counts, not guesses: ``python -m postern.measure`` counts them at the bus, and a test compares.
"""

from typing import NamedTuple

from . import wire

__all__ = ["BURST_THRESHOLD", "Cost", "blocks", "registers", "threshold"]


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


BURST_THRESHOLD = 24
"""Bytes up to which registers are faster than a block where a burst moves about a word per cycle.

Words of a message are read one by one, each with the latency of a read; those of a block come in a burst. What it takes
more for a block (4 reads and 3 writes) is less than 7 such words. Measured in cycles on the RTL by
``postern_sim.bench.hybrid.crossover``, and compared with it by a test.
"""


def threshold(words: int, bursts: bool = False) -> int:
    """Return up to how many bytes a transfer is better through registers.

    Parameters
    ----------
    words : int
        Words of a message.
    bursts : bool
        The bus moves a burst faster than as many accesses, see ``Bus.bursts``: then cycles count,
        ``BURST_THRESHOLD``. Otherwise accesses do, of which two messages of ``words`` words take no more than a block:
        three cost 11 beside the data, two of them 8, and so does a block.
    """
    if bursts:
        return min(BURST_THRESHOLD, wire.capacity(words, False))
    return wire.capacity(words, True) + wire.capacity(words, False)
