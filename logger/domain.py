"""What a log entry is and which entries are accepted. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from common.clock import Clock
from common.errors import InvalidError, Problem
from common.ids import is_safe_id, new_record_id
from protos.limits import (
    LEVEL_ALIASES,
    LEVELS,
    MAX_DATA_BYTES,
    MAX_NAME_CHARACTERS,
    MAX_SERVICE_CHARACTERS,
    PROTOCOLS,
)

_TRACE_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry as a writer sent it, unchecked. Writers of the Go original know only name and data; empty means not given."""

    name: str
    data: str
    id: str = ""
    level: str = ""
    service: str = ""
    protocol: str = ""
    request_id: str = ""
    trace_id: str = ""
    timestamp: str = ""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An accepted entry. `id` is its one identity in the whole system; times are aware, in UTC, whole milliseconds."""

    id: str
    name: str
    data: str
    level: str
    service: str
    protocol: str
    request_id: str
    trace_id: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """`duplicate` means that an entry of this id was in the store before."""

    id: str
    duplicate: bool


def accept(draft: Draft, *, door: str, clock: Clock) -> LogEntry:
    """The entry for a draft that came in through `door` (one of PROTOCOLS).

    Raises InvalidError that names every broken rule.
    """
    problems: list[Problem] = []
    _check_text(draft, problems)
    level = _level(draft.level, problems)
    protocol = _one_of(draft.protocol or door, PROTOCOLS, "protocol", problems)
    moment = _moment(draft.timestamp, clock, problems)
    _check_ids(draft, problems)
    if problems:
        first = problems[0]
        raise InvalidError(f"{first.pointer.removeprefix('#/')}: {first.detail}", problems=problems)
    return LogEntry(
        id=draft.id or new_record_id(),
        name=draft.name,
        data=draft.data,
        level=level,
        service=draft.service,
        protocol=protocol,
        request_id=draft.request_id,
        trace_id=draft.trace_id,
        created_at=moment,
        updated_at=moment,
    )


def _check_text(draft: Draft, problems: list[Problem]) -> None:
    if not draft.name:
        problems.append(Problem("#/name", "must not be empty"))
    for field, value, limit in (
        ("name", draft.name, MAX_NAME_CHARACTERS),
        ("service", draft.service, MAX_SERVICE_CHARACTERS),
    ):
        if len(value) > limit:
            problems.append(Problem(f"#/{field}", f"must not be longer than {limit} characters"))
    for field, value in (("name", draft.name), ("data", draft.data), ("service", draft.service)):
        if "\x00" in value:
            problems.append(Problem(f"#/{field}", "must not contain NUL characters"))
        elif not _is_unicode(value):
            problems.append(Problem(f"#/{field}", "must not contain lone surrogates"))
        elif field == "data" and len(value) * 4 > MAX_DATA_BYTES and len(value.encode()) > MAX_DATA_BYTES:
            problems.append(Problem("#/data", f"must not be longer than {MAX_DATA_BYTES} bytes"))


def _is_unicode(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _level(value: str, problems: list[Problem]) -> str:
    name = value.upper()
    return _one_of(LEVEL_ALIASES.get(name, name), LEVELS, "level", problems)


def _one_of(value: str, allowed: tuple[str, ...], field: str, problems: list[Problem]) -> str:
    if value not in allowed:
        problems.append(Problem(f"#/{field}", f"must be one of {', '.join(allowed)}"))
    return value


def _moment(timestamp: str, clock: Clock, problems: list[Problem]) -> datetime:
    """RFC 3339, section 5.6; MongoDB keeps milliseconds, so finer digits are cut here, where everybody can see it."""
    moment = clock.now()
    if timestamp:
        try:
            moment = datetime.fromisoformat(timestamp)
            if moment.tzinfo is None:
                raise ValueError("no time zone")  # noqa: TRY301 - one answer for every way to be wrong
            moment = moment.astimezone(UTC)
        except (ValueError, OverflowError):
            problems.append(Problem("#/timestamp", "must be an RFC 3339 time with a time zone"))
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _check_ids(draft: Draft, problems: list[Problem]) -> None:
    for field, value in (("id", draft.id), ("request_id", draft.request_id)):
        if value and not is_safe_id(value):
            problems.append(
                Problem(f"#/{field}", "must be 1 to 128 letters, digits, dots, colons, hyphens or underscores")
            )
    if draft.trace_id and not _TRACE_ID.fullmatch(draft.trace_id):
        problems.append(Problem("#/trace_id", "must be 32 hexadecimal digits in lower case"))
