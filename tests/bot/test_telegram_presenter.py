"""What Telegram messages look like: length, division, markup, pictures, buttons."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image as Pillow

from bot.presenting import Rendered, RenderedBlock, RenderedButton, RenderedImage
from bot.telegram.media import Media, as_it_is, prepare
from bot.telegram.presenter import (
    AlbumPost,
    MediaPost,
    TextPost,
    compose,
    keyboard,
    progress_bar,
    sends,
    status,
    streams,
    token_of,
    writing,
)
from bot.telegram.text import command_name, divide, length, markup, units
from handlers.kit.reply import File, Reply, State
from tests.e2e.telegram_server import read_html


def say(text: str) -> RenderedBlock:
    return RenderedBlock("say", text)


def generated(text: str) -> RenderedBlock:
    return RenderedBlock("generated", text)


def rendered(*blocks: RenderedBlock, **more: Any) -> Rendered:
    reply = more.pop("reply", Reply())
    return Rendered(reply, blocks, more.pop("images", ()), more.pop("buttons", ()))


def picture(width: int = 64, height: int = 48, format: str = "JPEG", mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Pillow.new(mode, (width, height), "teal").save(buffer, format)
    return buffer.getvalue()


def jpeg(name: str = "a.jpg") -> tuple[Media, RenderedImage]:
    data = picture()
    return Media("photo", data, name), RenderedImage(data, name, f"alt of {name}", False)


# --- length and division -------------------------------------------------------------------------


def test_length_is_counted_in_utf_16_units() -> None:
    assert units("ağ") == 2
    assert units("🐕") == 2
    assert units("👨‍👩‍👧") == 8


def test_short_text_is_one_page() -> None:
    assert [length(page) for page in divide([say("one"), say("two")])] == [8]


@pytest.mark.parametrize("letter", ["a", "ş", "🐕"])
def test_no_page_is_longer_than_a_message(letter: str) -> None:
    text = " ".join(letter * 30 + "." for _ in range(500))
    pages = divide([generated(text)])
    assert len(pages) > 2
    assert all(length(page) <= 4096 for page in pages)
    joined = " ".join(block.text for page in pages for block in page)
    assert joined == text


def test_text_is_divided_after_sentences() -> None:
    sentences = [f"Cümle {number} burada biter." for number in range(400)]
    pages = divide([say(" ".join(sentences))])
    assert all(page[-1].text.endswith("biter.") for page in pages)


def test_a_text_without_spaces_is_divided_without_tearing_an_emoji_apart() -> None:
    family = "👨‍👩‍👧"
    pages = divide([generated(family * 900)])
    assert all(length(page) <= 4096 for page in pages)
    for page in pages:
        assert page[0].text.startswith("👨")
        assert page[0].text.endswith("👧")


def test_combining_marks_stay_with_their_letter() -> None:
    text = "x" * 4095 + "s\u0327" + "y" * 10  # ş in two code points, across the limit
    first, second = (page[0].text for page in divide([generated(text)]))
    assert first + second == text
    assert second.startswith("s\u0327")


def test_code_is_divided_between_lines() -> None:
    code = "\n".join(f"    line_{number} = {number}" for number in range(400))
    pages = divide([RenderedBlock("code", code)])
    assert len(pages) > 1
    assert all(page[0].text.splitlines()[-1].startswith("    line_") for page in pages)
    assert pages[1][0].text.startswith("    line_")


def test_empty_blocks_make_no_page() -> None:
    assert divide([say(" \n "), generated("")]) == []


# --- markup --------------------------------------------------------------------------------------


def test_every_kind_of_block_has_its_own_markup() -> None:
    page = divide(
        [
            say("a < b & c"),
            RenderedBlock("note", "Model: <x>"),
            generated("<b>not bold</b>"),
            RenderedBlock("code", "if a < b:", "python"),
            RenderedBlock("code", "x", 'py"><b>'),
        ]
    )[0]
    assert markup(page) == (
        "a &lt; b &amp; c\n\n"
        "<i>Model: &lt;x&gt;</i>\n\n"
        "<blockquote>&lt;b&gt;not bold&lt;/b&gt;</blockquote>\n\n"
        '<pre><code class="language-python">if a &lt; b:</code></pre>\n\n'
        "<pre>x</pre>"
    )


@pytest.mark.parametrize(
    "hostile",
    ["</blockquote><b>", "&lt;", "<a href='tg://user?id=1'>x</a>", "]]>", "<" * 5000, "&" * 9000],
)
def test_generated_text_stays_what_it_is(hostile: str) -> None:
    pages = divide([generated(hostile)])
    assert "".join(read_html(markup(page)) for page in pages) == hostile


def test_control_characters_and_lone_surrogates_are_left_out() -> None:
    page = divide([generated("a\x00b\x1b[31mc\ud83dd\ttab\nline")])[0]
    assert page[0].text == "ab[31mcd\ttab\nline"


def test_nobody_is_pinged() -> None:
    page = divide([generated("@everyone and @ada"), say("@ada, a@b")])[0]
    assert "@e" not in markup(page)
    assert "@a" not in markup(page)
    assert "@b" not in markup(page)
    assert read_html(markup(page)).replace("\u2060", "").startswith("@everyone and @ada")


def test_commands_are_spelled_so_that_they_can_be_tapped() -> None:
    block = divide([say("Şunu dene: /algıla (ya da /detect). /yok, a/algıla, x.org/algıla")])[0][0]
    assert block.text == "Şunu dene: /algila (ya da /detect). /yok, a/algıla, x.org/algıla"
    assert divide([generated("/algıla")])[0][0].text == "/algıla"


def test_command_names_fit_telegram() -> None:
    assert command_name("az-örnek") == "az_ornek"
    assert command_name("İnce-Ayar") == "ince_ayar"


# --- states on the way ---------------------------------------------------------------------------


def test_progress_is_a_bar_with_the_percent_sign_where_the_language_has_it() -> None:
    assert progress_bar(0.42, "tr") == "▰▰▰▰▱▱▱▱▱▱ %42"
    assert progress_bar(0.42, "en") == "▰▰▰▰▱▱▱▱▱▱ 42%"
    assert progress_bar(7, "en").endswith("100%")


def test_a_growing_text_shows_its_end() -> None:
    text = "".join(f"word{number} " for number in range(2000)).strip()
    reply = Reply(state=State.PARTIAL, fraction=0.5)
    post = status(rendered(generated(text), RenderedBlock("note", "n"), reply=reply), "en")
    assert units(read_html(post.html)) <= 4096
    assert read_html(post.html).startswith("…")
    assert "word1999" in post.html
    assert post.html.endswith("50%")


def test_beside_a_draft_one_sentence_carries_the_buttons() -> None:
    cancel = RenderedButton("İptal", "abc")
    growing = rendered(generated("Bir"), buttons=(cancel,))
    assert streams(growing)
    assert not streams(rendered(say("Kuyrukta 3. sıradasın.")))
    post = writing(growing, "tr")
    assert (post.plain, post.keyboard) == ("Yazıyorum…", keyboard([cancel]))


def test_a_state_without_words_is_no_empty_message() -> None:
    assert status(rendered(generated("")), "en").html == "…"


# --- finished answers ----------------------------------------------------------------------------


def test_a_picture_carries_the_text_and_the_buttons() -> None:
    photo, image = jpeg()
    buttons = (RenderedButton("Again", "abc"),)
    (post,) = compose(rendered(say("Found."), images=(image,), buttons=buttons), [photo], "en")
    assert isinstance(post, MediaPost)
    assert post.caption == TextPost("Found.", "Found.")
    assert post.keyboard == keyboard(buttons)


def test_text_too_long_for_a_caption_follows_the_picture() -> None:
    photo, image = jpeg()
    long = "🐕" * 513  # 1,026 units
    buttons = (RenderedButton("Again", "abc"),)
    posts = compose(rendered(generated(long), images=(image,), buttons=buttons), [photo], "en")
    assert isinstance(posts[0], MediaPost)
    assert posts[0].caption is None
    assert posts[0].keyboard is None
    assert isinstance(posts[1], TextPost)
    assert posts[1].keyboard == keyboard(buttons)


def test_several_photos_make_an_album_with_their_descriptions() -> None:
    photos, images = zip(*(jpeg(f"{number}.jpg") for number in range(11)), strict=True)
    album, last = compose(rendered(say("All."), images=images), photos, "en")
    assert isinstance(album, AlbumPost)
    assert [photo.caption.plain for photo in album.photos if photo.caption] == [
        f"alt of {number}.jpg" for number in range(10)
    ]
    assert isinstance(last, MediaPost)
    assert last.caption == TextPost("All.", "All.")


def test_an_album_without_words_needs_a_message_for_its_buttons_only() -> None:
    photos, images = zip(*(jpeg(f"{number}.jpg") for number in range(2)), strict=True)
    (album,) = compose(rendered(images=images), photos, "en")
    assert isinstance(album, AlbumPost)
    delete = RenderedButton("Delete", deletes=True)
    _, last = compose(rendered(images=images, buttons=(delete,)), photos, "en")
    assert isinstance(last, TextPost)
    assert last.plain == "…"


def test_every_picture_of_an_album_counts_as_a_message() -> None:
    photos, images = zip(*(jpeg(f"{number}.jpg") for number in range(3)), strict=True)
    posts = compose(rendered(say("All."), images=images), photos, "en")
    assert [sends(post) for post in posts] == [3, 1]


def test_a_file_too_large_for_telegram_is_replaced_by_a_sentence() -> None:
    reply = Reply(files=(File(bytes(50_000_001), "all.json"),))
    (post,) = compose(rendered(say("Here."), reply=reply), [], "en")
    assert isinstance(post, TextPost)
    assert "too large for Telegram" in post.plain


def test_long_text_has_its_buttons_under_the_last_message() -> None:
    text = generated("word " * 2000)
    posts = compose(rendered(text, buttons=(RenderedButton("Again", "abc"),)), [], "en")
    assert [isinstance(post, TextPost) and post.keyboard is not None for post in posts] == [
        False,
        False,
        True,
    ]


# --- buttons -------------------------------------------------------------------------------------


def test_callback_data_is_short_and_comes_back_as_the_token() -> None:
    made = keyboard([RenderedButton("x", "A" * 12)])
    assert made is not None
    data = made.inline_keyboard[0][0].callback_data
    assert data == "t1:AAAAAAAAAAAA"
    assert token_of(data) == "A" * 12
    for foreign in (None, "", "t1:", "t2:abc", "abc", "t1:" + "ş" * 5, "t1:" + "a" * 62):
        assert token_of(foreign) is None


def test_buttons_stand_in_rows_that_a_phone_can_show() -> None:
    made = keyboard([RenderedButton(label, label) for label in ("a", "b", "c", "d", "e" * 40)])
    assert made is not None
    assert [[b.text for b in row] for row in made.inline_keyboard] == [
        ["a", "b", "c"],
        ["d"],
        ["e" * 40],
    ]


def test_the_button_that_deletes_stands_last_once_it_is_known_what_to_delete() -> None:
    buttons = [RenderedButton("Delete", deletes=True), RenderedButton("Again", "abc")]
    without, made = keyboard(buttons), keyboard(buttons, "d1:16:")
    assert without is not None
    assert made is not None
    assert [b.text for row in without.inline_keyboard for b in row] == ["Again"]
    assert [b.callback_data for row in made.inline_keyboard for b in row] == ["t1:abc", "d1:16:"]
    many = [RenderedButton("Delete", deletes=True), *(RenderedButton("x", "t") for _ in range(120))]
    made = keyboard(many, "d1:16:")
    assert made is not None
    data = [button.callback_data for row in made.inline_keyboard for button in row]
    assert (len(data), data[-1]) == (100, "d1:16:")


def test_only_web_links_become_link_buttons() -> None:
    made = keyboard([RenderedButton("p", url="https://arxiv.org"), RenderedButton("q", url="ftp:")])
    assert made is not None
    assert [b.url for row in made.inline_keyboard for b in row] == ["https://arxiv.org"]
    assert keyboard([]) is None


# --- pictures ------------------------------------------------------------------------------------


def test_a_usual_picture_goes_out_as_it_is() -> None:
    data = picture()
    assert prepare(data, "a.jpg") == Media("photo", data, "a.jpg")
    assert as_it_is(data, "a.jpg") == Media("photo", data, "a.jpg")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"no picture", "a.jpg"),
        (picture(9000, 3000), "wide.jpg"),
        (picture(2100, 100), "strip.jpg"),
        (picture(format="GIF"), "a.gif"),
        (picture(format="WEBP"), "webp-by-another-name.png"),
    ],
)
def test_what_is_not_usual_is_prepared(data: bytes, name: str) -> None:
    assert as_it_is(data, name) is None


def test_a_picture_with_too_many_pixels_is_made_smaller() -> None:
    made = prepare(picture(9000, 3000), "big.jpg")
    assert made.kind == "photo"
    with Pillow.open(io.BytesIO(made.data)) as small:
        assert sum(small.size) <= 10_000
        assert small.width / small.height == pytest.approx(3, rel=0.01)


def test_a_picture_with_too_many_bytes_is_encoded_anew() -> None:
    noise = Pillow.effect_noise((2400, 2400), 120).convert("RGBA")
    noise.putalpha(Pillow.effect_noise((2400, 2400), 90))
    buffer = io.BytesIO()
    noise.save(buffer, "PNG")
    assert buffer.tell() > 10_000_000
    made = prepare(buffer.getvalue(), "noise.png")
    assert (made.kind, made.name) == ("photo", "noise.jpg")
    assert len(made.data) <= 10_000_000


def test_a_strip_and_unreadable_bytes_go_out_as_files() -> None:
    assert prepare(picture(2100, 100), "strip.png").kind == "document"
    assert prepare(b"no picture", "odd.png") == Media("document", b"no picture", "odd.png")


@pytest.mark.parametrize("format", ["GIF", "WEBP"])
def test_animations_become_gif(format: str) -> None:
    frames = [Pillow.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, format, save_all=True, append_images=frames[1:], duration=80)
    made = prepare(buffer.getvalue(), f"train.{format.lower()}")
    assert (made.kind, made.name) == ("animation", "train.gif")
    with Pillow.open(io.BytesIO(made.data)) as gif:
        assert gif.n_frames == 3


def test_a_still_gif_or_webp_is_a_photo() -> None:
    for format in ("GIF", "WEBP"):
        made = prepare(picture(format=format), f"still.{format.lower()}")
        assert (made.kind, made.name) == ("photo", "still.jpg")


def test_replies_are_frozen_values() -> None:
    """Posts are compared to leave out edits that would change nothing."""
    post = status(rendered(say("x"), buttons=(RenderedButton("c", "t"),)), "en")
    assert post == status(rendered(say("x"), buttons=(RenderedButton("c", "t"),)), "en")
    assert post != replace(post, html="y")
