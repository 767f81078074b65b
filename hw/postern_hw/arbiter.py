"""Who goes first."""

from itertools import combinations
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config

__all__ = ["RoundRobin", "TimeDivision", "arbitrate"]


class RoundRobin(wiring.Component):
    """Round-robin arbiter: whoever was granted goes to the end of the line.

    A request that stays is granted after at most ``count - 1`` accepted grants to others. The grant is combinational.

    Parameters
    ----------
    count : int
        Number of requesters. At least 1.

    Members
    -------
    request : In(count)
        Who wants.
    accept : In(1)
        The one granted makes use of it. Otherwise the order stays.
    grant : Out(count)
        Who may, in this cycle: one bit of those that want, or none if nobody does.
    """

    def __init__(self, count: int):
        if count < 1:
            raise ValueError(f"number of requesters must be at least 1, not {count}")
        self.count = count
        super().__init__({"request": In(count), "accept": In(1), "grant": Out(count)})

    def elaborate(self, platform):
        m = Module()
        if self.count == 1:
            m.d.comb += self.grant.eq(self.request)
            return m
        # The line, as one bit per pair: who is first is known after few gates, however many there are.
        blocked = [[] for _ in range(self.count)]  # by whom that is in front
        for i, j in combinations(range(self.count), 2):
            behind = Signal(name=f"behind_{i}_{j}")  # i is behind j
            blocked[i].append(behind & self.request[j])
            blocked[j].append(~behind & self.request[i])
            with m.If(self.accept & (self.grant[i] | self.grant[j])):
                m.d.sync += behind.eq(self.grant[i])
        m.d.comb += self.grant.eq(Cat(self.request[i] & ~Cat(blocked[i]).any() for i in range(self.count)))
        return m


class TimeDivision(wiring.Component):
    """Arbiter that can go by turns in time: then a grant depends on nothing but the clock and the request itself.

    By turns a request that stays is granted in its next turn. Otherwise it is a ``RoundRobin``, whose line stands
    still while it goes by turns. The grant is combinational.

    Parameters
    ----------
    count : int
        Number of requesters. At least 1.

    Members
    -------
    request : In(count), accept : In(1), grant : Out(count)
        As those of ``RoundRobin``.
    strict : In(1)
        Go by turns.
    turn : In(count)
        Whose turn this cycle is: at most one bit.
    """

    def __init__(self, count: int):
        self.count = count
        super().__init__(
            {"request": In(count), "accept": In(1), "grant": Out(count), "strict": In(1), "turn": In(count)}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.line = line = RoundRobin(self.count)
        m.d.comb += [
            line.request.eq(self.request),
            line.accept.eq(self.accept & ~self.strict),
            self.grant.eq(Mux(self.strict, self.request & self.turn, line.grant)),
        ]
        return m


def arbitrate(m: Module, c: Config, name: str, count: int, strict, turn) -> Any:
    """Return an arbiter, as the submodule ``name``: by turns where the block is strict.

    Parameters
    ----------
    m : Module
    c : Config
    name : str
    count : int
        Number of requesters.
    strict, turn : Value
        See ``TimeDivision``. Not looked at without ``strict``.
    """
    if not c.strict:
        m.submodules[name] = made = RoundRobin(count)
        return made
    m.submodules[name] = divided = TimeDivision(count)
    m.d.comb += [divided.strict.eq(strict), divided.turn.eq(turn)]
    return divided
