"""Finds out whether this machine has the JavaScript runtime that yt-dlp needs for some sites, and whether yt-dlp warns of its absence."""

from __future__ import annotations

import os
import shutil
import sysconfig

REMEDY = "install the extra `youtube` (pip install 'vidal-datasets[youtube]')"
# Words in the warnings of yt-dlp's extractors and of its solvers of challenges.
_WORDS = "javascript runtime"


def has_runtime() -> bool:
    """Returns whether deno, the only runtime that yt-dlp uses by default, is in the folder of this Python's scripts or on the PATH."""
    folders = (sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath))
    return shutil.which("deno", path=os.pathsep.join(folders)) is not None


class Log:
    """A logger for yt-dlp. It prints nothing, because errors reach the ledger as exceptions.

    lacks_javascript: whether yt-dlp has warned that it found no JavaScript runtime.
    """

    def __init__(self) -> None:
        self.lacks_javascript = False

    def debug(self, message: str) -> None: ...
    def info(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...

    def warning(self, message: str) -> None:
        self.lacks_javascript = self.lacks_javascript or _WORDS in message.lower()
