"""The driver in a cocotb testbench: a ``Bus`` on one port of a block that is simulated anywhere in the design.

    from cocotb.task import bridge
    from postern import Mailbox
    from postern_sim.cocotb_bus import DutBus

    @cocotb.test()
    async def greets(dut):
        cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
        mine, yours = DutBus(dut, config, 0), DutBus(dut, config, 1)
        await reset(dut)
        await bridge(lambda: Mailbox(mine).send(1, [42]))()
        message = await bridge(lambda: Mailbox(yours).receive())()

The driver is plain blocking code: ``bridge`` runs it in a thread, and each access waits there for the simulation.
"""

from typing import Any

from cocotb.task import resume
from cocotb.triggers import First, RisingEdge, Timer
from cocotb.utils import get_sim_time

from postern.bus import Bus, check_requester
from postern.errors import BusError
from postern_spec.config import Bus as BusKind
from postern_spec.config import Config, Identity
from postern_spec.pins import port_prefix

__all__ = ["DutBus"]

INSECURE = 0b010  # AxPROT of a non-secure access


class DutBus(Bus):
    """One port of a block under cocotb, for blocking code inside ``bridge``. Make it in the test, before the reset.

    Parameters
    ----------
    dut : handle
        The block: whatever has ``clk``, ``s0_...`` and ``irq``.
    config : Config
        Its configuration.
    port : int
        The port.
    tag : int
        Tag of the requests, which is the identity on a ``sideband`` port.
    secure : bool
        Requests are secure transactions. (Wishbone cannot say so.)
    core : int or None
        The core whose interrupt line is waited for; by default the first core behind the port.
    manager : bool
        Wait for the manager's interrupt instead.
    """

    def __init__(
        self,
        dut: Any,
        config: Config,
        port: int = 0,
        *,
        tag: int = 0,
        secure: bool = True,
        core: int | None = None,
        manager: bool = False,
    ):
        check_requester(config, port, tag, core)
        self._dut = dut
        self._kind = config.ports[port].bus
        self._wide = config.ports[port].data_bits == 64
        self._prefix = port_prefix(config, port)
        self._line = dut.manager_irq if manager else dut.irq
        self._bit = 0 if manager else config.core_base(port) if core is None else core
        self._sideband = config.ports[port].identity is Identity.SIDEBAND
        self._tag = tag
        self._prot = 0 if secure else INSECURE
        quiet = {BusKind.WISHBONE: ("cyc", "stb"), BusKind.APB: ("psel", "penable")}
        for name in quiet.get(self._kind, ("awvalid", "wvalid", "bready", "arvalid", "rready")):
            self._set(name, 0)
        if self._kind is BusKind.AXI4:  # one beat of 32 bits
            for way in ("aw", "ar"):
                for name, value in (("id", 0), ("len", 0), ("size", 2), ("burst", 1), ("lock", 0), ("cache", 0)):
                    self._set(way + name, value)
            self._set("wlast", 1)

    def _set(self, name: str, value: int) -> None:
        getattr(self._dut, self._prefix + name).value = value

    def _get(self, name: str) -> int:
        return int(getattr(self._dut, self._prefix + name).value)

    @resume
    async def read32(self, address: int) -> int:
        value, failed = await self._access(address, None)
        if failed:
            raise BusError(f"read of {address:#x} must be answered without error, not with one")
        return value

    @resume
    async def write32(self, address: int, value: int) -> None:
        if value >> 32:
            raise ValueError(f"value must be from 0 to 0xffffffff, not {value:#x}")
        _, failed = await self._access(address, value)
        if failed:
            raise BusError(f"write of {address:#x} must be answered without error, not with one")

    @resume
    async def clock(self) -> float:
        return float(get_sim_time("sec"))

    @resume
    async def wait_for_interrupt(self, timeout: float | None = None) -> bool:
        late = None if timeout is None else Timer(max(1, round(timeout * 1e12)), unit="ps", round_mode="ceil")
        while not int(self._line.value) >> self._bit & 1:
            if timeout == 0:
                return False
            change = self._line.value_change
            if late is None:
                await change
            elif await First(change, late) is late:
                return bool(int(self._line.value) >> self._bit & 1)
        return True

    async def _edge(self) -> None:
        await RisingEdge(self._dut.clk)

    async def _access(self, address: int, value: int | None) -> tuple[int, bool]:
        """Make an access (without a value: a read); return the word and whether there was an error."""
        if self._kind is BusKind.WISHBONE:
            return await self._wishbone(address, value)
        if self._kind is BusKind.APB:
            return await self._apb(address, value)
        lane = address & 4 if self._wide else 0
        if value is not None:
            return 0, await self._axi_write(address, value << 8 * lane, 0xF << lane)
        word, failed = await self._axi_read(address)
        return word >> 8 * lane & 0xFFFF_FFFF, failed

    async def _axi_write(self, address: int, value: int, strobes: int) -> bool:
        if self._sideband:
            self._set("awuser", self._tag)
        self._set("awaddr", address)
        self._set("awprot", self._prot)
        self._set("wdata", value)
        self._set("wstrb", strobes)
        waiting = {"aw", "w"}
        for channel in waiting:
            self._set(f"{channel}valid", 1)
        self._set("bready", 1)
        while True:
            await self._edge()
            taken = {channel for channel in waiting if self._get(f"{channel}ready")}
            answered = not waiting and self._get("bvalid")
            for channel in taken:
                self._set(f"{channel}valid", 0)
            waiting -= taken
            if answered:
                self._set("bready", 0)
                return self._get("bresp") != 0

    async def _axi_read(self, address: int) -> tuple[int, bool]:
        if self._sideband:
            self._set("aruser", self._tag)
        self._set("araddr", address)
        self._set("arprot", self._prot)
        self._set("arvalid", 1)
        self._set("rready", 1)
        waiting = True
        while True:
            await self._edge()
            if waiting:
                if self._get("arready"):
                    self._set("arvalid", 0)
                    waiting = False
            elif self._get("rvalid"):
                self._set("rready", 0)
                return self._get("rdata"), self._get("rresp") != 0

    async def _wishbone(self, address: int, value: int | None) -> tuple[int, bool]:
        if self._sideband:
            self._set("tga", self._tag)
        self._set("adr", address >> 2)
        self._set("we", int(value is not None))
        self._set("dat_w", value or 0)
        self._set("sel", 0xF)
        self._set("cyc", 1)
        self._set("stb", 1)
        waiting = True
        while True:
            await self._edge()
            if waiting:
                if not self._get("stall"):
                    self._set("stb", 0)
                    waiting = False
            elif self._get("ack") or self._get("err"):
                self._set("cyc", 0)
                return self._get("dat_r"), bool(self._get("err"))

    async def _apb(self, address: int, value: int | None) -> tuple[int, bool]:
        if self._sideband:
            self._set("puser", self._tag)
        self._set("paddr", address)
        self._set("pprot", self._prot)
        self._set("pwrite", int(value is not None))
        self._set("pwdata", value or 0)
        self._set("pstrb", 0 if value is None else 0xF)
        self._set("psel", 1)
        self._set("penable", 0)
        await self._edge()
        self._set("penable", 1)
        while True:
            await self._edge()
            if self._get("pready"):
                self._set("psel", 0)
                self._set("penable", 0)
                return self._get("prdata"), bool(self._get("pslverr"))
