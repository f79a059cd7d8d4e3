"""Encoders that were trained apart fill every joint and emergent cell of the tables, from small sets in the official layouts.

Their weights are random: this tests the plumbing, and no number here means anything.
"""

import csv
import io

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from tests.support import benchmark_layouts as layouts
from tests.support import tiny_models, tiny_peers
from tests.support.inline import vidal_inline
from vidal.train import saved
from vidal.train.opening import open_text_tower, open_tower
from vidal.train.settings import Train

WIDTH = 12
SETS = {
    "msrvtt_sound": layouts.msrvtt,
    "nyu": layouts.nyu,
    "llvip": layouts.llvip,
    "ave": layouts.ave,
    "vggsound_emergent": layouts.vggsound,
    "llvip_emergent": layouts.llvip,
    "nyu_emergent": layouts.nyu,
}
TABLES = ("Joint modalities to text, R@1 (MSR-VTT) and top-1", "One modality by another, emergent, R@1")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A CLIP of transformers with its tokenizer and its processor."""
    folder = tmp_path_factory.mktemp("clip")
    words = tiny_models.save_tokenizer(folder)
    model = tiny_models.clip(WIDTH, words, tiny_models.ends(words))
    model.save_pretrained(folder)
    size = {"height": 32, "width": 32}
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=size).save_pretrained(folder)
    transformers.CLIPTokenizer.from_pretrained(str(folder)).save_pretrained(folder)
    return str(folder)


def encoder(folder, clip, *modalities):
    """Writes an encoder of these modalities, bound to the language tower of the CLIP."""
    model = {"adapter": "clip", "id": clip}
    one = {"model": model, "side": 32, "frames": 2, "fbank": {"mel_bins": 16, "frames": 64}, "tuning": "head"}
    settings = Train.model_validate({"text": model, "modalities": dict.fromkeys(modalities, one)})
    text = open_text_tower(settings.text)
    towers = {each: open_tower(each, value, text.width) for each, value in settings.modalities.items()}
    for seed, tower in enumerate(towers.values()):
        torch.manual_seed(seed)
        torch.nn.init.normal_(tower.visual_projection.weight)
    saved.save(folder, towers, settings, text)
    return str(folder)


def test_two_encoders_of_two_folders_fill_every_joint_and_emergent_cell(tmp_path, clip):
    pair = [
        encoder(tmp_path / "seen", clip, "video", "image", "depth"),
        encoder(tmp_path / "other", clip, "audio", "infrared"),
    ]
    assert filled(pair, tmp_path) == 17


def filled(checkpoints, tmp_path, system="ours"):
    """Measures every cell of the two tables that these encoders can fill, by the command that its reason names. Returns how many."""
    data, results = tmp_path / "data", tmp_path / "results.json"
    data.mkdir()
    for task, write in SETS.items():
        write(data / task)
    for path in sorted((data / "llvip_emergent" / "infrared" / "test").glob("*.jpg")):
        depth = data / "llvip_emergent" / "depth" / "test" / f"{path.stem}.png"
        depth.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.linspace(500, 9000, 64 * 48).reshape(48, 64).astype(np.uint16)).save(depth)
    known = [argument for each in checkpoints for argument in ("--checkpoint", each)] + ["--results", str(results)]
    open_cells = [row for row in table(system, *known, "--data", str(data)) if "not measured yet" in row["reason"]]
    for row in open_cells:
        command = row["reason"].partition("not measured yet: vidal ")[2].split()
        task = command[command.index("--task") + 1]
        done = vidal_inline(*command, "--data", str(data / task), *known, "--share", "1")
        assert done.returncode == 0, done.stderr
    cells = [row for row in table(system, *known) if not row["reason"]]
    assert len(cells) == len(open_cells) and all(0 <= float(row["value"].rstrip("★‡")) <= 100 for row in cells)
    return len(cells)


def test_imagebind_and_open_clip_fill_the_cells_of_their_modalities(tmp_path):
    """ImageBind has every modality; OpenCLIP sees depth and infrared as pictures, and hears nothing."""
    peers = tmp_path / "peers"
    peers.mkdir()
    imagebind = f"imagebind:{tiny_peers.save_imagebind(peers / 'imagebind_huge.pth')}"
    open_clip = f"open_clip:{tiny_peers.save_open_clip(peers)[0]}"
    for name, checkpoint, count in (("ImageBind", imagebind, 17), ("OpenCLIP", open_clip, 14)):
        folder = tmp_path / name
        folder.mkdir()
        assert filled([checkpoint], folder, f"{name} here") == count
    beside = [f"{name} here={tmp_path / name / 'results.json'}" for name in ("ImageBind", "OpenCLIP")]
    done = vidal_inline("evaluate", "--csv", "--beside", beside[0], "--beside", beside[1])
    rows = [row for row in csv.DictReader(io.StringIO(done.stdout)) if row["table"] == TABLES[1]]
    systems = ["ImageBind", "LanguageBind", "ImageBind here", "OpenCLIP here", "ours"]
    assert list(dict.fromkeys(row["system"] for row in rows)) == systems
    assert sum(bool(row["value"]) for row in rows if row["system"] == "OpenCLIP here") == 8


def table(system, *arguments):
    """The cells of a system in the two tables."""
    done = vidal_inline("evaluate", "--csv", *arguments)
    assert done.returncode == 0, done.stderr
    rows = csv.DictReader(io.StringIO(done.stdout))
    return [row for row in rows if row["table"] in TABLES and row["system"].startswith(system)]


def test_an_encoder_alone_leaves_the_cells_of_the_other_open(tmp_path, clip):
    alone = encoder(tmp_path / "seen", clip, "video", "image", "depth")
    reasons = [row["reason"] for row in table("ours", "--checkpoint", alone)]
    assert sum("has no tower for" in reason for reason in reasons) == 8
