"""The programmer's guide: its code runs as it stands, so that it cannot rot; and the package needs nothing."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

import postern
import postern_spec

GUIDE = Path(__file__).parents[2] / "docs" / "programmers_guide.md"


def test_guide():
    text = GUIDE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert all(block.startswith(">>> ") for block in blocks)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, GUIDE.name, str(GUIDE), 0)
    assert len(test.examples) > 50
    failures = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=failures.append)
    assert result.failed == 0, "".join(failures)


def test_every_outcome_is_in_the_guide():
    text = GUIDE.read_text(encoding="utf-8")
    for name in {result.name for result in postern.Result} | {source.name for source in postern.Source}:
        assert f"`{name}`" in text


def test_public_names():
    assert sorted(postern.__all__) == postern.__all__
    for name in postern.__all__:
        item = getattr(postern, name)
        assert item.__doc__, name


@pytest.mark.parametrize("module", ["postern", "postern.programs", "postern.manager"])
def test_standard_library_only(module):
    roots = [str(Path(package.__file__).parents[1]) for package in (postern, postern_spec)]
    code = (
        f"import sys; sys.path[:0] = {roots!r}; before = set(sys.modules); import {module}\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    out = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    strangers = set(out.split()) - set(sys.stdlib_module_names)
    assert strangers == {"postern", "postern_spec"}
