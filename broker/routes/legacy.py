"""The paths of the Go original, with its envelope and its status codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from flask import Blueprint, Response

from broker.domain import Answer, Via
from broker.schemas import HandleBody, LogPayload
from broker.service import BrokerService
from common.errors import InvalidError, MalformedError, Problem, TooLargeError
from common.web.access import Access, access
from common.web.reading import MAX_BODY, read_json, read_json_value, validate
from common.web.replies import envelope

# What a door adds to an entry (id, level, time, identity of the request) must still fit into the next message.
MAX_ENTRY = MAX_BODY - 4096


def legacy_blueprint(service: BrokerService) -> Blueprint:
    blueprint = Blueprint("legacy", __name__)
    actions: dict[str, Callable[[HandleBody], Answer]] = {
        "auth": lambda body: service.authenticate(_section(body.auth, "auth")),
        "log": lambda body: _log(service, _section(body.log, "log"), under="#/log"),
        "mail": lambda body: service.send_mail(_section(body.mail, "mail")),
    }
    actions |= {f"log-{via}": _log_by(service, via) for via in Via}

    @blueprint.route("/", methods=["GET", "POST"])
    @access(Access.PUBLIC)
    def hit() -> Response:
        return envelope("Hit the broker", status=200)

    @blueprint.post("/handle")
    @access(Access.OPEN_IN_DEVELOPMENT)
    def handle() -> Response:
        body = read_json(HandleBody)
        if body.action not in actions:
            raise MalformedError("unknown action")
        answer = actions[body.action](body)
        return envelope(answer.message, answer.data)

    @blueprint.post("/log-grpc")
    @access(Access.OPEN_IN_DEVELOPMENT)
    def log_grpc() -> Response:
        """Takes the flat body of seed 001 and the nested one that the Go original really reads."""
        body = read_json_value()
        nested = isinstance(body, dict) and "log" in body
        answer = _log(service, body["log"] if nested else body, under="#/log" if nested else "#", via=Via.GRPC)
        return envelope(answer.message, answer.data)

    return blueprint


def _section(value: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    if not isinstance(value, dict):
        raise InvalidError(f"{name}: must be an object", problems=[Problem(f"#/{name}", "must be an object")])
    return value


def _log_by(service: BrokerService, via: Via) -> Callable[[HandleBody], Answer]:
    return lambda body: _log(service, _section(body.log, "log"), under="#/log", via=via)


def _log(service: BrokerService, section: object, *, under: str, via: Via | None = None) -> Answer:
    payload = validate(LogPayload, section, under=under)
    if len(orjson.dumps([payload.name, payload.data])) > MAX_ENTRY:
        raise TooLargeError(f"log entry is larger than {MAX_ENTRY} bytes")
    return service.log(payload.order(), via or payload.door())
