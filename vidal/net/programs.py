"""Which programs a thread may start while it crawls: none that could open what a page names.

yt-dlp hands some downloads to ffmpeg, rtmpdump and others, and repairs with ffmpeg what it has downloaded. ffmpeg believes what its
input says: a segment that is itself a playlist may name local files. So its inputs stand behind both whitelists, or it does not start.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence

from vidal.errors import RecordError
from vidal.media.ffmpeg import INPUT_LIMITS, executable
from vidal.net.budget import Stopped
from vidal.schema import Reason

# What yt-dlp solves the riddles of some sites with: it gives them a script on their standard input, and no address.
_SCRIPT_RUNTIMES = {"deno", "node", "bun", "qjs", "quickjs"}
# How yt-dlp asks ffmpeg and others for their version.
_VERSION = {"-bsfs", "-version", "--version", "-V", "-v", "-h"}


def check_program(command: Sequence[str | bytes | os.PathLike] | str | bytes | os.PathLike) -> None:
    """command: as subprocess.Popen has it. Raises Stopped(forbidden_scheme), which yt-dlp lets through."""
    parts = [command] if isinstance(command, (str, bytes, os.PathLike)) else command
    program, *arguments = (os.fsdecode(part) for part in parts)
    name = os.path.basename(program)
    if name in _SCRIPT_RUNTIMES or (program == executable() and has_limits(arguments)):
        return
    if arguments and all(argument in _VERSION for argument in arguments):
        return
    raise Stopped(RecordError(Reason.FORBIDDEN_SCHEME, f"it can be fetched only with another program: {name}"))


def has_limits(arguments: Sequence[str]) -> bool:
    """Whether a command line of ffmpeg has inputs, and each of them both whitelists and no others."""
    options: list[str] = []
    for argument in arguments:
        options.append(argument)
        if argument == "-i":
            if any(_values(options, f"-{name}") != {value} for name, value in INPUT_LIMITS.items()):
                return False
            options = []
    return "-i" in arguments


def _values(options: list[str], name: str) -> set[str]:
    return {value for option, value in itertools.pairwise(options) if option == name}
