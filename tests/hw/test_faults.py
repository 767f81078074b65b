# amaranth: UnusedElaboratable=no
from collections import deque
from random import Random

import pytest

from postern_hw.faults import Faults, Refusals
from postern_spec.config import Config, Identity, Port
from postern_spec.regmap import Fault

from .support import Design, bits, coin, drive, simulate

NOTHING = {"kind": 0, "port": 0, "address": 0, "count": 0}


def configuration(vms, blocks=0):
    return Config(ports=(Port(identity=Identity.PAGE),) * 3, vms=vms, depth=2, page_stride=65536, blocks=blocks)


def look(ctx, dut, record):
    """Return both records of ``record``: for writes, for reads."""
    ctx.set(dut.look_record, record)
    found = [ctx.get(side) for side in (dut.look_write, dut.look_read)]
    return [{key: item[key] for key in NOTHING} for item in found]


def log(records, fault):
    """Enter ``fault`` into ``records``, by number."""
    first = records.setdefault(fault["record"], {**{key: fault[key] for key in NOTHING if key in fault}, "count": 0})
    first["count"] = min(first["count"] + 1, 0xFFFF)


@pytest.mark.parametrize("vms", [2, 5, 40])
def test_first_fault_stays_and_all_are_counted(vms):
    dut, random = Faults(configuration(vms)), Random(vms)
    together = 0

    async def bench(ctx):
        nonlocal together
        logs, enable = ({}, {}), 0  # of writes and of reads, by record
        came = [{"valid": 0}, {"valid": 0}]
        for _ in range(1000):
            faults, came = came, []  # a fault is logged a cycle after it came
            for side in (dut.write, dut.read):
                fault = {
                    "valid": coin(random, 0.4),
                    "record": random.choice((0, vms - 1, vms, random.randrange(vms))),
                    "kind": random.choice(list(Fault)[1:]),
                    "port": random.randrange(3),
                    "address": random.getrandbits(12),
                }
                drive(ctx, side, **fault)
                came.append(fault)
            does = random.choices(("clear", "set_stray", "set_enable", ""), (2, 1, 1, 8))[0]
            half, word = random.randrange(1 + (vms > 32)), random.getrandbits(32)
            drive(ctx, dut, half=half, data=word)
            drive(ctx, dut, **{name: name == does for name in ("clear", "set_stray", "set_enable")})

            record = random.randrange(vms + 1)
            assert look(ctx, dut, record) == [records.get(record, NOTHING) for records in logs]
            pending = bits(logs[0].keys() | logs[1].keys())
            assert ctx.get(dut.pending) == pending
            assert ctx.get(dut.enable) == enable
            assert ctx.get(dut.interrupt) == (pending & enable != 0)
            await ctx.tick()

            cleared = {
                "clear": word << 32 * half & (1 << vms) - 1,
                "set_stray": (word & 1) << vms,
            }.get(does, 0)
            for records, fault in zip(logs, faults, strict=True):
                together += bool(fault["valid"] and cleared >> fault["record"] & 1 and fault["record"] in records)
                for gone in [record for record in records if cleared >> record & 1]:
                    del records[gone]
                if fault["valid"]:
                    log(records, fault)
            if does == "set_stray":
                enable = enable & ~(1 << vms) | (word >> 8 & 1) << vms
            elif does == "set_enable":
                for vm in range(32 * half, min(vms, 32 * half + 32)):
                    enable = enable & ~(1 << vm) | (word >> vm % 32 & 1) << vm

    simulate(dut, bench)
    assert together > 5  # a fault of a record in the cycle in which it was cleared


def test_count_stops_at_its_end():
    dut = Faults(configuration(2))
    design = Design(dut)

    async def bench(ctx):
        drive(ctx, dut.read, valid=1, record=1, kind=Fault.CLOSED)
        await ctx.tick()
        await ctx.tick()
        assert look(ctx, dut, 1)[1]["count"] == 1
        ctx.set(design.memory("read_count")[1], 0xFFFD)  # to get there would take too long
        for count in (0xFFFE, 0xFFFF, 0xFFFF, 0xFFFF):
            await ctx.tick()
            assert look(ctx, dut, 1) == [NOTHING, NOTHING | {"kind": Fault.CLOSED, "count": count}]

    simulate(design.fragment, bench)


@pytest.mark.parametrize("vms", [2, 5])
def test_refused_accesses_of_the_sram_take_turns_beside_the_engines(vms):
    dut, random = Faults(configuration(vms, blocks=4)), Random(vms)
    shared = []

    def refusal():
        return {
            "record": random.randrange(vms + 1),
            "kind": random.choice((Fault.BLOCK, Fault.NO_VM, Fault.UNMAPPED)),
            "address": random.getrandbits(12),
        }

    async def bench(ctx):
        logs = {}, {}  # of writes and of reads, by record
        came = [[], []]
        waiting = [[deque() for _ in range(3)] for _ in range(2)]
        waits = [[0] * 3 for _ in range(2)]
        for _ in range(1500):
            faults, came = came, [[], []]  # a fault is logged a cycle after it came
            cleared = random.getrandbits(vms) if coin(random, 0.05) else 0
            drive(ctx, dut, clear=cleared > 0, data=cleared)
            for way, (engine, streams) in enumerate(((dut.write, dut.w_refusals), (dut.read, dut.r_refusals))):
                fault = refusal() | {"valid": coin(random, 0.4), "port": random.randrange(3)}
                drive(ctx, engine, **fault)
                if fault["valid"]:
                    came[way].append(fault)
                for port, stream in enumerate(streams):
                    queue = waiting[way][port]
                    if coin(random, 0.3):
                        queue.append(refusal())
                    ctx.set(stream.valid, bool(queue))
                    if queue:
                        ctx.set(stream.payload, queue[0])
                taken = [port for port, stream in enumerate(streams) if waiting[way][port] and ctx.get(stream.ready)]
                assert len(taken) == any(waiting[way])  # one of those that wait, whatever the engine does
                for port in range(3):
                    waits[way][port] = 0 if port in taken or not waiting[way][port] else waits[way][port] + 1
                    assert waits[way][port] <= 2  # one of each other port
                for port in taken:
                    came[way].append(waiting[way][port].popleft() | {"port": port})
            record = random.randrange(vms + 1)
            assert look(ctx, dut, record) == [records.get(record, NOTHING) for records in logs]
            assert ctx.get(dut.pending) == bits(logs[0].keys() | logs[1].keys())
            await ctx.tick()
            for records, those in zip(logs, faults, strict=True):
                for gone in [record for record in records if cleared >> record & 1]:
                    del records[gone]
                for fault in those:  # that of the engine first
                    shared.append(fault["record"] in records)
                    log(records, fault)

    simulate(dut, bench)
    assert sum(shared) > 200


def test_refusals_come_out_in_order_and_there_is_always_room_for_those_on_their_way():
    dut, random = Refusals(configuration(3, blocks=4)), Random(1)
    stalls = 0

    async def bench(ctx):
        nonlocal stalls
        queue, flight = deque(), deque([None, None])
        for cycle in range(1500):
            eager = cycle // 300 % 2  # as many accesses as may be, all refused, and a log that has little time
            room = ctx.get(dut.room)
            stalls += not room
            fault = {"record": random.randrange(4), "kind": Fault.BLOCK, "address": random.getrandbits(12)}
            flight.append(fault if room and coin(random, 1 if eager else 0.5) else None)
            pushed = flight.popleft()
            ctx.set(dut.push, pushed is not None)
            ctx.set(dut.i, pushed or fault)
            ready = coin(random, 0.2 if eager else 0.6)
            ctx.set(dut.o.ready, ready)
            assert ctx.get(dut.o.valid) == bool(queue)
            if queue:
                seen = ctx.get(dut.o.payload)
                assert {key: seen[key] for key in fault} == queue[0]
                if ready:
                    queue.popleft()
            await ctx.tick()
            if pushed:
                queue.append(pushed)
            assert len(queue) <= dut.DEPTH

    simulate(dut, bench)
    assert stalls > 100
