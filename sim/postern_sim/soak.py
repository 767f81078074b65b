"""Soak: random lockstep episodes over many configurations.

python -m postern_sim.soak --cycles 1000000
python -m postern_sim.soak --config small --seed 7 --episodes 1    what a mismatch asks for
"""

from collections.abc import Iterator

from postern_spec.config import Bus, Config, Identity, Manager, Port, load, preset

from .lockstep import Episode, Mismatch, run_episode

__all__ = ["CONFIGURATIONS"]

_SIDEBAND = Port()
_PAGE = Port(identity=Identity.PAGE)
_RESIDENT = Port(identity=Identity.RESIDENT)
_WISHBONE = Port(bus=Bus.WISHBONE)


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
            name="secure", ports=(_SIDEBAND, _PAGE), manager=Manager.SECURE, vms=6, lanes=3, words=3, depth=7, tag_bits=3,
            tag_entries=9, moderation=True,
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
            name="wide", ports=(_SIDEBAND, Port(identity=Identity.PAGE, cores=8)), vms=40, lanes=1, words=2, depth=3,
            tag_bits=7, page_stride=4096, manager=Manager.VM, manager_vm=35,
        ),
        "ports": base.replace(name="ports", ports=(_SIDEBAND,) * 6 + (_WISHBONE,), vms=7, lanes=1, words=2, depth=12),
    }  # fmt: skip


CONFIGURATIONS = _configurations()
"""What a soak runs over, by name."""


def _name(config: Config) -> str:
    return next(name for name, other in CONFIGURATIONS.items() if other == config)


def _jobs(names: list[str], first: int, episodes: int | None) -> Iterator[tuple[str, int]]:
    seed = first
    while episodes is None or seed < first + episodes:
        for name in names:
            yield name, seed
        seed += 1


def _run(name: str, seed: int) -> tuple[str, Episode]:
    config = CONFIGURATIONS[name] if name in CONFIGURATIONS else load(name)
    try:
        return name, run_episode(config, seed)
    except Mismatch as error:
        command = f"python -m postern_sim.soak --config {name} --seed {seed} --episodes 1"
        raise Mismatch(f"{name}, seed {seed}: {error}\nagain: {command}") from None
