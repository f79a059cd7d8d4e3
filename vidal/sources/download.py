"""Plain downloads: the bytes of an address as they are, in a file whose name the server has no influence on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Importing a source for its settings must not load yt-dlp.
    from yt_dlp.networking.common import Response

    from vidal.net.client import Client


def open_media(client: Client, url: str) -> Response:
    """A GET request for the bytes as they are, without compression."""
    return client.get(url, Accept_Encoding="identity")


def save_body(response: Response, start: bytes, folder: Path) -> Path:
    """Writes the rest of the body to a file after `start`, which has been read from it before. Probing tells the file's type."""
    path = folder / "media.bin"
    with path.open("wb") as file:
        file.write(start)
        while chunk := response.read(1 << 16):
            file.write(chunk)
    return path
