"""Every benchmark's reader, on a small set in its authors' layout: the number is the one that a plain loop over the same files gives."""

import json
import pickle
import re
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.support import benchmark_layouts as layouts
from tests.support.inline import vidal_inline
from vidal.cli.evaluate import evaluate
from vidal.errors import UserError
from vidal.evaluate.benchmarks import TASKS
from vidal.evaluate.encoders import open_encoder
from vidal.evaluate.measure import measure
from vidal.evaluate.templates import SOUND, pictures
from vidal.train.frames import Excerpt

RETRIEVED = {
    "msrvtt": layouts.msrvtt,
    "msvd": layouts.msvd,
    "didemo": layouts.didemo,
    "activitynet": layouts.activitynet,
    "clotho": layouts.clotho,
    "audiocaps": layouts.audiocaps,
}
CLASSIFIED = {
    "flir_v1": (layouts.flir("val/thermal_annotations.json"), "photo"),
    "flir_v2": (
        layouts.flir("video_thermal_test/coco.json", layouts.FLIR_V2, "car or pick-up trucks or vans"),
        "photo",
    ),
    "nyu": (layouts.nyu, "depth photo"),
    "esc50": (layouts.esc50, None),
    "vggsound": (layouts.vggsound, None),
}
FOLDERS = {"llvip": (".jpg", "people"), "flir_v1": (".jpg", "person"), "esc50": (".wav", "person")}


@pytest.fixture(scope="module")
def encoder():
    return open_encoder("recipe:embedded")


def encode(encoder, modality, media):
    if modality == "video":
        return encoder.encode_video([Excerpt(each) for each in media])
    return getattr(encoder, f"encode_{modality}")(media)


def plain_recall(scores, right, k):
    """scores: (n, m); right: of each row the columns that are right. No ties."""
    hits = 0
    for row, columns in zip(scores, right, strict=True):
        first = sorted(range(len(row)), key=lambda j: -row[j])[:k]
        hits += any(column in first for column in columns)
    return hits / len(scores)


def plain_classes(encoder, classes, templates):
    vectors = []
    for name in classes:
        mean = encoder.encode_text([template.format(name) for template in templates]).mean(0)
        vectors.append(mean / np.linalg.norm(mean))
    return np.array(vectors, np.float64)


@pytest.mark.parametrize("task", RETRIEVED)
def test_retrieval_is_that_of_a_plain_loop(encoder, tmp_path, task):
    layout = RETRIEVED[task](tmp_path / task)
    found = measure(encoder, TASKS[task].read(tmp_path / task), TASKS[task].query)
    vectors = encode(encoder, TASKS[task].query, [each.media[TASKS[task].query] for each in layout.samples])
    texts = [(text, k) for k, each in enumerate(layout.samples) for text in each.texts]
    scores = encoder.encode_text([text for text, _ in texts]).astype(np.float64) @ vectors.T.astype(np.float64)
    assert found.samples == len(layout.samples)
    for k in (1, 5, 10):
        assert found.metrics[f"text_to_query/R@{k}"] == pytest.approx(plain_recall(scores, [[n] for _, n in texts], k))
        best = [
            [max(row[j] for j, (_, n) in enumerate(texts) if n == m) for m in range(len(vectors))] for row in scores.T
        ]
        own = [[n] for n in range(len(vectors))]
        assert found.metrics[f"query_to_text/R@{k}"] == pytest.approx(plain_recall(best, own, k))
    ranks = [1 + sum(other > row[n] for other in row) for row, (_, n) in zip(scores, texts, strict=True)]
    assert found.metrics["text_to_query/median_rank"] == pytest.approx(np.median(ranks))
    assert found.metrics["text_to_query/mean_rank"] == pytest.approx(np.mean(ranks))


@pytest.mark.parametrize("task", CLASSIFIED)
def test_classification_is_that_of_a_plain_loop(encoder, tmp_path, task):
    write, word = CLASSIFIED[task]
    check_classes(encoder, tmp_path / task, task, write(tmp_path / task), pictures(word) if word else SOUND)


@pytest.mark.parametrize("task", FOLDERS)
def test_a_folder_a_class_is_read_as_languagebinds_authors_lay_it_out(encoder, tmp_path, task):
    layout = layouts.class_folders(*FOLDERS[task])(tmp_path / task)
    templates = SOUND if FOLDERS[task][0] == ".wav" else pictures("photo")
    check_classes(encoder, tmp_path / task, task, layout, templates)


def check_classes(encoder, folder, task, layout, templates):
    benchmark = TASKS[task].read(folder)
    assert benchmark.classes == layout.classes
    seen = TASKS[task].query
    vectors = encode(encoder, seen, [each.media[seen] for each in layout.samples])
    scores = vectors.astype(np.float64) @ plain_classes(encoder, layout.classes, templates).T
    found = measure(encoder, benchmark, seen)
    for k in (1, 5):
        hits = 0
        for row, each in zip(scores, layout.samples, strict=True):
            best = sorted(range(len(row)), key=lambda j: -row[j])[:k]
            hits += layout.classes.index(each.classes[0]) in best
        assert found.metrics[f"top{k}"] == pytest.approx(hits / len(scores))


def test_the_classes_of_a_video_are_those_of_the_mean_probabilities_of_its_fifteen_views(encoder, tmp_path):
    layout = layouts.kinetics(tmp_path / "k400")
    benchmark = TASKS["k400"].read(tmp_path / "k400")
    assert benchmark.classes == layout.classes and benchmark.is_validation
    views = encoder.encode_video_views([each.media["video"] for each in layout.samples], 5, 3).astype(np.float64)
    assert views.shape[:2] == (3, 15)
    logits = 100 * views @ plain_classes(encoder, layout.classes, pictures("video")).T
    shares = np.exp(logits) / np.exp(logits).sum(2, keepdims=True)
    told = shares.mean(1).argmax(1)
    right = np.mean([layout.classes[n] == each.classes[0] for n, each in zip(told, layout.samples, strict=True)])
    found = measure(encoder, benchmark, "video")
    assert found.metrics["top1"] == pytest.approx(right) and found.is_validation
    shutil.copy(tmp_path / "k400" / "annotations" / "val.csv", tmp_path / "k400" / "annotations" / "test.csv")
    assert not TASKS["k400"].read(tmp_path / "k400").is_validation


def test_visible_pictures_are_classified_by_the_templates_of_photos(encoder, tmp_path):
    layout = layouts.nyu(tmp_path / "nyu")
    benchmark = TASKS["nyu"].read(tmp_path / "nyu")
    vectors = encode(encoder, "image", [each.media["image"] for each in layout.samples])
    told = (vectors.astype(np.float64) @ plain_classes(encoder, layout.classes, pictures("photo")).T).argmax(1)
    right = np.mean([layout.classes[n] == each.classes[0] for n, each in zip(told, layout.samples, strict=True)])
    assert measure(encoder, benchmark, "image").metrics["top1"] == pytest.approx(right)
    assert benchmark.templates_for("depth")[0] == "a bad depth photo of a {}."
    assert benchmark.templates_for("depth+image")[0] == "a bad depth photo of a {}."


def test_joint_rows_are_measured_on_videos_with_sound(encoder, tmp_path):
    layouts.msrvtt(tmp_path / "m")
    silent = tmp_path / "m" / "MSRVTT_Videos" / "video9771.mp4"
    with av.open(str(silent), "w") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(16):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(layouts.picture(1), format="rgb24")))
        container.mux(stream.encode(None))
    assert len(TASKS["msrvtt"].read(tmp_path / "m").samples) == 4
    for query in ("video", "audio+video"):
        assert measure(encoder, TASKS["msrvtt_sound"].read(tmp_path / "m"), query).samples == 3


def test_didemos_videos_are_shown_for_31_seconds(tmp_path):
    layouts.didemo(tmp_path / "d")
    assert {each.media["video"].end_s for each in TASKS["didemo"].read(tmp_path / "d").samples} == {31}


def test_pickled_captions_are_read_and_a_pickle_that_runs_code_is_refused(tmp_path):
    layouts.msvd(tmp_path / "m")
    expected = TASKS["msvd"].read(tmp_path / "m")
    captions = {each.name: [text.split() for text in each.texts] for each in expected.samples}
    (tmp_path / "m" / "AllVideoDescriptions.txt").unlink()
    (tmp_path / "m" / "raw-captions.pkl").write_bytes(pickle.dumps(captions))
    assert TASKS["msvd"].read(tmp_path / "m") == expected

    class Evil:
        def __reduce__(self):
            return (tmp_path / "executed").touch, ()

    (tmp_path / "m" / "raw-captions.pkl").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match=r"raw-captions.pkl: the file contains"):
        TASKS["msvd"].read(tmp_path / "m")
    assert not (tmp_path / "executed").exists()


def test_audiocaps_is_read_from_the_table_that_languagebind_reads(tmp_path):
    layouts.audiocaps(tmp_path / "a")
    expected = TASKS["audiocaps"].read(tmp_path / "a")
    lines = ["uniq_id\taudio\ttext\tduration"]
    for each in expected.samples:
        path = each.media["audio"].relative_to(tmp_path / "a")
        lines += [f"0\taudiocaps/{path}\t{text}\t160000" for text in each.texts]
    (tmp_path / "a" / "test.csv").unlink()
    (tmp_path / "a" / "audiocaps_test.tsv").write_text("\n".join(lines) + "\n")
    listed = TASKS["audiocaps"].read(tmp_path / "a")
    assert [each.texts for each in listed.samples] == [each.texts for each in expected.samples]
    assert [each.media for each in listed.samples] == [each.media for each in expected.samples]


def test_a_validation_file_is_used_if_there_is_no_test_file_and_the_result_says_so(encoder, tmp_path):
    layouts.audiocaps(tmp_path / "a")
    assert not measure(encoder, TASKS["audiocaps"].read(tmp_path / "a"), "audio").is_validation
    (tmp_path / "a" / "test.csv").rename(tmp_path / "a" / "val.csv")
    assert measure(encoder, TASKS["audiocaps"].read(tmp_path / "a"), "audio").is_validation


def test_mean_average_precision_is_that_of_a_plain_loop(encoder, tmp_path):
    layout = layouts.audioset(tmp_path / "as")
    vectors = encoder.encode_audio([each.media["audio"] for each in layout.samples])
    scores = vectors.astype(np.float64) @ plain_classes(encoder, layout.classes, SOUND).T
    precisions = []
    for place, name in enumerate(layout.classes):
        order = sorted(range(len(scores)), key=lambda n: -scores[n, place])
        right = [name in layout.samples[n].classes for n in order]
        if any(right):
            shares = [sum(right[: n + 1]) / (n + 1) for n, hit in enumerate(right) if hit]
            precisions.append(sum(shares) / len(shares))
    assert len(precisions) == 2  # No sample has the third.
    found = measure(encoder, TASKS["audioset"].read(tmp_path / "as"), "audio")
    assert found.metrics == {"mAP": pytest.approx(np.mean(precisions))}


def test_llvip_is_cut_to_persons_and_to_places_without_one(encoder, tmp_path):
    layouts.llvip(tmp_path / "llvip")
    benchmark = TASKS["llvip"].read(tmp_path / "llvip")
    persons = [each for each in benchmark.samples if each.labels == (1,)]
    assert sorted(each.media["infrared"].box for each in persons) == [(0, 0, 20, 30), (5, 5, 25, 40), (60, 10, 80, 50)]
    boxes = {"190000": [(5, 5, 25, 40)], "190001": [(0, 0, 20, 30), (60, 10, 80, 50)]}
    backgrounds = [each for each in benchmark.samples if each.labels == (0,)]
    assert len(backgrounds) == 3
    for each in backgrounds:
        left, top, right, bottom = each.media["infrared"].box
        for a, b, c, d in boxes[each.name.split("/")[0]]:
            assert left >= c or right <= a or top >= d or bottom <= b
            assert left >= 0 and right <= 160 and top >= 0 and bottom <= 120
    assert TASKS["llvip"].read(tmp_path / "llvip") == benchmark
    crops = []
    for number, each in enumerate(benchmark.samples):
        with Image.open(each.media["infrared"].path) as image:
            image.crop(each.media["infrared"].box).save(tmp_path / f"{number}.png")
        crops.append(tmp_path / f"{number}.png")
    classes = plain_classes(encoder, ("background", "people"), pictures("photo"))
    told = (encoder.encode_infrared(crops).astype(np.float64) @ classes.T).argmax(1)
    right = np.mean([guess == each.labels[0] for guess, each in zip(told, benchmark.samples, strict=True)])
    assert measure(encoder, benchmark, "infrared").metrics["top1"] == pytest.approx(right)


@pytest.mark.parametrize(
    ("task", "write", "one", "other"),
    [
        ("ave", layouts.ave, "image", "audio"),
        ("vggsound_emergent", layouts.vggsound, "image", "audio"),
        ("nyu_emergent", layouts.nyu, "image", "depth"),
    ],
)
def test_one_modality_by_another_is_that_of_a_plain_loop(encoder, tmp_path, task, write, one, other):
    layout = write(tmp_path / task)
    assert (TASKS[task].query, TASKS[task].target) == (one, other)
    found = measure(encoder, TASKS[task].read(tmp_path / task), one, other)
    scores = encode(encoder, one, [each.media[one] for each in layout.samples]).astype(np.float64) @ (
        encode(encoder, other, [each.media[other] for each in layout.samples]).T
    )
    own = [[n] for n in range(len(scores))]
    assert found.metrics["query_to_target/R@1"] == pytest.approx(plain_recall(scores, own, 1))
    assert found.metrics["target_to_query/R@1"] == pytest.approx(plain_recall(scores.T, own, 1))


def test_joined_modalities_are_the_weighted_sum_of_their_vectors(encoder, tmp_path):
    layout = layouts.nyu(tmp_path / "nyu")
    benchmark = TASKS["nyu"].read(tmp_path / "nyu")
    depth, image = (encode(encoder, name, [each.media[name] for each in layout.samples]) for name in ("depth", "image"))
    classes = plain_classes(encoder, layout.classes, pictures("depth photo"))
    for weight in (0.0, 0.5, 3.0):
        told = ((weight * depth + image) @ classes.T).argmax(1)
        right = np.mean([layout.classes[n] == each.classes[0] for n, each in zip(told, layout.samples, strict=True)])
        found = measure(encoder, benchmark, "depth+image", weights={"depth": weight})
        assert found.metrics["top1"] == pytest.approx(right)


def test_llvips_pictures_are_found_by_their_pairs(encoder, tmp_path):
    layouts.llvip(tmp_path / "llvip")
    found = measure(encoder, TASKS["llvip_emergent"].read(tmp_path / "llvip"), "image", "infrared")
    assert found.samples == 2 and found.metrics["query_to_target/R@5"] == 1.0
    found = measure(encoder, TASKS["llvip_emergent"].read(tmp_path / "llvip"), "image+text", "infrared")
    assert found.samples == 2


@pytest.mark.parametrize(
    ("task", "lost"),
    [
        ("msrvtt", "MSRVTT_JSFUSION_test.csv"),
        ("msvd", "test_list.txt"),
        ("didemo", "test_data.json"),
        ("activitynet", "val_1.json"),
        ("clotho", "clotho_captions_evaluation.csv"),
        ("audiocaps", "test.csv"),
        ("audioset", "class_labels_indices.csv"),
        ("k400", "val.csv"),
        ("llvip", "Annotations/*.xml"),
        ("flir_v1", "val/thermal_annotations.json"),
        ("flir_v2", "video_thermal_test/coco.json"),
        ("nyu", "nyu_depth_v2_labeled.mat"),
        ("esc50", "meta/esc50.csv"),
        ("vggsound", "vggsound.csv"),
        ("ave", "testSet.txt"),
    ],
)
def test_a_missing_annotation_is_named(tmp_path, task, lost):
    with pytest.raises(UserError, match=lost.replace("*", r"\*")):
        TASKS[task].read(tmp_path)


def test_a_sample_without_its_file_is_named_and_may_be_passed_over(encoder, tmp_path):
    layouts.msrvtt(tmp_path / "m")
    (tmp_path / "m" / "MSRVTT_Videos" / "video9772.mp4").unlink()
    (tmp_path / "m" / "MSRVTT_Videos" / "video9773.mp4").write_bytes(b"no film at all")
    benchmark = TASKS["msrvtt"].read(tmp_path / "m")
    with pytest.raises(UserError, match="1 of 4 samples have no file; the first is video9772"):
        measure(encoder, benchmark, "video")
    found = measure(encoder, benchmark, "video", skip_missing=True)
    assert (found.samples, found.missing, found.unreadable) == (2, 1, 1)
    shutil.copy(tmp_path / "m" / "MSRVTT_Videos" / "video9770.mp4", tmp_path / "m" / "MSRVTT_Videos" / "video9772.mp4")
    with pytest.raises(UserError, match="1 samples cannot be read; the first is video9773"):
        measure(encoder, TASKS["msrvtt"].read(tmp_path / "m"), "video")


def test_the_published_lists_are_read_whole(encoder, shared, tmp_path):
    """MSR-VTT's thousand and Clotho's 1045, with the media of those few that are here."""
    labels = shared / "labels"
    msrvtt, clotho = TASKS["msrvtt"].read(labels), TASKS["clotho"].read(labels)
    assert len(msrvtt.missing) == 1000 and msrvtt.missing[0] == "video9770"
    assert len(clotho.missing) == 1045
    for name in ("msrvtt_jsfusion_test1k.csv", "clotho_val.csv"):
        shutil.copy(labels / name, tmp_path)
    films = [layouts.film(tmp_path / f"video977{k}.mp4", k) for k in range(4)]
    found = measure(encoder, TASKS["msrvtt"].read(tmp_path), "video", skip_missing=True)
    assert (found.samples, found.missing) == (4, 996)
    told = ("a person is connecting something to system", "a little girl does gymnastics")
    benchmark = TASKS["msrvtt"].read(tmp_path)
    assert [each.texts[0] for each in benchmark.samples[:2]] == list(told)
    texts = encoder.encode_text([each.texts[0] for each in benchmark.samples])
    scores = texts.astype(np.float64) @ encode(encoder, "video", films).T
    assert found.metrics["text_to_query/R@1"] == pytest.approx(plain_recall(scores, [[n] for n in range(4)], 1))
    layouts.wav(tmp_path / "audio" / "FR.CTC.08.CoyuyoS.001.wav", 1)
    (sample,) = TASKS["clotho"].read(tmp_path).samples
    assert len(sample.texts) == 5 and sample.texts[1].startswith("Loud squealing follows static chattering")


def test_the_command_measures_keeps_and_shows(tmp_path, capsys):
    folder, results = tmp_path / "clotho", tmp_path / "results.json"
    layouts.clotho(folder)
    arguments = (
        "--task",
        "clotho",
        "--data",
        str(folder),
        "--checkpoint",
        "recipe:embedded",
        "--results",
        str(results),
    )
    evaluate.main([*arguments, "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["samples"] == 3
    table = vidal_inline("evaluate", "--table", "--results", str(results)).stdout
    assert table.count("Zero-shot") == 3 and "emergent" in table
    (line,) = [line for line in table.splitlines() if "Clotho R@10" in line]
    assert [cell.strip() for cell in line.split("│")[1:-1]] == [
        "Clotho R@10",
        "17.5",
        "28.4",
        "-",
        "44.0 (52.0)",
        "100.0",
    ]
    assert "- " in next(line for line in table.splitlines() if "K400" in line)


def test_what_is_wrong_with_the_command_is_one_line(tmp_path):
    layouts.msrvtt(tmp_path / "m")
    known = ("--data", str(tmp_path / "m"), "--checkpoint", "recipe:embedded")
    for arguments, said in (
        (("--task", "mnist", *known), "no task 'mnist'"),
        (("--task", "msrvtt"), "--checkpoint"),
        (("--task", "msrvtt", "--data", str(tmp_path / "none"), "--checkpoint", "recipe:embedded"), "is not a folder"),
        (
            ("--task", "msrvtt", "--data", str(tmp_path / "m"), "--checkpoint", str(tmp_path)),
            "is not an encoder of vidal",
        ),
        (("--task", "msrvtt", *known, "--query", "smell"), "no modality 'smell'"),
        (("--task", "msrvtt", *known, "--query", "depth"), "has no depth"),
        (("--task", "msrvtt", *known, "--weight", "video=heavy"), "must be a modality and a number"),
        ((), "nothing to do: give --task"),
    ):
        with pytest.raises(UserError, match=re.escape(said)):
            evaluate.main([*arguments], standalone_mode=False)
    done = vidal_inline("evaluate", "--task", "mnist", *known)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


def test_a_broken_annotation_is_named(tmp_path):
    path = tmp_path / "thermal_annotations.json"
    for content in ("{", "[]", '{"categories": [{}], "annotations": [], "images": []}'):
        path.write_text(content)
        with pytest.raises(UserError, match=r"thermal_annotations\.json|flir_v1"):
            TASKS["flir_v1"].read(tmp_path)
    (tmp_path / "test.csv").write_text("audiocap_id,youtube_id\n1,2\n")
    with pytest.raises(UserError, match=r"test.csv has no column start_time"):
        TASKS["audiocaps"].read(tmp_path)


def test_an_annotation_cannot_name_files_outside_its_folder(tmp_path):
    inside = tmp_path / "flir"
    inside.mkdir()
    layouts.jpeg(tmp_path / "secret.jpeg", 0)
    told = {
        "categories": [{"id": 1, "name": "person"}],
        "images": [{"id": 0, "file_name": "../secret.jpeg"}],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [0, 0, 9, 9]}],
    }
    (inside / "coco.json").write_text(json.dumps(told))
    benchmark = TASKS["flir_v2"].read(inside)
    assert not benchmark.samples and benchmark.missing == ["../secret.jpeg"]


def test_a_share_is_the_same_each_time_and_of_its_size(tmp_path):
    layouts.clotho(tmp_path / "c")
    benchmark = TASKS["clotho"].read(tmp_path / "c")
    assert benchmark.share(0.34) == benchmark.share(0.34) and len(benchmark.share(0.34).samples) == 1
    assert Path(benchmark.share(1.0).samples[0].name) == Path(benchmark.samples[0].name)


def test_the_old_names_of_options_work_with_one_line_of_warning_each(tmp_path):
    layouts.ave(tmp_path / "ave")
    known = ("evaluate", "--task", "ave", "--data", str(tmp_path / "ave"), "--checkpoint", "recipe:embedded", "--json")
    old = vidal_inline(*known, "--seen", "audio", "--told", "image")
    new = vidal_inline(*known, "--query", "audio", "--target", "image")
    assert old.returncode == new.returncode == 0, old.stderr + new.stderr
    warnings = [line for line in old.stderr.splitlines() if line.startswith("vidal: ")]
    assert warnings == [
        "vidal: the option --seen is now called --query",
        "vidal: the option --told is now called --target",
    ]
    assert old.stdout == new.stdout and "vidal: " not in new.stderr
