# amaranth: UnusedElaboratable=no
from random import Random

import pytest

from postern_hw.doorbells import Doorbells
from postern_spec.config import Config, Identity, Port

from .support import WORD, bits, drive, fill, simulate


@pytest.mark.parametrize("vms", [2, 7, 40])
def test_against_a_list_of_sets(vms):
    c = Config(ports=(Port(identity=Identity.STATIC),), vms=vms, depth=2, page_stride=65536)
    dut, random = Doorbells(c), Random(vms)

    async def bench(ctx):
        await fill(ctx, dut, 64)
        pending = [0] * vms
        for _ in range(1000):
            row = random.choice((0, vms - 1, random.randrange(vms)))
            sender, half, look = random.randrange(vms), random.randrange(1 + (vms > 32)), random.randrange(vms)
            word = random.choice((random.getrandbits(32), WORD, 1 << sender % 32))
            does = random.choices(("ring", "clear", "forget_sender", "forget_all", ""), (8, 2, 2, 1, 2))[0]
            drive(ctx, dut, row=row, sender=sender, half=half, data=word, look_row=look)
            drive(ctx, dut, **{name: name == does for name in ("ring", "clear", "forget_sender", "forget_all")})
            assert ctx.get(dut.any) == bits(vm for vm in range(vms) if pending[vm])
            assert ctx.get(dut.look) == pending[look]
            await ctx.tick()
            if does == "ring":
                pending[row] |= 1 << sender
            elif does == "clear":
                pending[row] &= ~(word << 32 * half)
            elif does == "forget_sender":
                pending[row] &= ~(1 << sender)
            elif does == "forget_all":
                pending[row] = 0

    simulate(dut, bench)
