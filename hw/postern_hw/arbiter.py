"""Who goes first."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .select import lowest

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
        behind = Signal(self.count - 1)  # bit i: requester i+1 comes after the one granted last
        masked = Signal(self.count - 1)
        m.d.comb += masked.eq(self.request[1:] & behind)
        m.d.comb += self.grant.eq(Mux(masked.any(), Cat(0, lowest(masked)), lowest(self.request)))
        with m.If(self.request.any() & self.accept):
            m.d.sync += behind.eq(Cat(self.grant[: i + 1].any() for i in range(self.count - 1)))
        return m
