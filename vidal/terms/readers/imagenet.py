"""Reads the names of ImageNet's classes (Russakovsky et al. 2015) from the files in which they are usually published.

Each class is a synset of WordNet: a thing with one or more names, its synonyms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from vidal.terms.readers.files import FormatError, extension
from vidal.terms.readers.formats import leaves, plain
from vidal.terms.settings import Corpus

_SYNSET = re.compile(r"n\d{8}\b")


def imagenet(corpus: Corpus) -> Iterator[str]:
    """Yields the synonyms of each synset one by one or, if corpus.synonyms is "joined", each list of synonyms as one text.

    A text file (words.txt, LOC_synset_mapping.txt, imagenet_synset_to_lemma.txt) has lines such as
    `n01440764<tab or space>tench, Tinca tinca`; the id may be missing. A JSON file is a list ["tench", ...] or a map
    {"0": ["n01440764", "tench"], ...}. corpus.subset names a file with the ids of the synsets to keep, one per line.
    Raises FormatError if the subset file has no ids, or if there is a subset and a name has no id.
    """
    kept = _subset(corpus)
    for synset, names in _json(corpus) if extension(corpus) == ".json" else _text(corpus):
        if kept is not None and not synset:
            raise FormatError(
                "subset selects synsets by their ids, but the file has a name without an id: give a file with ids, or remove subset"
            )
        if kept is None or synset in kept:
            yield from [names] if corpus.synonyms == "joined" else (name.strip() for name in names.split(","))


def _text(corpus: Corpus) -> Iterator[tuple[str, str]]:
    for line in plain(corpus):
        match = _SYNSET.match(line)
        synset = match[0] if match else ""
        yield synset, line.removeprefix(synset).strip()


def _json(corpus: Corpus) -> Iterator[tuple[str, str]]:
    synset = ""
    for key, prefix, text in leaves(corpus):
        if prefix not in ("item", f"{key}.item"):
            continue
        if _SYNSET.fullmatch(text):
            synset = text
        else:
            yield synset, text


def _subset(corpus: Corpus) -> set[str] | None:
    if corpus.subset is None:
        return None
    listed = corpus.model_copy(update={"path": corpus.subset})
    synsets = {match[0] for line in plain(listed) if (match := _SYNSET.match(line))}
    if not synsets:
        raise FormatError(f"the subset file {corpus.subset} lists no synset ids such as n01440764")
    return synsets
