"""The picture safety check, for commands that take in pictures of people or make pictures.

Others read along where answers are shown, so it fails closed: where nothing can be checked, no
picture is taken and none is shown. What it finds and misses stands in `docs/safety.md`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handlers.kit.errors import UserError
from handlers.kit.progress import waiting
from inference.jobs import Loading, ModelUnavailable, Queued
from inference.tasks.safety import TASK, SafetyInput, Verdict

if TYPE_CHECKING:
    from handlers.kit.request import Request
    from handlers.kit.services import OpenPicture, Services

log = logging.getLogger(__name__)

FRAMES = 4  # of a film that are looked at


@dataclass(frozen=True, slots=True)
class SafetyRules:
    """As configured. `threshold`: pictures that score this much are refused, 0…1."""

    enabled: bool = True
    threshold: float = 0.5


async def check_upload(
    request: Request, services: Services, picture: OpenPicture, pixels: int = 0
) -> None:
    """Refuse a picture that should not be worked on. Of an animation the first frame counts.

    `pixels`: judge it at so few pixels a side, where no more of it are used. The model takes
    mosaics for what mosaics often hide; these pixels, enlarged softly, it takes for what they show.

    Raises:
        UserError: it is refused, or the check cannot be made.
        InferenceError: as every job.
    """
    payload = SafetyInput((picture.data,), pixels=pixels, digest=picture.facts.digest)
    await _check(request, services, payload, "safety-upload")


async def check_output(request: Request, services: Services, *pictures: bytes) -> None:
    """Refuse what was made, encoded as it would be shown, if any of it should not be.

    Give it pictures one by one: side by side in a grid, harmless faces look harmful to the model.
    Of a film, a few frames are looked at.

    Raises:
        UserError: it is refused, or the check cannot be made.
        InferenceError: as every job.
    """
    if not services.safety.enabled:
        return
    digest = await asyncio.to_thread(_digest, pictures)  # of megabytes, where it is a film
    payload = SafetyInput(pictures, frames=FRAMES, digest=digest)
    await _check(request, services, payload, "safety-output")


async def _check(request: Request, services: Services, payload: SafetyInput, refusal: str) -> None:
    if not services.safety.enabled:
        return
    try:
        async with services.submit(request, TASK.name, payload) as ticket:
            async for event in ticket:
                # That it is at work needs no word: it takes a fraction of a second.
                if isinstance(event, Queued | Loading) and (state := waiting(event)):
                    services.runs.tell(state)
        verdict: Verdict = ticket.outcome.result
    except ModelUnavailable as error:
        log.error("pictures are refused, as they cannot be checked: %s", error)
        raise UserError("safety-unavailable") from error
    if verdict.unsafe >= services.safety.threshold:
        log.info("%s: a score of %.2f", refusal, verdict.unsafe)
        raise UserError(refusal)


def _digest(pictures: tuple[bytes, ...]) -> str:
    """Stands for these pictures in this order."""
    whole = hashlib.sha256()
    for picture in pictures:
        whole.update(hashlib.sha256(picture).digest())
    return whole.hexdigest()
