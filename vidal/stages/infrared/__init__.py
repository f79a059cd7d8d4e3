"""The view `infrared`: an infrared picture for each frame, synthesised by a model."""
