"""Videos and sounds of the Internet Archive: its advanced search, the metadata of an item, and the item's smallest suitable file."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from vidal import ids
from vidal.errors import RecordError
from vidal.records import Candidate
from vidal.schema import Kind, Reason
from vidal.sources.api_source import ApiSearch, ApiSource, JsonObject, parse_duration, reading_answers
from vidal.sources.source import fill_in, stated_texts
from vidal.sources.text import parse_hashtags

_PAGE_SIZE = 100
_KINDS = {"movies": Kind.VIDEO.value, "audio": Kind.AUDIO.value}
_SUFFIXES = {Kind.VIDEO.value: (".mp4", ".ogv", ".webm", ".mkv"), Kind.AUDIO.value: (".mp3", ".ogg", ".flac", ".wav")}


class ArchiveSearch(ApiSearch):
    """The settings of a search of the Internet Archive."""

    source: str = "archive"
    """Name of the source."""


class Archive(ApiSource):
    """The source for the Internet Archive. See https://archive.org/developers."""

    settings = ArchiveSearch
    default_base_url = "https://archive.org"

    @reading_answers()
    def describe(self, candidate: Candidate) -> Candidate:
        item = self._get_json(f"/metadata/{quote(candidate['source_id'])}")
        metadata = item.get("metadata")
        if not metadata:
            raise RecordError(Reason.REMOVED, "the Internet Archive has no such item")
        if metadata.get("access-restricted-item") == "true":
            raise RecordError(Reason.LOGIN_REQUIRED, "the item can only be borrowed, which needs a login")
        file = self._choose_file(item.get("files") or [], candidate["kind"] or Kind.VIDEO.value)
        media_url = f"{self._base_url}/download/{quote(candidate['source_id'])}/{quote(file['name'])}"
        page: Candidate = {**_describe_item(metadata), "duration_s": parse_duration(file.get("length"))}
        return fill_in({**candidate, "media_url": media_url}, page)

    def _list_results(self, term: str, limit: int) -> Iterator[Candidate]:
        phrase = term.replace("\\", " ").replace('"', " ")
        query: JsonObject = {
            "q": f'"{phrase}" AND mediatype:({" OR ".join(_KINDS)})',
            "fl[]": ["identifier", "title", "mediatype", "subject", "creator", "licenseurl"],
            "rows": min(limit, _PAGE_SIZE),
            "output": "json",
        }
        page = 1
        while True:
            answer = self._get_json("/advancedsearch.php", {**query, "page": page})
            items = (answer.get("response") or {}).get("docs") or []
            yield from (_candidate_of(item, self._base_url) for item in items)
            if len(items) < query["rows"]:
                return
            page += 1

    def _choose_file(self, files: list[JsonObject], kind: str) -> JsonObject:
        """Returns the smallest file of the kind that is not too long for the recipe; if all are too long, the smallest of them.

        Raises RecordError(unsupported_url) if there is no file of the kind.
        """
        media = [file for file in files if str(file.get("name", "")).lower().endswith(_SUFFIXES[kind])]
        if not media:
            raise RecordError(Reason.UNSUPPORTED_URL, f"the item has no {kind} file")
        short = [file for file in media if (parse_duration(file.get("length")) or 0.0) <= self._duration_max_s]
        return min(short or media, key=lambda file: (int(file.get("size") or 0), file["name"]))


def _candidate_of(item: JsonObject, base_url: str) -> Candidate:
    source_id = item["identifier"]
    return {
        **_describe_item(item),
        "candidate_id": ids.candidate_id("archive", source_id, None, None),
        "source": "archive",
        "platform": "archive",
        "source_id": source_id,
        "url": f"{base_url}/details/{quote(source_id)}",
        "kind": _KINDS.get(item.get("mediatype", ""), Kind.VIDEO.value),
        "curated": False,
    }


def _describe_item(item: JsonObject) -> Candidate:
    subjects = item.get("subject") or []
    tags = subjects.split(";") if isinstance(subjects, str) else subjects
    title, description = _join_texts(item.get("title")), _join_texts(item.get("description"))
    hashtags = [*(tag.strip().lower() for tag in tags if tag.strip()), *parse_hashtags(title, description)]
    return {
        "title": title,
        "hashtags": list(dict.fromkeys(hashtags)),
        "uploader": _join_texts(item.get("creator")) or None,
        "licence": _join_texts(item.get("licenseurl")) or None,
        "extra": stated_texts(
            {"date": _join_texts(item.get("date")), "description": description}, "date", "description"
        ),
    }


def _join_texts(value: object) -> str:
    """Returns a field of an item as one text: a list of texts is joined with "; ", and a missing field becomes ""."""
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value or "")
