"""The contrastive trainer. It sees nothing of the builder but its manifests."""
