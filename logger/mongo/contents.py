"""What a block says about the entries in its range, gathered entry by entry in order of time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from bson import Binary

from logger.keeping import bloom
from logger.keeping.tallies import Tally
from logger.mongo.documents import text_of
from logger.mongo.windows import Window


class Limits(NamedTuple):
    """Of one block. With more words its filter errs too often, with more text or entries it takes too long to look through."""

    entries: int = 1_000
    words: int = bloom.WORDS
    characters: int = 8 * 1024 * 1024


class Contents:
    def __init__(self, window: Window, limits: Limits) -> None:
        self.window = window
        self.until = window.until
        self.tally = Tally()
        self._limits = limits
        self._words: set[str] = set()
        self._characters = 0
        self._last: datetime | None = None

    def add(self, document: Mapping[str, Any]) -> bool:
        """False when the block is full and ends before this entry. Entries of the same millisecond are never parted."""
        created: datetime = document["created_at"]
        if created != self._last and self._full:
            self.until = created
            return False
        self._last = created
        text = text_of(document.get("data"))
        self._characters += len(text)
        self._words |= bloom.words_of(text)
        self.tally.add(
            text_of(document.get("name")),
            text_of(document.get("level")) or "INFO",
            text_of(document.get("service")),
            created,
        )
        return True

    def as_document(self) -> dict[str, Any]:
        return {"until": self.until, "words": Binary(bloom.made_of(self._words)), **self.tally.as_document()}

    @property
    def _full(self) -> bool:
        return len(self._words) > self._limits.words or self._characters > self._limits.characters
