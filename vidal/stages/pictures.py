"""Frames of a clip from storage."""

from __future__ import annotations

import io

from PIL import Image

from vidal.storage import Storage


def load(storage: Storage, names: list[str]) -> list[Image.Image]:
    """RGB pictures, decoded."""
    return [Image.open(io.BytesIO(storage.read(name))).convert("RGB") for name in names]


def save(storage: Storage, name: str, image: Image.Image, **options: object) -> bytes:
    """Encodes by the name's ending, stores, and gives the bytes."""
    buffer = io.BytesIO()
    image.save(buffer, format={"jpg": "JPEG", "png": "PNG"}[name.rsplit(".", 1)[-1]], **options)
    storage.write(name, buffer.getvalue())
    return buffer.getvalue()
