"""Properties of the register map that every configuration has."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postern_spec.config import PRESETS, Bus, Config, Identity, Manager, Port, preset
from postern_spec.emit.common import acting, acting_addresses, pages, windows
from postern_spec.model import Access, Page, Register, pow2
from postern_spec.pins import pins, port_prefix
from postern_spec.regmap import address_map, guest_page, manager_page


@st.composite
def configurations(draw: st.DrawFn, largest_vms: int = 64) -> Config:
    """Any configuration."""
    vms = draw(st.integers(2, largest_vms))
    manager = draw(st.sampled_from(Manager))
    identities = [item for item in Identity if item is not Identity.RESIDENT or manager is not Manager.NONE]
    buses = [bus for bus in Bus if bus is not Bus.WISHBONE or manager is not Manager.SECURE]
    ports = []
    for _ in range(draw(st.integers(1, 16))):
        identity = draw(st.sampled_from(identities))
        cores = 1 if identity is Identity.RESIDENT else draw(st.integers(1, 8))
        bus = draw(st.sampled_from(buses))
        full = bus is Bus.AXI4
        id_bits, data_bits = draw(st.integers(1, 16)), draw(st.sampled_from((32, 64))) if full else 32
        ports.append(
            Port(bus, identity, draw(st.integers(0, vms - 1)), cores, id_bits, data_bits, full and draw(st.booleans()))
        )
    c = Config(
        ports=tuple(ports),
        vms=vms,
        lanes=draw(st.integers(1, 8)),
        words=draw(st.integers(1, 16)),
        depth=draw(st.integers(2, 256)),
        page_stride=65536,
        manager=manager,
        manager_vm=draw(st.integers(0, vms - 1)),
        manager_port=draw(st.integers(0, len(ports) - 1)),
        tag_bits=draw(st.integers(1, 16)),
        tag_entries=draw(st.integers(0, 64)),
        open_at_reset=manager is Manager.NONE or draw(st.booleans()),
        credits=0,
        blocks=draw(st.sampled_from((0, 0, 1, 3, 64, 200, 1024))),
        block_size=draw(st.sampled_from((64, 1024, 4096))),
        banks=draw(st.sampled_from((1, 2, 4, 8))),
        moderation=draw(st.booleans()),
        counters=manager is not Manager.NONE and draw(st.booleans()),
        read_error=draw(st.booleans()),
    )
    return c if guest_page(c).size > 4096 or draw(st.booleans()) else c.replace(page_stride=4096)


def places(page: Page) -> dict[int, tuple[Register, tuple[int, ...]]]:
    """Every register of a page by offset; fails where two share one."""
    found: dict[int, tuple[Register, tuple[int, ...]]] = {}

    def walk(register: Register, indices: tuple[int, ...]) -> None:
        if len(indices) < len(register.dims):
            for index in range(register.dims[len(indices)].count):
                walk(register, (*indices, index))
        else:
            offset = register.at(*indices)
            assert offset not in found, f"{register.name} and {found[offset][0].name} share 0x{offset:X}"
            found[offset] = register, indices

    for register in page.registers:
        walk(register, ())
    return found


@given(configurations())
def test_no_two_registers_share_an_address(c: Config) -> None:
    for page in pages(c):
        found = places(page)
        assert all(offset % 8 == 0 for offset in found)
        assert max(found) + 8 <= page.size
        assert list(page.registers) == sorted(page.registers, key=lambda item: item.offset)
        names = [item.name for item in page.registers]
        assert len(set(names)) == len(names)


@settings(max_examples=30)
@given(configurations(largest_vms=12))
def test_decode_is_the_inverse_of_at(c: Config) -> None:
    for page in pages(c):
        found = places(page)
        for offset in range(0, page.size + 64, 8):
            assert page.decode(offset) == found.get(offset)
        for register in page.registers:
            assert sorted(register.offsets()) == sorted(at for at, (which, _) in found.items() if which is register)


@given(configurations())
def test_a_decoder_only_compares_bits(c: Config) -> None:
    """The index of each dimension is a field of address bits: strides are powers of two and nothing carries."""
    for page in pages(c):
        for register in page.registers:
            variable = 0
            for dim in register.dims:
                assert dim.stride == pow2(dim.stride)
                mask = (pow2(dim.count) - 1) * dim.stride
                assert mask & variable == 0
                variable |= mask
            assert register.offset & variable == 0


@given(configurations())
def test_fields_lie_apart_in_32_bits(c: Config) -> None:
    for page in pages(c):
        for register in page.registers:
            used = 0
            for item in register.fields:
                assert item.width >= 1
                assert item.mask < 1 << 32
                assert used & item.mask == 0
                used |= item.mask
                assert item.reset is None or 0 <= item.reset < 1 << item.width
                assert item.values is None or max(item.values) < 1 << item.width
            assert [item.lsb for item in register.fields] == sorted(item.lsb for item in register.fields)


@given(configurations())
def test_pages_fit_their_windows(c: Config) -> None:
    assert guest_page(c).size <= c.page_stride
    for index in range(len(c.ports)):
        where = address_map(c, index)
        end = 0
        for _, _, base, size in windows(c, index):
            assert base >= end
            assert base % size == 0
            end = base + size
        assert end <= 1 << where.bits
        assert (where.manager_base is None) == (c.manager is Manager.NONE)
        assert (where.sram_base is None) == (c.blocks == 0)
        if where.manager_base is not None:
            assert manager_page(c).size <= (1 << where.bits) - where.manager_base


@given(configurations())
def test_reads_that_act_are_listed_once(c: Config) -> None:
    guest = guest_page(c)
    assert {item.name for item in acting(guest)} == {"HEADER", "POP"} | ({"ALLOC"} if c.blocks else set())
    assert acting(manager_page(c)) == ()
    expected = [getattr(guest, name).at(lane) for name in ("HEADER", "POP") for lane in range(c.lanes)]
    expected += [guest.ALLOC.at()] if c.blocks else []
    assert acting_addresses(guest) == tuple(sorted(expected))
    for register in acting(guest):
        assert {item.access for item in register.fields} == {Access.RA}
        assert not register.writable


@given(configurations())
def test_pins(c: Config) -> None:
    found = pins(c)
    names = [pin.name for pin in found]
    assert len(set(names)) == len(names)
    assert all(pin.width >= 1 for pin in found)
    assert ("manager_irq" in names) == (c.manager is not Manager.NONE)
    assert sum(pin.width for pin in found if pin.name == "irq") == c.cores
    for index, port in enumerate(c.ports):
        mine = [pin for pin in found if pin.port == index]
        tags = [pin for pin in mine if pin.signal in ("awuser", "aruser", "tga", "puser")]
        addresses = {Bus.AXI4_LITE: ("awaddr", "araddr"), Bus.WISHBONE: ("adr",), Bus.APB: ("paddr",)}
        addresses[Bus.AXI4] = addresses[Bus.AXI4_LITE]
        wanted = 0 if port.identity is not Identity.SIDEBAND else len(addresses[port.bus])
        assert [pin.width for pin in tags] == [c.tag_bits] * wanted
        width = {pin.signal: pin.width for pin in mine}
        bits = address_map(c, index).bits - (2 if port.bus is Bus.WISHBONE else 0)
        assert [width[name] for name in addresses[port.bus]] == [bits] * len(addresses[port.bus])
        if port.bus is Bus.AXI4:
            assert {width[name] for name in ("awid", "bid", "arid", "rid")} == {port.id_bits}
            assert (width["wdata"], width["wstrb"], width["rdata"]) == (
                port.data_bits,
                port.data_bits // 8,
                port.data_bits,
            )
        assert {pin.name for pin in mine} == {f"s{index}_rst"} | {
            port_prefix(c, index) + pin.signal for pin in mine if pin.signal != "rst"
        }
        assert f"s{index}_rst" in names


def test_guest_pages_of_the_presets_stay_small() -> None:
    """A register that breaks these bounds should be a decision."""
    for name, blocks, bound in (("small", 0, 448), ("default", 64, 2048), ("large", 256, 8192)):
        assert guest_page(preset(name).replace(blocks=blocks)).size <= bound
    assert set(PRESETS) == {"small", "default", "large"}


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda page: page.HAEDER, "register must be one of those of the guest page, not HAEDER"),
        (lambda page: page.HEADER.SIZE, "field of HEADER must be one of COUNT, KIND, SENDER, GENERATION, not SIZE"),
        (lambda page: page.HEADER.at(1), "HEADER lane must be from 0 to 0, not 1"),
        (lambda page: page.WORD.at(-1), "WORD word must be from 0 to 3, not -1"),
        (lambda page: page.COMMIT.at(0, 0), "COMMIT must be given 4 indices, not 2"),
        (lambda page: page.RING.pack(VM=64), "VM must be from 0 to 63, not 64"),
    ],
)
def test_mistakes_get_a_sentence(use: Callable[[Page], object], text: str) -> None:
    with pytest.raises((AttributeError, IndexError, ValueError), match=f"^{re.escape(text)}$"):
        use(guest_page(preset("small")))
