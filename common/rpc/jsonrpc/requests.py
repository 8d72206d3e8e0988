"""The server's ear: calls out of a stream of bytes, with the id kept as the text it came in."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from common.rpc.calls import CallError, Code, check_method
from common.rpc.jsonrpc.framing import Document, DocumentStream, FramingError, parse
from common.rpc.jsonrpc.params import field
from common.rpc.jsonrpc.raw import compact, elements, member

MAX_BATCH = 1000
_SAYS_VERSION_2 = re.compile(rb'"jsonrpc"\s*:\s*"2\.0"')
# Outside any string: a quote after a comma that stood inside one would have ended it.
_ENDS_WITH_ZERO = re.compile(rb',[ ]?"id":[ ]?0}\Z')
_PARSE_ERROR = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}\n'

Version = Literal["1.0", "2.0"]


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `id` is JSON text to echo, None when the member is absent; `params` None when absent or null.

    A `fault` is what is wrong with the request as such; `check` raises it.
    """

    id: bytes | None
    method: str
    params: object
    version: Version
    fault: CallError | None = None

    @property
    def is_notification(self) -> bool:
        """Only version 2.0 has calls without an answer; Go's 1.0 answers those without id too."""
        return self.id is None and self.version == "2.0" and not self._is_malformed

    @property
    def _is_malformed(self) -> bool:
        return self.fault is not None and self.fault.code is Code.INVALID_REQUEST

    def check(self, methods: Collection[str]) -> None:
        """Raise CallError unless this is a sound call of one of `methods`."""
        if self.fault:
            raise self.fault
        check_method(self.method, methods)


@dataclass(frozen=True, slots=True)
class Batch:
    """A list of version 2.0 calls, to be answered by one list."""

    requests: tuple[Request, ...]


class RequestDecoder:
    """The requests of one connection, in order; the caller may answer them in any order."""

    def __init__(self) -> None:
        self._documents = DocumentStream()

    @property
    def buffered(self) -> int:
        """Bytes of a message that has begun and not ended."""
        return self._documents.buffered

    def feed(self, data: bytes) -> Iterator[Request | Batch]:
        """Take `data` in, then yield the requests it completes.

        Raises FramingError after the good requests before it: send its `answer`, if any, and close, as Go does.
        """
        return self._requests(self._documents.feed(data))

    def _requests(self, documents: Iterator[Document]) -> Iterator[Request | Batch]:
        try:
            for document in documents:
                yield _read_message(document)
        except FramingError as error:
            self._documents.fail(error)
            # Go hangs up without a word; a caller that named version 2.0 is owed its error object first
            if not error.answer and self._documents.holds(_SAYS_VERSION_2):
                error.answer = _PARSE_ERROR
            raise


def _read_message(document: Document) -> Request | Batch:
    if isinstance(document.value, list):
        return _read_batch(document.value, document.text)
    if document.value is None:
        # Go's decoder leaves the request empty when it meets null
        return Request(None, "", None, "1.0")
    value = document.value
    if not isinstance(value, dict):
        raise FramingError("not a JSON object")
    if value.get("jsonrpc") == "2.0":
        return _read_version_2(value, document)
    return _read_version_1(value, document)


def _read_batch(entries: list[object], text: bytes) -> Request | Batch:
    if not any(isinstance(entry, dict) and entry.get("jsonrpc") == "2.0" for entry in entries):
        raise FramingError("a list of calls needs version 2.0")
    if len(entries) > MAX_BATCH:
        return _malformed(f"more than {MAX_BATCH} calls in a batch")
    return Batch(tuple(_read_entry(parse(entry)) for entry in elements(text)))


def _read_entry(entry: Document) -> Request:
    if not isinstance(entry.value, dict):
        return _malformed("not an object")
    if entry.value.get("jsonrpc") != "2.0":
        return _malformed("a batch holds version 2.0 calls only")
    return _read_version_2(entry.value, entry)


def _read_version_1(value: dict[str, object], document: Document) -> Request:
    method = field(value, "method")
    if method is None:
        method = ""
    if not isinstance(method, str):
        raise FramingError("method is not a string")
    fault = None if document.unicode else _not_unicode(Code.INVALID_PARAMS)
    return Request(_id_text(value, document), method, field(value, "params"), "1.0", fault)


def _read_version_2(value: dict[str, object], document: Document) -> Request:
    method, params, number = value.get("method"), value.get("params"), value.get("id")
    if isinstance(number, bool | list | dict):
        return _malformed("id is neither string, number nor null")
    raw_id = _id_text(value, document)
    if not isinstance(method, str):
        return _malformed("method is not a string", raw_id=raw_id)
    fault = None
    if not document.unicode:
        fault = _not_unicode(Code.INVALID_PARAMS)
    elif not isinstance(params, dict | list | None):
        fault = CallError("params are neither list nor object", code=Code.INVALID_PARAMS)
    return Request(raw_id, method, params, "2.0", fault)


def _malformed(text: str, *, raw_id: bytes | None = None) -> Request:
    return Request(raw_id, "", None, "2.0", CallError(text, code=Code.INVALID_REQUEST))


def _not_unicode(code: Code) -> CallError:
    return CallError("json: a string is not valid Unicode (lone surrogate or invalid UTF-8)", code=code)


def _id_text(value: dict[str, object], document: Document) -> bytes | None:
    number = field(value, "id")
    # what the parser kept exactly can be written back; -0 and numbers beyond 64 bits (floats here) it did not
    if type(number) is int and number:
        return b"%d" % number
    # the first call of every Go client; looking for the text in a large batch costs more than the batch
    if _ENDS_WITH_ZERO.search(document.text[-16:]):
        return b"0"
    text = member(document.text, "id")
    if text is None:
        return None
    return b"null" if number is None or not _is_utf8(text) else compact(text)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
