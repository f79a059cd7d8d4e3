"""Readers of names of sounds. Every reader also accepts a plain list with one name per line, such as the lists in search_terms/.

A name that consists of several near synonyms ("Bird chirping, tweeting") is not split.
"""

from __future__ import annotations

from collections.abc import Iterator

from vidal.terms.readers.files import FormatError, extension
from vidal.terms.readers.formats import distinct, elements, fields, plain, rows
from vidal.terms.settings import Corpus


def audioset(corpus: Corpus) -> Iterator[str]:
    """Reads the column display_name of class_labels_indices.csv, or the names in ontology.json (Gemmeke et al. 2017).

    The ontology's restricted nodes are left out: "abstract" nodes only group others ("Source-ambiguous sounds"),
    and "blacklist" nodes were judged too obscure or unclear to label ("Otoacoustic emission").
    """
    if extension(corpus) == ".json":
        nodes = (node for node in elements(corpus, "item") if isinstance(node, dict))
        yield from (str(node["name"]) for node in nodes if "name" in node and not node.get("restrictions"))
    elif extension(corpus) == ".csv":
        yield from fields(corpus, "display_name")
    else:
        yield from plain(corpus)


def vggsound(corpus: Corpus) -> Iterator[str]:
    """Yields each distinct label of vggsound.csv (ytid,start,label,split) or stat.csv (label,count[,group]); neither has a header.

    Chen et al. 2020. Raises FormatError for a row with other columns.
    """
    yield from distinct(map(_label, rows(corpus))) if extension(corpus) == ".csv" else plain(corpus)


def _label(row: list[str]) -> str:
    if len(row) not in (2, 3, 4) or not row[1].isdigit():
        raise FormatError(f"a row has the columns of neither stat.csv nor vggsound.csv: {','.join(row)}")
    return row[2] if len(row) == 4 else row[0]


def esc50(corpus: Corpus) -> Iterator[str]:
    """Yields the class names of ESC-50 (Piczak 2015).

    In the published file meta/esc50.csv, the names are in the column category. Another csv may have them in the column display_name.
    A name that occurs in several rows of a csv is yielded once.
    """
    if extension(corpus) == ".csv":
        yield from distinct(fields(corpus, "category", "display_name"))
    else:
        yield from plain(corpus)
