"""python -m tests.hostile: the site for any crawler to run against. Prints the cases, and at the end what was asked."""

from __future__ import annotations

import argparse
import contextlib
import signal
import threading
from collections import Counter
from pathlib import Path

from tests.hostile.cases import CASES, table
from tests.hostile.server import Served, serve


def main() -> None:
    options = _options()
    if options.table:
        print(table(), end="")
        return
    with serve(_video(options.video), port=options.port, tls_port=options.tls_port) as served:
        _announce(served)
        _wait()
        _summarise(served)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="for HTTP; 0 is any free one")
    parser.add_argument("--tls-port", type=int, default=0, help="for HTTPS; 0 is any free one")
    parser.add_argument("--video", type=Path, help="an MP4 to serve as the valid one; by default one is made")
    parser.add_argument("--table", action="store_true", help="print the table of README.md and stop")
    return parser.parse_args()


def _video(path: Path | None) -> bytes:
    if path is not None:
        return path.read_bytes()
    from tests.hostile.sample import sample_video  # Needs PyAV; --video does not.

    return sample_video()


def _announce(served: Served) -> None:
    print("url\texpect\tnever")
    for case in CASES:
        print(served.at(case), ",".join(case.expect), case.never, sep="\t")
    print(f"# serving on {served.url} and {served.tls_url} until Ctrl-C", flush=True)


def _wait() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


def _summarise(served: Served) -> None:
    asked = Counter(request.path for request in served.requests)
    print("path\trequests\tbytes sent")
    for path, times in sorted(asked.items()):
        print(path, times, served.bytes_sent.get(path, 0), sep="\t")


if __name__ == "__main__":
    main()
