"""AXI4."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from .adapter import Adapter

__all__ = ["OUTSTANDING", "Axi4", "Beats", "Owed"]

SLVERR = 0b10

OUTSTANDING = 16
"""Beats of a direction that are not answered yet, at most. A power of two; enough to stream through any port."""

REACH = 12
"""Address bits that a burst changes: none crosses a boundary of 4 KiB, and one that did would wrap there."""

FIXED, WRAP = 0b00, 0b10


class Beats(wiring.Component):
    """Cuts the bursts of an address channel into beats. Combinational from the channel to the first beat.

    The first beat of a burst is that of the channel in the same cycle; the others follow one by one. So one burst is
    under way at a time, and the next begins in the cycle after the last beat of the one before.

    Parameters
    ----------
    address_bits, id_bits, data_bits : int
        Widths of the bus.

    Members
    -------
    id, addr, len, size, burst, prot, cache : In
        The channel.
    next : In(1)
        This beat is taken.
    rst : In(1)
        Port reset: no burst is under way any more.
    continues : Out(1)
        A burst is under way: the beat is not its first, and belongs to no address that the channel shows.
    address : Out
        Of the beat, unaligned where the burst is.
    lanes : Out
        Byte lanes that belong to the beat.
    last : Out(1)
    beat_id, secure, allocate : Out
        ID; AxPROT[1] low; AxCACHE asks for allocation.
    """

    def __init__(self, *, address_bits: int, id_bits: int, data_bits: int):
        self.address_bits = address_bits
        self.lane_bits = (data_bits // 8).bit_length() - 1
        super().__init__(
            {
                "id": In(id_bits),
                "addr": In(address_bits),
                "len": In(8),
                "size": In(3),
                "burst": In(2),
                "prot": In(3),
                "cache": In(4),
                "next": In(1),
                "rst": In(1),
                "continues": Out(1),
                "address": Out(address_bits),
                "lanes": Out(data_bits // 8),
                "last": Out(1),
                "beat_id": Out(id_bits),
                "secure": Out(1),
                "allocate": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        reach = min(REACH, self.address_bits)
        # Of the burst under way. `turns` are the address bits that change from beat to beat, `within` those below the
        # size of a beat. A size beyond the bus is taken as that of the bus.
        turns, within = Signal(reach), Signal(self.lane_bits)
        new_turns, new_within = Signal(reach), Signal(self.lane_bits)
        m.d.comb += new_within.eq(Cat(self.size > bit for bit in range(self.lane_bits)))
        container = Signal(4 + self.lane_bits)
        with m.Switch(self.size):
            for size in range(self.lane_bits):
                with m.Case(size):
                    m.d.comb += container.eq(self.len[:4] << size)
            with m.Default():
                m.d.comb += container.eq(self.len[:4] << self.lane_bits)
        with m.Switch(self.burst):
            with m.Case(FIXED):
                m.d.comb += new_turns.eq(0)
            with m.Case(WRAP):
                m.d.comb += new_turns.eq(container | new_within)
            with m.Default():
                m.d.comb += new_turns.eq(Const(1, 1).replicate(reach))

        held = {
            "address": (Signal(self.address_bits), self.addr),
            "beat_id": (Signal(len(self.id)), self.id),
            "secure": (Signal(), ~self.prot[1]),
            "allocate": (Signal(), self.cache[2:].any()),
        }
        for name, (kept, new) in held.items():
            m.d.comb += getattr(self, name).eq(Mux(self.continues, kept, new))
        left, to_come = Signal(8), Signal(8)
        now_turns, now_within = Signal(reach), Signal(self.lane_bits)
        m.d.comb += [
            now_turns.eq(Mux(self.continues, turns, new_turns)),
            now_within.eq(Mux(self.continues, within, new_within)),
            to_come.eq(Mux(self.continues, left, self.len)),
            self.last.eq(to_come == 0),
        ]
        low = self.address[: self.lane_bits]
        # From that of the address to the last that belongs to the size: nothing is below the first or above the last.
        lanes = range(len(self.lanes))
        from_here = Cat(low <= index if index < lanes[-1] else Const(1) for index in lanes)
        to_end = Cat((low | now_within) >= index if index else Const(1) for index in lanes)
        m.d.comb += self.lanes.eq(from_here & to_end)

        following = Signal(reach)
        m.d.comb += following.eq((self.address[:reach] | now_within) + 1)
        with m.If(self.next):
            m.d.sync += [
                self.continues.eq(~self.last),
                left.eq(to_come - 1),
                turns.eq(now_turns),
                within.eq(now_within),
                *(kept.eq(getattr(self, name)) for name, (kept, _) in held.items() if name != "address"),
                held["address"][0].eq(
                    Cat((following & now_turns) | (self.address[:reach] & ~now_turns), self.address[reach:])
                ),
            ]
        with m.If(self.rst):
            m.d.sync += self.continues.eq(0)
        return m


class Owed(wiring.Component):
    """Remembers, in order, whose the beats are that were taken and not answered yet.

    Parameters
    ----------
    id_bits : int

    Members
    -------
    room : Out(1)
        Another beat may be taken. Does not fall by itself.
    put : In(1), put_id : In, put_last : In(1)
        A beat is taken.
    id : Out, last : Out(1)
        Of the oldest beat, from the cycle after it was taken.
    get : In(1)
        The oldest beat is answered.
    rst : In(1)
        Forget all.
    """

    def __init__(self, *, id_bits: int):
        super().__init__(
            {
                "room": Out(1),
                "put": In(1),
                "put_id": In(id_bits),
                "put_last": In(1),
                "id": Out(id_bits),
                "last": Out(1),
                "get": In(1),
                "rst": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.cells = cells = memory.Memory(shape=len(self.id) + 1, depth=OUTSTANDING, init=[])
        write, read = cells.write_port(), cells.read_port(domain="comb")
        first, end = Signal(range(OUTSTANDING)), Signal(range(OUTSTANDING))
        count = Signal(range(OUTSTANDING + 1))
        m.d.comb += [
            self.room.eq(~count[-1]),
            write.en.eq(self.put),
            write.addr.eq(end),
            write.data.eq(Cat(self.put_id, self.put_last)),
            read.addr.eq(first),
            Cat(self.id, self.last).eq(read.data),
        ]
        m.d.sync += count.eq(count + self.put - self.get)
        with m.If(self.put):
            m.d.sync += end.eq(end + 1)
        with m.If(self.get):
            m.d.sync += first.eq(first + 1)
        with m.If(self.rst):
            m.d.sync += [first.eq(0), end.eq(0), count.eq(0)]
        return m


class Axi4(Adapter):
    """AXI4 subordinate of 32 or 64 bits.

    Every beat of a burst is an access of its own, with its own address and byte lanes, so it is checked in its own
    cycle. Who asks is decided once per burst: beats after the first are marked as ``continues``. An address is taken
    together with the first beat, which for a write is the cycle in which address and first word are both there. A
    beat per cycle and direction, bursts back to back.

    IDs come back in the order of the requests. Exclusive accesses are done like others and answered with OKAY, which
    tells the manager that nobody watches. WLAST is not looked at: the length says which beat is the last. AxUSER is
    the tag.

    Members
    -------
    awid, ..., rready : In, Out
        The channels, named as in the protocol, without reset.
    Beside these, and for its parameters, see ``Adapter``.
    """

    def elaborate(self, platform):
        m = Module()
        writes, b_owed, w_takes = self._direction(m, "w", self.write)
        reads, r_owed, r_takes = self._direction(m, "r", self.read)
        here = writes.continues | self.awvalid
        m.d.comb += [
            self.write.valid.eq(here & self.wvalid & b_owed.room),
            self.write.payload.data.eq(self.wdata),
            self.write.payload.strobes.eq(self.wstrb),
            self.awready.eq(w_takes & ~writes.continues),
            self.wready.eq(w_takes),
            # One answer per burst: those of the other beats go no further.
            self.bvalid.eq(self.written.valid & b_owed.last),
            self.bid.eq(b_owed.id),
            self.written.ready.eq(self.bready | ~b_owed.last),
            b_owed.get.eq(self.written.valid & self.written.ready),
            self.read.valid.eq((reads.continues | self.arvalid) & r_owed.room),
            self.read.payload.strobes.eq(reads.lanes),
            self.arready.eq(r_takes & ~reads.continues),
            self.rvalid.eq(self.answer.valid),
            self.rid.eq(r_owed.id),
            self.rlast.eq(r_owed.last),
            self.rdata.eq(self.answer.payload.data),
            self.rresp.eq(self.answer.payload.error * SLVERR),
            self.answer.ready.eq(self.rready),
            r_owed.get.eq(self.answer.valid & self.answer.ready),
        ]
        return m

    def _direction(self, m: Module, letter: str, native):
        """Return the beats of a direction, what is owed there, and whether a beat is taken."""
        port = self.config.ports[self.port]
        m.submodules[f"{letter}_beats"] = beats = Beats(
            address_bits=len(self.awaddr), id_bits=port.id_bits, data_bits=port.data_bits
        )
        m.submodules[f"{letter}_owed"] = owed = Owed(id_bits=port.id_bits)
        takes = native.valid & native.ready
        m.d.comb += [
            *(
                getattr(beats, name).eq(getattr(self, f"a{letter}{name}"))
                for name in ("id", "addr", "len", "size", "burst", "prot", "cache")
            ),
            beats.next.eq(takes),
            beats.rst.eq(self.rst),
            native.payload.address.eq(beats.address),
            native.payload.secure.eq(beats.secure),
            native.payload.continues.eq(beats.continues),
            native.payload.cacheable.eq(beats.allocate if port.refuse_cacheable else 0),
            owed.put.eq(takes),
            owed.put_id.eq(beats.beat_id),
            owed.put_last.eq(beats.last),
            owed.rst.eq(self.rst),
        ]
        tag = getattr(self, f"a{letter}user", None)
        if tag is not None:
            m.d.comb += native.payload.tag.eq(tag)  # not looked at where a burst continues
        return beats, owed, takes
