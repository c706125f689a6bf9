"""Discord's rate limits, as the server of `tests.e2e.discord_server` holds the bot to them.

Discord documents one number: fifty requests a second for all that carries the bot's token; the
endpoints of interactions are exempt. Those of single routes it tells in headers only, and may
change them; the numbers here are the ones that people observe. A window begins with its first
request, as Discord's do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests in so many seconds."""

    most: int
    seconds: float


GLOBAL = Limit(50, 1.0)
WEBHOOK = Limit(5, 2.0)  # all that is done with one interaction's token
CHANNEL = {"post": Limit(5, 5.0), "edit": Limit(5, 5.0), "delete": Limit(5, 1.0)}
APPLICATION = {"set_commands": Limit(2, 20.0)}


@dataclass
class Window:
    """What is left of a limit."""

    limit: Limit
    ends: float = 0.0
    used: int = 0

    def take(self, now: float) -> float:
        """Take one request; gives the seconds to wait, 0 if it was taken."""
        if now >= self.ends:
            self.ends, self.used = now + self.limit.seconds, 0
        if self.used >= self.limit.most:
            return self.ends - now
        self.used += 1
        return 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the limits say of a request: `wait` 0 lets it pass; `headers` go with any answer."""

    bucket: str
    wait: float
    headers: Mapping[str, str]


class Limits:
    """All windows of one bot."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._global = Window(GLOBAL)
        self._windows: dict[str, Window] = {}

    def take(self, route: str, arguments: Mapping[str, Any], with_token: bool) -> Verdict:
        """Count a request to a route; `arguments` are what its path names."""
        now = self._clock()
        if with_token and (wait := self._global.take(now)):
            headers = {"X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"}
            return Verdict("global", wait, headers | _via(wait))
        bucket, limit = _bucket(route, arguments)
        if limit is None:
            return Verdict(bucket, 0.0, {})
        window = self._windows.setdefault(bucket, Window(limit))
        wait = window.take(now)
        headers = {
            "X-RateLimit-Limit": str(limit.most),
            "X-RateLimit-Remaining": str(limit.most - window.used),
            "X-RateLimit-Reset": f"{time.time() + window.ends - now:.3f}",
            "X-RateLimit-Reset-After": f"{window.ends - now:.3f}",
            "X-RateLimit-Bucket": bucket.partition(" ")[0],
        }
        if wait:
            headers |= {"X-RateLimit-Scope": "user"} | _via(wait)
        return Verdict(bucket, wait, headers)


def _bucket(route: str, arguments: Mapping[str, Any]) -> tuple[str, Limit | None]:
    if route in CHANNEL:
        return f"{route} {arguments['channel']}", CHANNEL[route]
    if route in APPLICATION:
        return route, APPLICATION[route]
    if "token" in arguments and route != "respond":
        return f"webhook {arguments['token']}", WEBHOOK
    return route, None


def _via(wait: float) -> dict[str, str]:
    # Only answers that came by way of Discord's proxy carry Via; the library looks for it.
    return {"Retry-After": str(math.ceil(wait)), "Via": "1.1 google"}
