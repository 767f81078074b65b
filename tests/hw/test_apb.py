# amaranth: UnusedElaboratable=no
from random import Random

import pytest

from postern_hw.bus.apb import Apb
from postern_spec.config import Bus, Config, Identity, Port

from .support import FULL, ApbMaster, BackEnd, Pins, coin, drive, simulate

SIDEBAND = Config(ports=(Port(Bus.APB),), vms=2, depth=2)


@pytest.mark.parametrize("pause", [0, 0.3, 0.7])
def test_under_any_back_pressure(pause):
    dut, random = Apb(SIDEBAND, 0), Random(f"{pause}")
    supplied, directions = {"writes": [], "reads": []}, []

    def supply():
        address = random.getrandbits(len(dut.paddr))
        access = {"address": address, "strobes": FULL, "tag": address >> 3 & 15, "secure": 1 - (address >> 9 & 1)}
        access |= {"continues": 0, "cacheable": 0}
        directions.append(coin(random, 0.5))
        if not directions[-1]:
            supplied["reads"].append(access)
            return address, None, FULL
        access |= {"data": random.getrandbits(32), "strobes": random.getrandbits(4)}
        supplied["writes"].append(access)
        return address, access["data"], access["strobes"]

    master, back = ApbMaster(Pins(dut), random, supply, pause), BackEnd(dut, random, pause)

    async def bench(ctx):
        for _ in range(2000):
            master.before(ctx)
            address = ctx.get(dut.paddr)  # what goes with it follows from it
            ctx.set(dut.puser, address >> 3)
            ctx.set(dut.pprot, random.getrandbits(3) & 0b101 | (address >> 9 & 1) << 1)
            back.before(ctx)
            assert not ctx.get(dut.pready) or ctx.get(dut.penable)
            assert back.owed + len(back.due) <= 1
            master.after(ctx)
            back.after(ctx)
            await ctx.tick()

    simulate(dut, bench)
    assert back.writes == supplied["writes"][: len(back.writes)]
    assert back.reads == supplied["reads"][: len(back.reads)]
    assert [write for write, _, _ in master.answers] == directions[: len(master.answers)]
    assert [answer[1:] for answer in master.answers if not answer[0]] == back.told
    assert not any(error for write, _, error in master.answers if write)
    assert min(len(back.writes), len(back.reads)) > (60 if pause else 300)


def test_taken_in_the_setup_phase():
    """An access takes as long as the block takes to answer it, and not a cycle more."""
    dut = Apb(Config(ports=(Port(Bus.APB, Identity.PAGE),), vms=2, depth=2), 0)

    async def bench(ctx):
        drive(ctx, dut.read, ready=1)
        for _ in range(3):
            drive(ctx, dut, psel=1, penable=0)
            assert ctx.get(dut.read.valid)
            await ctx.tick()
            drive(ctx, dut, penable=1)
            assert not ctx.get(dut.read.valid)
            assert not ctx.get(dut.pready)
            await ctx.tick()
            drive(ctx, dut.answer, valid=1)
            assert ctx.get(dut.pready)
            await ctx.tick()
            drive(ctx, dut.answer, valid=0)

    simulate(dut, bench)


@pytest.mark.parametrize("taken", [0, 1])
def test_reset_of_the_port(taken):
    """What the port forgot in its reset is not waited for: an access that is still there is made anew."""
    dut = Apb(SIDEBAND, 0)

    async def bench(ctx):
        drive(ctx, dut, psel=1, pwrite=1)
        drive(ctx, dut.write, ready=taken)
        await ctx.tick()
        drive(ctx, dut, penable=1)
        assert ctx.get(dut.write.valid) != taken
        drive(ctx, dut, rst=1)
        drive(ctx, dut.write, ready=0)
        await ctx.tick()
        drive(ctx, dut, rst=0)
        assert ctx.get(dut.write.valid)
        assert not ctx.get(dut.pready)

    simulate(dut, bench)
