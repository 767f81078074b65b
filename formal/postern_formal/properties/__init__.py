"""All properties, in the order in which they are listed."""

from ..property import Property
from . import arbiter, blocks, bus, queue

__all__ = ["PROPERTIES", "by_name"]

PROPERTIES: list[Property] = [item() for module in (arbiter, bus, queue, blocks) for item in module.PROPERTIES]


def by_name(name: str) -> Property:
    """Return the property of that name.

    Raises
    ------
    KeyError
        There is none.
    """
    return {item.name: item for item in PROPERTIES}[name]
