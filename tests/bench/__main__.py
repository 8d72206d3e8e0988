"""python -m tests.bench bench|load|chart"""

from __future__ import annotations

import sys

from tests.bench.cli import main
from tests.ending import end_by_exception

# the processes that fill the log store import this module again
if __name__ == "__main__":
    end_by_exception()
    sys.exit(main(sys.argv[1:]))
