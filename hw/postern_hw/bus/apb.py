"""APB4."""

from amaranth.hdl import Module, Mux, Signal

from .adapter import Adapter

__all__ = ["Apb"]


class Apb(Adapter):
    """APB4 completer with PSTRB and PPROT; PUSER is the tag.

    One access at a time. It is taken in the setup phase, or as soon after that as the port can, and PREADY comes with
    its answer. PSLVERR only with reads.

    Members
    -------
    psel, penable, paddr, pprot, pwrite, pwdata, pstrb, puser : In
    pready, prdata, pslverr : Out
    Beside these, and for its parameters, see ``Adapter``.
    """

    def elaborate(self, platform):
        m = Module()
        taken = Signal()  # the access was handed on; its answer is to come
        offered = self.psel & ~taken
        m.d.comb += [
            self.write.valid.eq(offered & self.pwrite),
            self.write.payload.address.eq(self.paddr),
            self.write.payload.data.eq(self.pwdata),
            self.write.payload.strobes.eq(self.pstrb),
            self.write.payload.secure.eq(~self.pprot[1]),
            self.read.valid.eq(offered & ~self.pwrite),
            self.read.payload.address.eq(self.paddr),
            self.read.payload.strobes.eq(0b1111),  # the bus carries no read size, so every read counts as full
            self.read.payload.secure.eq(~self.pprot[1]),
            self.written.ready.eq(1),  # an answer comes a cycle after its request at the earliest: in the access phase
            self.answer.ready.eq(1),
            self.pready.eq(taken & (self.written.valid | self.answer.valid)),
            self.prdata.eq(self.answer.payload.data),
            self.pslverr.eq(self.answer.valid & self.answer.payload.error),
        ]
        with m.If(self.rst | self.pready):
            m.d.sync += taken.eq(0)
        with m.Elif(offered & Mux(self.pwrite, self.write.ready, self.read.ready)):
            m.d.sync += taken.eq(1)
        if hasattr(self, "puser"):
            m.d.comb += [self.write.payload.tag.eq(self.puser), self.read.payload.tag.eq(self.puser)]
        return m
