"""Every path of the site and the function that answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.hostile.exchange import Exchange
from tests.hostile.handlers import (
    bodies,
    bombs,
    broken,
    endless,
    media,
    pages,
    playlists,
    redirects,
    refusals,
    slow,
    statuses,
)

Handler = Callable[[Exchange], Awaitable[None]]

ROUTES: dict[str, Handler] = {
    **statuses.ROUTES,
    **bodies.ROUTES,
    **endless.ROUTES,
    **media.ROUTES,
    **slow.ROUTES,
    **bombs.ROUTES,
    **redirects.ROUTES,
    **playlists.ROUTES,
    **pages.ROUTES,
    **refusals.ROUTES,
    **broken.ROUTES,
}
