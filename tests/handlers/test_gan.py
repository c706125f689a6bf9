"""/gan on a real, short run: its pictures, its words, its buttons."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from handlers.kit.reply import State
from inference.models.gan import Gan
from inference.tasks.gan import GanInput
from tests.fakes import FakePlatform, Script, done, scripted
from tests.inference.test_gan_model import train


@pytest.fixture(scope="module")
def model() -> Gan:
    made = Gan({}, {})
    made.load("cpu")
    return made


@pytest.mark.parametrize("language", ["en", "tr"])
@pytest.mark.parametrize("data", ["ring", "digits"])
async def test_a_run_is_shown(model: Gan, language: str, data: str) -> None:
    def script(payload: GanInput) -> Script:
        told, result = train(model, payload)
        return [*told, done(result, "GAN (torch)")]

    services, queue = scripted(gan=script)
    platform = FakePlatform(services, language)
    reply = await platform.ask("gan", data=data, steps=120, seed=2)
    assert queue.jobs[0].payload == GanInput(data, False, 120, 2)
    film, still = (Image.open(io.BytesIO(image.data)) for image in reply.pictures)
    assert (film.format, still.format) == ("GIF", "PNG")
    assert getattr(film, "n_frames", 1) > 5
    partial = [state for state in platform.states if state.state is State.PARTIAL]
    assert any(state.pictures for state in partial)
    assert json.loads(json.dumps(reply.data))
    assert platform.read(reply)
    calls = [button.call.arguments for button in reply.buttons if button.call]
    assert any(call.get("collapse") is True for call in calls)
