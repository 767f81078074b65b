# amaranth: UnusedElaboratable=no
from random import Random

import pytest

from postern_hw.native import Sizes
from postern_hw.pool import Pool
from postern_spec.config import Config, Identity, Port

from .support import coin, drive, simulate


def configuration(ports, words, register=True):
    pages = (Port(identity=Identity.PAGE),) * ports
    return Config(ports=pages, vms=2, lanes=1, words=words, depth=2, request_register=register)


SETTLED = 4
"""Cycles after its grant in which a word is surely written."""

SHAPES = [(1, 4), (2, 1), (2, 4), (3, 8), (4, 5), (4, 16)]  # ports and words: 1, 1, 2, 4, 4 and 4 banks


def test_shapes_cover_one_and_many_banks():
    assert {Sizes(configuration(*shape)).banks for shape in SHAPES} == {1, 2, 4}


@pytest.mark.parametrize("register", [False, True])
@pytest.mark.parametrize(("ports", "words"), SHAPES)
def test_every_word_comes_back(ports, words, register):
    config = configuration(ports, words, register)
    dut, sizes, random = Pool(config), Sizes(config), Random(ports * words)
    places = [(slot, word) for slot in range(sizes.slots) for word in range(words)]
    stored = {}  # the word, and the cycle in which it was granted
    compared = contended = crowds = 0

    async def bench(ctx):
        nonlocal compared, contended, crowds
        writes, reads = [None] * ports, [None] * ports  # what each port asks for
        read = [0] * ports  # what was granted one cycle ago
        due = [[0] * ports] * (1 + sizes.read_delay)  # what comes now and in the cycles after
        crowded = False
        for cycle in range(300):
            # A place is left alone while a word may be on its way to it: its slot is a lane's then, or a queue's.
            busy = {place for place, (_, granted) in stored.items() if cycle - granted < SETTLED}
            busy |= {asked["place"] for asked in (*writes, *reads) if asked}

            def ask(odds, among, busy=busy):
                place = random.choice(among)
                if not coin(random, odds) or place in busy:
                    return None
                busy.add(place)
                return {"place": place, "data": random.getrandbits(32), "enable": coin(random, 0.8)}

            def put(side, asked):
                slot, word = asked["place"] if asked else random.choice(places)
                bank = 1 << word % sizes.banks
                drive(ctx, side, request=bank * (asked is not None), slot=slot, word=word)
                if hasattr(side, "enable"):
                    drive(ctx, side, data=asked["data"] if asked else 0, enable=asked["enable"] if asked else 0)

            commit = None if crowded else ask(0.4, places)  # whoever grants commits leaves a cycle out then
            put(dut.commit, commit)
            for port in range(ports):
                writes[port] = writes[port] or ask(0.7, places)
                reads[port] = reads[port] or (ask(0.7, list(stored)) if stored else None)
                put(dut.w[port], writes[port])
                put(dut.r[port], reads[port])
                keep = coin(random, 0.7)
                ctx.set(dut.r[port].keep, keep)
                read[port] *= keep

            for port in range(ports):
                assert ctx.get(dut.r[port].data) == due[0][port]  # zero where nothing was granted, or kept
            due, read = [*due[1:], read], [0] * ports
            crowded = ctx.get(dut.crowded)
            crowds += crowded
            if commit:
                assert ctx.get(dut.commit.grant)
                if commit["enable"]:
                    stored[commit["place"]] = commit["data"], cycle
            for wanted, sides in ((writes, dut.w), (reads, dut.r)):
                banks = {}
                for port, asked in enumerate(wanted):
                    granted = ctx.get(sides[port].grant)
                    if asked is None:
                        assert not granted
                        continue
                    bank = asked["place"][1] % sizes.banks
                    banks.setdefault(bank, []).append(granted)
                    if granted and wanted is reads:
                        read[port] = stored[asked["place"]][0]
                        compared += 1
                    elif granted and asked["enable"]:
                        stored[asked["place"]] = asked["data"], cycle
                    if granted:
                        wanted[port] = None
                for bank, grants in banks.items():
                    contended += len(grants) > 1
                    # One in each bank and cycle, if any asks; a staged word may have to wait for a commit.
                    waits = wanted is writes and commit and commit["place"][1] % sizes.banks == bank
                    assert sum(grants) == 1 or (waits and not any(grants))
            await ctx.tick()

    simulate(dut, bench)
    assert compared > 80
    assert crowds > 5
    assert contended or ports == 1


@pytest.mark.parametrize("sides", ["w", "r"])
def test_streams_settle_on_different_banks(sides):
    config = configuration(4, 16)
    dut = Pool(config)

    async def bench(ctx):
        streams = getattr(dut, sides)
        words = [0] * 4  # all start at the same bank
        granted = 0
        for cycle in range(200):
            for port, stream in enumerate(streams):
                drive(ctx, stream, request=1 << words[port] % 4, slot=port, word=words[port] % 16)
            for port, stream in enumerate(streams):
                if ctx.get(stream.grant):
                    words[port] += 1
                    granted += cycle >= 10
            await ctx.tick()
        assert granted == 4 * 190

    simulate(dut, bench)


@pytest.mark.parametrize("commits", [False, True])
def test_ports_share_a_bank_whatever_commits_do(commits):
    dut = Pool(configuration(4, 16))

    async def bench(ctx):
        granted = {"w": [0] * 4, "r": [0] * 4}
        crowded = 0
        for _ in range(80):
            drive(ctx, dut.commit, request=(commits and not crowded) << 2, word=2)
            for name, count in granted.items():
                side = getattr(dut, name)
                for port in range(4):
                    drive(ctx, side[port], request=1 << 2, slot=port, word=2)
                for port in range(4):
                    count[port] += ctx.get(side[port].grant)
            crowded = ctx.get(dut.crowded)
            await ctx.tick()
        assert granted["r"] == [20] * 4
        assert max(granted["w"]) - min(granted["w"]) <= 1
        assert sum(granted["w"]) >= (80 // 3 if commits else 80)

    simulate(dut, bench)
