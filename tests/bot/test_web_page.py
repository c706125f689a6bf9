"""The page's files: every word is there and used, the colours can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.web import pages
from bot.web.protocol import page_words
from locales import LANGUAGES, all_keys, words

ROOT = Path(__file__).parents[2] / "bot" / "web"
SOURCES = {
    path.name: path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.py"), *(ROOT / "static").iterdir())
}
_KEY = re.compile(r"""["'{`](web-[a-z-]+[a-z])(?:["'}`]|-\$\{)""")


def used_keys() -> set[str]:
    return {key for text in SOURCES.values() for key in _KEY.findall(text)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_page_exists(language: str) -> None:
    say = words(language)
    missing = {
        key
        for key in used_keys()
        if not say.has(key) and not any(k.startswith(f"{key}-") for k in all_keys(language))
    }
    assert missing == set()


def test_every_word_is_used() -> None:
    used = used_keys() | {f"web-theme-{theme}" for theme in ("system", "light", "dark")}
    assert {key for key in all_keys("en") if key.startswith("web-")} - used == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_are_filled_and_escaped(language: str) -> None:
    for name in ("index", "sign-in", "arrive"):
        text = pages.Pages().render(name, language, note="web-sign-in-wrong").text
        assert text
        assert "{{" not in text
        assert f'<html lang="{language}">' in text


def test_nothing_comes_from_elsewhere() -> None:
    """No CDN, no inline script or style, no way to write markup."""
    for name, text in SOURCES.items():
        if name.endswith(".html"):
            assert not re.search(r"""(src|href)=["']https?:""", text)
            assert not re.search(r"<script(?![^>]*src=)", text)
            assert not re.search(r"<style|\sstyle=|\son\w+=", text)
        if name.endswith(".css"):
            assert "@import" not in text
            assert "url(" not in text
        if name.endswith(".js"):
            assert not re.search(r"""from ["'](?!\./)""", text)
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|eval\(", text)


def test_the_pages_words_are_rendered_once() -> None:
    assert page_words("tr") is page_words("tr")


def test_there_is_a_sample_photo() -> None:
    sample = pages.sample()
    assert sample is not None
    assert sample.content_type == "image/jpeg"
    assert sample.data.startswith(b"\xff\xd8")


# --- colours


def _luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, 0…1 (WCAG 2)."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("block", [0, 1, 2])
def test_contrast(block: int) -> None:
    """AA: 4.5 for words, 3 for the borders of controls; light, system's dark, chosen dark."""
    css = SOURCES["style.css"]
    blocks = [b for b in re.findall(r"\{([^{}]*)\}", css) if "--ground" in b]
    colour = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[block]))
    for letters in ("ink", "soft", "cherry"):
        for behind in ("ground", "surface", "raised"):
            assert _contrast(colour[letters], colour[behind]) >= 4.5, (letters, behind)
    for letters in ("ink", "cherry"):
        assert _contrast(colour[letters], colour["cherry-wash"]) >= 4.5, letters
    assert _contrast(colour["on-cherry"], colour["cherry"]) >= 4.5
    for behind in ("ground", "surface", "raised"):
        assert _contrast(colour["strong-line"], colour[behind]) >= 3, behind
