"""The first tables: users, chats, buttons, usage."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "users",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("platform", sa.String(40), nullable=False),
        sa.Column("language", sa.String(8)),
        sa.Column("first_seen", moment, nullable=False),
        sa.Column("last_seen", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
    )
    op.create_table(
        "chats",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("platform", sa.String(40), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chats"),
    )
    op.create_table(
        "buttons",
        sa.Column("token", sa.String(12), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("call", sa.JSON(), nullable=False),
        sa.Column("user", sa.String(200), nullable=False),
        sa.Column("chat", sa.String(200), nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_buttons"),
        sa.UniqueConstraint("digest", name="uq_buttons_digest"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_buttons_user", ondelete="CASCADE"),
    )
    op.create_index("ix_buttons_user", "buttons", ["user"])
    op.create_index("ix_buttons_created", "buttons", ["created"])
    op.create_table(
        "usage",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user", sa.String(200), nullable=False),
        sa.Column("chat", sa.String(200), nullable=False),
        sa.Column("command", sa.String(64), nullable=False),
        sa.Column("platform", sa.String(40), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("started", moment, nullable=False),
        sa.Column("finished", moment),
        sa.Column("outcome", sa.String(16)),
        sa.Column("seconds", sa.Float()),
        sa.Column("address", sa.JSON(none_as_null=True)),
        sa.PrimaryKeyConstraint("id", name="pk_usage"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_usage_user", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_usage_user", "usage", ["user"])
    op.create_index("ix_usage_started", "usage", ["started"])


def downgrade() -> None:
    for table in ("usage", "buttons", "chats", "users"):
        op.drop_table(table)
