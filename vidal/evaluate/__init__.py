"""Zero-shot retrieval and classification, and the readers of the benchmarks that the paper's tables hold."""
