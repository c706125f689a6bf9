"""The store: `handlers.kit.services.Memory` on a database.

Every method is one short transaction: a plain function of a connection, done whole in a thread. So
the event loop waits for no disk, and nothing is left half done where a caller is cancelled: the
transaction ends without them. SQLite lets one writer in at a time, so one thread does the writing,
in the order in which it was asked to.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Engine,
    Executable,
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

from bot.store.engine import WRITES, StoreError, is_sqlite, make_engine, parse_url
from bot.store.line import Line, LineClosed, alone
from bot.store.models import Button, Channel, Chat, Usage, User, UtcDateTime
from handlers.kit.request import Call, ReplyAddress, Request
from handlers.kit.services import KEPT_DAYS, StoredButton

log = logging.getLogger(__name__)

_Deed = Callable[[Connection], None]

_PRUNE_INTERVAL = 24 * 3600.0  # seconds
_GRACE = 5.0  # seconds that what was asked for may take when the store closes
_READERS = 2  # threads
_WRITERS = 4  # threads, where the database lets in more than one
_TOGETHER = 32  # pieces of work that one transaction may do
_ROOMS_KNOWN = 10_000  # rooms whose lists of channels are held in memory
_TOKEN = re.compile(r"[A-Za-z0-9_-]{12}")

# The statements of the busy paths, made once: to make one takes several times as long as to run it.
# SQLAlchemy compiles an INSERT … ON CONFLICT anew each time and writes it differently for each
# database, although both understand the same words.
_LANGUAGE = select(User.language).where(User.id == bindparam("user"))
_CHAT_LANGUAGES = select(Chat.id, Chat.language).where(
    Chat.id.in_(bindparam("chats", expanding=True))
)
_CHANNELS = (
    select(Channel.id, Channel.name).where(Channel.room == bindparam("room")).order_by(Channel.name)
)
_BUTTON = select(Button.call, Button.user, Button.chat).where(Button.token == bindparam("token"))
_FORGET_LANGUAGE = update(User).where(User.id == bindparam("user")).values(language=None)
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
_FINISH_USAGE = update(Usage).where(Usage.id == bindparam("number")).values(address=None)


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
    database fails (full disk, lost server), and `LineClosed` once the store is closed. Where a
    caller is cancelled, what has begun is done all the same; what has not may be dropped.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        lite = is_sqlite(engine.url)
        # What waits in line costs less in one transaction. But two writers that each hold the rows
        # of several people might wait for each other: where there are more than one, each piece of
        # work is a transaction.
        self._writers: Line[Connection] = Line(
            "store writer",
            partial(_transaction, engine.execution_options(**WRITES)),
            threads=1 if lite else _WRITERS,
            most=_TOGETHER if lite else 1,
        )
        self._readers: Line[Connection] = Line(
            "store reader", partial(_transaction, engine), threads=_READERS, most=_TOGETHER
        )
        self._open: set[int] = set()  # usage numbers of this process that have not finished
        self._channels: dict[str, Mapping[str, str]] = {}  # lists by room, as far as known
        self._channel_changes = 0  # how often any list has changed
        self._pruning: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: str) -> Store:
        """Connect, bring the tables up to date, and begin to forget what is old.

        Raises:
            StoreError: one clear sentence; also where the database is newer than this program.
        """
        parsed = parse_url(url)
        try:
            # Imported in the thread: Alembic takes a while, and the event loop has others to serve.
            await alone(partial(_upgrade, parsed))
        except StoreError:
            raise
        except Exception as error:
            # Drivers raise their own kinds when they cannot connect; the operator needs one line.
            reason = str(getattr(error, "orig", None) or error).partition("\n")[0].rstrip(".")
            place = parsed.render_as_string(hide_password=True)
            raise StoreError(f"Cannot open the database {place}: {reason}.") from error
        connections = _READERS + _WRITERS
        ping = not is_sqlite(parsed)
        store = cls(make_engine(parsed, pool_size=connections, pool_pre_ping=ping))
        store._pruning = asyncio.create_task(store._prune_daily(), name="prune the store")
        return store

    async def close(self) -> None:
        """Do what was asked for, for a few seconds at most, and let the connections go."""
        if self._pruning:
            self._pruning.cancel()
            await asyncio.gather(self._pruning, return_exceptions=True)
        lines = (self._writers, self._readers)
        if all(await asyncio.gather(*(line.close(_GRACE) for line in lines))):
            await alone(self._engine.dispose)
        else:
            log.error("the database does not answer; what it was last given may be lost")

    # --- languages -------------------------------------------------------------------------------

    async def language(self, user: str) -> str | None:
        """What the person chose with /language, if anything."""

        def read(db: Connection) -> str | None:
            found: str | None = db.scalar(_LANGUAGE, {"user": user})
            return found

        return await self._readers.put(read)

    async def set_language(self, user: str, language: str | None) -> None:
        """Remember what the person chose; None forgets it."""
        if language is None:
            await self._writers.put(_doing(_FORGET_LANGUAGE, {"user": user}))
        else:
            await self._writers.put(_doing(_SEE_USER, _seen(user, language)))

    async def chat_language(self, *chats: str) -> str | None:
        """What was chosen for the first of these chats for which anything was."""

        def read(db: Connection) -> dict[str, str]:
            return {row.id: row.language for row in db.execute(_CHAT_LANGUAGES, {"chats": chats})}

        found = await self._readers.put(read)
        return next((found[chat] for chat in chats if chat in found), None)

    async def set_chat_language(self, chat: str, language: str | None) -> None:
        """Remember what was chosen for a chat; None forgets it."""
        if language is None:
            await self._writers.put(_doing(delete(Chat).where(Chat.id == chat)))
        else:
            row = {"id": chat, "platform": _platform(chat), "language": language}
            await self._writers.put(_doing(_SET_CHAT_LANGUAGE, row))

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

        def read(db: Connection) -> Mapping[str, str]:
            rows = db.execute(_CHANNELS, {"room": room})
            return MappingProxyType({row.id: row.name for row in rows})

        listed = await self._readers.put(read)
        if changes == self._channel_changes:  # or what was read may be of before
            if len(self._channels) >= _ROOMS_KNOWN:
                del self._channels[next(iter(self._channels))]
            self._channels[room] = listed
        return listed

    async def allow_channel(self, room: str, channel: str, name: str) -> None:
        """Put a channel on its room's list, or note what it is called now."""
        row = {"room": room, "id": channel, "name": name}
        await self._change_channels(room, _doing(_ALLOW_CHANNEL, row))

    async def remove_channel(self, room: str, channel: str) -> None:
        """Take a channel off its room's list; without the last one there is no list."""
        statement = delete(Channel).where(Channel.room == room, Channel.id == channel)
        await self._change_channels(room, _doing(statement))

    async def allow_everywhere(self, room: str) -> None:
        """Drop the room's list."""
        await self._change_channels(room, _doing(delete(Channel).where(Channel.room == room)))

    async def _change_channels(self, room: str, work: _Deed) -> None:
        """Change a room's list; what was known of it is forgotten once that has ended.

        It ends even if the caller is cancelled, and may be written even where it fails.
        """

        def changed(_: asyncio.Future[None]) -> None:
            self._channel_changes += 1
            self._channels.pop(room, None)

        changing = self._writers.put(work)
        changing.add_done_callback(changed)
        await asyncio.shield(changing)

    # --- buttons ---------------------------------------------------------------------------------

    async def save_buttons(self, calls: Sequence[Call], user: str, chat: str) -> list[str]:
        """The buttons' tokens: 12 characters of A–Z a–z 0–9 _ -, 72 bits that nobody guesses.

        An equal button of the same person in the same chat keeps its token and is young again.
        """
        if not calls:
            return []

        def save(db: Connection) -> list[str]:
            rows = [_button_row(call, user, chat) for call in calls]
            # Always in the same order, or two who save the same ones may wait for each other.
            tokens = {
                row["digest"]: db.execute(_SAVE_BUTTON, row).scalar_one()
                for row in sorted(rows, key=lambda row: row["digest"])
            }
            return [tokens[row["digest"]] for row in rows]

        def introduce(db: Connection) -> list[str]:
            db.execute(_SEE_USER, _seen(user))
            return save(db)

        try:
            return await self._writers.put(save)
        except IntegrityError:  # the person has no row yet; nearly always `begin` has made it
            return await self._writers.put(introduce)

    async def button(self, token: str) -> StoredButton | None:
        """The button behind a token; None if there is none (any more)."""
        if not _TOKEN.fullmatch(token):
            return None  # not ours; drivers choke on some of what strangers send

        def read(db: Connection) -> StoredButton | None:
            row = db.execute(_BUTTON, {"token": token}).one_or_none()
            if row is None:
                return None
            call = Call(row.call["command"], row.call["arguments"])
            return StoredButton(call, row.user, row.chat)

        return await self._readers.put(read)

    # --- usage -----------------------------------------------------------------------------------

    async def begin(self, request: Request) -> int:
        """Note that a command has begun; the number is for `finish`.

        Where the caller is cancelled meanwhile, the command is noted as cancelled.
        """
        started = _now()
        row = {
            "user": request.user,
            "chat": request.chat,
            "command": request.command,
            "platform": request.platform,
            "language": request.language,
            "started": started,
            "address": {
                "platform": request.address.platform,
                "place": dict(request.address.place),
            },
        }

        def begin(db: Connection) -> int:
            db.execute(_SEE_USER, _seen(request.user))
            number: int = db.execute(_BEGIN_USAGE, row).scalar_one()
            self._open.add(number)  # before others see the row: `interrupted` must not take it
            return number

        def unclaimed(begun: asyncio.Future[int]) -> None:
            if not begun.cancelled() and begun.exception() is None:
                seconds = (_now() - started).total_seconds()
                with contextlib.suppress(LineClosed):
                    self._writers.put(_finishing(begun.result(), "cancelled", seconds))

        begun = self._writers.put(begin)
        try:
            return await asyncio.shield(begun)
        except asyncio.CancelledError:
            begun.add_done_callback(unclaimed)
            raise

    async def finish(self, usage: int, outcome: str, seconds: float) -> None:
        """Note how it ended. A number that is gone (the person was forgotten) is no error."""
        await self._writers.put(_finishing(usage, outcome, seconds))
        self._open.discard(usage)

    async def interrupted(self, platforms: Collection[str] | None = None) -> list[Interrupted]:
        """The runs that an earlier process left open, oldest first; each is given out once.

        `platforms`: only these (another process may be serving the others right now).
        """
        wanted: list[ColumnElement[bool]] = [Usage.finished.is_(None)]
        if platforms is not None:
            wanted.append(Usage.platform.in_(platforms))

        def take(db: Connection) -> list[Row[Any]]:
            query = select(Usage.__table__).where(*wanted).order_by(Usage.id).with_for_update()
            rows = [row for row in db.execute(query) if row.id not in self._open]
            if rows:
                db.execute(
                    update(Usage)
                    .where(Usage.id.in_([row.id for row in rows]))
                    .values(outcome="interrupted", finished=_now(), address=None)
                )
            return rows

        return [
            Interrupted(
                user=row.user,
                chat=row.chat,
                command=row.command,
                language=row.language,
                address=ReplyAddress(row.address["platform"], row.address["place"]),
                started=row.started,
            )
            for row in await self._writers.put(take)
            if row.address
        ]

    # --- privacy ---------------------------------------------------------------------------------

    async def export(self, user: str) -> dict[str, Any]:
        """Everything held about a person, JSON-serialisable.

        Keys: user, platform, language, first_seen, last_seen, buttons, usage; moments are ISO 8601.
        """

        def read(db: Connection) -> dict[str, Any]:
            with db.begin_nested():  # all of it as of one moment
                return held(db)

        def held(db: Connection) -> dict[str, Any]:
            person = db.execute(select(User.__table__).where(User.id == user)).one_or_none()
            buttons = db.execute(
                select(Button.token, Button.call, Button.chat, Button.created)
                .where(Button.user == user)
                .order_by(Button.created)
            )
            usage = db.execute(select(Usage.__table__).where(Usage.user == user).order_by(Usage.id))
            return {
                "user": user,
                "platform": _platform(user),
                "language": person.language if person else None,
                "first_seen": person.first_seen.isoformat() if person else None,
                "last_seen": person.last_seen.isoformat() if person else None,
                "buttons": [_plain(row) for row in buttons],
                "usage": [_plain(row) for row in usage],
            }

        return await self._readers.put(read)

    async def forget(self, user: str) -> None:
        """Delete everything held about a person, private chats' languages included."""
        own = _chats_of(Usage.user == user, Button.user == user)
        others = _chats_of(Usage.user != user, Button.user != user)

        def forget(db: Connection) -> None:
            db.execute(
                delete(Chat).where(or_(Chat.id == user, Chat.id.in_(own)), Chat.id.not_in(others))
            )
            db.execute(delete(User).where(User.id == user))  # buttons and usage go with it

        await self._writers.put(forget)

    async def prune(self) -> None:
        """Delete what is older than `KEPT_DAYS`, and people of whom nothing else is known."""
        limit = _now() - timedelta(days=KEPT_DAYS)

        def prune(db: Connection) -> None:
            db.execute(delete(Button).where(Button.created < limit))
            db.execute(delete(Usage).where(Usage.started < limit))
            db.execute(
                delete(User).where(
                    User.last_seen < limit,
                    User.language.is_(None),
                    ~select(Button.token).where(Button.user == User.id).exists(),
                    ~select(Usage.id).where(Usage.user == User.id).exists(),
                )
            )

        await self._writers.put(prune)

    async def _prune_daily(self) -> None:
        while True:
            try:
                await self.prune()
            except DBAPIError as error:
                log.error("could not prune the store: %s", error.orig)
            await asyncio.sleep(_PRUNE_INTERVAL)


def _transaction(engine: Engine, works: Sequence[Callable[[Connection], Any]]) -> list[Any]:
    with engine.begin() as db:
        return [work(db) for work in works]


def _doing(statement: Executable, values: Mapping[str, Any] | None = None) -> _Deed:
    def do(db: Connection) -> None:
        db.execute(statement, values)

    return do


def _finishing(usage: int, outcome: str, seconds: float) -> _Deed:
    values = {"number": usage, "outcome": outcome, "seconds": seconds, "finished": _now()}
    return _doing(_FINISH_USAGE, values)


def _button_row(call: Call, user: str, chat: str) -> dict[str, Any]:
    """The values of `_SAVE_BUTTON`."""
    content = {"command": call.command, "arguments": dict(call.arguments)}
    canonical = json.dumps([user, chat, content], sort_keys=True)
    return {
        "token": secrets.token_urlsafe(9),
        "digest": hashlib.sha256(canonical.encode()).digest(),
        "call": content,
        "user": user,
        "chat": chat,
        "created": _now(),
    }


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
