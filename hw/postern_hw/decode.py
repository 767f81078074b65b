"""Address decoding, taken from the register map."""

from amaranth.hdl import Cat, Const, Value

from postern_spec.model import Page, Register, pow2

from .select import any_of, log2

__all__ = ["Decoder", "pack"]


class Decoder:
    """Decodes the registers of a page from an offset.

    Parameters
    ----------
    page : Page
        The registers.
    offset : Value
        Byte offset within the page. Its lowest three bits are not looked at: alignment and upper halves are
        somebody else's business.
    """

    def __init__(self, page: Page, offset: Value):
        self.page = page
        self.offset = offset
        self._hits: dict[str, Value] = {}

    def hit(self, register: Register) -> Value:
        """Whether the offset is one of ``register``."""
        if register.name not in self._hits:
            self._hits[register.name] = self._hit(register)
        return self._hits[register.name]

    def __getitem__(self, name: str) -> Value:
        return self.hit(getattr(self.page, name)) if name in self.page else Const(0)

    def index(self, name: str, dim: str) -> Value:
        """Which one of an array of registers, along ``dim``."""
        register = getattr(self.page, name)
        chosen = next(item for item in register.dims if item.name == dim)
        low = chosen.stride.bit_length() - 1
        return self.offset[low : low + log2(chosen.count)] if chosen.count > 1 else Const(0)

    def any(self, wanted) -> Value:
        """Whether the offset is one of a register for which ``wanted(register)`` holds."""
        hits = [self.hit(register) for register in self.page.registers if wanted(register)]
        return Cat(*hits).any() if hits else Const(0)

    def near(self, names: list[str], others: list[str]) -> Value:
        """Whether the offset may be one of ``names``: it is none of ``others``.

        Looks at as few address bits as tell the two apart, so it is early, but also true for much where nothing is.
        """
        wanted = [self._pattern(getattr(self.page, name)) for name in names]
        rest = [self._pattern(getattr(self.page, name)) for name in others]
        used = set(range(3, len(self.offset)))

        def apart(bits):
            return all(
                any(a[bit] != b[bit] and "-" not in (a[bit], b[bit]) for bit in bits) for a in wanted for b in rest
            )

        for bit in reversed(range(3, len(self.offset))):
            if apart(used - {bit}):
                used.remove(bit)
        return any_of(
            [
                self.offset.matches("".join(p[bit] if bit in used else "-" for bit in reversed(range(len(p)))))
                for p in wanted
            ]
        )

    def _pattern(self, register: Register) -> list[str]:
        pattern = ["-" if bit < 3 else str(register.offset >> bit & 1) for bit in range(len(self.offset))]
        for dim in register.dims:
            low = dim.stride.bit_length() - 1
            pattern[low : low + log2(dim.count)] = "-" * log2(dim.count)
        return pattern

    def _hit(self, register: Register) -> Value:
        hit = self.offset.matches("".join(reversed(self._pattern(register))))
        for dim in register.dims:
            if dim.count != pow2(dim.count):
                low = dim.stride.bit_length() - 1
                hit = hit & (self.offset[low : low + log2(dim.count)] < dim.count)
        return hit


def pack(register: Register, **values) -> Value:
    """Return the word of ``register`` with these fields; the others are as after reset.

    Raises
    ------
    KeyError
        A field that the register does not have.
    """
    parts = []
    for item in register.fields:
        value = Value.cast(values.pop(item.name, item.reset or 0))
        parts.append(Cat(Const(0, item.lsb), value[: item.width]))
    if values:
        raise KeyError(f"field of {register.name} must be one that it has, not {', '.join(values)}")
    return any_of(parts)[:32]
