"""The lockstep tests and attacks on mutants: which of them does the scoreboard notice, which break a promised wait?"""

import multiprocessing
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from postern_sim.lockstep import Mismatch, Plan
from postern_sim.rtl import ProtocolError
from postern_sim.waits import alone, attack, silence
from postern_spec.config import Config
from postern_spec.sizes import longest_waits

__all__ = ["Kill", "hunt", "rush"]

_STEP = 256  # cycles between comparisons


@dataclass(frozen=True)
class Kill:
    """How a mutant was noticed.

    Parameters
    ----------
    seed, length : int
        Of the episode.
    cycle : int
        Cycles that had passed.
    why : str
        What the scoreboard said first.
    """

    seed: int
    length: int
    cycle: int
    why: str


Part = tuple[bytes, int]
"""Events, and the cycle in which they end."""


@lru_cache(maxsize=2)
def _original(config: Config, text: str, seed: int, length: int) -> tuple[Plan, list[Part]]:
    """Return an episode and what the block does in it without a mutant, which the model agrees to."""
    plan = Plan(config, seed, length)
    board = plan.board()
    parts: list[Part] = []
    with plan.start(text=text, mutant=0) as rtl:
        for events, cycle, failure in plan.run(rtl, _STEP):
            plan.check(board, events, cycle, failure)
            parts.append((events, cycle))
    return plan, parts


def _try(config: Config, text: str, mutant: int, seed: int, length: int) -> tuple[bool, Kill | None]:
    """Run an episode on a mutant. Return whether it did anything else than the original, and how that was noticed."""
    plan, parts = _original(config, text, seed, length)
    board = None
    with plan.start(text=text, mutant=mutant) as rtl:
        for number, (events, cycle, failure) in enumerate(plan.run(rtl, _STEP)):
            # As long as nothing differs the model need not be asked again.
            if board is None and failure is None and number < len(parts) and (events, cycle) == parts[number]:
                continue
            try:
                if board is None:
                    board = plan.board()
                    for part in parts[:number]:
                        plan.check(board, *part, None)
                plan.check(board, events, cycle, failure)
            except Mismatch as error:
                return True, Kill(seed, length, cycle, str(error).partition("\n")[0])
    return board is not None, None


_work: tuple[Config, str, int, int]


def _begin(*work: object) -> None:
    global _work
    _work = work  # type: ignore[assignment]


def _job(mutant: int) -> tuple[int, bool, Kill | None]:
    config, text, seed, length = _work
    return mutant, *_try(config, text, mutant, seed, length)


def hunt(
    config: Config, text: str, mutants: Sequence[int], *, seed: int, length: int, jobs: int
) -> Iterator[tuple[int, bool, Kill | None]]:
    """Run one episode on each of some mutants.

    Parameters
    ----------
    config : Config
        The block.
    text : str
        Its Verilog, as ``netlist.mutated`` returns it.
    mutants : sequence of int
        Which of them, from 1.
    seed, length : int
        Of the episode.
    jobs : int
        Processes.

    Returns
    -------
    iterator of tuple
        Of each mutant, in any order: its number, whether it did anything else than the original, and how that was
        noticed or ``None``.

    Raises
    ------
    Mismatch
        The block differs from the model without any mutant.
    """
    if not mutants:
        return
    _original(config, text, seed, length)  # before the processes are forked, so that all of them have it
    context = multiprocessing.get_context("fork")
    with context.Pool(min(jobs, len(mutants)), _begin, (config, text, seed, length)) as pool:
        yield from pool.imap_unordered(_job, mutants, chunksize=max(1, min(16, len(mutants) // (4 * jobs))))


@lru_cache(maxsize=1)
def _undisturbed(config: Config, text: str) -> tuple[list[int], Counter[str]]:
    return silence(config, text=text, mutant=0), alone(config, 0, text=text, mutant=0)


def _rush(mutant: int) -> tuple[int, str]:
    config, text, attacks, count = _work
    try:
        first, expected = _undisturbed(config, text)
        accepted = silence(config, text=text, mutant=mutant)
        if accepted != first:
            return mutant, f"the ports must be ready in cycles {first} after reset, not {accepted}"
        times = alone(config, 0, text=text, mutant=mutant)
        for what, cycles in expected.items():
            if times[what] > cycles:
                return mutant, f"{what} must take {cycles} cycles undisturbed, not {times[what]}"
        for seed in range(attacks):
            longest = attack(config, seed, count=count, text=text, mutant=mutant)
            for kind, bound in longest_waits(config).items():
                if longest[kind] > bound:
                    return mutant, f"{kind} must take up to {bound} cycles, not {longest[kind]}"
    except (ProtocolError, TimeoutError) as error:
        return mutant, str(error)
    return mutant, ""


def rush(
    config: Config, text: str, mutants: Sequence[int], *, attacks: int, count: int, jobs: int
) -> Iterator[tuple[int, str]]:
    """Let one port of each of some mutants work undisturbed, then attack it from all ports at once.

    Parameters
    ----------
    config, text, mutants, jobs
        As ``hunt`` takes them.
    attacks, count : int
        How many, and of how many accesses at each port.

    Returns
    -------
    iterator of tuple
        Of each mutant, in any order: its number, and which wait was longer than it is without a mutant or than is
        promised, or an empty text.

    Raises
    ------
    Mismatch
        A wait is longer without any mutant.
    """
    if not mutants:
        return
    context = multiprocessing.get_context("fork")
    with context.Pool(min(jobs, len(mutants)), _begin, (config, text, attacks, count)) as pool:
        if why := pool.apply(_rush, (0,))[1]:
            raise Mismatch(why)
        yield from pool.imap_unordered(_rush, mutants)
