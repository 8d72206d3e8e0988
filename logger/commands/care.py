"""`indexes` and `retention`: how the log store is doing, and how long its entries stay."""

from __future__ import annotations

import argparse
import re

import orjson

from common.errors import InvalidError
from logger.commands import terminal
from logger.commands.codes import FOUND, NOT_FOUND
from logger.commands.store import opened
from logger.keeping.retention import Rules, read_rules, rules_as_json
from logger.mongo.asking import answered
from logger.mongo.documents import COLLECTION
from logger.mongo.indexes import check_indexes
from logger.mongo.retention import MongoRules, MongoShelf
from logger.settings import LoggerSettings

_COLOURS = {"present": "green", "missing": "red", "different": "red", "unknown": "yellow"}
_BYTES = re.compile(r"([1-9][0-9]{0,18})([KMGT]?)B?", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def indexes(settings: LoggerSettings, options: argparse.Namespace) -> int:
    """What is declared and what is there; a problem is one that is missing or different."""
    with opened(settings) as client:
        collection = client.get_default_database(default="logs")[COLLECTION]
        findings = answered(lambda: check_indexes(collection))
    if options.json:
        for each in findings:
            terminal.say(orjson.dumps(each._asdict()).decode())
    else:
        paint = terminal.Paint()
        rows = [("INDEX", "STATE", "SIZE"), *((each.name, each.state, size_text(each.size)) for each in findings)]
        head, *lines = terminal.table([tuple(map(terminal.harmless, row)) for row in rows])
        terminal.say(head)
        for line, each in zip(lines, findings, strict=True):
            terminal.say(paint(line, _COLOURS[each.state]))
    terminal.flush()
    return NOT_FOUND if any(each.state in {"missing", "different"} for each in findings) else FOUND


def retention(settings: LoggerSettings, options: argparse.Namespace) -> int:
    """Shows the rules; changes those that are named and leaves the others."""
    with opened(settings) as client:
        store = MongoRules(client)
        rules = store.load()
        if options.rules or options.max_bytes:
            rules = _changed(rules, options)
            store.save(rules)
        size = MongoShelf(client).size()
    told = rules_as_json(rules)
    if options.json:
        terminal.say(orjson.dumps({**told, "bytes": size}).decode())
        terminal.flush()
        return FOUND
    rows = [(level, f"{age} old" if age else "kept") for level, age in told["levels"].items()]
    cap = told["max_bytes"]
    rows.append(("all", f"the oldest, beyond {size_text(cap)}" if cap else "no limit of size"))
    for line in terminal.table([("LEVEL", "DELETED WHEN"), *rows]):
        terminal.say(line)
    terminal.say(f"there are {size_text(size)} now")
    terminal.flush()
    return FOUND


def _changed(rules: Rules, options: argparse.Namespace) -> Rules:
    """Raises InvalidError."""
    wanted = rules_as_json(rules)
    for text in options.rules:
        level, equals, age = text.partition("=")
        if not equals:
            raise InvalidError(f"{text}: write a level and a time, such as DEBUG=7d, or DEBUG=keep")
        wanted["levels"][level.upper()] = None if age == "keep" else age
    if options.max_bytes:
        wanted["max_bytes"] = None if options.max_bytes == "none" else _bytes(options.max_bytes)
    return read_rules(wanted)


def _bytes(text: str) -> int:
    found = _BYTES.fullmatch(text)
    if not found:
        raise InvalidError("--max-bytes: must be a number of bytes such as 500M or 20G, or none")
    return int(found[1]) * _UNITS[found[2].upper()]


def size_text(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
