"""CONTRIBUTING.md's example, taken from the page and run: it must never rot."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def blocks(language: str) -> list[str]:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_example_command_works_as_printed(tmp_path: Path) -> None:
    for folder in ("bot", "handlers", "inference", "locales", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "benchmarks", "e2e")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    handler, test = blocks("python")
    english, turkish = blocks("ftl")
    (tmp_path / "handlers/crowd.py").write_text(handler, encoding="utf-8")
    (tmp_path / "locales/en/crowd.ftl").write_text(english, encoding="utf-8")
    (tmp_path / "locales/tr/crowd.ftl").write_text(turkish, encoding="utf-8")
    (tmp_path / "tests/handlers/test_crowd.py").write_text(test, encoding="utf-8")
    wanted = ["tests/handlers/test_crowd.py", "tests/locales"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *wanted],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
