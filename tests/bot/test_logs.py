"""Log lines: a job's number and figures in both formats, and nothing that is nobody's business."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.logs import JsonFormatter, TextFormatter

ROOT = Path(__file__).parents[2]
JOB = {
    "job": 17,
    "task": "detection",
    "variant": "YOLO26n",
    "outcome": "failed",
    "wait": 0.12345,
    "seconds": 2.0,
    "attempts": 2,
    "worker": "compute-1",
}


def record(message: str, *args: object, **extra: Any) -> logging.LogRecord:
    logger = logging.getLogger("tadim.jobs")
    return logger.makeRecord(
        logger.name, logging.WARNING, __file__, 1, message, args, None, extra=extra
    )


def test_a_job_as_text() -> None:
    line = TextFormatter().format(record("%s failed", "detection", **JOB))
    assert line.partition(" WARNING ")[2] == (
        "tadim.jobs: detection failed job=17 task=detection variant=YOLO26n outcome=failed "
        "wait=0.123 seconds=2.0 attempts=2 worker=compute-1"
    )


def test_a_job_as_json() -> None:
    line = JsonFormatter().format(record("%s failed", "detection", **JOB))
    said = json.loads(line)
    assert said.pop("time").endswith("+00:00")
    assert said == {
        "level": "WARNING",
        "logger": "tadim.jobs",
        "message": "detection failed",
        **JOB,
        "wait": 0.123,
    }


def test_what_is_unknown_is_left_out_and_spaces_are_quoted() -> None:
    odd = record("done", job=3, variant="GPT-2 large", seconds=None)
    assert TextFormatter().format(odd).endswith('done job=3 variant="GPT-2 large"')
    assert "seconds" not in json.loads(JsonFormatter().format(odd))


def test_other_fields_stay_where_they_are() -> None:
    """A list of what may be written: whatever else somebody attaches to a record is not."""
    curious = record("done", job=3, user="discord:42", payload="my secret diary", token="123:AB")
    for formatter in (TextFormatter(), JsonFormatter()):
        line = formatter.format(curious)
        for secret in ("discord:42", "diary", "123:AB"):
            assert secret not in line


def test_one_record_is_one_line_of_json_whatever_it_says() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        odd = record("a\nb\u2028“ş”\ud800")
        odd.exc_info = sys.exc_info()
    line = JsonFormatter().format(odd)
    assert line.isascii()
    assert len(line.splitlines()) == 1
    said = json.loads(line)
    assert said["message"] == "a\nb\u2028“ş”\ud800"
    assert said["exception"].endswith("ValueError: first\nsecond")


@pytest.mark.parametrize("style", ["text", "json"])
def test_lines_go_to_standard_error_and_talkative_libraries_are_hushed(style: str) -> None:
    script = f"""
import logging
from bot.logs import configure_logging
configure_logging("INFO", {style!r})
logging.getLogger("tadim.jobs").info("done", extra={{"job": 17}})
logging.getLogger("tadim.jobs").debug("not at this level")
logging.getLogger("httpx").info("GET https://api.telegram.org/bot123:secret/getMe")
logging.getLogger("sqlalchemy.engine").info("INSERT INTO users VALUES ('discord:42')")
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stdout) == (0, "")
    [line] = ran.stderr.splitlines()
    assert (json.loads(line)["job"] == 17) if style == "json" else line.endswith("done job=17")
