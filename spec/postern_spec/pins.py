"""The ports of the generated Verilog module: what the top level declares and the manifest lists."""

from dataclasses import dataclass
from typing import Literal

from .config import Bus, Config, Identity, Manager, Port
from .regmap import address_map

__all__ = ["Pin", "pins", "port_pins", "port_prefix"]


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


_Signals = list[tuple[str, Literal["in", "out"], int, str]]
"""Name, direction, width and channel of signals."""

_PREFIXES = {Bus.AXI4_LITE: "axi", Bus.WISHBONE: "wb", Bus.AXI4: "axi", Bus.APB: "apb"}


def port_prefix(c: Config, index: int) -> str:
    """Return what the names of the bus pins of port ``index`` begin with: ``s0_axi_``."""
    return f"s{index}_{_PREFIXES[c.ports[index].bus]}_"


def _axi(port: Port, bits: int, tag: int) -> _Signals:
    full, width = port.bus is Bus.AXI4, port.data_bits
    signals: _Signals = []
    for letter, name in (("w", "write"), ("r", "read")):
        address = f"{name} address"
        a = f"a{letter}"
        if full:
            signals.append((f"{a}id", "in", port.id_bits, address))
        signals.append((f"{a}addr", "in", bits, address))
        if full:
            signals += [(f"{a}len", "in", 8, address), (f"{a}size", "in", 3, address), (f"{a}burst", "in", 2, address)]
            signals += [(f"{a}lock", "in", 1, address), (f"{a}cache", "in", 4, address)]
        signals.append((f"{a}prot", "in", 3, address))
        if tag:
            signals.append((f"{a}user", "in", tag, address))
        signals += [(f"{a}valid", "in", 1, address), (f"{a}ready", "out", 1, address)]
        if letter == "w":
            signals += [("wdata", "in", width, "write data"), ("wstrb", "in", width // 8, "write data")]
            signals += [("wlast", "in", 1, "write data")] if full else []
            signals += [("wvalid", "in", 1, "write data"), ("wready", "out", 1, "write data")]
            signals += [("bid", "out", port.id_bits, "write response")] if full else []
            signals += [("bresp", "out", 2, "write response")]
            signals += [("bvalid", "out", 1, "write response"), ("bready", "in", 1, "write response")]
        else:
            signals += [("rid", "out", port.id_bits, "read data")] if full else []
            signals += [("rdata", "out", width, "read data"), ("rresp", "out", 2, "read data")]
            signals += [("rlast", "out", 1, "read data")] if full else []
            signals += [("rvalid", "out", 1, "read data"), ("rready", "in", 1, "read data")]
    return signals


def _wishbone(port: Port, bits: int, tag: int) -> _Signals:
    request, response = "request", "response"
    signals: _Signals = [
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
    return [*signals, ("tga", "in", tag, request)] if tag else signals


def _apb(port: Port, bits: int, tag: int) -> _Signals:
    request, response = "request", "response"
    signals: _Signals = [
        ("psel", "in", 1, request),
        ("penable", "in", 1, request),
        ("paddr", "in", bits, request),
        ("pprot", "in", 3, request),
        ("pwrite", "in", 1, request),
        ("pwdata", "in", 32, request),
        ("pstrb", "in", 4, request),
        ("pready", "out", 1, response),
        ("prdata", "out", 32, response),
        ("pslverr", "out", 1, response),
    ]
    return [*signals, ("puser", "in", tag, request)] if tag else signals


_SIGNALS = {Bus.AXI4_LITE: _axi, Bus.WISHBONE: _wishbone, Bus.AXI4: _axi, Bus.APB: _apb}


def port_pins(c: Config, index: int) -> list[Pin]:
    """Return the pins of bus port ``index``: its bus, then its reset."""
    port = c.ports[index]
    tag = c.tag_bits if port.identity is Identity.SIDEBAND else 0
    prefix = port_prefix(c, index)
    found = [
        Pin(prefix + name, direction, width, f"{port.bus} port {index} {group}", index, name)
        for name, direction, width, group in _SIGNALS[port.bus](port, address_map(c, index).bits, tag)
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
