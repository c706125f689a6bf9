"""Several pictures, one answer: the command runs once for each, and the results are told together.

The queue makes batches of them by itself. One picture that cannot be read harms none of the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from handlers.kit.reply import Block, Image, Note, Reply, Say, State
from locales import Lines, Message

if TYPE_CHECKING:
    from handlers.kit.runner import Run


async def together(beginnings: Sequence[Callable[[], Run]]) -> AsyncGenerator[Reply]:
    """The states of an album's answer: how many are done, then everything.

    Each of `beginnings` starts the run for one picture; they are cancelled with this generator.
    """
    parts = [begin() for begin in beginnings]
    news = asyncio.Event()
    readers = [asyncio.create_task(_read(part, news)) for part in parts]
    try:
        while any(part.final is None for part in parts):
            await news.wait()
            news.clear()
            yield _so_far(parts)
        yield _joined([part.final for part in parts if part.final is not None])
    finally:
        for part in parts:
            part.cancel()
        for reader in readers:
            reader.cancel()


async def _read(part: Run, news: asyncio.Event) -> None:
    async for _ in part:
        news.set()


def _so_far(parts: Sequence[Run]) -> Reply:
    """What the first unfinished picture waits for, and how many are done."""
    done = sum(part.final is not None for part in parts)
    first = next((part.newest for part in parts if part.final is None), None)
    count = Say(Message("album-progress", done=done, total=len(parts)))
    blocks = (*first.blocks, count) if first else (count,)
    return Reply(blocks=blocks, state=State.PARTIAL, fraction=done / len(parts))


def _joined(replies: Sequence[Reply]) -> Reply:
    """One reply of many: numbered sentences, all pictures, each remark once."""
    notes = dict.fromkeys(b for reply in replies for b in reply.blocks if isinstance(b, Note))
    fruitless = all(reply.error or reply.question for reply in replies)
    if fruitless and len({reply.blocks for reply in replies}) == 1:
        # The same trouble with each, or none is there any more; their buttons repeat one only.
        return replace(replies[0], buttons=())
    blocks: list[Block] = []
    pictures: list[Image] = []
    for number, reply in enumerate(replies, 1):
        sentences = [block.message for block in reply.blocks if isinstance(block, Say)]
        if sentences:
            blocks.append(Say(Message("album-picture", number=number, text=Lines(sentences))))
        blocks.extend(b for b in reply.blocks if not isinstance(b, Say | Note))
        pictures.extend(
            replace(image, alt=Message("album-picture", number=number, text=image.alt))
            for image in reply.pictures
        )
    return Reply(
        blocks=(*blocks, *notes),
        pictures=tuple(pictures),
        files=tuple(file for reply in replies for file in reply.files),
        data={"pictures": [dict(reply.data or {}) for reply in replies]},
        private=fruitless,
        error=fruitless,
        retry=any(reply.retry for reply in replies),
    )
