"""Answers of servers become outcomes with a reason."""

import pytest

from vidal.net.errors import classify_status, parse_retry_after
from vidal.schema import Reason


def test_statuses_become_typed_outcomes():
    assert (classify_status(404, "").reason, classify_status(404, "").transient) == (Reason.HTTP_404, False)
    assert (classify_status(429, "").reason, classify_status(429, "").transient) == (Reason.RATE_LIMITED, True)
    assert (classify_status(503, "").reason, classify_status(503, "").transient) == (Reason.HTTP_5XX, True)
    assert classify_status(418, "").reason is Reason.HTTP_4XX


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("soon", None), (None, None), ("-1", None)])
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert parse_retry_after(header) == seconds
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
