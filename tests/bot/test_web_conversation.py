"""The conversation: commands, pictures, questions, buttons, languages, many tabs, bad manners."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest
from aiohttp import WSMsgType

from bot.web import conversation, sessions
from bot.web.frontend import WebFrontend
from handlers.kit.reply import Reply
from handlers.kit.request import PictureGone, PictureRef, ReplyAddress
from tests.bot.web_world import Browser, Script, picture, said, scripted_commands, serving


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    script = Script()
    with scripted_commands(script):
        yield script
    script.let_go.set()


@pytest.fixture
async def frontend(script: Script) -> AsyncIterator[WebFrontend]:
    async with serving(upload_megabytes=1, uploads_held_megabytes=8) as frontend:
        yield frontend


@pytest.fixture
async def browser(frontend: WebFrontend) -> AsyncIterator[Browser]:
    async with Browser(frontend) as browser:
        await browser.open()
        yield browser


# --- hello


async def test_hello_describes_every_command(browser: Browser) -> None:
    async with browser.tab() as tab:
        commands = {command["name"]: command for command in tab.hello["commands"]}
        assert tab.hello["language"] == "en"
        assert tab.hello["words"]["web-send"] == "Send"
        mirror = commands["mirror"]
        assert mirror["names"] == ["ayna", "mirror"]
        assert mirror["picture"] == "picture"
        shown, size = mirror["parameters"]
        assert (shown["kind"], shown["required"], shown["default"]) == ("picture", True, None)
        assert (size["low"], size["high"], size["default"]) == (0.1, 2, 1.0)
        echo = commands["echo"]
        assert echo["text"] == "text"
        assert [choice["title"] for choice in echo["parameters"][1]["choices"]] == ["plain", "loud"]
        halls = {hall["name"] for hall in tab.hello["halls"]}
        assert {command["hall"] for command in commands.values()} <= halls


async def test_the_clients_language_is_spoken(frontend: WebFrontend) -> None:
    async with Browser(frontend, **{"Accept-Language": "de, tr-TR;q=0.9, en;q=0.8"}) as browser:
        assert '<html lang="tr">' in await browser.open()
        async with browser.tab() as tab:
            assert tab.hello["language"] == "tr"
            assert tab.hello["words"]["web-send"] == "Gönder"


async def test_the_page_says_its_language_where_the_socket_does_not(frontend: WebFrontend) -> None:
    async with Browser(frontend, **{"Accept-Language": "tr"}) as browser:
        await browser.open()
        for address, language in (("/ws?language=tr", "tr"), ("/ws?language=xx", "en")):
            headers = {"Origin": browser.origin, "Accept-Language": "en"}
            async with browser.http.ws_connect(address, headers=headers) as socket:
                assert (await socket.receive_json(timeout=20))["language"] == language


# --- asking


async def test_a_typed_line_streams_and_ends(browser: Browser, script: Script) -> None:
    async with browser.tab() as tab:
        answer = await tab.ask("/echo merhaba mode:loud")
        assert script.seen == [("merhaba", "loud")]
        assert answer["state"] == "final"
        assert [block["kind"] for block in answer["blocks"]] == ["generated", "code", "note"]
        asked = next(e for e in tab.entries.values() if e["author"] == "visitor")
        assert asked["text"] == "/echo merhaba mode:loud"


async def test_streamed_text_is_coalesced(browser: Browser) -> None:
    async with browser.tab() as tab:
        answer = await tab.ask("/echo " + "x" * 5000)
        assert said(answer).startswith("x" * 5000)
        assert tab.states < 500  # of 5001 states


async def test_generated_text_is_data_never_markup(browser: Browser) -> None:
    async with browser.tab() as tab:
        hostile = "<img src=x onerror=alert(1)></script>"
        answer = await tab.ask(f"/echo {hostile}")
        assert answer["blocks"][0]["text"] == hostile
        urls = [button["url"] for button in answer["buttons"]]
        assert urls == [None, "https://arxiv.org/abs/1506.02640"]  # the javascript: one is dropped


async def test_a_form_call(browser: Browser, script: Script) -> None:
    async with browser.tab() as tab:
        arguments = {"text": "two words", "mode": "loud"}
        await tab.send("call", command="echo", arguments=arguments)
        await tab.answer("final")
        assert script.seen == [("two words", "loud")]
        asked = next(e for e in tab.entries.values() if e["author"] == "visitor")
        assert asked["text"] == "/echo mode:loud two words"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("hello", "starts with a slash"),
        ("/mirrr", "Did you mean /mirror?"),
        ("/qqqqqq", "There is no /qqqqqq"),
        ("/mirror size:9", "must lie between"),
        ("/mirror size:abc", "must be a number"),
        ("/echo", "needs a value"),
        ("/echo " + "y" * 5001, "at most 5,000"),
        ("/echo a\u202eb", "invisible control characters"),
    ],
)
async def test_a_refusal_is_an_answer(browser: Browser, line: str, words: str) -> None:
    async with browser.tab() as tab:
        answer = await tab.ask(line)
        assert words in said(answer).replace("5000", "5,000")
        await tab.ask("/echo still here")


async def test_a_command_nobody_has(browser: Browser) -> None:
    async with browser.tab() as tab:
        await tab.send("call", command="sudo", arguments={})
        assert "There is no /sudo" in said(await tab.answer("final"))


# --- pictures


async def test_a_picture_goes_in_and_comes_out(browser: Browser, script: Script) -> None:
    sent = picture()
    status, upload = await browser.upload(sent)
    assert status == 200
    async with browser.tab() as tab:
        answer = await tab.ask("/mirror", picture=upload["id"])
        assert script.seen == [sent]
        shown = answer["images"][0]
        assert shown["alt"] == "The picture as it came."
        async with browser.http.get(shown["url"]) as response:
            assert response.content_type == "image/png"
            assert await response.read() == sent
        asked = next(e for e in tab.entries.values() if e["author"] == "visitor")
        assert asked["picture"] == upload["url"]


async def test_pictures_are_their_owners(browser: Browser, frontend: WebFrontend) -> None:
    _, upload = await browser.upload(picture())
    async with Browser(frontend) as other:
        await other.open()
        async with other.http.get(upload["url"]) as response:
            assert response.status == 404
        async with other.tab() as tab:
            # Nor does knowing the id help to have a model look at it.
            asking = await tab.ask("/mirror", picture=upload["id"])
            assert asking["state"] == "question"
            assert "no longer have that picture" in said(asking)


async def test_files_are_saved_never_shown(browser: Browser) -> None:
    _, upload = await browser.upload(b"<script>alert(1)</script>")
    async with browser.http.get(upload["url"]) as response:
        assert response.headers["Content-Disposition"] == "attachment"
        assert response.content_type == "application/octet-stream"
        assert "sandbox" in response.headers["Content-Security-Policy"]
    _, upload = await browser.upload(picture())
    async with browser.tab() as tab:
        answer = await tab.ask("/mirror", picture=upload["id"])
        (file,) = answer["files"]
        assert file["name"] == "page.html"
        async with browser.http.get(file["url"]) as response:
            assert response.headers["Content-Disposition"] == "attachment"
            assert "sandbox" in response.headers["Content-Security-Policy"]


async def test_uploads_are_limited(browser: Browser) -> None:
    status, refused = await browser.upload(b"x" * 1_000_001)
    assert (status, refused["error"]) == (413, "The file is over 1 MB. Send a smaller one.")

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    status, refused = await browser.upload(endless())  # chunked: no length is declared
    assert status == 413
    status, refused = await browser.upload(b"")
    assert (status, refused["error"]) == (400, "The file is empty. Send the picture again.")


async def test_uploads_are_counted(browser: Browser) -> None:
    statuses = [(await browser.upload(picture()))[0] for _ in range(14)]
    assert statuses[0] == 200
    assert 429 in statuses


async def test_an_expired_picture_is_asked_for_again(
    browser: Browser, frontend: WebFrontend, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, upload = await browser.upload(picture())
    ref = PictureRef("web", {"upload": upload["id"]})
    assert await frontend.fetch(ref) == picture()
    async with browser.tab() as tab:
        answer = await tab.ask("/mirror", picture=upload["id"])
        again = next(b for b in answer["buttons"] if b["label"] == "Again")
        shelf = frontend._shelf
        later = shelf._clock() + 3601
        monkeypatch.setattr(shelf, "_clock", lambda: later)
        with pytest.raises(PictureGone):
            await frontend.fetch(ref)
        async with browser.http.get(upload["url"]) as response:
            assert response.status == 404
        await tab.send("press", token=again["token"])
        asking = await tab.answer("question")
        assert "no longer have that picture" in said(asking)
        _, upload = await browser.upload(picture("blue"))
        await tab.send("answer", entry=asking["id"], value={"upload": upload["id"]})
        answer = await tab.answer("final")
        async with browser.http.get(answer["images"][0]["url"]) as response:
            assert await response.read() == picture("blue")


async def test_a_foreign_reference_names_nothing(frontend: WebFrontend) -> None:
    for place in ({}, {"upload": "x"}, {"upload": None}, {"path": "/etc/passwd"}):
        with pytest.raises(PictureGone):
            await frontend.fetch(PictureRef("web", place))


# --- questions


async def test_a_missing_picture_is_asked_for(browser: Browser, script: Script) -> None:
    async with browser.tab() as tab:
        asking = await tab.ask("/mirror size:0.5")
        assert asking["state"] == "question"
        assert asking["question"] == {"command": "mirror", "kind": "picture", "title": "picture"}
        _, upload = await browser.upload(picture())
        await tab.send("answer", entry=asking["id"], value={"upload": upload["id"]})
        answer = await tab.answer("final")
        assert answer["data"] == {"bytes": len(picture()), "size": 0.5}
        assert tab.entries[asking["id"]]["question"] is None
        # Once only.
        await tab.send("answer", entry=asking["id"], value={"upload": upload["id"]})
        assert "closed" in said(await tab.answer("final"))


async def test_a_missing_value_is_asked_for(browser: Browser, script: Script) -> None:
    async with browser.tab() as tab:
        asking = await tab.ask("/echo mode:loud")
        assert asking["question"]["kind"] == "text"
        await tab.send("answer", entry=asking["id"], value="here it is")
        await tab.answer("final")
        assert script.seen == [("here it is", "loud")]


async def test_there_was_no_question(browser: Browser) -> None:
    async with browser.tab() as tab:
        await tab.send("answer", entry="nothing", value="x")
        assert "closed" in said(await tab.answer("final"))


# --- buttons


async def test_a_button_runs_its_call(browser: Browser, script: Script) -> None:
    async with browser.tab() as tab:
        answer = await tab.ask("/echo hi")
        await tab.send("press", token=answer["buttons"][0]["token"])
        await tab.answer("final")
        assert script.seen[-1] == ("hi", "loud")
        labels = [e["text"] for e in tab.entries.values() if e["author"] == "visitor"]
        assert labels == ["/echo hi", "Louder"]


async def test_buttons_answer_to_their_owner(browser: Browser, frontend: WebFrontend) -> None:
    async with browser.tab() as tab, Browser(frontend) as other:
        answer = await tab.ask("/echo hi")
        await other.open()
        async with other.tab() as theirs:
            await theirs.send("press", token=answer["buttons"][0]["token"])
            assert "somebody else" in said(await theirs.answer("final"))
            await theirs.send("press", token="no-such-token")
            assert "no longer know this button" in said(await theirs.answer("final"))


# --- running, stopping, limits


async def test_an_answer_can_be_stopped(browser: Browser, script: Script) -> None:
    async with browser.tab() as tab:
        await tab.send("line", text="/work")
        running = await tab.answer("partial")
        assert not any(b["label"] == "Cancel" for b in running["buttons"])  # the page has its own
        await tab.send("cancel", entry=running["id"])
        assert said(await tab.answer("final")) == "Cancelled."
        assert script.cancelled == 1


async def test_somebody_else_cannot_stop_it(
    browser: Browser, frontend: WebFrontend, script: Script
) -> None:
    async with browser.tab() as tab, Browser(frontend) as other:
        await tab.send("line", text="/work")
        running = await tab.answer("partial")
        await other.open()
        async with other.tab() as theirs:
            await theirs.send("cancel", entry=running["id"])
            await theirs.ask("/echo done")
        script.let_go.set()
        assert said(await tab.answer("final")) == "Step 4"


async def test_running_answers_are_limited(browser: Browser, script: Script) -> None:
    async with browser.tab() as tab:
        for _ in range(sessions.RUNNING):
            await tab.send("line", text="/work")
        await tab.send("line", text="/work")
        refused = await tab.answer("final")
        assert f"{sessions.RUNNING} answers" in said(refused)
        script.let_go.set()
        for _ in range(sessions.RUNNING):
            await tab.answer("final")
        await tab.ask("/echo again")


async def test_messages_are_limited(browser: Browser) -> None:
    async with browser.tab() as tab:
        for _ in range(60):
            await tab.send("ping")
        refused = await tab.receive("error")
        assert "going too fast" in refused["text"]


@pytest.mark.parametrize("raw", ["", "{", "[]", '{"type":"sudo"}', "[" * 50_000])
async def test_garbage_costs_a_sentence(browser: Browser, raw: str) -> None:
    async with browser.tab() as tab:
        await tab.socket.send_str(raw)
        assert "could not read" in (await tab.receive("error"))["text"]
        await tab.socket.send_bytes(b"\x00\xff")
        assert "could not read" in (await tab.receive("error"))["text"]
        await tab.ask("/echo still here")


async def test_oversize_costs_a_sentence_and_more_the_tab(browser: Browser) -> None:
    async with browser.tab() as tab:
        await tab.send("line", text="x" * 200_001)
        assert "at most 200,000" in (await tab.receive("error"))["text"]
        await tab.ask("/echo still here")
        with suppress(ConnectionError):  # the server hangs up while we are still sending
            await tab.socket.send_str("x" * (5 * 1024 * 1024))
        async with asyncio.timeout(20):
            while not tab.socket.closed:
                await tab.socket.receive()
    async with browser.tab() as tab:
        await tab.ask("/echo and again")


# --- tabs, reloads, lost connections


async def test_a_reload_loses_nothing(browser: Browser, script: Script) -> None:
    async with browser.tab() as tab:
        await tab.send("line", text="/work steps:2")
        await tab.answer("partial")
    async with browser.tab() as tab:
        running = [e for e in tab.hello["entries"] if e["author"] == "tadim"]
        assert [entry["state"] for entry in running] == ["partial"]
        script.let_go.set()
        assert said(await tab.answer("final")) == "Step 2"
    async with browser.tab() as tab:
        assert [entry["author"] for entry in tab.hello["entries"]] == ["visitor", "tadim"]
        assert tab.hello["entries"][1]["state"] == "final"


async def test_every_tab_sees_the_same(browser: Browser) -> None:
    async with browser.tab() as first, browser.tab() as second:
        await first.send("line", text="/echo to both")
        mine, theirs = await first.answer("final"), await second.answer("final")
        assert mine == theirs


async def test_sessions_see_only_themselves(browser: Browser, frontend: WebFrontend) -> None:
    async with browser.tab() as tab, Browser(frontend) as other:
        await tab.ask("/echo a secret")
        await other.open()
        async with other.tab() as theirs:
            assert theirs.hello["entries"] == []


async def test_a_message_sent_twice_counts_once(browser: Browser, script: Script) -> None:
    """A page sends again what was not acknowledged when its connection broke."""
    async with browser.tab() as tab:
        await tab.send("line", text="/echo once", key="k1")
        assert (await tab.receive("got"))["key"] == "k1"
        await tab.answer("final")
    async with browser.tab() as tab:
        await tab.send("line", text="/echo once", key="k1")
        await tab.receive("got")
        await tab.ask("/echo twice", key="k2")
        assert [text for text, _ in script.seen] == ["once", "twice"]


async def test_the_history_is_bounded(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "HISTORY", 4)
    async with browser.tab() as tab:
        for number in range(4):
            await tab.ask(f"/echo {number}")
    async with browser.tab() as tab:
        asked = [e["text"] for e in tab.hello["entries"] if e["author"] == "visitor"]
        assert asked == ["/echo 2", "/echo 3"]


async def test_work_that_nobody_waits_for_ends(
    browser: Browser, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "ABANDONED", 0.0)
    async with browser.tab() as tab:
        await tab.send("line", text="/work")
        await tab.answer("partial")
    async with asyncio.timeout(20):
        while not script.cancelled:
            await asyncio.sleep(0.01)


async def test_too_many_tabs(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "TABS", 1)
    headers = {"Origin": browser.origin}
    async with browser.tab(), browser.http.ws_connect("/ws", headers=headers) as second:
        assert (await second.receive()).type is WSMsgType.CLOSE
        assert second.close_code == 1013


async def test_clearing(browser: Browser, script: Script) -> None:
    _, upload = await browser.upload(picture())
    async with browser.tab() as tab:
        await tab.ask("/mirror", picture=upload["id"])
        await tab.send("line", text="/work")
        await tab.answer("partial")
        await tab.send("clear")
        await tab.receive("cleared")
        async with asyncio.timeout(20):
            while not script.cancelled:
                await asyncio.sleep(0.01)
        async with browser.http.get(upload["url"]) as response:
            assert response.status == 404
    async with browser.tab() as tab:
        assert tab.hello["entries"] == []


async def test_a_visitor_who_wants_to_be_forgotten_is(browser: Browser, script: Script) -> None:
    _, upload = await browser.upload(picture())
    async with browser.tab() as tab:
        await tab.ask("/mirror", picture=upload["id"])
        await tab.send("line", text="/privacy action:delete sure:yes")
        await tab.receive("cleared")
        last = await tab.answer("final")
        assert "deleted" in str(last["blocks"])
        async with browser.http.get(upload["url"]) as response:
            assert response.status == 404
    async with browser.tab() as tab:
        assert len(tab.hello["entries"]) == 1


# --- languages


async def test_a_change_of_language_repaints_everything(browser: Browser) -> None:
    _, upload = await browser.upload(picture())
    async with browser.tab() as tab:
        await tab.send("call", command="mirror", arguments={"picture": {"upload": upload["id"]}})
        english = await tab.answer("final")
        await tab.send("language", language="tr")
        hello = await tab.receive("hello")
        assert hello["language"] == "tr"
        asked, turkish = hello["entries"]
        assert asked["text"] == "/ayna"
        assert said(turkish) == "Geldiği gibi resim."
        assert turkish["images"][0]["alt"] == "Geldiği gibi resim."
        assert turkish["images"][0]["url"] == english["images"][0]["url"]
    async with browser.tab() as tab:  # and it is remembered
        assert tab.hello["language"] == "tr"


async def test_numbers_in_a_repeated_call_have_a_decimal_comma(browser: Browser) -> None:
    async with browser.tab() as tab:
        await tab.send("call", command="mirror", arguments={"size": 0.5})
        await tab.answer("question")
        await tab.send("language", language="tr")
        hello = await tab.receive("hello")
        assert hello["entries"][0]["text"] == "/ayna boyut:0,5"


async def test_the_command_changes_the_page_too(browser: Browser) -> None:
    async with browser.tab() as tab:
        await tab.send("line", text="/language language:tr")
        hello = await tab.receive("hello")
        assert hello["language"] == "tr"


# --- notices, failures


async def test_a_notice_reaches_the_page(browser: Browser, frontend: WebFrontend) -> None:
    async with browser.tab() as tab:
        await tab.ask("/echo hi")
        (session,) = list(frontend.sessions)
        await frontend.send(
            ReplyAddress("web", {"session": session.id}), Reply.say("working-on"), "en"
        )
        notice = await tab.answer("final")
        assert said(notice) == "Still at work."
        assert notice["command"] is None


async def test_a_notice_waits_for_who_is_away(browser: Browser, frontend: WebFrontend) -> None:
    async with browser.tab() as tab:
        pass
    (session,) = list(frontend.sessions)
    await frontend.send(ReplyAddress("web", {"session": session.id}), Reply.say("cancelled"), "en")
    async with browser.tab() as tab:
        assert said(tab.hello["entries"][0]) == "Cancelled."


async def test_a_failure_of_ours_has_an_id(
    browser: Browser, frontend: WebFrontend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*arguments: object) -> None:
        raise RuntimeError("disk on fire")

    async with browser.tab() as tab:
        monkeypatch.setattr(frontend._hub, "line", broken)
        answer = await tab.ask("/echo hi")
        assert answer["error"]
        assert "our fault" in said(answer)
        assert "disk on fire" not in said(answer)


async def test_a_reply_that_cannot_be_rendered(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with browser.tab() as tab:
        with monkeypatch.context() as broken:

            async def unrenderable(*arguments: object) -> None:
                raise KeyError("no such message")

            broken.setattr(conversation, "follow", unrenderable)
            assert "our fault" in said(await tab.ask("/echo hi"))
        await tab.ask("/echo fine again")


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Failures made on purpose do not fill the test's output."""
    with caplog.at_level("CRITICAL", logger="handlers.kit.errors"):
        yield
