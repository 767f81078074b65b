"""What a property is: a promise about real components, a harness that states it, and seeded bugs that it catches."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Assume, Elaboratable, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from .engines import Engine, Pdr

__all__ = ["Assumption", "Control", "ControlError", "Inside", "Property", "free", "free_inputs", "symbolic"]


class ControlError(ValueError):
    """A control that does not fit the sources."""


@dataclass(frozen=True)
class Control:
    """A seeded bug: one change of one file of ``postern_hw``, which the property must refute.

    Parameters
    ----------
    title : str
        What is wrong then.
    file : str
        The file, below ``postern_hw``.
    old, new : str
        The text, which must be there once, and what takes its place.
    parameters : str
        The parameter set that shows it; the property's first by default.
    depth : int
        Cycles in which Yices looks for it; 0 leaves it to the first engine.
    """

    title: str
    file: str
    old: str
    new: str
    parameters: str = ""
    depth: int = 12

    def apply(self, sources: Path, folder: Path) -> None:
        """Write the changed package into a folder.

        Raises
        ------
        ControlError
            The text is not there just once: the control has to follow the sources.
        """
        text = (sources / self.file).read_text(encoding="utf-8")
        if (count := text.count(self.old)) != 1:
            raise ControlError(f"text of the control {self.title!r} must be once in {self.file}, not {count} times")
        shutil.copytree(sources, folder / sources.name, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / sources.name / self.file).write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True)
class Assumption:
    """What a harness assumes of the rest of the block. Simulation asserts the same on the composed block.

    Parameters
    ----------
    name : str
        Under which ``postern_formal.assumptions`` has its check.
    text : str
    """

    name: str
    text: str


class Property(ABC):
    """A statement about real components.

    Attributes
    ----------
    name : str
    promise : int
        Which of the ten promises it belongs to; ``also`` lists others.
    statement : str
        What holds, in a sentence.
    parameters : mapping of str to anything
        Sets of parameters that it is proven for, by label; what each is, ``build`` knows.
    short : sequence of str
        Those of the short run. By default the first.
    long : bool
        Takes too long for the short run.
    engines : sequence of Engine
        All of them must prove it.
    covers : int
        Cycles in which each cover must be reached.
    seconds : int
        Time that a proof may take.
    controls : sequence of Control
    assumptions : sequence of Assumption
    reduction : str
        Why what the harness leaves out loses nothing. Empty where it leaves nothing out.
    limits : str
        What it does not say, where one could think that it does.
    """

    name: ClassVar[str]
    promise: ClassVar[int]
    also: ClassVar[Sequence[int]] = ()
    statement: ClassVar[str]
    parameters: ClassVar[Mapping[str, Any]]
    short: ClassVar[Sequence[str]] = ()
    long: ClassVar[bool] = False
    engines: ClassVar[Sequence[Engine]] = (Pdr(),)
    covers: ClassVar[int] = 12
    seconds: ClassVar[int] = 300
    controls: ClassVar[Sequence[Control]]
    assumptions: ClassVar[Sequence[Assumption]] = ()
    reduction: ClassVar[str] = ""
    limits: ClassVar[str] = ""

    def engines_for(self, parameters: Any) -> Sequence[Engine]:
        """Return the engines that prove it for a parameter set. By default all."""
        return self.engines

    @abstractmethod
    def build(self, m: Module, parameters: Any) -> None:
        """Add the components and what is asserted, assumed and covered of them."""


def free(m: Module, *signals: Value) -> None:
    """Let signals take any value in any cycle."""
    for signal in signals:
        bits = Value.cast(signal)
        m.d.comb += bits.eq(AnySeq(len(bits)))


def free_inputs(m: Module, component: wiring.Component, *, but: Sequence[str] = ()) -> None:
    """Let the inputs of a component take any value in any cycle, but for members with these names."""
    for path, member, value in component.signature.flatten(component):
        if member.flow is In and path[0] not in but:
            free(m, value)


def symbolic(m: Module, shape: Any, name: str, *, below: int | None = None) -> Signal:
    """Return a value that stays, but may be any: what is proven of it is proven of all.

    Parameters
    ----------
    m : Module
    shape : shape-like
    name : str
    below : int or None
        It is below this.
    """
    made = Signal(shape, name=name)
    m.d.comb += made.eq(AnyConst(len(made)))
    if below is not None and below < 1 << len(made):
        m.d.comb += Assume(made < below)
    return made


class Inside(Elaboratable):
    """A component together with what it keeps to itself, as a submodule of a harness.

    Harnesses look inside only to strengthen an induction: what they assert of it is proven as well.

    Parameters
    ----------
    component : Component
    """

    def __init__(self, component: wiring.Component):
        self.module: Module = component.elaborate(None)
        self._parts: dict[str, Inside] = {}
        component._MustUse__used = True  # Amaranth would warn of a component that nobody elaborates

    def memory(self, name: str, address: Value) -> Value:
        """Return what a memory holds at an address."""
        port = getattr(self.module.submodules, name).read_port(domain="comb")
        self.module.d.comb += port.addr.eq(address)
        return port.data

    def part(self, name: str) -> "Inside":
        """Return a submodule, opened in the same way."""
        if name not in self._parts:
            self._parts[name] = Inside(getattr(self.module.submodules, name))
            # Amaranth has no public way to put something else in its place.
            self.module._named_submodules[name] = (self._parts[name], None)
        return self._parts[name]

    def signal(self, name: str) -> Signal:
        """Return the signal of that name that the component itself assigns.

        Raises
        ------
        KeyError
            There is none, or more than one.
        """
        # Amaranth has no public way from a module to its signals.
        self.module._flush()
        statements = [item for domain in self.module._statements.values() for item in domain]
        found = {id(made): made for item in statements for made in item._lhs_signals() if made.name == name}
        if len(found) != 1:
            raise KeyError(f"signal {name} must be one of the component, not {len(found)}")
        return next(iter(found.values()))

    def elaborate(self, platform):
        return self.module
