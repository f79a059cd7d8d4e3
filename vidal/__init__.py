"""vidal builds language-bound multimodal datasets, after VIDAL-10M (Zhu et al., ICLR 2024).

    report = vidal.build("embedded", "manifests/embedded", shards=0)
    dataset = vidal.open("manifests/embedded")
    encoder = vidal.load_encoder("manifests/embedded/_train/embedded/encoder")

Importing this package imports nothing heavy: each of these names is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidal.dataset.api import Report, build
    from vidal.dataset.opened import Dataset
    from vidal.dataset.opened import open_dataset as open
    from vidal.train.loading import load_encoder

__version__ = "0.1.0"
__all__ = ["Dataset", "Report", "build", "load_encoder", "open"]

_PUBLIC = {
    "Dataset": "vidal.dataset.opened:Dataset",
    "Report": "vidal.dataset.api:Report",
    "build": "vidal.dataset.api:build",
    "load_encoder": "vidal.train.loading:load_encoder",
    "open": "vidal.dataset.opened:open_dataset",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'vidal' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
