"""The registries of sources, which find candidates, and of collections, which list media that the user has already.

To add a source or a collection, write a file with its class and its settings, and add an entry here.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidal.sources.collection import Collection
    from vidal.sources.source import Source


@dataclass(frozen=True)
class _Entry:
    """Names a class, which is only imported when it or its settings are needed. path: "module:Class"."""

    path: str

    @property
    def module(self) -> str:
        return self.path.partition(":")[0]

    @property
    def name(self) -> str:
        return self.path.partition(":")[2]

    def _load(self) -> Any:
        return getattr(importlib.import_module(self.module), self.name)


class SourceEntry(_Entry):
    """Names the class of a source, which `load` imports."""

    def load(self) -> type[Source]:
        source: type[Source] = self._load()
        return source


class CollectionEntry(_Entry):
    """Names the class of a collection, which `load` imports."""

    def load(self) -> type[Collection]:
        collection: type[Collection] = self._load()
        return collection


# Where candidates are searched for.
SOURCES: dict[str, SourceEntry] = {
    "ytdlp": SourceEntry("vidal.sources.ytdlp:YtDlp"),
    "freesound": SourceEntry("vidal.sources.freesound:Freesound"),
    "peertube": SourceEntry("vidal.sources.peertube:PeerTube"),
    "archive": SourceEntry("vidal.sources.archive:Archive"),
}
# Media that the user has already, which are listed and not searched for.
COLLECTIONS: dict[str, CollectionEntry] = {
    "folder": CollectionEntry("vidal.sources.folder:Folder"),
    "arrow": CollectionEntry("vidal.sources.arrow_column:ArrowColumn"),
    "parquet": CollectionEntry("vidal.sources.parquet_column:ParquetColumn"),
    "webdataset": CollectionEntry("vidal.sources.webdataset:WebDataset"),
}
