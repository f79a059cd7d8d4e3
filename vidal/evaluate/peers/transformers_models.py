"""Opens models of the library transformers, with their processors, to use them as peers (encoders of other projects)."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoConfig, AutoModel, AutoProcessor
from transformers.utils import logging

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.evaluate.peers import KINDS
from vidal.evaluate.peers.parts import require_weights
from vidal.models.availability import CheckpointWeights
from vidal.models.strict_loading import from_pretrained
from vidal.models.weights import transformers_source

WEIGHTS = CheckpointWeights()


def open_model(kind: str, id_: str, device: torch.device, model_class: Any = AutoModel) -> tuple[ModelSpec, Any, Any]:
    """Returns the spec, the model and the processor of a model. kind: a key of KINDS. id_: a hub id or a folder.

    Raises UserError if the weights are unavailable, incomplete or of a wrong shape, or if the model is of another kind.
    """
    logging.disable_progress_bar()
    spec = ModelSpec(adapter=kind, id=id_, device=str(device))
    require_weights(spec, WEIGHTS)
    source, arguments = transformers_source(spec)
    try:
        _require_kind(kind, id_, AutoConfig.from_pretrained(source, **arguments).model_type)
        processor = AutoProcessor.from_pretrained(source, **arguments)
        model = from_pretrained(model_class, source, **arguments).to(device).eval()
    except (OSError, ValueError) as error:
        raise UserError(f"--checkpoint {kind}:{id_}: {' '.join(str(error).split())[:300]}") from error
    return spec, model, processor


def _require_kind(kind: str, id_: str, model_type: str) -> None:
    if model_type in KINDS[kind].model_types:
        return
    other = next((name for name, each in KINDS.items() if model_type in each.model_types), None)
    remedy = f"name it {other}:{id_}" if other else f"choose a model of type {' or '.join(KINDS[kind].model_types)}"
    raise UserError(f"--checkpoint {kind}:{id_}: the model has type {model_type}: {remedy}")
