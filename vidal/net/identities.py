"""Decides which identity (account or proxy of the user) is used for a piece of work, and when it may be used.

Identities are used only on sites for which yt-dlp has an extractor.
"""

from __future__ import annotations

from vidal import ids
from vidal.errors import IdentityPaused, RecordError
from vidal.net.effort import Effort
from vidal.net.governor import BLOCKS
from vidal.net.identity_budgets import IdentityRules, Use, hourly_budget
from vidal.net.quota import QuotaFile
from vidal.net.rate_limiter import LocalRateLimiter, RateLimiter
from vidal.net.settings import Crawl, Identity
from vidal.schema import Reason

BUDGETS_NAME = "_crawl/identities.json"


class ActiveIdentity:
    """An identity (an account or proxy) of the recipe. Safe to share between threads.

    It has hourly budgets of requests and videos. After a site has blocked it, it is not used for a while: it pauses.
    """

    def __init__(self, settings: Identity, rate_limiter: RateLimiter, file: QuotaFile | None):
        self.settings, self._rate_limiter = settings, rate_limiter
        requests, videos = (
            hourly_budget(limit, file) for limit in (settings.requests_per_hour, settings.videos_per_hour)
        )
        self._rules = IdentityRules(settings.name, requests, videos, file)

    def take(self, use: Use) -> None:
        """Counts a request or a video against the hourly budget of this identity.

        Raises IdentityPaused, and counts nothing, if the identity may not be used now.
        """
        if wait_s := self._rate_limiter.use_identity(self._rules, use):
            raise IdentityPaused(self._describe_wait(wait_s), wait_s)

    def wait_s(self) -> float:
        """Returns the seconds until the identity (an account or proxy) may be used for another video; 0.0 if it may be used now."""
        return self._rate_limiter.identity_wait_s(self._rules)

    def pause(self, error: RecordError) -> None:
        """Pauses the identity after a site has blocked it.

        The pause lasts for cool_down_s or error.retry_after_s, whichever is longer. error: the error of the blocked request.
        """
        self._rate_limiter.pause_identity(self._rules, max(self.settings.cool_down_s, error.retry_after_s or 0.0))

    def _describe_wait(self, wait_s: float) -> str:
        return f"identity {self.settings.name} was blocked or has used its budget, and is left alone for {wait_s:.0f} s"


class Identities:
    """The identities of a recipe.

    If crawl.share_identities is set, a candidate or query uses the identity that is free first. If not, a hash assigns one
    identity to each candidate or query.
    """

    def __init__(self, crawl: Crawl, rate_limiter: RateLimiter | None, out: str | None):
        file = QuotaFile(out, BUDGETS_NAME) if out else None
        shared = rate_limiter or LocalRateLimiter()
        self._all = [ActiveIdentity(settings, shared, file) for settings in crawl.identities]
        self._are_shared = crawl.share_identities

    def __bool__(self) -> bool:
        return bool(self._all)

    def choose(self, key: str) -> ActiveIdentity:
        """Chooses the identity (account or proxy of the user) that does a piece of work.

        A hash of `key` assigns an identity to each piece of work. If crawl.share_identities is set, the identity that is free first is
        chosen instead. key: names the work, such as the id of a candidate.
        """
        return min(self._candidates(key), key=ActiveIdentity.wait_s)

    def explain_failure(self, error: RecordError, key: str, effort: Effort) -> RecordError:
        """Returns the error to raise for a failed attempt.

        If the identity (account or proxy of the user) was blocked or has used its budget, returns an IdentityPaused, which says how long
        the work must wait. Returns any other error unchanged.

        error: the error of the attempt. key: names the work, such as the id of a candidate. effort: what the work has cost so far; if the
        identity was blocked, the failed attempt is added to it.
        """
        if error.reason in BLOCKS:
            effort.count_block(error)
        elif error.reason is not Reason.IDENTITY_PAUSED:
            return error
        return IdentityPaused(error.detail, min(identity.wait_s() for identity in self._candidates(key)))

    def _candidates(self, key: str) -> list[ActiveIdentity]:
        own = int(ids.sha256(f"identity {key}")[:15], 16) % len(self._all)
        return [*self._all[own:], *self._all[:own]] if self._are_shared else [self._all[own]]
