"""Bloom filters over words: sets that take little room and never deny what is in them. No I/O.

A filter says "not there" with certainty and "there" with a small chance of error: 0.8 % with WORDS words in it, less with fewer, more
with more. The layout is what MongoDB's `$bitsAllSet` expects of a binary: position 0 is the lowest bit of the first byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from logger.query.filters import folded_words

BYTES = 16 * 1024
BITS = BYTES * 8
# So many bits stand for a word: 17 binary digits each of a hash of 128.
HASHES = 7
# More than these make the filter err more often than it is worth.
WORDS = 13_000
# A filter without a word, in as few bytes as there can be: the bits that are not there count as not set.
EMPTY = b"\0"

_MASK = BITS - 1
_SHIFTS = tuple(range(0, 17 * HASHES, 17))

# A phrase of more words is looked for by its longest ones: the others would hardly rule out more.
_MOST_WORDS = 12
# The iota below a Greek letter: the one sign that is equal but for case to a letter and itself no part of a word, so that where the
# words of a text begin and end depends on who looks.
IOTA_BELOW = "\u0345"


def positions(word: str) -> list[int]:
    """The bits that stand for a word."""
    number = int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=16).digest(), "little")
    return [(number >> shift) & _MASK for shift in _SHIFTS]


def made_of(words: Iterable[str]) -> bytes:
    """The filter with all these words in it."""
    bits = bytearray(BYTES)
    used = False
    for word in words:
        used = True
        for position in positions(word):
            bits[position >> 3] |= 1 << (position & 7)
    return bytes(bits) if used else EMPTY


def has(bits: bytes, wanted: Iterable[int]) -> bool:
    """Whether all these bits are set, as `$bitsAllSet` sees it."""
    return all(position >> 3 < len(bits) and bits[position >> 3] >> (position & 7) & 1 for position in wanted)


def words_of(text: str) -> set[str]:
    """What has to be in the filter so that every phrase that stands in `text` is found: see `needed`."""
    words = folded_words(text)
    if IOTA_BELOW in text:
        words |= folded_words(text.replace(IOTA_BELOW, " "))
    return words


def needed(phrase: str) -> list[int] | None:
    """The bits that are set in the filter of every text in which the phrase stands; None when no filter can tell."""
    if IOTA_BELOW in phrase:
        return None
    words = sorted(folded_words(phrase), key=len, reverse=True)[:_MOST_WORDS]
    return sorted({position for word in words for position in positions(word)}) or None
