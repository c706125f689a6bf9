"""`tadim pull [NAME…] [--all]`: fetch weights ahead of the first use, with a progress bar."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from bot.settings import Settings
from inference.tasks import Task, Variant, all_tasks
from inference.tasks.safety import TASK as SAFETY
from inference.weights import Fetching, Manifest, WeightsError, WeightsStore
from locales import Listing, Message, Words, words

LARGER = "embedded-large"  # a checkpoint that nobody has to have: used where it was pulled

#: failures that the next entry would meet as well
_FOR_ALL = ("no-space", "disk")


class Held(Protocol):
    """What tells which weights are here: the store."""

    def path(self, name: str) -> Path | None: ...


def open_store(settings: Settings) -> WeightsStore:
    """The weights store as configured: its folder, the local mirror and the user's pins.

    Raises:
        ManifestError: a pin does not fit the manifest.
    """
    return WeightsStore(settings.weights_folder, manifest_of(settings))


def manifest_of(settings: Settings) -> Manifest:
    """What weights there are, with the local mirror and the user's pins.

    Raises:
        ManifestError: a pin does not fit the manifest.
    """
    manifest = Manifest.shipped().pinned(settings.weights.pins)
    if settings.weights.mirror:
        manifest = manifest.mirrored(Path(settings.weights.mirror))
    return manifest


def chosen(settings: Settings, store: Held) -> list[tuple[Task, Variant]]:
    """Each task that may come, and the checkpoint that answers it under this configuration."""
    tasks = [t for t in all_tasks().values() if settings.safety.enabled or t.name != SAFETY.name]
    profiles = [(task, profile_of(task, settings, store)) for task in tasks]
    return [(task, task.variant(profile)) for task, profile in profiles if task.offered(profile)]


def chosen_variants(settings: Settings, store: Held) -> list[Variant]:
    """The checkpoints that answer under this configuration, one for each task."""
    return [variant for _, variant in chosen(settings, store)]


def needed_weights(settings: Settings, store: Held) -> list[str]:
    """The manifest's entries that those checkpoints need, each once."""
    variants = chosen_variants(settings, store)
    return list(dict.fromkeys(name for variant in variants for name in variant.weights))


def hub_checkpoints(settings: Settings, store: Held) -> list[str]:
    """Those that their own library fetches from the model hub; no entry of the manifest."""
    variants = chosen_variants(settings, store)
    return [variant.name for variant in variants if "checkpoint" in variant.options]


def profile_of(task: Task, settings: Settings, store: Held) -> str:
    """The profile whose checkpoint answers a task.

    The text model may be chosen by itself; "auto" takes the larger one of the embedded profile if
    it was pulled.
    """
    profile, text_model = settings.inference.profile, settings.inference.text_model
    if task.room != "text":
        return profile
    if text_model != "auto":
        return text_model
    larger = task.variants.get(LARGER)
    if profile == "embedded" and larger and all(_is_here(name, store) for name in larger.weights):
        return LARGER
    return profile


def _is_here(name: str, store: Held) -> bool:
    try:
        return store.path(name) is not None
    except WeightsError:  # a manifest that does not name it
        return False


def run(names: Sequence[str], everything: bool, settings: Settings) -> int:
    """Fetch the named entries, all of them, or what the profile needs. Exit code: 0 if all came.

    One line for each entry, whether it came or why it did not; a failure does not stop the rest.

    Raises:
        ManifestError: a pin in the configuration does not fit the manifest.
    """
    say = words(settings.language)
    console = Console()
    store = open_store(settings)
    wanted = list(store.entries) if everything else list(names) or needed_weights(settings, store)
    try:
        with _progress_bar(console) as bar:
            failed = _pull_each(wanted, store, bar, say)
    except KeyboardInterrupt:
        console.print(say(Message("pull-interrupted")))
        return 130
    if not names and (left := hub_checkpoints(settings, store)):
        console.print(say(Message("pull-hub", models=Listing(left))))
    return 1 if failed else 0


def _pull_each(wanted: Iterable[str], store: WeightsStore, bar: Progress, say: Words) -> bool:
    failed = False
    for name in wanted:
        try:
            was_here = _verify(name, store, bar, say)
            path = _pull(name, store, bar)
        except WeightsError as error:
            failed = True
            bar.console.print(Text("✗ ", "red") + Text(sentence(error, store, say)))
            if error.reason in _FOR_ALL:
                break
        else:
            key = "pull-present" if was_here else "pull-done"
            text = say(Message(key, name=name, path=str(path)))
            bar.console.print(Text("✓ ", "green") + Text(text), soft_wrap=True)
    return failed


def _verify(name: str, store: WeightsStore, bar: Progress, say: Words) -> bool:
    """Whether the file is here and whole; that it was damaged is said."""
    if store.path(name) is None:
        return False
    line = bar.add_task(say(Message("pull-verifying", name=name)), total=None)
    try:
        whole = store.verify(name)
    finally:
        bar.remove_task(line)
    if not whole:
        bar.console.print(Text("! ", "yellow") + Text(say(Message("pull-damaged", name=name))))
    return whole


def _pull(name: str, store: WeightsStore, bar: Progress) -> Path:
    line = bar.add_task(name, total=store.entries[name].size if name in store.entries else None)

    def tell(fetching: Fetching) -> None:
        bar.update(line, completed=fetching.done_bytes, total=fetching.total_bytes)

    try:
        return store.pull(name, tell)
    finally:
        bar.remove_task(line)


def sentence(error: WeightsError, store: WeightsStore, say: Words) -> str:
    """What went wrong, and for a name that does not exist those that are near it."""
    text = say(Message(f"error-weights-{error.reason}", **error.facts))
    if error.reason == "unknown":
        near = difflib.get_close_matches(error.facts["name"], store.entries, n=3)
        if near:
            text += " " + say(Message("pull-known", names=Listing(near)))
    return text


def _progress_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
