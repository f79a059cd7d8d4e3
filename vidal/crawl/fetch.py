"""One candidate from its address to a clip in storage: described, judged by its text, fetched, probed, cut, stored."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from vidal import ids
from vidal.config.recipe import Recipe
from vidal.crawl.download_cache import Copies
from vidal.errors import RecordError
from vidal.media import ffmpeg, shots
from vidal.media.probe import Probe, probe
from vidal.net.address_guard import check_url
from vidal.pipeline.stage import Drop, Output, Record, Runtime
from vidal.schema import Kind, Reason, map_dict
from vidal.sources.candidate_policy import judge_owner, too_long
from vidal.sources.registry import Sources
from vidal.sources.session import Network, Session
from vidal.sources.source import Candidate, Fetched, described
from vidal.sources.text import cleaned, rule
from vidal.storage.storage import Storage, media_name

if TYPE_CHECKING:
    from vidal.models.shots import ShotDetector

# What browsers and decoders agree to call an MP4; anything else is re-encoded so that video.mp4 is one.
_KEPT_CODECS = {"h264", "hevc", "av1", "libdav1d", "mpeg4", "vp9"}


class Crawler:
    """Candidates in, clips out. Safe to call from several threads."""

    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._recipe, self._storage = recipe, storage
        self._network = Network(recipe, runtime)
        self._copies = Copies(2 * recipe.crawl.concurrency)
        clips = recipe.clips
        self._detector = _detector(clips.detector, clips.threshold) if clips.detector else None

    def __call__(self, candidate: Record) -> Output | Drop:
        candidate = {**candidate, "extra": map_dict(candidate.get("extra"))}
        check_url(candidate["url"])
        with self._network.session() as session:
            return self._crawl(candidate, session)

    def close(self) -> None:
        """Closes the connections, and removes what was fetched. Connections are also closed when nothing refers to the crawler."""
        self._network.close()
        self._copies.close()

    def _crawl(self, candidate: Candidate, session: Session) -> Output | Drop:
        candidate, tries = session.call(lambda sources: sources.of(candidate).describe(candidate))
        if drop := self._judge(candidate):
            return drop
        with self._copies.of(_address(candidate), lambda folder: _fetch(candidate, folder, session)) as (fetched, attempts):
            arrived = described(candidate, fetched.page)
            if drop := self._judge(arrived):
                return drop
            found = probe(fetched.path, max_pixels=self._recipe.crawl.max_pixels)
            result = self._clip(arrived, fetched.path, found)
        return result if isinstance(result, Drop) else replace(result, attempts=max(tries, attempts))

    def _judge(self, candidate: Candidate) -> Drop | None:
        if not candidate["curated"] and (
            drop := rule(candidate["title"] or "", candidate["hashtags"] or [], self._recipe.text)
        ):
            return drop
        return too_long(candidate, self._recipe) or judge_owner(candidate, self._recipe.crawl)

    def _clip(self, candidate: Candidate, path: Path, found: Probe) -> Output | Drop:
        start_s = candidate["start_s"] or 0.0
        duration_s = (candidate["end_s"] or found.duration_s) - start_s
        if drop := self._duration(candidate, found, start_s, duration_s):
            return drop
        is_whole = candidate["start_s"] is None and candidate["end_s"] is None
        file = _File(path, found, ids.file_sha256(path), candidate["kind"] == Kind.AUDIO.value)
        cuts = self._cuts(file)
        if cuts is None or not is_whole or duration_s <= self._recipe.clips.max_s:
            return Output([self._stored(candidate, file, start_s, duration_s, is_whole, cuts)])
        return self._pieces(candidate, file, cuts)

    def _cuts(self, file: _File) -> list[float] | None:
        """Seconds of the cuts; None where none are looked for."""
        if self._detector is None or file.kind is Kind.AUDIO:
            return None
        times_s, pictures = shots.thumbnails(file.path)
        return shots.cut_times(times_s, self._detector.firsts(pictures))

    def _pieces(self, candidate: Candidate, file: _File, cuts: list[float]) -> Output:
        """A clip for each shot. A piece that fails costs itself alone, and is told with the candidate's outcome."""
        settings = self._recipe.clips
        wanted = shots.spans(cuts, file.found.duration_s, settings.max_s, settings.min_s)
        rows: list[Record] = []
        failed: list[RecordError] = []
        for start_s, duration_s in wanted:
            try:
                rows.append(self._stored(candidate, file, start_s, duration_s, False, cuts))
            except RecordError as error:
                failed.append(error)
        if not rows:
            raise failed[0] if failed else RecordError(Reason.TOO_SHORT, f"no shot lasts {settings.min_s:g} s")
        told = f"{len(rows)} pieces at {len(cuts)} cuts"
        return Output(rows, detail=f"{told}; {len(failed)} failed, the first: {failed[0]}" if failed else told)

    def _stored(
        self,
        candidate: Candidate,
        file: _File,
        start_s: float,
        duration_s: float,
        is_whole: bool,
        cuts: list[float] | None,
    ) -> Record:
        """The span as a file of its own in storage, and its row."""
        count = None if cuts is None else shots.inside(cuts, start_s, duration_s)
        found, sha256 = file.found, file.sha256
        with _beside(file.path) as path:
            if file.kind is Kind.VIDEO and not (is_whole and "mp4" in found.container and found.codec in _KEPT_CODECS):
                span = {} if is_whole else {"start_s": start_s, "duration_s": duration_s}
                ffmpeg.to_mp4(file.path, path, **span)
                found, sha256 = probe(path, max_pixels=self._recipe.crawl.max_pixels), ids.file_sha256(path)
                duration_s = found.duration_s
            elif file.kind is Kind.AUDIO and not is_whole:
                ffmpeg.cut_audio(file.path, path, start_s, duration_s)
                sha256 = ids.file_sha256(path)
            else:
                _link(file.path, path)
            clip_id = ids.clip_id(candidate["candidate_id"], start_s, duration_s)
            name = media_name(candidate["shard"], clip_id, "video.mp4" if file.kind is Kind.VIDEO else "source")
            self._storage.put(path, name)
        row = self._row(candidate, found, file.kind, clip_id, start_s, duration_s, name, sha256, file.sha256)
        return {**row, "cuts": count}

    def _duration(self, candidate: Candidate, found: Probe, start_s: float, duration_s: float) -> Drop | None:
        limit, slack = self._recipe.duration_max_s, self._recipe.crawl.duration_tolerance_s
        stated = candidate["duration_s"]
        if start_s + duration_s > found.duration_s + slack:
            raise RecordError(
                Reason.SPAN_OUTSIDE, f"{start_s:g} to {start_s + duration_s:g} s of a file of {found.duration_s:.2f} s"
            )
        if duration_s > limit:
            if stated and stated <= limit and candidate["end_s"] is None:
                return Drop(Reason.FALSE_DURATION, f"the page says {stated:g} s, the file lasts {duration_s:.2f} s")
            return Drop(Reason.TOO_LONG, f"{duration_s:.2f} s, at most {limit:g} s are wanted")
        if duration_s < self._recipe.crawl.duration_min_s:
            return Drop(
                Reason.TOO_SHORT, f"{duration_s:.2f} s, at least {self._recipe.crawl.duration_min_s:g} s are wanted"
            )
        return None

    def _row(
        self,
        candidate: Candidate,
        found: Probe,
        kind: Kind,
        clip_id: str,
        start_s: float,
        duration_s: float,
        name: str,
        sha256: str,
        source_sha256: str,
    ) -> Record:
        copied = (
            "candidate_id",
            "shard",
            "platform",
            "source_id",
            "url",
            "uploader",
            "licence",
            "search_terms",
            "title",
        )
        picture = kind is Kind.VIDEO
        return {
            **{key: candidate[key] for key in copied},
            "clip_id": clip_id,
            "kind": kind.value,
            "retrieved_at": self._recipe.crawl.retrieved_at or datetime.now(timezone.utc),
            "hashtags": candidate["hashtags"] or [],
            "text": cleaned(candidate["title"] or "", candidate["hashtags"] or [], self._recipe.text),
            "start_s": start_s,
            "duration_s": round(duration_s, 6),
            "fps": round(found.fps, 4) if picture else None,
            "width": found.width if picture else None,
            "height": found.height if picture else None,
            "has_audio": found.has_audio,
            "media_path": name,
            "media_sha256": sha256,
            "source_sha256": source_sha256,
            "extra": sorted(candidate["extra"].items()),
        }


@dataclass(frozen=True)
class _File:
    """What was fetched: where it lies, what it is, and its hash."""

    path: Path
    found: Probe
    sha256: str
    is_asked_as_sound: bool

    @property
    def kind(self) -> Kind:
        return Kind.AUDIO if self.found.kind == "audio" or self.is_asked_as_sound else Kind.VIDEO


def _detector(name: str, threshold: float | None) -> ShotDetector:
    from vidal.models.shots import DETECTORS  # OpenCV and perhaps torch: only a recipe that cuts pays for them.

    return DETECTORS[name](threshold)


def _fetch(candidate: Candidate, folder: Path, session: Session) -> tuple[Fetched, int]:
    def fetch(sources: Sources) -> Fetched:
        # What an attempt that failed left behind is not taken up again.
        attempt = Path(tempfile.mkdtemp(dir=folder)) if os.listdir(folder) else folder
        return sources.of(candidate).fetch(candidate, attempt)

    return session.call(fetch)


def _address(candidate: Candidate) -> str:
    return candidate["media_url"] or candidate["url"]


@contextlib.contextmanager
def _beside(fetched: Path) -> Iterator[Path]:
    """A free name for a file that is moved away, beside the fetched one, from which other spans may still be cut."""
    path = fetched.with_name(f"{uuid.uuid4().hex}.part")
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _link(path: Path, copy: Path) -> None:
    try:
        os.link(path, copy)
    except OSError:
        shutil.copyfile(path, copy)
