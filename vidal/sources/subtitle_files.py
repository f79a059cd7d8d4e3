"""Reads subtitle files, SubRip (.srt) and WebVTT (.vtt), into lines of start, end and words: "1.00 2.50 Hello there"."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

# A larger file is not a file of subtitles.
MAX_BYTES = 2**22
_CLOCK = r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,4})[.,](\d{1,6})"
_TIMES = re.compile(rf"^\s*{_CLOCK}\s*-->\s*(?:{_CLOCK})?")
_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")


def read_cues(content: bytes) -> str:
    """Converts a subtitle file to lines such as "1.00 2.50 Hello there": the start and end in seconds, and the words."""
    return "\n".join(f"{start_s:.2f} {end_s:.2f} {words}" for start_s, end_s, words in _read(content))


def words_between(cues: str, start_s: float = 0.0, end_s: float = math.inf) -> str:
    """Returns, on one line, the words of the cues whose middle lies between start_s (included) and end_s (excluded).

    cues: a line for each cue: its start and end in seconds, and its words. Of consecutive cues with equal words, only the first counts.
    """
    chosen: list[str] = []
    for line in cues.split("\n"):
        times = line.split(" ", 2)
        if (
            len(times) == 3
            and start_s <= _middle(times[0], times[1]) < end_s
            and (not chosen or chosen[-1] != times[2])
        ):
            chosen.append(times[2])
    return " ".join(chosen)


def _middle(start: str, end: str) -> float:
    try:
        return (float(start) + float(end)) / 2
    except ValueError:
        return math.nan


def _read(content: bytes) -> Iterator[tuple[float, float, str]]:
    """Yields (start_s, end_s, words) for each line of a subtitle file.

    A line with the same words as the line before, as in rolling captions, is left out.
    """
    text = content.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    last = ""
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip("\n").split("\n")
        first, times = next(
            ((index, times) for index, line in enumerate(lines) if (times := _TIMES.match(line))), (0, None)
        )
        if times is None:  # A comment, a style or the head of the file.
            continue
        start_s = _seconds(*times.groups()[:4])
        end_s = _seconds(*times.groups()[4:]) if times[6] else start_s
        for line in lines[first + 1 :]:
            words = " ".join(_TAG.sub("", line).split())
            if words and words != last:
                last = words
                yield start_s, end_s, words


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")
