"""The index of copies: it finds what a comparison of all pairs finds, whatever the order, and compares only what is new."""

import itertools

import numpy as np
import pytest

from benchmarks import duplicates_table as table
from benchmarks import synthetic_clips as synthetic
from tests.dedup.test_duplicates import EMPTY, moving, row
from tests.support.inline import vidal_inline
from vidal import schema
from vidal.dedup import across_shards, bit_sampling, joins, known_pairs, sounds, vectors
from vidal.dedup.compare import compare, signed
from vidal.dedup.settings import Duplicates
from vidal.dedup.sounds import Sounds, near_sounds
from vidal.dedup.stored_signatures import write_signatures
from vidal.dedup.vectors import Vectors, near_vectors
from vidal.media.hashing import Signature
from vidal.stages.manifest.stage import manifest_schema
from vidal.stages.order import VIEWS
from vidal.storage import layout
from vidal.storage.locks import exclusive
from vidal.storage.storage import Storage

NEAR = Duplicates()


def noisy(rng, signature, bits):
    """A copy: bits of each hash are flipped, and the thumbnails have some noise."""
    flips = np.array(
        [[sum(1 << int(bit) for bit in rng.choice(64, bits, replace=False)) for _ in range(8)] for _ in range(3)]
    )
    thumbs = (signature.thumbs + rng.normal(0, 3, signature.thumbs.shape)).clip(0, 255).astype(np.uint8)
    return Signature(signature.hashes ^ flips.astype(np.uint64), thumbs)


def pairs_of(found):
    return set(zip(found.later.tolist(), found.earlier.tolist(), strict=True))


@pytest.fixture(scope="module")
def clips():
    """300 clips, and 60 copies of some of them whose frames differ in up to 8 bits."""
    rng = np.random.default_rng(3)
    films = synthetic.films(rng, 300)
    copies = [noisy(rng, films[place], 2 * (place % 5)) for place in range(60)]
    return [table.row(each) for each in (*films, *copies)]


def test_the_index_finds_what_all_pairs_find(clips):
    every = pairs_of(compare(signed(clips), None, NEAR, indexed=False))
    assert {(300 + place, place) for place in range(60)} <= every
    found = pairs_of(compare(signed(clips), None, NEAR, indexed=True))
    assert found <= every and len(found) >= 0.97 * len(every)


def test_the_pairs_are_the_same_whatever_the_pieces(clips, monkeypatch):
    whole = compare(signed(clips), None, NEAR, indexed=True)
    one, two = signed(clips[:200]), signed(clips[200:], 200)
    pieces = [compare(one, None, NEAR, indexed=True), compare(two, one, NEAR, indexed=True)]
    pieces.append(compare(two, None, NEAR, indexed=True))
    joined = known_pairs.Pairs.joined(pieces)
    assert pairs_of(joined) == pairs_of(whole) and np.array_equal(joined.motion, whole.motion)
    turned = compare(one, two, NEAR, indexed=True)
    assert pairs_of(turned) == pairs_of(pieces[1]) and np.array_equal(turned.motion, pieces[1].motion)
    monkeypatch.setattr(bit_sampling, "MATCHES_MAX", 100)
    assert pairs_of(compare(signed(clips), None, NEAR, indexed=True)) == pairs_of(whole)


def test_clips_that_begin_in_black_are_not_all_compared_with_each_other():
    rng = np.random.default_rng(0)
    black = np.uint64(2**63)  # The hash of a black picture.
    hashes = rng.integers(0, 2**64, (500, 3, 8), np.uint64)
    hashes[:, :, 0] = black
    own = bit_sampling.Hashes(hashes, np.zeros((500, 8), np.uint64))
    assert sum(len(first) for first, _ in bit_sampling.candidate_pairs(own, None)) < 50
    alone = bit_sampling.Hashes(np.full((3, 3, 8), black), np.zeros((3, 8), np.uint64))
    assert [len(first) for first, _ in bit_sampling.candidate_pairs(alone, None)] == [
        3
    ]  # Clips that are black throughout.


@pytest.mark.parametrize("matches_max", [joins.MATCHES_MAX, 50])
def test_sounds_are_found_by_the_values_they_share(monkeypatch, matches_max):
    monkeypatch.setattr(sounds, "MATCHES_MAX", matches_max)
    rng = np.random.default_rng(0)
    silence = np.full(20, 627964279, np.uint32)
    originals = [np.concatenate([silence, synthetic.sound(rng)]) for _ in range(40)]
    copies = [synthetic.sound_copy(rng, each) for each in originals[:20]]
    found = near_sounds(Sounds(np.arange(60), [*originals, *copies]), None, NEAR.audio_max_difference)
    assert pairs_of(found) == {(40 + place, place) for place in range(20)}
    assert found.distance.max() < 0.08


def test_cells_find_close_vectors(monkeypatch):
    monkeypatch.setattr(vectors, "_CELLS", 16)
    rng = np.random.default_rng(0)
    values = rng.standard_normal((600, 32)).astype(np.float32)
    values[400:] = values[:200] + 0.05 * values[400:]
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    own, cells = Vectors(np.arange(600), values), vectors.cell_centres(values)
    every = near_vectors("embedding", own, None, 0.9, None)
    found = near_vectors("embedding", own, None, 0.9, cells)
    assert len(every) >= 200 and pairs_of(found) == pairs_of(every)
    assert np.allclose(known_pairs.Pairs.joined([found]).distance, known_pairs.Pairs.joined([every]).distance)


def committed(storage, shard, rows):
    """A shard as a commit leaves it, as far as copies are concerned."""
    manifest = [{name: each.get(name) for name in schema.MANIFEST_COLUMNS} for each in rows]
    storage.write_table(layout.manifest(shard), schema.table(manifest, manifest_schema(VIEWS)))
    write_signatures(storage, shard, rows)


def marks(storage):
    names = storage.names("")
    return {
        (name, each["clip_id"]): each["duplicate_of"]
        for name in names
        if name.endswith(".parquet")
        for each in storage.read_table(name).to_pylist()
        if each["duplicate_of"]
    }


@pytest.fixture
def shards():
    small = [[frame.resize((80, 80)) for frame in moving(seed)] for seed in range(3)]
    return {
        0: [row("a", moving(0)), row("b", moving(1))],
        1: [row("c", moving(2)), row("d", small[0])],
        3: [row("e", small[1]), row("f", moving(5)), row("g", small[0])],
        4: [row("h", small[2]), row("i", moving(6)), row("j", moving(7), "c")],
    }


WANTED = {
    ("shard-00001.parquet", "d"): "a",
    ("shard-00003.parquet", "e"): "b",
    ("shard-00003.parquet", "g"): "a",
    ("shard-00004.parquet", "h"): "c",
    ("shard-00004.parquet", "j"): "c",
}


@pytest.mark.parametrize("block_clips", [1, 4, 100])
def test_marks_do_not_depend_on_the_order_of_the_shards_or_on_the_blocks(tmp_path, shards, monkeypatch, block_clips):
    monkeypatch.setattr(known_pairs, "BLOCK_CLIPS", block_clips)
    stored = set()
    for number, order in enumerate(itertools.permutations(shards, 4)):
        if number % 5:  # Of 24 orders, five.
            continue
        storage = Storage(str(tmp_path / str(number)))
        for shard in order:
            committed(storage, shard, shards[shard])
            across_shards.mark_copies(storage, NEAR)
        assert marks(storage) == WANTED
        stored.add(str(storage.read_table(layout.PAIRS).to_pylist()))
    assert len(stored) == 1


class Counting:
    """Workers in this process that count what they compare, and die after some comparisons."""

    def __init__(self, dies_after=10**6):
        self.compared, self.left = [], dies_after

    def __enter__(self):
        return self.spread

    def __exit__(self, *exception):
        pass

    def spread(self, function, items):
        for item in items:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            self.compared.append((function.args[-1], item))
            yield function(item)


def test_only_new_and_changed_shards_are_compared(tmp_path, shards, monkeypatch):
    monkeypatch.setattr(known_pairs, "BLOCK_CLIPS", 1)
    storage = Storage(str(tmp_path))
    for shard in (0, 1, 3):
        committed(storage, shard, shards[shard])
    across_shards.mark_copies(storage, NEAR)
    assert across_shards.is_marked(storage, NEAR) and not across_shards.is_marked(storage, Duplicates(near=False))
    committed(storage, 4, shards[4])
    assert not across_shards.is_marked(storage, NEAR)
    workers = Counting()
    across_shards.mark_copies(storage, NEAR, lambda: workers)
    assert workers.compared == [([4], None), ([4], [0]), ([4], [1]), ([4], [3])]
    assert marks(storage) == WANTED
    # Shard 0 is built again without clip "a": its copies have lost their original, and the earliest of them is kept.
    committed(storage, 0, shards[0][1:])
    workers = Counting()
    across_shards.mark_copies(storage, NEAR, lambda: workers)
    assert workers.compared == [([0], None), ([0], [1]), ([0], [3]), ([0], [4])]
    assert marks(storage)[("shard-00003.parquet", "g")] == "d" and ("shard-00001.parquet", "d") not in marks(storage)


def test_a_shard_that_is_committed_meanwhile_is_compared_as_it_is_then(tmp_path, shards, monkeypatch):
    monkeypatch.setattr(known_pairs, "BLOCK_CLIPS", 1)
    storage, smaller = Storage(str(tmp_path)), [frame.resize((80, 80)) for frame in moving(1)]
    for shard in (0, 1, 3):
        committed(storage, shard, shards[shard])

    class Meddling(Counting):
        def spread(self, function, items):
            if not self.compared:
                committed(storage, 3, [*shards[3], *(row(f"new {k}", smaller) for k in range(3))])
            return super().spread(function, items)

    meddling = Meddling()
    across_shards.mark_copies(storage, NEAR, lambda: meddling)
    own = {clip: of for (name, clip), of in marks(storage).items() if name == "shard-00003.parquet"}
    assert own == {"e": "b", "g": "a", "new 0": "b", "new 1": "b", "new 2": "b"}
    assert across_shards.is_marked(storage, NEAR)


def test_an_interrupted_comparison_resumes(tmp_path, shards, monkeypatch):
    monkeypatch.setattr(known_pairs, "BLOCK_CLIPS", 1)
    storage, first, second = Storage(str(tmp_path)), Counting(dies_after=4), Counting()
    for shard, rows in shards.items():
        committed(storage, shard, rows)
    with pytest.raises(KeyboardInterrupt):
        across_shards.mark_copies(storage, NEAR, lambda: first)
    across_shards.mark_copies(storage, NEAR, lambda: second)
    assert [own for own, _ in second.compared] == [[3], [3], [3], [4], [4], [4], [4]]
    assert marks(storage) == WANTED


def test_a_shard_committed_again_with_the_same_clips_is_marked_again(tmp_path, shards):
    storage = Storage(str(tmp_path))
    for shard, rows in shards.items():
        committed(storage, shard, rows)
    across_shards.mark_copies(storage, NEAR)
    manifest = [{name: each.get(name) for name in schema.MANIFEST_COLUMNS} for each in shards[3]]
    storage.write_table(layout.manifest(3), schema.table(manifest, manifest_schema(VIEWS)))
    assert marks(storage) != WANTED and not across_shards.is_marked(storage, NEAR)
    across_shards.mark_copies(storage, NEAR)
    assert marks(storage) == WANTED


def test_signatures_of_an_earlier_version_are_read(tmp_path, shards):
    storage = Storage(str(tmp_path))
    for shard, rows in shards.items():
        committed(storage, shard, rows)
        storage.remove(layout.signatures(shard))
        names = [*EMPTY, "clip_id", "kind", "source_sha256", "start_s", "duration_s", "signature"]
        earlier = schema.pa.Table.from_pylist([{name: each[name] for name in names} for each in rows])
        storage.write_table(layout.earlier_signatures(shard), earlier)
    across_shards.mark_copies(storage, NEAR)
    assert marks(storage) == WANTED
    assert storage.names(layout.EARLIER_SIGNATURES) == []


def test_a_second_command_is_refused(tmp_path):
    done = vidal_inline("build-shard", "0", "--out", str(tmp_path / "data"), "--limit", "1")
    assert done.returncode == 0, done.stderr
    storage = Storage(str(tmp_path / "data"))
    with exclusive(storage, layout.MARKING):
        refused = vidal_inline("deduplicate", storage.uri)
    assert refused.returncode == 2
    assert refused.stderr.strip().endswith(
        "another process is marking copies in this dataset: wait until it has ended, then try again"
    )
    assert vidal_inline("deduplicate", storage.uri).returncode == 0
