"""Counts and tags the texts of one bucket. The texts of all corpora are divided into buckets. One bucket fits into memory.

A run is two or three nouns in a row, such as "fire hydrant". A run becomes either one keyword or several. This is decided after all
buckets have been tagged. If an earlier build tagged a bucket with the same texts and settings, the bucket is not tagged again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vidal import ids
from vidal.models.once import once
from vidal.schema import STR, STRS
from vidal.storage.storage import Storage
from vidal.terms import tagging
from vidal.terms.partition import bucket_file, position
from vidal.terms.tagging import NOUN, RUN, Keyword, Tagger, keywords

PHRASES = "_build/phrases.json"
RUNS = "_build/runs.json"
TERMS = pa.schema([("term", STR), ("sources", STRS), ("frequency", pa.int64()), ("keywords", STRS), ("pos", STRS)])
# Raise this with any change to which keywords a text has: tagged buckets of earlier versions are then done again.
VERSION = 1


@dataclass(frozen=True)
class Work:
    """A bucket to process, and how.

    root: the URI of the database. index: the number of the bucket. sources: the names of the corpora. Each line of a bucket begins with
    the number of the corpus that it comes from: 0 stands for the first name in `sources`. tagger: the name of a spaCy pipeline.
    frequency_min: how often a text must occur to become a term.
    """

    root: str
    index: int
    sources: tuple[str, ...]
    tagger: str
    frequency_min: int


@dataclass(frozen=True)
class Counts:
    """Numbers of distinct texts in a bucket, which is a part of the texts of all corpora.

    terms: how many texts occur often enough to become terms. rare: how many texts are too rare for that; 0 if rare texts had already been
    removed before the count. bare: how many terms contain neither a noun nor a verb. tally: for each keyword, how many terms contain it.
    """

    terms: int
    rare: int
    bare: int
    tally: Counter[Keyword]


def tagged_name(index: int) -> str:
    return f"_build/tagged/bucket-{index:04d}.parquet"


def resolved_name(index: int) -> str:
    return f"_build/resolved/bucket-{index:04d}.parquet"


def tag(work: Work) -> Counts:
    """Stores the texts of one bucket with their keywords. Returns how many texts there are, and how many contain each keyword.

    Rare texts are not stored. If the bucket was already tagged with the same texts and settings, the stored result is used.
    """
    storage = Storage(work.root)
    raw = storage.read(bucket_file(work.index))
    phrases = storage.read(PHRASES)
    read = [ids.sha256(raw), ids.sha256(phrases)]
    key = ids.fingerprint([*read, work.sources, tagging.identity(work.tagger), work.frequency_min, VERSION])
    name = tagged_name(work.index)
    texts = _count(raw, work.sources)
    kept = {term: entry for term, entry in texts.items() if entry[0] >= work.frequency_min}
    if not storage.exists(name) or storage.metadata(name).get("key") != key:
        storage.write_table(name, _tagged(kept, work, phrases), {"key": key})
    return _counts(storage.read_table(name, ["keywords", "pos"]), len(texts) - len(kept))


def resolve_phrases(work: Work) -> Counts:
    """Replaces the runs of nouns in a tagged bucket by keywords, writes the bucket, and returns its counts.

    If a run is listed in the file RUNS, it becomes one keyword. If not, each of its nouns becomes a keyword.
    """
    storage = Storage(work.root)
    whole = _whole_runs(work.root, ids.sha256(storage.read(RUNS)))
    table = storage.read_table(tagged_name(work.index))
    pairs = [
        list(_resolved(list(zip(names, tags, strict=True)), whole)) for names, tags in _lists(table, "keywords", "pos")
    ]
    table = table.set_column(3, "keywords", pa.array([[name for name, _ in each] for each in pairs], STRS))
    table = table.set_column(4, "pos", pa.array([[pos for _, pos in each] for each in pairs], STRS))
    storage.write_table(resolved_name(work.index), table)
    return _counts(table, 0)


def _count(raw: bytes, sources: tuple[str, ...]) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Returns {text: (its frequency, the names of the corpora that contain it)}, in a random but fixed order.

    raw: the content of a bucket's file, with lines "corpus number<TAB>text". sources: the name of each corpus, by its number.
    """
    counts: dict[str, int] = {}
    sources_by_keyword: dict[str, set[str]] = {}
    for line in raw.decode().splitlines():
        number, _, term = line.partition("\t")
        counts[term] = counts.get(term, 0) + 1
        sources_by_keyword.setdefault(term, set()).add(sources[int(number)])
    return {term: (counts[term], tuple(sorted(sources_by_keyword[term]))) for term in sorted(counts, key=position)}


def _tagged(kept: dict[str, tuple[int, tuple[str, ...]]], work: Work, phrases: bytes) -> pa.Table:
    known = frozenset(json.loads(phrases))
    keywords_of_texts = [keywords(words, known) for words in _tagger(work.tagger).words(kept)]
    columns = [
        pa.array(list(kept), STR),
        pa.array([list(sources) for _, sources in kept.values()], STRS),
        pa.array([count for count, _ in kept.values()], pa.int64()),
        pa.array([[name for name, _ in each] for each in keywords_of_texts], STRS),
        pa.array([[pos for _, pos in each] for each in keywords_of_texts], STRS),
    ]
    return pa.Table.from_arrays(columns, schema=TERMS)


def _resolved(pairs: list[Keyword], whole: frozenset[str]) -> dict[Keyword, None]:
    resolved: dict[Keyword, None] = {}
    for name, pos in pairs:
        if pos != RUN:
            resolved[(name, pos)] = None
            continue
        run, *nouns = name.split("\t")
        resolved.update(dict.fromkeys((part, NOUN) for part in ([run] if run in whole else nouns)))
    return resolved


def _counts(table: pa.Table, rare: int) -> Counts:
    bare = pc.sum(pc.equal(pc.list_value_length(table.column("keywords")), 0)).as_py() or 0
    return Counts(table.num_rows, rare, bare, tally(table))


def tally(table: pa.Table) -> Counter[Keyword]:
    """Returns, for each keyword, the number of texts that contain it. table: one text per row, with the columns `keywords` and `pos`."""
    names, tags = (pc.list_flatten(table.column(column)).to_pylist() for column in ("keywords", "pos"))
    return Counter(zip(names, tags, strict=True))


def _lists(table: pa.Table, *columns: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(table.column(column).to_pylist() for column in columns), strict=True)


@once
def _tagger(model: str) -> Tagger:
    return Tagger(model)


@once
def _whole_runs(root: str, digest: str) -> frozenset[str]:
    """Returns the runs of nouns that each become one keyword, read from the file RUNS.

    digest: the hash of the file. The result is cached by digest, so a file that has changed is read again.
    """
    return frozenset(json.loads(Storage(root).read(RUNS)))
