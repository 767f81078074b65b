"""Bus adapters: one file each, turning the pins of a bus into streams of requests and answers.

An adapter is a component whose constructor takes a configuration and a port index. It has the pins of its bus as flat
members, named as ``postern_spec.pins`` names them without the port's prefix, and the streams ``write``, ``read``
(out), ``written``, ``answer`` (in) of ``postern_hw.native``, and ``reset``. It knows nothing about mailboxes.
"""

from postern_spec.config import Bus

from .apb import Apb
from .axi4 import Axi4
from .axi_lite import AxiLite
from .wishbone import Wishbone

__all__ = ["ADAPTERS"]

ADAPTERS = {Bus.AXI4_LITE: AxiLite, Bus.WISHBONE: Wishbone, Bus.AXI4: Axi4, Bus.APB: Apb}
"""The adapter of each bus."""
