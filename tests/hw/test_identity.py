# amaranth: UnusedElaboratable=no
from random import Random

import pytest
from amaranth.hdl import Module

from postern_hw.identity import Binding, TagTable
from postern_spec.config import Bus, Config, Identity, Manager, Port
from postern_spec.regmap import address_map, guest_page, manager_page

from .support import coin, drive, simulate

VMS, TAGS, TAG_BITS = 5, 6, 7
PORTS = tuple(Port(identity=identity, vm=3) for identity in Identity)


def configuration(manager, **changes):
    return Config(
        ports=PORTS, vms=VMS, depth=2, manager=manager, manager_vm=0, manager_port=1, tag_bits=TAG_BITS,
        tag_entries=TAGS, **changes,
    )  # fmt: skip


def lowest_match(entries, tag):
    """Return the VM that the tag table says a tag belongs to."""
    for entry in entries:
        if entry["valid"] and tag & entry["mask"] == entry["match"] & entry["mask"]:
            return entry["vm"]
    return None


def expected(c, port, address, tag, secure, entries, resident):
    """Return what a request is bound to: VM, whether it goes to the manager page and may, and its offset."""
    where, chosen = address_map(c, port), c.ports[port]
    manager = address >= where.manager_base
    below = address - where.manager_base if manager else address
    vm = {
        Identity.STATIC: chosen.vm,
        Identity.RESIDENT: resident["vm"] if resident["valid"] else None,
        Identity.SIDEBAND: lowest_match(entries, tag),
        Identity.PAGE: None,
    }[chosen.identity]
    if chosen.identity is Identity.PAGE and not manager:
        vm, below = divmod(below, c.page_stride)
        vm = vm if vm < c.vms else None
    manages = {
        Manager.PAGE: True,
        Manager.SECURE: secure,
        Manager.VM: vm == c.manager_vm,
        Manager.PORT: port == c.manager_port,
    }[c.manager]
    return vm, manager, bool(manages) if manager else vm is not None, below


@pytest.mark.parametrize("manager", [item for item in Manager if item is not Manager.NONE])
@pytest.mark.parametrize("port", range(len(PORTS)), ids=[port.identity for port in PORTS])
def test_binding(port, manager):
    c = configuration(manager)
    where = address_map(c, port)
    dut, random = Binding(c, port), Random(f"{port}{manager}")
    outcomes = set()

    async def bench(ctx):
        for _ in range(400):
            vm, base = random.randrange(8), random.choice((0, where.manager_base))
            address = base + (where.guest(vm) if not base else 0) + random.randrange(4096)
            address = random.choice((address, random.randrange(1 << where.bits)))
            entries = [
                {
                    "match": random.getrandbits(TAG_BITS),
                    "mask": random.choice((0b111, 0b1000010, 0b1)),
                    "vm": random.randrange(VMS),
                    "valid": random.getrandbits(1),
                }
                for _ in range(TAGS)
            ]
            resident = {"vm": random.randrange(VMS), "valid": random.getrandbits(1)}
            tag = random.getrandbits(TAG_BITS) if c.ports[port].identity is Identity.SIDEBAND else 0
            secure = random.getrandbits(1)
            drive(ctx, dut, address=address, tag=tag, secure=secure, resident=resident)
            for i, entry in enumerate(entries):
                ctx.set(dut.entries[i], entry)
            vm, to_manager, allowed, offset = expected(c, port, address, tag, secure, entries, resident)
            assert (ctx.get(dut.known), ctx.get(dut.vm)) == (vm is not None, vm or 0)
            assert (ctx.get(dut.manager), ctx.get(dut.allowed)) == (to_manager, allowed)
            assert ctx.get(dut.offset) == offset
            outcomes.add((to_manager, allowed))

    simulate(dut, bench)
    always = manager is Manager.PAGE or (manager is Manager.PORT and port == c.manager_port)
    never = manager is Manager.PORT and port != c.manager_port
    never |= manager is Manager.VM and PORTS[port].identity in (Identity.STATIC, Identity.PAGE)
    assert outcomes >= ({(1, True)} if always else {(1, False)} if never else {(1, True), (1, False)})
    assert outcomes >= ({(0, True)} if PORTS[port].identity is Identity.STATIC else {(0, True), (0, False)})


@pytest.mark.parametrize("tag_bits", [3, TAG_BITS])
@pytest.mark.parametrize("identity", [Identity.SIDEBAND, Identity.RESIDENT])
def test_a_burst_keeps_the_identity_of_its_first_access(identity, tag_bits):
    c = Config(ports=(Port(Bus.AXI4, identity),), vms=4, depth=2, tag_bits=tag_bits, manager_vm=2)
    where = address_map(c, 0)
    dut, random = Binding(c, 0), Random(tag_bits)

    async def bench(ctx):
        for i in range(c.tags):  # tag i is VM i, but for tag 3, which is nobody
            ctx.set(dut.entries[i], {"match": i, "mask": 7, "vm": i, "valid": i != 3})
        if identity is Identity.SIDEBAND and tag_bits == 3:
            for tag in range(8):
                drive(
                    ctx, dut, compiling=1, compiled_tag=tag, compiled_known=tag < 3, compiled_vm=tag if tag < 3 else 0
                )
                await ctx.tick()
            ctx.set(dut.compiling, 0)
        kept = None
        for access in range(300):
            continues = access and coin(random, 0.7)
            who = random.randrange(4)
            if identity is Identity.SIDEBAND:
                ctx.set(dut.tag, who)
            else:
                ctx.set(dut.resident, {"vm": who, "valid": who != 3})
            manager = random.getrandbits(1)
            drive(ctx, dut, continues=continues, address=where.manager_base * manager)
            if not continues:
                kept = None if who == 3 else who
            assert (ctx.get(dut.known), ctx.get(dut.vm)) == (kept is not None, kept or 0)
            assert ctx.get(dut.allowed) == (kept == 2 if manager else kept is not None)
            await ctx.tick()

    simulate(dut, bench)


@pytest.mark.parametrize("manager", [Manager.PAGE, Manager.VM])
def test_a_cacheable_access_is_not_allowed(manager):
    c = Config(ports=(Port(Bus.AXI4, Identity.PAGE),), vms=2, depth=2, manager=manager)
    dut = Binding(c, 0)

    async def bench(ctx):
        for base in (0, address_map(c, 0).manager_base):
            drive(ctx, dut, address=base)
            allowed = ctx.get(dut.allowed)
            assert allowed == (base == 0 or manager is Manager.PAGE)
            drive(ctx, dut, cacheable=1)
            assert not ctx.get(dut.allowed)
            drive(ctx, dut, cacheable=0)

    simulate(dut, bench)


def test_without_manager_page_there_is_no_manager():
    c = Config(ports=PORTS[:1], vms=2, depth=2, manager=Manager.NONE, open_at_reset=True)
    dut = Binding(c, 0)

    async def bench(ctx):
        top = (1 << address_map(c, 0).bits) - 4
        drive(ctx, dut, address=top, secure=1)
        assert (ctx.get(dut.manager), ctx.get(dut.offset)) == (0, top)

    simulate(dut, bench)
    assert manager_page(c).size == 0 < guest_page(c).size


@pytest.mark.parametrize(("vms", "tags", "tag_bits"), [(5, 6, 3), (8, 3, 4), (5, 0, 2), (2, 1, 1)])
def test_tag_table(vms, tags, tag_bits):
    c = Config(ports=(Port(),), vms=vms, depth=2, tag_entries=tags, tag_bits=tag_bits)
    tags = c.tags
    dut, random = TagTable(c), Random(vms)
    ones = (1 << tag_bits) - 1

    async def bench(ctx):
        table = []
        for i in range(tags):  # as ``docs/states.md`` section 9 says of reset
            used = i < vms and i <= ones
            table.append({"match": i * used, "mask": ones, "vm": i * used, "valid": int(used)})
        for _ in range(300):
            row, looked = random.randrange(tags), random.randrange(tags)
            vm, valid = random.randrange(vms), random.getrandbits(1)
            does = random.choice(("set_match", "set_mask", "set_vm", ""))
            word = vm | valid << 31 if does == "set_vm" else random.getrandbits(32)
            drive(ctx, dut, row=row, read_row=looked, data=word)
            drive(ctx, dut, **{name: name == does for name in ("set_match", "set_mask", "set_vm")})
            for i, entry in enumerate(table):
                assert read(ctx, dut.entries[i]) == entry
            assert read(ctx, dut.entry) == table[looked]
            await ctx.tick()
            if does == "set_match":
                table[row]["match"] = word & ones
            elif does == "set_mask":
                table[row]["mask"] = word & ones
            elif does == "set_vm":
                table[row] |= {"vm": vm, "valid": valid}

    simulate(dut, bench)


def read(ctx, entry):
    entry = ctx.get(entry)
    return {key: entry[key] for key in ("match", "mask", "vm", "valid")}


@pytest.mark.parametrize(("tags", "tag_bits"), [(6, 3), (2, 6)])
def test_narrow_tags_are_compiled_after_every_change(tags, tag_bits):
    c = Config(ports=(Port(),), vms=VMS, depth=2, tag_entries=tags, tag_bits=tag_bits)
    table, binding, random = TagTable(c), Binding(c, 0), Random(tag_bits)
    m = Module()
    m.submodules.table, m.submodules.binding = table, binding
    m.d.comb += [
        binding.compiling.eq(table.busy),
        binding.compiled_tag.eq(table.tag),
        binding.compiled_known.eq(table.known),
        binding.compiled_vm.eq(table.vm),
    ]

    async def bench(ctx):
        for _ in range(40):
            cycles = 0
            while ctx.get(table.busy):  # ports accept nothing meanwhile
                await ctx.tick()
                cycles += 1
            assert 1 <= cycles <= (1 << tag_bits) + 1
            entries = [read(ctx, table.entries[i]) for i in range(tags)]
            for tag in range(1 << tag_bits):
                ctx.set(binding.tag, tag)
                vm = lowest_match(entries, tag)
                assert (ctx.get(binding.known), ctx.get(binding.vm)) == (vm is not None, vm or 0)
            for _ in range(random.randint(1, 3)):  # the next change may come while the last one is compiled
                does = random.choice(("set_match", "set_mask", "set_vm"))
                word = (
                    random.randrange(VMS) | random.getrandbits(1) << 31 if does == "set_vm" else random.getrandbits(6)
                )
                drive(ctx, table, row=random.randrange(tags), data=word, **{does: 1})
                await ctx.tick()
                ctx.set(getattr(table, does), 0)
                assert ctx.get(table.busy)
                for _ in range(random.randrange(3)):
                    await ctx.tick()

    simulate(m, bench)
