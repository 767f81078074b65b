"""Words for people."""

__all__ = ["counted"]


def counted(number: int, thing: str) -> str:
    """Return a number with its thing: ``1 port``, ``2 ports``, ``5 accesses``."""
    return f"{number} {thing}" + ("" if number == 1 else "es" if thing.endswith("s") else "s")
