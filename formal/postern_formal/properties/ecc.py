"""The codes against flipped bits: SECDED of words, and complements beside registers."""

from amaranth.hdl import Assert, Cat, Cover, Module, Mux, Signal

from postern_hw.ecc import Guard, check_bits, decode, encode

from ..engines import Induction, Pdr
from ..property import Control, Property, free

__all__ = ["PROPERTIES"]


class Code(Property):
    """The decoder behind the encoder, with up to two flips between them."""

    name = "ecc-code"
    promise = 2
    also = (3,)
    statement = (
        "With protection a word with one flipped bit, in data or check bits, reads as it was written and counts as"
        " corrected; one with two reads as zero and counts as lost, never as corrected; one with none does neither."
    )
    parameters = {"8 bits": 8, "32 bits": 32}
    short = ("8 bits",)
    engines = (Induction(1), Pdr())
    covers = 1
    limits = "More than two flips of a word may look like one."
    controls = (
        Control(
            "the parity of everything leaves out the check bits",
            "ecc.py",
            "return Cat(checks, Cat(data, checks).xor())",
            "return Cat(checks, data.xor())",
        ),
        Control(
            "two flips are passed over",
            "ecc.py",
            "lost.eq(Mux(odd, syndrome >= beyond, syndrome.any()))",
            "lost.eq(odd & (syndrome >= beyond))",
        ),
        Control(
            "the bit beside the flipped one is repaired",
            "ecc.py",
            "Cat(odd & (syndrome == place) for place",
            "Cat(odd & (syndrome == place + 1) for place",
        ),
        Control(
            "a lost word is given out as it is",
            "ecc.py",
            " & (~lost).replicate(width)",
            "",
        ),
    )

    def build(self, m: Module, parameters: int) -> None:
        width, total = parameters, parameters + check_bits(parameters)
        data, one, two, flips = Signal(width), Signal(range(total)), Signal(range(total)), Signal(2)
        free(m, data, one, two, flips)
        mask, seen = Signal(total), Signal(total)
        struck = [flips.any() & (one == place) for place in range(total)]
        also = [flips[1] & (two == place) for place in range(total)]
        m.d.comb += [
            mask.eq(Cat(a ^ b for a, b in zip(struck, also, strict=True))),
            seen.eq(Cat(data, encode(data)) ^ mask),
        ]
        word, corrected, lost = decode(m, seen[:width], seen[width:], "seen")
        single, double = Signal(), Signal()
        inside = (one < total) & (two < total)
        m.d.comb += [
            single.eq((flips == 1) & inside),
            double.eq(flips[1] & inside & (one != two)),
            Assert(mask.any() | ((word == data) & ~corrected & ~lost)),
            Assert(~single | ((word == data) & corrected & ~lost)),
            Assert(~double | ((word == 0) & ~corrected & lost)),
            Cover(single & (one < width)),
            Cover(single & (one >= width)),
            Cover(double & (one < width) & (two >= width) & data.all()),
        ]


class Complement(Property):
    """Registers behind a guard, of which a bit of one, or of one complement, flips at any time."""

    name = "ecc-complement"
    promise = 2
    also = (3,)
    statement = (
        "With protection the complements of registers, written whole or in part, show a flip of any bit of a register"
        " or of a complement from the cycle in which it is wrong until it is written again, and show none without one."
    )
    parameters = {"1 bit": 1, "8 bits": 8, "32 bits": 32}
    short = ("8 bits",)
    engines = (Induction(1), Pdr())
    covers = 4
    controls = (
        Control(
            "only registers that are wrong in every bit are found",
            "ecc.py",
            "return any_of([~pair.all() for pair in pairs])",
            "return any_of([~pair.any() for pair in pairs])",
            "8 bits",
        ),
        Control(
            "the last register is not looked at",
            "ecc.py",
            "return any_of([~pair.all() for pair in pairs])",
            "return any_of([~pair.all() for pair in pairs[:-1]])",
            "8 bits",
        ),
        Control(
            "the complement is written whole where a part of the register is",
            "ecc.py",
            "stores.append(self._complement(register)[part].eq(~exact))",
            "stores.append(self._complement(register).eq(~exact))",
            "8 bits",
        ),
    )

    def engines_for(self, parameters: int):
        return self.engines if parameters <= 8 else self.engines[:1]  # single bits of a whole word are too many

    def build(self, m: Module, parameters: int) -> None:
        width = parameters
        guard = Guard(enabled=True)
        register, other = Signal(width, name="register", init=1), Signal(width, name="other")
        expected, expected_other = Signal.like(register), Signal.like(other)
        value, place, where = Signal(width), Signal(range(width)), Signal(2)
        take, take_part, take_other, strike = Signal(), Signal(), Signal(), Signal()
        free(m, value, place, where, take, take_part, take_other, strike)
        low = slice(0, (width + 1) // 2)
        struck = Signal()  # once is enough
        with m.If(take):
            m.d.sync += [guard.set(register, value), expected.eq(value)]
        with m.Elif(take_part):
            m.d.sync += [guard.set(register, value, low), expected[low].eq(value)]
        with m.If(take_other):
            m.d.sync += [guard.set(other, value), expected_other.eq(value)]
        opposites = [guard._complement(item) for item in (register, other)]
        hit = Cat(place == bit for bit in range(width))
        idle = ~take & ~take_part & ~take_other
        with m.If(strike & idle & ~struck):
            m.d.sync += struck.eq(hit.any())
            for number, item in enumerate((register, other, *opposites)):
                with m.If(where == number):
                    m.d.sync += item.eq(item ^ hit)
        wrong = Signal(4 * width)
        m.d.comb += wrong.eq(
            Cat(register ^ expected, other ^ expected_other, opposites[0] ^ ~expected, opposites[1] ^ ~expected_other)
        )
        m.d.comb += [
            Assert(struck | ~wrong.any()),
            Assert((wrong & (wrong - 1)[: len(wrong)]) == 0),  # at most one bit
            Assert(guard.error == wrong.any()),
            Cover(guard.error),
            Cover(struck & ~guard.error),
            Cover(Mux(take_part, register == expected, 0) & (expected != 0) & ~struck),
        ]


PROPERTIES = [Code, Complement]
