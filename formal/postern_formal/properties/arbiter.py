"""The arbiter that every shared resource sits behind."""

from itertools import combinations

from amaranth.hdl import Array, Assert, Cat, Const, Cover, Module, Signal

from postern_hw.arbiter import RoundRobin

from ..engines import Induction, Pdr
from ..property import Control, Inside, Property, free, symbolic

__all__ = ["PROPERTIES"]


def _at_most_one(bits):
    return (bits & (bits - 1)[: len(bits)]) == 0


def _line(m: Module, count: int, *, ordered: bool = True):
    """Add an arbiter, and that its line is one: nobody is behind himself. Returns it, and who is before whom."""
    dut = RoundRobin(count)
    m.submodules.arbiter = inside = Inside(dut)
    free(m, dut.request, dut.accept)
    behind = {pair: inside.signal("behind_{}_{}".format(*pair)) for pair in combinations(range(count), 2)}
    for i, j, k in combinations(range(count) if ordered else (), 3):
        a, b, c = behind[i, j], behind[j, k], behind[i, k]
        m.d.comb += Assert(~(a & b & ~c) & ~(~a & ~b & c))
    front = [Cat(behind[i, j] if i < j else ~behind[j, i] for j in range(count) if j != i) for i in range(count)]
    return dut, front


class _Arbiter(Property):
    parameters = {f"{count} requesters": count for count in (*range(1, 9), 16)}
    short = ("4 requesters",)


class Grant(_Arbiter):
    """One of those that ask, whenever somebody asks."""

    name = "arbiter-grant"
    promise = 7
    also = (4,)
    statement = "An arbiter grants one of those that ask and nobody else, in every cycle in which somebody asks."
    seconds = 1200
    controls = (
        Control(
            "two are granted at once",
            "arbiter.py",
            "blocked[i].append(behind & self.request[j])",
            "blocked[i].append(behind & self.request[j] & (i != 0))",
            "4 requesters",
        ),
    )

    def engines_for(self, parameters: int):
        # That somebody comes first in a line of many is easy to see and hard to find by search.
        return (Induction(1), Pdr()) if parameters <= 8 else (Pdr(),)

    def build(self, m: Module, parameters: int) -> None:
        dut, _ = _line(m, parameters)
        m.d.comb += [
            Assert(_at_most_one(dut.grant)),
            Assert((dut.grant & ~dut.request) == 0),
            Assert(dut.grant.any() == dut.request.any()),
            Cover(dut.grant[-1]),
            Cover(dut.request.all()),
        ]


class Wait(_Arbiter):
    """Bounded waiting.

    That it waits for at most ``count - 1`` accepted grants follows for any count: somebody is granted in each cycle
    (arbiter-grant), and nobody else twice. For few requesters it is asserted as well.
    """

    name = "arbiter-wait"
    promise = 4
    also = (7,)
    statement = (
        "While a request stays, each other requester is granted at most once: it waits for at most count - 1 accepted"
        " grants, whatever the others do."
    )
    engines = (Induction(1), Pdr())
    covers = 20
    controls = (
        Control(
            "who was granted stays in front",
            "arbiter.py",
            "m.d.sync += behind.eq(self.grant[i])",
            "m.d.sync += behind.eq(self.grant[j])",
            "4 requesters",
        ),
    )

    def build(self, m: Module, parameters: int) -> None:
        count = parameters
        few = 2 <= count <= 8
        dut, front = _line(m, count, ordered=few)
        who, other = symbolic(m, range(count), "who", below=count), symbolic(m, range(count), "other", below=count)
        asks, granted, overtakes = Signal(), Signal(), Signal()
        m.d.comb += [
            asks.eq(dut.request.bit_select(who, 1)),
            granted.eq(dut.grant.bit_select(who, 1)),
            overtakes.eq(dut.grant.bit_select(other, 1) & (other != who)),
            Cover(granted),
        ]
        overtook = Signal()  # since it has been asking
        ends = ~asks | (granted & dut.accept)
        with m.If(ends):
            m.d.sync += overtook.eq(0)
        with m.Elif(dut.accept & overtakes):
            m.d.sync += overtook.eq(1)
        m.d.comb += Assert(~(overtook & asks & overtakes))
        if count > 1:
            before = Signal(count)  # who is before it
            m.d.comb += before.eq(Array(Cat(bits[:i], Const(0, 1), bits[i:]) for i, bits in enumerate(front))[who])
            m.d.comb += [
                Assert(~(overtook & before.bit_select(other, 1))),
                Cover(overtook & asks & granted),
            ]
        if few:
            others = Signal(range(count + 1))  # grants to others since it has been asking
            with m.If(ends):
                m.d.sync += others.eq(0)
            with m.Elif(dut.accept):
                m.d.sync += others.eq(others + 1)
            # Whoever is granted goes behind all others, so each of them overtakes once.
            ahead = Signal(range(count + 1))
            m.d.comb += [
                ahead.eq(Array([sum(bits, Const(0, len(ahead))) for bits in front])[who]),
                Assert(others + ahead <= count - 1),
                Assert((others != count - 1) | ~asks | granted),
                Cover(asks & (others == count - 1)),
            ]


PROPERTIES = [Grant, Wait]
