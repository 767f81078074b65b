"""Who goes first."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .select import any_of, lowest

__all__ = ["RoundRobin"]


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
        last = Signal(range(self.count))  # who was granted last
        with m.Switch(last):
            for holder in range(self.count):
                order = [(holder + 1 + i) % self.count for i in range(self.count)]
                first = lowest(Cat(self.request[i] for i in order))
                with m.Case(holder) if holder < self.count - 1 else m.Default():
                    m.d.comb += [self.grant[i].eq(first[order.index(i)]) for i in range(self.count)]
        with m.If(self.request.any() & self.accept):
            m.d.sync += last.eq(any_of([Mux(self.grant[i], i, 0) for i in range(self.count)]))
        return m
