"""Manifest: the tables of all stages, joined into one row per clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import pyarrow as pa

from vidal import schema
from vidal.extra import SUBTITLE_KEYS, structured, write_extra
from vidal.pipeline.stage import Output, Stage
from vidal.records import AssembledRow, Clip, Scores, Texts
from vidal.schema import Kind, Subject, map_dict
from vidal.scores import MEASURES, SIMILARITIES
from vidal.stages.captions.stage import SOURCE
from vidal.stages.manifest.settings import Split
from vidal.stages.manifest.split import split_of
from vidal.stages.manifest.subtitle import subtitle_captions, subtitle_outcome
from vidal.stages.view import MediaColumn, ViewSpec

_COPIED = (
    "clip_id", "kind", "shard", "platform", "source_id", "url", "uploader", "licence", "retrieved_at", "search_terms",
    "title", "hashtags", "language", "start_s", "duration_s", "fps", "width", "height", "phash",
    "frame_times_s", "frame_paths", "similarity", "candidate_id", "source_sha256",
    "signature", "audio_fingerprint", "embedding", "audio_embedding", "tokens_in", "tokens_out",
)  # fmt: skip
FRAMES = MediaColumn("frame_paths", "frame_sha256")


# The columns of a clip by name, for code that handles whatever columns the views have.
Columns = Mapping[str, object]


def manifest_schema(views: Mapping[str, ViewSpec]) -> pa.Schema:
    """Returns the columns of a manifest with these views. Columns that schema.py does not name follow the others."""
    return pa.schema([*schema.manifest(declared_scores(views)), *_added_fields(views)])


def declared_scores(views: Mapping[str, ViewSpec]) -> set[str]:
    """Returns the names of all scores that the stages of a pipeline with these views may compute."""
    return {*MEASURES, *SIMILARITIES, "cuts", *(name for view in views.values() for name in view.settings.scores)}


def _added_fields(views: Mapping[str, ViewSpec]) -> Iterator[pa.Field]:
    for view in views.values():
        yield from (view.stage.schema.field(name) for name in view.columns if name not in schema.MANIFEST_COLUMNS)


def assemble(clip: Clip, views: Mapping[str, ViewSpec], shares: Split) -> AssembledRow:
    """Returns the manifest row of a clip, with the further columns of schema.ASSEMBLED.

    clip: the joined rows of the stages. shares: how clips are divided into those for training, validation and testing.
    """
    columns: Columns = clip  # The type Clip does not list the columns of added views.
    is_video = clip["kind"] == Kind.VIDEO.value
    row = {
        **{name: columns[name] for name in _COPIED},
        **{name: _column(view, name, clip, columns) for view in views.values() for name in view.columns},
        "sha256": clip["media_sha256"] if is_video else clip["audio_sha256"],
        "video_path": clip["media_path"] if is_video else None,
        "split": split_of(clip["platform"], clip["source_id"], shares),
        "captions": [*clip["captions"], *subtitle_captions(clip)],
        "scores": _scores(clip, columns, views),
        "extra": write_extra(structured(_extra(clip, columns, views))),
        "contaminates": [],
        "synthetic_views": _synthetic_views(clip, columns, views),
        "files": sorted(_files(clip, columns, views).items()),
    }
    return cast("AssembledRow", row)


def _column(view: ViewSpec, name: str, clip: Clip, columns: Columns) -> object:
    return view.convert[name](clip) if name in view.convert else columns[name]


def _scores(clip: Clip, columns: Columns, views: Mapping[str, ViewSpec]) -> dict[str, float]:
    names = ("scores", "measures", *(view.scores for view in views.values() if view.scores))
    pairs = (pair for column in names for pair in cast("Scores", columns[column]) or ())
    scores = map_dict(pairs)
    if clip["cuts"] is not None:
        scores["cuts"] = float(clip["cuts"])
    if undeclared := scores.keys() - declared_scores(views):
        raise ValueError(
            f"scores that no stage declares: {', '.join(sorted(undeclared))}: add them to `scores` of the view's settings class, "
            "or to MEASURES in vidal/scores.py"
        )
    return scores


def _extra(clip: Clip, columns: Columns, views: Mapping[str, ViewSpec]) -> dict[str, str]:
    extra = map_dict(clip["extra"])
    for view in views.values():
        extra |= map_dict(cast("Texts", columns[view.extra])) if view.extra else {}
    own = {key: text for key, text in extra.items() if key not in SUBTITLE_KEYS}
    return {**own, "similarity_between": clip["compared"]}


def _synthetic_views(clip: Clip, columns: Columns, views: Mapping[str, ViewSpec]) -> list[str]:
    """Returns the names of the views that a model estimated or wrote."""
    written = {caption["view"] for caption in clip["captions"] if caption["model"] != SOURCE}
    estimated = {name for name, view in views.items() if view.is_synthetic and columns[view.media.paths]}
    return sorted(written | estimated)


def _files(clip: Clip, columns: Columns, views: Mapping[str, ViewSpec]) -> dict[str, str]:
    """Returns the sha256 of every file of the clip, by name."""
    files = {clip["media_path"]: clip["media_sha256"]}
    for media in (FRAMES, *(view.media for view in views.values())):
        names, sums = columns[media.paths], columns[media.sha256]
        if isinstance(names, list) and isinstance(sums, list):
            files |= dict(zip(names, sums, strict=True))
        elif names:
            files[str(names)] = str(sums)
    return files


class _Worker:
    def __init__(self, views: Mapping[str, ViewSpec], shares: Split):
        self._views, self._shares = views, shares

    def __call__(self, clip: Clip) -> Output:
        return Output([assemble(clip, self._views, self._shares)], (subtitle_outcome(clip),))


def manifest_stage(views: Mapping[str, ViewSpec]) -> Stage:
    """Returns the manifest stage, the last of a pipeline whose earlier stages compute these views."""
    return Stage(
        name="manifest",
        version=2,
        subject=Subject.CLIP,
        # If several tables have a column, the first table's counts; if the first table lacks it, the last table's. So `language`
        # is that of measure, although the table of the crawl has this column too.
        reads=(
            *("keyframes", "crawl", "similarity"),
            *(view.stage.name for view in views.values()),
            *("grounding", "enhanced", "measure"),
        ),
        schema=pa.schema([*manifest_schema(views), *schema.ASSEMBLED]),
        open=lambda recipe, runtime, storage: _Worker(views, recipe.split),
        settings=lambda recipe: recipe.split,
        terminal=True,
    )
