"""What an SMTP server's refusal means to the one who wanted to send, in our words: a server's own text may hold addresses."""

from __future__ import annotations

import re
import smtplib
import ssl

from common.errors import AppError, DeadlineError, InvalidError, Problem, UnavailableError

_ENHANCED = re.compile(rb"\s*[245]\.(\d{1,3}\.\d{1,3})\b")

# Subject and detail of an enhanced status code: RFC 3463, sections 3.2 to 3.8, and RFC 7505.
_BY_ENHANCED_CODE = {
    "1.1": "there is no such mailbox",
    "1.2": "there is no such mail domain",
    "1.3": "the address is not accepted",
    "1.6": "the mailbox has moved",
    "1.7": "the sender's address is not accepted",
    "1.8": "the sender's domain is not accepted",
    "1.10": "the domain takes no mail",
    "2.1": "the mailbox is disabled",
    "2.2": "the mailbox is full",
    "2.3": "the mail is too large",
    "3.4": "the mail is too large",
    "7.1": "its policy does not allow it",
}
# RFC 5321, section 4.2.3.
_BY_CODE = {
    550: "the mailbox is not available",
    551: "the mailbox is not here",
    552: "the mail is too large or the mailbox is full",
    553: "the address is not accepted",
    554: "the mail is not accepted",
}
# RFC 4954, section 6: about the credentials this system was given, so nothing that the writer of a mail can mend.
_ABOUT_CREDENTIALS = frozenset({530, 534, 535, 538})
_BAD_CREDENTIALS = "the mail server does not accept this system's credentials"

SOON = 5
LATER = 60
"""Seconds after which trying again makes sense: for a server that restarts, and for one that defers or is set up wrongly."""


def as_app_error(error: Exception) -> AppError:
    """For what smtplib or a socket raised. Do not chain `error` to the result: its text may hold addresses."""
    # smtplib hides a time-out that it met while reading behind "connection unexpectedly closed".
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return DeadlineError("the mail server did not answer in time")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return _refusal("recipient", "#/to", *next(iter(error.recipients.values())))
    if isinstance(error, smtplib.SMTPSenderRefused):
        return _refusal("sender", "#/from", error.smtp_code, error.smtp_error)
    if isinstance(error, smtplib.SMTPDataError):
        return _refusal("mail", "#/message", error.smtp_code, error.smtp_error)
    return _unusable(error)


def _unusable(error: Exception) -> UnavailableError:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return UnavailableError(_BAD_CREDENTIALS, retry_after=LATER)
    if isinstance(error, (smtplib.SMTPNotSupportedError, ssl.SSLError)):
        return UnavailableError("no trusted connection to the mail server can be made", retry_after=LATER)
    return UnavailableError("the mail server cannot be reached", retry_after=SOON)


def _refusal(what: str, pointer: str, code: int, text: bytes | str) -> AppError:
    raw = text.encode(errors="replace") if isinstance(text, str) else text
    enhanced = _ENHANCED.match(raw)
    detail = enhanced[1].decode() if enhanced else ""
    numbers = f"{code} {code // 100}.{detail}" if detail else str(code)
    if code in _ABOUT_CREDENTIALS:
        return UnavailableError(_BAD_CREDENTIALS, retry_after=LATER)
    if not 500 <= code < 600:
        return UnavailableError(f"the mail server does not take the mail now ({numbers})", retry_after=LATER)
    reason = _BY_ENHANCED_CODE.get(detail) or _BY_CODE.get(code) or "it gave no known reason"
    message = f"the mail server refused the {what}: {reason} ({numbers})"
    return InvalidError(message, problems=[Problem(pointer, message)])
