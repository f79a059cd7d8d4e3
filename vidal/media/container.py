"""Opens media files, chooses their tracks, and reads their packets and frames, within the limits of vidal.media.budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import av
from av.container import InputContainer

from vidal.media.budget import spend_frame, spend_packet
from vidal.media.ffmpeg import INPUT_LIMITS

_COVER = av.stream.Disposition.attached_pic
_DEFAULT = av.stream.Disposition.default


class PacketTime(NamedTuple):
    """A packet of a track. pts, duration: in the track's time base."""

    pts: int
    duration: int
    is_key: bool


def ffmpeg_message(error: Exception) -> str:
    """Returns FFmpeg's message without the path of the file, which is in a temporary folder."""
    return str(getattr(error, "strerror", None) or error)


def open_media(path: Path) -> InputContainer:
    """Opens a local media file with PyAV. Raises av.error.FFmpegError if it cannot be opened.

    Playlists and scripts are refused, and the file cannot make FFmpeg open any other file.
    """
    return av.open(str(path), options=dict(INPUT_LIMITS), metadata_errors="replace")


def video_track(container: InputContainer) -> Any:
    """Returns the default video track, or else the first; None if there is none. Cover pictures and undecodable tracks do not count."""
    return _choose([stream for stream in container.streams.video if not stream.disposition & _COVER])


def audio_track(container: InputContainer) -> Any:
    """Returns the default audio track, or else the first; None if there is none. Undecodable tracks do not count."""
    return _choose(list(container.streams.audio))


def _choose(streams: Sequence[Any]) -> Any:
    """Chooses among the tracks that can be decoded, as players do. If no track can be decoded, returns None.

    Returns the first track that is marked as the default. If no track is marked, returns the first track.
    """
    usable = [stream for stream in streams if stream.codec_context]  # A stream without a codec context has no decoder.
    return next((stream for stream in usable if stream.disposition & _DEFAULT), usable[0] if usable else None)


def packets(container: InputContainer, stream: Any) -> Iterator[Any]:
    """Yields the packets of a track that hold data.

    Raises av.error.FFmpegError if the file cannot be read, and RecordError(too_costly) for more packets than decoding.packets_max allows.
    """
    for packet in container.demux(stream):
        if packet.size:
            spend_packet()
            yield packet


def packet_times(container: InputContainer, stream: Any) -> list[PacketTime]:
    """Returns the times of a track's packets, without those marked to be discarded, in the order of pts. Nothing is decoded."""
    return read_packet_times(container, stream)[0]


def read_packet_times(container: InputContainer, stream: Any) -> tuple[list[PacketTime], int]:
    """Returns the times of a track's packets, in the order of pts, and the number of packets that have no time.

    Packets marked to be discarded are left out of the times. Nothing is decoded.
    """
    times, untimed = list[PacketTime](), 0
    for packet in packets(container, stream):
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is None:
            untimed += 1
        elif not packet.is_discard:
            times.append(PacketTime(pts, packet.duration or 0, bool(packet.is_keyframe)))
    return sorted(times), untimed


class TrackReader:
    """Decodes a track. Packets that do not decode are counted and skipped, as players skip them.

    packets: how many were read so far. damaged: how many of them did not decode. problem: FFmpeg's message about the last damaged one.
    """

    def __init__(self, container: InputContainer, stream: Any):
        self._container, self._stream = container, stream
        self.packets = self.damaged = 0
        self.problem = ""

    def frames(self) -> Iterator[Any]:
        """Yields the frames from the current position to the end.

        Raises RecordError (too_costly, too_many_pixels), and av.error.FFmpegError if reading the file fails.
        """
        for packet in self._container.demux(
            self._stream
        ):  # The last packet is empty: it releases the decoder's last frames.
            yield from self.decode(packet)

    def decode(self, packet: Any) -> Iterator[Any]:
        """Yields the frames that a packet completes. Raises RecordError: too_costly, too_many_pixels."""
        spend_packet()
        self.packets += 1
        try:
            frames = packet.decode()
        except av.error.InvalidDataError as error:
            self.damaged += 1
            self.problem = ffmpeg_message(error)
            return
        for frame in frames:
            if isinstance(frame, av.VideoFrame):
                spend_frame(frame.width, frame.height)
            yield frame
