"""The part of an epoch that is left, when another number of processes continues."""

import numpy as np
import pytest

from vidal.train.window import Window


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (4, 2), (2, 4), (3, 1)])
def test_other_processes_go_on_with_the_same_samples_in_the_same_order(before, after):
    count = 24
    moved = Window().advanced(count, [12 // before] * before)
    assert moved == Window(12)
    dealt = np.stack([moved.of_process(count, rank, after) for rank in range(after)], 1).ravel()
    assert dealt.tolist() == list(range(12, 24))


def test_what_one_process_consumed_ahead_of_the_others_is_not_seen_again():
    moved = Window().advanced(12, [2, 4])  # 0, 2 and 1, 3, 5, 7.
    assert moved == Window(4, (5, 7))
    assert moved.positions(12).tolist() == [4, 6, 8, 9, 10, 11]
    assert moved.advanced(12, [2, 2]) == Window(10)


def test_an_epoch_that_is_over_leaves_nothing():
    assert Window().advanced(6, [3, 3]).positions(6).tolist() == []
