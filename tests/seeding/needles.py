"""Words of which it is known how often they occur, so that a search can be checked and timed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

# How many different words there are of each kind, and in how many entries each of them stands.
KINDS = {"once": (200, 1), "fifty": (50, 50), "often": (10, 5_000)}
# No word stands in more than this part of all entries.
_LARGEST_PART = 20


@dataclass(frozen=True, slots=True)
class Needles:
    """`places`: for every word the numbers of the entries that hold it; `kinds`: the words of each kind."""

    tag: str
    kinds: Mapping[str, list[str]]
    places: Mapping[str, frozenset[int]]

    @property
    def absent(self) -> list[str]:
        """Words that stand in no entry."""
        return [f"never{self.tag}x{number}" for number in range(200)]

    def occurrences(self, kind: str) -> dict[str, int]:
        """In how many entries each word of a kind stands."""
        return {word: len(self.places[word]) for word in self.kinds[kind]}

    def of_entries(self) -> dict[int, list[str]]:
        """The words of every entry that has any."""
        found: dict[int, list[str]] = defaultdict(list)
        for word, places in self.places.items():
            for place in places:
                found[place].append(word)
        return found

    def together(self, *words: str) -> int:
        """In how many entries all of `words` stand."""
        return len(frozenset.intersection(*(self.places[word] for word in words)))

    def partner(self, fifty: str) -> str:
        """The frequent word beside which about half of the places of a word of kind `fifty` are."""
        often = self.kinds["often"]
        return often[self.kinds["fifty"].index(fifty) % len(often)]


def scattered(count: int, seed: int, tag: str) -> Needles:
    """The needles of `count` entries. `tag`, lower-case letters and digits, is in every word, and so they are nobody else's."""
    chance = random.Random(seed)  # noqa: S311 - nothing is kept secret
    kinds = {kind: [f"{kind}{tag}x{number}" for number in range(many)] for kind, (many, _) in KINDS.items()}
    places: dict[str, frozenset[int]] = {}
    for kind in ("often", "once", "fifty"):
        wanted = max(1, min(KINDS[kind][1], count // _LARGEST_PART))
        for number, word in enumerate(kinds[kind]):
            chosen: set[int] = set()
            if kind == "fifty":
                partner = kinds["often"][number % len(kinds["often"])]
                chosen.update(chance.sample(sorted(places[partner]), min(wanted // 2, len(places[partner]))))
            while len(chosen) < wanted:
                chosen.add(chance.randrange(count))
            places[word] = frozenset(chosen)
    return Needles(tag, kinds, places)
