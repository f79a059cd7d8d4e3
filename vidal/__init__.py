"""vidal builds language-bound multimodal datasets, after VIDAL-10M (Zhu et al., ICLR 2024)."""

__version__ = "0.1.0"
