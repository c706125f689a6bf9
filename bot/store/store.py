"""The store: `handlers.kit.services.Memory` on a database.

Every method is one short transaction. SQLite lets one writer in at a time, so writers of this
process stand in line here rather than poll for the file's lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import re
import secrets
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    String,
    bindparam,
    delete,
    insert,
    or_,
    select,
    text,
    union,
    update,
)
from sqlalchemy.engine import Row
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.store.engine import READS, WRITES, StoreError, is_sqlite, make_engine, parse_url
from bot.store.models import Button, Channel, Chat, Usage, User, UtcDateTime
from handlers.kit.request import Call, ReplyAddress, Request
from handlers.kit.services import KEPT_DAYS, StoredButton

log = logging.getLogger(__name__)

_PRUNE_INTERVAL = 24 * 3600.0  # seconds
_PRUNE_GRACE = 5.0  # seconds that pruning may go on when the store closes
_ROOMS_KNOWN = 10_000  # rooms whose lists of channels are held in memory
_TOKEN = re.compile(r"[A-Za-z0-9_-]{12}")

# The statements of the busy paths. SQLAlchemy compiles an INSERT … ON CONFLICT anew each time and
# writes it differently for each database, although both understand the same words.
_SEE_USER = text(
    """
    INSERT INTO users (id, platform, language, first_seen, last_seen)
    VALUES (:id, :platform, :language, :now, :now)
    ON CONFLICT (id) DO UPDATE SET
        last_seen = excluded.last_seen,
        language = coalesce(excluded.language, users.language)
    """
).bindparams(bindparam("language", type_=String), bindparam("now", type_=UtcDateTime))
_SET_CHAT_LANGUAGE = text(
    """
    INSERT INTO chats (id, platform, language) VALUES (:id, :platform, :language)
    ON CONFLICT (id) DO UPDATE SET language = excluded.language
    """
)
_ALLOW_CHANNEL = text(
    """
    INSERT INTO channels (room, id, name) VALUES (:room, :id, :name)
    ON CONFLICT (room, id) DO UPDATE SET name = excluded.name
    """
)
_SAVE_BUTTON = text(
    """
    INSERT INTO buttons (token, digest, call, "user", chat, created)
    VALUES (:token, :digest, :call, :user, :chat, :created)
    ON CONFLICT (digest) DO UPDATE SET created = excluded.created
    RETURNING token
    """
).bindparams(bindparam("call", type_=JSON), bindparam("created", type_=UtcDateTime))
_BEGIN_USAGE = insert(Usage).returning(Usage.id)


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A run that was under way when the program ended, and where its reader waits."""

    user: str
    chat: str
    command: str
    language: str
    address: ReplyAddress
    started: datetime


class Store:
    """What Tadım remembers. Obtain one by `await Store.open(url)`; `await close()` it.

    `user` and `chat` are "platform:id". Any method may raise `sqlalchemy.exc.DBAPIError` when the
    database fails (full disk, lost server).
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._turn: AbstractAsyncContextManager[Any] = (
            asyncio.Lock() if is_sqlite(engine.url) else contextlib.nullcontext()
        )
        self._open: set[int] = set()  # usage numbers of this process that have not finished
        self._channels: dict[str, Mapping[str, str]] = {}  # lists by room, as far as known
        self._channel_changes = 0  # how often any list has changed
        self._pruning: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    @classmethod
    async def open(cls, url: str) -> Store:
        """Connect, bring the tables up to date, and begin to forget what is old.

        Raises:
            StoreError: one clear sentence; also where the database is newer than this program.
        """
        parsed = parse_url(url)
        try:
            # Imported in the thread: Alembic takes a while, and the event loop has others to serve.
            await asyncio.to_thread(_upgrade, parsed)
        except StoreError:
            raise
        except Exception as error:
            # Drivers raise their own kinds when they cannot connect; the operator needs one line.
            reason = str(getattr(error, "orig", None) or error).partition("\n")[0].rstrip(".")
            place = parsed.render_as_string(hide_password=True)
            raise StoreError(f"Cannot open the database {place}: {reason}.") from error
        store = cls(make_engine(parsed, pool_pre_ping=not is_sqlite(parsed)))
        store._pruning = asyncio.create_task(store._prune_daily(), name="prune the store")
        return store

    async def close(self) -> None:
        """Let the connections go. Methods must not be called afterwards."""
        if self._pruning:
            # A transaction cancelled half-way leaves a connection that nobody closes: let it end.
            self._closing.set()
            await asyncio.wait({self._pruning}, timeout=_PRUNE_GRACE)
            self._pruning.cancel()
            await asyncio.gather(self._pruning, return_exceptions=True)
        await self._engine.dispose()

    # --- languages -------------------------------------------------------------------------------

    async def language(self, user: str) -> str | None:
        """What the person chose with /language, if anything."""
        async with self._engine.begin() as db:
            found: str | None = await db.scalar(select(User.language).where(User.id == user))
            return found

    async def set_language(self, user: str, language: str | None) -> None:
        """Remember what the person chose; None forgets it."""
        async with self._writing() as db:
            if language is None:
                await db.execute(update(User).where(User.id == user).values(language=None))
            else:
                await db.execute(_SEE_USER, _seen(user, language))

    async def chat_language(self, *chats: str) -> str | None:
        """What was chosen for the first of these chats for which anything was."""
        query = select(Chat.id, Chat.language).where(Chat.id.in_(chats))
        async with self._engine.begin() as db:
            found = {row.id: row.language for row in await db.execute(query)}
        return next((found[chat] for chat in chats if chat in found), None)

    async def set_chat_language(self, chat: str, language: str | None) -> None:
        """Remember what was chosen for a chat; None forgets it."""
        row = {"id": chat, "platform": _platform(chat), "language": language}
        async with self._writing() as db:
            if language is None:
                await db.execute(delete(Chat).where(Chat.id == chat))
            else:
                await db.execute(_SET_CHAT_LANGUAGE, row)

    # --- channels --------------------------------------------------------------------------------

    async def channels(self, room: str) -> Mapping[str, str]:
        """The channels in which a room is answered, names by "platform:id"; none: everywhere.

        Every call in a server asks, so lists are held in memory. A list changes only through this
        process: nobody else serves the room's platform.
        """
        known = self._channels.get(room)
        if known is not None:
            return known
        changes = self._channel_changes
        query = select(Channel.id, Channel.name).where(Channel.room == room).order_by(Channel.name)
        async with self._engine.begin() as db:
            listed = MappingProxyType({row.id: row.name for row in await db.execute(query)})
        if changes == self._channel_changes:  # or what was read may be of before
            if len(self._channels) >= _ROOMS_KNOWN:
                del self._channels[next(iter(self._channels))]
            self._channels[room] = listed
        return listed

    async def allow_channel(self, room: str, channel: str, name: str) -> None:
        """Put a channel on its room's list, or note what it is called now."""
        async with self._changing_channels(room) as db:
            await db.execute(_ALLOW_CHANNEL, {"room": room, "id": channel, "name": name})

    async def remove_channel(self, room: str, channel: str) -> None:
        """Take a channel off its room's list; without the last one there is no list."""
        async with self._changing_channels(room) as db:
            await db.execute(delete(Channel).where(Channel.room == room, Channel.id == channel))

    async def allow_everywhere(self, room: str) -> None:
        """Drop the room's list."""
        async with self._changing_channels(room) as db:
            await db.execute(delete(Channel).where(Channel.room == room))

    @asynccontextmanager
    async def _changing_channels(self, room: str) -> AsyncIterator[AsyncConnection]:
        """A connection to change a room's list with; what was known of it is forgotten."""
        try:
            async with self._writing() as db:
                yield db
        finally:  # also where it failed or was cancelled: it may have been written all the same
            self._channel_changes += 1
            self._channels.pop(room, None)

    # --- buttons ---------------------------------------------------------------------------------

    async def save_button(self, call: Call, user: str, chat: str) -> str:
        """The token of a button: 12 characters of A–Z a–z 0–9 _ -, 72 bits that nobody guesses.

        An equal button of the same person in the same chat keeps its token and is young again.
        """
        content = {"command": call.command, "arguments": dict(call.arguments)}
        canonical = json.dumps([user, chat, content], sort_keys=True)
        row = {
            "token": secrets.token_urlsafe(9),
            "digest": hashlib.sha256(canonical.encode()).digest(),
            "call": content,
            "user": user,
            "chat": chat,
            "created": _now(),
        }
        try:
            async with self._writing() as db:
                token: str = (await db.execute(_SAVE_BUTTON, row)).scalar_one()
        except IntegrityError:  # the person has no row yet; nearly always `begin` has made it
            async with self._writing(WRITES) as db:
                await db.execute(_SEE_USER, _seen(user))
                token = (await db.execute(_SAVE_BUTTON, row)).scalar_one()
        return token

    async def button(self, token: str) -> StoredButton | None:
        """The button behind a token; None if there is none (any more)."""
        if not _TOKEN.fullmatch(token):
            return None  # not ours; drivers choke on some of what strangers send
        query = select(Button.call, Button.user, Button.chat).where(Button.token == token)
        async with self._engine.begin() as db:
            row = (await db.execute(query)).one_or_none()
        if row is None:
            return None
        return StoredButton(Call(row.call["command"], row.call["arguments"]), row.user, row.chat)

    # --- usage -----------------------------------------------------------------------------------

    async def begin(self, request: Request) -> int:
        """Note that a command has begun; the number is for `finish`."""
        row = {
            "user": request.user,
            "chat": request.chat,
            "command": request.command,
            "platform": request.platform,
            "language": request.language,
            "started": _now(),
            "address": {
                "platform": request.address.platform,
                "place": dict(request.address.place),
            },
        }
        async with self._writing(WRITES) as db:
            await db.execute(_SEE_USER, _seen(request.user))
            number: int = (await db.execute(_BEGIN_USAGE, row)).scalar_one()
        self._open.add(number)
        return number

    async def finish(self, usage: int, outcome: str, seconds: float) -> None:
        """Note how it ended. A number that is gone (the person was forgotten) is no error."""
        async with self._writing() as db:
            await db.execute(
                update(Usage)
                .where(Usage.id == usage)
                .values(outcome=outcome, seconds=seconds, finished=_now(), address=None)
            )
        self._open.discard(usage)

    async def interrupted(self, platforms: Collection[str] | None = None) -> list[Interrupted]:
        """The runs that an earlier process left open, oldest first; each is given out once.

        `platforms`: only these (another process may be serving the others right now).
        """
        wanted: list[ColumnElement[bool]] = [
            Usage.finished.is_(None),
            Usage.id.not_in(self._open),
        ]
        if platforms is not None:
            wanted.append(Usage.platform.in_(platforms))
        async with self._writing(WRITES) as db:
            query = select(Usage.__table__).where(*wanted).order_by(Usage.id).with_for_update()
            rows = (await db.execute(query)).all()
            await db.execute(
                update(Usage)
                .where(Usage.id.in_([row.id for row in rows]))
                .values(outcome="interrupted", finished=_now(), address=None)
            )
        return [
            Interrupted(
                user=row.user,
                chat=row.chat,
                command=row.command,
                language=row.language,
                address=ReplyAddress(row.address["platform"], row.address["place"]),
                started=row.started,
            )
            for row in rows
            if row.address
        ]

    # --- privacy ---------------------------------------------------------------------------------

    async def export(self, user: str) -> dict[str, Any]:
        """Everything held about a person, JSON-serialisable.

        Keys: user, platform, language, first_seen, last_seen, buttons, usage; moments are ISO 8601.
        """
        async with self._engine.execution_options(**READS).begin() as db:
            person = (await db.execute(select(User.__table__).where(User.id == user))).one_or_none()
            buttons = await db.execute(
                select(Button.token, Button.call, Button.chat, Button.created)
                .where(Button.user == user)
                .order_by(Button.created)
            )
            usage = await db.execute(
                select(Usage.__table__).where(Usage.user == user).order_by(Usage.id)
            )
            return {
                "user": user,
                "platform": _platform(user),
                "language": person.language if person else None,
                "first_seen": person.first_seen.isoformat() if person else None,
                "last_seen": person.last_seen.isoformat() if person else None,
                "buttons": [_plain(row) for row in buttons],
                "usage": [_plain(row) for row in usage],
            }

    async def forget(self, user: str) -> None:
        """Delete everything held about a person, private chats' languages included."""
        own = _chats_of(Usage.user == user, Button.user == user)
        others = _chats_of(Usage.user != user, Button.user != user)
        async with self._writing(WRITES) as db:
            await db.execute(
                delete(Chat).where(or_(Chat.id == user, Chat.id.in_(own)), Chat.id.not_in(others))
            )
            await db.execute(delete(User).where(User.id == user))  # buttons and usage go with it

    async def prune(self) -> None:
        """Delete what is older than `KEPT_DAYS`, and people of whom nothing else is known."""
        limit = _now() - timedelta(days=KEPT_DAYS)
        async with self._writing(WRITES) as db:
            await db.execute(delete(Button).where(Button.created < limit))
            await db.execute(delete(Usage).where(Usage.started < limit))
            await db.execute(
                delete(User).where(
                    User.last_seen < limit,
                    User.language.is_(None),
                    ~select(Button.token).where(Button.user == User.id).exists(),
                    ~select(Usage.id).where(Usage.user == User.id).exists(),
                )
            )

    async def _prune_daily(self) -> None:
        while not self._closing.is_set():
            try:
                await self.prune()
            except DBAPIError as error:
                log.error("could not prune the store: %s", error.orig)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _PRUNE_INTERVAL)

    # --- transactions ----------------------------------------------------------------------------

    @asynccontextmanager
    async def _writing(
        self, options: Mapping[str, Any] = MappingProxyType({})
    ) -> AsyncIterator[AsyncConnection]:
        """A connection to write with; more than one statement needs the option `WRITES`."""
        async with self._turn, self._engine.execution_options(**options).begin() as connection:
            yield connection


def _upgrade(url: Any) -> None:
    from bot.store.migrate import upgrade

    upgrade(url)


def _chats_of(usage: ColumnElement[bool], buttons: ColumnElement[bool]) -> Any:
    return union(select(Usage.chat).where(usage), select(Button.chat).where(buttons))


def _plain(row: Row[Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row._mapping.items()
    }


def _seen(user: str, language: str | None = None) -> dict[str, Any]:
    """The values of `_SEE_USER`."""
    return {"id": user, "platform": _platform(user), "language": language, "now": _now()}


def _platform(key: str) -> str:
    return key.partition(":")[0]


def _now() -> datetime:
    return datetime.now(UTC)
