"""Reads the frames of a clip from storage, and stores the pictures that models compute from them."""

from __future__ import annotations

import io

from PIL import Image

from vidal import ids
from vidal.errors import RecordError
from vidal.records import Clip
from vidal.schema import Reason
from vidal.storage.storage import Storage

_FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}


def load(storage: Storage, names: list[str]) -> list[Image.Image]:
    """Returns RGB pictures, decoded. Raises RecordError(corrupt) for a picture that does not decode."""
    return [_decoded(storage.read(name), name) for name in names]


def _decoded(data: bytes, name: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data)).convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:  # UnidentifiedImageError is an OSError.
        raise RecordError(Reason.CORRUPT, f"{name}: {error}") from error


def encode(image: Image.Image, ending: str, **options: object) -> bytes:
    """Returns the bytes of the picture as a file with this ending: jpg, png or webp. options: passed to Pillow's save."""
    buffer = io.BytesIO()
    image.save(buffer, format=_FORMATS[ending], **options)
    return buffer.getvalue()


def save_view(
    storage: Storage, clip: Clip, view: str, ending: str, images: list[Image.Image], **options: object
) -> tuple[list[str], list[str]]:
    """Stores one picture per frame as view/0.ending, view/1.ending, ... of the clip. Returns their names and their sha256.

    options: passed to Pillow's save.
    """
    files = [encode(image, ending, **options) for image in images]
    return save_files(storage, clip, view, ending, files), [ids.sha256(data) for data in files]


def save_files(storage: Storage, clip: Clip, view: str, ending: str, files: list[bytes]) -> list[str]:
    """Stores one picture per frame as view/0.ending, view/1.ending, ... of the clip. Returns the names of these files.

    files: the bytes of each picture.
    """
    return [
        storage.media.write(clip["shard"], clip["clip_id"], f"{view}/{index}.{ending}", data)
        for index, data in enumerate(files)
    ]
