"""What of the face commands was fitted by us, and how: see the modules' docstrings."""

from __future__ import annotations

from pathlib import Path

from bot.pull import open_store
from bot.settings import Settings
from inference.tasks.faces import WEIGHTS


def files() -> dict[str, Path]:
    """The generator's weights, by name; fetched if they are not here."""
    store = open_store(Settings())
    return {name: store.pull(name) for name in WEIGHTS}
