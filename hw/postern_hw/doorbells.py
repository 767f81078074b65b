"""Doorbells: one bit per receiver and sender."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config

from .native import Sizes
from .queue import fill_bits
from .select import one_hot
from .table import Table

__all__ = ["Doorbells"]


class Doorbells(wiring.Component):
    """Pending bits, one row per receiver. Ringing and clearing take turns in the write engine, so no ring is lost.

    Parameters
    ----------
    config : Config

    Members
    -------
    row : In
        Whose pending bits the write engine works on.
    ring : In(1), sender : In
        Set the sender's bit.
    clear : In(1), half : In(1), data : In(32)
        Clear the bits that are set in ``data``, of that half.
    forget_sender, forget_all : In(1)
        Clear the sender's bit; clear the row.
    any : Out(vms)
        Some bit of this VM is set.
    look_row, look : In, Out
        The row for the read engine.
    fill, fill_row : In
    """

    def __init__(self, config: Config):
        self.config = config
        vm = unsigned(Sizes(config).vm_bits)
        super().__init__(
            {
                "row": In(vm),
                "ring": In(1),
                "sender": In(vm),
                "clear": In(1),
                "half": In(1),
                "data": In(32),
                "forget_sender": In(1),
                "forget_all": In(1),
                "any": Out(config.vms),
                "look_row": In(vm),
                "look": Out(config.vms),
                "fill": In(1),
                "fill_row": In(fill_bits(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        vms = self.config.vms
        m.submodules.pending = pending = Table(vms, vms, readers=2, init=[0] * vms, fill_bits=len(self.fill_row))
        now = pending.read(m, 0, self.row)
        sender = Cat(one_hot(self.sender, vms))
        low = min(vms, 32)
        cleared = Mux(self.half, Cat(now[:32], now[32:] & ~self.data), Cat(now[:32] & ~self.data[:low], now[32:]))
        following = Signal(vms)
        m.d.comb += [
            following.eq(now | sender),
            pending.fill.eq(self.fill),
            pending.fill_row.eq(self.fill_row),
            pending.write.eq(self.ring | self.clear | self.forget_sender | self.forget_all),
            pending.write_row.eq(self.row),
            pending.write_data.eq(following),
            self.look.eq(pending.read(m, 1, self.look_row)),
        ]
        with m.If(self.clear):
            m.d.comb += following.eq(cleared[:vms])
        with m.If(self.forget_sender):
            m.d.comb += following.eq(now & ~sender)
        with m.If(self.forget_all):
            m.d.comb += following.eq(0)
        with m.If(pending.write):
            for vm, here in enumerate(one_hot(self.row, vms)):
                with m.If(here):
                    m.d.sync += self.any[vm].eq(following.any())
        return m
