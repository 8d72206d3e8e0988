"""The paths of the Go original, with its envelope and its status codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response

from broker.domain import Answer, Via
from broker.schemas import HandleBody, read_order
from broker.service import BrokerService
from common.errors import InvalidError, MalformedError, Problem
from common.web.access import Access, access
from common.web.bulk import give_ids, idempotency_key, told_where
from common.web.reading import read_json, read_json_value
from common.web.replies import envelope


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
        return _enveloped(actions[body.action](body))

    @blueprint.post("/log-grpc")
    @access(Access.OPEN_IN_DEVELOPMENT)
    def log_grpc() -> Response:
        """Takes the flat body of seed 001 and the nested one that the Go original really reads."""
        body = read_json_value()
        nested = isinstance(body, dict) and "log" in body
        entry = body["log"] if nested else body
        return _enveloped(_log(service, entry, under="#/log" if nested else "#", via=Via.GRPC))

    return blueprint


def _section(value: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    if not isinstance(value, dict):
        raise InvalidError(f"{name}: must be an object", problems=[Problem(f"#/{name}", "must be an object")])
    return value


def _log_by(service: BrokerService, via: Via) -> Callable[[HandleBody], Answer]:
    return lambda body: _log(service, _section(body.log, "log"), under="#/log", via=via)


def _log(service: BrokerService, entry: object, *, under: str, via: Via | None = None) -> Answer:
    give_ids([entry], idempotency_key())
    return service.log(*read_order(entry, under=under, via=via))


def _enveloped(answer: Answer) -> Response:
    response = envelope(answer.message, answer.data)
    return response if answer.place is None else told_where(response, answer.place)
