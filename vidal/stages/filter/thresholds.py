"""Compares scores with thresholds. Only stored scores are used, so that the filter can decide again in seconds."""

from __future__ import annotations

from vidal.pipeline.stage import Drop
from vidal.records import AssembledRow, Clip
from vidal.schema import Kind, Reason, map_dict
from vidal.stages.filter.settings import Filters

# The reasons of well-known thresholds, the most informative first; any other threshold has the reason `filtered`.
_REASONS = {
    "similarity_min": Reason.LOW_SIMILARITY,
    "short_side_px_min": Reason.LOW_RESOLUTION,
    "aspect_ratio_min": Reason.ASPECT,
    "aspect_ratio_max": Reason.ASPECT,
    "black_share_max": Reason.BLACK,
    "frozen_share_max": Reason.FROZEN,
    "motion_per_s_min": Reason.LOW_MOTION,
    "motion_per_s_max": Reason.HIGH_MOTION,
    "sharpness_min": Reason.BLURRED,
    "text_share_max": Reason.TEXT_COVERAGE,
    "nsfw_max": Reason.NSFW,
    "aesthetic_min": Reason.LOW_AESTHETIC,
    "cuts_max": Reason.CUT_INSIDE,
}


def decide(clip: Clip | AssembledRow, scores: dict[str, float], filters: Filters) -> Drop | None:
    """Returns why a clip is dropped, or None if it passes.

    clip: needs kind, similarity, language, and text or title. scores: the other scores of the clip, by name.
    """
    is_sound = clip["kind"] == Kind.AUDIO.value
    known: dict[str, float | None] = {**scores, **({"similarity": clip["similarity"]} if not is_sound else {})}
    broken = {name: limit for name, limit in filters.bounds().items() if _breaks(known, name, limit)}
    language = clip.get("language")
    if filters.languages and language and language not in filters.languages:
        return Drop(
            Reason.LANGUAGE,
            f"the language is {language}, which is not in filters.languages ({', '.join(filters.languages)}): {_text(clip)}",
        )
    if not broken:
        return None
    first = next((name for name in _REASONS if name in broken), next(iter(broken)))
    reasons = [f"{_score(name)} {known[_score(name)]:.4g}, {_bound(name)} {limit:g}" for name, limit in broken.items()]
    return Drop(_REASONS.get(first, Reason.FILTERED), f"{'; '.join(reasons)}: {_text(clip)}")


def late(rows: list[AssembledRow], filters: Filters) -> dict[str, Drop]:
    """Returns the Drop of each clip that fails a threshold, by clip_id.

    rows: rows of schema.ASSEMBLED. Unlike in the stage `filter`, the scores of all stages are known.
    """
    decisions = {row["clip_id"]: decide(row, map_dict(row["scores"]), filters) for row in rows}
    return {clip_id: drop for clip_id, drop in decisions.items() if drop}


def _score(name: str) -> str:
    return name.rsplit("_", 1)[0]


def _bound(name: str) -> str:
    return "at least" if name.endswith("_min") else "at most"


def _breaks(known: dict[str, float | None], name: str, limit: float) -> bool:
    value = known.get(_score(name))
    if value is None:
        return False
    return value < limit if name.endswith("_min") else value > limit


def _text(clip: Clip | AssembledRow) -> str:
    return str(clip.get("text") or clip.get("title") or "")[:200]
