"""Measures an encoder without training it on the task: retrieval, classification, and one modality by another."""
