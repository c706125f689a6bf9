"""The street of `tests.benchmarks.platforms`: a fake platform and its people, in their own process.

    python -m tests.benchmarks.platform_parts.street PART USERS SECONDS

PART is "discord", "telegram-private" or "telegram-group"; "-words" at its end: people ask for words
that no model is needed for, instead of showing photos. Says {"base": address} on standard output.
At a line on standard input everybody presses within one second; when all are answered, and a while
after, or after SECONDS, it says what people saw, and goes on serving until standard input ends.
Moments are of the clock that all processes share.

The servers are those of the tests: they enforce the platforms' limits and answer 429.
"""

from __future__ import annotations

import asyncio
import io
import json
import random
import re
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

from tests.benchmarks.queue_parts.tools import probed, spread
from tests.e2e import discord_server, telegram_server
from tests.e2e.discord_world import Interaction, Message
from tests.e2e.discord_world import World as DiscordWorld
from tests.e2e.telegram_server import Person, Shown
from tests.e2e.telegram_server import World as TelegramWorld

GROUP = -1_001_234
STAYERS = 0.05  # the share of a group that opens no private chat
AFTER = 3.0  # seconds that people look on after the last answer, for what is too much
FIRST = 1000  # the id of the first person on Telegram
HELP = "/gpt"  # stands in the answer to /help, in every language
CANCEL = {"Cancel", "İptal"}  # stands under what is not final


@dataclass
class Seen:
    """What became of one user's command."""

    user: str
    pressed: float
    acknowledged: float | None = None
    opened: float | None = None  # their private chat, from a group
    answered: float | None = None  # the moment of the last final message
    answers: int = 0  # final messages of the kind that was wished for
    place: str = ""


class Street(ABC):
    """A platform with its people; `press` is what one of them does."""

    def __init__(self, users: int, *, words: bool) -> None:
        self.users = users
        self.words = words
        self.photos = [] if words else photos(users)

    @abstractmethod
    @asynccontextmanager
    def open(self) -> AsyncIterator[str]:
        """Serve; gives the address."""
        yield ""

    @abstractmethod
    async def press(self, number: int) -> None: ...

    async def look(self) -> None:
        """What people do besides waiting, now and then."""

    @abstractmethod
    def seen(self) -> list[Seen]: ...

    @abstractmethod
    def counts(self) -> dict[str, Any]:
        """Requests by kind, 429s, violations, and final messages that answer nobody."""


class DiscordStreet(Street):
    def __init__(self, users: int, *, words: bool) -> None:
        super().__init__(users, words=words)
        self._world = DiscordWorld()
        locales = ("tr", "en-US")
        self._people = [self._world.person(f"P{n}", locales[n % 2]) for n in range(users)]
        self._used: dict[int, tuple[float, Interaction]] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        async with discord_server.serving(self._world) as base:
            yield base

    async def press(self, number: int) -> None:
        person = self._people[number]
        turkish = person.locale == "tr"
        if self.words:
            name, options = ("yardım" if turkish else "help"), {}
        else:
            name, option = ("algıla", "resim") if turkish else ("detect", "picture")
            options = {option: (f"photo{number}.jpg", self.photos[number])}
        self._used[number] = time.monotonic(), self._world.slash(person, name, **options)

    def seen(self) -> list[Seen]:
        ordinary = self._ordinary()
        return [self._seen_by(number, ordinary) for number in self._used]

    def _seen_by(self, number: int, ordinary: list[Message]) -> Seen:
        pressed, used = self._used[number]
        person = self._people[number]
        final = [m for m in used.visible if self._wished(m)]
        late = [m for m in ordinary if m.content.startswith(f"<@{person.id}>") and self._wished(m)]
        return Seen(
            f"discord:{person.id}",
            pressed,
            used.acknowledged,
            answered=max((m.changed for m in final + late), default=None),
            answers=len(final + late),
            place="late" if late else "interaction",
        )

    def _wished(self, message: Message) -> bool:
        return _final(message) and bool(message.uploads) != self.words

    def _ordinary(self) -> list[Message]:
        """Messages of the bot's that no interaction's token posted."""
        posted = {m.id for _, used in self._used.values() for m in used.messages}
        return [
            m
            for m in self._world.messages.values()
            if m.author is self._world.bot and m.id not in posted and not m.deleted
        ]

    def counts(self) -> dict[str, Any]:
        others = Counter(
            m.content[:100]
            for m in self._world.messages.values()
            if m.author is self._world.bot and _final(m) and not m.deleted and not self._wished(m)
        )
        strangers = [m for m in self._ordinary() if not re.match(r"<@\d+>", m.content)]
        return {
            "requests": dict(Counter(name for name, _ in self._world.requests)),
            "other_words": dict(others.most_common(5)),
            "too_many": self._world.too_many,
            "violations": self._world.violations,
            "answers_to_nobody": len(strangers),
        }


def _final(message: Message) -> bool:
    return not CANCEL & set(message.buttons) and message.content not in ("", "…")


class TelegramStreet(Street):
    """Private chats, or one group whose people follow a link to their private chats."""

    def __init__(self, users: int, *, words: bool, group: bool) -> None:
        super().__init__(users, words=words)
        self._group = group
        self._world = TelegramWorld(refuses_floods=True)
        self._people = [Person(FIRST + n, f"P{n}", ("tr", "en")[n % 2]) for n in range(users)]
        self._stayers = round(STAYERS * users) if group else users
        self._pressed: dict[int, tuple[float, int]] = {}  # when, and the message's id
        self._opened: dict[int, float] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._random = random.Random(1)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        async with telegram_server.serve(self._world) as base:
            yield base

    async def press(self, number: int) -> None:
        person = self._people[number]
        chat = GROUP if self._group else person.id
        now = time.monotonic()
        if self.words:
            sent = await self._world.says(person, "/help", chat=chat)
        else:
            sent = await self._world.shows(person, self.photos[number], "/detect", chat=chat)
        self._pressed[number] = now, sent["message_id"]

    async def look(self) -> None:
        """Open the private chat, a few seconds after a link to it appeared in the group."""
        payload = self._link() if self._group else None
        if payload is None:
            return
        for number in range(self._stayers, self.users):
            if number in self._pressed and number not in self._opened:
                self._opened[number] = time.monotonic() + self._random.uniform(0.5, 3.0)
                task = asyncio.create_task(self._start(number, payload))
                self._opening.add(task)
                task.add_done_callback(self._opening.discard)

    def _link(self) -> str | None:
        """What the newest link in the group hands to the private chat."""
        for shown in reversed(self._world.visible(GROUP)):
            for button in shown.buttons:
                if match := re.search(r"\?start=([\w-]+)", button.get("url", "")):
                    return match[1]
        return None

    async def _start(self, number: int, payload: str) -> None:
        await asyncio.sleep(self._opened[number] - time.monotonic())
        await self._world.says(self._people[number], f"/start {payload}")

    def seen(self) -> list[Seen]:
        final: dict[int, list[Shown]] = {}
        by_message = {message: number for number, (_, message) in self._pressed.items()}
        for shown in self._world.messages:
            if self._wished(shown):
                number = by_message.get(shown.reply_to or 0)
                if shown.chat > 0:
                    number = shown.chat - FIRST
                if number is not None:
                    final.setdefault(number, []).append(shown)
        return [self._seen_by(number, final.get(number, [])) for number in self._pressed]

    def _seen_by(self, number: int, final: list[Shown]) -> Seen:
        return Seen(
            f"telegram:{self._people[number].id}",
            self._pressed[number][0],
            opened=self._opened.get(number),
            answered=max((max(s.sent, s.edited) for s in final), default=None),
            answers=len(final),
            place=("group" if final[0].chat == GROUP else "private") if final else "",
        )

    def _wished(self, shown: Shown) -> bool:
        if self.words:
            return shown.kind == "text" and _stays(shown) and HELP in shown.text
        return shown.kind == "photo" and not shown.deleted

    def counts(self) -> dict[str, Any]:
        world = self._world
        in_group = Counter(c.method for c in world.calls if c.parameters.get("chat_id") == GROUP)
        others = Counter(s.text[:100] for s in world.messages if _stays(s) and not self._wished(s))
        wished = sum(self._wished(shown) for shown in world.messages)
        return {
            "requests": dict(Counter(call.method for call in world.calls)),
            "in_group": dict(in_group),
            "other_words": dict(others.most_common(5)),
            "too_many": world.too_many,
            "violations": world.violations,
            "answers_to_nobody": wished - sum(each.answers for each in self.seen()),
        }


def _stays(shown: Shown) -> bool:
    return not shown.deleted and not CANCEL & {button["text"] for button in shown.buttons}


def photos(count: int) -> list[bytes]:
    """As many different photos: cuttings of one."""
    spec = find_spec("ultralytics")
    assert spec is not None and spec.origin is not None
    made = []
    with Image.open(Path(spec.origin).parent / "assets" / "bus.jpg") as bus:  # 810 × 1080
        for number in range(count):
            left, top = number % 20 * 8, number // 20 % 40 * 10
            buffer = io.BytesIO()
            bus.crop((left, top, left + 640, top + 640)).save(buffer, "JPEG", quality=85)
            made.append(buffer.getvalue())
    return made


async def live(street: Street, seconds: float) -> None:
    """Everybody presses within a second; go on until all are answered, or time is up."""
    generator = random.Random(2)
    moments = sorted(generator.random() for _ in range(street.users))
    began = time.monotonic()
    pressing = asyncio.create_task(_press(street, moments, began))
    quiet_since: float | None = None
    while time.monotonic() < began + seconds:
        await asyncio.sleep(0.1)
        await street.look()
        seen = street.seen()
        if len(seen) < street.users or not all(each.answers for each in seen):
            quiet_since = None
        elif quiet_since is None:
            quiet_since = time.monotonic()
        elif time.monotonic() > quiet_since + AFTER:
            break
    await pressing


async def _press(street: Street, moments: list[float], began: float) -> None:
    for number, moment in enumerate(moments):
        await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
        await street.press(number)


def say(fact: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


async def main(part: str, users: int, seconds: float) -> None:
    street: Street
    place, wish = part.removesuffix("-words"), part.endswith("-words")
    if place == "discord":
        street = DiscordStreet(users, words=wish)
    else:
        street = TelegramStreet(users, words=wish, group=place == "telegram-group")
    async with street.open() as base:
        say({"base": base})
        await asyncio.to_thread(sys.stdin.readline)
        async with probed() as probe:
            await live(street, seconds)
        people = [asdict(each) for each in street.seen()]
        say({"people": people, "loop_lag": spread(probe.lags), **street.counts()})
        await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
