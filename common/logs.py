"""What a process says about itself: one JSON object per line on standard output.

Kept light on purpose: gunicorn's configuration imports it before any application code.
"""

from __future__ import annotations

import json
import logging
import logging.config
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson

from common import context

# Where a line was written and by which thread is not told, and finding it out costs more than the line.
logging._srcfile = None  # noqa: SLF001 - the documented way, see "Optimization" in the logging how-to
logging.logThreads = False
logging.logProcesses = False
logging.logMultiprocessing = False

VERSION = "0.1.0"

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
    return {name: value for name, value in vars(record).items() if name not in _STANDARD and not name.startswith("_")}


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        extras = _extras(record)
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
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
                "class": "logging.StreamHandler",
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
