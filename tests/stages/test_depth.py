"""Depth: adapters against transformers itself, the files that are stored, and what is said of their quality."""

import numpy as np
import pytest
from PIL import Image

from tests.conftest import write_video
from tests.support import clips
from tests.support.tiny_models import save_depth, save_munit
from vidal.config.base import ModelSpec
from vidal.config.loading import load_recipe
from vidal.errors import UserError
from vidal.models.registry import DEPTH, open_model
from vidal.stages.depth import quality as depth_quality
from vidal.stages.depth.stage import to_millimetres, to_range
from vidal.storage.storage import Storage


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    sizes = [(48, 64), (48, 64), (70, 50)]
    return [Image.fromarray(rng.integers(0, 255, (*size, 3), np.uint8)) for size in sizes]


def adapter(folder, **options):
    return open_model(DEPTH, ModelSpec(adapter="transformers", id=folder, device="cpu", options=options))


@pytest.mark.parametrize(
    ("kind", "nature", "unit"),
    [
        ("glpn", "metric", "m"),
        ("metric", "metric", "m"),
        ("relative", "inverse_relative", ""),
        ("dpt", "inverse_relative", ""),
        ("zoedepth", "metric", "m"),
        ("depth_pro", "metric", "m"),
    ],
)
def test_depth_equals_transformers_own_pipeline(kind, nature, unit, tmp_path, pictures):
    from transformers import pipeline

    folder = save_depth(kind, tmp_path / "model")
    own = adapter(folder)
    assert (own.kind, own.unit) == (nature, unit)
    theirs = pipeline("depth-estimation", model=folder, device="cpu")(pictures)
    for image, mine, other in zip(pictures, own.estimate(pictures), theirs, strict=True):
        assert mine.shape == (image.height, image.width)
        assert np.ptp(mine) > 0
        np.testing.assert_array_equal(mine, other["predicted_depth"].numpy().squeeze())


def test_depth_pro_tells_its_field_of_view_and_is_metric_only_with_it(tmp_path, pictures):
    views = adapter(save_depth("depth_pro", tmp_path / "with")).estimate_with_view(pictures)[1]
    assert len(views) == 3 and all(isinstance(view, float) for view in views)
    without = adapter(save_depth("depth_pro_no_view", tmp_path / "without"))
    assert (without.kind, without.unit) == ("relative", "")
    assert without.estimate_with_view(pictures)[1] == [None] * 3


def test_what_depth_means_is_asked_where_a_checkpoint_does_not_tell(tmp_path):
    folder = save_depth("dpt_dinov2", tmp_path / "model")
    with pytest.raises(UserError, match=r"type 'dpt'.*set depth\.model\.options\.kind"):
        adapter(folder)
    assert adapter(folder, kind="metric").unit == "m"
    with pytest.raises(UserError, match="'meters': it must be one of metric"):
        adapter(folder, kind="meters")


def test_a_model_is_named_by_its_weights_and_not_by_where_they_lie(tmp_path):
    names = [adapter(save_depth("glpn", tmp_path / place / "glpn", seed)).name for place, seed in (("a", 0), ("b", 0))]
    assert names[0] == names[1] and names[0].startswith("glpn@") and str(tmp_path) not in names[0]
    assert adapter(save_depth("glpn", tmp_path / "c" / "glpn", 1)).name != names[0]


def test_pictures_of_one_size_in_one_batch_give_what_each_gives_alone(tmp_path, pictures, monkeypatch):
    """As on a GPU, where they go together: the last bits may differ, a stored unit of a range of 65535 at most."""
    own = adapter(save_depth("relative", tmp_path / "model"))
    alone = own.estimate(pictures)
    seen = []
    monkeypatch.setattr(
        "vidal.models.depth.group_into_batches", lambda sizes, device: seen.append(sizes) or [[0, 1], [2]]
    )
    for one, other in zip(to_range(alone)[0], to_range(own.estimate(pictures))[0], strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1
    assert seen == [[(64, 48), (64, 48), (50, 70)]]


def test_millimetres_are_cut_and_counted_and_what_is_no_reading_is_0():
    metres = [
        np.array([[0.0, 1.5004], [70.0, np.nan]], np.float32),
        np.array([[65.535, 65.54, -1, np.inf]], np.float32),
    ]
    images, clipped = to_millimetres(metres, 65.535)
    assert [each.tolist() for each in images] == [[[0, 1500], [65535, 0]], [[65535, 65535, 0, 0]]]
    assert clipped == 2
    cut = np.array([[2.0009, 12.0]], np.float32)
    assert to_millimetres([cut], 10.0)[0][0].tolist() == [[2001, 10000]]
    assert to_millimetres([cut], 10.0, truncate=True)[0][0].tolist() == [[2000, 10000]]


def test_depth_without_a_unit_has_one_range_a_clip_from_which_it_can_be_had_back():
    scaled, span = to_range([np.array([[2.0, 4.0]]), np.array([[3.0, 2.0]])])
    assert [frame.tolist() for frame in scaled] == [[[0, 65535]], [[32768, 0]]]
    assert span == {"depth_at_0": 2.0, "depth_at_65535": 4.0}
    rng = np.random.default_rng(0)
    for scale in (1e-4, 1.0, 1e5):
        depths = [(rng.random((8, 8)) * scale + 7 * scale).astype(np.float32) for _ in range(2)]
        scaled, span = to_range(depths)
        width = span["depth_at_65535"] - span["depth_at_0"]
        for depth, stored in zip(depths, scaled, strict=True):
            back = span["depth_at_0"] + stored / 65535 * width
            np.testing.assert_allclose(back, depth, atol=width / 65535)
    flat, span = to_range([np.full((2, 2), 3.0), np.full((2, 2), np.nan)])
    assert not flat[0].any() and not flat[1].any() and span["depth_at_0"] == 3.0


def frames(count, shape, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 255, (*shape, 3), np.uint8) for _ in range(count)]


def recipe(folder, *overrides):
    model = f"depth.model={{adapter: transformers, id: {folder}, device: cpu}}"
    return load_recipe("embedded", (model, *overrides))


def read(out, name):
    with Storage(out).local(name) as path, Image.open(path) as image:
        return np.asarray(image)


def test_a_clip_gets_a_16_bit_picture_for_each_frame_and_its_scores(tmp_path):
    out, folder = str(tmp_path / "out"), save_depth("metric", tmp_path / "model")
    clips.seed_frames(out, [clips.with_frames(out, "wide", frames(3, (48, 64)))])
    clips.run(out, recipe(folder, "depth.max_m=19.9", "depth.short_side=24"), "depth")
    [row] = clips.rows(out, "depth")
    assert (row["depth_kind"], row["depth_unit"], len(row["depth_paths"])) == ("metric", "mm", 3)
    images = [read(out, name) for name in row["depth_paths"]]
    assert {(image.shape, image.dtype.name) for image in images} == {((24, 32), "uint16")}
    assert [clips.sha256(out, name) for name in row["depth_paths"]] == row["depth_sha256"]
    estimates = adapter(folder).estimate([Image.fromarray(frame) for frame in frames(3, (48, 64))])
    want = [np.asarray(Image.fromarray(depth).resize((32, 24), Image.Resampling.NEAREST)) for depth in estimates]
    for image, depth in zip(images, want, strict=True):
        np.testing.assert_array_equal(image, np.rint(np.minimum(depth.astype(np.float64), 19.9) * 1000))
    scores = dict(row["depth_scores"])
    assert scores["depth_clipped_pixels"] == sum((depth > 19.9).sum() for depth in want) > 0
    assert scores["depth_valid_share"] == 1 and 18 < scores["depth_low"] < scores["depth_high"] < 20
    assert clips.outcomes(out, "depth")[0]["status"] == "kept"


def test_frames_are_never_enlarged(tmp_path):
    out = str(tmp_path / "out")
    clips.seed_frames(out, [clips.with_frames(out, "small", frames(2, (48, 64)))])
    clips.run(out, recipe(save_depth("glpn", tmp_path / "model"), "depth.short_side=256"), "depth")
    assert read(out, clips.rows(out, "depth")[0]["depth_paths"][0]).shape == (48, 64)


def test_mode_paper_gives_what_the_published_script_gives(tmp_path):
    """depth_ddp_glpn.py, step by step, with transformers' own classes."""
    import torch
    from transformers import GLPNForDepthEstimation, GLPNImageProcessor

    out, folder = str(tmp_path / "out"), save_depth("glpn", tmp_path / "model")
    smooth = [np.asarray(Image.fromarray(each).resize((456, 256), 2)) for each in frames(2, (6, 8))]
    clips.seed_frames(out, [clips.with_frames(out, "clip", smooth)])
    clips.run(out, recipe(folder, "depth.mode=paper"), "depth")
    [row] = clips.rows(out, "depth")
    model, processor = GLPNForDepthEstimation.from_pretrained(folder).eval(), GLPNImageProcessor.from_pretrained(folder)
    over = 0
    for frame, name in zip(smooth, row["depth_paths"], strict=True):
        forced = Image.fromarray(frame).resize((448, 796), Image.Resampling.BILINEAR)
        with torch.no_grad():
            predicted = model(**processor(images=forced, return_tensors="pt")).predicted_depth
        sized = torch.nn.functional.interpolate(predicted[None], size=(256, 456), mode="bicubic", align_corners=False)
        output = sized.squeeze().numpy()
        over += int((output > 10).sum())
        want = (np.clip(output, 0, 10) * 1000).astype("uint16")
        np.testing.assert_array_equal(read(out, name), want)
    assert dict(row["depth_scores"])["depth_clipped_pixels"] == over
    with pytest.raises(UserError, match=r"depth: .*mode paper needs the adapter transformers, not encoder"):
        load_recipe("embedded", ("depth.model={adapter: encoder}", "depth.mode=paper"))


def test_the_rows_do_not_depend_on_the_batch_size(tmp_path):
    folder = save_depth("relative", tmp_path / "model")
    made = []
    for size in ("null", "1", "3", "5", "64"):
        out = str(tmp_path / f"out {size}")
        shapes = [(48, 64), (48, 64), (64, 48), (48, 64)]
        clips.seed_frames(
            out, [clips.with_frames(out, f"clip{i}", frames(3, shape, i)) for i, shape in enumerate(shapes)]
        )
        clips.run(out, recipe(folder, f"resources.depth.batch_size={size}"), "depth")
        made.append(clips.rows(out, "depth"))
        assert all(row["depth_paths"] for row in made[-1])
    assert all(each == made[0] for each in made)


def test_a_clip_whose_frame_is_spoilt_costs_itself_alone_in_a_batch(tmp_path):
    out = str(tmp_path / "out")
    clips.seed_frames(out, [clips.with_frames(out, f"clip{i}", frames(2, (48, 64), i)) for i in range(4)])
    Storage(out).write(clips.rows(out, "keyframes")[2]["frame_paths"][1], b"not a picture")
    clips.run(out, recipe(save_depth("glpn", tmp_path / "model"), "resources.depth.batch_size=64"), "depth")
    assert [len(row["depth_paths"]) for row in clips.rows(out, "depth")] == [2, 2, 0, 2]
    ends = {row["parent_id"]: (row["status"], row["reason"]) for row in clips.outcomes(out, "depth")}
    assert ends.pop("clip2") == ("failed", "corrupt") and set(ends.values()) == {("kept", "ok")}
    assert all(
        "its batch failed" in row["detail"] for row in clips.outcomes(out, "depth") if row["parent_id"] != "clip2"
    )


def test_scores_tell_true_depth_from_depth_of_another_picture_and_from_noise(shared):
    """250 Kinect frames of one room: every tenth, and its depth."""
    names = sorted(shared.glob("rgbd/*.color.jpg"))[::10]
    images = [Image.open(name).convert("RGB").resize((341, 256)) for name in names]
    depths = []
    for name in names:
        stored = np.asarray(Image.open(str(name).replace(".color.jpg", ".depth.png"))).astype(np.float32)
        metres = Image.fromarray(np.where(stored == 65535, 0, stored) / 1000)
        depths.append(np.asarray(metres.resize((341, 256), Image.Resampling.NEAREST)))
    own = depth_quality.scores(depths[:8], images[:8], metric=True)
    another = depth_quality.scores(depths[:8], images[12:20], metric=True)
    assert own["depth_edge_agreement"] > 0.2 and another["depth_edge_agreement"] < 0.1
    assert 0.8 < own["depth_valid_share"] < 1 and 0.5 < own["depth_low"] < own["depth_high"] < 5
    rng = np.random.default_rng(0)
    noise = depth_quality.scores([rng.random((256, 341)) + 1 for _ in range(8)], images[:8], True)
    assert abs(noise["depth_edge_agreement"]) < 0.1 and abs(noise["depth_temporal_consistency"]) < 0.1
    assert own["depth_temporal_consistency"] > 0.4
    inverse = [np.where(depth > 0, 1 / np.maximum(depth, 0.1), np.nan) for depth in depths[:8]]
    turned = depth_quality.scores(inverse, images[:8], metric=False)
    assert turned["depth_temporal_consistency"] == pytest.approx(own["depth_temporal_consistency"])


def test_consistency_leaves_out_scale_and_shift_and_the_scale_change_sees_it():
    rng = np.random.default_rng(0)
    scene = rng.random((64, 64)).astype(np.float32) + 1
    light = [Image.fromarray((scene * 100).astype(np.uint8))] * 3
    steady = depth_quality.scores([scene, scene, scene], light, metric=True)
    pumping = depth_quality.scores([scene, scene * 1.5, scene], light, metric=True)
    assert steady["depth_temporal_consistency"] == pytest.approx(1) == pumping["depth_temporal_consistency"]
    assert steady["depth_scale_change"] == 0 and pumping["depth_scale_change"] == pytest.approx(np.log(1.5), abs=1e-6)
    nothing = depth_quality.scores([np.full((8, 8), np.nan)] * 2, light[:2], metric=True)
    assert nothing["depth_valid_share"] == 0
    assert (
        not {"depth_low", "depth_temporal_consistency", "depth_scale_change", "depth_edge_agreement"} & nothing.keys()
    )
    assert "depth_edge_agreement" not in depth_quality.scores([np.ones((8, 8))] * 2, light[:2], metric=True)


STAGES = (
    "keyframes",
    "measure",
    "similarity",
    "filter",
    "depth",
    "infrared",
    "audio",
    "captions",
    "sound",
    "enhanced",
    "grounding",
    "manifest",
)


def test_changing_the_depth_model_alone_redoes_depth_alone(tmp_path):
    out = tmp_path / "out"
    folder = out / "_media/shard-00000/clip"
    folder.mkdir(parents=True)
    write_video(folder / "video.mp4")
    clips.seed(str(out), [clips.crawled("clip", media_path="_media/shard-00000/clip/video.mp4")])
    infrared = save_munit(tmp_path / "gen.pt").model_dump_json()
    common = ("filters.similarity_min=-1", "keyframes.count=2", "enhanced.model=null", f"infrared.model={infrared}")
    clips.run(str(out), recipe(save_depth("glpn", tmp_path / "a" / "first"), *common), *STAGES)
    before = _files(out)
    assert {path.parent.name for path in before} >= {"frames", "depth", "infrared"}
    clips.run(str(out), recipe(save_depth("metric", tmp_path / "b" / "second"), *common), *STAGES)
    after = _files(out)
    changed = {path for path in before if before[path] != after[path]}
    assert after.keys() == before.keys()
    assert {path.relative_to(out).parts[1] for path in changed if path.suffix == ".parquet"} == {"depth", "manifest"}
    assert {path.parent.name for path in changed if path.suffix == ".png"} == {"depth"}
    assert not [path for path in changed if path.suffix in (".jpg", ".mp4")]
    [row] = clips.rows(str(out), "manifest")
    assert row["depth_model"].startswith("second@") and row["infrared_model"].startswith("gen.pt@")
    assert {"depth_valid_share", "infrared_flicker", "similarity_min"} <= dict(row["scores"]).keys()


def _files(out):
    """Bytes and time of every file: a file that was written again, with the same bytes or others, is another."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.rglob("*") if path.is_file()}
