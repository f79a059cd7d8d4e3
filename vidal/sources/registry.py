"""The registry of sources. To add one, write a file with a source and its settings, and add an entry to SOURCES."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidal.sources.source import Source


@dataclass(frozen=True)
class SourceEntry:
    """An entry of SOURCES. path: "module:Class"; the module is imported when the source or its settings are needed."""

    path: str

    @property
    def module(self) -> str:
        return self.path.partition(":")[0]

    @property
    def name(self) -> str:
        return self.path.partition(":")[2]

    def load(self) -> type[Source]:
        source: type[Source] = getattr(importlib.import_module(self.module), self.name)
        return source


SOURCES: dict[str, SourceEntry] = {
    "ytdlp": SourceEntry("vidal.sources.ytdlp:YtDlp"),
    "freesound": SourceEntry("vidal.sources.freesound:Freesound"),
    "peertube": SourceEntry("vidal.sources.peertube:PeerTube"),
    "archive": SourceEntry("vidal.sources.archive:Archive"),
}
