"""A visitor's session: open tabs, what was said, limits. In memory only.

A session outlives its tabs: a reload or a dropped connection loses no running answer, because the
answer belongs to the session and every new tab is sent the history in its newest state.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aiohttp import web

from bot.web.guard import Bucket
from bot.web.presenter import Answer, Entry

HISTORY = 80  # entries (what was asked, and each answer) that a session keeps
TABS = 12  # open tabs a session may have
RUNNING = 6  # answers a session may have under way
PENDING = 400  # messages that wait for a slow tab before it is let go
ABANDONED = 300.0  # seconds without any tab after which running answers are cancelled
IDLE = 12 * 3600.0  # seconds without any tab after which the session is forgotten


class Tab:
    """One WebSocket. Messages with the same key replace each other while they wait.

    So a slow tab sees fewer states of an answer, never old ones, and slows nobody.
    """

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self._pending: OrderedDict[str, str] = OrderedDict()
        self._changed = asyncio.Event()
        self._count = 0

    def post(self, message: Mapping[str, Any], key: str | None = None) -> None:
        """Send when the tab can take it."""
        self._count += 1
        key = key or f"#{self._count}"
        self._pending.pop(key, None)  # the newer one goes to the end of the line
        self._pending[key] = dump(message)
        if len(self._pending) > PENDING:
            self._pending.clear()
            self._pending["error"] = dump({"type": "overrun"})
        self._changed.set()

    async def pump(self) -> None:
        """Send what is posted, until cancelled or the socket is gone."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._pending:
                _, text = self._pending.popitem(last=False)
                try:
                    await self._socket.send_str(text)
                except ConnectionError:
                    return

    async def close(self, code: int) -> None:
        await self._socket.close(code=code)


def dump(message: Mapping[str, Any]) -> str:
    """JSON; what JSON does not know (in a model's raw data) is shown as text."""
    return json.dumps(message, default=str, separators=(",", ":"))


class Session:
    """What one browser (one cookie) has said and been answered."""

    def __init__(self, session: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.id = session
        self.user = f"web:{session}"
        self.language = "en"
        self.client_language: str | None = None
        self.share = ""  # whose share of the device it uses; see `bot.web.addresses`
        # Tells the page whether its entries come from this very session object.
        self.epoch = secrets.token_urlsafe(6)
        self.entries: OrderedDict[str, Entry] = OrderedDict()
        self.tabs: set[Tab] = set()
        self.followers: set[asyncio.Task[None]] = set()
        self.messages = Bucket(rate=5, burst=20, clock=clock)
        self.uploads = Bucket(rate=1, burst=12, clock=clock)
        self.uploading = asyncio.Semaphore(2)
        self._clock = clock
        self._seen = clock()
        self._count = 0
        self._keys: deque[str] = deque(maxlen=100)
        self._farewell: asyncio.TimerHandle | None = None

    # --- tabs

    def join(self, tab: Tab) -> bool:
        """Add a tab; False where there are too many."""
        if len(self.tabs) >= TABS:
            return False
        self.tabs.add(tab)
        if self._farewell:
            self._farewell.cancel()
            self._farewell = None
        return True

    def leave(self, tab: Tab) -> None:
        """Remove a tab. When the last one does not return for a while, running answers end."""
        self.tabs.discard(tab)
        self._seen = self._clock()
        if not self.tabs:
            loop = asyncio.get_running_loop()
            self._farewell = loop.call_later(ABANDONED, self.cancel_all)

    def post(self, message: Mapping[str, Any], key: str | None = None) -> None:
        """Send to every tab."""
        for tab in self.tabs:
            tab.post(message, key)

    # --- what was said

    def has_seen(self, key: str) -> bool:
        """Whether a message with this key came before; from now on it did."""
        if key in self._keys:
            return True
        self._keys.append(key)
        return False

    def next_id(self) -> str:
        self._count += 1
        return f"{self.epoch}-{self._count}"

    def add(self, entry: Entry) -> None:
        """Append to the history; the oldest finished entry makes room."""
        self.entries[entry.id] = entry
        while len(self.entries) > HISTORY:
            oldest = next((e for e in self.entries.values() if not e.running), None)
            if oldest is None:
                return
            del self.entries[oldest.id]

    @property
    def answers(self) -> Iterator[Answer]:
        return (entry for entry in self.entries.values() if isinstance(entry, Answer))

    @property
    def running(self) -> int:
        """Answers under way."""
        return sum(answer.running for answer in self.answers)

    def cancel_all(self) -> None:
        """Cancel every answer under way."""
        for answer in self.answers:
            answer.cancel()

    def expired(self) -> bool:
        return not self.tabs and not self.running and self._clock() - self._seen > IDLE

    def idle(self) -> bool:
        """Whether nothing would be missed but its history."""
        return not self.tabs and not self.running


class Sessions:
    """All sessions. `limit`: how many are kept; idle ones make room, the longest unseen first."""

    def __init__(self, limit: int = 5000) -> None:
        self._limit = limit
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def open(self, session: str) -> Session:
        """The session with this id, made if there is none."""
        found = self._sessions.get(session)
        if found is None:
            found = self._sessions[session] = Session(session)
            self.sweep()
        self._sessions.move_to_end(session)
        return found

    def known(self, session: str) -> Session | None:
        """The session with this id, if there is one."""
        return self._sessions.get(session)

    def sweep(self) -> None:
        """Forget sessions that nobody has looked at for long, and idle ones over the limit."""
        for session in [s for s in self._sessions.values() if s.expired()]:
            del self._sessions[session.id]
        surplus = len(self._sessions) - self._limit
        if surplus > 0:
            idle = [s for s in self._sessions.values() if s.idle()]
            for session in idle[:surplus]:
                del self._sessions[session.id]

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))
