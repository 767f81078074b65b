# amaranth: UnusedElaboratable=no
import itertools
from random import Random

import pytest
from amaranth.hdl import ResetInserter, Signal

from postern_hw.scrubber import SHARE, Scrubber
from postern_spec.config import Config

from .support import coin, drive, simulate


def component(banks, rows, blocks=5):
    row_bits = (blocks * rows - 1).bit_length()
    return Scrubber(Config(blocks=blocks, banks=banks), rows=rows, row_bits=row_bits)


@pytest.mark.parametrize(("banks", "rows"), [(1, 2), (1, 16), (2, 8), (4, 4), (8, 2)])
@pytest.mark.parametrize("odds", [0.1, 0.6, 1])
def test_every_word_of_every_block(banks, rows, odds):
    dut, reset, random = component(banks, rows), Signal(), Random(rows)

    async def bench(ctx):
        waiting, missing, late = [], None, set()
        cleaned = 0
        for _ in range(1500):
            if len(waiting) < 3 and coin(random, 0.2):
                waiting.append(random.randrange(5))
            clear = coin(random, 0.003)
            ctx.set(reset, clear)
            drive(ctx, dut, dirty=bool(waiting), block=waiting[0] if waiting else random.randrange(5))
            if missing is None and waiting:
                missing = {(bank, waiting[0] * rows + row) for bank in range(banks) for row in range(rows)}
            taken = set()
            for bank in range(banks):
                scrub = dut.scrub[bank]
                want = ctx.get(scrub.want)
                take = want and coin(random, odds)
                ctx.set(scrub.taken, take)
                if want:
                    assert (bank, ctx.get(scrub.row)) in missing  # of this block, and each only once
                if take:
                    taken.add((bank, ctx.get(scrub.row)))
            clean = ctx.get(dut.clean)
            # Clean in the cycle in which the last words are written, which is the one after they were taken.
            assert clean == (missing == set() and bool(late))
            await ctx.tick()
            if missing is not None:
                missing -= taken
            late = taken
            if clean:
                waiting.pop(0)
                missing = None
                cleaned += 1
            if clear:
                missing, late = None, set()
        assert cleaned > 3

    simulate(ResetInserter(reset)(dut), bench)


def test_duration_and_share():
    dut = component(2, 8)

    async def bench(ctx):
        drive(ctx, dut, dirty=1, block=3)
        ends, first = [], []
        for cycle in range(400):
            busy = cycle >= 200  # ports write all the time, the scrubber has only its share
            for bank in range(2):
                ctx.set(dut.scrub[bank].taken, ctx.get(dut.scrub[bank].want) and (not busy or ctx.get(dut.first)))
            if ctx.get(dut.clean):
                ends.append(cycle)
            first.append(ctx.get(dut.first))
            await ctx.tick()
        quiet = [end for end in ends if end < 200]
        assert {b - a for a, b in itertools.pairwise(quiet)} == {8 + 2}
        loaded = [end for end in ends if end >= 280]
        assert {b - a for a, b in itertools.pairwise(loaded)} == {8 * SHARE}
        assert all(sum(first[i : i + SHARE]) == 1 for i in range(SHARE, len(first) - SHARE))

    simulate(dut, bench)
