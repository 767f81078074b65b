"""The test plan names tests that exist, and covers the promises."""

import ast
import importlib.util
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLAN = ROOT / "docs" / "testplan.toml"


@pytest.fixture(scope="module")
def testplan() -> ModuleType:
    """The script of the documentation as a module."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        spec = importlib.util.spec_from_file_location("testplan", ROOT / "docs" / "testplan.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["testplan"] = module  # where dataclasses look for it
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


@lru_cache
def collected(path: Path) -> frozenset[str]:
    """Names that pytest collects from a file: functions, methods of classes, and test cases of state machines."""
    if not path.is_file():
        return frozenset()
    found = set()
    for item in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) and item.name.startswith("test_"):
            found.add(item.name)
        elif isinstance(item, ast.ClassDef) and item.name.startswith("Test"):
            methods = (child for child in item.body if isinstance(child, ast.FunctionDef))
            found |= {f"{item.name}::{child.name}" for child in methods if child.name.startswith("test_")}
        elif isinstance(item, ast.Assign):
            names = (target.id for target in item.targets if isinstance(target, ast.Name))
            found |= {f"{name}::runTest" for name in names if name.startswith("Test")}
    return frozenset(found)


def test_every_named_test_exists(testplan: ModuleType):
    _, entries = testplan.load(PLAN.read_text(encoding="utf-8"))
    named = [test for entry in entries for test in entry.tests]
    assert len(named) > 30
    missing = []
    for test in named:
        path, _, name = test.partition("::")
        if name not in collected(ROOT / path):
            missing.append(test)
    assert not missing, f"the plan must name tests that exist, not {', '.join(missing)}"


def test_every_promise_is_there_and_in_scope_as_agreed(testplan: ModuleType):
    promises, _ = testplan.load(PLAN.read_text(encoding="utf-8"))
    scopes = {promise.id: promise.scope for promise in promises}
    assert list(scopes) == [*map(str, range(1, 11)), "order"]
    assert "out" not in scopes.values()


PROMISE = '[promises.1]\nname = "Identity"\nscope = "in"\n'
ENTRY = '[[entry]]\nname = "tags"\npromises = ["1"]\nstimulus = "s"\ncheck = "c"\ntests = ["t"]\n'


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (PROMISE + ENTRY + ENTRY, "name of an entry must be given once, not twice: tags"),
        (PROMISE + ENTRY.replace('["t"]', "[]"), "entry tags must name a test"),
        (PROMISE + ENTRY.replace('["1"]', '["1", "2"]'), "entry tags must name known promises, not 2"),
        (PROMISE + ENTRY.replace('["1"]', "[]"), "promise 1 must have an entry just where it is in scope"),
        (PROMISE.replace('"in"', '"out"') + ENTRY, "promise 1 must have a reason just where it is not wholly in scope"),
        (PROMISE.replace('"in"', '"on"') + ENTRY, "scope of promise 1 must be one of in, part, out, not on"),
        (
            PROMISE + ENTRY.replace("check", "checks"),
            "entry must have name, promises, stimulus, check, tests, not name, promises, stimulus, checks, tests",
        ),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(testplan: ModuleType, plan: str, message: str):
    with pytest.raises(ValueError, match=f"^{message}$"):
        testplan.load(plan)
