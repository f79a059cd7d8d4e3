"""What one operation on a media file may cost."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from vidal.config.base import Settings


@dataclass(frozen=True)
class Limits:
    """The limits of one operation on a file.

    cpu_s: CPU seconds. memory_bytes: the memory of the process. packets: how many packets may be read. frames: how many frames may be
    decoded. pixels: how many pixels a frame of the file may have; None sets no limit.
    cpu_key, memory_key: the keys of the recipe that set cpu_s and memory_bytes, for error messages; None if there is no such key.
    """

    cpu_s: float
    memory_bytes: int
    packets: int
    frames: int
    pixels: int | None = None
    cpu_key: str | None = "decoding.cpu_s"
    memory_key: str | None = "decoding.memory_mb"


class Decoding(Settings):
    """An operation probes a media file, cuts it, or reads its frames or its sound. These limits apply to each operation. If it exceeds a
    limit, its candidate or clip fails as `too_costly`.
    """

    cpu_s: float = Field(default=60.0, gt=0)
    """CPU time of an operation."""
    cpu_s_per_media_s: float = Field(default=6.0, ge=0)
    """Additional CPU time for each second of media that is read or encoded."""
    memory_mb: int = Field(default=900, ge=200)
    """Resident memory of an operation's process, in MB (10^6 bytes)."""
    packets_max: int = Field(default=1_000_000, ge=1)
    """Largest number of packets that are read."""
    frames_max: int = Field(default=250_000, ge=1)
    """Largest number of frames that are decoded."""

    def limits(self, *, media_s: float = 0.0, max_pixels: int | None = None) -> Limits:
        """Returns the limits of one operation. media_s: the seconds of media that it reads. max_pixels: the limit of one frame."""
        cpu_s = self.cpu_s + self.cpu_s_per_media_s * media_s
        return Limits(cpu_s, self.memory_mb * 1_000_000, self.packets_max, self.frames_max, max_pixels)
