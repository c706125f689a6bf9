"""`tadim ask` as people and scripts use it: a process, its output, its exit code."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DatabaseError

from bot import ask as module
from bot.ask import ask
from bot.cli import main
from bot.presenting import Rendered, RenderedImage
from bot.settings import Settings
from bot.store import Store, StoreError
from handlers.kit.reply import File, Image, Reply
from locales import Message


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=str(tmp_path / "data"), language="en")  # type: ignore[call-arg]


async def run(
    settings: Settings, line: str, out: Path, *, language: str | None = None, json_: bool = False
) -> int:
    return await ask(settings, line, (), language, out, json_)


async def test_help_in_both_languages(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(settings, "/help", tmp_path, language="en") == 0
    assert "/detect" in capsys.readouterr().out
    assert await run(settings, "/yardım", tmp_path, language="tr") == 0
    assert "/algıla" in capsys.readouterr().out


async def test_the_chosen_language_is_remembered(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await run(settings, "/help", tmp_path, language="tr")
    capsys.readouterr()
    await run(settings, "/help", tmp_path)
    assert "/algıla" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("/algla", 1, "/detect"),
        ("hello", 1, "/help"),
        ("/zzzzzzzzzz", 1, "/help"),
        ("/detect", 2, "picture"),
        ("/gpt", 2, "text"),
        ("/gpt temperature:9 hi", 1, "2"),
        ("/detect güven:0,4", 2, "picture"),
    ],
)
async def test_what_cannot_be_done_is_said_with_an_exit_code(
    settings: Settings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    line: str,
    code: int,
    said: str,
) -> None:
    assert await run(settings, line, tmp_path) == code
    assert said in capsys.readouterr().out


async def test_json_is_one_object_and_nothing_else(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(settings, "/help", tmp_path, json_=True) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {"text", "files", "buttons", "data"} <= set(answer)
    assert any(entry["name"] == "detect" for entry in answer["data"]["commands"])


def test_a_file_that_is_not_there_is_said_before_anything_starts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["ask", "/detect", "--image", "no.jpg"])
    assert ended.value.code == 2
    assert "no.jpg" in capsys.readouterr().err


def test_a_folder_is_no_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["ask", "/detect", "--image", str(tmp_path)])
    assert ended.value.code == 2
    assert f"{tmp_path} is a folder" in capsys.readouterr().err


async def test_pictures_that_cannot_be_saved_are_one_sentence(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def answer(*_: object, **__: object) -> tuple[Reply, Any]:
        reply = Reply(blocks=(), files=(File(b"1", "a.txt"),))
        return reply, Rendered(reply, (), (), ())

    monkeypatch.setattr(module, "_answer", answer)
    out = tmp_path / "file"
    out.write_text("in the way")
    assert await run(settings, "/help", out) == 1
    assert capsys.readouterr().err == f"tadim: Cannot save into {out}: File exists.\n"


async def test_a_database_that_fails_on_the_way_is_one_sentence(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise DatabaseError("SELECT", {}, sqlite3.DatabaseError("disk image is malformed"))

    monkeypatch.setattr(Store, "language", fail)
    with pytest.raises(StoreError, match=r"^The database failed: disk image is malformed\.$"):
        await run(settings, "/help", tmp_path)


async def test_a_file_that_is_no_picture_is_one_sentence(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"%PDF-1.7 hello")
    assert await ask(settings, "/detect", [tmp_path / "a.jpg"], "en", tmp_path, False) == 1
    printed = capsys.readouterr().out
    assert "PDF" in printed
    assert "Traceback" not in printed


def test_saving_overwrites_nothing(tmp_path: Path) -> None:
    picture = Image(b"1", "a.png", Message("working-on"))
    reply = Reply(blocks=(), pictures=(picture, picture), files=(File(b"2", "../x/a.txt"),))
    rendered: Any = Rendered(reply, (), tuple(module_image(image) for image in reply.pictures), ())
    saved = module._save(rendered, tmp_path)
    assert [path.name for path in saved] == ["a.png", "a-2.png", "a.txt"]
    assert all(path.parent == tmp_path for path in saved)


def module_image(image: Image) -> Any:
    return RenderedImage(image.data, image.name, "alt", image.animated)


async def test_an_interrupted_ask_leaves_no_process(settings: Settings, tmp_path: Path) -> None:
    import psutil

    task = asyncio.create_task(run(settings, "/xor steps:5000", tmp_path))
    await asyncio.sleep(1.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    names = [" ".join(p.cmdline()) for p in psutil.Process().children(recursive=True)]
    assert not [name for name in names if "spawn_main" in name]
