"""Small benchmarks in the layouts that their authors publish: what a reader must find, said beside each."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from scipy.io import savemat

WORDS = ("a red ball", "a dog in the snow", "a train", "a piano")
_RATE = 16_000


@dataclass
class Expected:
    """One sample: what its encoder is given, its texts, and the names of its classes."""

    media: dict[str, Any]
    texts: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass
class Layout:
    samples: list[Expected]
    classes: tuple[str, ...] = ()
    missing: list[str] = field(default_factory=list)


def picture(seed: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """(h, w, 3) uint8: blobs of colour, others for every seed."""
    low = np.random.default_rng(seed).integers(0, 255, (4, 5, 3), np.uint8)
    return np.asarray(Image.fromarray(low).resize(size, Image.Resampling.BILINEAR))


def film(path: Path, seed: int) -> Path:
    """Two seconds, seen and heard."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4") as container:
        video, audio = container.add_stream("libx264", rate=8), container.add_stream("aac", rate=_RATE)
        video.width, video.height, video.pix_fmt, audio.layout = 64, 48, "yuv420p", "mono"
        for index in range(16):
            shifted = np.ascontiguousarray(np.roll(picture(seed), index, axis=1))
            container.mux(video.encode(av.VideoFrame.from_ndarray(shifted, format="rgb24")))
        sound = av.AudioFrame.from_ndarray(tone(seed)[None], format="s16", layout="mono")
        sound.sample_rate = _RATE
        container.mux(audio.encode(sound))
        container.mux([*video.encode(None), *audio.encode(None)])
    return path


def tone(seed: int) -> np.ndarray:
    """(2 s,) int16."""
    time = np.arange(2 * _RATE) / _RATE
    noise = np.random.default_rng(seed).normal(0, 0.05, len(time))
    return ((np.sin(2 * np.pi * 180 * (seed + 1) * time) * 0.4 + noise) * 20000).clip(-32768, 32767).astype(np.int16)


def wav(path: Path, seed: int) -> Path:
    from scipy.io import wavfile

    path.parent.mkdir(parents=True, exist_ok=True)
    wavfile.write(path, _RATE, tone(seed))
    return path


def jpeg(path: Path, seed: int, size: tuple[int, int] = (64, 48)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(seed, size)).save(path, quality=95)
    return path


def write_csv(path: Path, header: list[str] | None, rows: list[list[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows(([header] if header else []) + rows)


def _film(path: Path, seed: int, texts: tuple[str, ...] = (), classes: tuple[str, ...] = ()) -> Expected:
    made = film(path, seed)
    return Expected({"video": made, "audio": made, "image": made}, texts, classes)


def msrvtt(folder: Path) -> Layout:
    names = [f"video{9770 + k}" for k in range(4)]
    rows = [[f"ret{k}", f"msr{9770 + k}", name, WORDS[k]] for k, name in enumerate(names)]
    write_csv(folder / "MSRVTT_JSFUSION_test.csv", ["key", "vid_key", "video_id", "sentence"], rows)
    return Layout([_film(folder / "MSRVTT_Videos" / f"{name}.mp4", k, (WORDS[k],)) for k, name in enumerate(names)])


def msvd(folder: Path) -> Layout:
    names = [f"mv89psg6zh4_{k}_{k + 13}" for k in range(3)]
    folder.mkdir()
    told = [f"{name} {WORDS[k]}\n{name} {WORDS[k]} again\n" for k, name in enumerate(names)]
    (folder / "AllVideoDescriptions.txt").write_text("".join([*told, "other_1_2 not of the test\n"]))
    (folder / "test_list.txt").write_text("\n".join(names))
    return Layout(
        [
            _film(folder / "MSVD_Videos" / f"{name}.avi", k, (WORDS[k], f"{WORDS[k]} again"))
            for k, name in enumerate(names)
        ]
    )


def didemo(folder: Path) -> Layout:
    names = [f"12090392@N02_1348279905{k}_87ef417396.mov" for k in range(3)]
    folder.mkdir()
    entries = [
        {"video": name, "description": text}
        for part in ("", " at night")
        for name, text in zip(names, (w + part for w in WORDS), strict=False)
    ]
    (folder / "test_data.json").write_text(json.dumps(entries))
    return Layout(
        [_film(folder / "videos" / name, k, (f"{WORDS[k]} {WORDS[k]} at night",)) for k, name in enumerate(names)]
    )


def activitynet(folder: Path) -> Layout:
    names = [f"v_uqiMw7tQ1C{k}" for k in range(3)]
    folder.mkdir()
    told = {
        name: {"duration": 2.0, "timestamps": [[0, 1], [1, 2]], "sentences": [f"{WORDS[k]}.", " It moves."]}
        for k, name in enumerate(names)
    }
    (folder / "val_1.json").write_text(json.dumps(told))
    return Layout(
        [
            _film(folder / "Activity_Videos" / f"{name}.mp4", k, (f"{WORDS[k]}. It moves.",))
            for k, name in enumerate(names)
        ]
    )


def clotho(folder: Path) -> Layout:
    names = ["Rain on the roof.wav", "FR.CTC.08.Coyuyo.001.wav", "dogs, two.wav"]
    rows = [[name, *(f"{WORDS[k]} {n}" for n in "abcde")] for k, name in enumerate(names)]
    write_csv(folder / "clotho_captions_evaluation.csv", ["file_name", *(f"caption_{n}" for n in range(1, 6))], rows)
    return Layout(
        [Expected({"audio": wav(folder / "evaluation" / name, k)}, tuple(rows[k][1:])) for k, name in enumerate(names)]
    )


def audiocaps(folder: Path) -> Layout:
    rows = [[100 + 10 * k + n, f"-vfY_TJq7n_{k}", 130, f"{WORDS[k]} {n}"] for k in range(3) for n in range(2)]
    write_csv(folder / "test.csv", ["audiocap_id", "youtube_id", "start_time", "caption"], rows)
    return Layout(
        [
            Expected({"audio": wav(folder / "test" / f"Y-vfY_TJq7n_{k}.wav", k)}, (f"{WORDS[k]} 0", f"{WORDS[k]} 1"))
            for k in range(3)
        ]
    )


def kinetics(folder: Path) -> Layout:
    names = ("playing piano", "riding a train", "playing piano")
    rows = [[name, f"abcdefghij{k}", 5, 15, "val"] for k, name in enumerate(names)]
    write_csv(folder / "annotations" / "val.csv", ["label", "youtube_id", "time_start", "time_end", "split"], rows)
    return Layout(
        [
            _film(folder / "val" / f"abcdefghij{k}_000005_000015.mp4", k, classes=(name,))
            for k, name in enumerate(names)
        ],
        ("playing piano", "riding a train"),
    )


def audioset(folder: Path) -> Layout:
    classes = ("Speech", "Dog", "Train horn")
    mids = ("/m/09x0r", "/m/0bt9lr", "/m/0284vy3")
    write_csv(
        folder / "class_labels_indices.csv",
        ["index", "mid", "display_name"],
        [[k, m, c] for k, (m, c) in enumerate(zip(mids, classes, strict=False))],
    )
    told = ((0, 1), (1,), (0,), (1, 0))
    lines = [f'--4gqARaEJ{k}, 0.000, 10.000, "{",".join(mids[n] for n in each)}"' for k, each in enumerate(told)]
    (folder / "eval_segments.csv").write_text(
        "\n".join(["# Segments csv created Sun Mar  5 10:54:25 2017", "# num_ytids=4", *lines])
    )
    return Layout(
        [
            Expected(
                {"audio": wav(folder / "eval" / f"Y--4gqARaEJ{k}.wav", k)}, classes=tuple(classes[n] for n in each)
            )
            for k, each in enumerate(told)
        ],
        classes,
    )


def esc50(folder: Path) -> Layout:
    told = (
        ("1-100032-A-0.wav", 1, 0, "dog"),
        ("5-9032-A-0.wav", 5, 3, "door_wood_knock"),
        ("2-1-B-0.wav", 2, 0, "dog"),
    )
    write_csv(folder / "meta" / "esc50.csv", ["filename", "fold", "target", "category"], [list(each) for each in told])
    return Layout(
        [
            Expected({"audio": wav(folder / "audio" / name, k)}, classes=(label.replace("_", " "),))
            for k, (name, _, _, label) in enumerate(told)
        ],
        ("dog", "door wood knock"),
    )


def vggsound(folder: Path) -> Layout:
    told = (
        ("0a1b2c3d4e_", 30, "dog barking", "test"),
        ("--5OkAjCI7g", 40, "playing piano", "test"),
        ("trained_onA", 0, "train horning", "train"),
    )
    write_csv(folder / "vggsound.csv", None, [list(each) for each in told])
    return Layout(
        [
            _film(folder / "video" / f"{name}_{start:06d}.mp4", k, classes=(label,))
            for k, (name, start, label, split) in enumerate(told)
            if split == "test"
        ],
        ("dog barking", "playing piano", "train horning"),
    )


def llvip(folder: Path) -> Layout:
    """One person in the first, two in the second; the third is of the training set."""
    boxes = ([(5, 5, 25, 40)], [(0, 0, 20, 30), (60, 10, 80, 50)])
    for k, each in enumerate(boxes):
        for kind in ("infrared", "visible"):
            jpeg(folder / kind / "test" / f"19000{k}.jpg", 10 * k + (kind == "visible"), (160, 120))
        objects = "".join(
            f"<object><name>person</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
            for a, b, c, d in each
        )
        (folder / "Annotations").mkdir(exist_ok=True)
        (folder / "Annotations" / f"19000{k}.xml").write_text(
            f"<annotation><size><width>160</width><height>120</height></size>{objects}</annotation>"
        )
    jpeg(folder / "infrared" / "train" / "010001.jpg", 5)
    return Layout([], ("background", "people"))


FLIR_V2 = (
    "bike",
    "bus",
    "car or pick-up trucks or vans",
    "hydrant",
    "traffic light",
    "motor",
    "construction equipment or trailers",
    "person",
    "sign",
    "skateboard",
    "stroller or pram",
    "semi truck or freight truck",
)


def flir(name: str, classes: tuple[str, ...] = ("bicycle", "car", "dog", "person"), car: str = "car") -> Any:
    """classes: in prompts, in order. car: the name of cars in prompts. A box of a category that is no class counts for nothing."""

    def write(folder: Path) -> Layout:
        path = folder / name
        names = ("thermal_8_bit/FLIR_08863.jpeg", "thermal_8_bit/FLIR_08864.jpeg")
        for k, each in enumerate(names):
            jpeg(path.parent / each, k, (160, 120))
        told = {
            "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "kite"}, {"id": 3, "name": "car"}],
            "images": [{"id": k, "file_name": each} for k, each in enumerate(names)],
            "annotations": [
                {"id": 7, "image_id": 0, "category_id": 3, "bbox": [10, 20, 50, 30]},
                {"id": 8, "image_id": 1, "category_id": 1, "bbox": [80.5, 5, 20, 60.2]},
                {"id": 9, "image_id": 1, "category_id": 3, "bbox": [0, 0, 40, 40]},
                {"id": 10, "image_id": 1, "category_id": 2, "bbox": [0, 0, 40, 40]},
            ],
        }
        path.write_text(json.dumps(told))
        crops = ((0, (10, 20, 60, 50), car), (1, (80, 5, 101, 66), "person"), (1, (0, 0, 40, 40), car))
        samples = []
        for number, (k, box, label) in enumerate(crops):
            with Image.open(path.parent / names[k]) as image:
                image.crop(box).save(folder / f"crop{number}.png")
            samples.append(Expected({"infrared": folder / f"crop{number}.png"}, classes=(label,)))
        return Layout(samples, classes)

    return write


def nyu(folder: Path) -> Layout:
    """As MATLAB writes it: arrays transposed, strings as references to character codes."""
    import h5py

    folder.mkdir()
    kinds = ("kitchen", "home_office", "furniture_store", "bedroom")
    depths = [np.linspace(0.5 + k, 4 + k, 48 * 64).reshape(48, 64).astype(np.float32) for k in range(4)]
    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "w") as file:
        file["images"] = np.stack([picture(k).transpose(2, 1, 0) for k in range(4)])
        file["depths"] = np.stack([each.T for each in depths])
        codes = [
            file.create_dataset(f"#refs#/{k}", data=np.array([[ord(c)] for c in kind], np.uint16))
            for k, kind in enumerate(kinds)
        ]
        references = file.create_dataset("sceneTypes", (1, 4), h5py.ref_dtype)
        for k, each in enumerate(codes):
            references[0, k] = each.ref
    savemat(folder / "splits.mat", {"trainNdxs": [[4]], "testNdxs": [[1], [2], [3]]})
    samples = []
    for k, label in enumerate(("kitchen", "home office", "others")):
        Image.fromarray((depths[k] * 1000).round().astype(np.uint16)).save(folder / f"d{k}.png")
        Image.fromarray(picture(k)).save(folder / f"i{k}.png")
        samples.append(Expected({"depth": folder / f"d{k}.png", "image": folder / f"i{k}.png"}, classes=(label,)))
    rooms = (
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
    return Layout(samples, (*rooms, "others"))


def ave(folder: Path) -> Layout:
    names = ("4V9mFuXXFfs", "-hZ7n0cFlmc", "zzzzzzzzzzz")
    folder.mkdir()
    (folder / "testSet.txt").write_text("\n".join(f"Church bell&{name}&good&0&10" for name in names) + "\n")
    return Layout([_film(folder / "AVE" / f"{name}.mp4", k) for k, name in enumerate(names)])


def class_folders(extension: str, person: str = "person") -> Any:
    """As LanguageBind's authors lay their sets out: val/CLASS/FILE. person: the name of the class in prompts."""

    def write(folder: Path) -> Layout:
        samples = []
        for k, (name, label) in enumerate((("bus_stop", "bus stop"), ("person", person), ("person", person))):
            path = folder / "val" / name / f"{k}{extension}"
            if extension == ".wav":
                samples.append(Expected({"audio": wav(path, k)}, classes=(label,)))
                continue
            jpeg(path.with_suffix(".jpg"), k)
            samples.append(Expected({"infrared": path.with_suffix(".jpg")}, classes=(label,)))
        shutil.copy(__file__, folder / "val" / "readme.py")
        return Layout(samples, ("bus stop", person))

    return write
