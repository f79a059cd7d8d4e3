"""Audio: the sound track of every clip as mono FLAC, with its level. A clip without sound is marked, not dropped."""

from __future__ import annotations

import tempfile
from pathlib import Path

from vidal import ids, schema
from vidal.config import Recipe
from vidal.media import sound
from vidal.schema import Reason, Status, Subject, View
from vidal.stage import Output, Record, Runtime, Stage, ViewOutcome
from vidal.storage import Storage, media_name


def _empty(clip: Record) -> Record:
    return {"clip_id": clip["clip_id"], "audio_tags": []}


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._settings, self._storage = recipe.audio, storage

    def __call__(self, clip: Record) -> Output:
        if not clip["has_audio"]:
            return Output([_empty(clip)], (ViewOutcome(View.AUDIO, Status.DROPPED, Reason.NO_AUDIO),))
        with self._storage.local(clip["media_path"]) as path:
            samples = sound.read_mono(path, self._settings.sample_rate)
        name = media_name(clip["shard"], clip["clip_id"], "audio.flac")
        with tempfile.TemporaryDirectory() as folder:
            flac = Path(folder) / "audio.flac"
            sound.write_flac(samples, self._settings.sample_rate, flac)
            sha256 = ids.sha256(flac.read_bytes())
            self._storage.put(flac, name)
        level_db = sound.rms_db(samples)
        row = {
            "clip_id": clip["clip_id"],
            "audio_path": name,
            "audio_sha256": sha256,
            "audio_rms_db": level_db,
            "audio_tags": ["silence"] if level_db < self._settings.silence_db else [],
        }
        return Output([row], (ViewOutcome(View.AUDIO, Status.KEPT),))


STAGE = Stage(
    name="audio",
    subject=Subject.CLIP,
    reads=("keyframes", "crawl", "filter"),
    schema=schema.AUDIO,
    open=_Worker,
    settings=lambda recipe: recipe.audio,
    module=__name__,
    code=("vidal.media.sound",),
    views=lambda clip: (View.AUDIO,),
    empty=_empty,
)
