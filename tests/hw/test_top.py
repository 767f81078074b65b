# amaranth: UnusedElaboratable=no
import re

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Fragment
from amaranth.lib.wiring import In

from postern_hw.top import Postern, probes
from postern_spec.config import PRESETS, Bus, Config, Identity, Manager, Port, preset
from postern_spec.pins import pins


def static(count, vms, bus=Bus.AXI4_LITE):
    return tuple(Port(bus, Identity.STATIC, vm=i % vms) for i in range(count))


SPREAD = {
    "small": preset("small"),
    "least": Config(ports=static(1, 2), vms=2, lanes=1, words=1, depth=2, manager=Manager.PAGE),
    "least_fixed": Config(
        ports=static(1, 2, Bus.WISHBONE), vms=2, lanes=1, words=1, depth=2, manager=Manager.NONE,
        open_at_reset=True, request_register=False,
    ),
    "identities": Config(
        ports=(
            *(Port(bus, identity, vm=1) for bus, identity in zip(Bus, Identity, strict=True)),
            Port(Bus.APB), Port(Bus.AXI4, id_bits=1, data_bits=64, refuse_cacheable=True),
        ),
        vms=3, lanes=2, words=3, depth=5, tag_entries=2, manager=Manager.VM, moderation=True, counters=True,
        read_error=True,
    ),
    "secure": Config(
        ports=(Port(identity=Identity.SIDEBAND, cores=8),), vms=2, lanes=3, words=16, depth=3,
        manager=Manager.SECURE, tag_bits=1, tag_entries=1,
    ),
    "lanes": Config(ports=static(1, 1), vms=2, lanes=8, words=16, depth=256, manager=Manager.PORT),
}  # fmt: skip


@pytest.mark.parametrize("name", [*PRESETS, *SPREAD])
def test_members_are_the_pins(name):
    config = SPREAD.get(name) or preset(name)
    for probe in (False, True):
        expected = pins(config) + (probes(config) if probe else [])
        members = Postern(config, probe=probe).signature.members
        assert [(key, "in" if member.flow is In else "out", member.shape) for key, member in members.items()] == [
            (pin.name, pin.direction, pin.width) for pin in expected
        ]


@pytest.mark.parametrize("name", SPREAD)
def test_every_kind_of_block_converts(name):
    config = SPREAD[name]
    text = rtlil.convert(Postern(config), name=config.name, emit_src=False)
    top = re.search(rf"^module \\{config.name}$.*?^end$", text, re.MULTILINE | re.DOTALL)[0]
    wires = re.findall(r"^  wire (?:width (\d+) )?(input|output) \d+  \\(\w+)$", top, re.MULTILINE)
    assert {name: (direction.removesuffix("put"), int(width or 1)) for width, direction, name in wires} == {
        pin.name: (pin.direction, pin.width) for pin in pins(config)
    }


EXTREMES = {
    "vms": Config(ports=(Port(),), vms=64, lanes=1, words=1, depth=2, page_stride=65536),
    "ports": Config(
        ports=tuple(port for bus in Bus for port in static(4, 2, bus)), vms=2, lanes=1, words=1, depth=2,
        manager=Manager.NONE, open_at_reset=True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXTREMES)
def test_extremes_elaborate(name):
    config = EXTREMES[name]
    parts = [name for _, name, _ in Fragment.get(Postern(config), None).subfragments]  # to convert it takes too long
    assert sum(part.startswith("queue_") for part in parts) == config.vms
    assert sum(part.startswith("port_") for part in parts) == len(config.ports)
