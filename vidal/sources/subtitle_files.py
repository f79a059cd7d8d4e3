"""Reads the words of subtitle files: SubRip (.srt) and WebVTT (.vtt)."""

from __future__ import annotations

import re

_TIMES = re.compile(r"^\s*(?:\d+:)?\d+:\d+[.,]\d+\s*-->")
_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
_BLOCKS = ("WEBVTT", "NOTE", "STYLE", "REGION")


def subtitle_text(content: bytes) -> str:
    """Returns the words of all cues on one line. A line that repeats the one before it, as in rolling captions, is left out."""
    lines: list[str] = []
    for block in re.split(r"\n\s*\n", content.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")):
        for line in _cue_lines(block.strip("\n").split("\n")):
            text = " ".join(_TAG.sub("", line).split())
            if text and (not lines or lines[-1] != text):
                lines.append(text)
    return " ".join(lines)


def _cue_lines(lines: list[str]) -> list[str]:
    """Returns the lines of a block that come after its times; none for a block without times, such as a comment."""
    if lines[0].startswith(_BLOCKS) and not any(map(_TIMES.match, lines)):
        return []
    first = next((index for index, line in enumerate(lines) if _TIMES.match(line)), None)
    return [] if first is None else lines[first + 1 :]
