"""Limits and vocabularies of a log entry, the same at every door and in every part that passes entries on."""

from __future__ import annotations

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LEVEL_ALIASES = {"": "INFO", "WARN": "WARNING", "ERR": "ERROR", "FATAL": "CRITICAL"}
PROTOCOLS = ("http", "rpc", "grpc", "amqp")
MAX_NAME_CHARACTERS = 255
MAX_SERVICE_CHARACTERS = 64
MAX_DATA_BYTES = 1024 * 1024
# In one call of WriteLogs: more would keep every other writer waiting.
MAX_ENTRIES = 1_000
