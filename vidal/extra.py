"""The column `extra`: values of a clip that have no column of their own.

In the manifest, it is a JSON object. In the tables of the stages, it is a map from strings to strings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

# The key under which `vidal import` puts texts: {view: [text, ...]}.
IMPORTED = "vidal_views"
# The words of the subtitles of a clip, and "true" if a machine wrote them. They become the text view `subtitle`.
SUBTITLE, SUBTITLE_AUTOMATIC = "subtitle", "subtitle_automatic"
# SUBTITLE_CUES: the subtitles of a whole file, as subtitle_files.read_cues returns them; a clip gets those of its span.
# SUBTITLE_ERROR: why a file has no subtitles.
SUBTITLE_CUES, SUBTITLE_ERROR = "subtitle_cues", "subtitle_error"
SUBTITLE_LANGUAGE = "subtitle_language"
# These keys only travel through the stages: the manifest stage makes a caption of them, and leaves them out of the column.
SUBTITLE_KEYS = (SUBTITLE, SUBTITLE_AUTOMATIC, SUBTITLE_CUES, SUBTITLE_ERROR)

# Keys that sources and stages fill in; other keys are further columns of the user's catalogue.
MEANINGS = {
    "upload_date": "day of publication, as stated on the page: YYYYMMDD",
    "channel": "name of the channel, as stated on the page",
    "categories": "a list of the categories that the page states",
    "chapters": "the chapters that the page states: a list of {start_time, end_time, title}, in seconds of the whole video",
    "description": "the page's description",
    "view_count": "number of views, as stated on the page",
    "like_count": "number of likes, as stated on the page",
    "comment_count": "number of comments, as stated on the page",
    SUBTITLE_LANGUAGE: "the language of the subtitles that became the view `subtitle`, as the page names it",
    "hdr": "true if the downloaded video had a high dynamic range (HDR)",
    "interlaced": "true if the downloaded video was interlaced",
    "similarity_between": (
        "a short name of what the column `similarity` compares: `frames, title and hashtags` for a video, and `title, search terms` "
        "for a sound"
    ),
    "contaminates_NAME": "for each evaluation set NAME in the column `contaminates`: why the clip counts as a clip of this set",
    "audio_activity_model": "the model that computed the shares of speech, singing and music",
    "audio_speech_text": "transcript of the speech in the sound track, by a model",
    "audio_speech_model": "the model that wrote audio_speech_text",
    "audio_similarity_model": "the model that computed audio_similarity",
    IMPORTED: "the texts in the column `vidal_views` of your list, by view: {view: [text, ...]}",
}
# Keys whose texts are JSON themselves.
_STRUCTURED = ("categories", "chapters", "hdr", "interlaced", IMPORTED)


def structured(texts: Mapping[str, str]) -> dict[str, object]:
    """Returns the values by key. The texts of keys such as `chapters` are parsed as JSON; other texts stay as they are."""
    return {key: _value(key, text) for key, text in texts.items()}


def write_extra(values: Mapping[str, object]) -> str:
    """Returns the `extra` of a row: a JSON object with sorted keys."""
    return json.dumps(values, sort_keys=True, ensure_ascii=False)


def read_extra(extra: str | None) -> dict[str, object]:
    """Returns the JSON object in the `extra` of a row; {} if the row has none."""
    values: dict[str, object] = json.loads(extra) if extra else {}
    return values


def _value(key: str, text: str) -> object:
    if key not in _STRUCTURED:
        return text
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return value
