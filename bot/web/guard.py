"""Who may come in.

A web page anywhere on the internet can make a visitor's browser talk to 127.0.0.1, so "only this
machine can connect" is not enough:

* DNS rebinding: without an access token only requests whose `Host` is a loopback name are served.
* Cross-site requests: whatever changes something (POST, WebSocket) must come from our own page, by
  its `Origin`. The cookies are `SameSite=Strict` besides.
* An access token, once set, is asked of everybody. It is compared in constant time, wrong guesses
  are throttled, and the cookie that remembers it is a keyed hash of the session, not the token.
* An inbox (`Hub.inboxes`) stands outside all this: another platform's servers post to it, under
  whatever name the reverse proxy has, and it asks for a secret of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

from aiohttp import web

SESSION_COOKIE = "tadim_session"
SIGNED_COOKIE = "tadim_signed_in"
YEAR = 365 * 24 * 3600  # seconds

SECURITY_HEADERS = {
    # Trusted types make the browser itself refuse innerHTML and the like.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

_COOKIE = re.compile(r"[A-Za-z0-9_-]{32,64}")


def is_loopback(host: str) -> bool:
    """Whether a host name or address (without port) can only mean this machine."""
    if host.lower() in ("localhost", "localhost."):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0]).is_loopback
    except ValueError:
        return False


def session_of(request: web.BaseRequest) -> str | None:
    """The visitor's session id, or None without a well-formed cookie.

    The id is a hash of the cookie: it appears in the store and in logs, the cookie never does.
    """
    cookie = request.cookies.get(SESSION_COOKIE, "")
    if not _COOKIE.fullmatch(cookie):
        return None
    return hashlib.sha256(cookie.encode()).hexdigest()[:24]


def set_cookie(request: web.BaseRequest, response: web.Response, name: str, value: str) -> None:
    response.set_cookie(
        name, value, max_age=YEAR, httponly=True, samesite="Strict", secure=request.secure
    )


def new_session(request: web.BaseRequest, response: web.Response) -> None:
    """Give the visitor a session of their own."""
    set_cookie(request, response, SESSION_COOKIE, secrets.token_urlsafe(32))


class Bucket:
    """A token bucket: `burst` at once, then `rate` a second."""

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._level = float(burst)
        self._seen = clock()

    def take(self) -> bool:
        """Take one; False where none is left."""
        self._fill()
        if self._level < 1:
            return False
        self._level -= 1
        return True

    @property
    def empty(self) -> bool:
        self._fill()
        return self._level < 1

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._seen) * self._rate)
        self._seen = now


class Guesses:
    """Counts wrong tokens by network address (`Addresses.share`); 10 at once, one every 5 s."""

    _REMEMBERED = 10_000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def exhausted(self, address: str) -> bool:
        bucket = self._buckets.get(address)
        return bucket is not None and bucket.empty

    def wrong(self, address: str) -> None:
        bucket = self._buckets.pop(address, None) or Bucket(0.2, 10, self._clock)
        bucket.take()
        self._buckets[address] = bucket
        if len(self._buckets) > self._REMEMBERED:
            self._buckets.popitem(last=False)


class Guard:
    """Decides over every request. `token` is the access token, None where there is none."""

    def __init__(self, token: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._token = token
        self.guesses = Guesses(clock)

    @property
    def open(self) -> bool:
        """Whether no token is asked for."""
        return self._token is None

    def host_allowed(self, request: web.BaseRequest) -> bool:
        """With a token any name may lead here; without one only a loopback name."""
        return not self.open or is_loopback(_host_name(request))

    def origin_allowed(self, request: web.BaseRequest) -> bool:
        """Whether the request was made by our own page."""
        try:
            origin = urlsplit(request.headers.get("Origin", ""))
        except ValueError:  # such as a bracket that is never closed
            return False
        return origin.scheme in ("http", "https") and origin.netloc.lower() == request.host.lower()

    def signed_in(self, request: web.BaseRequest) -> bool:
        if self._token is None:
            return True
        session = session_of(request)
        cookie = request.cookies.get(SIGNED_COOKIE, "")
        return session is not None and hmac.compare_digest(
            cookie.encode(), self._signature(session).encode()
        )

    def is_token(self, guess: str) -> bool:
        """Whether the guess is the access token, in a time that does not depend on the guess."""
        if self._token is None:
            return False
        # Hashes of equal length: the comparison does not even tell how long the token is.
        return hmac.compare_digest(_digest(guess), _digest(self._token))

    def remember(self, request: web.BaseRequest, response: web.Response) -> None:
        """Let this session in from now on."""
        session = session_of(request)
        if session is not None:
            set_cookie(request, response, SIGNED_COOKIE, self._signature(session))

    def may_read_metrics(self, request: web.BaseRequest) -> bool:
        """The operator: on this machine and not through a proxy, or with the token."""
        scheme, _, guess = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(guess.strip()):
            return True
        forwarded = any(
            header in request.headers for header in ("Forwarded", "X-Forwarded-For", "X-Real-IP")
        )
        return (
            is_loopback(request.remote or "") and is_loopback(_host_name(request)) and not forwarded
        )

    def _signature(self, session: str) -> str:
        assert self._token is not None
        return hmac.new(
            self._token.encode(), f"signed in: {session}".encode(), "sha256"
        ).hexdigest()


def _host_name(request: web.BaseRequest) -> str:
    """The host of the `Host` header, without its port; empty where it cannot be read."""
    try:
        return urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return ""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
