"""Start-up and idle memory: `uv run python -m tests.benchmarks.startup`.

Starts `tadim` on a free port with an empty data folder, waits until the page answers, lets it idle,
and reads the main process's resident memory. Prints JSON: seconds and megabytes, and whether torch
is loaded in the main process (it must not be).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

IDLE_SECONDS = 15


def main() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        hidden = dict.fromkeys(("DISCORD_TOKEN", "TELEGRAM_TOKEN"), "")
        environment = {k: v for k, v in os.environ.items() if k not in hidden} | {
            "TADIM_DATA_FOLDER": folder,
            "TADIM_WEB__PORT": str(port),
        }
        began = time.perf_counter()
        program = subprocess.Popen(
            [sys.executable, "-c", "from bot.cli import main; main([])"],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        try:
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).close()
                    break
                except (urllib.error.URLError, ConnectionError):
                    if program.poll() is not None or time.perf_counter() - began > 60:
                        sys.exit("tadim did not start")
                    time.sleep(0.02)
            answered = time.perf_counter() - began
            time.sleep(IDLE_SECONDS)
            process = psutil.Process(program.pid)
            maps = {Path(each.path).name for each in process.memory_maps()}
            report = {
                "seconds_to_first_page": round(answered, 2),
                "main_process_megabytes": round(process.memory_info().rss / 1e6, 1),
                "torch_in_main_process": any(name.startswith("libtorch") for name in maps),
                "worker_megabytes": [
                    round(child.memory_info().rss / 1e6, 1)
                    for child in process.children(recursive=True)
                ],
            }
        finally:
            program.send_signal(signal.SIGTERM)
            program.wait(30)
    json.dump(report, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
