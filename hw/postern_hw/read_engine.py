"""The read engine: every read but that of payload, one per cycle for all ports."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config, Manager
from postern_spec.model import pow2
from postern_spec.regmap import FAULT_RECORDS_EXTRA, Count, Fault, State, counts, locks, sources

from .arbiter import arbitrate
from .blocks import rights
from .decode import Decoder, pack
from .faults import FaultSignature
from .native import Sizes, read_request
from .queue import entry, level
from .select import any_of, bits_for, choose, mux_by_index, one_hot
from .turns import TurnsSignature
from .write_engine import early_fault, late_fault

__all__ = ["ReadEngine"]

FIXED = ("MAGIC", "VERSION", "FEATURES", "DIMENSIONS", "CAPACITY", "MEMORY")
"""Registers that never change."""

COMPUTED = ("QUOTA", "HOLDINGS", "BLOCK", "RIGHTS")
"""Registers that are not just chosen, but come of several rows. Counts of messages are computed later still."""


class ReadEngine(wiring.Component):
    """Takes one read per cycle and has the answer ``2 + read_delay`` cycles later.

    It asks the other components for what they know about the requester, or about the VM that the address names, and
    chooses. Two reads act here: that of a header, which lets its lane pop, and ``ALLOC``.

    Parameters
    ----------
    config : Config

    Members
    -------
    requests : In(stream of read_request).array(ports)
        Granted round robin, or by turns.
    data : Out(32), good : Out(1), error : Out(1)
        The answer, ``2 + read_delay`` cycles after the grant. It counts only if the read is ``good``; a refused one is
        an ``error``.
    look : Out(vms * lanes)
        This lane reads a header: one cycle after the grant.
    alloc : Out(1)
        The requester, which is open and not draining, allocates a block: two cycles after the grant.
    fault : Out(FaultSignature)
    own, other, lane, record : Out
        Requester (or the sender that the manager asks about), the VM that the address names, lane, fault record.
    ...
        The answers of the other components, named as there.
    """

    def __init__(self, config: Config):
        self.config = config
        sizes = self.sizes = Sizes(config)
        vms, ports = config.vms, len(config.ports)
        count = bits_for(config.depth + 1)
        vm = unsigned(sizes.vm_bits)
        super().__init__(
            {
                "requests": In(stream.Signature(read_request(config))).array(ports),
                "data": Out(32),
                "good": Out(1),
                "error": Out(1),
                "look": Out(vms * config.lanes),
                "fault": Out(FaultSignature(config)),
                "own": Out(vm),
                "other": Out(vm),
                "lane": Out(unsigned(sizes.lane_bits)),
                "core": Out(unsigned(bits_for(config.cores))),
                "record": Out(unsigned(bits_for(vms + FAULT_RECORDS_EXTRA))),
                "tag_row": Out(unsigned(bits_for(config.tags or 1))),
                # mailbox
                "states": In(2).array(vms),
                "filled": In(vms),
                "heads": In(entry(config)).array(vms),
                "rx_results": In(2 * config.lanes).array(vms),
                "firsts": In(range(config.depth)).array(vms),
                "tails": In(range(config.depth)).array(vms),
                "sent": In(count).array(vms),
                "gone": In(count).array(vms),
                "stops": In(count).array(vms),
                "result_code": In(3),
                "result_vm": In(vm),
                "result_count": In(8),
                # directory, doorbells, interrupts
                "permits": In(vms),
                "permitted": In(1),
                "acknowledged": In(1),
                "generation": In(8),
                "own_generation": In(8),
                "refused": In(vms),
                "dying": In(vms),
                "doorbells": In(vms),
                "irq_state": In(len(sources(config))),
                "irq_enable": In(len(sources(config))),
                "irq_moderation": In(32),
                # manager page
                "epoch": In(32),
                "locked": In(max(locks(config), default=0) + 1),
                "resident_vm": In(vm),
                "resident_valid": In(1),
                "waiting": In(vms),
                "armed": In(vms),
                "fired": In(vms),
                "fault_pending": In(vms + FAULT_RECORDS_EXTRA),
                "fault_enable": In(vms + FAULT_RECORDS_EXTRA),
                "fault_write": In(4 + sizes.port_bits + sizes.address_bits + 16),
                "fault_read": In(4 + sizes.port_bits + sizes.address_bits + 16),
                "tag_match": In(config.tag_bits),
                "tag_mask": In(config.tag_bits),
                "tag_vm": In(vm),
                "tag_valid": In(1),
            }
            | self._blocks(config)
            | (
                {
                    "integrity": In(9),
                    "pool_flips": In(32),
                    "sram_flips": In(32),
                    "stray_damaged": In(1),
                    "inject": In(14),
                }
                if config.protection
                else {}
            )
            | (
                {"count_vm": Out(vm), "count_what": Out(range(pow2(len(Count)))), "count": In(32)}
                if config.counters
                else {}
            )
            | ({"turns": In(TurnsSignature(config))} if config.strict else {})
        )

    @staticmethod
    def _blocks(c: Config) -> dict:
        if not c.blocks:
            return {}
        vm, block = unsigned(bits_for(c.vms)), unsigned(bits_for(c.blocks))
        numbers = dict.fromkeys(("used", "limit", "owned", "borrowed", "clean", "dirty"), In(bits_for(c.blocks + 1)))
        return {
            "alloc": Out(1),
            "alloc_given": In(1),
            "alloc_block": In(block),
            "block": Out(block),
            "account": Out(vm),
            "holding": In(3),
            "holding_other": In(vm),
            "holding_tag": In(8),
            "settled": In(2),
            "rights": In(rights(c)),
            "orphans": In(bits_for(c.blocks + 1)),
        } | numbers

    def elaborate(self, platform):
        m = Module()
        self._choose(m)
        self._answer(m)
        return m

    def _choose(self, m: Module):
        """Stage 1: choose a request. Stage 2: decode it."""
        c, sizes = self.config, self.sizes
        ports = len(self.requests)
        turns = (self.turns.strict, self.turns.read) if c.strict else (None, None)
        arbiter = arbitrate(m, c, "arbiter", ports, *turns)
        here = Signal(ports)
        chosen = Signal(read_request(c))
        m.d.comb += [
            arbiter.request.eq(Cat(request.valid for request in self.requests)),
            arbiter.accept.eq(1),
            *(request.ready.eq(grant) for request, grant in zip(self.requests, arbiter.grant, strict=True)),
        ]
        m.d.sync += [
            here.eq(arbiter.grant),
            chosen.as_value().eq(choose(arbiter.grant, [item.payload.as_value() for item in self.requests])),
        ]

        guest, manager = Decoder(sizes.guest_page, chosen.offset), Decoder(sizes.manager_page, chosen.offset)

        def either(wanted):
            return Mux(chosen.manager, manager.any(wanted), guest.any(wanted))

        acting = guest["HEADER"] | guest["POP"]
        if c.blocks:
            acting = acting | guest["ALLOC"]
        acts = ~chosen.manager & acting
        partial = ~chosen.strobes.all()
        self._here = Signal(ports)
        self._valid = Signal()
        self._request = Signal(read_request(c))
        self._first = Signal(4)
        self._mapped, self._directed, self._partial = (Signal(name=name) for name in ("mapped", "directed", "partial"))
        self._fit = Signal()  # what hits a register that acts may do so
        self._guest = Signal()
        self._payload = Signal()
        first = early_fault(chosen)
        blank = chosen.strobes == 0  # no access at all
        nothing = blank | chosen.address[2]  # nor is there anything in upper halves: nothing is wrong with that
        m.d.sync += [
            self._here.eq(here),
            self._valid.eq(here.any()),
            self._request.eq(chosen),
            self._first.eq(Mux(blank, Fault.NONE, first)),
            self._mapped.eq(nothing | either(lambda register: True)),
            self._directed.eq(nothing | either(lambda register: register.readable)),
            self._partial.eq(partial & acts & ~nothing),
            self._fit.eq(~first.any() & ~partial),
            self._guest.eq(~chosen.manager & ~blank),
            self._payload.eq(chosen.direct & chosen.strobes.all()),
        ]
        self._hits = {}
        fixed = any_of(
            [pack(getattr(guest.page, name)) & guest[name].replicate(32) for name in FIXED if name in guest.page]
        )
        fixed = fixed & (~chosen.manager & ~chosen.address[2] & ~blank).replicate(32)
        self._header(m, here, chosen, guest["HEADER"], fixed)
        for decoder, page in ((guest, ~chosen.manager), (manager, chosen.manager)):
            for register in decoder.page.registers:
                if register.readable and register.name not in ("HEADER", "POP", "WORD", *FIXED):
                    hit = Signal(name=f"hit_{decoder.page.name}_{register.name.lower()}")
                    m.d.sync += hit.eq(decoder.hit(register) & page & ~chosen.address[2] & ~blank)
                    self._hits[decoder.page.name, register.name] = hit

        own = Signal(unsigned(sizes.vm_bits))
        self._owns = Signal(c.vms)  # for ALLOC, a bit each
        other = Signal(unsigned(sizes.vm_bits))
        core = guest.index("IRQ_ENABLE", "core")
        m.d.comb += [own.eq(chosen.vm), other.eq(guest.index("PEER", "vm"))]
        if c.manager is not Manager.NONE:
            with m.If(chosen.manager):
                m.d.comb += other.eq(manager.index("CONTROL", "vm"))
                with m.If(manager["CREDITS"]):
                    m.d.comb += [
                        other.eq(manager.index("CREDITS", "receiver")),
                        own.eq(manager.index("CREDITS", "sender")),
                    ]
                with m.If(manager["PERMIT"]):
                    m.d.comb += other.eq(manager.index("PERMIT", "vm"))
            core = Mux(chosen.manager, manager.index("RESIDENT", "core"), core)
            m.d.sync += self.record.eq(manager.index("FAULT_WRITE", "vm"))
            if c.tags:
                m.d.sync += self.tag_row.eq(manager.index("TAG_MATCH", "entry"))
            if c.counters:
                m.d.sync += [
                    self.count_vm.eq(manager.index("COUNT_SENT", "vm")),
                    self.count_what.eq(chosen.offset[3:]),  # they lie at a stride of 8
                ]
        if c.blocks:
            account, block = chosen.vm, guest.index("BLOCK", "block")
            if c.manager is not Manager.NONE:
                account = Mux(chosen.manager, manager.index("QUOTA", "vm"), account)
                block = Mux(chosen.manager, manager.index("RIGHTS", "block"), block)
            m.d.sync += [self.block.eq(block), self.account.eq(account)]
        m.d.sync += [
            self.own.eq(own),
            *([self._owns.eq(Cat(one_hot(own, c.vms)))] if c.blocks else []),
            self.other.eq(other),
            self.core.eq(core),
            self.lane.eq(guest.index("RESULT", "lane")),
        ]

    def _header(self, m: Module, here, chosen, hit, fixed):
        """Stage 2 already: read the header, so that whatever the port passes on next finds the lane fresh."""
        c = self.config
        head = Signal(entry(c))
        looks = Signal()
        shut = Signal()
        self._looked = Signal()
        self._shut = Signal()
        self._early_word = Signal(32)
        generation = head.generation if c.manager is not Manager.NONE else 1
        kind = {"KIND": head.kind} if c.blocks else {}
        word = pack(
            self.sizes.guest_page.HEADER, COUNT=(head.last + 1)[:5], SENDER=head.sender, GENERATION=generation, **kind
        )
        lane = Decoder(self.sizes.guest_page, chosen.offset).index("HEADER", "lane")
        by_vm = one_hot(chosen.vm, c.vms, looks & ~shut)
        m.d.comb += [
            head.as_value().eq(mux_by_index([item.as_value() for item in self.heads], chosen.vm)),
            shut.eq(mux_by_index(list(self.states), chosen.vm) == State.CLOSED),
            looks.eq(
                here.any() & hit & ~chosen.manager & chosen.allowed & (chosen.address[:3] == 0) & chosen.strobes.all()
            ),
            self.look.eq(Cat(bit for own in by_vm for bit in one_hot(lane, c.lanes, own))),
        ]
        filled = mux_by_index(list(self.filled), chosen.vm)
        m.d.sync += [
            self._looked.eq(looks),
            self._shut.eq(shut),
            self._early_word.eq((word & (looks & filled).replicate(32)) | fixed),
        ]

    def _answer(self, m: Module):
        """Stage 3: look and answer."""
        c = self.config
        request = self._request
        closed = Signal()
        refused = Signal(4)
        good = Signal()
        state = Signal(2)
        m.d.comb += [
            state.eq(mux_by_index(list(self.states), request.vm)),
            # Payload is read here only from a closed VM: its port has looked already, as has stage 2 for a header.
            closed.eq(self._guest & Mux(self._looked, self._shut, (state == State.CLOSED) | self._payload)),
            refused.eq(
                Mux(
                    self._first.any(),
                    self._first,
                    Mux(closed, Fault.CLOSED, late_fault(self._mapped, self._directed, self._partial)),
                )
            ),
            good.eq(~self._first.any() & self._directed & ~self._partial & ~closed),
            self.fault.valid.eq(self._valid & ~good),
            self.fault.kind.eq(refused),
            self.fault.record.eq(Mux(request.known, request.vm, c.vms)),
            self.fault.address.eq(request.address),
            self.fault.port.eq(any_of([Mux(here, p, 0) for p, here in enumerate(self._here)])),
        ]
        if c.blocks:
            # By itself, not by what is `good`, because it goes far.
            may = [state[0] ^ state[1] for state in self.states]  # open or paused
            allocates = self._hits["guest", "ALLOC"] & self._valid & self._fit & (Cat(may) & self._owns).any()
            m.d.comb += self.alloc.eq(allocates)
        words = self._guest_words(state)
        if c.manager is not Manager.NONE:
            words |= self._manager_words()
        found = {name: word & self._hits[name].replicate(32) for name, word in words.items()}
        joined = self._joined(m)
        late = []
        if self.sizes.read_delay:
            # They come late in the cycle, so they have a register of their own and join the others behind it.
            late = [found.pop(name) for name in list(found) if name[1] in COMPUTED]
        early = list(found.values())
        if c.counters:
            counter = Cat(self._hits["manager", f"COUNT_{item.name}"] for item in counts(c)).any()
            early.append(Mux(counter, self.count, 0))
        early.append(self._early_word)
        if self.sizes.read_delay:
            word, computed = Signal(32, name="chosen_word"), Signal(32, name="computed_word")
            m.d.sync += [self.good.eq(good), self.error.eq(~good), word.eq(any_of(early))]
            if late:
                m.d.sync += computed.eq(any_of(late))
            m.d.comb += self.data.eq(word | computed | joined)
        else:
            m.d.comb += [self.good.eq(good), self.error.eq(~good), self.data.eq(any_of(early) | joined)]

    def _later(self, m: Module, *values) -> list:
        """Return these values in the cycle in which the answer is put together: in this one, or the next."""
        if not self.sizes.read_delay:
            return [Value.cast(value) for value in values]
        kept = [Signal(len(Value.cast(value)), name=f"later_{i}") for i, value in enumerate(values)]
        m.d.sync += [register.eq(value) for register, value in zip(kept, values, strict=True)]
        return kept

    def _joined(self, m: Module) -> Value:
        """Words of which the parts come late, because tables are looked up for them: they are put together beside the
        answer. Counts of messages are differences of what tables say: of ``own`` that wait at ``other``, how many more
        could, and of anybody that wait there.
        """
        c, page = self.config, self.sizes.guest_page
        state = mux_by_index(list(self.states), self.other)
        alive = (state == State.OPEN) | (state == State.PAUSED)
        peer, credit = (self._hits["guest", name] & self.permitted for name in ("PEER", "CREDIT"))
        generation, alive, acknowledged, peer, credit, result = self._later(
            m, self.generation, alive, self.acknowledged, peer, credit, self._hits["guest", "RESULT"]
        )
        sent, gone, stop = self._later(
            m, *(mux_by_index(list(values), self.other) for values in (self.sent, self.gone, self.stops))
        )
        used, available, limit = ((a - b)[: len(sent)] for a, b in ((sent, gone), (gone, stop), (sent, stop)))
        if c.manager is Manager.NONE:  # see Queue
            limit = c.credits
        words = [
            (pack(page.PEER, GENERATION=generation, REACHABLE=1, ALIVE=alive, ACKNOWLEDGED=acknowledged), peer),
            (pack(page.CREDIT, AVAILABLE=available, LIMIT=limit), credit),
            (pack(page.RESULT, CODE=self.result_code, VM=self.result_vm, COUNT=self.result_count), result),
        ]
        if c.manager is not Manager.NONE:
            manager = self.sizes.manager_page
            filled, first, tail, control, credits = self._later(
                m,
                *(mux_by_index(list(values), self.other) for values in (self.filled, self.firsts, self.tails)),
                self._hits["manager", "CONTROL"],
                self._hits["manager", "CREDITS"],
            )
            words += [
                (pack(manager.CREDITS, LIMIT=limit, USED=used), credits),
                (pack(manager.CONTROL, QUEUED=level(filled, first, tail, c.depth)), control),
            ]
        return any_of([word & hit.replicate(32) for word, hit in words])

    def _guest_words(self, state) -> dict:
        c, page = self.config, self.sizes.guest_page
        request = self._request
        vm = request.vm
        half_bit = Decoder(page, request.offset).index("PENDING", "half")
        rx_results = mux_by_index(list(self.rx_results), vm)
        rx = mux_by_index([rx_results[2 * lane : 2 * lane + 2] for lane in range(c.lanes)], self.lane)
        words = {
            "SELF": pack(page.SELF, VM=vm, GENERATION=self.own_generation, STATE=state, PORT=self.fault.port),
            "EPOCH": self.epoch,
            "IRQ_STATE": self.irq_state,
            "PENDING": mux_by_index([self.doorbells[:32], self.doorbells[32:]], half_bit)[:32],
            "IRQ_ENABLE": self.irq_enable,
            "RX_RESULT": rx,
        }
        if c.moderation:
            words["IRQ_MODERATION"] = self.irq_moderation
        if c.blocks:
            given = self.alloc_given.replicate(32)
            words |= {
                "QUOTA": pack(page.QUOTA, USED=self.used, LIMIT=self.limit),
                "ALLOC": pack(page.ALLOC, BLOCK=self.alloc_block, VALID=1) & given,
                "BLOCK_RESULT": pack(page.BLOCK_RESULT, CODE=self.settled),
                "BLOCK": pack(page.BLOCK, HOLDING=self.holding, VM=self.holding_other, TAG=self.holding_tag),
            }
        return {("guest", name): word for name, word in words.items()}

    def _manager_words(self) -> dict:
        c, page = self.config, self.sizes.manager_page
        vms = c.vms
        offset = self._request.offset
        half_bit = Decoder(page, offset).index("WAITING", "half")
        permit_half = Decoder(page, offset).index("PERMIT", "half")

        def halves(bits, half):
            return mux_by_index([bits[:32], bits[32:vms]], half)[:32]

        state = mux_by_index(list(self.states), self.other)
        words = {
            "EPOCH": self.epoch,
            "DRAIN": Const(1, 1),
            "LOCK": self.locked,
            **({"ARBITRATION": self.turns.strict} if c.strict else {}),
            "FAULT_PENDING": halves(self.fault_pending[:vms], half_bit),
            "FAULT_ENABLE": halves(self.fault_enable[:vms], half_bit),
            "WAITING": halves(self.waiting, half_bit),
            "WAIT_ARM": halves(self.armed, half_bit),
            "WAIT_FIRED": halves(self.fired, half_bit),
            "STRAY": pack(page.STRAY, PENDING=self.fault_pending[vms], ENABLE=self.fault_enable[vms]),
            "RESIDENT": pack(page.RESIDENT, VM=self.resident_vm, VALID=self.resident_valid),
            "CONTROL": pack(
                page.CONTROL,
                STATE=state,
                REFUSED=mux_by_index(list(self.refused), self.other),
                KILLING=mux_by_index(list(self.dying), self.other),
            ),
            "GENERATION": self.generation,
            "PERMIT": halves(self.permits, permit_half),
        }
        if c.blocks:
            words |= {
                "POOL": pack(page.POOL, CLEAN=self.clean, DIRTY=self.dirty),
                "QUOTA": pack(page.QUOTA, LIMIT=self.limit, USED=self.used),
                "HOLDINGS": pack(page.HOLDINGS, OWNED=self.owned, BORROWED=self.borrowed),
                "ORPHANS": self.orphans,
                "RIGHTS": pack(
                    page.RIGHTS, **{name.upper(): getattr(self.rights, name) for name in self.rights.shape().members}
                ),
            }
        if c.protection:
            words |= {
                "INTEGRITY": self.integrity,
                "INTEGRITY_POOL": self.pool_flips,
                "INJECT": self.inject,
                "STRAY": words["STRAY"] | self.stray_damaged << page.STRAY.DAMAGED.lsb,
            }
            if c.blocks:
                words["INTEGRITY_SRAM"] = self.sram_flips
        if c.tags:
            words |= {
                "TAG_MATCH": self.tag_match,
                "TAG_MASK": self.tag_mask,
                "TAG_VM": pack(page.TAG_VM, VM=self.tag_vm, VALID=self.tag_valid),
            }
        port_bits = self.sizes.port_bits
        for name, record in (("WRITE", self.fault_write), ("READ", self.fault_read)):
            kind, rest = record[:4], record[4:]
            port, rest = rest[:port_bits], rest[port_bits:]
            address, count = rest[:-16], rest[-16:]
            words[f"FAULT_{name}"] = pack(page.FAULT_WRITE, KIND=kind, PORT=port, COUNT=count)
            words[f"FAULT_{name}_ADDRESS"] = address
        return {("manager", name): word for name, word in words.items()}
