"""NYU Depth v2 (Silberman et al. 2012): 654 test pictures in ten classes, the nine most common kinds of rooms and "others"."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vidal.errors import UserError
from vidal.evaluate.benchmark import Benchmark, Sample
from vidal.evaluate.benchmarks import files
from vidal.evaluate.benchmarks.folders import class_folders
from vidal.evaluate.templates import PHOTO, pictures
from vidal.train.settings import Modality

_TEMPLATES = pictures("depth photo")
OTHERS = "others"
ROOMS = (
    "bathroom",
    "bedroom",
    "bookstore",
    "classroom",
    "dining room",
    "home office",
    "kitchen",
    "living room",
    "office",
)


@dataclass(frozen=True)
class Stored:
    """A picture inside the .mat file, which each process opens only once. field: "images" or "depths". index: counted from 0."""

    path: Path
    field: str
    index: int

    def picture(self) -> Image.Image:
        """Returns the picture: RGB from "images", or 16-bit millimetres from "depths".

        MATLAB stores columns first, so the array is transposed.
        """
        array = _opened(self.path)[self.field][self.index]
        if self.field == "depths":
            return Image.fromarray((array.T * 1000).round().clip(0, 65535).astype(np.uint16))
        return Image.fromarray(np.ascontiguousarray(array.transpose(2, 1, 0)))


def nyu(folder: Path) -> Benchmark:
    """Reads nyu_depth_v2_labeled.mat and splits.mat.

    If nyu_depth_v2_labeled.mat is missing, reads 16-bit depth pictures in millimetres, one folder per class.
    """
    path = files.optional(folder, "nyu_depth_v2_labeled.mat")
    if path is None:
        return class_folders(
            folder, Modality.DEPTH, _TEMPLATES, needs="nyu_depth_v2_labeled.mat", picture_templates=PHOTO
        )
    classes, samples = (*ROOMS, OTHERS), []
    kinds = _kinds(path)
    for number in _test_numbers(files.annotation(folder, "splits.mat")):
        if number > len(kinds):
            raise UserError(
                f"splits.mat names picture {number}, but {path.name} has {len(kinds)} pictures: use the published files"
            )
        kind = kinds[number - 1]
        room = kind if kind in ROOMS else OTHERS
        media = {Modality.DEPTH: Stored(path, "depths", number - 1), Modality.IMAGE: Stored(path, "images", number - 1)}
        text = _TEMPLATES[0].replace("{}", kind)
        samples.append(Sample(str(number), media, (text,), (classes.index(room),)))
    return Benchmark(samples, classes, _TEMPLATES, PHOTO)


def _kinds(path: Path) -> list[str]:
    """Returns the kind of room of every picture. The file stores each string as a reference to an array of character codes."""
    file = _opened(path)
    try:
        references = file["sceneTypes"][0]
        return ["".join(chr(code) for code in np.ravel(file[each])).replace("_", " ") for each in references]
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read ({error}): use nyu_depth_v2_labeled.mat exactly as published"
        ) from error


def _test_numbers(path: Path) -> list[int]:
    """Returns the numbers of the pictures in the test split, counted from 1. path: splits.mat."""
    from scipy.io import loadmat

    try:
        return [int(number) for number in np.ravel(loadmat(path)["testNdxs"])]
    except (OSError, KeyError, ValueError, NotImplementedError) as error:
        raise UserError(f"{path}: cannot be read ({error}): use splits.mat exactly as published") from error


_files: dict[Path, Any] = {}


def _opened(path: Path) -> Any:
    import h5py

    if path not in _files:
        try:
            _files[path] = h5py.File(path, "r")
        except OSError as error:
            raise UserError(
                f"{path} cannot be read ({error}): use nyu_depth_v2_labeled.mat exactly as published"
            ) from error
    return _files[path]
