"""The benchmark of the platforms, made small, sees what it is there to see."""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.platforms import Report, earliest, measure, report_of

FELT: Report = {
    "ready": {"discord:1": 10.5, "discord:2": 11.0, "telegram:1": 10.5, "telegram:2": 11.0},
    "loop_lag": {},
    "own_cores": 0.1,
    "busy_cores": 2.0,
    "other_jobs": {},
}


def person(number: int, platform: str = "discord", **facts: Any) -> Report:
    usual = {"acknowledged": 10.1, "answered": 11.1, "answers": 1, "opened": None, "place": ""}
    return {"user": f"{platform}:{number}", "pressed": 10.0, **usual, **facts}


def seen(*people: Report, **facts: Any) -> Report:
    nothing = {"answers_to_nobody": 0, "too_many": [], "violations": [], "requests": {}}
    return {"people": people, "other_words": {}, "loop_lag": {}, "in_group": {}} | nothing | facts


@pytest.mark.parametrize(
    ("part", "users"),
    # More than a group may get at once, so that a link must lead some of them elsewhere.
    [("discord", 20), ("telegram-private", 20), ("telegram-group-words", 50)],
)
async def test_a_small_load_is_answered(part: str, users: int) -> None:
    """A script answers in the place of the models; nothing is said of how fast."""
    report = await measure(part, users, weights=None, streams=0)
    assert report["answers"] == {"exactly_one": users, "missing": 0, "more": 0, "to_nobody": 0}
    assert report["too_many"] <= 1
    assert report["violations"] == []
    assert report["loop_lag"]["samples"] > 0
    if part == "discord":
        assert report["acknowledged"] == users
    if part == "telegram-group-words":
        assert set(report["places"]) == {"private", "group"}, "a link led there"
        assert sum(report["places"].values()) == users


def test_what_is_right_meets_the_bar() -> None:
    report = report_of("discord", seen(person(1), person(2)), FELT)
    assert report["met"] is True
    assert report["acknowledgement"]["p99_s"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        seen(person(1), person(2, acknowledged=11.5)),
        seen(person(1), person(2, acknowledged=None)),
        seen(person(1), person(2, answers=2)),
        seen(person(1), person(2, answers=0, answered=None)),
        seen(person(1), person(2), answers_to_nobody=1),
        seen(person(1), person(2), too_many=["post: post 1"] * 2),
        seen(person(1), person(2), violations=["unknown route"]),
    ],
)
def test_what_is_wrong_does_not(wrong: Report) -> None:
    assert report_of("discord", wrong, FELT)["met"] is False


def test_the_limits_and_the_models_are_what_an_answer_may_wait_for() -> None:
    people = person(1, "telegram"), person(2, "telegram", answered=11.3)
    report = report_of("telegram-private", seen(*people), FELT)
    assert report["seconds_possible"] == 1.0  # the second model was done then
    assert report["figure"] == pytest.approx(1.3)
    assert report["met"] is False


def test_who_opens_a_private_chat_may_be_answered_from_then_on() -> None:
    people = person(1, "telegram", opened=12.0, answered=12.2), person(2, "telegram")
    report = report_of("telegram-group", seen(*people, in_group={"sendPhoto": 1}), FELT)
    assert report["seconds_possible"] == 2.0
    assert report["met"] is True


def test_no_more_is_possible_than_the_limits_allow() -> None:
    assert earliest([0.0] * 30, (30, 1.0)) == 0.0
    assert earliest([0.0] * 61, (30, 1.0)) == 2.0
    assert earliest([5.0, *[0.0] * 30], (30, 1.0)) == 5.0
    assert earliest([], (30, 1.0)) == 0.0
    assert earliest([0.0] * 21, (1, 1.0), (20, 60.0)) == 60.0
