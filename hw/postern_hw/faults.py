"""The fault log."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config
from postern_spec.regmap import FAULT_RECORDS_EXTRA

from .native import Sizes
from .select import bits_for, one_hot

__all__ = ["FaultSignature", "Faults"]


class FaultSignature(wiring.Signature):
    """A refused access, seen from the engine that refused it.

    Members
    -------
    valid : Out(1)
    record : Out
        VM-ID, or the number of VMs where there is none.
    kind : Out(4)
        ``Fault``.
    port : Out
    address : Out
        Byte address at that port.
    """

    def __init__(self, config: Config):
        sizes = Sizes(config)
        super().__init__(
            {
                "valid": Out(1),
                "record": Out(unsigned(bits_for(config.vms + FAULT_RECORDS_EXTRA))),
                "kind": Out(4),
                "port": Out(unsigned(sizes.port_bits)),
                "address": Out(sizes.address_bits),
            }
        )


class Faults(wiring.Component):
    """First fault of every VM, for writes and for reads, and how many there were. See ``docs/states.md``, section 9.

    A fault is in the log one cycle after the access was refused.

    Parameters
    ----------
    config : Config

    Members
    -------
    write, read : In(FaultSignature)
        From the two engines.
    clear : In(1), set_enable : In(1), half : In(1), data : In(32)
        Clear, or choose for the interrupt, the records in ``data``, of that half.
    set_stray : In(1)
        The same for the record of requests without a VM-ID: bit 0 clears, bit 8 chooses.
    pending, enable : Out(vms + 1)
        Records that are filled; records that raise the interrupt.
    interrupt : Out(1)
    look_record : In
        Record that the read engine wants.
    look_write, look_read : Out
        Its kind, port, count and address; zero if it is empty.
    """

    def __init__(self, config: Config):
        self.config = config
        self._sizes = sizes = Sizes(config)
        self.records = config.vms + FAULT_RECORDS_EXTRA
        look = data.StructLayout(
            {"kind": 4, "port": unsigned(sizes.port_bits), "address": sizes.address_bits, "count": 16}
        )
        super().__init__(
            {
                "write": In(FaultSignature(config)),
                "read": In(FaultSignature(config)),
                "clear": In(1),
                "set_enable": In(1),
                "half": In(1),
                "data": In(32),
                "set_stray": In(1),
                "pending": Out(self.records),
                "enable": Out(self.records),
                "interrupt": Out(1),
                "look_record": In(unsigned(bits_for(self.records))),
                "look_write": Out(look),
                "look_read": Out(look),
            }
        )

    def elaborate(self, platform):
        m = Module()
        vms = self.config.vms
        cleared = Signal(self.records)
        shifted = Mux(self.half, Cat(Const(0, 32), self.data), self.data)[:vms]
        m.d.comb += cleared.eq(Cat(shifted & self.clear.replicate(vms), self.data[0] & self.set_stray))
        with m.If(self.set_enable):
            for vm in range(vms):
                with m.If(self.half == vm // 32):
                    m.d.sync += self.enable[vm].eq(self.data[vm % 32])
        with m.If(self.set_stray):
            m.d.sync += self.enable[vms].eq(self.data[8])

        filled = []
        for name, fault, look in (("write", self.write, self.look_write), ("read", self.read, self.look_read)):
            filled.append(self._log(m, name, fault, look, cleared))
        m.d.comb += [
            self.pending.eq(filled[0] | filled[1]),
            self.interrupt.eq((self.pending & self.enable).any()),
        ]
        return m

    def _log(self, m: Module, name: str, came, look, cleared):
        fault = FaultSignature(self.config).create(path=(name, "late"))  # a cycle later, to shorten the way
        for member in ("valid", "record", "kind", "port", "address"):
            m.d.sync += getattr(fault, member).eq(getattr(came, member))
        first = data.StructLayout({key: look.shape().members[key] for key in ("kind", "port", "address")})
        what = memory.Memory(shape=first, depth=self.records, init=[])
        many = memory.Memory(shape=unsigned(16), depth=self.records, init=[])
        m.submodules[f"{name}_first"], m.submodules[f"{name}_count"] = what, many
        what_w, what_r = what.write_port(), what.read_port(domain="comb")
        many_w, many_r, many_look = many.write_port(), many.read_port(domain="comb"), many.read_port(domain="comb")

        filled = Signal(self.records, name=f"{name}_filled")
        here = Cat(one_hot(fault.record, self.records, fault.valid))
        kept = Signal()
        count = Signal(16)
        m.d.comb += [
            kept.eq((filled & ~cleared & here).any()),
            what_w.en.eq(fault.valid & ~kept),
            what_w.addr.eq(fault.record),
            what_w.data.kind.eq(fault.kind),
            what_w.data.port.eq(fault.port),
            what_w.data.address.eq(fault.address),
            many_r.addr.eq(fault.record),
            many_w.en.eq(fault.valid),
            many_w.addr.eq(fault.record),
            count.eq(many_r.data + ~many_r.data.all()),
            many_w.data.eq(Mux(kept, count, 1)),
            what_r.addr.eq(self.look_record),
            many_look.addr.eq(self.look_record),
        ]
        m.d.sync += filled.eq((filled & ~cleared) | here)
        with m.If((filled & Cat(one_hot(self.look_record, self.records))).any()):
            m.d.comb += [
                look.kind.eq(what_r.data.kind),
                look.port.eq(what_r.data.port),
                look.address.eq(what_r.data.address),
                look.count.eq(many_look.data),
            ]
        return filled
