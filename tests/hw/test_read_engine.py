# amaranth: UnusedElaboratable=no
from itertools import product

import pytest

from postern_hw.read_engine import ReadEngine
from postern_spec.config import Config, Identity, Port
from postern_spec.regmap import MAGIC, Fault, State, address_map, guest_page, manager_page

from .support import FULL, bound, drive, simulate

C = Config(ports=(Port(identity=Identity.PAGE), Port(identity=Identity.PAGE)), vms=5, lanes=2, words=4, depth=8)
PORT = 1
WHERE = address_map(C, PORT)


async def read(ctx, dut, access, direct=0):
    """Hand a read to the engine; return at the cycle in which it is answered."""
    request = dut.requests[PORT]
    ctx.set(request.payload, access | {"direct": direct})
    ctx.set(request.valid, 1)
    assert ctx.get(request.ready)
    await ctx.tick()
    ctx.set(request.valid, 0)
    await ctx.tick()


def test_first_check_that_fails_refuses():
    dut, guest, manager = ReadEngine(C), guest_page(C), manager_page(C)
    vm = 1
    places = [  # address, what is there, and what it reads as
        (WHERE.guest(vm) + guest.MAGIC.offset, Fault.NONE, MAGIC),
        (WHERE.guest(vm) + guest.RING.offset, Fault.DIRECTION, 0),
        (WHERE.guest(vm) + guest.size, Fault.UNMAPPED, 0),
        (WHERE.manager_base + manager.EPOCH.offset, Fault.NONE, 0x1234),
        (WHERE.manager_base + manager.TEAR.offset, Fault.DIRECTION, 0),
        (WHERE.manager_base + manager.size, Fault.UNMAPPED, 0),
    ]
    seen = set()

    async def bench(ctx):
        ctx.set(dut.epoch, 0x1234)
        for (address, there, value), low, allowed, state in product(
            places, (0, 1, 2, 4, 5), (0, 1), (State.CLOSED, State.OPEN, State.DRAINING)
        ):
            ctx.set(dut.states[vm], state)
            to_manager = address >= WHERE.manager_base
            known = vm if allowed or to_manager else None
            await read(ctx, dut, bound(C, PORT, address + low, known, allowed=allowed))
            checks = [  # as in ``docs/states.md`` section 1
                (not allowed, Fault.NOT_MANAGER if to_manager else Fault.NO_VM),
                (low % 4, Fault.UNALIGNED),
                (not to_manager and state == State.CLOSED, Fault.CLOSED),
                (low == 0 and there, there),
            ]
            expected = next((kind for fails, kind in checks if fails), Fault.NONE)
            assert ctx.get(dut.fault.valid) == ctx.get(dut.error) == (not ctx.get(dut.good)) == bool(expected)
            if expected:
                seen.add(expected)
                assert ctx.get(dut.fault.kind) == expected
                assert ctx.get(dut.fault.record) == (C.vms if known is None else vm)
                assert (ctx.get(dut.fault.port), ctx.get(dut.fault.address)) == (PORT, address + low)
            else:
                assert ctx.get(dut.data) == (value if low == 0 else 0)

    simulate(dut, bench)
    assert seen == {Fault.NO_VM, Fault.UNALIGNED, Fault.NOT_MANAGER, Fault.CLOSED, Fault.UNMAPPED, Fault.DIRECTION}


@pytest.mark.parametrize("name", ["HEADER", "POP"])
def test_reads_that_act_are_whole(name):
    dut, page = ReadEngine(C), guest_page(C)

    async def bench(ctx):
        ctx.set(dut.states[2], State.OPEN)
        for strobes in range(1, FULL):
            address = WHERE.guest(2) + getattr(page, name).at(1)
            await read(ctx, dut, bound(C, PORT, address, 2, strobes=strobes))
            assert (ctx.get(dut.good), ctx.get(dut.fault.kind)) == (0, Fault.PARTIAL)

    simulate(dut, bench)


def test_peer_and_credit_of_whom_one_may_not_reach_read_as_zero():
    dut, page = ReadEngine(C), guest_page(C)

    async def bench(ctx):
        drive(ctx, dut, generation=9, acknowledged=1)
        ctx.set(dut.states[0], State.OPEN)
        for target, state, may in product((1, 4), State, (0, 1)):
            ctx.set(dut.states[target], state)
            ctx.set(dut.limits[target], 7)
            ctx.set(dut.sent[target], 15)
            ctx.set(dut.gone[target], 12)
            ctx.set(dut.permitted, may)
            await read(ctx, dut, bound(C, PORT, WHERE.guest(0) + page.PEER.at(target), 0))
            assert (ctx.get(dut.own), ctx.get(dut.other)) == (0, target)
            alive = state in (State.OPEN, State.PAUSED)
            peer = page.PEER.pack(GENERATION=9, REACHABLE=1, ALIVE=alive, ACKNOWLEDGED=1)
            assert (ctx.get(dut.good), ctx.get(dut.data)) == (1, peer * may)
            await read(ctx, dut, bound(C, PORT, WHERE.guest(0) + page.CREDIT.at(target), 0))
            assert ctx.get(dut.data) == page.CREDIT.pack(AVAILABLE=4, LIMIT=7) * may

    simulate(dut, bench)


def test_constant_registers():
    dut, page = ReadEngine(C), guest_page(C)

    async def bench(ctx):
        ctx.set(dut.states[3], State.OPEN)
        ctx.set(dut.own_generation, 200)
        for name in ("MAGIC", "VERSION", "FEATURES", "DIMENSIONS", "CAPACITY"):
            register = getattr(page, name)
            await read(ctx, dut, bound(C, PORT, WHERE.guest(3) + register.offset, 3))
            assert ctx.get(dut.data) == register.pack(**{field.name: field.reset for field in register.fields})
        await read(ctx, dut, bound(C, PORT, WHERE.guest(3) + page.SELF.offset, 3))
        assert ctx.get(dut.data) == page.SELF.pack(VM=3, GENERATION=200, STATE=State.OPEN, PORT=PORT)

    simulate(dut, bench)
