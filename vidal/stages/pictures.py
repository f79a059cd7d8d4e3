"""Reads the frames of a clip from storage, and stores the pictures that models compute from them."""

from __future__ import annotations

import io

from PIL import Image

from vidal import ids
from vidal.errors import RecordError
from vidal.records import Clip
from vidal.schema import Reason
from vidal.storage import layout
from vidal.storage.storage import Storage

_FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}


def load(storage: Storage, names: list[str]) -> list[Image.Image]:
    """RGB pictures, decoded. Raises RecordError(corrupt) for one that does not decode."""
    return [_decoded(storage.read(name), name) for name in names]


def _decoded(data: bytes, name: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data)).convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:  # UnidentifiedImageError is an OSError.
        raise RecordError(Reason.CORRUPT, f"{name}: {error}") from error


def save(storage: Storage, name: str, image: Image.Image, **options: object) -> bytes:
    """Encodes the picture by the ending of its name, stores it, and returns its bytes."""
    buffer = io.BytesIO()
    image.save(buffer, format=_FORMATS[name.rsplit(".", 1)[-1]], **options)
    storage.write(name, buffer.getvalue())
    return buffer.getvalue()


def save_view(
    storage: Storage, clip: Clip, view: str, ending: str, images: list[Image.Image], **options: object
) -> tuple[list[str], list[str]]:
    """Stores one picture a frame as view/0.ending, view/1.ending, ... of the clip; returns their names and sha256."""
    names = [layout.media(clip["shard"], clip["clip_id"], f"{view}/{index}.{ending}") for index in range(len(images))]
    stored = [save(storage, name, image, **options) for name, image in zip(names, images, strict=True)]
    return names, [ids.sha256(data) for data in stored]
