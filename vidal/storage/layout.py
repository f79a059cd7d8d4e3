"""The names of all files of a dataset, relative to its root. No other file of the code spells out such a name."""

from __future__ import annotations

import re
from collections.abc import Iterable

DATASET = "_dataset.json"
LEDGERS = "_ledger"
SUMMARIES = "_shards"
STAGES = "_stages"
RETAINED = f"{STAGES}/retained"
TERMS = f"{STAGES}/terms"
SIGNATURES = "_signatures"
EARLIER_SIGNATURES = "_index"
DUPLICATES = "_duplicates"
PAIRS = f"{DUPLICATES}/pairs.parquet"
CELLS = f"{DUPLICATES}/cells.npz"
MARKED = f"{DUPLICATES}/marked.json"
MARKING = f"{DUPLICATES}/.lock"
CACHE = "_cache"
TEXT_FEATURES = f"{CACHE}/text_features"
PACKED = "_packed"
CATALOGUE = "_catalogue"
CATALOGUE_SPLIT = f"{CATALOGUE}/split.json"
TRAINED = "_train"

_SHARD = re.compile(r"shard-(\d{5,})\.parquet")
_STAGE_FOLDER = re.compile(rf"{STAGES}/((?:retained/)?[^/]+)/shard-(\d{{5,}})")
_ARCHIVE = re.compile(r"part-\d{5,}\.(\w+)\.(?:tar|index\.json)")
_SUMMARY = re.compile(r"shard-(\d{5,})\.json")


def shard_name(shard: int) -> str:
    return f"shard-{shard:05d}"


def manifest(shard: int) -> str:
    return f"{shard_name(shard)}.parquet"


def shards_in(names: Iterable[str]) -> list[int]:
    """Returns the numbers of the shards with a file shard-NNNNN.parquet among these names of files, in order."""
    return sorted(int(match[1]) for name in names if (match := _SHARD.fullmatch(name)))


def summary(shard: int) -> str:
    return f"{SUMMARIES}/{shard_name(shard)}.json"


def summaries_in(names: Iterable[str]) -> list[int]:
    """Returns the sorted numbers of the shards that have a summary among these file names."""
    return sorted(int(match[1]) for name in names if (match := _SUMMARY.fullmatch(name)))


def lock(shard: int) -> str:
    """Returns the name of the lock that is held while the manifest of a shard is replaced."""
    return f"{SUMMARIES}/.{shard_name(shard)}.lock"


def ledger(shard: int) -> str:
    return f"{LEDGERS}/{shard_name(shard)}.parquet"


def report(shard: int) -> str:
    return f"_reports/{shard_name(shard)}.html"


def media_folder(shard: int) -> str:
    return f"_media/{shard_name(shard)}"


def cleaned(shard: int) -> str:
    """Returns the name of a shard's list of clips that were dropped or failed for good, and whose media were therefore deleted."""
    return f"_media/{shard_name(shard)}.cleaned.json"


def media(shard: int, clip_id: str, file: str) -> str:
    return f"_media/{shard_name(shard)}/{clip_id}/{file}"


def archive(shard: int, part: int, kind: str) -> str:
    """Returns the name of the tar archive for one kind of media of a part. kind: "video", "audio", "frames" and so on."""
    return f"_media/{shard_name(shard)}/part-{part:05d}.{kind}.tar"


def index_of(archive: str) -> str:
    """Returns the name of the index of an archive. The index is a JSON file with the offset and the size of each member."""
    return f"{archive.removesuffix('.tar')}.index.json"


def member_name(clip_id: str, file: str) -> tuple[str, str]:
    """Returns the kind of a file of a clip, and its name in the archive: ("frames", "<clip_id>.0.jpg") for "frames/0.jpg"."""
    folder, _, name = file.rpartition("/")
    if folder:
        return folder, f"{clip_id}.{name}"
    kind, dot, ending = name.partition(".")
    return kind, f"{clip_id}{dot}{ending}" if dot else f"{clip_id}.{kind}"


def kind_of(name: str) -> str:
    """Returns the kind of a file of a dataset. There are three cases:

    - "manifests" for the manifest of a shard.
    - "frames", "video" and so on for a media file, an archive of media, or the index of such an archive.
    - "tables" for any other file.
    """
    if _SHARD.fullmatch(name):
        return "manifests"
    folder, _, rest = name.partition("/")
    if folder != "_media":
        return "tables"
    _, _, inside = rest.partition("/")
    if match := _ARCHIVE.fullmatch(inside):
        return match[1]
    clip_id, _, file = inside.partition("/")
    return member_name(clip_id, file)[0] if file else "tables"


def chained(archive: str, member: str) -> str:
    """Returns the path of a member in the notation of fsspec."""
    return f"tar://{member}::{archive}"


def split_chained(path: str) -> tuple[str, str] | None:
    """Returns the archive and the member that a path tar://<member>::<archive> names; None for any other path."""
    if not path.startswith("tar://"):
        return None
    member, _, archive = path.removeprefix("tar://").partition("::")
    return archive, member


def is_original(path: str) -> bool:
    """Returns whether a path in a row names the user's own file, outside the dataset. Such a path is absolute or a URI."""
    return path.startswith("/") or ("://" in path and not path.startswith("tar://"))


def file_name(path: str) -> str:
    """Returns the name of a media file inside the folder ("0.jpg") or archive ("<clip_id>.0.jpg") that holds it."""
    place = split_chained(path)
    return place[1] if place else path.rpartition("/")[2]


def media_sums(shard: int) -> str:
    return f"_media/{shard_name(shard)}.sha256"


def signatures(shard: int) -> str:
    return f"{SIGNATURES}/{shard_name(shard)}.parquet"


def earlier_signatures(shard: int) -> str:
    """Returns the name of the file in which an earlier version of vidal stored the signatures of a shard's clips.

    Signatures are compared to find copies.
    """
    return f"{EARLIER_SIGNATURES}/{shard_name(shard)}.parquet"


def catalogue(shard: int) -> str:
    return f"{CATALOGUE}/{shard_name(shard)}.parquet"


def answers_folder(stage: str, shard: int) -> str:
    """Returns the folder with the answers that models gave to a stage for a shard."""
    return f"{CACHE}/{stage}/{shard_name(shard)}"


def answers(stage: str, shard: int, part: int, writer: str) -> str:
    """Returns the name of the file in which a worker stores what the stage's models answered about the records of a part.

    writer: a random text, so that workers that work on the same part write different files.
    """
    return f"{answers_folder(stage, shard)}/part-{part:05d}.{writer}.jsonl"


def refused(shard: int) -> str:
    """Returns the name of a table of ledger rows, one for each row of the shard's catalogue or collection that cannot be used."""
    return f"{CATALOGUE}/{shard_name(shard)}.refused.parquet"


def stage_folder(stage: str, shard: int) -> str:
    return f"{STAGES}/{stage}/{shard_name(shard)}"


def part(stage: str, shard: int, index: int) -> str:
    """Returns the name, without extension, that the table and the ledger of a part share."""
    return f"{stage_folder(stage, shard)}/part-{index:05d}"


def part_table(stage: str, shard: int, index: int) -> str:
    return f"{part(stage, shard, index)}.parquet"


def part_ledger(stage: str, shard: int, index: int) -> str:
    return f"{part(stage, shard, index)}.ledger.parquet"


def part_journal(stage: str, shard: int, index: int) -> str:
    return f"{part(stage, shard, index)}.trying.json"


def gathered(shard: int) -> str:
    """Returns the name of a shard's archive of tables. The commit moves the tables of all stages into it if storage.media is tar."""
    return f"{STAGES}/{shard_name(shard)}.tar"


def gathered_folder(folder: str) -> tuple[str, str] | None:
    """Returns the archive into which a commit moves the tables of a stage's folder, and the prefix of their names in the archive.

    Returns None if `folder` is not a folder of a stage.
    """
    match = _STAGE_FOLDER.fullmatch(folder)
    return (gathered(int(match[2])), f"{match[1]}/") if match else None


def gathered_place(name: str) -> tuple[str, str] | None:
    """Returns (the archive into which a commit moves a table, the name of the table in the archive).

    Returns None if `name` is not the name of a Parquet file in the folder of a stage.
    """
    folder, _, file = name.rpartition("/")
    place = gathered_folder(folder) if file.endswith(".parquet") else None
    return (place[0], f"{place[1]}{file}") if place else None


def part_tables(names: Iterable[str]) -> list[str]:
    """Selects the tables of parts from `names`, the names of all files in a stage's folder, which also holds ledgers."""
    return [name for name in names if name.endswith(".parquet") and not name.endswith(".ledger.parquet")]


def discovered(shard: int) -> str:
    """Returns the name of the file that is written when all candidates of a shard have been found. They are crawled afterwards.

    The file holds the number of parts, the failed searches, the versions of the code, and a hash of the settings.
    """
    return f"{stage_folder('discover', shard)}/done.json"


def asked_again(shard: int) -> str:
    """Returns the name of the file that lists the failed searches that the next build of a shard repeats."""
    return f"{stage_folder('discover', shard)}/again.json"


def moving(shard: int) -> str:
    """Returns the file with the candidates that `vidal retry` is moving into parts of their own."""
    return f"{stage_folder('discover', shard)}/moving.json"


def retained(name: str) -> str:
    """Returns the name under which a stage keeps the results of dropped clips.

    If such a clip passes the filter again, the stage can reuse its result.

    name: the name of the stage's folder, or the name of a part's files without extension.
    """
    return name.replace(STAGES, RETAINED, 1)
