"""Marks the clips that also occur in evaluation sets. None is dropped.

Such a clip has the same id, URL or bytes as a clip of the set, is a copy of a video or sound of the set, or has a similar meaning.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from vidal import ids
from vidal.config.recipe import Recipe
from vidal.dedup.compare import VECTORS, compare, nearest_of, signed
from vidal.dedup.settings import Duplicates, EvaluationSet
from vidal.errors import UserError
from vidal.extra import read_extra, write_extra
from vidal.records import AssembledRow, EvaluationFile, rows_of
from vidal.schema import STR
from vidal.storage.tables import read_parquet

# One row per file of an evaluation set. The metadata of the table name the models that computed the vectors.
SIGNATURES = pa.schema(
    [
        ("file", STR),
        ("kind", STR),
        ("sha256", STR),
        ("signature", pa.binary()),
        ("audio_fingerprint", pa.binary()),
        ("embedding", pa.list_(pa.float32())),
        ("audio_embedding", pa.list_(pa.float32())),
    ]
)


def models(recipe: Recipe) -> dict[str, str]:
    """Returns a hash for each column of vectors, by the name of the column; "" if the recipe has no model for the column.

    The hash identifies the model that computes the column, because vectors of different models cannot be compared.
    """
    specs = dict(zip(VECTORS, (recipe.similarity.model, recipe.audio.similarity), strict=True))
    return {
        column: "" if spec is None else ids.fingerprint([spec.adapter, spec.id, spec.revision, spec.options])
        for column, spec in specs.items()
    }


def state(recipe: Recipe) -> list[Any]:
    """Returns what the column `contaminates` depends on: the settings of the evaluation sets, and the hashes of their files.

    Raises UserError for a missing file.
    """
    paths = [path for each in recipe.decontaminate for path in (each.ids, each.signatures) if path]
    return [[each.model_dump(mode="json") for each in recipe.decontaminate], [ids.sha256(_bytes(p)) for p in paths]]


@dataclass(frozen=True)
class Known:
    """An evaluation set that has been loaded.

    names: a dict. Each key is an id, a URL or a file hash (SHA-256) of a clip of the set. Each value completes the words "the same ...".
    A value is "id", or a text such as "bytes as a.mp4".
    files: the media files of the set, with their signatures. compared: the settings for comparing clips with these files.
    """

    name: str
    names: dict[str, str]
    files: list[EvaluationFile]
    compared: Duplicates

    def whys(self, rows: list[AssembledRow]) -> dict[str, str]:
        """Returns why clips belong to this set, by clip_id. Clips that do not belong to it are left out."""
        named = {row["clip_id"]: why for row in rows if (why := self._named(row))}
        others = [row for row in rows if row["clip_id"] not in named]
        # The clips are the later ones: their numbers follow those of the files.
        pairs = compare(signed(others, len(self.files)), signed(self.files), self.compared)
        for number, place in nearest_of(pairs).items():
            file = self.files[pairs.earlier[place]]["file"]
            named[others[number - len(self.files)]["clip_id"]] = f"{pairs.how(place)} {file}"
        return named

    def _named(self, row: AssembledRow) -> str | None:
        for key in (row["source_id"], f"{row['platform']}:{row['source_id']}", row["url"], row["source_sha256"]):
            if key in self.names:
                return f"the same {self.names[key]}: {key}"
        return None


def load_sets(recipe: Recipe) -> list[Known]:
    """Loads the evaluation sets of the recipe. Raises UserError in two cases:

    - A file of a set cannot be read, or does not have the expected columns.
    - `semantic` is given for a set, and the embeddings of the set were not computed by the recipe's models.
    """
    return [_known(each, recipe) for each in recipe.decontaminate]


def mark_contaminated(rows: list[AssembledRow], recipe: Recipe) -> None:
    """Marks the clips that also occur in evaluation sets of the recipe.

    The column `contaminates` gets the names of these sets. For each set, `contaminates_NAME` in the column `extra` gives the reason.
    """
    whys = {known.name: known.whys(rows) for known in load_sets(recipe)}
    for row in rows:
        own = {name: why[row["clip_id"]] for name, why in whys.items() if row["clip_id"] in why}
        row["contaminates"] = sorted(own)
        extra = {**read_extra(row["extra"]), **{f"contaminates_{name}": why for name, why in own.items()}}
        row["extra"] = write_extra(extra)


def _known(settings: EvaluationSet, recipe: Recipe) -> Known:
    names = dict.fromkeys(_ids(settings), "id") if settings.ids else {}
    files = _signatures(settings, recipe) if settings.signatures else []
    for row in files:
        # The message is then: the same bytes as a.mp4.
        names.setdefault(row["sha256"], f"bytes as {row['file']}")
    compared = recipe.duplicates.model_copy(update={"near": True, "semantic": settings.semantic})
    return Known(settings.name, names, files, compared)


def _ids(settings: EvaluationSet) -> list[str]:
    path = str(settings.ids)
    text = _bytes(path).decode("utf-8-sig", errors="replace")
    if settings.column is None:
        return [line.strip() for line in text.splitlines() if line.strip()]
    rows = csv.DictReader(text.splitlines(), delimiter="\t" if path.endswith(".tsv") else ",")
    if settings.column not in (rows.fieldnames or ()):
        raise UserError(
            f"evaluation set {settings.name!r}, under decontaminate: {path} has no column {settings.column!r}"
        )
    return [value.strip() for row in rows if (value := row[settings.column] or "").strip()]


def _signatures(settings: EvaluationSet, recipe: Recipe) -> list[EvaluationFile]:
    path = Path(str(settings.signatures))
    try:
        table = read_parquet(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(
            f"evaluation set {settings.name!r}, under decontaminate: {path} cannot be read "
            f"({' '.join(str(error).split())}): give a file that `vidal signatures` wrote"
        ) from error
    if not table.schema.remove_metadata().equals(SIGNATURES):
        raise UserError(
            f"evaluation set {settings.name!r}, under decontaminate: {path} does not have the columns "
            "that `vidal signatures` writes: run vidal signatures again"
        )
    models_used = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    if settings.semantic is not None and any(
        models_used.get(c) != wanted for c, wanted in models(recipe).items() if wanted
    ):
        raise UserError(
            f"evaluation set {settings.name!r}, under decontaminate: the vectors in {path} were not computed by the recipe's models: "
            f"run vidal signatures with --recipe {recipe.name} again"
        )
    return rows_of(table, EvaluationFile)


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"decontaminate: {path}: {error.strerror}") from error
