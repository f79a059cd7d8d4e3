"""What the search-term database is built from, and how it is balanced."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vidal.config.base import Settings


class Corpus(Settings):
    """Labels or captions in a file or URI; a bare file name is looked up in search_terms/. reader: see vidal.terms.readers.

    column: the text column of one's own csv, tsv, jsonl or Parquet. subset: for imagenet, a list of synset ids to keep;
    synonyms: a term a synonym, or a synset's whole list as one term (the paper's way).
    """

    source: str
    path: str
    reader: str = "text"
    column: str | None = None
    subset: str | None = None
    synonyms: Literal["each", "joined"] = "each"


class Terms(Settings):
    """The search-term database: corpora, tagged, at most `count` terms balanced over their keywords.

    database: a folder with a terms.parquet built before; null builds it into the dataset. cap: terms a keyword brings
    about, at most (MetaCLIP's t); null takes what gives `count`. frequency_min: how often a text must stand in the corpora.
    phrase_min: how many terms must hold a run of nouns for it to be one keyword. budget: of `search-terms feedback`.
    """

    corpora: tuple[Corpus, ...] = ()
    database: str | None = None
    budget: str | None = None
    tagger: str = "en_core_web_sm"
    count: int = Field(default=100_000, ge=1)
    strategy: Literal["metaclip", "inverse_frequency", "round_robin"] = "metaclip"
    cap: float | None = Field(default=None, gt=0)
    seed: int = 0
    frequency_min: int = Field(default=1, ge=1)
    words_max: int = Field(default=40, ge=1)
    phrase_min: int = Field(default=3, ge=1)
    buckets: int = Field(default=64, ge=1)
