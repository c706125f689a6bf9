"""The program's own source as an archive, because the AGPL gives its users a right to it.

Where the operator has named no public place (`source` in config.toml), the web page offers this.
"""

from __future__ import annotations

import io
import tarfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("bot", "handlers", "inference", "locales", "tests", "docs", ".ci")
# Not config.toml: here it is the operator's own, and may hold a database's password.
FILES = ("*.md", "LICENSE", "pyproject.toml", ".gitignore")
NAME = "tadim-source.tar.gz"


@cache
def archive() -> bytes:
    """A tar.gz of the files this program runs from; secrets and caches are not among them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path in sorted(_files()):
            tar.add(path, f"tadim/{path.relative_to(ROOT)}", filter=_anonymous)
    return buffer.getvalue()


def _files() -> set[Path]:
    named = {path for pattern in FILES for path in ROOT.glob(pattern)}
    inside = {path for folder in FOLDERS for path in (ROOT / folder).rglob("*")}
    return {
        path
        for path in named | inside
        if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts
    }


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the operator's user name."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
