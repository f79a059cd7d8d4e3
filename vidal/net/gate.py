"""The gate sends the requests of a client and checks the answers.

Before it sends a request, it asks the client, which waits until the request may be sent, or refuses it. If the answer redirects to
another address, the request to that address passes through the gate too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import urllib3
from requests import PreparedRequest
from requests import Response as Answer
from yt_dlp.networking._requests import RequestsHTTPAdapter, RequestsRH, RequestsSession

from vidal.errors import RecordError
from vidal.net.accounts import basic_authorization
from vidal.net.errors import classify_answer, classify_error
from vidal.net.opt_outs import TDM
from vidal.net.work_budget import WorkStopped
from vidal.schema import Reason

if TYPE_CHECKING:
    from vidal.net.client import Client

_MEDIA_TYPES = ("video/", "audio/", "application/vnd.apple.mpegurl", "application/x-mpegurl", "application/dash+xml")


def is_media(content_type: str) -> bool:
    """Returns whether a Content-Type is that of a video, a sound, or a playlist of either."""
    return content_type.strip().lower().startswith(_MEDIA_TYPES)


class GateRH(RequestsRH):  # type: ignore[misc]  # yt-dlp has no annotations. It also wants names that end in "RH".
    """Sends yt-dlp's requests with the library `requests`, through the gate. Follows at most crawl.max_redirects redirects."""

    client: Client

    def _create_instance(self, cookiejar: Any, legacy_ssl_support: Any = None) -> RequestsSession:
        session = super()._create_instance(cookiejar, legacy_ssl_support=legacy_ssl_support)
        adapter = _Gate(
            self.client,
            ssl_context=self._make_sslcontext(legacy_ssl_support=legacy_ssl_support),
            source_address=self.source_address,
            max_retries=urllib3.util.retry.Retry(False),
        )
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        session.max_redirects = self.client.crawl.max_redirects
        return session


class _Gate(RequestsHTTPAdapter):  # type: ignore[misc]  # yt-dlp has no annotations.
    def __init__(self, client: Client, **arguments: Any):
        self._client = client
        super().__init__(**arguments)

    def send(self, request: PreparedRequest, *arguments: Any, **named: Any) -> Answer:
        """Sends one request. A failure counts against the host that was asked, not against a host that redirected to it."""
        host = self._client.admit(str(request.url))
        if authorization := basic_authorization(host, self._client.passwords):
            request.headers.setdefault("Authorization", authorization)
        try:
            answer: Answer = super().send(request, *arguments, **named)
        except Exception as error:
            failure = classify_error(error)
            self._client.record_answer(host, 0, failure)
            if failure.reason is Reason.FORBIDDEN_ADDRESS:
                raise WorkStopped(failure) from error
            raise
        self._client.record_answer(host, answer.status_code, _error_of(answer))
        if answer.status_code < 400:
            self._check(answer)
        return answer

    def _check(self, answer: Answer) -> None:
        """Raises WorkStopped if the headers opt out of machine learning, or redirect to an address that is not valid http or https."""
        if answer.is_redirect:  # Its body may be endless, so it is not read.
            answer.raw.close()
            answer._content, answer._content_consumed = b"", True
            self._client.check_scheme(urljoin(answer.url, answer.headers["location"]))
        headers = answer.raw.headers
        tags, reservations = headers.getlist("X-Robots-Tag"), headers.getlist(TDM)
        try:
            self._client.check_answer(answer.headers.get("Content-Type", ""), tags, reservations)
        except Exception:
            answer.close()
            raise


def _error_of(answer: Answer) -> RecordError | None:
    return classify_answer(answer.status_code, answer.headers, answer.url) if answer.status_code >= 400 else None
