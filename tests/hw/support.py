# amaranth: UnusedElaboratable=no
"""What the tests of single components share.

A test bench drives all inputs, looks at the outputs of the same cycle, and goes on to the next: ``ctx.set`` settles
whatever is combinational. Randomness is seeded, so that a failure comes back.
"""

from collections import deque
from random import Random

from amaranth.hdl import ClockDomain, Fragment, Module
from amaranth.sim import Simulator

from postern_spec.config import Bus, Config
from postern_spec.regmap import address_map, guest_page

WORD = 0xFFFF_FFFF
FULL = 0b1111


def simulate(dut, bench, *, clock=True):
    """Run ``bench`` on ``dut``, with a clock unless the bench itself drives one on a pin."""
    if clock:
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.dut = dut
        sim = Simulator(m)
        sim.add_clock(1e-6)
    else:
        sim = Simulator(dut)
    sim.add_testbench(bench)
    sim.run()


def drive(ctx, component, **inputs):
    """Set several inputs of ``component``."""
    for name, value in inputs.items():
        ctx.set(getattr(component, name), value)


async def fill(ctx, component, rows):
    """Fill the tables of ``component`` as the block does after reset."""
    ctx.set(component.fill, 1)
    for row in range(rows):
        ctx.set(component.fill_row, row)
        await ctx.tick()
    ctx.set(component.fill, 0)


def bits(ones):
    """Return a number with these bits set."""
    return sum(1 << one for one in ones)


def ones(number):
    """Return which bits of ``number`` are set."""
    return [bit for bit in range(number.bit_length()) if number >> bit & 1]


def coin(random: Random, odds):
    """Return whether something of these odds happens."""
    return int(random.random() < odds)


def bound(c: Config, port: int, address: int, vm: int | None, *, allowed=None, strobes=FULL):
    """Return an access to ``address`` by ``vm`` as a port hands it to an engine."""
    mapped = address_map(c, port)
    manager = mapped.manager_base is not None and address >= mapped.manager_base
    if manager:
        offset = address - mapped.manager_base
    else:
        offset = address % (mapped.guest_stride or 1 << mapped.bits)
    return {
        "address": address,
        "offset": offset,
        "manager": manager,
        "allowed": vm is not None if allowed is None else allowed,
        "known": vm is not None,
        "vm": vm or 0,
        "strobes": strobes,
    }


class Pins:
    """The pins of a bus by name. Only what changes is set, because every change settles the whole design."""

    def __init__(self, component, prefix=""):
        self.component, self.prefix, self.last = component, prefix, {}

    def __getitem__(self, name):
        return getattr(self.component, self.prefix + name)

    def set(self, ctx, **values):
        for name, value in values.items():
            if self.last.get(name, 0) != value:
                self.last[name] = value
                ctx.set(self[name], value)


class AxiLiteMaster:
    """Keeps an AXI4-Lite port busy, with pauses on every channel and address and word in any order.

    ``before`` puts a cycle's values onto the pins, ``after`` looks at them at the end of the cycle.

    Parameters
    ----------
    pins : Pins
    supply : callable
        Returns the next access: address, word and strobes, or address and ``None`` for a read.
    """

    def __init__(self, pins, random: Random, supply, pause=0.3):
        self.pins, self.random, self.supply, self.pause = pins, random, supply, pause
        self.answers = []  # of writes: the response; of reads: word and response
        self.reset()

    def reset(self):
        self.queues = {"aw": deque(), "w": deque(), "ar": deque()}
        self.offers = dict.fromkeys(self.queues, False)

    def before(self, ctx):
        queues = self.queues
        while max(map(len, queues.values())) < 2:
            address, data, strobes = self.supply()
            if data is None:
                queues["ar"].append({"araddr": address})
            else:
                queues["aw"].append({"awaddr": address})
                queues["w"].append({"wdata": data, "wstrb": strobes})
        for channel, queue in queues.items():
            if queue:
                self.offers[channel] |= not coin(self.random, self.pause)
                self.pins.set(ctx, **queue[0])
            self.pins.set(ctx, **{f"{channel}valid": self.offers[channel]})
        self.pins.set(ctx, bready=not coin(self.random, self.pause), rready=not coin(self.random, self.pause))

    def after(self, ctx):
        pins = self.pins
        for channel, queue in self.queues.items():
            if self.offers[channel] and ctx.get(pins[f"{channel}ready"]):
                queue.popleft()
                self.offers[channel] = False
        if ctx.get(pins["bvalid"]) and ctx.get(pins["bready"]):
            self.answers.append((ctx.get(pins["bresp"]),))
        if ctx.get(pins["rvalid"]) and ctx.get(pins["rready"]):
            self.answers.append((ctx.get(pins["rdata"]), ctx.get(pins["rresp"])))


class WishboneMaster:
    """Keeps a Wishbone port busy and ends its bus cycle early now and then. Otherwise as ``AxiLiteMaster``."""

    def __init__(self, pins, random: Random, supply, pause=0.3):
        self.pins, self.random, self.supply, self.pause = pins, random, supply, pause
        self.answers = []  # the word, and whether it was an error
        self.reset()

    def reset(self):
        self.access = None  # what is offered
        self.waiting = 0

    def before(self, ctx):
        gone = bool(self.waiting) and coin(self.random, 0.02)
        if gone:
            self.reset()
        elif self.access is None and not coin(self.random, self.pause):
            self.access = self.supply()
        self.pins.set(ctx, cyc=not gone and (self.access is not None or self.waiting > 0))
        self.pins.set(ctx, stb=self.access is not None)
        if self.access is not None:
            address, data, strobes = self.access
            self.pins.set(ctx, adr=address >> 2, we=data is not None, dat_w=data or 0, sel=strobes)

    def after(self, ctx):
        ack, err = ctx.get(self.pins["ack"]), ctx.get(self.pins["err"])
        if ack or err:
            assert ack != err
            assert self.waiting
            self.waiting -= 1
            self.answers.append((ctx.get(self.pins["dat_r"]), err))
        if self.access is not None and not ctx.get(self.pins["stall"]):
            self.access = None
            self.waiting += 1


class BackEnd:
    """Takes what a bus adapter hands on and answers when it likes to."""

    def __init__(self, dut, random, pause):
        self.dut, self.random, self.pause = dut, random, pause
        self.writes, self.reads = [], []  # what came
        self.told = []  # what reads were answered with
        self.reset()

    def reset(self):
        self.owed, self.due = 0, deque()  # answers to writes; words and errors of reads
        self.offers = {"written": False, "answer": False}

    def before(self, ctx):
        for name, waiting in (("written", self.owed), ("answer", len(self.due))):
            self.offers[name] |= bool(waiting) and not coin(self.random, self.pause)
            ctx.set(getattr(self.dut, name).valid, self.offers[name])
        if self.due:
            data, error = self.due[0]
            ctx.set(self.dut.answer.payload, {"data": data, "error": error})
        for stream in (self.dut.write, self.dut.read):
            ctx.set(stream.ready, not coin(self.random, self.pause))

    def after(self, ctx):
        for name in self.offers:
            if self.offers[name] and ctx.get(getattr(self.dut, name).ready):
                self.offers[name] = False
                if name == "written":
                    self.owed -= 1
                else:
                    self.told.append(self.due.popleft())
        for stream, came in ((self.dut.write, self.writes), (self.dut.read, self.reads)):
            if ctx.get(stream.valid) and ctx.get(stream.ready):
                payload = ctx.get(stream.payload)
                came.append({key: payload[key] for key, _ in payload.shape()})
                if stream is self.dut.write:
                    self.owed += 1
                else:
                    self.due.append(
                        (self.random.getrandbits(len(self.dut.answer.payload.data)), self.random.getrandbits(1))
                    )


class Burst:
    """A burst as an AXI4 manager asks for it.

    Parameters
    ----------
    address, length, size, kind, id : int
        As on the channel, but ``length`` counts beats: 1 to 256.
    words : list
        Of a write: word and strobes of each beat. ``None``: a read.
    others : dict
        What else goes with the address: ``prot``, ``cache``, ``lock``, ``user``.
    """

    FIXED, INCR, WRAP = range(3)

    def __init__(self, address, length=1, size=2, kind=INCR, id=0, words=None, **others):
        self.address, self.length, self.size, self.kind, self.id = address, length, size, kind, id
        self.words, self.others = words, others

    def channel(self):
        """Return the values on the address channel."""
        shown = {"addr": self.address, "len": self.length - 1, "size": self.size, "burst": self.kind, "id": self.id}
        return shown | self.others

    def beats(self, bus_bytes):
        """Return address and byte lanes of each beat, by the equations of the specification."""
        number = 1 << self.size
        aligned = self.address // number * number
        boundary = self.address // (number * self.length) * (number * self.length)
        found = []
        for beat in range(self.length):
            address = self.address if beat == 0 or self.kind == self.FIXED else aligned + beat * number
            if self.kind == self.WRAP and address >= boundary + number * self.length:
                address -= number * self.length
            lower = address - address // bus_bytes * bus_bytes
            upper = address // number * number + number - 1 - address // bus_bytes * bus_bytes
            found.append((address, sum(1 << lane for lane in range(lower, upper + 1))))
        return found


class Axi4Master:
    """Keeps an AXI4 port busy, with pauses on every channel. ``supply`` returns a ``Burst``, or a single access.

    Otherwise as ``AxiLiteMaster``; ``answers`` has ID and response of writes, and ID, word, response, last of reads.
    """

    def __init__(self, pins, random: Random, supply, pause=0.3):
        self.pins, self.random, self.supply, self.pause = pins, random, supply, pause
        self.answers = []
        self.reset()

    def reset(self):
        self.queues = {"aw": deque(), "w": deque(), "ar": deque()}
        self.offers = dict.fromkeys(self.queues, False)

    def _burst(self):
        burst = self.supply()
        if isinstance(burst, Burst):
            return burst
        address, data, strobes = burst
        return Burst(address, words=None if data is None else [(data, strobes)], id=self.random.getrandbits(4))

    def before(self, ctx):
        queues = self.queues
        while max(len(queues["aw"]), len(queues["ar"])) < 2:
            burst = self._burst()
            channel = "ar" if burst.words is None else "aw"
            queues[channel].append({f"{channel}{name}": value for name, value in burst.channel().items()})
            for beat, (word, strobes) in enumerate(burst.words or ()):
                queues["w"].append({"wdata": word, "wstrb": strobes, "wlast": beat == burst.length - 1})
        for channel, queue in queues.items():
            if queue:
                self.offers[channel] |= not coin(self.random, self.pause)
                self.pins.set(ctx, **queue[0])
            self.pins.set(ctx, **{f"{channel}valid": self.offers[channel]})
        self.pins.set(ctx, bready=not coin(self.random, self.pause), rready=not coin(self.random, self.pause))

    def after(self, ctx):
        pins = self.pins
        for channel, queue in self.queues.items():
            if self.offers[channel] and ctx.get(pins[f"{channel}ready"]):
                queue.popleft()
                self.offers[channel] = False
        for letter, names in (("b", ("id", "resp")), ("r", ("id", "data", "resp", "last"))):
            if ctx.get(pins[f"{letter}valid"]) and ctx.get(pins[f"{letter}ready"]):
                self.answers.append(tuple(ctx.get(pins[letter + name]) for name in names))


class ApbMaster:
    """Keeps an APB port busy, with pauses between accesses. Otherwise as ``AxiLiteMaster``."""

    def __init__(self, pins, random: Random, supply, pause=0.3):
        self.pins, self.random, self.supply, self.pause = pins, random, supply, pause
        self.answers = []  # whether it was a write, the word, and whether it was an error
        self.reset()

    def reset(self):
        self.access, self.phase = None, 0  # 0: idle, 1: setup, 2: access

    def before(self, ctx):
        if self.phase == 0 and not coin(self.random, self.pause):
            address, data, strobes = self.access = self.supply()
            self.phase = 1
            write = data is not None
            self.pins.set(ctx, paddr=address, pwrite=write, pwdata=data or 0, pstrb=strobes if write else 0)
        self.pins.set(ctx, psel=self.phase > 0, penable=self.phase == 2)

    def after(self, ctx):
        if self.phase == 1:
            self.phase = 2
        elif self.phase == 2 and ctx.get(self.pins["pready"]):
            write = self.access[1] is not None
            self.answers.append((write, ctx.get(self.pins["prdata"]), ctx.get(self.pins["pslverr"])))
            self.phase = 0


MASTERS = {Bus.AXI4_LITE: AxiLiteMaster, Bus.WISHBONE: WishboneMaster, Bus.AXI4: Axi4Master, Bus.APB: ApbMaster}


class Guest:
    """Random accesses of one VM through one port, most of which belong together: messages, receptions, doorbells."""

    def __init__(self, c: Config, port: int, vm: int, random: Random):
        self.c, self.vm, self.random = c, vm, random
        self.base = address_map(c, port).guest(vm)
        self.script = deque()

    def __call__(self):
        """Return the next access: address, word (``None`` for a read) and strobes."""
        while not self.script:
            self._plan()
        offset, data, strobes = self.script.popleft()
        return self.base + offset, data, strobes

    def _plan(self):
        page, random = guest_page(self.c), self.random
        lane = random.randrange(self.c.lanes)
        kind = random.choices(("send", "receive", "acknowledge", "ring", "anywhere"), (6, 5, 3, 1, 1))[0]
        if kind == "send":
            words = random.randint(1, self.c.words)
            for word in range(words - 1):
                if not coin(random, 0.03):
                    strobes = random.randrange(16) if coin(random, 0.03) else FULL
                    self.script.append((page.STAGE.at(lane, word), random.getrandbits(32), strobes))
            target = random.randrange(self.c.vms)
            self.script.append((page.COMMIT.at(lane, 0, int(words > 1), target), random.getrandbits(32), FULL))
        elif kind == "receive":
            self.script.append((page.HEADER.at(lane), None, FULL))
            self.script.extend((page.WORD.at(word), None, FULL) for word in range(random.randrange(self.c.words)))
            self.script.append((page.POP.at(lane), None, FULL))
        elif kind == "acknowledge":
            self.script.append((page.ACK.at(lane), 1, FULL))
        elif kind == "ring":
            self.script.append((page.RING.offset, random.randrange(self.c.vms), FULL))
        else:
            offset = 4 * random.randrange(page.size // 4)
            self.script.append((offset, random.choice((None, random.getrandbits(32))), FULL))


class Design:
    """A component that has been elaborated, with a way to what is inside."""

    def __init__(self, component):
        self.component = component
        self.fragment = Fragment.get(component, None)

    def _at(self, path):
        fragment = self.fragment
        for name in path:
            fragment = fragment.find_subfragment(name)
        return fragment

    def register(self, *path):
        """Return the register at ``path``: submodules from the top, then its name."""
        *path, name = path
        driven = self._at(path).statements["sync"]._lhs_signals()
        (found,) = (signal for signal in driven if signal.name == name)
        return found

    def memory(self, *path):
        """Return the contents of the memory at ``path``."""
        return self._at(path).origins[-1].data

    def table(self, *path, depth):
        """Return the rows of the ``Table`` at ``path``, whatever it is made of."""
        if any(name == "cells" for _, name, _ in self._at(path).subfragments):
            cells = self.memory(*path, "cells")
            return [cells[row] for row in range(depth)]
        return [self.register(*path, f"row{row}") for row in range(depth)]
