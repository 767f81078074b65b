# amaranth: UnusedElaboratable=no
from collections import deque
from random import Random

import pytest

from postern_hw.arbiter import RoundRobin, TimeDivision

from .support import bits, coin, drive, simulate

COUNTS = range(1, 9)


@pytest.mark.parametrize("count", COUNTS)
def test_whoever_was_granted_goes_to_the_end_of_the_line(count):
    dut, random = RoundRobin(count), Random(count)
    line = deque(range(count))

    async def bench(ctx):
        drive(ctx, dut, request=1 << count - 1, accept=1)  # now everybody else is before the last one
        await ctx.tick()
        for _ in range(300):
            wants = {who for who in range(count) if coin(random, 0.5)}
            accept = coin(random, 0.7)
            drive(ctx, dut, request=bits(wants), accept=accept)
            chosen = [who for who in line if who in wants][:1]
            assert ctx.get(dut.grant) == bits(chosen)
            if accept and chosen:
                line.remove(chosen[0])
                line.append(chosen[0])
            await ctx.tick()

    simulate(dut, bench)


@pytest.mark.parametrize("count", COUNTS)
def test_request_that_stays_waits_for_the_others_at_most(count):
    dut, random = RoundRobin(count), Random(count)
    longest = 0

    async def bench(ctx):
        nonlocal longest
        waited = {}  # how many others were granted before, by requester
        for _ in range(300):
            waited |= {who: 0 for who in range(count) if who not in waited and coin(random, 0.7)}
            accept = coin(random, 0.7)
            drive(ctx, dut, request=bits(waited), accept=accept)
            grant = ctx.get(dut.grant)
            if waited and accept:
                granted = grant.bit_length() - 1
                longest = max(longest, waited.pop(granted))
                waited = {who: others + 1 for who, others in waited.items()}
            await ctx.tick()

    simulate(dut, bench)
    assert longest == count - 1


@pytest.mark.parametrize("count", COUNTS)
def test_by_turns_nobody_is_granted_out_of_turn_and_the_line_stands_still(count):
    dut, random = TimeDivision(count), Random(count)
    line = deque(range(count))

    async def bench(ctx):
        strict = False
        for cycle in range(600):
            if coin(random, 0.05):
                strict = not strict
            wants = {who for who in range(count) if coin(random, 0.5)}
            accept, turn = coin(random, 0.7), cycle % (count + 1)  # in one cycle of these it is nobody's turn
            drive(ctx, dut, request=bits(wants), accept=accept, strict=strict, turn=(1 << turn) & (1 << count) - 1)
            chosen = [who for who in line if who in wants][:1]
            assert ctx.get(dut.grant) == (bits(wants & {turn}) if strict else bits(chosen))
            if accept and chosen and not strict:
                line.remove(chosen[0])
                line.append(chosen[0])
            await ctx.tick()

    async def begin(ctx):
        drive(ctx, dut, request=1 << count - 1, accept=1, strict=0, turn=0)
        await ctx.tick()
        await bench(ctx)

    simulate(dut, begin)


def test_count_is_checked():
    with pytest.raises(ValueError, match=r"^number of requesters must be at least 1, not 0$"):
        RoundRobin(0)
