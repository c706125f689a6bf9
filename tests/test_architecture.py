"""The walls of the house: who may import whom, and who may print.

| room | must not import |
|---|---|
| `locales` | any other room |
| `inference` | `bot`, `handlers`, `locales` |
| `handlers` | `bot`, a platform's library, torch |
| `bot` | `inference.models`; a platform's library outside its own folder |

What counts for the main process is not only what its files say but what ends up loaded: so its
modules are imported in a fresh interpreter, too.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PLATFORMS = {"discord", "telegram", "aiohttp"}
HEAVY = {
    *("torch", "torchvision", "transformers", "diffusers", "ultralytics", "xllamacpp", "cv2"),
    "onnxruntime",
}

#: modules of `inference` that run in worker processes; the main process never imports them
WORKSHOP = ("inference/models", "inference/training")


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    """Every module that a file names in an import, at any depth, for the type checker too."""
    package = list(path.relative_to(ROOT).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def offenders(paths: list[Path], forbidden: set[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in imports(path)
        if any(name == wall or name.startswith(wall + ".") for wall in forbidden)
    ]


def test_the_check_sees_imports_of_every_kind(tmp_path: Path) -> None:
    path = ROOT / "handlers" / "kit" / "runner.py"
    assert "inference.queue.Ticket" in set(imports(path)), "also those under TYPE_CHECKING"
    assert offenders([path], {"inference.queue"})
    assert not offenders([path], {"inference.que"})


def test_the_words_stand_on_their_own() -> None:
    assert offenders(sources("locales"), {"bot", "handlers", "inference"}) == []


def test_inference_knows_no_chat() -> None:
    assert offenders(sources("inference"), {"bot", "handlers", "locales"} | PLATFORMS) == []


def test_handlers_know_no_platform_and_no_torch() -> None:
    assert offenders(sources("handlers"), {"bot"} | PLATFORMS | HEAVY) == []


def test_the_street_side_knows_no_model() -> None:
    assert offenders(sources("bot"), {"inference.models", "inference.training"} | HEAVY) == []


@pytest.mark.parametrize("platform", ["discord", "telegram"])
def test_a_platforms_library_stays_in_its_folder(platform: str) -> None:
    # `tadim doctor` asks the libraries how they are.
    allowed = (f"bot/{platform}", "bot/doctor.py")
    outside = [
        path for path in sources("bot") if not path.relative_to(ROOT).as_posix().startswith(allowed)
    ]
    assert offenders(outside, {platform}) == []


def test_tasks_and_the_queue_are_light() -> None:
    light = [
        path
        for path in sources("inference")
        if not path.relative_to(ROOT).as_posix().startswith(WORKSHOP)
    ]
    at_import = [path for path in light if _imports_at_top(path) & HEAVY]
    assert at_import == []


def _imports_at_top(path: Path) -> set[str]:
    """The top-level packages that importing the file itself would load."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


_LOADED = """
import importlib, pkgutil, sys

def everything(package):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)

for name in {names!r}:
    module = importlib.import_module(name)
    if hasattr(module, "__path__"):
        everything(module)
print(" ".join(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


def loaded(*names: str) -> set[str]:
    """The top-level packages in a fresh interpreter after importing these and all below them."""
    result = subprocess.run(
        [sys.executable, "-c", _LOADED.format(names=names)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_what_handlers_load() -> None:
    found = loaded("handlers", "bot.hub", "bot.presenting", "bot.store", "inference.tasks")
    assert found & (HEAVY | {"discord", "telegram"}) == set()
    assert {"handlers", "inference", "locales", "PIL"} <= found


def test_what_the_whole_main_process_loads() -> None:
    found = loaded("bot", "handlers", "inference.queue", "inference.tasks")
    assert found & HEAVY == set(), "the main process must stay small"
    assert {"discord", "telegram", "aiohttp"} <= found


def test_only_the_command_line_prints() -> None:
    """Everything else logs; a stray print would end up in the output of `tadim ask --json`."""
    allowed = ("bot/cli", "bot/ask", "inference/training")
    prints = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources("bot", "handlers", "inference", "locales")
        if not path.relative_to(ROOT).as_posix().startswith(allowed)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("print", "pprint", "breakpoint")
    ]
    assert prints == []
