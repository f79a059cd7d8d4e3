"""A dataset as torch reads it: by index and as a stream."""

import pytest
import torch
from torch.utils.data import DataLoader

from tests.train.test_train_data import caption, dataset
from vidal.errors import RecordError, UserError
from vidal.train.torch_dataset import open_clips


@pytest.fixture
def clips(tmp_path):
    rows = [
        {"captions": [caption("title", f"title {k}"), caption("video", f"video {k}"), caption("hashtags", "#a")]}
        for k in range(9)
    ]
    return dataset(tmp_path, rows)


def test_an_item_is_a_clip_with_a_text(clips):
    images = open_clips(clips, "image", ["title"], side=16)
    assert len(images) == 9
    item = images[3]
    assert item["clip_id"] == "clip-3" and item["text"] == "title 3" and item["shard"] == 0
    assert item["pixels"].shape == (3, 16, 16) and item["pixels"].dtype == torch.uint8
    assert int(item["pixels"][0, 0, 0]) == 30 + item["frame"]
    videos = open_clips(clips, "video", {"video": 1.0}, side=16, frames=2)
    assert videos[0]["pixels"].shape == (2, 3, 16, 16) and videos[0]["text"] == "video 0"
    batch = next(iter(DataLoader(videos, batch_size=4)))
    assert batch["pixels"].shape == (4, 2, 3, 16, 16) and batch["text"] == [f"video {k}" for k in range(4)]
    with pytest.raises(IndexError):
        images[9]


def test_an_epoch_draws_other_texts(clips):
    images = open_clips(clips, "image", side=16)
    drawn = []
    for epoch in (0, 1, 0):
        images.set_epoch(epoch)
        drawn.append([images[k]["text"] for k in range(9)])
    assert drawn[0] == drawn[2] != drawn[1]
    assert {text.split()[0] for texts in drawn for text in texts} == {"title", "video"}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_gives_each_clip_once_and_is_shared_by_workers(clips, workers):
    stream = open_clips(clips, "image", ["title"], side=16).iterate()
    seen = []
    for epoch in (0, 1):
        stream.set_epoch(epoch)
        items = [text for batch in DataLoader(stream, batch_size=2, num_workers=workers) for text in batch["text"]]
        assert sorted(items) == [f"title {k}" for k in range(9)]
        seen.append(items)
    assert seen[0] != seen[1]


def test_processes_share_a_stream(clips, monkeypatch):
    stream = open_clips(clips, "image", ["title"], side=16).iterate()
    monkeypatch.setattr("vidal.train.process_group.world", lambda: 2)
    shares = []
    for rank in (0, 1):
        monkeypatch.setattr("vidal.train.process_group.rank", lambda rank=rank: rank)
        shares.append({item["clip_id"] for item in stream})
    assert not shares[0] & shares[1] and len(shares[0] | shares[1]) == 9


def test_a_clip_that_cannot_be_read_is_left_out_of_a_stream_and_counted(clips, tmp_path):
    images = open_clips(clips, "image", ["title"], side=16)
    for path in (tmp_path / "_media" / "clip-2").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(RecordError):
        images[2]
    stream = images.iterate(shuffle=False)
    assert [item["clip_id"] for item in stream] == [f"clip-{k}" for k in range(9) if k != 2] and stream.unreadable == 1


def test_what_cannot_be_opened_is_one_line(clips):
    with pytest.raises(UserError, match="no modality 'smell': choose from video"):
        open_clips(clips, "smell")
    with pytest.raises(UserError, match=r"no clip is left to train depth on .*no_depth 9"):
        open_clips(clips, "depth")


def test_the_public_dataset_opens_it(embedded):
    import vidal

    depth = vidal.open(str(embedded)).torch("depth", views=["title", "enhanced"], side=32)
    item = depth[0]
    assert item["pixels"].shape == (1, 32, 32) and item["pixels"].dtype == torch.float16 and item["text"]
    assert 0 <= float(item["pixels"].min()) <= float(item["pixels"].max()) <= 1
    sound = vidal.open(str(embedded)).torch("audio", mel_bins=16, fbank_frames=64)[0]
    assert sound["pixels"].shape == (3, 16, 64) and torch.isfinite(sound["pixels"].float()).all()
