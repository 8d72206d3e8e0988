"""The errors that use cases raise, by kind; each protocol has one table that turns the kind into its own status.

The message is public: it reaches the caller as it stands. The cause (`raise ... from`) stays in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    UNSUPPORTED = "unsupported"
    CONFLICT = "conflict"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    BAD_REPLY = "bad_reply"
    BUG = "bug"


BUG_MESSAGE = "internal error"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in the input. `pointer` is a JSON Pointer (RFC 6901) such as `#/mail/to`."""

    pointer: str
    detail: str


class AppError(Exception):
    """Base of every error that may cross the wire.

    `retry_after` is in seconds and set only where waiting can help.
    """

    kind: ClassVar[Kind] = Kind.BUG

    def __init__(self, message: str, *, problems: Sequence[Problem] = (), retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.problems = tuple(problems)
        self.retry_after = retry_after


class MalformedError(AppError):
    """The input cannot be read at all."""

    kind = Kind.MALFORMED


class TooLargeError(AppError):
    """The input can be read and is more than one message may hold."""

    kind = Kind.TOO_LARGE


class InvalidError(AppError):
    """The input can be read and breaks a rule; `problems` lists every rule it breaks."""

    kind = Kind.INVALID


class UnauthenticatedError(AppError):
    kind = Kind.UNAUTHENTICATED


class ForbiddenError(AppError):
    kind = Kind.FORBIDDEN


class NotFoundError(AppError):
    kind = Kind.NOT_FOUND


class UnsupportedError(AppError):
    """The request asks for a way of working that does not exist here."""

    kind = Kind.UNSUPPORTED


class ConflictError(AppError):
    kind = Kind.CONFLICT


class TooManyError(AppError):
    """The part is healthy and has no room now."""

    kind = Kind.TOO_MANY

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message, retry_after=retry_after)


class UnavailableError(AppError):
    """Something this request needs is down."""

    kind = Kind.UNAVAILABLE

    def __init__(self, message: str, *, retry_after: int = 2) -> None:
        super().__init__(message, retry_after=retry_after)


class DeadlineError(AppError):
    """The time budget is spent. Whether the far side did the work is unknown."""

    kind = Kind.TIMEOUT


class BadReplyError(AppError):
    """The far side answered something that its contract does not allow."""

    kind = Kind.BAD_REPLY
