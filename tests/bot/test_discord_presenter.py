"""From rendered replies to pages."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bot.discord import presenter
from bot.discord.presenter import Attachment, attachments_of, pages
from bot.presenting import Presentation, Rendered, RenderedImage
from handlers.kit.reply import Button, Code, File, Generated, Note, Question, Reply, Say
from handlers.kit.request import Call
from locales import Message
from tests.fakes import FakeMemory


async def rendered(reply: Reply, language: str = "en") -> Rendered:
    return await Presentation(FakeMemory(), language, "discord:1", "discord:2").render(reply)


async def test_each_kind_of_block_has_its_dress() -> None:
    reply = Reply(
        blocks=(
            Say(Message("cancelled")),
            Generated("once *upon*\na time"),
            Code("x = 1", "python"),
            Note(Message("working-on")),
        )
    )
    [page] = pages(await rendered(reply), "en")
    assert page.content == (
        "Cancelled.\n> once \\*upon\\*\n> a time\n```python\nx = 1\n```\n-# Still at work."
    )


async def test_empty_reply_says_something() -> None:
    [page] = pages(await rendered(Reply()), "en")
    assert page.content == "…"


async def test_long_text_fills_pages_and_the_last_has_the_buttons() -> None:
    text = "This sentence is here to fill the page. " * 200
    button = Button(Message("button-again"), Call("gpt", {"text": "x"}))
    reply = Reply(blocks=(Generated(text), Note(Message("working-on"))), buttons=(button,))
    written = pages(await rendered(reply), "en", [Attachment(b"x", "a.png", "alt")])
    assert len(written) > 3
    assert all(len(page.content) <= presenter.CONTENT_LIMIT for page in written)
    assert [bool(page.keys) for page in written] == [False] * (len(written) - 1) + [True]
    assert [bool(page.attachments) for page in written] == [False] * (len(written) - 1) + [True]


async def test_endless_text_goes_into_a_file() -> None:
    text = "word " * 10_000
    written = pages(await rendered(Reply(blocks=(Generated(text),))), "en")
    assert len(written) == presenter.PAGE_LIMIT
    assert written[-1].attachments == (Attachment(text.encode(), "tadim.txt"),)
    assert "attached file" in written[-1].content


async def test_many_attachments_go_on_in_further_messages() -> None:
    files = [Attachment(b"x", f"{number}.png", "alt") for number in range(23)]
    button = Button(Message("button-again"), Call("gpt", {"text": "x"}))
    written = pages(await rendered(Reply.say("cancelled").with_buttons(button)), "en", files)
    assert [page.content for page in written] == ["Cancelled.", "", ""]
    assert [len(page.attachments) for page in written] == [10, 10, 3]
    assert [bool(page.keys) for page in written] == [False, False, True]


async def test_endless_text_and_many_attachments_stay_within_the_messages_of_an_answer() -> None:
    files = [Attachment(b"x", f"{number}.png", "alt") for number in range(20)]
    reply = Reply(blocks=(Generated("word " * 10_000),))
    written = pages(await rendered(reply), "en", files)
    assert len(written) == presenter.PAGE_LIMIT
    names = [attachment.name for page in written for attachment in page.attachments]
    assert names == ["tadim.txt", *(file.name for file in files)]
    assert "attached file" in written[5].content


async def test_head_comes_first() -> None:
    [page] = pages(await rendered(Reply.say("cancelled")), "en", head="<@1>")
    assert page.content == "<@1>\nCancelled."


@pytest.mark.parametrize(("language", "percent"), [("tr", "%40"), ("en", "40%")])
async def test_progress(language: str, percent: str) -> None:
    reply = Reply.say("working-on").partial(0.4)
    [page] = pages(await rendered(reply, language), language)
    assert page.content.endswith(f"-# ▰▰▰▰▱▱▱▱▱▱ {percent}")


async def test_pictures_have_alternative_text_and_files_have_none() -> None:
    reply = Reply(files=(File(b"2", "b.csv"),))
    image = RenderedImage(b"1", "a.png", "x" * 3000, animated=False)
    picture, file = attachments_of(replace(await rendered(reply), images=(image,)))
    assert picture == Attachment(b"1", "a.png", "x" * presenter.ALT_LIMIT)
    assert file == Attachment(b"2", "b.csv")


# --- buttons -------------------------------------------------------------------------------------


async def test_at_most_25_buttons_with_short_labels() -> None:
    button = Button(Message("working", model="x" * 200), Call("gpt", {"text": "x"}))
    link = Button(Message("button-paper"), url="https://example.org")
    written = pages(await rendered(Reply(buttons=(link, *[button] * 40))), "en")
    keys = written[-1].keys
    assert len(keys) == presenter.BUTTON_LIMIT
    assert all(len(key.label) <= presenter.LABEL_LIMIT for key in keys)
    assert keys[0].url == "https://example.org"
    assert keys[0].custom_id is None


async def test_custom_ids() -> None:
    reply = Reply(
        buttons=(
            Button(Message("button-again"), Call("gpt", {"text": "x"})),
            Button(Message("button-again"), Call("detect", {"confidence": 0.4})),
            Button(Message("button-cancel"), Call("cancel", {"run": "1"})),
            Button(Message("button-delete"), deletes=True),
        )
    )
    [page] = pages(await rendered(reply), "en")
    press, ask, aside, delete = page.keys
    assert re.fullmatch(r"t1:[\w-]{12}", press.custom_id or "")
    assert re.fullmatch(r"a1:[\w-]{12}:detect:picture", ask.custom_id or "")
    assert ask.asks
    assert not press.asks
    assert re.fullmatch(r"p1:[\w-]{12}", aside.custom_id or "")
    assert delete == presenter.Key("Delete", deletes=True)  # its id comes with the messages


def test_custom_id_of_a_form_stays_within_its_limit() -> None:
    names = [f"parameter_{n}" for n in range(20)]
    custom_id = presenter.ask_id("abcdefghijkl", "az-ornek", names)
    assert len(custom_id) <= presenter.CUSTOM_ID_LIMIT
    held = custom_id.split(":")[3].split(",")
    assert held == names[: len(held)]
    assert len(custom_id) + len(f",{names[len(held)]}") > presenter.CUSTOM_ID_LIMIT


def test_question_gets_a_button_that_opens_the_form() -> None:
    question = Question(Call("detect"), "picture")
    asking = presenter.with_question(replace(Reply.say("cancelled"), question=question))
    assert asking.buttons == (Button(Message("discord-form-picture"), question.call),)
    question = Question(Call("gpt"), "text")
    asking = presenter.with_question(replace(Reply.say("cancelled"), question=question))
    assert asking.buttons[0].label == Message("discord-form-value")
