"""What runs on a node of a Ray cluster: a worker behind a connection to the queue's machine.

The queue names files of weights on its own disk. Where a node has no such file, it fetches it
itself, into the same folder if it may (else into the one that Tadım uses by default), and the
worker hears of the model only when it is there. Other models' work goes on meanwhile.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import os
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from inference.jobs import ModelUnavailable
from inference.weights import Fetching, Manifest, WeightsStore
from inference.wire import Message, WorkerEnd
from inference.worker import Worker, WorkerOptions

log = logging.getLogger(__name__)

HELLO = struct.Struct("!32sI")  # a worker's first words: its key, its process
ANSWER = 32  # bytes by which it knows the queue
CONNECT_LIMIT = 10.0  # seconds for all that
STILL_FETCHING = 5.0  # seconds between two words that a model is on its way


class WorkerActor:
    """The actor: a process of its own on a node, which owns a device."""

    def run(
        self,
        options: WorkerOptions,
        address: tuple[str, int],
        key: bytes,
        answer: bytes,
        manifest: Manifest | None,
    ) -> None:
        """Serve the queue at `address` until it says stop, or has gone.

        Raises:
            OSError: it cannot be reached, or is somebody else.
        """
        # Ray lets libraries use as many threads as an actor has booked CPUs: here none, so one.
        if os.environ.get("OMP_NUM_THREADS") == "1":
            del os.environ["OMP_NUM_THREADS"]
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s"
        )
        # The connection is left to the end of the process, so that its end tells of that one's.
        self._end = NodeEnd(connect(address, key, answer), manifest or Manifest.shipped())
        try:
            Worker(self._end, options).run()
        finally:
            self._end.close()


def connect(address: tuple[str, int], key: bytes, answer: bytes) -> socket.socket:
    """A connection to the queue, each side knowing who the other is.

    Raises:
        OSError: it cannot be reached, or is somebody else.
    """
    connection = socket.create_connection(address, timeout=CONNECT_LIMIT)
    try:
        connection.sendall(HELLO.pack(key, os.getpid()))
        said = b""
        while len(said) < len(answer):
            data = connection.recv(len(answer) - len(said))
            if not data:
                raise ConnectionError(f"{address[0]} does not know this worker")
            said += data
        if not hmac.compare_digest(said, answer):
            raise ConnectionError(f"{address[0]} is not the queue")
        stay_awake(connection)
        connection.settimeout(None)
    except BaseException:
        connection.close()
        raise
    return connection


def stay_awake(connection: socket.socket) -> None:
    """Send small frames at once, and notice within seconds that the other machine has gone dark."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 3), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):  # each system has its own selection
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@dataclass(slots=True)
class _Known:
    """A model that the queue has named: its message, and where its files are on this node.

    `held`: what waits for the files. `pulling`: they are on their way.
    """

    message: Message
    files: Mapping[str, Path] | None = None
    held: list[Message] = field(default_factory=list)
    pulling: bool = False


class NodeEnd(WorkerEnd):
    """The worker's end on a node: holds work back until the files of its model are there.

    To the worker and to the queue it looks like a model that takes long to load: a cancelled job is
    let go of at once, and if the files cannot be had, the jobs that waited for them fail.
    """

    def __init__(self, connection: socket.socket, manifest: Manifest) -> None:
        super().__init__(connection)
        self._connection = connection
        self._manifest = manifest
        self._known: dict[str, _Known] = {}
        self._begun: set[int] = set()  # sessions that the worker has heard of and not ended
        self._news: deque[tuple[Message, Any]] = deque()  # what threads have told
        self._bell, self._ring = socket.socketpair()
        self._bell.setblocking(False)
        self._closing = False

    def receive(self, wait: bool) -> list[Message]:
        messages: list[Message] = []
        while True:
            patience = None if wait and not messages else 0
            readable = select.select([self._connection, self._bell], [], [], patience)[0]
            if self._bell in readable:
                with contextlib.suppress(BlockingIOError):
                    self._bell.recv(4096)
                while self._news:
                    messages += self._on_news(*self._news.popleft())
            if self._connection in readable:
                for message in super().receive(wait=False):
                    messages += self._sorted(message)
            if not readable:
                return messages

    def send(self, messages: list[Message]) -> None:
        """Raises EOFError when the queue has gone."""
        for message in messages:
            if message[0] == "end":
                self._begun.discard(message[1])
        try:
            super().send(messages)
        except OSError as error:
            raise EOFError from error

    def close(self) -> None:
        """Give up what is being fetched; it is resumed another time."""
        self._closing = True
        self._ring.close()
        self._bell.close()

    # --- what the queue says ----------------------------------------------------------------------

    def _sorted(self, message: Message) -> list[Message]:
        """What of a message the worker may hear now."""
        match message:
            case ("model", key, _, files):
                before = self._known.get(key)
                known = self._known[key] = _Known(message, held=before.held if before else [])
                if all(path.exists() for path in files.values()):
                    return self._released(known, files)
                # Named again means that the model did not load: the node's own copy may be damaged.
                self._pull(known, verify=before is not None)
                return []
            case ("run", session, key, *_):
                known = self._known[key]
                if known.files is None:
                    known.held.append(message)
                    if not known.pulling:
                        self._pull(known, verify=False)
                    return []
                self._begun.add(session)
            case ("cancel", job):
                if self._let_go(job):
                    return []
        return [message]

    def _let_go(self, job: int) -> bool:
        """Drop a job that is held back; whether there was one."""
        for known in self._known.values():
            for at, (word, session, key, jobs, payloads, kind) in enumerate(known.held):
                if job not in jobs:
                    continue
                rest = [pair for pair in zip(jobs, payloads, strict=True) if pair[0] != job]
                answer: list[Message] = [("dropped", job, 0.0)]
                if rest:
                    left = [each for each, _ in rest], [payload for _, payload in rest]
                    known.held[at] = (word, session, key, *left, kind)
                else:
                    del known.held[at]
                    answer += self._ended(session)
                self.send(answer)
                return True
        return False

    def _ended(self, session: int) -> list[Message]:
        """The word that nothing is left of a session, if the worker will not say it."""
        return [] if session in self._begun else [("end", session, 0.0, 0, 0)]

    # --- files on their way -----------------------------------------------------------------------

    def _pull(self, known: _Known, verify: bool) -> None:
        known.pulling = True
        self.send([("loading", known.message[1])])
        threading.Thread(
            target=self._pull_all, args=(known.message, verify), name="weights", daemon=True
        ).start()

    def _pull_all(self, message: Message, verify: bool) -> None:
        """Runs in a thread of its own."""
        _, key, variant, files = message
        said = time.monotonic()

        def tell(fetching: Fetching) -> None:
            nonlocal said
            if time.monotonic() > said + STILL_FETCHING:
                said = time.monotonic()
                log.info("%s: %d of %d bytes", key, fetching.done_bytes, fetching.total_bytes)
                self._report(message, None)

        try:
            here = {}
            for name, path in files.items():
                store = WeightsStore(_folder_for(path), self._manifest)
                if verify:
                    store.verify(name)  # deletes what is damaged
                here[name] = store.pull(name, tell, lambda: self._closing)
        except Exception as error:  # noqa: BLE001 (whatever a download meets, nobody must wait for ever)
            log.error("weights of %s: %s", variant.name, error)
            failure = ModelUnavailable(f"{variant.name}: {error}")
            failure.__cause__ = error
            self._report(message, failure)
        else:
            self._report(message, here)

    def _report(self, message: Message, news: Any) -> None:
        """From a thread: files, an error, or None for still on the way."""
        self._news.append((message, news))
        with contextlib.suppress(OSError):  # closed
            self._ring.send(b"!")

    def _on_news(self, message: Message, news: Any) -> list[Message]:
        """What the worker may hear now that a thread has told something."""
        key = message[1]
        known = self._known[key]
        if known.message is not message:
            return []  # named again since; another thread sees to that
        if news is None:
            self.send([("loading", key)])  # and it still is: the queue has a limit for silence
            return []
        if isinstance(news, ModelUnavailable):
            known.pulling = False
            held, known.held = known.held, []
            for _, session, _, jobs, _, _ in held:
                failed: list[Message] = [("error", job, news, 0.0) for job in jobs]
                self.send(failed + self._ended(session))
            return []
        return self._released(known, news)

    def _released(self, known: _Known, files: Mapping[str, Path]) -> list[Message]:
        """The files are here: the model's message, and all that waited for them."""
        word, key, variant, _ = known.message
        known.files, known.pulling = files, False
        held, known.held = known.held, []
        self._begun |= {session for _, session, *_ in held}
        return [(word, key, variant, files), *held]


def _folder_for(path: Path) -> Path:
    """The folder of the store on this node, for a file that the queue has at `path`."""
    folder = path.parent.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return user_data_path("tadim", appauthor=False) / "weights"
