"""A dataset opened from Python: its rows, its ledger, its media."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from vidal.dataset.dataset_file import read_dataset_or_fail
from vidal.records import ManifestRow, rows_of
from vidal.storage import layout
from vidal.storage.storage import Storage, absolute_uri

if TYPE_CHECKING:
    import pandas as pd
    from torch.utils.data import Dataset as TorchDataset

_TORCH = "vidal.train.torch_dataset"
Views = Sequence[str] | Mapping[str, float] | None


class Dataset:
    """A built dataset, opened for reading. `len(dataset)` is the number of clips; iterating yields rows, one shard at a time.

    shards: numbers of the committed shards. Nothing is cached: if another shard is committed, the next call sees it.
    """

    def __init__(self, out: str):
        self._storage = Storage(absolute_uri(out))
        read_dataset_or_fail(self._storage)

    @property
    def uri(self) -> str:
        return self._storage.uri

    @property
    def shards(self) -> list[int]:
        return layout.shards_in(self._storage.names(""))

    def table(self, columns: list[str] | None = None) -> pa.Table:
        """Returns the manifest rows of all shards. columns: the names of the columns to return; None returns all."""
        return pa.concat_tables(self._storage.read_table(layout.manifest(shard), columns) for shard in self.shards)

    def to_pandas(self, columns: list[str] | None = None) -> pd.DataFrame:
        frame: pd.DataFrame = self.table(columns).to_pandas()
        return frame

    def ledger(self) -> pa.Table:
        """Returns one row for every candidate, clip and view, with its outcome and the reason; docs/columns.md has the columns."""
        return pa.concat_tables(self._storage.read_table(layout.ledger(shard)) for shard in self.shards)

    def torch(self, modality: str = "video", views: Views = None, **options: Any) -> TorchDataset[Any]:
        """Returns the clips of a modality as a torch.utils.data.Dataset. An item is the input of an encoder and one of the clip's texts.

            clips = vidal.open(OUT).torch("depth", views=["title", "enhanced"])
            loader = torch.utils.data.DataLoader(clips, batch_size=64, shuffle=True)       # by index
            loader = torch.utils.data.DataLoader(clips.iterate(), batch_size=64, num_workers=4)  # as a stream, shared by processes

        modality: video, image, depth, infrared or audio. views: the views that texts are drawn from: one name, a list of names, or a dict
        of weights by name. By default, they are title, keyframe, video and enhanced; for audio, title, enhanced and sound.
        options, with their defaults: splits=("train",); side=224, the side of a picture in pixels; frames=8, the frames of a video;
        mel_bins=128 and fbank_frames=1024, the size of a sound's spectrogram; seed=0.

        An item is a dict. The input of the encoder is in `pixels`, even for a sound. The other keys are text, text_index, frame, clip_id
        and shard; see vidal.train.torch_dataset.Item. Raises UserError if the modality is unknown, or if no clip has both the modality
        and a text of these views.
        """
        # Imported by name, as adapters are: vidal.dataset does not depend on vidal.train, and most users of a dataset do not need torch.
        opened: TorchDataset[Any] = importlib.import_module(_TORCH).open_clips(
            self._storage, modality, views, **options
        )
        return opened

    def read(self, path: str) -> bytes:
        """Returns the bytes of a file that a row names, for example `dataset.read(row["frame_paths"][0])`.

        Raises FileNotFoundError if there is no such file.
        """
        return self._storage.read(path)

    def __iter__(self) -> Iterator[ManifestRow]:
        for shard in self.shards:
            yield from rows_of(self._storage.read_table(layout.manifest(shard)), ManifestRow)

    def __len__(self) -> int:
        return sum(self._storage.read_table(layout.manifest(shard), ["clip_id"]).num_rows for shard in self.shards)

    def __repr__(self) -> str:
        return f"vidal.open({self.uri!r})"


def open_dataset(out: str) -> Dataset:
    """Opens a dataset: a folder or a URI. Raises UserError if it is not a vidal dataset."""
    return Dataset(out)
