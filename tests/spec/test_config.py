"""Configuration: limits and their sentences, files, presets."""

import re
from pathlib import Path

import pytest

from postern_spec.config import PRESETS, Bus, Config, ConfigError, Identity, Manager, Port, load, preset

STATIC = Port(identity=Identity.STATIC)
OPEN = {"manager": Manager.NONE, "open_at_reset": True}


def says(text: str) -> str:
    return f"^{re.escape(text)}$"


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("vms", 2, 64),
        ("lanes", 1, 8),
        ("words", 1, 16),
        ("depth", 2, 256),
        ("tag_bits", 1, 16),
        ("tag_entries", 0, 64),
        ("credits", 0, 256),
        ("blocks", 0, 1024),
        ("block_quota", 0, 1024),
    ],
)
def test_range(name: str, low: int, high: int) -> None:
    wide = Config(page_stride=65536)
    for value in (low, high):
        assert getattr(wide.replace(**{name: value}), name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(ConfigError, match=says(f"{name} must be from {low} to {high}, not {value}")):
            wide.replace(**{name: value})
    for wrong in ("3", 3.0, True):
        with pytest.raises(ConfigError, match=says(f"{name} must be an integer, not {wrong!r}")):
            wide.replace(**{name: wrong})


def test_number_of_ports() -> None:
    assert len(Config(ports=(Port(),) * 16).ports) == 16
    for number in (0, 17):
        with pytest.raises(ConfigError, match=says(f"number of ports must be from 1 to 16, not {number}")):
            Config(ports=(Port(),) * number)


@pytest.mark.parametrize("name", ["", "3d", "_x", "a b", "größe", "a-b"])
def test_name(name: str) -> None:
    with pytest.raises(
        ConfigError, match=says(f"name must be a letter followed by letters, digits and underscores, not {name!r}")
    ):
        Config(name=name)


def test_page_stride() -> None:
    with pytest.raises(ConfigError, match=says("page_stride must be 4096 or 65536, not 8192")):
        Config(page_stride=8192)
    limits = {"vms": 64, "lanes": 8, "words": 16, "ports": (Port(cores=8),) * 16}
    with pytest.raises(
        ConfigError, match=r"^page_stride must be at least the \d+ bytes of the guest registers, not 4096$"
    ):
        Config(**limits)
    assert Config(**limits, page_stride=65536).cores == 128


def test_blocks() -> None:
    for size in (0, 32, 100, 8192, True):
        with pytest.raises(ConfigError, match=says(f"block_size must be a power of two from 64 to 4096, not {size!r}")):
            Config(block_size=size)
    for banks in (0, 3, 16, True):
        with pytest.raises(ConfigError, match=says(f"banks must be 1, 2, 4 or 8, not {banks!r}")):
            Config(banks=banks)
    assert Config(blocks=9, block_size=64).sram_bytes == 576
    shared = {"vms": 4, "blocks": 9, "open_at_reset": True, "credits": 0}
    assert Config(**shared, block_quota=2).block_quota == 2
    with pytest.raises(ConfigError, match=says("block_quota must be at most 2 (9 blocks shared by 4 VMs), not 3")):
        Config(**shared, block_quota=3)


def test_port_limits() -> None:
    for cores in (0, 9):
        with pytest.raises(ConfigError, match=says(f"port 1 cores must be from 1 to 8, not {cores}")):
            Config(ports=(Port(), Port(cores=cores)))
    with pytest.raises(ConfigError, match=says("port 0 vm must be from 0 to 7, not 8")):
        Config(ports=(Port(identity=Identity.STATIC, vm=8),))
    with pytest.raises(ConfigError, match=says("port 0 cores must be 1 for resident identity, not 2")):
        Config(ports=(Port(identity=Identity.RESIDENT, cores=2),))
    with pytest.raises(
        ConfigError, match=says("port 0 identity must not be resident without a manager page, not resident")
    ):
        Config(ports=(Port(identity=Identity.RESIDENT),), **OPEN)
    for wide in (16, 128, True, "64"):
        with pytest.raises(ConfigError, match=says(f"port 0 data_bits must be 32 or 64, not {wide!r}")):
            Config(ports=(Port(Bus.AXI4, data_bits=wide),))
    for bits in (0, 17):
        with pytest.raises(ConfigError, match=says(f"port 0 id_bits must be from 1 to 16, not {bits}")):
            Config(ports=(Port(Bus.AXI4, id_bits=bits),))
    for bus in (Bus.AXI4_LITE, Bus.WISHBONE, Bus.APB):
        with pytest.raises(ConfigError, match=says(f"port 0 data_bits must be 32 on {bus}, not 64")):
            Config(ports=(Port(bus, data_bits=64),))
        with pytest.raises(
            ConfigError, match=says(f"port 0 bus must carry AxCACHE where refuse_cacheable is set, not {bus}")
        ):
            Config(ports=(Port(bus, refuse_cacheable=True),))
    with pytest.raises(ConfigError, match=says("port 0 refuse_cacheable must be true or false, not 1")):
        Config(ports=(Port(Bus.AXI4, refuse_cacheable=1),))
    with pytest.raises(ConfigError, match=says("port 1 bus must carry AxPROT where manager is secure, not wishbone")):
        Config(ports=(Port(), Port(bus=Bus.WISHBONE)), manager=Manager.SECURE)


def test_manager_limits() -> None:
    with pytest.raises(ConfigError, match=says("manager_vm must be from 0 to 7, not 8")):
        Config(manager_vm=8)
    assert Config(manager=Manager.PAGE, manager_vm=8).manager_vm == 8  # ignored
    with pytest.raises(ConfigError, match=says("manager_port must be from 0 to 3, not 4")):
        Config(manager=Manager.PORT, manager_port=4)
    with pytest.raises(ConfigError, match=says("counters must be false where manager is none, not True")):
        preset("small").replace(counters=True)
    with pytest.raises(ConfigError, match=says("protection must be false where manager is none, not True")):
        preset("small").replace(protection=True)
    with pytest.raises(ConfigError, match=says("open_at_reset must be true where manager is none, not False")):
        Config(manager=Manager.NONE)


def test_credits_must_fit_the_queue() -> None:
    assert Config(open_at_reset=True, credits=2).credits == 2
    with pytest.raises(ConfigError, match=says("credits must be at most 2 (depth 16 shared by 7 senders), not 3")):
        Config(open_at_reset=True, credits=3)
    assert Config(credits=3).credits == 3  # the manager grants credits


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_survive_a_round_trip(name: str) -> None:
    made = preset(name)
    assert Config.from_dict(made.to_dict()) == made
    assert made.name == ("postern" if name == "default" else f"postern_{name}")


def test_unknown_names() -> None:
    with pytest.raises(ConfigError, match=says("preset must be one of default, small, large, not 'huge'")):
        preset("huge")
    with pytest.raises(ConfigError, match=r"^parameter must be one of banks, .*words, not wrods$"):
        Config.from_dict({"wrods": 4})
    with pytest.raises(
        ConfigError,
        match=says(
            "port parameter must be one of bus, identity, vm, cores, id_bits, data_bits, refuse_cacheable, count, "
            "not core"
        ),
    ):
        Config.from_dict({"port": [{"core": 1}]})


def test_wrong_kinds() -> None:
    with pytest.raises(ConfigError, match=says("words must be an integer, not '4'")):
        Config.from_dict({"words": "4"})
    with pytest.raises(ConfigError, match=says("moderation must be true or false, not 1")):
        Config.from_dict({"moderation": 1})
    with pytest.raises(ConfigError, match=says("name must be a text, not 3")):
        Config.from_dict({"name": 3})
    with pytest.raises(ConfigError, match=says("manager must be one of none, page, secure, vm, port, not 'root'")):
        Config.from_dict({"manager": "root"})
    with pytest.raises(ConfigError, match=says("port.bus must be one of axi4-lite, wishbone, axi4, apb, not 'ahb'")):
        Config.from_dict({"port": [{"bus": "ahb"}]})
    with pytest.raises(ConfigError, match=says("port must be a list of tables, not 3")):
        Config.from_dict({"port": 3})
    with pytest.raises(ConfigError, match=says("port.count must be from 1 to 16, not 0")):
        Config.from_dict({"port": [{"count": 0}]})


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "block.toml"
    path.write_text('preset = "small"\nwords = 8\n[[port]]\nidentity = "static"\ncount = 3\nvm = 1\n')
    made = load(path)
    assert made == preset("small").replace(words=8, ports=(Port(identity=Identity.STATIC, vm=1),) * 3)
    assert load("large") == preset("large")


def test_unreadable_files(tmp_path: Path) -> None:
    start = "configuration must be a preset (default, small, large) or a readable TOML file, not "
    absent = tmp_path / "absent.toml"
    with pytest.raises(ConfigError, match=says(f"{start}{str(absent)!r} (No such file or directory)")):
        load(absent)
    with pytest.raises(ConfigError, match=says(f"{start}{str(tmp_path)!r} (Is a directory)")):
        load(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=says(f"{start}{str(binary)!r} (not a text file)")):
        load(binary)
    broken = tmp_path / "broken.toml"
    broken.write_text("words = \n")
    with pytest.raises(ConfigError, match=rf"^configuration must be TOML, not {re.escape(repr(str(broken)))} \(.+\)$"):
        load(broken)


def test_numbering() -> None:
    c = Config(ports=(Port(cores=2), Port(identity=Identity.STATIC, vm=3, cores=4), Port()))
    assert c.cores == 7
    assert [c.core_base(port) for port in range(3)] == [0, 2, 6]
    assert c.port_vms(0) == tuple(range(8))
    assert c.port_vms(1) == (3,)
    assert c.tags == 8
    assert c.replace(tag_entries=5).tags == 5
    assert preset("small").tags == 0
    assert (c.sram_width, c.replace(ports=(Port(), Port(Bus.AXI4, data_bits=64))).sram_width) == (32, 64)
