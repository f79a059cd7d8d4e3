"""Rewrites texts by any server that speaks the OpenAI protocol: vLLM, llama.cpp, `transformers serve`, or a hosted model.

The client of the `openai` package repeats requests that fail transiently, with a random back-off that obeys Retry-After.
"""

from __future__ import annotations

import os
from typing import Any

import httpx
import openai

from vidal.config.base import ModelSpec
from vidal.errors import RecordError, UserError
from vidal.models.protocols import Answer
from vidal.models.weights import require_id
from vidal.schema import Reason

KEY = "OPENAI_API_KEY"
_PROBE_S = 120  # A server may load the model first.


def base_url(spec: ModelSpec) -> str:
    """Returns the address of the server, without a slash at its end. Raises UserError if the spec names none."""
    url = str(spec.options.get("base_url", ""))
    if not url.startswith(("http://", "https://")):
        raise UserError(f"the openai adapter needs options.base_url, such as http://127.0.0.1:8000/v1, not {url!r}")
    return url.rstrip("/")


def api_key(spec: ModelSpec) -> str:
    """Returns the key from the environment variable that options.key names. A server of your own usually needs none."""
    return os.environ.get(str(spec.options.get("key", KEY)), "none")


def why_unavailable(spec: ModelSpec) -> str | None:
    """Returns why the server cannot be used, or None.

    It asks the model for one token, because some servers return a wrong list of models.
    """
    try:
        url = base_url(spec)
        body = {"model": spec.id, "max_tokens": 1, "messages": [{"role": "user", "content": "Hello"}]}
        headers = {"Authorization": f"Bearer {api_key(spec)}"}
        answer = httpx.post(f"{url}/chat/completions", json=body, headers=headers, timeout=_PROBE_S)
    except UserError as error:
        return str(error)
    except httpx.HTTPError as error:
        return f"{url} does not answer: {error or type(error).__name__}"
    if answer.status_code in (401, 403):
        return f"{url} refuses the key: set the environment variable {spec.options.get('key', KEY)}"
    if answer.status_code == 429 or answer.status_code >= 500:
        return None  # The server is busy or has a problem that may go away.
    try:
        answer.raise_for_status().json()["choices"][0]["message"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError, IndexError):
        reply = " ".join(answer.text.split())[:200]
        return f"{url}/chat/completions answers {answer.status_code}: {reply!r}: is this an OpenAI-compatible server with this model?"
    return None


class OpenAiRewriter:
    """options: base_url; key (name of the environment variable); max_tokens; attempts (per request); timeout_s (per attempt)."""

    def __init__(self, spec: ModelSpec):
        self.name, self.revision = require_id(spec), spec.revision or "served"
        self._max_tokens = int(spec.options.get("max_tokens", 80))
        self._client = openai.OpenAI(
            base_url=base_url(spec),
            api_key=api_key(spec),
            max_retries=int(spec.options.get("attempts", 12)) - 1,
            timeout=float(spec.options.get("timeout_s", 120)),
        )

    def rewrite(self, system: str, examples: list[tuple[str, str]], text: str) -> Answer:
        """Returns the server's answer. Raises RecordError, which is transient if a later request may succeed."""
        turns = [turn for question, answer in examples for turn in (("user", question), ("assistant", answer))]
        chat: list[Any] = [
            {"role": role, "content": content} for role, content in [("system", system), *turns, ("user", text)]
        ]
        try:
            raw = self._client.chat.completions.with_raw_response.create(
                model=self.name, messages=chat, max_tokens=self._max_tokens, temperature=0, seed=0
            )
            return _answer(raw.parse(), raw.retries_taken + 1)
        except openai.OpenAIError as error:
            raise _record_error(error, self._client.max_retries + 1) from error
        except (ValueError, AttributeError, TypeError, IndexError) as error:
            raise RecordError(
                Reason.BAD_ANSWER, f"the server's answer cannot be understood: {error}", transient=True
            ) from error


def _answer(completion: Any, attempts: int) -> Answer:
    usage = completion.usage
    return Answer(
        completion.choices[0].message.content.strip(),
        tokens_in=usage.prompt_tokens if usage else 0,
        tokens_out=usage.completion_tokens if usage else 0,
        attempts=attempts,
    )


def _record_error(error: openai.OpenAIError, attempts: int) -> RecordError:
    detail = " ".join(str(error).split())
    if isinstance(error, openai.APITimeoutError):
        return RecordError(Reason.TIMEOUT, detail, transient=True, attempts=attempts)
    if isinstance(error, openai.APIConnectionError):
        return RecordError(Reason.CONNECTION, detail, transient=True, attempts=attempts)
    if isinstance(error, openai.RateLimitError):
        return RecordError(Reason.RATE_LIMITED, detail, transient=True, attempts=attempts)
    status = getattr(error, "status_code", 0)
    if status >= 500:
        return RecordError(Reason.HTTP_5XX, detail, transient=True, attempts=attempts)
    known = {401: Reason.HTTP_401, 403: Reason.HTTP_403, 404: Reason.HTTP_404}
    return RecordError(known.get(status, Reason.HTTP_4XX if status else Reason.BAD_ANSWER), detail)
