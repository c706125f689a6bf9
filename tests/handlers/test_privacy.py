"""/privacy on the real store: shown, taken along, deleted after a question."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

import bot.store.store as store_module
from bot.presenting import Presentation
from bot.store import Store
from handlers.kit import Call, Reply, runner
from handlers.kit.request import ReplyAddress
from handlers.kit.safety import SafetyRules
from tests.fakes import FakePlatform, services


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[FakePlatform]:
    world = services(SimpleNamespace(waiting=0))
    store = await Store.open(f"sqlite:///{tmp_path}/tadim.sqlite3")
    world.memory = store
    yield FakePlatform(world, language="en")
    await store.close()
    world.studio.close()


async def live_a_little(platform: FakePlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chosen language, a command and a button, on a known day."""
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "_now", lambda: datetime(2026, 6, 4, 12, tzinfo=UTC))
        memory = platform.services.memory
        await memory.set_language(platform.user, "tr")
        await memory.save_buttons([Call("gpt", {"text": "gizli"})], platform.user, platform.chat)
        await memory.finish(await memory.begin(platform.request("gpt")), "done", 1.0)


async def test_it_shows_in_words_what_is_held(
    platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live_a_little(platform, monkeypatch)
    reply = await platform.ask("privacy")
    english, turkish = platform.read(reply, "en"), platform.read(reply, "tr")
    assert "• who you are to this platform: fake:ada" in english
    assert "• the language you chose: Turkish" in english
    assert "when I first saw you (June 4, 2026)" in english
    assert "• 2 commands that you ran" in english, "this one included"
    assert "• one button under my answers" in english
    assert "deleted after 90 days" in english
    assert "• seçtiğin dil: Türkçe" in turkish
    assert "seni ilk gördüğüm gün (4 Haziran 2026)" in turkish
    assert "• çalıştırdığın 2 komut" in turkish
    assert "90 gün sonra silinir" in turkish
    assert reply.private
    assert [button.call for button in reply.buttons] == [
        Call("privacy", {"action": "export"}),
        Call("privacy", {"action": "delete"}),
    ]


async def test_a_newcomer_is_shown_that_there_is_next_to_nothing(platform: FakePlatform) -> None:
    text = platform.read(await platform.ask("privacy"))
    assert "• language: you have not chosen one yet" in text
    assert "• one command that you ran" in text
    assert "• no buttons" in text
    assert platform.states[-1].data == {"language": None, "usage": 1, "buttons": 0}


async def test_it_says_what_becomes_of_pictures(platform: FakePlatform) -> None:
    reply = await platform.ask("privacy")
    english, turkish = platform.read(reply, "en"), platform.read(reply, "tr")
    assert "I write neither your pictures nor my answers to any disk" in english
    assert "for as long as I work on it; where a button needs it again" in english
    assert "For 10 minutes I remember the generated face" in english
    assert "10 dakika boyunca, bir sayı dizisi olarak" in turkish
    assert "I train no model on your pictures, and I compare no face" in english
    assert "a model of my own looks for what is not fit for a chat" in english
    assert "Ne resimlerini ne de cevaplarımı diske yazarım" in turkish
    assert "üzerinde çalıştığım sürece belleğimde durur" in turkish
    assert "hiçbir modeli eğitmem" in turkish
    assert "Resimlere insan bakmaz" in turkish


async def test_the_page_holds_pictures_for_a_while_and_says_so(platform: FakePlatform) -> None:
    platform.services.about = {"picture_minutes": 45}
    request = replace(platform.request("privacy"), address=ReplyAddress("web", {}))
    reply = await runner.start(request, platform.services).result()
    assert "in my memory for at most 45 minutes" in platform.read(reply, "en")
    assert "en çok 45 dakika belleğimde durur" in platform.read(reply, "tr")


async def test_it_promises_no_check_that_is_switched_off(platform: FakePlatform) -> None:
    platform.services.safety = SafetyRules(enabled=False)
    assert "fit for a chat" not in platform.read(await platform.ask("privacy"))


async def test_the_export_is_a_readable_file(
    platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live_a_little(platform, monkeypatch)
    reply = await platform.ask("privacy", action="indir")
    (file,) = reply.files
    held = json.loads(file.data)
    assert file.name == "tadim-data.json"
    assert (held["user"], held["language"]) == ("fake:ada", "tr")
    assert held["buttons"][0]["call"]["arguments"] == {"text": "gizli"}
    assert b"gizli" in file.data
    assert reply.private


async def test_an_export_with_letters_that_utf8_does_not_know(platform: FakePlatform) -> None:
    call = Call("gpt", {"text": "half a \ud83d emoji"})
    await platform.services.memory.save_buttons([call], platform.user, platform.chat)
    (file,) = (await platform.ask("privacy", action="export")).files
    assert json.loads(file.data)["buttons"][0]["call"]["arguments"] == call.arguments


async def test_deleting_asks_first_and_the_buttons_answer(
    platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live_a_little(platform, monkeypatch)
    memory = platform.services.memory
    question = await platform.ask("privacy", action="sil")
    assert platform.labels(question) == ["Yes, delete everything", "No, keep it"]
    assert await memory.language(platform.user) == "tr", "nothing has been deleted yet"

    delete, keep = (button.call for button in question.buttons)
    assert delete is not None
    assert keep == Call("privacy", {"action": "show"})
    reply = await platform.ask(delete.command, **delete.arguments)
    assert platform.read(reply).startswith("Done: everything I remembered about you is deleted.")
    await Presentation(memory, "en", platform.user, platform.chat).render(reply)
    held = await memory.export(platform.user)
    assert (held["language"], held["first_seen"]) == (None, None)
    assert held["usage"] == held["buttons"] == [], "not even the answer leaves a trace"


async def test_typed_in_one_go(platform: FakePlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    await live_a_little(platform, monkeypatch)
    reply: Reply = await platform.ask("privacy", action="delete", sure="evet")
    assert platform.read(reply, "tr").startswith("Tamam, hakkında sakladığım her şeyi sildim.")
    assert await platform.services.memory.language(platform.user) is None


async def test_being_sure_deletes_nothing_by_itself(
    platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live_a_little(platform, monkeypatch)
    for action in ("show", "export"):
        await platform.ask("privacy", action=action, sure=True)
    assert await platform.services.memory.language(platform.user) == "tr"
