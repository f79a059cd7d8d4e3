"""A source: videos of this machine, from a text file with one path per line. A path is a result for every term that it contains."""

import shutil
from pathlib import Path

from vidal import ids
from vidal.errors import RecordError, UserError
from vidal.records import Candidate
from vidal.schema import Reason
from vidal.sources.settings import Search
from vidal.sources.source import Fetched


class PathsSearch(Search):
    """A search in a list of files."""

    source: str = "paths"
    """The name of this source."""
    file: str
    """A text file with one path per line."""


class Paths:
    settings = PathsSearch

    def __init__(self, client: object, search: PathsSearch, duration_max_s: float):
        try:
            lines = Path(search.file).read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise UserError(f"search: file {search.file} cannot be read: {error.strerror}") from error
        self._paths = [Path(line).absolute() for line in lines if line.strip()]

    def search(self, term: str, limit: int) -> list[Candidate]:
        return [_candidate(path) for path in self._paths if term.lower() in path.stem.lower()][:limit]

    def describe(self, candidate: Candidate) -> Candidate:
        return candidate

    def fetch(self, candidate: Candidate, folder: Path) -> Fetched:
        path = Path(candidate["source_id"])
        if not path.is_file():
            raise RecordError(Reason.REMOVED, f"{path}: no such file")
        return Fetched(Path(shutil.copyfile(path, folder / "media.bin")))


def _candidate(path: Path) -> Candidate:
    return {
        "candidate_id": ids.candidate_id("paths", str(path), None, None),
        "source": "paths",
        "platform": "paths",
        "source_id": str(path),
        "url": path.as_uri(),
        "title": path.stem.replace("_", " "),
        "curated": True,  # Not judged by the rule on titles and hashtags.
        "extra": {},
    }
