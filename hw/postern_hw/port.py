"""One port: binds requests to a VM, serves staged words and payload reads from the pool, and hands on the rest."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config, Identity, Manager
from postern_spec.model import pow2
from postern_spec.regmap import Fault

from .decode import Decoder
from .ecc import Guard
from .faults import Refusals, refusal
from .identity import Binding, resident, tag_entry
from .native import Sizes, bus_read, bus_write, done, read_request, read_response, refuses_cacheable, write_request
from .pool import PoolReadSignature, PoolWriteSignature
from .queue import entry, fill_bits
from .select import any_of, bits_for, choose, log2, one_hot
from .sram import Shape, SramReadSignature, SramWriteSignature
from .table import Table

__all__ = ["Port"]

ANSWERS = 7
"""Writes whose answers the bus has not taken yet, at most."""


class Port(wiring.Component):
    """One port: identity, lanes, payload reads, and the way to the engines.

    Stage 1 of an access is the cycle in which it is passed on: a staged word goes into the lane's slot, a payload word
    is looked up in the head's slot, or an engine takes the request. In stage 2, the next cycle, headers are read, pops
    decided and commits judged; other writes act in stage 3, and other reads look then. A staged word is answered one
    cycle after stage 1, a commit two, any other write and every read three.

    Parameters
    ----------
    config : Config
    index : int
        Which port.

    Members
    -------
    write : In(stream of bus_write)
    read : In(stream of bus_read)
    written : Out(stream)
        One transfer per write, in order, after it has taken effect.
    answer : Out(stream of read_response)
        One transfer per read, in order.
    reset : In(1)
        Drops requests and answers of this port and empties its lanes.
    ready : In(1)
        Tables are filled; nothing is accepted before.
    fill, fill_row : In
    entries, compiling, compiled_tag, compiled_known, compiled_vm, resident : In
        What identity is taken from.
    open : In(vms)
        VMs whose accesses act.
    changed : In(1)
        In the last cycle a VM was still closed that is open now, somebody else was resident, or a tag meant another VM.
    tear : In(vms)
        Empty the lanes of these VMs.
    hold : In(1)
        The manager must wait, because a VM is being opened.
    w_pool, r_pool : Out
        To the pool.
    w_engine : Out(stream of write_request)
    r_engine : Out(stream of read_request)
    w_acted : In(1)
        The write engine acts on this port's request.
    slot_back : In(1), back : In
        A free slot in exchange for that of a commit: it comes, and which one it is a cycle later.
    r_data, r_good, r_error : In
        The read engine's answer, in stage 3, or 4 with a request register.
    filled, head : In(vms), In(entry).array(vms)
        Heads of all queues.
    fresh : In(vms * lanes)
        Which lanes may pop.
    take : Out(vms * lanes)
        This lane tries to pop, in stage 2.
    r_issue, w_issue : Out(1)
        An accepted read or write is passed on.
    w_sram, r_sram : Out
        To the SRAM, where there are blocks.
    w_refusals, r_refusals : Out(stream of refusal)
        Refused accesses of the SRAM that wait to be logged, where there are blocks and a log.
    waits : Out(vms)
        VMs of which a request is held up by somebody else's, where there are counters.
    unsound, damaged : Out(1)
        With protection: a register has a flipped bit; a row of a table that is read has one.
    inject_request, inject_lanes : In(1)
        With protection: flip one for the check.
    """

    def __init__(self, config: Config, index: int):
        self.config = config
        self.index = index
        self.vms = config.port_vms(index)
        sizes = self.sizes = Sizes(config)
        super().__init__(
            {
                "write": In(stream.Signature(bus_write(config, index))),
                "read": In(stream.Signature(bus_read(config, index))),
                "written": Out(done()),
                "answer": Out(stream.Signature(read_response(config, index))),
                "reset": In(1),
                "ready": In(1),
                "fill": In(1),
                "fill_row": In(fill_bits(config)),
                "entries": In(tag_entry(config)).array(config.tags),
                "compiling": In(1),
                "compiled_tag": In(config.tag_bits),
                "compiled_known": In(1),
                "compiled_vm": In(unsigned(sizes.vm_bits)),
                "resident": In(resident(config)),
                "open": In(config.vms),
                "changed": In(1),
                "tear": In(config.vms),
                "hold": In(1),
                "w_pool": Out(PoolWriteSignature(sizes)),
                "r_pool": Out(PoolReadSignature(sizes, config.protection)),
                "w_engine": Out(stream.Signature(write_request(config))),
                "r_engine": Out(stream.Signature(read_request(config))),
                "w_acted": In(1),
                "slot_back": In(1),
                "back": In(unsigned(sizes.slot_bits)),
                "r_data": In(32),
                "r_good": In(1),
                "r_error": In(1),
                "filled": In(config.vms),
                "head": In(entry(config)).array(config.vms),
                "fresh": In(config.vms * config.lanes),
                "take": Out(config.vms * config.lanes),
                "r_issue": Out(1),
                "w_issue": Out(1),
            }
            | self._more(config)
        )

    @staticmethod
    def _more(c: Config) -> dict:
        others = {"waits": Out(c.vms)} if c.counters else {}
        if c.protection:
            others |= {"unsound": Out(1), "damaged": Out(1), "inject_request": In(1), "inject_lanes": In(1)}
        if not c.blocks:
            return others
        shape = Shape(c)
        more = {"w_sram": Out(SramWriteSignature(shape)), "r_sram": Out(SramReadSignature(shape))}
        if c.manager is not Manager.NONE:
            more |= {f"{way}_refusals": Out(stream.Signature(refusal(c))) for way in "wr"}
        return more | others

    @staticmethod
    def responses(c: Config) -> int:
        """Return how many reads whose data the bus has not taken there can be: enough to stream through the stages."""
        return 4 << Sizes(c).read_delay

    def elaborate(self, platform):
        m = Module()
        self._unsound: list[Value] = []
        self._damaged: list[Value] = []
        self._twisted: dict[str, Value] = {}  # whose request is held cannot be told any more
        if self.config.counters:
            self._w_held_up, self._r_held_up = (Signal(self.config.vms, name=f"{way}_held_up") for way in "wr")
        self._writes(m)
        self._reads(m)
        if self.config.counters:
            m.d.comb += self.waits.eq(self._w_held_up | self._r_held_up)
        if self.config.protection:
            m.d.comb += [self.unsound.eq(any_of(self._unsound)), self.damaged.eq(any_of(self._damaged))]
        return m

    def _held_up(self, request, *ways) -> Value:
        """Return whose request is held up, a bit per VM. ``ways``: what it asks for, as (asks, granted)."""
        held = any_of([asks & ~granted for asks, granted in ways])
        return Mux(held & request.known, request.vms, 0)

    def _accept(self, m: Module, name: str, source, extra: dict):
        """Bind a request and hold it until it is passed on.

        Returns the request, what is decoded of it, whether there is one, whether it may act, and the signal to be set
        when it is passed on. The pool is asked for a word even during a reset, which does no harm and shortens the way.
        """
        c = self.config
        m.submodules[f"{name}_binding"] = binding = Binding(c, self.index)
        if c.protection:
            self._unsound.append(binding.unsound)
            self._damaged.append(binding.damaged & source.valid)
        bound = data.StructLayout(
            {
                "address": len(source.payload.address),
                "offset": self.sizes.offset_bits,
                "manager": 1,
                "allowed": 1,
                "known": 1,
                "vm": unsigned(self.sizes.vm_bits),
                "vms": c.vms,  # the same, as a bit each
                "strobes": 4,
                "cacheable": 1,
            }
            | extra
        )
        lanes = len(source.payload.strobes)
        if c.blocks:
            bound = data.StructLayout(bound.members | {"sram": 1, "place": len(binding.place), "lanes": lanes})
        incoming = Signal(bound, name=f"{name}_incoming")
        m.d.comb += [
            binding.address.eq(source.payload.address),
            binding.tag.eq(source.payload.tag),
            binding.secure.eq(source.payload.secure),
            binding.continues.eq(source.payload.continues),
            binding.cacheable.eq(source.payload.cacheable),
            binding.resident.eq(self.resident),
            incoming.address.eq(source.payload.address),
            incoming.strobes.eq(self._half(source.payload.strobes, source.payload.address)),
            incoming.cacheable.eq(source.payload.cacheable),
            incoming.vms.eq(Cat(one_hot(binding.vm, c.vms))),
        ]
        if c.blocks:
            m.d.comb += incoming.lanes.eq(source.payload.strobes)
        m.d.comb += [binding.entries[i].eq(self.entries[i]) for i in range(c.tags)]
        m.d.comb += [
            getattr(binding, key).eq(getattr(self, key))
            for key in ("compiling", "compiled_tag", "compiled_known", "compiled_vm")
        ]
        m.d.comb += [
            getattr(incoming, k).eq(getattr(binding, k))
            for k in ("offset", "manager", "allowed", "known", "vm", *(("sram", "place") if c.blocks else ()))
        ]
        usable = Signal(name=f"{name}_usable")
        sideband = c.ports[self.index].identity is Identity.SIDEBAND
        m.d.comb += usable.eq(self.ready & ~self.reset & (~self.compiling if sideband else 1))
        go = Signal(name=f"{name}_go")
        if not c.request_register:
            if "data" in extra:
                m.d.comb += incoming.data.eq(source.payload.data)
            valid = Signal(name=f"{name}_valid")
            m.d.comb += [valid.eq(source.valid & usable), source.ready.eq(go)]
            return incoming, self._flags(incoming), source.valid, valid, go

        held = Signal(bound, name=f"{name}_held")
        parity = Signal(name=f"{name}_parity")  # of whose request it is
        occupied = Signal(name=f"{name}_occupied")
        flags = self._flags(incoming)
        held_flags = {key: Signal(len(value), name=f"{name}_{key}") for key, value in flags.items()}

        # What nothing is decided by goes into the free one of two rows, accepted or not, so that it does not wait for
        # whether the request before it is passed on.
        late = data.StructLayout({key: bound.members[key] for key in ("address", "data") if key in bound.members})
        m.submodules[f"{name}_late"] = rows = memory.Memory(shape=late, depth=2, init=[])
        w_port, r_port = rows.write_port(), rows.read_port(domain="comb")
        row, load = Signal(name=f"{name}_row"), Signal(name=f"{name}_load")
        m.d.comb += [
            load.eq(~occupied | go),
            source.ready.eq(usable & load),
            w_port.en.eq(1),
            w_port.addr.eq(row),
            w_port.data.address.eq(source.payload.address),
            r_port.addr.eq(~row),
            *(getattr(held, key).eq(getattr(r_port.data, key)) for key in late.members),
        ]
        if "data" in extra:
            m.d.comb += w_port.data.data.eq(source.payload.data)
        with m.If(load):  # something, whether it counts or not
            m.d.sync += [
                row.eq(row ^ (source.valid & usable)),
                occupied.eq(source.valid & usable),
                *(getattr(held, key).eq(getattr(incoming, key)) for key in bound.members if key not in late.members),
                *(held_flags[key].eq(value) for key, value in flags.items()),
            ]
            if c.protection:
                m.d.sync += parity.eq(_who(incoming).xor())
        if c.protection:
            self._twisted[name] = Signal(name=f"{name}_twisted")
            wrong = _who(held).xor() ^ parity
            m.d.comb += self._twisted[name].eq(occupied & wrong)
            self._unsound.append((occupied | self.inject_request) & (wrong ^ self.inject_request))
        with m.If(self.reset):
            m.d.sync += occupied.eq(0)
        valid = Signal(name=f"{name}_valid")
        m.d.comb += valid.eq(occupied & ~self.reset)
        return held, held_flags, occupied, valid, go

    def _half(self, strobes, address):
        """Return the strobes of the 32 bits that hold the register at ``address``. Upper halves hold nothing."""
        return strobes if len(strobes) == 4 else Mux(address[2], strobes[4:], strobes[:4])

    def _flags(self, request) -> dict:
        """Decode what the port itself must know of a request."""
        sizes = self.sizes
        page = Decoder(sizes.guest_page, request.offset)
        low = (request.address[:3] == 0) & request.allowed
        guest = low & ~request.manager
        if self.config.blocks:
            guest = guest & ~request.sram
        flags = {name.lower(): page[name] & guest for name in ("STAGE", "COMMIT", "WORD", "POP")}
        flags["drain"] = Decoder(sizes.manager_page, request.offset)["DRAIN"] & low & request.manager

        # Cheap guesses, so that arbitration need not wait for the whole address.
        def near(names, chosen):
            listed = [register.name for register in page.page.registers if chosen(register)]
            return page.near(names, [name for name in listed if name not in names])

        flags["near_stage"] = near(["STAGE"], lambda register: register.writable)
        flags["near_read"] = near(["WORD", "POP"], lambda register: register.readable)
        flags["near_pop"] = page.near(["POP"], ["WORD"])
        if self.config.blocks:
            for name in ("near_stage", "near_read"):
                flags[name] = flags[name] & ~request.sram
            flags["exists"] = request.place[log2(self.config.block_size) :] < self.config.blocks

        def in_bank(name, chosen):
            return Cat(one_hot(self._bank(self._index(name, "word", request)), sizes.banks, chosen))

        flags["stage_bank"] = in_bank("STAGE", flags["near_stage"])
        flags["word_bank"] = in_bank("WORD", flags["near_read"] & ~flags["near_pop"])
        flags["manages"] = request.manager & request.allowed
        for way in ("stage", "read"):  # what the engine gets only from closed VMs
            near = flags[f"near_{way}"]
            flags[f"own_{way}"] = near | request.sram if self.config.blocks else near
        return flags

    def _bank(self, word):
        return word[: log2(self.sizes.banks)]

    def _index(self, name: str, dim: str, request):
        return Decoder(self.sizes.guest_page, request.offset).index(name, dim)

    def _of_vm(self, values, request):
        """Return the one of ``values``, one per VM, that belongs to the VM of ``request``."""
        return values[self.vms[0]] if len(self.vms) == 1 else choose(request.vms, values)

    def _engine_request(self, m: Module, name: str, payload, request):
        for key in ("address", "offset", "manager", "allowed", "known", "vm", "strobes"):
            m.d.comb += getattr(payload, key).eq(getattr(request, key))
        if refuses_cacheable(self.config):
            m.d.comb += payload.cacheable.eq(request.cacheable)
        if name in self._twisted:
            m.d.comb += payload.allowed.eq(request.allowed & ~self._twisted[name])

    def _writes(self, m: Module):
        c, sizes = self.config, self.sizes
        request, flags, offered, valid, go = self._accept(
            m, "w", self.write, {"data": c.ports[self.index].data_bits if c.blocks else 32}
        )
        self._write_waits = valid

        # Which lane, and what it holds.
        lane_count = len(self.vms) * pow2(c.lanes)
        stage_lane = self._index("STAGE", "lane", request)
        commit_lane = self._index("COMMIT", "lane", request)
        lane = Signal(unsigned(bits_for(lane_count)))
        number = Mux(flags["commit"], commit_lane, stage_lane)[: sizes.lane_log]
        m.d.comb += lane.eq(number if len(self.vms) == 1 else Cat(number, request.vm))

        # Slots behind those of the queues: per port a spare, then one per lane.
        base = c.vms * c.depth + sum(sizes.lane_slots[: self.index]) + self.index
        initial = [
            base + 1 + vm * c.lanes + number if number < c.lanes else 0  # no such lane
            for vm in range(len(self.vms))
            for number in range(pow2(c.lanes))
        ]
        state = data.StructLayout({"count": bits_for(c.words + 1), "torn": 1})
        m.submodules.slots = slots = Table(
            lane_count, sizes.slot_bits, readers=1, init=initial, fill_bits=len(self.fill_row), parity=c.protection
        )
        m.submodules.states = states = Table(
            lane_count,
            state.size,
            readers=1,
            init=[0] * lane_count if c.protection else None,  # otherwise nothing is read before it was written
            fill_bits=len(self.fill_row),
            parity=c.protection,
        )
        guard = Guard(c.protection, inject=self.inject_lanes if c.protection else None)
        kept = data.View(state, states.read(m, 0, lane))
        following = Signal(state)
        busy = Signal(lane_count)  # beside the table, because many can be emptied at once
        kept_spare = Signal(sizes.slot_bits, init=base)
        spare_here = Signal(init=1)
        new_spare = Signal()  # it came in the cycle before
        spare = Mux(new_spare, self.back, kept_spare)
        m.d.comb += [
            slots.fill.eq(self.fill),
            slots.fill_row.eq(self.fill_row),
            states.write_row.eq(lane),
            states.write_data.eq(following),
        ]
        slot = slots.read(m, 0, lane)
        is_busy = busy.bit_select(lane, 1) if lane_count > 1 else busy
        count = kept.count
        holding = is_busy & ~kept.torn

        none = Signal()
        full = Signal()
        many = self._index("COMMIT", "many", request)
        staged_word = self._index("STAGE", "word", request)[: sizes.word_bits]
        torn = Signal()
        staged = Signal()
        slow = Signal()
        m.d.comb += [
            none.eq(request.strobes == 0),
            full.eq(request.strobes.all()),
            torn.eq(~full | Mux(many, ~holding | (count == c.words), is_busy)),
            staged.eq(flags["stage"] & full),
        ]

        # Nothing passes a write that the engine has not yet acted on, except behind a commit without a block. That acts
        # at once.
        dropped = Signal()  # the engine acts on it all the same, but a reset has taken its answer
        with m.If(self.w_acted):
            m.d.sync += [slow.eq(0), dropped.eq(0)]
        with m.Elif(self.reset):
            m.d.sync += dropped.eq(slow)
        able = Signal()
        ready = Signal()
        diverted = Signal()
        pending = Signal(range(ANSWERS + 1))
        # Half of them are there. With a request register that is known a cycle later, which shortens the way to the
        # arbiters: there is room for what passes meanwhile, which is a write in this cycle, one in the last, and one
        # whose answer is on its way.
        crammed = Signal()
        m.d["sync" if c.request_register else "comb"] += crammed.eq(pending[-1])
        m.d.comb += [
            able.eq(~crammed & ~slow),
            ready.eq(valid & able),
            self.w_pool.request.eq(flags["stage_bank"] & (offered & able).replicate(sizes.banks)),
            # The word of a closed VM does no harm in its own slot, but the engine must log it.
            self.w_pool.enable.eq(staged & ~self.reset & ~slots.bad_0 if c.protection else staged & ~self.reset),
            self.w_pool.slot.eq(slot),
            self.w_pool.word.eq(staged_word),
            self.w_pool.data.eq(request.data),
        ]

        # What looks like a staged word and is none goes to the engine a cycle later.
        open_here = self._of_vm(self.open, request)
        fast = staged & open_here
        with m.If(go | self.reset):
            m.d.sync += diverted.eq(0)
        with m.Else():
            m.d.sync += diverted.eq(valid & flags["near_stage"] & ~fast & ~none)
        waits, turned = ~spare_here, diverted
        if c.manager is not Manager.NONE:
            waits = waits | (flags["manages"] & self.hold)
            turned = diverted & ~self.changed  # or the usual way may be open to it after all
        payload = self.w_engine.payload
        self._engine_request(m, "w", payload, request)
        quick = payload.commit
        if c.blocks:
            m.d.comb += payload.block.eq(self._index("COMMIT", "kind", request))
            quick = quick & ~payload.block
        m.d.comb += [
            self.w_engine.valid.eq(ready & (~flags["own_stage"] | turned) & ~waits),
            payload.data.eq(request.data),
            payload.commit.eq(flags["commit"] & ~none),
            payload.direct.eq(flags["stage"]),
            payload.torn.eq(torn | slots.bad_0 | states.bad_0 if c.protection else torn),
            payload.last.eq(Mux(many, count, 0)),
            payload.slot.eq(slot),
        ]
        passed = self.w_engine.valid & self.w_engine.ready
        early = Signal()  # done without the engine
        m.d.comb += [
            early.eq(ready & flags["near_stage"] & (none | (fast & self.w_pool.grant)) & ~diverted),
            self.w_issue.eq(go),
        ]
        guarded, acted = self._guarded_write(m, request, flags, offered & able, valid) if c.blocks else (0, 0)
        m.d.comb += go.eq(passed | early | guarded if c.blocks else passed | early)
        with m.If(passed & ~quick):
            m.d.sync += slow.eq(1)

        # The lane.
        here = Signal(lane_count)
        m.d.comb += here.eq(Cat(one_hot(lane, lane_count)))
        tear = Cat(self.tear[vm] for vm in self.vms for _ in range(pow2(c.lanes)))
        set_busy, clear_busy = Signal(), Signal()  # when it is passed on
        first, follows = (staged_word == 0), holding & (staged_word == count)
        m.d.comb += [
            set_busy.eq(flags["stage"] & ~none & open_here),
            clear_busy.eq(flags["commit"] & ~none),
            states.write.eq(set_busy & go),
            following.torn.eq(~(full & (first | follows))),
            following.count.eq(staged_word + 1),
            slots.write.eq(passed & payload.commit & ~torn),
            slots.write_row.eq(lane),
            slots.write_data.eq(spare),
        ]
        for i in range(lane_count):
            touched = Signal(name=f"touched_{i}")
            m.d.comb += touched.eq(here[i] & (set_busy | clear_busy))
            with m.If(touched & go):
                m.d.sync += guard.set(busy, set_busy, i)
            with m.If(tear[i] | self.reset):
                m.d.sync += guard.set(busy, 0, i)
        with m.If(slots.write):
            m.d.sync += guard.set(spare_here, 0)
        with m.If(self.slot_back):
            m.d.sync += guard.set(spare_here, 1)
        m.d.sync += [guard.set(new_spare, self.slot_back), guard.set(kept_spare, spare)]
        if c.protection:
            self._unsound.append(guard.error)
            self._damaged += [slots.error, states.error]

        if c.counters:
            m.d.comb += self._w_held_up.eq(
                self._held_up(
                    request,
                    (self.w_engine.valid, self.w_engine.ready),
                    (ready & flags["near_stage"] & fast & ~diverted, self.w_pool.grant),
                    *([(valid & self.w_sram.request, self.w_sram.grant)] if c.blocks else []),
                )
            )

        # Answers.
        m.d.comb += self.written.valid.eq((pending != 0) & ~self.reset)
        taken = self.written.valid & self.written.ready
        came = early + (self.w_acted & ~dropped)
        m.d.sync += pending.eq(pending + (came + acted if c.blocks else came) - taken)
        with m.If(self.reset):
            m.d.sync += pending.eq(0)

    def _reads(self, m: Module):
        c, sizes = self.config, self.sizes
        request, flags, offered, valid, go = self._accept(m, "r", self.read, {})

        # Where the head of the requester's queue lies.
        filled = self._of_vm(self.filled, request)
        head = self._of_vm([Cat(item.slot, item.last) for item in self.head], request)
        slot, last = head[: sizes.slot_bits], head[sizes.slot_bits :]

        last_bank = Cat(one_hot(self._bank(last), sizes.banks))
        none = Signal()
        full = Signal()
        word = self._index("WORD", "word", request)[: sizes.word_bits]
        pops = Signal()
        reads = Signal()
        popping = Signal()
        room = Signal()
        ready = Signal()
        diverted = Signal()
        m.d.comb += [
            none.eq(request.strobes == 0),
            full.eq(request.strobes.all()),
            pops.eq(flags["pop"] & full),
            reads.eq((flags["word"] & ~none) | pops),
            ready.eq(valid & room),
            # Asked for even where nothing is to be read: what comes is masked in time, and the way is shorter. Only a
            # pop that is about to be decided must be waited for, because the head may change.
            self.r_pool.request.eq(
                (flags["word_bank"] | (last_bank & flags["near_pop"].replicate(sizes.banks)))
                & (offered & room & ~popping).replicate(sizes.banks)
            ),
            self.r_pool.slot.eq(slot),
            self.r_pool.word.eq(Mux(flags["near_pop"], last, word)),
        ]

        # What looks like payload and is none goes to the engine a cycle later.
        payload_read = reads & self._of_vm(self.open, request)
        waits, turned = 0, diverted
        if c.manager is not Manager.NONE:
            # The one write that waits in this port may be older; once it has gone, later ones do not matter.
            older = self._older_write(m, valid & flags["drain"], go) if c.request_register else 0
            waits = (flags["drain"] & older) | (flags["manages"] & self.hold)
            turned = diverted & ~self.changed
        with m.If(go | self.reset):
            m.d.sync += diverted.eq(0)
        with m.Else():
            m.d.sync += diverted.eq(valid & flags["near_read"] & ~payload_read)
        payload = self.r_engine.payload
        self._engine_request(m, "r", payload, request)
        m.d.comb += [
            payload.direct.eq(flags["word"] | pops),
            self.r_engine.valid.eq(ready & (~flags["own_read"] | turned) & ~waits),
        ]
        passed = self.r_engine.valid & self.r_engine.ready
        from_pool = ready & payload_read & self.r_pool.grant & ~diverted
        guarded, guarded_word, refused = 0, 0, 0
        if c.blocks:
            guarded, guarded_word, refused = self._guarded_read(m, request, flags, offered & room, valid)
        m.d.comb += [
            go.eq(passed | from_pool | guarded if c.blocks else passed | from_pool),
            self.r_issue.eq(go),
        ]

        if c.counters:
            m.d.comb += self._r_held_up.eq(
                self._held_up(
                    request,
                    (self.r_engine.valid, self.r_engine.ready),
                    (ready & payload_read & ~diverted & ~popping, self.r_pool.grant),
                    *([(valid & self.r_sram.request, self.r_sram.grant)] if c.blocks else []),
                )
            )

        # Stage 2: the word comes out of the pool, and a pop is decided.
        second = Signal()
        showing = Signal()
        engaged = Signal()
        pop_of = Signal(c.vms * c.lanes)  # whose pop it would be, at which lane
        pop_lane = self._index("POP", "lane", request)[: sizes.lane_bits]
        for vm in self.vms:
            mine = request.vm == vm if len(self.vms) > 1 else 1
            m.d.sync += pop_of[vm * c.lanes : (vm + 1) * c.lanes].eq(Cat(one_hot(pop_lane, c.lanes, mine)))
        m.d.sync += [
            second.eq(go),
            popping.eq(go & payload_read & pops),
            showing.eq(payload_read & filled & (pops | (word <= last if c.words > 1 else 1))),
            engaged.eq(passed),
        ]
        m.d.comb += self.take.eq(pop_of & popping.replicate(len(pop_of)))
        m.d.comb += self.r_pool.keep.eq(showing & (~popping | (self.take & self.fresh).any()))
        if c.protection:
            m.d.comb += self.r_pool.pops.eq(popping)

        # What was read is put together with the answer of the engine.
        read, by_engine = second, engaged
        for stage in range(3, 4 + sizes.read_delay):
            before, read, by_engine = (read, by_engine), Signal(name=f"read_{stage}"), Signal(name=f"by_engine_{stage}")
            m.d.sync += [read.eq(before[0] & ~self.reset), by_engine.eq(before[1])]

        # Answers wait here until the bus takes them: usually for the one cycle in which they are there.
        responses = self.responses(c)
        m.submodules.answers = answers = memory.Memory(shape=read_response(c, self.index), depth=responses, init=[])
        a_w, a_r = answers.write_port(), answers.read_port(domain="comb")
        outstanding = Signal(range(responses + 1))
        here = Signal(range(responses + 1))
        put = Signal(range(responses))
        get = Signal(range(responses))
        arrives = Signal()
        delivered = Signal()
        words = self.r_pool.data | guarded_word if c.blocks else self.r_pool.data
        m.d.comb += [
            arrives.eq(read & ~self.reset),
            a_w.en.eq(arrives),
            a_w.addr.eq(put),
            a_w.data.data.eq(words | (self.r_data & (by_engine & self.r_good).replicate(32))),
            a_w.data.error.eq((by_engine & self.r_error) | refused if c.read_error else 0),
            a_r.addr.eq(get),
            self.answer.valid.eq((here != 0) & ~self.reset),
            self.answer.payload.eq(a_r.data),
            delivered.eq(self.answer.valid & self.answer.ready),
            room.eq(~outstanding[-1]),  # fewer than a power of two
        ]
        m.d.sync += [
            outstanding.eq(outstanding + go - delivered),
            here.eq(here + arrives - delivered),
        ]
        with m.If(arrives):
            m.d.sync += put.eq(put + 1)
        with m.If(delivered):
            m.d.sync += get.eq(get + 1)
        with m.If(self.reset):
            m.d.sync += [outstanding.eq(0), here.eq(0), put.eq(0), get.eq(0)]

    def _guarded_write(self, m: Module, request, flags, asks, valid):
        """Writes of the SRAM. Returns whether one is passed on, and whether one acts: in the cycle after that."""
        passed, acts = Signal(name="w_guarded"), Signal(name="w_guarded_acts")
        self._guard(m, "w", self.w_sram, request, flags, asks, valid, passed)
        word, lanes = request.data, request.lanes
        if len(self.w_sram.data) > len(word):  # half of a word
            word, lanes = Cat(word, word), Mux(request.place[2], Cat(Const(0, len(lanes)), lanes), lanes)
        m.d.comb += [self.w_sram.data.eq(word), self.w_sram.strobes.eq(lanes)]
        m.d.sync += acts.eq(passed)
        return passed, acts

    def _guarded_read(self, m: Module, request, flags, asks, valid):
        """Reads of the SRAM. Returns whether one is passed on, and three cycles later its word, and its refusal."""
        passed, late = Signal(name="r_guarded"), Signal(name="r_guarded_refused")
        refused = self._guard(m, "r", self.r_sram, request, flags, asks, valid, passed)
        m.d.sync += late.eq(refused)
        word, wanted = self.r_sram.data, self.config.ports[self.index].data_bits
        if len(word) > wanted:  # half of a word
            half = request.place[2]
            for stage in range(2, 5):
                half, before = Signal(name=f"half_{stage}"), half
                m.d.sync += half.eq(before)
            word = Mux(half, word[wanted:], word[:wanted])
        return passed, word, late

    def _guard(self, m: Module, way: str, sram, request, flags, asks, valid, passed):
        """Ask for an access of the SRAM, and log it where it is refused. Returns whether it is: two cycles later.

        Which bank is wanted is known from two bits of the address and the number of the bank, without a guess.
        """
        c = self.config
        shape = Shape(c)
        none = request.lanes == 0
        opened = self._of_vm(self.open, request)  # or it was killed, and may own blocks still
        second, third = Signal(name=f"{way}_second"), Signal(name=f"{way}_third")
        fault, late = Signal(4, name=f"{way}_fault"), Signal(4, name=f"{way}_late_fault")
        refused = Signal(name=f"{way}_refused")
        queue = None
        if c.manager is not Manager.NONE:
            m.submodules[f"{way}_refused"] = queue = Refusals(c)
        m.d.comb += [
            sram.request.eq(asks & request.sram & (1 if queue is None else queue.room)),
            sram.enable.eq(valid & request.allowed & flags["exists"] & ~none & opened),
            sram.word.eq(request.place[log2(shape.lanes) :]),
            sram.vm.eq(request.vm),
            passed.eq(valid & sram.grant),
            refused.eq(third & (late.any() | sram.refused)),
        ]
        m.d.sync += [
            second.eq(passed),
            third.eq(second),
            fault.eq(
                Mux(
                    request.allowed,
                    Mux(flags["exists"], Mux(opened, Fault.NONE, Fault.BLOCK), Fault.UNMAPPED),
                    Mux(request.cacheable, Fault.CACHEABLE, Fault.NO_VM),
                )
            ),
            late.eq(fault),
        ]
        with m.If(none):
            m.d.sync += fault.eq(Fault.NONE)
        if queue is None:  # there is no log
            return refused
        wiring.connect(m, queue.o, wiring.flipped(getattr(self, f"{way}_refusals")))
        what = data.StructLayout({"record": len(queue.i.record), "address": len(request.address)})
        was, now = Signal(what, name=f"{way}_was"), Signal(what, name=f"{way}_now")
        m.d.sync += [
            was.record.eq(Mux(request.known, request.vm, c.vms)),
            was.address.eq(request.address),
            now.eq(was),
        ]
        m.d.comb += [
            queue.push.eq(refused),
            queue.i.record.eq(now.record),
            queue.i.address.eq(now.address),
            queue.i.kind.eq(Mux(late.any(), late, Fault.BLOCK)),
        ]
        return refused

    def _older_write(self, m: Module, draining, go):
        """Whether a write that was accepted before the ``DRAIN`` read now at the front may still wait."""
        gone = Signal()
        with m.If(go):
            m.d.sync += gone.eq(0)
        with m.Elif(draining & (~self._write_waits | self.w_issue)):
            m.d.sync += gone.eq(1)
        return self._write_waits & ~gone


def _who(request) -> Value:
    """Return what of a bound request says who may do it."""
    return Cat(request.manager, request.allowed, request.known, request.vm, request.vms)
