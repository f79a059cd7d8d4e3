"""What vidal computes is what its peers compute. Where a peer or the shared material is absent, the reason of the skip says so."""

import pytest

from benchmarks import parity
from benchmarks.peers import CannotCompare, Comparison


@pytest.mark.parametrize(
    "comparison", parity.COMPARISONS, ids=[f"{each.what} ({each.peer})" for each in parity.COMPARISONS]
)
def test_parity(comparison):
    try:
        difference = comparison.measure()
    except CannotCompare as reason:
        pytest.skip(str(reason))
    assert difference <= comparison.bound


def test_the_table_names_what_is_absent_and_fails_where_a_bound_is_exceeded(monkeypatch, capsys):
    def absent():
        raise CannotCompare("not installed: sonar")

    rows = (Comparison("near", "pytest", 0.1, lambda: 0.05), Comparison("absent", "sonar", 0.1, absent))
    monkeypatch.setattr("sys.argv", ["parity"])
    monkeypatch.setattr(parity, "COMPARISONS", rows)
    parity.main()
    printed = capsys.readouterr().out
    assert f"| near | pytest {pytest.__version__} | 0.05 | 0.1 |" in printed
    assert "| absent | sonar | not installed: sonar | 0.1 |" in printed
    monkeypatch.setattr(parity, "COMPARISONS", (*rows, Comparison("far", "pytest", 0.1, lambda: 0.2)))
    with pytest.raises(SystemExit, match="exceeded: far"):
        parity.main()
