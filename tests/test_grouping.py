"""Tests of a file run in one process of several, so that what they share is built once."""

from __future__ import annotations

import pytest


def test_tests_of_a_file_are_one_group(request: pytest.FixtureRequest) -> None:
    """Where pytest is too new for its plugin, groups are ignored without a word."""
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("all tests run in this process")
    assert request.node.nodeid.endswith("@test_grouping.py")
