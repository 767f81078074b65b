# amaranth: UnusedElaboratable=no
from itertools import product
from types import SimpleNamespace

import pytest

from postern_hw.native import Sizes
from postern_hw.read_engine import ReadEngine
from postern_spec.config import Config, Identity, Port
from postern_spec.regmap import MAGIC, Fault, State, address_map, guest_page, manager_page

from .support import FULL, bound, drive, simulate

C = Config(ports=(Port(identity=Identity.PAGE), Port(identity=Identity.PAGE)), vms=5, lanes=2, words=4, depth=8)
PORT = 1
WHERE = address_map(C, PORT)


async def read(ctx, dut, access, direct=0, watch=lambda: None, meanwhile=lambda: None):
    """Hand a read to the engine; return in the cycle in which it is answered, what was seen when it was judged.

    ``watch`` is called in the cycles before that, ``meanwhile`` in it.
    """
    request = dut.requests[PORT]
    ctx.set(request.payload, access | {"direct": direct})
    ctx.set(request.valid, 1)
    assert ctx.get(request.ready)
    watch()
    await ctx.tick()
    ctx.set(request.valid, 0)
    watch()
    await ctx.tick()
    meanwhile()
    seen = {name: ctx.get(getattr(dut.fault, name)) for name in ("valid", "kind", "record", "port", "address")}
    seen |= {name: ctx.get(getattr(dut, name)) for name in ("own", "other")}
    for _ in range(Sizes(C).read_delay):
        await ctx.tick()
    return SimpleNamespace(**seen)


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
            judged = await read(ctx, dut, bound(C, PORT, address + low, known, allowed=allowed))
            checks = [  # as in ``docs/states.md`` section 1
                (not allowed, Fault.NOT_MANAGER if to_manager else Fault.NO_VM),
                (low % 4, Fault.UNALIGNED),
                (not to_manager and state == State.CLOSED, Fault.CLOSED),
                (low == 0 and there, there),
            ]
            expected = next((kind for fails, kind in checks if fails), Fault.NONE)
            assert judged.valid == ctx.get(dut.error) == (not ctx.get(dut.good)) == bool(expected)
            if expected:
                seen.add(expected)
                assert judged.kind == expected
                assert judged.record == (C.vms if known is None else vm)
                assert (judged.port, judged.address) == (PORT, address + low)
            else:
                assert ctx.get(dut.data) == (value if low == 0 else 0)

    simulate(dut, bench)
    assert seen == {Fault.NO_VM, Fault.UNALIGNED, Fault.NOT_MANAGER, Fault.CLOSED, Fault.UNMAPPED, Fault.DIRECTION}


def test_header_lets_its_lane_pop():
    dut, page = ReadEngine(C), guest_page(C)
    head = {"slot": 5, "last": 2, "sender": 4, "generation": 77}
    vm, lane = 3, 1
    address = WHERE.guest(vm) + page.HEADER.at(lane)

    async def bench(ctx):
        ctx.set(dut.heads[vm], head)
        for state, filled, allowed, strobes, upper in product(State, (0, 1), (0, 1), (FULL, 0b0111, 0), (0, 1, 4)):
            ctx.set(dut.states[vm], state)
            ctx.set(dut.filled, filled << vm)
            access = bound(C, PORT, address + upper, vm, allowed=allowed, strobes=strobes)
            looks = []
            await read(ctx, dut, access, watch=lambda looks=looks: looks.append(ctx.get(dut.look)))
            works = state != State.CLOSED and allowed and strobes == FULL and not upper
            assert looks == [0, (1 << vm * C.lanes + lane) if works else 0]
            if ctx.get(dut.good):
                header = page.HEADER.pack(COUNT=3, SENDER=4, GENERATION=77)
                assert ctx.get(dut.data) == (header if works and filled else 0)
            else:
                assert not works

    simulate(dut, bench)


def test_header_and_its_lane_are_of_the_same_cycle():
    """The VM may be closed, or its head go, while the header is on its way: what counts is when the lane looked."""
    dut, page = ReadEngine(C), guest_page(C)

    async def bench(ctx):
        access = bound(C, PORT, WHERE.guest(3) + page.HEADER.at(0), 3)
        for state in (State.OPEN, State.CLOSED):
            ctx.set(dut.heads[3], {"last": 1, "sender": 2})
            drive(ctx, dut, filled=1 << 3)
            ctx.set(dut.states[3], state)

            def change(state=state):
                ctx.set(dut.states[3], State.CLOSED if state == State.OPEN else State.OPEN)
                ctx.set(dut.filled, 0)

            await read(ctx, dut, access, meanwhile=change)
            assert ctx.get(dut.good) == (state == State.OPEN)
            assert state == State.CLOSED or ctx.get(dut.data) == page.HEADER.pack(COUNT=2, SENDER=2)

    simulate(dut, bench)


def test_reads_without_any_select_are_no_access():
    dut, guest, manager = ReadEngine(C), guest_page(C), manager_page(C)

    async def bench(ctx):
        drive(ctx, dut, epoch=0x1234)
        ctx.set(dut.states[2], State.OPEN)
        places = [WHERE.guest(2) + register.offset for register in guest.registers]
        for address in [*places, WHERE.manager_base + manager.EPOCH.offset, WHERE.guest(2) + guest.size]:
            judged = await read(ctx, dut, bound(C, PORT, address, 2, strobes=0))
            assert (ctx.get(dut.good), judged.valid, ctx.get(dut.data)) == (1, 0, 0), hex(address)

    simulate(dut, bench)


@pytest.mark.parametrize("name", ["HEADER", "POP", "ALLOC"])
def test_reads_that_act_are_whole(name):
    config = C.replace(blocks=4) if name == "ALLOC" else C
    dut, page = ReadEngine(config), guest_page(config)

    async def bench(ctx):
        ctx.set(dut.states[2], State.OPEN)
        for strobes in range(1, FULL):
            address = WHERE.guest(2) + getattr(page, name).at(*[1] * len(getattr(page, name).dims))
            judged = await read(ctx, dut, bound(C, PORT, address, 2, strobes=strobes))
            assert (ctx.get(dut.good), judged.kind) == (0, Fault.PARTIAL)

    simulate(dut, bench)


def test_peer_and_credit_of_whom_one_may_not_reach_read_as_zero():
    dut, page = ReadEngine(C), guest_page(C)

    async def bench(ctx):
        drive(ctx, dut, generation=9, acknowledged=1)
        ctx.set(dut.states[0], State.OPEN)
        for target, state, may in product((1, 4), State, (0, 1)):
            ctx.set(dut.states[target], state)
            ctx.set(dut.sent[target], 15)
            ctx.set(dut.gone[target], 12)
            ctx.set(dut.stops[target], 15 - 7)
            ctx.set(dut.permitted, may)
            judged = await read(ctx, dut, bound(C, PORT, WHERE.guest(0) + page.PEER.at(target), 0))
            assert (judged.own, judged.other) == (0, target)
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
