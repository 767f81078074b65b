# amaranth: UnusedElaboratable=no
from random import Random

import pytest

from postern_hw.bus.axi_lite import SLVERR, AxiLite
from postern_spec.config import Config, Identity, Port

from .support import FULL, AxiLiteMaster, BackEnd, Pins, coin, drive, simulate

SIDEBAND = Config(ports=(Port(),), vms=2, depth=2)


@pytest.mark.parametrize("pause", [0, 0.3, 0.7])
def test_under_any_back_pressure(pause):
    dut, random = AxiLite(SIDEBAND, 0), Random(f"{pause}")
    supplied = {"writes": [], "reads": []}
    seen = set()

    def supply():
        address = random.getrandbits(len(dut.awaddr))
        access = {"address": address, "strobes": FULL, "tag": address >> 3 & 15, "secure": 1 - (address >> 9 & 1)}
        access |= {"continues": 0, "cacheable": 0}
        if coin(random, 0.5):
            supplied["reads"].append(access)
            return address, None, FULL
        access |= {"data": random.getrandbits(32), "strobes": random.getrandbits(4)}
        supplied["writes"].append(access)
        return address, access["data"], access["strobes"]

    master = AxiLiteMaster(Pins(dut), random, supply, pause)
    back = BackEnd(dut, random, pause)

    async def bench(ctx):
        for _ in range(1000):
            master.before(ctx)
            for channel in ("aw", "ar"):  # what goes with an address follows from it
                address = ctx.get(getattr(dut, f"{channel}addr"))
                ctx.set(getattr(dut, f"{channel}user"), address >> 3)
                ctx.set(getattr(dut, f"{channel}prot"), random.getrandbits(3) & 0b101 | (address >> 9 & 1) << 1)
            back.before(ctx)
            if ctx.get(dut.awvalid) != ctx.get(dut.wvalid):
                seen.add("address first" if ctx.get(dut.awvalid) else "word first")
            master.after(ctx)
            back.after(ctx)
            await ctx.tick()

    simulate(dut, bench)
    assert seen == ({"address first", "word first"} if pause else set())
    assert back.writes == supplied["writes"][: len(back.writes)]
    assert back.reads == supplied["reads"][: len(back.reads)]
    assert [answer for answer in master.answers if len(answer) == 2] == [
        (data, SLVERR * error) for data, error in back.told
    ]
    written = [answer for answer in master.answers if len(answer) == 1]
    assert written == [(0,)] * (len(back.writes) - back.owed)
    assert min(len(back.writes), len(back.reads)) > (40 if pause else 400)


def test_write_and_read_every_cycle():
    dut = AxiLite(Config(ports=(Port(identity=Identity.PAGE),), vms=2, depth=2), 0)

    async def bench(ctx):
        drive(ctx, dut, awvalid=1, wvalid=1, bready=1, arvalid=1, rready=1)
        drive(ctx, dut.write, ready=1)
        drive(ctx, dut.read, ready=1)
        for _ in range(5):
            for handshake in (dut.awready, dut.wready, dut.arready, dut.write.valid, dut.read.valid):
                assert ctx.get(handshake)
            await ctx.tick()

    simulate(dut, bench)
