"""What the trainer is given: which clips, which texts, in which order, and from where."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from benchmarks import text_memory
from vidal import schema
from vidal.errors import RecordError, UserError
from vidal.stages.manifest.stage import manifest_schema
from vidal.stages.order import VIEWS
from vidal.storage.storage import Storage
from vidal.train import packed
from vidal.train.augmentation import NONE
from vidal.train.reading import Reader, spread
from vidal.train.settings import Encoder, Modality, Train
from vidal.train.stream import Stream, _prefetched
from vidal.train.texts import TextFeatures
from vidal.train.torch_dataset import ClipDataset
from vidal.train.training_samples import Captions, read_samples, sample_caption

SIDE = 16


def caption(view, text, frame=None, flags=()):
    return {"view": view, "text": text, "frame": frame, "flags": list(flags)}


def dataset(folder, rows, shard=0):
    """A manifest of these rows with pictures of one gray each, its level the clip's number * 10 + frame."""
    whole = []
    for number, row in enumerate(rows):
        clip_id = row.get("clip_id", f"clip-{number}")
        paths = [f"_media/{clip_id}/{k}.png" for k in range(row.pop("frames", 2))]
        for k, path in enumerate(paths):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (24, 20), (number * 10 + k,) * 3).save(folder / path)
        default = {
            "clip_id": clip_id,
            "kind": "video",
            "shard": shard,
            "split": "train",
            "frame_paths": paths,
            "contaminates": [],
        }
        whole.append({**default, "captions": [caption("title", f"title of {clip_id}")], **row})
    Storage(str(folder)).write_table(f"shard-{shard:05d}.parquet", schema.table(whole, manifest_schema(VIEWS)))
    return Storage(str(folder))


def test_copies_evaluation_clips_and_clips_without_words_are_left_out_and_counted(tmp_path):
    rows = [
        {},
        {"duplicate_of": "clip-0"},
        {"contaminates": ["msrvtt"]},
        {"captions": [caption("hashtags", "#a")]},
        {"frames": 0},
    ]
    rows.append({"captions": [caption("title", "false", flags=["unsupported"]), caption("video", "  ")]})
    found = read_samples(dataset(tmp_path, rows), Modality.VIDEO, Train())
    assert found.clip_ids == ["clip-0"]
    assert found.left_out == {"duplicate": 1, "of_evaluation_set": 1, "no_text": 2, "no_video": 1}


def test_a_dataset_that_cannot_teach_a_modality_says_why(tmp_path):
    with pytest.raises(UserError, match=r"no clip is left to train depth on .*no_depth 2"):
        read_samples(dataset(tmp_path, [{}, {}]), Modality.DEPTH, Train())
    with pytest.raises(UserError, match="build one"):
        read_samples(Storage(str(tmp_path / "nothing")), Modality.DEPTH, Train())


def test_views_are_drawn_by_weight_and_a_keyframes_caption_brings_its_frame(tmp_path):
    texts = [caption("title", "the title"), *(caption("keyframe", f"frame {k}", k) for k in range(4))]
    settings = Train(views={"title": 3.0, "keyframe": 1.0, "video": 5.0})
    found = read_samples(dataset(tmp_path, [{"captions": texts, "frames": 4}]), Modality.IMAGE, settings)
    weights = np.array([settings.views[name] for name in found.captions.names])
    drawn = [sample_caption(found, 0, weights, (0, epoch)) for epoch in range(2000)]
    said = [(found.captions.distinct[text].as_py(), frame) for text, frame in drawn]
    share = np.mean([text == "the title" for text, _ in said])
    assert share == pytest.approx(0.75, abs=0.04)
    assert all(text == f"frame {frame}" for text, frame in said if text != "the title")
    assert {frame for text, frame in said if text == "the title"} == {0, 1, 2, 3}
    assert drawn == [sample_caption(found, 0, weights, (0, epoch)) for epoch in range(2000)]


def stream(folder_or_storage, count=10, **options):
    storage = folder_or_storage
    found = read_samples(storage, Modality.IMAGE, Train())
    reader = options.pop("reader", None) or Reader(storage, found, Encoder(side=SIDE))
    options = {"batch_size": 4, "seed": 3, **options}
    clips = ClipDataset(found, reader, dict.fromkeys(found.captions.names, 1.0), options["seed"])
    return found, Stream(clips, **options)


def test_an_epoch_shows_every_clip_once_and_goes_on_from_any_batch(tmp_path):
    storage = dataset(tmp_path, [{} for _ in range(8)])
    _, made = stream(storage)
    whole = list(made.batches(1))
    assert sorted(text for batch in whole for text in batch.texts.tolist()) == list(range(8)) and made.steps == 2
    resumed = list(made.batches(1, cursor=whole[0].cursor))
    assert (
        len(resumed) == 1
        and torch.equal(resumed[0].pixels, whole[1].pixels)
        and torch.equal(resumed[0].texts, whole[1].texts)
    )
    assert [b.texts.tolist() for b in made.batches(2)] != [b.texts.tolist() for b in whole]


@pytest.mark.parametrize(("clips", "size"), [(8, 4), (8, 3), (3, 2), (9, 2), (20, 19), (2, 5)])
def test_an_epoch_has_as_many_batches_as_the_learning_rate_plans_for(tmp_path, clips, size):
    _, planned = stream(dataset(tmp_path, [{} for _ in range(clips)]), batch_size=size)
    assert len(list(planned.batches(0))) == planned.steps
    assert planned.size * planned.steps > 0.89 * clips


def test_two_processes_share_the_batches_of_one(tmp_path):
    storage = dataset(tmp_path, [{} for _ in range(8)])
    _, alone = stream(storage)
    pair = [stream(storage, rank=rank, world=2)[1] for rank in (0, 1)]
    shared = [list(each.batches(0)) for each in pair]
    for step, batch in enumerate(alone.batches(0)):
        assert sorted(shared[0][step].texts.tolist() + shared[1][step].texts.tolist()) == sorted(batch.texts.tolist())


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_other_processes_go_on_with_the_same_batches(tmp_path, before, after):
    """As a run does that was stopped with one number of processes and is continued with another."""
    storage = dataset(tmp_path, [{} for _ in range(16)])
    whole = [sorted(batch.texts.tolist()) for batch in stream(storage)[1].batches(1)]
    old = [stream(storage, rank=rank, world=before)[1] for rank in range(before)]
    begun = [list(each.batches(1))[:2] for each in old]
    window = old[0].window(1).advanced(16, [batches[-1].cursor for batches in begun])
    new = [stream(storage, rank=rank, world=after)[1] for rank in range(after)]
    for each in new:
        each.resume_in(1, window)
    for steps, batches in ((whole[:2], begun), (whole[2:], [list(each.batches(1)) for each in new])):
        union = [sorted(text for batch in step for text in batch.texts.tolist()) for step in zip(*batches, strict=True)]
        assert union == steps
    assert sorted(text for batch in new[0].batches(2) for text in batch.texts.tolist()) != []


@pytest.mark.parametrize("workers", [0, 1])
def test_reading_batches_takes_no_random_numbers_from_the_dropout(tmp_path, workers):
    """A resumed run begins an epoch once more. If that drew a number, its dropout would not be that of a run that never stopped."""
    _, made = stream(dataset(tmp_path, [{} for _ in range(8)]), workers=workers)
    before = torch.get_rng_state()
    assert len(list(made.batches(0))) == 2
    assert torch.equal(torch.get_rng_state(), before)


def test_loader_processes_persist_over_epochs(tmp_path):
    storage = dataset(tmp_path, [{} for _ in range(8)])
    _, alone = stream(storage)
    _, helped = stream(storage, workers=2)
    processes = []
    for epoch in range(3):
        expected = [batch.texts.tolist() for batch in alone.batches(epoch)]
        assert [batch.texts.tolist() for batch in helped.batches(epoch)] == expected
        processes.append([each.pid for each in helped._loader._iterator._workers])
    assert processes[0] == processes[1] == processes[2]


@pytest.mark.parametrize(("batch_bytes", "ahead"), [(1 << 10, 16), (64 << 20, 4), (1 << 30, 1)])
def test_large_batches_are_read_less_far_ahead(batch_bytes, ahead):
    assert _prefetched(batch_bytes, 2) == ahead


def test_crops_and_flips_are_the_same_for_all_frames_and_absent_by_default(tmp_path):
    storage = dataset(tmp_path, [{"frames": 2}])
    for k in range(2):  # Wide, brighter from left to right.
        wide = np.tile(np.linspace(0, 250, 64).astype(np.uint8), (16, 1))
        Image.fromarray(wide).convert("RGB").save(tmp_path / "_media" / "clip-0" / f"{k}.png")
    found = read_samples(storage, Modality.VIDEO, Train())
    plain = Reader(storage, found, Encoder(side=SIDE, frames=2))
    assert plain.draw_augmentation((0, 0, 0)) == NONE
    centre = plain(0, 0)
    reader = Reader(storage, found, Encoder(side=SIDE, frames=2, random_crop=True, flip=0.5))
    crops = set()
    for epoch in range(20):
        drawn = reader.draw_augmentation((0, epoch, 0))
        assert drawn == reader.draw_augmentation((0, epoch, 0))
        views = reader(0, 0, drawn)
        assert np.array_equal(views[0], views[1])
        assert (views[0, 0, 0, 0] > views[0, 0, 0, -1]) == drawn.flip
        crops.add(int(views[0, 0, 0].min()))
    assert len(crops) > 5 and np.array_equal(reader(0, 0), centre)


def test_a_modality_that_a_clip_lacks_costs_that_modality_alone(tmp_path):
    storage = dataset(tmp_path, [{}, {"audio_path": "_media/clip-1/a.flac"}])
    assert len(read_samples(storage, Modality.IMAGE, Train())) == 2
    assert read_samples(storage, Modality.AUDIO, Train()).clip_ids == ["clip-1"]


def test_workers_give_what_one_process_gives(tmp_path):
    storage = dataset(tmp_path, [{} for _ in range(8)])
    alone, helped = (list(stream(storage, workers=workers)[1].batches(0)) for workers in (0, 2))
    assert all(
        torch.equal(a.pixels, b.pixels) and torch.equal(a.texts, b.texts) for a, b in zip(alone, helped, strict=True)
    )


@pytest.mark.parametrize("bad", [0, 1, 4, 9])
def test_a_record_that_cannot_be_read_is_passed_over_and_named(tmp_path, bad):
    storage = dataset(tmp_path, [{} for _ in range(10)])
    _, made = stream(storage, batch_size=3)
    victim = int(made.order(0)[bad])
    for path in (tmp_path / "_media" / f"clip-{victim}").iterdir():
        path.write_bytes(b"no picture")
    batches = list(made.batches(0))
    texts = [text for batch in batches for text in batch.texts.tolist()]
    assert len(texts) == 9 and victim not in texts
    problems = [problem for batch in batches for problem in batch.problems] + list(made.tail)
    assert len(problems) == 1 and problems[0].startswith(f"clip-{victim}: ")
    again = list(made.batches(0, cursor=batches[0].cursor))
    assert [b.texts.tolist() for b in again] == [b.texts.tolist() for b in batches[1:]]


def test_packed_arrays_are_what_the_files_give(tmp_path):
    storage = dataset(tmp_path, [{"frames": 3} for _ in range(3)])
    settings = Train(modalities={"video": Encoder(side=SIDE, frames=2), "image": Encoder(side=SIDE)})
    assert [(each.clips, each.unreadable, each.kept) for each in packed.pack(storage, settings)] == [(3, 0, 0)]
    found = read_samples(storage, Modality.VIDEO, settings)
    pack = packed.find(storage, found, settings.modalities[Modality.VIDEO])
    from_files, from_pack = (Reader(storage, found, settings.modalities[Modality.VIDEO], each) for each in (None, pack))
    assert pack is not None and from_files(1, 0).shape == (2, 3, SIDE, SIDE)
    assert all(np.array_equal(from_files(row, 0), from_pack(row, 0)) for row in range(3))
    assert [each.kept for each in packed.pack(storage, settings)] == [3]
    dataset(tmp_path, [{"frames": 3} for _ in range(4)])
    assert packed.find(storage, read_samples(storage, Modality.VIDEO, settings), Encoder(side=SIDE)) is None


def test_packed_arrays_of_one_split_are_not_used_for_another_and_packing_both_packs_them(tmp_path):
    storage = dataset(tmp_path, [{}, {}, {"split": "val"}])
    settings = Train(modalities={"image": Encoder(side=SIDE)})
    assert next(packed.pack(storage, settings)).clips == 2
    both = settings.model_copy(update={"splits": ("train", "val")})
    assert packed.find(storage, read_samples(storage, Modality.IMAGE, settings), Encoder(side=SIDE)) is not None
    assert packed.find(storage, read_samples(storage, Modality.IMAGE, both), Encoder(side=SIDE)) is None
    assert next(packed.pack(storage, both)).clips == 3
    assert packed.find(storage, read_samples(storage, Modality.IMAGE, settings), Encoder(side=SIDE)) is not None


def test_what_could_not_be_packed_is_unreadable(tmp_path):
    storage = dataset(tmp_path, [{} for _ in range(3)])
    (tmp_path / "_media" / "clip-1" / "0.png").write_bytes(b"no picture")
    settings = Train(modalities={"image": Encoder(side=SIDE)})
    assert next(packed.pack(storage, settings)).unreadable == 1
    found = read_samples(storage, Modality.IMAGE, settings)
    reader = Reader(storage, found, Encoder(side=SIDE), packed.find(storage, found, Encoder(side=SIDE)))
    with pytest.raises(RecordError, match="when the dataset was packed"):
        reader(1, 0)
    assert reader(2, 1).mean() == 21


class Tower:
    name, width = "counting", 3

    def __init__(self, identity="weights 1"):
        self.asked, self.identity = [], identity

    def encode(self, texts):
        self.asked += texts
        vectors = torch.tensor([[len(text), ord(text[0]), 1.0] for text in texts])
        return torch.nn.functional.normalize(vectors, dim=-1)


def captions(*shards):
    """Captions of these lists of texts, one clip a text."""
    rows = [(text, number) for number, texts in enumerate(shards) for text in texts]
    distinct = list(dict.fromkeys(text for text, _ in rows))
    first = {text: number for text, number in reversed(rows)}
    places = np.arange(len(rows))
    return Captions(
        np.arange(len(rows) + 1), places.astype(np.int16) * 0, places * 0, np.array([distinct.index(t) for t, _ in rows]),
        ("title",), pa.array(distinct), np.array([first[text] for text in distinct], np.int32),
    )  # fmt: skip


def expected(*texts):
    return Tower().encode(list(texts))


@pytest.mark.parametrize("uri", ["{}", "memory://features"])
def test_a_text_of_a_shard_is_encoded_once(tmp_path, uri, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    storage, tower = Storage(uri.format(tmp_path / "data")), Tower()
    first = TextFeatures(storage, tower).compute(captions(["one", "three"], ["one and more"]))
    second = TextFeatures(storage, tower).compute(captions(["three", "two", "one"], ["one and more"]))
    assert torch.allclose(first[np.array([0, 1, 2])], expected("one", "three", "one and more"), atol=1e-3)
    assert torch.allclose(
        second[torch.tensor([3, 0, 2, 1])], expected("one and more", "three", "one", "two"), atol=1e-3
    )
    assert sorted(tower.asked) == ["one", "one and more", "three", "two"]
    assert torch.allclose(second[np.arange(4)].norm(dim=1), torch.ones(4), atol=1e-6)


def test_other_weights_of_the_tower_give_other_features(tmp_path):
    storage = Storage(str(tmp_path))
    TextFeatures(storage, Tower()).compute(captions(["one"]))
    replaced = Tower("weights 2")
    TextFeatures(storage, replaced).compute(captions(["one"]))
    assert replaced.asked == ["one"]


def test_weights_that_are_replaced_in_place_are_noticed(tmp_path):
    from vidal.config.base import ModelSpec
    from vidal.models.registry import SCORERS

    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"first")
    spec = ModelSpec(adapter="transformers", id=str(tmp_path))
    before = SCORERS["transformers"].weights.identity(spec)
    (tmp_path / "model.safetensors").write_bytes(b"other")
    assert SCORERS["transformers"].weights.identity(spec) != before


def test_a_shard_that_is_added_writes_no_segment_of_another_again(tmp_path):
    storage, tower = Storage(str(tmp_path)), Tower()
    TextFeatures(storage, tower).compute(captions(["one", "two"]))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    TextFeatures(storage, tower).compute(captions(["one", "two"], ["three", "one"]))
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    assert before.items() <= after.items() and len(after) == len(before) + 2
    assert sorted(tower.asked) == ["one", "three", "two"]


@pytest.mark.slow
def test_a_million_texts_in_ten_segments_open_in_a_second_and_little_memory(tmp_path):
    """Processor seconds, because other tests run beside."""
    TextFeatures(Storage(str(tmp_path)), text_memory.Constant()).compute(text_memory.captions())
    assert len(list(tmp_path.rglob("*.features.npy"))) == text_memory.SHARDS
    opened = text_memory.in_a_process(f"open_captions({str(tmp_path)!r})")
    assert opened["processor_seconds"] < 1 and opened["private"] < 100e6 and opened["rows"] == 1000, opened
    assert text_memory.rewritten_segments(str(tmp_path)) == 0


def test_frames_of_a_video_are_spread_over_the_clip():
    assert spread(8, 4) == [0, 2, 4, 7] and spread(2, 4) == [0, 0, 0, 1] and spread(8, 1) == [0]
