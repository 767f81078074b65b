# amaranth: UnusedElaboratable=no
from random import Random

import pytest

from postern_hw.native import Sizes
from postern_hw.pool import Pool
from postern_spec.config import Config, Identity, Port

from .support import coin, drive, simulate


def configuration(ports, words):
    return Config(ports=(Port(identity=Identity.PAGE),) * ports, vms=2, lanes=1, words=words, depth=2)


SHAPES = [(1, 4), (2, 1), (2, 4), (3, 8), (4, 5), (4, 16)]  # ports and words: 1, 1, 2, 4, 4 and 4 banks


def test_shapes_cover_one_and_many_banks():
    assert {Sizes(configuration(*shape)).banks for shape in SHAPES} == {1, 2, 4}


@pytest.mark.parametrize(("ports", "words"), SHAPES)
def test_every_word_comes_back(ports, words):
    config = configuration(ports, words)
    dut, sizes, random = Pool(config), Sizes(config), Random(ports * words)
    places = [(slot, word) for slot in range(sizes.slots) for word in range(words)]
    stored = {}
    compared = contended = pushed = 0

    async def bench(ctx):
        nonlocal compared, contended, pushed
        writes, reads = [None] * ports, [None] * ports  # what each port asks for: place, and word
        enabled = [0] * ports
        due = [0] * ports
        crowded = False
        for _ in range(300):
            assert ctx.get(dut.crowded) == crowded
            commit = None
            if not crowded and coin(random, 0.4):  # whoever grants commits leaves a cycle out where it is crowded
                place = random.choice(places)
                if place not in reads:
                    commit = (place, random.getrandbits(32))
            (slot, word), data = commit or (places[0], 0)
            enable = commit is not None and coin(random, 0.8)  # what asks without it is served, but writes nothing
            drive(ctx, dut.commit, request=commit is not None, enable=enable, slot=slot, word=word, data=data)
            for port in range(ports):
                # A slot is never read while it is written, see ``Pool``.
                if writes[port] is None and coin(random, 0.7):
                    place = random.choice(places)
                    if place not in reads:
                        writes[port] = (place, random.getrandbits(32))
                        enabled[port] = coin(random, 0.8)
                if reads[port] is None and stored and coin(random, 0.7):
                    place = random.choice(list(stored))
                    if place not in [write[0] for write in (*writes, commit) if write]:
                        reads[port] = place
                (slot, word), data = writes[port] or (random.choice(places), 0)
                drive(ctx, dut.w[port], request=writes[port] is not None, slot=slot, word=word, data=data)
                ctx.set(dut.w[port].enable, enabled[port])
                slot, word = reads[port] or random.choice(places)
                drive(ctx, dut.r[port], request=reads[port] is not None, slot=slot, word=word)
            for port in range(ports):
                assert ctx.get(dut.r[port].data) == due[port]  # zero where nothing was granted
            due = [0] * ports
            crowded = False
            if commit:
                assert ctx.get(dut.commit.grant)
                stored.update({commit[0]: commit[1]} if enable else {})
            for wanted, sides in ((writes, dut.w), (reads, dut.r)):
                banks = {}
                for port in range(ports):
                    granted = ctx.get(sides[port].grant)
                    if wanted[port] is None:
                        assert not granted
                        continue
                    place = wanted[port][0] if wanted is writes else wanted[port]
                    banks.setdefault(place[1] % sizes.banks, []).append((port, place, granted))
                for bank, asked in banks.items():
                    first = wanted is writes and commit is not None and commit[0][1] % sizes.banks == bank
                    crowded |= first
                    # One in each bank and cycle, if any asks; a commit goes first.
                    assert sum(granted for _, _, granted in asked) == (not first)
                    contended += len(asked) > 1
                    for port, place, granted in asked:
                        if granted and wanted is writes:
                            stored.update({place: writes[port][1]} if enabled[port] else {})
                        elif granted:
                            due[port] = stored[place]
                            compared += 1
                        if granted:
                            wanted[port] = None
            pushed += crowded
            await ctx.tick()

    simulate(dut, bench)
    assert compared > 80
    assert pushed > 5
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
                drive(ctx, stream, request=1, slot=port, word=words[port] % 16)
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
        for _ in range(80):
            drive(ctx, dut.commit, request=commits and not ctx.get(dut.crowded), word=2)
            for name, count in granted.items():
                side = getattr(dut, name)
                for port in range(4):
                    drive(ctx, side[port], request=1, slot=port, word=2)
                for port in range(4):
                    count[port] += ctx.get(side[port].grant)
            await ctx.tick()
        assert granted == {"w": [10 if commits else 20] * 4, "r": [20] * 4}

    simulate(dut, bench)
