"""Media files of a folder or a bucket. A sidecar, a file of the same name beside a media file, says what the media file shows."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from vidal.config.recipe import Recipe
from vidal.errors import RecordError, UserError
from vidal.records import Candidate
from vidal.schema import Reason
from vidal.sources.catalogue_files import ListedRow
from vidal.sources.collection import listing_sha256
from vidal.sources.listed_values import RowError
from vidal.sources.listing import RefusedRow, count_of
from vidal.sources.originals import Originals, StoredFile, StoredFolder
from vidal.sources.settings import CollectionSettings
from vidal.sources.sidecars import MEDIA, SIDECAR, SIDECAR_MAX_BYTES, listed_media, row_of
from vidal.sources.source import Fetched

if TYPE_CHECKING:
    from hashlib import _Hash

NAME = "folder"
# The sidecars of this many media files are requested together.
_BATCH = 64


class FolderSettings(CollectionSettings):
    """A folder or bucket of media files, with sidecars."""

    has_originals: ClassVar[bool] = True
    source: str = NAME
    """Name of the source."""


class Folder:
    """Lists and fetches the media files of a folder or bucket. Implements the protocol Collection."""

    settings = FolderSettings

    def __init__(self, settings: FolderSettings, recipe: Recipe):
        self._originals, self._columns = Originals(settings.uri), recipe.columns
        self._max_bytes = recipe.crawl.max_bytes
        self._is_reference = recipe.storage.media == "reference"
        self._ignored: Counter[str] = Counter()
        self.where = f"folder {settings.uri}"

    def stamp(self) -> list[str]:
        digest = sha256()
        for file in self._files():
            digest.update(f"{file.name}\0{file.size}\0{file.version}\0".encode("utf-8", "surrogateescape"))
        return [digest.hexdigest()]

    def check(self) -> None:
        if not self._originals.exists():
            raise UserError(f"{self.where}: no such folder")

    def extent(self) -> str:
        return count_of(sum(_ending(file.name) in MEDIA for file in self._files()), "media file")

    def sha256(self) -> str:
        return listing_sha256(self)

    def candidates(self, digest: _Hash) -> Iterator[Candidate | RefusedRow]:
        self._ignored.clear()
        for folder in self._folders():
            yield from folder.refused
            yield from self._candidates_in(folder, digest)

    def remarks(self) -> list[str]:
        counts = ", ".join(f"{count} {ending or 'without ending'}" for ending, count in sorted(self._ignored.items()))
        return [f"files ignored: {counts}"] if counts else []

    def describe(self, candidate: Candidate) -> Candidate:
        return candidate

    def fetch(self, candidate: Candidate, folder: Path) -> Fetched:
        name = self._originals.name_of(candidate["media_url"] or "")
        if self._is_reference and self._originals.is_local:
            return Fetched(self._originals.link(name, folder / "media.bin", self._max_bytes))
        return Fetched(self._originals.copy(name, folder / "media.bin", self._max_bytes))

    def close(self) -> None:
        """Does nothing: nothing is open."""

    def _folders(self) -> Iterator[StoredFolder]:
        self.check()
        return self._originals.folders()

    def _files(self) -> Iterator[StoredFile]:
        return (file for folder in self._folders() for file in folder.files.values())

    def _candidates_in(self, folder: StoredFolder, digest: _Hash) -> Iterator[Candidate | RefusedRow]:
        media = [file for name, file in folder.files.items() if _ending(name) in MEDIA]
        others = sorted(name for name in folder.files if _ending(name) not in MEDIA)
        beside = {file: _sidecars(PurePosixPath(file.name).name, others) for file in media}
        used = {name for names in beside.values() for name in names.values()}
        self._ignored.update(_ending(name) for name in others if name not in used)
        for start in range(0, len(media), _BATCH):
            batch = media[start : start + _BATCH]
            contents = self._read([folder.files[name] for file in batch for name in beside[file].values()])
            for file in batch:
                sidecars = {rest: contents[folder.files[name]] for rest, name in beside[file].items()}
                digest.update(f"{file.name}\0{file.size}\0{sidecars}".encode("utf-8", "surrogateescape"))
                row = _row_of(sidecars, self._columns)
                yield from listed_media(NAME, self._originals.location(file.name), row)

    def _read(self, sidecars: list[StoredFile]) -> dict[StoredFile, bytes | RecordError]:
        """Returns the content of each sidecar, or the RecordError that says why it is not read. Raises UserError if the store fails."""
        small = [file for file in sidecars if file.size <= SIDECAR_MAX_BYTES]
        contents = dict(zip(small, self._originals.read_small(small), strict=True))
        for content in contents.values():
            if isinstance(content, RecordError) and content.transient:
                raise UserError(f"{self.where}: {content.detail}") from content
        large = RecordError(Reason.TOO_LARGE, f"the file is larger than {SIDECAR_MAX_BYTES} bytes")
        return {file: contents.get(file, large) for file in sidecars}


def _row_of(sidecars: dict[str, bytes | RecordError], columns: dict[str, str]) -> ListedRow | RowError:
    for content in sidecars.values():
        if isinstance(content, RecordError):
            return RowError(f"a sidecar cannot be read: {content.detail}")
    return row_of({rest: content for rest, content in sidecars.items() if isinstance(content, bytes)}, columns)


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _sidecars(name: str, others: list[str]) -> dict[str, str]:
    """Returns {what follows the stem: file name} for the sidecars of a media file, such as {"info.json": "a.info.json"}.

    others: the sorted names of the other files beside it.
    """
    beside = {}
    for stem in (PurePosixPath(name).stem, name):
        for other in others[bisect.bisect_left(others, f"{stem}.") :]:
            if not other.startswith(f"{stem}."):
                break
            rest = other.removeprefix(f"{stem}.")
            if SIDECAR.fullmatch(rest):
                beside[rest] = other
    return beside
