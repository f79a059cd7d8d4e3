"""Copies of a film are found whatever was done to them; two takes before the same wall are not copies."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from benchmarks import duplicates_table as table
from tests.conftest import SHARED
from tests.support.copies import COPIES
from vidal import schema
from vidal.dedup import across_shards
from vidal.dedup.settings import Duplicates
from vidal.dedup.stored_signatures import write_signatures
from vidal.dedup.within_shard import find_copies
from vidal.media.hashing import Signature
from vidal.stages.manifest.stage import manifest_schema
from vidal.stages.order import VIEWS
from vidal.storage.storage import Storage

# Of these clips, each of these copies is found; of the others, nearly all.
QUICK_KINDS = ("re-encoded", "resized", "cropped 5 %", "1.1 x speed", "logo")
QUICK = ("sam2__01_dog.mp4", "sample-videos__bird.mkv", "TokenFlow__wolf.mp4")


@pytest.fixture(scope="module")
def kept():
    """The shared clips as a shard keeps them, and those of them that were taken for copies."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared material is not here: {SHARED}")
    return table.false_matches(table.originals(SHARED / "videos"))


@pytest.fixture(scope="module")
def copies(kept):
    """For each of them the copies of every kind."""
    with ThreadPoolExecutor(2) as pool:  # The work is ffmpeg's.
        paths = table.originals(SHARED / "videos")
        return dict(zip([path.name for path in paths], pool.map(table.copies_of, paths), strict=True))


def test_copies_of_three_of_the_shared_clips_are_found_and_no_other_is_one(shared):
    films, wrong = table.false_matches(shared / "videos" / name for name in QUICK)
    assert wrong == []
    for name, kind in zip(QUICK, ("resized", "cropped 5 %", "logo"), strict=True):
        assert table.found(films, shared / "videos" / name, kind) == name, kind


@pytest.mark.slow
def test_no_two_of_the_shared_clips_are_taken_for_copies(kept):
    assert kept[1] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(COPIES))
def test_copies_of_the_shared_clips_are_found(kept, copies, kind):
    matches, indexed = (
        {name: kept[0].match(own[kind], indexed=indexed) for name, own in copies.items()} for indexed in (False, True)
    )
    assert {name: match for name, match in matches.items() if match not in (name, None)} == {}
    assert kind not in QUICK_KINDS or {name: matches[name] for name in QUICK} == {name: name for name in QUICK}
    # A copy that begins half a second later shows other moments; a crop of one side alone meets no hash of a middle.
    least = 0.8 if kind in ("first 0.5 s cut", "cropped 5 % left") else 0.95
    assert sum(match is not None for match in matches.values()) >= least * len(copies)
    assert indexed == matches  # The index misses none of them.


EMPTY = dict.fromkeys(
    ("split", "audio_fingerprint", "embedding", "audio_embedding"),
)


def moving(seed: int, background: int = 0) -> list[Image.Image]:
    """Eight frames of a bright square that wanders over a fixed texture."""
    texture = np.random.default_rng(background).integers(0, 120, (12, 12), np.uint8).repeat(8, 0).repeat(8, 1)
    rng, frames = np.random.default_rng(seed), []
    for _ in range(8):
        frame = texture.copy()
        y, x = rng.integers(0, 72, 2)
        frame[y : y + 24, x : x + 24] = 250
        frames.append(Image.fromarray(frame).convert("RGB"))
    return frames


def row(clip_id, frames, source=None):
    return {
        **EMPTY,
        "clip_id": clip_id,
        "kind": "video" if frames else "audio",
        "source_sha256": source or clip_id,
        "start_s": 0.0,
        "duration_s": 1.0,
        "signature": Signature.from_frames(frames).to_bytes() if frames else None,
    }


def test_the_earliest_is_kept_and_the_same_bytes_are_told_from_the_same_film():
    smaller = [frame.resize((80, 80)) for frame in moving(1)]
    rows = [
        row("a", moving(1)),
        row("b", smaller),
        row("c", moving(1), "a"),
        row("d", moving(2)),
        row("e", None),
        row("f", None),
    ]
    found = find_copies(rows, Duplicates())
    assert {clip_id: (copy.of, copy.reason.value) for clip_id, copy in found.items()} == {
        "b": ("a", "duplicate_near"),
        "c": ("a", "duplicate_exact"),
    }
    assert find_copies(rows, Duplicates(exact=False, near=False)) == {}


def test_another_movement_before_the_same_wall_is_no_copy():
    films, settings = table.Films(), Duplicates(max_distance=64)
    films.add("a", row("a", moving(1, background=5)))
    assert films.match(row("b", moving(2, background=5)), settings) is None
    assert films.match(row("b", moving(1, background=5)), settings) == "a"


def test_clips_of_another_number_of_frames_are_not_compared():
    films = table.Films()
    films.add("a", row("a", moving(1)))
    assert films.match(row("b", moving(1)[:4])) is None


@pytest.mark.parametrize("indexed", [False, True])
def test_hundreds_of_clips_are_searched_at_once(indexed):
    films = table.Films()
    rng = np.random.default_rng(0)
    for number in range(300):
        hashes = rng.integers(0, 2**63, (3, 8), np.uint64)
        films.add(str(number), table.row(Signature(hashes, rng.integers(0, 255, (8, 256), np.uint8))))
    own = row("own", moving(1))
    assert films.match(own, indexed=indexed) is None
    films.add("same", own)
    assert films.match(own, indexed=indexed) == "same"


def test_clips_that_mean_the_same_are_copies_where_the_recipe_says_so():
    first, like, other = ([1.0, 0.0], [0.96, 0.28], [0.0, 1.0])
    rows = [{**row(name, None), "embedding": vector} for name, vector in zip("abc", (first, like, other), strict=True)]
    rows.append({**row("d", None), "embedding": [1.0, 0.0, 0.0]})
    assert find_copies(rows, Duplicates()) == {}
    found = find_copies(rows, Duplicates(semantic=0.95))
    assert {name: (copy.of, copy.reason.value) for name, copy in found.items()} == {"b": ("a", "duplicate_semantic")}
    assert "cosine 0.960" in found["b"].detail


def test_a_copy_has_the_split_of_its_keeper_as_long_as_it_is_one(tmp_path):
    storage = Storage(str(tmp_path))
    smaller = [frame.resize((80, 80)) for frame in moving(1)]
    committed(storage, 0, [{**row("a", moving(1)), "split": "test"}])
    committed(storage, 1, [{**row("d", smaller), "split": "train"}, {**row("f", moving(4)), "split": "val"}])

    def splits():
        return {each["clip_id"]: each["split"] for each in storage.read_table("shard-00001.parquet").to_pylist()}

    assert splits() == {"d": "test", "f": "val"}
    across_shards.mark_copies(storage, Duplicates(near=False))
    assert splits() == {"d": "train", "f": "val"}


def committed(storage, shard, rows):
    """A shard as a commit leaves it, as far as copies are concerned."""
    manifest = [{name: each.get(name) for name in schema.MANIFEST_COLUMNS} for each in rows]
    storage.write_table(
        f"shard-{shard:05d}.parquet", schema.table(manifest, manifest_schema(VIEWS)), {"fingerprint": "x"}
    )
    write_signatures(storage, shard, rows)
    across_shards.mark_copies(storage, Duplicates())


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_copies_across_shards_are_marked_alike_in_whatever_order_they_are_built(tmp_path, order):
    smaller = [frame.resize((80, 80)) for frame in moving(1)]
    shards = {
        0: [row("a", moving(1)), row("b", moving(2))],
        1: [row("c", moving(3)), row("d", smaller)],
        2: [row("b", moving(2), "b"), row("e", smaller), row("f", moving(4))],
    }
    storage = Storage(str(tmp_path))
    for shard in order:
        committed(storage, shard, shards[shard])
    marks = {
        (shard, each["clip_id"]): each["duplicate_of"]
        for shard in shards
        for each in storage.read_table(f"shard-{shard:05d}.parquet").to_pylist()
    }
    assert {key: of for key, of in marks.items() if of} == {(1, "d"): "a", (2, "b"): "b", (2, "e"): "a"}
    assert storage.metadata("shard-00002.parquet")["fingerprint"] == "x"
    assert across_shards.mark_copies(storage, Duplicates(near=False)) == {0: 0, 1: 0, 2: 1}
