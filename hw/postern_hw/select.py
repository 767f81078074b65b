"""Picking one of many by index or by a set bit."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value

__all__ = ["after", "any_of", "bits_for", "choose", "gated", "index_of", "log2", "lowest", "mux_by_index", "one_hot"]


def log2(count: int) -> int:
    """Return the logarithm of ``count``, rounded up."""
    return (count - 1).bit_length()


def bits_for(count: int) -> int:
    """Return the width of a signal that holds an index below ``count``: at least 1, as Verilog requires."""
    return max(1, log2(count))


def after(index: Value, count: int) -> Value:
    """Return the index behind ``index`` in a ring of ``count``."""
    return (index + 1)[: len(index)] if count & (count - 1) == 0 else Mux(index == count - 1, 0, index + 1)


def one_hot(index: Value, count: int, enable: Value | int = 1) -> list[Value]:
    """Return ``count`` bits of which the one at ``index`` is ``enable``."""
    if count == 1:
        return [Value.cast(enable)]
    return [(index == i) & enable for i in range(count)]


def mux_by_index(values: list[Value], index: Value) -> Value:
    """Return the value at ``index``. Beyond the list it is whatever is cheapest to build."""
    if len(values) == 1 or len(index) == 0:
        return Value.cast(values[0])
    values = [Value.cast(value) for value in values]
    level = values
    for bit in index:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [Mux(bit, pair[1], pair[0]) if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]


def any_of(values: list[Value]) -> Value:
    """Return the bitwise or of ``values``."""
    total = Value.cast(values[0])
    for value in values[1:]:
        total = total | value
    return total


def choose(grant: Value, values: list[Value]) -> Value:
    """Return the value whose bit in ``grant`` is set, zero if none is. At most one bit may be set."""
    return any_of([value & bit.replicate(len(value)) for bit, value in zip(grant, values, strict=True)])


def gated(m: Module, grant: Value, values: list[Value], name: str) -> Value:
    """Return what ``choose`` does, a cycle later, by a register per value.

    Each is kept at zero by the synchronous reset of its flip-flops, which is there anyway, so that all that is left is
    to join them. Within ``m.If`` they keep what they have where it does not hold.
    """
    kept = [Signal(len(value), name=f"{name}_{i}", reset_less=True) for i, value in enumerate(values)]
    m.d.sync += [register.eq(Mux(bit, value, 0)) for register, bit, value in zip(kept, grant, values, strict=True)]
    return any_of(kept)


def lowest(bits: Value) -> Value:
    """Return just the lowest of the bits that are set."""
    return Cat(bits[i] & ~bits[:i].any() if i else bits[i] for i in range(len(bits)))


def index_of(bits: Value) -> Value:
    """Return the index of the one bit that is set; zero if none is."""
    width = bits_for(len(bits))
    return Cat(Cat(bit for i, bit in enumerate(bits) if i >> place & 1).any() for place in range(width))
