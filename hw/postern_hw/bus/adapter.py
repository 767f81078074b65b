"""What all bus adapters have in common."""

from typing import ClassVar

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config
from postern_spec.pins import port_pins

from ..native import bus_read, bus_write, done, read_response

__all__ = ["Adapter"]


class Adapter(wiring.Component):
    """Turns the pins of a bus into streams of requests and answers. It knows nothing about mailboxes.

    Parameters
    ----------
    config : Config
    port : int
        Which port, for its widths and its tag.

    Members
    -------
    The pins of the bus, named as ``postern_spec.pins`` names them without the port's prefix.
    rst : In(1)
        Port reset: no burst is under way and nothing is outstanding any more. Absent where nothing is ``kept``.
    write, read : Out(stream of bus_write, bus_read)
        Requests, in order.
    written : In(stream), answer : In(stream of read_response)
        An answer to each, in order.
    """

    kept: ClassVar[bool] = True
    """There is something here that a reset must empty."""

    def __init__(self, config: Config, port: int):
        self.config = config
        self.port = port
        pins = {
            pin.signal: (In if pin.direction == "in" else Out)(pin.width)
            for pin in port_pins(config, port)
            if self.kept or pin.signal != "rst"
        }
        streams = {
            "write": Out(stream.Signature(bus_write(config, port))),
            "read": Out(stream.Signature(bus_read(config, port))),
            "written": In(done()),
            "answer": In(stream.Signature(read_response(config, port))),
        }
        super().__init__(pins | streams)
