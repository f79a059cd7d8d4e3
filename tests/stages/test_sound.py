"""The sound track: numbers of signals whose answer is known, what is stored of it, and the models that only a recipe asks for."""

import numpy as np
import pytest
import torch

from tests.support import clips
from vidal.config.base import ModelSpec
from vidal.config.loading import load_recipe
from vidal.errors import RecordError
from vidal.media import loudness, sound
from vidal.media.probe import probe
from vidal.models.registry import SOUND_SCORERS, SPEECH, open_model
from vidal.stages.audio.settings import Audio
from vidal.stages.audio.stage import levels, tags

RATE = 48_000


def sine(db: float, hertz: float = 997.0, seconds: float = 5.0, rate: int = RATE) -> np.ndarray:
    """A sine whose peak lies at db dBFS."""
    t = np.arange(round(seconds * rate)) / rate
    return np.round(10 ** (db / 20) * 32_767 * np.sin(2 * np.pi * hertz * t)).astype(np.int16)


def test_the_standards_calibration_tone_has_its_loudness():
    # BS.1770: a 997 Hz sine at 0 dBFS in one front channel reads -3.01 LUFS.
    assert loudness.lufs(sine(0.0), RATE) == pytest.approx(-3.01, abs=0.1)
    assert loudness.lufs(sine(-20.0), RATE) == pytest.approx(-23.01, abs=0.1)
    assert sound.rms_db(sine(-20.0)) == pytest.approx(-23.01, abs=0.05)
    assert loudness.peak_db(sine(-20.0)) == pytest.approx(-20.0, abs=0.05)


def test_what_is_too_short_or_silent_has_no_loudness():
    assert loudness.lufs(sine(-20.0, seconds=0.3), RATE) is None
    assert loudness.lufs(np.zeros(RATE, np.int16), RATE) is None
    assert loudness.peak_db(np.zeros(10, np.int16)) == sound.FLOOR_DB


def test_half_of_a_sound_is_silent_and_what_is_overdriven_is_clipped():
    half = np.concatenate([sine(-20.0, seconds=2), np.zeros(2 * RATE, np.int16)])
    assert loudness.silence_share(half, RATE, -60.0) == pytest.approx(0.5, abs=0.02)
    overdriven = np.clip(sine(0.0, hertz=100).astype(np.int32) * 4, -32_768, 32_767).astype(np.int16)
    assert loudness.clipping_share(overdriven) > 0.5
    assert loudness.clipping_share(sine(-0.5)) == 0.0
    settings = Audio()
    assert tags(-3.0, levels(overdriven, settings), settings) == ["clipped"]
    assert "silence" in tags(-120.0, levels(np.zeros(RATE, np.int16), settings), settings)


def stored(tmp_path, data: bytes, name: str, kind: str = "audio"):
    folder = tmp_path / "out/_media/shard-00000/clip"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(data)
    path = f"_media/shard-00000/clip/{name}"
    row = clips.crawled("clip", media_path=path, kind=kind, has_audio=True)
    clips.seed_frames(str(tmp_path / "out"), [{**row, "frame_paths": []}])
    return str(tmp_path / "out")


def test_the_flac_has_the_sounds_length_and_the_same_bytes_twice(shared, tmp_path):
    data = (shared / "audio/speech.ogg").read_bytes()
    sums = []
    for run in ("a", "b"):
        out = stored(tmp_path / run, data, "source")
        clips.run(out, load_recipe("embedded"), "audio")
        (row,) = clips.rows(out, "audio")
        sums.append(row["audio_sha256"])
        assert clips.sha256(out, row["audio_path"]) == row["audio_sha256"]
    assert sums[0] == sums[1] and "speech" in row["audio_tags"]
    made = probe(tmp_path / "b/out" / row["audio_path"], max_pixels=1)
    assert made.duration_s == pytest.approx(13.91, abs=0.02)
    assert dict(row["audio_extra"]).keys() == {"audio_activity_model"}
    assert dict(row["audio_scores"]).keys() >= {"audio_lufs", "audio_peak_db", "audio_speech_share"}


def test_a_track_that_breaks_off_keeps_what_decodes_and_says_so(shared, tmp_path):
    whole = tmp_path / "whole.flac"
    sound.write_flac(sine(-20.0, seconds=4, rate=16_000), 16_000, whole)
    data = bytearray(whole.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    out = stored(tmp_path, bytes(data), "source")
    clips.run(out, load_recipe("embedded"), "audio")
    (row,), (outcome,) = clips.rows(out, "audio"), clips.outcomes(out, "audio")
    assert outcome["status"] == "kept" and row["audio_path"]
    samples, problem = sound.read_decodable(tmp_path / "out/_media/shard-00000/clip/source", 16_000)
    assert 0 < len(samples) <= 4 * 16_000
    assert bool(problem) == ("decodes for" in outcome["detail"])


def test_a_track_without_a_sample_is_a_typed_outcome_of_the_view(tmp_path):
    out = stored(tmp_path, b"not a sound at all", "source")
    clips.run(out, load_recipe("embedded"), "audio")
    (outcome,) = clips.outcomes(out, "audio")
    assert (outcome["view"], outcome["status"], outcome["reason"]) == ("audio", "failed", "bad_audio")
    with pytest.raises(RecordError):
        sound.read_decodable(tmp_path / "out/_media/shard-00000/clip/source", 16_000)


def tiny_clap(folder):
    import transformers as tf

    torch.manual_seed(0)
    text = tf.ClapTextConfig(
        vocab_size=100, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, projection_dim=8,
        max_position_embeddings=40,
    )  # fmt: skip
    audio = tf.ClapAudioConfig(
        spec_size=64, num_mel_bins=16, patch_size=4, patch_stride=[4, 4], hidden_size=32, depths=[1, 1], num_attention_heads=[2, 2],
        window_size=4, patch_embeds_hidden_size=16, projection_dim=8,
    )  # fmt: skip
    config = tf.ClapConfig(text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=8)
    model = tf.ClapModel(config).eval()
    extractor = tf.ClapFeatureExtractor(
        feature_size=16,
        sampling_rate=16_000,
        max_length_s=2,
        hop_length=160,
        fft_window_size=400,
        truncation="rand_trunc",
    )
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4, **{chr(97 + i): 5 + i for i in range(26)}}
    tokenizer = tf.RobertaTokenizer(vocab=vocabulary, merges=[])
    model.save_pretrained(folder)
    tf.ClapProcessor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(folder)
    return model


def test_clap_equals_the_library(tmp_path):
    from transformers import AutoProcessor

    model = tiny_clap(tmp_path)
    adapter = open_model(SOUND_SCORERS, ModelSpec(adapter="clap", id=str(tmp_path), device="cpu"))
    samples = sine(-20.0, seconds=1, rate=16_000).astype(np.float32) / 32_768
    processor = AutoProcessor.from_pretrained(tmp_path)
    with torch.inference_mode():
        made = model(
            **processor(text=["a b", "c"], audio=[samples], sampling_rate=16_000, padding=True, return_tensors="pt")
        )
    np.testing.assert_allclose(adapter.embed_sound(samples), made.audio_embeds[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(adapter.embed_texts(["a b", "c"]), made.text_embeds.numpy(), atol=1e-5)
    long = np.tile(samples, 5)
    np.testing.assert_array_equal(adapter.embed_sound(long), adapter.embed_sound(long))


def test_whisper_runs_through_the_adapter(tmp_path):
    import transformers as tf

    torch.manual_seed(0)
    config = tf.WhisperConfig(vocab_size=60, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                              decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_target_positions=20,
                              decoder_start_token_id=1, pad_token_id=0, bos_token_id=1, eos_token_id=2)  # fmt: skip
    model = tf.WhisperForConditionalGeneration(config).eval()
    model.generation_config.max_new_tokens = 5
    model.save_pretrained(tmp_path)
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, **{chr(97 + i % 26) * (1 + i // 26): 3 + i for i in range(57)}}
    tokenizer = tf.WhisperTokenizer(vocab=vocabulary, merges=[], unk_token="<pad>", bos_token="<s>", eos_token="</s>")
    tf.WhisperProcessor(tf.WhisperFeatureExtractor(), tokenizer).save_pretrained(tmp_path)
    adapter = open_model(SPEECH, ModelSpec(adapter="transformers", id=str(tmp_path), device="cpu"))
    samples = sine(-20.0, seconds=1, rate=16_000).astype(np.float32) / 32_768
    first = adapter.transcribe(samples)
    inputs = adapter._processor(samples, sampling_rate=16_000, return_tensors="pt")
    made = model.generate(inputs["input_features"], do_sample=False)
    assert first == " ".join(adapter._processor.batch_decode(made, skip_special_tokens=True)[0].split())
