"""python -m tests.bench bench|load|chart"""

from __future__ import annotations

import sys

from tests.bench.cli import main

sys.exit(main(sys.argv[1:]))
