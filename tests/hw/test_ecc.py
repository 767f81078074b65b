# amaranth: UnusedElaboratable=no
"""Codes against flipped bits: every word of eight bits with every one and two flips, and parity of tables."""

import random

import pytest
from amaranth.hdl import Const, Module, Signal
from amaranth.sim import Simulator

from postern_hw.ecc import Guard, check_bits, decode, encode
from postern_hw.table import Table


class Code:
    """Encoder and decoder with flips between."""

    def __init__(self, width: int):
        total = width + check_bits(width)
        self.m = m = Module()
        self.data, self.flips = Signal(width), Signal(total)
        stored = Signal(total)
        m.d.comb += [stored[:width].eq(self.data), stored[width:].eq(encode(self.data))]
        seen = Signal(total)
        m.d.comb += seen.eq(stored ^ self.flips)
        self.word, self.corrected, self.lost = decode(m, seen[:width], seen[width:], "seen")

    def check(self, cases):
        async def bench(ctx):
            for data, flips in cases:
                ctx.set(self.data, data)
                ctx.set(self.flips, sum(1 << bit for bit in flips))
                got = ctx.get(self.word), ctx.get(self.corrected), ctx.get(self.lost)
                wanted = {0: (data, 0, 0), 1: (data, 1, 0), 2: (0, 0, 1)}[len(flips)]
                assert got == wanted, (data, flips)

        simulator = Simulator(self.m)
        simulator.add_testbench(bench)
        simulator.run()


def pairs(total: int):
    return [(a, b) for a in range(total) for b in range(a)]


def test_check_bits():
    assert [check_bits(width) for width in (8, 32)] == [5, 7]


def test_zero_has_zero_check_bits():
    m, out = Module(), Signal(7)
    m.d.comb += out.eq(encode(Const(0, 32)))

    async def bench(ctx):
        assert ctx.get(out) == 0

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


def test_bytes_with_every_flip():
    # The code is linear: what flips do does not depend on the word. All words with one flip, some with all pairs.
    total = 8 + check_bits(8)
    cases = [(data, flips) for data in range(256) for flips in [(), *((bit,) for bit in range(total))]]
    cases += [(data, pair) for data in (0, 0xFF, 0xA5, 0x3C) for pair in pairs(total)]
    Code(8).check(cases)


def test_words_with_every_flip():
    rng = random.Random(1)
    total = 32 + check_bits(32)
    cases = [(rng.getrandbits(32), flips) for flips in [(), *((bit,) for bit in range(total)), *pairs(total)]]
    Code(32).check(cases)


def test_guard():
    m = Module()
    guard = Guard(enabled=True)
    register = Signal(4, init=5)
    wrong, take, value = Signal(), Signal(), Signal(6)
    with m.If(take):
        m.d.sync += guard.set(register, value)
    m.d.comb += wrong.eq(guard.error)

    async def bench(ctx):
        assert (ctx.get(register), ctx.get(wrong)) == (5, 0)
        ctx.set(take, 1)
        for number in (63, 0, 9):
            ctx.set(value, number)
            await ctx.tick()
            assert (ctx.get(register), ctx.get(wrong)) == (number & 15, 0)
        ctx.set(register, 8)
        assert ctx.get(wrong) == 1

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_guard_with_a_flip_injected():
    m = Module()
    inject = Signal()
    guard = Guard(enabled=True, inject=inject)
    register, other, wrong = Signal(3, name="register"), Signal(name="other"), Signal()
    m.d.sync += [guard.set(register, register + 3), guard.set(other, ~other)]
    m.d.comb += wrong.eq(guard.error)

    async def bench(ctx):
        for cycle in range(8):
            ctx.set(inject, cycle % 2)
            assert (ctx.get(register), ctx.get(wrong)) == (cycle * 3 % 8, cycle % 2)
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_guard_off():
    m = Module()
    register = Signal(4)
    assert len(Guard(enabled=False).set(register, 3)) == 1
    m.d.sync += Guard(enabled=False).set(register, 3)


@pytest.mark.parametrize("depth", [3, 6, 8])
def test_table_keeps_parity(depth):
    dut = Table(depth, 5, readers=2, init=list(range(depth)), fill_bits=4, parity=True)

    async def bench(ctx):
        ctx.set(dut.fill, 1)
        for row in range(depth):
            ctx.set(dut.fill_row, row)
            await ctx.tick()
        ctx.set(dut.fill, 0)
        rng = random.Random(depth)
        rows = list(range(depth))
        for _ in range(50):
            row, other, value = rng.randrange(depth), rng.randrange(depth), rng.getrandbits(5)
            ctx.set(dut.write, 1)
            ctx.set(dut.write_row, row)
            ctx.set(dut.write_data, value)
            ctx.set(dut.row_0, row)
            ctx.set(dut.row_1, other)
            assert [ctx.get(dut.data_0), ctx.get(dut.data_1)] == [rows[row], rows[other]]
            assert [ctx.get(dut.bad_0), ctx.get(dut.bad_1), ctx.get(dut.error)] == [0, 0, 0]
            ctx.set(dut.inject, 1)  # for the error alone: what is read is as it is
            assert [ctx.get(dut.bad_0), ctx.get(dut.data_0), ctx.get(dut.error)] == [0, rows[row], 1]
            ctx.set(dut.inject, 0)
            await ctx.tick()
            rows[row] = value

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_table_with_parity_needs_contents():
    with pytest.raises(ValueError, match=r"^initial contents must be given with parity, not None$"):
        Table(4, 5, readers=1, init=None, fill_bits=4, parity=True)
