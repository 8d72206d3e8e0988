"""`python -m worker`: the commands of an operator. The worker itself is started by Celery's own command."""

from __future__ import annotations

import sys

from worker.cli import main

sys.exit(main(sys.argv[1:]))
