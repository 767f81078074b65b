"""Instantiation template in Verilog."""

from ..config import Config
from ..pins import pins

__all__ = ["emit"]


def emit(c: Config) -> str:
    """Return a wire for every port of the module, and an instance that is connected to them."""
    found = pins(c)
    lines = [
        f"// {c.name}: instantiation template. Copy it into your module and connect the wires;",
        "// what drives an input and what reads an output is up to you. All ports belong to the clock clk.",
    ]
    role = ""
    for pin in found:
        if pin.role != role:
            role = pin.role
            lines += ["", f"// {role}"]
        shape = f"[{pin.width - 1}:0] " if pin.width > 1 else ""
        lines.append(f"wire {shape}{pin.name};  // {'into' if pin.direction == 'in' else 'out of'} the block")
    lines += ["", f"{c.name} u_{c.name} ("]
    longest = max(len(pin.name) for pin in found)
    ends = [","] * (len(found) - 1) + [""]
    lines += [f"    .{pin.name:<{longest}} ({pin.name}){end}" for pin, end in zip(found, ends, strict=True)]
    return "\n".join([*lines, ");", ""])
