# amaranth: UnusedElaboratable=no
from collections import deque
from random import Random

import pytest

from postern_hw.bus.wishbone import OUTSTANDING, Wishbone
from postern_spec.config import Bus, Config, Identity, Port

from .support import Pins, WishboneMaster, coin, drive, simulate

SIDEBAND = Config(ports=(Port(bus=Bus.WISHBONE),), vms=2, depth=2)


class BackEnd:
    """Takes what the adapter hands on and answers when it likes to, in order; every answer is unique."""

    def __init__(self, dut, random, pause):
        self.dut, self.random, self.pause = dut, random, pause
        self.taken = []
        self.waiting = deque()  # direction, word and error of what is to be answered

    def reset(self):
        self.waiting.clear()

    def before(self, ctx):
        answers = bool(self.waiting) and not coin(self.random, self.pause)
        write, data, error = self.waiting[0] if self.waiting else (0, 0, 0)
        ctx.set(self.dut.written.valid, answers and write)
        ctx.set(self.dut.answer.valid, answers and not write)
        ctx.set(self.dut.answer.payload, {"data": data, "error": error})
        for stream in (self.dut.write, self.dut.read):
            ctx.set(stream.ready, not coin(self.random, self.pause))

    def after(self, ctx):
        """Return what was taken in this cycle, if anything: direction, answer and error."""
        if ctx.get(self.dut.written.valid) or ctx.get(self.dut.answer.valid):
            assert ctx.get(self.dut.written.ready)
            assert ctx.get(self.dut.answer.ready)
            self.waiting.popleft()
        came = None
        for write, stream in ((1, self.dut.write), (0, self.dut.read)):
            if ctx.get(stream.valid) and ctx.get(stream.ready):
                assert came is None
                assert all(direction == write for direction, _, _ in self.waiting)  # no change under way
                assert len(self.waiting) < OUTSTANDING
                payload = ctx.get(stream.payload)
                self.taken.append({key: payload[key] for key, _ in payload.shape()})
                came = write, len(self.taken), 0 if write else coin(self.random, 0.2)
                self.waiting.append(came)
        return came


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize(("pause", "slowness"), [(0, 0), (0.2, 0.6), (0.6, 0.2)])
def test_under_any_back_pressure(pause, slowness, resets):
    dut, random = Wishbone(SIDEBAND, 0), Random(f"{pause}{resets}")
    bits = len(dut.adr) + 2
    offered = []
    seen = set()

    def supply():
        address, direction = random.getrandbits(bits) & ~3, offered[-1][0] if offered else 0
        write = direction ^ coin(random, 0.1)
        offered.append((write, address, random.getrandbits(32) if write else 0, random.getrandbits(4)))
        return address, offered[-1][2] if write else None, offered[-1][3]

    master, back = (
        WishboneMaster(Pins(dut), random, supply, pause),
        BackEnd(dut, random, slowness),
    )
    accepted = []

    async def bench(ctx):
        expected = deque()  # answers in this bus cycle
        for _ in range(2000):
            reset = resets and coin(random, 0.01)
            if reset:
                master.reset()
                back.reset()
                expected.clear()
            had = master.waiting
            master.before(ctx)
            if had and not master.waiting and master.access is None:
                seen.add("cycle ended early")
                expected.clear()
            ctx.set(dut.tga, ctx.get(dut.adr))
            back.before(ctx)
            if reset:  # as a port in reset does
                ctx.set(dut.rst, 1)
                master.pins.set(ctx, cyc=0)
                drive(ctx, dut.write, ready=0)
                drive(ctx, dut.read, ready=0)
            else:
                ctx.set(dut.rst, 0)
            if ctx.get(dut.cyc) and ctx.get(dut.stb) and not ctx.get(dut.stall):
                accepted.append(offered[-1])
            if ctx.get(dut.ack) or ctx.get(dut.err):
                assert ctx.get(dut.cyc)
                write, data, error = expected.popleft()  # fails where nothing of this bus cycle waits
                assert ctx.get(dut.err) == error
                assert write or ctx.get(dut.dat_r) == data
                seen.add("error" if error else "acknowledge")
            elif ctx.get(dut.written.valid) or ctx.get(dut.answer.valid):
                seen.add("swallowed")
            master.after(ctx)
            came = back.after(ctx)
            if came:
                expected.append(came)
            if len(back.waiting) == OUTSTANDING:
                seen.add("full")
            await ctx.tick()

    simulate(dut, bench)
    assert seen >= {"cycle ended early", "acknowledge", "error"}
    assert seen >= ({"full", "swallowed"} if slowness == 0.6 else set())
    assert len(back.taken) > 250
    assert back.taken == [
        {"address": address, "strobes": strobes, "tag": address >> 2 & 15, "secure": 0, "continues": 0, "cacheable": 0}
        | ({"data": data} if write else {})
        for write, address, data, strobes in accepted
    ]


@pytest.mark.parametrize("write", [0, 1])
def test_request_every_cycle_in_one_direction(write):
    dut = Wishbone(Config(ports=(Port(bus=Bus.WISHBONE, identity=Identity.PAGE),), vms=2, depth=2), 0)

    async def bench(ctx):
        drive(ctx, dut, cyc=1, stb=1, we=write)
        drive(ctx, dut.write, ready=1)
        drive(ctx, dut.read, ready=1)
        for cycle in range(20):
            ctx.set((dut.written if write else dut.answer).valid, cycle >= 3)
            assert not ctx.get(dut.stall)
            assert ctx.get(dut.ack) == (cycle >= 3)
            await ctx.tick()
        ctx.set(dut.we, 1 - write)
        assert ctx.get(dut.stall)  # until the rest is acknowledged
        for _ in range(3):
            assert ctx.get(dut.ack)
            await ctx.tick()
        drive(ctx, dut.written, valid=0)
        drive(ctx, dut.answer, valid=0)
        assert not ctx.get(dut.stall)

    simulate(dut, bench)


def test_nothing_is_acknowledged_after_the_end_of_its_bus_cycle():
    dut = Wishbone(SIDEBAND, 0)

    async def bench(ctx):
        drive(ctx, dut.write, ready=1)
        drive(ctx, dut, cyc=1, stb=1, we=1)
        await ctx.tick()
        await ctx.tick()
        drive(ctx, dut, cyc=0, stb=0)
        await ctx.tick()
        drive(ctx, dut, cyc=1, stb=1)
        for _ in range(2):
            assert ctx.get(dut.stall)
            drive(ctx, dut.written, valid=1)
            assert not ctx.get(dut.ack)
            await ctx.tick()
        drive(ctx, dut.written, valid=0)
        assert not ctx.get(dut.stall)

    simulate(dut, bench)
