"""Small tables that are filled at reset."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from .select import bits_for, mux_by_index

__all__ = ["Table"]

FLIP_FLOP_DEPTH = 4
"""Up to this depth a table is made of flip-flops: faster, and smaller than the logic that fills LUT RAM."""


class Table(wiring.Component):
    """Table with one write port and several read ports that answer in the same cycle.

    Reads see what was written in earlier cycles. Deep tables are LUT RAM and take ``depth`` cycles after reset to be
    filled.

    Parameters
    ----------
    depth, width : int
        Rows and bits of a row.
    readers : int
        Number of read ports.
    init : list of int or None
        Contents after reset, one per row; ``None`` where nothing is read before it was written.
    parity : bool
        Keep a parity bit with each row. Requires: ``init``.

    Members
    -------
    fill : In(1)
        High while tables are filled. Writes are not accepted then.
    fill_row : In(unsigned)
        The row to fill; others than the table's own are ignored.
    write : In(1), write_row, write_data
        Stores a row at the end of this cycle.
    row_0, data_0, ... : In, Out
        Read ports. With parity a row with a flipped bit reads as zero.
    bad_0, ... : Out(1), error : Out(1)
        With parity: what this port, or any port, reads in this cycle has a flipped bit.
    inject : In(1)
        With parity: flips a bit of what the first port reads, for ``error`` alone.
    """

    def __init__(self, depth: int, width: int, *, readers: int, init: list[int] | None, fill_bits: int, parity=False):
        if init is not None and len(init) != depth:
            raise ValueError(f"initial contents must have {depth} rows, not {len(init)}")
        if parity and init is None:
            raise ValueError("initial contents must be given with parity, not None")
        self.depth = depth
        self.width = width
        self.readers = readers
        self.init = init
        self.parity = parity
        row = unsigned(bits_for(depth))
        members = {
            "fill": In(1),
            "fill_row": In(fill_bits),
            "write": In(1),
            "write_row": In(row),
            "write_data": In(width),
        }
        for i in range(readers):
            members |= {f"row_{i}": In(row), f"data_{i}": Out(width)}
            if parity:
                members |= {f"bad_{i}": Out(1), "error": Out(1), "inject": In(1)}
        super().__init__(members)

    def read(self, m: Module, port: int, row):
        """Connect read port ``port`` to ``row`` and return its data."""
        m.d.comb += getattr(self, f"row_{port}").eq(row)
        return getattr(self, f"data_{port}")

    def elaborate(self, platform):
        m = Module()
        ports = [(getattr(self, f"row_{i}"), getattr(self, f"data_{i}")) for i in range(self.readers)]
        width, init, write_data = self.width, self.init, self.write_data
        if self.parity and init is not None:
            width, init = width + 1, [value | value.bit_count() % 2 << width for value in init]
            write_data = Cat(write_data, write_data.xor())
            ports = [(row, self._check(m, i, row)) for i, (row, _) in enumerate(ports)]
        if self.depth <= FLIP_FLOP_DEPTH:
            rows = [Signal(width, name=f"row{i}", init=init[i] if init else 0) for i in range(self.depth)]
            for i, cell in enumerate(rows):
                chosen = self.write if self.depth == 1 else self.write & (self.write_row == i)
                with m.If(chosen):
                    m.d.sync += cell.eq(write_data)
            for row, out in ports:
                m.d.comb += out.eq(mux_by_index(rows, row))
            return m

        # With many readers a tool may find flip-flops cheaper, because it does not count how they are read.
        m.submodules.cells = cells = memory.Memory(
            shape=unsigned(width), depth=self.depth, init=[], attrs={"ram_style": "distributed"}
        )
        w_port = cells.write_port()
        row, data, enable = self.write_row, write_data, self.write
        if init is not None:
            fill_row = self.fill_row[: bits_for(self.depth)]
            padded = init + init[-1:] * ((1 << len(fill_row)) - self.depth)
            fill_data = init[0] if len(set(init)) == 1 else Array(padded)[fill_row]
            fill_here = self.fill
            if 1 << len(self.fill_row) > self.depth:
                fill_here = self.fill & (self.fill_row < self.depth)
            row, data, enable = Mux(self.fill, fill_row, row), Mux(self.fill, fill_data, data), enable | fill_here
        m.d.comb += [w_port.en.eq(enable), w_port.addr.eq(row), w_port.data.eq(data)]
        for row, out in ports:
            r_port = cells.read_port(domain="comb")
            m.d.comb += [r_port.addr.eq(row), out.eq(r_port.data)]
        return m

    def _check(self, m: Module, port: int, row) -> Signal:
        """Connect a read port with a check between; return what the row with its parity goes to."""
        kept = Signal(self.width + 1, name=f"kept_{port}")
        bad = getattr(self, f"bad_{port}")
        # Beyond the last row there may be anything, and before the table is filled in any row.
        there = ~self.fill if self.depth & (self.depth - 1) == 0 else ~self.fill & (row < self.depth)
        m.d.comb += [
            bad.eq(kept.xor() & there),
            getattr(self, f"data_{port}").eq(kept[:-1] & (~bad).replicate(self.width)),
        ]
        if port == self.readers - 1:
            seen = [getattr(self, f"bad_{i}") for i in range(self.readers)]
            seen[0] = seen[0] ^ self.inject
            m.d.comb += self.error.eq(Cat(seen).any())
        return kept
