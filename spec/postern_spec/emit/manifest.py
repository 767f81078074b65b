"""``manifest.json``: what other tools need to know of a generated block. ``docs/manifest.schema.json`` describes it."""

import json
from typing import Any

from ..config import Config, Manager
from ..pins import pins, port_pins, port_prefix
from ..regmap import VERSION, address_map
from .common import digest, pages, windows

__all__ = ["SCHEMA", "build", "emit"]

SCHEMA = 1
"""Version of the format. A new one may rename or remove; additions keep the number."""


def build(c: Config, files: dict[str, str]) -> dict[str, Any]:
    """Return the manifest as plain values.

    Parameters
    ----------
    c : Config
        What was generated.
    files : dict
        Name of each generated file, by what it is.
    """
    resets: list[dict[str, Any]] = [
        {"pin": "rst", "scope": "block", "port": None, "active": "high", "synchronous_to": "clk"}
    ]
    resets += [
        {"pin": pin.name, "scope": "port", "port": pin.port, "active": "high", "synchronous_to": "clk"}
        for pin in pins(c)
        if pin.port is not None and pin.signal == "rst"
    ]
    interrupts: list[dict[str, Any]] = [
        {"pin": "irq", "bit": core, "for": "core", "port": index, "core": core}
        for index, port in enumerate(c.ports)
        for core in range(c.core_base(index), c.core_base(index) + port.cores)
    ]
    if c.manager is not Manager.NONE:
        interrupts.append({"pin": "manager_irq", "bit": 0, "for": "manager", "port": None, "core": None})
    ports = []
    for index, port in enumerate(c.ports):
        ports.append(
            {
                "index": index,
                "bus": str(port.bus),
                "prefix": port_prefix(c, index),
                "pins": [pin.name for pin in port_pins(c, index)],
                "data_bits": port.data_bits,
                "address_bits": address_map(c, index).bits,
                "identity": str(port.identity),
                "vms": list(c.port_vms(index)),
                "cores": list(range(c.core_base(index), c.core_base(index) + port.cores)),
                "address_map": [
                    {"page": page, "vm": vm, "base": base, "size": size} for page, vm, base, size in windows(c, index)
                ],
            }
        )
    return {
        "schema": SCHEMA,
        "module": c.name,
        "register_map_version": f"{VERSION >> 16}.{VERSION & 0xFFFF}",
        "configuration_sha256": digest(c),
        "configuration": c.to_dict(),
        "files": files,
        "clock": {"pin": "clk", "edge": "rising"},
        "resets": resets,
        "interrupts": interrupts,
        "pins": [
            {"name": pin.name, "direction": pin.direction, "width": pin.width, "role": pin.role, "port": pin.port}
            for pin in pins(c)
        ],
        "ports": ports,
        "sram": {
            "size": c.sram_bytes,
            "blocks": c.blocks,
            "block_size": c.block_size,
            "banks": c.banks,
        }
        if c.blocks
        else None,
        "pages": [{"name": page.name, "size": page.size} for page in pages(c)],
    }


def emit(c: Config, files: dict[str, str]) -> str:
    """Return ``manifest.json``."""
    return json.dumps(build(c, files), indent=2) + "\n"
