"""What a process says about itself: one JSON object per line on standard output.

Kept light on purpose: gunicorn's configuration imports it before any application code.
"""

from __future__ import annotations

import json
import logging
import logging.config
import threading
import traceback
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Any

import orjson

from common import context

# Where a line was written and by which thread is not told, and finding it out costs more than the line.
logging._srcfile = None  # noqa: SLF001 - the documented way, see "Optimization" in the logging how-to
logging.logThreads = False
logging.logProcesses = False
logging.logMultiprocessing = False

VERSION = "0.1.0"

# INFO lines may wait this long for others, so that a busy service writes many at a time; from WARNING on a line waits for nothing.
LINGER_SECONDS = 0.1
MOST_WAITING = 200

_ALWAYS = len(vars(logging.makeLogRecord({})))
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class ServiceFilter(logging.Filter):
    """Puts the service's name and the request's identity on every record."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def filter(self, record: logging.LogRecord) -> bool:
        record.service = self.service
        if (bound := context.current()) is not None:
            record.request_id = bound.request_id
            record.trace_id = bound.trace_id
        return True


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    # what a record always has was set first, so all that is not of interest need not be looked at
    added = islice(vars(record).items(), _ALWAYS, None)
    return {name: value for name, value in added if name not in _STANDARD and not name.startswith("_")}


class LineHandler(logging.StreamHandler[Any]):
    """Writes each line at once, or, between `start` and `stop`, many together: then a killed process loses a tenth of a second of INFO."""

    def __init__(self, stream: Any = None) -> None:  # noqa: ANN401 - as in the base class
        super().__init__(stream)
        self._lines: list[str] = []
        self._first = threading.Event()
        self._stopped: threading.Event | None = None

    def start(self) -> None:
        """Starts a thread, so call after the fork."""
        self._stopped = threading.Event()
        threading.Thread(target=self._flush_later, args=(self._stopped,), name="log-lines", daemon=True).start()

    def stop(self) -> None:
        if self._stopped is not None:
            self._stopped.set()
            self._first.set()
        self._stopped = None
        self.flush()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record))
        except Exception:  # noqa: BLE001 - logging's own way: a line that cannot be written does not end the work
            self.handleError(record)
            return
        if self._stopped is None or record.levelno >= logging.WARNING or len(self._lines) >= MOST_WAITING:
            self.flush()
        elif len(self._lines) == 1:
            self._first.set()

    def flush(self) -> None:
        with self.lock or nullcontext():
            lines, self._lines = self._lines, []
            # a full disk under the lines must not fail the work they tell of, nor end the thread that writes them
            with suppress(OSError):
                if lines:
                    self.stream.write("\n".join(lines) + "\n")
                if not self.stream.closed:
                    self.stream.flush()

    def _flush_later(self, stopped: threading.Event) -> None:
        """Sleeps for as long as nothing is said: a process at rest is to cost nothing."""
        while not stopped.is_set():
            self._first.wait()
            stopped.wait(LINGER_SECONDS)
            self._first.clear()
            self.flush()


def line_handlers() -> list[LineHandler]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, LineHandler)]


def start_batches() -> None:
    """From now on a busy process writes many lines at a time. Call after the fork."""
    for handler in line_handlers():
        handler.start()


def stop_batches() -> None:
    for handler in line_handlers():
        handler.stop()


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        extras = _extras(record)
        line: dict[str, Any] = {
            "ts": f"{_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "service": extras.pop("service", ""),
            "version": VERSION,
            "msg": record.getMessage(),
            "logger": record.name,
            **extras,
        }
        if record.exc_info and record.exc_info[0]:
            line["error.type"] = record.exc_info[0].__name__
            line["error.stack"] = "".join(traceback.format_exception(*record.exc_info))
        try:
            return orjson.dumps(line, default=str).decode()
        except TypeError:  # a lone surrogate, or an integer of more than 64 bits
            return json.dumps(line, default=str)


class ConsoleFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        extras = _extras(record)
        service = extras.pop("service", "")
        fields = " ".join(f"{name}={value}" for name, value in extras.items())
        text = f"{datetime.now(UTC):%H:%M:%S} {record.levelname:7} {service:8} {record.getMessage()} {fields}".rstrip()
        return text if not record.exc_info else f"{text}\n{self.formatException(record.exc_info)}"


def logging_config(service: str, *, level: str, style: str) -> dict[str, Any]:
    """A `logging.config.dictConfig` that sends everything, gunicorn's and Celery's own lines too, through one formatter."""
    formatter = "common.logs.JsonFormatter" if style == "json" else "common.logs.ConsoleFormatter"
    quiet = {"level": "WARNING", "handlers": [], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"service": {"()": "common.logs.ServiceFilter", "service": service}},
        "formatters": {"line": {"()": formatter}},
        "handlers": {
            "out": {
                "class": "common.logs.LineHandler",
                "stream": "ext://sys.stdout",
                "formatter": "line",
                "filters": ["service"],
            }
        },
        "root": {"level": level, "handlers": ["out"]},
        "loggers": {
            "gunicorn.error": {"level": level, "handlers": [], "propagate": True},
            "gunicorn.access": quiet,
            "werkzeug": quiet,
            "urllib3": quiet,
            "pymongo": quiet,
            "amqp": quiet,
            "kombu": quiet,
            # tells the broker's address at every connection
            "celery.worker.consumer.connection": quiet,
            "alembic": quiet,
        },
    }


def configure(service: str, *, level: str, style: str) -> None:
    logging.config.dictConfig(logging_config(service, level=level, style=style))
