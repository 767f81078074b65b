"""Section 1 of docs/states.md: the checks of an access, their order, identity, and what every register says."""

from itertools import product

import pytest

from postern_spec.config import PRESETS, Bus, Config, Identity, Manager, Port, preset
from postern_spec.model import Access
from postern_spec.regmap import MAGIC, Command, Fault, Lock, Result, State, address_map, guest_page, manager_page

CLOSED_VM = 3


@pytest.fixture
def pair(block):
    block.connect(0, 1)
    return block


def record(block, vm, write):
    """Return kind, port, count and address of a fault record."""
    name = "FAULT_WRITE" if write else "FAULT_READ"
    word = block.see(name, vm)
    fields = tuple(block.field("manager", name, field, word) for field in ("KIND", "PORT", "COUNT"))
    return *fields, block.see(f"{name}_ADDRESS", vm)


@pytest.mark.parametrize(
    ("vm", "offset", "read", "write"),
    [
        (None, 0x00, Fault.NO_VM, Fault.NO_VM),
        (None, 0x02, Fault.NO_VM, Fault.NO_VM),  # before UNALIGNED
        (None, 0x04, Fault.NO_VM, Fault.NO_VM),  # an upper half, too
        (0, 0x01, Fault.UNALIGNED, Fault.UNALIGNED),
        (0, 0x06, Fault.UNALIGNED, Fault.UNALIGNED),
        (CLOSED_VM, 0x01, Fault.UNALIGNED, Fault.UNALIGNED),  # before CLOSED
        (CLOSED_VM, 0x00, Fault.CLOSED, Fault.CLOSED),
        (CLOSED_VM, 0x04, Fault.CLOSED, Fault.CLOSED),
        (CLOSED_VM, 0x38, Fault.CLOSED, Fault.CLOSED),  # before UNMAPPED
        (0, 0x38, Fault.UNMAPPED, Fault.UNMAPPED),
        (0, 0xFF8, Fault.UNMAPPED, Fault.UNMAPPED),
        (0, 0x3C, Fault.NONE, Fault.NONE),  # the upper half of nothing is inert as well
        (0, 0x04, Fault.NONE, Fault.NONE),
        (0, 0x00, Fault.NONE, Fault.DIRECTION),
        (0, 0x88, Fault.DIRECTION, Fault.NONE),
    ],
)
@pytest.mark.parametrize("strobes", [0xF, 0x1])
def test_checks_of_guest_page(pair, vm, offset, read, write, strobes):
    value, fault = pair.model.read(0, vm, offset)
    assert (fault, value) == (read, MAGIC if offset == 0 and not read else 0)
    if strobes != 0xF and write is Fault.NONE and offset == 0x88:
        write = Fault.PARTIAL
    assert pair.model.write(0, vm, offset, 0, strobes) is write


@pytest.mark.parametrize("refuses", [False, True])
def test_cacheable_accesses_are_refused_before_anything_else(make_block, refuses):
    ports = (Port(), Port(Bus.AXI4, refuse_cacheable=refuses))
    block = make_block(Config(ports=ports, vms=4, lanes=1, words=4, depth=4, manager=Manager.PAGE))
    block.command(0, Command.OPEN)
    model = block.model
    for port in (0, 1):
        block.manage("FAULT_PENDING", 0, value=1)
        refused = refuses and port == 1
        assert model.read(port, 0, 0, cacheable=True) == ((0, Fault.CACHEABLE) if refused else (MAGIC, Fault.NONE))
        for vm, address in ((None, 0), (0, 1), (CLOSED_VM, 4), (0, address_map(model.config, port).manager_base)):
            _, fault = model.read(port, vm, address, cacheable=True)
            assert (fault is Fault.CACHEABLE) == refused
            assert (model.write(port, vm, address, 0, cacheable=True) is Fault.CACHEABLE) == refused
        stage, commit = (block.guest.STAGE.at(0, 0), block.guest.COMMIT.at(0, 0, 1, 1))
        assert model.write(port, 0, stage, 5) is Fault.NONE
        model.write(port, 0, stage, 6, 0x1, cacheable=True)  # does not tear the lane where it is refused
        model.write(port, 0, commit, 7)
        assert model.write(port, 0, stage, 6, 0, cacheable=True) is Fault.NONE  # no access at all
        code = block.field("guest", "RESULT", "CODE", model.read(port, 0, block.guest.RESULT.at(0))[0])
        assert code == (Result.DENIED if refused else Result.TORN)
        model.write(port, 0, block.guest.ACK.at(0), 0)
    if refuses:
        assert record(block, 0, True)[:2] == (Fault.CACHEABLE, 1)


def test_write_without_strobes_is_no_access(pair):
    for vm, address in ((None, 0), (0, 1), (CLOSED_VM, 0), (0, 0x38), (0, pair.at(0, "COMMIT", 0, 0, 0, 1))):
        assert pair.model.write(0, vm, address, 1, 0) is Fault.NONE
    assert pair.see("FAULT_PENDING", 0) == 0
    assert pair.result(0) == (Result.ACCEPTED, 0, 0)


def test_partial_reads_of_what_acts(pair):
    pair.send(0, 1, 5)
    assert pair.read(1, "HEADER", 0, full=False) == 0
    assert pair.fault is Fault.PARTIAL
    assert pair.read(1, "HEADER", 0) != 0
    assert pair.read(1, "POP", 0, full=False) == 0
    assert pair.fault is Fault.PARTIAL
    assert pair.read(1, "WORD", 0, full=False) == 5
    assert pair.fault is Fault.NONE
    assert pair.read(1, "POP", 0) == 5


@pytest.mark.parametrize("name", ["COMMIT", "STAGE", "ACK", "RING", "IRQ_TEST"])
def test_guest_registers_that_refuse_reads(pair, name):
    register = getattr(pair.guest, name)
    address = next(register.offsets())
    assert pair.model.read(0, 0, address) == (0, Fault.DIRECTION)


@pytest.mark.parametrize("name", ["TEAR", "WAIT_DISARM"])
def test_manager_registers_that_refuse_reads(pair, name):
    indices = (0,) * len(getattr(pair.manager, name).dims)
    assert pair.see(name, *indices) == 0
    assert pair.fault is Fault.DIRECTION


@pytest.mark.parametrize("preset_name", sorted(PRESETS))
def test_every_register_of_every_preset_answers(preset_name, make_block):
    """Every register is mapped in exactly its directions, and resets to what the register map says."""
    config = preset(preset_name)
    block = make_block(config)
    c = config
    vm = c.manager_vm if c.manager is Manager.VM else 0
    port, base = 0, address_map(config, 0).manager_base
    if c.manager is not Manager.NONE:
        address = base + manager_page(c).CONTROL.at(vm)
        assert block.model.write(port, vm, address, Command.OPEN) is Fault.NONE
    pages = [(guest_page(c), address_map(c, port).guest(vm))] + [(manager_page(c), base)] * (base is not None)
    for page, start in pages:
        acts = [r for r in page.registers if any(f.access is Access.RA for f in r.fields)]  # last: they change others
        for register in [*(r for r in page.registers if r not in acts), *acts]:
            for offset in register.offsets():
                value, fault = block.model.read(port, vm, start + offset, log=False)
                assert fault is (Fault.NONE if register.readable else Fault.DIRECTION), register.name
                for field in register.fields:
                    opened = page.name == "manager" and register.name == "CONTROL"
                    if field.reset is not None and field.access is not Access.WO and not opened:
                        assert field.get(value) == field.reset, register.name
    for page, start in pages:
        for register in page.registers:
            if not register.writable:
                assert block.model.write(port, vm, start + register.offset, 0) is Fault.DIRECTION, register.name


def test_self(pair):
    word = pair.read(1, "SELF", port=1)
    names = ("VM", "GENERATION", "STATE", "PORT")
    assert [pair.field("guest", "SELF", name, word) for name in names] == [1, 1, State.OPEN, 1]


def test_address_beyond_the_port(block):
    with pytest.raises(ValueError, match=r"^address must be from 0 to 0x1fff, not 0x2000$"):
        block.model.read(0, 0, 0x2000)
    with pytest.raises(ValueError, match=r"^address must be from 0 to 0x1fff, not -0x4$"):
        block.model.write(0, 0, -4, 0)


# Identity


def test_sideband_takes_the_lowest_matching_entry(block):
    bind = block.model.bind
    assert [bind(0, 0, tag=tag) for tag in (0, 3, 4, 15)] == [0, 3, None, None]
    block.manage("TAG_MATCH", 1, value=0b1000)
    block.manage("TAG_MASK", 1, value=0b1000)
    assert [bind(0, 0, tag=tag) for tag in (0, 1, 3, 8, 15)] == [0, None, 3, 1, 1]
    block.manage("TAG_MASK", 0, value=0)
    assert [bind(0, 0, tag=tag) for tag in (8, 15)] == [0, 0]
    block.manage("TAG_VM", 0, value=0)  # not valid any more
    assert [bind(0, 0, tag=tag) for tag in (0, 8)] == [None, 1]


LOCKED_WRITES = [
    (Lock.TAGS, "TAG_MATCH", (2,), 1, 2),
    (Lock.TAGS, "TAG_MASK", (2,), 1, 2),
    (Lock.TAGS, "TAG_VM", (2,), 1 << 31, 1 << 31 | 3),
    (Lock.PERMISSIONS, "PERMIT", (1, 0), 0b101, 0b100),
    (Lock.CREDITS, "CREDITS", (1, 2), 3, 4),
    (Lock.QUOTAS, "QUOTA", (1,), 2, 3),
    (Lock.RESIDENCY, "RESIDENT", (1,), 1 << 31 | 2, 1 << 31 | 1),
]


@pytest.mark.parametrize(("lock", "name", "where", "first", "second"), LOCKED_WRITES)
def test_locks(make_block, blocks_config, lock, name, where, first, second):
    """A locked register keeps what it has, other registers do not care, and only a reset unlocks."""
    block = make_block(blocks_config)
    others = [case for case in LOCKED_WRITES if case[0] is not lock]
    assert block.manage(name, *where, value=first) is Fault.NONE
    assert block.manage("LOCK", value=1 << lock) is Fault.NONE
    assert block.manage("LOCK", value=0) is Fault.NONE
    assert block.see("LOCK") == 1 << lock
    assert block.manage(name, *where, value=second) is Fault.BAD_VALUE
    assert block.manage(name, *where, value=first) is Fault.BAD_VALUE  # even what is there
    assert block.see(name, *where) == first
    for _, other, at, value, _ in others:
        assert block.manage(other, *at, value=value) is Fault.NONE
    assert block.manage("LOCK", value=0xFFFF_FFFF) is Fault.NONE
    assert block.see("LOCK") == 0b11111  # bits without a name are ignored
    block.model.reset()
    assert block.see("LOCK") == 0
    assert block.manage(name, *where, value=second) is Fault.NONE


def test_a_recycled_vm_inherits_what_is_locked(block):
    block.connect(0, 1)
    block.manage("LOCK", value=1 << Lock.PERMISSIONS | 1 << Lock.CREDITS)
    permit, credits = block.see("PERMIT", 1, 0), block.see("CREDITS", 1, 0)
    for command in (Command.CLOSE, Command.OPEN):
        assert block.command(1, command) is Fault.NONE
        assert block.manage("PERMIT", 1, 0, value=0b1111) is Fault.BAD_VALUE
        assert block.manage("CREDITS", 1, 0, value=1) is Fault.BAD_VALUE
        assert (block.see("PERMIT", 1, 0), block.see("CREDITS", 1, 0)) == (permit, credits)
    assert block.write(0, "PEER", 1, value=2) is Fault.NONE
    assert block.write(1, "PEER", 0, value=1) is Fault.NONE
    assert block.send(0, 1, 7) is Fault.NONE
    assert block.receive(1) == (0, 1, (7,))  # credits come and go as ever
    assert block.send(2, 1, 7) is Fault.CLOSED
    assert block.command(2, Command.OPEN) is Fault.NONE
    assert block.send(2, 1, 7) is Fault.DENIED


def test_there_are_only_locks_of_what_is_there(make_block, config):
    block = make_block(config.replace(ports=(Port(identity=Identity.PAGE),)))  # neither tags nor blocks
    block.manage("LOCK", value=0xFFFF_FFFF)
    assert block.see("LOCK") == 1 << Lock.PERMISSIONS | 1 << Lock.CREDITS | 1 << Lock.RESIDENCY


def test_tag_of_a_vm_that_does_not_exist(block):
    pack = block.manager.TAG_VM.pack
    assert block.manage("TAG_VM", 0, value=pack(VM=4, VALID=1)) is Fault.BAD_VALUE
    assert block.model.bind(0, 0, tag=0) == 0
    assert block.manage("TAG_VM", 0, value=pack(VM=4, VALID=0)) is Fault.NONE
    assert block.model.bind(0, 0, tag=0) is None


def test_page_identity_is_the_address(make_block, config):
    block = make_block(config.replace(ports=(Port(identity=Identity.PAGE),), vms=3))
    stride = config.page_stride
    assert [block.model.bind(0, page * stride + 8) for page in range(4)] == [0, 1, 2, None]
    assert block.model.bind(0, address_map(block.config, 0).manager_base) is None
    block.command(1, Command.OPEN)
    assert block.model.read(0, 1, stride) == (MAGIC, Fault.NONE)
    assert block.model.read(0, None, 3 * stride) == (0, Fault.NO_VM)


@pytest.mark.parametrize("identity", Identity)
@pytest.mark.parametrize("kind", [kind for kind in Manager if kind is not Manager.NONE])
def test_nobody_else_reaches_the_manager_page(make_block, blocks_config, kind, identity):
    """Every address of the page, by every VM-ID that the identity source yields and by none, secure and not."""
    ports = (Port(identity=identity), Port(identity=Identity.STATIC, vm=1))
    config = blocks_config.replace(ports=ports, vms=3, manager=kind, manager_vm=2, manager_port=1, counters=True)
    model, page = make_block(config).model, manager_page(config)
    strangers = 0
    for port, vm, secure in product((0, 1), (None, 0, 1, 2), (True, False)):
        where = address_map(config, port)
        base = where.manager_base
        manager = {
            Manager.PAGE: True, Manager.SECURE: secure, Manager.VM: vm == 2, Manager.PORT: port == 1
        }[kind]  # fmt: skip
        assert model.read(port, vm, base + page.DRAIN.at(), secure=secure) == (
            (1, Fault.NONE) if manager else (0, Fault.NOT_MANAGER)
        )
        if manager:
            continue
        strangers += 1
        for offset in range(0, (1 << where.bits) - base, 4):
            assert model.read(port, vm, base + offset, secure=secure) == (0, Fault.NOT_MANAGER)
            assert model.write(port, vm, base + offset, 0xFFFF_FFFF, secure=secure) is Fault.NOT_MANAGER
    assert (strangers > 0) == (kind is not Manager.PAGE)
    assert model.state(0) is State.CLOSED
    assert not model.waiting


def test_resident_identity_is_the_register(make_block, config):
    block = make_block(config.replace(ports=(Port(identity=Identity.RESIDENT), Port(identity=Identity.SIDEBAND))))
    assert block.model.bind(0, 0) is None
    assert block.manage("RESIDENT", 0, value=block.manager.RESIDENT.pack(VM=2, VALID=1)) is Fault.NONE
    assert block.model.bind(0, 0) == 2


def test_static_identity(make_block, config):
    block = make_block(config.replace(ports=(Port(identity=Identity.STATIC, vm=2),)))
    assert block.model.bind(0, 0, tag=1) == 2
    assert block.manage("RESIDENT", 0, value=block.manager.RESIDENT.pack(VM=1, VALID=1)) is Fault.BAD_VALUE
    assert block.see("RESIDENT", 0) == block.manager.RESIDENT.pack(VM=2, VALID=1)


@pytest.mark.parametrize(
    ("manager", "good", "bad"),
    [
        (Manager.SECURE, {"secure": True}, {"secure": False}),
        (Manager.VM, {"vm": 2}, {"vm": 1}),
        (Manager.VM, {"vm": 2}, {"vm": None}),
        (Manager.PORT, {"port": 1}, {"port": 0}),
    ],
)
def test_who_is_the_manager(make_block, config, manager, good, bad):
    block = make_block(config.replace(manager=manager, manager_vm=2, manager_port=1))
    at = block.managed_at("EPOCH")

    def access(port=0, vm=None, secure=True):
        return block.model.write(port, vm, at, 7, secure=secure), block.model.read(port, vm, at, secure=secure)

    assert access(**bad) == (Fault.NOT_MANAGER, (0, Fault.NOT_MANAGER))
    assert access(**good) == (Fault.NONE, (7, Fault.NONE))
    assert block.model.read(bad.get("port", 0), bad.get("vm"), at + 1, secure=bad.get("secure", True)) == (
        0,
        Fault.NOT_MANAGER,
    )  # before UNALIGNED


# Fault log


def test_fault_log(pair):
    at = pair.at(1, "MAGIC")
    assert pair.model.write(1, 1, at, 0) is Fault.DIRECTION
    assert record(pair, 1, True) == (Fault.DIRECTION, 1, 1, at)
    pair.model.write(0, 1, 0x38, 0)
    assert record(pair, 1, True) == (Fault.DIRECTION, 1, 2, at)  # the first stays
    assert record(pair, 1, False) == (0, 0, 0, 0)
    pair.model.read(0, 1, 0x40)
    assert record(pair, 1, False) == (Fault.UNMAPPED, 0, 1, 0x40)
    assert pair.see("FAULT_PENDING", 0) == 0b10
    pair.manage("FAULT_PENDING", 0, value=0b01)
    assert pair.see("FAULT_PENDING", 0) == 0b10
    pair.manage("FAULT_PENDING", 0, value=0b10)
    assert pair.see("FAULT_PENDING", 0) == 0
    assert record(pair, 1, True) == record(pair, 1, False) == (0, 0, 0, 0)
    pair.model.read(0, 1, 0x41)
    assert record(pair, 1, False) == (Fault.UNALIGNED, 0, 1, 0x41)


def test_fault_count_stops_at_its_limit(pair):
    for _ in range(70_000):
        pair.model.read(0, 0, 0x38)
    assert record(pair, 0, False) == (Fault.UNMAPPED, 0, 0xFFFF, 0x38)


def test_requests_without_a_vm_are_logged_last(pair):
    stray = pair.config.vms
    pair.model.write(1, None, 0x10, 0)
    assert pair.see("FAULT_PENDING", 0) == 0
    assert pair.see("STRAY") == pair.manager.STRAY.pack(PENDING=1)
    assert record(pair, stray, True) == (Fault.NO_VM, 1, 1, 0x10)
    pair.manage("STRAY", value=pair.manager.STRAY.pack(ENABLE=1))
    assert pair.model.manager_irq
    pair.manage("STRAY", value=pair.manager.STRAY.pack(PENDING=1, ENABLE=1))
    assert not pair.model.manager_irq
    assert pair.see("STRAY") == pair.manager.STRAY.pack(ENABLE=1)


def test_fault_interrupt(pair):
    pair.model.read(0, 1, 0x38)
    assert not pair.model.manager_irq
    pair.manage("FAULT_ENABLE", 0, value=0b01)
    assert not pair.model.manager_irq
    pair.manage("FAULT_ENABLE", 0, value=0xFFFF_FFF2)
    assert pair.see("FAULT_ENABLE", 0) == 0b0010
    assert pair.model.manager_irq
    pair.manage("FAULT_PENDING", 0, value=0b10)
    assert not pair.model.manager_irq


def test_refused_manager_access_is_logged_under_its_vm(make_block, config):
    block = make_block(config.replace(manager=Manager.VM, manager_vm=2))
    at = block.managed_at("PERMIT", 0, 0)
    block.model.write(0, 1, at, 1)
    block.model.write(0, None, at, 1)
    read = lambda name, *i: block.model.read(0, 2, block.managed_at(name, *i))[0]  # noqa: E731
    assert read("FAULT_PENDING", 0) == 0b10
    assert read("STRAY") == 1
    assert read("FAULT_WRITE_ADDRESS", 1) == read("FAULT_WRITE_ADDRESS", 4) == at


def test_halves(make_block):
    config = Config(vms=40, lanes=1, words=2, manager=Manager.PAGE, page_stride=65536)
    block = make_block(config)
    block.manage("PERMIT", 0, 0, value=1 << 31)
    block.manage("PERMIT", 0, 1, value=0xFFFF_FFFF)
    assert [block.see("PERMIT", 0, half) for half in (0, 1)] == [1 << 31, 0xFF]
    block.connect(1, 39)
    block.write(39, "RING", value=1)
    assert [block.read(1, "PENDING", half) for half in (0, 1)] == [0, 1 << 7]
    block.write(1, "PENDING", 0, value=1 << 7)
    assert block.read(1, "PENDING", 1) == 1 << 7
    block.write(1, "PENDING", 1, value=1 << 7)
    assert block.read(1, "PENDING", 1) == 0
