"""From a rendered reply to Telegram messages. Pure functions: no network, no clock.

`status` gives the one message that is edited while work goes on; `compose` gives the messages of a
finished answer, in order: pictures, files, then whatever text did not fit under the last of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from babel.numbers import format_percent
from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot.presenting import Rendered, RenderedBlock, RenderedButton
from bot.telegram.media import FILE_BYTES, Media
from bot.telegram.text import (
    CAPTION_LIMIT,
    MESSAGE_LIMIT,
    Page,
    divide,
    length,
    markup,
    sendable,
    tail,
)
from locales import Message, words

CALLBACK_PREFIX = "t1:"  # t: a token of the store; 1: the version of this format
ALBUM_LIMIT = 10  # photos
ROW_UNITS = 34  # letters of all labels in one row of buttons, as a narrow phone shows them
ROW_BUTTONS = 3
BUTTONS = 100  # under one message
NOTHING = "…"  # Telegram takes no empty message
BAR_PARTS = 10


@dataclass(frozen=True, slots=True)
class TextPost:
    """A text message. `html` is its markup, `plain` the same without (if markup is refused)."""

    html: str
    plain: str
    keyboard: InlineKeyboardMarkup | None = None


@dataclass(frozen=True, slots=True)
class MediaPost:
    """A photo, an animation or a file, perhaps with text and buttons under it."""

    media: Media
    caption: TextPost | None = None
    keyboard: InlineKeyboardMarkup | None = None


@dataclass(frozen=True, slots=True)
class AlbumPost:
    """2…10 photos in one message, which can have no buttons; each with its own caption."""

    photos: tuple[MediaPost, ...]


Post = TextPost | MediaPost | AlbumPost


def sends(post: Post) -> int:
    """How many messages a post counts as."""
    return len(post.photos) if isinstance(post, AlbumPost) else 1


def streams(rendered: Rendered) -> bool:
    """Whether a state shows text that a model is writing."""
    return any(block.kind == "generated" for block in rendered.blocks)


def writing(rendered: Rendered, language: str) -> TextPost:
    """The message beside a draft, which can have no buttons."""
    text = words(language)(Message("telegram-writing"))
    return replace(_text((RenderedBlock("say", text),)), keyboard=keyboard(rendered.buttons))


def status(rendered: Rendered, language: str) -> TextPost:
    """The message for a state that is not the last one."""
    fraction = rendered.reply.fraction
    bar = () if fraction is None else (RenderedBlock("say", progress_bar(fraction, language)),)
    room = MESSAGE_LIMIT - length(bar) - 2
    page = (*tail(rendered.blocks, room), *bar)
    return replace(_text(page), keyboard=keyboard(rendered.buttons))


def progress_bar(fraction: float, language: str) -> str:
    """`▰▰▰▱▱▱▱▱▱▱ %30`; the percent sign stands where the language puts it."""
    fraction = min(1.0, max(0.0, fraction))
    full = round(fraction * BAR_PARTS)
    percent = format_percent(fraction, format=None, locale=language)
    return f"{'▰' * full}{'▱' * (BAR_PARTS - full)} {percent}"


def compose(rendered: Rendered, pictures: Sequence[Media], language: str) -> list[Post]:
    """The messages of a finished answer. `pictures` are the reply's own, prepared, in order."""
    files = [Media("document", file.data, file.name) for file in rendered.reply.files]
    media = [item for item in (*pictures, *files) if len(item.data) <= FILE_BYTES]
    blocks = rendered.blocks
    if len(media) < len(pictures) + len(files):
        say = words(language)
        blocks = (*blocks, RenderedBlock("say", say(Message("telegram-file-too-large"))))
    alts = {id(item): image.alt for item, image in zip(pictures, rendered.images, strict=True)}
    posts: list[Post] = list(_grouped(media, alts))
    buttons = keyboard(rendered.buttons)
    pages = divide(blocks)
    last = posts[-1] if posts else None
    if isinstance(last, MediaPost) and (captions := divide(blocks, CAPTION_LIMIT))[1:] == []:
        caption = _text(captions[0]) if captions else None
        posts[-1] = replace(last, caption=caption, keyboard=buttons)
        return posts
    if posts and not (pages or rendered.buttons):
        return posts  # an album without words
    texts = [_text(page) for page in pages or [()]]
    return [*posts, *texts[:-1], replace(texts[-1], keyboard=buttons)]


def _grouped(media: Sequence[Media], alts: dict[int, str]) -> Iterator[MediaPost | AlbumPost]:
    """Several photos make albums; everything else stands alone, after them."""
    photos = [item for item in media if item.kind == "photo"]
    while len(photos) > 1:
        album, photos = photos[:ALBUM_LIMIT], photos[ALBUM_LIMIT:]
        yield AlbumPost(tuple(MediaPost(item, _alt(alts.get(id(item), ""))) for item in album))
    for item in (*photos, *(item for item in media if item.kind != "photo")):
        yield MediaPost(item)


def _alt(alt: str) -> TextPost | None:
    """Words for those who cannot see the picture; Telegram has no other place for them."""
    pages = divide([RenderedBlock("say", alt)], CAPTION_LIMIT)
    return _text(pages[0]) if pages else None


def _text(page: Page) -> TextPost:
    plain = "\n\n".join(block.text for block in page)
    return TextPost(markup(page) or NOTHING, plain or NOTHING)


def keyboard(
    buttons: Sequence[RenderedButton], deletion: str | None = None
) -> InlineKeyboardMarkup | None:
    """Buttons in rows as wide as a phone; None where there are none.

    `deletion` is the data of the one that deletes, which stands last; without, it is left out.
    """
    rows: list[list[InlineKeyboardButton]] = []
    taken = ROW_UNITS
    deleting = [button for button in buttons if button.deletes]
    others = [button for button in buttons if not button.deletes]
    for button in (*others[: BUTTONS - 1], *deleting[:1]):
        made = _button(button, deletion)
        if made is None:
            continue
        if taken + len(made.text) > ROW_UNITS or len(rows[-1]) >= ROW_BUTTONS:
            rows.append([])
            taken = 0
        rows[-1].append(made)
        taken += len(made.text)
    return InlineKeyboardMarkup(rows) if rows else None


def _button(button: RenderedButton, deletion: str | None) -> InlineKeyboardButton | None:
    label = sendable(button.label).strip()[:64] or NOTHING
    if button.deletes:
        return InlineKeyboardButton(label, callback_data=deletion) if deletion else None
    if button.token is not None:
        return InlineKeyboardButton(label, callback_data=CALLBACK_PREFIX + button.token)
    if button.url and button.url.startswith(("https://", "http://", "tg://")):
        return InlineKeyboardButton(label, url=button.url)
    return None  # neither a call nor a link that Telegram opens


def token_of(callback_data: str | None) -> str | None:
    """The store's token in a pressed button, or None where it is not one of ours."""
    if not callback_data or not callback_data.startswith(CALLBACK_PREFIX):
        return None
    token = callback_data.removeprefix(CALLBACK_PREFIX)
    return token if 0 < len(token) <= 61 and token.isascii() else None
