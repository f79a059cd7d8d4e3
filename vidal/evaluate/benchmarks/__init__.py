"""The benchmarks of LanguageBind's tables, and your own data. TASKS is the registry; each task names a reader and two modalities."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidal.errors import UserError
from vidal.evaluate.benchmark import TEXT, Benchmark


@dataclass(frozen=True)
class Task:
    """A benchmark, and what is measured on it by default.

    reader: "module:function" of this package. query, target: modalities or "text", joined by +. share: the share of the samples that is
    used, 0..1.
    """

    reader: str
    query: str
    target: str = TEXT
    share: float = 1.0

    def read(self, folder: Path) -> Benchmark:
        """Reads the benchmark from a folder. Raises UserError if a file is missing or wrong; the error names it."""
        if not folder.is_dir():
            raise UserError(f"--data: {folder} is not a folder")
        module, _, name = self.reader.partition(":")
        reader: Callable[[Path], Benchmark] = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        try:
            return reader(folder)
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise UserError(
                f"{folder}: the files do not have the form that {name} expects ({error!r}): use the published files unchanged"
            ) from error

    @property
    def needs(self) -> str:
        """The first line of the reader's docstring, which says which files the folder must contain."""
        module, _, name = self.reader.partition(":")
        return (getattr(importlib.import_module(f"{__name__}.{module}"), name).__doc__ or "").strip().splitlines()[0]


TASKS = {
    "msrvtt": Task("video_text:msrvtt", "video"),
    "msrvtt_sound": Task("video_text:msrvtt_sound", "audio+video"),
    "msvd": Task("video_text:msvd", "video"),
    "didemo": Task("video_text:didemo", "video"),
    "activitynet": Task("video_text:activitynet", "video"),
    "clotho": Task("sounds:clotho", "audio"),
    "audiocaps": Task("sounds:audiocaps", "audio"),
    "k400": Task("actions:kinetics", "video"),
    "k600": Task("actions:kinetics", "video"),
    "llvip": Task("thermal:llvip", "infrared"),
    "flir_v1": Task("thermal:flir_v1", "infrared"),
    "flir_v2": Task("thermal:flir_v2", "infrared"),
    "nyu": Task("nyu:nyu", "depth"),
    "audioset": Task("sounds:audioset", "audio"),
    "esc50": Task("sounds:esc50", "audio"),
    "vggsound": Task("sounds:vggsound", "audio"),
    # Retrieval of one modality by another. As in the paper, a tenth of the samples is used, except of NYU-D.
    "ave": Task("ave:ave", "image", "audio", 0.1),
    "vggsound_emergent": Task("sounds:vggsound", "image", "audio", 0.1),
    "llvip_emergent": Task("thermal:llvip_pairs", "image", "infrared", 0.1),
    "nyu_emergent": Task("nyu:nyu", "image", "depth"),
    "manifest": Task("own:manifest", "video"),
    "captions": Task("own:captions", "image"),
    "folders": Task("own:folders", "image"),
}
