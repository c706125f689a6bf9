"""The command line: `tadim` serves, `ask` asks once, `pull` and `doctor` prepare."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from bot import settings as configuration
from bot.hub import FrontendError
from bot.logs import configure_logging
from bot.settings import Settings, SettingsError
from bot.store import StoreError


def main(argv: list[str] | None = None) -> None:
    """Entry point of the `tadim` script."""
    arguments = _parser().parse_args(argv)
    try:
        settings = configuration.load()
        code = _run(arguments, settings)
    except (SettingsError, FrontendError, StoreError) as error:
        sys.exit(f"tadim: {error}")
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # `tadim ask … | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code)


def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    # Imported here, so that each verb starts with no more than it needs.
    from bot import app

    configure_logging(settings.log_level, settings.log_format)
    match arguments.verb:
        case "ask":
            from bot.ask import ask

            return asyncio.run(
                ask(
                    settings,
                    arguments.line,
                    arguments.image or (),
                    arguments.lang,
                    arguments.out,
                    arguments.json,
                )
            )
        case "pull":
            from bot import pull

            return pull.run(arguments.names, arguments.all, settings)
        case "doctor":
            from bot import doctor

            return doctor.run(settings)
        case _:
            asyncio.run(app.serve(settings))
            return 0


def _file(value: str) -> Path:
    path = Path(value)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{value} is a folder; a picture file is expected")
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {value}")
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tadim",
        description="The deep learning tasting tour as a chatbot. Without a verb: serve the web "
        "chat, and Discord and Telegram where their tokens are set.",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    ask = verbs.add_parser("ask", help="run one command and print its reply")
    ask.add_argument("line", help="for example '/detect confidence:0.4' or '/algıla güven:0,4'")
    ask.add_argument(
        "--image",
        type=_file,
        action="append",
        help="a picture file to go with the command; several are an album",
    )
    ask.add_argument("--lang", choices=("tr", "en"), help="the reply's language")
    ask.add_argument(
        "--out", type=Path, default=Path("out"), help="where pictures go (%(default)s)"
    )
    ask.add_argument("--json", action="store_true", help="print one JSON object")
    pull = verbs.add_parser("pull", help="fetch the models' weights ahead of time")
    pull.add_argument(
        "names", nargs="*", help="entries of weights.toml; none: what the profile needs"
    )
    pull.add_argument("--all", action="store_true", help="everything in weights.toml")
    verbs.add_parser(
        "doctor", help="say what is installed, what is missing and what to do about it"
    )
    return parser
