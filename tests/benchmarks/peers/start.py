"""Tadım's side of the peers: their environment, one process for each, and nothing left behind."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import platformdirs
import psutil

NAMES = ("async_batcher", "batched", "litserve", "mosec", "ray_serve")
LIMIT = 300.0  # seconds a peer may take
_HERE = Path(__file__).parent
_PR_SET_CHILD_SUBREAPER = 36


class PeersError(Exception):
    """The peers' environment cannot be built; the text says why."""


def environment() -> Path:
    """The interpreter of the peers' environment, built with uv if it is not there yet.

    It lies in the user's cache folder, one for each list of requirements and Python version.

    Raises:
        PeersError: there is no uv, or it fails.
    """
    requirements = _HERE / "requirements.txt"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = platformdirs.user_cache_path("tadim-benchmarks") / f"peers-{version}-{digest}"
    python = folder / "bin" / "python"
    complete = folder / "complete"
    if complete.exists():
        return python
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise PeersError("uv is needed to build the peers' environment")
    for command in (
        [uv, "venv", "--quiet", "--clear", "--python", version, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(requirements)],
    ):
        # Not the project's settings: a peer may need a version that Tadım does not use.
        built = subprocess.run(
            command, cwd=tempfile.gettempdir(), capture_output=True, text=True, check=False
        )
        if built.returncode:
            raise PeersError(built.stderr.strip()[-500:])
    complete.touch()
    return python


def measure(name: str, python: Path) -> dict[str, Any]:
    """The figures of one peer, measured in a fresh process; {"error": …} if it gives none."""
    _adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="tadim-peer-") as folder:
        errors = Path(folder) / "stderr"
        with errors.open("wb") as stream:
            process = subprocess.Popen(
                [python, _HERE / "run.py", name],
                stdout=subprocess.PIPE,
                stderr=stream,
                cwd=folder,
                env=os.environ | {"TMPDIR": folder, "OMP_NUM_THREADS": "1"},  # as Tadım's worker
                start_new_session=True,
            )
            try:
                figures, _ = process.communicate(timeout=LIMIT)
                why = f"it ended with code {process.returncode}"
            except subprocess.TimeoutExpired:
                figures, why = b"", f"it took more than {LIMIT:g} s"
            finally:
                leftovers = _end_descendants(process)
        try:
            report: dict[str, Any] = json.loads(figures, parse_float=_rounded)
        except ValueError:
            last = errors.read_text(errors="replace").strip()[-300:]
            report = {"error": f"{why}: {last}"}
    if leftovers:
        report["processes_left_behind"] = leftovers
    return report


def _rounded(figure: str) -> float:
    """To what is worth reading."""
    return float(f"{float(figure):.4g}")


def _adopt_orphans() -> None:
    """Let what a peer's processes leave behind become children of this one, so that we find it.

    Ray's daemons leave their process group. Linux only; elsewhere only living parents are known.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_descendants(process: subprocess.Popen[bytes]) -> int:
    """Kill the peer and everything it has started; how many had outlived it.

    This process has no other children while it measures a peer.
    """
    outlived = process.poll() is not None
    killed = 0
    while family := [
        each
        for each in psutil.Process().children(recursive=True)
        if each.status() != psutil.STATUS_ZOMBIE
    ]:
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGKILL)
                killed += 1
        psutil.wait_procs(family, timeout=5)
    process.wait()
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:  # adopted zombies
            pass
    return killed if outlived else 0
