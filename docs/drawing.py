"""A little SVG: what the pictures of the documentation are drawn with. Standard library only, same bytes on every run.

Pictures have a light card of their own behind them, so that they read on a dark page as well.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

__all__ = ["ACCENT", "BLUE", "GREEN", "GREY", "INK", "IMAGES", "MUTED", "SAND", "Svg", "main"]

IMAGES = Path(__file__).with_name("images")

PAPER, INK, MUTED, GREY = "#fcfcfa", "#1f2a33", "#66727c", "#e9ecee"
BLUE, GREEN, SAND, ACCENT = "#d9e7f5", "#dcefdc", "#f6ead2", "#b4472e"
SANS, MONO = "Helvetica, Arial, sans-serif", "Menlo, Consolas, DejaVu Sans Mono, monospace"


class Svg:
    """A picture that grows by one shape per call.

    Parameters
    ----------
    width, height : int
        In pixels.
    title : str
        What it shows, for those who cannot see it.
    """

    def __init__(self, width: int, height: int, title: str):
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">\n<title>{escape(title)}</title>'
        )
        self._shapes: list[str] = []
        self.rect(0.5, 0.5, width - 1, height - 1, fill=PAPER, stroke="#d5dade", radius=8)

    def rect(self, x, y, width, height, *, fill=GREY, stroke=INK, radius=4, dashed=False):
        """Draw a rectangle."""
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self._shapes.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}" '
            f'fill="{fill}" stroke="{stroke}"{dash}/>'
        )

    def text(self, x, y, text, *, size=13, anchor="middle", fill=INK, mono=False, bold=False):
        """Write a line of text; ``y`` is its baseline."""
        weight = ' font-weight="bold"' if bold else ""
        self._shapes.append(
            f'<text x="{x}" y="{y}" font-family="{MONO if mono else SANS}" font-size="{size}" '
            f'text-anchor="{anchor}" fill="{fill}"{weight}>{escape(text)}</text>'
        )

    def box(self, x, y, width, height, lines, *, fill=GREY, dashed=False):
        """Draw a box: its first line is a name, the others explain."""
        self.rect(x, y, width, height, fill=fill, dashed=dashed)
        top = y + height / 2 - 8 * (len(lines) - 1) + 4
        for i, line in enumerate(lines):
            self.text(x + width / 2, top + 16 * i, line, size=12 if i else 13, bold=not i, fill=MUTED if i else INK)

    def path(self, points, *, stroke=INK, width=1.2, arrow=False, dashed=False, fill="none"):
        """Draw a line through points, with a head at its end where ``arrow`` says so."""
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        line = " ".join(f"{'L' if i else 'M'}{x},{y}" for i, (x, y) in enumerate(points))
        self._shapes.append(f'<path d="{line}" fill="{fill}" stroke="{stroke}" stroke-width="{width}"{dash}/>')
        if arrow:
            (x0, y0), (x, y) = points[-2:]
            dx, dy = (x > x0) - (x < x0), (y > y0) - (y < y0)
            head = [
                (x, y),
                (x - 7 * dx - 3.5 * dy, y - 7 * dy - 3.5 * dx),
                (x - 7 * dx + 3.5 * dy, y - 7 * dy + 3.5 * dx),
            ]
            shape = " ".join(f"{px},{py}" for px, py in head)
            self._shapes.append(f'<polygon points="{shape}" fill="{stroke}"/>')

    def __str__(self) -> str:
        return "\n".join([self._head, *self._shapes, "</svg>", ""])


def main(what: str, draw: Callable[[], dict[str, str]]) -> int:
    """Write pictures into ``images``, or with ``--check`` say which are not current. Returns the exit status.

    Parameters
    ----------
    what : str
        Description of the command.
    draw : callable
        Returns the text of each picture, by file name.
    """
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a picture is not current")
    check = parser.parse_args().check
    stale = 0
    for name, text in draw().items():
        path = IMAGES / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if check:
            print(f"{path.name} must be current (run docs/{Path(sys.argv[0]).name}), not out of date", file=sys.stderr)
        else:
            IMAGES.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/images/{name}")
    return 1 if check and stale else 0
