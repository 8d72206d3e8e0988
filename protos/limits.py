"""Limits and vocabularies of a log entry, the same at every door and in every part that passes entries on."""

from __future__ import annotations

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LEVEL_ALIASES = {"": "INFO", "WARN": "WARNING", "ERR": "ERROR", "FATAL": "CRITICAL"}
PROTOCOLS = ("http", "rpc", "grpc", "amqp")
# The one category there is: entries that record who did what, sealed in a chain and never deleted.
AUDIT = "audit"
MAX_NAME_CHARACTERS = 255
MAX_SERVICE_CHARACTERS = 64
MAX_DATA_BYTES = 1024 * 1024
# In one call or request at every bulk door: more would keep every other writer waiting.
MAX_ENTRIES = 1_000
MAX_BULK_BODY = 4 * 1024 * 1024
# The structured data of an entry, `fields`, as JSON.
MAX_FIELDS_BYTES = 64 * 1024
MAX_FIELDS_DEPTH = 5
MAX_KEY_CHARACTERS = 128
