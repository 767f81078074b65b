"""What the benches share: clock, reset, and the model beside the block."""

import random
from collections.abc import Iterator
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from postern.model import Model
from postern_spec.config import Bus, Config
from postern_spec.pins import port_prefix
from postern_spec.regmap import Command, Fault, address_map, guest_page, manager_page
from postern_spec.sizes import kill_cycles

from ..traffic import Access

__all__ = ["QUIET", "Reference", "edges", "pauses", "settle", "start"]

QUIET = {
    Bus.AXI4_LITE: ("awvalid", "wvalid", "bready", "arvalid", "rready"),
    Bus.AXI4: ("awvalid", "wvalid", "bready", "arvalid", "rready"),
    Bus.WISHBONE: ("cyc", "stb"),
    Bus.APB: ("psel", "penable"),
}
"""Inputs of a bus that say whether anything is there."""


async def start(dut: Any, config: Config) -> None:
    """Start the clock, quieten all inputs, reset the block, and wait until its tables are filled."""
    for index, port in enumerate(config.ports):
        getattr(dut, f"s{index}_rst").value = 0
        for name in QUIET[port.bus]:
            getattr(dut, port_prefix(config, index) + name).value = 0
    dut.rst.value = 1
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 4 * max(config.depth, config.vms * config.lanes))


async def edges(dut: Any, cycles: int) -> None:
    """Wait for some rising edges."""
    for _ in range(cycles):
        await RisingEdge(dut.clk)


async def settle(dut: Any, config: Config, access: Access) -> None:
    """Wait until what a write of ``CONTROL`` has begun is over: the model has opened or torn down its VM at once."""
    if access.name == "CONTROL":
        await edges(dut, kill_cycles(config))


def pauses(seed: int, often: float) -> Iterator[bool]:
    """Yield random pauses for a channel."""
    rng = random.Random(seed)
    while True:
        for _ in range(rng.choice((1, 1, 2, 5))):
            yield rng.random() < often


class Reference:
    """The model beside the block: what an access must return, where accesses are made one after the other."""

    def __init__(self, config: Config):
        self.config = config
        self.model = Model(config)
        self.guest = guest_page(config)
        self.manager = manager_page(config)

    def read(
        self,
        port: int,
        address: int,
        tag: int = 0,
        *,
        full: bool = True,
        secure: bool = True,
        cacheable: bool = False,
    ) -> tuple[int, bool]:
        """Read the model; return the word, and whether the bus shows an error."""
        vm = self.model.bind(port, address, tag=tag)
        value, fault = self.model.read(port, vm, address, full=full, secure=secure, cacheable=cacheable)
        return value, bool(fault) and self.config.read_error

    def write(
        self,
        port: int,
        address: int,
        data: int,
        tag: int = 0,
        *,
        strobes: int = 0xF,
        secure: bool = True,
        cacheable: bool = False,
    ) -> Fault:
        """Write the model."""
        vm = self.model.bind(port, address, tag=tag)
        return self.model.write(port, vm, address, data, strobes, secure=secure, cacheable=cacheable)

    def opening(self, port: int) -> list[tuple[int, int]]:
        """Return the manager's writes (address, word) at a port that open all VMs and let them talk to one another."""
        c, m = self.config, self.manager
        base = address_map(c, port).manager_base
        assert base is not None
        out = []
        for vm in range(c.vms):
            others = [peer for peer in range(c.vms) if peer != vm]
            out.append((base + m.PERMIT.at(vm, 0), sum(1 << peer for peer in others)))
            out += [(base + m.CREDITS.at(vm, peer), max(1, c.depth // c.vms)) for peer in others]
            out.append((base + m.CONTROL.at(vm), int(Command.OPEN)))
        return out

    def greetings(self, port: int, vm: int) -> list[tuple[int, int]]:
        """Return a VM's writes (address, word) at a port that acknowledge the first generation of all others."""
        base = address_map(self.config, port).guest(vm)
        return [(base + self.guest.PEER.at(peer), 1) for peer in range(self.config.vms) if peer != vm]
