"""Reads one folder per class: the layout of ImageNet, and of LanguageBind's authors for LLVIP, FLIR, NYU-D, ESC-50 and VGGSound."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vidal.errors import UserError
from vidal.evaluate.benchmark import Benchmark, Sample
from vidal.evaluate.benchmarks import files
from vidal.train.settings import Modality

_EXTENSIONS = {
    Modality.AUDIO: files.SOUND | files.VIDEO,
    Modality.VIDEO: files.VIDEO,
}
_SPLITS = ("test", "val", "data/val")


def class_folders(
    folder: Path,
    modality: Modality,
    templates: tuple[str, ...],
    needs: str,
    names: Mapping[str, str] | None = None,
    picture_templates: tuple[str, ...] = (),
) -> Benchmark:
    """Reads CLASS/FILE from the first of test/, val/ and data/val/ that exists in `folder`, or else from `folder` itself.

    An underscore in the name of a class stands for a space. templates: prompts with {} in place of the class. picture_templates: the
    prompts for the query "image"; if empty, `templates` are used. names: maps names of folders to names of classes in prompts.

    Raises UserError if fewer than two classes have files. The error asks the user either for `needs` or for folders of classes. needs:
    for example the name of an annotation file.
    """
    root = next((folder / split for split in _SPLITS if (folder / split).is_dir()), folder)
    extensions = _EXTENSIONS.get(modality, files.PICTURE)
    media_by_class = {
        each.name.replace("_", " "): sorted(path for path in each.rglob("*") if path.suffix.lower() in extensions)
        for each in sorted(root.iterdir() if root.is_dir() else ())
        if each.is_dir()
    }
    classes = tuple(name for name, paths in media_by_class.items() if paths)
    if len(classes) < 2:
        raise UserError(
            f"{folder} must contain {needs}, or at least two folders of {modality.value} files, one folder per class"
        )
    return Benchmark(
        [
            Sample(f"{name}/{path.name}", {modality: path}, labels=(place,))
            for place, name in enumerate(classes)
            for path in media_by_class[name]
        ],
        tuple((names or {}).get(name, name) for name in classes),
        templates,
        picture_templates,
    )
