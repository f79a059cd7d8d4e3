"""The numbers that are computed for a clip, and their meanings."""

from __future__ import annotations

# Scores of the stage `measure`. Shares, brightness, contrast, saturation and confidences lie in 0..1. "Frames" are the stored frames.
MEASURES = {
    "short_side_px": "short side of the video as displayed, in pixels",
    "aspect_ratio": "width divided by height, as displayed",
    "fps": "frames per second",
    "duration_s": "length of the clip in seconds",
    "brightness": "mean luma of the frames",
    "contrast": "standard deviation of the luma within a frame, mean over frames",
    "saturation": "mean HSV saturation of the frames",
    "black_share": "share of the frames that are black: 98 % of their pixels have a luma of 0.1 or less",
    "frozen_share": (
        "share of consecutive frames that are nearly identical: luma differs by under 0.005 in "
        "each of the 64 blocks of the picture"
    ),
    "motion_per_s": "optical flow, in short sides of the picture per second: mean over pixels, median over a few pairs of frames",
    "sharpness": "variance of the Laplacian (8-bit luma, short side 256), median over frames; low means blurred",
    "text_share": "share of the picture under boxes of readable text, mean over the frames that the model was given",
    "nsfw": "probability that a picture is unsafe for work, of the worst frame that the model was given",
    "aesthetic": "rating of the aesthetic head, mean over the frames that the model was given",
    "language_confidence": "confidence of the detected language of the title and hashtags",
}

# Scores of the stage `similarity`, beside the column `similarity`.
SIMILARITIES = {
    "similarity_max": "cosine of title and hashtags with the nearest frame",
    "similarity_min": "cosine of title and hashtags with the farthest frame",
    "similarity_title": "cosine of the title, without hashtags, with the frames, mean over frames",
    "similarity_hashtags": "cosine of the hashtags with the frames, mean over frames",
    "similarity_term_max": "cosine of the nearest search term with the frames, mean over frames",
}

OTHERS = {
    "similarity": "the value of the column `similarity`",
    "cuts": "number of cuts inside the clip, if the recipe has a shot detector",
}
SCORE_DIGITS = 4

# The meaning of every score. Views that are media files add their own, see vidal.config.base.ViewSettings.
MEANINGS = {**MEASURES, **SIMILARITIES, **OTHERS}


def is_score(name: str) -> bool:
    return name in MEANINGS


def round_score(value: float) -> float:
    """Rounds a score to SCORE_DIGITS digits after the decimal point, as it is stored.

    Processors add numbers in different orders. So the further digits of a score may differ from machine to machine. If those digits were
    stored, the bytes of a shard would differ too.
    """
    return round(value, SCORE_DIGITS)
