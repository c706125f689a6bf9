"""The page, the sign-in page and the static files.

Pages are HTML with `{{message-key}}` in them, filled from the locales and escaped. Static files are
few and small: they are read once, at start-up, so no request ever names a path on the disk.
"""

from __future__ import annotations

import hashlib
import html
import importlib.util
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from locales import LANGUAGES, Message, language_of, words

FOLDER = Path(__file__).parent / "static"
_PLACEHOLDER = re.compile(r"\{\{([\w-]+)\}\}")


@dataclass(frozen=True, slots=True)
class Asset:
    data: bytes
    content_type: str
    etag: str

    def response(self, request: web.BaseRequest) -> web.Response:
        """The file, or 304 where the browser has this very version."""
        headers = {"ETag": f'"{self.etag}"', "Cache-Control": "no-cache"}
        if any(tag.value == self.etag for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=self.data, content_type=self.content_type, headers=headers)


def load_assets() -> dict[str, Asset]:
    """The files that `/static/NAME` serves."""
    return {
        path.name: asset(path)
        for path in sorted(FOLDER.iterdir())
        if path.suffix in (".css", ".js", ".svg")
    }


def asset(path: Path) -> Asset:
    data = path.read_bytes()
    kinds = {".js": "text/javascript", ".svg": "image/svg+xml", ".css": "text/css"}
    kind = kinds.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    return Asset(data, kind or "application/octet-stream", hashlib.sha256(data).hexdigest()[:32])


def sample() -> Asset | None:
    """A street scene that ships with one of our dependencies, for those without a photo at hand.

    The package is only looked up, never imported. None where the file is not there.
    """
    spec = importlib.util.find_spec("ultralytics")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "assets" / "bus.jpg"
    return asset(path) if path.is_file() else None


class Pages:
    """Renders the HTML files of `static/`."""

    def __init__(self) -> None:
        self._sources = {
            path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.html")
        }

    def render(self, name: str, language: str, status: int = 200, note: str = "") -> web.Response:
        """A page in a language. `note` is a message key shown on it, if any."""
        say = words(language)

        def fill(match: re.Match[str]) -> str:
            if match[1] == "language":
                return language
            if match[1] == "note":
                return html.escape(say(Message(note))) if note else ""
            return html.escape(say(Message(match[1])))

        text = _PLACEHOLDER.sub(fill, self._sources[name])
        return web.Response(
            text=text,
            content_type="text/html",
            status=status,
            headers={"Cache-Control": "no-store"},
        )


def accepted_language(request: web.BaseRequest) -> str | None:
    """The first of our languages in `Accept-Language`; browsers list the most wanted first."""
    for part in request.headers.get("Accept-Language", "")[:500].split(","):
        language = language_of(part.partition(";")[0].strip())
        if language in LANGUAGES:
            return language
    return None
