"""Making the files of a reply fit into a chat: smaller pictures, or a sentence in their place."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from bot.discord.presenter import ATTACHMENT_LIMIT, Attachment, attachments_of
from bot.discord.shrinking import CannotShrink, shrink, shrink_animation
from bot.presenting import Rendered, RenderedBlock
from handlers.kit.studio import Studio, StudioLost
from inference.pictures import PictureError
from locales import Message, words

log = logging.getLogger(__name__)

REQUEST_LIMIT = 24_000_000  # bytes of all files of a message; Discord takes 25 MiB a request


@dataclass(frozen=True)
class Fitted:
    """A reply whose files fit; its blocks say so where that cost something."""

    rendered: Rendered
    attachments: tuple[Attachment, ...]


async def fit(rendered: Rendered, limit: int, language: str, studio: Studio) -> Fitted:
    """Make pictures over `limit` bytes smaller; leave out what cannot be made to fit."""
    wanted = attachments_of(rendered)
    room = min(limit, REQUEST_LIMIT // min(max(1, len(wanted)), ATTACHMENT_LIMIT))
    fitting: list[Attachment] = []
    notes: dict[str, Message] = {}
    for attachment in wanted:
        if len(attachment.data) <= room:
            fitting.append(attachment)
            continue
        smaller = await _shrunk(attachment, room, studio)
        if smaller is None:
            notes["left out"] = Message("discord-left-out")
        else:
            notes["smaller"] = Message("discord-smaller")
            fitting.append(smaller)
    say = words(language)
    added = tuple(RenderedBlock("note", say(message)) for message in notes.values())
    return Fitted(replace(rendered, blocks=(*rendered.blocks, *added)), tuple(fitting))


async def _shrunk(attachment: Attachment, limit: int, studio: Studio) -> Attachment | None:
    """A picture small enough, or None: it is no picture, or nothing fits."""
    if attachment.alt is None or limit <= 0:
        return None
    moving = attachment.name.endswith(".gif")
    try:
        data = await studio.run(shrink_animation if moving else shrink, attachment.data, limit)
    except (CannotShrink, PictureError, StudioLost) as error:
        log.warning("%s cannot be made smaller: %r", attachment.name, error)
        return None
    stem = attachment.name.rpartition(".")[0] or attachment.name
    return replace(attachment, data=data, name=attachment.name if moving else f"{stem}.jpg")
