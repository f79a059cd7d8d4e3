"""An S3 server on loopback: moto in a process of its own, which keeps the objects in memory."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import yarl
from aiohttp import web

from vidal.sources.embedded.site import serve

# What stores answer when they are asked too much: a status, and the code in the body.
_REFUSALS = ((503, "SlowDown"), (429, "TooManyRequests"), (500, "InternalError"))
_HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "date", "server"}
_MAIN = "from moto.server import main; main(['-H', '127.0.0.1', '-p', '0'])"
_ADDRESS = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")


@contextlib.contextmanager
def s3_server(log: Path) -> Iterator[str]:
    """The address of a server that has no bucket yet and accepts any key. Its requests are listed in the log."""
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-c", _MAIN], stdout=output, stderr=subprocess.STDOUT)
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """The port is the kernel's choice, so that two test runs can have a server each."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if match := _ADDRESS.search(log.read_text()):
            return match[1]
        time.sleep(0.05)
    raise RuntimeError(f"the S3 server did not start: {log.read_text()[-2000:]}")


def environment(address: str) -> dict[str, str]:
    """The variables by which s3fs, boto and the AWS command line reach the server."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@contextlib.contextmanager
def unreliable(address: str, *, delay_s: float = 0.0, fail_every: int = 0) -> Iterator[str]:
    """A proxy before the server.

    delay_s: added to every request. fail_every: each n-th request goes no further; it is answered 503, 429 or 500 in turn.
    """
    count, refusals = itertools.count(1), itertools.cycle(_REFUSALS)

    async def forward(request: web.Request) -> web.Response:
        await asyncio.sleep(delay_s)
        if fail_every and next(count) % fail_every == 0:
            status, code = next(refusals)
            body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>Please reduce your request rate.</Message></Error>"
            return web.Response(status=status, body=body.encode(), content_type="application/xml")
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _HOP_BY_HOP}
        url = yarl.URL(f"{address}{request.raw_path}", encoded=True)
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(request.method, url, data=await request.read(), headers=headers) as answer,
        ):
            kept = {key: value for key, value in answer.headers.items() if key.lower() not in _HOP_BY_HOP}
            if request.method == "HEAD":
                return web.Response(status=answer.status, headers=kept)
            kept.pop("Content-Length", None)
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{path:.*}", forward)
    with serve(app) as url:
        yield url
