"""A training run as a user starts it: it learns, stops, goes on, and refuses what it must."""

import json
import math
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.support.inline import vidal_inline
from tests.support.tiny_models import save_clip
from tests.train.test_train_data import caption, dataset
from vidal.cli.train import train as command
from vidal.errors import TrainingError, UserError
from vidal.train import checkpoint, optimiser, run
from vidal.train.opening import open_tower
from vidal.train.recall import Recall
from vidal.train.settings import Encoder, Modality, Train
from vidal.train.towers.efficientnet import EfficientNetTower

WORDS = ("a red ball", "a green field", "the blue sea", "a white wall", "a black cat", "a yellow bus")
COLOURS = ((220, 30, 30), (30, 200, 30), (20, 40, 220), (250, 250, 250), (5, 5, 5), (230, 220, 20))


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """A run uses all cores; here two test processes share them."""
    monkeypatch.setattr("vidal.models.threads.usable_cores", lambda: 1)


@pytest.fixture
def coloured(tmp_path):
    """Six clips of one colour each, with its words."""
    out = tmp_path / "data"
    out.mkdir()
    dataset(out, [{"captions": [caption("title", words)], "frames": 2} for words in WORDS])
    colour(out)
    return out


def colour(out):
    for number, rgb in enumerate(COLOURS):
        for path in (out / "_media" / f"clip-{number}").iterdir():
            noise = np.random.default_rng([number, int(path.stem)]).integers(0, 20, (40, 40, 3))
            Image.fromarray((np.array(rgb) * 0.9 + noise).clip(0, 255).astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A CLIP of random weights, for tests that are about the loop and not about what is learned."""
    return {"adapter": "clip", "id": save_clip(tmp_path_factory.mktemp("tiny") / "clip", 384)}


def settings(**changes):
    encoder = {
        "model": {"adapter": "efficientnet"},
        "side": 64,
        "batch_size": 3,
        "epochs": 3,
        "lr": 1e-3,
        **changes.pop("encoder", {}),
    }
    return Train.model_validate({"modalities": {"image": encoder}, "checkpoint_steps": 1, "keep": 2, **changes})


def weights(folder):
    state = torch.load(checkpoint.latest(folder / run.CHECKPOINTS), weights_only=True)
    return {f"{key}.{name}": value for key, each in state["trainers"].items() for name, value in each["tower"].items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


CPU = torch.device("cpu")


def test_a_run_learns_its_clips_and_says_so(coloured, tmp_path):
    found = run.train(settings(encoder={"epochs": 25, "batch_size": 6}), str(coloured), tmp_path / "run", CPU)
    assert found[0].recall_to_text == found[0].recall_to_modality == 1.0
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 26))
    assert lines[-1]["loss"] < lines[0]["loss"] / 2 and lines[-1]["lr"] < 1e-5
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))
    assert len(list((tmp_path / "run" / "checkpoints").iterdir())) == 2


@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_run_that_was_stopped_ends_with_the_same_weights(coloured, tmp_path, monkeypatch, stop_after):
    """Bit for bit, stopped in the middle of an epoch and at the beginning of one's second half. EfficientNet has buffers too."""
    whole, halted = tmp_path / "whole", tmp_path / "halted"
    made = settings(encoder={"patch_dropout": 0.0})
    run.train(made, str(coloured), whole, CPU)

    class Stop(Exception):
        pass

    real, count = checkpoint.save, [0]

    def saving(*arguments):
        path = real(*arguments)
        count[0] += 1
        if count[0] == stop_after:
            raise Stop
        return path

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save", saving)
        with pytest.raises(Stop):
            run.train(made, str(coloured), halted, CPU)
    torch.rand(7)  # Whatever else the process drew.
    run.train(made, str(coloured), halted, CPU)
    assert same(weights(whole), weights(halted))
    assert [json.loads(line)["n"] for line in (halted / "metrics.jsonl").read_text().splitlines()] == list(range(1, 7))


@pytest.mark.parametrize(
    "change",
    [{"precision": "bf16"}, {"precision": "amp"}, {"checkpoint_activations": True}, {"ema": 0.5},
     pytest.param({"compile": True}, marks=pytest.mark.slow)],
)  # fmt: skip
def test_options_of_the_loop_start_from_the_same_loss_and_learn(coloured, tmp_path, change, monkeypatch):
    if "compile" in change and not (shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("torch.compile needs a C++ compiler")
    # torch.compile pickles, and pickle asks every loaded module for names: those of yt-dlp, which a build in this process has
    # loaded, answer some with an import that fails. No training loads yt-dlp.
    for name in [name for name, module in sys.modules.items() if type(module).__name__ == "EnhancedModule"]:
        monkeypatch.delitem(sys.modules, name)
    model = {"adapter": "clip", "id": save_clip(tmp_path / "clip", 384)}
    losses = {}
    for name, epochs, changed in (("plain", 1, {}), ("run", 20, change)):
        encoder = {"model": model, "side": 32, "epochs": epochs, "batch_size": 6, "lr": 5e-3}
        run.train(settings(encoder=encoder, **changed), str(coloured), tmp_path / name, CPU)
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        losses[name] = [json.loads(line)["loss"] for line in lines]
    assert losses["run"][0] == pytest.approx(losses["plain"][0], rel=0.02)
    assert losses["run"][0] != losses["plain"][0] or "precision" not in change
    assert losses["run"][-1] < losses["run"][0] / 2


def test_modalities_trained_together_get_what_each_gets_alone(coloured, tiny, tmp_path):
    one = {"model": tiny, "side": 32, "batch_size": 3, "epochs": 2, "lr": 1e-3}
    both = Train.model_validate({"modalities": {"image": one, "video": {**one, "frames": 2}}})
    for name, made in (("both", both), ("alone", Train.model_validate({"modalities": {"image": one}}))):
        run.train(made, str(coloured), tmp_path / name, CPU)
    together, alone = weights(tmp_path / "both"), weights(tmp_path / "alone")
    assert same({key: value for key, value in together.items() if key.startswith("image.")}, alone)


def test_accumulation_gives_the_steps_of_the_whole_batch(coloured, tiny, tmp_path):
    for name, parts in (("whole", 1), ("parts", 3)):
        encoder = {"model": tiny, "side": 32, "batch_size": 6, "accumulate": parts, "epochs": 2}
        run.train(settings(encoder=encoder), str(coloured), tmp_path / name, CPU)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.allclose(whole[key].float(), parts[key].float(), atol=1e-5) for key in whole)


def test_a_run_with_other_settings_is_not_mixed_in(coloured, tiny, tmp_path):
    small = {"model": tiny, "side": 32, "epochs": 1}
    run.train(settings(encoder=small), str(coloured), tmp_path / "run", CPU)
    with pytest.raises(UserError, match="differs from the new one in recipe"):
        run.train(settings(encoder={**small, "lr": 1e-2}), str(coloured), tmp_path / "run", CPU)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(coloured, tiny, tmp_path):
    small = {"model": tiny, "side": 32}
    made = settings()
    run.train(settings(encoder={**small, "epochs": 1}), str(coloured), tmp_path / "good", CPU)
    good = weights(tmp_path / "good")
    assert all(value.isfinite().all() for value in good.values())
    poisoned = settings(encoder={**small, "lr": 1e30, "epochs": 30}, clip_norm=None)
    with pytest.raises(TrainingError, match="try a lower lr"):
        run.train(poisoned, str(coloured), tmp_path / "bad", CPU)
    kept = checkpoint.latest(tmp_path / "bad" / run.CHECKPOINTS)
    assert kept is not None and made.keep == 2


def test_too_many_unreadable_records_stop_the_run(coloured, tiny, tmp_path):
    small = {"model": tiny, "side": 32}
    for number in (1, 4):
        for path in (coloured / "_media" / f"clip-{number}").iterdir():
            path.write_bytes(b"broken")
    found = run.train(settings(encoder=small, unreadable_max=0.4), str(coloured), tmp_path / "some", CPU)
    assert found[0].unreadable == 2 * 3  # Two in each epoch.
    with pytest.raises(TrainingError, match=r"clips cannot be read.*clip-"):
        run.train(settings(encoder=small, unreadable_max=0.2), str(coloured), tmp_path / "few", CPU)


def test_the_command_trains_prints_a_table_and_leaves_an_encoder(coloured):
    sets = "train.modalities={image: {model: {adapter: efficientnet}, side: 64, batch_size: 6, epochs: 20, lr: 0.001}}"
    done = vidal_inline("train", "--data", str(coloured), "--set", sets)
    assert done.returncode == 0, done.stderr
    assert "R@1 to text" in done.stdout and "100.0%" in done.stdout
    from vidal import load_encoder

    bound = load_encoder(coloured / "_train" / "embedded" / "encoder")
    pictures = bound.encode_image([coloured / "_media" / f"clip-{k}" / "0.png" for k in range(6)])
    assert (pictures @ bound.encode_text(list(WORDS)).T).argmax(1).tolist() == list(range(6))


def test_what_is_wrong_with_the_command_is_said_in_one_line(coloured, tmp_path):
    for arguments, said in (
        (("--data", str(tmp_path / "none")), "holds no shard"),
        (("--data", str(coloured), "--set", "train.modalities={}"), "give one whose tuning is not frozen"),
        (
            ("--data", str(coloured), "--set", "train.text.adapter=nothing", "--set", "train.modalities={image: {}}"),
            "no adapter 'nothing'",
        ),
        (("--data", str(coloured), "--set", "train.modalities={depth: {}}"), "no clip is left to train depth on"),
    ):
        with pytest.raises(UserError, match=said):
            command.main([*arguments], standalone_mode=False)
    done = vidal_inline("train", "--data", str(tmp_path / "none"))
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr


def test_groups_keep_their_own_learning_rate_over_the_schedule():
    encoder = Encoder(lr=0.1, warmup_steps=2, lr_factors={"head": 10.0})
    layers = torch.nn.ModuleDict({"head": torch.nn.Linear(2, 2), "trunk": torch.nn.Linear(2, 2)})
    made = optimiser.build(layers.named_parameters(), encoder, Train())
    rates = []
    for step in range(6):
        optimiser.set_rate(made, optimiser.rate(step, 6, encoder))
        rates.append({round(group["lr"], 6) for group in made.param_groups})
    assert rates[:3] == [{0.05, 0.5}, {0.1, 1.0}, {0.1, 1.0}]
    assert rates[5] == {round(0.05 * (1 + math.cos(math.pi * 0.75)), 6), round(0.5 * (1 + math.cos(math.pi * 0.75)), 6)}
    assert {group["weight_decay"] for group in made.param_groups} == {0.0, 0.2}
    with pytest.raises(UserError, match="begins with tail"):
        optimiser.build(layers.named_parameters(), Encoder(lr_factors={"tail": 2.0}), Train())


def test_published_presets_give_way_to_the_recipes_own_keys():
    made = Train.model_validate(
        {"modalities": {"depth": {"preset": "paper", "lr": 1e-5}, "audio": {"preset": "script"}}}
    ).modalities
    depth, audio = made[Modality.DEPTH], made[Modality.AUDIO]
    assert (depth.lr, depth.batch_size, depth.lora.rank, depth.lora.dropout, depth.patch_dropout) == (
        1e-5,
        1024,
        2,
        0.1,
        0.5,
    )
    assert (audio.lr, audio.batch_size, audio.epochs, audio.fbank.frames, audio.fbank.fill) == (
        1e-3,
        1024,
        16,
        1036,
        "tile",
    )


def held_out(out):
    """The last two of the clips become the split val."""
    dataset(
        out,
        [
            {"captions": [caption("title", words)], "split": "train" if k < 4 else "val"}
            for k, words in enumerate(WORDS)
        ],
    )
    colour(out)


def test_a_clip_with_one_unreadable_picture_is_left_out_of_the_recall(coloured, tiny, tmp_path):
    (coloured / "_media" / "clip-3" / "1.png").write_bytes(b"no picture")
    small = {"model": tiny, "side": 32, "epochs": 1, "batch_size": 2}
    (outcome,) = run.train(settings(encoder=small, unreadable_max=0.5), str(coloured), tmp_path / "run", CPU)
    assert 0 <= outcome.recall_to_text <= 1 and 0 <= outcome.recall_to_modality <= 1


def test_retrieval_on_the_split_val_is_measured_during_training(coloured, tmp_path):
    held_out(coloured)
    made = settings(encoder={"epochs": 4, "batch_size": 4}, eval_steps=2)
    (outcome,) = run.train(made, str(coloured), tmp_path / "run", CPU)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "val_recall_to_text" in line] == [2, 4]
    assert outcome.clips == 4 and outcome.val_recall_to_text == lines[-1]["val_recall_to_text"]
    assert 0 <= outcome.val_recall_to_modality <= 1


def test_a_training_that_no_longer_improves_stops_and_returns_to_its_best_weights(
    coloured, tiny, tmp_path, monkeypatch
):
    held_out(coloured)
    told, weights_at = iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.1]), []

    def measured(trainer, clips):
        weights_at.append({name: value.clone() for name, value in trainer.tower.state_dict().items()})
        value = next(told, 0.0)
        return Recall(value, value)

    monkeypatch.setattr("vidal.train.validation.recall", measured)
    encoder = {"model": tiny, "side": 32, "epochs": 50, "batch_size": 4}
    (outcome,) = run.train(settings(encoder=encoder, eval_steps=1, patience=2), str(coloured), tmp_path / "run", CPU)
    assert outcome.steps == 4
    final = load_file(tmp_path / "run" / "encoder" / "model.safetensors")
    assert all(torch.equal(final[f"image.{name}"], value) for name, value in weights_at[1].items())
    with pytest.raises(ValueError, match="set eval_steps too"):
        settings(patience=2)


def test_a_frozen_trunk_sees_each_picture_once(coloured, tmp_path, monkeypatch):
    seen = []
    real = EfficientNetTower._trunk_features

    def counted(self, pixels):
        seen.append(len(pixels))
        return real(self, pixels)

    monkeypatch.setattr(EfficientNetTower, "_trunk_features", counted)
    encoder = {"tuning": "head", "epochs": 8, "batch_size": 6}
    run.train(settings(encoder=encoder), str(coloured), tmp_path / "run", CPU)
    pictures = 6 * 2
    assert sum(seen) <= 2 * pictures  # Once to learn from, once to measure.


def test_presets_do_not_clip_gradients_and_draw_the_texts_of_languagebinds_scripts():
    made = Train.model_validate(
        {
            "clip_norm": 0.5,
            "views": {"title": 1.0},
            "modalities": {"depth": {"preset": "paper"}, "audio": {"preset": "script"}, "image": {"tuning": "head"}},
        }
    )
    assert [made.clip_norm_of(Modality(name)) for name in ("depth", "audio", "image")] == [None, None, 0.5]
    assert made.views_of(Modality.DEPTH) == {"enhanced": 1.0}
    assert made.views_of(Modality.AUDIO) == made.views_of(Modality.IMAGE) == {"title": 1.0}


def test_a_frozen_modality_is_bound_as_it_is(coloured, tiny, tmp_path):
    one = {"model": tiny, "side": 32, "batch_size": 3, "epochs": 1}
    both = Train.model_validate({"modalities": {"video": {**one, "frames": 2}, "image": {**one, "tuning": "frozen"}}})
    outcomes = run.train(both, str(coloured), tmp_path / "run", CPU)
    assert [each.modality for each in outcomes] == ["video"]
    bound = load_file(tmp_path / "run" / "encoder" / "model.safetensors")
    start = open_tower(Modality.IMAGE, both.modalities[Modality.IMAGE], 384).state_dict()
    assert all(torch.equal(bound[f"image.{name}"], value) for name, value in start.items())
    with pytest.raises(UserError, match="no modality to train"):
        run.train(settings(encoder={"model": tiny, "tuning": "frozen"}), str(coloured), tmp_path / "none", CPU)


def test_a_checkpoint_is_whole_or_absent(tmp_path):
    """A reader beside a writer never opens half a file."""
    big = {"identity": {}, "x": torch.zeros(2_000_000)}
    stop, problems = threading.Event(), []

    def read():
        while not stop.is_set():
            found = checkpoint.latest(tmp_path)
            if found:
                try:
                    checkpoint.load(found, {})
                except FileNotFoundError:
                    continue  # Removed by the keeper meanwhile.
                except Exception as error:  # noqa: BLE001
                    problems.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for step in range(20):
        checkpoint.save(tmp_path, step, big, 3)
    stop.set()
    thread.join()
    assert not problems and len(list(Path(tmp_path).iterdir())) == 3
