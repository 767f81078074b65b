"""Concurrent programs: the same interleaving on every run, and clear ends."""

import threading

import pytest

from postern import Deadlock, Manager, Model, ModelBus, Programs, Sender, Source, Timeout, TracingBus

OPEN = {"open_at_reset": True, "credits": 2}


@pytest.fixture
def config(config):
    return config.replace(**OPEN)


class Shared(TracingBus):
    """Records the accesses of all programs in one list."""

    def __init__(self, bus, name, log):
        super().__init__(bus)
        self.name, self.log = name, log

    def read32(self, address):
        self.log.append((self.name, "read", address))
        return super().read32(address)

    def write32(self, address, value):
        self.log.append((self.name, "write", address))
        super().write32(address, value)


def make_resident(model, config, core, vm):
    Manager(ModelBus(model, 0), config).resident(core, vm)


def test_round_robin_takes_turns(config):
    model, log = Model(config), []
    programs = Programs()
    for vm in range(3):
        bus = Shared(ModelBus(model, 0, tag=vm), vm, log)
        programs.add(str(vm), lambda bus: [bus.read32(0) for _ in range(3)], bus, lambda bus: bus)
    programs.run()
    assert [name for name, _, _ in log] == [0, 1, 2] * 3


def test_bursts_take_turns_every_sixteen_words(config):
    class Bursts(Shared):
        def read_burst(self, address, words):
            self.log.append((self.name, address, words))
            return super().read_burst(address, words)

        def write_burst(self, address, words):
            self.log.append((self.name, address, list(words)))
            super().write_burst(address, words)

    model, log = Model(config), []
    programs = Programs()
    programs.add("r", lambda bus: bus.read_burst(0, 40), Bursts(ModelBus(model, 0, tag=0), "r", log), lambda bus: bus)
    words = list(range(20))
    programs.add(
        "w", lambda bus: bus.write_burst(0, words), Bursts(ModelBus(model, 0, tag=1), "w", log), lambda bus: bus
    )
    results = programs.run()
    assert results["r"] == ModelBus(model, 0, tag=0).read_burst(0, 40)
    assert log == [("r", 0, 16), ("w", 0, words[:16]), ("r", 64, 16), ("w", 64, words[16:]), ("r", 128, 8)]


def test_results(config):
    model = Model(config)
    programs = Programs()

    def talk(mailbox):
        mailbox.send(1, [42])
        return "sent"

    def listen(mailbox):
        while (message := mailbox.try_receive()) is None:
            pass
        return message.words

    programs.add("talker", talk, ModelBus(model, 0, tag=0))
    programs.add("listener", listen, ModelBus(model, 1, tag=1))
    assert programs.run() == {"talker": "sent", "listener": (42,)}


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_same_seed_same_interleaving(config, seed):
    logs = []
    for _ in range(2):
        programs, log = two(config, seed)
        assert programs.run()["receiver"] == list(range(20))
        logs.append(log)
    assert logs[0] == logs[1]


def test_other_seed_other_interleaving(config):
    logs = []
    for seed in (1, 2):
        programs, log = two(config, seed)
        programs.run()
        logs.append(log)
    assert logs[0] != logs[1]


def two(config, seed):
    model, log = Model(config), []
    for core in (0, 1):
        make_resident(model, config, core, core)
    programs = Programs(seed=seed)

    def send(mailbox):
        sender = Sender(mailbox, batch=4)
        for number in range(20):
            sender.send(1, [number, 1, 2, 3])
        sender.flush()

    def receive(mailbox):
        return [mailbox.receive().words[0] for _ in range(20)]

    for vm, (name, body) in enumerate((("sender", send), ("receiver", receive))):
        programs.add(name, body, Shared(ModelBus(model, vm, tag=vm), name, log))
    return programs, log


def test_deadlock_names_who_waits_for_what(config):
    model = Model(config)
    programs = Programs()
    programs.add("ping", lambda mailbox: mailbox.receive(), ModelBus(model, 0, tag=0))
    programs.add("done", lambda mailbox: None, ModelBus(model, 0, tag=3))
    programs.add("pong", lambda mailbox: mailbox.wait(Source.CREDIT | Source.DOORBELL), ModelBus(model, 1, tag=1))
    text = r"^some program must be able to go on, but ping waits for MAIL; pong waits for DOORBELL or CREDIT$"
    with pytest.raises(Deadlock, match=text):
        programs.run()


def test_timeouts_end_in_their_order(config):
    model, order = Model(config), []
    programs = Programs()

    def sleep(name, seconds):
        def run(mailbox):
            with pytest.raises(Timeout):
                mailbox.receive(timeout=seconds)
            order.append(name)

        return run

    for vm, (name, seconds) in enumerate((("slow", 5e-3), ("fast", 1e-7), ("middle", 2.5e-6))):
        programs.add(name, sleep(name, seconds), ModelBus(model, 0, tag=vm))
    programs.run()
    assert order == ["fast", "middle", "slow"]


def test_time_passes_while_all_wait(config):
    """A moderation timer that runs for most of the patience ends a wait in which nobody does anything."""
    model = Model(config)
    make_resident(model, config, 1, 1)
    programs = Programs()

    def talk(mailbox):
        mailbox.send(1, [42])

    def listen(mailbox):
        mailbox.moderation(8, 60_000)
        return mailbox.receive().words

    programs.add("listener", listen, ModelBus(model, 1, tag=1))
    programs.add("talker", talk, ModelBus(model, 0, tag=0))
    assert programs.run()["listener"] == (42,)


def test_failure_ends_all(config):
    model = Model(config)
    programs = Programs()
    before = threading.active_count()

    def fail(mailbox):
        mailbox.pending()
        raise KeyError("lost")

    def spin(mailbox):
        while True:
            mailbox.pending()

    programs.add("fails", fail, ModelBus(model, 0, tag=0))
    programs.add("spins", spin, ModelBus(model, 0, tag=1))
    programs.add("waits", lambda mailbox: mailbox.receive(), ModelBus(model, 1, tag=2))
    with pytest.raises(KeyError, match=r"^'lost'$"):
        programs.run()
    assert threading.active_count() == before


def test_failure_before_the_first_access(config):
    programs = Programs()
    programs.add("fails", lambda bus: 1 // 0, ModelBus(Model(config)), lambda bus: bus)
    with pytest.raises(ZeroDivisionError):
        programs.run()


def test_bad_programs(config):
    model = Model(config)
    programs = Programs()
    bus = ModelBus(model)
    programs.add("a", lambda mailbox: None, bus)
    with pytest.raises(ValueError, match=r"^name must be one that no other program has, not 'a'$"):
        programs.add("a", lambda mailbox: None, ModelBus(model))
    with pytest.raises(ValueError, match=r"^bus of b must be its own, not that of a$"):
        programs.add("b", lambda mailbox: None, bus)
    assert programs.run() == {"a": None}
    with pytest.raises(ValueError, match=r"^programs must be added anew to run, not run twice$"):
        programs.run()


def test_no_programs():
    assert Programs().run() == {}
