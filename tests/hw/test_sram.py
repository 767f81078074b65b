# amaranth: UnusedElaboratable=no
from random import Random

import pytest
from amaranth.hdl import ResetInserter, Signal

from postern_hw.sram import Shape, Sram
from postern_spec.config import Config, Identity, Port

from .support import coin, drive, simulate


def configuration(ports, banks, blocks, size=64):
    pages = (Port(identity=Identity.PAGE),) * ports
    return Config(ports=pages, vms=3, lanes=1, words=1, depth=2, blocks=blocks, block_size=size, banks=banks)


def merged(old, new, strobes, lanes):
    mask = sum(0xFF << 8 * lane for lane in range(lanes) if strobes >> lane & 1)
    return old & ~mask | new & mask


SHAPES = [(1, 1, 1, 32), (2, 1, 3, 32), (3, 2, 5, 64), (4, 4, 4, 32), (3, 8, 2, 64), (5, 8, 6, 32)]


@pytest.mark.parametrize(("ports", "banks", "blocks", "width"), SHAPES)
def test_accesses_act_in_order_and_by_their_right(ports, banks, blocks, width):
    config = configuration(ports, banks, blocks)
    shape = Shape(config, width)
    dut, reset, random = Sram(config, width=width), Signal(), Random(ports * banks)
    block_words = shape.words // blocks
    stored = {}  # of word; what was never written is zero in this simulator, and unknown anywhere else
    seen = {"read": 0, "refused read": 0, "refused write": 0, "passed": 0, "contended": 0, "scrubbed": 0}
    busy_words = random.sample(range(shape.words), min(shape.words, 4))

    async def bench(ctx):
        writes, reads = [None] * ports, [None] * ports  # what each port asks for
        acting = {"w": [None] * banks, "r": [None] * banks}  # what was granted one cycle ago, with its port
        before = latest = [[0, 0, 0]] * ports  # what acted two cycles ago, and one: word, refused read, refused write
        phase = 0
        for _ in range(1200):
            phase = (phase + 1) % 8
            clear = coin(random, 0.01)
            ctx.set(reset, clear)
            for port in range(ports):
                for asked, side in ((writes, dut.w), (reads, dut.r)):
                    if asked[port] is None and coin(random, 0.7):
                        asked[port] = {
                            "word": random.choice(busy_words) if coin(random, 0.8) else random.randrange(shape.words),
                            "vm": random.randrange(3),
                            "enable": coin(random, 0.9),
                        }
                        if asked is writes:
                            asked[port] |= {
                                "data": random.getrandbits(width),
                                "strobes": random.getrandbits(width // 8),
                            }
                    now = asked[port]
                    drive(ctx, side[port], request=now is not None, **(now or {"word": random.randrange(shape.words)}))
            scrub = [coin(random, 0.6) for _ in range(banks)]
            rows = [random.randrange(shape.rows) for _ in range(banks)]
            ctx.set(dut.scrub_first, phase == 0)
            for bank in range(banks):
                drive(ctx, dut.scrub[bank], want=scrub[bank], row=rows[bank])

            # Stage 2: rights are looked up, and what was granted acts, writes first.
            rights = {name: [coin(random, 0.7) for _ in range(banks)] for name in "wr"}
            for bank, (write, read) in enumerate(zip(acting["w"], acting["r"], strict=True)):
                if write and read and write[0] is None:
                    rights["r"][bank] = 0  # nobody has a right to a block that is being scrubbed
            ctx.set(dut.w_allowed, sum(bit << bank for bank, bit in enumerate(rights["w"])))
            ctx.set(dut.r_allowed, sum(bit << bank for bank, bit in enumerate(rights["r"])))
            answers = [[0, 0, 0] for _ in range(ports)]
            written = set()
            for name in "wr":
                for bank, act in enumerate(acting[name]):
                    if act is None:
                        continue
                    port, asked = act
                    if port is None:
                        stored[asked["word"]] = 0
                        seen["scrubbed"] += 1
                        continue
                    look = getattr(dut, f"{name}_look")[bank]
                    assert (ctx.get(look.block), ctx.get(look.vm)) == (asked["word"] // block_words, asked["vm"])
                    allowed = asked["enable"] and rights[name][bank]
                    if asked["enable"] and not allowed:
                        answers[port]["rw".index(name) + 1] = 1
                        seen["refused write" if name == "w" else "refused read"] += 1
                    word = asked["word"]
                    if allowed and name == "w":
                        stored[word] = merged(stored.get(word, 0), asked["data"], asked["strobes"], width // 8)
                        written.add(word)
                    elif allowed:
                        answers[port][0] = stored.get(word, 0)
                        seen["read"] += 1
                        seen["passed"] += word in written

            for port in range(ports):
                assert ctx.get(dut.r[port].data) == before[port][0]
                assert ctx.get(dut.r[port].refused) == latest[port][1]
                assert ctx.get(dut.w[port].refused) == latest[port][2]

            # Stage 1: one grant per bank and direction, to somebody if anybody asks.
            granted = {"w": [None] * banks, "r": [None] * banks}
            for name, side, asked in (("w", dut.w, writes), ("r", dut.r, reads)):
                for bank in range(banks):
                    wanting = [p for p, now in enumerate(asked) if now and now["word"] % banks == bank]
                    winners = [p for p in wanting if ctx.get(side[p].grant)]
                    taken = name == "w" and ctx.get(dut.scrub[bank].taken)
                    if name == "w":
                        assert taken == (scrub[bank] and (phase == 0 or not wanting))
                    assert len(winners) == (1 if wanting and not taken else 0)
                    seen["contended"] += len(wanting) > 1
                    if winners:
                        granted[name][bank] = winners[0], asked[winners[0]]
                    elif taken:
                        granted[name][bank] = None, {"word": rows[bank] * banks + bank}
                for act in granted[name]:
                    if act and act[0] is not None:
                        asked[act[0]] = None
            await ctx.tick()
            acting = granted
            before, latest = latest, answers
            if clear:
                latest = [[0, 0, 0]] * ports
                acting = {"w": [None] * banks, "r": [None] * banks}
                writes, reads = [None] * ports, [None] * ports

    simulate(ResetInserter(reset)(dut), bench)
    assert min(seen[key] for key in ("read", "refused read", "refused write", "passed", "scrubbed")) > 15
    assert seen["contended"] or ports == 1


def test_waits_are_bounded_whatever_scrubber_and_ports_do():
    ports = 5
    dut = Sram(configuration(ports, 2, 4))

    async def bench(ctx):
        waits, longest, scrubs = [[0] * ports for _ in range(2)], [0, 0], 0
        for cycle in range(400):
            ctx.set(dut.scrub_first, cycle % 8 == 0)
            drive(ctx, dut.scrub[0], want=1)
            for port in range(ports):
                drive(ctx, dut.w[port], request=1, word=2 * port)
                drive(ctx, dut.r[port], request=1, word=2 * port)
            scrubs += ctx.get(dut.scrub[0].taken)
            for side, wait in enumerate(waits):
                for port in range(ports):
                    grant = ctx.get((dut.w, dut.r)[side][port].grant)
                    wait[port] = 0 if grant else wait[port] + 1
                    longest[side] = max(longest[side], wait[port])
            await ctx.tick()
        assert scrubs == 50
        assert longest == [ports - 1 + 1, ports - 1]  # a write can meet the scrubber once on its way

    simulate(dut, bench)


@pytest.mark.parametrize("side", ["w", "r"])
def test_ports_stream_side_by_side(side):
    dut = Sram(configuration(4, 4, 8))

    async def bench(ctx):
        words, granted = [0] * 4, 0
        for cycle in range(200):
            for port in range(4):
                drive(ctx, getattr(dut, side)[port], request=1, word=words[port] % 128)
            for port in range(4):
                if ctx.get(getattr(dut, side)[port].grant):
                    words[port] += 1
                    granted += cycle >= 10
            await ctx.tick()
        assert granted == 4 * 190

    simulate(dut, bench)


def test_errors():
    with pytest.raises(ValueError, match=r"^width of the SRAM must be 32 or 64, not 16$"):
        Sram(configuration(1, 1, 1), width=16)
