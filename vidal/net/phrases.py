"""The words by which yt-dlp and platforms say why a video cannot be fetched. yt-dlp raises the same exception for all of these."""

from __future__ import annotations

import re

from vidal.schema import Reason

# The first phrase that a message contains wins, so specific phrases come first: "Video unavailable" precedes many other reasons.
PHRASES: tuple[tuple[str, Reason], ...] = tuple(
    (phrase, reason)
    for reason, phrases in (
        (
            Reason.BOT_CHECK,
            (
                "not a bot",
                "anti-bot",
                "captcha",
                "suspected as a bot",
                "unusual traffic",
                "ip address is blocked",
                "tls fingerprint",
            ),
        ),
        (
            Reason.RATE_LIMITED,
            (
                "rate-limit",
                "rate limit",
                "too many requests",
                "try again later",
                "wait a few minutes",
                "blocked by server",
                "slow down",
            ),
        ),
        (
            Reason.AGE_GATED,
            (
                "confirm your age",
                "age-restricted",
                "age verif",
                "adult verification",
                "inappropriate for some users",
                "nsfw tweet",
                "age-gated",
                "age limit",
            ),
        ),
        (
            Reason.GEO_BLOCKED,
            (
                "geo restriction",
                "geo-restrict",
                "geo-block",
                "geoblock",
                "in your country",
                "in your region",
                "in your location",
                "in your area",
                "in your territory",
                "from your location",
                "in this country",
                "in this region",
                "blocked outside",
                "outside of your country",
                "not available in",
            ),
        ),
        (
            Reason.LOGIN_REQUIRED,
            (
                "cookies are no longer valid",
                "session has expired",
                "members-only",
                "channel's members",
                "members only",
                "for members",
                "members on level",
                "requires payment",
                "premium",
                "subscriber",
                "subscription",
                "registered users",
                "purchase",
                "only works when logged-in",
                "password protected",
                "protected by a password",
                "video password",
            ),
        ),
        (Reason.PRIVATE, ("private video", "video is private", "is private", "private show", "private broadcast")),
        (
            Reason.LIVE,
            (
                "premieres in",
                "live event will begin",
                "will begin in",
                "not started",
                "not yet started",
                "is upcoming",
                "not currently live",
                "is offline",
                "stream is live",
            ),
        ),
        (
            Reason.UNSUPPORTED_URL,
            (
                "drm protect",
                "drm-protect",
                "uses drm",
                "known to use drm",
                "no video could be found",
                "no video formats",
            ),
        ),
        (
            Reason.REMOVED,
            (
                "has been removed",
                "was removed",
                "been deleted",
                "was deleted",
                "no longer available",
                "no longer exists",
                "been terminated",
                "been suspended",
                "does not exist",
                "doesn't exist",
                "not found",
                "expired",
                "has ended",
                "account associated with this video",
            ),
        ),
        (
            Reason.LOGIN_REQUIRED,
            (
                "log in",
                "sign in",
                "login",
                "logged in",
                "logged into",
                "logged-in",
                "authentication is required",
                "requires authentication",
                "not authorized",
                "an account is needed",
                "--cookies",
                "granted access",
            ),
        ),
        (
            Reason.REMOVED,
            (
                "video unavailable",
                "is unavailable",
                "video is not available",
                "video isn't available",
                "content isn't available",
                "content is not available",
                "page isn't available",
            ),
        ),
    )
    for phrase in phrases
)
_NAMED_PAUSE = re.compile(r"for up to (an|\d{1,3}) (hour|minute)")


def find_reason(message: str) -> Reason | None:
    """Returns the reason that a message of yt-dlp or a platform states, or None."""
    lower = message.lower().replace("\u2019", "'")
    return next((reason for phrase, reason in PHRASES if phrase in lower), None)


def find_pause_s(message: str) -> float | None:
    """Returns the pause in seconds that a message states, such as 3600 for the words "for up to an hour"; None if it states none."""
    named = _NAMED_PAUSE.search(message.lower())
    if named is None:
        return None
    count = 1 if named[1] == "an" else int(named[1])
    return count * (3600.0 if named[2] == "hour" else 60.0)
