"""Unpacks GGUF files into folders of safetensors: transformers reads these in a second, but a GGUF file in half a minute."""

from __future__ import annotations

import copy
from importlib.metadata import version
from pathlib import Path

from vidal import ids
from vidal.storage import machine_cache

# Raise this with any change to the output of _unpack.
_VERSION = 1


def unpack_gguf(folder: Path, file: str) -> Path:
    """Returns a folder with the file's tokenizer, configuration and float32 weights, in the cache of this machine. It is written once.

    folder, file: the folder and the name of the GGUF file. Raises OSError or ValueError if transformers cannot read the file, and
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
    # The weights are now float32, but transformers refuses to save a model whose configuration says that it is quantized.
    config.__dict__.pop("quantization_config", None)
    plain = type(read)(config)
    plain.load_state_dict(read.state_dict())
    plain.generation_config = read.generation_config
    plain.save_pretrained(target)
