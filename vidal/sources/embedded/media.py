"""Makes the media of the embedded site from files of installed packages: the same bytes every time, made once a machine."""

from __future__ import annotations

import importlib.metadata
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg
import yaml
from PIL import Image

from vidal import ids
from vidal.errors import UserError
from vidal.media.ffmpeg import BITEXACT, H264, run
from vidal.storage import machine_cache

# Raised by whoever changes what is made here: the media of earlier versions are then made anew.
_VERSION = 1
SIZE = (320, 240)
FPS = 12


@dataclass(frozen=True)
class Entry:
    """One page of the site. origin: "package version, file", for the record; note: what was done to it."""

    id: str
    kind: str
    title: str
    tags: tuple[str, ...]
    licence: str
    uploader: str
    stated_s: float
    origin: str
    note: str
    fault: str | None
    file: str


def entries() -> list[Entry]:
    """The pages, in the order of media.yaml. Raises UserError where a package is missing."""
    listing = _listing()
    specs = {spec["id"]: spec for spec in listing["videos"] + listing["sounds"]}
    return [_entry(spec, specs, listing["uploader"]) for spec in specs.values()]


def build(cache: Path | None = None) -> Path:
    """Folder that holds every entry's file."""
    listing = _listing()
    digest = ids.fingerprint([listing, [_locate(s["package"], s["file"])[1] for s in _made(listing)], _VERSION])

    def make(aside: Path) -> None:
        for spec in _made(listing):
            _make(spec, aside / _file(spec))
        for spec in listing["videos"]:
            if spec["make"] == "reencode":
                small = ffmpeg.input(str(aside / f"{spec['of']}.mp4")).video.filter("scale", 240, 180)
                run(ffmpeg.output(small, str(aside / _file(spec)), **{**H264, "crf": 30}, **BITEXACT))

    return machine_cache.folder(f"embedded-{digest[:16]}", make, cache)


def _listing() -> dict[str, Any]:
    return yaml.safe_load(Path(__file__).with_name("media.yaml").read_text(encoding="utf-8"))


def _made(listing: dict[str, Any]) -> list[dict[str, Any]]:
    return [spec for spec in listing["videos"] + listing["sounds"] if "package" in spec]


def _file(spec: dict[str, Any]) -> str:
    if spec["make"] == "copy":
        return f"{spec['of']}.mp4"
    return f"{spec['id']}.{'mp3' if spec['make'] == 'sound' else 'mp4'}"


def _entry(spec: dict[str, Any], specs: dict[str, dict[str, Any]], uploader: str) -> Entry:
    made = specs[spec["of"]] if "of" in spec else spec
    notes = {"pan": "photograph panned slowly", "cut": "span of a film", "sound": "recording"}
    _, version = _locate(made["package"], made["file"])
    return Entry(
        id=spec["id"],
        kind="audio" if spec["make"] == "sound" else "video",
        title=spec["title"],
        tags=tuple(spec["tags"]),
        licence=spec.get("licence", made["licence"]),
        uploader=uploader,
        stated_s=float(spec.get("stated_s", made["seconds"])),
        origin=f"{made['package']} {version}, {made['file']}",
        note=notes[made["make"]],
        fault=spec.get("fault"),
        file=_file(spec),
    )


def _locate(package: str, file: str) -> tuple[Path, str]:
    """A file of an installed package, and the package's version."""
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(f"the embedded recipe needs the package {package}: run `make setup`") from error
    for listed in distribution.files or []:
        if str(listed).endswith(file):
            return Path(str(listed.locate())), distribution.version
    raise UserError(
        f"package {package} {distribution.version} holds no {file}: run `make setup` for the pinned version"
    )


def _make(spec: dict[str, Any], target: Path) -> None:
    source, _ = _locate(spec["package"], spec["file"])
    seconds = float(spec["seconds"])
    if spec["make"] == "sound":
        read = ffmpeg.input(str(source), t=seconds)
        run(ffmpeg.output(read.audio, str(target), acodec="libmp3lame", audio_bitrate="96k", ar=44100, **BITEXACT))
        return
    if spec["make"] == "cut":
        read = ffmpeg.input(str(source), ss=spec["start_s"], t=seconds)
        picture = read.video.filter("scale", "trunc(iw/2)*2", -2)
        run(ffmpeg.output(picture, read["a:0?"], str(target), acodec="aac", **H264, **BITEXACT))
        return
    with tempfile.TemporaryDirectory() as folder:
        photograph = Path(folder) / "photograph.png"
        _panorama(source, spec.get("crop", 0.8)).save(photograph)
        read = ffmpeg.input(str(photograph), loop=1, framerate=FPS, t=seconds)
        window = read.video.filter("crop", SIZE[0], SIZE[1], f"(iw-ow)*t/{seconds}", f"(ih-oh)*t/{seconds}")
        streams = [window]
        if sound := spec.get("sound"):
            streams.append(ffmpeg.input(str(_locate(sound["package"], sound["file"])[0]), t=seconds).audio)
        run(ffmpeg.output(*streams, str(target), r=FPS, t=seconds, acodec="aac", **H264, **BITEXACT))


def _panorama(source: Path, crop: float) -> Image.Image:
    """The photograph at a size where the window covers `crop` of its shorter fit, so that it has room to move."""
    with Image.open(source) as opened:
        image = opened.convert("RGB")
    scale = max(SIZE[0] / image.width, SIZE[1] / image.height) / crop
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
