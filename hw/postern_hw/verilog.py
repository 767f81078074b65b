"""From a configuration to Verilog."""

import os
import re

from amaranth.back import rtlil as writer
from amaranth.back import verilog
from amaranth.back.verilog import YosysError

from postern_spec.config import Config

from .sram import LANE
from .top import Postern

__all__ = ["YosysError", "emit", "rtlil"]

CONTENTS = re.compile(
    r"^(?:  attribute [^\n]*\n)*  cell \$meminit_v2 [^\n]*\n"
    rf'    parameter \\MEMID "\\\\{LANE}[^\n]*\n(?:    [^\n]*\n)*  end\n',
    re.M,
)
"""What Amaranth says about the contents of the SRAM. It may hold anything until it is scrubbed."""


def rtlil(config: Config, *, probe: bool = False, sources: bool = False) -> str:
    """Return the RTLIL that the Verilog is made from; with ``sources`` it names the Python line of every cell."""
    text = writer.convert(Postern(config, probe=probe), name=config.name, emit_src=sources)
    # A line per byte of the SRAM would make most of the Verilog, and a promise that nobody needs.
    return CONTENTS.sub("", text)


def emit(config: Config, *, probe: bool = False, sources: bool = False) -> str:
    """Return the Verilog of a block, the same text on every machine.

    Parameters
    ----------
    config : Config
        The block.
    probe : bool
        With the outputs that tell the lockstep tests when an access takes effect.
    sources : bool
        With the Python lines as attributes. They are paths of this machine: for measurements only.

    Raises
    ------
    YosysError
        There is no Yosys that can write it. The ``hw`` extra brings one.
    """
    # A Yosys that happens to be installed would write other text than the pinned one.
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    # Amaranth has no public name for this, but it is what `verilog.convert` does with the same text.
    text = rtlil(config, probe=probe, sources=sources)
    return verilog._convert_rtlil_text(text, strip_internal_attrs=not sources)
