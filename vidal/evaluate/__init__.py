"""Measures an encoder by retrieval and classification without training it on the task, and a dataset by a small encoder trained on it."""
