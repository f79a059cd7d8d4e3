"""Retrieval: equal to a plain loop, fair to ties, and exact in bounded memory."""

import itertools
import resource
import sys

import numpy as np
import pytest

from vidal.evaluate.classification import accuracy, mean_average_precision
from vidal.evaluate.joint import joint
from vidal.evaluate.retrieval import retrieve


def unit(values):
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def plain(queries, gallery, query_groups, gallery_groups, k):
    """Expected recall and ranks over every order of those that are tied, counted one by one."""
    recalls, ranks = [], []
    for query, group in zip(queries, query_groups, strict=True):
        scores = [round(float(np.dot(query.astype(np.float64), each)), 6) for each in gallery]
        best = max(score for score, other in zip(scores, gallery_groups, strict=True) if other == group)
        above = sum(score > best for score in scores)
        tied = [other == group for score, other in zip(scores, gallery_groups, strict=True) if score == best]
        places = [above + order.index(True) + 1 for order in itertools.permutations(tied)]
        recalls.append(np.mean([place <= k for place in places]))
        ranks.append(np.mean(places))
    return np.mean(recalls), np.median(ranks), np.mean(ranks)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_a_plain_loop(seed):
    """Several captions a clip, and copies among them, whose scores are tied."""
    generator = np.random.default_rng(seed)
    gallery = unit(generator.normal(size=(40, 8)))
    gallery[generator.choice(40, 5)] = gallery[0]
    queries = np.concatenate([unit(generator.normal(size=(57, 8))), gallery[:3]])
    gallery_groups = generator.permutation(np.arange(40) // 2)
    query_groups = generator.integers(0, 20, 60)
    found = retrieve(queries, gallery, query_groups, gallery_groups)
    for k in (1, 5, 10):
        recall, median, mean = plain(queries, gallery, query_groups, gallery_groups, k)
        assert found.recall[k] == pytest.approx(recall)
        assert (found.median_rank, found.mean_rank) == (pytest.approx(median), pytest.approx(mean))
    assert (found.queries, found.candidates) == (60, 40)


def test_an_encoder_that_says_the_same_of_all_is_as_good_as_chance():
    same = unit(np.ones((50, 4)))
    found = retrieve(same, same, np.arange(50), np.arange(50))
    assert found.recall[1] == pytest.approx(1 / 50) and found.recall[10] == pytest.approx(10 / 50)
    assert found.median_rank == found.mean_rank == pytest.approx(25.5)
    labels = np.arange(50) % 5
    told = accuracy(np.zeros((50, 10)), labels)
    assert (told["top1"], told["top5"]) == (pytest.approx(0.1), pytest.approx(0.5))


def test_chunks_change_nothing(monkeypatch):
    generator = np.random.default_rng(1)
    gallery, queries = unit(generator.normal(size=(700, 16))), unit(generator.normal(size=(300, 16)))
    groups = (generator.integers(0, 30, 300), np.arange(700) % 30)
    whole = retrieve(queries, gallery, *groups)
    for name, size in (("_ROWS", 7), ("_COLUMNS", 64), ("_PAIRS", 50)):
        monkeypatch.setattr(f"vidal.evaluate.retrieval.{name}", size)
    assert retrieve(queries, gallery, *groups) == whole


def test_a_query_without_an_answer_is_an_error():
    one = unit(np.ones((1, 2)))
    with pytest.raises(ValueError, match="query 0"):
        retrieve(one, one, np.array([1]), np.array([2]))


def test_joined_vectors_and_precision_by_hand():
    one, other = unit(np.array([[1.0, 0.0]])), unit(np.array([[0.0, 2.0]]))
    assert joint([(one * 5, 3.0), (other, 4.0)])[0] == pytest.approx([0.6, 0.8])
    scores = np.array([[0.9, 0.1], [0.8, 0.7], [0.3, 0.6]])
    found = mean_average_precision(scores, [(0,), (1,), (0, 1)])
    assert found["mAP"] == pytest.approx(((1 + 2 / 3) / 2 + (1 + 1) / 2) / 2)


@pytest.mark.slow
def test_a_hundred_thousand_by_as_many_stay_within_memory():
    """10 000 000 000 scores: 40 GB, were they kept."""
    generator = np.random.default_rng(0)
    gallery = unit(generator.normal(size=(100_000, 64)))
    queries = unit(gallery + generator.normal(size=gallery.shape) * 0.05)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = retrieve(queries, gallery, np.arange(100_000), np.arange(100_000))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * (1 if sys.platform == "darwin" else 1024)
    assert grown < 1e9 and found.recall[1] > 0.9
