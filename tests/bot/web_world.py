"""A web chat on loopback with scripted commands, and a visitor who speaks its protocol."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace
from typing import Annotated, Any, Self

from aiohttp import ClientSession, ClientWebSocketResponse, CookieJar, WSMsgType
from fluent.runtime import FluentResource
from PIL import Image as Pixels

from bot.hub import Hub
from bot.settings import Settings, Web
from bot.web.frontend import WebFrontend
from handlers.kit import (
    Button,
    Call,
    Choice,
    Code,
    Generated,
    Image,
    Message,
    Note,
    Picture,
    Range,
    Reply,
    Request,
    Say,
    Services,
    Text,
    command,
    registry,
)
from handlers.kit.reply import File, State
from locales import words
from tests.fakes import services

WORDS = {
    "en": """
mirror = mirror
    .description = Shows a picture as it came
    .picture = picture
    .picture-description = Which picture
    .size = size
    .size-description = How large
mirror-alternative = The picture as it came.
echo = echo
    .description = Repeats a text
    .text = text
    .text-description = What to repeat
    .mode = mode
    .mode-description = How to say it
echo-mode-plain = plain
echo-mode-loud = loud
echo-again = Louder
work = work
    .description = Works until it is let go
    .steps = steps
    .steps-description = How many
work-step = Step { $step }
""",
    "tr": """
mirror = ayna
    .description = Resmi geldiği gibi gösterir
    .picture = resim
    .picture-description = Hangi resim
    .size = boyut
    .size-description = Ne kadar büyük
mirror-alternative = Geldiği gibi resim.
echo = yankı
    .description = Metni yineler
    .text = metin
    .text-description = Yinelenecek metin
    .mode = biçim
    .mode-description = Nasıl söyleneceği
echo-mode-plain = sade
echo-mode-loud = gür
echo-again = Daha gür
work = çalış
    .description = Bırakılana dek çalışır
    .steps = adım
    .steps-description = Kaç tane
work-step = Adım { $step }
""",
}


class Script:
    """What the scripted commands do: the test lets them go on, and sees what they were given."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.cancelled = 0
        self.seen: list[Any] = []


@contextmanager
def scripted_commands(script: Script) -> Iterator[None]:
    """/mirror, /echo and /work in the register, with their words; gone again afterwards."""
    known = dict(registry.commands())
    try:
        registry._registered.clear()
        _register(script)
        registry._registered.update(known)
        _forget_caches()
        for language, text in WORDS.items():
            words(language)._bundle.add_resource(FluentResource(text))
        yield
    finally:
        registry._registered.clear()
        registry._registered.update(known)
        _forget_caches()


def _forget_caches() -> None:
    registry.commands.cache_clear()
    registry._names.cache_clear()
    words.cache_clear()


def _register(script: Script) -> None:
    @command("mirror", stop="what-is", order=1, again=True)
    async def mirror(
        request: Request,
        services: Services,
        picture: Picture,
        size: Annotated[float, Range(0.1, 2)] = 1.0,
    ) -> AsyncIterator[Reply]:
        data = await picture.fetch()
        script.seen.append(data)
        name = "mirror.gif" if data.startswith(b"GIF8") else "mirror.png"
        yield Reply(
            blocks=(Say(Message("mirror-alternative")),),
            pictures=(Image(data, name, Message("mirror-alternative")),),
            files=(File(b"<script>alert(1)</script>", "page.html"),),
            data={"bytes": len(data), "size": size},
        )

    @command("echo", stop="what-is", order=2)
    async def echo(
        request: Request,
        services: Services,
        text: Annotated[str, Text(longest=5000, long=True)],
        mode: Annotated[str, Choice(("plain", "loud"))] = "plain",
    ) -> AsyncIterator[Reply]:
        script.seen.append((text, mode))
        written = ""
        for letter in text:
            written += letter
            yield Reply(blocks=(Generated(written),), state=State.PARTIAL)
        again = Button(Message("echo-again"), Call("echo", {"text": text, "mode": "loud"}))
        link = Button(Message("button-paper"), url="https://arxiv.org/abs/1506.02640")
        trap = Button(Message("button-paper"), url="javascript:alert(1)")
        yield Reply(
            blocks=(Generated(text), Code(text, "python"), Note(Message("credit", model="Echo"))),
            buttons=(again, link, trap),
        )

    @command("work", stop="what-is", order=3)
    async def work(
        request: Request, services: Services, steps: Annotated[int, Range(1, 9)] = 4
    ) -> AsyncIterator[Reply]:
        try:
            for step in range(steps):
                yield Reply(
                    blocks=(Say(Message("work-step", step=step)),),
                    state=State.PARTIAL,
                    fraction=step / steps,
                )
            await script.let_go.wait()
        except asyncio.CancelledError:
            script.cancelled += 1
            raise
        yield Reply.say("work-step", step=steps)


def picture(colour: str = "red", side: int = 32) -> bytes:
    """A PNG."""
    buffer = io.BytesIO()
    Pixels.new("RGB", (side, side), colour).save(buffer, "PNG")
    return buffer.getvalue()


def animation(side: int = 64) -> bytes:
    """A GIF of two frames."""
    buffer = io.BytesIO()
    frames = [Pixels.new("RGB", (side, side), colour) for colour in ("red", "green")]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    return buffer.getvalue()


@asynccontextmanager
async def serving(
    *, token: str | None = None, language: str = "en", **web: Any
) -> AsyncIterator[WebFrontend]:
    """A started web chat on a free port of loopback."""
    settings = Settings(
        language=language,
        web=Web(**{"port": 0, **web}),
        **({"TADIM_WEB_TOKEN": token} if token else {}),
    )
    world = services(SimpleNamespace(unready=[], missing=[]))
    hub = Hub(world, settings)
    frontend = WebFrontend(hub, settings)
    hub.frontends["web"] = frontend
    await frontend.start()
    try:
        yield frontend
    finally:
        for run in list(world.runs.by_id.values()):
            run.cancel()
        await frontend.stop()
        world.studio.close()


class Browser:
    """One cookie jar. `tab()` opens the page's WebSocket."""

    def __init__(self, frontend: WebFrontend, **headers: str) -> None:
        self.address = frontend.address
        self.origin = frontend.address.rstrip("/")
        self._headers = {"Accept-Language": "en", **headers}

    async def __aenter__(self) -> Self:
        jar = CookieJar(unsafe=True)  # "unsafe": also for hosts that are plain addresses
        self.http = ClientSession(self.address, cookie_jar=jar, headers=self._headers)
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.http.close()

    async def open(self) -> str:
        """Load the page; its cookies stay here."""
        async with self.http.get("/") as response:
            return await response.text()

    async def upload(self, data: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        headers = {"Origin": self.origin, **headers}
        async with self.http.post("/upload", data=data, headers=headers) as response:
            return response.status, json.loads(await response.text())

    @asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        async with self.http.ws_connect("/ws", headers={"Origin": self.origin}) as socket:
            tab = Tab(socket)
            tab.hello = await tab.receive("hello")
            yield tab


class Tab:
    """An open page: sends messages, keeps every entry in its newest state."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.hello: dict[str, Any] = {}
        self.entries: dict[str, dict[str, Any]] = {}
        self.states = 0

    async def send(self, kind: str, **message: Any) -> None:
        await self.socket.send_str(json.dumps({"type": kind, **message}))

    async def receive(self, kind: str) -> dict[str, Any]:
        """The next message of a kind; entries on the way are kept."""
        async with asyncio.timeout(20):
            while True:
                received = await self.socket.receive()
                assert received.type is WSMsgType.TEXT, received
                message: dict[str, Any] = json.loads(received.data)
                if message["type"] == "hello":
                    self.entries = {entry["id"]: entry for entry in message["entries"]}
                elif message["type"] == "entry":
                    self.states += 1
                    self.entries[message["entry"]["id"]] = message["entry"]
                if message["type"] == kind:
                    return message

    async def answer(self, state: str | None = None) -> dict[str, Any]:
        """The next answer's state: the first one, or the one named."""
        while True:
            entry = (await self.receive("entry"))["entry"]
            if entry["author"] != "tadim":
                continue
            if state is None or entry["state"] == state:
                answer: dict[str, Any] = entry
                return answer

    async def ask(self, line: str, **message: Any) -> dict[str, Any]:
        """Type a line; the final answer."""
        await self.send("line", text=line, **message)
        while True:
            answer = await self.answer()
            if answer["state"] != "partial":
                return answer


def said(entry: dict[str, Any]) -> str:
    """The words of an answer."""
    return "\n".join(block["text"] for block in entry["blocks"])
