"""`tadim doctor`: is everything there that Tadım needs, and if not, what to do next.

Each check returns one `Finding`; `run` prints them as a table. Tokens are judged by their form
alone and never shown. torch is asked in a subprocess, so that a broken driver cannot take us along.
"""

from __future__ import annotations

import base64
import binascii
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.pull import chosen, hub_checkpoints, needed_weights, open_store
from bot.settings import Settings, devices_of
from handlers.kit.errors import message_for
from inference.jobs import TooLargeForDevice
from inference.tasks import shares
from inference.weights import ManifestError, WeightsError
from locales import Listing, Message, words

PACKAGES = (
    "torch",
    "torchvision",
    "transformers",
    "diffusers",
    "ultralytics",
    "xllamacpp",
    "discord.py",
    "python-telegram-bot",
    "aiohttp",
    "pillow",
)
OLDEST_PYTHON = (3, 11)
ROOM = 200_000_000  # bytes the database and the logs should find free besides the weights

# Runs in a process of its own and prints one line of JSON.
_PROBE = """
import json, psutil, torch
gpus = range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
facts = [torch.cuda.get_device_properties(number) for number in gpus]
print(json.dumps({
    "gpus": [[gpu.name, gpu.total_memory] for gpu in facts],
    "mps": torch.backends.mps.is_available(),
    "cores": psutil.cpu_count(logical=False) or psutil.cpu_count(),
    "ram": psutil.virtual_memory().total,
}))
"""
_PROBE_SECONDS = 120


class Mark(Enum):
    """How a check ended."""

    GOOD = "good"
    BAD = "bad"  # needed and not right: `tadim doctor` exits 1
    UNUSED = "unused"  # not there, and not needed


_SIGNS = {
    Mark.GOOD: Text("✓", "green"),
    Mark.BAD: Text("✗", "red"),
    Mark.UNUSED: Text("–", "dim"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table: what was looked at, what was found, and what to do about it.

    `below` is printed under the table, unbroken, so that an address in it can be copied.
    """

    subject: Message | str
    found: Message | str
    mark: Mark = Mark.GOOD
    next_step: Message | str | None = None
    below: Message | None = None


def run(settings: Settings) -> int:
    """Look at everything and print it. Exit code: 1 if something needed is missing, else 0."""
    say = words(settings.language)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    bad, below = False, []
    console = Console()
    with console.status(say(Message("doctor-looking"))):
        for finding in check(settings):
            bad = bad or finding.mark is Mark.BAD
            text = Text(say(finding.found))
            if finding.next_step is not None:
                text.append("\n→ ", "yellow").append(say(finding.next_step))
            if finding.below is not None:
                below.append(say(finding.below))
            table.add_row(_SIGNS[finding.mark], Text(say(finding.subject)), text)
    console.print(table)
    for line in below:
        console.print(line, soft_wrap=True, markup=False)
    console.print(say(Message("doctor-bad" if bad else "doctor-good")))
    return 1 if bad else 0


def check(settings: Settings) -> Iterator[Finding]:
    """Every finding, in the order of the table."""
    yield check_python()
    yield from (check_package(name) for name in PACKAGES)
    yield check_engine(settings)
    yield from check_device(settings)
    yield from check_budget(settings)
    yield check_folder(settings.data_folder)
    yield from check_weights(settings)
    yield check_safety(settings)
    yield check_discord(settings.discord_token)
    yield check_telegram(settings.telegram_token)
    if settings.telegram_token:
        yield check_arrivals(settings)
    if not (settings.discord_token or settings.telegram_token or settings.web.enabled):
        yield Finding(
            Message("doctor-frontends"),
            Message("doctor-frontends-none"),
            Mark.BAD,
            Message("doctor-frontends-next"),
        )


# --- the machine --------------------------------------------------------------------------------


def check_python() -> Finding:
    """Python's version and the system."""
    found = f"{platform.python_version()} · {platform.system()} {platform.machine()}"
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("Python", found)
    oldest = ".".join(str(number) for number in OLDEST_PYTHON)
    return Finding("Python", found, Mark.BAD, Message("doctor-python-next", version=oldest))


def check_package(name: str) -> Finding:
    """The installed version of a package; it is not imported."""
    try:
        return Finding(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, Message("doctor-absent"), Mark.BAD, Message("doctor-package-next"))


def check_engine(settings: Settings) -> Finding:
    """Where the workers live, and how many there are for each kind of work."""
    subject = Message("doctor-engine")
    chosen = settings.inference
    if chosen.engine == "process":
        return Finding(subject, Message("doctor-engine-process", workers=chosen.workers))
    try:
        version = importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError:
        step = Message("doctor-engine-next")
        return Finding(subject, Message("doctor-engine-absent"), Mark.BAD, step)
    address = chosen.ray_address or os.environ.get("RAY_ADDRESS", "")
    key = "doctor-engine-ray-here" if address in ("", "local") else "doctor-engine-ray"
    return Finding(subject, Message(key, version=version, address=address))


def check_device(settings: Settings) -> Iterator[Finding]:
    """What torch can compute on here, and its memory.

    Devices that the configuration names must be here, unless the workers are on a Ray cluster.
    """
    subject = Message("doctor-device")
    try:
        answer = subprocess.run(  # noqa: S603 (our own interpreter, our own text)
            [sys.executable, "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=True,
        )
        facts = json.loads(answer.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, OSError, ValueError, IndexError) as error:
        found = Message("doctor-device-broken", reason=_last_line(error))
        yield Finding(subject, found, Mark.BAD, Message("doctor-package-next"))
        return
    gpus = [
        f"cuda:{number} · {name} · {_gigabytes(memory)} GB"
        for number, (name, memory) in enumerate(facts["gpus"])
    ]
    present = gpus or (["mps"] if facts["mps"] else ["cpu"])
    wanted = settings.inference.device
    absent = [device for device in devices_of(wanted) if not _is_here(device, facts)]
    here = settings.inference.engine == "process"
    if absent and here:
        found = Message("doctor-device-other", wanted=wanted, found=Listing(present))
        yield Finding(subject, found, Mark.BAD, Message("doctor-device-next"))
    else:
        yield Finding(subject, "\n".join(present))
    driver = len(gpus_of_the_driver())
    if driver > len(gpus):
        found = Message("doctor-device-unseen", count=driver, found=len(gpus))
        yield Finding(subject, found, Mark.UNUSED, Message("doctor-device-unseen-next"))
    memory = Message(
        "doctor-memory-found", gigabytes=_gigabytes(facts["ram"]), cores=facts["cores"]
    )
    yield Finding(Message("doctor-memory"), memory)


def _is_here(device: str, facts: dict[str, Any]) -> bool:
    kind, _, index = device.partition(":")
    match kind:
        case "cuda":
            return int(index or 0) < len(facts["gpus"])
        case "mps":
            return bool(facts["mps"])
        case _:
            return True


def gpus_of_the_driver(devices: Path = Path("/dev")) -> list[str]:
    """The GPUs that NVIDIA's driver shows to this process, whether torch can use them or not."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    nodes = sorted(path.name for path in devices.glob("nvidia[0-9]*"))
    if visible is None or not nodes:
        return nodes
    return [entry for entry in visible.split(",") if entry.strip() not in ("", "-1")]


def check_budget(settings: Settings) -> Iterator[Finding]:
    """What models may occupy on each device, and those that would never fit."""
    subject = Message("doctor-budget")
    budget = settings.inference.memory_megabytes * 1_000_000
    if not budget:
        yield Finding(subject, Message("doctor-budget-chosen"))
        return
    yield Finding(subject, Message("doctor-budget-set", gigabytes=_gigabytes(budget)))
    try:
        variants = chosen(settings, open_store(settings))
    except ManifestError:  # `check_weights` says so
        return
    parts = shares(variants)
    for task, variant in variants:
        part = int(budget * parts[task.room])
        if variant.memory > part:
            error = TooLargeForDevice(variant.name, variant.memory, part)
            step = Message("doctor-budget-next")
            yield Finding(subject, message_for(error) or str(error), Mark.BAD, step)


def _last_line(error: Exception) -> str:
    text = getattr(error, "stderr", None) or str(error)
    return (str(text).strip().splitlines() or [type(error).__name__])[-1]


def check_folder(folder: Path) -> Finding:
    """Whether the data folder can be written; it is made if it is not there."""
    subject = Message("doctor-folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        found = Message("doctor-folder-closed", folder=str(folder), reason=error.strerror or "")
        return Finding(subject, found, Mark.BAD, Message("doctor-folder-next"))
    gigabytes = _gigabytes(shutil.disk_usage(folder).free)
    return Finding(subject, Message("doctor-folder-open", folder=str(folder), gigabytes=gigabytes))


# --- weights ------------------------------------------------------------------------------------


def check_weights(settings: Settings) -> Iterator[Finding]:
    """What the profile needs, what is here and whole, and whether the rest would fit on the disk.

    Reads every file from end to end; damaged ones are deleted.
    """
    subject = Message("doctor-weights")
    try:
        store = open_store(settings)
        needed = needed_weights(settings, store)
        missing = store.missing(needed)
    except ManifestError as error:
        yield Finding(subject, str(error), Mark.BAD, Message("doctor-pins-next"))
        return
    except WeightsError as error:
        yield Finding(subject, Message(f"error-weights-{error.reason}", **error.facts), Mark.BAD)
        return
    for name in needed:
        entry = store.entries[name]
        megabytes = round((entry.size or 0) / 1e6, 1)
        if name in missing:
            found = Message("doctor-weights-missing", megabytes=megabytes)
            yield Finding(name, found, Mark.BAD, f"tadim pull {name}")
            continue
        try:
            whole = store.verify(name)
        except WeightsError as error:
            found = Message(f"error-weights-{error.reason}", **error.facts)
            yield Finding(name, found, Mark.BAD)
            continue
        if not whole:
            missing.append(name)
            yield Finding(name, Message("doctor-weights-damaged"), Mark.BAD, f"tadim pull {name}")
        else:
            found = Message("doctor-weights-here", megabytes=megabytes, licence=entry.licence)
            yield Finding(name, found)
    if checkpoints := hub_checkpoints(settings, store):
        yield Finding(subject, Message("pull-hub", models=Listing(checkpoints)), Mark.UNUSED)
    # Wheel and file lie side by side until the file is verified.
    room = 2 * sum(store.entries[name].size or 0 for name in missing) + ROOM
    if _free(store.folder) < room:
        found = Message("doctor-space-short", megabytes=-(-room // 1_000_000))
        yield Finding(Message("doctor-space"), found, Mark.BAD, Message("doctor-space-next"))


def check_safety(settings: Settings) -> Finding:
    """Whether pictures are checked before they are shown."""
    subject, chosen = Message("doctor-safety"), settings.safety
    if chosen.enabled:
        return Finding(subject, Message("doctor-safety-on", threshold=chosen.threshold))
    step = Message("doctor-safety-next")
    return Finding(subject, Message("doctor-safety-off"), Mark.UNUSED, step)


def _free(folder: Path) -> int:
    """Bytes free where `folder` is or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


# --- tokens: judged by their form, never shown --------------------------------------------------


def check_discord(token: SecretStr | None) -> Finding:
    """The form of DISCORD_TOKEN; a good one yields the address that invites the bot."""
    if token is None:
        return Finding("DISCORD_TOKEN", Message("doctor-token-none"), Mark.UNUSED)
    application = discord_application(token.get_secret_value())
    if application is None:
        step = Message("doctor-discord-next")
        return Finding("DISCORD_TOKEN", Message("doctor-token-bad"), Mark.BAD, step)
    from bot.discord.client import invitation  # the library takes a second to import

    link = Message("doctor-discord-invite", url=invitation(application))
    return Finding("DISCORD_TOKEN", Message("doctor-token-good"), below=link)


def discord_application(token: str) -> int | None:
    """The id of the application a bot token belongs to (it is public), None if it is no token.

    Three parts joined by dots, in URL-safe base64; the first is the id in decimal digits.
    """
    if not re.fullmatch(r"[\w-]{20,30}\.[\w-]{5,8}\.[\w-]{25,50}", token, re.ASCII):
        return None
    first = token.partition(".")[0]
    try:
        decoded = base64.urlsafe_b64decode(first + "=" * (-len(first) % 4))
    except binascii.Error:
        return None
    return int(decoded) if re.fullmatch(rb"\d{15,21}", decoded) else None


def check_telegram(token: SecretStr | None) -> Finding:
    """The form of TELEGRAM_TOKEN: the bot's number, a colon, 35 characters.

    A good one yields what there is to set in BotFather.
    """
    if token is None:
        return Finding("TELEGRAM_TOKEN", Message("doctor-token-none"), Mark.UNUSED)
    if re.fullmatch(r"\d{6,12}:[\w-]{35}", token.get_secret_value(), re.ASCII):
        hints = Message("doctor-telegram-botfather")
        return Finding("TELEGRAM_TOKEN", Message("doctor-token-good"), below=hints)
    step = Message("doctor-telegram-next")
    return Finding("TELEGRAM_TOKEN", Message("doctor-token-bad"), Mark.BAD, step)


def check_arrivals(settings: Settings) -> Finding:
    """How Telegram's updates arrive; `load` has seen to the form of a webhook's address."""
    subject, address = Message("doctor-telegram-updates"), settings.telegram.webhook
    if not address:
        return Finding(subject, Message("doctor-telegram-polling"))
    if settings.web.port == 0:
        step = Message("doctor-telegram-port-next")
        return Finding(subject, Message("doctor-telegram-port"), Mark.BAD, step)
    route = {"address": f"{address}/telegram/…", "port": str(settings.web.port)}
    return Finding(subject, Message("doctor-telegram-webhook", **route))


def _gigabytes(count: int) -> float:
    return round(count / 1e9, 1)
