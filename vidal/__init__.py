"""vidal builds language-bound multimodal datasets, after VIDAL-10M (Zhu et al., ICLR 2024)."""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """vidal.load_encoder: torch is imported by those who ask for it."""
    if name == "load_encoder":
        from vidal.train.encoder import load_encoder

        return load_encoder
    raise AttributeError(f"module 'vidal' has no attribute {name!r}")
