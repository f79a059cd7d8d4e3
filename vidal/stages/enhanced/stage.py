"""Enhanced captions: a language model rewrites the video's caption. A rewrite that mentions something new is rejected or flagged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from vidal import schema
from vidal.config.recipe import Recipe
from vidal.errors import UserError
from vidal.models.protocols import Answer, Rewriter, Scorer
from vidal.models.registry import REWRITERS, SCORERS, open_model
from vidal.models.weights import SENTENCES, package_version
from vidal.pipeline.stage import ModelUse, Output, Runtime, Stage, ViewOutcome
from vidal.records import Clip, EnhancedRow
from vidal.schema import Reason, Status, Subject, View
from vidal.stages import prompts
from vidal.stages.captions.stage import caption_of, has_imported
from vidal.stages.enhanced.rewrite_checks import gives_orders, is_about, malformed, support, tells, unsupported
from vidal.stages.response_cache import ResponseCache
from vidal.storage.storage import Storage
from vidal.terms import tagging

if TYPE_CHECKING:
    from vidal.models.synonyms import Synonyms

_FIELDS = frozenset({"title", "caption"})
_BASES = (View.VIDEO, View.TITLE)


@dataclass(frozen=True)
class Prompt:
    system: str
    examples: list[tuple[str, str]]
    template: str
    text: str


def read_prompt(name: str) -> Prompt:
    """Reads the YAML file of a prompt. name: a path if it has a slash, else the name of a file in pipelines/prompts.

    Raises UserError if the file is missing, if it lacks one of the keys system, examples and template, or if it has a placeholder
    other than {title} and {caption}.
    """
    text = prompts.read(name, _FIELDS)
    try:
        sections = yaml.safe_load(text)
        examples = [(str(question), str(answer)) for question, answer in sections["examples"]]
        return Prompt(str(sections["system"]), examples, str(sections["template"]), text)
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"prompt {name}: must be YAML with the keys system, examples (a list of pairs) and template"
        ) from error


def _empty(clip: Clip) -> EnhancedRow:
    return {"clip_id": clip["clip_id"], "enhanced": [], "tokens_in": 0, "tokens_out": 0}


def _synonyms(cosine_min: float | None) -> Synonyms | None:
    if not cosine_min:
        return None
    from vidal.models.synonyms import Synonyms  # Imports torch, which a process that rewrites nothing does not need.

    return Synonyms(cosine_min)


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._settings = recipe.enhanced
        self._prompt = read_prompt(recipe.enhanced.prompt)
        spec = recipe.enhanced.model
        if spec is None:
            return
        self._rewriter: Rewriter = open_model(REWRITERS, spec)
        self._cache = ResponseCache(recipe, storage, REWRITERS, spec, self._rewriter.revision)
        self._synonyms = _synonyms(recipe.enhanced.synonym_min)
        self._scorer: Scorer | None = (
            None if recipe.enhanced.seen_min is None else open_model(SCORERS, recipe.similarity.model)
        )

    def __call__(self, clip: Clip) -> Output:
        if self._settings.model is None and has_imported(clip, View.ENHANCED):
            return Output([_empty(clip)], (ViewOutcome(View.ENHANCED, Status.KEPT, detail="imported"),))
        if self._settings.model is None:
            return _without(clip, Reason.NO_MODEL, "the recipe names no rewriter: set enhanced.model")
        # The rewriter prefers texts of this recipe's models to those that came with a catalogue.
        shown = [each for each in reversed(clip["captions"]) if each["text"] and not gives_orders(each["text"])]
        texts = {each["view"]: each["text"] for each in shown}
        title = clip["title"] or ""
        if gives_orders(title):
            title = texts[View.TITLE.value] = ""
        base = next((texts[view.value] for view in _BASES if texts.get(view.value)), None)
        if base is None:
            return _without(
                clip,
                Reason.NO_BASE_CAPTION,
                "no text can be rewritten: the clip has no video caption or title, or these texts give orders to a model",
            )
        answer = self._ask(self._prompt.template.format(title=_data(title), caption=_data(base)))
        text = " ".join(answer.text.split())
        if fault := self._fault(text, base, title):
            return _without(clip, *fault, answer)
        supports = support(self._synonyms, self._seen(clip))
        views = [each["text"] for each in clip["captions"] if each["view"] != View.ENHANCED.value]
        invented = unsupported(text, views, self._settings.guard_tagger, supports)
        if invented and self._settings.reject_unsupported:
            return _without(
                clip,
                Reason.UNSUPPORTED_REWRITE,
                f"neither other views nor the pictures support {', '.join(invented)}: {text}",
                answer,
            )
        rewrite = caption_of(
            View.ENHANCED,
            text,
            model=self._rewriter.name,
            revision=self._rewriter.revision,
            prompt_sha256=prompts.digest(self._prompt.text),
            flags=("unsupported",) if invented else (),
        )
        outcome = ViewOutcome(View.ENHANCED, Status.KEPT, attempts=answer.attempts)
        return Output([{**_empty(clip), **_tokens(answer), "enhanced": [rewrite]}], (outcome,))

    def _ask(self, filled: str) -> Answer:
        prompt = self._prompt

        def rewrite() -> dict[str, object]:
            return asdict(self._rewriter.rewrite(prompt.system, prompt.examples, filled))

        return Answer(**self._cache.get(prompt.text, filled, rewrite))

    def _fault(self, text: str, base: str, title: str) -> tuple[Reason, str] | None:
        """Checks the model's text. Returns why it is rejected, as (reason, detail), or None if it passes.

        The text is rejected if it is empty, malformed, or about something else than `base` and `title`. base: the text that the model
        was asked to rewrite, which is the video's caption or its title. title: the video's title.
        """
        if not text:
            return Reason.EMPTY_REWRITE, ""
        if why := malformed(text):
            return Reason.MALFORMED_REWRITE, f"{why}: {text}"
        tagger = self._settings.guard_tagger
        if not (is_about(text, base, tagger, support(self._synonyms, None)) or tells(text, title, tagger)):
            return Reason.OFF_CAPTION, f"the rewrite names nothing of the caption, and little of the title: {text}"
        return None

    def _seen(self, clip: Clip) -> Callable[[str], bool] | None:
        """Returns a function that says whether the clip's pictures show the thing that a word names.

        Returns None if seen_min is unset, or if the clip has no embedding of its pictures.
        """
        scorer, least = self._scorer, self._settings.seen_min
        if scorer is None or least is None or not clip["embedding"]:
            return None
        vector = np.array(clip["embedding"], np.float32)
        return lambda word: float(scorer.embed_texts([word])[0] @ vector) >= least


def _without(clip: Clip, reason: Reason, detail: str, answer: Answer | None = None) -> Output:
    row = {**_empty(clip), **_tokens(answer)}
    return Output([row], (ViewOutcome(View.ENHANCED, Status.DROPPED, reason, detail),))


def _tokens(answer: Answer | None) -> dict[str, int]:
    return {"tokens_in": answer.tokens_in, "tokens_out": answer.tokens_out} if answer else {}


def _data(text: str | None) -> str:
    """Returns at most 300 characters of a crawled text, on one line, changed so that it cannot start a new chat message."""
    return " ".join((text or "").replace("<|", "< |").split())[:300]


def _settings(recipe: Recipe) -> Any:
    """Returns the settings that affect the output. The number of simultaneous requests does not."""
    if recipe.enhanced.model is None:
        return None
    scorer = recipe.similarity.model.model_dump(mode="json") if recipe.enhanced.seen_min is not None else None
    settings = recipe.enhanced.model_dump(mode="json", exclude={"concurrency"})
    weights = [tagging.identity(recipe.enhanced.guard_tagger)]
    if recipe.enhanced.synonym_min:
        weights.append(package_version(SENTENCES))
    return [settings, read_prompt(recipe.enhanced.prompt).text, scorer, weights]


def _models(recipe: Recipe) -> list[ModelUse]:
    scorer = recipe.similarity.model if recipe.enhanced.seen_min is not None else None
    return [ModelUse("", REWRITERS, recipe.enhanced.model), ModelUse("scorer", SCORERS, scorer)]


STAGE = Stage(
    name="enhanced",
    version=1,
    subject=Subject.CLIP,
    reads=("captions", "crawl", "similarity", "keyframes"),
    schema=schema.ENHANCED,
    open=_Worker,
    settings=_settings,
    models=_models,
    views=lambda clip: (View.ENHANCED,),
    empty=_empty,
    concurrency=lambda recipe: recipe.enhanced.concurrency,
)
