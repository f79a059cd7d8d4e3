"""Where candidates come from: one file a source, with its settings."""
