import json

import pandas as pd

from tests.conftest import LIGHT, sets, vidal, write_video
from tests.support.inline import vidal_inline
from tests.support.listed import listed
from vidal.sources.catalogue_files import Catalogue
from vidal.sources.embedded.media import build_media


def test_csv_jsonl_and_parquet_are_read_alike(tmp_path):
    rows = [{"url": "http://a.example/1.mp4", "caption": "A cat #cute", "start_s": 1.5, "end_s": 4.0, "label": "x"},
            {"url": "http://a.example/2.mp4", "caption": "Katze 猫"}]  # fmt: skip
    frame = pd.DataFrame(rows)
    frame.to_csv(tmp_path / "c.csv", index=False)
    frame.to_parquet(tmp_path / "c.parquet")
    (tmp_path / "c.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    first, *others = (listed(tmp_path / f"c.{ending}") for ending in ("csv", "jsonl", "parquet"))
    assert others == [first, first]
    assert (first[0]["title"], first[0]["hashtags"], first[0]["extra"]) == ("A cat #cute", ["cute"], {"label": "x"})
    assert (first[0]["start_s"], first[0]["end_s"], first[1]["start_s"]) == (1.5, 4.0, None)


def test_a_shard_is_built_from_a_video2dataset_list_and_a_span_past_the_end_costs_itself_alone(serve_folder, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    media = build_media()
    for name in ("cat", "coffee"):
        (site / f"{name}.mp4").write_bytes((media / f"{name}.mp4").read_bytes())
    (site / "dog.mp3").write_bytes((media / "dog-sound.mp3").read_bytes())
    (site / "blank.mp4").write_bytes(write_video(tmp_path / "blank.mp4").read_bytes())
    base = serve_folder(site)
    rows = [
        {"url": f"{base}/cat.mp4", "caption": "A tabby cat", "licence": "CC0-1.0", "mine": "kept"},
        {"url": f"{base}/coffee.mp4", "caption": "A cup of espresso",
         "clips": [["00:00:01.000", "00:00:04.000"], ["00:00:04.000", "00:01:00.000"]]},
        {"url": f"{base}/dog.mp3", "caption": "A dog barks"},
        {"url": f"{base}/gone.mp4", "caption": "A cat"},
        {"url": f"{base}/blank.mp4", "caption": "A white rabbit"},
        {"url": "file:///etc/passwd", "caption": "A password file"},
        {"url": "http://169.254.169.254/latest/meta-data", "caption": "A cloud's metadata"},
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(tmp_path / "clips.parquet")
    out = tmp_path / "out"
    done = vidal_inline("build-shard", "0", "--recipe", "embedded", "--catalogue", str(tmp_path / "clips.parquet"),
                 "--allow-host", "127.0.0.1", "--out", str(out), *sets(*LIGHT))  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    built = pd.read_parquet(out).set_index("url")
    assert set(built.index) == {f"{base}/cat.mp4", f"{base}/coffee.mp4", f"{base}/dog.mp3"}
    cat, coffee = built.loc[f"{base}/cat.mp4"], built.loc[f"{base}/coffee.mp4"]
    assert json.loads(cat.extra)["mine"] == "kept" and cat.licence == "CC0-1.0" and cat.title == "A tabby cat"
    assert (coffee.start_s, round(coffee.duration_s)) == (1.0, 3)
    ledger = pd.read_parquet(out / "_ledger")
    reasons = ledger[(ledger.subject != "view") & (ledger.status != "kept")].reason
    assert sorted(reasons) == ["bad_url", "forbidden_address", "http_404", "low_similarity", "span_outside"]
    assert vidal_inline("validate", str(out)).returncode == 0
    done = vidal_inline(
        "build-shard", "1", "--recipe", "embedded", "--catalogue", str(tmp_path / "clips.parquet"), "--out", str(out)
    )
    assert done.returncode == 2 and "shard 1 is out of range" in done.stderr


def test_a_shard_without_a_clip_is_committed_and_exits_1(tmp_path):
    (tmp_path / "c.csv").write_text("url,title\nfile:///etc/passwd,A password file\n")
    out = tmp_path / "out"
    overrides = sets(*LIGHT, "engine.executor=inline")
    arguments = ("--recipe", "catalogue", "--catalogue", str(tmp_path / "c.csv"), "--out", str(out), *overrides)
    done = vidal("build-shard", "0", *arguments)
    assert done.returncode == 1 and "no clip was kept" in done.stdout
    assert len(pd.read_parquet(out)) == 0
    assert pd.read_parquet(out / "_ledger").reason.tolist() == ["bad_url"]


def test_a_list_at_an_http_address_is_noticed_when_it_changes(tmp_path, serve_folder):
    path = tmp_path / "list.csv"
    path.write_text("url,title\nhttp://a.example/1.mp4,one\n")
    address = f"{serve_folder(tmp_path)}/list.csv"
    first = Catalogue(address).stamp()
    assert Catalogue(address).stamp() == first
    path.write_text("url,title\nhttp://a.example/2.mp4,another\n")
    assert Catalogue(address).stamp() != first
