"""`python -m auth`: the commands of an operator."""

from __future__ import annotations

import sys

from auth.cli import main

sys.exit(main(sys.argv[1:]))
