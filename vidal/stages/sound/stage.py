"""The texts of the view `sound`: a sentence about the sounds of a clip.

A model writes the sentence from the detected sounds, or imagines it from the pictures, as in VIDAL-10M. An imagined sentence is flagged.
"""

from __future__ import annotations

from typing import Any

from vidal import schema
from vidal.config.recipe import Recipe
from vidal.models.protocols import SoundCaptioner
from vidal.models.registry import SOUND_CAPTIONERS, open_model
from vidal.pipeline.stage import ModelUse, Output, Runtime, Stage, ViewOutcome, overlapping
from vidal.records import Clip, SoundRow
from vidal.schema import Reason, Status, Subject, View
from vidal.stages import pictures, prompts
from vidal.stages.captions.stage import caption_of, has_imported
from vidal.stages.response_cache import ResponseCache
from vidal.storage.storage import Storage

IMAGINED = "imagined"
_FIELDS = frozenset({"things"})


def _empty(clip: Clip) -> SoundRow:
    return {"clip_id": clip["clip_id"], "sound": []}


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._storage, self._prompt = storage, _prompt(recipe)
        spec = recipe.captions.sound
        self._model: SoundCaptioner | None = open_model(SOUND_CAPTIONERS, spec) if spec else None
        if spec and self._model:
            self._cache = ResponseCache(recipe, storage, SOUND_CAPTIONERS, spec, self._model.revision)

    def __call__(self, clip: Clip) -> Output:
        model = self._model
        if model is None:
            if has_imported(clip, View.SOUND):
                return Output([_empty(clip)], (ViewOutcome(View.SOUND, Status.KEPT, detail="imported"),))
            return self._without(
                clip, Reason.NO_MODEL, "the recipe names no model that describes sounds: set captions.sound"
            )
        if model.imagines and not clip["frame_paths"]:
            return self._without(clip, Reason.NO_FRAMES, "")
        if not model.imagines and not clip["has_audio"]:
            return self._without(clip, Reason.NO_AUDIO, "")
        given = clip["frame_sha256"] if model.imagines else clip["audio_tags"]
        text = self._cache.get(self._prompt, given, lambda: self._ask(model, clip))
        if not text:
            return self._without(
                clip,
                Reason.NOTHING_RECOGNISED,
                f"the model returned no text (audio tags: {', '.join(clip['audio_tags']) or 'none'})",
            )
        description = caption_of(
            View.SOUND,
            text,
            model=model.name,
            revision=model.revision,
            prompt_sha256=prompts.digest(self._prompt),
            flags=(IMAGINED,) if model.imagines else (),
        )
        return Output([{"clip_id": clip["clip_id"], "sound": [description]}], (ViewOutcome(View.SOUND, Status.KEPT),))

    def _ask(self, model: SoundCaptioner, clip: Clip) -> str:
        images = pictures.load(self._storage, clip["frame_paths"]) if model.imagines else []
        return model.caption_sound(images, clip["audio_tags"], self._prompt)

    def _without(self, clip: Clip, reason: Reason, detail: str) -> Output:
        return Output([_empty(clip)], (ViewOutcome(View.SOUND, Status.DROPPED, reason, detail),))


def _prompt(recipe: Recipe) -> str:
    return prompts.read(recipe.captions.prompt_sound, _FIELDS)


def _settings(recipe: Recipe) -> Any:
    spec = recipe.captions.sound
    return [spec.model_dump(mode="json") if spec else None, _prompt(recipe)]


STAGE = Stage(
    name="sound",
    version=1,
    subject=Subject.CLIP,
    reads=("keyframes", "crawl", "filter", "audio"),
    schema=schema.SOUNDED,
    open=_Worker,
    settings=_settings,
    models=lambda recipe: [ModelUse("", SOUND_CAPTIONERS, recipe.captions.sound)],
    views=lambda clip: (View.SOUND,),
    empty=_empty,
    parts_at_once=overlapping("sound"),
)
