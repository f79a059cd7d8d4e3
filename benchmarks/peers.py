"""The peers that benchmarks/parity.py compares with, and LanguageBind's public source, which is a checkout and no package.

LanguageBind's code was written for libraries of 2023. What these have since dropped or changed is put back under its old name, and
packages that are absent, and that no comparison calls, are replaced by empty modules.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from tests.conftest import SHARED

LANGUAGEBIND, ENVIRONMENT = "LanguageBind", "VIDAL_LANGUAGEBIND"
_UNUSED = ("decord", "pytorchvideo", "pytorchvideo.data", "pytorchvideo.data.encoded_video", "pytorchvideo.transforms")


class CannotCompare(Exception):
    """A peer or a file is absent. The message says which."""


@dataclass(frozen=True)
class Comparison:
    """what: is compared. peer: the distribution, or LanguageBind. difference: returns the largest absolute difference.

    `difference` raises CannotCompare where the peer or a file is absent.
    """

    what: str
    peer: str
    bound: float
    difference: Callable[[], float]

    def measure(self) -> float:
        """Returns the difference, without the peers' warnings about their own code."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.difference()


def peer(name: str) -> Any:
    """Imports a module of an installed package. Raises CannotCompare."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ImportError as error:
        raise CannotCompare(f"not installed: {error.name or name}") from error


def shared(pattern: str, count: int | None = None) -> list[Path]:
    """Returns the first files of the shared material that match. Raises CannotCompare if there are none."""
    paths = sorted(SHARED.glob(pattern))[:count]
    if not paths:
        raise CannotCompare(f"no {pattern} in the shared material (VIDAL_SHARED_DATA)")
    return paths


def languagebind(name: str = "languagebind") -> Any:
    """Imports a module of LanguageBind's repository, such as "vl_ret.metrics". Raises CannotCompare."""
    folder = str(_checkout())
    if folder not in sys.path:
        sys.path.append(folder)  # Last, because the repository has a copy of open_clip.
    if name in sys.modules:
        return sys.modules[name]
    with _libraries_of_2023():
        module = peer(name)
    if name == "languagebind":
        # Its sounds use the embeddings of transformers, which now refuse pictures that are not square. Its videos have the old ones.
        module.audio.modeling_audio.CLIPVisionEmbeddings = module.video.modeling_video.CLIPVisionEmbeddings
    return module


def languagebind_file(path: str) -> Any:
    """Loads a single file of the repository, where an installed package hides its name. Raises CannotCompare."""
    spec = importlib.util.spec_from_file_location(f"languagebind_{Path(path).stem}", _checkout() / path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _checkout() -> Path:
    folder = os.environ.get(ENVIRONMENT)
    if folder and (Path(folder) / "languagebind" / "__init__.py").is_file():
        return Path(folder)
    found = importlib.util.find_spec("languagebind")
    if found and found.origin:
        return Path(found.origin).parents[1]
    raise CannotCompare(f"not installed: LanguageBind ({ENVIRONMENT} names a checkout of it)")


@contextlib.contextmanager
def _libraries_of_2023() -> Iterator[None]:
    """Puts the old names back while LanguageBind is imported. Other code gets transformers as it is."""
    from transformers.models.clip import modeling_clip

    for name in (*_UNUSED, "torchaudio"):
        if not _is_installed(name):
            sys.modules.setdefault(name, _Empty(name))
    torchaudio = peer("torchaudio")
    if not hasattr(torchaudio, "set_audio_backend"):
        torchaudio.set_audio_backend = lambda name: None
    attention = modeling_clip.CLIPAttention
    modeling_clip.CLIPAttention = _two_masks(attention)
    modeling_clip._expand_mask, modeling_clip.clip_loss = _expand_mask, None
    try:
        yield
    finally:
        modeling_clip.CLIPAttention = attention
        del modeling_clip._expand_mask, modeling_clip.clip_loss


def _is_installed(name: str) -> bool:
    name = name.partition(".")[0]
    if name in sys.modules:
        return not isinstance(sys.modules[name], _Empty)
    return importlib.util.find_spec(name) is not None


class _Empty(ModuleType):
    """A module of any names, for imports of what is never called."""

    def __init__(self, name: str):
        super().__init__(name)
        self.__path__: list[str] = []
        self.__spec__ = ModuleSpec(name, None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Empty(f"{self.__name__}.{name}")

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self


def _expand_mask(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Returns (n, 1, t, t): 0 where a token is attended to, else the least number. mask: (n, t), 1 or 0. As transformers 4.30."""
    inverted = 1 - mask[:, None, None, :].expand(-1, 1, mask.shape[1], -1).to(dtype)
    return inverted.masked_fill(inverted.bool(), torch.finfo(dtype).min)


def _two_masks(attention: type) -> type:
    """Returns CLIP's attention with the arguments that it had in transformers 4.30: the causal mask is one of its own."""

    class TwoMasks(attention):  # type: ignore[misc, valid-type]
        def forward(
            self, hidden_states: Any, attention_mask: Any = None, causal_attention_mask: Any = None, **more: Any
        ) -> Any:
            masks = [mask for mask in (attention_mask, causal_attention_mask) if mask is not None]
            return super().forward(hidden_states, sum(masks) if masks else None)

    return TwoMasks
