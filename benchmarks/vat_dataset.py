"""Whether LanguageBind's own `VAT_dataset` loads every video row of an export.

    git clone LanguageBind's repository
    vidal export OUT --format languagebind --to EXPORT
    python -m benchmarks.vat_dataset LANGUAGEBIND EXPORT

Its class runs unchanged; what it imports from its own package beside it (tokenizer, transforms) is replaced by functions that decode the
file, because those need packages that no longer install together. Its fallback, a random other sample, is not used.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import av
import numpy as np
from PIL import Image

VIEWS = ("vl", "dl", "tl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("languagebind", type=Path)
    parser.add_argument("export", type=Path)
    options = parser.parse_args()
    for annotation in sorted(options.export.glob("annotation*.json")):
        if "sounds" not in annotation.name:
            print(f"{annotation.name}: {check(options.languagebind, options.export, annotation)}")


def check(languagebind: Path, export: Path, annotation: Path) -> dict[str, str]:
    """Returns for each view how many rows the class loaded, of those that have the view."""
    loader = _import(languagebind)
    entries = json.loads(annotation.read_text())
    loaded = {}
    for view in VIEWS:
        dataset = loader.VAT_dataset(_arguments(annotation, view, len(entries)))
        dataset.data_root = str(export)
        ids = [id_ for id_ in dataset.ids if _has(export, entries[id_]["folder"], id_, view)]
        loaded[view] = f"{sum(_loads(dataset, id_, view) for id_ in ids)} of {len(ids)}"
    return loaded


def _has(export: Path, folder: str, id_: str, view: str) -> bool:
    endings = {"dl": "depth_f8glpn_folder", "tl": "thermal_folder"}
    return view == "vl" or (export / folder / f"{id_}_{endings[view]}").exists()


def _loads(dataset: object, id_: str, view: str) -> bool:
    folder = dataset.id2title_folder_caps[id_]["folder"]  # type: ignore[attr-defined]
    try:
        dataset.get_text(id_)  # type: ignore[attr-defined]
        if view == "vl":
            dataset.get_video(id_, folder)  # type: ignore[attr-defined]
        else:
            get = dataset.get_depth if view == "dl" else dataset.get_thermal  # type: ignore[attr-defined]
            for frame in range(8):
                get(id_, folder, frame)
    except (OSError, KeyError, av.error.FFmpegError) as error:
        print(f"  {view} {id_}: {error!r}")
        return False
    return True


def _arguments(annotation: Path, view: str, count: int) -> SimpleNamespace:
    return SimpleNamespace(
        video_decode_backend="", num_frames=8, text_type="polish_mplug", train_data=str(annotation), clip_type=view,
        train_num_samples=count, num_mel_bins=128, target_length=1024, audio_sample_rate=16000, audio_mean=0.0, audio_std=1.0,
        model="", cache_dir="",
    )  # fmt: skip


def _import(languagebind: Path) -> ModuleType:
    """Imports data/base_datasets.py of a checkout, with stand-ins for what it imports from beside it."""
    parts = {
        "a_cls": {}, "a_cls.dataloader": {"make_midname_dict": None}, "open_clip": {"get_tokenizer": lambda *_, **__: None},
        "open_clip.factory": {"HF_HUB_PREFIX": ""}, "data.process_text": {"load_and_transform_text": lambda text, *_, **__: text},
        "data.process_video": {"load_and_transform_video": _video}, "data.process_depth": {"load_and_transform_depth": _depth},
        "data.process_audio": {"load_and_transform_audio": None}, "data.process_thermal": {"load_and_transform_thermal": _thermal},
    }  # fmt: skip
    for name, members in parts.items():
        module = ModuleType(name)
        view = name.rpartition("process_")[2]
        module.__dict__.update({**members, f"get_{view}_transform": lambda *_: None})
        sys.modules[name] = module
    package = ModuleType("data")
    package.__path__ = [str(languagebind / "data")]
    sys.modules["data"] = package
    return importlib.import_module("data.base_datasets")


def _video(path: str, *_: object, **__: object) -> dict[str, object]:
    with av.open(path) as container:
        return {"pixel_values": next(container.decode(video=0)).to_ndarray(format="rgb24")}


def _depth(path: str, *_: object) -> dict[str, object]:
    with Image.open(path) as image:
        return {"pixel_values": np.asarray(image).astype(np.float32)}


def _thermal(path: str, *_: object) -> dict[str, object]:
    with Image.open(path) as image:
        return {"pixel_values": np.asarray(image.convert("RGB"))}


if __name__ == "__main__":
    main()
