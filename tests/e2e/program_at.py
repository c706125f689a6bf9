"""The program as `tadim` starts it, with Discord and Telegram at other addresses:

python -m tests.e2e.program_at http://127.0.0.1:1234 http://127.0.0.1:1235
"""

from __future__ import annotations

import sys

from bot.cli import main
from bot.telegram import connection
from tests.e2e.discord_server import library_at


def run(discord: str, telegram: str) -> None:
    assert connection.OFFICIAL == "https://api.telegram.org"
    connection.OFFICIAL = telegram
    with library_at(discord):
        sys.exit(main([]))


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2])
