"""From a configuration to Verilog."""

import os

from amaranth.back import verilog
from amaranth.back.verilog import YosysError

from postern_spec.config import Config

from .top import Postern

__all__ = ["YosysError", "emit"]


def emit(config: Config, *, probe: bool = False) -> str:
    """Return the Verilog of a block, the same text on every machine.

    Parameters
    ----------
    config : Config
        The block.
    probe : bool
        With the outputs that tell the lockstep tests when an access takes effect.

    Raises
    ------
    YosysError
        There is no Yosys that can write it. The ``hw`` extra brings one.
    """
    # A Yosys that happens to be installed would write other text than the pinned one.
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    return verilog.convert(Postern(config, probe=probe), name=config.name, emit_src=False, strip_internal_attrs=True)
