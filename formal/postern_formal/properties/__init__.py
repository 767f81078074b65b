"""All properties, in the order in which they are listed."""

from ..property import Property
from . import (
    arbiter,
    blocks,
    bus,
    composed,
    confinement,
    credits,
    directory,
    ecc,
    faults,
    identity,
    logged,
    order,
    queue,
    recycled,
    refusal,
    slots,
    tables,
    teardown,
    timing,
)

__all__ = ["PROPERTIES", "by_name"]

MODULES = (
    identity,
    confinement,
    tables,
    refusal,
    logged,
    faults,
    queue,
    slots,
    credits,
    order,
    blocks,
    directory,
    teardown,
    recycled,
    bus,
    arbiter,
    timing,
    ecc,
    composed,
)

PROPERTIES: list[Property] = [item() for module in MODULES for item in module.PROPERTIES]


def by_name(name: str) -> Property:
    """Return the property of that name.

    Raises
    ------
    KeyError
        There is none.
    """
    return {item.name: item for item in PROPERTIES}[name]
