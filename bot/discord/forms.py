"""The form that asks for what a command lacks: a picture to upload, a text, a number, a choice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import discord

from bot.discord.pictures import Shelf
from bot.hub import raw_pictures
from handlers.kit.parameters import Parameter, Text
from handlers.kit.registry import Command
from handlers.kit.request import ALBUM_LIMIT

FIELD_LIMIT = 5  # fields of a form
TITLE_LIMIT = 45  # characters of a form's title, and of a field's label
HINT_LIMIT = 100  # characters below a label
TEXT_LIMIT = 4000  # characters of a text field
LINE = 200  # characters; a longer text gets a box
OPEN_SECONDS = 60 * 60.0  # that a form waits to be sent: people write their texts in it

Submit = Callable[[discord.Interaction[Any], Mapping[str, Any]], Awaitable[None]]
Field = (
    discord.ui.FileUpload[Any]
    | discord.ui.TextInput[Any]
    | discord.ui.Select[Any]
    | discord.ui.Checkbox[Any]
)


class Form(discord.ui.Modal):
    """Asks for values of `parameters`; `submit` gets them as raw arguments."""

    def __init__(
        self,
        command: Command,
        parameters: Sequence[Parameter],
        language: str,
        shelf: Shelf,
        submit: Submit,
    ) -> None:
        title = f"/{command.title(language)}"
        super().__init__(title=title[:TITLE_LIMIT], timeout=OPEN_SECONDS)
        self._shelf = shelf
        self._submit = submit
        self._fields = {p.name: _field(p, language) for p in parameters[:FIELD_LIMIT]}
        picture = command.picture and self._fields.get(command.picture.name)
        if isinstance(picture, discord.ui.FileUpload):
            picture.max_values = ALBUM_LIMIT  # of several, each is worked on
        for parameter in parameters[:FIELD_LIMIT]:
            self.add_item(
                discord.ui.Label(
                    text=parameter.title(language)[:TITLE_LIMIT],
                    description=parameter.description(language)[:HINT_LIMIT],
                    component=self._fields[parameter.name],
                )
            )

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        values = {name: self._value(field) for name, field in self._fields.items()}
        given = {name: value for name, value in values.items() if value is not None}
        await self._submit(interaction, given)

    def _value(self, field: Field) -> Any:
        match field:
            case discord.ui.FileUpload():
                kept = [self._shelf.keep(upload) for upload in field.values]
                return raw_pictures(kept) if kept else None
            case discord.ui.Select():
                return next(iter(field.values), None)
            case _:
                return field.value


def _field(parameter: Parameter, language: str) -> Field:
    match parameter.kind:
        case "picture":
            return discord.ui.FileUpload(custom_id=parameter.name, min_values=1, max_values=1)
        case "choice":
            options = [
                discord.SelectOption(label=parameter.choice_title(value, language), value=value)
                for value in parameter.choices
            ]
            return discord.ui.Select(custom_id=parameter.name, options=options)
        case "boolean":
            return discord.ui.Checkbox(custom_id=parameter.name)
        case _:
            limits = parameter.text or Text(longest=40)
            boxed = limits.long or limits.longest > LINE
            return discord.ui.TextInput(
                custom_id=parameter.name,
                style=discord.TextStyle.paragraph if boxed else discord.TextStyle.short,
                min_length=min(limits.shortest, TEXT_LIMIT),
                max_length=min(limits.longest, TEXT_LIMIT),
            )
