"""AXI4-Lite."""

from amaranth.hdl import Module

from .adapter import Adapter

__all__ = ["AxiLite"]

SLVERR = 0b10


class AxiLite(Adapter):
    """AXI4-Lite subordinate.

    Address and word of a write are taken together, in the cycle in which both are there: the protocol forbids a
    manager to wait for one before it offers the other. AxUSER is the tag. A write and a read per cycle; nothing is
    stored here.

    Members
    -------
    awaddr, ..., rready : In, Out
        The channels, named as in the protocol, without reset.
    Beside these, and for its parameters, see ``Adapter``.
    """

    kept = False

    def elaborate(self, platform):
        m = Module()
        both = self.awvalid & self.wvalid
        m.d.comb += [
            self.write.valid.eq(both),
            self.write.payload.address.eq(self.awaddr),
            self.write.payload.data.eq(self.wdata),
            self.write.payload.strobes.eq(self.wstrb),
            self.write.payload.secure.eq(~self.awprot[1]),
            self.awready.eq(both & self.write.ready),
            self.wready.eq(both & self.write.ready),
            self.bvalid.eq(self.written.valid),
            self.written.ready.eq(self.bready),
            self.read.valid.eq(self.arvalid),
            self.read.payload.address.eq(self.araddr),
            self.read.payload.strobes.eq(0b1111),  # the bus carries no read size, so every read counts as full
            self.read.payload.secure.eq(~self.arprot[1]),
            self.arready.eq(self.read.ready),
            self.rvalid.eq(self.answer.valid),
            self.rdata.eq(self.answer.payload.data),
            self.rresp.eq(self.answer.payload.error * SLVERR),
            self.answer.ready.eq(self.rready),
        ]
        if hasattr(self, "awuser"):
            m.d.comb += [self.write.payload.tag.eq(self.awuser), self.read.payload.tag.eq(self.aruser)]
        return m
