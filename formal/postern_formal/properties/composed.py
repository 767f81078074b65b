"""The block as it is generated, from pins to pins."""

from types import SimpleNamespace

from amaranth.hdl import Assume, Cat, ClockSignal, Const, Cover, DomainRenamer, Module, Mux, Signal, Value

from postern_hw.queue import fill_rows
from postern_hw.select import any_of
from postern_hw.top import Postern
from postern_spec.config import Bus, Config, Identity, Manager, Port
from postern_spec.pins import port_pins
from postern_spec.regmap import Command, address_map, guest_page, manager_page
from postern_spec.sizes import longest_waits

from ..engines import Pdr
from ..harness import claim, is_among, past
from ..property import Control, Property, free, symbolic
from .bus import MASTER, any_master
from .timing import ROUND_ROBIN

__all__ = ["PROPERTIES"]

REDUCED = Pdr(before="scorr; dc2;")
"""What is the same at all times is merged first: there is much of it in a whole block, and still more in two copies."""


def tiny(*buses: Bus, **changes) -> Config:
    """Return a block of as many VMs as there are buses, as small as blocks get. Each port belongs to a VM."""
    values = {
        "ports": tuple(Port(bus, Identity.STATIC, vm=vm) for vm, bus in enumerate(buses)),
        "vms": len(buses),
        "lanes": 1,
        "words": 1,
        "depth": 2,
        "credits": 1,
        "manager": Manager.NONE,
        "open_at_reset": True,
        "request_register": False,
    }
    return Config(**(values | changes))  # type: ignore[arg-type]


def block(m: Module, c: Config, name: str = "block") -> list[SimpleNamespace]:
    """Add a block with any masters at its ports, which keep to their protocols.

    Returns of each port its pins, under the names of the bus, and ``irq``, which is that of its core.
    """
    dut = Postern(c)
    m.submodules[name] = DomainRenamer(name)(dut)  # it brings a domain of its own
    m.d.comb += [dut.clk.eq(ClockSignal()), dut.rst.eq(0)]
    ports = []
    for index, port in enumerate(c.ports):
        pins = SimpleNamespace(**{pin.signal: getattr(dut, pin.name) for pin in port_pins(c, index)})
        pins.irq = dut.irq[index]
        any_master(m, pins, port.bus)
        ports.append(pins)
    return ports


def offers(pins: SimpleNamespace, bus: Bus, found: list[int]) -> Value:
    """Whether a master offers a write of one of these addresses."""
    if bus is Bus.APB:
        return pins.psel & pins.pwrite & is_among(pins.paddr, found)
    if bus is Bus.WISHBONE:
        return pins.cyc & pins.stb & pins.we & is_among(Cat(Const(0, 2), pins.adr), found)
    return pins.awvalid & is_among(pins.awaddr, found)


class Senders(Property):
    """All ports at the pins of the block; the last one receives."""

    name = "composed-sender"
    promise = 1
    also = (2, 3)
    statement = (
        "In a whole block, from pins to pins: who is named as the sender of a message by its header did write a commit"
        " to that receiver, and nobody is who is not there."
    )
    parameters = {
        "3 APB": tiny(Bus.APB, Bus.APB, Bus.APB),
        "AXI4-Lite, Wishbone, APB": tiny(Bus.AXI4_LITE, Bus.WISHBONE, Bus.APB, request_register=True),
        "3 APB, 2 lanes": tiny(Bus.APB, Bus.APB, Bus.APB, words=2, lanes=2, depth=3),
    }
    engines = (REDUCED,)
    covers = 22
    seconds = 1200
    assumptions = (MASTER,)
    controls = (
        Control(
            "the bus of a port is another port's",
            "top.py",
            "wiring.connect(m, adapter.write, port.write)",
            "wiring.connect(m, adapter.write, (port if index > 1 else self.ports[1 - index]).write)",
            depth=22,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        ports = block(m, c)
        page, receiver = guest_page(c), c.vms - 1
        committed = Signal(receiver)
        for index, pins in enumerate(ports):
            free(m, pins.rst)
            if index < receiver:
                with m.If(offers(pins, c.ports[index].bus, page.COMMIT.offsets(vm=receiver))):
                    m.d.sync += committed[index].eq(1)
        pins = ports[receiver]
        ends = pins.psel & pins.penable & pins.pready & ~pins.pwrite
        header = ends & is_among(pins.paddr, page.HEADER.offsets())
        words, sender = page.HEADER.COUNT.get(pins.prdata), page.HEADER.SENDER.get(pins.prdata)
        claim(
            m,
            sender=~header | (words == 0) | any_of([(sender == vm) & committed[vm] for vm in range(receiver)]),
            length=~header | (words <= c.words),
        )
        m.d.comb += [Cover(header & (words == c.words) & (sender == vm)) for vm in range(receiver)]


class Waits(Property):
    """A transfer at one port, any of which is watched, while all masters do what they like."""

    name = "composed-waits"
    promise = 4
    statement = (
        "In a whole block, from pins to pins: every access is answered within the published number of cycles for its"
        " kind, whatever is asked for at all ports, and whatever VMs do."
    )
    parameters = {
        "2 APB": tiny(Bus.APB, Bus.APB),
        "2 APB, as small": tiny(Bus.APB, Bus.APB, words=4, lanes=2, depth=8, credits=8, request_register=True),
        "2 APB, blocks": tiny(Bus.APB, Bus.APB, blocks=2, block_size=64, banks=1, block_quota=1),
    }
    engines = (REDUCED,)
    covers = 24
    seconds = 1200
    assumptions = (MASTER,)
    limits = (
        "Ports are not reset here, and no VM is opened or killed. More than two ports: the arbiter's bound is proven"
        " for them, and whole blocks are attacked in tests/docs/test_bounds.py."
    )
    controls = (
        Control(
            "a port is told of what another port's write did",
            "top.py",
            "port.w_acted.eq(writer.acted[index]),",
            "port.w_acted.eq(writer.acted[0]),",
            depth=24,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        ports = block(m, c)
        page, bounds = guest_page(c), longest_waits(c)
        # Any other read may be taken for one of payload at first.
        others = [
            address
            for register in page.registers
            if register.readable and register.name not in ("WORD", "POP")
            for address in register.offsets()
        ]
        watched = symbolic(m, range(len(ports)), "watched", below=len(ports))
        since, filled = Signal(range(fill_rows(c) + 2)), Signal()
        m.d.comb += filled.eq(since == fill_rows(c) + 1)
        with m.If(~filled):
            m.d.sync += since.eq(since + 1)
        for index, pins in enumerate(ports):
            m.d.comb += [pins.rst.eq(0), Assume(filled | ~pins.psel)]
            kinds = (
                (pins.pwrite & pins.pstrb.all() & is_among(pins.paddr, page.STAGE.offsets()), "staged word"),
                (pins.pwrite & pins.pstrb.any() & is_among(pins.paddr, page.COMMIT.offsets(kind=0)), "commit"),
                (pins.pwrite, "other write"),
                (is_among(pins.paddr, others), "other read"),
                (Const(1), "payload read"),
            )
            bound: Value = Const(0)
            for is_one, kind in reversed(kinds):
                bound = Mux(is_one, bounds[kind], bound)
            waited = Signal(range(max(bounds.values()) + 2), name=f"waited_{index}")
            with m.If(~pins.psel | (pins.penable & pins.pready)):
                m.d.sync += waited.eq(0)
            with m.Elif(waited <= max(bounds.values())):
                m.d.sync += waited.eq(waited + 1)
            claim(m, **{f"answered_{index}": (watched != index) | (waited <= bound)})
            if index == 0:
                ends, before = pins.penable & pins.pready, Value.cast(0)
                for is_one, _ in kinds:  # one that was held up
                    m.d.comb += Cover(ends & is_one & ~before & (waited + 5 >= bound))
                    before = before | is_one


class Words(Property):
    """Two ports at the pins of the block; either may receive."""

    name = "composed-words"
    promise = 3
    also = (2, 6)
    statement = (
        "In a whole block, from pins to pins: the word that comes with a message is the one that its sender wrote,"
        " whatever else both sides stage, commit, read and pop at the same time."
    )
    parameters = {"2 APB": tiny(Bus.APB, Bus.APB)}
    long = True
    engines = (Pdr(before="scorr; dc2; dc2; scorr -F 4;"),)
    covers = 24
    seconds = 2400
    assumptions = (MASTER,)
    controls = (
        Control(
            "all queues give up the slots of the first one",
            "top.py",
            "writer.free_slots[vm].eq(queue.free_slot),",
            "writer.free_slots[vm].eq(self.queues[0].free_slot),",
            depth=0,
        ),
        Control(
            "a port does not hear which slot it gets",
            "top.py",
            "port.back.eq(writer.back),",
            "port.back.eq(0),",
            depth=0,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        ports = block(m, c)
        page = guest_page(c)
        # All that the first VM writes has a bit that the other's words have not.
        for index, pins in enumerate(ports):
            free(m, pins.rst)
            m.d.comb += Assume(pins.pwdata[-1] == (index == 0))
            ends = pins.psel & pins.penable & pins.pready & ~pins.pwrite & ~pins.rst
            header, pops, reads = (
                ends & is_among(pins.paddr, register.offsets()) for register in (page.HEADER, page.POP, page.WORD)
            )
            # Between its header and its pop a message is the one that was looked at.
            known = Signal(name=f"known_{index}")
            with m.If(header):
                m.d.sync += known.eq(page.HEADER.COUNT.get(pins.prdata) != 0)
            with m.If((pins.psel & ~pins.pwrite & is_among(pins.paddr, page.POP.offsets())) | pins.rst):
                m.d.sync += known.eq(0)
            before = past(m, known, f"known_before_{index}")
            claim(m, **{f"word_{index}": ~((reads & known) | (pops & before)) | (pins.prdata[-1] == (index == 1))})
            m.d.comb += Cover(reads & known)


class Timing(Property):
    """Two copies of a strict block, the same masters at the first port, others at the second."""

    name = "composed-timing"
    promise = 10
    statement = (
        "In a whole strict block, from pins to pins: what a port shows in every cycle does not depend on what another"
        " port asks for that neither sends to its VM nor is asked about."
    )
    parameters = {"2 APB": tiny(Bus.APB, Bus.APB, strict=True)}
    engines = (REDUCED,)
    covers = 24
    seconds = 1200
    assumptions = (MASTER,)
    limits = (
        "Here all may send to each other, and learn of each other's credits, so what they say to each other is left"
        " out: with a manager, permissions see to that (refusal-write, confinement-reads). Data beside an answer to a"
        " write are not looked at."
    )
    controls = (
        ROUND_ROBIN,
        Control(
            "nobody tells the arbiters that the block is strict",
            "top.py",
            "m.d.comb += turns.strict.eq(self.writer.strict)",
            "m.d.comb += turns.strict.eq(0)",
            depth=24,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        page = guest_page(c)
        ones, twos = block(m, c, "one"), block(m, c, "two")
        (mine, theirs), (again, others) = ones, twos
        inputs = ("psel", "penable", "paddr", "pprot", "pwrite", "pwdata", "pstrb")
        for name in inputs:
            m.d.comb += Assume(getattr(mine, name) == getattr(again, name))
        m.d.comb += [pins.rst.eq(0) for pins in (mine, again)]
        asks = [*page.COMMIT.offsets(vm=1), *page.CREDIT.offsets(vm=1), *page.PEER.offsets(vm=1), page.RING.offset]
        m.d.comb += Assume(~mine.psel | ~is_among(mine.paddr, asks))
        for pins in (theirs, others):
            free(m, pins.rst)
            sends = [*page.COMMIT.offsets(vm=0), page.RING.offset]
            m.d.comb += Assume(~pins.psel | ~is_among(pins.paddr, sends))
        outputs = [
            Cat(pins.pready, Mux(pins.pready & ~pins.pwrite, Cat(pins.prdata, pins.pslverr), 0))
            for pins in (mine, again)
        ]
        claim(m, same=outputs[0] == outputs[1], irq=mine.irq == again.irq)
        m.d.comb += Cover(mine.pready & past(m, theirs.psel ^ others.psel, "differs"))


class Closed(Property):
    """The guest's port, while whoever is at the other is the manager, too, and opens and kills it."""

    name = "composed-closed"
    promise = 8
    also = (2, 6)
    statement = (
        "In a whole block with a manager, from pins to pins: from the cycle after a kill was answered until the VM is"
        " asked to be opened again, every read that its port begins is answered with zero, and its line is low."
    )
    parameters = {"2 APB": tiny(Bus.APB, Bus.APB, manager=Manager.PORT, open_at_reset=False)}
    engines = (REDUCED,)
    covers = 24
    seconds = 1200
    assumptions = (MASTER,)
    controls = (
        Control(
            "who reads is open if the first VM is",
            "top.py",
            "for vm, state in enumerate(directory.states)),",
            "for vm, state in enumerate([directory.states[0]] * 2)),",
            depth=0,
        ),
    )

    def build(self, m: Module, parameters: Config) -> None:
        c = parameters
        manager, guest = block(m, c)
        m.d.comb += manager.rst.eq(0)
        free(m, guest.rst)
        base = address_map(c, c.manager_port).manager_base
        assert base is not None
        control = manager_page(c).CONTROL.at(c.ports[1].vm)
        asked = manager.psel & manager.pwrite & (manager.paddr == base + control)
        answered = manager.penable & manager.pready & manager.pstrb.all()
        alive = Signal()  # the VM may be open
        with m.If(asked & (manager.pwdata == Command.OPEN)):
            m.d.sync += alive.eq(1)
        with m.Elif(asked & answered & (manager.pwdata == Command.KILL)):
            m.d.sync += alive.eq(0)
        began = Signal()  # it may have been since the access began
        with m.If(alive | (guest.psel & ~guest.penable)):
            m.d.sync += began.eq(alive)
        ends = guest.psel & guest.penable & guest.pready & ~guest.pwrite
        claim(m, zero=~ends | began | (guest.prdata == 0), line=alive | ~guest.irq)
        m.d.comb += [Cover(ends & ~began), Cover(ends & guest.prdata.any()), Cover(guest.irq)]


PROPERTIES = [Senders, Words, Waits, Timing, Closed]
