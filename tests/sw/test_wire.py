"""The wire format: what is packed is parsed, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern import Content, Handover, Loan, Violation, wire
from postern.wire import Fragment

SIZE = 1024
WORD = st.integers(0, 2**32 - 1)
LOAN = st.builds(Loan, st.integers(0, 63), st.sampled_from(Handover), st.integers(0, 255))


def whole(data, channel=0, kind=Content.DATA):
    return (wire.word0(channel, kind, len(data)), *wire.words_of(data))


@given(st.binary(max_size=60), st.integers(0, 255), st.sampled_from([kind for kind in Content if kind.name != "RING"]))
def test_whole_transfer(data, channel, kind):
    words = whole(data, channel, kind)
    assert wire.parse(words, None, SIZE) == Fragment(channel, kind, len(data), True, True, len(data))
    assert wire.bytes_of(words[1:], len(data)) == data
    assert all(0 <= word < 1 << 32 for word in words)


@given(st.binary(max_size=64), st.integers(1, 1000))
def test_first_of_a_train(data, more):
    total = len(data) + more
    words = (wire.word0(7, Content.DATA, len(data), True, False), total, *wire.words_of(data))
    assert wire.parse(words, None, SIZE) == Fragment(7, Content.DATA, len(data), True, False, total)


@given(st.binary(min_size=1, max_size=60), st.booleans())
def test_later_fragment(data, last):
    words = (wire.word0(7, Content.DATA, len(data), False, last), *wire.words_of(data))
    assert wire.parse(words, None, SIZE) == Fragment(7, Content.DATA, len(data), False, last, 0)


@given(st.integers(0, SIZE), st.sampled_from([Handover.MOVE, Handover.LEND]), st.booleans())
def test_block(length, how, last):
    total = () if last else (length + 1,)
    words = (wire.word0(1, Content.DATA, length, True, last), *total)
    parsed = wire.parse(words, Loan(3, how), SIZE)
    assert parsed == Fragment(1, Content.DATA, length, True, last, length if last else length + 1)


def test_the_words_of_the_page():
    assert whole(b"hello", channel=1) == (0x11016005, 0x6C6C6568, 0x6F)
    first = (wire.word0(0, Content.DATA, 4, True, False), 12, *wire.words_of(b"ABCD"))
    assert first == (0x11002004, 0xC, 0x44434241)
    assert (wire.word0(0, Content.DATA, 8, False, True), *wire.words_of(b"EFGHIJKL")) == (
        0x11004008,
        0x48474645,
        0x4C4B4A49,
    )


DATA5 = whole(b"12345")
FIRST = wire.word0(0, Content.DATA, 4, True, False)
RING = wire.word0(0, Content.RING, 64)


@pytest.mark.parametrize(
    ("words", "loan", "violation"),
    [
        ((), Loan(0, Handover.MOVE), Violation.LENGTH),
        ((0,), None, Violation.VERSION),
        ((DATA5[0] & 0x0FFF_FFFF | 2 << 28, *DATA5[1:]), None, Violation.VERSION),
        ((DATA5[0] | 1 << 15, *DATA5[1:]), None, Violation.HEADER),
        ((DATA5[0] & ~(0xF << 24), *DATA5[1:]), None, Violation.HEADER),
        ((DATA5[0] | 0xF << 24, *DATA5[1:]), None, Violation.HEADER),
        (DATA5[:2], None, Violation.LENGTH),
        ((*DATA5, 0), None, Violation.LENGTH),
        (DATA5, Loan(0, Handover.LEND), Violation.LENGTH),
        ((wire.word0(0, 1, SIZE + 1),), Loan(0, Handover.LEND), Violation.LENGTH),
        ((wire.word0(0, 1, 0, False, True),), None, Violation.LENGTH),
        ((wire.word0(0, 1, 0, False, False),), Loan(0, Handover.LEND), Violation.LENGTH),
        ((FIRST,), None, Violation.LENGTH),
        ((FIRST, 4, 0), None, Violation.TOTAL),
        ((FIRST, 3, 0), None, Violation.TOTAL),
        ((FIRST, 4), Loan(0, Handover.LEND), Violation.TOTAL),
        ((DATA5[0],), Loan(0, Handover.SHOW), Violation.HANDOVER),
        ((RING,), Loan(0, Handover.LEND), Violation.HANDOVER),
        ((wire.word0(0, Content.RING, 0),), None, Violation.HANDOVER),
        ((wire.word0(0, Content.RING, 64, True, False), 65), Loan(0, Handover.SHOW), Violation.HANDOVER),
        ((RING,), Loan(0, Handover.SHOW), Fragment(0, Content.RING, 64, True, True, 64)),
    ],
)
def test_what_is_wrong(words, loan, violation):
    assert wire.parse(words, loan, SIZE) == violation


@given(st.lists(WORD, max_size=16).map(tuple), st.none() | LOAN)
def test_garbage_is_a_fragment_that_fits_or_a_violation(words, loan):
    found = wire.parse(words, loan, SIZE)
    if isinstance(found, Violation):
        return
    assert found.length <= (SIZE if loan else 60)
    data = words[1 + (found.first and not found.last) :]
    assert len(data) == (0 if loan else (found.length + 3) // 4)
    again = wire.word0(found.channel, found.kind, found.length, found.first, found.last)
    assert again == words[0]
    if found.first and not found.last:
        assert found.total == words[1] > found.length


@given(st.lists(WORD, min_size=1, max_size=16).map(tuple), st.integers(0, 15), st.sampled_from(list(Content)))
def test_word0_of_any_words(words, length, kind):
    """Words with a good word 0 get further into the parser."""
    head = (words[0] & 0x00FF_6000) | 1 << 28 | kind << 24 | length
    found = wire.parse((head, *words[1:]), None, SIZE)
    assert isinstance(found, Fragment) or found in (Violation.LENGTH, Violation.TOTAL, Violation.HANDOVER)
