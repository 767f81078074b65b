"""Wishbone B4 pipelined."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal

from .adapter import Adapter

__all__ = ["Wishbone"]

OUTSTANDING = 7
"""Requests that are not acknowledged yet, at most."""


class Wishbone(Adapter):
    """Wishbone B4 pipelined subordinate, 32 bits, byte granularity; ADR counts words, TGA is the tag.

    A request per cycle in one direction. A change of direction waits until everything before it has been
    acknowledged, so that requests take effect in the order in which they were made. When the bus cycle ends early,
    what is outstanding takes effect, and its acknowledges are swallowed before the next cycle starts.

    Members
    -------
    cyc, stb, we, adr, dat_w, sel, tga : In
    dat_r, stall, ack, err : Out
    Beside these, and for its parameters, see ``Adapter``.
    """

    def elaborate(self, platform):
        m = Module()
        outstanding = Signal(range(OUTSTANDING + 1))
        writing = Signal()  # direction of what is outstanding
        swallow = Signal()  # its cycle is over
        offered = Signal()
        accepted = Signal()
        done = Signal()
        may = Signal()
        address = Cat(Const(0, 2), self.adr)
        m.d.comb += [
            offered.eq(self.cyc & self.stb),
            may.eq(~swallow & ((outstanding == 0) | ((writing == self.we) & (outstanding != OUTSTANDING)))),
            self.write.valid.eq(offered & may & self.we),
            self.write.payload.address.eq(address),
            self.write.payload.data.eq(self.dat_w),
            self.write.payload.strobes.eq(self.sel),
            self.write.payload.secure.eq(0),  # the bus does not say
            self.read.valid.eq(offered & may & ~self.we),
            self.read.payload.address.eq(address),
            self.read.payload.strobes.eq(self.sel),
            self.read.payload.secure.eq(0),
            self.stall.eq(~(may & Mux(self.we, self.write.ready, self.read.ready))),
            accepted.eq(offered & ~self.stall),
            self.written.ready.eq(1),
            self.answer.ready.eq(1),
            done.eq(self.written.valid | self.answer.valid),
            self.ack.eq(done & ~swallow & self.cyc & ~(self.answer.valid & self.answer.payload.error)),
            self.err.eq(self.answer.valid & self.answer.payload.error & ~swallow & self.cyc),
            self.dat_r.eq(self.answer.payload.data),
        ]
        m.d.sync += outstanding.eq(outstanding + accepted - done)
        with m.If(accepted):
            m.d.sync += writing.eq(self.we)
        with m.If(outstanding - done == 0):
            m.d.sync += swallow.eq(0)
        with m.Elif(~self.cyc):
            m.d.sync += swallow.eq(1)
        with m.If(self.rst):
            m.d.sync += [outstanding.eq(0), swallow.eq(0)]
        if hasattr(self, "tga"):
            m.d.comb += [self.write.payload.tag.eq(self.tga), self.read.payload.tag.eq(self.tga)]
        return m
