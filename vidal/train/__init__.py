"""The contrastive trainer. It reads manifests and nothing else of the builder."""
