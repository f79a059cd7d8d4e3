"""Evaluates an encoder by zero-shot retrieval and classification, and a dataset by a small encoder that is trained on it."""
