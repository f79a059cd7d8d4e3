"""Downloads the unchanged bytes of an address into a file. The server has no influence on the name of the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Importing a source for its settings must not load yt-dlp.
    from yt_dlp.networking.common import Response

    from vidal.net.client import Client


def open_media(client: Client, url: str) -> Response:
    """Sends a GET request that asks for uncompressed bytes, and returns the open response."""
    return client.get(url, Accept_Encoding="identity")


def save_body(response: Response, start: bytes, folder: Path) -> Path:
    """Writes the body of a response to a new file in the folder, and returns its path. start: the bytes that have already been read.

    The file is always called media.bin: its type is found by probing.
    """
    path = folder / "media.bin"
    with path.open("wb") as file:
        file.write(start)
        while chunk := response.read(1 << 16):
            file.write(chunk)
    return path
