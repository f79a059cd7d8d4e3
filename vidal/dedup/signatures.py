"""Computes hashes and vectors of the media of an evaluation set, as a build computes them for its clips."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from vidal import ids, schema
from vidal.config.recipe import Recipe
from vidal.dedup.decontamination import SIGNATURES, models
from vidal.errors import RecordError, UserError
from vidal.media import limited
from vidal.media.fingerprint import fingerprint
from vidal.media.hashing import Signature
from vidal.media.probe import probe
from vidal.models.registry import SCORERS, SOUND_SCORERS, open_model
from vidal.records import EvaluationFile
from vidal.schema import Kind
from vidal.stages.audio.stage import SoundReader
from vidal.stages.keyframes.stage import FrameReader
from vidal.stages.similarity.stage import embedding
from vidal.stages.vectors import rounded


def write(folder: Path, target: Path, recipe: Recipe) -> tuple[int, list[str]]:
    """Writes the signatures (hashes and vectors) of all files below a folder to the Parquet file `target`.

    The vectors are computed with the models of the recipe.

    Returns the number of files that were read, and a line for each file that could not be read.

    Raises UserError if no file could be read.
    """
    sign = _Signer(recipe)
    rows, problems = list[EvaluationFile](), list[str]()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        try:
            rows.append({"file": name, **sign(path)})
        except RecordError as error:
            problems.append(f"{name}: {error}")
    if not rows:
        raise UserError(
            f"{folder} holds no media that can be read{' (' + problems[0] + ')' if problems else ''}: "
            "give a folder with videos or sounds"
        )
    table = schema.table(rows, SIGNATURES).replace_schema_metadata(models(recipe))
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.part")
    pq.write_table(table, aside)
    aside.replace(target)
    return len(rows), problems


class _Signer:
    def __init__(self, recipe: Recipe):
        self._frames, self._max_pixels = FrameReader(recipe), recipe.crawl.max_pixels
        self._decoding = recipe.decoding
        self._limits = recipe.decoding.limits(max_pixels=self._max_pixels)
        self._scorer = open_model(SCORERS, recipe.similarity.model)
        self._sounds = open_model(SOUND_SCORERS, recipe.audio.similarity) if recipe.audio.similarity else None

    def __call__(self, path: Path) -> EvaluationFile:
        probed = limited.call(self._limits, probe, path, max_pixels=self._max_pixels)
        row: EvaluationFile = {
            "kind": probed.kind,
            "sha256": ids.sha256(path.read_bytes()),
            "signature": None,
            "audio_fingerprint": None,
            "embedding": [],
            "audio_embedding": [],
        }
        if probed.kind == Kind.VIDEO.value:
            _, images = self._frames(path, probed.duration_s)
            row["signature"] = Signature.from_frames(images).to_bytes()
            row["embedding"] = embedding(self._scorer.embed_images(images))
        if probed.has_audio:
            row["audio_fingerprint"] = fingerprint(path).tobytes()
            if self._sounds:
                is_video = probed.kind == Kind.VIDEO.value
                read = SoundReader(path, probed.duration_s if is_video else None, self._decoding)
                row["audio_embedding"] = rounded(self._sounds.embed_sound(read.floats(self._sounds.sample_rate)))
        return row
