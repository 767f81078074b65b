"""Tables beside the read engine: they answer by the row that it asks for."""

from amaranth.hdl import Assume, Cover, Module

from postern_hw.directory import Directory
from postern_hw.doorbells import Doorbells
from postern_spec.config import Config

from ..engines import Induction
from ..harness import claim, fill, index, rows_of
from ..property import Control, Inside, Property, free_inputs, symbolic
from .identity import reduced

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
    limits = "Results, credits and blocks: tested (lockstep), and block-rights has what BLOCK shows."
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


PROPERTIES = [Rows]
