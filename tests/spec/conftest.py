"""Configurations on which every emitter is tried: the presets, and two that have what the presets lack."""

import pytest

from postern_spec.config import PRESETS, Bus, Config, Identity, Manager, Port, preset

CONFIGURATIONS = {name: preset(name) for name in sorted(PRESETS)} | {
    "odd": Config(
        name="Odd_1",
        ports=(
            Port(Bus.WISHBONE, Identity.SIDEBAND, cores=3),
            Port(Bus.AXI4_LITE, Identity.PAGE),
            Port(Bus.WISHBONE, Identity.RESIDENT),
            Port(Bus.AXI4_LITE, Identity.STATIC, vm=32),
            Port(Bus.AXI4, Identity.PAGE, id_bits=9, data_bits=64, refuse_cacheable=True),
            Port(Bus.APB, Identity.SIDEBAND),
        ),
        vms=33,
        lanes=3,
        words=5,
        depth=40,
        page_stride=65536,
        manager=Manager.PORT,
        manager_port=3,
        tag_bits=7,
        tag_entries=5,
        open_at_reset=True,
        credits=1,
        blocks=100,
        block_size=128,
        banks=8,
        block_quota=3,
        moderation=True,
        counters=True,
        read_error=True,
    ),
    "least": Config(
        name="least",
        ports=(Port(),),
        vms=2,
        lanes=1,
        words=1,
        depth=2,
        tag_bits=1,
        tag_entries=1,
        manager=Manager.SECURE,
    ),
}


@pytest.fixture(params=sorted(CONFIGURATIONS))
def config(request: pytest.FixtureRequest) -> Config:
    return CONFIGURATIONS[request.param]
