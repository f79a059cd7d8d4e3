import pytest

from vidal.stages.guard import unsupported

VIEWS = ["A tabby cat sits on the sofa", "#cat #sofa", "a photo of a cat and a couch", "a video of a cat"]


@pytest.mark.parametrize(
    "rewrite",
    [
        "A cat sits on a sofa.",
        "The tabby cat is sitting on the couch.",
        "A video of a cat and a couch.",
        "Cats on the sofa.",
    ],
)
def test_a_faithful_rewrite_passes(rewrite):
    assert unsupported(rewrite, VIEWS, "en_core_web_sm") == []


@pytest.mark.parametrize(
    ("rewrite", "invented"),
    [
        ("A cat and a dog sit on a sofa.", "dog"),
        ("A cat plays on the sofa.", "play"),
        ("A black cat sits on the sofa.", "black"),
        ("Two cats sit on the sofa.", "two"),
        ("Marilyn the cat sits on the sofa.", "marilyn"),
    ],
)
def test_a_rewrite_that_adds_something_is_caught(rewrite, invented):
    assert invented in unsupported(rewrite, VIEWS, "en_core_web_sm")
