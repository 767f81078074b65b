"""AXI4-Lite."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config
from postern_spec.pins import port_pins

from ..native import bus_read, bus_write, done, read_response

__all__ = ["AxiLite"]

SLVERR = 0b10


class AxiLite(wiring.Component):
    """AXI4-Lite subordinate.

    Address and word of a write are taken together, in the cycle in which both are there: the protocol forbids a
    manager to wait for one before it offers the other. AxUSER is the tag. A write and a read per cycle; nothing is
    stored here.

    Parameters
    ----------
    config : Config
    port : int
        Which port, for its address width and tag.

    Members
    -------
    awaddr, ..., rready : In, Out
        The channels, named as in the protocol, without reset.
    write, read : Out(stream of bus_write, bus_read)
    written, answer : In(stream)
    """

    def __init__(self, config: Config, port: int):
        pins = {
            p.signal: (In if p.direction == "in" else Out)(p.width)
            for p in port_pins(config, port)
            if p.signal != "rst"
        }
        super().__init__(
            pins
            | {
                "write": Out(stream.Signature(bus_write(config, port))),
                "read": Out(stream.Signature(bus_read(config, port))),
                "written": In(done()),
                "answer": In(stream.Signature(read_response(config, port))),
            }
        )

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
