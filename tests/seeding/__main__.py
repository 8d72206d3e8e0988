"""python -m tests.seeding"""

from __future__ import annotations

import sys

from tests.seeding.cli import main

# the processes that write import this module again
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
