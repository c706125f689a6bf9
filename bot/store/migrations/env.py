"""Alembic's entry point: runs the revisions on the connection that `bot.store.migrate` hands over.

To change the tables: change `bot/store/models.py`, then add a revision to `versions/` by hand,
named and chained like the ones before it. The tests compare what the revisions make with what the
models say, and print the difference.
"""

from alembic import context

from bot.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite can alter a table only by copying it
    transactional_ddl=True,  # the caller holds one transaction around everything
)
context.run_migrations()
