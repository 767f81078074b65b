"""The ports of the generated Verilog module: what the top level declares and the manifest lists."""

from dataclasses import dataclass
from typing import Literal

from .config import Bus, Config, Identity, Manager
from .regmap import address_map

__all__ = ["Pin", "pins", "port_pins"]


@dataclass(frozen=True)
class Pin:
    """One port of the Verilog module.

    Parameters
    ----------
    name : str
        As in the Verilog, such as ``s0_axi_awaddr``.
    direction : str
        ``in`` or ``out``, as the block sees it.
    width : int
        Bits.
    role : str
        ``clock``, ``reset``, ``core interrupts``, ``manager interrupt``, ``port 0 reset``, or bus, port and channel
        such as ``axi4-lite port 0 write address``.
    port : int or None
        Index of the bus port that it belongs to.
    signal : str
        Name within its group, without the prefix: ``awaddr``.
    """

    name: str
    direction: Literal["in", "out"]
    width: int
    role: str
    port: int | None = None
    signal: str = ""


def port_pins(c: Config, index: int) -> list[Pin]:
    """Return the pins of bus port ``index``: its bus, then its reset."""
    port = c.ports[index]
    bits = address_map(c, index).bits
    sideband = port.identity is Identity.SIDEBAND
    signals: list[tuple[str, Literal["in", "out"], int, str]]

    if port.bus is Bus.AXI4_LITE:
        prefix = f"s{index}_axi_"
        signals = []
        for letter, name in (("w", "write"), ("r", "read")):
            address = f"{name} address"
            signals += [(f"a{letter}addr", "in", bits, address), (f"a{letter}prot", "in", 3, address)]
            if sideband:
                signals.append((f"a{letter}user", "in", c.tag_bits, address))
            signals += [(f"a{letter}valid", "in", 1, address), (f"a{letter}ready", "out", 1, address)]
            if letter == "w":
                signals += [("wdata", "in", 32, "write data"), ("wstrb", "in", 4, "write data")]
                signals += [("wvalid", "in", 1, "write data"), ("wready", "out", 1, "write data")]
                signals += [("bresp", "out", 2, "write response")]
                signals += [("bvalid", "out", 1, "write response"), ("bready", "in", 1, "write response")]
            else:
                signals += [("rdata", "out", 32, "read data"), ("rresp", "out", 2, "read data")]
                signals += [("rvalid", "out", 1, "read data"), ("rready", "in", 1, "read data")]
    else:
        prefix = f"s{index}_wb_"
        request, response = "request", "response"
        signals = [
            ("cyc", "in", 1, request),
            ("stb", "in", 1, request),
            ("we", "in", 1, request),
            ("adr", "in", bits - 2, request),  # counts words
            ("dat_w", "in", 32, request),
            ("sel", "in", 4, request),
            ("dat_r", "out", 32, response),
            ("stall", "out", 1, request),
            ("ack", "out", 1, response),
            ("err", "out", 1, response),
        ]
        if sideband:
            signals.append(("tga", "in", c.tag_bits, request))

    found = [
        Pin(prefix + name, direction, width, f"{port.bus} port {index} {group}", index, name)
        for name, direction, width, group in signals
    ]
    return [*found, Pin(f"s{index}_rst", "in", 1, f"port {index} reset", index, "rst")]


def pins(c: Config) -> list[Pin]:
    """Return every port of the Verilog module, in the order in which it is declared."""
    found = [Pin("clk", "in", 1, "clock", None, "clk"), Pin("rst", "in", 1, "reset", None, "rst")]
    for index in range(len(c.ports)):
        found += port_pins(c, index)
    found.append(Pin("irq", "out", c.cores, "core interrupts", None, "irq"))
    if c.manager is not Manager.NONE:
        found.append(Pin("manager_irq", "out", 1, "manager interrupt", None, "manager_irq"))
    return found
