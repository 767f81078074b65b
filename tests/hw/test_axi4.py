# amaranth: UnusedElaboratable=no
from random import Random

import pytest

from postern_hw.bus.axi4 import OUTSTANDING, SLVERR, Axi4
from postern_spec.config import Bus, Config, Identity, Port

from .support import Axi4Master, BackEnd, Burst, Pins, coin, drive, simulate


def adapter(**port):
    return Axi4(Config(ports=(Port(Bus.AXI4, **port),), vms=2, depth=2), 0)


def legal(random, bits, bus_bytes):
    """Return a random burst that the protocol allows: kind, address, length and size."""
    top = bus_bytes.bit_length() - 1
    size = random.choice((top, top, random.randint(0, top)))
    kind = random.choice((Burst.INCR, Burst.INCR, Burst.WRAP, Burst.FIXED))
    address = random.getrandbits(bits)
    if kind == Burst.WRAP:
        return address >> size << size, random.choice((2, 4, 8, 16)), size, kind
    if kind == Burst.FIXED:
        return address, random.randint(1, 16), size, kind
    if coin(random, 0.5):
        address = address >> size << size
    room = (0x1000 - (address & 0xFFF) + (1 << size) - 1) >> size  # bursts do not cross 4 KiB
    longest = 256 if coin(random, 0.03) else 8
    return address, random.randint(1, min(room, longest)), size, kind


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("pause", [0, 0.3, 0.7])
def test_under_any_back_pressure(pause, width):
    dut, random = adapter(id_bits=7, data_bits=width, refuse_cacheable=width == 64), Random(f"{pause}{width}")
    bus_bytes = width // 8
    supplied = {"w": [], "r": []}

    def supply():
        write = coin(random, 0.5)
        address, length, size, kind = legal(random, len(dut.awaddr), bus_bytes)
        others = {"prot": random.getrandbits(3), "cache": random.getrandbits(4), "lock": random.getrandbits(1)}
        burst = Burst(address, length, size, kind, random.getrandbits(7), user=random.getrandbits(4), **others)
        if write:
            burst.words = [
                (random.getrandbits(width), lanes & random.getrandbits(bus_bytes))
                for _, lanes in burst.beats(bus_bytes)
            ]
        supplied["w" if write else "r"].append(burst)
        return burst

    master, back = Axi4Master(Pins(dut), random, supply, pause), BackEnd(dut, random, pause)
    seen = set()

    async def bench(ctx):
        for _ in range(2500):
            master.before(ctx)
            back.before(ctx)
            if ctx.get(dut.awvalid) != ctx.get(dut.wvalid):
                seen.add("address first" if ctx.get(dut.awvalid) else "word first")
            master.after(ctx)
            back.after(ctx)
            await ctx.tick()

    simulate(dut, bench)

    def expected(burst):
        words = burst.words or [()] * burst.length
        for beat, ((address, lanes), word) in enumerate(zip(burst.beats(bus_bytes), words, strict=True)):
            access = {"address": address, "strobes": lanes, "tag": burst.others["user"], "continues": int(beat > 0)}
            access["secure"] = 1 - (burst.others["prot"] >> 1 & 1)
            access["cacheable"] = int(width == 64 and burst.others["cache"] > 3)
            yield access | ({"data": word[0], "strobes": word[1]} if word else {})

    for letter, came in (("w", back.writes), ("r", back.reads)):
        beats = [beat for burst in supplied[letter] for beat in expected(burst)]
        for beat in (*came, *beats):
            if beat["continues"]:
                del beat["tag"]
        assert came == beats[: len(came)]
        assert len(came) > (200 if pause else 900)
    # One answer per burst of writes, one per beat of reads, in order.
    lasts = [beat for burst in supplied["r"] for beat in [*[(burst.id, 0)] * (burst.length - 1), (burst.id, 1)]]
    assert [answer for answer in master.answers if len(answer) == 4] == [
        (id, data, SLVERR * error, last) for (data, error), (id, last) in zip(back.told, lasts, strict=False)
    ]
    written = [answer for answer in master.answers if len(answer) == 2]
    assert written == [(burst.id, 0) for burst in supplied["w"]][: len(written)]
    answered, beats = len(back.writes) - back.owed, 0
    for burst in supplied["w"]:
        beats += burst.length
        if beats > answered:
            break
        written = written[1:]
    assert not written  # as many as bursts that are done, which the bus has taken since
    assert {burst.kind for burst in supplied["w"]} == {0, 1, 2}
    assert pause == 0 or {"address first", "word first"} <= seen


@pytest.mark.parametrize("lengths", [(1,), (4,), (16,), (1, 2, 3)])
def test_a_beat_per_cycle_in_both_directions(lengths):
    """Bursts back to back, without a cycle between them."""
    dut, random = adapter(identity=Identity.PAGE), Random(1)
    count = 0

    def supply():
        nonlocal count
        count += 1
        length = lengths[count // 2 % len(lengths)]
        return Burst(0x100, length, words=[(beat, 15) for beat in range(length)] if count % 2 else None, id=count & 15)

    master, back = Axi4Master(Pins(dut), random, supply, 0), BackEnd(dut, random, 0)

    async def bench(ctx):
        for cycle in range(100):
            master.before(ctx)
            back.before(ctx)
            for stream in (dut.write, dut.read):
                assert ctx.get(stream.valid), cycle
                assert ctx.get(stream.ready)
            if cycle > 1:
                assert ctx.get(dut.rvalid)
            master.after(ctx)
            back.after(ctx)
            await ctx.tick()

    simulate(dut, bench)
    assert len(back.writes) == len(back.reads) == 100


@pytest.mark.parametrize("width", [32, 64])
def test_what_the_protocol_forbids_does_no_harm(width):
    """Sizes beyond the bus, odd wraps, reserved kinds, bursts beyond 4 KiB: as many beats as asked, in the 4 KiB."""
    dut, random = adapter(identity=Identity.PAGE, data_bits=width), Random(width)
    bursts = {"w": [], "r": []}

    def supply():
        write = coin(random, 0.5)
        burst = Burst(
            random.getrandbits(len(dut.awaddr)), random.randint(1, 40), random.getrandbits(3), random.getrandbits(2)
        )
        if write:
            burst.words = [(random.getrandbits(width), random.getrandbits(width // 8)) for _ in range(burst.length)]
        bursts["w" if write else "r"].append(burst)
        return burst

    master, back = Axi4Master(Pins(dut), random, supply, 0.1), BackEnd(dut, random, 0.1)

    async def bench(ctx):
        for _ in range(1500):
            master.before(ctx)
            back.before(ctx)
            master.after(ctx)
            back.after(ctx)
            await ctx.tick()

    simulate(dut, bench)
    for letter, came in (("w", back.writes), ("r", back.reads)):
        assert len(came) > 500
        for burst in bursts[letter]:
            beats, came = came[: burst.length], came[burst.length :]
            assert [beat["continues"] for beat in beats] == [0, *[1] * (burst.length - 1)][: len(beats)]
            assert {beat["address"] >> 12 for beat in beats} <= {burst.address >> 12}
    ends = [answer[3] for answer in master.answers if len(answer) == 4]
    assert ends == [int(beat == burst.length - 1) for burst in bursts["r"] for beat in range(burst.length)][: len(ends)]


def test_reset_in_the_middle_of_bursts():
    """After a port reset nothing is left of what was under way, whatever it was."""
    dut, random = adapter(identity=Identity.PAGE), Random(2)

    def supply():
        length = random.randint(1, 5)
        words = [(random.getrandbits(32), 15)] * length if coin(random, 0.5) else None
        return Burst(random.getrandbits(8) << 2, length, words=words, id=random.getrandbits(4))

    master, back = Axi4Master(Pins(dut), random, supply, 0.3), BackEnd(dut, random, 0.5)
    started, resets = {"writes": 0, "reads": 0}, 0

    async def bench(ctx):
        nonlocal resets
        for _ in range(3000):
            reset = coin(random, 0.02)
            ctx.set(dut.rst, reset)
            if reset:  # as the port and its manager do
                resets += 1
                master.reset()
                back.reset()
                master.pins.set(ctx, awvalid=0, wvalid=0, arvalid=0)
                drive(ctx, dut.written, valid=0)
                drive(ctx, dut.answer, valid=0)
                for name, beats in (("writes", back.writes), ("reads", back.reads)):
                    started[name] = len(beats)
                await ctx.tick()
                continue
            master.before(ctx)
            back.before(ctx)
            if ctx.get(dut.bvalid):
                assert back.owed
            before = {name: len(getattr(back, name)) for name in started}
            master.after(ctx)
            back.after(ctx)
            for name in started:  # the first access after a reset begins a burst
                beats = getattr(back, name)
                if before[name] == started[name] < len(beats):
                    assert not beats[before[name]]["continues"]
            await ctx.tick()

    simulate(dut, bench)
    assert resets > 30
    assert min(len(back.writes), len(back.reads)) > 300


def test_no_more_beats_than_it_remembers():
    dut = adapter(identity=Identity.PAGE)

    async def bench(ctx):
        drive(ctx, dut, awvalid=1, wvalid=1, awlen=255, arvalid=1, arlen=255)
        drive(ctx, dut.write, ready=1)
        drive(ctx, dut.read, ready=1)
        for cycle in range(OUTSTANDING + 3):
            assert ctx.get(dut.write.valid) == ctx.get(dut.read.valid) == (cycle < OUTSTANDING)
            assert ctx.get(dut.wready) == (cycle < OUTSTANDING)
            await ctx.tick()
        drive(ctx, dut.written, valid=1)  # not the last of its burst: taken without a response
        assert ctx.get(dut.written.ready)
        assert not ctx.get(dut.bvalid)
        await ctx.tick()
        assert ctx.get(dut.write.valid)
        assert not ctx.get(dut.read.valid)

    simulate(dut, bench)
