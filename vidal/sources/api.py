"""JSON over HTTP for the sources that have an API."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from yt_dlp.networking import Request

from vidal.errors import RecordError
from vidal.net.client import Client
from vidal.net.settings import USER_AGENT
from vidal.schema import Reason


def get_json(client: Client, url: str, query: dict[str, Any] | None = None, token: str | None = None) -> Any:
    """Raises RecordError(extractor) where the answer is not a JSON object, and what the client raises."""
    address = f"{url}?{urlencode(query, doseq=True)}" if query else url
    headers = {"User-Agent": client.crawl.user_agent or USER_AGENT, "Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Token {token}"
    with client.urlopen(Request(address, headers=headers)) as response:
        body = response.read()
    try:
        found = json.loads(body)
    except ValueError as error:
        raise RecordError(Reason.EXTRACTOR, f"{url} answers something that is not JSON") from error
    if not isinstance(found, dict):
        raise RecordError(Reason.EXTRACTOR, f"{url} answers JSON, but no object")
    return found


def seconds(value: Any) -> float | None:
    """A duration as these APIs give it: a number, or "1:02:03"; None where it is neither."""
    try:
        parts = [float(part) for part in str(value).split(":")]
    except ValueError:
        return None
    total = 0.0
    for part in parts:
        total = total * 60 + part
    return total or None
