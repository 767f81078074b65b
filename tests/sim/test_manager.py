"""The manager page on model and RTL: what was written can be read and adopted, and is seen by nobody else."""

from random import Random

import pytest

from postern import Counters, Mailbox, Manager, Model, ModelBus, State
from postern_sim.rtl import INSECURE, Rtl, RtlBus
from postern_sim.soak import CONFIGURATIONS
from postern_spec.config import Bus, Identity
from postern_spec.config import Manager as Kind
from postern_spec.model import Access
from postern_spec.regmap import Command, Lock, address_map, guest_page, locks, manager_page

pytestmark = pytest.mark.sim

FORMS = ("model", "rtl")
WORD = 0xFFFF_FFFF

# One block for each kind of manager; together they have every identity source, bus and option.
BLOCKS = {Kind.VM: "mixed", Kind.SECURE: "secure", Kind.PORT: "resident", Kind.PAGE: "banks"}


class Raw:
    """A block in either form, access by access. What it refuses reads as zero, whatever the bus says beside it."""

    def __init__(self, config, form):
        self.config = config
        self.block = Model(config) if form == "model" else Rtl(config, probe=True)
        self.page = manager_page(config)

    def read(self, port, address, *, tag=0, secure=True):
        if isinstance(self.block, Model):
            value, _ = self.block.read(port, self.block.bind(port, address, tag=tag), address, secure=secure)
            self.block.tick(4)
            return value
        return self.block.read(port, address, tag=tag, prot=0 if secure else INSECURE)[0]

    def write(self, port, address, value, *, tag=0, secure=True):
        if isinstance(self.block, Model):
            self.block.write(port, self.block.bind(port, address, tag=tag), address, value, secure=secure)
            self.block.tick(4)
        else:
            self.block.write(port, address, value, tag=tag, prot=0 if secure else INSECURE)

    @property
    def boss(self):
        """Return port and tag of the manager."""
        c = self.config
        if c.manager is Kind.VM:
            return [port.identity for port in c.ports].index(Identity.SIDEBAND), c.manager_vm
        return c.manager_port if c.manager is Kind.PORT else 0, 0

    def see(self, register, *where):
        port, tag = self.boss
        return self.read(port, address_map(self.config, port).manager_base + register.at(*where), tag=tag)

    def manage(self, register, *where, value):
        port, tag = self.boss
        self.write(port, address_map(self.config, port).manager_base + register.at(*where), value, tag=tag)

    def manager(self):
        """Return a new manager of this block."""
        port, tag = self.boss
        kind, block = (ModelBus, self.block) if isinstance(self.block, Model) else (RtlBus, self.block)
        return Manager(
            kind(block, port, tag=tag, manager=True), self.config, address_map(self.config, port).manager_base
        )


def everywhere(register):
    """Yield the indices of every register of an array."""
    found = [()]
    for dim in register.dims:
        found = [(*where, index) for where in found for index in range(dim.count)]
    return found


ACTS = {"TEAR", "WAIT_DISARM", "CONTROL", "COUNT_CLEAR", "RECLAIM"}
"""What acts, and is not there to be read as it was written."""


class Values:
    """Random values that a manager may write, and what they read as."""

    def __init__(self, config, seed):
        self.c, self.random = config, Random(seed)
        self.room = [config.depth] * config.vms  # credits that are left
        self.blocks = config.blocks
        self.fixed = [port.identity is Identity.STATIC for port in config.ports for _ in range(port.cores)]

    def word(self, register, where):
        """Return what to write and what it reads as, or ``None`` where nothing may be written."""
        c, random = self.c, self.random
        listed = random.getrandbits(min(c.vms - 32 * where[-1], 32)) if self._half(register) else 0
        match register.name:
            case "EPOCH":
                value = random.getrandbits(32)
                return value, value
            case "PERMIT" | "FAULT_ENABLE" | "WAIT_ARM":  # a VM that is closed does not wait, so no watch fires
                return listed | WORD & ~self._ones(where[-1]), listed
            case "FAULT_PENDING" | "WAIT_FIRED":  # there is nothing to clear
                return WORD, 0
            case "STRAY":
                value = register.ENABLE.put(random.randrange(2))
                return value, value
            case "CREDITS":
                limit = random.randrange(self.room[where[0]] + 1)
                self.room[where[0]] -= limit
                return limit, limit
            case "QUOTA":
                limit = random.randrange(self.blocks + 1)
                self.blocks -= limit
                return limit, limit
            case "RESIDENT":
                value = register.pack(VM=random.randrange(c.vms), VALID=random.randrange(2))
                return None if self.fixed[where[0]] else (value, value)
            case "TAG_MATCH" | "TAG_MASK":
                value = random.getrandbits(c.tag_bits)
                return None if self._speaks(where[0]) else (value, value)
            case "TAG_VM":
                value = register.pack(VM=random.randrange(c.vms), VALID=0)
                return None if self._speaks(where[0]) else (value, value)
            case "LOCK":
                value = sum(1 << lock for lock in locks(c) if random.randrange(2))
                return value, value
        raise AssertionError(f"{register.name} must be a register that this test knows")

    def _half(self, register):
        return bool(register.dims) and register.dims[-1].name == "half"

    def _ones(self, half):
        return (1 << min(self.c.vms - 32 * half, 32)) - 1

    def _speaks(self, entry):
        """Whether the manager is known by this entry of the tag table."""
        return entry == (self.c.manager_vm if self.c.manager is Kind.VM else 0)


def configure(raw, seed):
    """Write everything that can be written. Return what it reads as, by register and indices."""
    values, expected = Values(raw.config, seed), {}
    if raw.config.open_at_reset:  # what was granted at reset is taken back, or there is no room
        for name in {"CREDITS", "QUOTA"} & {item.name for item in raw.page.registers}:
            for where in everywhere(getattr(raw.page, name)):
                raw.manage(getattr(raw.page, name), *where, value=0)
    names = [item for item in raw.page.registers if item.writable and item.name not in ACTS and item.name != "LOCK"]
    for register in (*names, raw.page.LOCK):
        for where in everywhere(register):
            word = values.word(register, where)
            if word is not None:
                raw.manage(register, *where, value=word[0])
                expected[register.name, where] = word[1]
    return expected


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [*BLOCKS.values(), "wide"])
def test_what_was_written_can_be_read(name, form):
    raw = Raw(CONFIGURATIONS[name], form)
    if raw.config.open_at_reset:
        for vm in range(raw.config.vms):  # who is closed does not wait
            raw.manage(raw.page.CONTROL, vm, value=Command.CLOSE)
    for half in range(raw.page.FAULT_PENDING.dims[0].count):
        raw.manage(raw.page.FAULT_PENDING, half, value=WORD)
    raw.manage(raw.page.STRAY, value=1)
    expected = configure(raw, name)
    assert {name for name, _ in expected} | ACTS >= {item.name for item in raw.page.registers if item.writable}
    assert sum(value > 0 for value in expected.values()) > 20
    for (register, where), value in expected.items():  # after all of them, so that none lies where another does
        fields = [f for f in getattr(raw.page, register).fields if f.access not in (Access.RO, Access.W1C)]
        mask = sum(f.mask for f in fields)
        assert raw.see(getattr(raw.page, register), *where) & mask == value & mask, (register, where)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", BLOCKS)
def test_only_the_manager_reaches_its_page(kind, form):
    """At every address of the page, with every identity: others read zero, and change nothing."""
    raw = Raw(CONFIGURATIONS[BLOCKS[kind]], form)
    c, page = raw.config, raw.page
    configure(raw, 1)
    raw.manage(page.FAULT_ENABLE, 0, value=0)
    watched = [
        (register, where)
        for register in page.registers
        if register.readable and not register.name.startswith(("FAULT", "STRAY", "COUNT_WAITED"))
        for where in everywhere(register)
    ]

    def state():
        return [raw.see(register, *where) for register, where in watched]

    before = state()
    assert sum(value > 0 for value in before) > 10
    strangers = managers = 0
    for port, chosen in enumerate(c.ports):
        where = address_map(c, port)
        base = where.manager_base
        tags = range(min(c.vms + 1, 1 << c.tag_bits)) if chosen.identity is Identity.SIDEBAND else (0,)
        for tag in tags:
            for secure in (True,) if chosen.bus is Bus.WISHBONE else (True, False):
                vm = raw.block.bind(port, base, tag=tag) if isinstance(raw.block, Model) else None
                who = {"tag": tag, "secure": secure}
                drain = raw.read(port, base + page.DRAIN.at(), **who)
                if form == "model":
                    allowed = {Kind.PAGE: True, Kind.SECURE: secure, Kind.VM: vm == c.manager_vm}
                    assert drain == (allowed | {Kind.PORT: port == c.manager_port})[kind]
                if drain:
                    managers += 1
                    continue
                strangers += 1
                for offset in range(0, min(page.size + 16, (1 << where.bits) - base), 4):
                    assert raw.read(port, base + offset, **who) == 0, (port, who, hex(offset))
                    raw.write(port, base + offset, WORD, **who)
    assert managers > 0
    assert (strangers > 0) == (kind is not Kind.PAGE)
    assert state() == before


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["mixed", "blocks"])
def test_a_new_manager_adopts_a_running_block(name, form):
    raw = Raw(CONFIGURATIONS[name], form)
    first = raw.manager()
    for vm in (0, 1, 2):
        first.open(vm)
    first.connect(1, 2, 2)
    first.epoch = 77
    first.lock(Lock.PERMISSIONS)
    first.arm(0b100)
    kind = ModelBus if form == "model" else RtlBus
    a, b = (Mailbox(kind(raw.block, 0, tag=vm), config=raw.config) for vm in (1, 2))
    a.connect(2)
    a.send(2, [1])
    setup, seen = first.adopt(), first.status()
    del first

    second = raw.manager()
    assert second.adopt() == setup
    assert (setup.epoch, setup.armed, setup.locked) == (77, 0b100, (Lock.PERMISSIONS,))
    assert [it.state for it in setup.vms[:3]] == [State.OPEN] * 3
    assert (setup.vms[2].senders, setup.vms[2].credits[1]) == (0b010, 2)
    assert second.status().vms[2].queued == seen.vms[2].queued == 1
    b.receive()
    second.drain(2)
    second.close(2)
    assert second.open(2) == 2
    second.credits(1, 2, 1)
    a.connect(2)
    a.send(2, [5])
    assert b.receive().words == (5,)


@pytest.mark.parametrize("form", FORMS)
def test_a_reset_clears_locks_and_counters(form):
    """A port reset touches neither; a block reset begins anew."""
    raw = Raw(CONFIGURATIONS["blocks"], form)
    manager = raw.manager()
    for vm in (0, 1):
        manager.open(vm)
    manager.connect(0, 1, 2)
    kind = ModelBus if form == "model" else RtlBus
    a = Mailbox(kind(raw.block, 1, tag=0), config=raw.config)
    a.connect(1)
    a.send(1, [1])
    manager.lock(*locks(manager.config))
    page = guest_page(raw.config)
    a.bus.write32(page.STAGE.at(0, 0), 7)  # in the middle of a message
    if form == "model":
        raw.block.reset_port(1)
    else:
        raw.block.reset_port(1)
    assert manager.locked() == locks(manager.config)
    assert manager.counters(0) == Counters(sent=1)
    a.bus.write32(page.COMMIT.at(0, 0, 1, 1), 7)
    assert manager.counters(0) == Counters(sent=1, torn=1)
    assert manager.counters(1) == Counters(received=1, queue_peak=1)
    raw.block.reset()
    manager = raw.manager()
    assert manager.locked() == ()
    assert {manager.counters(vm) for vm in range(raw.config.vms)} == {Counters()}
