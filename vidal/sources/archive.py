"""Videos and sounds of the Internet Archive: its advanced search, an item's metadata, the smallest fitting file of the item."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vidal import ids
from vidal.errors import RecordError
from vidal.net.client import Client
from vidal.schema import Kind, Reason
from vidal.sources.api import get_json, seconds
from vidal.sources.plain import open_url, save
from vidal.sources.settings import Search
from vidal.sources.source import Candidate, Fetched, described, extra, first
from vidal.sources.text import hashtags

BASE = "https://archive.org"
_PAGE = 100
_KINDS = {"movies": Kind.VIDEO.value, "audio": Kind.AUDIO.value}
_ENDINGS = {Kind.VIDEO.value: (".mp4", ".ogv", ".webm", ".mkv"), Kind.AUDIO.value: (".mp3", ".ogg", ".flac", ".wav")}


class Archive:
    def __init__(self, client: Client, search: Search, duration_max_s: float):
        self._client, self._settings, self._duration_max_s = client, search, duration_max_s
        self._base = (search.base_url or BASE).rstrip("/")

    def search(self, term: str, limit: int) -> list[Candidate]:
        return first(self._results(term, limit), limit)

    def describe(self, candidate: Candidate) -> Candidate:
        found = get_json(self._client, f"{self._base}/metadata/{quote(candidate['source_id'])}")
        metadata = found.get("metadata")
        if not metadata:
            raise RecordError(Reason.REMOVED, "the item is not there")
        if metadata.get("access-restricted-item") == "true":
            raise RecordError(Reason.LOGIN_REQUIRED, "the item is lent, not given")
        file = self._file(found.get("files") or [], candidate["kind"])
        address = f"{self._base}/download/{quote(candidate['source_id'])}/{quote(file['name'])}"
        page = {**_description(metadata), "duration_s": seconds(file.get("length"))}
        return described({**candidate, "media_url": address}, page)

    def fetch(self, candidate: Candidate, folder: Path) -> Fetched:
        if not candidate["media_url"]:
            candidate = self.describe(candidate)
        with open_url(self._client, candidate["media_url"]) as response:
            return Fetched(save(response, b"", folder))

    def _results(self, term: str, limit: int) -> Iterator[Candidate]:
        escaped = term.replace("\\", " ").replace('"', " ")
        query: dict[str, Any] = {
            "q": f'"{escaped}" AND mediatype:({" OR ".join(_KINDS)})',
            "fl[]": ["identifier", "title", "mediatype", "subject", "creator", "licenseurl"],
            "rows": min(limit, _PAGE),
            "output": "json",
        }
        page = 1
        while True:
            found = get_json(self._client, f"{self._base}/advancedsearch.php", {**query, "page": page})
            documents = (found.get("response") or {}).get("docs") or []
            yield from (_candidate(document, self._base) for document in documents)
            if len(documents) < query["rows"]:
                return
            page += 1

    def _file(self, files: list[dict[str, Any]], kind: str) -> dict[str, Any]:
        """The smallest of the files that are short enough. Raises RecordError."""
        media = [file for file in files if str(file.get("name", "")).lower().endswith(_ENDINGS[kind])]
        if not media:
            raise RecordError(Reason.UNSUPPORTED_URL, f"the item has no {kind} file")
        short = [file for file in media if (seconds(file.get("length")) or 0.0) <= self._duration_max_s]
        return min(short or media, key=lambda file: (int(file.get("size") or 0), file["name"]))


def _candidate(document: dict[str, Any], base: str) -> Candidate:
    source_id = document["identifier"]
    return {
        **_description(document),
        "candidate_id": ids.candidate_id("archive", source_id, None, None),
        "source": "archive",
        "platform": "archive",
        "source_id": source_id,
        "url": f"{base}/details/{quote(source_id)}",
        "kind": _KINDS.get(document.get("mediatype", ""), Kind.VIDEO.value),
        "curated": False,
    }


def _description(item: dict[str, Any]) -> Candidate:
    """Fields of an item hold a text or a list of texts."""
    subjects = item.get("subject") or []
    tags = subjects.split(";") if isinstance(subjects, str) else subjects
    title = _text(item.get("title"))
    found = hashtags(title, _text(item.get("description")))
    return {
        "title": title,
        "hashtags": list(dict.fromkeys([*(tag.strip().lower() for tag in tags if tag.strip()), *found])),
        "uploader": _text(item.get("creator")) or None,
        "licence": _text(item.get("licenseurl")) or None,
        "extra": extra({key: _text(item.get(key)) for key in ("date", "description")}, ("date", "description")),
    }


def _text(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value or "")
