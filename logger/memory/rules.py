"""The rules of retention in memory: for tests and for learning; nobody carries them out."""

from __future__ import annotations

from logger.keeping.retention import Rules


class MemoryRules:
    def __init__(self) -> None:
        self._rules = Rules()

    def load(self) -> Rules:
        return self._rules

    def save(self, rules: Rules) -> None:
        self._rules = rules
