"""The tables. A person or a chat is known by "platform:id", as everywhere in Tadım.

No table holds what people write or send, except `buttons.call`: a button that repeats a command
must know the command's arguments (pictures stand there by reference, never as pixels).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, LargeBinary, MetaData, String
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite has no time zones: there the naive value is UTC by agreement."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Base(DeclarativeBase):
    # Constraints have names everywhere, so that a later migration can speak of them.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON}  # noqa: RUF012


class User(Base):
    """A person. `language` is what they chose with /language, if they ever did."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)  # "platform:id"
    platform: Mapped[str] = mapped_column(String(40))
    language: Mapped[str | None] = mapped_column(String(8))
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]


class Chat(Base):
    """A chat whose language somebody chose. Other chats have no row."""

    __tablename__ = "chats"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)  # "platform:id"
    platform: Mapped[str] = mapped_column(String(40))
    language: Mapped[str] = mapped_column(String(8))


class Channel(Base):
    """A channel in which Tadım answers. A room without any has no list: it is answered everywhere.

    `name` is what people call the channel, as of when it was put on the list.
    """

    __tablename__ = "channels"

    room: Mapped[str] = mapped_column(String(200), primary_key=True)  # "platform:id"
    id: Mapped[str] = mapped_column(String(200), primary_key=True)  # "platform:id"
    name: Mapped[str] = mapped_column(String(100))


class Button(Base):
    """A button under an answer: the call it makes, and whose it is.

    `digest` is the SHA-256 of owner, chat and call, by which an equal button finds its token again.
    """

    __tablename__ = "buttons"

    token: Mapped[str] = mapped_column(String(12), primary_key=True)  # 72 random bits, base64url
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    call: Mapped[dict[str, Any]]  # {"command": …, "arguments": {…}}
    user: Mapped[str] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    chat: Mapped[str] = mapped_column(String(200))
    created: Mapped[datetime] = mapped_column(index=True)


class Usage(Base):
    """One command that somebody ran. While `finished` is empty it is under way.

    `address` says where the answer goes, and is dropped when it has gone there. `outcome` is
    "done", "failed", "asked", "cancelled", or "interrupted" (the program ended under it).
    """

    __tablename__ = "usage"
    # A deleted number must not come back: the run that still holds it would finish another's row.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    chat: Mapped[str] = mapped_column(String(200))
    command: Mapped[str] = mapped_column(String(64))
    platform: Mapped[str] = mapped_column(String(40))
    language: Mapped[str] = mapped_column(String(8))
    started: Mapped[datetime] = mapped_column(index=True)
    finished: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(16))
    seconds: Mapped[float | None]
    address: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
