"""Do pictures rank their own caption above others'? `python -m benchmarks.similarity_table [--recipe R] [--videos DIR]`.

DIR holds videos and an index.jsonl with `file` and `caption`. Nothing is tuned on them.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidal.config.loading import load_recipe
from vidal.config.recipe import Recipe
from vidal.media.frames import read_frames
from vidal.models.registry import SCORERS, open_model


@dataclass(frozen=True)
class Table:
    """similarities: (n, n), row i the clip, column j the caption. captions: of the clips."""

    similarities: np.ndarray
    captions: list[str]

    @property
    def matched(self) -> np.ndarray:
        return np.diag(self.similarities)

    @property
    def shuffled(self) -> np.ndarray:
        """All pairs of a clip with another's caption."""
        return self.similarities[~np.eye(len(self.captions), dtype=bool)]

    @property
    def wins(self) -> np.ndarray:
        """(n,) of each clip: the share of other captions that its own beats; a tie is half."""
        own = self.matched[:, None]
        beaten = (own > self.similarities) + 0.5 * (own == self.similarities)
        return (beaten.sum(axis=1) - 0.5) / (len(self.captions) - 1)

    @property
    def auc(self) -> float:
        """ROC AUC of matched against shuffled pairs."""
        own, others = self.matched[:, None], self.shuffled[None]
        return float(((own > others) + 0.5 * (own == others)).mean())


def table(recipe: Recipe, videos: Path) -> Table:
    rows = [json.loads(line) for line in (videos / "index.jsonl").read_text(encoding="utf-8").splitlines()]
    captions = [row["caption"] for row in rows]
    scorer = open_model(SCORERS, recipe.similarity.model)
    texts = scorer.embed_texts(captions)
    keyframes = recipe.keyframes
    found = []
    for row in rows:
        path = videos / Path(row["file"]).name
        _, images = read_frames(path, keyframes.count, keyframes.times, keyframes.short_side)
        found.append((scorer.embed_images(images) @ texts.T).mean(axis=0))
    return Table(np.array(found), captions)


def show(found: Table) -> str:
    lines = [f"{'own':>6} {'wins':>5}  caption"]
    for index in np.argsort(-found.wins, kind="stable"):
        lines.append(f"{found.matched[index]:6.3f} {found.wins[index]:5.0%}  {found.captions[index]}")
    return "\n".join(
        [
            *lines,
            f"{len(found.captions)} clips: the own caption ranks above another's in {found.wins.mean():.1%} of the pairs",
            f"ROC AUC of matched against shuffled pairs: {found.auc:.3f}",
            f"mean similarity: matched {found.matched.mean():.3f}, shuffled {found.shuffled.mean():.3f}",
        ]
    )


def main() -> None:
    shared = Path(os.environ.get("VIDAL_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="embedded")
    parser.add_argument("--videos", type=Path, default=shared / "videos")
    arguments = parser.parse_args()
    print(show(table(load_recipe(arguments.recipe), arguments.videos)))


if __name__ == "__main__":
    main()
