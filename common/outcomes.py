"""What became of one item of many that were sent together. An item that breaks a rule is told by an InvalidError in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Fate = Literal["stored", "duplicate", "queued", "spooled"]
Place = Literal["mongodb", "queued", "spooled"]

# From the strongest promise to the weakest.
_PLACES: tuple[Place, ...] = ("mongodb", "queued", "spooled")
_PLACE_OF: dict[Fate, Place] = {"stored": "mongodb", "duplicate": "mongodb", "queued": "queued", "spooled": "spooled"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """An item that was taken. `duplicate`: the store had its id before; `queued`, `spooled`: durable, and on its way to the store."""

    outcome: Fate
    id: str

    @property
    def place(self) -> Place:
        return _PLACE_OF[self.outcome]


def weakest(fates: set[Fate]) -> Place:
    """The weakest of the places that these fates stand for; `mongodb` for none."""
    return max((_PLACE_OF[fate] for fate in fates), key=_PLACES.index, default="mongodb")
