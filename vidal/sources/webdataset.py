"""Media in WebDataset's tar archives, as video2dataset writes them: the members of a sample have the same name before the first dot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vidal import ids
from vidal.config.recipe import Recipe
from vidal.errors import RecordError, UserError
from vidal.records import Candidate
from vidal.schema import Reason
from vidal.sources.collection import listing_sha256
from vidal.sources.file_patterns import files_of
from vidal.sources.listing import RefusedRow, count_of
from vidal.sources.originals import Originals, StoredFile
from vidal.sources.settings import CollectionSettings
from vidal.sources.sidecars import (
    PICTURES,
    SIDECAR,
    SIDECAR_MAX_BYTES,
    SOUNDS,
    VIDEOS,
    listed_media,
    row_of,
)
from vidal.sources.source import Fetched
from vidal.sources.tar_members import DamagedTar, TarListing, TarMember

if TYPE_CHECKING:
    from hashlib import _Hash

NAME = "webdataset"
# The name of a sample ends at the first dot of the last part of a member's name, as in WebDataset's own reader.
_MEMBER = re.compile(r"((?:.*/|)[^.]+)\.([^/]+)", re.S)
_LOCATION = re.compile(r"(.+)#(\d+)\+(\d+)", re.S)


class WebDatasetSettings(CollectionSettings):
    """Tar archives of samples: one archive, all that match a glob, or all in a folder or bucket."""

    source: str = NAME
    """Name of the source."""


class _Sample(NamedTuple):
    """A sample. key: its name. members: its files, by their extension without the first dot, such as "mp4" or "json"."""

    key: str
    members: dict[str, TarMember]

    def media(self) -> TarMember | None:
        """Returns the video of the sample; without a video, its sound; without either, its picture. None if the sample has no media."""
        for endings in (VIDEOS, SOUNDS, PICTURES):
            for ending, member in self.members.items():
                if f".{ending.lower().rpartition('.')[2]}" in endings:
                    return member
        return None


class WebDataset:
    """A collection of media in tar archives. A member is read from its offset in the archive; nothing is unpacked."""

    settings = WebDatasetSettings

    def __init__(self, settings: WebDatasetSettings, recipe: Recipe):
        self._uri, self._columns = settings.uri, recipe.columns
        self._max_bytes = recipe.crawl.max_bytes
        self.where = f"archives {settings.uri}"

    def stamp(self) -> list[str]:
        _, files = files_of(self._uri, ".tar")
        return [f"{file.name} {file.size} {file.version}" for file in files]

    def check(self) -> None:
        files_of(self._uri, ".tar")

    def extent(self) -> str:
        return count_of(len(files_of(self._uri, ".tar")[1]), "archive")

    def sha256(self) -> str:
        return listing_sha256(self)

    def candidates(self, digest: _Hash) -> Iterator[Candidate | RefusedRow]:
        originals, files = files_of(self._uri, ".tar")
        for file in files:
            try:
                yield from self._candidates_in(originals, file, digest)
            except DamagedTar as error:
                yield RefusedRow(
                    originals.location(file.name),
                    f"the archive is damaged, and its later samples cannot be read: {error}",
                )
            except RecordError as error:
                raise UserError(f"{self.where}: {error.detail}") from error

    def remarks(self) -> list[str]:
        return []

    def describe(self, candidate: Candidate) -> Candidate:
        return candidate

    def fetch(self, candidate: Candidate, folder: Path) -> Fetched:
        place = _LOCATION.fullmatch(candidate["media_url"] or "")
        if not place:
            raise RecordError(
                Reason.UNREADABLE_FILE,
                f"media_url must have the form ARCHIVE#OFFSET+SIZE, but is {candidate['media_url']}",
            )
        parent, _, name = place[1].rpartition("/")
        start, size = int(place[2]), int(place[3])
        return Fetched(Originals(parent).copy(name, folder / "media.bin", self._max_bytes, start, size))

    def close(self) -> None:
        """Does nothing, because no file is kept open."""

    def _candidates_in(self, originals: Originals, file: StoredFile, digest: _Hash) -> Iterator[Candidate | RefusedRow]:
        archive = originals.location(file.name)
        tar = TarListing(
            lambda start, end: originals.read_range(file.name, start, end), file.size, _is_sidecar, SIDECAR_MAX_BYTES
        )
        for sample in _samples(tar):
            digest.update(f"{file.name}\0{sample}".encode("utf-8", "surrogateescape"))
            media = sample.media()
            if media is None:
                yield RefusedRow(f"{archive}, {sample.key!r}", "the sample has no video, sound or picture")
                continue
            sidecars = {rest: member.content for rest, member in sample.members.items() if member.content is not None}
            location = f"{archive}#{media.offset}+{media.size}"
            for listed in listed_media(NAME, location, row_of(sidecars, self._columns), is_cut=True):
                yield listed if isinstance(listed, RefusedRow) else _named(listed, archive, sample.key)


def _is_sidecar(member: str) -> bool:
    name = _MEMBER.fullmatch(member)
    return bool(name and SIDECAR.fullmatch(name[2]))


def _named(candidate: Candidate, archive: str, key: str) -> Candidate:
    """Returns the candidate with ids that are made from the name of its sample, not from its position in the archive.

    If the sample's metadata state no URL, the URL is made from this name too.
    """
    name = f"{archive}/{key}"
    url = name if candidate["url"] == candidate["media_url"] else candidate["url"]
    return {**candidate, "candidate_id": ids.candidate_id(NAME, name, None, None), "source_id": name, "url": url}


def _samples(tar: TarListing) -> Iterator[_Sample]:
    """Yields the samples: members that follow each other and have the same name before the first dot.

    If the archive is damaged, yields the samples that stand before the damage, and then raises DamagedTar. The last of these samples
    may be incomplete.
    """
    sample = _Sample("", {})
    damage = None
    try:
        for member in tar:
            name = _MEMBER.fullmatch(member.name)
            if name is None:
                continue
            if name[1] != sample.key or name[2] in sample.members:
                if sample.members:
                    yield sample
                sample = _Sample(name[1], {})
            sample.members[name[2]] = member
    except DamagedTar as error:
        damage = error
    if sample.members:
        yield sample
    if damage:
        raise damage
