"""``python -m postern_sim.bench``."""

import sys

from . import main

sys.exit(main())
