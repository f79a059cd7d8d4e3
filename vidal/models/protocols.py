"""The methods that stages call on models: one protocol for each role that a model can have in a recipe.

An adapter is a class with the methods of its protocol. Its constructor takes the ModelSpec of the recipe and loads the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PIL import Image

from vidal.media.arrays import Float32Array, Int16Array

Images = list[Image.Image]


class Scorer(Protocol):
    """Embeds pictures and texts in one space, so that a dot product says how well they agree."""

    def embed_images(self, images: Images) -> Float32Array:
        """Returns (n, d) float32, L2-normalised."""

    def embed_texts(self, texts: list[str]) -> Float32Array:
        """Returns (n, d) float32, L2-normalised."""


class DepthEstimator(Protocol):
    """Estimates how far away each pixel is.

    kind: "metric" (metres), "relative" (depth up to scale) or "inverse_relative" (disparity up to scale and shift). unit: "m" if the kind
    is metric, else "". name: the model's name in the manifest.
    """

    kind: str
    unit: str
    name: str

    def estimate(self, images: Images) -> list[Float32Array]:
        """Returns one map per picture, (h, w) float32, of the picture's own size.

        A larger value means nearer if kind is "inverse_relative", and farther away otherwise.
        """


@runtime_checkable
class FieldOfView(Protocol):
    """A depth estimator that can also estimate the camera's field of view."""

    def estimate_with_view(self, images: Images) -> tuple[list[Float32Array], list[float | None]]:
        """Returns the depth maps that `estimate` returns, and for each picture the horizontal field of view in degrees, or None."""


class InfraredTranslator(Protocol):
    """Turns pictures into infrared pictures. name: the model's name in the manifest."""

    name: str

    def translate(self, images: Images, seeds: list[int]) -> list[Float32Array]:
        """Returns one map per picture, (h, w) float32, of the picture's own size, in the model's own range of values.

        images: may be of several clips. seeds: one per picture. Pictures with the same seed get the same random numbers, so that their
        values can be compared.
        """


class Captioner(Protocol):
    """Describes pictures in words. name, revision: the model's name and revision in the manifest."""

    name: str
    revision: str

    def caption_frames(self, images: Images, prompt: str) -> list[str]:
        """Returns one caption per picture. A caption is empty if nothing is recognised."""

    def caption_video(self, images: Images, prompt: str) -> str:
        """Returns one caption for a clip. It is empty if nothing is recognised. images: pictures of the clip, in order."""


class SoundCaptioner(Protocol):
    """Describes the sound of a clip in words. imagines: whether the captioner guesses the sound from the pictures alone."""

    name: str
    revision: str
    imagines: bool

    def caption_sound(self, images: Images, tags: list[str], prompt: str) -> str:
        """Returns one sentence, or an empty text. images: pictures of the clip. tags: the audio_tags of the manifest."""


@dataclass(frozen=True)
class Answer:
    """The answer of a Rewriter. tokens_in, tokens_out: how many tokens the model read and wrote. attempts: how many requests it took."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    attempts: int = 1


class Rewriter(Protocol):
    """A language model that follows an instruction. name, revision: the model's name and revision in the manifest."""

    name: str
    revision: str

    def rewrite(self, system: str, examples: list[tuple[str, str]], text: str) -> Answer:
        """Returns the model's answer to `text`. Before the text, the model reads the system prompt and the examples.

        examples: (question, answer). The text is untrusted and always has the role of the user. Several threads may call this at once.
        Raises RecordError if there is no answer.
        """


class TextDetector(Protocol):
    """Finds readable text in a picture."""

    name: str

    def detect_boxes(self, image: Image.Image) -> Float32Array:
        """Returns a box around each text: its four corners (x, y) in pixels of the picture, (n, 4, 2) float32.

        Raises ModelError if the model fails.
        """


class Rater(Protocol):
    """Rates each picture with a number: how likely it is to be unsafe, or how well people would like it."""

    name: str

    def rate(self, images: Images) -> Float32Array:
        """Returns one number per picture, (n,) float32. Raises ModelError if the model fails."""


class LanguageDetector(Protocol):
    """Recognises the language of a short text."""

    name: str

    def detect(self, text: str) -> tuple[str | None, float]:
        """Returns the ISO 639-1 code and the confidence, 0..1; the code is None if the text says nothing about its language."""


class ActivityDetector(Protocol):
    """Measures how much of a sound is speech, singing or music."""

    name: str

    def measure_shares(self, samples: Int16Array) -> dict[str, float]:
        """Returns the share of the time, 0..1, with speech, singing, music, and any other class that the model reports.

        samples: (n,) int16 at 16 kHz.
        """


class SoundScorer(Protocol):
    """Embeds sounds and texts in one space, so that a dot product says how well they agree. sample_rate: in Hz."""

    name: str
    sample_rate: int

    def embed_sound(self, samples: Float32Array) -> Float32Array:
        """Returns (d,) float32, L2-normalised. samples: (n,) float32 in [-1, 1] at sample_rate."""

    def embed_texts(self, texts: list[str]) -> Float32Array:
        """Returns (n, d) float32, L2-normalised."""


class SpeechRecogniser(Protocol):
    """Transcribes speech. sample_rate: in Hz."""

    name: str
    sample_rate: int

    def transcribe(self, samples: Float32Array) -> str:
        """Returns the words. samples: (n,) float32 in [-1, 1] at sample_rate."""
