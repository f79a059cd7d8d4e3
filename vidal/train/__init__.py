"""The contrastive trainer. It reads only the manifests and the media of a dataset."""
