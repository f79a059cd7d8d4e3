"""Makes the media of the embedded site from files of installed packages, once per machine and with the same bytes every time."""

from __future__ import annotations

import importlib.metadata
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

import ffmpeg
import yaml
from PIL import Image

from vidal import ids
from vidal.errors import UserError
from vidal.media.ffmpeg import BITEXACT, H264, run
from vidal.storage import machine_cache

# Raise this with any change to the media: those of earlier versions are then made again.
_VERSION = 1
SIZE = (320, 240)
FPS = 12


class _Sound(TypedDict):
    """A file of an installed package. Its sound is added to a video that is made from a photograph."""

    package: str
    file: str


class Spec(TypedDict, total=False):
    """The description of one media file in media.yaml.

    of: the id of another entry. The file of that entry is copied or re-encoded.
    crop: the largest share of a photograph's width, and of its height, that the video shows at one time, 0..1.
    fault: how the site fails to serve the file, such as "http_404".
    """

    id: str
    make: Literal["pan", "cut", "sound", "copy", "reencode"]
    of: str
    package: str
    file: str
    sound: _Sound
    crop: float
    start_s: float
    seconds: float
    stated_s: float
    title: str
    tags: list[str]
    licence: str
    fault: str


class Listing(TypedDict):
    """The whole of media.yaml."""

    uploader: str
    videos: list[Spec]
    sounds: list[Spec]


@dataclass(frozen=True)
class Page:
    """One page of the site, with one video or sound.

    stated_s: the duration that the page states, which may be false. origin: what the media file was made from, as "PACKAGE VERSION,
    FILE". note: how it was made. fault: how the site fails to serve the file, such as "http_404"; None if it serves the file.
    """

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


def list_pages() -> list[Page]:
    """Returns the pages, in the order of media.yaml. Raises UserError if a package is missing."""
    listing = _read_listing()
    specs = {spec["id"]: spec for spec in listing["videos"] + listing["sounds"]}
    return [_page_of(spec, specs, listing["uploader"]) for spec in specs.values()]


def build_media(cache: Path | None = None) -> Path:
    """Makes the files of all pages, unless the cache has them, and returns their folder. cache: None means the cache of this machine."""
    listing = _read_listing()
    digest = ids.fingerprint(
        [listing, [_locate(spec["package"], spec["file"])[1] for spec in _from_packages(listing)], _VERSION]
    )

    def make(aside: Path) -> None:
        for spec in _from_packages(listing):
            _make_file(spec, aside / _file_name(spec))
        for spec in listing["videos"]:
            if spec["make"] == "reencode":
                small = ffmpeg.input(str(aside / f"{spec['of']}.mp4")).video.filter("scale", 240, 180)
                run(ffmpeg.output(small, str(aside / _file_name(spec)), **{**H264, "crf": 30}, **BITEXACT))

    return machine_cache.folder(f"embedded-{digest[:16]}", make, cache)


def _read_listing() -> Listing:
    listing: Listing = yaml.safe_load(Path(__file__).with_name("media.yaml").read_text(encoding="utf-8"))
    return listing


def _from_packages(listing: Listing) -> list[Spec]:
    return [spec for spec in listing["videos"] + listing["sounds"] if "package" in spec]


def _file_name(spec: Spec) -> str:
    if spec["make"] == "copy":
        return f"{spec['of']}.mp4"
    return f"{spec['id']}.{'mp3' if spec['make'] == 'sound' else 'mp4'}"


def _page_of(spec: Spec, specs: dict[str, Spec], uploader: str) -> Page:
    original = specs[spec["of"]] if "of" in spec else spec
    notes = {"pan": "photograph panned slowly", "cut": "span of a film", "sound": "recording"}
    _, version = _locate(original["package"], original["file"])
    return Page(
        id=spec["id"],
        kind="audio" if spec["make"] == "sound" else "video",
        title=spec["title"],
        tags=tuple(spec["tags"]),
        licence=str(spec.get("licence", original["licence"])),
        uploader=uploader,
        stated_s=float(spec["stated_s"] if "stated_s" in spec else original["seconds"]),
        origin=f"{original['package']} {version}, {original['file']}",
        note=notes[original["make"]],
        fault=spec.get("fault"),
        file=_file_name(spec),
    )


def _locate(package: str, file: str) -> tuple[Path, str]:
    """Returns (path of a file of an installed package, version of the package).

    Raises UserError if the package is not installed or does not contain the file.
    """
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(f"the embedded recipe needs the package {package}: run `make setup`") from error
    for path in distribution.files or []:
        if str(path).endswith(file):
            return Path(str(path.locate())), distribution.version
    raise UserError(
        f"package {package} {distribution.version} does not contain {file}: run `make setup` for the pinned version"
    )


def _make_file(spec: Spec, target: Path) -> None:
    make = {"sound": _make_sound, "cut": _make_cut, "pan": _make_pan}[spec["make"]]
    make(spec, _locate(spec["package"], spec["file"])[0], target)


def _make_sound(spec: Spec, source: Path, target: Path) -> None:
    read = ffmpeg.input(str(source), t=float(spec["seconds"]))
    run(ffmpeg.output(read.audio, str(target), acodec="libmp3lame", audio_bitrate="96k", ar=44100, **BITEXACT))


def _make_cut(spec: Spec, source: Path, target: Path) -> None:
    read = ffmpeg.input(str(source), ss=spec["start_s"], t=float(spec["seconds"]))
    picture = read.video.filter("scale", "trunc(iw/2)*2", -2)
    run(ffmpeg.output(picture, read["a:0?"], str(target), acodec="aac", **H264, **BITEXACT))


def _make_pan(spec: Spec, source: Path, target: Path) -> None:
    """Makes a video of a window that moves slowly over a photograph, with the sound of another file if media.yaml names one."""
    seconds = float(spec["seconds"])
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
    """Returns the photograph, scaled so that a window of SIZE can move over it.

    At most the fraction `crop` of the photograph's width, and of its height, is in the window.
    """
    with Image.open(source) as opened:
        image = opened.convert("RGB")
    scale = max(SIZE[0] / image.width, SIZE[1] / image.height) / crop
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
