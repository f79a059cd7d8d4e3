"""Messages of yt-dlp and of platforms, as they were reported, become typed outcomes: the most specific words decide."""

import pytest
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError

from vidal.net.errors import classify_error
from vidal.net.phrases import PHRASES
from vidal.schema import Reason

SESSION_LIMIT = (
    "Video unavailable. This content isn't available, try again later. The current session has been rate-limited by YouTube for up to "
    "an hour. It is recommended to use `-t sleep` to add a delay between video requests to avoid exceeding the rate limit. For more "
    "information, refer to  https://github.com/yt-dlp/yt-dlp/wiki/Extractors#this-content-isnt-available-try-again-later"
)
HINT = " Use --cookies-from-browser or --cookies for the authentication. See  https://github.com/yt-dlp/yt-dlp/wiki/FAQ  for how to pass"
MESSAGES = {
    Reason.RATE_LIMITED: [
        SESSION_LIMIT,
        "Video unavailable. This content isn\u2019t available, try again later.",
        "You are rate-limited. Try again later.",
        "Request is blocked by server (412), please wait and try later.",
        "You have exceeded the rate-limit for accessing posts anonymously",
        "Please wait a few minutes before you try again.",
        "Too many requests",
    ],
    Reason.BOT_CHECK: [
        "Sign in to confirm you're not a bot." + HINT,
        "Sign in to confirm you\u2019re not a bot. Use --cookies",
        "You are suspected as a bot. Wait, or pass the captcha on the site and provide cookies.",
        "Udemy asks you to solve a CAPTCHA. Login with browser, solve CAPTCHA, then export cookies",
        "Your IP address is blocked from accessing this post",
    ],
    Reason.AGE_GATED: [
        "Sign in to confirm your age. This video may be inappropriate for some users." + HINT,
        "This video is only available for age verified users or after 22:00." + HINT,
        "NSFW tweet requires authentication." + HINT,
        "Login is required to access age-restricted content." + HINT,
    ],
    Reason.GEO_BLOCKED: [
        "The uploader has not made this video available in your country",
        "Video unavailable. This video contains content from SME, who has blocked it in your country on copyright grounds",
        "This song is blocked in this region",
        "This content is not available in your region.",
    ],
    Reason.PRIVATE: [
        "Private video. Sign in if you've been granted access to this video." + HINT,
        "Video unavailable. This video is private",
        "This VOD is private",
    ],
    Reason.LOGIN_REQUIRED: [
        "This video is only available for registered users." + HINT,
        "Join this channel to get access to members-only content like this video, and other exclusive perks.",
        "This video is available to this channel's members on level: Gold (or any higher level).",
        "Video unavailable. This video requires payment to watch",
        "This video is only available for premium users." + HINT,
        "The web client only works when logged-in." + HINT,
        "Account authentication is required." + HINT,
        "The provided YouTube account cookies are no longer valid. They have likely been rotated in the browser.",
        "You need to log in to access this content." + HINT,
        "This video is protected by a password, use the --video-password option",
    ],
    Reason.LIVE: [
        "Premieres in 3 hours",
        "This live event will begin in 5 minutes.",
        "The channel is not currently live",
    ],
    Reason.REMOVED: [
        "Video unavailable. This video has been removed by the uploader",
        "Video unavailable. This video is no longer available because the YouTube account associated with it has been terminated.",
        "Video unavailable. This video has been removed for violating YouTube's Community Guidelines",
        "Video unavailable. This video is not available",
        "Video unavailable",
        "This video does not exist",
        "Content not found; it has most likely expired",
    ],
    Reason.UNSUPPORTED_URL: ["This video is DRM protected", "No video could be found in this tweet"],
    Reason.EXTRACTOR: [
        "Unable to extract title",
        "Requested format is not available. Use --list-formats for a list of available formats",
    ],
}


def outcome(message):
    error = ExtractorError(message, expected=True)
    return classify_error(DownloadError(f"ERROR: [youtube] 4tB8gBRl8gA: {message}", (ExtractorError, error, None)))


@pytest.mark.parametrize(
    ("reason", "message"), [(reason, message) for reason, messages in MESSAGES.items() for message in messages]
)
def test_a_message_has_its_reason(reason, message):
    """C11, C12."""
    error = outcome(message)
    assert error.reason is reason
    assert error.transient is (reason in (Reason.RATE_LIMITED, Reason.BOT_CHECK))


def test_a_restriction_by_place_is_known_by_its_type():
    error = GeoRestrictedError("This video is not available", countries=["DE"])
    assert classify_error(DownloadError("ERROR", (GeoRestrictedError, error, None))).reason is Reason.GEO_BLOCKED


def test_a_limit_that_names_its_end_is_known_by_it():
    assert outcome(SESSION_LIMIT).retry_after_s == 3600.0
    assert outcome("You are rate-limited for up to 5 minutes").retry_after_s == 300.0
    assert outcome("You are rate-limited").retry_after_s is None


def test_phrases_are_compared_in_lower_case():
    assert all(phrase == phrase.lower() for phrase, _ in PHRASES)
