# amaranth: UnusedElaboratable=no
from random import Random

import pytest
from amaranth.hdl import Module, Signal

from postern_hw.decode import Decoder
from postern_spec.config import Config, Identity, Manager, Port, preset
from postern_spec.model import pow2
from postern_spec.regmap import guest_page, manager_page

from .support import simulate

SIDEBAND = (Port(cores=3), Port())
CONFIGURATIONS = {
    "small": preset("small"),
    "default": preset("default"),
    "odd": Config(ports=SIDEBAND, vms=5, lanes=3, words=5, depth=3, tag_entries=3, moderation=True),
    "halves": Config(
        ports=(Port(identity=Identity.PAGE),),
        vms=35,
        lanes=1,
        words=1,
        depth=2,
        page_stride=65536,
        manager=Manager.PAGE,
    ),
}
PAGES = {
    f"{name}-{page.name}": page
    for name, config in CONFIGURATIONS.items()
    for page in (guest_page(config), manager_page(config))
    if page.size
}


@pytest.mark.parametrize("name", PAGES)
def test_every_offset_decodes_as_in_the_register_map(name):
    page, random = PAGES[name], Random(name)
    end = pow2(page.size)
    m, offset = Module(), Signal(range(4 * end))
    decoder = Decoder(page, offset)
    hits = {register.name: Signal() for register in page.registers}
    m.d.comb += [hits[name].eq(decoder[name]) for name in hits]
    indices = {register.name: [Signal(16) for _ in register.dims] for register in page.registers}
    for register in page.registers:
        for dim, signal in zip(register.dims, indices[register.name], strict=True):
            m.d.comb += signal.eq(decoder.index(register.name, dim.name))
    readable, absent = Signal(), Signal()
    m.d.comb += [readable.eq(decoder.any(lambda register: register.readable)), absent.eq(decoder["NOTHING"])]

    async def bench(ctx):
        beyond = [end, 2 * end, 3 * end, 4 * end - 8, *(random.randrange(end, 4 * end, 8) for _ in range(50))]
        found = set()
        for at in [*range(0, end, 8), *beyond]:
            ctx.set(offset, at + random.randrange(8))  # the lowest bits are not looked at
            register, where = page.decode(at) or (None, ())
            assert [hit for hit, signal in hits.items() if ctx.get(signal)] == ([register.name] if register else [])
            assert ctx.get(readable) == (register is not None and register.readable)
            assert not ctx.get(absent)
            if register:
                found.add(register.name)
                assert tuple(ctx.get(signal) for signal in indices[register.name]) == where
        assert found == set(hits)

    simulate(m, bench)
