"""Every shared sound with its scores and tags, to be read: `python -m tests.sound_table`."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import SHARED
from vidal.config import load_recipe
from vidal.errors import RecordError
from vidal.media import sound
from vidal.models import ACTIVITY, open_model
from vidal.stages.audio import levels, tags


def lines(folder: Path) -> list[str]:
    settings = load_recipe("embedded").audio
    detector = open_model(ACTIVITY, settings.activity)
    found = [
        "| sound | s | RMS dB | LUFS | peak dB | silence | clipped | speech | singing | music | tags |",
        "|" + "---|" * 11,
    ]
    for path in sorted(each for each in folder.iterdir() if each.suffix in (".wav", ".ogg", ".mp3", ".mp4")):
        try:
            samples = sound.read_mono(path, settings.sample_rate)
        except RecordError as error:
            found.append(f"| {path.name} | {error.reason.value}: {error.detail} |" + " |" * 9)
            continue
        level = sound.rms_db(samples)
        scores = {**levels(samples, settings), **{f"audio_{k}_share": v for k, v in detector.shares(samples).items()}}
        values = [f"{scores[key]:.2f}" if key in scores else "" for key in (
            "audio_lufs", "audio_peak_db", "audio_silence_share", "audio_clipping_share", "audio_speech_share",
            "audio_singing_share", "audio_music_share")]  # fmt: skip
        cells = [path.name, f"{len(samples) / settings.sample_rate:.1f}", f"{level:.1f}", *values]
        found.append(f"| {' | '.join(cells)} | {', '.join(tags(level, scores, settings))} |")
    return found


if __name__ == "__main__":
    print("\n".join(lines(SHARED / "audio")))
