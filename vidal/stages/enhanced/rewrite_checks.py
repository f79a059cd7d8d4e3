"""Checks that a rewrite is plain text, names something that the caption names, and names only what other views or the pictures support.

In all functions, `tagger` is the name of a spaCy pipeline.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from vidal.terms.tagging import load

# Words that name nothing in the picture, or that most sentences need.
_LIGHT = frozenset(
    "video clip photo picture image scene frame view show be have do see feature appear look contain include depict "
    "display can let there thing".split()
)
_NAMING = {"NOUN", "PROPN", "VERB", "ADJ"}
_WORD = re.compile(r"[^\W\d_]+")
WORDS_MAX = 80
# Text that does not belong in a sentence about a video: addresses, markup, turns of a chat, and a model's remarks about itself.
_FOREIGN = re.compile(
    r"https?://|www\.|```|</?\w+>|<\||[{}]|\[/?INST\]|^\W*(?:title|caption|hashtags|user|assistant|system)\s*:|"
    r"\bas an? (?:ai|language model)\b|\bI(?:'m| am) (?:sorry|an? (?:ai|assistant))\b|\bI (?:can|will|would|cannot|can't)\b",
    re.IGNORECASE,
)

# Text that addresses a model instead of describing a video.
_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget)\b.*\b(?:above|previous|prior|instructions?|prompts?)\b|\byou are (?:now|an? (?:ai|assistant))\b|"
    r"\b(?:answer|respond|reply|say|output|write|print) (?:only|just|nothing but)\b|<\|",
    re.IGNORECASE | re.DOTALL,
)

# Returns whether a lemma is a synonym of one of the known words, or visible in the pictures.
Supports = Callable[[str, frozenset[str]], bool]


def gives_orders(text: str) -> bool:
    """Returns whether a crawled text gives orders to a model.

    Such a text is stored, but not shown to the models that write or rewrite captions.
    """
    return bool(_ORDERS.search(text))


def malformed(text: str) -> str | None:
    """Returns why a rewrite is not a plain sentence, or None."""
    if foreign := _FOREIGN.search(text):
        return f"contains {foreign[0]!r}"
    words = len(text.split())
    return f"{words} words, more than {WORDS_MAX}" if words > WORDS_MAX else None


def is_about(rewrite: str, caption: str, tagger: str, supports: Supports | None = None) -> bool:
    """Returns whether a rewrite names at least one thing that its caption names; True if the caption names nothing.

    supports: is called with a lemma of the rewrite and the lemmas that the caption names. If it returns True, the lemma counts as named
    by the caption.
    """
    wanted = frozenset(_named(caption, tagger))
    known = _lemmas(caption, tagger)
    return not wanted or any(each in known or (supports and supports(each, wanted)) for each in _named(rewrite, tagger))


def tells(rewrite: str, title: str, tagger: str) -> bool:
    """Returns whether a rewrite names at least half of the things that the title names; False if the title names nothing.

    A model that obeys an order in the title, instead of rewriting the title, names fewer of them.
    """
    wanted, known = _named(title, tagger), _lemmas(rewrite, tagger)
    return bool(wanted) and 2 * sum(bool(forms & known) for forms in wanted.values()) >= len(wanted)


def unsupported(rewrite: str, views: list[str], tagger: str, supports: Supports | None = None) -> list[str]:
    """Returns the lemmas of nouns, verbs, adjectives and numbers of the rewrite that occur in no view, in the order of the rewrite.

    views: the texts of the clip's other views. supports: is called with a lemma and the words of the views; if it returns True, the
    lemma is left out.
    """
    known = _lemmas(" . ".join(views), tagger)
    missing = [lemma for lemma, forms in _named(rewrite, tagger).items() if not forms & known]
    return [lemma for lemma in missing if not (supports and supports(lemma, known))]


def _named(text: str, tagger: str) -> dict[str, frozenset[str]]:
    """Returns the nouns, verbs, adjectives and numbers of a text, as {lemma: forms}.

    Words such as "video" are left out. forms: the lemma and the word itself. For an -ing form, also the verbs that it may come from.
    If another text contains one of these forms, that text counts as naming the same thing.
    """
    named: dict[str, frozenset[str]] = {}
    for token in load(tagger)(text.replace("#", " ")):
        names = (token.pos_ in _NAMING and _WORD.search(token.text)) or token.like_num
        if names and token.lemma_.lower() not in _LIGHT:
            named[token.lemma_.lower()] = frozenset((token.lemma_.lower(), token.lower_, *_verbs(token.lower_)))
    return named


def _verbs(word: str) -> tuple[str, ...]:
    """Returns the verbs that an -ing form may come from, whichever part of speech the tagger assigns to it."""
    stem = word.removesuffix("ing")
    if stem == word or len(stem) < 3:
        return ()
    return (stem, f"{stem}e", stem[:-1]) if stem[-1] == stem[-2] else (stem, f"{stem}e")


@lru_cache(maxsize=256)
def _lemmas(text: str, tagger: str) -> frozenset[str]:
    """Returns the words and the lemmas of a text."""
    return frozenset(
        form for token in load(tagger)(text.replace("#", " ")) for form in (token.lower_, token.lemma_.lower())
    )


def support(synonyms: Any | None, is_visible: Callable[[str], bool] | None) -> Supports:
    """Returns a function that takes a lemma and a set of words.

    The function returns True if the lemma is a synonym of one of the words, or if the pictures show what it names.

    synonyms: a vidal.models.synonyms.Synonyms; None skips the check for synonyms. is_visible: takes a lemma, and returns whether the
    pictures show what it names; None skips the check of the pictures.
    """

    def supports(lemma: str, known: Iterable[str]) -> bool:
        return bool(synonyms and synonyms.find_synonym(lemma, known)) or bool(is_visible and is_visible(lemma))

    return supports
