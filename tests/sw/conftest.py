"""What the tests of the software share: a block under test by register names, and a bus that expects exact accesses."""

from collections import deque

import pytest

from postern import Bus, Endpoint, Mailbox, Model, ModelBus, Programs
from postern import Manager as VmManager
from postern_spec.config import Config, Identity, Manager, Port
from postern_spec.regmap import Command, Fault, Settled, address_map, guest_page, manager_page

CONFIG = Config(
    ports=(Port(identity=Identity.SIDEBAND, cores=1),) * 2,
    vms=4,
    lanes=2,
    words=4,
    depth=8,
    manager=Manager.PAGE,
    moderation=True,
)

BLOCKS = CONFIG.replace(blocks=6, block_size=64, banks=2)
"""The same with an SRAM; the number of blocks is no power of two."""


class Block:
    """A model whose registers are reached by name. Every access is followed by a clock cycle."""

    def __init__(self, config=CONFIG, **options):
        self.config = config
        self.model = Model(config, **options)
        self.guest = guest_page(config)
        self.manager = manager_page(config)
        self.fault = Fault.NONE  # of the last access

    def at(self, vm, name, *indices, port=0):
        return address_map(self.config, port).guest(vm or 0) + getattr(self.guest, name).at(*indices)

    def managed_at(self, name, *indices, port=0):
        return address_map(self.config, port).manager_base + getattr(self.manager, name).at(*indices)

    def read(self, vm, name, *indices, port=0, **options):
        return self._read(port, vm, self.at(vm, name, *indices, port=port), options)

    def write(self, vm, name, *indices, value=0, strobes=0xF, port=0):
        return self._write(port, vm, self.at(vm, name, *indices, port=port), value, strobes)

    def see(self, name, *indices, port=0, **options):
        """Read a manager's register."""
        return self._read(port, None, self.managed_at(name, *indices, port=port), options)

    def manage(self, name, *indices, value=0, strobes=0xF, port=0):
        """Write a manager's register."""
        return self._write(port, None, self.managed_at(name, *indices, port=port), value, strobes)

    def _read(self, port, vm, address, options):
        value, self.fault = self.model.read(port, vm, address, **options)
        self.model.tick()
        return value

    def _write(self, port, vm, address, value, strobes):
        self.fault = self.model.write(port, vm, address, value, strobes)
        self.model.tick()
        return self.fault

    def field(self, page, register, name, word):
        return getattr(getattr(getattr(self, page), register), name).get(word)

    # Steps that many tests take

    def command(self, vm, command):
        return self.manage("CONTROL", vm, value=command)

    def control(self, vm, name):
        return self.field("manager", "CONTROL", name, self.see("CONTROL", vm))

    def connect(self, *vms, credits=2):
        """Open VMs, let all of them send to all others, and have them acknowledge each other."""
        for vm in vms:
            assert self.command(vm, Command.OPEN) is Fault.NONE
        for receiver in vms:
            self.manage("PERMIT", receiver, 0, value=sum(1 << s for s in vms if s != receiver))
            for sender in vms:
                if sender != receiver:
                    assert self.manage("CREDITS", receiver, sender, value=credits) is Fault.NONE
                    generation = self.see("GENERATION", receiver)
                    assert self.write(sender, "PEER", receiver, value=generation) is Fault.NONE

    def send(self, sender, receiver, *words, lane=0, port=0):
        """Stage all words but the last, and commit it. Return the fault of the commit."""
        for index, word in enumerate(words[:-1]):
            assert self.write(sender, "STAGE", lane, index, value=word, port=port) is Fault.NONE
        many = int(len(words) > 1)
        return self.write(sender, "COMMIT", lane, 0, many, receiver, value=words[-1], port=port)

    def result(self, vm, lane=0):
        """Return code, VM and count."""
        word = self.read(vm, "RESULT", lane)
        return tuple(self.field("guest", "RESULT", name, word) for name in ("CODE", "VM", "COUNT"))

    def receive(self, vm, lane=0):
        """Return sender, generation and words of the oldest message, or ``None``."""
        header = self.read(vm, "HEADER", lane)
        if not header:
            return None
        count = self.field("guest", "HEADER", "COUNT", header)
        words = [self.read(vm, "WORD", index) for index in range(count - 1)] + [self.read(vm, "POP", lane)]
        sender, generation = (self.field("guest", "HEADER", name, header) for name in ("SENDER", "GENERATION"))
        return sender, generation, tuple(words)

    # Blocks of the SRAM

    def grant(self, **quotas):
        """Give VMs (``vm0=2``) their quotas."""
        for name, count in quotas.items():
            assert self.manage("QUOTA", int(name[2:]), value=count) is Fault.NONE

    def scrub(self):
        """Let the scrubber finish (of a model with ``stepped_scrub``)."""
        while self.model.dirty:
            self.model.scrubbed()

    def alloc(self, vm, **options):
        """Return the number of a block, or ``None``."""
        word = self.read(vm, "ALLOC", **options)
        assert word == 0 or self.field("guest", "ALLOC", "VALID", word)
        return self.field("guest", "ALLOC", "BLOCK", word) if word else None

    def block_word(self, block, how, tag=0):
        return self.guest.RETURN.pack(BLOCK=block, KIND=how, TAG=tag)

    def give(self, sender, receiver, block, how, *words, lane=0, port=0):
        """Send a message that hands a block over. Return the fault of the commit."""
        for index, word in enumerate(words):
            assert self.write(sender, "STAGE", lane, index, value=word, port=port) is Fault.NONE
        value = self.block_word(block, how)
        return self.write(sender, "COMMIT", lane, 1, int(len(words) > 0), receiver, value=value, port=port)

    def settle(self, vm, name, value, lane=0):
        """Write FREE, RETURN or REVOKE. Return the outcome and the fault."""
        fault = self.write(vm, name, lane, value=value)
        return Settled(self.read(vm, "BLOCK_RESULT", lane)), fault

    def holding(self, vm, block):
        """Return what a VM has of a block, the other side and the tag."""
        word = self.read(vm, "BLOCK", block)
        return tuple(self.field("guest", "BLOCK", name, word) for name in ("HOLDING", "VM", "TAG"))

    def pool(self):
        """Return the numbers of clean and of dirty blocks."""
        word = self.see("POOL")
        return tuple(self.field("manager", "POOL", name, word) for name in ("CLEAN", "DIRTY"))

    def quota(self, vm):
        """Return use and limit, as guest and manager see them."""
        word = self.see("QUOTA", vm)
        seen = tuple(self.field("manager", "QUOTA", name, word) for name in ("USED", "LIMIT"))
        if self.control(vm, "STATE"):
            word = self.read(vm, "QUOTA")
            assert tuple(self.field("guest", "QUOTA", name, word) for name in ("USED", "LIMIT")) == seen
        return seen

    def holdings(self, vm):
        """Return how many blocks a VM owns, and how many are lent or shown to it."""
        word = self.see("HOLDINGS", vm)
        return tuple(self.field("manager", "HOLDINGS", name, word) for name in ("OWNED", "BORROWED"))

    def word_at(self, vm, block, word=0, port=0):
        return address_map(self.config, port).sram(vm or 0) + block * self.config.block_size + 4 * word

    def peek(self, vm, block, word=0, port=0):
        """Read a word of SRAM."""
        return self._read(port, vm, self.word_at(vm, block, word, port), {})

    def poke(self, vm, block, value, word=0, strobes=0xF, port=0):
        """Write a word of SRAM. Return the fault."""
        return self._write(port, vm, self.word_at(vm, block, word, port), value, strobes)


NET = Config(
    ports=(Port(identity=Identity.SIDEBAND, cores=1),) * 4,
    vms=4,
    lanes=2,
    words=16,
    depth=32,
    manager=Manager.PAGE,
    blocks=32,
    block_size=64,
    banks=2,
)
"""Four VMs, each on a port and core of its own, so that each can wait for its interrupts."""


class Net:
    """VMs that are connected, each with a program of its own."""

    def __init__(self, config=NET, *, seed=None, credits=4, quota=4, vms=range(4)):
        self.config = config
        self.model = Model(config)
        self.manager = VmManager(self.bus(0, manager=True), config)
        self.programs = Programs(seed=seed)
        self.done = set()
        for vm in vms:
            self.open(vm)
            if config.blocks:
                self.manager.quota(vm, quota)
            self.manager.resident(vm, vm)
        for vm in vms:
            for other in range(vm):
                if other in vms:
                    self.manager.connect(vm, other, credits)

    def bus(self, vm, **options):
        tag = vm if self.config.tags else 0
        return ModelBus(self.model, vm % len(self.config.ports), tag=tag, **options)

    def open(self, vm):
        return self.manager.open(vm)

    def used(self, vm):
        """Return how many blocks are charged to a VM."""
        return self.manager.charged(vm).used

    def mailbox(self, vm, bus=None):
        return Mailbox(bus or self.bus(vm), address_map(self.config, vm).guest(vm), self.config)

    def endpoint(self, vm, **options):
        """Return the endpoint of a VM for a test that is its only program."""
        return Endpoint(self.mailbox(vm), **options)

    def add(self, vm, body, name=None, **options):
        """Add a program that gets an endpoint."""
        self.mail(vm, lambda mailbox: body(Endpoint(mailbox, **options)), name or body.__name__)

    def mail(self, vm, body, name=None):
        """Add a program that gets a mailbox."""
        name = name or body.__name__

        def program(mailbox):
            try:
                return body(mailbox)
            finally:
                self.done.add(name)

        self.programs.add(name, program, self.bus(vm), lambda bus: self.mailbox(vm, bus))

    def run(self):
        return self.programs.run()


class Script(Bus):
    """A bus that expects exact accesses: each ``read`` or ``write`` says one, in order."""

    def __init__(self, page, base=0):
        self.page = page
        self.base = base
        self.steps = deque()

    def read(self, name, *indices, value):
        self.steps.append(("read", self.base + getattr(self.page, name).at(*indices), value))
        return self

    def write(self, name, *indices, value):
        self.steps.append(("write", self.base + getattr(self.page, name).at(*indices), value))
        return self

    def at(self, kind, address, *values):
        """Expect accesses of consecutive words anywhere."""
        self.steps += [(kind, address + 4 * index, value) for index, value in enumerate(values)]
        return self

    def wait(self, timeout, *, value):
        self.steps.append(("wait", timeout, value))
        return self

    def _next(self, kind):
        assert self.steps, f"no access is expected, but a {kind}"
        return self.steps.popleft()

    def read32(self, address):
        kind, expected, value = self._next("read")
        assert ("read", address) == (kind, expected)
        return value

    def write32(self, address, value):
        assert ("write", address, value) == self._next("write")

    def wait_for_interrupt(self, timeout=None):
        kind, expected, value = self._next("wait")
        assert ("wait", timeout) == (kind, expected)
        return value

    def done(self):
        """Whether every expected access came."""
        return not self.steps


@pytest.fixture(scope="session")
def config():
    return CONFIG


@pytest.fixture(scope="session")
def blocks_config():
    return BLOCKS


@pytest.fixture(scope="session")
def make_block():
    return Block


@pytest.fixture
def block():
    return Block()


@pytest.fixture(scope="session")
def make_net():
    return Net


@pytest.fixture(scope="session")
def net_config():
    return NET


@pytest.fixture(scope="session")
def make_script():
    return Script
