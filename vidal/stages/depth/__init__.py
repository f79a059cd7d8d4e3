"""The view `depth`: a depth map for each frame, estimated by a model."""
