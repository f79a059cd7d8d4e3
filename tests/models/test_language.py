"""The language of titles."""

import pytest

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.models.registry import LANGUAGES, open_model

TITLES = [
    ("A man walks his dog in the park", "en"), ("TOP 10 BEST MOMENTS OF THE WEEK", "en"), ("Comment faire un gâteau au chocolat", "fr"),
    ("El perro juega en la playa con los niños", "es"), ("So backt man Brot zu Hause", "de"), ("Come fare la pizza in casa", "it"),
    ("Como fazer bolo de cenoura", "pt"), ("De hond speelt in de tuin", "nl"), ("Как приготовить борщ", "ru"),
    ("Кіт спить на дивані", "uk"),
    ("猫がソファで寝ている", "ja"), ("猫在沙发上睡觉", "zh"), ("고양이가 소파에서 자고 있다", "ko"), ("القط ينام على الأريكة", "ar"),
    ("बिल्ली सोफे पर सो रही है", "hi"), ("Kedi kanepede uyuyor", "tr"), ("Con mèo đang ngủ trên ghế", "vi"),
]  # fmt: skip


def test_languages_of_titles():
    detector = open_model(LANGUAGES, ModelSpec(adapter="py3langid"))
    detected = [(text, *detector.detect(text)) for text, _ in TITLES]
    assert [code for _, code, _ in detected] == [code for _, code in TITLES]
    assert min(confidence for _, _, confidence in detected) > 0.5
    assert detector.detect("123 !!! 🔥") == (None, 0.0)
    with pytest.raises(UserError, match=r"options\.languages.*xx"):
        open_model(LANGUAGES, ModelSpec(adapter="py3langid", options={"languages": ["en", "xx"]}))


def test_real_titles_of_the_us_are_english(shared):
    import csv

    with open(shared / "labels/youtube_trending_us_2017.csv", encoding="utf-8", errors="replace") as file:
        titles = sorted({row["title"] for row in csv.DictReader(file)})
    detector = open_model(LANGUAGES, ModelSpec(adapter="py3langid"))
    sure = [code for code, confidence in map(detector.detect, titles) if confidence >= 0.5]
    assert len(sure) > 0.8 * len(titles)
    assert sure.count("en") > 0.97 * len(sure)
