"""The database connection: URLs people write, and what SQLite needs to serve many at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

# Execution options of what writes on SQLite. Its transaction claims its turn at once: where it had
# read first, it could not wait for it later. A lone statement that reads needs no BEGIN.
WRITES = {"tadim_begin": "BEGIN IMMEDIATE"}

_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    # what earlier versions used, and people may have written
    "sqlite+aiosqlite": "sqlite+pysqlite",
    "postgresql+asyncpg": "postgresql+psycopg",
}

_PRAGMAS = (
    "PRAGMA busy_timeout = 10000",  # ms that a writer waits for another process's turn
    "PRAGMA journal_mode = WAL",  # readers and the writer do not wait for each other
    "PRAGMA synchronous = NORMAL",  # a power cut may lose the last moments, never the file
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",  # what somebody had deleted is overwritten, not just unlinked
)

# A PostgreSQL server that has gone without a word is noticed, unless the URL says otherwise.
_PATIENCE = {
    "connect_timeout": "10",  # seconds
    "keepalives_idle": "30",  # seconds of silence after which we ask whether it is there
    "tcp_user_timeout": "30000",  # ms that what we sent may stay unconfirmed (Linux)
}


class StoreError(Exception):
    """The store cannot be opened; the text is one clear sentence for the operator."""


def parse_url(text: str) -> URL:
    """The database URL of the configuration, with the driver that Tadım uses.

    Raises:
        StoreError: not a URL, a database we do not know, or SQLite without a file.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        raise StoreError(
            "store.url is not a database URL; write sqlite:////folder/tadim.sqlite3 or "
            "postgresql://user:password@host/database."
        ) from None
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.drivername not in _DRIVERS.values():
        raise StoreError(f"store.url names {url.drivername}; use sqlite or postgresql.")
    if is_sqlite(url) and url.database in (None, "", ":memory:"):
        raise StoreError("store.url names no file; write sqlite:////folder/tadim.sqlite3.")
    return url


def is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def make_engine(url: URL, **options: Any) -> Engine:
    """An engine for `url`, to be used in threads; the folder of a SQLite file is made.

    Raises:
        StoreError: the driver is not installed, or the folder cannot be made.
    """
    if is_sqlite(url):
        folder = Path(str(url.database)).expanduser().parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError(f"Cannot make the folder {folder}: {error.strerror}.") from error
        url = url.set(database=str(Path(str(url.database)).expanduser()))
    else:
        url = url.set(query={**_PATIENCE, **url.query})
    try:
        engine = create_engine(url, **options)
    except ImportError as error:
        raise StoreError(
            "The database driver psycopg is missing; install it with: "
            "pip install 'tadim[postgres]'."
        ) from error
    if is_sqlite(url):
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins no transaction behind our back
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _on_begin(connection: Connection) -> None:
    begin = connection.get_execution_options().get("tadim_begin")
    if begin:
        connection.exec_driver_sql(begin)
