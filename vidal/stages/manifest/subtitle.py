"""The text view `subtitle`: the subtitles of the clip, which people or a machine wrote."""

from __future__ import annotations

from vidal.extra import SUBTITLE, SUBTITLE_AUTOMATIC, SUBTITLE_ERROR
from vidal.pipeline.stage import ViewOutcome
from vidal.records import Caption, Clip
from vidal.schema import Reason, Status, View, map_dict
from vidal.stages.captions.stage import SOURCE

# The flag of a subtitle that a machine wrote, and that of one that people wrote.
AUTOMATIC, HUMAN = "automatic", "human"


def subtitle_captions(clip: Clip) -> list[Caption]:
    """Returns one caption, or none if the source has no subtitles for the clip."""
    extra = map_dict(clip["extra"])
    text = " ".join(extra.get(SUBTITLE, "").split())
    if not text:
        return []
    flags = [AUTOMATIC if extra.get(SUBTITLE_AUTOMATIC) == "true" else HUMAN]
    return [
        {
            "view": View.SUBTITLE.value,
            "frame": None,
            "text": text,
            "model": SOURCE,
            "revision": "",
            "prompt_sha256": None,
            "similarity": None,
            "flags": flags,
        }
    ]


def subtitle_outcome(clip: Clip) -> ViewOutcome:
    has_text = any(caption["view"] == View.SUBTITLE.value for caption in (*clip["captions"], *subtitle_captions(clip)))
    if has_text:
        return ViewOutcome(View.SUBTITLE, Status.KEPT)
    why = map_dict(clip["extra"]).get(SUBTITLE_ERROR, "")
    return ViewOutcome(View.SUBTITLE, Status.DROPPED, Reason.NO_SUBTITLE, why)
