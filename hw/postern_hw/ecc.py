"""Protection against flipped bits: SECDED for words in memories, parity for rows, complements for registers."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from .select import any_of

__all__ = ["Guard", "check_bits", "decode", "encode"]


def check_bits(width: int) -> int:
    """Return how many check bits a word of ``width`` bits has: 5 for 8, 7 for 32."""
    count = 1
    while (1 << count) < width + count + 1:
        count += 1
    return count + 1  # the last one is the parity of everything


def _places(width: int) -> list[int]:
    """Places of the data bits in a Hamming code, counted from 1: those that are no power of two."""
    return [place for place in range(1, width + check_bits(width)) if place & (place - 1)][:width]


def _syndrome(data: Value) -> Value:
    """Return what the check bits of ``data`` must be, without the parity of everything."""
    places = _places(len(data))
    bits = range(check_bits(len(data)) - 1)
    return Cat(Cat(data[i] for i, place in enumerate(places) if place >> bit & 1).xor() for bit in bits)


def encode(data: Value) -> Value:
    """Return the check bits of an extended Hamming code over ``data``. Those of zero are zero."""
    data = Value.cast(data)
    checks = _syndrome(data)
    return Cat(checks, Cat(data, checks).xor())


def decode(m: Module, data: Value, checks: Value, name: str) -> tuple[Signal, Signal, Signal]:
    """Repair a word, in the same cycle.

    Parameters
    ----------
    m : Module
        What the logic is added to.
    data, checks : Value
        As they were read.
    name : str
        Of the signals.

    Returns
    -------
    word : Signal
        The data; zero if they are lost.
    corrected : Signal
        One bit was wrong, in data or check bits.
    lost : Signal
        Two were. More than two may look like one.
    """
    width = len(data)
    word, corrected, lost = (
        Signal(shape, name=f"{name}_{part}") for part, shape in (("word", width), ("corrected", 1), ("lost", 1))
    )
    syndrome = Signal(check_bits(width) - 1, name=f"{name}_syndrome")
    odd = Signal(name=f"{name}_odd")
    beyond = width + check_bits(width)  # places from here on do not exist, so that more than one bit is wrong
    m.d.comb += [
        syndrome.eq(_syndrome(data) ^ checks[:-1]),
        odd.eq(Cat(data, checks).xor()),
        corrected.eq(odd & (syndrome < beyond)),
        lost.eq(Mux(odd, syndrome >= beyond, syndrome.any())),
        word.eq(
            (data ^ Cat(odd & (syndrome == place) for place in _places(width))) & (~lost).replicate(width),
        ),
    ]
    return word, corrected, lost


class Guard:
    """Complements beside registers: what one flipped bit turns into is neither a register nor its complement.

    Parameters
    ----------
    enabled : bool
        Without it nothing is added.
    inject : Value or None
        Flips a bit for the check of the first register. The register itself stays as it is.
    """

    def __init__(self, enabled: bool, inject: Value | None = None):
        self._enabled = enabled
        self._inject = inject
        self._pairs: list[tuple[Signal, Signal]] = []

    def _complement(self, register: Signal) -> Signal:
        for known, opposite in self._pairs:
            if known is register:
                return opposite
        opposite = Signal(
            len(register),
            name=f"not_{register.name}",
            init=~register.init & (1 << len(register)) - 1,
            attrs={"keep": 1},  # or a tool takes it for a copy
        )
        self._pairs.append((register, opposite))
        return opposite

    def set(self, register, value, part: slice | int = slice(None)) -> list:
        """Return the statements that store ``value`` in a part of ``register``, by default all of it."""
        register = Value.cast(register)
        target = register[part]
        stores = [target.eq(value)]
        if self._enabled:
            exact = Const(value, len(target)) if isinstance(value, int) else Value.cast(value)
            exact = Cat(exact[: len(target)], Const(0, max(0, len(target) - len(exact))))
            stores.append(self._complement(register)[part].eq(~exact))
        return stores

    @property
    def used(self) -> bool:
        """Whether it guards anything."""
        return bool(self._pairs)

    @property
    def error(self) -> Value:
        """Some register differs from its complement, in this cycle. Depends on nothing but registers."""
        pairs = [Value.cast(register) ^ opposite for register, opposite in self._pairs]
        if self._inject is not None and pairs:
            pairs[0] = (pairs[0] ^ self._inject)[: len(pairs[0])]
        return any_of([~pair.all() for pair in pairs])
