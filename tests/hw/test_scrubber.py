# amaranth: UnusedElaboratable=no
import itertools
from random import Random

import pytest
from amaranth.hdl import ResetInserter, Signal

from postern_hw.scrubber import SHARE, Scrubber
from postern_spec.config import Config, Identity, Port
from postern_spec.sizes import scrub_window

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


@pytest.mark.parametrize(("banks", "vms", "ports"), [(1, 2, 1), (2, 3, 2), (4, 4, 4)])
def test_by_turns_a_window_lasts_as_long_whatever_is_in_it(banks, vms, ports):
    c = Config(
        blocks=4 * vms, block_size=64, banks=banks, vms=vms, strict=True, ports=(Port(identity=Identity.PAGE),) * ports
    )
    rows = c.block_size // 4 // banks
    dut, random = Scrubber(c, rows=rows, row_bits=(c.blocks * rows - 1).bit_length()), Random(vms)
    window = scrub_window(c)

    async def bench(ctx):
        ctx.set(dut.strict, 1)
        dirty, cleaned = [set(range(4)) for _ in range(vms)], 0
        begun = None  # in the window
        for cycle in range(window * vms * 12):
            vm, at = cycle // window % vms, cycle % window
            assert ctx.get(dut.vm) == vm
            waits = sorted(dirty[vm])
            drive(ctx, dut, dirty=bool(waits), block=waits[0] if waits else random.randrange(c.blocks))
            if at == 0:
                begun = waits[0] if waits else None
            for bank in range(banks):  # a turn of its own each
                mine = (cycle - bank) % (ports + 1) == ports
                ctx.set(dut.scrub[bank].taken, mine and ctx.get(dut.scrub[bank].want))
            clean = ctx.get(dut.clean)
            assert clean == (at == window - 1 and begun is not None)
            await ctx.tick()
            if clean:
                assert ctx.get(dut.cleaning) == begun
                dirty[vm].remove(begun)
                cleaned += 1
            if coin(random, 0.02):
                dirty[random.randrange(vms)].add(random.randrange(4))
        assert cleaned > 4 * vms

    simulate(dut, bench)


def test_out_of_turns_a_window_ends_with_its_block():
    c = Config(blocks=8, block_size=64, banks=2, vms=4, strict=True, ports=(Port(),) * 2)
    dut = Scrubber(c, rows=8, row_bits=6)

    async def bench(ctx):
        ends, seen = [], []
        for cycle in range(60):
            drive(ctx, dut, dirty=ctx.get(dut.vm) == 2, block=5)
            for bank in range(2):
                ctx.set(dut.scrub[bank].taken, ctx.get(dut.scrub[bank].want))
            seen.append(ctx.get(dut.vm))
            if ctx.get(dut.clean):
                ends.append(cycle)
            await ctx.tick()
        assert seen[:4] == [0, 1, 2, 2]
        assert {b - a for a, b in itertools.pairwise(ends)} == {3 + 8 + 2}  # an idle cycle for each of the others

    simulate(dut, bench)
