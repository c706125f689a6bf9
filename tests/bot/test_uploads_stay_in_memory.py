"""What people upload is never written to disk: the whole program, real models, every file it left.

/privacy promises it.
"""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bot.app import opened
from bot.settings import Inference, Settings, Web, WeightsSettings
from bot.web.frontend import WebFrontend
from handlers.kit import check_output, check_upload
from inference.pictures import decode
from inference.weights import WeightsStore
from tests.bot.web_world import Browser, said
from tests.fakes import FakePlatform
from tests.fakes import picture as given


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All folders that the program and its processes may write to, below one."""
    for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    assert Path(tempfile.gettempdir()).is_relative_to(tmp_path)
    return tmp_path


def photo() -> bytes:
    """A JPEG like no other: noise, some 200 kB."""
    noise = np.random.default_rng(41).integers(0, 255, (480, 640, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def traces(picture: bytes) -> Iterator[bytes]:
    """Pieces by which a picture is known again: encoded, as base64, as hexadecimal, as pixels."""
    for start in range(3000, len(picture) - 60, 30_000):  # a multiple of 3, as base64 wants it
        piece = picture[start : start + 48]
        yield from (piece, base64.b64encode(piece), piece.hex().encode())
    row = np.asarray(decode(picture))[100, 100:120]
    yield from (row.tobytes(), row[:, ::-1].tobytes())


def found(folder: Path, *pictures: bytes) -> list[str]:
    """The files below a folder that hold anything of these pictures."""
    pieces = [piece for picture in pictures for piece in traces(picture)]
    files = [path for path in folder.rglob("*") if path.is_file()]
    held = {path: path.read_bytes() for path in files}
    return [str(path) for path, data in held.items() if any(piece in data for piece in pieces)]


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    picture = photo()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "encoded").write_bytes(b"before" + picture[2500:] + b"after")
    (tmp_path / "text").write_bytes(base64.b64encode(picture))
    (tmp_path / "pixels").write_bytes(decode(picture).tobytes())
    (tmp_path / "other").write_bytes(photo()[:2000])
    names = {Path(path).name for path in found(tmp_path, picture)}
    assert names == {"encoded", "text", "pixels"}


@pytest.mark.weights
@pytest.mark.timeout(600)
async def test_nothing_of_an_upload_or_its_answer_is_left_on_disk(
    disk: Path, weights_store: WeightsStore, pulled: Callable[[str], Path], bus_photo: bytes
) -> None:
    for name in ("yolo26n", "opennsfw"):
        pulled(name)
    upload = photo()
    settings = Settings(
        language="en",
        data_folder=str(disk / "data"),
        web=Web(port=0),
        weights=WeightsSettings(folder=str(weights_store.folder)),
        inference=Inference(device="cpu"),
    )
    async with opened(settings) as hub:
        frontend = WebFrontend(hub, settings)
        hub.frontends["web"] = frontend
        await frontend.start()
        await hub.services.queue.start()
        platform = FakePlatform(hub.services)
        try:
            # The page's visitor would not wait for torch on a busy machine.
            assert (await platform.ask("detect", picture=given(bus_photo))).pictures
            async with Browser(frontend) as browser:
                await browser.open()
                status, reference = await browser.upload(upload)
                assert status == 200
                async with browser.tab() as tab:
                    answer = await tab.ask("/detect", picture=reference["id"])
                assert answer["images"], said(answer)
                async with browser.http.get(answer["images"][0]["url"]) as response:
                    shown = await response.read()
            # What commands on faces do beside that.
            opened_picture = await hub.services.open_picture(given(upload))
            await check_upload(platform.request("detect"), hub.services, opened_picture)
            await check_output(platform.request("detect"), hub.services, shown)
            during = found(disk, upload, shown)
        finally:
            await frontend.stop()
    assert during == []
    assert found(disk, upload, shown) == []
    assert list((disk / "data").rglob("*")), "it has written something: the database, the logs"
