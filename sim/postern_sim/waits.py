"""Attacks that come near to the longest waits that are published, and undisturbed accesses."""

import random
from collections import Counter

from postern_spec.config import Config, Manager
from postern_spec.regmap import Command, address_map, guest_page, manager_page
from postern_spec.sizes import longest_waits, write_cycles

from .rtl import Request, Rtl, State

__all__ = ["alone", "attack", "silence"]

_READS = ("payload read", "other read")


def _request(c: Config, kind: str, port: int, chance: random.Random) -> Request:
    """Return one access of a kind; all ports want the same bank."""
    page, lane = guest_page(c), chance.randrange(c.lanes)
    if kind == "staged word":
        return Request(page.STAGE.at(lane, 0), 1, True, tag=port)
    if kind == "commit":
        return Request(page.COMMIT.at(lane, 0, 0, (port + 1) % len(c.ports)), 1, True, tag=port)
    if kind == "other write":
        if write_cycles(c) > 3 and chance.random() < 0.8:  # a commit with a block takes longest, whatever comes of it
            return Request(page.COMMIT.at(lane, 1, 0, (port + 1) % len(c.ports)), 1, True, tag=port)
        return Request(page.ACK.at(lane), 1, True, tag=port)
    if kind == "payload read":
        return Request(chance.choice([page.WORD.at(0), page.POP.at(lane)]), tag=port)
    return Request(chance.choice([page.HEADER.at(lane), page.RESULT.at(lane)]), tag=port)


def _open(c: Config, rtl: Rtl) -> None:
    """Open the VM of every port, where a VM behind the first port is the manager."""
    base = address_map(c, 0).manager_base
    if c.open_at_reset or c.manager is not Manager.VM or base is None:
        return
    page = manager_page(c)
    for vm in range(len(c.ports)):
        rtl.write(0, base + page.CONTROL.at(vm), Command.OPEN, tag=c.manager_vm)
    rtl.read(0, base + page.DRAIN.at(), tag=c.manager_vm)  # waits until the last one is open


def attack(
    c: Config, seed: int, *, count: int = 200, text: str | None = None, mutant: int | None = None
) -> Counter[str]:
    """Let every port issue as fast as it can, each with a mixture of its own.

    Parameters
    ----------
    c : Config
        The block.
    seed : int
        Of the mixtures.
    count : int
        Accesses of each port.
    text, mutant
        As ``Rtl`` takes them.

    Returns
    -------
    Counter
        The longest time of each kind in cycles; of accesses that were not answered at all, all cycles of the attack.

    Raises
    ------
    ProtocolError
        The hardware broke a bus rule.
    TimeoutError
        A VM could not be opened.
    """
    chance = random.Random(seed)
    kinds: list[list[str]] = []
    with Rtl(c, probe=mutant is not None, text=text, mutant=mutant) as rtl:
        rtl.step(100)
        _open(c, rtl)
        before = len(rtl.done(0))
        for port in range(len(c.ports)):
            mixture = [chance.choice([0, 1, 1, 3, 8]) for _ in longest_waits(c)]
            kinds.append(chance.choices(list(longest_waits(c)), mixture if any(mixture) else None, k=count))
            rtl.issue(port, [_request(c, kind, port, chance) for kind in kinds[-1]])
        rtl.run(1000 * count)
        longest: Counter[str] = Counter()
        for port, names in enumerate(kinds):
            accepted: dict[bool, int] = {}
            for kind, done in zip(names, rtl.done(port)[0 if port else before :], strict=True):
                # The queue of the master is full: without request register a request is offered in the cycle after the
                # one before it in its direction was accepted.
                reads = kind in _READS
                start = done.accepted if c.request_register else accepted.get(reads, done.accepted - 1) + 1
                accepted[reads] = done.accepted
                end = done.answered if done.state == State.ANSWERED else rtl.cycle
                longest[kind] = max(longest[kind], end - start)
    return longest


def _messages(c: Config, port: int, count: int) -> list[Request]:
    """Return writes of whole messages to the next VM, of all lengths."""
    page, receiver, out = guest_page(c), (port + 1) % len(c.ports), []
    while len(out) < count:
        for words in range(1, c.words + 1):
            out += [Request(page.STAGE.at(0, word), 1, True, tag=port) for word in range(words - 1)]
            out.append(Request(page.COMMIT.at(0, 0, int(words > 1), receiver), 1, True, tag=port))
    return out


def alone(c: Config, seed: int, *, count: int = 60, text: str | None = None, mutant: int | None = None) -> Counter[str]:
    """Let one port after the other do what nobody disturbs: accesses one by one, then as fast as it can.

    Parameters, and what is raised, as of ``attack``.

    Returns
    -------
    Counter
        The longest time of each kind of access that was alone, and the time of each stream, in cycles.
    """
    chance = random.Random(seed)
    times: Counter[str] = Counter()
    with Rtl(c, probe=mutant is not None, text=text, mutant=mutant) as rtl:
        rtl.step(100)
        _open(c, rtl)
        for port in range(len(c.ports)):
            before = len(rtl.done(port))
            kinds = chance.choices(list(longest_waits(c)), k=count)
            rtl.issue(port, [_request(c, kind, port, chance)._replace(fence=True) for kind in kinds])
            rtl.run(1000 * count)
            for kind, done in zip(kinds, rtl.done(port)[before:], strict=True):
                end = done.answered if done.state == State.ANSWERED else rtl.cycle
                times[kind] = max(times[kind], end - done.accepted)
            for name, mixture in [(kind, [kind]) for kind in longest_waits(c)] + [("anything", list(longest_waits(c)))]:
                rtl.issue(port, [_request(c, kind, port, chance) for kind in chance.choices(mixture, k=count)])
                times[f"{count} of {name} at port {port}"] = rtl.run(1000 * count)
            rtl.issue(port, _messages(c, port, count))
            times[f"messages from port {port}"] = rtl.run(1000 * count)
    return times


def silence(c: Config, *, text: str | None = None, mutant: int | None = None) -> list[int]:
    """Return of each port the cycle in which it accepts a first read, all of them waiting since the block reset."""
    with Rtl(c, probe=mutant is not None, text=text, mutant=mutant) as rtl:
        for port in range(len(c.ports)):
            rtl.issue(port, [Request(guest_page(c).HEADER.at(0), tag=port)])
        rtl.run(10_000)
        return [rtl.done(port)[0].accepted for port in range(len(c.ports))]
