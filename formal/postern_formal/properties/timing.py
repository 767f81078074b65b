"""Timing isolation: what is shared, as a property of two runs in which strangers do different things."""

from amaranth.hdl import Assume, Cat, Const, Cover, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from postern_hw.blocks import Blocks
from postern_hw.faults import Faults
from postern_hw.pool import Pool
from postern_hw.queue import Queue
from postern_hw.read_engine import ReadEngine
from postern_hw.scrubber import Scrubber
from postern_hw.select import after
from postern_hw.sram import Sram
from postern_hw.table import FLIP_FLOP_DEPTH
from postern_hw.turns import Turns, rotated
from postern_hw.write_engine import WriteEngine
from postern_spec.config import Config, Identity, Manager, Port
from postern_spec.sizes import scrub_window

from ..engines import Induction
from ..harness import at_most_one, claim, fill, index, past, rows_of, window
from ..property import Assumption, Control, Inside, Property, free, free_inputs, symbolic
from .blocks import ENGINE
from .identity import COMMIT_IS_ONE, commit_is_one, reduced

__all__ = ["PROPERTIES"]

STAGES_ALONE = Assumption(
    "stages-alone",
    "A port that offers a commit asks for no bank with a staged word in that cycle, nor while the engine has a commit"
    " with a block of it.",
)
ROUND_ROBIN = Control(
    "the block goes round robin: the control of the whole",
    "arbiter.py",
    "self.grant.eq(Mux(self.strict, self.request & self.turn, line.grant)),",
    "self.grant.eq(line.grant),",
)


def strict(ports: int = 2, **changes) -> Config:
    """Return a small strict block."""
    values = {"ports": (Port(identity=Identity.PAGE),) * ports, "manager": Manager.PAGE, "vms": 2, "strict": True}
    return reduced(**(values | changes))


def turns_of(m: Module, c: Config, *components) -> Turns:
    """Let components go by the same turns, which are those of a block that was reset at any time before."""
    turns = Turns(c)
    m.submodules.turns = inside = Inside(turns)
    m.d.comb += turns.strict.eq(1)
    for component in components:
        wiring.connect(m, turns.turns, component.turns)
    # Which turns come in which order is a ring of one bit each: all that an induction has to know of the past.
    rings = {name: inside.signal(name) for name in ("write", "read", "guard", "phase")}
    claim(m, **{f"ring_{name}": ring.any() & at_most_one(ring) for name, ring in rings.items()})
    return turns


def same(m: Module, port, ones, twos) -> None:
    """Let what the watched port says be the same in both copies, and what others say free in each.

    ``ones`` and ``twos`` are lists of inputs by port.
    """
    for number, (a, b) in enumerate(zip(ones, twos, strict=True)):
        for one, two in zip(a, b, strict=True):
            first, second = Value.cast(one), Value.cast(two)
            free(m, first, second)
            m.d.comb += Assume((port != number) | (first == second))


def equal(port, ones, twos):
    """Whether what the watched port sees is the same in both copies."""
    return ((Cat(ones) ^ Cat(twos)) & (Const(1, len(ones)) << port)[: len(ones)]) == 0


class Writes(Property):
    """Grants of the write engine and of the banks for staged words."""

    name = "timing-writes"
    promise = 10
    statement = (
        "In strict mode, when a port's commits, other writes and staged words are granted, act, and give their slots"
        " back does not depend on what other ports ask for, on what anybody may, nor on whether VMs are being opened or"
        " torn down: with all of that different in a second copy, it is the same in every cycle."
    )
    parameters = {
        "2 ports": strict(),
        "3 ports, no blocks": strict(3, blocks=0),
        "2 ports, no manager": strict(manager=Manager.NONE, open_at_reset=True, blocks=0),
        "4 ports": strict(4),
    }
    short = ("2 ports",)
    engines = (Induction(7),)
    covers = 30
    seconds = 900
    reduction = (
        "The watched port is symbolic, and so is what it asks for. What the rest of the block answers is free in both"
        " copies. Turns are those of any time: of their past only their being rings of one bit is assumed, and proven."
    )
    limits = (
        "Whether a commit is accepted shows in the results, which are those of its VM: that strangers do not change"
        " them is promise 2, and that credits are those of a permitted pair is the register map."
    )
    assumptions = (COMMIT_IS_ONE, STAGES_ALONE)
    controls = (
        ROUND_ROBIN,
        Control(
            "what takes three cycles begins in any cycle of a turn",
            "write_engine.py",
            "fits = [bit | self.turns.first for bit in quick]",
            "fits = [bit | 1 for bit in quick]",
            depth=14,
        ),
        Control(
            "staged words have turns of a cycle",
            "pool.py",
            "w_turn, r_turn = turns.write[: len(self.w)], rotated(turns.read, bank)",
            "w_turn, r_turn = turns.read, rotated(turns.read, bank)",
            depth=14,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        ports = len(c.ports)
        port = symbolic(m, range(ports), "port", below=ports)
        engines, pools = [WriteEngine(c) for _ in "ab"], [Pool(c) for _ in "ab"]
        turns_of(m, c, *engines, *pools)
        for copy, engine, pool in zip("ab", engines, pools, strict=True):
            m.submodules[f"engine_{copy}"], m.submodules[f"pool_{copy}"] = engine, pool
            free_inputs(m, engine, but=("requests", "turns", "crowded"))
            free(m, *(item for r in pool.r for item in (r.request, r.slot, r.word, r.keep)))
            wiring.connect(m, engine.word, pool.commit)
            m.d.comb += engine.crowded.eq(pool.crowded)
        offers = [[(r.valid, r.payload) for r in engine.requests] for engine in engines]
        stages = [[(w.request, w.enable, w.slot, w.word, w.data) for w in pool.w] for pool in pools]
        same(m, port, *offers)
        same(m, port, *stages)
        for engine, pool in zip(engines, pools, strict=True):
            for number, (request, w) in enumerate(zip(engine.requests, pool.w, strict=True)):
                payload = request.payload
                if c.manager is Manager.NONE:
                    m.d.comb += Assume(~payload.manager)
                m.d.comb += [
                    Assume(~request.valid | ~payload.commit | commit_is_one(c, payload)),
                    Assume(at_most_one(w.request)),
                    Assume(~(request.valid & payload.commit & w.request.any() & w.enable)),
                ]
                if c.blocks:
                    late = Signal(name=f"late_{number}")  # the engine has a commit with a block
                    with m.If(request.valid & request.ready & payload.commit & payload.block):
                        m.d.sync += late.eq(1)
                    with m.Elif(engine.acted[number]):
                        m.d.sync += late.eq(0)
                    m.d.comb += Assume(~(late & w.request.any() & w.enable))
        a, b = engines
        claim(
            m,
            never_crowded=~pools[0].crowded & ~pools[1].crowded,
            ready=equal(port, [r.ready for r in a.requests], [r.ready for r in b.requests]),
            acted=equal(port, list(a.acted), list(b.acted)),
            slot_back=equal(port, list(a.slot_back), list(b.slot_back)),
            staged=equal(port, [w.grant for w in pools[0].w], [w.grant for w in pools[1].w]),
        )
        m.d.comb += [
            Cover((port == 1) & a.requests[1].ready & a.requests[1].valid & ~b.requests[0].valid & a.requests[0].valid),
            Cover((port == 1) & a.acted[1]),
            Cover((port == 1) & pools[0].w[1].grant & pools[0].w[1].request.any()),
        ]


class Reads(Property):
    """Grants of the read engine, of the banks for payload, and of the SRAM; turns of the log."""

    name = "timing-banks"
    promise = 10
    statement = (
        "In strict mode, when a port's reads of registers, payload and SRAM and its writes of SRAM are granted, and"
        " when its refused accesses are logged, does not depend on what other ports ask for, nor on the scrubber."
    )
    parameters = {"2 ports": strict(), "3 ports, 4 banks": strict(3, banks=4), "4 ports": strict(4, vms=2)}
    short = ("2 ports",)
    engines = (Induction(2),)
    covers = 12
    reduction = "As of timing-writes. In strict mode a grant is one of these, so one cycle tells all."
    controls = (
        ROUND_ROBIN,
        Control(
            "the scrubber goes first whenever it wants",
            "sram.py",
            "scrub_first, scrub_free = Mux(strict, guard[-1], scrub_first), ~strict",
            "scrub_first, scrub_free = scrub_first, ~strict",
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        ports = len(c.ports)
        port = symbolic(m, range(ports), "port", below=ports)
        copies = [(ReadEngine(c), Pool(c), Sram(c), Faults(c)) for _ in "ab"]
        turns_of(m, c, *(part for copy in copies for part in copy))
        for name, (engine, pool, sram, faults) in zip("ab", copies, strict=True):
            m.submodules[f"engine_{name}"], m.submodules[f"pool_{name}"] = engine, pool
            m.submodules[f"sram_{name}"], m.submodules[f"faults_{name}"] = sram, faults
            free_inputs(m, engine, but=("requests", "turns"))
            free_inputs(m, pool, but=("r", "turns"))
            free_inputs(m, sram, but=("w", "r", "turns"))
            free_inputs(m, faults, but=("w_refusals", "r_refusals", "turns"))

        def asks(copy):
            engine, pool, sram, faults = copy
            return [
                [
                    (engine.requests[p].valid, engine.requests[p].payload),
                    (pool.r[p].request, pool.r[p].slot, pool.r[p].word, pool.r[p].keep),
                    [getattr(sram.w[p], key) for key in ("request", "enable", "word", "vm", "data", "strobes")],
                    [getattr(sram.r[p], key) for key in ("request", "enable", "word", "vm")],
                    *((log[p].valid, log[p].payload) for log in (faults.w_refusals, faults.r_refusals)),
                ]
                for p in range(ports)
            ]

        def flat(copy):
            return [[member for group in item for member in group] for item in asks(copy)]

        same(m, port, flat(copies[0]), flat(copies[1]))
        seen = {
            "read": lambda copy, p: copy[0].requests[p].ready,
            "payload": lambda copy, p: copy[1].r[p].grant,
            "sram_write": lambda copy, p: copy[2].w[p].grant,
            "sram_read": lambda copy, p: copy[2].r[p].grant,
            "log_of_writes": lambda copy, p: copy[3].w_refusals[p].ready,
            "log_of_reads": lambda copy, p: copy[3].r_refusals[p].ready,
        }
        claim(
            m,
            **{
                name: equal(port, [see(copies[0], p) for p in range(ports)], [see(copies[1], p) for p in range(ports)])
                for name, see in seen.items()
            },
        )
        m.d.comb += [Cover((port == 1) & see(copies[0], 1) & ~see(copies[1], 0)) for see in seen.values()]


class Scrubbing(Property):
    """When a block of a VM becomes clean."""

    name = "timing-scrubber"
    promise = 10
    statement = (
        "In strict mode, when a block of a VM becomes clean does not depend on what other VMs have given up: with all"
        " of that different in a second copy, its blocks become clean in the same cycles."
    )
    parameters = {
        "2 banks, 2 ports": strict(),
        "1 bank, 2 ports, 3 VMs": strict(banks=1, vms=3, blocks=6),
        "4 banks, 3 ports": strict(3, banks=4, blocks=8),
    }
    short = ("2 banks, 2 ports",)
    engines = (Induction(3),)
    covers = 60
    reduction = "The watched VM is symbolic. Which of its blocks are dirty is the same in both copies, and free."
    limits = "That a block is given up at the same time is the matter of its owner, who is a stranger to nobody here."
    controls = (
        Control(
            "a window ends with its block",
            "scrubber.py",
            "last.eq(Mux(self.strict, time == cycles - 1, Mux(begins, ~self.dirty, done))),",
            "last.eq(Mux(begins, ~self.dirty, done)),",
            depth=20,
        ),
        Control(
            "a block is begun in whoever's window it becomes dirty",
            "scrubber.py",
            "with m.Elif(~busy & self.dirty & begins):",
            "with m.Elif(~busy & self.dirty):",
            depth=40,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        rows = c.block_size * 8 // (c.sram_width * c.banks)
        row_bits = (c.blocks * rows - 1).bit_length()
        vm = symbolic(m, range(c.vms), "vm", below=c.vms)
        turns = turns_of(m, c)
        copies = [Scrubber(c, rows=rows, row_bits=row_bits) for _ in "ab"]
        insides = []
        for name, dut in zip("ab", copies, strict=True):
            m.submodules[f"scrubber_{name}"] = inside = Inside(dut)
            insides.append(inside)
            m.d.comb += dut.strict.eq(1)
            for bank, scrub in enumerate(dut.scrub):
                m.d.comb += scrub.taken.eq(scrub.want & rotated(turns.turns.guard, bank)[-1])
        a, b = copies
        free(m, a.dirty, a.block, b.dirty, b.block)
        m.d.comb += Assume((a.vm != vm) | ((a.dirty == b.dirty) & (a.block == b.block)))

        def kept(inside):
            busy = inside.signal("busy")
            rows = [inside.signal(f"row_{bank}") for bank in range(c.banks)]
            return Cat(busy, Mux(busy, inside.signal("block"), 0), *rows)

        mine = a.vm == vm
        time_a, time_b = insides[0].signal("time"), insides[1].signal("time")
        fresh = time_a == 0
        claim(
            m,
            time=(time_a == time_b) & (a.vm == b.vm) & (time_a < scrub_window(c)) & (a.vm < c.vms),
            idle=~fresh | ~(insides[0].signal("busy") | insides[1].signal("busy")),
            state=~mine | fresh | (kept(insides[0]) == kept(insides[1])),
            clean=~mine | ((a.clean == b.clean) & (~a.clean | (a.cleaning == b.cleaning))),
        )
        m.d.comb += [Cover(mine & a.clean), Cover(~mine & a.clean & ~b.clean)]


class Heads(Property):
    """What ports see of a queue."""

    name = "timing-queue"
    promise = 10
    also = (2,)
    statement = (
        "In a strict block, what ports see of a VM's queue (whether there is a message, its head, also the one that an"
        " empty queue still shows, and which lanes may pop) does not depend on what is sent to others meanwhile."
    )
    parameters = {
        "depth 4": strict(),
        "depth 3, no blocks": strict(depth=3, blocks=0),
        "depth 2, no manager": strict(depth=2, manager=Manager.NONE, open_at_reset=True, credits=1, blocks=0),
    }
    short = ("depth 4",)
    engines = (Induction(2),)
    covers = 24
    reduction = "The messages for this queue, and what is read and popped of it, are free and the same in both copies."
    controls = (
        Control(
            "a pop that leaves nothing takes over what is just being sent to somebody else",
            "queue.py",
            "leaves = self.popped & ~(single & ~self.push) if self.config.strict else self.popped",
            "leaves = self.popped",
            depth=16,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        a, b = copies = [Queue(c, 0) for _ in "ab"]
        insides = []
        filling = fill(m, c, *copies)
        for name, dut in zip("ab", copies, strict=True):
            m.submodules[f"queue_{name}"] = inside = Inside(dut)
            insides.append(inside)
        own = ("push", "look", "take", "forget", "drop", "grant")
        for path, member, one in a.signature.flatten(a):
            if member.flow is not In or path[0] in ("fill", "fill_row"):
                continue
            two = getattr(b, path[0])
            free(m, one, two)
            same_here = Value.cast(one) == Value.cast(two)
            if path[0] in own:
                m.d.comb += Assume(same_here)
            elif path[0] == "message":
                m.d.comb += Assume(same_here | ~a.push)
        level = Signal(range(c.depth + 1))
        m.d.comb += [
            level.eq(a.level),
            Assume(~(a.push & (level == c.depth))),  # queue-order: the credits see to it
            Assume(~(filling & (a.push | a.take.any() | a.look.any()))),
        ]
        # The head has a register of its own; its row may be written over by what is behind a full queue.
        messages = window(after(a.first, c.depth), level - (level != 0), c.depth)
        rows = [[inside.memory("rest", Const(i, range(c.depth))) for i in range(c.depth)] for inside in insides]
        slots = [[inside.memory("slots", Const(i, range(c.depth))) for i in range(c.depth)] for inside in insides]
        claim(
            m,
            places=Cat(a.first, a.tail, a.level) == Cat(b.first, b.tail, b.level),
            inside=(a.first < c.depth) & (a.tail < c.depth),
            messages=Cat(
                ~messages[i] | filling | (one == two) for i, (one, two) in enumerate(zip(*rows, strict=True))
            ).all(),
            slots=Cat(
                ~messages[i] | filling | (one == two) for i, (one, two) in enumerate(zip(*slots, strict=True))
            ).all(),
            empty=a.filled | (a.first == a.tail),
            begins_empty=~filling | ~a.filled,
            fresh=a.filled | ~a.fresh.any(),
            filled=a.filled == b.filled,
            head=a.head.as_value() == b.head.as_value(),
            lanes=Cat(a.fresh, a.rx_result) == Cat(b.fresh, b.rx_result),
            popped=a.popped == b.popped,
        )
        m.d.comb += [
            Cover(a.popped & ~a.push & (level == 1) & (a.message.as_value() != b.message.as_value())),
            Cover(a.popped & (level == 2)),
        ]


class Pools(Property):
    """Blocks without an owner, by VM."""

    name = "timing-pools"
    promise = 10
    also = (7,)
    statement = (
        "In a strict block, whether ALLOC gives a VM a block and which, whether it is told that one is to be had, and"
        " which of its blocks is scrubbed next depends on nothing but what is allocated, given up and scrubbed of its"
        " own pool, and what is paid and granted to it: with all else different in a second copy, it is the same."
    )
    parameters = {
        "2 VMs": strict(),
        "3 VMs, 6 blocks": strict(vms=3, blocks=6),
        "no manager": strict(manager=Manager.NONE, open_at_reset=True, credits=1, block_quota=2),
    }
    short = ("2 VMs",)
    engines = (Induction(2),)
    covers = 24
    reduction = "The watched VM is symbolic. What the write engine and the walk do to blocks of others is free."
    limits = (
        "That strangers give up or pay for nothing of its pool: a block is always of the pool of who allocated it, and"
        " reaches others by messages of a permitted pair only (block-rights)."
    )
    assumptions = ENGINE[:3]
    controls = (
        Control(
            "a hungry VM is told of any clean block",
            "blocks.py",
            "self.available.eq(hungry & ~spent & (some if c.strict else some.replicate(c.vms)))",
            "self.available.eq(hungry & ~spent & (some.any().replicate(c.vms) if c.strict else some.replicate(c.vms)))",
            depth=20,
        ),
        Control(
            "a block is taken from any pool when the own one is empty",
            "blocks.py",
            "mine = mux_by_index(list(some), self.alloc_vm) if c.strict else some",
            "mine = some.any() if c.strict else some",
            depth=20,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        vm = symbolic(m, range(c.vms), "vm", below=c.vms)
        a, b = copies = [Blocks(c) for _ in "ab"]
        insides, tables = [], {}
        accounts = ["allocated", "freed"] + (["limits"] if c.manager is not Manager.NONE else [])
        filling = fill(m, c, *copies)
        for name, dut in zip("ab", copies, strict=True):
            m.submodules[f"blocks_{name}"] = inside = Inside(dut)
            insides.append(inside)
            tables[dut] = [getattr(inside.module.submodules, name) for name in accounts]
            free_inputs(m, dut, but=("fill", "fill_row"))
            one = Cat(dut.give, dut.free, dut.give_back, dut.revoke, dut.set_limit, dut.reclaim)
            acts = Signal(name=f"acts_{name}")
            torn = past(m, dut.kill, f"torn_{name}")
            word = Cat(dut.data, dut.vm, dut.target)
            m.d.comb += [
                acts.eq(one.any()),
                Assume(at_most_one(one)),
                Assume(~acts | ~(dut.kill | torn | past(m, torn, f"was_torn_{name}"))),
                Assume(~dut.kill | ~torn),
                Assume(~acts | ~past(m, acts, f"acted_{name}")),
                Assume(~acts | (word == past(m, word, f"word_{name}"))),
                Assume(~filling | ~(acts | dut.kill | dut.alloc | dut.scrubbed)),
                Assume((dut.alloc_vm < c.vms) & (dut.target < c.vms) & (dut.vm < c.vms)),
            ]

        def own(number):
            return ((number >= vm * c.own_blocks) & (number < (vm + 1) * c.own_blocks)) & (number < c.blocks)

        def told(dut, inside):
            """What the statement lets the answer depend on."""
            gives_up, number = inside.signal("_freed"), inside.signal("_block")
            mine = dut.alloc & (dut.alloc_vm == vm)
            freed, zero = gives_up & own(number), dut.scrubbed & own(dut.scrubbed_block)
            parts = [mine, freed, Mux(freed, number, 0), zero, Mux(zero, dut.scrubbed_block, 0), dut.scrub_vm]
            parts += [(dut.opened | dut.closed).bit_select(vm, 1)]
            for table in tables[dut][1:]:
                writes = table.write & (table.write_row == vm)
                parts += [writes, Mux(writes, table.write_data, 0)]
            return Cat(*parts)

        def kept(inside):
            pool = [inside.signal(name) for name in ("is_clean", "is_dirty")]
            bits = [(bits >> (vm * c.own_blocks))[: c.own_blocks] for bits in pool]
            return Cat(*bits, inside.signal("spent").bit_select(vm, 1), inside.signal("hungry").bit_select(vm, 1))

        def rows(inside):
            return Cat(index(rows_of(inside, name, c.vms), vm) for name in accounts)

        unfilled = filling & (a.fill_row <= vm) if c.vms > FLIP_FLOP_DEPTH else Const(0)
        m.d.comb += Assume(told(a, insides[0]) == told(b, insides[1]))
        asks = a.alloc & (a.alloc_vm == vm)
        claim(
            m,
            kept=kept(insides[0]) == kept(insides[1]),
            rows=unfilled | (rows(insides[0]) == rows(insides[1])),
            given=~asks | ((a.alloc_given == b.alloc_given) & (~a.alloc_given | (a.alloc_block == b.alloc_block))),
            inside=~(asks & a.alloc_given) | own(a.alloc_block),
            available=a.available.bit_select(vm, 1) == b.available.bit_select(vm, 1),
            scrub=(a.scrub_vm != vm) | ((a.scrub == b.scrub) & (~a.scrub | (a.scrub_block == b.scrub_block))),
        )
        m.d.comb += [
            Cover(asks & a.alloc_given & (a.clean != b.clean)),
            Cover(a.available.bit_select(vm, 1) & (a.available != b.available)),
        ]


PROPERTIES = [Writes, Reads, Scrubbing, Heads, Pools]
