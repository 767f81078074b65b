"""What a register description is made of: fields, registers, pages."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum

__all__ = ["Access", "Dim", "Field", "Page", "Register", "pow2"]


def pow2(value: int) -> int:
    """Return the smallest power of two that is at least ``value``."""
    return 1 << max(0, value - 1).bit_length()


class Access(Enum):
    """What software can do with a field. The set is closed; every generator knows exactly these."""

    RO = "ro"  # reads have no effect, writes are refused
    RW = "rw"  # reads back what was written
    W1C = "w1c"  # a written one clears the bit; an event in the same cycle wins and sets it
    W1S = "w1s"  # a written one sets the bit; hardware clears it
    WO = "wo"  # the write acts; reads as zero
    RA = "ra"  # the read acts


@dataclass(frozen=True)
class Field:
    """Some bits of a register.

    Parameters
    ----------
    name : str
        Upper case.
    lsb, width : int
        Position.
    access : Access
        What software can do with it.
    doc : str
        One sentence.
    reset : int or None
        Value after reset; ``None`` where it depends on what happened since, or on the requester.
    values : IntEnum or None
        Meanings of the values.
    """

    name: str
    lsb: int
    width: int
    access: Access
    doc: str
    reset: int | None = 0
    values: type[IntEnum] | None = None

    @property
    def mask(self) -> int:
        """Ones where the field is, in place."""
        return ((1 << self.width) - 1) << self.lsb

    def get(self, word: int) -> int:
        """Return the value of this field in ``word``."""
        return (word >> self.lsb) & ((1 << self.width) - 1)

    def put(self, value: int) -> int:
        """Return ``value`` in the place of this field."""
        if not 0 <= value < 1 << self.width:
            raise ValueError(f"{self.name} must be from 0 to {(1 << self.width) - 1}, not {value}")
        return value << self.lsb


@dataclass(frozen=True)
class Dim:
    """One dimension of an array of registers: ``count`` times, ``stride`` bytes apart."""

    name: str
    count: int
    stride: int


@dataclass(frozen=True)
class Register:
    """A 32-bit register or an array of them, at a stride of 8 bytes or more.

    Parameters
    ----------
    name : str
        Upper case.
    offset : int
        Of the first one, in bytes from the start of the page.
    doc : str
        A sentence or two.
    fields : tuple of Field
        From the lowest bit up.
    dims : tuple of Dim
        Dimensions of an array, outermost first; empty for a single register.
    """

    name: str
    offset: int
    doc: str
    fields: tuple[Field, ...]
    dims: tuple[Dim, ...] = ()

    def at(self, *indices: int) -> int:
        """Return the offset of one register of the array.

        Raises
        ------
        IndexError
            An index outside its dimension.
        """
        if len(indices) != len(self.dims):
            raise IndexError(f"{self.name} must be given {len(self.dims)} indices, not {len(indices)}")
        offset = self.offset
        for index, dim in zip(indices, self.dims, strict=True):
            if not 0 <= index < dim.count:
                raise IndexError(f"{self.name} {dim.name} must be from 0 to {dim.count - 1}, not {index}")
            offset += index * dim.stride
        return offset

    def __getattr__(self, name: str) -> Field:
        if name.isupper():
            for item in self.fields:
                if item.name == name:
                    return item
            names = ", ".join(item.name for item in self.fields)
            raise AttributeError(f"field of {self.name} must be one of {names}, not {name}")
        raise AttributeError(name)

    def offsets(self, **fixed: int) -> Iterator[int]:
        """Yield the offsets of all registers of an array, or of those with the given indices, such as ``vm=1``."""

        def walk(base: int, dims: tuple[Dim, ...]) -> Iterator[int]:
            if not dims:
                yield base
                return
            for index in [fixed[dims[0].name]] if dims[0].name in fixed else range(dims[0].count):
                yield from walk(base + index * dims[0].stride, dims[1:])

        return walk(self.offset, self.dims)

    def pack(self, **values: int) -> int:
        """Return a word with the named fields set and zero elsewhere."""
        word = 0
        for name, value in values.items():
            word |= getattr(self, name).put(value)
        return word

    @property
    def readable(self) -> bool:
        """Whether a read returns more than zero."""
        return any(item.access is not Access.WO for item in self.fields)

    @property
    def writable(self) -> bool:
        """Whether a write has an effect."""
        return any(item.access not in (Access.RO, Access.RA) for item in self.fields)

    @property
    def span(self) -> int:
        """Bytes from the first register to the end of the last one's stride."""
        return sum((dim.count - 1) * dim.stride for dim in self.dims) + 8


@dataclass(frozen=True)
class Page:
    """A group of registers that is mapped as one.

    Parameters
    ----------
    name : str
        Lower case.
    size : int
        Bytes up to the end of the last register, without the rounding to a page.
    registers : tuple of Register
        In the order of their offsets.
    """

    name: str
    size: int
    registers: tuple[Register, ...]

    def __getattr__(self, name: str) -> Register:
        if name.isupper():
            for item in self.registers:
                if item.name == name:
                    return item
            raise AttributeError(f"register must be one of those of the {self.name} page, not {name}")
        raise AttributeError(name)

    def __contains__(self, name: str) -> bool:
        return any(item.name == name for item in self.registers)

    def decode(self, offset: int) -> tuple[Register, tuple[int, ...]] | None:
        """Return register and indices at ``offset``, or ``None`` where nothing is mapped."""
        for item in self.registers:
            rest = offset - item.offset
            if not 0 <= rest < item.span:
                continue
            indices = []
            for dim in item.dims:
                index, rest = divmod(rest, dim.stride)
                if index >= dim.count:
                    break
                indices.append(index)
            else:
                if rest == 0:
                    return item, tuple(indices)
        return None
