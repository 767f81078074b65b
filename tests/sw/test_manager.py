"""The manager's side: exact accesses where time counts, what is refused and why, adoption of a running block."""

import re

import pytest

from postern import (
    CommandRefused,
    Counters,
    DeviceError,
    FaultRecord,
    Flips,
    Handover,
    Holdings,
    Injection,
    Integrity,
    Limit,
    Mailbox,
    Manager,
    Model,
    ModelBus,
    Pool,
    Quota,
    Rights,
    Setup,
    Source,
    State,
    Tag,
    TracingBus,
    VmSetup,
)
from postern_spec.config import Identity, Port, preset
from postern_spec.regmap import Damage, Fault, Lock, address_map, guest_page, injections, locks, manager_page


@pytest.fixture
def model(config):
    return Model(config)


@pytest.fixture
def manager(model, config):
    return Manager(ModelBus(model, 0, tag=3, manager=True), config)


@pytest.fixture
def traced(model, config):
    manager = Manager(TracingBus(ModelBus(model, 0, tag=3)), config)
    manager.bus.take()
    return manager


def trace(manager):
    """Return what was accessed, as kind, register, indices and value."""
    page, base = manager.page, manager.base
    seen = []
    for kind, address, value in manager.bus.take():
        register, indices = page.decode(address - base)
        seen.append((kind, register.name, indices, value))
    return seen


def exactly(text):
    return f"^{re.escape(text)}$"


# Who is the manager


def test_only_the_manager():
    config = preset("default")
    assert Manager(ModelBus(Model(config), tag=0), config)
    with pytest.raises(DeviceError, match=r"^DRAIN must read as 1 for the manager, not 0x0$"):
        Manager(ModelBus(Model(config), tag=1), config)


def test_block_without_manager():
    config = preset("small")
    with pytest.raises(ValueError, match=r"^manager must be one that has a page, not none$"):
        Manager(ModelBus(Model(config)), config)


# Life of a VM


def test_life(manager):
    assert manager.generation(1) == 0
    assert manager.open(1) == 1
    assert manager.state(1) is State.OPEN
    manager.pause(1)
    assert manager.state(1) is State.PAUSED
    manager.resume(1)
    assert manager.state(1) is State.OPEN
    manager.drain(1)
    assert manager.state(1) is State.DRAINING
    manager.close(1)
    assert manager.state(1) is State.CLOSED
    assert manager.open(1) == 2


@pytest.mark.parametrize(
    ("before", "command", "text"),
    [
        (["open"], "open", "VM 1 must be closed to open, not open"),
        ([], "pause", "VM 1 must be open to pause, not closed"),
        (["open"], "resume", "VM 1 must be paused to resume, not open"),
        (["open", "drain"], "drain", "VM 1 must be open or paused to drain, not draining"),
        ([], "close", "VM 1 must be open or paused or draining to close, not closed"),
    ],
)
def test_refused_commands(manager, before, command, text):
    for step in before:
        getattr(manager, step)(1)
    with pytest.raises(CommandRefused, match=exactly(text)):
        getattr(manager, command)(1)


def test_close_says_what_remains(manager, model):
    for vm in (1, 2):
        manager.open(vm)
    manager.connect(1, 2, 3)
    guest = Mailbox(ModelBus(model, 1, tag=1))
    guest.connect(2)
    for word in (1, 2):
        guest.send(2, [word])
    with pytest.raises(CommandRefused, match=r"^queue of VM 2 must be empty to close, not hold 2 messages$"):
        manager.close(2)
    assert manager.queued(2) == 2
    assert manager.limit(1, 2) == Limit(3, 2)


def test_open_that_would_repeat_a_generation(manager, model):
    for vm in (1, 2):
        manager.open(vm)
    for _ in range(254):
        manager.close(1)
        manager.open(1)
    manager.connect(1, 2, 3)
    guest = Mailbox(ModelBus(model, 1, tag=1))
    guest.connect(2)
    guest.send(2, [1])
    manager.close(1)
    text = "queues must hold no message of VM 1 to open it in generation 1, not still some"
    with pytest.raises(CommandRefused, match=exactly(text)):
        manager.open(1)


# Permissions and credits


def test_permit_changes_one_bit(traced):
    traced.permit(2, 1)
    assert trace(traced) == [
        ("read", "PERMIT", (1, 0), 0),
        ("write", "PERMIT", (1, 0), 0b100),
        ("read", "PERMIT", (1, 0), 0b100),
    ]
    traced.permit(0, 1)
    traced.permit(2, 1, False)
    assert traced.permitted(1) == 0b001


def test_credits(manager):
    manager.credits(0, 1, 5)
    assert manager.limit(0, 1) == Limit(5, 0)
    text = "credits of VM 2 at VM 1 must be at least the 0 in use, and with those of others at most 8, not 4"
    with pytest.raises(CommandRefused, match=exactly(text)):
        manager.credits(2, 1, 4)
    with pytest.raises(ValueError, match=r"^LIMIT must be from 0 to 511, not 512$"):
        manager.credits(2, 1, 512)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (lambda m: m.open(4), "CONTROL vm must be from 0 to 3, not 4"),
        (lambda m: m.state(-1), "CONTROL vm must be from 0 to 3, not -1"),
        (lambda m: m.permit(4, 1), "VM must be from 0 to 3, not 4"),
        (lambda m: m.permit(0, 4), "PERMIT vm must be from 0 to 3, not 4"),
        (lambda m: m.credits(0, 9, 1), "CREDITS receiver must be from 0 to 3, not 9"),
        (lambda m: m.tear(4, 0), "VM must be from 0 to 3, not 4"),
        (lambda m: m.tear(0, 2), "port must be from 0 to 1, not 2"),
        (lambda m: m.resident(2, 0), "RESIDENT core must be from 0 to 1, not 2"),
        (lambda m: m.resident(0, 4), "VM must be from 0 to 3, not 4"),
        (lambda m: m.arm(16), "mask must have no bit beyond VM 3, not 0x10"),
        (lambda m: m.fault_interrupts(-1), "mask must have no bit beyond VM 3, not -0x1"),
        (lambda m: m.clear_faults(4), "VM must be from 0 to 3, not 4"),
        (lambda m: m.tag(0, 16, 0, 0), "VALUE must be from 0 to 15, not 16"),
        (lambda m: m.tag(0, 0, 0, 4), "VM must be from 0 to 3, not 4"),
    ],
)
def test_bad_arguments(manager, step, text):
    with pytest.raises(ValueError, match=exactly(text)):
        step(manager)


# Scheduling


def test_world_switch(traced):
    """The documented order: old writes have taken effect, lanes are emptied, then the new vCPU is resident."""
    traced.schedule(core=1, old=2, new=1, port=1)
    page = traced.page
    assert trace(traced) == [
        ("read", "DRAIN", (), 1),
        ("write", "TEAR", (), page.TEAR.pack(VM=2, PORT=1)),
        ("write", "RESIDENT", (1,), page.RESIDENT.pack(VM=1, VALID=1)),
        ("read", "RESIDENT", (1,), page.RESIDENT.pack(VM=1, VALID=1)),
        ("write", "WAIT_DISARM", (0,), 0b0010),
        ("write", "WAIT_ARM", (0,), 0b0100),
    ]
    assert traced.who(1) == 1
    traced.bus.take()
    traced.schedule(core=1, old=1, new=None, port=1)
    assert [name for _, name, _, _ in trace(traced)] == ["DRAIN", "TEAR", "RESIDENT", "RESIDENT", "WAIT_ARM"]
    assert traced.who(1) is None


def test_no_wake_up_is_lost_in_a_switch(manager, model):
    for vm in (0, 1, 2):
        manager.open(vm)
    manager.connect(0, 1, 2)
    guests = [Mailbox(ModelBus(model, 1, tag=vm), core=1) for vm in range(3)]
    guests[0].connect(1)
    guests[1].irq_enable(Source.MAIL)
    manager.schedule(1, None, 1, 1)
    manager.schedule(1, 1, 2, 1)
    assert (manager.fired(), manager.armed(), manager.waiting()) == (0, 0b10, 0)
    guests[0].send(1, [7])
    assert manager.bus.wait_for_interrupt(0)
    assert (manager.fired(), manager.armed(), manager.waiting()) == (0b10, 0, 0b10)
    manager.acknowledge(0b10)
    manager.schedule(1, 2, 1, 1)
    assert not manager.bus.wait_for_interrupt(0)
    assert guests[1].receive().words == (7,)
    manager.disarm(0b1111)
    assert manager.armed() == 0


def test_static_cores_cannot_be_scheduled(config):
    config = config.replace(ports=(Port(cores=2), Port(identity=Identity.STATIC, vm=1)))
    manager = Manager(ModelBus(Model(config)), config)
    manager.resident(1, 0)
    with pytest.raises(ValueError, match=r"^core must not be behind a static port to change who runs there, not 2$"):
        manager.resident(2, 0)
    assert [manager.who(core) for core in range(3)] == [None, 0, 1]


# Tags


def test_tags(manager, model):
    assert manager.tags() == [Tag(vm, 0xF, vm) for vm in range(4)]
    manager.tag(1, match=0b1000, mask=0b1000, vm=2)
    manager.tag(2, 0, 0, None)
    assert manager.tags()[1:3] == [Tag(0b1000, 0b1000, 2), Tag(0, 0, None)]
    assert model.bind(0, 0, tag=9) == 2
    manager.lock(Lock.TAGS)
    assert manager.locked() == (Lock.TAGS,)
    with pytest.raises(CommandRefused, match=r"^tag table must be unlocked to change, not locked until reset$"):
        manager.tag(0, 0, 0, 0)


def test_entry_is_out_of_use_while_it_changes(traced):
    traced.tag(1, match=8, mask=12, vm=2)
    page = traced.page
    assert trace(traced) == [
        ("read", "LOCK", (), 0),
        ("write", "TAG_VM", (1,), 0),
        ("write", "TAG_MATCH", (1,), 8),
        ("write", "TAG_MASK", (1,), 12),
        ("write", "TAG_VM", (1,), page.TAG_VM.pack(VM=2, VALID=1)),
    ]


def test_block_without_tags(config):
    config = config.replace(ports=(Port(identity=Identity.PAGE),))
    manager = Manager(ModelBus(Model(config)), config)
    assert manager.tags() == []
    with pytest.raises(ValueError, match=r"^block must have a sideband port to map tags, not none$"):
        manager.tag(0, 0, 0, 0)


# Locks


@pytest.mark.parametrize(
    ("lock", "what", "step"),
    [
        (Lock.TAGS, "tag table", lambda m, n: m.tag(0, n, 1, None)),
        (Lock.PERMISSIONS, "permissions", lambda m, n: m.permit(n, 1)),
        (Lock.CREDITS, "credits", lambda m, n: m.credits(2, 1, n)),
        (Lock.QUOTAS, "quotas", lambda m, n: m.quota(1, n)),
        (Lock.RESIDENCY, "residency", lambda m, n: m.resident(1, n)),
    ],
)
def test_what_is_locked_is_said(blocks_config, lock, what, step):
    manager = Manager(ModelBus(Model(blocks_config)), blocks_config)
    assert manager.locked() == ()
    manager.lock(*(other for other in locks(blocks_config) if other is not lock))
    step(manager, 0)
    manager.lock(lock)
    assert manager.locked() == locks(blocks_config)
    with pytest.raises(CommandRefused, match=f"^{what} must be unlocked to change, not locked until reset$"):
        step(manager, 1)


def test_a_lock_of_what_is_not_there(manager):
    text = "lock must be one of TAGS, PERMISSIONS, CREDITS, RESIDENCY, not QUOTAS"
    with pytest.raises(ValueError, match=exactly(text)):
        manager.lock(Lock.QUOTAS)


# Faults


def test_faults(manager, model):
    manager.open(0)
    guest = ModelBus(model, 1, tag=0)
    stranger = ModelBus(model, 0, tag=9)
    guest.write32(0x00, 1)
    guest.read32(0x38)
    guest.read32(0x40)
    stranger.read32(0x08)
    assert manager.faults() == [
        FaultRecord(0, True, Fault.DIRECTION, 1, 0x00, 1),
        FaultRecord(0, False, Fault.UNMAPPED, 1, 0x38, 2),
        FaultRecord(None, False, Fault.NO_VM, 0, 0x08, 1),
    ]
    assert not manager.bus.wait_for_interrupt(0)
    manager.fault_interrupts(0b0001, stray=True)
    assert manager.bus.wait_for_interrupt(0)
    manager.clear_faults(0)
    assert [record.vm for record in manager.faults()] == [None]
    assert manager.bus.wait_for_interrupt(0)
    manager.clear_faults(None)
    assert manager.faults() == []
    assert not manager.bus.wait_for_interrupt(0)
    stranger.read32(0x08)
    assert manager.bus.wait_for_interrupt(0)  # clearing has not disabled it


# All of it


def test_status(manager, model):
    manager.epoch = 0x77
    for vm in (0, 1):
        manager.open(vm)
    manager.connect(0, 1, 2)
    manager.resident(0, 1)
    guest = Mailbox(ModelBus(model, 1, tag=0), core=1)
    guest.connect(1)
    guest.send(1, [5])
    guest.irq_enable(Source.PEER)
    guest.irq_test(Source.PEER)
    guest.bus.write32(0, 0)
    manager.lock(Lock.CREDITS, Lock.RESIDENCY)
    manager.arm(0b11)
    status = manager.status()
    assert status.epoch == 0x77
    assert str(status) == (
        "VM  state   generation  queue  cores  waiting     faults  may be sent to by (used/credits)\n"
        "0   open    1           0/8    -      yes, fired  1       1 (0/2)\n"
        "1   open    1           1/8    0      armed       -       0 (1/2)\n"
        "2   closed  0           0/8    -      -           -       -\n"
        "3   closed  0           0/8    -      -           -       -\n"
        "locked until reset: credits, residency\n"
        "fault of VM 0: write of 0x0 at port 1, DIRECTION, x1"
    )
    # A manager that starts anew adopts what runs
    again = Manager(ModelBus(model, 1, tag=3), manager.config)
    assert again.status() == status


# Blocks


@pytest.fixture
def system(blocks_config):
    """A manager and two guests that may send to each other, with a quota of two blocks each; all blocks are clean."""
    model = Model(blocks_config)
    manager = Manager(ModelBus(model, 0, tag=3, manager=True), blocks_config)
    guests = [Mailbox(ModelBus(model, 1, tag=vm), 0, blocks_config) for vm in (0, 1)]
    for vm in (0, 1):
        manager.open(vm)
        manager.quota(vm, 2)
    manager.connect(0, 1, 3)
    for vm, guest in enumerate(guests):
        guest.connect(1 - vm)
    model.tick(10_000)
    return manager, *guests


def test_exact_accesses_for_blocks(blocks_config):
    manager = Manager(TracingBus(ModelBus(Model(blocks_config, stepped_scrub=True), 0, tag=3)), blocks_config)
    manager.bus.take()
    pack = manager.page.QUOTA.pack
    manager.quota(2, 5)
    assert trace(manager) == [
        ("write", "QUOTA", (2,), pack(LIMIT=5)),
        ("read", "QUOTA", (2,), pack(LIMIT=5)),
    ]
    assert manager.charged(2) == Quota(0, 5)
    assert manager.holdings(2) == Holdings(0, 0)
    assert manager.pool() == Pool(0, 6)
    assert [entry[:3] for entry in trace(manager)] == [
        ("read", "QUOTA", (2,)),
        ("read", "HOLDINGS", (2,)),
        ("read", "POOL", ()),
    ]


def test_quotas(system):
    manager, a, b = system
    text = "quota of VM 2 must be at least the 0 in use, and with those of others at most 6, not 3"
    with pytest.raises(CommandRefused, match=exactly(text)):
        manager.quota(2, 3)
    block = a.alloc()
    a.send_block(1, [], block, Handover.MOVE)
    text = "quota of VM 0 must be at least the 1 in use, and with those of others at most 6, not 0"
    with pytest.raises(CommandRefused, match=exactly(text)):
        manager.quota(0, 0)
    manager.quota(0, 1)
    assert manager.charged(0) == Quota(1, 1)
    assert (manager.holdings(0), manager.holdings(1)) == (Holdings(0, 0), Holdings(1, 0))
    assert manager.pool() == Pool(5, 0)
    b.free(b.receive().loan.block)
    assert manager.charged(0) == a.quota() == Quota(0, 1)


def test_close_says_which_blocks_remain(system):
    manager, a, b = system
    a.send_block(1, [], a.alloc(), Handover.LEND)
    a.send_block(1, [], a.alloc(), Handover.MOVE)
    a.send_block(1, [], b.alloc(), Handover.MOVE)  # not its own: refused
    a.acknowledge()
    with pytest.raises(
        CommandRefused,
        match=r"^VM 1 must hold nothing to close, not 2 messages, 2 blocks of its own, 1 borrowed block$",
    ):
        manager.close(1)
    with pytest.raises(CommandRefused, match=r"^VM 0 must hold nothing to close, not 1 block of its own$"):
        manager.close(0)
    loan = b.receive().loan
    b.receive()
    b.give_back(loan)
    with pytest.raises(CommandRefused, match=r"^VM 1 must hold nothing to close, not 2 blocks of its own$"):
        manager.close(1)
    b.reset()
    manager.close(1)
    a.send(1, [1])
    assert a.result().code.name == "PEER_GONE"


def test_close_that_was_overtaken(blocks_config):
    """The guest gave up the last block between the refusal and the question what remains."""

    class Overtaking(ModelBus):
        def read32(self, address):
            if address == asked:
                guest.free(block)
            return super().read32(address)

    asked = address_map(blocks_config, 0).manager_base + manager_page(blocks_config).HOLDINGS.at(1)
    model = Model(blocks_config)
    manager = Manager(Overtaking(model, 0, tag=3), blocks_config)
    manager.open(1)
    manager.quota(1, 1)
    guest = Mailbox(ModelBus(model, 1, tag=1), 0, blocks_config)
    while (block := guest.alloc()) is None:
        pass
    with pytest.raises(CommandRefused, match=r"^VM 1 must hold nothing to close, not what it has given up since$"):
        manager.close(1)
    manager.close(1)


def test_status_with_blocks(system):
    manager, a, b = system
    a.send_block(1, [], a.alloc(), Handover.LEND)
    a.send_block(1, [], a.alloc(), Handover.MOVE)
    b.alloc()
    status = manager.status()
    assert str(status) == (
        "VM  state   generation  queue  cores  waiting  faults  blocks (used/quota)  owned  borrowed  "
        "may be sent to by (used/credits)\n"
        "0   open    1           0/8    -      -        -       2/2                  1      0         1 (0/3)\n"
        "1   open    1           2/8    -      -        -       1/2                  2      1         0 (2/3)\n"
        "2   closed  0           0/8    -      -        -       0/0                  0      0         -\n"
        "3   closed  0           0/8    -      -        -       0/0                  0      0         -\n"
        "blocks without an owner: 3 clean, 0 dirty"
    )
    assert Manager(ModelBus(manager.bus.model, 1, tag=3), manager.config).status() == status


@pytest.mark.parametrize(
    "step",
    [
        lambda manager: manager.quota(0, 1),
        lambda manager: manager.charged(0),
        lambda manager: manager.holdings(0),
        lambda manager: manager.pool(),
    ],
)
def test_manager_of_a_block_without_sram(manager, step):
    with pytest.raises(ValueError, match=r"^block must be built with an SRAM to have blocks of it, not without$"):
        step(manager)


def test_bad_arguments_for_blocks(system):
    manager = system[0]
    for step in (lambda: manager.quota(4, 1), lambda: manager.charged(4)):
        with pytest.raises(ValueError, match=r"^QUOTA vm must be from 0 to 3, not 4$"):
            step()
    with pytest.raises(ValueError, match=r"^LIMIT must be from 0 to 2047, not 2048$"):
        manager.quota(0, 2048)


def test_manager_of_many_vms(config):
    config = config.replace(vms=40, page_stride=65536, depth=64)
    manager = Manager(ModelBus(Model(config), manager=True), config)
    for vm in (1, 39):
        manager.open(vm)
    manager.connect(1, 39, 2)
    assert (manager.permitted(1), manager.permitted(39)) == (1 << 39, 1 << 1)
    manager.arm(1 << 39 | 1)
    assert manager.armed() == 1 << 39 | 1
    manager.fault_interrupts(1 << 39)
    manager.bus.model.read(0, 39, 0x38)
    assert manager.bus.wait_for_interrupt(0)
    assert [record.vm for record in manager.faults()] == [39]


def test_base_of_the_page(config):
    script_base = 0x9000_0000
    model = Model(config)

    class Moved(ModelBus):
        def read32(self, address):
            return super().read32(address - script_base)

        def write32(self, address, value):
            super().write32(address - script_base, value)

    page = address_map(config, 0).manager_base
    manager = Manager(Moved(model), config, script_base + page)
    assert manager.open(2) == 1


# Counters


@pytest.fixture
def counted(blocks_config):
    """A manager of a block with counters, and two connected guests."""
    config = blocks_config.replace(counters=True)
    model = Model(config)
    manager = Manager(ModelBus(model, 0, tag=3, manager=True), config)
    for vm in (0, 1):
        manager.open(vm)
        manager.quota(vm, 2)
    manager.connect(0, 1, 2)
    guests = [Mailbox(ModelBus(model, 1, tag=vm)) for vm in (0, 1)]
    for vm, guest in enumerate(guests):
        guest.connect(1 - vm)
    model.tick(100)
    return manager, *guests


def test_counters(counted):
    manager, a, b = counted
    a.send(1, [1])
    a.send_block(1, [], a.alloc(), Handover.LEND)
    a.send(1, [2])
    a.acknowledge()
    a.ring(1)
    b.receive()
    expected = Counters(sent=2, no_credit=1, doorbells=1, blocks_peak=1)
    assert manager.counters(0) == expected
    assert manager.counters(0).refused == 1
    assert manager.counters(1) == Counters(received=2, queue_peak=2)
    assert str(manager.status()).splitlines()[6:9] == [
        "VM  sent  received  no credit  denied  peer gone  torn  bad block  ignored  doorbells  waited  "
        "queue peak  blocks peak",
        "0   2     0         1          0       0          0     0          0        1          0       0           1",
        "1   0     2         0          0       0          0     0          0        0          0       2           0",
    ]
    manager.clear_counters(0b10)
    assert (manager.counters(0), manager.counters(1)) == (expected, Counters())


def test_counters_of_a_closed_vm_stay_until_it_is_opened_again(counted):
    manager, a, _ = counted
    a.ring(1)
    manager.close(0)
    assert manager.counters(0) == Counters(doorbells=1)
    manager.open(0)
    assert manager.counters(0) == Counters()


def test_counters_across_a_wrap():
    earlier, later = Counters(sent=2**32 - 3, waited=5, queue_peak=7), Counters(sent=4, waited=9, queue_peak=3)
    assert later.since(earlier) == Counters(sent=7, waited=4, queue_peak=3)


def test_block_without_counters(manager):
    for step in (lambda: manager.counters(0), lambda: manager.clear_counters(1)):
        with pytest.raises(
            ValueError, match=r"^block must be built with counters to have figures of a VM, not without$"
        ):
            step()
    assert {it.counters for it in manager.status().vms} == {None}


def test_bad_arguments_for_counters(counted):
    manager, _, _ = counted
    with pytest.raises(ValueError, match=r"^COUNT_SENT vm must be from 0 to 3, not 4$"):
        manager.counters(4)
    with pytest.raises(ValueError, match=r"^mask must have no bit beyond VM 3, not 0x10$"):
        manager.clear_counters(16)


# Flipped bits


def test_integrity():
    config = preset("default").replace(protection=True)
    manager = Manager(ModelBus(Model(config), tag=0), config)
    whole = Integrity(False, Damage.NONE, False, Flips(0, 0), Flips(0, 0))
    assert manager.integrity() == whole
    manager.alarm(True)
    assert manager.integrity() == whole._replace(alarm=True)
    manager.alarm(False)
    assert manager.integrity() == whole


def test_integrity_without_sram():
    config = preset("default").replace(blocks=0, protection=True)
    assert Manager(ModelBus(Model(config), tag=0), config).integrity().sram is None


def test_injection_into_words():
    config = preset("default").replace(protection=True)
    model = Model(config)
    bus = ModelBus(model, tag=0)
    manager = Manager(bus, config)
    manager.open(0)
    manager.quota(0, 1)
    model.tick(10_000)
    at = address_map(config, 0).sram(0) + Mailbox(bus, 0, config).alloc() * config.block_size
    bus.write32(at, 0x1234)
    assert manager.injection() is None
    for kind, word, flips in ((Injection.SRAM_ONE, 0x1234, Flips(1, 0)), (Injection.SRAM_TWO, 0, Flips(1, 1))):
        manager.inject(kind, 0)
        assert manager.injection() == (kind, 0)
        assert [bus.read32(at), bus.read32(at)] == [word, 0x1234]  # it acts once
        assert manager.injection() is None
        assert manager.integrity().sram == flips
        assert manager.damaged == bool(flips.lost)
    manager.inject(Injection.WORD_ONE, 1)
    manager.inject(Injection.NONE)
    assert manager.injection() is None


@pytest.mark.parametrize("kind", [kind for kind in injections(preset("default").replace(protection=True)) if kind > 4])
def test_injection_closes_the_block(kind):
    config = preset("default").replace(protection=True)
    model = Model(config)
    manager = Manager(ModelBus(model, tag=0), config)
    manager.open(0)
    manager.alarm(True)
    assert manager.state(0) is State.OPEN
    manager.inject(kind)
    seen = manager.integrity()
    assert seen.fatal
    assert seen.damage is not Damage.NONE
    assert (manager.state(0), manager.damaged, model.manager_irq) == (State.CLOSED, True, True)
    assert manager.injection() is None
    assert model.read(0, 0, guest_page(config).SELF.offset) == (0, Fault.CLOSED)
    model.reset()
    assert not manager.integrity().fatal


def test_injection_that_must_not_be():
    config = preset("default").replace(protection=True, blocks=0)
    manager = Manager(ModelBus(Model(config), tag=0), config)
    with pytest.raises(ValueError, match=r"^injection must be one of NONE, WORD_ONE, .*CREDITS, not SRAM_ONE$"):
        manager.inject(Injection.SRAM_ONE)
    with pytest.raises(ValueError, match=rf"^port must be from 0 to {len(config.ports) - 1}, not 16$"):
        manager.inject(Injection.WORD_ONE, 16)
    with pytest.raises(ValueError, match=rf"^VM must be from 0 to {config.vms - 1}, not 63$"):
        manager.inject(Injection.CREDITS, 63)
    manager.lock(Lock.INJECTION)
    with pytest.raises(CommandRefused, match=r"^injections must be unlocked to change, not locked until reset$"):
        manager.inject(Injection.WORD_ONE)


def test_block_without_protection(manager):
    steps = (
        manager.integrity,
        lambda: manager.alarm(True),
        lambda: manager.inject(Injection.FATAL),
        manager.injection,
        lambda: manager.damaged,
    )
    for step in steps:
        with pytest.raises(
            ValueError, match=r"^block must be built with protection to look for flipped bits, not without$"
        ):
            step()


# Adoption


def test_adoption(counted):
    """A manager that starts anew finds all that its predecessor configured, and goes on."""
    manager, a, b = counted
    assert manager.adopt().vms[2] == VmSetup(State.CLOSED, 0, 0, (0, 0, 0, 0), 0)
    manager.epoch = 9
    manager.tag(2, 8, 12, None)
    manager.resident(1, 0)
    manager.arm(0b1010)
    manager.fault_interrupts(0b0110, stray=True)
    manager.pause(1)
    manager.lock(Lock.QUOTAS)
    setup = manager.adopt()
    assert setup == Setup(
        epoch=9,
        vms=(
            VmSetup(State.OPEN, 1, 0b10, (0, 2, 0, 0), 2),
            VmSetup(State.PAUSED, 1, 0b01, (2, 0, 0, 0), 2),
            VmSetup(State.CLOSED, 0, 0, (0, 0, 0, 0), 0),
            VmSetup(State.CLOSED, 0, 0, (0, 0, 0, 0), 0),
        ),
        residents=(None, 0),
        armed=0b1010,
        fired=0,
        fault_interrupts=0b0110,
        stray_interrupt=True,
        tags=(Tag(0, 15, 0), Tag(1, 15, 1), Tag(8, 12, None), Tag(3, 15, 3)),
        locked=(Lock.QUOTAS,),
    )
    again = Manager(ModelBus(manager.bus.model, 1, tag=3, manager=True), manager.config)
    assert again.adopt() == setup
    again.resume(1)
    a.send(1, [5])
    assert b.receive().words == (5,)
    again.close(1)
    assert again.open(1) == 2
    assert manager.adopt().vms[1] == VmSetup(State.OPEN, 2, 0b01, (2, 0, 0, 0), 2)


# Kill


@pytest.fixture
def deadly(blocks_config):
    """A manager, and the model that it kills on step by step."""
    model = Model(blocks_config, stepped_kill=True)
    manager = Manager(ModelBus(model, manager=True), blocks_config)
    for vm in range(3):
        manager.open(vm)
        manager.quota(vm, 2)
    return manager, model


def test_kill_at_once_and_torn_down_later(deadly):
    manager, model = deadly
    manager.kill(1, wait=False)
    assert manager.state(1) is State.CLOSED
    assert manager.killing(1)
    assert manager.status().vms[1].killing
    assert "\n1   killed " in str(manager.status())
    with pytest.raises(CommandRefused, match=r"^VM 1 must be torn down to open, not be killed a moment ago$"):
        manager.open(1)
    while model.killing is not None:
        model.tear_block(model.tear_row())
    assert not manager.killing(1)
    assert manager.open(1) == 2


def test_kill_waits_until_it_is_torn_down(deadly):
    manager, model = deadly
    read, left = manager.bus.read32, [40]

    def later(address):
        left[0] -= 1
        if left[0] < 10 and model.killing is not None:
            model.tear_block(model.tear_row())
        return read(address)

    manager.bus.read32 = later
    manager.kill(1)
    assert model.killing is None
    assert left[0] < 10


def test_kill_gives_up_on_what_cannot_be(deadly):
    manager, _ = deadly  # nobody takes the steps
    with pytest.raises(DeviceError, match=r"^VM 1 must be torn down within \d+ accesses, not still be$"):
        manager.kill(1)


@pytest.mark.parametrize("vm", [0, 3])
def test_kill_of_the_closed(deadly, vm):
    manager, _ = deadly
    if vm == 0:
        manager.kill(0, wait=False)
    with pytest.raises(
        CommandRefused, match=exactly(f"VM {vm} must be open or paused or draining to kill, not closed")
    ):
        manager.kill(vm)


def test_orphans_are_listed_and_reclaimed(blocks_config):
    model = Model(blocks_config)
    manager = Manager(ModelBus(model, manager=True), blocks_config)
    for vm in (0, 1):
        manager.open(vm)
        manager.quota(vm, 2)
    manager.connect(0, 1, 2)
    boxes = [Mailbox(ModelBus(model, vm, tag=vm), config=blocks_config) for vm in (0, 1)]
    boxes[0].connect(1)
    model.tick(1000)
    numbers = [boxes[0].alloc() for _ in range(2)]
    assert manager.rights(numbers[0]) == Rights(0, 0)
    for number in numbers:
        boxes[0].send_block(1, [1], number, Handover.MOVE)
    assert manager.orphans() == []
    manager.kill(0)
    assert manager.orphans() == sorted(numbers)
    assert manager.rights(numbers[0]) == Rights(1)
    assert manager.rights(numbers[0]).orphan
    assert manager.status().orphans == 2
    assert "\nblocks whose payer was killed: 2" in str(manager.status())
    manager.reclaim(numbers[0])
    assert manager.orphans() == [numbers[1]]
    text = f"block {numbers[0]} must be an orphan to be reclaimed, not nobody's"
    with pytest.raises(CommandRefused, match=exactly(text)):
        manager.reclaim(numbers[0])
    model.tick(1000)
    mine = boxes[1].alloc()
    text = f"block {mine} must be an orphan to be reclaimed, not one of VM 1 that VM 1 pays for"
    with pytest.raises(CommandRefused, match=exactly(text)):
        manager.reclaim(mine)
