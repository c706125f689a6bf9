"""The page in a real browser: headless Chromium, driven by Playwright, over loopback.

Screenshots of every test are kept in the folder that `TADIM_SCREENSHOTS` names, else in pytest's
temporary one. Without a browser the tests are skipped with the reason, except where
`TADIM_REQUIRE_BROWSER=1` asks for them.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, WebSocket, async_playwright, expect

from bot.app import opened
from bot.settings import Settings, Web, WeightsSettings
from bot.web.frontend import WebFrontend
from inference.weights import WeightsStore
from tests.bot.web_world import Script, animation, picture, scripted_commands, serving

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        found = shutil.which("chromium") or playwright.chromium.executable_path
        if not Path(found).exists():
            reason = "no browser: install chromium, or run `playwright install chromium`"
            if os.environ.get("TADIM_REQUIRE_BROWSER") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        browser = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
def script() -> Script:
    return Script()


@pytest_asyncio.fixture(loop_scope="module")
async def frontend(script: Script) -> AsyncIterator[WebFrontend]:
    with scripted_commands(script):
        async with serving() as frontend:
            yield frontend


@pytest.fixture
def shots(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = os.environ.get("TADIM_SCREENSHOTS")
    path = Path(folder) if folder else tmp_path
    path.mkdir(parents=True, exist_ok=True)
    return path / f"{request.node.name}.png"


class Complaints(list[str]):
    """What the browser's console had to say; a test passes only where it had nothing."""

    def watch(self, page: Page) -> None:
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.append(str(error)))

    def _heard(self, kind: str, text: str) -> None:
        # A server that is away on purpose is no mistake of the page.
        if kind in ("error", "warning") and "WebSocket connection" not in text:
            self.append(text)


@asynccontextmanager
async def visiting(
    chromium: Browser, frontend: WebFrontend, shot: Path, **options: Any
) -> AsyncIterator[Page]:
    """The page, ready; closed with a screenshot and without a complaint in the console."""
    options = {"locale": "en-US", "viewport": {"width": 1200, "height": 820}, **options}
    context = await chromium.new_context(**options)
    page = await context.new_page()
    page.set_default_timeout(20_000)
    complaints = Complaints()
    complaints.watch(page)
    await page.goto(frontend.address)
    await expect(page.locator("#languages button")).to_have_count(2)
    yield page
    await page.screenshot(path=shot)
    await context.close()
    assert complaints == []


async def type_line(page: Page, line: str) -> None:
    await page.locator("#line").fill(line)
    await page.keyboard.press("Enter")


async def answered(page: Page, words: str) -> Locator:
    """The newest answer, once it is finished and says this."""
    answer = page.locator(".answer:not(.running)", has_text=words).last
    await expect(answer).to_be_visible(timeout=20_000)
    return answer


async def hand_over(page: Page, kind: str, *files: tuple[str, str, bytes]) -> None:
    """Drop or paste files (name, type, bytes) as a hand would."""
    packed = [[name, mime, base64.b64encode(data).decode()] for name, mime, data in files]
    await page.evaluate(
        """([kind, files]) => {
            const transfer = new DataTransfer();
            for (const [name, type, data] of files) {
                const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
                transfer.items.add(new File([bytes], name, { type }));
            }
            const at = document.querySelector("#log");
            const init = { bubbles: true, cancelable: true };
            if (kind === "paste") {
                at.dispatchEvent(new ClipboardEvent("paste", { ...init, clipboardData: transfer }));
                return;
            }
            at.dispatchEvent(new DragEvent("dragenter", { ...init, dataTransfer: transfer }));
            if (kind === "drop") {
                at.dispatchEvent(new DragEvent("drop", { ...init, dataTransfer: transfer }));
            }
        }""",
        [kind, packed],
    )


PNG = ("photo.png", "image/png", picture("teal", 240))


# --- a photo goes in, an annotated photo comes out -----------------------------------------------


@pytest.mark.weights
@pytest.mark.timeout(600)
async def test_a_photo_through_the_real_model(
    chromium: Browser,
    tmp_path: Path,
    shots: Path,
    bus_photo: bytes,
    weights_store: WeightsStore,
    pulled: Callable[[str], Path],
) -> None:
    await asyncio.to_thread(pulled, "yolo26n")
    weights = weights_store.folder
    settings = Settings(
        data_folder=str(tmp_path),
        weights=WeightsSettings(folder=str(weights)),
        web=Web(port=0),
    )
    bus = ("bus.jpg", "image/jpeg", bus_photo)
    async with opened(settings) as hub:
        frontend = WebFrontend(hub, settings)
        hub.frontends["web"] = frontend
        await frontend.start()
        await hub.services.queue.start()
        try:
            async with visiting(chromium, frontend, shots, locale="tr-TR") as page:
                await hand_over(page, "drop", bus)
                await page.get_by_role("button", name="/algıla", exact=True).last.click()
                found = page.locator(".answer:not(.running)", has_text="bir otobüs")
                await expect(found).to_be_visible(timeout=240_000)
                drawn = found.locator("img")
                await expect(drawn).to_have_attribute("alt", re.compile("dört kişi ve bir otobüs"))
                size = await drawn.evaluate("img => [img.naturalWidth, img.naturalHeight]")
                assert size == [810, 1080]
                data = found.locator("details.data")
                await data.locator("summary").click()
                await expect(data.locator("pre")).to_contain_text('"label": "bus"')
        finally:
            await frontend.stop()


async def test_dropping_pasting_and_picking(
    chromium: Browser, frontend: WebFrontend, script: Script, shots: Path
) -> None:
    async with visiting(chromium, frontend, shots) as page:
        await hand_over(page, "drag", PNG)
        await expect(page.locator("#drop")).to_be_visible()
        await hand_over(page, "drop", PNG)
        await expect(page.locator("#drop")).to_be_hidden()
        await expect(page.locator(".attachment")).to_have_count(1)
        await hand_over(page, "paste", PNG)
        files = [{"name": "a.png", "mimeType": "image/png", "buffer": picture()}] * 3
        await page.locator("#file").set_input_files(files)
        await expect(page.locator(".attachment")).to_have_count(4)  # and kindly no more
        await expect(page.locator(".toast")).to_contain_text("At most 4 pictures")
        await page.get_by_role("button", name="Remove the picture").first.click()
        await expect(page.locator(".attachment")).to_have_count(3)
        await page.keyboard.press("Enter")  # the default: the first command that takes a picture
        await expect(page.locator(".answer .picture.loaded")).to_have_count(3)
        assert len(script.seen) == 3
        await expect(page.locator(".attachment")).to_have_count(0)


async def test_what_is_no_picture(chromium: Browser, script: Script, shots: Path) -> None:
    with scripted_commands(script):
        async with (
            serving(upload_megabytes=1) as frontend,
            visiting(chromium, frontend, shots) as page,
        ):
            await _refuse_files(page)


async def _refuse_files(page: Page) -> None:
    await hand_over(page, "drop", ("notes.txt", "text/plain", b"hello"))
    await expect(page.locator(".toast")).to_contain_text("“notes.txt” is not a picture")
    await hand_over(page, "drop", ("huge.png", "image/png", b"x" * 1_000_001))
    await expect(page.locator(".toast").last).to_contain_text("is over 1 MB")
    await expect(page.locator(".attachment")).to_have_count(0)


async def test_an_upload_that_cannot_be_shown(
    chromium: Browser, frontend: WebFrontend, shots: Path
) -> None:
    async with visiting(chromium, frontend, shots) as page:
        await hand_over(page, "drop", ("page.png", "image/png", b"%PDF-1.7\n%%EOF\n"))
        await page.keyboard.press("Enter")
        said = page.locator(".said")
        await expect(said).to_contain_text("This file cannot be shown.")
        await page.get_by_role("button", name="Türkçe").click()
        await expect(said).to_contain_text("Bu dosya gösterilemiyor.")


async def test_a_picture_that_is_gone(
    chromium: Browser, frontend: WebFrontend, shots: Path
) -> None:
    context = await chromium.new_context(locale="en-US")
    page = await context.new_page()
    await page.goto(frontend.address)
    await expect(page.locator("#languages button")).to_have_count(2)
    await hand_over(page, "drop", PNG)
    await page.keyboard.press("Enter")
    await answered(page, "The picture as it came")
    (session,) = list(frontend.sessions)
    frontend._shelf.forget(session.id)
    # The browser's own copy would do for showing it.
    await (await context.new_cdp_session(page)).send("Network.clearBrowserCache")
    await page.reload()
    await expect(page.locator(".said")).to_contain_text("This picture is no longer here.")
    await page.screenshot(path=shots)
    await context.close()


async def test_a_question_takes_the_next_picture(
    chromium: Browser, frontend: WebFrontend, script: Script, shots: Path
) -> None:
    async with visiting(chromium, frontend, shots) as page:
        await type_line(page, "/mirror size:0.5")
        asking = await answered(page, "needs a picture")
        await expect(asking.get_by_role("button", name="Choose a picture")).to_be_visible()
        await hand_over(page, "drop", PNG)
        await answered(page, "The picture as it came")
        assert script.seen == [PNG[2]]
        await expect(asking.get_by_role("button", name="Choose a picture")).to_have_count(0)


async def test_zoom_and_download(chromium: Browser, frontend: WebFrontend, shots: Path) -> None:
    async with visiting(chromium, frontend, shots) as page:
        await hand_over(page, "drop", PNG)
        await page.keyboard.press("Enter")
        answer = await answered(page, "The picture as it came")
        enlarge = answer.get_by_role("button", name=re.compile("Enlarge"))
        await enlarge.focus()
        await page.keyboard.press("Enter")
        zoom = page.locator("dialog.zoom")
        await expect(zoom).to_be_visible()
        before = await zoom.locator("img").bounding_box()
        await page.keyboard.press("+")
        after = await zoom.locator("img").bounding_box()
        assert before
        assert after
        assert after["width"] > before["width"] * 1.3
        await page.keyboard.press("0")
        assert await zoom.locator("img").bounding_box() == before
        link = zoom.get_by_role("link", name="Download")
        await expect(link).to_have_attribute("download", "mirror.png")
        await page.screenshot(path=shots.with_suffix(".open.png"))
        await page.keyboard.press("Escape")
        await expect(zoom).to_be_hidden()
        await expect(enlarge).to_be_focused()


# --- keyboard, palette, forms --------------------------------------------------------------------


async def test_with_the_keyboard_alone(
    chromium: Browser, frontend: WebFrontend, script: Script, shots: Path
) -> None:
    async with visiting(chromium, frontend, shots) as page:
        press = page.keyboard.press
        await press("Tab")
        await expect(page.locator(".skip")).to_be_focused()
        await press("Enter")
        await expect(page.locator("#line")).to_be_focused()
        await page.keyboard.type("/e")
        line = page.locator("#line")
        await expect(line).to_have_attribute("aria-expanded", "true")
        await expect(line).to_have_attribute("aria-activedescendant", "option-echo")
        await page.screenshot(path=shots.with_suffix(".palette.png"))
        await press("ArrowDown")
        await press("ArrowUp")
        await press("Enter")
        form = page.locator(".form")
        await expect(form.get_by_label("text")).to_be_focused()
        await press("Control+Enter")
        await expect(form).to_contain_text("Fill in “text”.")
        await page.keyboard.type("by hand")
        await press("Tab")
        await page.keyboard.type("l")  # the select: "loud"
        await page.screenshot(path=shots.with_suffix(".form.png"))
        await press("Tab")
        await press("Enter")
        await answered(page, "by hand")
        assert script.seen == [("by hand", "loud")]
        await expect(line).to_be_focused()
        await page.keyboard.type("/ech")
        await press("Tab")
        await expect(line).to_have_value("/echo ")
        await expect(page.locator(".usage")).to_contain_text("mode:plain|loud")
        await page.keyboard.type("typed")
        await press("Enter")
        await answered(page, "typed")
        await page.keyboard.type("/")
        await press("Escape")
        await expect(page.locator(".palette")).to_have_count(0)


async def test_a_mistyped_command_is_sent_and_the_nearest_suggested(
    chromium: Browser, frontend: WebFrontend, shots: Path
) -> None:
    async with visiting(chromium, frontend, shots) as page:
        await type_line(page, "/ehco")
        await answered(page, "Did you mean /echo?")
        await expect(page.locator("#line")).to_have_value("")
        await page.locator("#line").fill("/nothing-like-it")
        await page.keyboard.press("Shift+Enter")
        await expect(page.locator("#line")).to_have_value("/nothing-like-it\n")


async def test_a_command_typed_in_full_runs_at_once(
    chromium: Browser, frontend: WebFrontend, script: Script, shots: Path
) -> None:
    async with visiting(chromium, frontend, shots) as page:
        await type_line(page, "/work")  # all its parameters have defaults
        await expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
        await expect(page.locator(".form")).to_have_count(0)
        script.let_go.set()
        await answered(page, "Step 4")
        await type_line(page, "/wor")  # taken from the palette: what it could be told is shown
        await expect(page.locator(".form")).to_be_visible()
        await page.keyboard.press("Escape")
        await hand_over(page, "drop", PNG)
        await expect(page.locator(".attachment")).to_have_count(1)
        await type_line(page, "/mirror")
        await answered(page, "The picture as it came")
        assert script.seen == [PNG[2]]
        await type_line(page, "/mirror")
        await answered(page, "needs a picture")


async def test_a_question_for_text_is_answered_in_the_message_box(
    chromium: Browser, frontend: WebFrontend, script: Script, shots: Path
) -> None:
    async with visiting(chromium, frontend, shots, locale="tr-TR") as page:
        await type_line(page, "/yankı")
        asking = await answered(page, "Buraya yaz.")
        await expect(asking).not_to_contain_text("Komutun ardından")
        await expect(page.locator("#line")).to_have_attribute("placeholder", "Buraya yaz: metin")
        await page.screenshot(path=shots.with_suffix(".asking.png"))
        await type_line(page, "yalnızca metin")
        await answered(page, "yalnızca metin")
        assert script.seen == [("yalnızca metin", "plain")]


async def test_a_form_slides_and_checks(
    chromium: Browser, frontend: WebFrontend, script: Script, shots: Path
) -> None:
    async with visiting(chromium, frontend, shots, locale="tr-TR") as page:
        await page.locator("#tour").get_by_role("button", name="/ayna").click()
        form = page.locator(".form")
        size = form.get_by_label("boyut", exact=True).last
        await expect(size).to_have_value("1")
        await form.locator("input[type=range]").fill("0.5")
        await expect(size).to_have_value("0,5")
        await form.get_by_role("button", name="Çalıştır").click()
        await expect(form).to_contain_text("Önce bir resim ekle.")
        await page.locator("#file").set_input_files(
            [{"name": "a.png", "mimeType": "image/png", "buffer": picture()}]
        )
        await expect(form.locator(".attachment")).to_have_count(1)
        await page.screenshot(path=shots.with_suffix(".form.png"))
        await size.fill("9,5")
        await form.get_by_role("button", name="Çalıştır").click()
        await answered(page, "“boyut” en az")
        await expect(page.locator(".said").last).to_contain_text("/ayna boyut:9,5")


async def test_plain_words_are_offered_to_a_command(
    chromium: Browser, frontend: WebFrontend, script: Script, shots: Path
) -> None:
    async with visiting(chromium, frontend, shots) as page:
        await page.locator("#line").fill("once upon a time")
        offer = page.get_by_role("group", name="Enter sends this to")
        await expect(offer.get_by_role("button").first).to_have_text("/echo")
        await page.keyboard.press("Enter")
        await answered(page, "once upon a time")
        assert script.seen == [("once upon a time", "plain")]


# --- answers -------------------------------------------------------------------------------------


async def test_progress_and_stop(
    chromium: Browser, frontend: WebFrontend, script: Script, shots: Path
) -> None:
    async with visiting(chromium, frontend, shots) as page:
        await type_line(page, "/work ")
        bar = page.get_by_role("progressbar", name="Progress")
        await expect(bar).to_have_attribute("aria-valuenow", "75")
        await expect(page.locator(".answer")).to_have_attribute("aria-busy", "true")
        await page.screenshot(path=shots.with_suffix(".running.png"))
        await page.get_by_role("button", name="Stop").click()
        await answered(page, "Cancelled.")
        assert script.cancelled == 1
        await expect(page.locator("#announcer")).to_have_text("Cancelled.")


async def test_hostile_text_stays_text(
    chromium: Browser, frontend: WebFrontend, shots: Path
) -> None:
    hostile = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>&lt;b&gt;"
    async with visiting(chromium, frontend, shots) as page:
        await type_line(page, f"/echo {hostile}")
        answer = await answered(page, "Model: Echo")
        await expect(answer.locator(".generated")).to_have_text(hostile)
        assert await answer.locator("img, script, b").count() == 0
        assert await page.evaluate("window.hacked") is None
        links = await answer.locator("a").evaluate_all("links => links.map((link) => link.href)")
        assert links == ["https://arxiv.org/abs/1506.02640"]


async def test_the_browser_itself_refuses_markup(
    chromium: Browser, frontend: WebFrontend, shots: Path
) -> None:
    """Trusted types: whoever writes `innerHTML` into a script of ours is stopped by the browser."""
    context = await chromium.new_context()
    page = await context.new_page()
    await page.goto(frontend.address)
    refused = await page.evaluate(
        """() => {
            try { document.body.innerHTML = "<b>x</b>"; } catch (error) { return error.name; }
        }"""
    )
    assert refused == "TypeError"
    await context.close()


async def test_buttons_copying_and_raw_data(
    chromium: Browser, frontend: WebFrontend, script: Script, shots: Path
) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    async with visiting(chromium, frontend, shots, permissions=permissions) as page:
        await type_line(page, "/echo copy me")
        answer = await answered(page, "copy me")
        await answer.get_by_role("button", name="Copy").first.click()
        await expect(page.locator("#announcer")).to_have_text("Copied")
        assert await page.evaluate("navigator.clipboard.readText()") == "copy me"
        await answer.get_by_role("button", name="Louder").click()
        await expect(page.locator(".said").last).to_contain_text("Louder")
        await expect(page.locator(".answer:not(.running)")).to_have_count(2)
        assert script.seen[-1] == ("copy me", "loud")


async def test_an_animation_holds_still_for_who_wants_it(
    chromium: Browser, frontend: WebFrontend, shots: Path
) -> None:
    gif = ("film.gif", "image/gif", animation())
    async with visiting(chromium, frontend, shots, reduced_motion="reduce") as page:
        await hand_over(page, "drop", gif)
        await page.keyboard.press("Enter")
        answer = await answered(page, "The picture as it came")
        await expect(answer.locator("canvas")).to_be_visible()
        await answer.get_by_role("button", name="Play the animation").click()
        await expect(answer.locator("canvas")).to_be_hidden()
        await answer.get_by_role("button", name="Pause the animation").click()
        await expect(answer.locator("canvas")).to_be_visible()


# --- languages, looks, small screens -------------------------------------------------------------


async def test_turkish_and_back(chromium: Browser, frontend: WebFrontend, shots: Path) -> None:
    async with visiting(chromium, frontend, shots, locale="tr-TR") as page:
        await expect(page.locator("html")).to_have_attribute("lang", "tr")
        await expect(page.locator("h1")).to_have_text("Derin öğrenmenin tadına bak.")
        for typed in ("/yanki", "/YANKI", "/yankı", "/ech"):
            await page.locator("#line").fill(typed)
            await expect(page.locator(".option").first).to_contain_text("/yankı")
        await page.locator("#line").fill("")
        await type_line(page, "/yankı selam")
        await answered(page, "selam")
        await page.get_by_role("button", name="English").click()
        await expect(page.locator("html")).to_have_attribute("lang", "en")
        await expect(page.locator(".answer .head")).to_contain_text("/echo")
        await expect(page.locator("#send")).to_have_attribute("aria-label", "Send")
        await page.reload()
        await expect(page.locator("html")).to_have_attribute("lang", "en")
        await expect(page.locator(".answer")).to_contain_text("selam")


async def test_dark_and_light(chromium: Browser, frontend: WebFrontend, shots: Path) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    async with visiting(chromium, frontend, shots, color_scheme="dark") as page:
        dark = await page.evaluate(ground)
        await page.get_by_role("button", name="Colours: as the system").click()
        await page.get_by_role("button", name="Colours: light").wait_for()
        light = await page.evaluate(ground)
        assert dark != light
        await page.reload()
        await page.get_by_role("button", name="Colours: light").click()
        await page.get_by_role("button", name="Colours: dark").wait_for()
        assert await page.evaluate(ground) == dark


@pytest.mark.parametrize("width", [320, 390, 768])
async def test_small_screens(
    chromium: Browser, frontend: WebFrontend, script: Script, shots: Path, width: int
) -> None:
    options: dict[str, Any] = {"viewport": {"width": width, "height": 640}, "has_touch": True}
    async with visiting(chromium, frontend, shots, locale="tr-TR", **options) as page:
        await page.screenshot(path=shots.with_suffix(".first.png"))
        await page.locator("#commands").tap()
        await page.locator(".option", has_text="/yankı").tap()
        await page.locator(".form").get_by_label("metin").fill("a" * 300 + " " + "b" * 20)
        await page.screenshot(path=shots.with_suffix(".form.png"))
        await page.get_by_role("button", name="Çalıştır").tap()
        await answered(page, "bbb")
        await expect(page.locator("#line")).to_be_visible()
        for element in ("html", "#scroll", ".answer"):
            spare = await page.locator(element).first.evaluate(
                "element => element.scrollWidth - element.clientWidth"
            )
            assert spare <= 0, f"{element} is {spare} pixels too wide"


async def test_everything_has_a_name(chromium: Browser, frontend: WebFrontend, shots: Path) -> None:
    unnamed = """() => [...document.querySelectorAll("button, a, input, textarea, select")]
        .filter((e) => e.checkVisibility())
        .filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length))
        .map((e) => e.outerHTML)"""
    async with visiting(chromium, frontend, shots) as page:
        assert await page.evaluate(unnamed) == []
        await hand_over(page, "drop", PNG)
        await page.keyboard.press("Enter")
        await answered(page, "The picture as it came")
        assert await page.evaluate(unnamed) == []
        await page.locator("#tour").get_by_role("button", name="/mirror").click()
        assert await page.evaluate(unnamed) == []


# --- the connection ------------------------------------------------------------------------------


async def test_a_dropped_connection_loses_no_answer(
    chromium: Browser, frontend: WebFrontend, script: Script, shots: Path
) -> None:
    async with visiting(chromium, frontend, shots) as page:
        await type_line(page, "/work ")
        await expect(page.get_by_role("progressbar")).to_be_visible()
        (session,) = list(frontend.sessions)
        await page.locator("#tour").get_by_role("button", name="/echo").click()
        form = page.locator(".form").get_by_label("text")
        await form.fill("half a sentence")
        for tab in list(session.tabs):
            await tab.close(1011)
        script.let_go.set()
        await answered(page, "Step 4")
        await expect(form).to_have_value("half a sentence")
        await page.reload()
        await answered(page, "Step 4")


async def test_a_restarted_program(chromium: Browser, script: Script, shots: Path) -> None:
    with scripted_commands(script):
        async with serving() as first:
            address = first.address
            port = int(address.rstrip("/").rpartition(":")[2])
            context = await chromium.new_context(locale="en-US")
            page = await context.new_page()
            sockets: list[WebSocket] = []
            page.on("websocket", lambda socket: sockets.append(socket))
            await page.clock.install()
            await page.goto(address)
            await type_line(page, "/echo before")
            await answered(page, "before")
            await type_line(page, "/work ")
            await expect(page.get_by_role("progressbar")).to_be_visible()
            for session in first.sessions:
                for follower in session.followers:
                    follower.cancel()  # a crash says no last word
        await expect(page.locator("#banner")).to_contain_text("The connection is lost")
        await page.screenshot(path=shots.with_suffix(".lost.png"))
        await page.locator("#line").fill("/echo kept")
        await page.keyboard.press("Enter")
        await expect(page.locator("#line")).to_have_value("/echo kept")  # nothing typed is lost
        # The page also tries by itself. With its clock stopped, and what it had begun given up,
        # only the button brings it back.
        await page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))
        async with asyncio.timeout(30):
            while not all(socket.is_closed() for socket in sockets):
                await asyncio.sleep(0.02)
        async with serving(port=port):
            await page.get_by_role("button", name="Try now").click()
            await expect(page.locator("#banner")).to_be_hidden()
            await page.clock.resume()
            await answered(page, "before")
            await answered(page, "this answer was lost")
            await page.locator("#line").press("Enter")
            await answered(page, "kept")
            await page.screenshot(path=shots)
            await context.close()


async def test_signing_in(chromium: Browser, script: Script, shots: Path) -> None:
    with scripted_commands(script):
        async with serving(token="the-access-token") as frontend:
            context = await chromium.new_context(locale="tr-TR")
            page = await context.new_page()
            await page.goto(frontend.address)
            await page.get_by_label("Erişim anahtarı").fill("yanlış")
            await page.get_by_role("button", name="Giriş").click()
            await expect(page.get_by_role("alert")).to_contain_text("Erişim anahtarı bu değil")
            await page.screenshot(path=shots)
            await page.get_by_label("Erişim anahtarı").fill("the-access-token")
            await page.keyboard.press("Enter")
            await expect(page.locator("h1")).to_have_text("Derin öğrenmenin tadına bak.")
            await type_line(page, "/yankı içerideyim")
            await answered(page, "içerideyim")
            await context.close()
