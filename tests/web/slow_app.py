"""An application whose work lasts longer than its clients may take to send a request; see tests/integration/test_slow_work.py."""

from __future__ import annotations

import time

from flask import Flask, Response, request

from common.lifecycle import Lifecycle
from common.web import green_worker, worker
from common.web.access import Access, access
from common.web.app import create_flask
from common.web.reading import read_body

# Both workers look about once a second.
READ_SECONDS, WORK_SECONDS = 0.5, 2.5


def create() -> Flask:
    for module in (worker, green_worker):
        vars(module)["READ_SECONDS"] = READ_SECONDS
    app = create_flask("slow", checks={}, lifecycle=Lifecycle())

    @app.route("/work", methods=["GET", "POST"])
    @access(Access.INTERNAL)
    def work() -> Response:
        read = len(read_body()) if request.method == "POST" else 0
        time.sleep(WORK_SECONDS)
        return Response(f"read {read}")

    return app


app = create()
