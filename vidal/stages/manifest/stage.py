"""Manifest: the tables of all stages as one row a clip."""

from __future__ import annotations

from vidal import schema
from vidal.config.recipe import Recipe
from vidal.pipeline.stage import Output, Record, Runtime, Stage
from vidal.schema import Subject, View, map_dict
from vidal.stages.captions.stage import SOURCE
from vidal.storage.storage import Storage

_COPIED = (
    "clip_id", "kind", "shard", "platform", "source_id", "url", "uploader", "licence", "retrieved_at", "search_terms",
    "title", "hashtags", "language", "start_s", "duration_s", "fps", "width", "height", "phash", "audio_path",
    "frame_times_s", "frame_paths", "depth_paths", "depth_kind", "depth_unit", "depth_model", "infrared_paths",
    "infrared_model", "audio_rms_db", "audio_tags", "similarity", "candidate_id", "source_sha256",
    "signature", "audio_fingerprint", "embedding", "audio_embedding", "tokens_in", "tokens_out",
)  # fmt: skip


def assemble(clip: Record) -> Record:
    """A row of schema.ASSEMBLED from the joined rows of the stages."""
    is_video = clip["media_path"].endswith("video.mp4")
    columns = ("scores", "measures", "depth_scores", "infrared_scores", "audio_scores")
    scores = {name: value for column in columns for name, value in map_dict(clip[column]).items()}
    if clip["cuts"] is not None:
        scores["cuts"] = float(clip["cuts"])
    captions = clip["captions"]
    made = {each["view"] for each in captions if each["model"] != SOURCE}
    made |= {View.DEPTH.value} if clip["depth_paths"] else set()
    made |= {View.INFRARED.value} if clip["infrared_paths"] else set()
    return {
        **{column: clip[column] for column in _COPIED},
        "sha256": clip["media_sha256"] if is_video else clip["audio_sha256"],
        "video_path": clip["media_path"] if is_video else None,
        "captions": captions,
        "scores": sorted(scores.items()),
        "extra": sorted(
            {**map_dict(clip["extra"]), **map_dict(clip["audio_extra"]), "similarity_between": clip["compared"]}.items()
        ),
        "contaminates": [],
        "synthetic_views": sorted(made),
        "files": sorted(_files(clip).items()),
    }


def _files(clip: Record) -> dict[str, str]:
    """sha256 of every file of the clip, by its name."""
    files = {clip["media_path"]: clip["media_sha256"]}
    for view in ("frame", "depth", "infrared"):
        files |= dict(zip(clip[f"{view}_paths"], clip[f"{view}_sha256"], strict=True))
    if clip["audio_path"]:
        files[clip["audio_path"]] = clip["audio_sha256"]
    return files


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage): ...

    def __call__(self, clip: Record) -> Output:
        return Output([assemble(clip)])


STAGE = Stage(
    name="manifest",
    version=1,
    subject=Subject.CLIP,
    # Of a column that several have the first table's counts, then the last's: `language` is measure's, which has the page's.
    reads=("keyframes", "crawl", "similarity", "depth", "infrared", "audio", "grounding", "enhanced", "measure"),
    schema=schema.ASSEMBLED,
    open=_Worker,
    settings=lambda recipe: None,
    terminal=True,
)
