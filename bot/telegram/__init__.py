"""Telegram: the frontend, and beside it what only Telegram needs (its limits, its markup)."""
