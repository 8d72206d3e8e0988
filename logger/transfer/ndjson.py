"""Lines of JSON from a file, packed with gzip or not, for an import: this system's exports and archives, and what mongoexport writes."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from bson import json_util
from bson.errors import BSONError

from common.errors import AppError, InvalidError
from common.ids import derived_record_id
from logger.transfer.imports import BATCH, Batch, Record
from protos.limits import MAX_BULK_BODY

_GZIP = b"\x1f\x8b"
# A line that is longer holds no entry; it is not read into memory as a whole.
MAX_LINE = MAX_BULK_BODY
_EXTENDED = json_util.JSONOptions(tz_aware=True)
_Text = io.BufferedReader | gzip.GzipFile
_UNREADABLE = (EOFError, zlib.error, OSError)
# What tells one file from another.
_FINGERPRINT_BYTES = 64 * 1024


class ImportFileError(AppError):
    """The file cannot be read, or not to its end."""


class LinesFile:
    """`incomplete`: what the export's last line said. A file without one is taken as it is, since no archive has one either."""

    def __init__(self, path: Path) -> None:
        """Raises InvalidError when there is no such file, or none that may be read."""
        self._path = path
        self.incomplete = ""
        try:
            with path.open("rb") as file:
                beginning = file.read(_FINGERPRINT_BYTES)
                self._size = file.seek(0, io.SEEK_END)
        except OSError as error:
            raise InvalidError(f"{path}: {error.strerror}") from error
        self._packed = beginning.startswith(_GZIP)
        self.name = f"file {hashlib.sha256(beginning).hexdigest()} {self._size}"

    def batches(self, after: str) -> Iterator[Batch]:
        """Places are numbers of lines. Raises ImportFileError behind the batch with the last line that can be read."""
        done = int(after or 0)
        try:
            with self._path.open("rb") as raw:
                text = gzip.GzipFile(fileobj=raw) if self._packed else raw
                yield from self._read(raw, text, done)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ImportFileError(
                f"{self._path}: the file is damaged or cut short; all before that was read"
            ) from error
        except OSError as error:
            raise ImportFileError(f"{self._path}: {error.strerror or error}") from error

    def _read(self, raw: io.BufferedReader, text: _Text, done: int) -> Iterator[Batch]:
        records: list[Record] = []
        number = 0
        try:
            for number, line in enumerate(_lines(text), 1):
                if number <= done or not line.strip():
                    continue
                record = self._record(line, number)
                if record is not None:
                    records.append(record)
                if len(records) == BATCH:
                    yield Batch(records, str(number), raw.tell() / max(1, self._size))
                    records = []
        except _UNREADABLE:
            if records:
                yield Batch(records, str(number), None)
            raise
        if records:
            yield Batch(records, str(number), 1.0)

    def _record(self, line: bytes, number: int) -> Record | None:
        """None for the last line of an export."""
        label = f"line {number}"
        if len(line) > MAX_LINE:
            return Record(InvalidError(f"a line is longer than {MAX_LINE} bytes"), label)
        try:
            # mongoexport writes types as objects: {"$oid": ...}, {"$date": ...}
            extended = b'"$oid"' in line or b'"$date"' in line
            value = json_util.loads(line, json_options=_EXTENDED) if extended else orjson.loads(line)
        except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError, BSONError):
            return Record(InvalidError("a line is not JSON"), label)
        if not isinstance(value, dict):
            return Record(InvalidError("a line is not a JSON object"), label)
        if set(value) == {"export"}:
            self._note_end(value["export"])
            return None
        key = value.get("_id")
        return Record(value, label, "" if key is None else str(key), derived_record_id("import", number, line))

    def _note_end(self, told: Mapping[str, Any]) -> None:
        if isinstance(told, dict) and not told.get("complete"):
            self.incomplete = f"the export ended early, at {told.get('until')}: {told.get('reason')}"


def _lines(text: _Text) -> Iterator[bytes]:
    """Of a line that is too long only the beginning."""
    while line := text.readline(MAX_LINE + 1):
        yield line
        while line and not line.endswith(b"\n"):
            line = text.readline(MAX_LINE + 1)
