"""Log lines on standard error: for people ("text"), or one JSON object a line for a collector.

What the queue says of a job (logger "tadim.jobs") carries its number and figures as fields. Of all
that a record may carry, only `JOB_FIELDS` are written: a list of what may leave the process, not of
what may not. Libraries for JSON logs write every field that anybody attached, so the few lines
below are our own.
"""

from __future__ import annotations

import json
import logging
import os
import re
from datetime import UTC, datetime
from typing import Any

#: what is known of a job: its number, what it asked for, how it ended, seconds, tries, which worker
JOB_FIELDS = (
    "job",
    "task",
    "variant",
    "outcome",
    "wait",
    "seconds",
    "attempts",
    "worker",
)

#: these log full URLs, and a Telegram URL holds the token; or every value that is stored
_TALKATIVE = (
    "httpx",
    "httpcore",
    "telegram",
    "discord.http",
    "discord.gateway",
    "aiohttp.access",
    "sqlalchemy.engine",
    "alembic",
)

_PLAIN = re.compile(r"[\w.:/+-]+")


def configure_logging(level: str, style: str = "text") -> None:
    """Log lines to standard error, with nobody's token in them. `style` is "text" or "json"."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler])
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def job_facts(record: logging.LogRecord) -> dict[str, Any]:
    """What a record says of a job, times in seconds to the millisecond; nothing else of it."""
    facts = {name: getattr(record, name, None) for name in JOB_FIELDS}
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in facts.items()
        if value is not None
    }


class TextFormatter(logging.Formatter):
    """`2026-11-23 12:00:00,000 WARNING tadim.jobs: failed job=17 task=detection …`"""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's own name)
        facts = (f"{name}={_quoted(value)}" for name, value in job_facts(record).items())
        return " ".join((super().formatMessage(record), *facts))


def _quoted(value: Any) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


class JsonFormatter(logging.Formatter):
    """One object a line: time (UTC), level, logger, message, the job's fields, exception."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **job_facts(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return json.dumps(line, default=str)
