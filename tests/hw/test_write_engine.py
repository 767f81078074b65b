# amaranth: UnusedElaboratable=no
from itertools import product
from random import Random

import pytest

from postern_hw.write_engine import WriteEngine
from postern_spec.config import Bus, Config, Identity, Port
from postern_spec.regmap import (
    LOCKED,
    Arbitration,
    Fault,
    Lock,
    Result,
    State,
    address_map,
    guest_page,
    locks,
    manager_page,
)

from .support import FULL, bits, bound, drive, fill, simulate

C = Config(
    ports=(Port(identity=Identity.PAGE), Port(identity=Identity.PAGE)), vms=5, lanes=2, words=4, depth=8,
)  # fmt: skip
PORT = 1
WHERE = address_map(C, PORT)


async def write(ctx, dut, access, *, data=0, **marks):
    """Hand a write to the engine; return at the cycle in which it acts."""
    request = dut.requests[PORT]
    marks = {"data": data, "commit": 0, "torn": 0, "last": 0, "slot": 0, "direct": 0} | marks
    ctx.set(request.payload, access | marks)
    ctx.set(request.valid, 1)
    for _ in range(4):
        if ctx.get(request.ready):
            break
        await ctx.tick()
    else:
        pytest.fail("nobody else asks, and it is not granted")
    await ctx.tick()
    ctx.set(request.valid, 0)
    for _ in range(0 if marks["commit"] else 2):  # only commits act at once
        assert not ctx.get(dut.acted)
        await ctx.tick()
    assert ctx.get(dut.acted) == 1 << PORT


def fault(ctx, dut):
    return Fault(ctx.get(dut.fault.kind) if ctx.get(dut.fault.valid) else 0)


def pair(ctx, dut, source, target, may=0, acknowledged=0):
    """Tell the engine what it asks about these two: their states, permission and acknowledgement."""
    sends = source in (State.OPEN, State.PAUSED)
    drive(ctx, dut, source_open=source != State.CLOSED, source_draining=source == State.DRAINING)
    drive(ctx, dut, target_alive=target in (State.OPEN, State.PAUSED), target_open=target == State.OPEN)
    drive(ctx, dut, permitted=may, acknowledged=acknowledged, connected=bool(sends and may and acknowledged))


def outcome(torn, may, draining, target, acknowledged, spent):
    """Return what ``docs/states.md`` section 3 says of a commit by a lane that accepts."""
    if torn:
        return Result.TORN
    if draining or not may:
        return Result.DENIED
    if target not in (State.OPEN, State.PAUSED) or not acknowledged:
        return Result.PEER_GONE
    if target == State.PAUSED or spent:
        return Result.NO_CREDIT
    return Result.ACCEPTED


def test_every_commit_is_judged_in_order():
    dut, page = WriteEngine(C), guest_page(C)
    vm, lane, target = 3, 1, 2

    async def bench(ctx):
        async def commit(torn, slot):
            access = bound(C, PORT, WHERE.guest(vm) + page.COMMIT.at(lane, 0, 1, target), vm)
            await write(ctx, dut, access, commit=1, torn=torn, last=2, slot=slot, data=77)

        async def result():
            await ctx.tick()
            await ctx.tick()  # it follows a cycle later where there is a request register
            found = ctx.get(dut.look_result)
            return found.code, found.vm, found.count

        await fill(ctx, dut, 32)
        drive(ctx, dut, look_vm=vm, look_lane=lane, source_generation=9)
        ctx.set(dut.free_slots[target], 55)
        cases = product((0, 1), (0, 1), (State.OPEN, State.PAUSED, State.DRAINING), State, (0, 1), (0, 1))
        for torn, may, source, state, acknowledged, spent in cases:
            pair(ctx, dut, source, state, may, acknowledged)
            ctx.set(dut.spent, spent << target)
            await write(ctx, dut, bound(C, PORT, WHERE.guest(vm) + page.ACK.at(lane), vm))
            assert await result() == (Result.ACCEPTED, 0, 0)
            assert ctx.get(dut.refusing) == 0
            expected = outcome(torn, may, source == State.DRAINING, state, acknowledged, spent)
            accepted = expected is Result.ACCEPTED
            refused = (expected, 0 if accepted else target, int(accepted))
            for _ in range(1 + (not accepted)):  # a second one changes nothing after a refusal
                await commit(torn, 44)
                assert ctx.get(dut.push) == accepted << target
                if accepted:
                    message = ctx.get(dut.message)
                    assert (message.slot, message.last, message.sender, message.generation) == (44, 2, vm, 9)
                assert ctx.get(dut.slot_back) == (not torn) << PORT
                assert ctx.get(dut.word.request) == 1 or torn
                assert (ctx.get(dut.word.slot), ctx.get(dut.word.word), ctx.get(dut.word.data)) == (44, 2, 77)
                denied = expected is Result.DENIED and ctx.get(dut.refusing) == 0
                assert fault(ctx, dut) == (Fault.DENIED if denied else Fault.NONE)
                await ctx.tick()
                assert torn or ctx.get(dut.back) == (55 if accepted else 44)
                assert await result() == refused
                assert ctx.get(dut.refusing) == (not accepted) << vm

    simulate(dut, bench)


def test_count_of_accepted_commits_wraps():
    dut, page = WriteEngine(C), guest_page(C)

    async def bench(ctx):
        await fill(ctx, dut, 32)
        pair(ctx, dut, State.OPEN, State.OPEN, 1, 1)
        access = bound(C, PORT, WHERE.guest(0) + page.COMMIT.at(0, 0, 0, 1), 0)
        for count in range(1, 260):
            await write(ctx, dut, access, commit=1)
            await ctx.tick()
            await ctx.tick()  # as above
            assert ctx.get(dut.look_result).count == count % 256

    simulate(dut, bench)


def test_first_check_that_fails_refuses():
    refusing = Port(bus=Bus.AXI4, identity=Identity.PAGE, refuse_cacheable=True)
    dut, guest, manager = WriteEngine(C.replace(ports=(refusing,) * 2)), guest_page(C), manager_page(C)
    vm = 1
    places = [  # address, what is there, the strobe that it raises
        (WHERE.guest(vm) + guest.IRQ_TEST.offset, Fault.NONE, "irq_test"),
        (WHERE.guest(vm) + guest.MAGIC.offset, Fault.DIRECTION, None),
        (WHERE.guest(vm) + guest.HEADER.at(1), Fault.DIRECTION, None),
        (WHERE.guest(vm) + guest.size, Fault.UNMAPPED, None),
        (WHERE.manager_base + manager.WAIT_ARM.at(0), Fault.NONE, "wait_arm"),
        (WHERE.manager_base + manager.DRAIN.offset, Fault.DIRECTION, None),
        (WHERE.manager_base + manager.size, Fault.UNMAPPED, None),
    ]
    seen = set()

    async def bench(ctx):
        await fill(ctx, dut, 32)
        for (address, there, strobe), low, (allowed, cacheable), state, strobes in product(
            places,
            (0, 1, 2, 4, 5),
            ((0, 0), (0, 1), (1, 0)),
            (State.CLOSED, State.OPEN, State.DRAINING),
            (FULL, 0b0111),
        ):
            pair(ctx, dut, state, State.CLOSED)
            to_manager = address >= WHERE.manager_base
            known = vm if allowed or to_manager else None
            access = bound(C, PORT, address + low, known, allowed=allowed, strobes=strobes) | {"cacheable": cacheable}
            await write(ctx, dut, access, data=1)
            checks = [  # as in ``docs/states.md`` section 1
                (cacheable, Fault.CACHEABLE),
                (not allowed, Fault.NOT_MANAGER if to_manager else Fault.NO_VM),
                (low % 4, Fault.UNALIGNED),
                (not to_manager and state == State.CLOSED, Fault.CLOSED),
                (low == 0 and there, there),
                (low == 0 and strobes != FULL, Fault.PARTIAL),
            ]
            expected = next((kind for fails, kind in checks if fails), Fault.NONE)
            assert fault(ctx, dut) == expected, (hex(address), low, allowed, state, strobes)
            if expected:
                seen.add(expected)
                record = C.vms if known is None else vm
                assert (ctx.get(dut.fault.record), ctx.get(dut.fault.port)) == (record, PORT)
                assert ctx.get(dut.fault.address) == address + low
            for name in ("irq_test", "wait_arm"):
                assert ctx.get(getattr(dut.do, name)) == (not expected and low == 0 and name == strobe)

    simulate(dut, bench)
    late = {Fault.DENIED, Fault.BAD_VALUE, Fault.BLOCK}
    assert seen == set(Fault) - {Fault.NONE} - late


def test_limits_hold_what_waits_and_fit_the_queue():
    dut, page, random = WriteEngine(C), manager_page(C), Random(1)
    granted = refused = 0

    async def bench(ctx):
        nonlocal granted, refused
        await fill(ctx, dut, 32)
        limit = {(receiver, sender): 0 for receiver in range(C.vms) for sender in range(C.vms)}
        for _ in range(300):
            receiver, sender = random.randrange(C.vms), random.randrange(2)
            used, value = random.randint(0, limit[receiver, sender]), random.choice((*range(10), 16, 1 << 9, 1 << 15))
            base = random.randrange(16)
            for vm in range(C.vms):  # the queues answer for the sender that is asked about
                ctx.set(dut.sent[vm], base + used)
                ctx.set(dut.stops[vm], (base + used - limit[vm, sender]) % 16)
            ctx.set(dut.gone[receiver], base)
            address = WHERE.manager_base + page.CREDITS.at(receiver, sender)
            await write(ctx, dut, bound(C, PORT, address, 0), data=value)
            others = sum(limit[receiver, vm] for vm in range(C.vms) if vm != sender)
            fits = used <= value and others + value <= C.depth
            assert ctx.get(dut.grant) == fits << receiver
            if fits:
                assert ctx.get(dut.new_sent) == (base + used) % 16
                assert ctx.get(dut.new_stop) == (base + used - value) % 16
            assert fault(ctx, dut) == (Fault.NONE if fits else Fault.BAD_VALUE)
            await ctx.tick()
            if fits:
                limit[receiver, sender] = value
            granted, refused = granted + fits, refused + (not fits)

    simulate(dut, bench)
    assert min(granted, refused) > 50


@pytest.mark.parametrize("draining", [False, True])
def test_doorbells_and_greetings_need_permission(draining):
    dut, page = WriteEngine(C), guest_page(C)
    vm = 4

    async def bench(ctx):
        await fill(ctx, dut, 32)
        sender = State.DRAINING if draining else State.OPEN
        ctx.set(dut.target_generation, 7)
        for word, may, state, acknowledged in product((0, 4, 5, 63, 64, 1 << 31), (0, 1), State, (0, 1)):
            pair(ctx, dut, sender, state, may, acknowledged)
            await write(ctx, dut, bound(C, PORT, WHERE.guest(vm) + page.RING.offset, vm), data=word)
            may_ring = may and not draining and word < C.vms
            assert fault(ctx, dut) == (Fault.NONE if may_ring else Fault.DENIED)
            alive = state in (State.OPEN, State.PAUSED)
            assert ctx.get(dut.do.ring) == bool(may_ring and alive and acknowledged)
        for word, may in product((0, 6, 7, 7 | 1 << 8), (0, 1)):
            pair(ctx, dut, sender, State.CLOSED, may)
            await write(ctx, dut, bound(C, PORT, WHERE.guest(vm) + page.PEER.at(2), vm), data=word)
            assert (ctx.get(dut.source), ctx.get(dut.target)) == (vm, 2)
            assert ctx.get(dut.do.peer) == (may and word == 7)
            assert fault(ctx, dut) == (Fault.NONE if may else Fault.DENIED)

    simulate(dut, bench)


def test_the_arbitration_is_chosen_until_it_is_locked():
    c = C.replace(strict=True, blocks=0)
    dut, page = WriteEngine(c), manager_page(c)
    base, register = address_map(c, PORT).manager_base, page.ARBITRATION

    async def bench(ctx):
        await fill(ctx, dut, 32)
        assert ctx.get(dut.strict)  # after reset
        for mode in (Arbitration.ROUND_ROBIN, Arbitration.STRICT):
            await write(ctx, dut, bound(c, PORT, base + register.at(), 0), data=mode)
            assert fault(ctx, dut) == Fault.NONE
            await ctx.tick()
            assert ctx.get(dut.strict) == (mode is Arbitration.STRICT)
        await write(ctx, dut, bound(c, PORT, base + page.LOCK.offset, 0), data=1 << Lock.ARBITRATION)
        await write(ctx, dut, bound(c, PORT, base + register.at(), 0), data=Arbitration.ROUND_ROBIN)
        assert fault(ctx, dut) == Fault.BAD_VALUE
        await ctx.tick()
        assert ctx.get(dut.strict)

    simulate(dut, bench)


def test_locks_refuse_writes_until_reset():
    c = C.replace(ports=(Port(), Port(identity=Identity.PAGE)), blocks=4)
    dut, page = WriteEngine(c), manager_page(c)
    base = address_map(c, PORT).manager_base
    strobes = {"TAG_MATCH": "tag_match", "TAG_MASK": "tag_mask", "TAG_VM": "tag_vm", "PERMIT": "permit",
               "QUOTA": "quota", "RESIDENT": "resident", "CREDITS": None}  # fmt: skip

    async def bench(ctx):
        await fill(ctx, dut, 32)
        ctx.set(dut.limit_fits, 1)
        order = list(locks(c))
        Random(2).shuffle(order)
        assert order != list(locks(c))
        held = 0
        for lock in [None, *order]:
            if lock is not None:
                held |= 1 << lock
                await write(ctx, dut, bound(c, PORT, base + page.LOCK.offset, 0), data=1 << lock)
                await ctx.tick()
            assert ctx.get(dut.locked) == held
            for name, strobe in strobes.items():
                register = getattr(page, name)
                where = [0] * len(register.dims)
                await write(ctx, dut, bound(c, PORT, base + register.at(*where), 0), data=0)
                locked = any(name in LOCKED[item] for item in locks(c) if held >> item & 1)
                acts = ctx.get(getattr(dut.do, strobe)) if strobe else ctx.get(dut.grant)
                assert acts == (not locked), name
                assert fault(ctx, dut) == (Fault.BAD_VALUE if locked else Fault.NONE)
        await write(ctx, dut, bound(c, PORT, base + page.LOCK.offset, 0), data=0)
        await ctx.tick()
        assert ctx.get(dut.locked) == held == bits(locks(c))

    simulate(dut, bench)
