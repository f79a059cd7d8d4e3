"""What passes through to yt-dlp's extractors, and a missing JavaScript runtime."""

import pytest
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import ExtractorError

from tests.conftest import write_video
from tests.support.builds import crawl_list
from tests.support.inline import vidal_inline
from tests.support.platform_site import registered

WARNING = (
    "No supported JavaScript runtime could be found. Only deno is enabled by default; some formats may be missing."
)


class VidalChallengeIE(InfoExtractor):
    """Warns as the extractor of YouTube does. The name in the path says what becomes of the formats."""

    _VALID_URL = r"http://127\.0\.0\.1:\d+/challenge/(?P<id>[\w.-]+)"

    def _real_extract(self, url):
        name = self._match_id(url)
        if name != "solved.mp4":
            self.report_warning(WARNING, only_once=True)
        if name.startswith("unsolved"):
            raise ExtractorError("Requested format is not available", expected=True)
        if name == "private.mp4":
            raise ExtractorError("Private video", expected=True)
        if name == "arguments.mp4" and self._configuration_arg("player_client") != ["web", "ios"]:
            raise ExtractorError("other arguments")
        return {"id": name, "title": "A cat", "url": url.replace("/challenge/", "/"), "ext": "mp4"}


@pytest.fixture
def site(serve_folder, tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    for name in ("solved", "jsless", "arguments"):
        write_video(folder / f"{name}.mp4")
    with registered(VidalChallengeIE):
        yield f"{serve_folder(folder)}/challenge"


def test_what_fails_for_want_of_a_javascript_runtime_has_a_reason_of_its_own(site, tmp_path):
    names = ("unsolved.mp4", "unsolved-2.mp4", "jsless.mp4", "private.mp4", "solved.mp4")
    crawled = crawl_list(tmp_path, [f"{site}/{name}" for name in names], "crawl.concurrency=1")
    assert [crawled.reason(f"{site}/{name}") for name in names] == [
        "no_javascript",
        "no_javascript",
        "kept",
        "private",
        "kept",
    ]
    row = crawled.outcomes[f"{site}/unsolved.mp4"]
    assert not row["transient"] and "vidal-datasets[youtube]" in row["detail"]


def test_arguments_of_extractors_pass_through(site, tmp_path):
    url = f"{site}/arguments.mp4"
    crawled = crawl_list(tmp_path, [url], "crawl.extractor_args={vidalchallenge: {player_client: [web, ios]}}")
    assert crawled.reason(url) == "kept"


@pytest.mark.parametrize("is_here", [True, False])
def test_plan_says_if_there_is_no_javascript_runtime(tmp_path, monkeypatch, is_here):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    if is_here:
        (tmp_path / "deno").write_text("#!/bin/sh\n")
        (tmp_path / "deno").chmod(0o755)
    (tmp_path / "list.csv").write_text("url\nhttp://x/1.mp4\n")
    shown = vidal_inline("plan", "--recipe", "catalogue", "--set", f"catalogue={tmp_path}/list.csv")
    assert shown.returncode == 0 and ("no JavaScript runtime here" in shown.stdout) is not is_here
    assert "no JavaScript runtime" not in vidal_inline("plan", "--recipe", "embedded").stdout
