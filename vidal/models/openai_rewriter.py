"""Rewrites texts with any server that speaks the OpenAI protocol: vLLM, llama.cpp, `transformers serve`, or a hosted model.

A request that fails transiently is repeated after a random pause, which is at least as long as Retry-After demands. The server is not
trusted: an answer that is too long, too deeply nested or malformed fails as `bad_answer` and is not asked for again; one that takes too
long fails as `timeout`.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import httpx
import openai
import tenacity

from vidal.config.base import ModelSpec
from vidal.errors import RecordError, UserError
from vidal.models.limited_http import AnswerTooLarge, open_client
from vidal.models.protocols import Answer
from vidal.models.weights import require_id
from vidal.net.errors import parse_retry_after
from vidal.schema import Reason, encodable

KEY = "OPENAI_API_KEY"
_PROBE_S = 120  # A server may load the model first.
# Limits on an answer: a rewrite is a few sentences, and no context window has so many tokens.
_TEXT_MAX, _TOKENS_MAX = 10_000, 2**40
_BACKOFF = tenacity.wait_random_exponential(multiplier=0.5, max=8.0)


def base_url(spec: ModelSpec) -> str:
    """Returns the address of the server, without a slash at its end. Raises UserError if the spec names no http or https address."""
    url = str(spec.options.get("base_url", ""))
    if not url.startswith(("http://", "https://")):
        raise UserError(f"the openai adapter needs options.base_url, such as http://127.0.0.1:8000/v1, not {url!r}")
    return url.rstrip("/")


def api_key(spec: ModelSpec) -> str:
    """Returns the value of the environment variable that options.key names (by default OPENAI_API_KEY); "none" if it is not set."""
    return os.environ.get(str(spec.options.get("key", KEY)), "none")


def why_unavailable(spec: ModelSpec) -> str | None:
    """Returns why the server cannot be used, or None if it can be used or is only busy.

    This asks the model for one token instead of reading the server's list of models, because some servers return a wrong list.
    """
    try:
        url = base_url(spec)
        body = {"model": spec.id, "max_tokens": 1, "messages": [{"role": "user", "content": "Hello"}]}
        headers = {"Authorization": f"Bearer {api_key(spec)}"}
        with open_client(_PROBE_S) as client:
            answer = client.post(f"{url}/chat/completions", json=body, headers=headers)
    except UserError as error:
        return str(error)
    except httpx.HTTPError as error:
        why = str(error) or type(error).__name__
        return f"{url} does not answer ({why}): start the server, or correct options.base_url"
    if answer.status_code in (401, 403):
        return f"{url} refuses the key: set the environment variable {spec.options.get('key', KEY)}"
    if answer.status_code == 429 or answer.status_code >= 500:
        return None  # The server is busy or has a problem that may go away.
    try:
        answer.raise_for_status().json()["choices"][0]["message"]
    except (httpx.HTTPError, ValueError, LookupError, TypeError, RecursionError):
        reply = " ".join(answer.text.split())[:200]
        return f"{url}/chat/completions answers {answer.status_code}: {reply!r}: is this an OpenAI-compatible server with this model?"
    return None


class OpenAiRewriter:
    """A Rewriter that asks a server with OpenAI's protocol.

    options: base_url (the server's address); key (the name of the environment variable with the API key); max_tokens (of an answer);
    attempts (per text); timeout_s (seconds per attempt, until the answer has been read); total_s (seconds for all attempts together).
    """

    def __init__(self, spec: ModelSpec):
        self.name, self.revision = require_id(spec), spec.revision or "served"
        self._max_tokens = int(spec.options.get("max_tokens", 80))
        self._attempts = int(spec.options.get("attempts", 12))
        self._total_s = float(spec.options.get("total_s", 600))
        timeout_s = float(spec.options.get("timeout_s", 120))
        # openai accepts a client of httpx, but its annotation names only httpx2's.
        http: Any = open_client(min(timeout_s, self._total_s))
        self._client = openai.OpenAI(base_url=base_url(spec), api_key=api_key(spec), max_retries=0, http_client=http)

    def rewrite(self, system: str, examples: list[tuple[str, str]], text: str) -> Answer:
        """Returns the server's answer. Raises RecordError if all attempts fail; it is transient if a later call may succeed."""
        turns = [turn for question, answer in examples for turn in (("user", question), ("assistant", answer))]
        chat: list[Any] = [
            {"role": role, "content": content} for role, content in [("system", system), *turns, ("user", text)]
        ]
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_worth_repeating),
            stop=tenacity.stop_after_attempt(self._attempts) | tenacity.stop_before_delay(self._total_s),
            wait=_pause_s,
            reraise=True,
        )
        try:
            answer: Answer = retrying(self._ask, chat)
        except RecordError as error:
            error.attempts = retrying.statistics["attempt_number"]
            raise
        return replace(answer, attempts=retrying.statistics["attempt_number"])

    def _ask(self, chat: list[Any]) -> Answer:
        try:
            completion = self._client.chat.completions.create(
                model=self.name, messages=chat, max_tokens=self._max_tokens, temperature=0, seed=0
            )
            return _answer(completion)
        except openai.OpenAIError as error:
            raise _record_error(error) from error
        except (AnswerTooLarge, ValueError, AttributeError, TypeError, LookupError, RecursionError) as error:
            raise RecordError(
                Reason.BAD_ANSWER, f"the server's answer cannot be understood: {error}", transient=True
            ) from error


def _is_worth_repeating(error: BaseException) -> bool:
    return isinstance(error, RecordError) and error.transient and error.reason is not Reason.BAD_ANSWER


def _pause_s(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked_s = error.retry_after_s if isinstance(error, RecordError) else None
    return max(_BACKOFF(state), asked_s or 0.0)


def _answer(completion: Any) -> Answer:
    usage = completion.usage
    text = encodable(completion.choices[0].message.content.strip())
    if len(text) > _TEXT_MAX:
        raise ValueError(f"the text of the answer has {len(text)} characters, and at most {_TEXT_MAX} are allowed")
    return Answer(text, _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"))


def _count(usage: object, name: str) -> int:
    """Returns a number of tokens from the server's answer; 0 if the answer does not contain it, or contains an impossible value."""
    value = getattr(usage, name, None)
    return value if type(value) is int and 0 <= value <= _TOKENS_MAX else 0


def _record_error(error: openai.OpenAIError) -> RecordError:
    detail = " ".join(str(error).split())
    if isinstance(error, openai.APITimeoutError):
        return RecordError(Reason.TIMEOUT, detail, transient=True)
    if isinstance(error.__cause__, AnswerTooLarge):
        return RecordError(Reason.BAD_ANSWER, str(error.__cause__), transient=True)
    if isinstance(error, openai.APIConnectionError):
        return RecordError(
            Reason.CONNECTION, ": ".join(filter(None, (detail, str(error.__cause__ or "")))), transient=True
        )
    pause_s = (
        parse_retry_after(error.response.headers.get("Retry-After"))
        if isinstance(error, openai.APIStatusError)
        else None
    )
    if isinstance(error, openai.RateLimitError):
        return RecordError(Reason.RATE_LIMITED, detail, transient=True, retry_after_s=pause_s)
    status = getattr(error, "status_code", 0)
    if status >= 500:
        return RecordError(Reason.HTTP_5XX, detail, transient=True, retry_after_s=pause_s)
    known = {401: Reason.HTTP_401, 403: Reason.HTTP_403, 404: Reason.HTTP_404}
    return RecordError(known.get(status, Reason.HTTP_4XX if status else Reason.BAD_ANSWER), detail)
