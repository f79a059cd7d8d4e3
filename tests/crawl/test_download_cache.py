"""Downloads are removed when their crawler is closed."""

from vidal.crawl.download_cache import DownloadCache
from vidal.sources.source import Fetched


def test_a_crawler_that_is_closed_leaves_no_files_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    downloads = DownloadCache(2)

    def fetch(folder):
        (folder / "film.mp4").write_bytes(b"x")
        return Fetched(folder / "film.mp4"), 1

    with downloads.borrow("http://a/1", fetch), downloads.borrow("http://a/2", fetch):
        pass
    with downloads.borrow("http://a/3", fetch) as (fetched, _):
        downloads.close()
        assert [path.name for path in tmp_path.rglob("*.mp4")] == ["film.mp4"] and fetched.path.exists()
    assert not list(tmp_path.iterdir())
