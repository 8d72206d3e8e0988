"""Writers over HTTP: the paths of the original system and the bulk path, at the broker and at the logger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import requests

from tests.faults.doors import SECONDS, Door, FailedCallError, Refused, Told
from tests.faults.ledger import Entry, Identity

# no room, or something behind is down or silent
HONEST_REFUSALS = frozenset({429, 502, 503, 504})
PLACES = {"stored": "mongodb", "duplicate": "mongodb", "queued": "queued", "spooled": "spooled"}

Body = Callable[[Sequence[Entry]], bytes]
Reading = Callable[[requests.Response, int], Told]


class HttpSender:
    def __init__(self, url: str, content_type: str, body: Body, reading: Reading) -> None:
        self._session = requests.Session()
        self._url = url
        self._headers = {"Content-Type": content_type}
        self._body = body
        self._reading = reading

    def send(self, entries: Sequence[Entry]) -> Told:
        headers = dict(self._headers)
        if entries[0].identity is Identity.KEY:
            headers["Idempotency-Key"] = f'"{entries[0].name}"'
        reply = post(self._session, self._url, self._body(entries), headers)
        return self._reading(reply, len(entries))

    def close(self) -> None:
        self._session.close()


def post(session: requests.Session, url: str, body: bytes, headers: Mapping[str, str]) -> requests.Response:
    """The answer when it is a success. Raises FailedCallError."""
    try:
        reply = session.post(url, data=body, headers=headers, timeout=SECONDS)
    except requests.Timeout as error:
        raise FailedCallError("HTTP no answer in time") from error
    except requests.RequestException as error:
        raise FailedCallError("HTTP connection") from error
    if reply.ok:
        return reply
    told = f"HTTP {reply.status_code}"
    if reply.status_code in HONEST_REFUSALS:
        raise FailedCallError(told)
    raise FailedCallError(f"{told} {reply.text[:200]}", unexpected=True)


def _entry(entry: Entry) -> dict[str, str]:
    """An empty id counts as none."""
    return {"name": entry.name, "data": entry.data, "id": entry.id}


def _handle(via: str) -> Body:
    return lambda entries: orjson.dumps({"action": "log", "log": {**_entry(entries[0]), "via": via}})


def _flat(entries: Sequence[Entry]) -> bytes:
    return orjson.dumps(_entry(entries[0]))


def _lines(entries: Sequence[Entry]) -> bytes:
    return b"".join(orjson.dumps(_entry(entry)) + b"\n" for entry in entries)


def _one(reply: requests.Response, _count: int) -> Told:
    return [_place(reply.json()["data"].get("stored"))]


def _many(reply: requests.Response, count: int) -> Told:
    results = reply.json()["results"]
    if len(results) != count:
        raise FailedCallError(f"HTTP {len(results)} results for {count} entries", unexpected=True)
    return [_outcome(result) for result in results]


def _outcome(result: Mapping[str, Any]) -> str | Refused:
    return PLACES.get(result["outcome"]) or Refused(f"refused: {result.get('reason')}")


def _place(stored: object) -> str:
    if stored not in PLACES.values():
        raise FailedCallError(f"HTTP stored: {stored}", unexpected=True)
    return str(stored)


def _door(name: str, service: str, path: str, body: Body, identity: Identity = Identity.ID) -> Door:
    def opened(env: Mapping[str, str]) -> HttpSender:
        return HttpSender(env[f"{service}_URL"] + path, "application/json", body, _one)

    return Door(name, opened, identity=identity)


def _bulk_door(name: str, service: str, path: str) -> Door:
    def opened(env: Mapping[str, str]) -> HttpSender:
        return HttpSender(env[f"{service}_URL"] + path, "application/x-ndjson", _lines, _many)

    return Door(name, opened, batch=20, pause=0.5)


DOORS = (
    *(_door(f"broker {via}", "BROKER", "/handle", _handle(via)) for via in ("rpc", "http", "grpc", "amqp")),
    _door("broker log-grpc", "BROKER", "/log-grpc", _flat),
    _door("logger http", "LOGGER", "/log", _flat),
    _door("logger http by key", "LOGGER", "/log", _flat, Identity.KEY),
    _bulk_door("logger bulk", "LOGGER", "/api/v1/logs"),
    _door("broker rpc by key", "BROKER", "/handle", _handle("rpc"), Identity.KEY),
    _bulk_door("broker bulk", "BROKER", "/api/v1/logs"),
)
