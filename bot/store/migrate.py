"""Brings a database to the tables of this version, with Alembic, in one transaction.

Two programs may open one database at the same moment: the second waits for the first and finds
nothing left to do.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from bot.store.engine import WRITES, StoreError, is_sqlite, make_engine

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x7AD1  # PostgreSQL's advisory lock; the number only has to be ours


def upgrade(url: URL) -> None:
    """Migrate to the newest revision; blocks, so call it in a thread.

    Raises:
        StoreError: the database was written by a newer Tadım, or its file is damaged.
    """
    engine = make_engine(url, poolclass=NullPool)
    with engine.execution_options(**WRITES).begin() as connection:
        if is_sqlite(url):
            _check_file(connection)
        _migrate(connection)


def _check_file(connection: Connection) -> None:
    """Look at every page before any is changed; a database of ours is small."""
    try:
        found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    except DatabaseError as error:  # too damaged even to be looked at
        found = str(error.orig)
    if found != "ok":
        reason = " ".join(found.split()).rstrip(".")
        raise StoreError(
            f"The database file {connection.engine.url.database} is damaged ({reason}). "
            "Put a copy back in its place, or move it away and Tadım begins a new one."
        )


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    present = set(MigrationContext.configure(connection).get_current_heads())
    unknown = present - {script.revision for script in scripts.walk_revisions()}
    if unknown:
        raise StoreError(
            f"A newer Tadım wrote this database (its revision is {', '.join(sorted(unknown))}). "
            "Upgrade Tadım, or set store.url to another database."
        )
    if present != set(scripts.get_heads()):
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
