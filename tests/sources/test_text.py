import pytest

from vidal.config.loading import load_recipe
from vidal.schema import Reason
from vidal.sources.candidate_policy import judge_text
from vidal.sources.text import clean_text, parse_hashtags

OR = load_recipe("embedded").text
AND = load_recipe("embedded", ("text.rule=and",)).text


def test_hashtags_are_parsed_in_any_script_and_ranks_are_not_tags():
    assert parse_hashtags("My #Cat and #日本 #cat", "see #über, not #1 nor a&#39;b") == ["cat", "日本", "über"]
    assert parse_hashtags("https://example.org/page#anchor", None) == []


@pytest.mark.parametrize(
    ("title", "tags", "with_or", "with_and"),
    [
        ("A cat on a mat", ["cat"], None, None),
        ("Cat", ["cat"], Reason.SHORT_TITLE, None),
        ("A cat on a mat", [], Reason.NO_HASHTAGS, None),
        ("A cat on a mat", ["shorts", "viral"], Reason.STOP_HASHTAGS, None),
        ("Cat", [], Reason.SHORT_TITLE, Reason.SHORT_TITLE),
        ("  ", ["cat"], Reason.NO_TITLE, Reason.NO_TITLE),
    ],
)
def test_both_readings_of_the_papers_rule(title, tags, with_or, with_and):
    reasons = [drop and drop.reason for drop in (judge_text(title, tags, OR), judge_text(title, tags, AND))]
    assert reasons == [with_or, with_and]


def test_cleaning_works_on_word_bounds_and_keeps_unicode():
    # LanguageBind's clean_youtube makes "strawberry cake" of the first and nothing of the second.
    assert clean_text("Strawberry Shortcake shorts", ["shorts"], OR) == "Strawberry Shortcake"
    assert clean_text("日本の猫 #fyp", ["fyp", "猫"], OR) == "日本の猫 猫"
