"""Timing isolation in simulation: two runs in which strangers do different things, and what a VM can see of that."""

import random

import pytest

from postern import Manager
from postern_sim.lockstep import IRQ
from postern_sim.rtl import EVENT, Request, Rtl, RtlBus
from postern_spec.config import Bus, Config, Identity, Port, preset
from postern_spec.config import Manager as Page
from postern_spec.regmap import Arbitration, Handover, address_map, guest_page
from postern_spec.sizes import scrub_window

WATCHER, STRANGERS = 1, (2, 3)
"""The port that is watched, and those whose VMs have nothing to do with its VMs. Port 0 is the manager's."""
OWN, OTHERS = (1, 2), (3, 4)
"""VMs behind them. VM 0 is the manager's."""
SETTLE = 400
"""Cycles after which all blocks are clean and the manager has nothing on its way."""

LITE = Config(
    name="watched",
    ports=(Port(identity=Identity.STATIC), *(Port(identity=Identity.PAGE),) * 3),
    vms=5,
    lanes=2,
    words=4,
    depth=6,
    manager=Page.PORT,
    manager_port=0,
    blocks=10,
    block_size=64,
    banks=2,
    strict=True,
)
CONFIGS = {
    "AXI4-Lite": LITE,
    "AXI4": LITE.replace(ports=(LITE.ports[0], *(Port(Bus.AXI4, Identity.PAGE, data_bits=64),) * 3), banks=4),
    "Wishbone": LITE.replace(
        ports=(LITE.ports[0], *(Port(Bus.WISHBONE, Identity.PAGE),) * 3), request_register=False, counters=True
    ),
    "no blocks": LITE.replace(blocks=0),
}


def requests(c: Config, port: int, vms: tuple[int, ...], chance: random.Random, count: int) -> list[Request]:
    """Anything that some VMs can do, most of it useless, some of it refused."""
    page, places = guest_page(c), address_map(c, port)
    busy = chance.choice((1, 3, 10))
    found = []
    for vm in vms:
        if c.blocks:
            found += [Request(places.guest(vm) + page.ALLOC.at())] * c.own_blocks
        found += [Request(places.guest(vm) + page.PEER.at(peer), 1, True) for peer in vms]

    def access(vm: int, where: int, data: int | None = None) -> None:
        found.append(Request(places.guest(vm) + where, data or 0, data is not None, gap=chance.randrange(busy) // 2))

    while len(found) < count:
        vm, peer, lane = chance.choice(vms), chance.choice((*vms, chance.randrange(c.vms))), chance.randrange(c.lanes)
        block = chance.randrange(c.blocks) if c.blocks else 0
        mine = chance.choice((vm, vm, chance.choice(vms))) * c.own_blocks + chance.randrange(max(1, c.own_blocks))
        word = chance.getrandbits(32)

        match chance.randrange(10 if c.blocks else 6):
            case 0:
                length = chance.randint(1, c.words)
                for at in range(length - 1):
                    access(vm, page.STAGE.at(lane, at), word + at)
                access(vm, page.COMMIT.at(lane, 0, int(length > 1), peer), word)
                access(vm, page.ACK.at(lane), 1)
            case 1:
                access(vm, page.HEADER.at(lane))
                access(vm, page.WORD.at(0))
                access(vm, page.POP.at(lane))
            case 2:
                access(vm, page.RING.at(), peer)
                access(vm, page.PENDING.at(0), word & 0xFF)
                access(vm, page.PENDING.at(0))
            case 3:
                access(vm, page.PEER.at(peer), 1)
                access(vm, page.PEER.at(peer))
                access(vm, page.CREDIT.at(peer))
            case 4:
                access(vm, page.IRQ_ENABLE.at(port), word)
                access(vm, page.IRQ_STATE.at(), word)
                access(vm, page.IRQ_STATE.at())
            case 5:
                access(vm, chance.randrange(0, page.size, 4))
                access(vm, chance.randrange(0, page.size, 4), word)
            case 6:
                access(vm, page.ALLOC.at())
                access(vm, page.QUOTA.at())
            case 7:
                access(vm, page.FREE.at(lane), chance.choice((mine, block)))
                access(vm, page.BLOCK.at(block))
            case 8:
                kind = chance.choice([int(how) for how in Handover])
                access(vm, page.COMMIT.at(lane, 1, 0, peer), page.RETURN.pack(KIND=kind, BLOCK=mine))
                access(vm, getattr(page, chance.choice(("RETURN", "REVOKE"))).at(lane), mine)
            case _:
                start = places.sram(vm) + chance.choice((mine, mine, block)) * c.block_size
                offsets = range(0, c.block_size, chance.choice((4, 8)))
                found += [Request(start + at, word + at, True) for at in offsets]
                found += [Request(start + at, fence=not at) for at in offsets]
    return found[:count]


def watched(c: Config, mode: Arbitration, own: int, others: int | None, count: int = 400):
    """Let all ports run; return what the watcher saw, cycle by cycle. ``None``: the strangers keep quiet."""
    with Rtl(c) as rtl:
        manager = Manager(RtlBus(rtl, 0), c)
        manager.arbitration = mode
        for group in (OWN, OTHERS):
            for vm in group:
                manager.open(vm)
                if c.blocks:
                    manager.quota(vm, c.own_blocks)
                for peer in group:
                    manager.permit(peer, vm)
                    manager.credits(peer, vm, 2)
        for core, vm in ((WATCHER, OWN[0]), (STRANGERS[0], OTHERS[0])):
            manager.resident(core, vm)
        rtl.step(SETTLE)
        rtl.forget()
        rtl.log(True)
        start = rtl.cycle
        rtl.issue(WATCHER, requests(c, WATCHER, OWN, random.Random(own), count))
        if others is not None:
            for port in STRANGERS:
                chance = random.Random(f"{others} {port}")
                rtl.issue(port, requests(c, port, OTHERS, chance, 3 * count))
        rtl.until({WATCHER: 0})
        lines = [
            (cycle - start, data >> c.core_base(WATCHER) & 1)
            for cycle, kind, _, _, _, data in EVENT.iter_unpack(rtl.events())
            if kind == IRQ
        ]
        changes = [line for at, line in enumerate(lines) if line[1] != (lines[at - 1][1] if at else 0)]
        return [(d.accepted - start, d.answered - start, d.data, d.response) for d in rtl.done(WATCHER)], changes


@pytest.mark.sim
@pytest.mark.parametrize("name", CONFIGS)
def test_a_vm_does_not_notice_strangers(name):
    moved = 0
    for own in range(12):
        alone = watched(CONFIGS[name], Arbitration.STRICT, own, None)
        for others in range(3):
            assert watched(CONFIGS[name], Arbitration.STRICT, own, others) == alone
        moved += len(alone[1])
    assert moved > 10, "the watcher's interrupt line must move, or comparing it says nothing"


@pytest.mark.sim
@pytest.mark.parametrize("name", CONFIGS)
def test_round_robin_tells(name):
    """The control: what is compared shows the difference where arbitration is not by turns."""
    alone = watched(CONFIGS[name], Arbitration.ROUND_ROBIN, 1, None)
    assert any(watched(CONFIGS[name], Arbitration.ROUND_ROBIN, 1, others) != alone for others in range(3))


@pytest.mark.sim
def test_what_was_seen_is_worth_comparing():
    """Messages arrive, blocks are handed out and used, accesses are refused: in the runs that are compared."""
    page, places = guest_page(LITE), address_map(LITE, WATCHER)
    found = dict.fromkeys(("ALLOC", "POP", "SRAM"), 0)
    for own in range(12):
        done, _ = watched(LITE, Arbitration.STRICT, own, 0)
        for request, (*_, data, _) in zip(requests(LITE, WATCHER, OWN, random.Random(own), 400), done, strict=True):
            inside = request.address % LITE.page_stride
            if not request.write and data:
                found["SRAM"] += request.address >= places.sram(0)
                found["ALLOC"] += inside == page.ALLOC.at()
                found["POP"] += inside in (page.POP.at(0), page.POP.at(1))
    assert min(found.values()) > 20, found


@pytest.mark.sim
@pytest.mark.parametrize("port", range(4))
def test_a_port_that_reads_on_meets_its_turn_in_each_bank(port):
    """With as many banks as ports, turns leave it a word of the SRAM per cycle, where it reads one after another."""
    c = preset("default").replace(strict=True, open_at_reset=True, block_quota=4)
    page, places = guest_page(c), address_map(c, port)
    with Rtl(c) as rtl:
        rtl.step(scrub_window(c) * c.vms + SETTLE)
        block = page.ALLOC.BLOCK.get(rtl.read(port, page.ALLOC.at(), tag=port)[0])
        words = c.block_size // 4
        rtl.forget()
        rtl.issue(port, [Request(places.sram(0) + block * c.block_size + 4 * at, tag=port) for at in range(words)])
        rtl.run()
        done = rtl.done(port)
    assert done[-1].answered - done[0].answered <= words / 0.95
