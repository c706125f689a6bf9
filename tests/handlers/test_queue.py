"""/queue: one's own place in line and what the machine is doing, in words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from handlers.kit import Call, runner
from handlers.kit.progress import duration
from inference.jobs import Done, Event, Loading, Progress, Queued, Started
from inference.queue import Overview
from inference.tasks import all_tasks
from locales import LANGUAGES, Message, words
from tests.fakes import FakePlatform, room, services, standing
from tests.handlers.under_way import begin, replace_commands


@pytest.fixture
async def platform(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakePlatform]:
    """A chat where /gpt and /detect wait until the test is over; the machine is idle."""
    world = services(SimpleNamespace(overview=lambda: standing(room("compute"), room("text"))))
    release = replace_commands(monkeypatch, "gpt", "detect")
    yield FakePlatform(world, language="en")
    release.set()
    await asyncio.gather(*(run.result() for run in world.runs.by_id.values()))
    world.studio.close()


def stands(platform: FakePlatform, overview: Overview) -> None:
    platform.services.queue.overview = lambda: overview  # type: ignore[method-assign]


async def test_nothing_under_way(platform: FakePlatform) -> None:
    reply = await platform.ask("queue")
    assert platform.read(reply, "en") == (
        "You have nothing under way.\nNothing is at work and nobody is waiting."
    )
    assert platform.read(reply, "tr") == (
        "Şu anda süren bir işin yok.\nŞimdilik ne çalışan ne de bekleyen iş var."
    )
    assert platform.labels(reply) == ["Again"]
    assert reply.private


# --- one's own ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "english", "turkish"),
    [
        (None, "• /gpt: at work", "• /gpt: çalışıyor"),
        (Started("X"), "• /gpt: at work", "• /gpt: çalışıyor"),
        (Queued(3, 9, None), "• /gpt: number 3 in the queue", "• /gpt: kuyrukta 3. sırada"),
        (
            Queued(1, 9, 20.4),
            "• /gpt: number 1 in the queue, done in about 20 seconds",
            "• /gpt: kuyrukta 1. sırada, yaklaşık 20 saniye içinde biter",
        ),
        (
            Loading("SmolLM2", "download", 0.5, 10**8),
            "• /gpt: the model SmolLM2 is getting ready",
            "• /gpt: model hazırlanıyor: SmolLM2",
        ),
        (Progress(0.4), "• /gpt: at work, 40% done", "• /gpt: çalışıyor, %40 tamam"),
    ],
)
async def test_each_stage_in_words(
    platform: FakePlatform, event: Event | None, english: str, turkish: str
) -> None:
    await begin(platform, "gpt", event)
    reply = await platform.ask("queue")
    assert platform.read(reply, "en").splitlines()[:2] == ["You have under way:", english]
    assert platform.read(reply, "tr").splitlines()[:2] == ["Süren işlerin:", turkish]
    json.dumps(reply.data)


@pytest.mark.parametrize(
    ("seconds", "english", "turkish"),
    [
        (0.0, "a second", "1 saniye"),
        (1.4, "a second", "1 saniye"),
        (59.4, "59 seconds", "59 saniye"),
        (59.6, "a minute", "1 dakika"),
        (60, "a minute", "1 dakika"),
        (200, "3 minutes", "3 dakika"),
        (6000, "100 minutes", "100 dakika"),
        (3 * 3600, "3 hours", "3 saat"),
    ],
)
def test_durations_in_words(seconds: float, english: str, turkish: str) -> None:
    assert words("en")(duration(seconds)) == english
    assert words("tr")(duration(seconds)) == turkish


async def test_only_ones_own_runs_each_with_its_cancel_button(platform: FakePlatform) -> None:
    first = await begin(platform, "gpt", Queued(2, 9, 30.0))
    second = await begin(platform, "detect", Progress(0.5))
    stranger = FakePlatform(platform.services, user="fake:bob")
    await begin(stranger, "gpt", Queued(1, 9, 5.0))
    reply = await platform.ask("queue")
    text = platform.read(reply)
    assert text.index("/gpt: number 2") < text.index("/detect: at work, 50% done")
    assert "number 1" not in text
    assert platform.labels(reply) == ["Cancel /gpt", "Cancel /detect", "Again"]
    calls = [button.call for button in reply.buttons]
    assert calls[:2] == [Call("cancel", {"run": first.id}), Call("cancel", {"run": second.id})]
    assert reply.data is not None
    assert reply.data["runs"] == [
        {"run": first.id, "command": "gpt", "position": 2, "eta": 30.0},
        {"run": second.id, "command": "detect", "fraction": 0.5},
    ]


async def test_many_runs_are_all_listed_with_a_row_of_buttons(platform: FakePlatform) -> None:
    for position in range(8):
        await begin(platform, "gpt", Queued(position + 1, 9, None))
    reply = await platform.ask("queue")
    assert platform.read(reply).count("• /gpt") == 8
    assert platform.labels(reply).count("Cancel /gpt") == 5


# --- others', for those who look after a room -----------------------------------------------------


def person(platform: FakePlatform, name: str, chat: str = "fake:room") -> FakePlatform:
    about = {"user_name": name, "share": "fake:server" if chat == "fake:room" else ""}
    return FakePlatform(platform.services, user=f"fake:{name}", chat=chat, about=about)


async def test_a_moderator_sees_who_does_what_in_the_room_and_can_cancel_it(
    platform: FakePlatform,
) -> None:
    ada, bob = person(platform, "Ada"), person(platform, "Bob")
    mine = await begin(ada, "gpt", Queued(2, 9, None))
    theirs = await begin(bob, "detect", Progress(0.5))
    nameless = await begin(person(platform, ""), "gpt", Queued(3, 9, None))
    await begin(person(platform, "Eve", chat="fake:far"), "gpt", Queued(1, 9, None))
    reply = await ada.ask("queue")
    assert "Others" not in ada.read(reply), "she looks after nothing"
    assert (reply.data or {})["others"] == []
    ada.moderates = True
    reply = await ada.ask("queue")
    assert ada.read(reply, "en").splitlines()[:5] == [
        "You have under way:",
        "• /gpt: number 2 in the queue",
        "Others have under way:",
        "• /detect (Bob): at work, 50% done",
        "• /gpt: number 3 in the queue",
    ]
    assert "• /algıla (Bob): çalışıyor, %50 tamam" in ada.read(reply, "tr")
    assert "Başkalarının süren işleri:" in ada.read(reply, "tr")
    assert "Eve" not in ada.read(reply)
    assert ada.labels(reply) == ["Cancel /gpt", "Cancel /detect (Bob)", "Cancel /gpt", "Again"]
    assert [button.call for button in reply.buttons[:3]] == [
        Call("cancel", {"run": run.id}) for run in (mine, theirs, nameless)
    ]
    assert [run["run"] for run in (reply.data or {})["others"]] == [theirs.id, nameless.id]
    json.dumps(reply.data)


async def test_an_operator_sees_all_rooms_unless_others_read_along(
    platform: FakePlatform,
) -> None:
    await begin(person(platform, "Bob"), "gpt")
    await begin(person(platform, "Eve", chat="fake:far"), "gpt")
    ada = person(platform, "Ada")
    for public, seen in ((False, {"Bob", "Eve"}), (True, {"Bob"})):
        ada.about = {**ada.about, "operator": True, "public": public}
        text = ada.read(await ada.ask("queue"))
        assert {name for name in ("Bob", "Eve") if name in text} == seen


async def test_a_moderator_is_looked_up_only_where_there_is_something_to_see(
    platform: FakePlatform,
) -> None:
    async def asked() -> bool:
        raise AssertionError("nobody else has anything under way")

    await begin(platform, "gpt")
    request = replace(platform.request("queue"), moderator=asked)
    reply = await runner.start(request, platform.services).result()
    assert not reply.error


async def test_a_busy_room_is_cut_to_what_fits(platform: FakePlatform) -> None:
    for number in range(12):
        await begin(person(platform, f"B{number}\n• /gpt: " + "b" * 99), "gpt")
    ada = person(platform, "Ada")
    ada.moderates = True
    for _ in range(6):
        await begin(ada, "gpt")
    reply = await ada.ask("queue")
    assert "• /gpt (B9 • /gpt: bbbbbbbbbbbbb): at work\n• and 2 more" in ada.read(reply)
    assert "• ve 2 iş daha" in ada.read(reply, "tr")
    assert "(B10" not in ada.read(reply)
    assert len(reply.buttons) == 5 + 10 + 1
    assert max(len(label) for label in ada.labels(reply)) <= 64, "Telegram shows no more"


# --- the machine ----------------------------------------------------------------------------------


async def test_what_the_machine_is_doing(platform: FakePlatform) -> None:
    """Others' runs are counted by command: those a worker has in hand, not those that wait."""
    bob = FakePlatform(platform.services, user="fake:bob")
    for event in (Started("YOLO26n"), Progress(0.2), Started("YOLO26n")):
        await begin(bob, "detect", event)
    await begin(bob, "gpt", Started("SmolLM2"))
    for event in (Queued(1, 9, 5.0), Loading("X", "load"), Done(None, "X", 0.1), None):
        await begin(bob, "gpt", event)
    stands(
        platform,
        standing(
            room("compute", waiting=28, running=3, devices=2),
            room("text", waiting=2, running=1, devices_ready=0, loading=("SmolLM2",)),
            users=12,
            eta=40.0,
        ),
    )
    reply = await platform.ask("queue")
    assert platform.read(reply, "en").splitlines() == [
        "You have nothing under way.",
        "How things stand:",
        "• at work: 3 × /detect and 1 × /gpt",
        "• waiting: 30 jobs of 12 people",
        "• a new job: done in about 40 seconds",
        "• getting ready: SmolLM2",
        "• pictures and experiments: 1 of 2 devices ready, the others are starting up",
        "• text: starting up; jobs wait meanwhile",
    ]
    assert platform.read(reply, "tr").splitlines() == [
        "Şu anda süren bir işin yok.",
        "Genel durum:",
        "• çalışan: 3 × /algıla ve 1 × /gpt",
        "• bekleyen: 12 kişiden 30 iş",
        "• yeni bir iş: yaklaşık 40 saniye içinde biter",
        "• hazırlanan model: SmolLM2",
        "• resimler ve deneyler: 2 aygıttan 1 tanesi hazır, diğerleri başlatılıyor",
        "• metinler: başlatılıyor; bu sırada gelen işler bekler",
    ]
    assert reply.data is not None
    assert (reply.data["waiting"], reply.data["people"], reply.data["eta"]) == (30, 12, 40.0)
    assert reply.data["at_work"] == {"detect": 3, "gpt": 1}
    assert [(r["name"], r["ready"], r["devices"]) for r in reply.data["rooms"]] == [
        ("compute", 1, 2),
        ("text", 0, 1),
    ]
    json.dumps(reply.data)
    assert "bob" not in json.dumps(reply.data)


@pytest.mark.parametrize(
    ("waiting", "users", "english", "turkish"),
    [
        (0, 0, "• waiting: nobody", "• bekleyen: yok"),
        (1, 1, "• waiting: one job", "• bekleyen: 1 iş"),
        (5, 0, "• waiting: 5 jobs", "• bekleyen: 5 iş"),  # their weights are on their way
        (5, 1, "• waiting: 5 jobs of one person", "• bekleyen: 1 kişiden 5 iş"),
        (1200, 300, "• waiting: 1,200 jobs of 300 people", "• bekleyen: 300 kişiden 1.200 iş"),
    ],
)
async def test_who_waits(
    platform: FakePlatform, waiting: int, users: int, english: str, turkish: str
) -> None:
    await begin(platform, "gpt", Started("SmolLM2"))
    stands(platform, standing(room("text", waiting=waiting, running=1), users=users))
    reply = await platform.ask("queue")
    assert english in platform.read(reply, "en").splitlines()
    assert turkish in platform.read(reply, "tr").splitlines()
    assert "a new job" not in platform.read(reply, "en"), "nothing was measured yet"


async def test_a_model_that_two_workers_load_is_named_once(platform: FakePlatform) -> None:
    both = (room("compute", loading=("YOLO26n", "YOLO26n")),)
    stands(platform, standing(*both, room("text", loading=("SmolLM2",))))
    text = platform.read(await platform.ask("queue"))
    assert "• getting ready: YOLO26n and SmolLM2" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_room_has_its_name(language: str) -> None:
    rooms: set[str] = {task.room for task in all_tasks().values()}
    for name in rooms:
        assert words(language)(Message(f"queue-room-{name}"))
