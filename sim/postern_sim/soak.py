"""Soak: random lockstep episodes over many configurations.

python -m postern_sim.soak --cycles 1000000
python -m postern_sim.soak --config small --seed 7 --episodes 1    what a mismatch asks for
"""

import argparse
import itertools
import os
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from postern_spec.config import Bus, Config, ConfigError, Identity, Manager, Port, load, preset

from . import build
from .lockstep import Episode, Mismatch, run_episode

__all__ = ["CONFIGURATIONS", "main", "soak"]

_SIDEBAND = Port()
_PAGE = Port(identity=Identity.PAGE)
_RESIDENT = Port(identity=Identity.RESIDENT)
_WISHBONE = Port(bus=Bus.WISHBONE)
_AXI4 = Port(bus=Bus.AXI4, id_bits=6, refuse_cacheable=True)


def _static(vm: int, bus: Bus = Bus.AXI4_LITE, cores: int = 1) -> Port:
    return Port(bus=bus, identity=Identity.STATIC, vm=vm, cores=cores)


def _configurations() -> dict[str, Config]:
    small = preset("small")
    base = Config(ports=(_SIDEBAND, _SIDEBAND), vms=3, lanes=2, words=4, depth=8)
    return {
        "small": small,
        "default": preset("default"),
        # Each of these differs from the others in several parameters; together they vary every one.
        "mixed": base.replace(
            name="mixed", ports=(_SIDEBAND, _WISHBONE, _PAGE, _RESIDENT, _static(2)), vms=5, depth=5, read_error=True
        ),
        "wishbone": base.replace(
            name="wishbone", ports=(_WISHBONE, Port(bus=Bus.WISHBONE, identity=Identity.PAGE)), request_register=False,
            manager=Manager.PAGE, read_error=True,
        ),
        "page": base.replace(
            name="page", ports=(Port(identity=Identity.PAGE, cores=4),), vms=4, manager=Manager.PAGE, page_stride=65536,
            words=16, moderation=True,
        ),
        "resident": base.replace(
            name="resident", ports=(_RESIDENT, _RESIDENT, _static(0)), vms=4, manager=Manager.PORT, manager_port=2,
            words=8, depth=16, moderation=True, request_register=False,
        ),
        "secure": base.replace(
            name="secure", ports=(_SIDEBAND, _PAGE), manager=Manager.SECURE, vms=6, lanes=3, words=3, depth=7,
            tag_bits=3, tag_entries=9, moderation=True, counters=True,
        ),
        "bursts": base.replace(
            name="bursts", vms=4, words=6, depth=6, read_error=True,
            ports=(_AXI4, Port(Bus.AXI4, Identity.PAGE, data_bits=64, id_bits=9), Port(Bus.AXI4, Identity.RESIDENT)),
        ),
        "apb": base.replace(
            name="apb", vms=4, words=5, depth=9, read_error=True, tag_bits=7, tag_entries=5, manager=Manager.SECURE,
            request_register=False, moderation=True,
            ports=(Port(Bus.APB), _static(1, Bus.APB), Port(Bus.AXI4, data_bits=64, id_bits=1), _static(0)),
        ),
        "tiny": small.replace(name="tiny", words=1, depth=2, credits=1),
        "open": base.replace(
            name="open", ports=(_SIDEBAND,) * 3, manager=Manager.NONE, open_at_reset=True, credits=3, lanes=1, words=16,
            depth=6, tag_bits=6, tag_entries=2, read_error=True,
        ),
        "half": base.replace(
            name="half", ports=(_static(1), _static(0, Bus.WISHBONE, cores=2), _SIDEBAND), vms=2, lanes=8, words=5,
            depth=256, open_at_reset=True, credits=128, request_register=False,
        ),
        "wide": base.replace(
            name="wide", ports=(Port(identity=Identity.PAGE, cores=8), Port(cores=3)), vms=33, lanes=1, words=1,
            depth=2, page_stride=65536, tag_bits=7, tag_entries=5, manager_vm=3, counters=True,
        ),
        # With blocks: few small ones, so that VMs meet in them.
        "blocks": base.replace(
            name="blocks", ports=(_SIDEBAND, _SIDEBAND, _SIDEBAND), vms=3, blocks=4, block_size=64, banks=2,
            counters=True,
        ),
        "banks": base.replace(
            name="banks", ports=(_SIDEBAND, _PAGE, _WISHBONE, _RESIDENT), vms=4, lanes=1, blocks=7, block_size=128,
            banks=8, manager=Manager.PAGE, page_stride=4096, open_at_reset=True, credits=2, block_quota=1,
            read_error=True, moderation=True,
        ),
        "doubles": base.replace(
            name="doubles", ports=(Port(Bus.AXI4, Identity.PAGE, data_bits=64, id_bits=3), _AXI4, _SIDEBAND), vms=3,
            words=2, blocks=6, block_size=64, banks=4, read_error=True, page_stride=4096,
        ),
        "guarded": base.replace(
            name="guarded", ports=(_SIDEBAND, _AXI4, _RESIDENT), vms=3, lanes=1, blocks=5, block_size=64, banks=2,
            tag_bits=3, protection=True,
        ),
        "quota": base.replace(
            name="quota", ports=(_static(0), _static(1), _static(1, Bus.WISHBONE)), vms=2, words=2, depth=4,
            manager=Manager.NONE, open_at_reset=True, credits=4, blocks=5, block_size=64, banks=1, block_quota=2,
            request_register=False,
        ),
        "turns": base.replace(
            name="turns", ports=(_SIDEBAND, _SIDEBAND, _PAGE), vms=3, blocks=6, block_size=64, banks=2, strict=True,
            manager=Manager.PAGE, page_stride=4096,
        ),
        "pools": base.replace(
            name="pools", ports=(_static(0), _static(1), _AXI4), vms=2, words=5, depth=4, manager=Manager.NONE,
            open_at_reset=True, credits=4, blocks=4, block_size=64, banks=4, block_quota=2, request_register=False,
            strict=True,
        ),
        "ports": base.replace(
            name="ports", ports=(_SIDEBAND,) * 3 + (_WISHBONE,) + (_static(1),) * 2, lanes=1, words=2, depth=12
        ),
    }  # fmt: skip


CONFIGURATIONS = _configurations()
"""What a soak runs over, by name."""


def _run(source: str, config: Config, seed: int) -> tuple[str, Episode]:
    try:
        return source, run_episode(config, seed)
    except Mismatch as error:
        command = f"python -m postern_sim.soak --config {source} --seed {seed} --episodes 1"
        raise Mismatch(f"{source}, seed {seed}: {error}\nagain: {command}") from None


class _Progress:
    """Adds up the episodes and says how far it is."""

    def __init__(self, goal: int | None):
        self.goal = goal
        self.start = self.said = time.monotonic()
        self.total = Episode()
        self.cycles: dict[str, int] = {}

    def add(self, name: str, episode: Episode) -> None:
        self.total.add(episode)
        self.cycles[name] = self.cycles.get(name, 0) + episode.cycles
        if time.monotonic() - self.said > 5:
            self.said = time.monotonic()
            goal = f" of {self.goal:,}" if self.goal else ""
            print(f"soak: {self.total.cycles:,}{goal} cycles compared, {self.rate():,.0f} per second", flush=True)

    def rate(self) -> float:
        return self.total.cycles / (time.monotonic() - self.start)

    @property
    def complete(self) -> bool:
        return self.goal is not None and self.total.cycles >= self.goal

    def summary(self) -> str:
        lines = ["outcomes seen:"]
        lines += [f"  {count:12,} {name}" for name, count in sorted(self.total.coverage.items())]
        lines += ["cycles compared:"]
        lines += [f"  {cycles:12,} {name}" for name, cycles in self.cycles.items()]
        lines += [
            f"soak: {self.total.cycles:,} cycles compared on {len(self.cycles)} configurations, "
            f"{self.total.accesses:,} accesses, {self.rate():,.0f} cycles per second, no difference"
        ]
        return "\n".join(lines)


def soak(sources: list[str], *, seed: int, cycles: int | None, episodes: int | None, jobs: int) -> _Progress:
    """Run episodes on the configurations in turn until there are enough cycles or episodes.

    Raises
    ------
    Mismatch
        RTL and model differ; the text says how to see it again.
    """
    configs = {name: CONFIGURATIONS[name] if name in CONFIGURATIONS else load(name) for name in sources}
    for config in configs.values():
        build.library(config, probe=True)
    rounds = range(seed, seed + episodes) if episodes is not None else itertools.count(seed)
    work = ((name, configs[name], number) for number in rounds for name in sources)
    progress = _Progress(cycles)
    if jobs == 1:
        for job in work:
            progress.add(*_run(*job))
            if progress.complete:
                break
        return progress
    with ProcessPoolExecutor(jobs) as pool:
        running: set[Future[tuple[str, Episode]]] = set()
        try:
            while True:
                while not progress.complete and len(running) < 2 * jobs and (following := next(work, None)):
                    running.add(pool.submit(_run, *following))
                if not running:
                    return progress
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    progress.add(*future.result())
        finally:
            for future in running:
                future.cancel()


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m postern_sim.soak", description="Random lockstep of RTL and model.")
    parser.add_argument("--cycles", type=int, help="stop after so many compared cycles (1,000,000)")
    parser.add_argument("--episodes", type=int, help="stop after so many episodes of each configuration")
    parser.add_argument("--seed", type=int, default=1, help="of the first episode; each gets the next number")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument(
        "--config",
        action="append",
        help=f"{', '.join(CONFIGURATIONS)}, or a TOML file; may be repeated",
    )
    options = parser.parse_args(arguments)
    cycles = 1_000_000 if options.cycles is None and options.episodes is None else options.cycles
    try:
        progress = soak(
            options.config or list(CONFIGURATIONS),
            seed=options.seed,
            cycles=cycles,
            episodes=options.episodes,
            jobs=options.jobs or 1,
        )
    except (ConfigError, build.BuildError, Mismatch) as error:
        print(error, file=sys.stderr)
        return 1
    print(progress.summary())
    return 0


if __name__ == "__main__":
    sys.exit(main())
