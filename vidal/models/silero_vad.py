"""Computes the probability of speech over time with silero-vad (Silero Team 2024, MIT), from the ONNX file of its package."""

from __future__ import annotations

import numpy as np
import onnxruntime

from vidal.media.arrays import Float32Array, Int16Array
from vidal.models.weights import package_folder

RATE = 16_000
WINDOW = 512  # Samples of a step: 32 ms.
_CONTEXT = 64  # The samples before each window, which the network reads again.
_STATE = (2, 1, 128)  # The shape of the state that the network carries from step to step.
_FULL_SCALE = 32_768.0


class SileroVad:
    """The network with its weights. threads: how many it uses.

    The package is not imported, because it would import torch and set the number of torch's threads for the whole process.
    """

    def __init__(self, threads: int):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        weights = package_folder("silero_vad") / "data" / "silero_vad.onnx"
        self._session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])

    def probabilities(self, samples: Int16Array) -> Float32Array:
        """Returns one probability per window of 512 samples, (ceil(n / 512),) float32. samples: (n,) int16 at 16 kHz, of any length."""
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
