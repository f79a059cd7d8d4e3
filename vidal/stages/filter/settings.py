"""The thresholds that a clip must pass."""

from __future__ import annotations

from pydantic import ConfigDict, Field, model_validator

from vidal.config.base import Settings
from vidal.scores import is_score


class Filters(Settings):
    """Which clips stay. Beside the keys below, `<score>_min` and `<score>_max` bound any score, such as nsfw_max: 0.3;
    docs/columns.md lists the scores. A clip exactly at a bound passes, and so does a clip without the score.
    """

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())

    similarity_min: float | None = Field(default=None, ge=-1, le=1)
    """The lowest similarity of the frames with title and hashtags. It does not apply to sounds."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes of the languages that pass, such as [en]. Empty lets all pass, and a clip of unknown language always passes."""

    @model_validator(mode="after")
    def _bounds(self) -> Filters:
        for name, value in (self.model_extra or {}).items():
            if not (name.endswith(("_min", "_max")) and is_score(name[:-4])):
                raise ValueError(f"{name}: must be the name of a score (see docs/columns.md), followed by _min or _max")
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise ValueError(f"{name}: must be a number, not {value!r}")
        return self

    def bounds(self) -> dict[str, float]:
        """Returns the thresholds that are set, by name, such as similarity_min."""
        named = {"similarity_min": self.similarity_min, **(self.model_extra or {})}
        return {name: float(value) for name, value in named.items() if value is not None}
