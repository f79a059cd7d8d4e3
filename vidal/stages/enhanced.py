"""Enhanced captions: a language model rewrites the video's caption; what names a thing that no other view names is rejected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from vidal import prompts, schema
from vidal.config import Recipe
from vidal.errors import UserError
from vidal.models import REWRITERS, Rewriter, open_model
from vidal.schema import Reason, Status, Subject, View
from vidal.stage import Output, Record, Runtime, Stage, ViewOutcome
from vidal.stages.captions import caption
from vidal.stages.guard import unsupported
from vidal.storage import Storage

_FIELDS = frozenset({"title", "caption"})
_BASES = (View.VIDEO, View.TITLE)


@dataclass(frozen=True)
class Prompt:
    system: str
    examples: list[tuple[str, str]]
    template: str
    text: str


def read_prompt(name: str) -> Prompt:
    """Raises UserError where a key is missing or nothing fills a placeholder."""
    text = prompts.read(name, _FIELDS)
    found = yaml.safe_load(text)
    try:
        examples = [(str(question), str(answer)) for question, answer in found["examples"]]
        return Prompt(str(found["system"]), examples, str(found["template"]), text)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"prompt {name}: needs system, examples (pairs) and template") from error


def _empty(clip: Record) -> Record:
    return {"clip_id": clip["clip_id"], "enhanced": []}


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._settings = recipe.enhanced
        self._rewriter: Rewriter | None = (
            open_model(REWRITERS, recipe.enhanced.model) if recipe.enhanced.model else None
        )
        self._prompt = read_prompt(recipe.enhanced.prompt)

    def __call__(self, clip: Record) -> Output:
        if self._rewriter is None:
            return self._without(clip, Reason.NO_MODEL, "the recipe names no rewriter")
        texts = {each["view"]: each["text"] for each in reversed(clip["captions"]) if each["text"]}
        base = next((texts[view.value] for view in _BASES if view.value in texts), None)
        if base is None:
            return self._without(clip, Reason.NO_BASE_CAPTION, "neither a video caption nor a title")
        filled = self._prompt.template.format(title=_data(clip["title"]), caption=_data(base))
        text = " ".join(self._rewriter.rewrite(self._prompt.system, self._prompt.examples, filled).split())
        if not text:
            return self._without(clip, Reason.EMPTY_REWRITE, "")
        invented = unsupported(text, [each["text"] for each in clip["captions"]], self._settings.guard_tagger)
        if invented and self._settings.reject_unsupported:
            return self._without(clip, Reason.UNSUPPORTED_REWRITE, f"{', '.join(invented)} in: {text}")
        flags = ("unsupported",) if invented else ()
        made = caption(
            View.ENHANCED,
            text,
            model=self._rewriter.name,
            revision=self._rewriter.revision,
            prompt_sha256=prompts.digest(self._prompt.text),
            flags=flags,
        )
        return Output([{"clip_id": clip["clip_id"], "enhanced": [made]}], (ViewOutcome(View.ENHANCED, Status.KEPT),))

    def _without(self, clip: Record, reason: Reason, detail: str) -> Output:
        return Output([_empty(clip)], (ViewOutcome(View.ENHANCED, Status.DROPPED, reason, detail),))


def _data(text: str | None) -> str:
    """Crawled text as one short line: it cannot open a new turn of the chat."""
    return " ".join((text or "").replace("<|", "< |").split())[:300]


def _settings(recipe: Recipe) -> Any:
    return [recipe.enhanced.model_dump(mode="json"), read_prompt(recipe.enhanced.prompt).text]


STAGE = Stage(
    name="enhanced",
    subject=Subject.CLIP,
    reads=("captions", "crawl"),
    schema=schema.ENHANCED,
    open=_Worker,
    settings=_settings,
    module=__name__,
    code=("vidal.stages.guard", "vidal.models.rewriter", "vidal.terms.tagging"),
    views=lambda clip: (View.ENHANCED,),
    empty=_empty,
)
