"""Sounds of Freesound by its API v2. Results come by the server's own relevance to the term; previews need no login."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vidal import ids
from vidal.errors import UserError
from vidal.net.client import Client
from vidal.schema import Kind
from vidal.sources.api import get_json
from vidal.sources.plain import open_url, save
from vidal.sources.settings import Search
from vidal.sources.source import Candidate, Fetched, extra, first

BASE = "https://freesound.org"
TOKEN = "FREESOUND_TOKEN"
_FIELDS = "id,name,tags,description,username,license,duration,previews,avg_rating,num_ratings,num_downloads,num_comments,url,type"
_PAGE = 150  # The API's most.
# The best first. The originals need an OAuth login.
_PREVIEWS = ("preview-hq-ogg", "preview-hq-mp3", "preview-lq-ogg", "preview-lq-mp3")


def token(search: Search) -> str:
    """From the recipe's file or the environment. Raises UserError where there is none."""
    if search.token_file:
        path = Path(search.token_file).expanduser()
        if not path.is_file():
            raise UserError(f"search.token_file {search.token_file}: no such file")
        return path.read_text(encoding="utf-8").strip()
    if found := os.environ.get(TOKEN, "").strip():
        return found
    raise UserError(f"Freesound needs an API token: set {TOKEN}, or give search.token_file (freesound.org/apiv2/apply)")


class Freesound:
    def __init__(self, client: Client, search: Search, duration_max_s: float):
        self._client, self._settings, self._duration_max_s = client, search, duration_max_s

    def search(self, term: str, limit: int) -> list[Candidate]:
        return first(self._results(term, limit), limit)

    def describe(self, candidate: Candidate) -> Candidate:
        """The search said all."""
        return candidate

    def fetch(self, candidate: Candidate, folder: Path) -> Fetched:
        with open_url(self._client, candidate["media_url"]) as response:
            return Fetched(save(response, b"", folder))

    def _results(self, term: str, limit: int) -> Iterator[Candidate]:
        base = (self._settings.base_url or BASE).rstrip("/")
        query: dict[str, Any] = {
            "query": term,
            "filter": f"duration:[0 TO {self._duration_max_s:g}]",
            "sort": "score",
            "fields": _FIELDS,
            "page_size": min(limit, _PAGE),
        }
        page = 1
        while True:
            found = get_json(self._client, f"{base}/apiv2/search/text/", {**query, "page": page}, token(self._settings))
            yield from (_candidate(sound) for sound in found.get("results") or [])
            if not found.get("next"):
                return
            page += 1


def _candidate(sound: dict[str, Any]) -> Candidate:
    previews = sound.get("previews") or {}
    source_id = str(sound["id"])
    stated = {
        "rating": sound.get("avg_rating"),
        "ratings": sound.get("num_ratings"),
        "downloads": sound.get("num_downloads"),
        "comments": sound.get("num_comments"),
        "description": sound.get("description"),
        "tags": len(sound.get("tags") or []),
    }
    return {
        "candidate_id": ids.candidate_id("freesound", source_id, None, None),
        "source": "freesound",
        "platform": "freesound",
        "source_id": source_id,
        "url": sound.get("url") or f"{BASE}/s/{source_id}/",
        "media_url": next((previews[name] for name in _PREVIEWS if previews.get(name)), None),
        "kind": Kind.AUDIO.value,
        "title": sound.get("name") or "",
        "hashtags": [tag.lower() for tag in sound.get("tags") or []],
        "uploader": sound.get("username"),
        "licence": sound.get("license"),
        "duration_s": sound.get("duration"),
        "curated": False,
        "extra": extra(stated, tuple(stated)),
    }
