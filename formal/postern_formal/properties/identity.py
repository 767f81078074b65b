"""Identity: from the bus to the tag of a message."""

from collections.abc import Sequence

from amaranth.hdl import Assume, Cat, Const, Cover, Module, Mux, Signal, Value

from postern_hw.decode import Decoder
from postern_hw.identity import COMPILED_BITS, Binding, TagTable
from postern_hw.native import Sizes
from postern_hw.port import Port as PortComponent
from postern_hw.write_engine import WriteEngine
from postern_spec.config import Bus, Config, Identity, Manager, Port, preset
from postern_spec.regmap import address_map

from ..engines import Induction, Pdr
from ..harness import claim, line, past
from ..property import Assumption, Control, Inside, Property, free, free_inputs, symbolic

__all__ = ["CHECKED_STAYS", "COMMIT_IS_ONE", "CONNECTED", "PROPERTIES", "any_writes", "reduced"]


def reduced(identity: Identity = Identity.SIDEBAND, bus: Bus = Bus.AXI4_LITE, **changes) -> Config:
    """Return ``default`` with fewer of everything."""
    values = {
        "ports": (Port(bus=bus, identity=identity, id_bits=1), Port(identity=Identity.PAGE)),
        "vms": 3,
        "lanes": 2,
        "words": 2,
        "depth": 4,
        "manager": Manager.VM,
        "tag_bits": 2,
        "blocks": 4,
        "block_size": 64,
        "banks": 2,
    }
    return Config(**(values | changes))  # type: ignore[arg-type]


COMMIT_IS_ONE = Assumption(
    "commit-is-one",
    "What a port calls a commit is one: aligned, of the guest page, by a VM; and torn if partially strobed.",
)


CONNECTED = Assumption(
    "connected-is-all",
    "The write engine is told that its source is connected where it may send to the target, has acknowledged it, and is"
    " neither closed nor draining.",
)

CHECKED_STAYS = Assumption(
    "checked-stays",
    "What the write engine is told in the cycle in which it checks a write still holds in the next, but for a credit"
    " that a pop gives back, and nobody is closed in that cycle.",
)


def is_commit(c: Config, payload):
    """Whether a write request is a commit."""
    page = Decoder(Sizes(c).guest_page, payload.offset)
    return page["COMMIT"] & payload.allowed & ~payload.manager & (payload.address[:3] == 0)


def commit_is_one(c: Config, payload):
    """Whether a write request that its port calls a commit is one, and is torn if it is not whole."""
    return is_commit(c, payload) & (payload.torn | payload.strobes.all())


def any_writes(m: Module, c: Config, *, but: Sequence[str] = ()) -> tuple[WriteEngine, Inside]:
    """Add a write engine that gets any requests that ports may make, and any answers but those in ``but``."""
    dut = WriteEngine(c)
    m.submodules.engine = inside = Inside(dut)
    free_inputs(m, dut, but=but)
    for request in dut.requests:
        payload = request.payload
        if c.manager is Manager.NONE:  # then there is no such page
            m.d.comb += Assume(~payload.manager)
        m.d.comb += Assume(~request.valid | ~payload.commit | commit_is_one(c, payload))
    connected = dut.permitted & dut.acknowledged & dut.source_open & ~dut.source_draining
    m.d.comb += Assume(dut.connected == connected)
    if c.blocks:
        answers = Cat(dut.permitted, dut.acknowledged, dut.source_open, dut.source_draining, dut.target_open)
        checking = inside.signal("_checking")
        checked = past(m, checking, "checked")
        m.d.comb += Assume(~checking | (dut.closed_vm == 0))
        m.d.comb += Assume(
            ~checked
            | (answers == past(m, answers, "answers_before"))
            & (dut.spent == past(m, dut.spent & ~dut.returns, "spent_before"))
        )
    line(m, inside.part("arbiter"), len(dut.requests) + (c.manager is not Manager.NONE))
    return dut, inside


class Bound(Property):
    """Which VM-ID a request gets."""

    name = "identity-binding"
    promise = 1
    also = (2,)
    statement = (
        "A request gets the VM-ID that its port's identity source says at that moment (tag table, page, residency or"
        " wiring), a burst that of its first beat, and none where the source says none; only the manager gets to the"
        " manager page."
    )
    parameters = {
        "static": reduced(Identity.STATIC),
        "page": reduced(Identity.PAGE, manager=Manager.PAGE),
        "page, AXI4, 5 VMs": reduced(Identity.PAGE, Bus.AXI4, vms=5, manager=Manager.PAGE),
        "resident": reduced(Identity.RESIDENT),
        "resident, AXI4": reduced(Identity.RESIDENT, Bus.AXI4),
        "sideband, 2 bits": reduced(),
        "sideband, 8 bits, AXI4": reduced(bus=Bus.AXI4, tag_bits=8),
        "sideband, secure manager": reduced(manager=Manager.SECURE, tag_entries=5),
    }
    short = ("sideband, 2 bits", "page")
    engines = (Induction(3),)
    reduction = "VM-IDs are compared with each other only; the tag is symbolic, the address whole."
    controls = (
        Control(
            "the highest matching entry counts",
            "identity.py",
            "first.eq(lowest(matches)),",
            "first.eq(Cat(matches[i] & ~matches[i + 1 :].any() for i in range(len(entries)))),",
            "sideband, 2 bits",
            depth=16,
        ),
        Control(
            "a change of the table does not compile it anew",
            "identity.py",
            "with m.If(self.set_match | self.set_mask | self.set_vm):",
            "with m.If(self.set_match | self.set_mask):",
            "sideband, 2 bits",
            depth=16,
        ),
        Control(
            "every beat of a burst asks anew",
            "identity.py",
            "with m.If(self.continues):",
            "with m.If(self.continues & 0):",
            "resident, AXI4",
        ),
        Control(
            "a page beyond the last VM is that of a VM",
            "identity.py",
            "self.known.eq(page < c.vms),",
            "self.known.eq(1),",
            "page",
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut = Binding(c, 0)
        m.submodules.binding = inside = Inside(dut)
        identity, bus = c.ports[0].identity, c.ports[0].bus
        free(m, dut.address, dut.tag, dut.secure, dut.continues, dut.cacheable, dut.resident)
        if bus is not Bus.AXI4:
            m.d.comb += Assume(~dut.continues)
        ready: Value = Const(1)
        known: Value = Const(1)
        vm: Value = Const(c.ports[0].vm)
        if identity is Identity.PAGE:
            # As the integration guide draws the address map.
            mapped = address_map(c, 0)
            on_manager, below = dut.address[-1], dut.address[:-1]
            stride = c.page_stride.bit_length() - 1
            sram_stride = (mapped.sram_stride or 1).bit_length() - 1
            page = Mux(below[-1], below[sram_stride:-1], below[stride:])
            known, vm = ~on_manager & (page < c.vms), page
        elif identity is Identity.RESIDENT:
            known, vm = dut.resident.valid, dut.resident.vm
        elif identity is Identity.SIDEBAND:
            tags = TagTable(c)
            m.submodules.tags = scan = Inside(tags)
            free(m, tags.row, tags.set_match, tags.set_mask, tags.set_vm, tags.data, tags.read_row)
            m.d.comb += [dut.entries[i].eq(tags.entries[i]) for i in range(c.tags)]
            m.d.comb += [
                dut.compiling.eq(tags.busy),
                dut.compiled_tag.eq(tags.tag),
                dut.compiled_known.eq(tags.known),
                dut.compiled_vm.eq(tags.vm),
            ]

            def meaning(tag):
                known: Value = Const(0, 1)
                vm: Value = Const(0, len(dut.vm))
                for i in reversed(range(c.tags)):
                    entry = tags.entries[i]
                    matches = entry.valid & ((tag & entry.mask) == (entry.match & entry.mask))
                    known, vm = matches | known, Mux(matches, entry.vm, vm)
                return known, vm

            known, vm = meaning(dut.tag)
            if c.tag_bits <= COMPILED_BITS:
                ready = ~tags.busy  # ports accept nothing while the table is compiled
                tag = symbolic(m, c.tag_bits, "some_tag")
                known, vm = meaning(tag)
                self._compiled(m, c, tags, scan, inside.memory("meanings", tag), tag, known, vm)
                ready = ready & (dut.tag == tag)
        if bus is Bus.AXI4 and identity in (Identity.RESIDENT, Identity.SIDEBAND):
            was_known, was_vm = Signal(), Signal.like(dut.vm)
            with m.If(~dut.continues):
                m.d.sync += [was_known.eq(dut.known), was_vm.eq(dut.vm)]
            started = Signal()
            m.d.sync += started.eq(started | ~dut.continues)
            m.d.comb += Assume(started | ~dut.continues)  # no burst goes on that has not begun
            ready = ready | dut.continues
            known, vm = Mux(dut.continues, was_known, known), Mux(dut.continues, was_vm, vm)
        manages = {
            Manager.PAGE: 1,
            Manager.SECURE: dut.secure,
            Manager.VM: dut.known & (dut.vm == c.manager_vm),
        }[c.manager]
        claim(
            m,
            known=~ready | (dut.known == known),
            vm=~ready | ~known | (dut.vm == vm),
            nobody=~ready | dut.known | (dut.vm == 0),
            manager=dut.manager == dut.address[-1],
            allowed=dut.allowed == (Mux(dut.manager, manages, dut.known) & ~dut.cacheable),
            guest=~(dut.manager & dut.sram),
        )
        m.d.comb += [Cover(dut.allowed & dut.manager), Cover(ready & dut.known & (dut.vm == c.port_vms(0)[-1]))]

    @staticmethod
    def _compiled(m: Module, c: Config, tags: TagTable, scan: Inside, stored, tag, known, vm) -> None:
        """Claim that the copy of the tag table says what the table says, once it is compiled; follow the compiling."""
        changes, looking = tags.set_match | tags.set_mask | tags.set_vm, scan.signal("looking")
        last = (1 << c.tag_bits) - 1
        turn, done = (
            Signal(c.tag_bits),
            Signal(),
        )  # whose turn it is to be looked up; whether the tag was since a change
        fresh = past(m, changes, "restarted") | ~past(m, Const(1), "begun")  # nothing has been looked up
        with m.If(looking):
            m.d.sync += turn.eq(turn + 1)
        with m.If(tags.busy & (tags.tag == tag) & ~fresh):
            m.d.sync += done.eq(1)
        with m.If(changes):
            m.d.sync += [turn.eq(0), done.eq(0)]
        claim(
            m,
            compiled=~done | (stored.known == known) & (stored.vm == Mux(known, vm, 0)),
            complete=tags.busy | done,
            turn=tags.tag == past(m, turn, "turn_before"),
            follows=~looking | fresh | (turn == 0) | (tags.tag == turn - 1),
            passed=~(looking & (turn > tag) & (turn - tag != 1)) | done,
            ends=~(tags.busy & ~looking) | ((turn == 0) & (tags.tag == last) & (done | (tag == last))),
            busy=~looking | tags.busy,
            restarts=~(looking & (turn == 0)) | fresh,
        )


class Held(Property):
    """The VM-ID on its way through a port."""

    name = "identity-port"
    promise = 1
    also = (2, 9)
    statement = (
        "Whatever a port passes on (to an engine, to the SRAM, as a pop) carries the VM-ID that was bound when the"
        " request was accepted, whatever tags, residency and tables do afterwards; nothing is passed on that was not"
        " accepted."
    )
    parameters = {
        "sideband, request register": reduced(),
        "sideband, AXI4": reduced(bus=Bus.AXI4),
        "resident": reduced(Identity.RESIDENT),
        "page, no request register": reduced(Identity.PAGE, request_register=False),
        "static, no SRAM": reduced(Identity.STATIC, blocks=0),
    }
    short = ("sideband, request register",)
    engines = (Induction(2),)
    reduction = "VMs, lanes and words are rows of the port's tables; data are not looked at."
    controls = (
        Control(
            "what is passed on is whose request comes next",
            "port.py",
            '        for key in ("address", "offset", "manager", "allowed", "known", "vm", "strobes"):\n'
            "            m.d.comb += getattr(payload, key).eq(getattr(request, key))",
            '        for key in ("address", "offset", "manager", "allowed", "known", "strobes"):\n'
            "            m.d.comb += getattr(payload, key).eq(getattr(request, key))\n"
            "        m.d.comb += payload.vm.eq(self.resident.vm)",
            depth=8,
        ),
    )

    def engines_for(self, parameters: Config):
        # Of a port with one VM an induction would have to be told that no other is ever meant.
        return (Pdr(),) if parameters.ports[0].identity is Identity.STATIC else self.engines

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut = PortComponent(c, 0)
        m.submodules.port = inside = Inside(dut)
        free_inputs(m, dut)
        claims = {}
        for way, source, engine in (("w", dut.write, dut.w_engine), ("r", dut.read, dut.r_engine)):
            binding = inside.part(f"{way}_binding")
            known, bound = binding.signal("known"), binding.signal("vm")
            accepted = source.valid & source.ready
            held_known, held_vm = Signal(name=f"{way}_known"), Signal.like(bound, name=f"{way}_vm")
            here = Signal(name=f"{way}_here")
            if c.request_register:
                with m.If(accepted):
                    m.d.sync += [held_known.eq(known), held_vm.eq(bound), here.eq(1)]
                with m.Elif(getattr(dut, f"{way}_issue")):
                    m.d.sync += here.eq(0)
                # What is held begins with address, offset and two flags; then it says who asks.
                who = inside.signal(f"{way}_held")[len(source.payload.address) + dut.sizes.offset_bits + 2 :]
                names = Cat(held_known, held_vm, Cat(held_vm == i for i in range(c.vms)))
                occupied = inside.signal(f"{way}_occupied")
                claims[f"{way}_held"] = ~occupied | (here & (who[: len(names)] == names))
            else:
                m.d.comb += [held_known.eq(known), held_vm.eq(bound), here.eq(source.valid)]
            issue = getattr(dut, f"{way}_issue")
            payload = engine.payload
            claims |= {
                f"{way}_engine": ~engine.valid | ((payload.vm == held_vm) & (payload.known == held_known) & here),
                f"{way}_accepted": ~issue | here,
                f"{way}_possible": ~here | (held_vm == dut.vms[0] if len(dut.vms) == 1 else 1),
            }
            if c.blocks:
                sram = getattr(dut, f"{way}_sram")
                claims[f"{way}_sram"] = ~(sram.request & sram.grant & issue) | (sram.vm == held_vm)
            m.d.comb += Cover(engine.valid & engine.ready & (payload.vm == c.port_vms(0)[-1]))
        payload = dut.w_engine.payload
        if c.request_register:
            decoded = inside.signal("w_occupied") & inside.signal("w_commit")
            claims["decoded"] = ~decoded | is_commit(c, payload)
        claims["commit"] = ~dut.w_engine.valid | ~payload.commit | commit_is_one(c, payload)
        # A pop is decided in the cycle after its read was passed on.
        reader = past(m, held_vm, "reader")
        issued = past(m, dut.r_issue, "issued")
        for vm in range(c.vms):
            lanes = dut.take[vm * c.lanes : (vm + 1) * c.lanes]
            claims[f"take_{vm}"] = ~lanes.any() | (issued & (reader == vm))
        claim(m, **claims)


class Sender(Property):
    """The sender tag of a message."""

    name = "identity-sender"
    promise = 1
    statement = (
        "A message that enters a queue carries as its sender the VM-ID of the commit that the write engine took from a"
        " port, and only a commit makes one; no word, register or other request sets it."
    )
    parameters = {
        "2 ports, blocks": reduced(),
        "2 ports, no blocks": reduced(blocks=0),
        "small": preset("small"),
    }
    short = ("small", "2 ports, blocks")
    engines = (Induction(5),)
    assumptions = (COMMIT_IS_ONE, CONNECTED, CHECKED_STAYS)
    reduction = "What the rest of the block answers the engine is free; VM-IDs are compared with each other only."
    controls = (
        Control(
            "the sender is taken from the word",
            "write_engine.py",
            "self.message.sender.eq(self._source),",
            "self.message.sender.eq(request.data),",
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        dut, _ = any_writes(m, c)
        vm, commits = Signal(range(c.vms)), Signal()
        for request in dut.requests:
            with m.If(request.valid & request.ready):
                m.d.sync += [vm.eq(request.payload.vm), commits.eq(request.payload.commit)]
        claim(
            m,
            sender=~dut.push.any() | (dut.message.sender == vm),
            commit=~dut.push.any() | commits,
        )
        m.d.comb += Cover(dut.push[0] & (dut.message.sender == 1))


PROPERTIES = [Bound, Held, Sender]
