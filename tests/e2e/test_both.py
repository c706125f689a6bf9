"""Both real clients in one program, with the real queue and the embedded model."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from bot.app import opened
from bot.discord.frontend import DiscordFrontend
from bot.hub import Frontend
from bot.settings import Settings, Web, WeightsSettings
from bot.telegram.frontend import TelegramFrontend
from inference.weights import WeightsStore
from tests.e2e import discord_server, telegram_server
from tests.e2e import discord_world as discord
from tests.e2e import telegram_server as telegram

pytestmark = [pytest.mark.weights, pytest.mark.timeout(600)]

PATIENCE = 300.0  # seconds: the model is loaded first
ADA_LOCALES = {"tr": "tr", "en": "en-US"}
CANCEL = {"Cancel", "İptal"}


@pytest.fixture
async def on_discord() -> AsyncIterator[discord.World]:
    world = discord.World()
    yield world
    world.check()


@pytest.fixture
async def on_telegram() -> AsyncIterator[telegram.World]:
    world = telegram.World()
    yield world
    world.check()


@pytest.fixture
async def tadim(
    on_discord: discord.World,
    on_telegram: telegram.World,
    tmp_path: Path,
    weights_store: WeightsStore,
    pulled: Callable[[str], Path],
) -> AsyncIterator[None]:
    """The program with both frontends."""
    await asyncio.to_thread(pulled, "yolo26n")
    settings = Settings(
        data_folder=str(tmp_path),
        web=Web(enabled=False),
        weights=WeightsSettings(folder=str(weights_store.folder)),
        _env_file=None,
    )
    async with (
        discord_server.serving(on_discord) as at_discord,
        telegram_server.serve(on_telegram) as at_telegram,
        opened(settings) as hub,
    ):
        with discord_server.library_at(at_discord):
            frontends: list[Frontend] = [
                DiscordFrontend(hub, discord.TOKEN),
                TelegramFrontend(hub, telegram.TOKEN, at_telegram),
            ]
            hub.frontends |= {frontend.platform: frontend for frontend in frontends}
            try:
                for frontend in frontends:
                    await frontend.start()
                await hub.services.queue.start()
                yield
            finally:
                await asyncio.gather(*(frontend.stop() for frontend in frontends))


async def seen(condition: Callable[[], Any]) -> Any:
    async with asyncio.timeout(PATIENCE):
        while not (found := condition()):
            await asyncio.sleep(0.05)
    return found


def final(used: discord.Interaction) -> list[discord.Message]:
    """The finished messages of an answer on Discord that have pictures."""
    return [m for m in used.visible if m.uploads and not CANCEL & set(m.buttons)]


def drawn(before: bytes, after: bytes) -> bool:
    """Whether something was drawn into a picture, of which the rest stayed as it was."""
    with Image.open(io.BytesIO(before)) as old, Image.open(io.BytesIO(after)) as new:
        assert new.size == old.size
        difference = ImageChops.difference(old.convert("L"), new.convert("L"))
    return sum(difference.point(lambda value: value > 64).histogram()[1:]) > 1000


@pytest.fixture
def cuttings(bus_photo: bytes) -> Sequence[bytes]:
    """Three photos with people in them, each another."""
    cut = []
    with Image.open(io.BytesIO(bus_photo)) as bus:
        for left in (0, 60, 120):
            buffer = io.BytesIO()
            bus.crop((left, 200, left + 640, 1000)).save(buffer, "JPEG")
            cut.append(buffer.getvalue())
    return cut


@pytest.mark.parametrize(("here", "there"), [("tr", "en"), ("en", "tr")])
async def test_a_photo_on_both_at_once(
    tadim: None,
    on_discord: discord.World,
    on_telegram: telegram.World,
    bus_photo: bytes,
    here: str,
    there: str,
) -> None:
    commands = {"tr": ("algıla", "resim"), "en": ("detect", "picture")}
    found = {"tr": "bir otobüs", "en": "one bus"}
    ada = on_discord.person("Ada", locale=ADA_LOCALES[here])
    efe = telegram.Person(43, "Efe", there)
    name, option = commands[here]
    used = on_discord.slash(ada, name, **{option: ("bus.jpg", bus_photo)})
    await on_telegram.shows(efe, bus_photo, f"/{commands[there][0]}")
    [answer] = await seen(lambda: final(used))
    shown = await on_telegram.reads(efe.id, found[there], "photo", patience=PATIENCE)
    await seen(lambda: on_telegram.visible(efe.id) == [shown])
    assert found[here] in answer.content
    assert "YOLO26n" in answer.content
    assert "YOLO26n" in shown.text
    assert len(used.visible) == 1
    [upload] = answer.uploads
    assert drawn(bus_photo, upload.data)
    assert drawn(bus_photo, shown.data)


async def test_several_photos_on_both_at_once(
    tadim: None,
    on_discord: discord.World,
    on_telegram: telegram.World,
    cuttings: Sequence[bytes],
) -> None:
    """An album on Telegram, a message with as many pictures on Discord: one answer to each."""
    ada, alan = on_discord.person("Ada", locale="tr"), on_discord.person("Alan")
    efe = telegram.Person(43, "Efe", "en")
    files = [(f"photo{number}.jpg", data) for number, data in enumerate(cuttings)]
    used = on_discord.menu(ada, "Algıla", on_discord.say(alan, "look", *files))
    await on_telegram.shows_album(efe, cuttings, {0: "/detect"})
    [answer] = await seen(lambda: final(used))

    def album() -> list[telegram.Shown]:
        visible = on_telegram.visible(efe.id)
        working = any(CANCEL & {button["text"] for button in shown.buttons} for shown in visible)
        photos = [shown for shown in visible if shown.kind == "photo"]
        return photos if len(photos) >= 3 and not working else []

    photos = await seen(album)
    assert len(used.visible) == 1
    assert on_telegram.methods().count("sendMediaGroup") == 1
    assert "sendPhoto" not in on_telegram.methods()
    for pictures in ([u.data for u in answer.uploads], [shown.data for shown in photos]):
        assert [drawn(old, new) for old, new in zip(cuttings, pictures, strict=True)] == [True] * 3
