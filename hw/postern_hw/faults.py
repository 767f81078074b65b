"""The fault log."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config
from postern_spec.regmap import FAULT_RECORDS_EXTRA

from .arbiter import arbitrate
from .native import Sizes
from .select import any_of, bits_for, choose, one_hot
from .turns import TurnsSignature

__all__ = ["FaultSignature", "Faults", "Refusals", "refusal"]


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


def refusal(c: Config) -> data.StructLayout:
    """What is logged of a refused access of the SRAM, but for its port."""
    sizes = Sizes(c)
    return data.StructLayout(
        {"record": unsigned(bits_for(c.vms + FAULT_RECORDS_EXTRA)), "kind": 4, "address": sizes.address_bits}
    )


class Refusals(wiring.Component):
    """Refused accesses of the SRAM by one port in one direction, until they are logged.

    Whether an access is refused is known two cycles after it was passed on, and two more may be on their way then.

    Parameters
    ----------
    config : Config

    Members
    -------
    push : In(1), i : In(refusal)
        One more.
    room : Out(1)
        An access may be passed on. Otherwise too many wait.
    o : Out(stream of refusal)
        The oldest one.
    """

    DEPTH = 4  # a power of two

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "push": In(1),
                "i": In(refusal(config)),
                "room": Out(1, init=1),
                "o": Out(stream.Signature(refusal(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.waiting = waiting = memory.Memory(shape=refusal(self.config), depth=self.DEPTH, init=[])
        w_port, r_port = waiting.write_port(), waiting.read_port(domain="comb")
        first, tail = Signal(range(self.DEPTH)), Signal(range(self.DEPTH))
        count, after = Signal(range(self.DEPTH + 1)), Signal(range(self.DEPTH + 1))
        taken = self.o.valid & self.o.ready
        m.d.comb += [
            w_port.en.eq(self.push),
            w_port.addr.eq(tail),
            w_port.data.eq(self.i),
            r_port.addr.eq(first),
            self.o.valid.eq(count != 0),
            self.o.payload.eq(r_port.data),
            after.eq(count + self.push - taken),
        ]
        m.d.sync += [count.eq(after), self.room.eq(after <= self.DEPTH - 3)]
        with m.If(self.push):
            m.d.sync += tail.eq(tail + 1)
        with m.If(taken):
            m.d.sync += first.eq(first + 1)
        return m


class Faults(wiring.Component):
    """First fault of every VM, for writes and for reads, and how many there were. See ``docs/states.md``, section 9.

    A fault is in the log one cycle after the access was refused. Refused accesses of the SRAM take turns, round robin
    between ports, so none waits for more than one of each other port; they have records of their own beside those of
    the engines, so that nobody waits for these. What is shown is the older of the two, and the number of all.

    Parameters
    ----------
    config : Config

    Members
    -------
    write, read : In(FaultSignature)
        From the two engines.
    w_refusals, r_refusals : In(stream of refusal).array(ports)
        From the ports, where there are blocks. A fault of an engine in the same cycle is the older one.
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
    turns : In(TurnsSignature)
        With blocks, where the block is strict: refused accesses of the SRAM go by these.
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
            | (
                {f"{way}_refusals": In(stream.Signature(refusal(config))).array(len(config.ports)) for way in "wr"}
                if config.blocks
                else {}
            )
            | ({"turns": In(TurnsSignature(config))} if config.strict and config.blocks else {})
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
            if self.config.blocks:
                filled.append(self._two_logs(m, name, fault, look, cleared))
                continue
            log = self._log(m, name, fault, cleared)
            filled.append(log["filled"])
            with m.If(log["look_filled"]):
                m.d.comb += [
                    *(getattr(look, key).eq(log["look_first"][key]) for key in ("kind", "port", "address")),
                    look.count.eq(log["look_count"]),
                ]
        m.d.comb += [
            self.pending.eq(filled[0] | filled[1]),
            self.interrupt.eq((self.pending & self.enable).any()),
        ]
        return m

    def _two_logs(self, m: Module, name: str, fault, look, cleared):
        """Keep the engine's faults and the SRAM's apart, and show them as one."""
        refused = self._next_refusal(m, name)
        logs = [self._log(m, name, fault, cleared), self._log(m, f"{name}_sram", refused, cleared)]
        by_sram = Signal(self.records, name=f"{name}_by_sram")  # the older one is the SRAM's
        kept = [log["filled"] & ~cleared for log in logs]
        new = [log["here"] & ~(kept[0] | kept[1]) for log in logs]
        m.d.sync += by_sram.eq((by_sram | new[1]) & ~new[0])
        older = (by_sram & Cat(one_hot(self.look_record, self.records))).any()
        there = [log["look_filled"] for log in logs]
        counts = [log["look_count"] & bit.replicate(16) for log, bit in zip(logs, there, strict=True)]
        total = Signal(17, name=f"{name}_total")
        m.d.comb += total.eq(counts[0] + counts[1])
        with m.If(there[0] | there[1]):
            m.d.comb += [
                *(
                    getattr(look, key).eq(Mux(older, logs[1]["look_first"][key], logs[0]["look_first"][key]))
                    for key in ("kind", "port", "address")
                ),
                look.count.eq(Mux(total[16], 0xFFFF, total)),
            ]
        return logs[0]["filled"] | logs[1]["filled"]

    def _next_refusal(self, m: Module, name: str):
        """Take one of the refused accesses of the SRAM that wait."""
        streams = getattr(self, f"{name[0]}_refusals")
        turns = (self.turns.strict, self.turns.read) if self.config.strict else (None, None)
        turn = arbitrate(m, self.config, f"{name}_turn", len(streams), *turns)
        fault = FaultSignature(self.config).create(path=(name, "refused"))
        m.d.comb += [
            turn.request.eq(Cat(item.valid for item in streams)),
            turn.accept.eq(1),
            fault.valid.eq((turn.grant if self.config.strict else turn.request).any()),
            fault.port.eq(any_of([Mux(bit, port, 0) for port, bit in enumerate(turn.grant)])),
            *(item.ready.eq(bit) for item, bit in zip(streams, turn.grant, strict=True)),
        ]
        for member in ("record", "kind", "address"):
            values = [getattr(item.payload, member) for item in streams]
            m.d.comb += getattr(fault, member).eq(choose(turn.grant, values))
        return fault

    def _log(self, m: Module, name: str, came, cleared) -> dict:
        fault = FaultSignature(self.config).create(path=(name, "late"))  # a cycle later, to shorten the way
        for member in ("valid", "record", "kind", "port", "address"):
            m.d.sync += getattr(fault, member).eq(getattr(came, member))
        look = self.look_write.shape()
        first = data.StructLayout({key: look.members[key] for key in ("kind", "port", "address")})
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
        return {
            "filled": filled,
            "here": here,
            "look_filled": (filled & Cat(one_hot(self.look_record, self.records))).any(),
            "look_first": what_r.data,
            "look_count": many_look.data,
        }
