"""The paper's recipe end to end: each model id is replaced by a tiny checkpoint of the same class, so every adapter of it has run."""

import json

import pandas as pd
import pytest

from tests.stages.test_similarity import save_open_clip_clip
from tests.support import tiny_talkers as talkers
from tests.support.inline import vidal_inline
from tests.support.tiny_models import save_depth, save_munit
from vidal.config.base import ModelSpec
from vidal.models.registry import CAPTIONERS, DEPTH, REWRITERS, open_model, why_unavailable
from vidal.sources.embedded.media import build_media


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    root = tmp_path_factory.mktemp("tiny")
    folders = {name: root / name for name in ("clip", "glpn", "blip", "smolvlm", "chat")}
    for folder in folders.values():
        folder.mkdir()
    save_open_clip_clip(folders["clip"])
    save_depth("glpn", folders["glpn"])
    talkers.save_blip(folders["blip"])
    talkers.save_smolvlm(folders["smolvlm"])
    talkers.save_chat(folders["chat"])
    infrared = save_munit(root / "munit.pt")
    return {**{name: str(folder) for name, folder in folders.items()}, "munit": infrared.model_dump(exclude_none=True)}


def test_the_papers_recipe_builds_a_shard(checkpoints, serve_folder, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    for name in ("cat", "coffee"):
        (site / f"{name}.mp4").write_bytes((build_media() / f"{name}.mp4").read_bytes())
    base = serve_folder(site)
    (tmp_path / "clips.csv").write_text(
        f"url,title\n{base}/cat.mp4,A cat #cat\n{base}/coffee.mp4,An espresso #coffee\n"
    )
    plain = {"similarity.model": "clip", "depth.model": "glpn", "captions.keyframe": "blip", "captions.video": "smolvlm",
             "captions.sound": "smolvlm", "enhanced.model": "chat"}  # fmt: skip
    sets = [f"{role}.id={json.dumps(checkpoints[name])}" for role, name in plain.items()]
    sets += [
        f"infrared.model={json.dumps(checkpoints['munit'])}",
        "filters.similarity_min=null",
        "crawl.requests_per_s=50",
    ]
    # One machine without a GPU: fewer processes than the cluster recipe asks for.
    lean = {name: {"cpus": 0.2} for name in ("crawl", "keyframes", "similarity")}
    stages = (
        "depth",
        "infrared",
        "audio",
        "captions",
        "sound",
        "enhanced",
        "grounding",
        "manifest",
        "measure",
        "filter",
    )
    sets.append(f"resources={json.dumps({**lean, **{name: {'fuse': True} for name in stages}})}")
    arguments = [argument for each in sets for argument in ("--set", each)]
    arguments += ["--catalogue", str(tmp_path / "clips.csv"), "--allow-host", "127.0.0.1"]
    done = vidal_inline("build-shard", "0", "--recipe", "vidal10m", "--out", str(tmp_path / "out"), *arguments)
    assert done.returncode == 0, done.stderr + _failures(tmp_path / "out")
    rows = pd.read_parquet(tmp_path / "out")
    assert len(rows) == 2 and set(rows.depth_kind) == {"metric"}
    assert rows.depth_model.str.startswith("glpn@").all() and rows.infrared_model.str.startswith("munit").all()
    assert rows.depth_paths.map(len).tolist() == rows.infrared_paths.map(len).tolist() == [8, 8]
    ledger = pd.read_parquet(tmp_path / "out" / "_ledger")
    views = ledger[ledger.subject == "view"].groupby("view").status.agg(set).to_dict()
    assert {view for view, status in views.items() if status == {"kept"}} >= {
        "title",
        "hashtags",
        "keyframe",
        "depth",
        "infrared",
    }
    # Random weights write noise: the guard may refuse it, but each of the three has been asked, and nothing failed.
    assert not (ledger.status == "failed").any()
    asked = {c["model"] for captions in rows.captions for c in captions}
    assert checkpoints["blip"] in asked
    assert (
        ledger[ledger.view.isin(["video", "sound", "enhanced"])]
        .reason.isin(
            ["ok", "nothing_recognised", "empty_rewrite", "malformed_rewrite", "off_caption", "unsupported_rewrite"]
        )
        .all()
    )
    answers = [
        line for file in (tmp_path / "out" / "_cache").rglob("*.jsonl") for line in file.read_text().splitlines()
    ]
    assert len(answers) == 8  # Four models, two clips.
    done = vidal_inline("validate", str(tmp_path / "out"))
    assert done.returncode == 0, done.stdout


def test_a_tiny_qwen_vl_sees_all_frames_of_a_video(tmp_path):
    import numpy as np
    from PIL import Image

    images = [Image.fromarray(np.random.default_rng(i).integers(0, 255, (48, 64, 3), np.uint8)) for i in range(3)]
    options = {"generate": {"max_new_tokens": 6}}
    spec = ModelSpec(adapter="transformers", id=talkers.save_qwen_vl(tmp_path), device="cpu", options=options)
    adapter = open_model(CAPTIONERS, spec)
    seen = []
    encode = adapter._processor.apply_chat_template
    adapter._processor.apply_chat_template = lambda chat, **more: seen.append(chat) or encode(chat, **more)
    assert len(adapter.caption_frames(images, "Describe")) == 3 and isinstance(
        adapter.caption_video(images, "Describe"), str
    )
    assert [sum(part["type"] == "image" for part in chat[0]["content"]) for chat in seen] == [1, 1, 1, 3]
    assert seen[-1][0]["content"][-1] == {"type": "text", "text": "Describe"}


def test_a_model_of_another_kind_is_refused_before_any_work(checkpoints, tmp_path):
    spec = ModelSpec(adapter="transformers", id=checkpoints["glpn"])
    assert why_unavailable(CAPTIONERS, spec) == "is a glpn model, not a captioner or vision-language model"
    assert why_unavailable(REWRITERS, spec) == "is a glpn model, not a language model"
    assert why_unavailable(DEPTH, spec) is None
    (tmp_path / "empty").mkdir()
    assert "not a model that transformers can read" in str(
        why_unavailable(DEPTH, ModelSpec(adapter="transformers", id=str(tmp_path / "empty")))
    )
    override = f"captions.video={{adapter: transformers, id: {checkpoints['glpn']}}}"
    done = vidal_inline("build-shard", "0", "--out", str(tmp_path / "out"), "--set", override)
    assert done.returncode == 2 and "not a captioner" in done.stderr and not (tmp_path / "out").exists()


def _failures(out):
    ledger = pd.read_parquet(out / "_ledger")
    failed = ledger[ledger.status == "failed"]
    return "\n".join(f"{row.stage} {row.view} {row.reason} {row.detail}" for row in failed.itertuples())
