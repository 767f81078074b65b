"""Tables beside the read engine: they answer by the row that it asks for."""

from amaranth.hdl import Assume, Cat, Const, Cover, Module

from postern_hw.blocks import Blocks
from postern_hw.directory import Directory
from postern_hw.doorbells import Doorbells
from postern_hw.queue import Queue
from postern_spec.config import Config

from ..engines import Induction
from ..harness import claim, fill, index, past, rows_of
from ..property import Control, Inside, Property, free_inputs, symbolic
from .identity import CHECKED_STAYS, COMMIT_IS_ONE, CONNECTED, any_writes, reduced

__all__ = ["PROPERTIES"]


class Rows(Property):
    """Directory and doorbells, looked at for a symbolic requester and peer."""

    name = "tables-answer"
    promise = 2
    statement = (
        "Permission, acknowledgement, generations and doorbells that the read engine is told of are those of the"
        " requester and the peer that it names, as they are in that cycle, whatever is written meanwhile."
    )
    parameters = {"3 VMs": reduced(blocks=0), "5 VMs (LUT RAM)": reduced(blocks=0, vms=5)}
    engines = (Induction(2),)
    covers = 20
    reduction = "Requester and peer are symbolic; whatever the write engine does to the tables is free."
    limits = "Results, credits and numbers of blocks: tables-count; what BLOCK shows: block-rights."
    controls = (
        Control(
            "the permission is that of the row that is being written",
            "directory.py",
            "self.look_permits.eq(permits.read(m, 1, self.look_target)),",
            "self.look_permits.eq(permits.read(m, 1, self.target)),",
        ),
        Control(
            "the doorbells are those of the row that is being written",
            "doorbells.py",
            "self.look.eq(pending.read(m, 1, self.look_row)),",
            "self.look.eq(pending.read(m, 1, self.row)),",
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut, bells = Directory(c), Doorbells(c)
        m.submodules.directory = opened = Inside(dut)
        m.submodules.doorbells = rung = Inside(bells)
        looks = ("fill", "fill_row", "look_target", "look_source", "look_row")
        free_inputs(m, dut, but=looks)
        free_inputs(m, bells, but=looks)
        fill(m, c, dut, bells)
        own = symbolic(m, range(c.vms), "own", below=c.vms)
        peer = symbolic(m, range(c.vms), "peer", below=c.vms)
        m.d.comb += [dut.look_source.eq(own), dut.look_target.eq(peer), bells.look_row.eq(own)]
        m.d.comb += [Assume((dut.target < c.vms) & (bells.row < c.vms))]
        permits, known, generations = (rows_of(opened, name, c.vms) for name in ("permits", "known", "generations"))
        permitted = index(permits, peer).bit_select(own, 1)
        claim(
            m,
            row=dut.look_permits == index(permits, peer),
            permitted=dut.look_permitted == permitted,
            acknowledged=dut.look_acknowledged == index(known, peer).bit_select(own, 1),
            generation=dut.look_generation == index(generations, peer),
            own_generation=dut.look_own_generation == index(generations, own),
            doorbells=bells.look == index(rows_of(rung, "pending", c.vms), own),
        )
        m.d.comb += [Cover(permitted & (own != peer) & ~dut.fill), Cover(bells.look.any() & ~bells.fill)]


class Counts(Property):
    """Write engine, a queue and the blocks, looked at for a symbolic requester, lane and account."""

    name = "tables-count"
    promise = 2
    statement = (
        "The result of a lane, the outcome of what it did with a block, the credits at a queue and the numbers of"
        " blocks that the read engine is told of are those of the requester that it names, whatever is written then."
    )
    parameters = {
        "3 VMs, 4 blocks": reduced(),
        "5 VMs, 3 lanes, 8 blocks (LUT RAM)": reduced(vms=5, lanes=3, blocks=8),
    }
    engines = (Induction(3),)
    covers = 24
    assumptions = (COMMIT_IS_ONE, CONNECTED, CHECKED_STAYS)
    reduction = "Requester, lane and account are symbolic; whatever is written to the tables is free."
    limits = (
        "That the rows hold what they should is tested in lockstep; that credits never sum to too much is credit-sum."
    )
    controls = (
        Control(
            "the result is that of the VM that commits",
            "write_engine.py",
            "wanted = Cat(self.look_lane[: sizes.lane_log], self.look_vm)",
            "wanted = Cat(self.look_lane[: sizes.lane_log], self._source)",
            depth=16,
        ),
        Control(
            "the outcome is that of the first lane",
            "write_engine.py",
            "self.look_settled.eq(outcomes.read(m, 0, Cat(self.look_lane[: sizes.lane_log], self.look_vm))),",
            "self.look_settled.eq(outcomes.read(m, 0, Cat(Const(0, sizes.lane_log), self.look_vm))),",
            depth=16,
        ),
        Control(
            "credits are those of who sends",
            "queue.py",
            "self.look_gone.eq(went.read(m, 1, self.reader)),",
            "self.look_gone.eq(went.read(m, 1, self.sender)),",
            depth=16,
        ),
        Control(
            "the limit is that of who allocates",
            "blocks.py",
            "self.look_limit.eq(limits.read(m, 1, self.look_account)),",
            "self.look_limit.eq(limits.read(m, 1, self.alloc_vm)),",
            depth=16,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        engine, judge = any_writes(m, c, but=("look_vm", "look_lane", "fill", "fill_row"))
        queue, blocks = Queue(c, 1), Blocks(c)
        m.submodules.queue = kept = Inside(queue)
        m.submodules.blocks = owned = Inside(blocks)
        free_inputs(m, queue, but=("reader", "fill", "fill_row"))
        free_inputs(m, blocks, but=("look_account", "fill", "fill_row"))
        filling = fill(m, c, engine, queue, blocks)
        own = symbolic(m, range(c.vms), "own", below=c.vms)
        lane = symbolic(m, range(c.lanes), "lane", below=c.lanes)
        m.d.comb += [
            engine.look_vm.eq(own),
            engine.look_lane.eq(lane),
            queue.reader.eq(own),
            blocks.look_account.eq(own),
            *(Assume(~filling | ~request.valid) for request in engine.requests),
        ]
        row, rows = Cat(lane[: engine.sizes.lane_log], own), c.vms << engine.sizes.lane_log
        results, outcomes = (index(rows_of(judge, name, rows), row) for name in ("results", "outcomes"))
        came = index(rows_of(kept, "counts", c.vms), own)
        numbers = {
            name: index(rows_of(owned, name, c.vms), own)
            for name in ("allocated", "freed", "limits", "came", "gone", "borrowed")
        }
        width = len(blocks.look_used)
        used, has = numbers["allocated"] - numbers["freed"], numbers["allocated"] + numbers["came"] - numbers["gone"]
        asked = past(m, Const(1), "asked")  # where reads take a cycle more, the row was named a cycle ago
        claim(
            m,
            result=~asked | (engine.look_result.as_value() == results),
            outcome=engine.look_settled == outcomes,
            credits=Cat(queue.look_sent, queue.look_stop) == came,
            gone=queue.look_gone == index(rows_of(kept, "went", c.vms), own),
            used=blocks.look_used == used[:width],
            owned=blocks.look_owned == has[:width],
            limit=blocks.look_limit == numbers["limits"],
            borrowed=blocks.look_borrowed == numbers["borrowed"],
        )
        m.d.comb += [Cover(engine.look_result.count != 0), Cover(queue.look_gone == 2), Cover(blocks.look_used == 2)]


PROPERTIES = [Rows, Counts]
