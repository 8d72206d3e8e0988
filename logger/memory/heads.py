"""The heads of an audit chain in memory: for tests and for learning. Nobody seals there, so there are none."""

from __future__ import annotations

from logger.audit import Head


class MemoryHeads:
    def heads(self, *, limit: int, before: str | None) -> list[Head]:  # noqa: ARG002 - HeadSource's names
        return []
