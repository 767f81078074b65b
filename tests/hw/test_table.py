# amaranth: UnusedElaboratable=no
from random import Random

import pytest
from amaranth.hdl import ResetInserter, Signal

from postern_hw.select import bits_for
from postern_hw.table import FLIP_FLOP_DEPTH, Table

from .support import coin, drive, fill, simulate

WIDTH, READERS = 6, 3
DEPTHS = (1, 2, 3, FLIP_FLOP_DEPTH, FLIP_FLOP_DEPTH + 1, 8, 12)  # both kinds, and depths that are no power of two


def contents(kind, depth):
    return [9] * depth if kind == "equal" else [(5 * row + 7) % 64 for row in range(depth)]


@pytest.mark.parametrize("kind", ["equal", "different"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_every_port_reads_what_was_written_before(depth, kind):
    init = contents(kind, depth)
    table = Table(depth, WIDTH, readers=READERS, init=init, fill_bits=5)
    reset, random = Signal(), Random(depth)

    async def bench(ctx):
        for _ in range(2):  # the second time after a reset, with other contents in between
            await fill(ctx, table, 20)  # more rows than the table has, as when another table is deeper
            rows = list(init)
            for cycle in range(150):
                write, row, data = coin(random, 0.6), random.randrange(depth), random.getrandbits(WIDTH)
                if cycle < depth:
                    write = 0  # first look at all of what was filled in
                drive(ctx, table, write=write, write_row=row, write_data=data)
                for port in range(READERS):
                    read_row = (cycle + port) % depth if cycle < depth else random.randrange(depth)
                    ctx.set(getattr(table, f"row_{port}"), read_row)
                    assert ctx.get(getattr(table, f"data_{port}")) == rows[read_row]
                await ctx.tick()
                if write:
                    rows[row] = data
            drive(ctx, table, write=0)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)

    simulate(ResetInserter(reset)(table), bench)


@pytest.mark.parametrize("depth", [FLIP_FLOP_DEPTH, 8])
def test_without_contents_there_is_nothing_to_fill(depth):
    table = Table(depth, WIDTH, readers=1, init=None, fill_bits=bits_for(depth))

    async def bench(ctx):
        for row in range(depth):
            drive(ctx, table, write=1, write_row=row, write_data=row + 1)
            await ctx.tick()
        drive(ctx, table, write=0)
        await fill(ctx, table, depth)
        for row in range(depth):
            ctx.set(table.row_0, row)
            assert ctx.get(table.data_0) == row + 1

    simulate(table, bench)


def test_number_of_rows_is_checked():
    with pytest.raises(ValueError, match=r"^initial contents must have 8 rows, not 2$"):
        Table(8, WIDTH, readers=1, init=[0, 0], fill_bits=3)
