"""Checks the programs that a thread starts while it crawls: none may open a file or an address that a page names.

For some downloads, yt-dlp would give the address to ffmpeg, rtmpdump or another program. This is refused.

yt-dlp also repairs downloaded files with ffmpeg. If such a file is a playlist, ffmpeg opens all files that the playlist names, even
local ones. So ffmpeg may start only if whitelists of protocols and formats precede every input.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Sequence
from typing import TypeAlias

from vidal.errors import RecordError
from vidal.media.ffmpeg import INPUT_LIMITS, executable
from vidal.net.work_budget import WorkStopped
from vidal.schema import Reason

# yt-dlp solves the JavaScript challenges of some sites with these. They get a script on their standard input, and no address.
_SCRIPT_RUNTIMES = {"deno", "node", "bun", "qjs", "quickjs"}
# The process in which pages are read, see vidal.media.limited.
_OUR_PROCESS = ["-m", "vidal.media.limited_process"]
# The arguments with which yt-dlp asks ffmpeg and other programs for their version.
_VERSION_QUERIES = {"-bsfs", "-version", "--version", "-V", "-v", "-h"}

Argument: TypeAlias = "str | bytes | os.PathLike[str]"


def check_program(command: Sequence[Argument] | Argument) -> None:
    """Raises WorkStopped(forbidden_scheme) if a program must not start. yt-dlp does not catch this exception.

    command: the arguments of subprocess.Popen.
    """
    parts = [command] if isinstance(command, (str, bytes, os.PathLike)) else command
    program, *arguments = (os.fsdecode(part) for part in parts)
    name = os.path.basename(program)
    if program == sys.executable and arguments[:2] == _OUR_PROCESS:
        return
    if name in _SCRIPT_RUNTIMES or (program == executable() and limits_all_inputs(arguments)):
        return
    if arguments and all(argument in _VERSION_QUERIES for argument in arguments):
        return
    raise WorkStopped(
        RecordError(
            Reason.FORBIDDEN_SCHEME,
            f"the media can only be fetched with another program ({name}), which vidal does not start, for safety",
        )
    )


def limits_all_inputs(arguments: Sequence[str]) -> bool:
    """Returns whether a command line of ffmpeg has inputs, and whitelists protocols and formats before each of them.

    The whitelists must have the values of INPUT_LIMITS.
    """
    options: list[str] = []
    for argument in arguments:
        options.append(argument)
        if argument == "-i":
            if any(_values_of(options, f"-{name}") != {value} for name, value in INPUT_LIMITS.items()):
                return False
            options = []
    return "-i" in arguments


def _values_of(options: list[str], name: str) -> set[str]:
    return {value for option, value in itertools.pairwise(options) if option == name}
