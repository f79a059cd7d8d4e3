"""The view `sound`: a sentence that describes the sound of a clip."""
