"""The probes every process of the system answers."""

from __future__ import annotations

import logging
import sqlite3

from flask import Blueprint, Response, jsonify

from compose.mailbox.criteria import EVERYTHING
from compose.mailbox.store import Store

log = logging.getLogger(__name__)


def create_blueprint(store: Store) -> Blueprint:
    probes = Blueprint("probes", __name__)

    @probes.get("/ping")
    def ping() -> Response:
        return Response("OK", mimetype="text/plain")

    @probes.get("/livez")
    def livez() -> Response:
        return jsonify(status="alive")

    @probes.get("/readyz")
    @probes.get("/healthz")
    def readyz() -> tuple[Response, int]:
        try:
            store.list_summaries(EVERYTHING, start=0, limit=1)
        except sqlite3.Error:
            log.exception("store not usable")
            return jsonify(status="unavailable", degraded=True), 503
        return jsonify(status="ready", degraded=False), 200

    return probes
