"""The bus inside: what adapters give to ports, and ports to the engines."""

from amaranth.hdl import unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from postern_spec.config import Config, Identity, Manager
from postern_spec.model import pow2
from postern_spec.regmap import address_map, guest_page, manager_page

from .select import bits_for, log2

__all__ = [
    "Sizes",
    "bus_read",
    "bus_write",
    "done",
    "read_request",
    "read_response",
    "refuses_cacheable",
    "write_request",
]


class Sizes:
    """Widths and counts that several components derive from a configuration.

    Attributes
    ----------
    vm_bits, lane_bits, word_bits, port_bits : int
        Width of an index.
    lane_log : int
        Address bits of a lane; 0 where there is only one.
    address_bits, offset_bits : int
        Widest address of any port; widest offset within a page.
    words, banks, rows : int
        Words of a slot, block RAM banks of the pool, and words of a slot in each.
    slots, slot_bits : int
        Message slots: the queues', one per lane, one spare per port.
    read_delay : int
        Cycles that pool and read engine take longer for what they read. Blocks that have a request register are for the
        clock, and have a register on this side too; and answers must not overtake those of the SRAM.
    """

    def __init__(self, c: Config):
        self.vm_bits = bits_for(c.vms)
        self.lane_bits = bits_for(c.lanes)
        self.lane_log = log2(c.lanes)
        self.word_bits = bits_for(c.words)
        self.port_bits = bits_for(len(c.ports))
        self.address_bits = max(address_map(c, port).bits for port in range(len(c.ports)))
        self.offset_bits = self.address_bits - (c.manager is not Manager.NONE)
        self.words = pow2(c.words)
        self.banks = min(pow2(len(c.ports)), self.words)
        self.rows = self.words // self.banks
        self.lane_slots = [len(c.port_vms(port)) * c.lanes for port in range(len(c.ports))]
        self.slots = c.vms * c.depth + sum(self.lane_slots) + len(c.ports)
        self.slot_bits = bits_for(self.slots)
        self.read_delay = int(c.request_register or c.blocks > 0)
        self.guest_page = guest_page(c)
        self.manager_page = manager_page(c)


def _tag_bits(c: Config, port: int) -> int:
    return c.tag_bits if c.ports[port].identity is Identity.SIDEBAND else 1  # constant zero


def bus_read(c: Config, port: int) -> data.StructLayout:
    """Read as a bus adapter hands it on: byte address, byte lanes, tag, secure transaction.

    ``strobes`` are all set where the bus carries no read size. Two members are constant zero on most buses:
    ``continues`` is high from the cycle after the first access of a burst was taken until its last one is, and the
    access gets the VM-ID of that first one; ``cacheable`` means that the access must be refused as that.
    """
    return data.StructLayout(
        {
            "address": address_map(c, port).bits,
            "strobes": c.ports[port].data_bits // 8,
            "tag": unsigned(_tag_bits(c, port)),
            "secure": 1,
            "continues": 1,
            "cacheable": 1,
        }
    )


def bus_write(c: Config, port: int) -> data.StructLayout:
    """Write as a bus adapter hands it on: as a read, and the word. On 64 bits its upper half is at address bit 2."""
    return data.StructLayout(bus_read(c, port).members | {"data": c.ports[port].data_bits})


def read_response(c: Config, port: int) -> data.StructLayout:
    """Answer to a read: the word, and whether the access was refused and errors are to be shown."""
    return data.StructLayout({"data": c.ports[port].data_bits, "error": 1})


def done() -> wiring.Signature:
    """A stream that carries nothing but that something is done."""
    return wiring.Signature({"valid": Out(1), "ready": In(1)})


def refuses_cacheable(c: Config) -> bool:
    """Whether some port does."""
    return any(port.refuse_cacheable for port in c.ports)


def _request(c: Config) -> dict:
    sizes = Sizes(c)
    return {
        "address": sizes.address_bits,
        "offset": sizes.offset_bits,
        "manager": 1,  # the manager page was addressed
        "allowed": 1,  # by the manager, or the guest page by a VM
        "known": 1,  # there is a VM-ID
        "vm": unsigned(sizes.vm_bits),
        "strobes": 4,
        "direct": 1,  # belongs to the port's own path, and came here because its VM is closed
    } | ({"cacheable": 1} if refuses_cacheable(c) else {})  # is refused for that


def write_request(c: Config) -> data.StructLayout:
    """Write as a port hands it to the write engine.

    ``commit`` marks a commit, ``torn`` one that cannot be a message; ``last`` is the index of its last word and
    ``slot`` where it lies. ``block`` marks a commit that hands a block over, where there are blocks.
    """
    sizes = Sizes(c)
    return data.StructLayout(
        _request(c)
        | {
            "data": 32,
            "commit": 1,
            "torn": 1,
            "last": unsigned(sizes.word_bits),
            "slot": unsigned(sizes.slot_bits),
        }
        | ({"block": 1} if c.blocks else {})
    )


def read_request(c: Config) -> data.StructLayout:
    """Read as a port hands it to the read engine."""
    return data.StructLayout(_request(c))
