"""Asks a model hub whether it has a repository, without downloading the repository."""

from __future__ import annotations


def why_not_on_hub(repository: str) -> str | None:
    """Returns why neither the local cache nor the hub has the repository, or None if one has it. A failed request is not repeated."""
    import httpx
    from huggingface_hub import constants, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        names = ("config.json", "open_clip_config.json")
        if any(isinstance(try_to_load_from_cache(repository, name), str) for name in names):
            return None
        if constants.HF_HUB_OFFLINE:
            return f"{repository}: not in the local cache, and HF_HUB_OFFLINE is set; give a local folder instead"
        answer = httpx.head(f"{constants.ENDPOINT}/api/models/{repository}", timeout=5, follow_redirects=True)
    except HFValidationError:
        return f"{repository}: neither a hub id nor a local folder"
    except httpx.HTTPError:
        return f"{repository}: not in the local cache, and no hub can be reached; give a local folder instead"
    why = f"{repository}: the hub answers {answer.status_code}; correct the id, or give a local folder instead"
    return None if answer.is_success else why
