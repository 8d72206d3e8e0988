"""The log store over HTTP: writing through POST /log or, for many, POST /api/v1/logs; reading back by id; questions as they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import orjson

from broker.clients.chunks import Missing, in_chunks, one_by_one
from broker.clients.entry_json import as_members
from broker.domain import LogOrder, Passed, Receipt, Result, Via
from common import context
from common.errors import BadReplyError, InvalidError, Problem, UnsupportedError
from common.web.client import JsonClient, Reply
from protos.limits import MAX_BULK_BODY, MAX_ENTRIES

_BULK = "/api/v1/logs"
# What a Go original answers on a path, or with a method, that it does not know.
_UNKNOWN = (404, 405)
# What a caller is shown of an answer that is passed on, besides its body.
_SHOWN = ("Content-Type", "Link", "Retry-After")
_STORED = Receipt("stored", "logged", Via.HTTP)
_DUPLICATE = Receipt("duplicate", "logged", Via.HTTP)


class LoggerHttpDoor:
    def __init__(self, http: JsonClient, *, write_timeout: float) -> None:
        """`write_timeout` (seconds): a call that stores entries keeps others waiting, so it has less time than the client's."""
        self._http = http
        self._write_timeout = write_timeout
        self._no_bulk = Missing()

    def write_many(self, orders: Sequence[LogOrder]) -> list[Result]:
        if len(orders) == 1:
            return one_by_one(self._write_one, orders)
        texts = [orjson.dumps(as_members(order)) for order in orders]
        return in_chunks(
            lambda part: self._write(orders[part], texts[part]),
            [len(text) + 1 for text in texts],
            max_items=MAX_ENTRIES,
            max_bytes=MAX_BULK_BODY - 2,
        )

    def get(self, record_id: str) -> dict[str, Any]:
        return self._http.accepted(self._http.get(f"{_BULK}/{quote(record_id, safe='')}")).body

    def ask(self, path: str, body: bytes | None, content_type: str) -> Passed:
        answer = self._http.exchange("GET" if body is None else "POST", path, body, content_type=content_type)
        if "json" not in answer.headers.get("Content-Type", ""):
            if answer.status in _UNKNOWN:
                raise UnsupportedError(f"{self._http.name} does not take this question")
            raise BadReplyError(f"{self._http.name} gave an answer that is not JSON")
        if not _is_for_callers(answer.status):
            raise BadReplyError(f"{self._http.name} could not handle the request")
        return Passed(
            answer.status, answer.content, {name: answer.headers[name] for name in _SHOWN if name in answer.headers}
        )

    def _write(self, orders: Sequence[LogOrder], texts: list[bytes]) -> list[Result]:
        if not self._no_bulk:
            reply = self._http.post(_BULK, list(map(orjson.Fragment, texts)), timeout=self._write_timeout)
            if reply.status not in _UNKNOWN:
                return self._results(reply, len(orders))
            self._no_bulk.note()
        return one_by_one(self._write_one, orders)

    def _write_one(self, order: LogOrder) -> Receipt:
        with context.bound(context.continue_context(order.request_id, order.traceparent)):
            reply = self._http.post("/log", as_members(order), timeout=self._write_timeout)
        message = self._http.accepted(reply, under="log").message
        return Receipt("stored", message or "logged", Via.HTTP)

    def _results(self, reply: Reply, count: int) -> list[Result]:
        if reply.status == 422:
            return _all_refused(reply, count)
        listed = self._http.accepted(reply).body.get("results")
        if not isinstance(listed, list) or len(listed) != count:
            raise BadReplyError(f"{self._http.name} did not answer for every entry")
        return list(map(_result, listed))


def _is_for_callers(status: int) -> bool:
    """An answer, a refusal, or that it cannot be answered now; of a failure nobody is shown the details."""
    return 200 <= status < 300 or 400 <= status < 500 or status in (503, 504)


def _result(result: dict[str, Any]) -> Result:
    outcome = result.get("outcome")
    if outcome in ("stored", "duplicate"):
        return _STORED if outcome == "stored" else _DUPLICATE
    return InvalidError(str(result.get("reason") or "the log store refused the entry"))


def _all_refused(reply: Reply, count: int) -> list[Result]:
    """A problem document whose pointers begin with the index of the entry."""
    found: list[list[Problem]] = [[] for _ in range(count)]
    for each in reply.body.get("errors") or []:
        index, _, pointer = str(each.get("pointer", "")).removeprefix("#/").partition("/")
        if index.isdecimal() and int(index) < count:
            found[int(index)].append(Problem(f"#/{pointer}" if pointer else "#", str(each.get("detail", ""))))
    return [InvalidError(reply.message or "the log store refused the entry", problems=problems) for problems in found]
