"""Probability of speech over time by silero-vad (Silero Team 2024, MIT): the ONNX file of its package, without the package's code."""

from __future__ import annotations

import numpy as np
import onnxruntime

from vidal.models.weights import package_folder

RATE = 16_000
WINDOW = 512  # Samples that one step judges: 32 ms.
_CONTEXT = 64  # Samples before the window that the network reads once more.
_STATE = (2, 1, 128)  # What the network remembers from step to step.
_FULL_SCALE = 32_768.0


class SileroVad:
    """The package itself is not imported: it imports torch and sets the number of its threads for the whole process."""

    def __init__(self, threads: int):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        weights = package_folder("silero_vad") / "data" / "silero_vad.onnx"
        self._session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])

    def probabilities(self, samples: np.ndarray) -> np.ndarray:
        """samples: (n,) int16 at 16 kHz. Returns (ceil(n / 512),) float32; zeros fill the last window."""
        steps = -(-len(samples) // WINDOW)
        padded = np.zeros(_CONTEXT + steps * WINDOW, np.float32)
        padded[_CONTEXT : _CONTEXT + len(samples)] = samples / _FULL_SCALE
        state, rate = np.zeros(_STATE, np.float32), np.array(RATE, np.int64)
        speech = np.zeros(steps, np.float32)
        for step in range(steps):
            window = padded[None, step * WINDOW : (step + 1) * WINDOW + _CONTEXT]
            probability, state = self._session.run(None, {"input": window, "state": state, "sr": rate})
            speech[step] = probability[0, 0]
        return speech
