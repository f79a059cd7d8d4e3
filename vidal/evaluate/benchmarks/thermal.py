"""Thermal pictures: LLVIP (Jia et al. 2021) and FLIR ADAS, cropped to the boxes of their annotations."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypedDict
from xml.etree import ElementTree

import numpy as np

from vidal.errors import UserError
from vidal.evaluate.benchmark import Benchmark, Sample
from vidal.evaluate.benchmarks import files
from vidal.evaluate.benchmarks.folders import class_folders
from vidal.evaluate.templates import PHOTO
from vidal.train.inputs import Box, Region
from vidal.train.settings import Modality

_TRIES = 50
# LanguageBind's names of classes, by the names in FLIR's annotations and in the folders of LanguageBind's authors.
FLIR_V1 = {name: name for name in ("bicycle", "car", "dog", "person")}
FLIR_V2 = {
    "bike": "bike",
    "bus": "bus",
    "car": "car or pick-up trucks or vans",
    "hydrant": "hydrant",
    "light": "traffic light",
    "motor": "motor",
    "other vehicle": "construction equipment or trailers",
    "person": "person",
    "sign": "sign",
    "skateboard": "skateboard",
    "stroller": "stroller or pram",
    "truck": "semi truck or freight truck",
}
LLVIP = {"background": "background", "person": "people"}


class _Category(TypedDict):
    id: int
    name: str


class _Picture(TypedDict):
    id: int
    file_name: str


class _Annotation(TypedDict):
    """An annotated box. bbox: left, top, width and height, in pixels."""

    id: int
    image_id: int
    category_id: int
    bbox: list[float]


class _Coco(TypedDict):
    """An annotation file in the format of COCO."""

    categories: list[_Category]
    images: list[_Picture]
    annotations: list[_Annotation]


def llvip(folder: Path) -> Benchmark:
    """Reads Annotations/*.xml, infrared/test/*.jpg and visible/test/*.jpg. Without Annotations, reads one folder per class instead.

    With Annotations, each box of a person is a sample. For each of these, a box of the same size without a person is drawn at random from
    the same picture, and becomes a sample too. If a few tries give no such box, none is added.
    """
    if not (folder / "Annotations").is_dir():
        return class_folders(folder, Modality.INFRARED, PHOTO, needs="Annotations/*.xml", names=LLVIP)
    samples: list[Sample] = []
    for name, thermal, visible in _pairs(folder):
        size, persons = _persons(folder / "Annotations" / f"{name}.xml")
        generator = np.random.default_rng(zlib.crc32(name.encode()))
        backgrounds = [box for person in persons if (box := _empty(person, persons, size, generator))]
        for label, boxes in enumerate((backgrounds, persons)):
            for place, box in enumerate(boxes):
                media = {Modality.INFRARED: Region(thermal, box), Modality.IMAGE: Region(visible, box)}
                samples.append(Sample(f"{name}/{label}/{place}", media, labels=(label,)))
    return Benchmark(samples, tuple(LLVIP.values()), PHOTO)


def llvip_pairs(folder: Path) -> Benchmark:
    """Reads pairs of whole pictures of the test split, infrared/test/*.jpg and visible/test/*.jpg; depth/test/*.png are optional."""
    return Benchmark(
        [
            Sample(name, _media(folder, name, thermal, visible), texts=("a photo of people.",))
            for name, thermal, visible in _pairs(folder)
        ]
    )


def _media(folder: Path, name: str, thermal: Path, visible: Path) -> dict[Modality, Path]:
    """Returns the files of a pair: the thermal picture, the visible picture and, if the user has added it, a depth picture.

    The published LLVIP has no depth. Users may estimate it and store it in depth/test, in millimetres.
    """
    depth = folder / "depth" / "test" / f"{name}.png"
    return {Modality.INFRARED: thermal, Modality.IMAGE: visible} | ({Modality.DEPTH: depth} if depth.is_file() else {})


def flir_v1(folder: Path) -> Benchmark:
    """Reads thermal_annotations.json of ADAS 1.3, val: boxes of four classes in 8-bit thermal pictures.

    If the file is missing, reads one folder of pictures per class.
    """
    return _coco(folder, ("val/thermal_annotations.json", "thermal_annotations.json"), FLIR_V1)


def flir_v2(folder: Path) -> Benchmark:
    """Reads coco.json of ADAS v2, video_thermal_test: boxes of twelve classes in 8-bit thermal pictures.

    If the file is missing, reads one folder of pictures per class.
    """
    return _coco(folder, ("video_thermal_test/coco.json", "coco.json"), FLIR_V2)


def _coco(folder: Path, paths: tuple[str, ...], classes: Mapping[str, str]) -> Benchmark:
    """Reads annotated boxes from the first file of `paths` that exists in the folder. If none exists, reads one folder per class.

    classes: LanguageBind's names of the classes, by their names in the annotations. Boxes of other classes are left out.
    """
    path = files.optional(folder, *paths)
    if path is None:
        return class_folders(folder, Modality.INFRARED, PHOTO, needs=paths[0], names=classes)
    annotations: _Coco = files.parsed(path)
    order = list(classes)
    labels = {each["id"]: order.index(each["name"]) for each in annotations["categories"] if each["name"] in classes}
    pictures_of = {each["id"]: _picture(path.parent, each) for each in annotations["images"]}
    samples, missing = list[Sample](), set[str]()
    for each in annotations["annotations"]:
        if each["category_id"] not in labels:
            continue
        picture, name = pictures_of[each["image_id"]]
        left, top, width, height = each["bbox"]
        if picture is None:
            missing.add(name)
        elif width >= 1 and height >= 1:
            box = (int(left), int(top), int(np.ceil(left + width)), int(np.ceil(top + height)))
            samples.append(
                Sample(
                    f"{name}#{each['id']}",
                    {Modality.INFRARED: Region(picture, box)},
                    labels=(labels[each["category_id"]],),
                )
            )
    return Benchmark(samples, tuple(classes.values()), PHOTO, missing=sorted(missing))


def _picture(folder: Path, entry: _Picture) -> tuple[Path | None, str]:
    """Returns (path, name) of a picture that an annotation file lists; the path is None if the picture does not exist.

    folder: the folder of the annotation file. The picture is in this folder or, as in FLIR's archives, in its subfolder
    thermal_8_bit or data.
    """
    name = entry["file_name"]
    places = [folder / name, folder / "thermal_8_bit" / Path(name).name, folder / "data" / Path(name).name]
    return next(
        (place for place in places if place.is_file() and folder.resolve() in place.resolve().parents), None
    ), name


def _pairs(folder: Path) -> Iterator[tuple[str, Path, Path]]:
    root = folder / "infrared" / "test"
    if not root.is_dir():
        raise UserError(f"{folder} lacks infrared/test and visible/test: unpack LLVIP there")
    for thermal in sorted(root.glob("*.jpg")):
        visible = folder / "visible" / "test" / thermal.name
        if not visible.is_file():
            raise UserError(f"infrared/test has {thermal.name}, but {visible} is missing: unpack all of LLVIP")
        yield thermal.stem, thermal, visible


def _persons(path: Path) -> tuple[tuple[int, int], list[Box]]:
    """Returns the size of the picture, and the boxes of the persons, from an annotation in the format of Pascal VOC."""
    try:
        root = ElementTree.parse(path).getroot()
        size = tuple(int(root.findtext(f"size/{key}", "")) for key in ("width", "height"))
        boxes = [
            tuple(int(float(each.findtext(f"bndbox/{key}", ""))) for key in ("xmin", "ymin", "xmax", "ymax"))
            for each in root.iter("object")
            if each.findtext("name") == "person"
        ]
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): use the published file unchanged") from error
    return (size[0], size[1]), [
        (left, top, right, bottom) for left, top, right, bottom in boxes if right > left and bottom > top
    ]


def _empty(person: Box, persons: list[Box], size: tuple[int, int], generator: np.random.Generator) -> Box | None:
    """Returns a random box of the size of `person` that overlaps none of `persons`. size: (width, height) of the picture, in pixels.

    Returns None if each of _TRIES random boxes overlaps a person, or if `person` is as wide or as high as the picture.
    """
    width, height = person[2] - person[0], person[3] - person[1]
    if width >= size[0] or height >= size[1]:
        return None
    for _ in range(_TRIES):
        left, top = int(generator.integers(size[0] - width)), int(generator.integers(size[1] - height))
        if all(left + width <= a or left >= c or top + height <= b or top >= d for a, b, c, d in persons):
            return left, top, left + width, top + height
    return None
