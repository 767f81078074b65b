"""Sections 2 to 8 and 10 of docs/states.md: every arc of every state machine, on the model."""

import pytest

from postern_spec.config import Config, Identity, Manager, Port
from postern_spec.regmap import Command, Fault, Interrupt, Popped, Result, State

WHOLE = 0xF
MAIL, DOORBELL, CREDIT, PEER, REFUSAL, *_ = (1 << source for source in Interrupt)
ACCEPTING = (Result.ACCEPTED, 0, 0)


@pytest.fixture
def pair(block):
    block.connect(0, 1)
    return block


# Section 2: lane, sending side

LANE_STATES = {"EMPTY": [], "HOLDING(1)": [0], "HOLDING(2)": [0, 1], "HOLDING(3)": [0, 1, 2], "TORN": [1]}
FULL = {"HOLDING(4)": [0, 1, 2, 3]}


def stage(block, words, vm=0, lane=0):
    for word in words:
        assert block.write(vm, "STAGE", lane, word, value=0x100 + word) is Fault.NONE


def sends(block, many, vm=0, dest=1):
    """Commit, and return the outcome, and the words that arrived."""
    assert block.write(vm, "COMMIT", 0, 0, many, dest, value=0x999) is Fault.NONE
    code = block.result(vm)[0]
    block.write(vm, "ACK", 0, value=1)
    message = block.receive(dest)
    return code, message and message[2]


def staged(count):
    return tuple(0x100 + word for word in range(count))


@pytest.mark.parametrize("words", (LANE_STATES | FULL).values(), ids=(LANE_STATES | FULL).keys())
@pytest.mark.parametrize("word", range(4))
def test_stage(pair, words, word):
    stage(pair, words)
    stage(pair, [word])
    held = None if words == [1] else len(words)
    held = 1 if word == 0 else held + 1 if held == word else None
    if held is None or held == 4:
        assert sends(pair, 1) == (Result.TORN, None)
    else:
        assert sends(pair, 1) == (Result.ACCEPTED, (*staged(held), 0x999))


@pytest.mark.parametrize("words", (LANE_STATES | FULL).values(), ids=(LANE_STATES | FULL).keys())
@pytest.mark.parametrize("word", [0, 2])
def test_partial_stage_tears(pair, words, word):
    stage(pair, words)
    assert pair.write(0, "STAGE", 0, word, value=1, strobes=0b0111) is Fault.PARTIAL
    assert pair.write(0, "COMMIT", 0, 0, 0, 1, value=1) is Fault.NONE
    assert pair.result(0) == (Result.TORN, 1, 0)


@pytest.mark.parametrize("words", LANE_STATES.values(), ids=LANE_STATES.keys())
def test_commit_one(pair, words):
    stage(pair, words)
    assert sends(pair, 0) == ((Result.TORN, None) if words else (Result.ACCEPTED, (0x999,)))
    assert sends(pair, 0) == (Result.ACCEPTED, (0x999,))  # the lane is empty whatever became of it


@pytest.mark.parametrize("words", (LANE_STATES | FULL).values(), ids=(LANE_STATES | FULL).keys())
def test_commit_many(pair, words):
    stage(pair, words)
    fits = words in ([0], [0, 1], [0, 1, 2])
    assert sends(pair, 1) == ((Result.ACCEPTED, (*staged(len(words)), 0x999)) if fits else (Result.TORN, None))
    assert sends(pair, 1) == (Result.TORN, None)


@pytest.mark.parametrize("words", LANE_STATES.values(), ids=LANE_STATES.keys())
@pytest.mark.parametrize("many", [0, 1])
def test_partial_commit(pair, words, many):
    stage(pair, words)
    assert pair.write(0, "COMMIT", 0, 0, many, 1, value=1, strobes=0b1110) is Fault.PARTIAL
    assert pair.result(0) == (Result.TORN, 1, 0)
    assert pair.receive(1) is None
    pair.write(0, "ACK", 0, value=0)
    assert sends(pair, 0) == (Result.ACCEPTED, (0x999,))


def test_commit_to_no_register_leaves_the_lane_alone(make_block, config):
    block = make_block(config.replace(vms=3))
    block.connect(0, 1)
    stage(block, [0])
    beyond = block.at(0, "COMMIT", 0, 0, 1, 2) + 8
    assert block.model.write(0, 0, beyond, 1) is Fault.UNMAPPED
    assert sends(block, 1) == (Result.ACCEPTED, (*staged(1), 0x999))


@pytest.mark.parametrize("words", LANE_STATES.values(), ids=LANE_STATES.keys())
@pytest.mark.parametrize("event", ["TEAR", "port reset", "reopen"])
def test_what_empties_a_lane(pair, words, event):
    stage(pair, words)
    if event == "TEAR":
        assert pair.manage("TEAR", value=pair.manager.TEAR.pack(VM=0, PORT=0)) is Fault.NONE
    elif event == "port reset":
        pair.model.reset_port(0)
    else:
        assert pair.command(0, Command.CLOSE) is Fault.NONE
        pair.connect(0)
        pair.manage("PERMIT", 1, 0, value=1)
        pair.write(0, "PEER", 1, value=1)
    assert sends(pair, 0) == (Result.ACCEPTED, (0x999,))


@pytest.mark.parametrize("other", [{"vm": 1, "port": 0}, {"vm": 0, "port": 1}])
def test_tear_spares_other_vms_and_ports(pair, other):
    stage(pair, [0])
    assert pair.manage("TEAR", value=pair.manager.TEAR.pack(VM=other["vm"], PORT=other["port"])) is Fault.NONE
    if other["port"]:
        pair.model.reset_port(1)
    assert sends(pair, 1) == (Result.ACCEPTED, (*staged(1), 0x999))


@pytest.mark.parametrize("place", [{"VM": 4}, {"PORT": 2}])
def test_tear_of_what_does_not_exist(pair, place):
    assert pair.manage("TEAR", value=pair.manager.TEAR.pack(**place)) is Fault.BAD_VALUE


def test_lanes_and_ports_hold_words_apart(pair):
    stage(pair, [0])
    assert pair.write(0, "COMMIT", 1, 0, 1, 1, value=1) is Fault.NONE
    assert pair.result(0, 1)[0] == Result.TORN
    assert pair.write(0, "COMMIT", 0, 0, 1, 1, value=1, port=1) is Fault.NONE
    assert pair.result(0, 0)[0] == Result.TORN
    pair.write(0, "ACK", 0)
    assert sends(pair, 1) == (Result.ACCEPTED, (*staged(1), 0x999))


# Section 3: lane, results


def refuse(block, why):
    """Have a commit of VM 0 to VM 1 refused; return outcome and fault."""
    if why == "torn":
        stage(block, [1])
        return Result.TORN, Fault.NONE
    if why == "no permission":
        block.manage("PERMIT", 1, 0, value=0)
        return Result.DENIED, Fault.DENIED
    if why == "sender draining":
        block.command(0, Command.DRAIN)
        return Result.DENIED, Fault.DENIED
    if why == "closed":
        block.command(1, Command.CLOSE)
    elif why == "draining":
        block.command(1, Command.DRAIN)
    elif why == "reopened":
        block.command(1, Command.CLOSE)
        block.command(1, Command.OPEN)
    elif why == "paused":
        block.command(1, Command.PAUSE)
        return Result.NO_CREDIT, Fault.NONE
    elif why == "used up":
        while block.field("guest", "CREDIT", "AVAILABLE", block.read(0, "CREDIT", 1)):
            assert block.send(0, 1, 1, lane=1) is Fault.NONE
        return Result.NO_CREDIT, Fault.NONE
    return Result.PEER_GONE, Fault.NONE


REASONS = (
    "torn", "no permission", "sender draining", "closed", "draining", "reopened", "paused", "used up",
)  # fmt: skip


@pytest.mark.parametrize("why", REASONS)
def test_refusal_sticks_until_acknowledged(pair, why):
    assert pair.send(0, 1, 1, lane=0) is Fault.NONE
    assert pair.receive(1) == (0, 1, (1,))
    code, fault = refuse(pair, why)
    assert pair.write(0, "COMMIT", 0, 0, 0, 1, value=2) is fault
    assert pair.result(0) == (code, 1, 1)
    assert pair.read(0, "IRQ_STATE") & REFUSAL
    # The lane refuses everything, without a word more, even what would be logged
    assert pair.write(0, "COMMIT", 0, 0, 0, 1, value=3) is Fault.NONE
    assert pair.write(0, "COMMIT", 0, 0, 0, 0, value=3) is Fault.NONE
    assert pair.write(0, "COMMIT", 0, 0, 0, 1, value=3, strobes=1) is Fault.PARTIAL
    assert pair.result(0) == (code, 1, 1)
    pair.write(0, "ACK", 0, value=0)
    assert pair.result(0) == ACCEPTING
    assert not pair.read(0, "IRQ_STATE") & REFUSAL


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("torn", "no permission"),
        ("no permission", "closed"),
        ("sender draining", "closed"),
        ("closed", "used up"),
        ("draining", "paused"),
    ],
)
def test_first_reason_counts(pair, first, second):
    if second == "used up":
        refuse(pair, second)
        for _ in range(2):
            assert pair.receive(1)
        pair.manage("CREDITS", 1, 0, value=0)
    elif first == "draining":
        refuse(pair, "paused")
    else:
        refuse(pair, second)
    code, _ = refuse(pair, first)
    pair.write(0, "COMMIT", 0, 0, 0, 1, value=2)
    assert pair.result(0)[0] == code


def test_count_wraps(pair):
    for _ in range(257):
        assert pair.send(0, 1, 1) is Fault.NONE
        assert pair.receive(1)
    assert pair.result(0) == (Result.ACCEPTED, 0, 1)


def test_results_are_per_lane_and_survive_port_reset_and_tear(pair):
    stage(pair, [1])
    pair.write(0, "COMMIT", 0, 0, 0, 1, value=1)
    assert pair.send(0, 1, 5, lane=1) is Fault.NONE
    pair.model.reset_port(0)
    pair.manage("TEAR", value=0)
    assert pair.result(0, 0) == (Result.TORN, 1, 0)
    assert pair.result(0, 1) == (Result.ACCEPTED, 0, 1)


def test_reopening_acknowledges(pair):
    stage(pair, [1])
    pair.write(0, "COMMIT", 0, 0, 0, 1, value=1)
    pair.command(0, Command.CLOSE)
    pair.command(0, Command.OPEN)
    assert pair.result(0) == ACCEPTING
    assert pair.read(0, "IRQ_STATE") == 0


def test_staging_goes_on_while_refusing(pair):
    stage(pair, [1])
    pair.write(0, "COMMIT", 0, 0, 0, 1, value=1)
    stage(pair, [0])
    pair.write(0, "ACK", 0)
    assert sends(pair, 1) == (Result.ACCEPTED, (*staged(1), 0x999))


def test_draining_sender_may_not_but_paused_may(pair):
    pair.command(0, Command.PAUSE)
    assert pair.send(0, 1, 7) is Fault.NONE
    assert pair.result(0) == (Result.ACCEPTED, 0, 1)


def test_block_messages_are_unmapped(pair):
    kind = next(dim for dim in pair.guest.COMMIT.dims if dim.name == "kind")
    assert pair.model.write(0, 0, pair.at(0, "COMMIT", 0, 0, 0, 1) + kind.stride, 1) is Fault.UNMAPPED


# Section 4: queue


def test_header_words_and_pop(pair):
    pair.send(0, 1, 1, 2, 3)
    header = pair.read(1, "HEADER", 0)
    fields = ("COUNT", "KIND", "SENDER", "GENERATION")
    assert [pair.field("guest", "HEADER", name, header) for name in fields] == [3, 0, 0, 1]
    assert [pair.read(1, "WORD", index) for index in range(4)] == [1, 2, 3, 0]
    assert pair.read(1, "RX_RESULT", 0) == Popped.NONE
    assert pair.read(1, "POP", 0) == 3
    assert pair.read(1, "RX_RESULT", 0) == Popped.POPPED
    assert [pair.read(1, "WORD", index) for index in range(4)] == [0, 0, 0, 0]
    assert pair.read(1, "HEADER", 0) == 0


def test_pop_needs_a_fresh_header(pair):
    pair.send(0, 1, 1)
    assert pair.read(1, "POP", 0) == 0  # no header was read
    assert pair.read(1, "RX_RESULT", 0) == Popped.STALE
    pair.read(1, "HEADER", 0)
    pair.read(1, "HEADER", 1)
    assert pair.model.fresh(1, 0)
    assert pair.model.fresh(1, 1)
    assert pair.read(1, "POP", 1) == 1
    pair.send(0, 1, 2)
    assert pair.read(1, "POP", 0) == 0  # another lane was faster: the new head is not what was looked at
    assert [pair.read(1, "RX_RESULT", lane) for lane in (0, 1)] == [Popped.STALE, Popped.POPPED]
    assert pair.receive(1) == (0, 1, (2,))


def test_header_of_an_empty_queue_is_not_fresh(pair):
    assert pair.read(1, "HEADER", 0) == 0
    pair.send(0, 1, 1)
    assert pair.read(1, "POP", 0) == 0
    assert pair.read(1, "HEADER", 0)
    assert pair.read(1, "POP", 0) == 1


def test_pop_of_zero(pair):
    pair.send(0, 1, 0)
    pair.read(1, "HEADER", 0)
    assert pair.read(1, "POP", 0) == 0
    assert pair.read(1, "RX_RESULT", 0) == Popped.POPPED


def test_order_of_acceptance_and_credit_comes_back(block):
    block.connect(0, 1, 2)
    for sender, word in ((0, 1), (2, 2), (0, 3), (2, 4)):
        block.send(sender, 1, word)
    assert block.field("manager", "CONTROL", "QUEUED", block.see("CONTROL", 1)) == 4
    block.write(0, "IRQ_STATE", value=0xFFFF_FFFF)
    for sender, word in ((0, 1), (2, 2), (0, 3), (2, 4)):
        used = block.field("manager", "CREDITS", "USED", block.see("CREDITS", 1, sender))
        assert block.receive(1) == (sender, 1, (word,))
        assert block.field("manager", "CREDITS", "USED", block.see("CREDITS", 1, sender)) == used - 1
        assert block.read(sender, "IRQ_STATE") & CREDIT


def test_reopening_forgets_pops(pair):
    pair.read(1, "POP", 0)
    pair.command(1, Command.CLOSE)
    pair.command(1, Command.OPEN)
    assert pair.read(1, "RX_RESULT", 0) == Popped.NONE


def test_port_reset_spares_the_queue(pair):
    pair.send(0, 1, 1)
    pair.read(1, "HEADER", 0)
    pair.model.reset_port(0)
    assert pair.read(1, "POP", 0) == 1


# Section 5: VM

COMMANDS = {
    (State.CLOSED, Command.OPEN): State.OPEN,
    (State.OPEN, Command.PAUSE): State.PAUSED,
    (State.PAUSED, Command.RESUME): State.OPEN,
    (State.OPEN, Command.DRAIN): State.DRAINING,
    (State.PAUSED, Command.DRAIN): State.DRAINING,
    (State.OPEN, Command.CLOSE): State.CLOSED,
    (State.PAUSED, Command.CLOSE): State.CLOSED,
    (State.DRAINING, Command.CLOSE): State.CLOSED,
    (State.OPEN, Command.KILL): State.CLOSED,
    (State.PAUSED, Command.KILL): State.CLOSED,
    (State.DRAINING, Command.KILL): State.CLOSED,
}
WAY_TO = {
    State.CLOSED: [],
    State.OPEN: [Command.OPEN],
    State.PAUSED: [Command.OPEN, Command.PAUSE],
    State.DRAINING: [Command.OPEN, Command.DRAIN],
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("command", [0, *Command, 7])
def test_command(block, state, command):
    for step in WAY_TO[state]:
        assert block.command(2, step) is Fault.NONE
    block.command(2, 0)
    assert block.control(2, "REFUSED") == 1
    after = COMMANDS.get((state, command))
    assert block.command(2, command) is (Fault.BAD_VALUE if after is None else Fault.NONE)
    assert block.control(2, "STATE") == (state if after is None else after)
    assert block.control(2, "REFUSED") == (after is None)
    assert block.see("GENERATION", 2) == (state is not State.CLOSED or after is State.OPEN)


def test_close_needs_an_empty_queue(pair):
    pair.send(0, 1, 1)
    for step in (None, Command.PAUSE, Command.DRAIN):
        if step:
            pair.command(1, step)
        assert pair.command(1, Command.CLOSE) is Fault.BAD_VALUE
        assert pair.control(1, "QUEUED") == 1
    assert pair.receive(1)
    assert pair.command(1, Command.CLOSE) is Fault.NONE


def test_closing_a_sender_keeps_what_was_accepted(pair):
    pair.send(0, 1, 1)
    assert pair.command(0, Command.CLOSE) is Fault.NONE
    pair.command(0, Command.OPEN)
    assert pair.field("manager", "CREDITS", "USED", pair.see("CREDITS", 1, 0)) == 1
    assert pair.receive(1) == (0, 1, (1,))  # stamped with the generation that committed it
    assert pair.field("manager", "CREDITS", "USED", pair.see("CREDITS", 1, 0)) == 0


def test_generation_wraps_only_without_messages(pair):
    for _ in range(254):
        assert pair.command(0, Command.CLOSE) is Fault.NONE
        assert pair.command(0, Command.OPEN) is Fault.NONE
    assert pair.see("GENERATION", 0) == 255
    pair.write(0, "PEER", 1, value=1)
    assert pair.send(0, 1, 1) is Fault.NONE
    assert pair.command(0, Command.CLOSE) is Fault.NONE
    assert pair.command(0, Command.OPEN) is Fault.BAD_VALUE
    assert pair.control(0, "STATE") == State.CLOSED
    assert pair.receive(1) == (0, 255, (1,))
    assert pair.command(0, Command.OPEN) is Fault.NONE
    assert pair.see("GENERATION", 0) == 1


@pytest.mark.parametrize("stepped", [False, True])
def test_opening_gives_a_context_without_a_past(make_block, stepped):
    block = make_block(stepped_open=stepped)

    def command(vm, command):
        assert block.command(vm, command) is Fault.NONE
        while block.model.walking:
            assert block.control(vm, "STATE") == State.CLOSED
            block.model.walk()

    def connect(s, d):
        block.manage("PERMIT", d, 0, value=1 << s)
        block.manage("CREDITS", d, s, value=2)
        block.write(s, "PEER", d, value=block.see("GENERATION", d))

    for vm in (0, 1):
        command(vm, Command.OPEN)
    connect(0, 1)
    connect(1, 0)
    block.write(0, "RING", value=1)
    block.write(1, "RING", value=0)
    for register, value in (("IRQ_TEST", 31), ("IRQ_MODERATION", 5)):
        block.write(0, register, value=value)
    block.write(0, "IRQ_ENABLE", 0, value=31)
    assert block.read(0, "PENDING", 0) == 0b10
    command(0, Command.CLOSE)
    assert block.read(1, "PENDING", 0) == 0b01
    command(0, Command.OPEN)
    assert block.see("GENERATION", 0) == 2
    assert block.read(1, "PENDING", 0) == 0
    zero = ("PENDING", 0), ("IRQ_STATE",), ("IRQ_ENABLE", 0), ("IRQ_MODERATION",)
    assert [block.read(0, *register) for register in zero] == [0, 0, 0, 0]
    for s, d in ((0, 1), (1, 0)):
        assert not block.field("guest", "PEER", "ACKNOWLEDGED", block.read(s, "PEER", d))
        block.send(s, d, 1)
        assert block.result(s)[0] == Result.PEER_GONE
    # Permissions and credits stay
    assert block.see("PERMIT", 0, 0) == 0b10
    assert block.field("manager", "CREDITS", "LIMIT", block.see("CREDITS", 0, 1)) == 2


def test_steps_of_an_opening(make_block, config):
    block = make_block(config.replace(vms=2, lanes=4), stepped_open=True)
    with pytest.raises(RuntimeError, match=r"^a VM must be opening for a step of it, not none$"):
        block.model.walk()
    block.command(1, Command.OPEN)
    with pytest.raises(RuntimeError, match=r"^VM 1 must be open before another command, not opening$"):
        block.command(0, Command.OPEN)
    assert [block.model.walk() for _ in range(5)] == [False] * 4 + [True]
    assert block.model.state(1) is State.OPEN
    assert block.see("GENERATION", 1) == 1


def test_peers_learn_of_changes(block):
    block.connect(0, 1, 2)
    block.manage("PERMIT", 0, 0, value=0b0011)  # VM 1, and VM 0 itself
    steps = (Command.PAUSE, Command.RESUME, Command.DRAIN, Command.CLOSE, Command.OPEN)
    for command in steps:
        for vm in (0, 1, 2):
            if block.control(vm, "STATE"):
                block.write(vm, "IRQ_STATE", value=0xFFFF_FFFF)
        assert block.command(0, command) is Fault.NONE
        assert block.read(1, "IRQ_STATE") == PEER
        assert block.read(2, "IRQ_STATE") == 0
        if block.control(0, "STATE"):
            assert block.read(0, "IRQ_STATE") == 0


@pytest.mark.parametrize(
    ("state", "alive", "outcome"),
    [
        (State.CLOSED, 0, Result.PEER_GONE),
        (State.OPEN, 1, Result.ACCEPTED),
        (State.PAUSED, 1, Result.NO_CREDIT),
        (State.DRAINING, 0, Result.PEER_GONE),
    ],
)
def test_what_peers_see_of_a_state(pair, state, alive, outcome):
    for step in WAY_TO[state][1:] if WAY_TO[state] else [Command.CLOSE]:
        assert pair.command(1, step) is Fault.NONE
    word = pair.read(0, "PEER", 1)
    fields = ("GENERATION", "REACHABLE", "ALIVE", "ACKNOWLEDGED")
    assert [pair.field("guest", "PEER", name, word) for name in fields] == [1, 1, alive, 1]
    pair.write(0, "RING", value=1)
    pair.send(0, 1, 1)
    assert pair.result(0)[0] == outcome
    if state is not State.CLOSED:
        assert pair.read(1, "PENDING", 0) == alive
        assert pair.receive(1) is None or outcome == Result.ACCEPTED


def test_without_permission_nothing_is_seen(pair):
    assert pair.read(0, "PEER", 2) == pair.read(0, "CREDIT", 2) == 0
    assert pair.fault is Fault.NONE
    assert pair.write(0, "PEER", 2, value=0) is Fault.DENIED
    pair.manage("PERMIT", 1, 0, value=0)
    assert pair.read(0, "PEER", 1) == pair.read(0, "CREDIT", 1) == 0


@pytest.mark.parametrize("value", [0, 2, 0x101, 1 << 31 | 1])
def test_only_the_number_of_the_generation_acknowledges(block, value):
    block.connect(0)
    block.command(1, Command.OPEN)
    block.manage("PERMIT", 1, 0, value=1)
    assert block.write(0, "PEER", 1, value=value) is Fault.NONE
    assert not block.field("guest", "PEER", "ACKNOWLEDGED", block.read(0, "PEER", 1))
    assert block.write(0, "PEER", 1, value=1) is Fault.NONE
    assert block.field("guest", "PEER", "ACKNOWLEDGED", block.read(0, "PEER", 1))


def test_limits_of_credits(pair):
    assert pair.send(0, 1, 1) is Fault.NONE
    assert pair.manage("CREDITS", 1, 0, value=0) is Fault.BAD_VALUE  # one is used
    assert pair.manage("CREDITS", 1, 0, value=1) is Fault.NONE
    assert pair.manage("CREDITS", 1, 2, value=8) is Fault.BAD_VALUE  # depth is 8
    assert pair.manage("CREDITS", 1, 2, value=7) is Fault.NONE
    assert pair.manage("CREDITS", 1, 2, value=1 << 9) is Fault.BAD_VALUE  # not zero
    assert pair.manage("CREDITS", 1, 0, value=2) is Fault.BAD_VALUE
    assert pair.see("CREDITS", 1, 0) == pair.manager.CREDITS.pack(LIMIT=1, USED=1)
    assert pair.read(0, "CREDIT", 1) == pair.guest.CREDIT.pack(AVAILABLE=0, LIMIT=1)


def test_permit_ignores_bits_beyond_the_last_vm(pair):
    assert pair.manage("PERMIT", 1, 0, value=0xFFFF_FFFF) is Fault.NONE
    assert pair.see("PERMIT", 1, 0) == 0xF


def test_open_at_reset(make_block, config):
    block = make_block(config.replace(open_at_reset=True, credits=2))
    for receiver in range(4):
        assert block.control(receiver, "STATE") == State.OPEN
        assert block.see("GENERATION", receiver) == 1
        assert block.see("PERMIT", receiver, 0) == 0xF & ~(1 << receiver)
        for sender in range(4):
            limit = block.field("manager", "CREDITS", "LIMIT", block.see("CREDITS", receiver, sender))
            assert limit == 2 * (sender != receiver)
            if sender != receiver:
                assert block.send(sender, receiver, sender) is Fault.NONE
                assert block.result(sender)[0] == Result.ACCEPTED


def test_closed_at_reset(block):
    for vm in range(4):
        assert block.control(vm, "STATE") == State.CLOSED
        assert block.see("GENERATION", vm) == block.see("PERMIT", vm, 0) == block.see("CREDITS", vm, 0) == 0


# Section 6: doorbell


def test_doorbell(block):
    block.connect(0, 1, 2)
    for sender in (0, 0, 2):
        assert block.write(sender, "RING", value=1) is Fault.NONE
    assert block.read(1, "PENDING", 0) == 0b101
    assert block.read(1, "IRQ_STATE") & DOORBELL
    block.write(1, "IRQ_STATE", value=DOORBELL)
    assert block.read(1, "IRQ_STATE") & DOORBELL  # a level
    block.write(1, "PENDING", 0, value=0b001)
    assert block.read(1, "PENDING", 0) == 0b100
    block.write(1, "PENDING", 0, value=0b100)
    assert not block.read(1, "IRQ_STATE") & DOORBELL


@pytest.mark.parametrize("value", [4, 63, 1 << 6 | 1, 3])
def test_doorbell_denied(pair, value):
    assert pair.write(0, "RING", value=value) is Fault.DENIED


@pytest.mark.parametrize("state", [Command.DRAIN, Command.CLOSE])
def test_doorbell_that_does_nothing(pair, state):
    pair.command(1, state)
    assert pair.write(0, "RING", value=1) is Fault.NONE
    if state is Command.DRAIN:
        assert pair.read(1, "PENDING", 0) == 0
    pair.command(1, Command.CLOSE)
    pair.command(1, Command.OPEN)
    assert pair.write(0, "RING", value=1) is Fault.NONE  # generation not acknowledged
    assert pair.read(1, "PENDING", 0) == 0


def test_draining_sender_may_not_ring(pair):
    pair.command(0, Command.DRAIN)
    assert pair.write(0, "RING", value=1) is Fault.DENIED


# Section 7: interrupts


def resident(block, core, vm=None):
    value = 0 if vm is None else block.manager.RESIDENT.pack(VM=vm, VALID=1)
    return block.manage("RESIDENT", core, value=value)


@pytest.mark.parametrize("source", list(Interrupt)[:5])  # without blocks
def test_test_and_clear(pair, source):
    pair.write(0, "IRQ_STATE", value=0xFFFF_FFFF)
    pair.write(0, "IRQ_TEST", value=1 << source)
    assert pair.read(0, "IRQ_STATE") == 1 << source
    pair.write(0, "IRQ_STATE", value=~(1 << source) & 0xFFFF_FFFF)
    assert pair.read(0, "IRQ_STATE") == 1 << source
    pair.write(0, "IRQ_STATE", value=1 << source)
    assert pair.read(0, "IRQ_STATE") == 0
    pair.write(0, "IRQ_TEST", value=0xFFFF_FFE0)
    assert pair.read(0, "IRQ_STATE") == 0


def test_line_follows_residency_and_enable(pair):
    pair.send(0, 1, 1)
    lines = lambda: [pair.model.irq(core) for core in (0, 1)]  # noqa: E731
    assert lines() == [False, False]
    pair.write(1, "IRQ_ENABLE", 1, value=MAIL)
    assert lines() == [False, False]
    resident(pair, 0, 1)
    assert lines() == [False, False]  # enabled on core 1 only
    resident(pair, 1, 1)
    assert lines() == [False, True]
    pair.write(1, "IRQ_ENABLE", 0, value=MAIL)
    assert lines() == [True, True]
    resident(pair, 1, 0)
    assert lines() == [True, False]
    assert pair.receive(1)
    assert lines() == [False, False]


def test_residency(pair):
    assert pair.see("RESIDENT", 0) == 0
    assert resident(pair, 0, 2) is Fault.NONE
    assert pair.see("RESIDENT", 0) == pair.manager.RESIDENT.pack(VM=2, VALID=1)
    assert resident(pair, 0, 5) is Fault.BAD_VALUE
    assert pair.see("RESIDENT", 0) == pair.manager.RESIDENT.pack(VM=2, VALID=1)
    assert resident(pair, 0) is Fault.NONE
    assert pair.see("RESIDENT", 0) == 0
    assert pair.manage("RESIDENT", 0, value=pair.manager.RESIDENT.pack(VM=5)) is Fault.NONE  # valid is not set


def test_waiting(pair):
    pair.send(0, 1, 1)
    assert pair.see("WAITING", 0) == 0
    pair.write(1, "IRQ_ENABLE", 1, value=MAIL)
    assert pair.see("WAITING", 0) == 0b10
    resident(pair, 0, 1)  # anywhere, not just where it is enabled
    assert pair.see("WAITING", 0) == 0
    resident(pair, 0)
    assert pair.see("WAITING", 0) == 0b10
    assert pair.receive(1)
    assert pair.see("WAITING", 0) == 0


def test_closed_vm_does_not_wait(pair):
    pair.write(1, "IRQ_ENABLE", 0, value=PEER)
    pair.command(1, Command.CLOSE)
    pair.command(0, Command.PAUSE)  # raises PEER for VM 1, which may send to VM 0
    assert pair.see("WAITING", 0) == 0


@pytest.mark.parametrize("armed_first", [True, False])
def test_watch_fires_whatever_came_first(pair, armed_first):
    pair.write(1, "IRQ_ENABLE", 0, value=MAIL)
    steps = [lambda: pair.manage("WAIT_ARM", 0, value=0b10), lambda: pair.send(0, 1, 1)]
    for step in steps if armed_first else reversed(steps):
        assert not pair.model.manager_irq
        step()
    pair.model.tick()
    assert pair.model.manager_irq
    assert pair.see("WAIT_FIRED", 0) == 0b10
    assert pair.see("WAIT_ARM", 0) == 0  # one shot
    pair.manage("WAIT_FIRED", 0, value=0b10)
    pair.model.tick(3)
    assert not pair.model.manager_irq


def test_disarmed_watch_does_not_fire(pair):
    pair.write(1, "IRQ_ENABLE", 0, value=MAIL)
    pair.manage("WAIT_ARM", 0, value=0xFFFF_FFFF)
    assert pair.see("WAIT_ARM", 0) == 0xF
    pair.manage("WAIT_DISARM", 0, value=0b10)
    assert pair.see("WAIT_ARM", 0) == 0b1101
    pair.send(0, 1, 1)
    pair.model.tick(3)
    assert pair.see("WAIT_FIRED", 0) == 0


def test_firing_cycle_by_cycle(pair):
    """In the cycle in which a watch fires, it beats a clear and a disarming, and an arming beats it."""
    model = pair.model
    pair.write(1, "IRQ_ENABLE", 0, value=MAIL)
    pair.send(0, 1, 1)
    act = lambda name: model.write(0, None, pair.managed_at(name, 0), 0b10)  # noqa: E731
    look = lambda name: model.read(0, None, pair.managed_at(name, 0))[0]  # noqa: E731
    for during, armed in (("WAIT_FIRED", 0), ("WAIT_DISARM", 0), ("WAIT_ARM", 0b10)):
        act("WAIT_DISARM")
        model.tick(2)
        act("WAIT_FIRED")
        model.tick()
        act("WAIT_ARM")
        model.tick()
        assert (look("WAIT_ARM"), look("WAIT_FIRED")) == (0b10, 0)
        act(during)  # in the next cycle, in which it fires
        model.tick()
        assert (look("WAIT_ARM"), look("WAIT_FIRED")) == (armed, 0b10)


# Section 8: moderation


def moderate(block, count, time):
    block.write(1, "IRQ_MODERATION", value=block.guest.IRQ_MODERATION.pack(COUNT=count, TIME=time))


@pytest.mark.parametrize(("count", "messages"), [(0, 1), (1, 1), (2, 2), (3, 3)])
def test_moderation_by_count(make_block, count, messages):
    block = make_block()
    block.connect(0, 1, credits=4)
    moderate(block, count, 0)
    for sent in range(1, 4):
        block.send(0, 1, 1)
        assert bool(block.read(1, "IRQ_STATE") & MAIL) == (sent >= messages)
    assert block.read(1, "HEADER", 0)  # not held back


def test_moderation_by_time(pair):
    model = pair.model
    moderate(pair, 4, 10)
    mail = lambda: bool(model.read(0, 1, pair.at(1, "IRQ_STATE"))[0] & MAIL)  # noqa: E731
    model.write(0, 0, pair.at(0, "COMMIT", 0, 0, 0, 1), 1)  # in cycle 0; the queue is not empty from cycle 1 on
    for cycle in range(1, 30):
        model.tick()
        assert mail() == (cycle >= 11)
    model.write(0, 0, pair.at(0, "COMMIT", 0, 0, 0, 1), 1)
    model.tick(5)
    assert mail()
    model.read(0, 1, pair.at(1, "HEADER", 0))
    model.read(0, 1, pair.at(1, "POP", 0))  # restarts the timer, though a message is left
    for cycle in range(1, 30):
        model.tick()
        assert mail() == (cycle >= 11)


def test_moderation_wakes_a_watch(pair):
    moderate(pair, 4, 50)
    pair.write(1, "IRQ_ENABLE", 0, value=MAIL)
    pair.manage("WAIT_ARM", 0, value=0b10)
    pair.send(0, 1, 1)
    pair.model.tick(40)
    assert pair.see("WAIT_FIRED", 0) == 0
    pair.model.tick(40)
    assert pair.see("WAIT_FIRED", 0) == 0b10


# Section 10: resets


def test_block_reset(pair):
    fresh = type(pair)(pair.config)
    stage(pair, [0])
    pair.send(0, 1, 1)
    pair.model.read(0, None, 0)
    pair.manage("EPOCH", value=7)
    pair.manage("LOCK", value=1)
    pair.manage("TAG_VM", 0, value=0)
    resident(pair, 0, 1)
    pair.manage("WAIT_ARM", 0, value=3)
    pair.model.reset()
    for register in pair.manager.registers:
        if register.readable:
            for offset in register.offsets():
                address = pair.managed_at("EPOCH") + offset
                assert pair.model.read(0, None, address) == fresh.model.read(0, None, address), register.name
    pair.connect(0, 1)
    assert pair.receive(1) is None
    assert sends(pair, 0) == (Result.ACCEPTED, (0x999,))


def test_two_parts_of_a_write(pair):
    """A commit that has taken its lane is judged as usual, whatever empties the lane before its verdict."""
    model = pair.model
    stage(pair, [0])
    token = model.stage_write(0, 0, pair.at(0, "COMMIT", 0, 0, 1, 1), 2)
    model.reset_port(0)
    stage(pair, [0])
    assert pair.receive(1) is None
    assert model.finish_write(token) is Fault.NONE
    assert pair.receive(1) == (0, 1, (*staged(1), 2))
    assert sends(pair, 1) == (Result.ACCEPTED, (*staged(1), 0x999))


def test_commit_of_a_vm_that_was_closed_meanwhile(pair):
    model = pair.model
    token = model.stage_write(0, 0, pair.at(0, "COMMIT", 0, 0, 0, 1), 2)
    pair.command(0, Command.CLOSE)
    assert model.finish_write(token) is Fault.CLOSED
    assert pair.receive(1) is None


def test_without_manager(make_block):
    ports = tuple(Port(identity=Identity.STATIC, vm=vm) for vm in range(2))
    block = make_block(
        Config(ports=ports, vms=2, lanes=1, words=4, manager=Manager.NONE, open_at_reset=True, credits=16)
    )
    assert block.send(0, 1, 1, 2) is Fault.NONE
    assert block.receive(1) == (0, 1, (1, 2))
    assert not block.model.manager_irq
    block.write(1, "IRQ_ENABLE", 1, value=MAIL)
    block.send(0, 1, 1)
    assert block.model.irq(1)
