"""The guard of rewrites: a rewrite may only name what another view names."""

from __future__ import annotations

import re
from functools import lru_cache

from vidal.terms.tagging import load

# Words that name nothing in the picture, or that a sentence cannot do without.
_LIGHT = frozenset(
    "video clip photo picture image scene frame view show be have do see feature appear look contain include depict "
    "display can let there thing".split()
)
_NAMING = {"NOUN", "PROPN", "VERB", "ADJ"}
_WORD = re.compile(r"[^\W\d_]+")


def unsupported(rewrite: str, views: list[str], tagger: str) -> list[str]:
    """Lemmas of nouns, verbs and adjectives in the rewrite that no view holds, in order. Numbers count as named things."""
    known = _lemmas(" . ".join(views), tagger)
    doc = load(tagger)(rewrite)
    named = [token for token in doc if (token.pos_ in _NAMING and _WORD.search(token.text)) or token.like_num]
    missing = [
        token.lemma_.lower()
        for token in named
        if not {token.lemma_.lower(), token.lower_} & known and token.lemma_.lower() not in _LIGHT
    ]
    return list(dict.fromkeys(missing))


@lru_cache(maxsize=256)
def _lemmas(text: str, tagger: str) -> frozenset[str]:
    """Words and lemmas of a text; of a compound hashtag also the whole."""
    return frozenset(
        form for token in load(tagger)(text.replace("#", " ")) for form in (token.lower_, token.lemma_.lower())
    )
