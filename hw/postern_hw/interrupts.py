"""Interrupts of the VMs, residency, and the wake-ups that the manager asked for."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config, Identity, Manager
from postern_spec.regmap import Interrupt, sources

from .ecc import Guard
from .identity import resident
from .native import Sizes
from .select import any_of, bits_for, mux_by_index, one_hot

__all__ = ["Interrupts"]


class Interrupts(wiring.Component):
    """Every VM's sources, one line per core, and the wake-ups. See ``docs/states.md``, sections 7 and 8.

    A line is combinational from registers: it is high in the cycle after its cause was stored.

    Parameters
    ----------
    config : Config

    Members
    -------
    vm : In
        On whose registers the write engine works.
    data : In(32)
    clear, test, set_moderation : In(1)
        Clear or set latches of ``vm``; store its moderation.
    set_enable : In(1), core : In
        Store the enables of ``vm`` for a core.
    set_resident : In(1)
        Store who runs on ``core``.
    arm, disarm, clear_fired : In(1), half : In(1)
        Wake-ups of the VMs in ``data``, of that half.
    filled, popped, doorbell, credit, peer, opened, closed : In(vms)
        Message queue not empty; a message goes; a doorbell is pending; a credit comes back; a peer's state changes;
        the VM is opened or closed.
    available, loan_over : In(vms)
        A block is to be had; a loan is over. Only with blocks.
    level : In(range(depth + 1)).array(vms)
        Messages in the queue. Only with moderation.
    refusing : In(vms)
        A lane waits for its refusal to be acknowledged.
    open : In(vms)
    state : Out(sources).array(vms)
    residents : Out(resident).array(cores)
    waiting, armed, fired : Out(vms)
    lines : Out(cores)
    look_vm, look_core : In
    look_state, look_enable, look_moderation, look_resident : Out
        For the read engine.
    """

    def __init__(self, config: Config):
        self.config = config
        vms, cores = config.vms, config.cores
        self.sources = len(sources(config))
        vm, core = unsigned(Sizes(config).vm_bits), unsigned(bits_for(cores))
        super().__init__(
            {
                "vm": In(vm),
                "data": In(32),
                "clear": In(1),
                "test": In(1),
                "set_moderation": In(1),
                "set_enable": In(1),
                "core": In(core),
                "set_resident": In(1),
                "arm": In(1),
                "disarm": In(1),
                "clear_fired": In(1),
                "half": In(1),
                "filled": In(vms),
                "popped": In(vms),
                "doorbell": In(vms),
                "credit": In(vms),
                "peer": In(vms),
                "opened": In(vms),
                "closed": In(vms),
                "level": In(range(config.depth + 1)).array(vms),
                "refusing": In(vms),
                "open": In(vms),
                "residents": Out(resident(config)).array(cores),
                "waiting": Out(vms),
                "armed": Out(vms),
                "fired": Out(vms),
                "lines": Out(cores),
                "look_vm": In(vm),
                "look_core": In(core),
                "look_state": Out(self.sources),
                "look_enable": Out(self.sources),
                "look_moderation": Out(32),
                "look_resident": Out(resident(config)),
            }
            | ({"available": In(vms), "loan_over": In(vms)} if config.blocks else {})
            | ({"unsound": Out(1)} if config.protection else {})
        )

    def elaborate(self, platform):
        m = Module()
        c, listed = self.config, sources(self.config)
        own = one_hot(self.vm, c.vms)
        at_core = one_hot(self.core, c.cores)
        looked_state, looked_enable, looked_moderation = [], [], []
        raised = [[] for _ in range(c.cores)]  # per core, by VM: a source is on and enabled there
        self._residency(m, at_core)

        for vm in range(c.vms):
            latch = Signal(self.sources, name=f"latch_{vm}")
            state = Signal(self.sources, name=f"state_{vm}")
            mail = self.filled[vm]
            if c.moderation:
                mail, moderation = self._moderate(m, vm, own[vm])
                looked_moderation.append(moderation)
            levels = {Interrupt.MAIL: mail, Interrupt.DOORBELL: self.doorbell[vm], Interrupt.REFUSAL: self.refusing[vm]}
            events = {Interrupt.CREDIT: self.credit[vm], Interrupt.PEER: self.peer[vm]}
            if c.blocks:
                events |= {Interrupt.BLOCK: self.available[vm], Interrupt.LOAN: self.loan_over[vm]}
            held: Value = latch
            if c.request_register:
                # Events come late in their cycle, so they wait beside the latches for a cycle. What clears meets them
                # there.
                came = Signal(self.sources, name=f"came_{vm}")
                held = latch | came
                m.d.sync += [came.eq(Cat(events.get(source, 0) for source in listed)), latch.eq(held)]
                events = {}
            m.d.comb += state.eq(held | Cat(levels.get(source, 0) for source in listed))
            # An event beats whatever clears: a write, or the VM being opened or closed.
            written = Signal(name=f"written_{vm}")
            m.d.comb += written.eq(own[vm] & (self.clear | self.test))
            for source in listed:
                with m.If(written & self.data[source]):
                    m.d.sync += latch[source].eq(self.test)
                with m.If(self.opened[vm] | self.closed[vm]):
                    m.d.sync += latch[source].eq(0)
                if source in events:
                    with m.If(events[source]):
                        m.d.sync += latch[source].eq(1)
            looked_state.append(state)

            for core in range(c.cores):
                enable = Signal(self.sources, name=f"enable_{vm}_{core}")
                with m.If(own[vm] & at_core[core] & self.set_enable):
                    m.d.sync += enable.eq(self.data)
                with m.If(self.closed[vm]):
                    m.d.sync += enable.eq(0)
                looked_enable.append(enable)
                raised[core].append((state & enable).any())

        for core in range(c.cores):
            chosen = self.residents[core]
            here = [chosen.valid & hit for hit in one_hot(chosen.vm, c.vms)]
            m.d.comb += self.lines[core].eq(any_of([hit & on for hit, on in zip(here, raised[core], strict=True)]))
        m.d.comb += [
            self.look_state.eq(mux_by_index(looked_state, self.look_vm)),
            self.look_enable.eq(
                mux_by_index(
                    [
                        mux_by_index(looked_enable[vm * c.cores : (vm + 1) * c.cores], self.look_core)
                        for vm in range(c.vms)
                    ],
                    self.look_vm,
                )
            ),
            self.look_resident.as_value().eq(
                mux_by_index([item.as_value() for item in self.residents], self.look_core)
            ),
        ]
        if c.moderation:
            m.d.comb += self.look_moderation.eq(mux_by_index(looked_moderation, self.look_vm))
        if c.manager is not Manager.NONE:
            self._wake(m, raised)
        return m

    def _residency(self, m: Module, at_core):
        c = self.config
        guard = Guard(c.protection)
        for index, port in enumerate(c.ports):
            for core in range(c.core_base(index), c.core_base(index) + port.cores):
                slot = self.residents[core]
                if port.identity is Identity.STATIC:
                    m.d.comb += [slot.valid.eq(1), slot.vm.eq(port.vm)]
                elif c.manager is not Manager.NONE:
                    with m.If(at_core[core] & self.set_resident):
                        if c.protection:
                            m.d.sync += guard.set(slot, Cat(self.data[: len(slot.vm)], self.data[31]))
                        else:
                            m.d.sync += [slot.vm.eq(self.data), slot.valid.eq(self.data[31])]
        if c.protection and guard.used:
            m.d.comb += self.unsound.eq(guard.error)

    def _moderate(self, m: Module, vm: int, own):
        count = Signal(9, name=f"count_{vm}")
        time = Signal(16, name=f"time_{vm}")
        timer = Signal(16, name=f"timer_{vm}")
        expired = Signal(name=f"expired_{vm}")
        with m.If(own & self.set_moderation):
            m.d.sync += [count.eq(self.data), time.eq(self.data[16:])]
        with m.If(self.closed[vm]):
            m.d.sync += [count.eq(0), time.eq(0)]
        m.d.comb += expired.eq((time != 0) & (timer >= time))
        with m.If(~self.filled[vm] | self.popped[vm]):
            m.d.sync += timer.eq(0)
        with m.Elif(~timer.all()):
            m.d.sync += timer.eq(timer + 1)
        mail = self.filled[vm] & ((count <= 1) | (self.level[vm] >= count) | expired)
        return mail, Cat(count, Const(0, 7), time)

    def _wake(self, m: Module, raised):
        c = self.config
        selected = Mux(self.half, Cat(Const(0, 32), self.data), self.data)[: c.vms]
        for vm in range(c.vms):
            absent = ~any_of([slot.valid & (slot.vm == vm) for slot in self.residents])
            m.d.comb += self.waiting[vm].eq(self.open[vm] & absent & any_of([lines[vm] for lines in raised]))
        fires = Signal(c.vms)
        chosen = Signal(c.vms)
        m.d.comb += [fires.eq(self.waiting & self.armed), chosen.eq(selected)]
        m.d.sync += [
            self.armed.eq(
                (self.armed & ~fires & ~(chosen & self.disarm.replicate(c.vms))) | (chosen & self.arm.replicate(c.vms))
            ),
            self.fired.eq((self.fired & ~(chosen & self.clear_fired.replicate(c.vms))) | fires),
        ]
