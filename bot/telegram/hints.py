"""What Tadım says on its own account in a chat: welcome, what to do with a picture, with words."""

from __future__ import annotations

from collections.abc import Sequence

from bot.hub import raw_pictures
from handlers.kit.parameters import Parameter
from handlers.kit.registry import Command, commands
from handlers.kit.reply import Button, Reply
from handlers.kit.request import Call, PictureRef
from locales import Message

TALKER = "gpt"  # the command that plain words are offered to
WELCOME = ("help", "tour", "language")  # the buttons under the welcome, as far as they exist


def welcome() -> Reply:
    """The answer to /start, which Telegram's clients send when somebody opens the chat."""
    present = [name for name in WELCOME if name in commands()]
    return Reply.say("telegram-welcome").with_buttons(*(_button(Call(name)) for name in present))


def picture_offer(pictures: Sequence[PictureRef]) -> Reply:
    """A picture or an album came alone: a button for each command that needs nothing else."""
    calls = [
        Call(command.name, {command.picture.name: raw_pictures(pictures)})
        for command in commands().values()
        if command.picture is not None and not _lacks(command, command.picture)
    ]
    offer = Reply.say("telegram-picture-offer", count=len(pictures))
    return offer.with_buttons(*map(_button, calls))


def plain_words(text: str) -> Reply:
    """Words came without a command: offer them to the language model."""
    talker = commands().get(TALKER)
    parameter = talker.first_text if talker else None
    if talker is None or parameter is None:
        return Reply.say("telegram-plain-words")
    if parameter.text is not None and len(text) > parameter.text.longest:
        return Reply.say("telegram-plain-words-command", command=Message(talker.name))
    button = _button(Call(talker.name, {parameter.name: text}))
    return Reply.say("telegram-plain-words-button").with_buttons(button)


def _lacks(command: Command, given: Parameter) -> bool:
    return any(p.required and p is not given for p in command.parameters)


def _button(call: Call) -> Button:
    return Button(Message("telegram-command-button", command=Message(call.command)), call)
