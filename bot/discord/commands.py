"""The registry's commands as Discord wants them declared: slash commands and menus on messages.

Everything is derived from the handlers' signatures; names, descriptions and choices come from the
locales. Discord shows each person the words of their own language and sends back the English ones.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Optional

import discord
from discord import app_commands

from bot.discord.client import Client
from handlers.kit import registry
from handlers.kit.parameters import Parameter
from handlers.kit.registry import Command
from locales import FALLBACK, Message, capitalise, language_of, words

log = logging.getLogger(__name__)

CHOICE_NAME_LIMIT = 100  # characters
TEXT_OPTION_LIMIT = 6000  # characters; Discord's own limit

_LOCALES = {
    discord.Locale.turkish: "tr",
    discord.Locale.american_english: "en",
    discord.Locale.british_english: "en",
}


class FluentTranslator(app_commands.Translator):
    """Looks up the message that a `locale_str` names by its `key`."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        language = _LOCALES.get(locale)
        key = string.extras.get("key")
        if language is None or key is None:
            return None
        if string.extras.get("menu"):
            return _menu_title(key, language)
        return words(language)(Message(key))


def declare(client: Client) -> None:
    """Put every command of the registry into the client's tree."""
    for command in registry.commands().values():
        client.tree.add_command(slash_command(client, command))
    for command in menu_commands():
        client.tree.add_command(_menu(client, command))


# --- slash commands ------------------------------------------------------------------------------


def slash_command(client: Client, command: Command) -> app_commands.Command[Any, ..., None]:
    """The slash command of a registered command."""

    async def callback(interaction: discord.Interaction[Client], **options: Any) -> None:
        await client.doors.slash(interaction, command, options)

    # The library reads the options from the signature, as the registry does from the handler's.
    callback.__signature__ = _signature(command.parameters)  # type: ignore[attr-defined]
    described = app_commands.describe(
        **{p.name: _words(f"{p.command}.{p.name}-description") for p in command.parameters}
    )(callback)
    renamed = app_commands.rename(
        **{p.name: _words(f"{p.command}.{p.name}") for p in command.parameters}
    )(described)
    chosen = app_commands.choices(
        **{p.name: _choices(p) for p in command.parameters if p.kind == "choice"}
    )(renamed)
    completed = app_commands.autocomplete(
        **{p.name: _complete_command for p in command.parameters if _names_a_command(p)}
    )(chosen)
    if command.moderators:
        completed = _in_servers(_for_moderators(completed))
    return app_commands.Command(
        name=_words(command.name),
        description=_words(f"{command.name}.description"),
        callback=completed,
    )


#: Others are not shown the command, unless a server's owner decides otherwise.
_for_moderators = app_commands.default_permissions(manage_guild=True)
_in_servers = app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)


def _signature(parameters: Iterable[Parameter]) -> inspect.Signature:
    """`interaction` and one parameter an option, typed as the library wants it."""
    kind = inspect.Parameter.KEYWORD_ONLY
    options = []
    for parameter in parameters:
        annotation = _annotation(parameter)
        if parameter.required and not _is_asked_for(parameter):
            options.append(inspect.Parameter(parameter.name, kind, annotation=annotation))
        else:
            optional = Optional.__getitem__(annotation)  # the library knows this form only
            options.append(
                inspect.Parameter(parameter.name, kind, annotation=optional, default=None)
            )
    first = inspect.Parameter(
        "interaction", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=discord.Interaction
    )
    return inspect.Signature([first, *options])


def _is_asked_for(parameter: Parameter) -> bool:
    """Whether a form asks for it where it is missing: an option takes no line breaks, and people
    with a picture at hand may not know where to put it.
    """
    return parameter.kind == "picture" or (parameter.text is not None and parameter.text.long)


def _annotation(parameter: Parameter) -> Any:
    limits = parameter.range
    match parameter.kind:
        case "picture":
            return discord.Attachment
        case "boolean":
            return bool
        case "choice":
            return str
        case "integer":
            return app_commands.Range[int, int(limits.low), int(limits.high)] if limits else int
        case "number":
            return app_commands.Range[float, limits.low, limits.high] if limits else float
        case "text":
            assert parameter.text is not None
            longest = min(parameter.text.longest, TEXT_OPTION_LIMIT)
            return app_commands.Range[str, parameter.text.shortest, longest]


def _choices(parameter: Parameter) -> list[app_commands.Choice[str]]:
    return [
        app_commands.Choice(
            name=_words(f"{parameter.command}-{parameter.name}-{value}"), value=value
        )
        for value in parameter.choices
    ]


def _words(key: str) -> app_commands.locale_str:
    """The English words of a message, which the translator finds in the other languages."""
    return app_commands.locale_str(words(FALLBACK)(Message(key)), key=key)


# --- autocompletion ------------------------------------------------------------------------------


def _names_a_command(parameter: Parameter) -> bool:
    return parameter.kind == "text" and parameter.name == "command"


async def _complete_command(
    interaction: discord.Interaction[Client], typed: str
) -> list[app_commands.Choice[str]]:
    """Commands that fit what was typed so far, with or without Turkish letters."""
    language = language_of(interaction.locale.value) or FALLBACK
    found = registry.complete(typed, language, limit=25)
    return [
        app_commands.Choice(name=_line(command, language), value=command.name) for command in found
    ]


def _line(command: Command, language: str) -> str:
    line = f"/{command.title(language)} · {command.description(language)}"
    return line if len(line) <= CHOICE_NAME_LIMIT else line[: CHOICE_NAME_LIMIT - 1] + "…"


# --- menus on messages ---------------------------------------------------------------------------


def menu_commands() -> list[Command]:
    """The commands that are offered on messages; Discord's library has room for five."""
    return [command for command in registry.commands().values() if command.menu]


def _menu(client: Client, command: Command) -> app_commands.ContextMenu:
    async def callback(interaction: discord.Interaction[Client], message: discord.Message) -> None:
        await client.doors.menu(interaction, command, message)

    title = app_commands.locale_str(
        _menu_title(command.name, FALLBACK), key=command.name, menu=True
    )
    return app_commands.ContextMenu(name=title, callback=callback)


def _menu_title(command: str, language: str) -> str:
    say = words(language)
    key = f"discord-menu-{command}"
    return say(Message(key)) if say.has(key) else capitalise(say(Message(command)), language)


# --- telling Discord -----------------------------------------------------------------------------


async def payload(client: Client) -> list[dict[str, Any]]:
    """What is sent to Discord: every command, in every language."""
    translator = client.tree.translator
    assert translator is not None
    return [
        await command.get_translated_payload(client.tree, translator)
        for command in client.tree.get_commands()
    ]


async def sync_if_changed(client: Client, record: Path) -> bool:
    """Tell Discord of the commands, unless it knows them: it allows 200 new ones a day.

    `record` is the file that holds the hash of what was sent last, by application. Returns
    whether they were sent.

    Raises:
        discord.HTTPException, app_commands.CommandSyncFailure: Discord refuses them.
    """
    application = str(client.application_id)
    text = json.dumps(await payload(client), sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    known = _read(record)
    if known.get(application) == digest:
        return False
    await client.tree.sync()
    _write(record, {**known, application: digest})
    log.info("told Discord of %d commands", len(client.tree.get_commands()))
    return True


def _read(record: Path) -> dict[str, str]:
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(record: Path, known: dict[str, str]) -> None:
    """Replace the record at once: a half-written one would be taken for none."""
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        draft = record.with_suffix(".new")
        draft.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
        draft.replace(record)
    except OSError as error:
        log.warning("%s cannot be written: %s; the commands are sent at every start", record, error)
