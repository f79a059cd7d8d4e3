"""Writes the report of a term database: a self-contained HTML page, and a plot."""

from __future__ import annotations

import io
from collections import Counter

import jinja2

from vidal.storage.storage import Storage
from vidal.terms.build import Summary, read_summary

PAGE, PLOT = "report.html", "rank_frequency.svg"
TOP = 25


def report(storage: Storage) -> None:
    """Writes report.html, which contains the plot, and rank_frequency.svg, the plot alone."""
    summary = read_summary(storage)
    plot = rank_frequency(summary)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("vidal.terms", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("report.html.j2").render(
        summary=summary,
        head=summary.head(),
        sources=_sources(summary),
        pos=_pos(summary),
        top=_top(summary),
        tail=[keyword for keyword, _, _ in summary.after[-TOP:]],
        missing=_missing(summary),
        plot=plot[plot.index("<svg") :],
    )
    storage.write(PLOT, plot.encode())
    storage.write(PAGE, page.encode())


def rank_frequency(summary: Summary) -> str:
    """Returns a plot as SVG: how large a share of the texts contains each keyword. The most frequent keyword comes first.

    One curve counts all texts, and the other only the terms of the balanced database.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    with matplotlib.style.context({"svg.hashsalt": "vidal", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 4.2), layout="constrained")
        axes = figure.subplots()
        for label, ranked, total in (
            ("all texts", summary.before, summary.distinct),
            ("the database", summary.after, summary.terms),
        ):
            shares = [count / max(1, total) for _, _, count in ranked]
            axes.loglog(range(1, len(shares) + 1), shares, label=f"{label}: {total:,} with {len(shares):,} keywords")
        axes.set(xlabel="rank of the keyword", ylabel="share of the terms that contain it")
        axes.grid(alpha=0.3)
        axes.legend()
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _sources(summary: Summary) -> list[tuple[str, int, int]]:
    return [(source, count, summary.by_source.get(source, 0)) for source, count in summary.read.items()]


def _pos(summary: Summary) -> list[tuple[str, int, int]]:
    before, after = (Counter(pos for _, pos, _ in ranked) for ranked in (summary.before, summary.after))
    return [(pos, before[pos], after[pos]) for pos in sorted(before)]


def _top(summary: Summary) -> list[tuple[str, str, int, int]]:
    after = {(keyword, pos): count for keyword, pos, count in summary.after}
    return [(keyword, pos, count, after.get((keyword, pos), 0)) for keyword, pos, count in summary.before[:TOP]]


def _missing(summary: Summary) -> list[tuple[str, int]]:
    """Returns (keyword, number of texts that contain it) for the most frequent keywords that no term of the database contains."""
    have = {(keyword, pos) for keyword, pos, _ in summary.after}
    return [(keyword, count) for keyword, pos, count in summary.before if (keyword, pos) not in have][:TOP]
