"""Did it help? Where a part of the data is wrong on purpose, the proxy says that leaving it out helps."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.conftest import vidal
from tests.test_train_data import caption, dataset
from tests.test_train_run import COLOURS, WORDS
from vidal.errors import UserError
from vidal.evaluate.proxy_command import proxy

CLIPS = 90


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Shard 0: pictures of a colour with its words as title, and the words of the next colour as `video`. Shard 1: the words
    of the next colour as title."""
    out = tmp_path_factory.mktemp("mixed")
    for shard in (0, 1):
        rows = []
        for number in range(CLIPS):
            own, other = WORDS[number % 6], WORDS[(number + 1) % 6]
            texts = [caption("title", f"{other if shard else own}, {number}")]
            if not shard:
                texts.append(caption("video", f"{other}, as seen {number}"))
            rows.append({"clip_id": f"{shard}-{number}", "captions": texts, "similarity": 0.1 if shard else 0.4})
        dataset(out, rows, shard)
        for number in range(CLIPS):
            for path in (out / "_media" / f"{shard}-{number}").iterdir():
                noise = np.random.default_rng([shard, number, int(path.stem)]).integers(0, 20, (40, 40, 3))
                picture = (np.array(COLOURS[number % 6]) * 0.9 + noise).clip(0, 255).astype(np.uint8)
                Image.fromarray(picture).save(path)
    return str(out)


@pytest.mark.parametrize(
    ("arguments", "helps", "clips"),
    [
        (("--shard", "1"), False, True),
        (("--view", "video"), False, False),
        (("--filter", "similarity_min=0.2"), True, True),
    ],
)
def test_what_is_wrong_on_purpose_does_not_help(mixed, arguments, helps, clips):
    done = vidal("proxy", "--data", mixed, *arguments, "--seeds", "3", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    change, spread = found["metrics"]["R@5"]["change"], found["metrics"]["R@5"]["spread"]
    assert (change > 0) is helps and abs(change) > spread, found
    assert (found["clips_with"] != found["clips_without"]) is clips


def test_what_cannot_be_compared_is_refused(mixed):
    for arguments, said in (
        (("--shard", "7"), "no clip of shard 7"),
        (("--view", "poems"), "no text of 'poems'"),
        (("--filter", "beauty_min=1"), "name of a score"),
        (("--filter", "similarity_min=0.01"), "nothing to compare"),
        (("--filter", "similarity_min=0.9"), "held out"),
    ):
        with pytest.raises(UserError, match=said):
            proxy.main(["--data", mixed, *arguments], standalone_mode=False)
    done = vidal("proxy", "--data", mixed)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "say one of" in done.stderr
