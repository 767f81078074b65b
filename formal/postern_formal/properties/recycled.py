"""What a VM-ID keeps of the VM that had it before, when it is opened again: nothing."""

from amaranth.hdl import Assume, Cat, Const, Cover, Module, Signal, Value

from postern_hw.decode import Decoder
from postern_hw.directory import Directory
from postern_hw.interrupts import Interrupts
from postern_hw.port import Port as PortComponent
from postern_hw.queue import Queue
from postern_hw.write_engine import result_entry
from postern_spec.config import Bus, Config, Identity
from postern_spec.regmap import Interrupt, Popped, Result, Settled, sources

from ..engines import Induction
from ..harness import claim, fill, index, past, rows_of
from ..property import Assumption, Control, Inside, Property, free, free_inputs, symbolic
from .directory import ENGINE, WALKS_ALONE
from .identity import CHECKED_STAYS, COMMIT_IS_ONE, CONNECTED, any_writes, reduced
from .order import GRANTED
from .teardown import RINGS, any_bells

__all__ = ["PROPERTIES"]

TORN = Assumption("closed-are-torn", "In the cycle in which a VM is opened or closed, ports empty all its lanes.")
TOLD = Assumption("opened-is-told", "In the cycle after a VM was opened, ports hear that something has changed.")
STAYS = Assumption(
    "request-stays",
    "What a bus adapter asks of a port is not replaced in the next cycle, unless the port takes it or is reset.",
)
OWNERS = Assumption("registers-of-the-open", "Only a VM that is open looks at its queue, or writes its registers.")

DIRECTORY = (
    "permitted", "acknowledged", "source_open", "source_draining", "connected", "target_alive", "target_open",
    "source_generation", "target_generation", "walking", "will_walk", "walk_vm", "walk_step", "walk_last",
    "killing", "kill_vm", "kill_step",
)  # fmt: skip
"""What the directory tells the write engine, under the same names."""


def since(m: Module, begins, ends, name: str = "untouched") -> Signal:
    """Return whether the first has happened, and the other not since. At once, the first counts."""
    lasts = Signal(name=name)
    with m.If(begins | ends):
        m.d.sync += lasts.eq(begins)
    return lasts


class Results(Property):
    """Write engine and directory, wired as in the block; a symbolic VM and a lane of it."""

    name = "recycled-results"
    promise = 8
    also = (6,)
    statement = (
        "When a VM is opened, each of its lanes says that nothing was refused, that no message was accepted and that no"
        " block was given up, until a write of the VM itself acts; as long as it is closed, no lane of it waits for an"
        " acknowledgement."
    )
    parameters = {
        "2 ports, blocks": reduced(vms=2, blocks=2, banks=1),
        "3 VMs, no blocks": reduced(blocks=0),
        "2 VMs, 3 lanes": reduced(blocks=0, vms=2, lanes=3),
    }
    short = ("3 VMs, no blocks",)
    covers = 36
    assumptions = (COMMIT_IS_ONE, CONNECTED, CHECKED_STAYS, WALKS_ALONE)
    reduction = "VM and lane are symbolic. What others than the directory answer the engine is free."
    controls = (
        Control(
            "opening a VM leaves its results",
            "write_engine.py",
            "outcome.write.eq(self.walk_step < c.lanes),",
            "outcome.write.eq(0),",
            depth=34,
        ),
        Control(
            "opening a VM leaves what became of its blocks",
            "write_engine.py",
            "outcomes.write.eq(self.walk_step < c.lanes),",
            "outcomes.write.eq(0),",
            depth=34,
        ),
        Control(
            "a closed VM still has to acknowledge",
            "write_engine.py",
            "with m.If(self.closed_vm[vm]):\n                m.d.sync += lanes.eq(0)",
            "with m.If(self.closed_vm[vm] & 0):\n                m.d.sync += lanes.eq(0)",
            depth=34,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut, inside = any_writes(m, c, but=(*DIRECTORY, "closed_vm", "refused_command", "fill", "fill_row"))
        m.submodules.directory = directory = Directory(c)
        filling = fill(m, c, dut, directory)
        free(m, directory.empty, directory.look_source, directory.look_target)
        m.d.comb += [
            *(getattr(dut, name).eq(getattr(directory, name)) for name in DIRECTORY),
            *(getattr(directory, name).eq(getattr(dut, name)) for name in ("source", "target", "sources", "targets")),
            *(getattr(directory, name).eq(getattr(dut, name)) for name in ("data", "idle", "walk", "kill")),
            directory.acknowledge.eq(dut.do.peer),
            directory.set_permit.eq(dut.do.permit),
            directory.permit_half.eq(dut.half),
            directory.command.eq(dut.do.control),
            directory.filled.eq(0),  # how long tearing down takes is not looked at
            dut.closed_vm.eq(directory.closed),
            dut.refused_command.eq(directory.refuse),
            Assume(~directory.command | ~directory.walking),
        ]
        for request in dut.requests:
            m.d.comb += [Assume(~filling | ~request.valid), Assume(request.payload.vm < c.vms)]
        vm = symbolic(m, range(c.vms), "vm", below=c.vms)
        lane = symbolic(m, range(c.lanes), "lane", below=c.lanes)
        opened, closed = (bits.bit_select(vm, 1) for bits in (directory.opened, directory.closed))
        own = dut.acted.any() & (dut.vm == vm) & ~dut._request.manager
        untouched = since(m, opened, own | closed)
        rows = c.vms << dut.sizes.lane_log
        row = Cat(lane[: dut.sizes.lane_log], vm)
        result = index(rows_of(inside, "results", rows), row)
        outcome = index(rows_of(inside, "outcomes", rows), row) if c.blocks else Const(Settled.NONE, 2)
        nothing = result_entry(c).const({"code": Result.ACCEPTED, "vm": 0, "count": 0}).as_value()
        claim(
            m,
            result=~untouched | (result == nothing),
            outcome=~untouched | (outcome == Settled.NONE),
            waits=directory.open.bit_select(vm, 1) & ~untouched | ~dut.refusing.bit_select(vm, 1),
        )
        m.d.comb += [
            Cover(past(m, opened, "did_open") & (vm == 1)),
            Cover(directory.walking & (directory.walk_vm == vm) & (result != nothing)),
        ]


class Lanes(Property):
    """A port; a symbolic VM, a lane of it and a word."""

    name = "recycled-lanes"
    promise = 8
    also = (1, 4)
    statement = (
        "A message that a port passes on as whole has no word but those that its VM staged in that lane since the VM"
        " was opened last, since the commit before it, and since the lane was emptied or the port reset."
    )
    parameters = {
        "sideband, 2 VMs": reduced(vms=2, words=3),
        "static": reduced(Identity.STATIC, words=3),
        "page, Wishbone, no request register": reduced(
            Identity.PAGE, Bus.WISHBONE, vms=2, words=3, blocks=0, request_register=False
        ),
    }
    short = ("static",)
    covers = 26
    assumptions = (TORN, TOLD, STAYS, GRANTED)
    reduction = (
        "VM, lane and word are symbolic; data are not looked at. That the slot of a lane is nobody else's is"
        " slot-permutation."
    )
    controls = (
        Control(
            "a VM that is closed and opened keeps what it staged",
            "port.py",
            "with m.If(tear[i] | self.reset):",
            "with m.If(self.reset):",
            depth=24,
        ),
        Control(
            "a message may begin with any word",
            "port.py",
            "first, follows = (staged_word == 0), holding & (staged_word == count)",
            "first, follows = ~holding, holding & (staged_word == count)",
            depth=24,
        ),
        Control(
            "a lane is not empty after a commit",
            "port.py",
            'clear_busy.eq(flags["commit"] & ~none),',
            'clear_busy.eq(flags["commit"] & ~none & torn),',
            depth=24,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut = PortComponent(c, 0)
        m.submodules.port = dut
        filling = fill(m, c, dut)
        free_inputs(m, dut, but=("fill", "fill_row", "ready"))
        vm = symbolic(m, range(c.vms), "vm", below=c.vms)
        lane = symbolic(m, range(c.lanes), "lane", below=c.lanes)
        word = symbolic(m, range(c.words), "word", below=c.words)
        is_open = dut.open.bit_select(vm, 1)
        empties = dut.tear.bit_select(vm, 1) | dut.reset
        turns = past(m, is_open, "was_open") != is_open
        asked = Value.cast(dut.write.payload)
        waited = past(m, dut.write.valid & ~dut.write.ready & ~dut.reset, "waited")
        m.d.comb += [
            dut.ready.eq(~filling),
            Assume(~turns | past(m, dut.tear.bit_select(vm, 1), "emptied")),
            Assume(~(turns & is_open) | dut.changed),
            Assume(~(waited & dut.write.valid) | dut.reset | (asked == past(m, asked, "asked_before"))),
        ]
        if c.blocks:
            m.d.comb += Assume(~dut.w_sram.grant | dut.w_sram.request)
        payload = dut.w_engine.payload
        guest = Decoder(dut.sizes.guest_page, payload.offset)
        mine = payload.vm == vm
        # Words of a closed VM go into the slot, too, but do not count.
        stages = dut.w_pool.request.any() & dut.w_pool.enable & dut.w_pool.grant & dut.w_issue & mine & is_open
        stages = stages & (guest.index("STAGE", "lane") == lane) & (guest.index("STAGE", "word") == word)
        commits = dut.w_engine.valid & dut.w_engine.ready & payload.commit & mine
        commits = commits & (guest.index("COMMIT", "lane") == lane)
        whole = commits & ~payload.torn
        staged = Signal()
        with m.If(stages):
            m.d.sync += staged.eq(1)
        with m.If(commits | empties):
            m.d.sync += staged.eq(0)
        claim(
            m,
            words=~whole | (payload.last <= word) | staged,
            closed=is_open | ~staged,
        )
        m.d.comb += [
            Cover(whole & (payload.last == c.words - 1)),
            Cover(past(m, staged & empties, "lost") & turns & ~is_open),
        ]


class Pops(Property):
    """The queue of a VM, and a lane of it."""

    name = "recycled-pops"
    promise = 8
    also = (4,)
    statement = (
        "A message leaves a queue only by a pop of a lane that has read its header since the VM was opened last, or"
        " with the VM when it is killed; and until a lane pops, it has no result of a pop from before that."
    )
    parameters = {"depth 4": reduced(blocks=0), "depth 5, 3 lanes, blocks": reduced(depth=5, lanes=3)}
    engines = (Induction(3),)
    covers = 24
    assumptions = (OWNERS,)
    reduction = "The queue is that of one VM, the lane is symbolic."
    controls = (
        Control(
            "a lane that has looked may still pop when the VM is opened again",
            "queue.py",
            "with m.If(self.popped | self.forget):",
            "with m.If(self.popped):",
            depth=20,
        ),
        Control(
            "a lane keeps the result of its last pop",
            "queue.py",
            "with m.If(self.forget):\n                m.d.sync += result.eq(Popped.NONE)",
            "with m.If(self.forget & self.filled):\n                m.d.sync += result.eq(Popped.NONE)",
            depth=20,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut = Queue(c, 1)
        m.submodules.queue = dut
        filling = fill(m, c, dut)
        free_inputs(m, dut, but=("fill", "fill_row"))
        is_open, lane = Signal(), symbolic(m, range(c.lanes), "lane", below=c.lanes)
        free(m, is_open)
        turns = past(m, is_open, "was_open") != is_open
        m.d.comb += [
            Assume(~filling | ~Cat(dut.push, dut.look, dut.take, dut.drop, is_open).any()),
            Assume(~turns | past(m, dut.forget, "forgot")),
            Assume(is_open | ~dut.look.any()),
        ]
        looked, tried = Signal(c.lanes), Signal(c.lanes)
        m.d.sync += [looked.eq(looked | dut.look), tried.eq(tried | dut.take)]
        with m.If(dut.popped):  # nobody has seen what comes next
            m.d.sync += looked.eq(0)
        with m.If(dut.forget):
            m.d.sync += [looked.eq(0), tried.eq(0)]
        fresh, has_looked, has_tried = (bits.bit_select(lane, 1) for bits in (dut.fresh, looked, tried))
        claim(
            m,
            pops=~dut.popped | dut.drop | (dut.take & looked).any(),
            fresh=~fresh | has_looked,
            all=~(dut.fresh & ~looked).any(),
            result=has_tried | (dut.rx_result.word_select(lane, 2) == Popped.NONE),
            looks=is_open | ~looked.any(),
        )
        m.d.comb += [
            Cover(dut.popped & ~dut.drop & (dut.level == c.depth)),
            Cover(turns & ~is_open & past(m, fresh & dut.forget, "was_fresh")),
        ]


class Bells(Property):
    """Directory and doorbells, wired as in the block; a symbolic VM and a peer of it."""

    name = "recycled-doorbells"
    promise = 8
    also = (6,)
    statement = (
        "When a VM is opened, no doorbell is pending for it and none of it anywhere, until it rings or is rung; as long"
        " as it is closed, none is pending for it."
    )
    parameters = {"2 VMs": reduced(blocks=0, vms=2, lanes=1), "3 VMs, 4 lanes": reduced(blocks=0, lanes=4)}
    short = ("2 VMs",)
    covers = 24
    assumptions = (*ENGINE, RINGS)
    reduction = "VM and peer are symbolic."
    controls = (
        Control(
            "peers keep the doorbells of the VM that was there before",
            "doorbells.py",
            "following.eq(now & ~sender)",
            "following.eq(now)",
            depth=24,
        ),
        Control(
            "a closed VM keeps its doorbells",
            "doorbells.py",
            "        with m.If(self.forget_all):\n            m.d.comb += following.eq(0)",
            "        with m.If(self.forget_all & self.forget_sender):\n            m.d.comb += following.eq(0)",
            depth=24,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut, bells, inside, filling = any_bells(m, c)
        vm, peer = (symbolic(m, range(c.vms), name, below=c.vms) for name in ("vm", "peer"))
        opened, is_open = dut.opened.bit_select(vm, 1), dut.open.bit_select(vm, 1)
        untouched = since(m, opened, bells.ring & ((dut.source == vm) | (dut.target == vm)))
        rows = rows_of(inside, "pending", c.vms)
        own, theirs = index(rows, vm), index(rows, peer).bit_select(vm, 1)
        claim(
            m,
            own=~untouched | (own == 0),
            theirs=~untouched | ~theirs,
            closed=filling | is_open | (own == 0),
            any=filling | (bells.any.bit_select(vm, 1) == own.any()),
        )
        m.d.comb += [
            Cover(untouched & is_open & past(m, opened, "did_open") & (peer != vm)),
            Cover(dut.walking & (dut.walk_vm == vm) & theirs & (peer != vm)),
        ]


class Enables(Property):
    """Interrupts; a symbolic VM, a core and a source."""

    name = "recycled-interrupts"
    promise = 8
    also = (6,)
    statement = (
        "When a VM is opened, none of its interrupts is enabled or moderated until it says so, and none is latched but"
        " by an event since; as long as it is closed it interrupts nobody."
    )
    parameters = {"2 ports, blocks": reduced(moderation=True), "no request register": reduced(request_register=False)}
    engines = (Induction(3),)
    assumptions = (OWNERS,)
    reduction = "VM, core and source are symbolic."
    limits = "What is not latched (mail, doorbells, refusals) is recycled-pops, -doorbells and -results."
    controls = (
        Control(
            "a VM keeps the enables of the one before",
            "interrupts.py",
            "with m.If(self.closed[vm]):\n                    m.d.sync += enable.eq(0)",
            "with m.If(self.closed[vm]):\n                    m.d.sync += enable[1:].eq(0)",
        ),
        Control(
            "latches stay when a VM is opened",
            "interrupts.py",
            "with m.If(self.opened[vm] | self.closed[vm]):",
            "with m.If(self.closed[vm]):",
        ),
        Control(
            "moderation stays",
            "interrupts.py",
            "with m.If(self.closed[vm]):\n            m.d.sync += [count.eq(0), time.eq(0)]",
            "with m.If(self.closed[vm]):\n            m.d.sync += count.eq(0)",
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut = Interrupts(c)
        m.submodules.interrupts = inside = Inside(dut)
        free_inputs(m, dut, but=("look_vm", "look_core"))
        vm = symbolic(m, range(c.vms), "vm", below=c.vms)
        core = symbolic(m, range(c.cores), "core", below=c.cores)
        listed = sources(c)
        source = symbolic(m, range(len(listed)), "source", below=len(listed))
        opened, closed, is_open = (bits.bit_select(vm, 1) for bits in (dut.opened, dut.closed, dut.open))
        did_open, did_close = past(m, opened, "did_open"), past(m, closed, "did_close")
        mine = dut.vm == vm
        writes = dut.clear | dut.test | dut.set_moderation | dut.set_enable
        m.d.comb += [
            dut.look_vm.eq(vm),
            dut.look_core.eq(core),
            Assume(~(writes & mine) | is_open),
            Assume(is_open == (did_open | past(m, is_open, "was_open") & ~did_close)),
            Assume(~(opened & is_open)),
        ]
        events = {Interrupt.CREDIT: dut.credit, Interrupt.PEER: dut.peer}
        if c.blocks:
            events |= {Interrupt.BLOCK: dut.available, Interrupt.LOAN: dut.loan_over}
        event = index([events[item].bit_select(vm, 1) if item in events else Const(0) for item in listed], source)
        latches = [index([inside.signal(f"latch_{i}") for i in range(c.vms)], vm)]
        if c.request_register:
            latches.append(index([inside.signal(f"came_{i}") for i in range(c.vms)], vm))
        quiet = since(m, opened & ~event, event | dut.test & mine, "quiet")
        silent = since(m, opened, dut.set_enable & mine & (dut.core == core), "silent")
        plain = since(m, opened, dut.set_moderation & mine, "plain")
        claim(
            m,
            latched=~quiet | ~Cat(bits.bit_select(source, 1) for bits in latches).any(),
            enabled=~silent | (dut.look_enable == 0),
            moderated=~plain | (dut.look_moderation == 0),
            closed=is_open | (Cat(dut.look_enable, dut.look_moderation) == 0),
        )
        m.d.comb += [
            Cover(silent & past(m, opened, "opens") & is_open),
            Cover(closed & (dut.look_enable != 0)),
            Cover(opened & latches[0].bit_select(source, 1)),
        ]


PROPERTIES = [Results, Lanes, Pops, Bells, Enables]
