"""What an encoder is worth without training on the task: retrieval, classification, and one modality by another."""
