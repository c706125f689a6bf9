"""What the commands on faces share: finding a face in a photo, and what is said while they work.

Nothing of an uploaded face is kept but, for some minutes and in memory, the face that was found
for it, so that the buttons under an answer need no second search.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass

from handlers.drawing.faces import Pixels, cut_face, draw_live, shrink
from handlers.kit.errors import UserError
from handlers.kit.progress import waiting
from handlers.kit.reply import Image, Reply, Say, State
from handlers.kit.request import Picture, Request
from handlers.kit.safety import check_upload
from handlers.kit.services import Services
from inference.jobs import Done, Progress
from inference.pictures import PictureFacts
from inference.tasks.face_detection import FaceInput, Faces
from inference.tasks.face_search import Found, SearchInput
from inference.tasks.faces import MAX_SEED, Face
from inference.ticket import Ticket
from locales import Message

PREVIEW_EVERY = 1.5  # seconds between two pictures of work under way
SIZE = 512  # pixels of a face cut out of a photo
SURE, SURE_OF_FEW = 0.8, 0.7  # confidence from which on a face is one
FEW = 16  # pixels
INVERTED_AT = 128  # pixels at which a photo is searched for
INVERSION_STEPS = 120
KEPT = 600.0  # seconds that what was found of an uploaded face is kept
KEPT_FACES = 256  # of 0.3 MB each


def drawn(seed: int | None) -> int:
    """The seed, or one drawn now."""
    return secrets.randbelow(MAX_SEED + 1) if seed is None else seed


async def states(
    ticket: Ticket,
    request: Request,
    services: Services,
    key: str,
    alt: Message,
    edited: bool = False,
) -> AsyncIterator[Reply]:
    """What is shown while a job on faces is under way; afterwards `ticket.outcome` is there.

    Previews are pixels of a face, or a state that has some as `faces`. `key` is the sentence for
    work under way; it is given the whole percent.
    """
    clock = asyncio.get_running_loop().time
    pictures: tuple[Image, ...] = ()
    next_picture = 0.0
    async for event in ticket:
        if isinstance(event, Done):
            continue
        if not isinstance(event, Progress):
            if state := waiting(event):
                yield state
            continue
        if event.preview is not None and clock() >= next_picture:
            pixels = getattr(event.preview, "faces", event.preview)
            face = pixels if pixels.ndim == 3 else pixels[0]
            live = await services.studio.run(draw_live, face, request.language, edited)
            pictures = (Image(live, "face-live.jpg", alt),)
            next_picture = clock() + PREVIEW_EVERY
        message = Message(key, percent=round(100 * event.fraction))
        yield Reply(
            blocks=(Say(message),), pictures=pictures, state=State.PARTIAL, fraction=event.fraction
        )


# --- faces of photos ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PhotoFace:
    """The largest face of a photo as FFHQ frames it. `others`: how many more there were."""

    pixels: Pixels  # (SIZE, SIZE, 3)
    facts: PictureFacts
    others: int


async def face_in(
    request: Request, services: Services, picture: Picture, pixels: int = 0
) -> PhotoFace:
    """Open a photo, check it, find the largest face and cut it out upright.

    `pixels`: as of `check_upload`; a face of few is believed sooner.

    Raises:
        UserError: no face is in it, or it is refused.
        PictureGone, PictureTooLarge, PictureError: as `Services.open_picture`.
        InferenceError: as every job.
    """
    opened = await services.open_picture(picture)
    await check_upload(request, services, opened, pixels)
    facts = opened.facts
    sure = SURE_OF_FEW if 0 < pixels <= FEW else SURE
    payload = FaceInput(opened.data, facts.width, facts.height, sure, facts.digest)
    async with services.submit(request, "face-detection", payload) as ticket:
        async for event in ticket:
            if state := waiting(event):
                services.runs.tell(state)
    found: Faces = ticket.outcome.result
    if not found.faces:
        raise UserError("face-none")
    cut = await services.studio.run(cut_face, opened.data, found.faces[0].landmarks, SIZE)
    return PhotoFace(cut, facts, len(found.faces) - 1)


class KeptFaces:
    """Uploaded faces as searches found them, by who sent them and the photo's digest.

    In memory, for minutes.
    """

    def __init__(self) -> None:
        self._faces: OrderedDict[tuple[str, str], tuple[float, Face]] = OrderedDict()

    def keep(self, user: str, digest: str, face: Face) -> None:
        """Until `KEPT` seconds have passed, or others need the place."""
        self._faces[user, digest] = (time.monotonic() + KEPT, face)
        asyncio.get_running_loop().call_later(KEPT + 0.1, self._drop_old)
        while len(self._faces) > KEPT_FACES:
            self._faces.popitem(last=False)

    def of(self, user: str, digest: str) -> Face | None:
        """The face, if it is still there."""
        self._drop_old()
        found = self._faces.get((user, digest))
        return found[1] if found else None

    def forget(self, user: str) -> None:
        """Drop all of a user's."""
        for key in [key for key in self._faces if key[0] == user]:
            del self._faces[key]

    def _drop_old(self) -> None:
        now = time.monotonic()
        for key in [key for key, (until, _) in self._faces.items() if until <= now]:
            del self._faces[key]


_kept = KeptFaces()


class Inversion:
    """The search for the generator's face that looks most like one of a photo."""

    def __init__(self, request: Request, services: Services, photo: PhotoFace) -> None:
        self._request = request
        self._services = services
        self._photo = photo
        if _kept.forget not in services.on_forget:
            services.on_forget.append(_kept.forget)
        self.face: Face | None = None

    async def states(self, key: str, alt: Message) -> AsyncIterator[Reply]:
        """What is shown meanwhile; afterwards `face` is there."""
        user, digest = self._request.user, self._photo.facts.digest
        self.face = _kept.of(user, digest)
        if self.face is None:
            small = await self._services.studio.run(shrink, self._photo.pixels, INVERTED_AT)
            asked = SearchInput(small, INVERTED_AT, starts=1, steps=INVERSION_STEPS, focused=True)
            async with self._services.submit(self._request, "face-search", asked) as ticket:
                async for state in states(
                    ticket, self._request, self._services, key, alt, edited=True
                ):
                    yield state
            found: Found = ticket.outcome.result
            self.face = found.faces[0].face
            _kept.keep(user, digest, self.face)
