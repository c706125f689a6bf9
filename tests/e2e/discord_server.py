"""The loopback server for the real Discord client: REST, gateway and content network.

    async with serving(world) as base, library_at(base):
        ...

An unknown route is answered 404 and is a violation; so is a request without the bot's token where
Discord wants it, and one with it where it would give the token away.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import discord
import discord.gateway
import discord.http
import yarl
from aiohttp import BodyPartReader, WSMsgType, web

from tests.e2e.discord_limits import Limits
from tests.e2e.discord_world import (
    REQUEST_LIMIT,
    TOKEN,
    Fault,
    Json,
    Message,
    Refusal,
    Upload,
    World,
    snowflake,
    too_many,
)

HEARTBEAT = 41_250  # milliseconds, as Discord's


@asynccontextmanager
async def serving(world: World) -> AsyncIterator[str]:
    """Serve the world on a free port of 127.0.0.1; gives the server's address."""
    gateway = Gateway(world)
    app = web.Application(client_max_size=2 * REQUEST_LIMIT)
    app.router.add_get("/gateway", gateway.connect)
    app.router.add_get("/attachments/{id}/{name}", Files(world).get)
    app.router.add_route("*", "/api/v10/{path:.*}", Rest(world).handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    world.cdn = f"http://127.0.0.1:{port}"
    gateway.address = f"ws://127.0.0.1:{port}/gateway"
    world.gateway = gateway  # type: ignore[attr-defined]
    try:
        yield world.cdn
    finally:
        await gateway.close()
        await runner.cleanup()


# --- REST ----------------------------------------------------------------------------------------

#: name, method, pattern of the path, whether Discord wants the bot's token
_ROUTES = [
    ("me", "GET", r"users/@me", True),
    ("application", "GET", r"oauth2/applications/@me", True),
    ("gateway", "GET", r"gateway/bot", True),
    ("set_commands", "PUT", r"applications/(?P<application>\d+)/commands", True),
    ("respond", "POST", r"interactions/(?P<id>\d+)/(?P<token>[\w-]+)/callback", False),
    ("follow_up", "POST", r"webhooks/(?P<application>\d+)/(?P<token>[\w-]+)", False),
    (
        "edit_original",
        "PATCH",
        r"webhooks/(?P<application>\d+)/(?P<token>[\w-]+)/messages/@original",
        False,
    ),
    (
        "delete_original",
        "DELETE",
        r"webhooks/(?P<application>\d+)/(?P<token>[\w-]+)/messages/@original",
        False,
    ),
    (
        "edit_follow_up",
        "PATCH",
        r"webhooks/(?P<application>\d+)/(?P<token>[\w-]+)/messages/(?P<message>\d+)",
        False,
    ),
    (
        "delete_follow_up",
        "DELETE",
        r"webhooks/(?P<application>\d+)/(?P<token>[\w-]+)/messages/(?P<message>\d+)",
        False,
    ),
    ("post", "POST", r"channels/(?P<channel>\d+)/messages", True),
    ("get_message", "GET", r"channels/(?P<channel>\d+)/messages/(?P<message>\d+)", True),
    ("edit", "PATCH", r"channels/(?P<channel>\d+)/messages/(?P<message>\d+)", True),
    ("delete", "DELETE", r"channels/(?P<channel>\d+)/messages/(?P<message>\d+)", True),
    ("direct", "POST", r"users/@me/channels", True),
    ("typing", "POST", r"channels/(?P<channel>\d+)/typing", True),
    (
        "start_thread",
        "POST",
        r"channels/(?P<channel>\d+)/messages/(?P<message>\d+)/threads",
        True,
    ),
]


class Rest:
    """Routes, checks and answers requests; each route is a method of the same name."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._limits = Limits()
        self._closed_until: dict[str, float] = {}  # routes that answered 429, by name

    async def handle(self, request: web.Request) -> web.StreamResponse:
        route = self._route(request)
        if route is None:
            self._world.violation(f"unknown route: {request.method} {request.path}")
            return _json(404, {"message": "404: Not Found", "code": 0})
        name, match, with_token = route
        body, files = await _read(request)
        self._world.requests.append((name, body))
        arguments = _arguments(match)
        verdict = self._limits.take(name, arguments, with_token)
        if verdict.wait:
            self._world.too_many.append(f"{name}: {verdict.bucket}")
            limited = too_many(verdict.wait, everywhere=verdict.bucket == "global")
            return _json(429, limited.body, verdict.headers)
        if time.monotonic() < self._closed_until.get(name, 0.0):
            self._world.violation(f"{name}: asked again before Retry-After was over")
        fault = self._world.faults[name].popleft() if self._world.faults[name] else None
        if fault is not None and fault.status == 429:
            self._closed_until[name] = time.monotonic() + float(fault.headers["Retry-After"])
        if fault is not None and not fault.done:
            return _failed(request, fault)
        try:
            self._check_token(request, with_token)
            result = getattr(self, name)(body, files, **arguments)
        except Refusal as refusal:
            if refusal.body["code"] == 50035:
                self._world.violation(f"{name}: {refusal.body}")
            return _json(refusal.status, refusal.body, verdict.headers)
        finally:
            self._world.changed()
        if fault is not None:
            return _failed(request, fault)
        if result is None:
            return web.Response(status=204, headers=verdict.headers)
        return _json(200, result, verdict.headers)

    def _route(self, request: web.Request) -> tuple[str, re.Match[str], bool] | None:
        for name, method, pattern, with_token in _ROUTES:
            match = re.fullmatch(pattern, request.match_info["path"])
            if match and method == request.method:
                return name, match, with_token
        return None

    def _check_token(self, request: web.Request, wanted: bool) -> None:
        given = request.headers.get("Authorization")
        if wanted and given != f"Bot {TOKEN}":
            raise Refusal(401, 0, "401: Unauthorized")
        if wanted and not request.headers.get("User-Agent", "").startswith("DiscordBot"):
            self._world.violation("no proper User-Agent")
        if not wanted and given is not None:
            self._world.violation(f"the bot's token was sent to {request.path}")

    # --- the bot itself

    def me(self, body: Any, files: list[Upload]) -> Json:
        return {**self._world.bot.to_json(), "verified": True, "mfa_enabled": True, "flags": 0}

    def application(self, body: Any, files: list[Upload]) -> Json:
        return {
            "id": str(self._world.application),
            "name": "Tadım",
            "description": "",
            "icon": None,
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "flags": 0,
            "owner": self._world.bot.to_json(),
            "team": None,
        }

    def gateway(self, body: Any, files: list[Upload]) -> Json:
        limits = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
        address = self._world.gateway.address  # type: ignore[attr-defined]
        return {"url": address, "shards": 1, "session_start_limit": limits}

    def set_commands(self, body: Any, files: list[Upload], application: int) -> list[Json]:
        return self._world.set_commands(body)

    # --- interactions

    def respond(self, body: Any, files: list[Upload], id: int, token: str) -> Json:
        self._world.respond(id, token, body)
        interaction = self._world.interactions[token]
        original = interaction.original
        shown: Json = {
            "id": str(interaction.id),
            "type": interaction.kind,
            "response_message_id": str(original.id) if original else None,
            "response_message_loading": body["type"] == 5,
            "response_message_ephemeral": bool(original and original.ephemeral),
        }
        answer: Json = {"interaction": shown}
        if body["type"] == 4 and original is not None:
            answer["resource"] = {"type": 4, "message": self._world.message_json(original)}
        return answer

    def follow_up(self, body: Any, files: list[Upload], application: int, token: str) -> Json:
        interaction = self._world.interaction(application, token)
        return self._world.message_json(self._world.follow_up(interaction, body, files))

    def edit_original(self, body: Any, files: list[Upload], application: int, token: str) -> Json:
        original = self._original(application, token)
        return self._world.message_json(self._world.edit(original, body, files))

    def delete_original(self, body: Any, files: list[Upload], application: int, token: str) -> None:
        self._world.delete(self._original(application, token))

    def edit_follow_up(
        self, body: Any, files: list[Upload], application: int, token: str, message: int
    ) -> Json:
        found = self._of_interaction(application, token, message)
        return self._world.message_json(self._world.edit(found, body, files))

    def delete_follow_up(
        self, body: Any, files: list[Upload], application: int, token: str, message: int
    ) -> None:
        self._world.delete(self._of_interaction(application, token, message))

    def _original(self, application: int, token: str) -> Message:
        original = self._world.interaction(application, token).original
        if original is None:
            raise Refusal(404, 10008, "Unknown Message")
        return original

    def _of_interaction(self, application: int, token: str, message: int) -> Message:
        for found in self._world.interaction(application, token).messages:
            if found.id == message:
                return found
        raise Refusal(404, 10008, "Unknown Message")

    # --- channels

    def post(self, body: Any, files: list[Upload], channel: int) -> Json:
        return self._world.message_json(self._world.post(channel, body, files))

    def get_message(self, body: Any, files: list[Upload], channel: int, message: int) -> Json:
        return self._world.hidden_json(self._world.find_message(message))

    def edit(self, body: Any, files: list[Upload], channel: int, message: int) -> Json:
        found = self._world.find_message(message)
        if found.author is not self._world.bot:
            raise Refusal(403, 50005, "Cannot edit a message authored by another user")
        return self._world.message_json(self._world.edit(found, body, files))

    def delete(self, body: Any, files: list[Upload], channel: int, message: int) -> None:
        self._world.delete(self._world.find_message(message))

    def direct(self, body: Any, files: list[Upload]) -> Json:
        person = self._world.people[int(body["recipient_id"])]
        channel = self._world.direct_channel(person.id)
        return {"id": str(channel), "type": 1, "recipients": [person.to_json()], "flags": 0}

    def typing(self, body: Any, files: list[Upload], channel: int) -> None:
        self._world.show_typing(channel)

    def start_thread(self, body: Any, files: list[Upload], channel: int, message: int) -> Json:
        return self._world.start_thread(channel, message, body)


def _arguments(match: re.Match[str]) -> dict[str, Any]:
    return {
        name: value if name == "token" else int(value) for name, value in match.groupdict().items()
    }


async def _read(request: web.Request) -> tuple[Any, list[Upload]]:
    """The request's JSON and files, whether sent alone or in parts."""
    if not request.content_type.startswith("multipart/"):
        text = await request.text()
        return (json.loads(text) if text else {}), []
    body: Any = {}
    files: list[Upload] = []
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        if part.name == "payload_json":
            body = json.loads(await part.text())
        else:
            assert re.fullmatch(r"files\[\d+\]", part.name or ""), part.name
            files.append(Upload(snowflake(), part.filename or "", bytes(await part.read())))
    return body, files


def _json(status: int, body: Any, headers: Any = None) -> web.Response:
    # The library takes a body for JSON only if the type is exactly this, without a charset.
    response = web.Response(status=status, body=json.dumps(body).encode(), headers=headers)
    response.headers["Content-Type"] = "application/json"
    return response


def _failed(request: web.Request, fault: Fault) -> web.Response:
    if fault.status == 0:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()
    return _json(fault.status, fault.body, fault.headers)


# --- files ---------------------------------------------------------------------------------------


class Files:
    """The content network: files under signed addresses, and only to those who have no token."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def get(self, request: web.Request) -> web.Response:
        if "Authorization" in request.headers:
            self._world.violation("the bot's token was sent to the content network")
        upload = self._world.uploads.get(int(request.match_info["id"]))
        self._world.requests.append(("file", {"id": request.match_info["id"]}))
        if upload is None or request.query.get("hm") != upload.signature:
            return web.Response(status=404, text="This content is no longer available.")
        return web.Response(body=upload.data, content_type="image/jpeg")


# --- gateway -------------------------------------------------------------------------------------


class Gateway:
    """One shard's connection: hello, identify or resume, heartbeats, events in order."""

    DISPATCH, HEARTBEAT, IDENTIFY, RESUME, INVALID, HELLO, ACK = 0, 1, 2, 6, 9, 10, 11

    def __init__(self, world: World) -> None:
        self._world = world
        self._socket: web.WebSocketResponse | None = None
        self._transport: asyncio.Transport | None = None
        self._session = ""
        self._events: list[Json] = []
        self._sending: asyncio.Queue[Json] = asyncio.Queue()
        self.address = ""
        self.identified = 0
        self.resumed = 0
        world.dispatch = self.dispatch

    def dispatch(self, event: str, data: Json) -> None:
        """Send an event, or keep it for the resumption."""
        frame = {"op": self.DISPATCH, "t": event, "s": len(self._events) + 1, "d": data}
        self._events.append(frame)
        self._sending.put_nowait(frame)

    async def disconnect(self, code: int = 4000) -> None:
        """Close the connection as Discord does now and then; the client resumes."""
        assert self._socket is not None
        await self._socket.close(code=code)

    def drop(self) -> None:
        """Cut the connection without a word, as a failing network does."""
        assert self._transport is not None
        self._transport.abort()

    def forget(self) -> None:
        """Let the session be unknown at the next resumption; the client begins a new one."""
        self._session = ""

    async def close(self) -> None:
        if self._socket is not None:
            with suppress(ConnectionError):
                await self._socket.close()

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._socket, self._transport = socket, request.transport
        self._sending = asyncio.Queue()
        await socket.send_json({"op": self.HELLO, "d": {"heartbeat_interval": HEARTBEAT}})
        sender = asyncio.create_task(self._send(socket))
        try:
            async for received in socket:
                if received.type is WSMsgType.TEXT:
                    await self._take(socket, json.loads(received.data))
        finally:
            sender.cancel()
        return socket

    async def _send(self, socket: web.WebSocketResponse) -> None:
        while True:
            await socket.send_json(await self._sending.get())

    async def _take(self, socket: web.WebSocketResponse, frame: Json) -> None:
        match frame["op"]:
            case self.HEARTBEAT:
                await socket.send_json({"op": self.ACK, "d": None})
            case self.IDENTIFY:
                await self._identify(socket, frame["d"])
            case self.RESUME:
                await self._resume(socket, frame["d"])
            case op:
                self._world.violation(f"unknown gateway opcode: {op}")

    async def _identify(self, socket: web.WebSocketResponse, data: Json) -> None:
        if data["token"] != TOKEN:
            await socket.close(code=4004)
            return
        privileged = 1 << 1 | 1 << 8 | 1 << 15
        if data["intents"] & privileged:
            self._world.violation(f"privileged intents: {data['intents']:b}")
        self.identified += 1
        self._session = f"session-{time.monotonic_ns()}"
        self._events.clear()
        ready = {
            "v": 10,
            "user": self._world.bot.to_json(),
            "guilds": [{"id": str(self._world.guild), "unavailable": True}],
            "session_id": self._session,
            "resume_gateway_url": self.address,
            "shard": data["shard"],
            "application": {"id": str(self._world.application), "flags": 0},
        }
        self.dispatch("READY", ready)
        self.dispatch("GUILD_CREATE", self._world.guild_json())
        self._world.changed()

    async def _resume(self, socket: web.WebSocketResponse, data: Json) -> None:
        if data["token"] != TOKEN or data["session_id"] != self._session:
            await socket.send_json({"op": self.INVALID, "d": False})
            return
        self.resumed += 1
        for frame in self._events[data["seq"] :]:
            self._sending.put_nowait(frame)
        self.dispatch("RESUMED", {})


# --- pointing the library here -------------------------------------------------------------------


@contextmanager
def library_at(base: str) -> Iterator[None]:
    """Send discord.py to our server. Its private parts are touched here and nowhere else."""
    _check_library()
    route, socket = discord.http.Route, discord.gateway.DiscordWebSocket
    originals = route.BASE, socket.DEFAULT_GATEWAY
    route.BASE = f"{base}/api/v10"
    # Where a new session is begun after an old one was lost.
    socket.DEFAULT_GATEWAY = yarl.URL(base.replace("http", "ws", 1)) / "gateway"
    try:
        assert route("GET", "/users/@me").url.startswith(base)
        yield
    finally:
        route.BASE, socket.DEFAULT_GATEWAY = originals


def _check_library() -> None:
    """Fail with a clear sentence should a new version of the library work differently."""
    problems = []
    if not str(getattr(discord.http.Route, "BASE", "")).startswith("https://discord.com/api/v10"):
        problems.append("Route.BASE is not the address of API version 10")
    gateway = inspect.getsource(discord.http.HTTPClient.get_bot_gateway)
    if "'/gateway/bot'" not in gateway or "data['url']" not in gateway:
        problems.append("the gateway's address is not taken from GET /gateway/bot")
    if "DEFAULT_GATEWAY" not in inspect.getsource(discord.gateway.DiscordWebSocket.from_client):
        problems.append("a new session does not begin at DEFAULT_GATEWAY")
    if "content-type" not in inspect.getsource(discord.http.json_or_text):
        problems.append("json_or_text does not look at the content type")
    assert not problems, f"discord.py {discord.__version__}: {'; '.join(problems)}"
