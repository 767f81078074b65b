"""From a configuration to Verilog."""

from amaranth.back import verilog

from postern_spec.config import Config

from .top import Postern

__all__ = ["emit"]


def emit(config: Config, *, probe: bool = False) -> str:
    """Return the Verilog of a block, the same text on every machine.

    Parameters
    ----------
    config : Config
        The block.
    probe : bool
        With the outputs that tell the lockstep tests when an access takes effect.
    """
    return verilog.convert(Postern(config, probe=probe), name=config.name, emit_src=False, strip_internal_attrs=True)
