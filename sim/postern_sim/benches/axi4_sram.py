"""Bursts into the shared SRAM over AXI4 of 64 and of 32 bits, by the master of cocotbext-axi."""

import random

import cocotb
from cocotb.triggers import ClockCycles, Combine, RisingEdge
from cocotbext.axi import AxiResp

from postern_spec.config import Bus, Identity
from postern_spec.regmap import Command, Handover, Kind, address_map, guest_page, manager_page

from . import configuration
from .axi4 import ALLOCATE, Master
from .common import start

CONFIG = configuration()
GUEST, MANAGER = guest_page(CONFIG), manager_page(CONFIG)
AXI = [index for index, port in enumerate(CONFIG.ports) if port.bus is Bus.AXI4]
WIDE = next(index for index in AXI if CONFIG.ports[index].data_bits == 64)
NARROW = next(index for index in AXI if CONFIG.ports[index].identity is Identity.SIDEBAND)
OWNER, OTHER = 1, 2


async def opened(dut):
    """Open the VMs with quotas, once the SRAM is scrubbed; return the masters of both ports."""
    await start(dut, CONFIG)
    await ClockCycles(dut.clk, 16 * CONFIG.sram_bytes // 4 // CONFIG.banks)
    masters = {port: Master(dut, port) for port in AXI}
    narrow = masters[NARROW]
    base = narrow.where.manager_base
    assert base is not None
    for vm in (OWNER, OTHER):
        await narrow.write32(base + MANAGER.PERMIT.at(vm, 0), 0b111 & ~(1 << vm))
        for sender in (OWNER, OTHER):
            await narrow.write32(base + MANAGER.CREDITS.at(vm, sender), 2)
        await narrow.write32(base + MANAGER.QUOTA.at(vm), 2)
        await narrow.write32(base + MANAGER.CONTROL.at(vm), Command.OPEN)
    await narrow.read32(base)
    for vm, peer in ((OWNER, OTHER), (OTHER, OWNER)):
        await narrow.write32(narrow.where.guest(vm) + GUEST.PEER.at(peer), 1, vm)
    return masters


async def allocate(master, vm) -> int:
    word = await master.read32(master.where.guest(vm) + GUEST.ALLOC.at(), vm)
    assert GUEST.ALLOC.VALID.get(word)
    return GUEST.ALLOC.BLOCK.get(word)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(often=(0.0, 0.4))
async def bytes_of_a_block(dut, often):
    """Any bytes, in bursts of any size and alignment, over both ports: what is read is what was written last."""
    masters = await opened(dut)
    block = await allocate(masters[WIDE], OWNER)
    start_of = {port: address_map(CONFIG, port).sram(OWNER) + block * CONFIG.block_size for port in AXI}
    for port, master in masters.items():
        for number, channel in enumerate(
            (master.bus.write_if.aw_channel, master.bus.write_if.w_channel, master.bus.read_if.r_channel)
        ):
            channel.set_pause_generator(_pauses(random.Random(port + number), often))
    memory, rng = bytearray(CONFIG.block_size), random.Random(f"{often}")
    for _ in range(150):
        port = rng.choice(AXI)
        master = masters[port]
        size = rng.choice((master.top, rng.randrange(master.top + 1)))
        first = rng.randrange(CONFIG.block_size)
        length = rng.randint(1, CONFIG.block_size - first)
        if rng.random() < 0.5:
            data = rng.randbytes(length)
            assert await master.write(start_of[port] + first, data, OWNER, size=size) == AxiResp.OKAY
            memory[first : first + length] = data
        else:
            got = await master.read(start_of[port] + first, length, OWNER, size=size)
            assert got == (bytes(memory[first : first + length]), AxiResp.OKAY)
    # Nobody else sees or changes anything, and neither does what asks for a cache.
    error = AxiResp.SLVERR if CONFIG.read_error else AxiResp.OKAY
    nothing = (bytes(CONFIG.block_size), error)
    narrow = masters[NARROW]
    await narrow.write(start_of[NARROW], bytes([0xFF] * CONFIG.block_size), OTHER)
    assert await narrow.read(start_of[NARROW], CONFIG.block_size, OTHER) == nothing
    if narrow.refuses:
        await narrow.write(start_of[NARROW], bytes([0xFF] * CONFIG.block_size), OWNER, cache=ALLOCATE)
        assert await narrow.read(start_of[NARROW], CONFIG.block_size, OWNER, cache=ALLOCATE) == nothing
    assert (await masters[WIDE].read(start_of[WIDE], CONFIG.block_size, OWNER, size=3))[0] == bytes(memory)


def _pauses(rng, often):
    while True:
        yield rng.random() < often


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_block_that_goes_away(dut):
    """A block is handed over while bursts of its owner run: each beat is checked, so what follows reads as zero."""
    masters = await opened(dut)
    wide, narrow = masters[WIDE], masters[NARROW]
    block = await allocate(wide, OWNER)
    mine = wide.where.sram(OWNER) + block * CONFIG.block_size
    pattern = bytes([0xA5] * CONFIG.block_size)
    await wide.write(mine, pattern, OWNER, size=3)
    reads = [wide.bus.init_read(mine, CONFIG.block_size, size=3, prot=0) for _ in range(12)]
    commit = narrow.where.guest(OWNER) + GUEST.COMMIT.at(0, Kind.BLOCK, 0, OTHER)
    await Combine(
        cocotb.start_soon(narrow.write32(commit, GUEST.RETURN.pack(KIND=Handover.MOVE, BLOCK=block), OWNER)),
        *(cocotb.start_soon(_wait(event)) for event in reads),
    )
    stream = b"".join(event.data.data for event in reads)
    gone = stream.find(0)
    assert 0 < gone < len(stream)
    assert stream[:gone] == bytes([0xA5] * gone)
    assert stream[gone:] == bytes(len(stream) - gone)
    theirs = narrow.where.sram(OTHER) + block * CONFIG.block_size
    assert (await narrow.read(theirs, CONFIG.block_size, OTHER))[0] == pattern


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_vm_that_is_killed_in_its_bursts(dut):
    """A VM is killed while bursts of it run in both directions: they end as long as they were asked for, with zeros,
    and leave nothing behind."""
    masters = await opened(dut)
    wide, narrow = masters[WIDE], masters[NARROW]
    base = narrow.where.manager_base
    assert base is not None
    block = await allocate(wide, OWNER)
    mine, size = wide.where.sram(OWNER) + block * CONFIG.block_size, CONFIG.block_size
    await wide.write(mine, bytes([0xA5] * size), OWNER, size=3)
    reads = [wide.bus.init_read(mine, size, size=3, prot=0) for _ in range(12)]
    writes = [wide.bus.init_write(mine, bytes([0xA5] * size), size=3, prot=0) for _ in range(12)]
    control = base + MANAGER.CONTROL.at(OWNER)
    await Combine(
        cocotb.start_soon(narrow.write32(control, Command.KILL)),
        *(cocotb.start_soon(_wait(event)) for event in (*reads, *writes)),
    )
    stream = b"".join(event.data.data for event in reads)
    gone = stream.find(0)
    assert len(stream) == len(reads) * size
    assert 0 < gone < len(stream), "the kill must come in the middle"
    assert stream == bytes([0xA5] * gone) + bytes(len(stream) - gone)
    while MANAGER.CONTROL.KILLING.get(await narrow.read32(control)):
        pass
    assert await narrow.read32(base + MANAGER.QUOTA.at(OWNER)) == MANAGER.QUOTA.pack(LIMIT=2)
    await ClockCycles(dut.clk, 16 * CONFIG.sram_bytes // 4 // CONFIG.banks)
    # All blocks are somebody else's now, and zero.
    await narrow.write32(base + MANAGER.QUOTA.at(OWNER), 0)
    await narrow.write32(base + MANAGER.QUOTA.at(OTHER), CONFIG.blocks)
    found = {await allocate(narrow, OTHER) for _ in range(CONFIG.blocks)}
    assert len(found) == CONFIG.blocks
    everything = await narrow.read(narrow.where.sram(OTHER), CONFIG.sram_bytes, OTHER)
    assert everything == (bytes(CONFIG.sram_bytes), AxiResp.OKAY)


async def _wait(event):
    await event.wait()


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize((("together", "slack"), [(False, 1.0), (True, 1.1)]))
async def a_beat_per_cycle(dut, together, slack):
    """Bursts of whole beats, reads and writes at once: no cycle is lost; with two ports only where they want one bank.

    Beats of 32 bits stay at a bank for two cycles, so the wide port meets the narrow one now and then.
    """
    masters = await opened(dut)
    blocks = {WIDE: await allocate(masters[WIDE], OWNER), NARROW: await allocate(masters[NARROW], OTHER)}
    rounds = 20

    async def stream(port, vm):
        master = masters[port]
        at = master.where.sram(vm) + blocks[port] * CONFIG.block_size
        options = master.options(vm, True, 0, False)
        events = []
        for _ in range(rounds):
            events.append(master.bus.init_read(at, CONFIG.block_size, size=master.top, **options))
            events.append(master.bus.init_write(at, bytes(CONFIG.block_size), size=master.top, **options))
        valid, ready = (getattr(dut, f"s{port}_axi_r{name}") for name in ("valid", "ready"))
        beats = rounds * CONFIG.block_size // master.bytes
        cycles: list[int] = []
        number = 0
        while len(cycles) < beats:
            await RisingEdge(dut.clk)
            number += 1
            if valid.value and ready.value:
                cycles.append(number)
        for event in events:
            await event.wait()
        return (cycles[-1] - cycles[0] + 1) / beats

    tasks = []
    for port, vm in ((WIDE, OWNER), (NARROW, OTHER)):
        tasks.append(cocotb.start_soon(stream(port, vm)))
        if not together:
            await tasks[-1]
    await Combine(*tasks)
    for task in tasks:
        assert task.result() <= slack
