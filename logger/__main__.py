"""`python -m logger`: the keeper, and the commands of an operator."""

from __future__ import annotations

import sys

from logger.cli import main

sys.exit(main(sys.argv[1:]))
