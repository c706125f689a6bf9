"""The studio: work in other processes, films shared by all who ask alike."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from handlers.kit.studio import Studio, StudioLost


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    studio = Studio(remembered=2)
    yield studio
    studio.close()


# --- what the studio is asked to do; all of it must pickle ----------------------------------------


def process_id() -> int:
    return os.getpid()


def fail() -> None:
    raise ValueError("no such colour")


def die() -> None:
    os._exit(1)


def note(file: Path, wait_for: Path | None = None) -> int:
    """Add a line to `file`, wait until `wait_for` exists; the number of lines."""
    with file.open("a") as lines:
        lines.write("drawn\n")
    while wait_for and not wait_for.exists():
        time.sleep(0.01)
    return len(file.read_text().splitlines())


# --------------------------------------------------------------------------------------------------


async def test_work_is_done_in_another_process(studio: Studio) -> None:
    assert await studio.run(process_id) != os.getpid()


async def test_what_the_function_raises_comes_back(studio: Studio) -> None:
    with pytest.raises(ValueError, match="no such colour"):
        await studio.run(fail)


async def test_a_crash_costs_one_drawing(studio: Studio) -> None:
    with pytest.raises(StudioLost):
        await studio.run(die)
    assert await studio.run(process_id)


async def test_a_process_that_died_while_idle_is_replaced_unnoticed(studio: Studio) -> None:
    pid = await studio.run(os.getpid)
    os.kill(pid, signal.SIGKILL)
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)  # the pool notices in a thread of its own
    assert await studio.run(os.getpid) != pid


async def test_ctrl_c_is_not_the_studios_business(studio: Studio) -> None:
    pid = await studio.run(os.getpid)
    os.kill(pid, signal.SIGINT)
    assert await studio.run(os.getpid) == pid


async def test_whoever_comes_after_a_cancelled_drawing_does_not_wait_for_it() -> None:
    studio = Studio(limit=5)
    try:
        await studio.run(os.getpid)
        drawing = asyncio.create_task(studio.run(time.sleep, 3600))
        await asyncio.sleep(0.2)
        drawing.cancel()
        assert await studio.run(os.getpid)
    finally:
        studio.close()


async def test_a_photo_does_not_wait_behind_films(studio: Studio, tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    films = [
        asyncio.create_task(studio.film(number, note, tmp_path / str(number), go_on))
        for number in range(2)
    ]
    await asyncio.sleep(0)
    assert await studio.run(process_id)
    assert not any(film.done() for film in films)
    go_on.touch()
    assert await asyncio.gather(*films) == [1, 1]


async def test_equal_films_are_drawn_once(studio: Studio, tmp_path: Path) -> None:
    calls = [studio.film("same", note, tmp_path / "film") for _ in range(5)]
    assert await asyncio.gather(*calls) == [1] * 5
    assert await studio.film("same", note, tmp_path / "film") == 1
    assert await studio.film("other", note, tmp_path / "film") == 2


async def test_only_the_newest_films_are_remembered(studio: Studio, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        assert await studio.film(number, note, tmp_path / "film") == number
    assert await studio.film(3, note, tmp_path / "film") == 3
    assert await studio.film(1, note, tmp_path / "film") == 4


async def test_a_film_without_a_key_is_not_remembered(studio: Studio, tmp_path: Path) -> None:
    assert await studio.film(None, note, tmp_path / "film") == 1
    assert await studio.film(None, note, tmp_path / "film") == 2


async def test_a_failed_film_is_tried_again(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such colour"):
        await studio.film("film", fail)
    assert await studio.film("film", note, tmp_path / "film") == 1


async def test_one_leaving_does_not_stop_a_film_for_others(studio: Studio, tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    leaving, staying = (
        asyncio.create_task(studio.film("film", note, tmp_path / "film", go_on)) for _ in range(2)
    )
    await asyncio.sleep(0.05)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    go_on.touch()
    assert await staying == 1


async def test_a_film_nobody_waits_for_is_not_drawn(studio: Studio, tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    first = asyncio.create_task(studio.film("first", note, tmp_path / "first", go_on))
    second = asyncio.create_task(studio.film("second", note, tmp_path / "second"))
    await asyncio.sleep(0.05)
    second.cancel()
    go_on.touch()
    assert await first == 1
    assert await studio.film("third", note, tmp_path / "third") == 1
    assert not (tmp_path / "second").exists()
