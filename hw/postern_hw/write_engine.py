"""The write engine: every write with an effect beyond a lane, one per cycle, in one order for all ports."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config, Identity, Manager
from postern_spec.model import pow2
from postern_spec.regmap import (
    INJECTED_PER_PORT,
    INJECTED_PER_VM,
    LOCKED,
    Arbitration,
    Count,
    Fault,
    Injection,
    Result,
    Settled,
    injections,
    locks,
)
from postern_spec.sizes import kill_steps, open_steps

from .arbiter import arbitrate
from .counters import EVENTS
from .decode import Decoder
from .ecc import Guard
from .faults import FaultSignature
from .native import Sizes, write_request
from .pool import PoolWriteSignature
from .queue import entry, fill_bits
from .select import any_of, bits_for, choose, gated, log2, mux_by_index, one_hot
from .table import Table
from .turns import TurnsSignature

__all__ = ["WriteEngine", "early_fault", "late_fault", "result_entry"]


def result_entry(c: Config) -> data.StructLayout:
    """What a lane remembers of its commits: first refusal, its destination, and how many were accepted."""
    return data.StructLayout({"code": 3, "vm": unsigned(bits_for(c.vms)), "count": 8})


def early_fault(request):
    """Return the fault that an address alone decides and that comes before ``CLOSED``.

    Parameters
    ----------
    request : View
        Of ``read_request`` or ``write_request``.
    """
    denied = Mux(request.manager, Fault.NOT_MANAGER, Fault.NO_VM)
    if "cacheable" in request.shape().members:
        denied = Mux(request.cacheable, Fault.CACHEABLE, denied)
    return Mux(request.allowed, Mux(request.address[:2].any(), Fault.UNALIGNED, Fault.NONE), denied)


def late_fault(mapped, directed, partial):
    """Return the fault that an address alone decides and that comes after ``CLOSED``.

    Parameters
    ----------
    mapped, directed, partial : Value
        A register is there; it goes in this direction; it would act, and not all byte lanes are there.
    """
    there = Mux(directed, Mux(partial, Fault.PARTIAL, Fault.NONE), Fault.DIRECTION)
    return Mux(mapped, there, Fault.UNMAPPED)


class WriteEngine(wiring.Component):
    """Takes one write at a time, checks it, and has it act.

    A commit without a block, which its port has decoded, acts in the cycle after its grant: one per cycle. Any other
    write is decoded in that cycle, checked in the next, acts in the one after, and keeps the engine for three. Here
    messages are judged. Everything else that a write can do happens in the component that it concerns; the engine
    refuses what ``docs/states.md`` section 1 refuses, and raises one strobe.

    Parameters
    ----------
    config : Config

    Members
    -------
    requests : In(stream of write_request).array(ports)
        Granted round robin or by turns, together with the steps of a VM that is being opened or torn down.
    acted : Out(ports)
        This port's request has acted at the end of this cycle.
    slot_back : Out(ports), back : Out
        The port whose commit acts gets a free slot, and a cycle later it hears which one.
    do : Out
        One strobe per writable register that others act on, by its name in lower case. What it acts on has been there
        for a cycle.
    vm, source, target, sources, targets, port : Out
        Requester; the sender and the receiver that are looked at, by number and as a bit each; the port.
    data : Out(32), half : Out(1), index : Out
        The word; which half of a bit list; which core or tag entry.
    push : Out(vms), message : Out(entry)
        A message for a queue.
    word : Out(PoolWriteSignature), crowded : In(1)
        Last word of a message for the pool; nothing may be granted in a cycle that is crowded.
    free_slots, sent, gone, stops, spent, returns : In
        From the queues: see ``Queue``.
    grant : Out(vms)
        The sender gets a new limit there.
    new_sent, new_stop : Out
        For the queue of the target, with ``push`` or ``grant``.
    permitted, acknowledged, source_open, source_draining, connected, target_alive, target_open : In
    source_generation, target_generation : In
        From the directory.
    closed_vm : In(vms)
        This VM is closed at the end of this cycle.
    idle : Out(1)
        No message from ``source`` waits anywhere, if it has been the source for a cycle and has sent nothing in it.
    walking, will_walk, walk_vm, walk_step, walk_last : In; walk : Out(1)
        Steps of a VM that is being opened.
    killing, kill_vm, kill_step : In; kill : Out(1)
        Steps of a VM that is being torn down. ``walk`` and ``kill`` are high in the cycle in which the step acts.
    hold : Out(1)
        Managers wait.
    refused_command : In(1)
        The directory refuses the command.
    refusing : Out(vms)
        Some lane of this VM waits for its refusal to be acknowledged.
    epoch : Out(32), locked : Out
        Of the manager page; ``locked`` has a bit per ``Lock``.
    fault : Out(FaultSignature)
    look_lane, look_vm : In, look_result : Out(result_entry)
        A lane's result for the read engine: a cycle later where reads take one more.
    fill, fill_row : In

    With blocks:

    may_give, tag : In; give : Out(1)
        From and to the blocks: the word may hand its block over, with this tag in its place; it does.
    settled, limit_fits, is_orphan : In
        Outcome of ``FREE``, ``RETURN`` and ``REVOKE``; the target may have the quota; the block may be reclaimed.
    look_settled : Out(2)
        A lane's outcome for the read engine.

    Where the block is strict:

    strict : Out(1), turns : In(TurnsSignature)
        Go by turns, which are these. In a turn commits without a block are granted in any cycle, other writes in the
        first, so that the engine is free when the turn is over.

    With counters:

    event : Out(1), what : Out
        Something of ``source`` is to be counted, and as what (``Count``).
    """

    STROBES = (
        "IRQ_STATE", "IRQ_TEST", "IRQ_MODERATION", "IRQ_ENABLE", "RING", "PENDING", "PEER",
        "TEAR", "FAULT_PENDING", "FAULT_ENABLE", "WAIT_ARM", "WAIT_DISARM", "WAIT_FIRED", "STRAY",
        "RESIDENT", "CONTROL", "PERMIT", "TAG_MATCH", "TAG_MASK", "TAG_VM",
    )  # fmt: skip

    @classmethod
    def strobes(cls, c: Config) -> tuple[str, ...]:
        """Return the names of the strobes that a block has."""
        blocks = ("FREE", "RETURN", "REVOKE", "QUOTA", "RECLAIM") if c.blocks else ()
        more = (("COUNT_CLEAR",) if c.counters else ()) + (("INTEGRITY", "INJECT") if c.protection else ())
        return cls.STROBES + blocks + more

    def __init__(self, config: Config):
        self.config = config
        sizes = self.sizes = Sizes(config)
        vms, ports = config.vms, len(config.ports)
        count = bits_for(config.depth + 1)
        vm = unsigned(sizes.vm_bits)
        super().__init__(
            {
                "requests": In(stream.Signature(write_request(config))).array(ports),
                "acted": Out(ports),
                "slot_back": Out(ports),
                "back": Out(unsigned(sizes.slot_bits)),
                "do": Out(wiring.Signature({name.lower(): Out(1) for name in self.strobes(config)})),
                "vm": Out(vm),
                "source": Out(vm),
                "target": Out(vm),
                "sources": Out(vms),
                "targets": Out(vms),
                "data": Out(32),
                "half": Out(1),
                "index": Out(unsigned(max(bits_for(config.cores), bits_for(config.tags or 1)))),
                "push": Out(vms),
                "message": Out(entry(config)),
                "word": Out(PoolWriteSignature(sizes)),
                "crowded": In(1),
                "free_slots": In(unsigned(sizes.slot_bits)).array(vms),
                "sent": In(count).array(vms),
                "gone": In(count).array(vms),
                "stops": In(count).array(vms),
                "spent": In(vms),
                "returns": In(vms),
                "grant": Out(vms),
                "new_sent": Out(count),
                "new_stop": Out(count),
                "permitted": In(1),
                "acknowledged": In(1),
                "source_open": In(1),
                "source_draining": In(1),
                "connected": In(1),
                "target_alive": In(1),
                "target_open": In(1),
                "source_generation": In(8),
                "target_generation": In(8),
                "closed_vm": In(vms),
                "idle": Out(1),
                "walking": In(1),
                "will_walk": In(1),
                "walk_vm": In(vm),
                "walk_step": In(range(open_steps(config))),
                "walk_last": In(1),
                "walk": Out(1),
                "killing": In(1),
                "kill_vm": In(vm),
                "kill_step": In(range(kill_steps(config))),
                "kill": Out(1),
                "hold": Out(1),
                "refused_command": In(1),
                "refusing": Out(vms),
                "epoch": Out(32),
                "locked": Out(max(locks(config), default=0) + 1),
                "fault": Out(FaultSignature(config)),
                "look_vm": In(vm),
                "look_lane": In(unsigned(sizes.lane_bits)),
                "look_result": Out(result_entry(config)),
                "fill": In(1),
                "fill_row": In(fill_bits(config)),
            }
            | ({"unsound": Out(1), "damaged": Out(1), "inject": In(1)} if config.protection else {})
            | (
                {
                    "may_give": In(1),
                    "tag": In(8),
                    "give": Out(1),
                    "settled": In(Settled),
                    "limit_fits": In(1),
                    "is_orphan": In(1),
                    "look_settled": Out(Settled),
                }
                if config.blocks
                else {}
            )
            | ({"event": Out(1), "what": Out(range(EVENTS))} if config.counters else {})
            | ({"strict": Out(1, init=1), "turns": In(TurnsSignature(config))} if config.strict else {})
        )

    def elaborate(self, platform):
        m = Module()
        self._choose(m)
        self._check(m)
        self._act(m)
        self._judge(m)
        self._manage(m)
        return m

    def _choose(self, m: Module):
        """Stage 1: choose a request. A commit acts in the next cycle; anything else is decoded in it."""
        c, sizes = self.config, self.sizes
        ports = len(self.requests)
        managed = c.manager is not Manager.NONE
        payloads = [request.payload for request in self.requests]
        quick = [payload.commit & ~payload.block if c.blocks else payload.commit for payload in payloads]
        strict, turn = None, None
        if c.strict:
            strict, turns = self.turns.strict, self.turns.write
            fits = [bit | self.turns.first for bit in quick]  # a step is over as soon as a commit
            turn = turns & Cat(*fits, *([1] if managed else []))
        arbiter = arbitrate(m, c, "arbiter", ports + managed, strict, turn)
        steps = arbiter.grant[-1] if managed else Const(0)
        stepping = Mux(self.walking, ~self.walk, self.killing & ~self.kill)  # not in the cycle in which one acts
        decoding, busy, accept = (Signal(name=name) for name in ("decoding", "busy", "accept"))
        self._checking = checking = Signal()
        m.d.comb += [
            arbiter.request.eq(Cat(*(request.valid for request in self.requests), *([stepping] if managed else []))),
            arbiter.accept.eq(accept),
            busy.eq(decoding | checking),
            accept.eq(~busy & ~self.crowded),
            *(request.ready.eq(arbiter.grant[p] & accept) for p, request in enumerate(self.requests)),
        ]

        granted = arbiter.grant[:ports]
        self._request = request = Signal(write_request(c))
        self._taken = Signal(ports)  # whose request this is
        self._commit = Signal(ports)  # whose commit acts
        self._commits = Signal()  # what acts is a commit
        self._banks = Signal(sizes.banks)  # where the last word of that goes
        self._ordinary = Signal()  # what acts is no commit
        others = Signal(ports)

        def bank(payload, chosen):
            return Cat(one_hot(payload.last[: log2(sizes.banks)], sizes.banks, chosen))

        commit = granted & Cat(quick) & accept.replicate(ports)
        banks = choose(granted, [bank(payload, chosen) for payload, chosen in zip(payloads, quick, strict=True)])
        banks = banks & accept.replicate(sizes.banks)
        commits, ordinary = commit.any(), checking
        if c.blocks:  # a commit with a block takes as long as any other write
            late = checking & request.commit
            commit, commits = commit | (self._taken & late.replicate(ports)), commits | late
            banks, ordinary = banks | bank(request, late), checking & ~request.commit
        m.d.sync += [
            self._commits.eq(commits),
            self._banks.eq(banks),
            self._commit.eq(commit),
            others.eq(granted & ~Cat(quick) & accept.replicate(ports)),
            checking.eq(decoding),
            self._ordinary.eq(ordinary),
        ]
        m.d.comb += decoding.eq(others.any())
        with m.If(~busy):  # whether it was taken is known later than what it is
            m.d.sync += self._taken.eq(granted)
            kept = gated(m, granted, [payload.as_value() for payload in payloads], "kept")
        m.d.comb += request.as_value().eq(kept)

        # Sender, receiver and lane, in time for the tables.
        self._source = source = Signal(unsigned(sizes.vm_bits))
        self._target = target = Signal(unsigned(sizes.vm_bits))
        self._lane = lane = Signal(unsigned(sizes.lane_bits))
        self._target_exists = exists = Signal()
        self._sources, self._targets = Signal(c.vms), Signal(c.vms)  # the same, one bit each
        guest = Decoder(sizes.guest_page, choose(granted, [payload.offset for payload in payloads]))
        sender, receiver = Signal.like(source), Signal.like(target)  # of the next cycle
        m.d.comb += [
            sender.eq(choose(granted, [payload.vm for payload in payloads])),
            receiver.eq(guest.index("COMMIT", "vm")),
        ]
        with m.If(~busy):
            m.d.sync += [
                exists.eq(1),  # or its port would not call it a commit
                lane.eq(guest.index("COMMIT", "lane")),
            ]
        self._walk = Signal()
        if managed:
            # A write of the manager is in the engine: now, and in the next cycle.
            managing, manages = Signal(), Signal()
            comes = choose(granted, [payload.manager & payload.allowed for payload in payloads]) & accept
            m.d.comb += manages.eq((managing & ~self._ordinary) | comes)
            m.d.sync += [
                managing.eq(manages),
                self.hold.eq(manages | self.will_walk),
                self._walk.eq(steps & accept & self.walking),
                self.kill.eq(steps & accept & ~self.walking),
            ]
            with m.If(steps):
                m.d.comb += [
                    sender.eq(Mux(self.walking, self.walk_vm, self.kill_vm)),
                    receiver.eq(Mux(self.walking, Mux(self.walk_last, self.walk_vm, self.walk_step), self.kill_step)),
                ]
        with m.If(decoding):
            self._decode(m, sender, receiver)
        with m.If(~checking):
            m.d.sync += [
                source.eq(sender),
                target.eq(receiver),
                self._sources.eq(Cat(one_hot(sender, c.vms))),
                self._targets.eq(Cat(one_hot(receiver, c.vms))),
            ]

    def _decode(self, m: Module, sender, receiver):
        """Stage 2 of all but commits: decode the address. Who is looked at follows, in ``sender`` and ``receiver``."""
        c, sizes = self.config, self.sizes
        request = self._request
        guest, manager = Decoder(sizes.guest_page, request.offset), Decoder(sizes.manager_page, request.offset)

        def either(wanted):
            return Mux(request.manager, manager.any(wanted), guest.any(wanted))

        self._first = Signal(4)
        self._mapped, self._directed, self._partial = (Signal(name=name) for name in ("mapped", "directed", "partial"))
        self._hit = {}
        self._blank = Signal()
        self._fit = Signal()  # what hits a register may act
        first = early_fault(request)
        partial = ~request.strobes.all()
        blank = request.strobes == 0  # no access at all
        nothing = blank | request.address[2]  # nor is there anything in upper halves: nothing is wrong with that
        m.d.sync += [
            self._first.eq(Mux(blank, Fault.NONE, first)),
            self._mapped.eq(nothing | either(lambda register: True)),
            self._directed.eq(nothing | either(lambda register: register.writable)),
            self._partial.eq(partial & ~nothing),
            self._blank.eq(blank),
            self._fit.eq(~first.any() & ~partial),
        ]
        for decoder, own in ((guest, ~request.manager), (manager, request.manager)):
            for register in decoder.page.registers:
                if register.writable and register.name not in ("STAGE", "COMMIT"):
                    self._hit[register.name] = hit = Signal(name=f"hit_{register.name.lower()}")
                    m.d.sync += hit.eq(decoder.hit(register) & own & ~request.address[2] & ~blank)

        choice = Signal.like(receiver, name="choice")
        rings = ~request.manager & guest["RING"]
        m.d.comb += [sender.eq(request.vm), receiver.eq(choice), choice.eq(request.vm)]
        with m.If(rings):
            m.d.comb += choice.eq(request.data)
        with m.If(~request.manager & guest["PEER"]):
            m.d.comb += choice.eq(guest.index("PEER", "vm"))
        lane = guest.index("ACK", "lane")
        if c.blocks:
            lane = Mux(request.commit, guest.index("COMMIT", "lane"), lane)
            with m.If(request.commit):
                m.d.comb += choice.eq(guest.index("COMMIT", "vm"))
            if c.manager is not Manager.NONE:
                with m.If(request.manager & manager["QUOTA"]):
                    m.d.comb += choice.eq(manager.index("QUOTA", "vm"))
        if c.manager is not Manager.NONE:
            with m.If(request.manager & manager["CREDITS"]):
                m.d.comb += [
                    choice.eq(manager.index("CREDITS", "receiver")),
                    sender.eq(manager.index("CREDITS", "sender")),
                ]
            with m.If(request.manager & manager["PERMIT"]):
                m.d.comb += choice.eq(manager.index("PERMIT", "vm"))
            with m.If(request.manager & manager["CONTROL"]):
                m.d.comb += [choice.eq(manager.index("CONTROL", "vm")), sender.eq(choice)]
        m.d.sync += [
            self._target_exists.eq(~rings | (request.data < c.vms)),  # any other target is part of the address
            self._lane.eq(lane),
        ]

        # Which core or tag entry, and which half of a bit list.
        index = guest.index("IRQ_ENABLE", "core")
        if c.manager is not Manager.NONE:
            other = manager.index("RESIDENT", "core")
            if c.tags:
                other = Mux(manager["RESIDENT"], other, manager.index("TAG_MATCH", "entry"))
            index = Mux(request.manager, other, index)
        m.d.sync += self.index.eq(index)
        if c.vms > 32:
            m.d.sync += self.half.eq(request.offset[3])  # every bit list lies at a stride of 8

    def _check(self, m: Module):
        """Stage 3 of all but commits: look at the tables, refuse, and prepare the strobe."""
        c = self.config
        request = self._request
        self._may, self._reaches = Signal(name="may"), Signal(name="reaches")
        closed = Signal()
        refused = Signal(4)
        good = Signal()
        m.d.comb += [
            self._may.eq(self.permitted & ~self.source_draining & self._target_exists),
            self._reaches.eq(self.target_alive & self.acknowledged),
            # A whole staged word comes here only from a closed VM: its port has looked already.
            closed.eq(~request.manager & ~self._blank & (~self.source_open | (request.direct & request.strobes.all()))),
            refused.eq(
                Mux(
                    self._first.any(),
                    self._first,
                    Mux(closed, Fault.CLOSED, late_fault(self._mapped, self._directed, self._partial)),
                )
            ),
            good.eq(self._checking & self._fit & ~closed),
        ]
        greets = self.permitted & self._target_exists
        allowed = {"RING": self._may & self._reaches}
        denied = (self._hit["RING"] & ~self._may) | (self._hit["PEER"] & ~greets if "PEER" in self._hit else 0)
        wrong: Value = Const(0)
        if c.manager is not Manager.NONE:
            allowed["PEER"] = greets & (self.data == self.target_generation)
            bad = self._bad_values()
            allowed |= {name: ~Value.cast(value) for name, value in bad.items()}
            wrong = Cat(self._hit[name] & value for name, value in bad.items()).any()

        self._refused = Signal(4)
        self._does = {name: Signal(name=f"does_{name.lower()}") for name in self._hit}
        m.d.sync += [
            self._refused.eq(
                Mux(refused.any(), refused, Mux(denied, Fault.DENIED, Mux(wrong, Fault.BAD_VALUE, Fault.NONE)))
            ),
            *(self._does[name].eq(good & hit & allowed.get(name, 1)) for name, hit in self._hit.items()),
        ]
        m.d.comb += [
            getattr(self.do, name.lower()).eq(self._does[name]) for name in self.strobes(c) if name in self._does
        ]

    def _bad_values(self) -> dict:
        """Return what the manager must not write, by register, as far as the check can tell."""
        c, word = self.config, self.data
        vm_exists = word[:6] < c.vms
        port_exists = word[8:12] < len(c.ports)
        static = Cat(port.identity is Identity.STATIC for port in c.ports for _ in range(port.cores))
        at_static = static.bit_select(self.index[: bits_for(c.cores)], 1) if c.cores > 1 else static
        bad = {"TEAR": ~(vm_exists & port_exists), "RESIDENT": at_static | (word[31] & ~vm_exists)}
        if c.tags:
            bad["TAG_VM"] = word[31] & ~vm_exists
        if c.protection:
            kinds = injections(c)
            possible = Const(sum(1 << kind for kind in (Injection.NONE, *kinds)), len(Injection))
            per_port, per_vm = (
                Const(sum(1 << kind for kind in some), len(Injection)) for some in (INJECTED_PER_PORT, INJECTED_PER_VM)
            )
            kind, index = word[:4], word[8:14]
            bad["INJECT"] = (
                ~possible.bit_select(kind, 1)
                | (per_port.bit_select(kind, 1) & (index >= len(c.ports)))
                | (per_vm.bit_select(kind, 1) & (index >= c.vms))
            )
        for lock in locks(c):
            for name in LOCKED[lock]:
                bad[name] = bad.get(name, 0) | self.locked[lock]
        return bad

    def _act(self, m: Module):
        """Act: the cycle in which a write takes effect."""
        c, sizes = self.config, self.sizes
        request = self._request
        acts = Signal()
        self._late_fault = Signal(4)  # what only now can be told
        # By itself, because it goes far, and nobody looks at it in the cycle in which the request has come.
        m.d.sync += self.data.eq(request.data)
        refused = Signal(4)
        m.d.comb += [
            acts.eq(self._commits | self._ordinary),
            self.acted.eq(self._commit | (self._taken & self._ordinary.replicate(len(self._taken)))),
            self.walk.eq(self._walk),
            self.vm.eq(request.vm),
            self.source.eq(self._source),
            self.target.eq(self._target),
            self.sources.eq(self._sources),
            self.targets.eq(self._targets),
            refused.eq(self._refused),
        ]
        with m.If(~self._ordinary):
            m.d.comb += refused.eq(
                Mux(self.source_open, Mux(request.strobes.all(), Fault.NONE, Fault.PARTIAL), Fault.CLOSED)
            )
        m.d.comb += [
            self.fault.valid.eq(acts & (refused.any() | self._late_fault.any())),
            self.fault.kind.eq(Mux(refused.any(), refused, self._late_fault)),
            self.fault.record.eq(Mux(request.known, request.vm, c.vms)),
            self.fault.address.eq(request.address),
            self.fault.port.eq(any_of([Mux(bit, p, 0) for p, bit in enumerate(self._taken)])),
        ]
        m.d.comb += [
            self.word.request.eq(self._banks),
            self.word.enable.eq(~request.torn),
            self.word.slot.eq(request.slot),
            self.word.word.eq(request.last),
            self.word.data.eq(request.data),
        ]
        if c.blocks:
            tag = sizes.guest_page.RETURN.TAG
            filled_in = Cat(Const(0, tag.lsb), self.tag & request.block.replicate(tag.width))
            m.d.comb += self.word.data.eq(request.data | filled_in)

    def _judge(self, m: Module):
        """Messages, their results and doorbells."""
        c, sizes = self.config, self.sizes
        request = self._request
        row = Cat(self._lane[: sizes.lane_log], self._source)  # who commits or acknowledges is the source
        accepting = Signal()  # the lane

        may, reaches = self._may, self._reaches
        willing, accept, refuse = (Signal(name=name) for name in ("willing", "accept", "refuse"))
        commit, whole = Signal(), Signal()
        code = Signal(Result)
        accepted = Signal()  # in the cycle before
        given_up, refused = Signal.like(self.back, name="given_up"), Signal.like(self.back, name="refused_slot")
        m.d.comb += [
            commit.eq(self._commits & self.source_open & accepting),
            # Not of `commit` and `may`, which come later: who is connected is open, and may send.
            whole.eq(self._commits & accepting & ~request.torn & self.connected),
            willing.eq(whole & self.target_open),
            accept.eq(willing & ~(self.spent & self._targets).any()),
            refuse.eq(commit & ~accept),
            code.eq(Result.NO_CREDIT),
        ]
        with m.If(request.torn):
            m.d.comb += code.eq(Result.TORN)
        with m.Elif(~may):
            m.d.comb += code.eq(Result.DENIED)
        with m.Elif(~reaches):
            m.d.comb += code.eq(Result.PEER_GONE)
        if c.blocks:
            bad_block = request.block & ~self.may_give
            # A commit with a block is checked a cycle before it acts, and until then only pops change anything for it.
            # Rights need not wait for the judgement, therefore: all of it but the block itself is settled here.
            settled = Signal(name="settled_before")
            spent = (self.spent & ~self.returns & self._targets).any()
            fit = accepting & ~request.torn & self.connected & self.target_open
            m.d.sync += settled.eq(self._checking & request.commit & fit & ~spent)
            m.d.comb += [
                willing.eq(whole & self.target_open & ~bad_block),
                self.give.eq(settled & self._commits & request.block & self.may_give),
                self.message.kind.eq(request.block),
            ]
            with m.If(~request.torn & may & reaches & bad_block):
                m.d.comb += code.eq(Result.BAD_BLOCK)
                with m.If(commit):
                    m.d.comb += self._late_fault.eq(Fault.BLOCK)
            self._settle(m, row)

        m.d.comb += [
            self.push.eq(self._targets & ~self.spent & willing.replicate(c.vms)),
            self.message.slot.eq(request.slot),
            self.message.last.eq(request.last),
            self.message.sender.eq(self._source),
            *([self.message.generation.eq(self.source_generation)] if c.manager is not Manager.NONE else []),
            self.slot_back.eq(self._commit & (~request.torn).replicate(len(self._commit))),
            self.back.eq(Mux(accepted, given_up, refused)),
        ]

        m.d.sync += [
            accepted.eq(accept),
            given_up.eq(choose(self._targets, list(self.free_slots))),
            refused.eq(request.slot),
        ]

        self._keep_results(m, row, accepting, {"commit": commit, "accept": accept, "refuse": refuse, "code": code})

        with m.If(commit & ~request.torn & ~may):
            m.d.comb += self._late_fault.eq(Fault.DENIED)
        if c.counters:
            verdict = Mux(commit, Mux(accept, Result.ACCEPTED, code), Count.IGNORED)
            m.d.comb += [
                self.event.eq((self._commits & self.source_open) | self._does["RING"]),
                self.what.eq(Mux(self._commits, verdict, Count.DOORBELLS)),
            ]

    def _keep_results(self, m: Module, row, accepting, verdict: dict):
        """Results of all lanes, and ``refusing``: who waits for an acknowledge.

        That is known at once, and decides whether a lane is ``accepting``. The whole result follows in the next cycle
        where reads look for it a cycle later, too; where they do not, it is there at once, and decides itself.
        """
        c, sizes = self.config, self.sizes
        lane_rows = c.vms * pow2(c.lanes)
        m.submodules.results = results = Table(
            lane_rows,
            result_entry(c).size,
            readers=2,
            init=[int(Result.ACCEPTED)] * lane_rows,  # the other fields, above the code, are zero
            fill_bits=len(self.fill_row),
        )
        follows = self.sizes.read_delay > 0
        domain = "sync" if follows else "comb"
        commit, refuse, acknowledge = verdict["commit"], verdict["refuse"], self._does["ACK"]
        layout = {name: len(value) for name, value in verdict.items()}
        layout |= {"write": 1, "row": len(row), "target": len(self._target)}
        outcome, kept = (Signal(data.StructLayout(layout), name=name) for name in ("outcome", "kept_outcome"))
        m.d.comb += [
            *(getattr(outcome, name).eq(value) for name, value in verdict.items()),
            outcome.write.eq(commit | acknowledge),
            outcome.row.eq(row),
            outcome.target.eq(self._target),
        ]
        if c.manager is not Manager.NONE:
            with m.If(self._walk):
                m.d.comb += [
                    outcome.write.eq(self.walk_step < c.lanes),
                    outcome.row.eq(Cat(self.walk_step[: sizes.lane_log], self._source)),
                ]
        wanted = Cat(self.look_lane[: sizes.lane_log], self.look_vm)
        looked = Signal(len(wanted))
        m.d[domain] += [kept.eq(outcome), looked.eq(wanted)]

        before, new = data.View(result_entry(c), results.read(m, 0, kept.row)), Signal(result_entry(c))
        m.d.comb += [
            self.look_result.as_value().eq(results.read(m, 1, looked)),
            new.code.eq(Mux(kept.refuse, kept.code, Result.ACCEPTED)),
            new.vm.eq(Mux(kept.refuse, kept.target, 0)),
            new.count.eq(Mux(kept.commit, before.count + kept.accept, 0)),
            results.fill.eq(self.fill),
            results.fill_row.eq(self.fill_row),
            results.write.eq(kept.write),
            results.write_row.eq(kept.row),
            results.write_data.eq(new),
        ]
        flags = [Signal(c.lanes, name=f"refusing_{vm}") for vm in range(c.vms)]
        refuses = [own & mux_by_index(list(lanes), self._lane) for own, lanes in zip(self._sources, flags, strict=True)]
        m.d.comb += accepting.eq(~any_of(refuses) if follows else before.code == Result.ACCEPTED)
        for vm, (lanes, own) in enumerate(zip(flags, self._sources, strict=True)):
            for lane, here in enumerate(one_hot(self._lane, c.lanes)):
                with m.If(own & here & (commit | acknowledge)):  # where it is set, there are no commits
                    m.d.sync += lanes[lane].eq(refuse)
            with m.If(self.closed_vm[vm]):
                m.d.sync += lanes.eq(0)
            m.d.comb += self.refusing[vm].eq(lanes.any())

    def _settle(self, m: Module, row):
        """Keep what became of ``FREE``, ``RETURN`` and ``REVOKE``, per lane."""
        c, sizes = self.config, self.sizes
        rows = c.vms * pow2(c.lanes)
        m.submodules.outcomes = outcomes = Table(
            rows, 2, readers=1, init=[int(Settled.NONE)] * rows, fill_bits=len(self.fill_row)
        )
        settles = self._does["FREE"] | self._does["RETURN"] | self._does["REVOKE"]
        m.d.comb += [
            outcomes.fill.eq(self.fill),
            outcomes.fill_row.eq(self.fill_row),
            self.look_settled.eq(outcomes.read(m, 0, Cat(self.look_lane[: sizes.lane_log], self.look_vm))),
            outcomes.write.eq(settles),
            outcomes.write_row.eq(row),
            outcomes.write_data.eq(self.settled),
        ]
        with m.If(settles & (self.settled == Settled.REFUSED)):
            m.d.comb += self._late_fault.eq(Fault.BLOCK)
        if c.manager is not Manager.NONE:
            with m.If(self._walk):
                m.d.comb += [
                    outcomes.write.eq(self.walk_step < c.lanes),
                    outcomes.write_row.eq(Cat(self.walk_step[: sizes.lane_log], self._source)),
                    outcomes.write_data.eq(Settled.NONE),
                ]

    def _manage(self, m: Module):
        """Counts of credits, and the manager page."""
        c = self.config
        count = len(self.sent[0])
        sent, gone, stop = (choose(self._targets, list(values)) for values in (self.sent, self.gone, self.stops))
        m.d.comb += [self.new_sent.eq(sent + 1), self.new_stop.eq(stop + 1)]
        if c.manager is Manager.NONE:
            return
        word = self.data
        # Looked up in the cycle before it matters: then nothing is sent, and what is popped counts already.
        waiting = [(a - b)[:count] for a, b in zip(self.sent, self.gone, strict=True)]
        m.d.sync += self.idle.eq(Cat(n == back for n, back in zip(waiting, self.returns, strict=True)).all())
        with m.If(self._does["EPOCH"]):
            m.d.sync += self.epoch.eq(word)
        guard = Guard(c.protection, inject=self.inject if c.protection else None)
        if c.strict:
            with m.If(self._does["ARBITRATION"]):
                m.d.sync += guard.set(self.strict, word[0] == Arbitration.STRICT)
        for lock in locks(c):
            with m.If(self._does["LOCK"] & word[lock]):
                m.d.sync += guard.set(self.locked, 1, lock)

        # A new limit must leave room for what waits, and for what was promised to others. Pops go on between the check
        # and the act: one in the cycle of the check makes room for one message more.
        m.submodules.promised = promised = Table(
            c.vms, count, readers=1, init=[c.credits * (c.vms - 1) if c.open_at_reset else 0] * c.vms,
            fill_bits=len(self.fill_row), parity=c.protection,
        )  # fmt: skip
        if c.protection:
            m.d.comb += [self.unsound.eq(guard.error), self.damaged.eq(promised.error)]
        asked = word[:count]
        # What the limits would sum to if this one were not there yet, and what it is: they meet in the next cycle.
        above, limit = Signal(count + 2), Signal(count)
        total, spare, limited = Signal(count + 2), Signal(signed(count + 1)), Signal(count)
        late, possible, fits, grants = (Signal(name=name) for name in ("late", "possible", "fits", "grants"))
        m.d.sync += [
            above.eq(promised.read(m, 0, self._target) + asked),
            limit.eq(sent - stop),
            spare.eq(asked - (sent - gone)[:count]),
            late.eq((self.returns & self._targets).any()),
            limited.eq(sent - asked),
            possible.eq(word[:16] <= c.depth),
        ]
        m.d.comb += [
            total.eq(above - limit),
            fits.eq(possible & ((spare >= 0) | (late & (spare == -1))) & (above <= c.depth + limit)),
            grants.eq(self._does["CREDITS"] & fits),
            self.grant.eq(self._targets & grants.replicate(c.vms)),
            promised.fill.eq(self.fill),
            promised.fill_row.eq(self.fill_row),
            promised.write.eq(grants),
            promised.write_row.eq(self._target),
            promised.write_data.eq(total),
        ]
        with m.If(self._ordinary):
            m.d.comb += [self.new_sent.eq(sent), self.new_stop.eq(limited)]
        bad_value = (self._does["CREDITS"] & ~fits) | (self._does["CONTROL"] & self.refused_command)
        if c.blocks:
            bad_value = bad_value | (self._does["QUOTA"] & ~self.limit_fits)
            bad_value = bad_value | (self._does["RECLAIM"] & ~self.is_orphan)
        with m.If(bad_value):
            m.d.comb += self._late_fault.eq(Fault.BAD_VALUE)
