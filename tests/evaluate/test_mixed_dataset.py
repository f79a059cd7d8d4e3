"""A vidal dataset as a benchmark: its clips need not all have the same modalities."""

from dataclasses import replace

import pytest

from vidal.errors import UserError
from vidal.evaluate.benchmarks import TASKS
from vidal.evaluate.measure import require


def test_a_dataset_of_videos_and_sounds_is_measured_by_those_that_have_the_modality(embedded):
    whole = TASKS["manifest"].read(embedded)
    sizes = {}
    for query in ("video", "audio", "depth+video"):
        chosen = whole.with_modalities(query, "text")
        require(chosen, query, "text", skip_missing=False)
        sizes[query] = len(chosen.samples)
    assert 0 < sizes["depth+video"] == sizes["video"] < len(whole.samples) and 0 < sizes["audio"] < len(whole.samples)
    with pytest.raises(UserError, match=r"no sample to measure.*--query and --target \(audio\+depth, text\)"):
        require(
            replace(whole, samples=[]).with_modalities("audio+depth", "text"), "audio+depth", "text", skip_missing=False
        )
