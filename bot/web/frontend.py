"""The web chat as a frontend: binds the address, routes requests, lives and ends with the app."""

from __future__ import annotations

import asyncio
import logging
import mimetypes
import os
from contextlib import suppress
from http import HTTPStatus
from socket import gaierror
from urllib.parse import parse_qs

from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.typedefs import Handler
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, generate_latest

from bot import source
from bot.hub import Frontend, FrontendError, Hub
from bot.settings import Settings
from bot.web.addresses import Addresses
from bot.web.conversation import Conversation, visitor
from bot.web.guard import SECURITY_HEADERS, Guard, is_loopback, new_session, session_of
from bot.web.pages import Pages, accepted_language, load_assets, sample
from bot.web.protocol import HARD_LIMIT, LONGEST, Garbled
from bot.web.sessions import Session, Sessions, Tab
from bot.web.uploads import Shelf, read_limited
from handlers.kit.errors import UserError, message_for
from handlers.kit.reply import Reply
from handlers.kit.request import PictureGone, PictureRef, PictureTooLarge, ReplyAddress
from locales import Message, language_of, words

log = logging.getLogger(__name__)

MEGABYTE = 1_000_000
SWEEP = 60.0  # seconds between two looks at what has expired
UPLOAD_SECONDS = 180.0  # a slower upload is given up
INBOX_BYTES = MEGABYTE  # of what a platform's servers post; nothing they have to say is longer
INBOX_SECONDS = 30.0  # for all of it to arrive
SHOWN_AS_PICTURE = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
}

TABS = Gauge("tadim_web_tabs", "Open tabs.")
HELD = Gauge("tadim_web_held_bytes", "Pictures and files held in memory.")
UPLOADS = Counter("tadim_web_uploads", "Uploaded pictures, by outcome.", ["outcome"])


class WebFrontend(Frontend):
    """A page on `settings.web.host`:`port`; see the package's docstring for its parts."""

    platform = "web"

    def __init__(self, hub: Hub, settings: Settings) -> None:
        self._hub = hub
        self._settings = settings.web
        token = settings.web_token.get_secret_value().strip() if settings.web_token else ""
        self._token = token or None
        self._guard = Guard(self._token)
        self._addresses = Addresses(settings.web.proxies)
        budget = settings.web.uploads_held_megabytes * MEGABYTE
        self._upload_limit = min(settings.web.upload_megabytes * MEGABYTE, budget)
        self._shelf = Shelf(
            budget,
            share=max(budget // 4, self._upload_limit),
            lifetime=settings.web.picture_minutes * 60,
            group_of=self._share_of,
        )
        # Uploads under way hold memory before the shelf does; together they stay within a budget.
        self._uploading = asyncio.Semaphore(max(1, budget // self._upload_limit))
        self._sessions = Sessions()
        self._pages = Pages()
        self._assets = load_assets()
        self._sample = sample()
        self._conversation = Conversation(
            hub,
            self._shelf,
            limits={
                "upload": self._upload_limit,
                "message": LONGEST,
                "minutes": settings.web.picture_minutes,
            },
            links={
                "source": settings.source or "/source",
                "sample": "/sample" if self._sample else None,
            },
        )
        hub.services.on_forget.append(self._forget)
        self._runner: web.AppRunner | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._address = ""

    @property
    def address(self) -> str:
        """The page's URL, once started."""
        return self._address

    @property
    def sessions(self) -> Sessions:
        return self._sessions

    # --- Frontend

    async def start(self) -> None:
        host, port = self._settings.host, self._settings.port
        if not is_loopback(host) and self._token is None:
            raise FrontendError(
                f"The web chat would be open to everybody who reaches {host}: set TADIM_WEB_TOKEN "
                'to a long secret, or web.host to "127.0.0.1".'
            )
        runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=2)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise FrontendError(
                f"The web chat cannot listen on {host}, port {port} ({_reason(error)}): "
                "choose another one with web.port or TADIM_WEB__PORT."
            ) from error
        self._runner = runner
        bound = runner.addresses[0]
        self._address = f"http://{_reachable(str(bound[0]))}:{bound[1]}/"
        self._sweeper = asyncio.create_task(self._sweep(), name="web sweep")

    async def stop(self) -> None:
        if self._sweeper:
            self._sweeper.cancel()
        tabs = [tab for session in self._sessions for tab in session.tabs]
        await asyncio.gather(*(tab.close(WSCloseCode.GOING_AWAY) for tab in tabs))
        if self._runner:
            await self._runner.cleanup()
        followers = [task for session in self._sessions for task in session.followers]
        for task in followers:
            task.cancel()
        await asyncio.gather(*followers, return_exceptions=True)

    async def fetch(self, ref: PictureRef) -> bytes:
        return self._shelf.get(str(ref.place.get("upload", ""))).data

    def _share_of(self, key: str) -> str:
        session = self._sessions.known(key)
        return session.share if session else ""

    def _forget(self, user: str) -> None:
        session = self._sessions.known(user.removeprefix("web:"))
        if session is not None and session.user == user:
            self._conversation.forget(session)

    async def send(self, address: ReplyAddress, reply: Reply, language: str) -> None:
        key = str(address.place["session"])
        if self._sessions.known(key) is None:
            self._sessions.open(key).language = language
        session = self._sessions.open(key)
        await self._conversation.notice(session, reply)

    # --- routes

    def application(self) -> web.Application:
        """The aiohttp application, also for tests."""
        app = web.Application(middlewares=[self._admit])
        app.on_response_prepare.append(_secure)
        app.router.add_get("/", self._index)
        app.router.add_post("/sign-in", self._sign_in)
        app.router.add_get("/static/{name}", self._static)
        app.router.add_get("/sample", self._sample_picture)
        app.router.add_get("/ws", self._socket)
        app.router.add_post("/upload", self._upload)
        app.router.add_get("/picture/{key}", self._picture)
        app.router.add_get("/file/{key}", self._file)
        app.router.add_get("/source", _source)
        app.router.add_get("/healthz", _alive)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._metrics)
        for path in self._hub.inboxes:
            app.router.add_post(path, self._post)
        return app

    @web.middleware
    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The guard at the door; see `bot.web.guard`."""
        path = request.path
        if path in ("/healthz", "/readyz", "/metrics") or path in self._hub.inboxes:
            return await handler(request)  # an inbox judges by itself who may post there
        if not self._guard.host_allowed(request):
            raise web.HTTPMisdirectedRequest(
                text="This address leads nowhere: open the one that Tadım said when it started.\n"
            )
        changes = request.method not in ("GET", "HEAD") or path == "/ws"
        if changes and not self._guard.origin_allowed(request):
            raise web.HTTPForbidden(text="This request did not come from Tadım's own page.\n")
        if path.startswith("/static/") or path == "/sign-in" or self._guard.signed_in(request):
            return await handler(request)
        if path == "/":
            return await self._page(request, "sign-in", HTTPStatus.UNAUTHORIZED)
        raise web.HTTPUnauthorized(text="Sign in first.\n")

    async def _index(self, request: web.Request) -> web.StreamResponse:
        return await self._page(request, "index")

    async def _page(
        self, request: web.Request, name: str, status: int = HTTPStatus.OK, note: str = ""
    ) -> web.Response:
        session = session_of(request)
        language = await self._hub.language(visitor(session or "", accepted_language(request)))
        if session is None and request.headers.get("Sec-Fetch-Site") == "cross-site":
            # Strict cookies are not sent when a link elsewhere leads here. Let our own page ask
            # once more, instead of replacing the visitor's session by a new one.
            return self._pages.render("arrive", language)
        response = self._pages.render(name, language, status, note)
        if session is None:
            new_session(request, response)
        return response

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        address = self._addresses.share(request)
        if self._guard.guesses.exhausted(address):
            note = "web-sign-in-wait"
            return await self._page(request, "sign-in", HTTPStatus.TOO_MANY_REQUESTS, note)
        try:
            chunks = request.content.iter_chunked(4096)
            body = await read_limited(chunks, 4096, request.content_length)
        except PictureTooLarge:
            body = b""
        guess = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0].strip()
        if not self._guard.is_token(guess):
            self._guard.guesses.wrong(address)
            return await self._page(
                request, "sign-in", HTTPStatus.UNAUTHORIZED, "web-sign-in-wrong"
            )
        response = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "/"})
        self._guard.remember(request, response)
        return response

    async def _static(self, request: web.Request) -> web.StreamResponse:
        asset = self._assets.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound
        return asset.response(request)

    async def _sample_picture(self, request: web.Request) -> web.StreamResponse:
        if self._sample is None:
            raise web.HTTPNotFound
        return self._sample.response(request)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        session = self._visit(request)
        # Not every browser sends with this request the languages that it sends with all others; so
        # the page says in which one it came.
        if language := language_of(request.query.get("language")):
            session.client_language = language
        socket = web.WebSocketResponse(timeout=2, heartbeat=25, max_msg_size=HARD_LIMIT)
        await socket.prepare(request)
        tab = Tab(socket)
        if not session.join(tab):
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
            return socket
        TABS.inc()
        pump = asyncio.create_task(tab.pump(), name="web tab")
        try:
            await self._conversation.greet(session, tab)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._conversation.receive(session, tab, message.data)
                else:
                    await self._conversation.receive(session, tab, "")
        finally:
            TABS.dec()
            session.leave(tab)
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump
        return socket

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        session = self._visit(request)
        try:
            if not session.uploads.take():
                raise Garbled("web-error-too-fast")
            async with session.uploading, self._uploading, asyncio.timeout(UPLOAD_SECONDS):
                chunks = request.content.iter_chunked(64 * 1024)
                data = await read_limited(chunks, self._upload_limit, request.content_length)
            if not data:
                raise UserError("error-picture-empty")
            key = self._shelf.put(session.id, data)
        except PictureTooLarge as error:
            return self._refused(session, error, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except Garbled as error:
            return self._refused(session, error, HTTPStatus.TOO_MANY_REQUESTS)
        except UserError as error:
            return self._refused(session, error, HTTPStatus.BAD_REQUEST)
        except TimeoutError:
            slow = UserError("web-error-upload-slow")
            return self._refused(session, slow, HTTPStatus.REQUEST_TIMEOUT)
        UPLOADS.labels("taken").inc()
        HELD.set(self._shelf.used)
        return web.json_response({"id": key, "url": f"/picture/{key}"})

    def _refused(self, session: Session, error: Exception, status: int) -> web.Response:
        UPLOADS.labels("refused").inc()
        message = message_for(error) or Message("web-error-upload")
        return web.json_response({"error": words(session.language)(message)}, status=status)

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        return self._held(request, attached=False)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return self._held(request, attached=True)

    def _held(self, request: web.Request, *, attached: bool) -> web.Response:
        """A thing from the shelf, for its owner only. What is no picture is only ever saved."""
        session = session_of(request)
        try:
            held = self._shelf.get(request.match_info["key"], session or "")
        except PictureGone:
            raise web.HTTPNotFound from None
        kind = picture_type(held.data)
        headers = {
            "Cache-Control": "private, max-age=3600, immutable",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
        if attached or kind is None:
            headers["Content-Disposition"] = "attachment"
        guessed = mimetypes.guess_type(held.name)[0] if attached else kind
        return web.Response(
            body=held.data, content_type=guessed or "application/octet-stream", headers=headers
        )

    async def _ready(self, request: web.Request) -> web.StreamResponse:
        """200 when jobs can be served; else 503. A line for each reason, or each missing worker."""
        reasons = self._hub.ready()
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        lines = [*(reasons or ["ready"]), *self._hub.missing()]
        return web.Response(status=status, text="".join(f"{line}\n" for line in lines))

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        if not self._guard.may_read_metrics(request):
            raise web.HTTPForbidden(text="Metrics are for the operator.\n")
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _post(self, request: web.Request) -> web.StreamResponse:
        """What another platform's servers have to say; see `Hub.inboxes`."""
        chunks = request.content.iter_chunked(64 * 1024)
        try:
            async with asyncio.timeout(INBOX_SECONDS):
                body = await read_limited(chunks, INBOX_BYTES, request.content_length)
        except PictureTooLarge:
            return web.Response(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except TimeoutError:
            return web.Response(status=HTTPStatus.REQUEST_TIMEOUT)
        return web.Response(status=self._hub.inboxes[request.path](request.headers, body))

    # --- helpers

    def _visit(self, request: web.Request) -> Session:
        """The visitor's session; whoever has no cookie has not been on the page."""
        key = session_of(request)
        if key is None:
            raise web.HTTPForbidden(text="Open the page first.\n")
        session = self._sessions.open(key)
        session.client_language = accepted_language(request)
        session.share = self._addresses.share(request)
        return session

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self._shelf.sweep()
            self._sessions.sweep()
            HELD.set(self._shelf.used)


async def _source(request: web.Request) -> web.StreamResponse:
    """The program's own source; see `bot.source`."""
    return web.Response(
        body=await asyncio.to_thread(source.archive),
        content_type="application/gzip",
        headers={"Content-Disposition": f'attachment; filename="{source.NAME}"'},
    )


async def _alive(request: web.Request) -> web.StreamResponse:
    return web.Response(text="alive\n")


async def _secure(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Security headers on every response, errors included."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)


def picture_type(data: bytes) -> str | None:
    """The media type of bytes that a browser may show; None for all else (SVG, HTML, …)."""
    for magic, kind in SHOWN_AS_PICTURE.items():
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        return "image/avif" if data[8:12] in (b"avif", b"avis") else "video/mp4"
    return None


def _reason(error: OSError) -> str:
    """What went wrong, in the system's words alone: asyncio's own repeat the address."""
    if error.errno is None or isinstance(error, gaierror):  # its numbers are no errno
        return error.strerror or str(error)
    return os.strerror(error.errno)


def _reachable(host: str) -> str:
    """What to type into a browser on this machine for a bound address."""
    if host in ("0.0.0.0", "::"):  # noqa: S104
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
