"""Configuration of a block: every parameter, its range and what it costs."""

import dataclasses
import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

__all__ = ["Bus", "Config", "ConfigError", "Identity", "Manager", "PRESETS", "Port", "load", "preset"]


class ConfigError(ValueError):
    """A parameter outside its limits. The text names parameter, limit and value."""


class Bus(StrEnum):
    """Bus protocol of a port."""

    AXI4_LITE = "axi4-lite"
    WISHBONE = "wishbone"
    AXI4 = "axi4"
    APB = "apb"


class Identity(StrEnum):
    """How a port learns the VM-ID of a request."""

    SIDEBAND = "sideband"  # a tag beside the address, mapped to VM-IDs by the tag table
    PAGE = "page"  # the register page that was addressed
    RESIDENT = "resident"  # the manager's register that says who runs on this core
    STATIC = "static"  # one VM, fixed at generation


class Manager(StrEnum):
    """Who may use the manager page."""

    NONE = "none"  # there is no manager page; every VM is open from reset on
    PAGE = "page"  # whoever reaches its addresses (stage 2 or PMP guards them)
    SECURE = "secure"  # secure transactions: AxPROT[1] low
    VM = "vm"  # one VM-ID
    PORT = "port"  # one port


@dataclass(frozen=True)
class Port:
    """One bus port.

    Parameters
    ----------
    bus : Bus
        ``axi4-lite``, ``wishbone`` (B4 pipelined), ``axi4`` (bursts) or ``apb`` (APB4). The first three move one word
        per cycle in each direction that they have; ``axi4`` costs an adder and a short queue per direction, about 200
        LUT4 more than the others. ``apb`` makes one access at a time, for ports that need registers and no throughput.
    identity : Identity
        Where the VM-ID of a request comes from. ``sideband`` costs a tag table (see ``tag_entries``), the others
        nothing.
    vm : int
        The VM behind a ``static`` port. Requires: below ``vms``. Ignored otherwise.
    cores : int
        Cores behind this port, 1 to 8. Each has its own interrupt line, enable register and residency register.
        Requires: 1 for ``resident``, because a port cannot tell which of its cores asks.
    id_bits : int
        Width of the IDs of an ``axi4`` port, 1 to 16. Costs that many bits in the queue of each direction. Ignored
        otherwise.
    data_bits : int
        Width of the data of an ``axi4`` port, 32 or 64. Registers have 32 bits either way; the SRAM is as wide as its
        widest port. Requires: 32 for the other buses.
    refuse_cacheable : bool
        Refuse transactions of an ``axi4`` port that ask for allocation in a cache (AxCACHE bits 3:2). Costs a few
        gates. Requires: false for the other buses, which have no AxCACHE.
    """

    bus: Bus = Bus.AXI4_LITE
    identity: Identity = Identity.SIDEBAND
    vm: int = 0
    cores: int = 1
    id_bits: int = 4
    data_bits: int = 32
    refuse_cacheable: bool = False


@dataclass(frozen=True)
class Config:
    """Every parameter of a block.

    Parameters
    ----------
    name : str
        Verilog module name. A letter, then letters, digits and underscores.
    ports : tuple of Port
        The bus ports, 1 to 16. Area grows about linearly with their number.
    vms : int
        VM-IDs, 2 to 64. Each has a queue; permissions and credits grow with the square, in LUT RAM.
    lanes : int
        Lanes of a VM, 1 to 8. Each costs one message slot per port and VM.
    words : int
        Longest message in 32-bit words, 1 to 16.
    depth : int
        Messages that the queue of one VM holds, 2 to 256.
    page_stride : int
        Bytes from one guest register page to the next, 4096 or 65536. Requires: the guest registers fit.
    manager : Manager
        Who may use the manager page: ``none``, ``page``, ``secure``, ``vm`` or ``port``. ``none`` removes the page
        and all that only it can change, and opens every VM at reset.
    manager_vm : int
        The manager's VM-ID where ``manager`` is ``vm``. Requires: below ``vms``.
    manager_port : int
        The manager's port where ``manager`` is ``port``. Requires: an index into ``ports``.
    tag_bits : int
        Width of the tag wires of ``sideband`` ports, 1 to 16.
    tag_entries : int
        Entries of the match/mask table that maps tags to VM-IDs, 1 to 64; ``0`` means one per VM.
        Costs one comparison per entry, ``sideband`` port and direction.
    open_at_reset : bool
        Every VM is open after reset and may send to every other. Requires: true where ``manager`` is ``none``.
    credits : int
        Credits of each sender at each receiver where ``open_at_reset`` is true.
        Requires: ``credits * (vms - 1)`` at most ``depth``. Ignored otherwise: the manager grants credits.
    blocks : int
        Blocks of the shared SRAM, 0 to 1024; ``0`` leaves out the SRAM and everything about blocks. Each block costs
        its memory, and a row of the tables of owners that every bank has.
    block_size : int
        Bytes of a block, a power of two from 64 to 4096. Ignored without blocks.
    banks : int
        Banks of the SRAM, 1, 2, 4 or 8; words are interleaved. As many ports as there are banks move a word per cycle
        in each direction. Each costs two arbiters and two look-ups of owners. Ignored without blocks.
    block_quota : int
        Blocks that each VM may have allocated where ``open_at_reset`` is true. Requires: ``block_quota * vms`` at most
        ``blocks``. Ignored otherwise: the manager grants quotas.
    moderation : bool
        Mail interrupts can be held back until a number of messages or a time is reached. Costs two counters per VM.
    strict : bool
        Nobody can tell by timing what a VM does that it has nothing to do with: arbitration by turns in time, and a
        pool of blocks for each VM. Turns are the default then; the manager may choose round robin. Every access waits
        for its turn, also when nobody else is there; costs two flip-flops and a choice per block. Requires: ``blocks``
        a multiple of ``vms``.
    counters : bool
        Count messages, refusals, doorbells and waits of each VM, and keep the peaks of its queue and blocks, for the
        manager. With 8 VMs it costs about 1,200 LUT4 and 100 cells of LUT RAM, but no access a cycle. Requires: a
        manager page.
    protection : bool
        Detect flipped bits: SECDED on the SRAM and the message slots, parity or complements on the state that decides
        who may do what, after an error of which no guest reaches anything until reset. Requires: a manager page.
    read_error : bool
        A refused read is answered with a bus error (SLVERR, ERR) beside its zero. Writes never are.
    request_register : bool
        Register each request before it is decoded. Adds one cycle to every access and shortens the longest path;
        small blocks reach their clock without it.
    """

    name: str = "postern"
    ports: tuple[Port, ...] = field(default_factory=lambda: (Port(),) * 4)
    vms: int = 8
    lanes: int = 2
    words: int = 16
    depth: int = 16
    page_stride: int = 4096
    manager: Manager = Manager.VM
    manager_vm: int = 0
    manager_port: int = 0
    tag_bits: int = 4
    tag_entries: int = 0
    open_at_reset: bool = False
    credits: int = 2
    blocks: int = 0
    block_size: int = 1024
    banks: int = 4
    block_quota: int = 0
    moderation: bool = False
    strict: bool = False
    counters: bool = False
    protection: bool = False
    read_error: bool = False
    request_register: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "ports", tuple(self.ports))
        _check(self)

    @property
    def tags(self) -> int:
        """Number of entries of the tag table; 0 without a ``sideband`` port."""
        if not any(port.identity is Identity.SIDEBAND for port in self.ports):
            return 0
        return self.tag_entries or self.vms

    @property
    def cores(self) -> int:
        """Number of cores behind all ports."""
        return sum(port.cores for port in self.ports)

    @property
    def sram_bytes(self) -> int:
        """Bytes of the shared SRAM; 0 without blocks."""
        return self.blocks * self.block_size

    @property
    def sram_width(self) -> int:
        """Bits of a word of the shared SRAM: as many as the widest port has."""
        return max(port.data_bits for port in self.ports)

    @property
    def own_blocks(self) -> int:
        """Blocks that each VM has for itself in a strict block: VM ``v`` those from ``v * own_blocks`` on. Else 0."""
        return self.blocks // self.vms if self.strict else 0

    @property
    def largest_quota(self) -> int:
        """Most blocks that a VM may be allowed to have allocated at a time: those of its pool in a strict block."""
        return self.own_blocks or self.blocks

    def core_base(self, port: int) -> int:
        """Index of the first core behind ``port``."""
        return sum(p.cores for p in self.ports[:port])

    def port_vms(self, port: int) -> tuple[int, ...]:
        """VM-IDs that requests through ``port`` can carry."""
        chosen = self.ports[port]
        return (chosen.vm,) if chosen.identity is Identity.STATIC else tuple(range(self.vms))

    def replace(self, **changes: Any) -> "Config":
        """Return a copy with some parameters changed, checked again."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that ``from_dict`` takes back, in the order of the parameters."""
        out: dict[str, Any] = {}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if item.name == "ports":
                out["port"] = [
                    {f.name: _plain(getattr(port, f.name)) for f in dataclasses.fields(port)} for port in value
                ]
            else:
                out[item.name] = _plain(value)
        return out

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, base: "Config | None" = None) -> "Config":
        """Build a configuration from plain values, as a difference from ``base``.

        Parameters
        ----------
        values : dict
            As in a TOML file: parameter names, and ``port``, a list of tables with the parameters of a port. A port
            table may hold ``count`` to stand for several equal ports. ``preset`` names the base.
        base : Config
            What a missing parameter is taken from.

        Raises
        ------
        ConfigError
            An unknown parameter, a wrong kind of value or a value outside its limits.
        """
        values = dict(values)
        if "preset" in values:
            base = preset(values.pop("preset"))
        changes: dict[str, Any] = {}
        known = {item.name: item for item in dataclasses.fields(cls) if item.name != "ports"}
        for name, value in values.items():
            if name == "port":
                changes["ports"] = _ports(value)
            elif name in known:
                changes[name] = _convert(name, value, known[name].type)
            else:
                raise ConfigError(
                    f"parameter must be one of {', '.join(sorted([*known, 'port', 'preset']))}, not {name}"
                )
        return dataclasses.replace(base or cls(), **changes)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, StrEnum) else value


def _convert(name: str, value: Any, kind: Any) -> Any:
    kind = getattr(kind, "__name__", kind)
    enums: dict[str, type[StrEnum]] = {"Bus": Bus, "Identity": Identity, "Manager": Manager}
    if kind in enums:
        try:
            return enums[kind](value)
        except ValueError:
            raise ConfigError(f"{name} must be one of {', '.join(enums[kind])}, not {value!r}") from None
    wanted = {"int": int, "bool": bool, "str": str}[kind]
    if type(value) is not wanted:
        words = {"int": "an integer", "bool": "true or false", "str": "a text"}[kind]
        raise ConfigError(f"{name} must be {words}, not {value!r}")
    return value


def _ports(tables: Any) -> tuple[Port, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"port must be a list of tables, not {tables!r}")
    known = {item.name: item for item in dataclasses.fields(Port)}
    ports: list[Port] = []
    for table in tables:
        table = dict(table)
        count = _convert("port.count", table.pop("count", 1), "int")
        if not 1 <= count <= 16:
            raise ConfigError(f"port.count must be from 1 to 16, not {count}")
        for name in table:
            if name not in known:
                raise ConfigError(f"port parameter must be one of {', '.join([*known, 'count'])}, not {name}")
        changes = {name: _convert(f"port.{name}", value, known[name].type) for name, value in table.items()}
        ports += [Port(**changes)] * count
    return tuple(ports)


def _between(name: str, value: int, low: int, high: int) -> None:
    if type(value) is not int:
        raise ConfigError(f"{name} must be an integer, not {value!r}")
    if not low <= value <= high:
        raise ConfigError(f"{name} must be from {low} to {high}, not {value}")


def _check(c: Config) -> None:
    if not (c.name.isascii() and c.name.isidentifier() and c.name[0].isalpha()):
        raise ConfigError(f"name must be a letter followed by letters, digits and underscores, not {c.name!r}")
    _between("number of ports", len(c.ports), 1, 16)
    _between("vms", c.vms, 2, 64)
    _between("lanes", c.lanes, 1, 8)
    _between("words", c.words, 1, 16)
    _between("depth", c.depth, 2, 256)
    if c.page_stride not in (4096, 65536):
        raise ConfigError(f"page_stride must be 4096 or 65536, not {c.page_stride}")
    _between("tag_bits", c.tag_bits, 1, 16)
    _between("tag_entries", c.tag_entries, 0, 64)
    _between("credits", c.credits, 0, 256)
    for index, port in enumerate(c.ports):
        _between(f"port {index} cores", port.cores, 1, 8)
        if port.identity is Identity.STATIC:
            _between(f"port {index} vm", port.vm, 0, c.vms - 1)
        if port.identity is Identity.RESIDENT and port.cores != 1:
            raise ConfigError(f"port {index} cores must be 1 for resident identity, not {port.cores}")
        if port.identity is Identity.RESIDENT and c.manager is Manager.NONE:
            raise ConfigError(f"port {index} identity must not be resident without a manager page, not {port.identity}")
        _between(f"port {index} id_bits", port.id_bits, 1, 16)
        if type(port.data_bits) is not int or port.data_bits not in (32, 64):
            raise ConfigError(f"port {index} data_bits must be 32 or 64, not {port.data_bits!r}")
        if port.data_bits != 32 and port.bus is not Bus.AXI4:
            raise ConfigError(f"port {index} data_bits must be 32 on {port.bus}, not {port.data_bits}")
        if type(port.refuse_cacheable) is not bool:
            raise ConfigError(f"port {index} refuse_cacheable must be true or false, not {port.refuse_cacheable!r}")
        if port.refuse_cacheable and port.bus is not Bus.AXI4:
            raise ConfigError(f"port {index} bus must carry AxCACHE where refuse_cacheable is set, not {port.bus}")
        if c.manager is Manager.SECURE and port.bus is Bus.WISHBONE:
            raise ConfigError(f"port {index} bus must carry AxPROT where manager is secure, not {port.bus}")
    if c.manager is Manager.VM:
        _between("manager_vm", c.manager_vm, 0, c.vms - 1)
    if c.manager is Manager.PORT:
        _between("manager_port", c.manager_port, 0, len(c.ports) - 1)
    if c.manager is Manager.NONE and not c.open_at_reset:
        raise ConfigError("open_at_reset must be true where manager is none, not False")
    if c.manager is Manager.NONE and c.counters:
        raise ConfigError("counters must be false where manager is none, not True")
    if c.manager is Manager.NONE and c.protection:
        raise ConfigError("protection must be false where manager is none, not True")
    if c.open_at_reset and c.credits * (c.vms - 1) > c.depth:
        raise ConfigError(
            f"credits must be at most {c.depth // (c.vms - 1)} (depth {c.depth} shared by {c.vms - 1} senders), "
            f"not {c.credits}"
        )
    _between("blocks", c.blocks, 0, 1024)
    if type(c.block_size) is not int or c.block_size not in (64, 128, 256, 512, 1024, 2048, 4096):
        raise ConfigError(f"block_size must be a power of two from 64 to 4096, not {c.block_size!r}")
    if type(c.banks) is not int or c.banks not in (1, 2, 4, 8):
        raise ConfigError(f"banks must be 1, 2, 4 or 8, not {c.banks!r}")
    _between("block_quota", c.block_quota, 0, 1024)
    if c.blocks and c.open_at_reset and c.block_quota * c.vms > c.blocks:
        raise ConfigError(
            f"block_quota must be at most {c.blocks // c.vms} ({c.blocks} blocks shared by {c.vms} VMs), "
            f"not {c.block_quota}"
        )
    if c.strict and c.blocks % c.vms:
        raise ConfigError(f"blocks must be a multiple of the {c.vms} VMs where strict is true, not {c.blocks}")
    from .regmap import guest_page  # here because the map is built from a configuration

    size = guest_page(c).size
    if size > c.page_stride:
        raise ConfigError(f"page_stride must be at least the {size} bytes of the guest registers, not {c.page_stride}")


_STATIC = tuple(Port(identity=Identity.STATIC, vm=vm) for vm in range(2))

PRESETS: dict[str, dict[str, Any]] = {
    "default": {"blocks": 64},
    "small": {
        "ports": _STATIC,
        "vms": 2,
        "lanes": 1,
        "words": 4,
        "manager": Manager.NONE,
        "open_at_reset": True,
        "credits": 16,
        "request_register": False,
    },
    "large": {
        "ports": (Port(bus=Bus.AXI4, identity=Identity.PAGE),) * 8,
        "vms": 32,
        "depth": 32,
        "page_stride": 65536,
        "manager": Manager.PAGE,
        "blocks": 256,
        "banks": 8,
        "counters": True,
    },
}
"""Presets, each as its differences from ``Config()``."""


def preset(name: str) -> Config:
    """Return the preset called ``name``.

    Raises
    ------
    ConfigError
        There is no such preset.
    """
    if name not in PRESETS:
        raise ConfigError(f"preset must be one of {', '.join(PRESETS)}, not {name!r}")
    module = "postern" if name == "default" else f"postern_{name}"
    return Config(**{"name": module, **PRESETS[name]})


def load(source: str | Path) -> Config:
    """Return the preset or the TOML file called ``source``.

    Raises
    ------
    ConfigError
        ``source`` is neither, is not TOML, or holds a bad value.
    """
    if str(source) in PRESETS:
        return preset(str(source))
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise ConfigError(
            f"configuration must be a preset ({', '.join(PRESETS)}) or a readable TOML file, "
            f"not {str(source)!r} ({reason})"
        ) from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"configuration must be TOML, not {str(source)!r} ({error})") from None
    return Config.from_dict(values)
