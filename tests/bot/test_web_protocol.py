"""Messages from a page that may not be ours: read or refused, never believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.web.protocol import LONGEST, Garbled, Upload, page_words, read
from locales import LANGUAGES


def message(**parts: Any) -> str:
    return json.dumps(parts)


def test_a_line() -> None:
    incoming = read(message(type="line", text="/algıla güven:0,4", picture="abc", key="k1"))
    assert (incoming.type, incoming.text, incoming.key) == ("line", "/algıla güven:0,4", "k1")
    assert incoming.upload == Upload("abc")


def test_a_call_with_every_kind_of_value() -> None:
    arguments = {"picture": {"upload": "abc"}, "text": "x", "size": 0.5, "steps": 3, "loud": True}
    incoming = read(message(type="call", command="echo", arguments=arguments))
    assert incoming.arguments == {**arguments, "picture": Upload("abc")}


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "hello",
        "null",
        "[]",
        '"line"',
        "{}",
        '{"type": 3}',
        '{"type": "sudo"}',
        '{"type": "line"}',
        '{"type": "line", "text": 5}',
        '{"type": "line", "text": "x", "picture": {"a": 1}}',
        '{"type": "call", "command": "echo"}',
        '{"type": "call", "command": "echo", "arguments": []}',
        '{"type": "call", "command": "echo", "arguments": {"a": null}}',
        '{"type": "call", "command": "echo", "arguments": {"a": [1]}}',
        '{"type": "press", "token": ["a"]}',
        '{"type": "answer", "entry": "a"}',
        '{"type": "language", "language": "xx"}',
        '{"type": "clear", "key": 7}',
        "[" * 100_000,
        '{"type": "call", "command": "echo", "arguments": {"a": ' + "9" * 5000 + "}}",
        message(type="press", token="x" * 101),
    ],
)
def test_garbage_is_refused(raw: str) -> None:
    with pytest.raises(Garbled) as refused:
        read(raw)
    assert refused.value.message.key == "web-error-garbled"


def test_nobody_names_a_picture_of_another_platform() -> None:
    # The hub makes {"picture": …} into a picture again; a visitor must never get one through.
    stolen = {"picture": {"platform": "telegram", "place": {"file_id": "1"}}}
    with pytest.raises(Garbled):
        read(message(type="call", command="mirror", arguments={"picture": stolen}))
    with pytest.raises(Garbled):
        read(message(type="answer", entry="e", value=stolen))


def test_a_text_that_is_too_long() -> None:
    assert read(message(type="line", text="x" * LONGEST)).text
    with pytest.raises(Garbled) as refused:
        read(message(type="line", text="x" * (LONGEST + 1)))
    assert refused.value.message.key == "web-error-message-too-long"


def test_half_a_surrogate_pair_becomes_text() -> None:
    incoming = read('{"type": "line", "text": "a\\ud83d b"}')
    assert incoming.text == "a\N{REPLACEMENT CHARACTER} b"
    incoming.text.encode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_words_leave_their_blanks_to_the_page(language: str) -> None:
    words = page_words(language)
    assert "{megabytes}" in words["web-too-large"]
    assert not any(key.startswith("web-error") for key in words)
