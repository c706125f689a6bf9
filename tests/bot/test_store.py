"""The store on a real database file: what it keeps, what it forgets, and who may open it.

With `TADIM_TEST_POSTGRES` set to the URL of a scratch database (its name must hold "test", for its
contents are dropped) the same tests run on PostgreSQL too.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

import bot.store.store as store_module
from bot.store import Store, StoreError
from bot.store.engine import make_engine, parse_url
from bot.store.line import LineClosed
from bot.store.models import Base
from handlers.kit.request import Call, PictureRef, ReplyAddress, Request
from handlers.kit.services import Memory
from tests.fakes import FakeMemory

ADA, BOB = "discord:1", "telegram:2"
ROOM = "discord:room"


SCRATCH = os.environ.get("TADIM_TEST_POSTGRES", "")


@contextlib.contextmanager
def opened(url: str) -> Iterator[Connection]:
    """The database past the store, in one transaction."""
    engine = make_engine(parse_url(url), poolclass=NullPool)
    with engine.begin() as db:
        yield db


@pytest.fixture(params=["sqlite", "postgresql"] if SCRATCH else ["sqlite"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/folder with 100% ü/tadim.sqlite3"
    parsed = parse_url(SCRATCH)
    assert "test" in str(parsed.database), "refusing to empty a database that is not for tests"
    with opened(SCRATCH) as db:
        db.execute(text("DROP SCHEMA public CASCADE"))
        db.execute(text("CREATE SCHEMA public"))
    return SCRATCH


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = await Store.open(url)
    yield store
    await store.close()


def request_of(user: str = ADA, command: str = "detect", chat: str = ROOM) -> Request:
    platform = user.partition(":")[0]
    return Request(
        command=command,
        arguments={"prompt": "a secret that no table holds"},
        user=user,
        chat=chat,
        language="tr",
        address=ReplyAddress(platform, {"channel": chat, "message": 7}),
    )


async def saved(store: Store, call: Call, user: str = ADA, chat: str = ROOM) -> str:
    [token] = await store.save_buttons([call], user, chat)
    return token


@contextlib.contextmanager
def held_up(store: Store) -> Iterator[None]:
    """All that writes is busy until the end of the block."""
    may_go_on = threading.Event()
    for _ in store._writers._ends:
        store._writers.put(lambda _: may_go_on.wait())
    try:
        yield
    finally:
        may_go_on.set()


async def once(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


def test_it_is_the_memory_that_handlers_are_promised() -> None:
    promised = {name: f for name, f in vars(Memory).items() if inspect.iscoroutinefunction(f)}
    assert len(promised) == 14
    for kind in (Store, FakeMemory):
        for name, function in promised.items():
            assert inspect.signature(getattr(kind, name)) == inspect.signature(function), name


# --- languages -----------------------------------------------------------------------------------


async def test_languages_are_kept_per_person_and_per_chat(store: Store) -> None:
    assert await store.language(ADA) is None
    assert await store.chat_language(ROOM) is None
    await store.set_language(ADA, "en")
    await store.set_language(ADA, "tr")
    await store.set_language(BOB, "en")
    await store.set_chat_language(ROOM, "tr")
    await store.set_chat_language(ROOM, "en")
    assert [await store.language(user) for user in (ADA, BOB)] == ["tr", "en"]
    assert await store.chat_language(ROOM) == "en"


async def test_the_first_chat_that_has_a_language_decides(store: Store) -> None:
    await store.set_chat_language("discord:guild:1", "tr")
    await store.set_chat_language(ROOM, "en")
    assert await store.chat_language(ROOM, "discord:guild:1") == "en"
    assert await store.chat_language("discord:guild:1", ROOM) == "tr"
    assert await store.chat_language("discord:other", "discord:guild:1") == "tr"
    assert await store.chat_language("discord:other", "") is None
    assert await store.chat_language() is None


async def test_a_language_can_be_forgotten(store: Store) -> None:
    await store.set_language(BOB, None)  # who never chose one
    for user in (ADA, BOB):
        await store.set_language(user, "en")
    for chat in (ROOM, "discord:guild:1"):
        await store.set_chat_language(chat, "en")
    await store.set_language(ADA, None)
    await store.set_chat_language(ROOM, None)
    assert [await store.language(user) for user in (ADA, BOB)] == [None, "en"]
    assert await store.chat_language(ROOM) is None
    assert await store.chat_language("discord:guild:1") == "en"


async def test_running_a_command_does_not_unset_the_language(store: Store) -> None:
    await store.set_language(ADA, "en")
    await store.begin(request_of(ADA))
    assert await store.language(ADA) == "en"


# --- channels ------------------------------------------------------------------------------------

SERVER, OTHER_SERVER = "discord:guild:1", "discord:guild:2"


async def test_a_rooms_list_of_channels(store: Store, url: str) -> None:
    assert await store.channels(SERVER) == {}
    await store.allow_channel(SERVER, "discord:11", "yapay-zekâ")
    await store.allow_channel(SERVER, "discord:12", "bots")
    await store.allow_channel(OTHER_SERVER, "discord:21", "general")
    assert await store.channels(SERVER) == {"discord:12": "bots", "discord:11": "yapay-zekâ"}
    assert list(await store.channels(SERVER)) == ["discord:12", "discord:11"], "by name"
    await store.allow_channel(SERVER, "discord:11", "ai")
    assert list((await store.channels(SERVER)).values()) == ["ai", "bots"]
    await store.remove_channel(SERVER, "discord:12")
    await store.remove_channel(SERVER, "discord:21")  # another room's
    assert await store.channels(SERVER) == {"discord:11": "ai"}
    await store.allow_everywhere(OTHER_SERVER)
    assert await store.channels(OTHER_SERVER) == {}

    again = await Store.open(url)  # what is remembered is what was written
    assert await again.channels(SERVER) == {"discord:11": "ai"}
    assert await again.channels(OTHER_SERVER) == {}
    await again.close()


async def test_a_list_is_read_once_until_it_changes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    @event.listens_for(store._engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        read.extend(re.findall(r"SELECT .* FROM channels", statement.replace("\n", " ")))

    for _ in range(200):
        assert await store.channels(SERVER) == {}
    assert len(read) == 1
    await store.allow_channel(SERVER, "discord:11", "bots")
    for _ in range(200):
        assert await store.channels(SERVER) == {"discord:11": "bots"}
    assert len(read) == 2

    monkeypatch.setattr(store_module, "_ROOMS_KNOWN", 3)
    for room in range(10):
        await store.channels(f"discord:guild:{room}")
    assert len(store._channels) == 3


async def test_what_was_read_before_a_change_is_not_remembered(store: Store) -> None:
    """A reader that began before a writer and ends after it holds what is no longer true."""
    has_read, may_end = threading.Event(), threading.Event()

    def linger(_connection: Any) -> None:
        # The store prunes when it opens: that is a writer, which nobody should hold up here.
        reads = threading.current_thread().name.startswith("store reader")
        if reads and not has_read.is_set():
            has_read.set()
            may_end.wait(60)

    event.listen(store._engine, "commit", linger)
    reader = asyncio.create_task(store.channels(SERVER))
    await once(has_read.is_set)
    await store.allow_channel(SERVER, "discord:11", "bots")
    may_end.set()
    assert await reader == {}, "as it was when it was read"
    assert await store.channels(SERVER) == {"discord:11": "bots"}


async def test_what_was_read_while_a_change_was_under_way_is_not_remembered(store: Store) -> None:
    """The change has begun, its caller is gone, and somebody asks before it is written."""
    with held_up(store):
        moderator = asyncio.create_task(store.allow_channel(SERVER, "discord:11", "bots"))
        await asyncio.sleep(0)
        moderator.cancel()
        await asyncio.wait([moderator])
        assert await store.channels(SERVER) == {}
    await store.set_language(ADA, "tr")  # comes after it
    await once(lambda: SERVER not in store._channels)
    assert await store.channels(SERVER) == {"discord:11": "bots"}


async def test_a_servers_list_and_language_stay_when_somebody_is_forgotten(store: Store) -> None:
    await store.begin(request_of(ADA, chat="discord:11"))
    await store.allow_channel(SERVER, "discord:11", "bots")
    await store.set_chat_language(SERVER, "tr")
    await store.forget(ADA)
    await store.prune()
    assert await store.channels(SERVER) == {"discord:11": "bots"}
    assert await store.chat_language(SERVER) == "tr"


# --- buttons -------------------------------------------------------------------------------------

HARD_CALL = Call(
    "gpt",
    {
        "prompt": 'çay "\U0001f375" \x00 \ud800',
        "temperature": 0.5,
        "seed": 2**53 + 1,
        "sure": True,
        "picture": {"picture": PictureRef("discord", {"url": "https://x/?a=1&b=2"}).to_json()},
    },
)


async def test_buttons_survive_a_restart(url: str) -> None:
    store = await Store.open(url)
    token = await saved(store, HARD_CALL)
    await store.close()
    store = await Store.open(url)
    stored = await store.button(token)
    await store.close()
    assert re.fullmatch(r"[A-Za-z0-9_-]{12}", token)
    assert stored is not None
    assert (stored.call, stored.user, stored.chat) == (HARD_CALL, ADA, ROOM)


async def test_an_equal_button_of_the_same_person_and_chat_keeps_its_token(store: Store) -> None:
    first = await saved(store, Call("xor", {"steps": 3, "seed": 1}))
    again = await saved(store, Call("xor", {"seed": 1, "steps": 3}))
    others = [
        await saved(store, Call("xor", {"steps": 4, "seed": 1})),
        await saved(store, Call("xor", {"steps": "3", "seed": 1})),
        await saved(store, Call("gpt", {"steps": 3, "seed": 1})),
        await saved(store, Call("xor", {"steps": 3, "seed": 1}), BOB, ROOM),
        await saved(store, Call("xor", {"steps": 3, "seed": 1}), ADA, "discord:other"),
    ]
    assert first == again
    assert len({first, *others}) == 6


async def test_the_buttons_of_a_reply_are_one_transaction(store: Store) -> None:
    await store.begin(request_of(ADA))
    transactions: list[Any] = []

    @event.listens_for(store._engine, "before_cursor_execute")
    def note(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if "INTO buttons" in statement:
            transactions.append(connection.get_transaction())

    calls = [Call("xor", {"n": number % 5}) for number in range(9)]
    tokens = await store.save_buttons(calls, ADA, ROOM)
    assert len(transactions) == 9
    assert len(set(transactions)) == 1
    assert tokens[5:] == tokens[:4], "equal ones are one"
    assert len(set(tokens)) == 5
    found = [await store.button(token) for token in tokens]
    assert [button.call for button in found if button] == calls
    assert await store.save_buttons([], ADA, ROOM) == []
    assert len(transactions) == 9


async def test_buttons_that_cannot_be_stored_spoil_nothing_else(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither those beside them stay, nor what shares their transaction is lost."""
    monkeypatch.setattr(store_module.secrets, "token_urlsafe", lambda _: "AAAAAAAAAAAA")
    with held_up(store):  # so that they come to stand in one line
        saving = asyncio.gather(
            store.begin(request_of(ADA)),
            store.save_buttons([Call("xor"), Call("polar")], ADA, ROOM),
            store.save_buttons([Call("xor", {"what": object()})], ADA, ROOM),
            store.set_language(BOB, "tr"),
            return_exceptions=True,
        )
        await asyncio.sleep(0)
    number, twice, odd, language = await saving
    assert isinstance(number, int)
    assert isinstance(twice, IntegrityError)
    assert isinstance(odd, TypeError)
    assert language is None
    held = await store.export(ADA)
    assert held["buttons"] == []
    assert [use["outcome"] for use in held["usage"]] == [None]
    assert await store.language(BOB) == "tr"


@pytest.mark.parametrize(
    "token",
    ["", "AAAAAAAAAAAA", "x" * 100_000, "\x00" * 12, "\ud800" * 12, "' OR 1=1 --", "çççççççççççç"],
)
async def test_unknown_and_hostile_tokens_find_nothing(store: Store, token: str) -> None:
    await saved(store, Call("xor"))
    assert await store.button(token) is None


# --- usage and restarts --------------------------------------------------------------------------


async def test_usage_is_noted_without_the_words(store: Store) -> None:
    number = await store.begin(request_of(ADA))
    under_way = (await store.export(ADA))["usage"][0]
    await store.finish(number, "done", 1.5)
    finished = (await store.export(ADA))["usage"][0]
    assert under_way["outcome"] is None
    assert under_way["address"]["place"] == {"channel": ROOM, "message": 7}
    assert (finished["outcome"], finished["seconds"]) == ("done", 1.5)
    assert finished["address"] is None, "the address is needed no more"
    assert "secret" not in json.dumps([under_way, finished])


async def test_runs_that_a_crash_left_open_are_found_once(url: str) -> None:
    before = await Store.open(url)
    await before.finish(await before.begin(request_of(ADA, "xor")), "done", 1)
    await before.begin(request_of(ADA, "detect"))
    await before.begin(request_of(BOB, "gpt"))
    await before.close()  # the runs never finish

    after = await Store.open(url)
    own = await after.begin(request_of(ADA, "polar"))
    assert [run.command for run in await after.interrupted(["telegram"])] == ["gpt"]
    found = await after.interrupted()
    assert [(run.user, run.command, run.language) for run in found] == [(ADA, "detect", "tr")]
    assert found[0].address == ReplyAddress("discord", {"channel": ROOM, "message": 7})
    assert found[0].started.tzinfo is not None
    assert await after.interrupted() == []
    outcomes = {use["command"]: use["outcome"] for use in (await after.export(ADA))["usage"]}
    assert outcomes == {"xor": "done", "detect": "interrupted", "polar": None}
    await after.finish(own, "done", 1)
    await after.close()


async def test_a_run_that_begins_meanwhile_was_not_interrupted(store: Store) -> None:
    with held_up(store):  # so that it is asked for before anybody knows a number
        beginning = asyncio.gather(*(store.begin(request_of(f"discord:{n}")) for n in range(5)))
        asking = asyncio.create_task(store.interrupted())
        await asyncio.sleep(0)
    assert await asking == []
    assert await store.interrupted() == []
    await beginning


# --- privacy -------------------------------------------------------------------------------------


async def test_export_gives_everything_as_json(store: Store) -> None:
    await store.set_language(ADA, "tr")
    token = await saved(store, Call("xor", {"seed": 1}))
    await store.begin(request_of(ADA))
    await store.begin(request_of(BOB))
    data = json.loads(json.dumps(await store.export(ADA)))
    assert (data["user"], data["platform"], data["language"]) == (ADA, "discord", "tr")
    assert datetime.fromisoformat(data["first_seen"]) <= datetime.fromisoformat(data["last_seen"])
    assert data["buttons"][0]["token"] == token
    assert data["buttons"][0]["call"] == {"command": "xor", "arguments": {"seed": 1}}
    assert [use["user"] for use in data["usage"]] == [ADA]
    # No column of a person's rows is left out.
    for table, entry in (("buttons", data["buttons"][0]), ("usage", data["usage"][0])):
        columns = {column.name for column in Base.metadata.tables[table].columns}
        assert columns - {"user", "digest"} <= set(entry)


async def test_export_of_a_stranger_is_empty(store: Store) -> None:
    data = await store.export("web:nobody")
    assert data["first_seen"] is None
    assert data["usage"] == data["buttons"] == []


async def test_forgetting_deletes_all_of_one_person_and_nothing_of_others(
    store: Store, url: str
) -> None:
    for user in (ADA, BOB):
        await store.set_language(user, "tr")
        await saved(store, Call("xor"), user, ROOM)
        await store.begin(request_of(user))
    await store.begin(request_of(ADA, chat="discord:private"))
    for chat in (ROOM, "discord:private", ADA, BOB):
        await store.set_chat_language(chat, "en")
    bob_before = await store.export(BOB)

    await store.forget(ADA)

    empty = await store.export(ADA)
    assert (empty["language"], empty["first_seen"]) == (None, None)
    assert empty["usage"] == empty["buttons"] == []
    assert await store.export(BOB) == bob_before
    chats = {chat: await store.chat_language(chat) for chat in (ROOM, "discord:private", ADA, BOB)}
    assert chats == {ROOM: "en", "discord:private": None, ADA: None, BOB: "en"}
    if url.startswith("sqlite"):
        assert _left_of(ADA, url) == []


def _left_of(user: str, url: str) -> list[str]:
    """The tables that still mention a user anywhere."""
    left = []
    with opened(url) as db:
        for table in Base.metadata.sorted_tables:
            left += [table.name for row in db.execute(table.select()) if user in row]
    return left


async def test_a_run_of_somebody_forgotten_finishes_quietly_and_its_number_is_not_reused(
    store: Store,
) -> None:
    orphan = await store.begin(request_of(ADA))
    await store.forget(ADA)
    other = await store.begin(request_of(BOB))
    await store.finish(orphan, "done", 9)
    assert orphan != other
    assert (await store.export(BOB))["usage"][0]["outcome"] is None


async def test_old_things_are_pruned(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=91)
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "_now", lambda: long_ago)
        old = await saved(store, Call("xor"))
        used_again = await saved(store, Call("polar"))
        await store.finish(await store.begin(request_of(ADA)), "done", 1)
        await store.begin(request_of("discord:gone"))
        await store.set_language(BOB, "en")
    await saved(store, Call("polar"))
    await store.begin(request_of(ADA, "gpt"))

    await store.prune()

    assert await store.button(old) is None
    assert await store.button(used_again) is not None
    assert [use["command"] for use in (await store.export(ADA))["usage"]] == ["gpt"]
    assert (await store.export("discord:gone"))["first_seen"] is None
    assert await store.language(BOB) == "en", "a chosen language stays until its owner deletes it"


# --- many at once --------------------------------------------------------------------------------


async def test_three_hundred_people_at_once(store: Store) -> None:
    async def visit(index: int) -> str:
        user = f"discord:{index}"
        number = await store.begin(request_of(user))
        await store.set_language(user, "tr" if index % 2 else "en")
        token = await saved(store, Call("detect", {"n": index}), user, ROOM)
        await store.finish(number, "done", 0.1)
        return token

    tokens = await asyncio.gather(*(visit(index) for index in range(300)))
    assert len(set(tokens)) == 300
    found = await asyncio.gather(*(store.button(token) for token in tokens))
    assert [button.call.arguments["n"] for button in found if button] == list(range(300))
    assert await store.language("discord:7") == "tr"
    assert (await store.export("discord:299"))["usage"][0]["outcome"] == "done"


async def test_equal_buttons_saved_at_once_are_one(store: Store) -> None:
    tokens = await asyncio.gather(
        *(saved(store, Call("xor"), "discord:new", ROOM) for _ in range(20))
    )
    assert len(set(tokens)) == 1


async def test_two_stores_write_to_one_database(store: Store, url: str) -> None:
    other = await Store.open(url)
    await asyncio.gather(
        *(one.begin(request_of(f"discord:{n % 5}")) for n in range(60) for one in (store, other))
    )
    total = [len((await store.export(f"discord:{n}"))["usage"]) for n in range(5)]
    await other.close()
    assert total == [24] * 5


async def test_writers_cancelled_at_any_moment_leave_the_line_open(store: Store) -> None:
    chance = random.Random(1)

    async def impatient(index: int) -> None:
        task = asyncio.create_task(store.begin(request_of(f"discord:{index}")))
        for _ in range(chance.randrange(40)):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    for start in range(0, 100, 10):
        await asyncio.gather(*(impatient(start + index) for index in range(10)))
    number = await asyncio.wait_for(store.begin(request_of(BOB)), 30)
    await asyncio.wait_for(store.finish(number, "done", 1), 30)
    assert (await store.export(BOB))["usage"][-1]["outcome"] == "done"
    for index in range(100):
        uses = (await store.export(f"discord:{index}"))["usage"]
        assert {use["outcome"] for use in uses} <= {None, "cancelled"}
    await once(lambda: store._engine.pool.checkedout() == 0)


async def test_writers_come_in_the_order_in_which_they_asked(tmp_path: Path) -> None:
    store = await Store.open(f"sqlite:///{tmp_path}/tadim.sqlite3")
    numbers = await asyncio.gather(*(store.begin(request_of(f"discord:{n}")) for n in range(100)))
    assert numbers == sorted(numbers)
    for _ in range(20):
        await asyncio.gather(
            *(store.set_language(ADA, language) for language in ("en", None, "tr", "en", "tr"))
        )
        assert await store.language(ADA) == "tr"
    await store.close()


async def test_writers_in_line_share_a_transaction(tmp_path: Path) -> None:
    store = await Store.open(f"sqlite:///{tmp_path}/tadim.sqlite3")
    commits: list[Any] = []
    event.listen(store._engine, "commit", commits.append)
    with held_up(store):
        writing = asyncio.gather(*(store.begin(request_of(f"discord:{n}")) for n in range(64)))
        await asyncio.sleep(0)
    await writing
    assert len(commits) <= 4
    await store.close()


async def test_what_a_cancelled_caller_had_begun_is_written_whole(store: Store) -> None:
    """It is cancelled between the first statement of a transaction and the second."""
    halfway, may_go_on = threading.Event(), threading.Event()

    def linger(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "INSERT INTO usage" in statement:
            halfway.set()
            may_go_on.wait()

    event.listen(store._engine, "before_cursor_execute", linger)
    beginning = asyncio.create_task(store.begin(request_of(ADA)))
    await once(halfway.is_set)
    beginning.cancel()
    await asyncio.wait([beginning])
    assert beginning.cancelled()
    assert (await store.export(ADA))["first_seen"] is None, "nothing is there yet"
    may_go_on.set()
    await store.set_language(BOB, "tr")
    await once(lambda: store._engine.pool.checkedout() == 0)
    async with asyncio.timeout(30):
        while True:
            held = await store.export(ADA)
            if held["usage"] and held["usage"][0]["outcome"]:
                break
    assert held["first_seen"] is not None
    [use] = held["usage"]
    assert use["outcome"] == "cancelled", "who had the number is gone"
    assert use["address"] is None


async def test_what_a_cancelled_caller_had_not_begun_is_dropped(store: Store) -> None:
    await store.begin(request_of(ADA))
    with held_up(store):
        waiting = [
            asyncio.create_task(store.save_buttons([Call("xor")], ADA, ROOM)),
            asyncio.create_task(store.set_language(ADA, "tr")),
        ]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
    await store.set_language(BOB, "en")
    held = await store.export(ADA)
    assert (held["language"], held["buttons"]) == (None, [])


async def test_a_run_cancelled_in_line_is_no_interrupted_one(url: str) -> None:
    store = await Store.open(url)
    with held_up(store):
        beginning = asyncio.create_task(store.begin(request_of(ADA)))
        await asyncio.sleep(0)
        beginning.cancel()
        await asyncio.wait([beginning])
    await store.set_language(BOB, "en")
    await store.set_language(BOB, "tr")
    await store.close()
    store = await Store.open(url)
    assert await store.interrupted() == []
    await store.close()


# --- the end -------------------------------------------------------------------------------------


async def test_what_was_asked_for_is_done_before_the_store_closes(url: str) -> None:
    store = await Store.open(url)
    number = await store.begin(request_of(ADA))
    finishing = asyncio.create_task(store.finish(number, "done", 1))
    await asyncio.sleep(0)
    await store.close()
    await finishing
    with pytest.raises(LineClosed):
        await store.language(ADA)
    assert store._engine.pool.checkedin() == 0
    store = await Store.open(url)
    assert (await store.export(ADA))["usage"][0]["outcome"] == "done"
    await store.close()


_HANGS = """
import asyncio, sys, threading
import bot.store.store as store_module
from bot.store import Store
from bot.store.line import LineClosed
store_module._GRACE = 0.1
async def main():
    store = await Store.open(sys.argv[1])
    await store.set_language("cli:1", "tr")
    busy = threading.Event()
    for _ in store._writers._ends:
        store._writers.put(lambda db: (busy.set(), threading.Event().wait()))
    busy.wait()
    late = asyncio.create_task(store.set_language("cli:1", "en"))
    await asyncio.sleep(0)
    await store.close()
    try:
        await late
    except LineClosed:
        print("told")
asyncio.run(main())
"""


async def test_a_database_that_hangs_does_not_keep_the_program_from_ending(url: str) -> None:
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", _HANGS, url],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (ended.returncode, ended.stdout) == (0, "told\n"), ended.stderr
    assert "does not answer" in ended.stderr
    store = await Store.open(url)
    assert await store.language("cli:1") == "tr"
    await store.close()


# --- many processes ------------------------------------------------------------------------------

_OPEN_AND_WRITE = """
import asyncio, sys
from bot.store import Store
from handlers.kit.request import Call
async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    store = await Store.open(sys.argv[1])
    for index in range(20):
        await store.save_buttons([Call("xor", {"n": index})], "cli:" + sys.argv[2], "cli:here")
    await store.close()
asyncio.run(main())
"""


async def test_several_processes_open_a_new_database_at_once(url: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _OPEN_AND_WRITE, url, str(index)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for index in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    # The starting shot, now that all have done their imports.
    results = await asyncio.gather(*(process.communicate(b"\n") for process in processes))
    assert [process.returncode for process in processes] == [0] * 3, results
    store = await Store.open(url)
    kept = [len((await store.export(f"cli:{index}"))["buttons"]) for index in range(3)]
    await store.close()
    assert kept == [20] * 3


# --- migrations ----------------------------------------------------------------------------------


async def test_migrations_make_what_the_models_say(store: Store, url: str) -> None:
    with opened(url) as db:
        context = MigrationContext.configure(db, opts={"compare_type": True})
        drift = compare_metadata(context, Base.metadata)
    assert drift == []


async def test_opening_again_changes_nothing(url: str) -> None:
    store = await Store.open(url)
    await store.set_language(ADA, "tr")
    await store.close()
    for _ in range(2):
        store = await Store.open(url)
        assert await store.language(ADA) == "tr"
        await store.close()


async def test_a_database_of_before_the_lists_of_channels_gets_them(url: str) -> None:
    store = await Store.open(url)
    await store.set_language(ADA, "tr")
    await store.close()
    with opened(url) as db:  # as the first revision left it
        db.execute(text("DROP TABLE channels"))
        db.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    store = await Store.open(url)
    await store.allow_channel(SERVER, "discord:11", "bots")
    assert await store.channels(SERVER) == {"discord:11": "bots"}
    assert await store.language(ADA) == "tr"
    await store.close()


async def test_a_database_newer_than_the_program_is_refused(url: str) -> None:
    store = await Store.open(url)
    await store.set_language(ADA, "tr")
    await store.close()
    with opened(url) as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"^A newer Tadım wrote this database .*9999"):
        await Store.open(url)
    with opened(url) as db:
        assert db.scalars(text("SELECT version_num FROM alembic_version")).all() == ["9999"]
        db.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    store = await Store.open(url)
    assert await store.language(ADA) == "tr"
    await store.close()


# --- what cannot be opened -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ("not a url", "store.url is not a database URL; write "),
        ("mysql://host/db", "store.url names mysql; use sqlite or postgresql."),
        ("sqlite://", "store.url names no file; write "),
        ("sqlite+pysqlcipher:////folder/x", "store.url names sqlite+pysqlcipher; use sqlite or "),
        ("sqlite:///:memory:", "store.url names no file; write "),
    ],
)
async def test_urls_that_make_no_sense(bad: str, sentence: str) -> None:
    with pytest.raises(StoreError) as caught:
        await Store.open(bad)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("written", "driver"),
    [
        ("sqlite:////f/x", "sqlite+pysqlite"),
        ("sqlite+aiosqlite:////f/x", "sqlite+pysqlite"),
        ("sqlite+pysqlite:////f/x", "sqlite+pysqlite"),
        ("postgres://ada@host/x", "postgresql+psycopg"),
        ("postgresql://ada@host/x?sslmode=require", "postgresql+psycopg"),
        ("postgresql+asyncpg://ada@host/x", "postgresql+psycopg"),
        ("postgresql+psycopg://ada@host/x", "postgresql+psycopg"),
    ],
)
def test_urls_as_people_write_them(written: str, driver: str) -> None:
    parsed = parse_url(written)
    assert parsed.drivername == driver
    assert parsed.database == ("/f/x" if driver.startswith("sqlite") else "x")
    assert parsed.query.get("sslmode") == ("require" if "sslmode" in written else None)


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8 surely not SQLite" * 100)
    with pytest.raises(
        StoreError, match=r"^Cannot open the database .*photo.jpg: .*not a database"
    ):
        await Store.open(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"\xff\xd8"), "somebody's file is left alone"


async def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "tadim.sqlite3"
    store = await Store.open(f"sqlite:///{path}")
    for index in range(50):
        await store.begin(request_of(f"discord:{index}"))
    await store.close()
    with _raw(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [size] = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek(size)
        file.write(random.Random(1).randbytes(6 * size))  # pages 2 to 7
    damaged = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        await Store.open(f"sqlite:///{path}")
    assert str(caught.value).startswith(f"The database file {path} is damaged (")
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == damaged


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"^Cannot make the folder .*file: "):
        await Store.open(f"sqlite:///{tmp_path}/file/tadim.sqlite3")


async def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(StoreError) as caught:
        await Store.open("postgresql://ada:hunter2@127.0.0.1:1/tadim")
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert re.match(r"Cannot open the database|The database driver psycopg", str(caught.value))


# --- the file itself -----------------------------------------------------------------------------


@contextlib.contextmanager
def _raw(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path)
    try:
        yield connection
    finally:
        connection.close()


async def test_a_sqlite_file_lets_readers_in_while_one_writes(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "tadim.sqlite3"
    store = await Store.open(f"sqlite:///{path}")
    await store.set_language(ADA, "en")
    with _raw(path) as writer:
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE users SET language = 'tr'")
        assert await store.language(ADA) == "en", "a reader need not wait"
        waiting = asyncio.create_task(store.set_language(BOB, "en"))
        await asyncio.sleep(0.05)
        assert not waiting.done(), "a writer waits for its turn"
        writer.execute("COMMIT")
        await waiting
    assert [await store.language(user) for user in (ADA, BOB)] == ["tr", "en"]
    await store.close()
