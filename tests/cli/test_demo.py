"""The demonstration: on any configuration, and on the hardware."""

import re
from pathlib import Path

import pytest

from postern_cli.demo import cast, run, signal_list
from postern_cli.errors import CommandError
from postern_spec.config import PRESETS, Bus, Config, Identity, Manager, Port, load, preset
from postern_spec.regmap import address_map

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))

ODD = {
    "everybody_open": {"preset": "default", "open_at_reset": True},
    "secure": {"preset": "default", "manager": "secure"},
    "own_port": {"preset": "default", "manager": "port", "manager_port": 3},
    "one_word": {"preset": "default", "words": 1, "lanes": 1, "depth": 2},
    "two_vms": {"preset": "default", "vms": 2, "manager_vm": 1, "port": [{"count": 2}]},
    "one_port": {"preset": "default", "port": [{"cores": 2}]},
    "without_manager": {"preset": "default", "manager": "none", "open_at_reset": True},
    "blocks": {"preset": "default", "blocks": 6, "block_size": 128},
    "blocks_two_vms": {
        "preset": "default",
        "vms": 2,
        "manager_vm": 1,
        "port": [{"count": 2}],
        "blocks": 9,
        "banks": 1,
        "read_error": False,
    },
    "blocks_without_quota": {
        "preset": "default",
        "manager": "none",
        "open_at_reset": True,
        "blocks": 8,
        "words": 1,
        "lanes": 1,
    },
    "blocks_by_page": {"preset": "large", "blocks": 16, "block_size": 64},
    "many_vms": {"preset": "default", "vms": 40, "tag_bits": 6, "page_stride": 65536, "read_error": True},
}


def toml(values: dict[str, object]) -> str:
    lines = [f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}"
             for name, value in values.items() if name != "port"]  # fmt: skip
    for table in values.get("port", []):
        lines += ["[[port]]", *(f"{name} = {value!r}" for name, value in table.items())]
    return "\n".join(lines)


def check(text: str, c: Config) -> None:
    """What must be in any run, whatever the configuration."""
    assert "\x1b" not in text, "colours are for terminals"
    tried, refused = map(int, re.search(r"^  (\d+) attempts, (\d+) refused\.$", text, re.M).groups())
    assert tried == refused >= 5
    for result in ("DENIED", "TORN", "NO_CREDIT"):
        assert re.search(rf"^ *\d* +{result}, \d+ accepted before$", text, re.M), result
    assert ("They hand over memory" in text) == (c.blocks > 0)
    assert ("bytes as they were sent" in text) == (c.blocks > 0 and c.manager is not Manager.NONE)
    if c.manager is not Manager.NONE:
        log = text.split("The manager reads the fault log")[1]
        assert re.search(r"write of 0x[0-9A-F]+ \(guest SELF\) through port \d+, DIRECTION", log)
        if "reaches for the manager page" in text:
            assert re.search(r"read of 0x[0-9A-F]+ \(manager CONTROL\) through port \d+, NOT_MANAGER", log)
    assert "What to do next" in text


@pytest.mark.parametrize("source", [*sorted(PRESETS), *EXAMPLES], ids=lambda item: Path(item).stem)
def test_on_the_model(capsys: pytest.CaptureFixture[str], source: str | Path) -> None:
    assert run(str(source), model=True) == 0
    check(capsys.readouterr().out, load(source))


@pytest.mark.parametrize("name", sorted(ODD))
def test_odd_configurations_on_the_model(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.toml"
    path.write_text(toml(ODD[name]))
    assert run(str(path), model=True) == 0
    check(capsys.readouterr().out, load(path))


def test_a_seat_is_one_that_the_identity_gives() -> None:
    for c in (preset("default"), preset("large"), preset("small"), *(load(path) for path in EXAMPLES)):
        seats = cast(c)
        assert len(seats) == min(3, c.vms)
        assert len({seat.vm for seat in seats}) == len(seats)
        if len(c.ports) >= len(seats):
            assert len({seat.port for seat in seats}) == len(seats)
        for seat in seats:
            port = c.ports[seat.port]
            assert seat.vm in c.port_vms(seat.port)
            assert seat.base == address_map(c, seat.port).guest(seat.vm)
            assert seat.tag == (seat.vm if port.identity is Identity.SIDEBAND else 0)
            assert 0 <= seat.core - c.core_base(seat.port) < port.cores
    guests = [seat.vm for seat in cast(preset("default"))]
    assert preset("default").manager_vm not in guests


def test_nobody_to_demonstrate_with(tmp_path: Path) -> None:
    path = tmp_path / "lonely.toml"
    path.write_text('name = "lonely"\nmanager = "page"\n[[port]]\nidentity = "static"\n')
    with pytest.raises(
        CommandError, match=r"^VMs that reach a port of lonely must be at least 2 to demonstrate, not 1$"
    ):
        run(str(path), model=True)


def test_the_signal_list_names_pins() -> None:
    c = Config(ports=(Port(), Port(Bus.WISHBONE)))
    lines = signal_list(c, "demo.vcd", [1]).splitlines()
    assert lines[0] == '[dumpfile] "demo.vcd"'
    assert "postern.clk" in lines
    assert "postern.irq[1:0]" in lines
    assert "postern.s1_wb_adr[10:0]" in lines
    assert not any("s0_" in line for line in lines)


@pytest.mark.sim
@pytest.mark.parametrize("source", ["default", *EXAMPLES], ids=lambda item: Path(item).stem)
def test_on_the_hardware(capsys: pytest.CaptureFixture[str], source: str | Path) -> None:
    c = load(source)
    assert run(str(source)) == 0
    text = capsys.readouterr().out
    check(text, c)
    cycles = [int(number) for number in re.findall(r"^ {0,6}(\d+)  (?:VM|manager)", text, re.M)]
    assert len(cycles) > 20
    assert cycles == sorted(cycles)
    figures = {
        what: int(number) for number, what in re.findall(r"^ +(\d+)  (send|last write|a read|receive)", text, re.M)
    }
    assert sorted(figures) == ["a read", "last write", "receive", "send"]
    assert all(0 < number < 20 for number in figures.values())
    # As the functional model says, cycles apart.
    run(str(source), model=True)
    model = capsys.readouterr().out

    def story(shown: str) -> list[str]:
        lines = re.findall(r"^ *\d* +((?:VM \d+|manager|  ) .*)$", shown, re.M)
        return [line for line in lines if line.strip()]

    played = [line for line in story(text) if line in story(model)]
    assert len(played) > 25
    assert story(model) == played


@pytest.mark.sim
def test_the_waveform_has_the_signals_of_the_list(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    wave = tmp_path / "new" / "demo.vcd"
    assert run("small", wave=str(wave)) == 0
    assert f"gtkwave {wave.with_suffix('.gtkw')}" in capsys.readouterr().out
    scopes: list[str] = []
    names = set()
    with wave.open() as file:
        for line in file:
            words = line.split()
            if words[:1] == ["$scope"]:
                scopes.append(words[2])
            elif words[:1] == ["$upscope"]:
                scopes.pop()
            elif words[:1] == ["$var"]:
                names.add(".".join([*scopes, "".join(words[4:-1])]))
            elif words[:1] == ["$enddefinitions"]:
                break
        assert any(line.startswith("#") for line in file), "time must pass"
    listed = [line for line in wave.with_suffix(".gtkw").read_text().splitlines() if line[0] not in "[@-"]
    assert len(listed) > 40
    assert names.issuperset(listed)
