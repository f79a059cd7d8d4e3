"""Actions in videos: Kinetics-400 and -600 (Kay et al. 2017; Carreira et al. 2018).

Five stretches of each video are read, and each stretch is cropped in three places. Each of these 15 crops is classified. Their class
probabilities are averaged.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vidal.evaluate.benchmark import Benchmark, Sample
from vidal.evaluate.benchmarks import files
from vidal.evaluate.benchmarks.folders import class_folders
from vidal.evaluate.templates import pictures
from vidal.train.settings import Modality

VIEWS = (5, 3)


def kinetics(folder: Path) -> Benchmark:
    """Reads test.csv or, if it is missing, val.csv, with the columns label, youtube_id, time_start and time_end.

    If both are missing, reads one folder of videos per class.
    """
    test = files.optional(folder, "test.csv")
    path = test or files.optional(folder, "val.csv", "validate.csv")
    if path is None:
        benchmark = class_folders(folder, Modality.VIDEO, pictures("video"), needs="val.csv")
        return replace(benchmark, views=VIEWS)
    entries = list(files.rows(path))
    classes = tuple(sorted({files.column(row, path, "label") for row in entries}))
    places = {name: place for place, name in enumerate(classes)}
    media, samples, missing = files.Media(folder, files.VIDEO), list[Sample](), list[str]()
    for row in entries:
        name = files.column(row, path, "youtube_id")
        start, end = (int(float(files.column(row, path, key))) for key in ("time_start", "time_end"))
        found_file = media.find((f"{name}_{start:06d}_{end:06d}", name))
        if found_file is None:
            missing.append(name)
        else:
            samples.append(Sample(f"{name}_{start:06d}", {Modality.VIDEO: found_file}, labels=(places[row["label"]],)))
    return Benchmark(samples, classes, pictures("video"), views=VIEWS, missing=missing, is_validation=test is None)
