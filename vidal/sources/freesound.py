"""Sounds of Freesound, found with its API v2, the most relevant first. Their previews are downloaded: the originals need a login."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from vidal import ids
from vidal.errors import UserError
from vidal.records import Candidate
from vidal.schema import Kind, Reason
from vidal.sources.api_source import ApiSearch, ApiSource, JsonObject
from vidal.sources.settings import Minimum
from vidal.sources.source import stated_texts

if TYPE_CHECKING:
    from vidal.net.client import Client

SITE = "https://freesound.org"
TOKEN_VARIABLE = "FREESOUND_TOKEN"
_FIELDS = "id,name,tags,description,username,license,duration,previews,avg_rating,num_ratings,num_downloads,num_comments,url,type"
_PAGE_SIZE = 150  # The most that the API allows.
# The best first. The originals need an OAuth login.
_PREVIEWS = ("preview-hq-ogg", "preview-hq-mp3", "preview-lq-ogg", "preview-lq-mp3")


class FreesoundSearch(ApiSearch):
    """The settings of a search of Freesound. A sound is dropped if its rating, for example, is less than `rating_min`. A sound without a
    rating is not dropped.
    """

    source: str = "freesound"
    """Name of the source."""
    token_file: str | None = None
    """A file with your API token. `null` uses the environment variable FREESOUND_TOKEN."""
    rating_min: float | None = Field(default=None, ge=0)
    """Lowest rating, 0 to 5."""
    downloads_min: int | None = Field(default=None, ge=0)
    """Lowest number of downloads."""
    comments_min: int | None = Field(default=None, ge=0)
    """Lowest number of comments."""
    tags_min: int | None = Field(default=None, ge=0)
    """Lowest number of tags."""

    @property
    def finds_sounds(self) -> bool:
        return True

    def minimums(self) -> tuple[Minimum, ...]:
        return (
            Minimum("rating", self.rating_min, Reason.LOW_RATING),
            Minimum("downloads", self.downloads_min, Reason.FEW_DOWNLOADS),
            Minimum("comments", self.comments_min, Reason.FEW_COMMENTS),
            Minimum("tags", self.tags_min, Reason.FEW_TAGS),
        )


class Freesound(ApiSource):
    """The source for Freesound, by its API v2. See https://freesound.org/docs/api."""

    settings = FreesoundSearch
    default_base_url = SITE

    def __init__(self, client: Client, search: FreesoundSearch, duration_max_s: float):
        super().__init__(client, search, duration_max_s)
        self._token_file = search.token_file

    def describe(self, candidate: Candidate) -> Candidate:
        """Returns the candidate unchanged: the search result already has everything that the API states."""
        return candidate

    def _list_results(self, term: str, limit: int) -> Iterator[Candidate]:
        query = {
            "query": term,
            "filter": f"duration:[0 TO {self._duration_max_s:g}]",
            "sort": "score",
            "fields": _FIELDS,
            "page_size": min(limit, _PAGE_SIZE),
        }
        token, page = read_token(self._token_file), 1
        while True:
            answer = self._get_json("/apiv2/search/text/", {**query, "page": page}, token)
            yield from map(_candidate_of, answer.get("results") or [])
            if not answer.get("next"):
                return
            page += 1


def read_token(token_file: str | None) -> str:
    """Returns the API token that is in a file. Without a file, it is read from the environment variable FREESOUND_TOKEN.

    Raises UserError if the file does not exist or is empty, or if the variable is not set.
    """
    if token_file:
        path = Path(token_file).expanduser()
        if not path.is_file():
            raise UserError(f"search.token_file {token_file}: no such file")
        if token := path.read_text(encoding="utf-8").strip():
            return token
        raise UserError(f"search.token_file {token_file}: is empty: write your API token into it")
    if token := os.environ.get(TOKEN_VARIABLE, "").strip():
        return token
    raise UserError(
        f"Freesound needs an API token: set {TOKEN_VARIABLE} or search.token_file; request one at freesound.org/apiv2/apply"
    )


def _candidate_of(sound: JsonObject) -> Candidate:
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
        "url": sound.get("url") or f"{SITE}/s/{source_id}/",
        "media_url": next((previews[name] for name in _PREVIEWS if previews.get(name)), None),
        "kind": Kind.AUDIO.value,
        "title": sound.get("name") or "",
        "hashtags": [tag.lower() for tag in sound.get("tags") or []],
        "uploader": sound.get("username"),
        "licence": sound.get("license"),
        "duration_s": sound.get("duration"),
        "curated": False,
        "extra": stated_texts(stated, *stated),
    }
