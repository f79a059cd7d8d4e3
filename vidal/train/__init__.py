"""The contrastive trainer. Of a dataset it reads the manifests and the media, and nothing else that the builder writes."""
