"""Unpacks GGUF files into folders of safetensors: transformers reads such a folder in a second, and the file in half a minute."""

from __future__ import annotations

import copy
from importlib.metadata import version
from pathlib import Path

from vidal import ids
from vidal.storage import machine_cache

# Raise it when you change what _unpack writes.
_VERSION = 1


def unpack_gguf(folder: Path, file: str) -> Path:
    """Returns the folder with the file's tokenizer, configuration and float32 weights, which is written once on a machine.

    folder, file: where the GGUF file is, and its name. Raises OSError or ValueError if transformers cannot read the file, and
    UserError if the cache cannot be written.
    """
    content = ids.file_sha256(folder / file)
    name = ids.fingerprint([content, version("transformers"), version("gguf"), _VERSION])[:16]
    return machine_cache.folder(f"gguf-{name}", lambda aside: _unpack(folder, file, aside))


def _unpack(folder: Path, file: str, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoTokenizer.from_pretrained(folder, gguf_file=file).save_pretrained(target)
    read = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    config = copy.deepcopy(read.config)
    # The weights are float32 now, but transformers refuses to save a model whose configuration says that it is quantized.
    config.__dict__.pop("quantization_config", None)
    plain = type(read)(config)
    plain.load_state_dict(read.state_dict())
    plain.generation_config = read.generation_config
    plain.save_pretrained(target)
