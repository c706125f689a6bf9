"""What Tadım remembers: people and their language, buttons, usage. Nothing else is kept."""

from bot.store.engine import StoreError
from bot.store.store import Interrupted, Store

__all__ = ["Interrupted", "Store", "StoreError"]
