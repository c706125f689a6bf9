"""`/help`: all commands, stop by stop; with a command's name, how to use that one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from babel.numbers import format_decimal

from handlers.kit import (
    Button,
    Call,
    Command,
    Lines,
    Listing,
    Message,
    Note,
    Reply,
    Request,
    Say,
    Services,
    Text,
    command,
)
from handlers.kit.parameters import Parameter, exact
from handlers.kit.registry import STOPS, commands, require
from locales import words


@command("help", stop="house", order=10, private=True)
async def help(  # the command's name goes before the built-in's
    request: Request,
    services: Services,
    command: Annotated[str | None, Text(longest=64)] = None,
) -> AsyncIterator[Reply]:
    """List every command in the reader's language, or explain one.

    Moderators' commands are listed to moderators.
    """
    if command is None:
        # Where a room has no channels there is nothing to manage yet, and it costs a question.
        manages = bool(request.channel) and await request.may_manage(request.room)
        shown = [entry for entry in commands().values() if manages or not entry.moderators]
        yield _overview(shown, services)
    else:
        yield _page(require(command), request.language)


# --- all commands --------------------------------------------------------------------------------


def _overview(shown: Sequence[Command], services: Services) -> Reply:
    halls = {stop: [entry for entry in shown if entry.stop == stop] for stop in STOPS}
    blocks = [Say(_hall(stop, entries)) for stop, entries in halls.items() if entries]
    source = str(services.about.get("source", ""))
    licence = Message("help-source", source=source) if source else Message("help-source-unnamed")
    link = Button(Message("help-source-button"), url=source)
    return Reply(
        blocks=(
            Say(Message("help-intro")),
            *blocks,
            Note(licence),
        ),
        buttons=(link,) if source.startswith(("https://", "http://")) else (),
        data={
            "commands": [{"name": entry.name, "stop": entry.stop} for entry in shown],
            "source": source,
        },
        private=True,
    )


def _hall(stop: str, entries: Sequence[Command]) -> Message:
    """A stop's name above its commands."""
    lines = [_line(entry) for entry in entries]
    return Message("help-stop", stop=Message(f"help-stop-{stop}"), commands=Lines(lines))


def _line(entry: Command) -> Message:
    return Message(
        "help-line",
        command=Message(entry.name),
        description=Message(f"{entry.name}.description"),
    )


# --- one command ---------------------------------------------------------------------------------


def _page(entry: Command, language: str) -> Reply:
    blocks = [Say(_line(entry))]
    if entry.parameters:
        lines = [_parameter(parameter, language) for parameter in entry.parameters]
        blocks.append(Say(Message("help-parameters", parameters=Lines(lines))))
    blocks.append(Say(Message("help-example-line", example=_example(entry, language))))
    how = Button(Message("button-how"), Call("how", {"command": entry.name}))
    return Reply(
        blocks=tuple(blocks),
        buttons=(how,) if entry.explained else (),
        data={
            "name": entry.name,
            "stop": entry.stop,
            "parameters": [_facts(parameter) for parameter in entry.parameters],
        },
        private=True,
    )


def _parameter(parameter: Parameter, language: str) -> Message:
    """One line: name, description, what may stand there, and what happens without it."""
    if parameter.required:
        otherwise = Message("help-required")
    elif parameter.default in (None, ""):
        otherwise = Message("help-optional")
    else:
        otherwise = Message("help-default", value=_spelled(parameter, parameter.default, language))
    return Message(
        "help-parameter",
        name=Message(f"{parameter.command}.{parameter.name}"),
        description=Message(f"{parameter.command}.{parameter.name}-description"),
        kind=_kind(parameter),
        otherwise=otherwise,
    )


def _kind(parameter: Parameter) -> Message:
    limits, text = parameter.range, parameter.text
    if limits is not None:
        return Message(
            f"help-kind-{parameter.kind}-range", low=exact(limits.low), high=exact(limits.high)
        )
    if text is not None:
        return Message("help-kind-text", longest=text.longest)
    if parameter.choices:
        options = [_choice(parameter, value) for value in parameter.choices]
        return Message("help-kind-choice", options=Listing(options, "or"))
    return Message(f"help-kind-{parameter.kind}")


def _choice(parameter: Parameter, value: str) -> Message:
    return Message(f"{parameter.command}-{parameter.name}-{value}")


def _spelled(parameter: Parameter, value: Any, language: str) -> str:
    """A value as the reader types it: `0,25`, `evet`, `göster`."""
    if isinstance(value, bool):
        return words(language)(Message("help-yes" if value else "help-no"))
    if parameter.kind == "choice":
        return parameter.choice_title(value, language)
    if isinstance(value, int | float):
        return str(format_decimal(value, "0.############", locale=language))
    return str(value)


def _example(entry: Command, language: str) -> str:
    """A line that the reader can type as it stands.

    A command whose text is no prose says in `COMMAND-example` what to write instead.
    """
    say = words(language)
    typed = [f"/{entry.title(language)}"]
    if say.has(f"{entry.name}-example"):
        typed.append(say(Message(f"{entry.name}-example")))
    elif entry.first_text and entry.first_text.kind == "text":
        typed.append(say(Message("help-example-text")))
    elif entry.first_text:
        typed.append(entry.first_text.choice_title(entry.first_text.choices[0], language))
    numbers = [p for p in entry.parameters if p.kind in ("integer", "number") and p.default]
    typed += [
        f"{parameter.title(language)}:{_spelled(parameter, parameter.default, language)}"
        for parameter in numbers[:2]
        if not parameter.required
    ]
    if entry.picture:
        typed.append(say(Message("help-example-picture")))
    return " ".join(typed)


def _facts(parameter: Parameter) -> dict[str, Any]:
    """The declaration of a parameter, JSON-serialisable."""
    facts: dict[str, Any] = {"name": parameter.name, "kind": parameter.kind}
    if not parameter.required:
        facts["default"] = parameter.default
    if parameter.range:
        facts["range"] = [parameter.range.low, parameter.range.high]
    if parameter.choices:
        facts["choices"] = list(parameter.choices)
    return facts
