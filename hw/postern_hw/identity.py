"""Identity: which VM a request belongs to, bound when the port accepts it."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Bus, Config, Identity, Manager
from postern_spec.regmap import address_map

from .ecc import Guard
from .native import Sizes
from .select import bits_for, choose, log2, lowest, mux_by_index

__all__ = ["Binding", "TagTable", "resident", "tag_entry"]


def tag_entry(c: Config) -> data.StructLayout:
    """Entry of the tag table: bits to match, bits to compare, the VM, and whether the entry is used."""
    return data.StructLayout({"match": c.tag_bits, "mask": c.tag_bits, "vm": unsigned(bits_for(c.vms)), "valid": 1})


def resident(c: Config) -> data.StructLayout:
    """Who runs on a core: a VM, if anybody."""
    return data.StructLayout({"vm": unsigned(bits_for(c.vms)), "valid": 1})


COMPILED_BITS = 6
"""Tags of up to this many bits are looked up in a table of all tags, small and fast; wider ones are compared."""


class TagTable(wiring.Component):
    """Match/mask table that maps tags to VM-IDs. After reset entry ``i`` maps tag ``i`` to VM ``i``.

    For narrow tags it is compiled, after reset and after every change, into a table of all tags that each port has a
    copy of. That takes a cycle per tag, in which ports accept nothing, so that a change takes effect at once.

    Parameters
    ----------
    config : Config

    Members
    -------
    entries : Out(tag_entry).array(tags)
    busy : Out(1)
        The table is being compiled.
    tag, known, vm : Out
        While it is: the tag whose turn it is, and what it means.
    read_row : In, entry : Out(tag_entry)
        What the manager reads.
    row : In
        Which entry the manager writes.
    set_match, set_mask, set_vm : In(1)
        Take that part from ``data``, laid out as in the registers.
    data : In(32)
    unsound : Out(1)
        With protection: an entry has a flipped bit. Then none is used.
    inject : In(1)
        With protection: flip one for the check.
    """

    def __init__(self, config: Config):
        self.config = config
        layout = tag_entry(config)
        row = unsigned(bits_for(config.tags))
        super().__init__(
            {
                "entries": Out(layout).array(config.tags),
                "busy": Out(1, init=config.tag_bits <= COMPILED_BITS),
                "tag": Out(config.tag_bits),
                "known": Out(1),
                "vm": Out(unsigned(bits_for(config.vms))),
                "read_row": In(row),
                "entry": Out(layout),
                "row": In(row),
                "set_match": In(1),
                "set_mask": In(1),
                "set_vm": In(1),
                "data": In(32),
            }
            | ({"unsound": Out(1), "inject": In(1)} if config.protection else {})
        )

    def elaborate(self, platform):
        m = Module()
        c = self.config
        layout = tag_entry(c)
        kept = []
        guard = Guard(c.protection, inject=self.inject if c.protection else None)
        for i in range(c.tags):
            used = i < min(c.vms, 1 << c.tag_bits)
            init = {"match": i if used else 0, "mask": (1 << c.tag_bits) - 1, "vm": i if used else 0, "valid": used}
            kept.append(Signal(layout, name=f"entry_{i}", init=init))
            chosen = self.row == i if c.tags > 1 else 1
            m.d.comb += self.entries[i].eq(kept[i])
            places = {name: slice(field.offset, field.offset + field.width) for name, field in layout}
            with m.If(self.set_match & chosen):
                m.d.sync += guard.set(kept[i], self.data, places["match"])
            with m.If(self.set_mask & chosen):
                m.d.sync += guard.set(kept[i], self.data, places["mask"])
            with m.If(self.set_vm & chosen):
                m.d.sync += [
                    guard.set(kept[i], self.data, places["vm"]),
                    guard.set(kept[i], self.data[31], places["valid"]),
                ]
            if c.protection:
                m.d.comb += self.entries[i].valid.eq(kept[i].valid & ~self.unsound)
        if c.protection:
            m.d.comb += self.unsound.eq(guard.error)
        m.d.comb += self.entry.as_value().eq(mux_by_index([item.as_value() for item in kept], self.read_row))

        if c.tag_bits <= COMPILED_BITS:
            # A tag is looked up in one cycle, and goes to the ports in the next.
            looking = Signal(init=1)
            tag, known, vm = Signal.like(self.tag), Signal(), Signal.like(self.vm)
            m.d.comb += look_up(tag, kept, known, vm)
            m.d.sync += [self.tag.eq(tag), self.known.eq(known), self.vm.eq(vm), self.busy.eq(looking)]
            with m.If(looking):
                m.d.sync += [tag.eq(tag + 1), looking.eq(~tag.all())]
            with m.If(self.set_match | self.set_mask | self.set_vm):
                m.d.sync += [tag.eq(0), looking.eq(1), self.busy.eq(1)]
        return m


def look_up(tag, entries, known, vm):
    """Return the statements that set ``known`` and ``vm`` by the lowest entry that matches ``tag``."""
    matches = Signal(len(entries))
    first = Signal(len(entries))
    return [
        matches.eq(Cat(entry.valid & (((tag ^ entry.match) & entry.mask) == 0) for entry in entries)),
        first.eq(lowest(matches)),
        known.eq(matches.any()),
        vm.eq(choose(first, [entry.vm for entry in entries])),
    ]


class Binding(wiring.Component):
    """Binds a request to a VM-ID by the identity source of its port. Combinational, but for what a burst keeps.

    Parameters
    ----------
    config : Config
    port : int
        Which port.

    Members
    -------
    address, tag, secure, continues, cacheable : In
        Of the request: see ``bus_read``.
    entries, compiling, compiled_tag, compiled_known, compiled_vm : In
        The tag table.
    resident : In(resident)
        Who runs on the core of this port.
    known : Out(1)
        There is a VM-ID.
    vm : Out
        The VM-ID; zero if there is none.
    manager : Out(1)
        The manager page is addressed.
    allowed : Out(1)
        The page that is addressed may be used, and in this way: the manager page by the manager, a guest page by a VM.
    offset : Out
        Address within the page.
    sram : Out(1), place : Out
        Where there are blocks: the SRAM is addressed; address within its window.
    unsound, damaged : Out(1)
        With protection: what a burst keeps has a flipped bit; so has the meaning of this tag, and then it has none.
    """

    def __init__(self, config: Config, port: int):
        self.config = config
        self.port = port
        self._sizes = sizes = Sizes(config)
        sideband = config.ports[port].identity is Identity.SIDEBAND
        super().__init__(
            {
                "address": In(address_map(config, port).bits),
                "tag": In(config.tag_bits if sideband else 1),
                "secure": In(1),
                "continues": In(1),
                "cacheable": In(1),
                "entries": In(tag_entry(config)).array(config.tags),
                "compiling": In(1),
                "compiled_tag": In(config.tag_bits),
                "compiled_known": In(1),
                "compiled_vm": In(unsigned(sizes.vm_bits)),
                "resident": In(resident(config)),
                "known": Out(1),
                "vm": Out(unsigned(sizes.vm_bits)),
                "manager": Out(1),
                "allowed": Out(1),
                "offset": Out(sizes.offset_bits),
            }
            | ({"sram": Out(1), "place": Out(self.place_bits(config, port))} if config.blocks else {})
            | ({"unsound": Out(1), "damaged": Out(1)} if config.protection else {})
        )

    @staticmethod
    def place_bits(c: Config, port: int) -> int:
        """Return the width of an address within the SRAM window: without page identity all below the SRAM's bit."""
        mapped = address_map(c, port)
        return log2(mapped.sram_stride or mapped.sram_base or 1)

    def elaborate(self, platform):
        m = Module()
        c = self.config
        chosen = c.ports[self.port]
        mapped = address_map(c, self.port)
        below = self.address if mapped.manager_base is None else self.address[:-1]
        if mapped.manager_base is not None:
            m.d.comb += self.manager.eq(self.address[-1])
        m.d.comb += self.offset.eq(below)
        if c.blocks:
            m.d.comb += [self.sram.eq(below[-1] & ~self.manager), self.place.eq(below)]

        if chosen.identity is Identity.STATIC:
            m.d.comb += [self.known.eq(1), self.vm.eq(chosen.vm)]
        elif chosen.identity is Identity.RESIDENT:
            self._bind(m, self.resident.valid, Mux(self.resident.valid, self.resident.vm, 0))
        elif chosen.identity is Identity.PAGE:
            page = below[log2(c.page_stride) :]
            if c.blocks:
                page = Mux(self.sram, below[len(self.place) : -1], page)
            in_page = below[: log2(c.page_stride)]
            with m.If(~self.manager):
                m.d.comb += [
                    self.known.eq(page < c.vms),
                    self.vm.eq(Mux(self.known, page, 0)),
                    self.offset.eq(in_page),
                ]
        else:
            if c.tag_bits <= COMPILED_BITS:
                meaning = data.StructLayout({"known": 1, "vm": len(self.vm)} | ({"parity": 1} if c.protection else {}))
                m.submodules.meanings = meanings = memory.Memory(shape=meaning, depth=1 << c.tag_bits, init=[])
                w_port, r_port = meanings.write_port(), meanings.read_port(domain="comb")
                m.d.comb += [
                    w_port.en.eq(self.compiling),
                    w_port.addr.eq(self.compiled_tag),
                    w_port.data.known.eq(self.compiled_known),
                    w_port.data.vm.eq(self.compiled_vm),
                    r_port.addr.eq(self.tag),
                ]
                known = r_port.data.known
                if c.protection:
                    m.d.comb += [
                        w_port.data.parity.eq(self.compiled_known ^ self.compiled_vm.xor()),
                        self.damaged.eq(r_port.data.as_value().xor() & ~self.compiling),
                    ]
                    known = known & ~self.damaged
                self._bind(m, known, r_port.data.vm)
            else:
                entries = [self.entries[i] for i in range(c.tags)]
                known, vm = Signal(), Signal.like(self.vm)
                m.d.comb += look_up(self.tag, entries, known, vm)
                self._bind(m, known, vm)

        manages = {
            Manager.NONE: 0,
            Manager.PAGE: 1,
            Manager.SECURE: self.secure,
            Manager.VM: self.known & (self.vm == c.manager_vm),
            Manager.PORT: int(self.port == c.manager_port),
        }[c.manager]
        m.d.comb += self.allowed.eq(Mux(self.manager, manages, self.known) & ~self.cacheable)
        return m

    def _bind(self, m: Module, known, vm):
        """Bind to what the tag or the register says now, or to what it said when the burst began.

        Only here can the two differ: a burst does not leave its page, and a static port has one VM.
        """
        if self.config.ports[self.port].bus is not Bus.AXI4:
            m.d.comb += [self.known.eq(known), self.vm.eq(vm)]
            return
        kept_known, kept_vm = Signal(), Signal.like(self.vm)
        guard = Guard(self.config.protection)
        with m.If(self.continues):
            m.d.comb += [self.known.eq(kept_known), self.vm.eq(kept_vm)]
        with m.Else():
            m.d.comb += [self.known.eq(known), self.vm.eq(vm)]
            m.d.sync += [guard.set(kept_known, known), guard.set(kept_vm, vm)]
        if self.config.protection:
            m.d.comb += self.unsound.eq(guard.error)
