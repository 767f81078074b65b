"""The buses: the model's port, a mapped file, and the recorder."""

import os
import re
import socket
import struct
from array import array

import pytest

from postern import Bus, BusError, Deadlock, Mailbox, MmapBus, Model, ModelBus, Source, TracingBus
from postern.bus import Access
from postern_spec.config import preset
from postern_spec.regmap import address_map, guest_page, manager_page

OPEN = {"open_at_reset": True, "credits": 2}


@pytest.fixture
def open_config(config):
    return config.replace(**OPEN)


@pytest.fixture
def model(open_config):
    return Model(open_config)


# ModelBus


def test_identity_of_a_model_bus(model):
    for port, tag in ((0, 1), (1, 3)):
        who = Mailbox(ModelBus(model, port, tag=tag)).identity()
        assert (who.vm, who.port) == (tag, port)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"port": 2}, "port must be from 0 to 1, not 2"),
        ({"port": -1}, "port must be from 0 to 1, not -1"),
        ({"core": 2}, "core must be from 0 to 1, not 2"),
        ({"tag": 16}, "tag must be from 0 to 15, not 16"),
    ],
)
def test_bad_model_bus(model, arguments, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        ModelBus(model, **arguments)


@pytest.mark.parametrize("value", [-1, 1 << 32])
def test_words_that_do_not_fit(model, value, tmp_path):
    (tmp_path / "file").write_bytes(bytes(64))
    with MmapBus(tmp_path / "file", 64) as mapped:
        for bus in (ModelBus(model), mapped):
            with pytest.raises(ValueError, match=f"^value must be from 0 to 0xffffffff, not {value:#x}$"):
                bus.write32(0x20, value)


def test_read_error(open_config):
    refuses = ModelBus(Model(open_config.replace(read_error=True)))
    with pytest.raises(BusError, match=r"^read of 0x38 must be allowed, not refused as UNMAPPED$"):
        refuses.read32(0x38)
    assert ModelBus(Model(open_config)).read32(0x38) == 0


def test_read_error_of_a_burst(blocks_config):
    """A burst that is refused says so, from the first word that is."""
    config = blocks_config.replace(read_error=True, open_at_reset=True, credits=2, block_quota=1)
    model = Model(config)
    mailbox = Mailbox(ModelBus(model), 0, config)
    model.tick(10_000)
    assert mailbox.alloc() == 0
    assert mailbox.read_sram(0, 0, 64) == bytes(64)
    beyond = mailbox.sram + 64
    with pytest.raises(BusError, match=f"^read of {beyond:#x} must be allowed, not refused as BLOCK$"):
        mailbox.bus.read_burst(mailbox.sram, 17)


def test_model_bus_waits_for_the_moderation_timer(model):
    a, b = Mailbox(ModelBus(model, 0, tag=0)), Mailbox(ModelBus(model, 1, tag=1))
    manager = ModelBus(model, 0, manager=True)
    page, base = manager_page(model.config), address_map(model.config, 0).manager_base
    manager.write32(base + page.RESIDENT.at(1), page.RESIDENT.pack(VM=1, VALID=1))
    b.moderation(8, 60_000)
    a.send(1, [5])
    assert b.bus.wait_for_interrupt(0) is False
    assert b.wait(Source.MAIL) == Source.MAIL
    assert b.bus.wait_for_interrupt(0) is True
    assert b.try_receive().words == (5,)


def test_model_bus_counts_its_timeout(model):
    bus = ModelBus(model)
    before = model.now
    assert bus.wait_for_interrupt(1e-6) is False
    assert model.now - before == 100
    assert bus.wait_for_interrupt(1.0) is False
    assert model.now - before == 100_000_100


def test_model_bus_does_not_wait_for_ever(model):
    text = "MAIL must come from another program, which cannot run while this one waits alone"
    with pytest.raises(Deadlock, match=f"^{text}$"):
        Mailbox(ModelBus(model)).receive()


def test_manager_line(model):
    bus = ModelBus(model, manager=True)
    assert bus.wait_for_interrupt(0) is False
    page, base = manager_page(model.config), address_map(model.config, 0).manager_base
    bus.write32(base + page.FAULT_ENABLE.at(0), 1)
    bus.write32(base + page.DRAIN.at(), 1)  # read-only: a fault of VM 0, whose tag this is
    assert bus.wait_for_interrupt(0) is True


# MmapBus


def test_mmap_of_a_file(tmp_path):
    path = tmp_path / "device"
    path.write_bytes(struct.pack("<4I", 1, 2, 0xFFFF_FFFF, 0x1234_5678) + bytes(4096))
    with MmapBus(path, 4096) as bus:
        assert [bus.read32(address) for address in (0, 4, 8, 12)] == [1, 2, 0xFFFF_FFFF, 0x1234_5678]
        bus.write32(4, 0xDEAD_BEEF)
        bus.write32(4092, 7)
    content = path.read_bytes()
    assert content[4:8] == bytes([0xEF, 0xBE, 0xAD, 0xDE])
    assert content[4092:4096] == bytes([7, 0, 0, 0])


def test_mmap_at_an_offset(tmp_path):
    path = tmp_path / "device"
    path.write_bytes(bytes(4096) + struct.pack("<I", 9) + bytes(4092))
    with MmapBus(path, 4096, offset=4096) as bus:
        assert bus.read32(0) == 9


@pytest.mark.parametrize("address", [-4, 2, 64])
def test_mmap_beyond_its_size(tmp_path, address):
    path = tmp_path / "device"
    path.write_bytes(bytes(64))
    text = f"^address must be a multiple of 4 from 0 to 0x3c, not {address:#x}$"
    with MmapBus(path, 64) as bus:
        with pytest.raises(ValueError, match=text):
            bus.read32(address)
        with pytest.raises(ValueError, match=text):
            bus.write32(address, 0)


@pytest.mark.parametrize("size", [0, -4, 6])
def test_mmap_of_a_bad_size(tmp_path, size):
    with pytest.raises(ValueError, match=f"^size must be a positive multiple of 4, not {size}$"):
        MmapBus(tmp_path / "device", size)


def test_mmap_of_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        MmapBus(tmp_path / "missing", 64)
    (tmp_path / "device").write_bytes(bytes(64))
    with pytest.raises(FileNotFoundError):
        MmapBus(tmp_path / "device", 64, interrupts=tmp_path / "missing")


def test_mmap_interrupts(tmp_path):
    """A socket stands for the UIO device: what is written to it enables, what is read from it are interrupts."""
    path = tmp_path / "device"
    path.write_bytes(bytes(64))
    device, ours = socket.socketpair()
    with device, ours, MmapBus(path, 64, interrupts=ours.fileno()) as bus:
        assert bus.wait_for_interrupt(0) is False
        assert device.recv(64) == struct.pack("=I", 1)
        device.send(struct.pack("=I", 17))
        assert bus.wait_for_interrupt(5) is True
        assert bus.wait_for_interrupt(0.001) is False


def test_mmap_without_interrupts(tmp_path):
    path = tmp_path / "device"
    path.write_bytes(bytes(64))
    with (
        MmapBus(path, 64) as bus,
        pytest.raises(ValueError, match=r"^interrupts must be given to wait for them, not None$"),
    ):
        bus.wait_for_interrupt(0)


def test_mmap_opens_and_closes_its_own_descriptors(tmp_path):
    path = tmp_path / "device"
    path.write_bytes(bytes(64))
    before = len(os.listdir("/proc/self/fd"))
    with MmapBus(path, 64, interrupts=path) as bus:
        assert len(os.listdir("/proc/self/fd")) > before
    bus.close()  # twice does no harm
    assert len(os.listdir("/proc/self/fd")) == before


def test_driver_on_a_mapped_file(tmp_path):
    """The driver probes and sends through a mapping; the file shows where its words went."""
    config = preset("default")
    page = guest_page(config)
    image = bytearray(8192)
    for register in [*page.registers[:5], page.MEMORY]:
        word = register.pack(**{field.name: field.reset for field in register.fields})
        image[4096 + register.offset : 4100 + register.offset] = struct.pack("<I", word)
    path = tmp_path / "device"
    path.write_bytes(image)
    with MmapBus(path, 8192) as bus:
        mailbox = Mailbox(bus, 4096)
        assert mailbox.config.vms == 8
        mailbox.send(3, [0x11, 0x22, 0x33], lane=1)
    content = path.read_bytes()
    for register, indices, word in (("STAGE", (1, 0), 0x11), ("STAGE", (1, 1), 0x22), ("COMMIT", (1, 0, 1, 3), 0x33)):
        at = 4096 + getattr(page, register).at(*indices)
        assert content[at : at + 4] == struct.pack("<I", word)


def test_bursts_of_a_mapped_file(tmp_path):
    path = tmp_path / "device"
    path.write_bytes(bytes(64))
    with MmapBus(path, 64) as bus:
        bus.write_burst(8, [1, 0xFFFF_FFFF, 3])
        assert bus.read_burst(4, 5) == [0, 1, 0xFFFF_FFFF, 3, 0]
        bus.write_burst(60, array("I", [9]))
        assert bus.read_burst(60, 1) == [9]
        assert bus.read_burst(64, 0) == []
        for address, words, wrong in ((-4, 2, -4), (6, 1, 6), (56, 3, 64), (64, 1, 64)):
            text = f"^address must be a multiple of 4 from 0 to 0x3c, not {wrong:#x}$"
            with pytest.raises(ValueError, match=text):
                bus.read_burst(address, words)
            with pytest.raises(ValueError, match=text):
                bus.write_burst(address, [7] * words)
        with pytest.raises(ValueError, match=r"^value must be from 0 to 0xffffffff, not 0x100000000$"):
            bus.write_burst(0, [5, 1 << 32])
    assert path.read_bytes()[:4] == bytes([5, 0, 0, 0])


# Bursts where the bus has nothing better


class Plain(Bus):
    """A bus with what it must have and no more."""

    def __init__(self):
        self.seen = []

    def read32(self, address):
        self.seen.append(("read", address))
        return address

    def write32(self, address, value):
        self.seen.append(("write", address, value))

    def wait_for_interrupt(self, timeout=None):
        return True


def test_a_burst_is_as_many_accesses_in_order():
    bus = Plain()
    assert bus.read_burst(16, 3) == [16, 20, 24]
    bus.write_burst(8, [5, 6])
    assert bus.seen == [("read", 16), ("read", 20), ("read", 24), ("write", 8, 5), ("write", 12, 6)]


# TracingBus


def test_trace(model, open_config):
    bus = TracingBus(ModelBus(model), open_config)
    mailbox = Mailbox(bus, 0, open_config)
    mailbox.send(1, [1, 2])
    mailbox.result()
    page = guest_page(open_config)
    stage, commit, result = page.STAGE.at(0, 0), page.COMMIT.at(0, 0, 1, 1), page.RESULT.at(0)
    word = page.RESULT.pack(CODE=1, COUNT=1)
    assert bus.text() == (
        f"write {stage:#06x} STAGE[0][0] 0x00000001\n"
        f"write {commit:#06x} COMMIT[0][0][1][1] 0x00000002\n"
        f"read  {result:#06x} RESULT[0] {word:#010x}"
    )
    assert bus.take() == [Access("write", stage, 1), Access("write", commit, 2), Access("read", result, word)]
    assert bus.take() == []


def test_trace_without_names(model):
    bus = TracingBus(ModelBus(model))
    bus.read32(4)
    assert bus.text() == "read  0x0004 0x00000000"


def test_accesses_of_a_16_byte_message(model, open_config):
    """The figures that are published: four to send, five to receive."""
    buses = [TracingBus(ModelBus(model, port, tag=port)) for port in (0, 1)]
    a, b = (Mailbox(bus, 0, open_config) for bus in buses)
    a.send(1, [1, 2, 3, 4])
    assert b.try_receive().words == (1, 2, 3, 4)
    assert [len(bus.take()) for bus in buses] == [4, 5]


def test_trace_hands_a_wait_on(model):
    with pytest.raises(Deadlock, match=r"^DOORBELL must come from another program"):
        Mailbox(TracingBus(ModelBus(model))).wait(Source.DOORBELL)
