"""Words in Bloom filters: what a phrase needs is in the filter of every text in which it stands, whatever the letters."""

# ruff: noqa: RUF001 - letters that look alike are what is tested

from __future__ import annotations

import re
import sys

from hypothesis import example, given, settings
from hypothesis import strategies as st

from logger.keeping import bloom
from logger.query.filters import folded_words, phrase_pattern

# Letters with more than two cases, with cases in other alphabets, or that grow when they change it; signs that join and part.
TRICKY = "aAiIsSkKßẞſKÅåİıΣσςΐΐάιΙ\u0345ﬅﬆǅǆµμθϑΩωéé-_'. 09٣ⅧⅷⒶⓐ中\u0301\u200d"
TEXTS = st.text(st.sampled_from(TRICKY) | st.characters(exclude_categories=["Cs"]), max_size=12)


def filter_of(text: str) -> bytes:
    return bloom.made_of(bloom.words_of(text))


def cased() -> str:
    every = map(chr, range(sys.maxunicode + 1))
    return "".join(each for each in every if len({each, each.upper(), each.lower(), each.casefold()}) > 1)


def test_letters_that_a_regular_expression_holds_equal_are_folded_alike():
    letters = cased()
    unlike = [
        (letter, other)
        for letter in letters
        for other in re.findall(re.escape(letter), letters, re.IGNORECASE)
        if bloom.IOTA_BELOW not in (letter, other) and folded_words(f"x{letter}x") != folded_words(f"x{other}x")
    ]

    assert len(letters) > 2_000
    assert unlike == []


@settings(max_examples=1_000, deadline=None)
@given(TEXTS, TEXTS, TEXTS, st.sampled_from([str, str.upper, str.lower, str.title, str.swapcase, str.casefold]))
@example("x", "abc", "'Β", str.lower)
@example("ΑΣ", "", "'Β", str.lower)
@example("\u0345", "abc", "", str)
@example("α\u0345", "", " ", str.upper)
@example("İSTANBUL", "", "", str.lower)
@example("STRAẞE", "", "", str.lower)
def test_a_phrase_that_stands_in_a_text_is_never_ruled_out_by_its_filter(before, phrase, after, change):
    text, phrase = before + phrase + after, change(before + phrase) or change(phrase)
    wanted = bloom.needed(phrase)

    if wanted is not None and phrase_pattern(phrase).search(text):
        assert bloom.has(filter_of(text), wanted)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.data())
def test_every_piece_of_a_text_that_stands_there_by_itself_is_found(text, data):
    first = data.draw(st.integers(0, len(text)))
    phrase = text[first : data.draw(st.integers(first, len(text)))].swapcase()
    wanted = bloom.needed(phrase)

    if wanted is not None and phrase_pattern(phrase).search(text):
        assert bloom.has(filter_of(text), wanted)


def test_a_full_filter_errs_in_less_than_two_of_a_hundred_words():
    bits = bloom.made_of(f"there{number}" for number in range(bloom.WORDS))

    assert all(bloom.has(bits, bloom.positions(f"there{number}")) for number in range(bloom.WORDS))
    assert sum(bloom.has(bits, bloom.positions(f"absent{number}")) for number in range(10_000)) < 200


def test_a_filter_without_words_rules_out_every_word():
    assert bloom.made_of([]) == bloom.EMPTY
    assert not bloom.has(bloom.EMPTY, bloom.positions("word"))


def test_nothing_is_needed_of_a_phrase_without_words():
    assert bloom.needed("--!") is None
    assert bloom.needed("") is None
