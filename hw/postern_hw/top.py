"""The block: ports, pool, queues, engines and what they share, wired together."""

from typing import Any

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Const, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config, Identity, Manager
from postern_spec.pins import Pin, pins, port_pins
from postern_spec.regmap import Damage, Injection

from .blocks import Blocks
from .bus import ADAPTERS
from .counters import Counters
from .decode import pack
from .directory import Directory
from .doorbells import Doorbells
from .faults import Faults
from .identity import TagTable
from .integrity import Integrity
from .interrupts import Interrupts
from .native import Sizes
from .pool import Pool
from .port import Port
from .queue import Queue, fill_bits, fill_rows
from .read_engine import ReadEngine
from .scrubber import Scrubber
from .select import any_of, choose, one_hot
from .sram import Sram
from .turns import Turns
from .write_engine import WriteEngine

__all__ = ["Postern", "probes"]


def probes(c: Config) -> list[Pin]:
    """Return the outputs that the lockstep build has beyond ``pins``."""
    ports = len(c.ports)
    found = [
        Pin("probe_accept", "out", ports, "a request is accepted"),
        Pin("probe_r_issue", "out", ports, "reads that are passed on"),
        Pin("probe_w_issue", "out", ports, "writes that are passed on"),
        Pin("probe_walk", "out", 1, "a step of opening a VM acts"),
    ]
    if c.counters:
        found.append(Pin("probe_waited", "out", 16, "a VM, and above its 8 bits the cycles of waiting that are added"))
    if c.manager is not Manager.NONE:
        found.append(Pin("probe_kill", "out", 1, "a step of tearing down a VM acts"))
    if c.blocks:
        found.append(Pin("probe_clean", "out", 1, "the oldest dirty block becomes clean"))
        if c.strict:
            found[-1] = Pin("probe_clean", "out", 11, "a block becomes clean, its number above the lowest bit")
        if c.manager is not Manager.NONE:
            found += [
                Pin("probe_r_refused", "out", ports, "refused reads of the SRAM that are logged"),
                Pin("probe_w_refused", "out", ports, "refused writes of the SRAM that are logged"),
            ]
    return found


class Postern(wiring.Component):
    """A whole block.

    Parameters
    ----------
    config : Config
        What to build.
    probe : bool
        Add the outputs by which lockstep tests learn the order in which requests took effect.

    Members
    -------
    As listed by ``postern_spec.pins.pins``, and ``probes`` where asked for.
    """

    def __init__(self, config: Config, *, probe: bool = False):
        self.config = config
        self.probe = probe
        self.sizes = Sizes(config)
        listed = pins(config) + (probes(config) if probe else [])
        super().__init__({pin.name: (In if pin.direction == "in" else Out)(pin.width) for pin in listed})

    def elaborate(self, platform):
        m = Module()
        c = self.config
        m.domains.sync = ClockDomain(local=True)
        m.d.comb += [ClockSignal().eq(self.clk), ResetSignal().eq(self.rst)]

        m.submodules.pool = self.pool = Pool(c)
        m.submodules.directory = self.directory = Directory(c)
        m.submodules.doorbells = self.doorbells = Doorbells(c)
        m.submodules.interrupts = self.interrupts = Interrupts(c)
        m.submodules.write_engine = self.writer = WriteEngine(c)
        m.submodules.read_engine = self.reader = ReadEngine(c)
        self.queues = [Queue(c, vm) for vm in range(c.vms)]
        self.ports = [Port(c, index) for index in range(len(c.ports))]
        for vm, queue in enumerate(self.queues):
            m.submodules[f"queue_{vm}"] = queue
        for index, port in enumerate(self.ports):
            m.submodules[f"port_{index}"] = port
        self.tags: Any = None  # without a sideband port, or a manager, there is nothing to hold
        self.faults: Any = None
        if c.tags:
            m.submodules.tags = self.tags = TagTable(c)
        if c.manager is not Manager.NONE:
            m.submodules.faults = self.faults = Faults(c)
        self.integrity: Any = None
        if c.protection:
            m.submodules.integrity = self.integrity = Integrity()
        self.counters: Any = None
        if c.counters:
            m.submodules.counters = self.counters = Counters(c)
        self.sram: Any = None
        if c.blocks:
            m.submodules.sram = self.sram = Sram(c)
            m.submodules.blocks = self.blocks = Blocks(c)
            m.submodules.scrubber = self.scrubber = Scrubber(
                c, rows=self.sram.shape.block_rows, row_bits=self.sram.shape.row_bits
            )

        if c.strict:
            self._turns(m)
        self._fill(m)
        self._buses(m)
        self._ports(m)
        self._queues(m)
        self._writer(m)
        self._reader(m)
        self._interrupts(m)
        if self.faults is not None:
            self._faults(m)
        if self.sram is not None:
            self._memory(m)
        if self.counters is not None:
            self._counters(m)
        if self.integrity is not None:
            self._integrity(m)
        if self.probe:
            m.d.comb += [
                self.probe_accept.eq(
                    Cat(
                        (port.write.valid & port.write.ready) | (port.read.valid & port.read.ready)
                        for port in self.ports
                    )
                ),
                self.probe_r_issue.eq(Cat(port.r_issue for port in self.ports)),
                self.probe_w_issue.eq(Cat(port.w_issue for port in self.ports)),
                self.probe_walk.eq(self.writer.walk),
                *([self.probe_kill.eq(self.writer.kill)] if self.faults is not None else []),
            ]
            if self.counters is not None:
                m.d.comb += self.probe_waited.eq(
                    Cat(self.counters.added_vm, Const(0, 8 - len(self.counters.added_vm)), self.counters.added)
                )
            if self.sram is not None:
                m.d.comb += self.probe_clean.eq(Cat(self.scrubber.clean, self.scrubber.cleaning if c.strict else ()))
                if self.faults is not None:
                    m.d.comb += [
                        getattr(self, f"probe_{way}_refused").eq(
                            Cat(item.valid & item.ready for item in getattr(self.faults, f"{way}_refusals"))
                        )
                        for way in "wr"
                    ]
        return m

    def _turns(self, m: Module):
        m.submodules.turns = turns = Turns(self.config)
        # Without a manager nobody chooses otherwise, and the register is a constant.
        m.d.comb += turns.strict.eq(self.writer.strict)
        divided = [self.writer, self.reader, self.pool]
        if self.sram is not None:
            divided += [self.sram, *([self.faults] if self.faults is not None else [])]
            m.d.comb += [
                self.scrubber.strict.eq(turns.strict),
                self.blocks.scrub_vm.eq(self.scrubber.vm),
                self.blocks.scrubbed_block.eq(self.scrubber.cleaning),
            ]
            if self.faults is not None:
                m.d.comb += self.directory.orphans.eq(self.blocks.orphans.any())
        for component in divided:
            wiring.connect(m, turns.turns, component.turns)

    def _unless_failed(self, value):
        """Return ``value``, or zero where a flipped bit has closed the block."""
        if self.integrity is None:
            return value
        value = Value.cast(value)
        return value & (~self.integrity.failed).replicate(len(value))

    def _integrity(self, m: Module):
        integrity, reader, writer = self.integrity, self.reader, self.writer
        found: dict[Damage, list] = {
            Damage.TAGS: [self.interrupts, writer, *([self.tags] if self.tags is not None else [])],
            Damage.PORT: self.ports,
            Damage.VMS: [self.directory],
            Damage.QUEUES: self.queues,
            Damage.BLOCKS: [self.blocks, self.scrubber] if self.sram is not None else [],
        }
        for kind, parts in found.items():
            for name in ("unsound", "damaged"):
                bits = [getattr(part, name) for part in parts if hasattr(part, name)]
                if bits:
                    m.d.comb += getattr(integrity, name)[kind].eq(any_of(bits))
        pool, lost = integrity.counts[:2], integrity.counts[2:]
        m.d.comb += [
            integrity.pool_corrected.eq(self.pool.corrected),
            integrity.pool_lost.eq(self.pool.lost),
            integrity.set_enable.eq(writer.do.integrity),
            integrity.data.eq(writer.data),
            reader.integrity.eq(
                pack(
                    self.sizes.manager_page.INTEGRITY,
                    FATAL=integrity.found,
                    KIND=integrity.kind,
                    ENABLE=integrity.enable,
                )
            ),
            reader.pool_flips.eq(Cat(*pool)),
            reader.sram_flips.eq(Cat(*lost)),
            reader.stray_damaged.eq(integrity.found | integrity.lost),
            reader.inject.eq(
                pack(self.sizes.manager_page.INJECT, KIND=integrity.waiting, INDEX=self._waiting_index(integrity))
            ),
            integrity.set_inject.eq(writer.do.inject),
        ]
        self._inject(m)
        if self.sram is not None:
            m.d.comb += [
                integrity.sram_corrected.eq(self.sram.corrected),
                integrity.sram_lost.eq(self.sram.lost),
            ]

    @staticmethod
    def _waiting_index(integrity) -> Value:
        return integrity.index & integrity.waiting.any().replicate(len(integrity.index))

    def _inject(self, m: Module):
        """Have the checks find what the manager asks for."""
        integrity, inject, index = self.integrity, self.integrity.inject, self.integrity.index
        at_port = Cat(one_hot(index, len(self.ports)))
        m.d.comb += [
            self.writer.inject.eq(inject[Injection.LOCKS]),
            self.directory.inject_states.eq(inject[Injection.STATES]),
            self.directory.inject_permits.eq(inject[Injection.PERMISSIONS]),
            *(port.inject_lanes.eq(inject[Injection.LANES] & (index == p)) for p, port in enumerate(self.ports)),
            *(port.inject_request.eq(inject[Injection.REQUEST] & (index == p)) for p, port in enumerate(self.ports)),
            *(
                queue.inject_head.eq(inject[Injection.DESCRIPTOR] & (index == vm))
                for vm, queue in enumerate(self.queues)
            ),
            *(
                queue.inject_counts.eq(inject[Injection.CREDITS] & (index == vm))
                for vm, queue in enumerate(self.queues)
            ),
        ]
        if self.tags is not None:
            m.d.comb += self.tags.inject.eq(inject[Injection.TAGS])
        # A word of a message is hit a cycle after its read was granted: no other may be aimed at in that cycle.
        struck = self.pool.injected & ~integrity.renewed
        pool_flips = Cat(inject[Injection.WORD_ONE] | inject[Injection.WORD_TWO], inject[Injection.WORD_TWO])
        m.d.comb += [
            self.pool.inject.eq(pool_flips & (~struck).replicate(2)),
            self.pool.inject_at.eq(at_port),
            integrity.injected.eq(struck),
        ]
        if self.sram is not None:
            one, two = inject[Injection.SRAM_ONE], inject[Injection.SRAM_TWO]
            m.d.comb += [
                self.sram.inject.eq(Cat(one | two, two)),
                self.sram.inject_at.eq(at_port),
                integrity.injected.eq(struck | self.sram.injected),
                self.blocks.inject_rights.eq(inject[Injection.RIGHTS]),
                self.blocks.inject_pointers.eq(inject[Injection.BLOCKS]),
            ]

    def _fill(self, m: Module):
        """Fill the tables after reset, all at once, a row per cycle."""
        c = self.config
        rows = fill_rows(c)
        filling = Signal(init=1)
        row = Signal(fill_bits(c))
        with m.If(filling):
            m.d.sync += [row.eq(row + 1), filling.eq(row != rows - 1)]
        filled = [self.directory, self.doorbells, self.writer, *self.queues, *self.ports]
        if self.sram is not None:
            filled.append(self.blocks)
        if self.counters is not None:
            filled.append(self.counters)
        for component in filled:
            m.d.comb += [component.fill.eq(filling), component.fill_row.eq(row)]
        ready = ~filling
        if self.integrity is not None:  # an injection may take all meaning from tags for a cycle
            ready = ready & ~self.integrity.closing
        m.d.comb += [port.ready.eq(ready) for port in self.ports]

    def _buses(self, m: Module):
        for index, port in enumerate(self.ports):
            m.submodules[f"bus_{index}"] = adapter = ADAPTERS[self.config.ports[index].bus](self.config, index)
            for pin in port_pins(self.config, index):
                if pin.signal == "rst":
                    m.d.comb += port.reset.eq(getattr(self, pin.name))
                if not hasattr(adapter, pin.signal):
                    continue
                outer, inner = getattr(self, pin.name), getattr(adapter, pin.signal)
                m.d.comb += inner.eq(outer) if pin.direction == "in" else outer.eq(inner)
            wiring.connect(m, adapter.write, port.write)
            wiring.connect(m, adapter.read, port.read)
            wiring.connect(m, port.written, adapter.written)
            wiring.connect(m, port.answer, adapter.answer)

    def _ports(self, m: Module):
        c, writer, reader = self.config, self.writer, self.reader
        changed = Signal()
        tags = Cat(writer.do.tag_match, writer.do.tag_mask, writer.do.tag_vm)
        m.d.sync += changed.eq(self.directory.opened.any() | writer.do.resident | tags.any())
        torn = one_hot(writer.data[:6], c.vms, writer.do.tear)
        for index, port in enumerate(self.ports):
            wiring.connect(m, port.w_pool, self.pool.w[index])
            wiring.connect(m, port.r_pool, self.pool.r[index])
            wiring.connect(m, port.w_engine, writer.requests[index])
            wiring.connect(m, port.r_engine, reader.requests[index])
            here = writer.data[8:12] == index
            resident = self.interrupts.residents[c.core_base(index)]
            m.d.comb += [
                port.resident.eq(resident),
                port.open.eq(self._unless_failed(self.directory.open)),
                port.changed.eq(changed),
                port.tear.eq(Cat(bit & here for bit in torn) | self.directory.opened | self.directory.closed),
                port.hold.eq(writer.hold),
                port.w_acted.eq(writer.acted[index]),
                port.slot_back.eq(writer.slot_back[index]),
                port.back.eq(writer.back),
                port.r_data.eq(reader.data),
                port.r_good.eq(reader.good),
                port.r_error.eq(reader.error),
                port.filled.eq(Cat(queue.filled for queue in self.queues)),
                port.fresh.eq(self._unless_failed(Cat(queue.fresh for queue in self.queues))),
                *(port.head[vm].eq(queue.head) for vm, queue in enumerate(self.queues)),
            ]
            if c.protection and c.ports[index].identity is Identity.RESIDENT:  # nobody is, rather than somebody else
                m.d.comb += port.resident.valid.eq(resident.valid & ~self.interrupts.unsound)
            if self.tags is not None:
                m.d.comb += [port.entries[i].eq(self.tags.entries[i]) for i in range(c.tags)]
                m.d.comb += [
                    port.compiling.eq(self.tags.busy),
                    port.compiled_tag.eq(self.tags.tag),
                    port.compiled_known.eq(self.tags.known),
                    port.compiled_vm.eq(self.tags.vm),
                ]

    def _queues(self, m: Module):
        c, writer, reader = self.config, self.writer, self.reader
        for vm, queue in enumerate(self.queues):
            lanes = slice(vm * c.lanes, (vm + 1) * c.lanes)
            m.d.comb += [
                queue.push.eq(writer.push[vm]),
                queue.message.eq(writer.message),
                queue.sender.eq(writer.source),
                queue.grant.eq(writer.grant[vm]),
                queue.new_sent.eq(writer.new_sent),
                queue.new_stop.eq(writer.new_stop),
                queue.reader.eq(reader.own),
                queue.look.eq(reader.look[lanes]),
                queue.take.eq(self._unless_failed(any_of([port.take[lanes] for port in self.ports]))),
                queue.forget.eq(self.directory.opened[vm]),
                writer.free_slots[vm].eq(queue.free_slot),
                writer.sent[vm].eq(queue.sent),
                writer.gone[vm].eq(queue.gone),
                writer.stops[vm].eq(queue.stop),
                writer.spent[vm].eq(queue.spent),
                writer.returns[vm].eq(queue.returns),
                reader.filled[vm].eq(queue.filled),
                reader.heads[vm].eq(queue.head),
                reader.rx_results[vm].eq(queue.rx_result),
                reader.firsts[vm].eq(queue.first),
                reader.tails[vm].eq(queue.tail),
                reader.sent[vm].eq(queue.look_sent),
                reader.gone[vm].eq(queue.look_gone),
                reader.stops[vm].eq(queue.look_stop),
            ]

        if c.manager is not Manager.NONE:
            for vm, queue in enumerate(self.queues):
                m.d.comb += [
                    queue.forget.eq(self.directory.opened[vm] | self.directory.closed[vm]),
                    queue.drop.eq(self.directory.dying[vm]),
                ]

    def _writer(self, m: Module):
        wiring.connect(m, self.writer.word, self.pool.commit)
        m.d.comb += self.writer.crowded.eq(self.pool.crowded)
        writer, directory, doorbells = self.writer, self.directory, self.doorbells
        do = writer.do
        # Whether the target has messages is found out in the cycle before it matters: then only pops change it.
        mail = Signal(name="target_has_mail")
        m.d.sync += mail.eq((Cat(queue.stays for queue in self.queues) & writer.targets).any())
        empty = ~mail & ~self.blocks.keeps if self.sram is not None else ~mail
        m.d.comb += [
            directory.source.eq(writer.source),
            directory.target.eq(writer.target),
            directory.sources.eq(writer.sources),
            directory.targets.eq(writer.targets),
            directory.acknowledge.eq(do.peer),
            directory.set_permit.eq(do.permit),
            directory.permit_half.eq(writer.half),
            directory.data.eq(writer.data),
            directory.command.eq(do.control),
            directory.empty.eq(empty),
            directory.idle.eq(writer.idle),
            directory.walk.eq(writer.walk),
            writer.permitted.eq(self._unless_failed(directory.permitted)),
            writer.acknowledged.eq(directory.acknowledged),
            writer.source_open.eq(self._unless_failed(directory.source_open)),
            writer.source_draining.eq(directory.source_draining),
            writer.connected.eq(self._unless_failed(directory.connected)),
            writer.target_alive.eq(self._unless_failed(directory.target_alive)),
            writer.target_open.eq(self._unless_failed(directory.target_open)),
            writer.source_generation.eq(directory.source_generation),
            writer.target_generation.eq(directory.target_generation),
            writer.closed_vm.eq(directory.closed),
            writer.walking.eq(directory.walking),
            writer.will_walk.eq(directory.will_walk),
            writer.walk_vm.eq(directory.walk_vm),
            writer.walk_step.eq(directory.walk_step),
            writer.walk_last.eq(directory.walk_last),
            writer.refused_command.eq(directory.refuse),
            doorbells.row.eq(writer.target),
            doorbells.ring.eq(do.ring),
            doorbells.sender.eq(writer.source),
            doorbells.clear.eq(do.pending),
            doorbells.half.eq(writer.half),
            doorbells.data.eq(writer.data),
            doorbells.forget_sender.eq(writer.walk & ~directory.walk_last),
            doorbells.forget_all.eq((writer.walk & directory.walk_last) | directory.closing),
        ]
        if self.faults is not None:
            rings = directory.kill_step < self.config.vms  # a row of doorbells belongs to the step
            m.d.comb += [
                directory.kill.eq(writer.kill),
                directory.filled.eq(Cat(queue.filled for queue in self.queues)),
                writer.killing.eq(directory.killing),
                writer.kill_vm.eq(directory.kill_vm),
                writer.kill_step.eq(directory.kill_step),
                doorbells.forget_sender.eq((writer.walk & ~directory.walk_last) | (writer.kill & rings)),
            ]
        if self.tags is not None:
            m.d.comb += [
                self.tags.row.eq(writer.index),
                self.tags.set_match.eq(do.tag_match),
                self.tags.set_mask.eq(do.tag_mask),
                self.tags.set_vm.eq(do.tag_vm),
                self.tags.data.eq(writer.data),
            ]

    def _reader(self, m: Module):
        writer, reader, directory, interrupts = self.writer, self.reader, self.directory, self.interrupts
        m.d.comb += [
            directory.look_source.eq(reader.own),
            directory.look_target.eq(reader.other),
            reader.permits.eq(directory.look_permits),
            reader.permitted.eq(directory.look_permitted),
            reader.acknowledged.eq(directory.look_acknowledged),
            reader.generation.eq(directory.look_generation),
            reader.own_generation.eq(directory.look_own_generation),
            reader.refused.eq(directory.refused),
            *(reader.states[vm].eq(self._unless_failed(state)) for vm, state in enumerate(directory.states)),
            self.doorbells.look_row.eq(reader.own),
            reader.doorbells.eq(self.doorbells.look),
            writer.look_vm.eq(reader.own),
            writer.look_lane.eq(reader.lane),
            reader.result_code.eq(writer.look_result.code),
            reader.result_vm.eq(writer.look_result.vm),
            reader.result_count.eq(writer.look_result.count),
            reader.epoch.eq(writer.epoch),
            reader.locked.eq(writer.locked),
            interrupts.look_vm.eq(reader.own),
            interrupts.look_core.eq(reader.core),
            reader.irq_state.eq(interrupts.look_state),
            reader.irq_enable.eq(interrupts.look_enable),
            reader.irq_moderation.eq(interrupts.look_moderation),
            reader.resident_vm.eq(interrupts.look_resident.vm),
            reader.resident_valid.eq(interrupts.look_resident.valid),
            reader.waiting.eq(interrupts.waiting),
            reader.armed.eq(interrupts.armed),
            reader.fired.eq(interrupts.fired),
        ]
        if self.faults is not None:
            m.d.comb += reader.dying.eq(directory.dying)
        if self.tags is not None:
            m.d.comb += [
                self.tags.read_row.eq(reader.tag_row),
                reader.tag_match.eq(self.tags.entry.match),
                reader.tag_mask.eq(self.tags.entry.mask),
                reader.tag_vm.eq(self.tags.entry.vm),
                reader.tag_valid.eq(self.tags.entry.valid),
            ]

    def _interrupts(self, m: Module):
        c, writer, interrupts = self.config, self.writer, self.interrupts
        do = writer.do
        credit = [Cat(one_hot(queue.head.sender, c.vms, queue.popped)) for queue in self.queues]
        m.d.comb += [
            interrupts.vm.eq(writer.vm),
            interrupts.data.eq(writer.data),
            interrupts.clear.eq(do.irq_state),
            interrupts.test.eq(do.irq_test),
            interrupts.set_moderation.eq(do.irq_moderation),
            interrupts.set_enable.eq(do.irq_enable),
            interrupts.core.eq(writer.index),
            interrupts.set_resident.eq(do.resident),
            interrupts.arm.eq(do.wait_arm),
            interrupts.disarm.eq(do.wait_disarm),
            interrupts.clear_fired.eq(do.wait_fired),
            interrupts.half.eq(writer.half),
            interrupts.filled.eq(Cat(queue.filled for queue in self.queues)),
            interrupts.popped.eq(Cat(queue.popped for queue in self.queues)),
            interrupts.doorbell.eq(self.doorbells.any),
            interrupts.credit.eq(any_of(credit)),
            interrupts.peer.eq(self.directory.changed),
            interrupts.opened.eq(self.directory.opened),
            interrupts.closed.eq(self.directory.closed),
            interrupts.refusing.eq(writer.refusing),
            interrupts.open.eq(self._unless_failed(self.directory.open)),
            *(interrupts.level[vm].eq(queue.level) for vm, queue in enumerate(self.queues)),
            self.irq.eq(self._unless_failed(interrupts.lines)),
        ]
        if self.faults is not None:
            line = interrupts.fired.any() | self.faults.interrupt
            if self.integrity is not None:
                line = line | self.integrity.interrupt
            m.d.comb += self.manager_irq.eq(line)

    def _faults(self, m: Module):
        faults, writer, reader = self.faults, self.writer, self.reader
        wiring.connect(m, writer.fault, faults.write)
        wiring.connect(m, reader.fault, faults.read)
        m.d.comb += [
            faults.clear.eq(writer.do.fault_pending),
            faults.set_enable.eq(writer.do.fault_enable),
            faults.set_stray.eq(writer.do.stray),
            faults.half.eq(writer.half),
            faults.data.eq(writer.data),
            faults.look_record.eq(reader.record),
            reader.fault_pending.eq(faults.pending),
            reader.fault_enable.eq(faults.enable),
            reader.fault_write.eq(faults.look_write.as_value()),
            reader.fault_read.eq(faults.look_read.as_value()),
        ]

    def _memory(self, m: Module):
        c, sram, blocks, scrubber = self.config, self.sram, self.blocks, self.scrubber
        writer, reader, interrupts = self.writer, self.reader, self.interrupts
        do = writer.do
        for index, port in enumerate(self.ports):
            wiring.connect(m, port.w_sram, sram.w[index])
            wiring.connect(m, port.r_sram, sram.r[index])
            if self.faults is not None:
                wiring.connect(m, port.w_refusals, self.faults.w_refusals[index])
                wiring.connect(m, port.r_refusals, self.faults.r_refusals[index])
        for bank in range(c.banks):
            wiring.connect(m, scrubber.scrub[bank], sram.scrub[bank])
            m.d.comb += [
                blocks.w_look[bank].eq(sram.w_look[bank]),
                blocks.r_look[bank].eq(sram.r_look[bank]),
            ]
        m.d.comb += [
            sram.w_allowed.eq(self._unless_failed(blocks.w_allowed)),
            sram.r_allowed.eq(self._unless_failed(blocks.r_allowed)),
            sram.scrub_first.eq(scrubber.first),
            scrubber.dirty.eq(blocks.scrub),
            scrubber.block.eq(blocks.scrub_block),
            blocks.scrubbed.eq(scrubber.clean),
            blocks.data.eq(writer.data),
            blocks.vm.eq(writer.vm),
            blocks.target.eq(writer.target),
            blocks.give.eq(writer.give),
            blocks.free.eq(do.free),
            blocks.give_back.eq(getattr(do, "return")),
            blocks.revoke.eq(do.revoke),
            blocks.set_limit.eq(do.quota),
            blocks.reclaim.eq(do.reclaim),
            blocks.kill.eq(writer.kill),
            blocks.kill_vm.eq(self.directory.kill_vm),
            blocks.kill_block.eq(self.directory.kill_step),
            blocks.open.eq(self.directory.open),
            writer.is_orphan.eq(blocks.is_orphan),
            writer.may_give.eq(blocks.may_give),
            writer.tag.eq(blocks.tag),
            writer.settled.eq(blocks.settled),
            writer.limit_fits.eq(blocks.limit_fits),
            blocks.alloc.eq(reader.alloc),
            blocks.alloc_vm.eq(reader.own),
            blocks.opened.eq(self.directory.opened),
            blocks.closed.eq(self.directory.closed),
            blocks.look_vm.eq(reader.own),
            blocks.look_block.eq(reader.block),
            blocks.look_account.eq(reader.account),
            reader.alloc_given.eq(blocks.alloc_given),
            reader.alloc_block.eq(blocks.alloc_block),
            reader.holding.eq(blocks.look_holding),
            reader.holding_other.eq(blocks.look_other),
            reader.holding_tag.eq(blocks.look_tag),
            reader.rights.eq(blocks.look_rights),
            reader.orphans.eq(blocks.orphans),
            reader.used.eq(blocks.look_used),
            reader.limit.eq(blocks.look_limit),
            reader.owned.eq(blocks.look_owned),
            reader.borrowed.eq(blocks.look_borrowed),
            reader.clean.eq(blocks.clean),
            reader.dirty.eq(blocks.dirty),
            reader.settled.eq(writer.look_settled),
            interrupts.available.eq(blocks.available),
            interrupts.loan_over.eq(blocks.loan_over),
        ]

    def _counters(self, m: Module):
        c, counters, writer, reader = self.config, self.counters, self.writer, self.reader
        low, high = Cat(writer.data, Const(0, 32)), Cat(Const(0, 32), writer.data)
        cleared = Mux(writer.half, high, low)[: c.vms] & writer.do.count_clear.replicate(c.vms)
        m.d.comb += [
            counters.event.eq(writer.event),
            counters.vm.eq(writer.source),
            counters.what.eq(writer.what),
            counters.received.eq(writer.push.any()),
            counters.receiver.eq(writer.target),
            counters.level.eq(choose(writer.targets, [queue.level for queue in self.queues])),
            counters.waits.eq(any_of([port.waits for port in self.ports])),
            counters.clear.eq(self.directory.opened | cleared),
            counters.look_vm.eq(reader.count_vm),
            counters.look_what.eq(reader.count_what),
            reader.count.eq(counters.look),
        ]
        if self.sram is not None:
            m.d.comb += [
                counters.allocated.eq(self.blocks.alloc_given),
                counters.account.eq(reader.own),
                counters.used.eq(self.blocks.alloc_used),
            ]
