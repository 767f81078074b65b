#!/usr/bin/env python3
"""Write the generated files that are committed, or check that they are current.

    .venv/bin/python tools/gen.py            write gen/ and docs/registers/
    .venv/bin/python tools/gen.py --check    compare with what is there, change nothing

Each preset has a folder in gen/ with what `postern generate` writes. Its register page in Markdown is copied to
docs/registers/, where the documentation takes it from.
"""

import argparse
import filecmp
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from postern_spec.config import PRESETS

ROOT = Path(__file__).resolve().parent.parent


def generate(target: Path) -> None:
    """Write ``gen`` and ``docs/registers`` of all presets into a folder."""
    pages = target / "docs" / "registers"
    pages.mkdir(parents=True)
    for preset in sorted(PRESETS):
        print(f"gen: {preset}", flush=True)
        folder = target / "gen" / preset
        command = [sys.executable, "-m", "postern_cli.main", "generate", preset, "-o", str(folder)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{done.stdout.rstrip()}\npostern generate {preset} must succeed, not fail.")
        shutil.copyfile(folder / "registers.md", pages / f"{preset}.md")


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def differences(fresh: Path, part: str) -> list[str]:
    """One line for each file that is missing, left over or different."""
    new, old = files(fresh / part), files(ROOT / part)
    lines = [f"{part}/{path} is missing" for path in sorted(new - old)]
    lines += [f"{part}/{path} is left over" for path in sorted(old - new)]
    lines += [
        f"{part}/{path} is out of date"
        for path in sorted(new & old)
        if not filecmp.cmp(fresh / part / path, ROOT / part / path, shallow=False)
    ]
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the committed generated files, or check them.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a file is not current")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        lines = [line for part in ("gen", "docs/registers") for line in differences(fresh, part)]
        if not check:
            for part in ("gen", "docs/registers"):
                shutil.rmtree(ROOT / part, ignore_errors=True)
                shutil.copytree(fresh / part, ROOT / part)
            print(f"gen: {len(lines)} files changed")
            return 0
    for line in lines:
        print(line)
    if lines:
        print(f"The generated files must be current (make gen), not {len(lines)} behind.", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
