"""Zero-shot classification (Radford et al. 2021): samples are compared with texts that name the classes.

A class has one text for each template, such as "a photo of a {}". The vector of the class is the mean of the vectors of its texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from vidal.evaluate.retrieval import KS, TIE, within

SCALE = 100.0


def class_vectors(
    encode: Callable[[list[str]], np.ndarray], names: Sequence[str], templates: Sequence[str]
) -> np.ndarray:
    """Returns the vectors of classes, (classes, d) float32, L2-normalised.

    encode: returns the vectors of n texts, (n, d), L2-normalised. names: the names of the classes. templates: prompts with {} in place
    of the name.
    """
    texts = [template.replace("{}", name) for name in names for template in templates]
    means = encode(texts).reshape(len(names), len(templates), -1).mean(1)
    values: np.ndarray = (means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    return values


def mean_probabilities(scores: np.ndarray) -> np.ndarray:
    """Returns the logarithms of the class probabilities of each sample, (n, classes).

    scores: the cosines of each excerpt with each class, (n, excerpts, classes). The cosines are multiplied by SCALE, the largest scale
    that CLIP allows. A softmax over the classes turns the products into the probabilities of each excerpt. The probabilities of a sample
    are the mean over its excerpts.
    """
    logits = torch.from_numpy(scores.astype(np.float64)) * SCALE
    values: np.ndarray = (logits.log_softmax(-1).logsumexp(1) - np.log(scores.shape[1])).numpy()
    return values


def accuracy(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Returns top1 and top5, 0..1. scores: (n, classes). labels: (n,), the right classes. Ties count as if they were broken at random."""
    right = scores[np.arange(len(scores)), labels][:, None]
    above = (scores > right + TIE).sum(1)
    tied = (scores >= right - TIE).sum(1) - above - 1
    return {f"top{k}": float(within(k, above, tied, np.ones_like(tied)).mean()) for k in KS[:2]}


def mean_average_precision(scores: np.ndarray, labels: Sequence[Sequence[int]]) -> dict[str, float]:
    """Returns mAP, 0..1, as for AudioSet: the mean of the average precision over the classes that occur in labels.

    scores: (n, classes). labels: the right classes of each row.
    """
    truth = np.zeros(scores.shape, bool)
    for row, each in enumerate(labels):
        truth[row, list(each)] = True
    present = truth.any(0)
    return {"mAP": float(average_precision_score(truth[:, present], scores[:, present], average="macro"))}
