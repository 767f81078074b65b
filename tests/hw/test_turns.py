# amaranth: UnusedElaboratable=no
from random import Random

import pytest
from amaranth.hdl import Const, ResetInserter, Signal

from postern_hw.turns import WRITE_TURN, Turns, rotated
from postern_spec.config import Config, Identity, Manager, Port

from .support import coin, drive, simulate


@pytest.mark.parametrize("ports", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("manager", [Manager.PAGE, Manager.NONE])
def test_everybody_has_a_turn_and_nothing_moves_it(ports, manager):
    c = Config(
        ports=(Port(identity=Identity.PAGE),) * ports,
        manager=manager,
        open_at_reset=True,
        strict=True,
        page_stride=65536,
    )
    dut, reset, random = Turns(c), Signal(), Random(ports)
    writers = ports + (manager is not Manager.NONE)

    async def bench(ctx):
        cycle = 0
        for _ in range(300):
            strict, clear = coin(random, 0.5), coin(random, 0.01)
            drive(ctx, dut, strict=strict)
            ctx.set(reset, clear)
            turns = dut.turns
            assert ctx.get(turns.strict) == strict
            assert ctx.get(turns.first) == (cycle % WRITE_TURN == 0)
            assert ctx.get(turns.write) == 1 << cycle // WRITE_TURN % writers
            assert ctx.get(turns.read) == 1 << cycle % ports
            assert ctx.get(turns.guard) == 1 << cycle % (ports + 1)
            await ctx.tick()
            cycle = 0 if clear else cycle + 1

    simulate(ResetInserter(reset)(dut), bench)


@pytest.mark.parametrize("requesters", [1, 2, 3, 5])
def test_banks_follow_each_other_by_a_cycle(requesters):
    dut = Turns(Config(strict=True))

    async def bench(ctx):
        for cycle in range(8):
            now = Const(1 << cycle % requesters, requesters)
            for bank in range(8):
                assert ctx.get(rotated(now, bank)) == 1 << (cycle - bank) % requesters

    simulate(dut, bench)
