"""What a stage asks of a model: small protocols, one for each role in the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image

Images = list[Image.Image]


class Scorer(Protocol):
    """Pictures and texts in one space."""

    def embed_images(self, images: Images) -> np.ndarray:
        """(n, d) float32, L2-normalised."""

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        """(n, d) float32, L2-normalised."""


class DepthEstimator(Protocol):
    kind: str  # "metric" | "relative" | "inverse_relative"
    unit: str  # "m" where metric, else ""
    name: str

    def estimate(self, images: Images) -> list[np.ndarray]:
        """(h, w) float32 for each picture, at the picture's size; larger is farther, or nearer where inverse."""


@runtime_checkable
class FieldOfView(Protocol):
    """A depth estimator that can tell how wide the camera sees."""

    def estimate_with_view(self, images: Images) -> tuple[list[np.ndarray], list[float | None]]:
        """What estimate gives, and the horizontal field of view of each picture in degrees, or None."""


class InfraredTranslator(Protocol):
    name: str

    def translate(self, images: Images, seeds: list[int]) -> list[np.ndarray]:
        """(h, w) float32 for each picture, at its size, in the model's own range. Pictures of several clips may come at once.

        seeds: one a picture. Pictures of one seed belong together: what is random is drawn once for them, and their values
        can be compared.
        """


class Captioner(Protocol):
    name: str
    revision: str

    def caption_frames(self, images: Images, prompt: str) -> list[str]:
        """One caption a picture; empty where nothing was recognised."""

    def caption_video(self, images: Images, prompt: str) -> str:
        """One caption for pictures of one clip, in order."""


class SoundCaptioner(Protocol):
    name: str
    revision: str
    imagines: bool  # From the pictures, not from the sound.

    def caption_sound(self, images: Images, tags: list[str], prompt: str) -> str:
        """One sentence; empty where there is nothing to say. tags: audio_tags of the manifest."""


@dataclass(frozen=True)
class Answer:
    """tokens_in, tokens_out: that the model read and wrote; attempts: requests that it took."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    attempts: int = 1


class Rewriter(Protocol):
    name: str
    revision: str

    def rewrite(self, system: str, examples: list[tuple[str, str]], text: str) -> Answer:
        """The answer to `text`, after the system prompt and examples; text is data and gets no other role. May be called by threads."""


class TextDetector(Protocol):
    name: str

    def detect_boxes(self, image: Image.Image) -> np.ndarray:
        """(n, 4, 2) float32, corners (x, y) in pixels of the picture. Raises ModelError."""


class Rater(Protocol):
    """A number for each picture: how likely it is unsafe, or how well people would like it."""

    name: str

    def rate(self, images: Images) -> np.ndarray:
        """(n,) float32. Raises ModelError."""


class LanguageDetector(Protocol):
    name: str

    def detect(self, text: str) -> tuple[str | None, float]:
        """ISO 639-1 code and confidence in 0..1; null where the text has nothing to go by."""


class ActivityDetector(Protocol):
    name: str

    def measure_shares(self, samples: np.ndarray) -> dict[str, float]:
        """samples: (n,) int16 at 16 kHz. Share of the time with speech, singing, music, and what else the model reports."""


class SoundScorer(Protocol):
    """Sounds and texts in one space."""

    name: str
    sample_rate: int

    def embed_sound(self, samples: np.ndarray) -> np.ndarray:
        """samples: (n,) float32 in [-1, 1] at sample_rate. (d,) float32, L2-normalised."""

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        """(n, d) float32, L2-normalised."""


class SpeechRecogniser(Protocol):
    name: str
    sample_rate: int

    def transcribe(self, samples: np.ndarray) -> str:
        """samples: (n,) float32 in [-1, 1] at sample_rate."""
