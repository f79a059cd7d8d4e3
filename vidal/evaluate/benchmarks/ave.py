"""AVE (Tian et al. 2018): videos of events that are both seen and heard, to retrieve sounds by pictures and pictures by sounds."""

from __future__ import annotations

from pathlib import Path

from vidal.errors import UserError
from vidal.evaluate.benchmark import Benchmark, Sample
from vidal.evaluate.benchmarks import files
from vidal.evaluate.templates import SOUND
from vidal.train.settings import Modality


def ave(folder: Path) -> Benchmark:
    """Reads testSet.txt, with lines of Category&VideoID&Quality&StartTime&EndTime, and the videos in AVE/."""
    path = files.annotation(folder, "testSet.txt")
    media, samples, missing = files.Media(folder, files.VIDEO), list[Sample](), list[str]()
    for number, line in enumerate(files.lines(path), 1):
        parts = line.split("&")
        if len(parts) != 5:
            raise UserError(
                f"{path} line {number} has {len(parts)} parts separated by &, not 5: use the published file"
            )
        video = media.find((parts[1],))
        if video is None:
            missing.append(parts[1])
        else:
            files_of = {Modality.IMAGE: video, Modality.VIDEO: video, Modality.AUDIO: video}
            samples.append(Sample(parts[1], files_of, (SOUND[0].replace("{}", parts[0]),)))
    return Benchmark(samples, missing=missing)
