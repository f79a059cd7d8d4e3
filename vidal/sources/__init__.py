"""Sources find candidates: videos and sounds that may enter a dataset. Each source is in its own file, with its settings."""
