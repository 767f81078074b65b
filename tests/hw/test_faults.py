# amaranth: UnusedElaboratable=no
from random import Random

import pytest

from postern_hw.faults import Faults
from postern_spec.config import Config, Identity, Port
from postern_spec.regmap import Fault

from .support import Design, bits, coin, drive, simulate

NOTHING = {"kind": 0, "port": 0, "address": 0, "count": 0}


def configuration(vms):
    return Config(ports=(Port(identity=Identity.PAGE),) * 3, vms=vms, depth=2, page_stride=65536)


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
