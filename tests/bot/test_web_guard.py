"""Who may come in: host, origin, access token; what a response says to the browser."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import ClientSession, WSServerHandshakeError
from prometheus_client import REGISTRY

from bot.hub import FrontendError, Hub
from bot.settings import Settings, Web
from bot.web.frontend import WebFrontend
from bot.web.guard import Guesses, is_loopback
from tests.bot.web_world import Browser, picture, serving
from tests.fakes import services

ROOT = Path(__file__).parents[2]
TOKEN = "a-long-secret-of-the-operator"


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("LocalHost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("192.168.1.5", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_loopback(host: str, here: bool) -> None:
    assert is_loopback(host) is here


# --- starting


def frontend_with(**web: object) -> WebFrontend:
    settings = Settings(web=Web(**web))
    return WebFrontend(Hub(services(SimpleNamespace(unready=[], missing=[])), settings), settings)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])
async def test_an_open_door_needs_a_token(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TADIM_WEB_TOKEN", raising=False)
    with pytest.raises(FrontendError, match="TADIM_WEB_TOKEN"):
        await frontend_with(host=host, port=0).start()


async def test_a_taken_port_is_one_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(FrontendError, match=f"port {port}") as refused:
            await frontend_with(port=port).start()
    assert "\n" not in str(refused.value)
    # The system's own word for it, without asyncio's repetition of the address.
    assert f"({os.strerror(errno.EADDRINUSE)}):" in str(refused.value)


async def test_a_host_that_nobody_knows_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TADIM_WEB_TOKEN", TOKEN)
    with pytest.raises(FrontendError, match=r"no-such-host\.invalid") as refused:
        await frontend_with(host="no-such-host.invalid", port=0).start()
    assert "Unknown error" not in str(refused.value)


# --- host and origin


async def test_a_foreign_host_name_is_refused() -> None:
    """DNS rebinding: evil.example suddenly means 127.0.0.1."""
    async with serving() as frontend, Browser(frontend) as browser:
        for path in ("/", "/static/app.js", "/metrics"):
            async with browser.http.get(path, headers={"Host": "evil.example"}) as response:
                assert response.status in (421, 403)
                assert "tadim_session" not in response.cookies
        for host in ("localhost:9", "127.0.0.1", "[::1]:80"):
            async with browser.http.get("/", headers={"Host": host}) as response:
                assert response.status == 200


async def test_only_our_own_page_opens_sockets_and_uploads() -> None:
    async with serving() as frontend, Browser(frontend) as browser:
        await browser.open()
        foreign = [
            "https://evil.example",
            "null",
            "",
            "http://127.0.0.1:1",
            "ftp://x",
            "http://[::1",
        ]
        for origin in foreign:
            with pytest.raises(WSServerHandshakeError) as refused:
                await browser.http.ws_connect("/ws", headers={"Origin": origin})
            assert refused.value.status == 403
            async with browser.http.post("/upload", data=b"x", headers={"Origin": origin}) as sent:
                assert sent.status == 403
        async with browser.http.post("/upload", data=b"x") as sent:
            assert sent.status == 403  # no Origin at all
        async with browser.tab() as tab:
            assert tab.hello["type"] == "hello"


async def test_who_was_not_on_the_page_gets_no_socket() -> None:
    async with serving() as frontend, Browser(frontend) as browser:
        with pytest.raises(WSServerHandshakeError) as refused:
            await browser.http.ws_connect("/ws", headers={"Origin": browser.origin})
        assert refused.value.status == 403
        headers = {"Cookie": "tadim_session=short", "Origin": browser.origin}
        with pytest.raises(WSServerHandshakeError):
            await browser.http.ws_connect("/ws", headers=headers)


async def test_headers_and_cookie() -> None:
    async with serving() as frontend, Browser(frontend) as browser:
        async with browser.http.get("/") as response:
            policy = response.headers["Content-Security-Policy"]
            assert "'unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "same-origin"
            page = await response.text()
            cookie = response.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "<script>" not in page
        assert " style=" not in page
        async with browser.http.get("/no-such-page") as response:
            assert response.status == 404
            assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_link_from_elsewhere_does_not_replace_the_session() -> None:
    """Strict cookies do not come along with it: our page asks again instead of making a new one."""
    async with serving() as frontend, ClientSession(frontend.address) as http:
        async with http.get("/", headers={"Sec-Fetch-Site": "cross-site"}) as response:
            assert "Set-Cookie" not in response.headers
            assert 'http-equiv="refresh"' in await response.text()
        async with http.get("/", headers={"Sec-Fetch-Site": "same-origin"}) as response:
            assert "tadim_session" in response.headers["Set-Cookie"]


async def test_static_files_are_named_never_walked() -> None:
    async with serving() as frontend, Browser(frontend) as browser:
        for name in ("..%2Ffrontend.py", "index.html", "%2e%2e/frontend.py", "nothing.js"):
            async with browser.http.get(f"/static/{name}") as response:
                assert response.status in (404, 200)
                assert "class WebFrontend" not in await response.text()
        async with browser.http.get("/static/app.js") as response:
            assert response.content_type == "text/javascript"
            tag = response.headers["ETag"]
        async with browser.http.get("/static/app.js", headers={"If-None-Match": tag}) as response:
            assert response.status == 304


# --- the access token


async def sign_in(browser: Browser, guess: str, **headers: str) -> int:
    headers = {"Origin": browser.origin, **headers}
    async with browser.http.post("/sign-in", data={"token": guess}, headers=headers) as response:
        return response.status


async def test_nothing_without_the_token() -> None:
    async with serving(token=TOKEN) as frontend, Browser(frontend) as browser:
        async with browser.http.get("/") as response:
            assert response.status == 401
            page = await response.text()
        assert 'name="token"' in page
        assert TOKEN not in page
        ours = {"Origin": browser.origin}
        async with browser.http.post("/upload", data=picture(), headers=ours) as response:
            assert response.status == 401
        with pytest.raises(WSServerHandshakeError) as refused:
            await browser.http.ws_connect("/ws", headers={"Origin": browser.origin})
        assert refused.value.status == 401
        for path in ("/healthz", "/readyz"):
            async with browser.http.get(path) as response:
                assert response.status == 200


async def test_the_token_opens() -> None:
    async with serving(token=TOKEN) as frontend, Browser(frontend) as browser:
        await browser.open()
        assert await sign_in(browser, "wrong") == 401
        assert await sign_in(browser, "") == 401
        assert await sign_in(browser, "x" * 10_000) == 401
        assert await sign_in(browser, TOKEN, Origin="https://evil.example") == 403
        assert await sign_in(browser, f" {TOKEN}\n") == 200  # followed to the page
        async with browser.tab() as tab:
            assert tab.hello["commands"]
        jar = {cookie.key: cookie.value for cookie in browser.http.cookie_jar}
        assert TOKEN not in jar["tadim_signed_in"]

        # The cookie is bound to its session: it lets no other one in.
        async with Browser(frontend) as thief:
            await thief.open()
            thief.http.cookie_jar.update_cookies({"tadim_signed_in": jar["tadim_signed_in"]})
            async with thief.http.get("/") as response:
                assert response.status == 401


async def test_with_a_token_any_name_may_lead_here() -> None:
    elsewhere = {"Host": "tadim.example"}
    async with (
        serving(token=TOKEN) as frontend,
        Browser(frontend) as browser,
        browser.http.get("/", headers=elsewhere) as response,
    ):
        assert response.status == 401
        assert 'name="token"' in await response.text()


async def test_wrong_guesses_are_throttled() -> None:
    async with serving(token=TOKEN) as frontend, Browser(frontend) as browser:
        await browser.open()
        answers = [await sign_in(browser, f"guess {number}") for number in range(12)]
        assert answers[:10] == [401] * 10
        assert answers[10:] == [429] * 2
        assert await sign_in(browser, TOKEN) == 429  # or guessing on would pay


def test_throttling_ends() -> None:
    now = 0.0
    guesses = Guesses(clock=lambda: now)
    for _ in range(10):
        assert not guesses.exhausted("198.51.100.7")
        guesses.wrong("198.51.100.7")
    assert guesses.exhausted("198.51.100.7")
    assert not guesses.exhausted("198.51.100.8")
    now = 5.1
    assert not guesses.exhausted("198.51.100.7")


# --- health and metrics


async def test_health() -> None:
    async with serving() as frontend, Browser(frontend) as browser:
        async with browser.http.get("/healthz") as response:
            assert response.status == 200
        queue = frontend._hub.services.queue

        async def readiness() -> tuple[int, str]:
            async with browser.http.get("/readyz") as response:
                return response.status, await response.text()

        assert await readiness() == (200, "ready\n")
        queue.missing.append("worker compute-1 is not running")
        assert await readiness() == (200, "ready\nworker compute-1 is not running\n")
        queue.unready.append("worker text is not running")
        assert await readiness() == (
            503,
            "worker text is not running\nworker compute-1 is not running\n",
        )


async def test_metrics_are_the_operators() -> None:
    async with serving(token=TOKEN) as frontend, Browser(frontend) as browser:
        async with browser.http.get("/metrics") as response:
            assert response.status == 200
            assert "tadim_web_tabs" in await response.text()
        forwarded = {"X-Forwarded-For": "198.51.100.7"}
        async with browser.http.get("/metrics", headers=forwarded) as response:
            assert response.status == 403
        bearer = {**forwarded, "Authorization": f"Bearer {TOKEN}"}
        async with browser.http.get("/metrics", headers=bearer) as response:
            assert response.status == 200
        bearer["Authorization"] = "Bearer wrong"
        async with browser.http.get("/metrics", headers=bearer) as response:
            assert response.status == 403


@pytest.mark.parametrize("readme", ["README.md", "README.tr.md"])
def test_the_readme_lists_every_metric_and_no_other(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    listed = set(re.findall(r"`(tadim_\w+)`", text))
    there = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in REGISTRY.collect()
        if family.name.startswith("tadim_")
    }
    assert listed == there


async def test_the_port_is_free_after_stop() -> None:
    async with serving() as frontend:
        port = int(frontend.address.rstrip("/").rpartition(":")[2])
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", port)
