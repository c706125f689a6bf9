"""The program as the README starts it: a process that serves, says where, and stops cleanly."""

from __future__ import annotations

import asyncio
import io
import os
import queue
import re
import signal
import subprocess
import sys
import tarfile
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from locales import Message, words
from tests.bot.web_world import Browser, said

START = [sys.executable, "-c", "from bot.cli import main; main([])"]


def environment(folder: Path, **extra: str) -> dict[str, str]:
    hidden = ("DISCORD_TOKEN", "TELEGRAM_TOKEN", "TADIM_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return clean | {"TADIM_DATA_FOLDER": str(folder), "TADIM_WEB__PORT": "0"} | extra


@pytest.fixture
def program(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(
        START,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield running
    if running.poll() is None:
        running.kill()
    running.communicate()


def first_line(running: subprocess.Popen[str], limit: float = 60.0) -> str:
    """The first line of standard output, or a failure after `limit` seconds."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    assert running.stdout
    threading.Thread(target=lambda: lines.put(running.stdout.readline()), daemon=True).start()
    return lines.get(timeout=limit)


def address_of(running: subprocess.Popen[str]) -> str:
    match = re.search(r"http://127\.0\.0\.1:\d+/", first_line(running))
    assert match
    return match[0]


def test_it_says_its_address_answers_and_stops_with_nothing_left(
    program: subprocess.Popen[str],
) -> None:
    address = address_of(program)
    with urllib.request.urlopen(address) as page:
        assert "Tadım" in page.read().decode()
    with urllib.request.urlopen(address + "healthz") as health:
        assert health.status == 200
    with urllib.request.urlopen(address + "metrics") as metrics:
        assert "tadim_queue_waiting" in metrics.read().decode()
    with urllib.request.urlopen(address + "source") as archive:
        data = io.BytesIO(archive.read())
    with tarfile.open(fileobj=data) as tar:
        names = tar.getnames()
    assert {"tadim/bot/app.py", "tadim/LICENSE", "tadim/locales/tr/kit.ftl"} <= set(names)
    assert not [
        name for name in names if any(part in name for part in (".env", "sqlite", "config.toml"))
    ]
    children = psutil.Process(program.pid).children(recursive=True)
    program.send_signal(signal.SIGTERM)
    _, errors = program.communicate(timeout=60)
    assert program.returncode == 0
    assert "Traceback" not in errors
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


async def test_at_the_end_the_page_says_what_became_of_work_under_way(
    program: subprocess.Popen[str],
) -> None:
    """One training is at its worker, two wait behind it."""
    frontend: Any = SimpleNamespace(address=address_of(program))
    async with Browser(frontend) as browser:
        await browser.open()
        async with browser.tab() as tab:
            for seed in range(3):
                await tab.send("line", text=f"/xor hidden:16 steps:5000 seed:{seed}")
            async with asyncio.timeout(120):
                while not (await tab.answer("partial"))["fraction"]:
                    pass  # until the first has begun
            program.send_signal(signal.SIGTERM)
            answers = []
            while len(answers) < 3:
                answers.append(await tab.answer("final"))
    say = words("en")
    for answer in answers[:2]:
        assert said(answer) == say(Message("error-stopping"))
        assert [button["label"] for button in answer["buttons"]] == [say(Message("button-again"))]
    # It may have been done in time.
    assert said(answers[2]) == say(Message("error-stopped")) or answers[2]["images"]
    assert program.wait(timeout=60) == 0


def test_workers_end_when_the_program_is_killed(program: subprocess.Popen[str]) -> None:
    address_of(program)
    children = psutil.Process(program.pid).children(recursive=True)
    program.kill()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive


def test_the_main_process_loads_no_torch(program: subprocess.Popen[str]) -> None:
    address_of(program)
    if not hasattr(psutil.Process, "memory_maps"):
        pytest.skip("this system does not show a process's libraries")
    loaded = {Path(each.path).name for each in psutil.Process(program.pid).memory_maps()}
    assert not [name for name in loaded if name.startswith("libtorch")]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"TADIM_WEB__HOST": "0.0.0.0"}, "TADIM_WEB_TOKEN"),
        ({"TADIM_WEB__ENABLED": "false"}, "DISCORD_TOKEN"),
        ({"TADIM_WEB__PORT": "many"}, "TADIM_WEB__PORT"),
        ({"TADIM_STORE__URL": "sqlite+aiosqlite:////dev/null/all.db"}, "/dev/null"),
        ({"TELEGRAM_TOKEN": "not-a-token", "TADIM_WEB__ENABLED": "false"}, "Telegram"),
        ({"DISCORD_TOKEN": "not-a-token", "TADIM_WEB__ENABLED": "false"}, "Discord"),
    ],
)
def test_what_keeps_it_from_starting_is_one_sentence(
    tmp_path: Path, extra: dict[str, str], said: str
) -> None:
    ended = subprocess.run(
        START,
        env=environment(tmp_path, **extra),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "not-a-token" not in ended.stderr + ended.stdout
