"""Turns one candidate into clips in storage.

The crawler reads what the candidate's page says, decides whether to fetch the file, fetches and probes it, and cuts and stores the clips.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from vidal.config.recipe import Recipe
from vidal.crawl.cut import Cutter, judge_span, requested_span
from vidal.crawl.download_cache import DownloadCache
from vidal.crawl.media_file import MediaFile, Span, inspect_file
from vidal.crawl.store import ClipStore
from vidal.errors import PutBack, RecordError
from vidal.net.effort import Effort
from vidal.pipeline.stage import Drop, Output, Runtime
from vidal.records import Candidate, CrawledClip
from vidal.schema import map_dict
from vidal.sources.candidate_policy import judge_candidate
from vidal.sources.dispatch import Sources
from vidal.sources.fit import fit
from vidal.sources.session import IdentitySession, Network, Session
from vidal.sources.source import Fetched, fill_in
from vidal.storage.storage import Storage


class Crawler:
    """The worker of the stage `crawl`: takes candidates, returns clips. Safe to call from several threads."""

    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._recipe = recipe
        self._network = Network(recipe, runtime)
        self._downloads = DownloadCache(2 * recipe.crawl.concurrency)
        self._cutter = Cutter(recipe)
        self._store = ClipStore(recipe, storage)
        self._efforts: dict[str, Effort] = {}

    def __call__(self, candidate: Candidate) -> Output | Drop:
        """Returns the clips of a candidate, or why it is dropped. Raises RecordError if its file cannot be fetched or is not usable."""
        return self._crawl(candidate, Effort())

    def attempt(self, candidate: Candidate) -> Output | Drop:
        """Crawls a candidate as __call__ does, but raises PutBack instead of waiting for a host. The caller then tries again later.

        The limits on time and attempts apply to all these calls for a candidate together.
        """
        id_ = candidate["candidate_id"]
        effort = self._efforts.setdefault(id_, Effort(may_be_put_back=True))
        is_put_back = False
        try:
            return self._crawl(candidate, effort)
        except PutBack:
            is_put_back = True
            raise
        finally:
            if not is_put_back:
                del self._efforts[id_]

    def close(self) -> None:
        """Closes the connections and removes the downloaded files, which are temporary. The stored clips stay.

        Connections also close when the crawler is garbage-collected.
        """
        self._network.close()
        self._downloads.close()

    def _crawl(self, candidate: Candidate, effort: Effort) -> Output | Drop:
        candidate = {**candidate, "extra": map_dict(candidate.get("extra"))}
        with self._network.session_for(candidate) as session:
            return self._fetch_clips(candidate, session, effort)

    def _fetch_clips(self, candidate: Candidate, session: Session | IdentitySession, effort: Effort) -> Output | Drop:
        def describe(sources: Sources) -> tuple[Candidate, str]:
            return fit(sources.for_candidate(candidate).describe(candidate)), sources.describe_robots(candidate)

        (described, robots), describe_attempts = session.call(describe, effort)
        if drop := judge_candidate(described, self._recipe):
            return drop
        address = described["media_url"] or described["url"]
        with self._downloads.borrow(address, lambda folder: _fetch(described, folder, session, effort)) as (
            fetched,
            attempts,
        ):
            stated = fit(fill_in(described, fetched.page))
            result = judge_candidate(stated, self._recipe) or self._make_clips(stated, fetched.path)
        if isinstance(result, Drop):
            return result
        detail = "; ".join(filter(None, (result.detail, robots)))
        return replace(result, attempts=max(describe_attempts, attempts), detail=detail)

    def _make_clips(self, candidate: Candidate, path: Path) -> Output | Drop:
        file = inspect_file(path, candidate["kind"], self._recipe)
        span = requested_span(candidate, file.properties.duration_s)
        if drop := judge_span(candidate, span, file, self._recipe):
            return drop
        cuts_s = self._cutter.find_cuts(file)
        if cuts_s is not None and self._cutter.is_too_long(span):
            return self._store_pieces(candidate, file, span, cuts_s)
        return Output([self._store.store_clip(candidate, file, span, cuts_s)])

    def _store_pieces(self, candidate: Candidate, file: MediaFile, span: Span, cuts_s: list[float]) -> Output:
        """Divides a long video at its cuts, and stores each piece as a clip. Raises RecordError if all pieces fail."""
        clips: list[CrawledClip] = []
        errors: list[RecordError] = []
        for piece in self._cutter.split_at_cuts(span, cuts_s):
            try:
                clips.append(self._store.store_clip(candidate, file, piece, cuts_s))
            except RecordError as error:
                errors.append(error)
        if not clips:
            raise errors[0]
        # Some pieces may have failed: the outcome mentions them.
        detail = f"{len(clips)} pieces at {len(cuts_s)} cuts"
        return Output(clips, detail=f"{detail}; {len(errors)} failed, the first: {errors[0]}" if errors else detail)


def _fetch(
    candidate: Candidate, folder: Path, session: Session | IdentitySession, effort: Effort
) -> tuple[Fetched, int]:
    def fetch(sources: Sources) -> Fetched:
        # A failed attempt may have left partial files, which must not be resumed: each attempt gets an empty folder.
        attempt = Path(tempfile.mkdtemp(dir=folder)) if os.listdir(folder) else folder
        return sources.for_candidate(candidate).fetch(candidate, attempt)

    return session.call(fetch, effort)
