"""Comparisons of what an encoder reads: pictures, depth, the frames of videos, sounds. On real media."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image
from scipy.io import wavfile

from benchmarks.peers import LANGUAGEBIND, Comparison, languagebind, peer, shared
from vidal.media.container import open_media, packet_times, video_track
from vidal.media.sound import read_first_channel
from vidal.train import frames, inputs
from vidal.train.settings import Fbank, Modality
from vidal.train.towers.clip import MEAN, STD

SIDE = 224
# Of the published encoder of sounds.
FBANK = Fbank(mel_bins=112, frames=1036, fill="tile")
VIDEOS, PHOTOGRAPHS, DEPTH = "videos/*.m*", "images/coco/*.jpg", "rgbd/*.depth.png"
BYTES_MAX = 500_000  # Of a video: larger ones take minutes.


def largest(ours: Any, theirs: Any) -> float:
    """Returns the largest absolute difference of two arrays of the same shape."""
    one, other = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert one.shape == other.shape, f"shapes {one.shape} and {other.shape}"
    return float(np.abs(one - other).max())


def photographs() -> Iterator[Image.Image]:
    for path in shared(PHOTOGRAPHS, 12):
        with Image.open(path) as image:
            yield image.convert("RGB")


def normalised(modality: Modality, array: Any) -> torch.Tensor:
    """Returns the input of a tower, as the trainer and the encoder compute it."""
    return inputs.normalise(modality, torch.from_numpy(np.asarray(array)), torch.tensor(MEAN), torch.tensor(STD))


def torchvision_pictures() -> float:
    transforms = peer("torchvision.transforms")
    resize = transforms.Resize(SIDE, interpolation=transforms.InterpolationMode.BICUBIC)
    crop = transforms.Compose([resize, transforms.CenterCrop(SIDE), np.asarray])
    return max(largest(inputs.square_array(image, SIDE).transpose(1, 2, 0), crop(image)) for image in photographs())


def open_clip_pictures() -> float:
    transform = peer("open_clip").image_transform(SIDE, is_train=False, mean=MEAN, std=STD)
    return max(largest(_tower_input(image), transform(image)) for image in photographs())


def languagebind_frames() -> float:
    transform = languagebind("vl_ret.rawvideo_util").RawVideoExtractorCV2().transform
    return max(largest(_tower_input(image), transform(image)) for image in photographs())


def languagebind_geometry() -> float:
    """Its processors of pictures and infrared resize floats, ours resizes bytes as CLIP does: floats go through both here."""
    config = SimpleNamespace(vision_config=SimpleNamespace())
    differences = []
    for kind in ("image", "thermal"):
        processing = getattr(getattr(languagebind(), kind), f"processing_{kind}")
        transform = getattr(processing, f"get_{kind}_transform")(config)
        for image in photographs():
            grey = np.asarray(image.convert("L"), np.float32) / 255
            theirs = transform(np.repeat(grey[:, :, None], 3, 2)) * torch.tensor(STD).view(3, 1, 1)
            theirs = theirs + torch.tensor(MEAN).view(3, 1, 1)
            differences.append(largest(inputs.depth_array(grey * inputs.DEPTH_MAX, SIDE, "relative")[0], theirs[0]))
    return max(differences)


def languagebind_depth() -> float:
    """In units of 10 m."""
    processing = languagebind().depth.processing_depth
    transform = processing.get_depth_transform(SimpleNamespace(vision_config=SimpleNamespace(max_depth=10)))
    differences = []
    for path in shared(DEPTH, 5):
        theirs = processing.load_and_transform_depth(str(path), transform)
        ours = normalised(Modality.DEPTH, inputs.read_depth(path, SIDE, "metric"))
        differences.append(largest(ours * torch.tensor(STD).view(3, 1, 1), theirs * torch.tensor(STD).view(3, 1, 1)))
    return max(differences)


def languagebind_frame_indices() -> float:
    processing = languagebind().video.processing_video
    differences = []
    for path, total, _ in _counted_videos():
        with _recorded_indices() as theirs:
            processing.load_and_transform_video(str(path), lambda video: video, "opencv", num_frames=8)
        differences.append(largest(frames.even_indices(total, 8), theirs))
    return max(differences)


def languagebind_second_indices() -> float:
    extractor = languagebind("vl_ret.rawvideo_util").RawVideoExtractorCV2(framerate=1)
    differences = []
    for path, total, fps in _counted_videos():
        with _recorded_indices() as theirs:
            extractor.get_video_data(str(path))
        differences.append(largest(frames.second_indices(total, fps, 8, None), theirs))
    return max(differences)


def languagebind_views() -> float:
    """The fifteen views of Kinetics, in steps of 8 bits."""
    datasets = languagebind("v_cls.datasets")
    differences = []
    for path in shared(VIDEOS, 3):
        test = datasets.VideoClsDataset.__new__(datasets.VideoClsDataset)
        resize = datasets.video_transforms.Resize(size=SIDE, interpolation="bilinear")
        places = [(time, crop) for time in range(5) for crop in range(3)]
        vars(test).update(mode="test", test_dataset=[str(path)] * 15, test_seg=places, test_label_array=[0] * 15,
                          short_side_size=SIDE, clip_len=8, frame_sample_rate=8, test_num_segment=5, test_num_crop=3,
                          sparse_sample=False, video_loader=_Decoded, data_resize=resize, data_transform=np.asarray)  # fmt: skip
        theirs = np.stack([test[place][0] for place in range(15)]).transpose(0, 1, 4, 2, 3)
        differences.append(largest(frames.views(path, 8, SIDE, 5, 3), theirs))
    return max(differences)


def torchaudio_energies() -> float:
    """Before they are stored in 16 bits. The peer computes its filters in 32 bits, ours are computed in 64."""
    kaldi = peer("torchaudio.compliance.kaldi")
    differences = []
    for samples in _sounds():
        theirs = kaldi.fbank(torch.from_numpy(samples - samples.mean()).double()[None], htk_compat=True, sample_frequency=16_000,
                             use_energy=False, window_type="hanning", num_mel_bins=128, dither=0.0, frame_length=25,
                             frame_shift=10)  # fmt: skip
        differences.append(largest(inputs.log_mel_energies(samples, 128).T, theirs))
    return max(differences)


def languagebind_sounds() -> float:
    """Of sounds with two different channels, of which the first counts."""
    peer("torchaudio.compliance.kaldi")
    config = SimpleNamespace(audio_sample_rate=16_000, num_mel_bins=FBANK.mel_bins, target_length=FBANK.frames,
                             audio_mean=inputs.FBANK_MEAN, audio_std=inputs.FBANK_STD)  # fmt: skip
    transform = languagebind().audio.processing_audio.AudioTransform(config)
    differences = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stereo.wav"
        for samples in _sounds():
            wavfile.write(path, 16_000, np.stack([samples, samples[::-1]], 1))
            theirs = transform((torch.from_numpy(np.stack([samples, samples[::-1]])), 16_000))
            stored = (samples * 32768).round().astype(np.int16)
            wavfile.write(path, 16_000, np.stack([stored, stored[::-1]], 1))
            differences.append(largest(normalised(Modality.AUDIO, inputs.read_sound(path, FBANK)), theirs))
    return max(differences)


def _tower_input(image: Image.Image) -> torch.Tensor:
    return normalised(Modality.IMAGE, inputs.square_array(image, SIDE))


def _sounds() -> Iterator[Any]:
    """Yields (n,) float32 at 16 kHz in [-1, 1], of at most 9 s: longer ones are cut at random by LanguageBind."""
    for path in shared("audio/*.wav", 8):
        yield read_first_channel(path, 16_000)[: 16_000 * 9].astype(np.float32) / np.float32(32768)


def _counted_videos() -> Iterator[tuple[Path, int, float]]:
    """Yields videos with their number of frames, and frames per second.

    Some containers claim more frames than can be decoded. LanguageBind's readers fail there, so these videos are left out.
    """
    import cv2

    for path in (each for each in shared(VIDEOS) if each.stat().st_size < BYTES_MAX):
        with open_media(path) as container:
            stream: Any = video_track(container)
            total, fps = len(packet_times(container, stream)), float(stream.average_rate or 0)
        if int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT)) == total:
            yield path, total, fps


class _recorded_indices:
    """Records the frames that OpenCV is told to read."""

    def __enter__(self) -> list[int]:
        import cv2

        indices: list[int] = []
        capture = cv2.VideoCapture

        class Recording:
            def __init__(self, path: str):
                self._capture = capture(path)

            def set(self, key: int, value: float) -> bool:
                indices.append(int(value))
                return bool(self._capture.set(key, value))

            def __getattr__(self, name: str) -> Any:
                return getattr(self._capture, name)

        self._patch = mock.patch.object(cv2, "VideoCapture", Recording)
        self._patch.start()
        return indices

    def __exit__(self, *error: object) -> None:
        self._patch.stop()


@lru_cache(maxsize=1)
def _decoded(path: str) -> list[Any]:
    with open_media(Path(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


class _Decoded:
    """The part of decord's VideoReader that LanguageBind uses, read by PyAV."""

    def __init__(self, path: str):
        self._frames = _decoded(path)

    def __len__(self) -> int:
        return len(self._frames)

    def seek(self, place: int) -> None:
        pass

    def get_batch(self, indices: list[int]) -> Any:
        return SimpleNamespace(asnumpy=lambda: np.stack([self._frames[index] for index in indices]))


COMPARISONS = (
    Comparison("pictures: resized and cropped, 8 bits", "torchvision", 0, torchvision_pictures),
    Comparison("pictures: input of the tower", "open_clip_torch", 1e-6, open_clip_pictures),
    Comparison("frames of LanguageBind's retrieval benchmarks: input of the tower", LANGUAGEBIND, 1e-6, languagebind_frames),
    Comparison("pictures and infrared: geometry, on floats", LANGUAGEBIND, 1e-3, languagebind_geometry),
    Comparison("depth: input of the tower, in units of 10 m", LANGUAGEBIND, 1e-3, languagebind_depth),
    Comparison("videos: indices of the frames", LANGUAGEBIND, 0, languagebind_frame_indices),
    Comparison("videos: indices of the frames in LanguageBind's retrieval benchmarks", LANGUAGEBIND, 0, languagebind_second_indices),
    Comparison("videos: the fifteen views of Kinetics, 8 bits", LANGUAGEBIND, 0, languagebind_views),
    Comparison("sounds: log mel energies", "torchaudio", 1e-3, torchaudio_energies),
    Comparison("sounds: channel, padding, input of the tower", LANGUAGEBIND, 1e-3, languagebind_sounds),
)  # fmt: skip
