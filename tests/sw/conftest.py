"""What the tests of the software share: a block under test by register names, and a bus that expects exact accesses."""

from collections import deque

import pytest

from postern import Bus, Model
from postern_spec.config import Config, Identity, Manager, Port
from postern_spec.regmap import Command, Fault, address_map, guest_page, manager_page

CONFIG = Config(
    ports=(Port(identity=Identity.SIDEBAND, cores=1),) * 2,
    vms=4,
    lanes=2,
    words=4,
    depth=8,
    manager=Manager.PAGE,
    moderation=True,
)


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
def make_block():
    return Block


@pytest.fixture
def block():
    return Block()


@pytest.fixture(scope="session")
def make_script():
    return Script
