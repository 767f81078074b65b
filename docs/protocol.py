#!/usr/bin/env python3
"""Write the table of docs/protocol.md that says what a transfer costs, counted over the functional model.

python docs/protocol.py            write
python docs/protocol.py --check    compare with what is there
"""

import sys

from generated import parser, write

from postern import measure

if __name__ == "__main__":
    arguments = parser(__doc__.splitlines()[0]).parse_args()
    sys.exit(write("protocol.md", {"ways": measure.table()}, check=arguments.check))
