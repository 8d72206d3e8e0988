"""`verify`: whether the audit trail is as it was sealed."""

from __future__ import annotations

import argparse

import orjson

from logger.audit import Fault, Head, verify
from logger.commands import terminal
from logger.commands.codes import FOUND, NOT_FOUND
from logger.commands.store import opened
from logger.mongo.audit_trail import MongoAuditTrail
from logger.settings import LoggerSettings


def check(settings: LoggerSettings, options: argparse.Namespace) -> int:
    """A line for each day that holds, then what is broken first."""
    paint = terminal.Paint()
    days: list[Head] = []
    fault: Fault | None = None
    with opened(settings) as client:
        trail = MongoAuditTrail(client.get_default_database(default="logs"))
        for finding in verify(trail, day=options.day, anchors=options.anchor):
            if isinstance(finding, Fault):
                fault = finding
            else:
                days.append(finding)
                if not options.json:
                    terminal.say(f"{finding.day}  {finding.count:>9} links  {finding.hash}")
    links = sum(head.count for head in days)
    if options.json:
        told = {"ok": fault is None, "links": links, "days": [head._asdict() for head in days]}
        terminal.say(orjson.dumps({**told, "fault": fault and fault._asdict()}).decode())
    elif fault is None:
        terminal.say(paint(f"the audit trail holds: {links} links in {len(days)} days", "green"))
    else:
        terminal.say(paint(_told(fault), "red"))
    terminal.flush()
    return FOUND if fault is None else NOT_FOUND


def _told(fault: Fault) -> str:
    link = f" at link {terminal.harmless(fault.link)}" if fault.link else ""
    entry = f", entry {fault.entry}" if fault.entry else ""
    return f"broken{link}{entry}: {terminal.harmless(fault.detail)} ({fault.kind})"
