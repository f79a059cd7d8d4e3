"""Draws the contact sheet: the output of the embedded estimators for openly licensed pictures that they were never trained on."""

from __future__ import annotations

import numpy as np
from PIL import Image

from vidal.config.base import ModelSpec
from vidal.media.arrays import Float32Array
from vidal.media.frames import read_frames
from vidal.models.registry import DEPTH, INFRARED, open_model
from vidal.sources.embedded.media import build_media

# Sample clips that ship with vidal: a pet, an object, a building, a street, a face, a drawing.
CLIPS = ("cat", "coffee", "abbey", "street", "carphone", "bunny")
SHORT_SIDE, TILE = 240, (200, 150)  # Pixels.


def contact_sheet() -> Image.Image:
    """Draws one column for each clip: its middle frame, the estimated depth (near is bright) and the estimated infrared picture."""
    media = build_media()
    frames = [read_frames(media / f"{name}.mp4", 3, "linspace", SHORT_SIDE)[1][1] for name in CLIPS]
    depth = open_model(DEPTH, ModelSpec(adapter="encoder_decoder", id="embedded:depth"))
    infrared = open_model(INFRARED, ModelSpec(adapter="encoder_decoder", id="embedded:infrared"))
    near = [_stretched(values) for values in depth.estimate(frames)]
    warm = [
        Image.fromarray(np.rint(values * 255).astype(np.uint8))
        for values in infrared.translate(frames, [0] * len(frames))
    ]
    page = Image.new("RGB", (TILE[0] * len(CLIPS), TILE[1] * 3), "white")
    for row, images in enumerate((frames, near, warm)):
        for column, image in enumerate(images):
            page.paste(_tile(image), (column * TILE[0], row * TILE[1]))
    return page


def _stretched(values: Float32Array) -> Image.Image:
    low, high = np.percentile(values, (1, 99))
    return Image.fromarray((np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8))


def _tile(image: Image.Image) -> Image.Image:
    """Scales the picture until it covers a tile, and crops it around its middle to the size of a tile."""
    scale = max(TILE[0] / image.width, TILE[1] / image.height)
    sized = image.convert("RGB").resize((round(image.width * scale), round(image.height * scale)))
    x, y = (sized.width - TILE[0]) // 2, (sized.height - TILE[1]) // 2
    return sized.crop((x, y, x + TILE[0], y + TILE[1]))
