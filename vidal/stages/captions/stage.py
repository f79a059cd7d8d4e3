"""Captions: the unchanged title and hashtags of the uploader, a caption for each frame, and one for the video."""

from __future__ import annotations

import json
from typing import Any

from vidal import schema
from vidal.config.recipe import Recipe
from vidal.extra import IMPORTED
from vidal.models.protocols import Captioner
from vidal.models.registry import CAPTIONERS, open_model
from vidal.pipeline.stage import ModelUse, Output, Runtime, Stage, ViewOutcome, overlapping
from vidal.records import Caption, CaptionedRow, Clip
from vidal.schema import Reason, Status, Subject, View, map_dict
from vidal.stages import pictures, prompts
from vidal.stages.enhanced.rewrite_checks import gives_orders
from vidal.stages.response_cache import ResponseCache
from vidal.storage.storage import Storage

SOURCE = "source"  # The `model` of texts that came with the source, such as its title.
_VIEWS = (View.TITLE, View.HASHTAGS, View.KEYFRAME, View.VIDEO)
_KEYFRAME_FIELDS = frozenset({"things"})
_VIDEO_FIELDS = frozenset({"things", "title", "hashtags"})


def caption_of(
    view: View,
    text: str,
    *,
    frame: int | None = None,
    model: str = SOURCE,
    revision: str = "",
    prompt_sha256: str | None = None,
    flags: tuple[str, ...] = (),
) -> Caption:
    """Returns an entry of the column `captions`. frame: the index of the frame that the text describes; None for the whole clip."""
    return {
        "view": view.value,
        "frame": frame,
        "text": text,
        "model": model,
        "revision": revision,
        "prompt_sha256": prompt_sha256,
        "similarity": None,
        "flags": list(flags),
    }


RELEASED = "released"


def _titles(clip: Clip) -> list[Caption]:
    """Returns the captions of the view `title`: the title, and the further texts that a catalogue has for the same address."""
    titles = [clip["title"], *_imported_texts(clip).get(View.TITLE.value, [])]
    return [caption_of(View.TITLE, title) for title in titles if title]


def _imported_texts(clip: Clip) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = json.loads(map_dict(clip["extra"]).get(IMPORTED, "{}"))
    return texts


def imported(clip: Clip) -> list[Caption]:
    """Returns the captions that the catalogue has for a clip, except titles.

    If the number of frame captions equals the number of the clip's frames, caption i describes frame i. If the numbers differ, the
    captions have no frame index.
    """
    texts = _imported_texts(clip)
    captions = []
    for view in (View.KEYFRAME, View.VIDEO, View.ENHANCED, View.SOUND):
        each = texts.get(view.value, [])
        framed = view is View.KEYFRAME and len(each) == len(clip["frame_paths"])
        captions += [
            caption_of(view, text, frame=index if framed else None, model=RELEASED, flags=("imported",))
            for index, text in enumerate(each)
        ]
    return captions


def has_imported(clip: Clip, view: str) -> bool:
    return any(each["view"] == str(view) and each["text"] for each in imported(clip))


def _empty(clip: Clip) -> CaptionedRow:
    """Returns the row of a clip on which this stage fails. Its only texts are the title and those from the catalogue."""
    return {"clip_id": clip["clip_id"], "captions": [*_titles(clip), *imported(clip)]}


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._storage = storage
        settings = recipe.captions
        self._keyframe: Captioner | None = open_model(CAPTIONERS, settings.keyframe) if settings.keyframe else None
        self._video = self._keyframe if settings.video == settings.keyframe else None
        if self._video is None and settings.video:
            self._video = open_model(CAPTIONERS, settings.video)
        self._caches = {
            view: ResponseCache(recipe, storage, CAPTIONERS, spec, model.revision)
            for view, spec, model in (
                (View.KEYFRAME, settings.keyframe, self._keyframe),
                (View.VIDEO, settings.video, self._video),
            )
            if spec and model
        }
        self._prompts = _prompts(recipe)

    def __call__(self, clip: Clip) -> Output:
        captions: list[Caption] = []
        views: list[ViewOutcome] = []
        images = pictures.load(self._storage, clip["frame_paths"])
        for added, outcome in (
            self._title(clip),
            self._hashtags(clip),
            self._frames(clip, images),
            self._clip(clip, images),
        ):
            captions += added
            views.append(outcome)
        captions += imported(clip)
        return Output([{"clip_id": clip["clip_id"], "captions": captions}], tuple(self._with_imported(clip, views)))

    def _with_imported(self, clip: Clip, views: list[ViewOutcome]) -> list[ViewOutcome]:
        """Returns the outcomes of the views. A view without a text of a model counts as kept if the catalogue has a text for the view."""
        return [
            ViewOutcome(each.view, Status.KEPT, detail="imported")
            if each.status is not Status.KEPT and has_imported(clip, each.view)
            else each
            for each in views
        ]

    def _title(self, clip: Clip) -> tuple[list[Caption], ViewOutcome]:
        titles = _titles(clip)
        if not titles:
            return [], ViewOutcome(View.TITLE, Status.DROPPED, Reason.NO_TITLE)
        return titles, ViewOutcome(View.TITLE, Status.KEPT)

    def _hashtags(self, clip: Clip) -> tuple[list[Caption], ViewOutcome]:
        if not clip["hashtags"]:
            return [], ViewOutcome(View.HASHTAGS, Status.DROPPED, Reason.NO_HASHTAG_TEXT)
        text = " ".join(f"#{tag}" for tag in clip["hashtags"])
        return [caption_of(View.HASHTAGS, text)], ViewOutcome(View.HASHTAGS, Status.KEPT)

    def _frames(self, clip: Clip, images: list[Any]) -> tuple[list[Caption], ViewOutcome]:
        """Returns the captions of the frames, and the outcome of the view `keyframe`. Without a model, there are no captions.

        If the model recognises nothing in a frame, the caption has an empty text and the flag nothing_recognised.
        """
        if absent := _absent(View.KEYFRAME, self._keyframe, images):
            return [], absent
        assert self._keyframe is not None
        model, prompt = self._keyframe, self._prompts["keyframe"]
        texts = self._caches[View.KEYFRAME].get(
            prompt, clip["frame_sha256"], lambda: model.caption_frames(images, prompt)
        )
        sha256 = prompts.digest(self._prompts["keyframe"])
        captions = [
            caption_of(
                View.KEYFRAME,
                text,
                frame=index,
                model=self._keyframe.name,
                revision=self._keyframe.revision,
                prompt_sha256=sha256,
                flags=() if text else (Reason.NOTHING_RECOGNISED.value,),
            )
            for index, text in enumerate(texts)
        ]
        if not any(texts):
            return captions, ViewOutcome(View.KEYFRAME, Status.DROPPED, Reason.NOTHING_RECOGNISED)
        return captions, ViewOutcome(
            View.KEYFRAME, Status.KEPT, detail=f"{sum(map(bool, texts))} of {len(texts)} frames"
        )

    def _clip(self, clip: Clip, images: list[Any]) -> tuple[list[Caption], ViewOutcome]:
        if absent := _absent(View.VIDEO, self._video, images):
            return [], absent
        assert self._video is not None
        model, template = self._video, self._prompts["video"]
        written = {"title": clip["title"] or "", "hashtags": " ".join(clip["hashtags"])}
        words = {name: "" if gives_orders(text) else _literal(text) for name, text in written.items()}
        prompt = template.replace("{title}", words["title"]).replace("{hashtags}", words["hashtags"])
        given = ["video", *clip["frame_sha256"]]
        text = self._caches[View.VIDEO].get(prompt, given, lambda: model.caption_video(images, prompt))
        if not text:
            return [], ViewOutcome(View.VIDEO, Status.DROPPED, Reason.NOTHING_RECOGNISED)
        description = caption_of(
            View.VIDEO,
            text,
            model=self._video.name,
            revision=self._video.revision,
            prompt_sha256=prompts.digest(template),
        )
        return [description], ViewOutcome(View.VIDEO, Status.KEPT)


def _absent(view: View, model: Captioner | None, images: list[Any]) -> ViewOutcome | None:
    if not images:
        return ViewOutcome(view, Status.DROPPED, Reason.NO_FRAMES)
    return ViewOutcome(view, Status.DROPPED, Reason.NO_MODEL) if model is None else None


def _literal(text: str) -> str:
    """Returns at most 300 characters of a crawled text, on one line without braces, so that it adds no line or field to a prompt."""
    return " ".join(text.replace("{", "(").replace("}", ")").split())[:300]


def _prompts(recipe: Recipe) -> dict[str, str]:
    return {
        "keyframe": prompts.read(recipe.captions.prompt_keyframe, _KEYFRAME_FIELDS),
        "video": prompts.read(recipe.captions.prompt_video, _VIDEO_FIELDS),
    }


STAGE = Stage(
    name="captions",
    version=1,
    subject=Subject.CLIP,
    reads=("keyframes", "crawl", "filter"),
    schema=schema.CAPTIONED,
    open=_Worker,
    settings=lambda recipe: [
        recipe.captions.model_dump(mode="json", exclude={"sound", "prompt_sound"}),
        _prompts(recipe),
    ],
    models=lambda recipe: [
        ModelUse("keyframe", CAPTIONERS, recipe.captions.keyframe),
        ModelUse("video", CAPTIONERS, recipe.captions.video),
    ],
    views=lambda clip: _VIEWS,
    empty=_empty,
    parts_at_once=overlapping("captions"),
)
