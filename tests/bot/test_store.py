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
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, text

import bot.store.store as store_module
from bot.store import Store, StoreError
from bot.store.engine import make_engine, parse_url
from bot.store.models import Base
from handlers.kit.request import Call, PictureRef, ReplyAddress, Request
from handlers.kit.services import Memory
from tests.fakes import FakeMemory

ADA, BOB = "discord:1", "telegram:2"
ROOM = "discord:room"


SCRATCH = os.environ.get("TADIM_TEST_POSTGRES", "")


@pytest.fixture(params=["sqlite", "postgresql"] if SCRATCH else ["sqlite"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/folder with 100% ü/tadim.sqlite3"
    parsed = parse_url(SCRATCH)
    assert "test" in str(parsed.database), "refusing to empty a database that is not for tests"
    engine = make_engine(parsed)
    async with engine.begin() as db:
        await db.execute(text("DROP SCHEMA public CASCADE"))
        await db.execute(text("CREATE SCHEMA public"))
    await engine.dispose()
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

    @event.listens_for(store._engine.sync_engine, "before_cursor_execute")
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


async def test_what_was_read_before_a_change_is_not_remembered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that began before a writer and ends after it holds what is no longer true."""
    engine, has_read, may_end = store._engine, asyncio.Event(), asyncio.Event()

    class Slow:
        """The engine, whose next transaction is long in ending."""

        @contextlib.asynccontextmanager
        async def begin(self) -> AsyncIterator[Any]:
            async with engine.begin() as connection:
                yield connection
            has_read.set()
            await may_end.wait()

    with monkeypatch.context() as patch:
        patch.setattr(store, "_engine", Slow())
        reader = asyncio.create_task(store.channels(SERVER))
        await has_read.wait()
    await store.allow_channel(SERVER, "discord:11", "bots")
    may_end.set()
    assert await reader == {}, "as it was when it was read"
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
    token = await store.save_button(HARD_CALL, ADA, ROOM)
    await store.close()
    store = await Store.open(url)
    stored = await store.button(token)
    await store.close()
    assert re.fullmatch(r"[A-Za-z0-9_-]{12}", token)
    assert stored is not None
    assert (stored.call, stored.user, stored.chat) == (HARD_CALL, ADA, ROOM)


async def test_an_equal_button_of_the_same_person_and_chat_keeps_its_token(store: Store) -> None:
    first = await store.save_button(Call("xor", {"steps": 3, "seed": 1}), ADA, ROOM)
    again = await store.save_button(Call("xor", {"seed": 1, "steps": 3}), ADA, ROOM)
    others = [
        await store.save_button(Call("xor", {"steps": 4, "seed": 1}), ADA, ROOM),
        await store.save_button(Call("xor", {"steps": "3", "seed": 1}), ADA, ROOM),
        await store.save_button(Call("gpt", {"steps": 3, "seed": 1}), ADA, ROOM),
        await store.save_button(Call("xor", {"steps": 3, "seed": 1}), BOB, ROOM),
        await store.save_button(Call("xor", {"steps": 3, "seed": 1}), ADA, "discord:other"),
    ]
    assert first == again
    assert len({first, *others}) == 6


@pytest.mark.parametrize(
    "token",
    ["", "AAAAAAAAAAAA", "x" * 100_000, "\x00" * 12, "\ud800" * 12, "' OR 1=1 --", "çççççççççççç"],
)
async def test_unknown_and_hostile_tokens_find_nothing(store: Store, token: str) -> None:
    await store.save_button(Call("xor"), ADA, ROOM)
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


# --- privacy -------------------------------------------------------------------------------------


async def test_export_gives_everything_as_json(store: Store) -> None:
    await store.set_language(ADA, "tr")
    token = await store.save_button(Call("xor", {"seed": 1}), ADA, ROOM)
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
        await store.save_button(Call("xor"), user, ROOM)
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
        assert await _left_of(ADA, url) == []


async def _left_of(user: str, url: str) -> list[str]:
    """The tables that still mention a user anywhere."""
    engine = make_engine(parse_url(url))
    left = []
    async with engine.begin() as db:
        for table in Base.metadata.sorted_tables:
            rows = (await db.execute(table.select())).all()
            left += [table.name for row in rows if user in row]
    await engine.dispose()
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
        old = await store.save_button(Call("xor"), ADA, ROOM)
        used_again = await store.save_button(Call("polar"), ADA, ROOM)
        await store.finish(await store.begin(request_of(ADA)), "done", 1)
        await store.begin(request_of("discord:gone"))
        await store.set_language(BOB, "en")
    await store.save_button(Call("polar"), ADA, ROOM)
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
        token = await store.save_button(Call("detect", {"n": index}), user, ROOM)
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
        *(store.save_button(Call("xor"), "discord:new", ROOM) for _ in range(20))
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
    number = await asyncio.wait_for(store.begin(request_of(ADA)), 30)
    await asyncio.wait_for(store.finish(number, "done", 1), 30)
    assert (await store.export(ADA))["usage"][-1]["outcome"] == "done"


_OPEN_AND_WRITE = """
import asyncio, sys
from bot.store import Store
from handlers.kit.request import Call
async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    store = await Store.open(sys.argv[1])
    for index in range(20):
        await store.save_button(Call("xor", {"n": index}), "cli:" + sys.argv[2], "cli:here")
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
    engine = make_engine(parse_url(url))
    async with engine.begin() as db:
        drift = await db.run_sync(
            lambda connection: compare_metadata(
                MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata
            )
        )
    await engine.dispose()
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
    engine = make_engine(parse_url(url))
    async with engine.begin() as db:  # as the first revision left it
        await db.execute(text("DROP TABLE channels"))
        await db.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    await engine.dispose()
    store = await Store.open(url)
    await store.allow_channel(SERVER, "discord:11", "bots")
    assert await store.channels(SERVER) == {"discord:11": "bots"}
    assert await store.language(ADA) == "tr"
    await store.close()


async def test_a_database_newer_than_the_program_is_refused(url: str) -> None:
    store = await Store.open(url)
    await store.set_language(ADA, "tr")
    await store.close()
    engine = make_engine(parse_url(url))
    async with engine.begin() as db:
        await db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"^A newer Tadım wrote this database .*9999"):
        await Store.open(url)
    async with engine.begin() as db:
        assert (await db.execute(text("SELECT version_num FROM alembic_version"))).all() == [
            ("9999",)
        ]
        await db.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    await engine.dispose()
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
        ("sqlite:///:memory:", "store.url names no file; write "),
    ],
)
async def test_urls_that_make_no_sense(bad: str, sentence: str) -> None:
    with pytest.raises(StoreError) as caught:
        await Store.open(bad)
    assert str(caught.value).startswith(sentence)


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
    assert re.match(r"Cannot open the database|The database driver asyncpg", str(caught.value))


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
