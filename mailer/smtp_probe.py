"""Whether the mail server answers, asked seldom enough that readiness probes are no load for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from common.errors import AppError, UnavailableError
from mailer.smtp_session import SmtpAccount, connect, say_goodbye

PROBE_SECONDS = 1.0
FRESH_SECONDS = 5.0


class SmtpProbe:
    """For `Check`: connects, greets and leaves. An answer counts for five seconds, good or bad."""

    def __init__(self, account: SmtpAccount, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._account = account
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._fresh_until = float("-inf")
        self._finding: AppError | None = None

    def __call__(self) -> None:
        """Raises UnavailableError."""
        with self._lock:
            if self._monotonic() >= self._fresh_until:
                self._finding = self._look()
                self._fresh_until = self._monotonic() + FRESH_SECONDS
            finding = self._finding
        if finding is not None:
            raise UnavailableError(finding.message)

    def _look(self) -> AppError | None:
        try:
            session = connect(self._account, seconds=PROBE_SECONDS)
        except OSError:  # smtplib's own errors are OSErrors too
            return UnavailableError("the mail server does not answer")
        say_goodbye(session, seconds=PROBE_SECONDS)
        return None
