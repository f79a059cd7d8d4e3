"""A corpus as tests read it."""

from pathlib import Path

from vidal.config import Corpus
from vidal.terms.corpora import texts


def read(path: Path | str, reader: str, **settings) -> list[str]:
    return list(texts(Corpus(source="mine", path=str(path), reader=reader, **settings)))
