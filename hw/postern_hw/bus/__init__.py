"""Bus adapters: one file each, turning the pins of a bus into streams of requests and answers.

An adapter is an ``Adapter`` with the pins of its bus, which are named as ``postern_spec.pins`` names them without the
port's prefix.
"""

from postern_spec.config import Bus

from .apb import Apb
from .axi4 import Axi4
from .axi_lite import AxiLite
from .wishbone import Wishbone

__all__ = ["ADAPTERS"]

ADAPTERS = {Bus.AXI4_LITE: AxiLite, Bus.WISHBONE: Wishbone, Bus.AXI4: Axi4, Bus.APB: Apb}
"""The adapter of each bus."""
