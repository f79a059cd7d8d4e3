"""Finds views that contradict each other: different numbers or colours of a thing, a thing that another view denies, opposite scenes.

Only words and their order are compared, not the meaning of a sentence.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING

from vidal.records import Caption
from vidal.terms.tagging import load

if TYPE_CHECKING:
    from spacy.tokens import Token

FLAG = "contradicts:"
_COLOURS = frozenset("black white red green blue yellow orange brown grey gray pink purple".split())
_NUMBERS = {"one": 1, "single": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
_NONE = frozenset(("no", "without"))
_OPPOSITES = (
    ("indoors", "outdoors"), ("indoor", "outdoor"), ("day", "night"), ("daytime", "nighttime"), ("man", "woman"),
    ("boy", "girl"), ("summer", "winter"), ("sunny", "rainy"), ("empty", "crowded"), ("male", "female"),
)  # fmt: skip
_BETWEEN = {"ADJ", "NOUN", "PROPN"}

Claims = dict[tuple[str, str], set[object]]


def claims(text: str, tagger: str) -> Claims:
    """Returns what a text claims about the things that it names. tagger: the name of a spaCy model.

    The value of each key is a set. These are the keys and what their sets hold:
    - (thing, "number"): the numbers of the thing that the text states.
    - (thing, "colour"): the colours of the thing that the text states.
    - (thing, "absent"): True if the text says that the thing is absent, as in "no dog"; else False.
    - ("", "day/night"): the word "day" or the word "night". If the text contains both words or neither, there is no such key. Every
      other pair in _OPPOSITES has a key of the same form.
    """
    claimed: Claims = defaultdict(set)
    tokens = [token for token in load(tagger)(text.replace("#", " ")) if not token.is_space]
    for at, token in enumerate(tokens):
        if token.pos_ in ("NOUN", "PROPN") and not (at + 1 < len(tokens) and tokens[at + 1].pos_ in ("NOUN", "PROPN")):
            _read_before(claimed, token.lemma_.lower(), tokens, at)
    words = {token.lower_ for token in tokens}
    for pair in _OPPOSITES:
        if len(words & set(pair)) == 1:
            claimed[("", "/".join(pair))] |= words & set(pair)
    return claimed


def _read_before(claimed: Claims, thing: str, tokens: list[Token], at: int) -> None:
    """Adds the claims that the words before a noun make about it.

    Reads backwards over at most four words, and stops at a number, at a negation, or at a word that cannot belong to the noun.
    thing: the lemma of the noun. at: the index of the noun in tokens.
    """
    claimed[(thing, "absent")].add(False)
    for before in reversed(tokens[max(0, at - 4) : at]):
        word = before.lower_
        if word in _COLOURS:
            claimed[(thing, "colour")].add("grey" if word == "gray" else word)
        elif word in _NONE:
            claimed[(thing, "absent")] = {True}
            return
        elif word in _NUMBERS:
            claimed[(thing, "number")].add(_NUMBERS[word])
            return
        elif before.pos_ not in _BETWEEN and before.lower_ != "and":
            return


def contradict(first: Claims, second: Claims) -> bool:
    return any(values.isdisjoint(second[key]) for key, values in first.items() if key in second)


def mark(captions: list[Caption], tagger: str) -> None:
    """If captions of two views cannot both be true, adds "contradicts:VIEW" to the flags of each; VIEW is the view of the other.

    Hashtags are not compared; neither are captions of the same view, because they may describe different frames.
    """
    texts = [(each, claims(each["text"], tagger)) for each in captions if each["text"] and each["view"] != "hashtags"]
    for (one, ones), (other, others) in combinations(texts, 2):
        if one["view"] != other["view"] and contradict(ones, others):
            for each, against in ((one, other), (other, one)):
                each["flags"] = sorted({*each["flags"], f"{FLAG}{against['view']}"})
