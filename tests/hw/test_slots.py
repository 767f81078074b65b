# amaranth: UnusedElaboratable=no
"""Message slots are a permutation: ``docs/states.md`` section 4, looked at in a whole block while it works."""

from random import Random

import pytest

from postern_hw.native import Sizes
from postern_hw.top import Postern
from postern_spec.config import Bus, Config, Identity, Port, preset
from postern_spec.pins import port_prefix

from .support import MASTERS, Design, Guest, Pins, coin, simulate

CONFIGURATIONS = {
    "small": preset("small").replace(depth=6, credits=6),
    "mix": Config(
        ports=(
            Port(Bus.AXI4_LITE, Identity.PAGE),
            Port(Bus.WISHBONE, Identity.STATIC, vm=1),
            Port(Bus.WISHBONE, Identity.STATIC, vm=2),
        ),
        vms=3, lanes=3, words=4, depth=6, open_at_reset=True, credits=3,
    ),
    "bursts": Config(
        ports=(
            Port(Bus.AXI4, Identity.PAGE),
            Port(Bus.APB, Identity.STATIC, vm=1),
            Port(Bus.AXI4, Identity.STATIC, vm=2, data_bits=64),
        ),
        vms=3, lanes=2, words=4, depth=6, open_at_reset=True, credits=3,
    ),
}  # fmt: skip


class Slots:
    """Where every slot is."""

    def __init__(self, c: Config, design: Design):
        self.c, self.sizes, self.writer = c, Sizes(c), design.component.writer
        self.rings = [design.memory(f"queue_{vm}", "slots") for vm in range(c.vms)]
        self.lanes, self.spares = [], []
        pow2_lanes = 1 << self.sizes.lane_log
        for port in range(len(c.ports)):
            rows = design.table(f"port_{port}", "slots", depth=len(c.port_vms(port)) * pow2_lanes)
            self.lanes += [row for i, row in enumerate(rows) if i % pow2_lanes < c.lanes]
            self.spares.append(
                tuple(design.register(f"port_{port}", name) for name in ("spare_here", "new_spare", "kept_spare"))
            )

    def places(self, ctx):
        """Return the slot in each place."""
        found = [ctx.get(ring[entry]) for ring in self.rings for entry in range(self.c.depth)]
        found += [ctx.get(lane) for lane in self.lanes]
        for port, (here, new, kept) in enumerate(self.spares):
            if ctx.get(here):
                found.append(ctx.get(self.writer.back if ctx.get(new) else kept))
            else:  # in the hands of the commit that acts in this cycle
                assert ctx.get(self.writer.slot_back) == 1 << port
                found.append(ctx.get(self.writer.message.slot))
        return found


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_slot_is_in_one_place_at_all_times(name):
    c = CONFIGURATIONS[name]
    dut, random = Postern(c), Random(name)
    design = Design(dut)
    moved = taken = 0

    def master(index):
        port = c.ports[index]
        guests = [Guest(c, index, vm, random) for vm in c.port_vms(index)]
        return MASTERS[port.bus](Pins(dut, port_prefix(c, index)), random, lambda: random.choice(guests)(), pause=0.1)

    async def bench(ctx):
        nonlocal moved, taken

        def clock():
            ctx.set(dut.clk, 0)
            ctx.set(dut.clk, 1)

        slots, masters = Slots(c, design), [master(index) for index in range(len(c.ports))]
        resets = [Pins(dut, f"s{index}_") for index in range(len(c.ports))]
        for _ in range(4 * c.depth):  # the tables are filled
            clock()
        before = None
        for _ in range(700):
            places = slots.places(ctx)
            assert sorted(places) == list(range(slots.sizes.slots))
            moved += places != before
            before = places
            taken += sum(ctx.get(queue.popped) for queue in dut.queues)
            for index, driver in enumerate(masters):
                reset = coin(random, 0.005)
                resets[index].set(ctx, rst=reset)
                if reset:
                    driver.reset()
                driver.before(ctx)
            for driver in masters:
                driver.after(ctx)
            clock()
        assert all(len(driver.answers) > (50 if c.ports[i].bus is Bus.APB else 70) for i, driver in enumerate(masters))

    simulate(design.fragment, bench, clock=False)
    assert moved > 150
    assert taken > 20
