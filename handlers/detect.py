"""`/detect`: what is in the photo, and where? YOLO draws boxes (the talk's slide on YOLO)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any

from handlers.drawing.boxes import LabelledBox, draw_boxes
from handlers.kit import (
    Button,
    Call,
    Credit,
    Image,
    Label,
    Listing,
    Message,
    Note,
    Picture,
    Range,
    Reply,
    Request,
    Say,
    Services,
    command,
    waiting,
)
from handlers.kit.runner import call_of
from inference.pictures import PictureFacts
from inference.tasks.detection import Box, DetectionInput, Detections
from locales import words

DARING = 0.1  # the confidence that "show more" asks for


@command("detect", stop="vision", order=20, again=True, menu=True)
async def detect(
    request: Request,
    services: Services,
    picture: Picture,
    confidence: Annotated[float, Range(0.05, 0.95)] = 0.25,
) -> AsyncIterator[Reply]:
    """Draw a box around every object the model is at least `confidence` sure of."""
    opened = await services.open_picture(picture)
    facts = opened.facts
    payload = DetectionInput(opened.data, facts.width, facts.height, confidence, facts.digest)
    async with services.submit(request, "detection", payload) as ticket:
        async for event in ticket:
            if state := waiting(event):
                yield state
    done = ticket.outcome
    found: Detections = done.result
    labels = [_labelled(box, found.boxes, request.language) for box in found.boxes]
    drawn = await services.studio.run(draw_boxes, opened.data, labels)
    yield Reply(
        blocks=(Say(_found(found.boxes)), *_notes(facts)),
        pictures=(Image(drawn, "detect.jpg", _alternative(found.boxes)),),
        buttons=_bolder(request, confidence),
        credit=Credit(done.model),
        data={
            "model": done.model,
            "confidence": confidence,
            "width": facts.width,
            "height": facts.height,
            "boxes": [asdict(box) for box in found.boxes],
            "inference_seconds": found.inference_seconds,
        },
    )


def _counts(boxes: Sequence[Box]) -> Listing:
    """*four people and one bus*, most frequent first."""
    counted = Counter(box.label for box in boxes).most_common()
    return Listing(
        [
            Message(
                "detect-count",
                number=Message("number-in-words", number=count),
                label=Label("coco", name, count),
            )
            for name, count in counted
        ]
    )


def _found(boxes: Sequence[Box]) -> Message:
    if not boxes:
        return Message("detect-nothing")
    return Message("detect-found", things=_counts(boxes), total=len(boxes))


def _alternative(boxes: Sequence[Box]) -> Message:
    if not boxes:
        return Message("detect-alternative-nothing")
    return Message("detect-alternative", things=_counts(boxes))


def _labelled(box: Box, boxes: Sequence[Box], language: str) -> LabelledBox:
    """The box with its words, one colour a class."""
    say = words(language)
    text = say(Message("detect-label", label=Label("coco", box.label), confidence=box.confidence))
    classes = list(dict.fromkeys(other.label for other in boxes))
    return LabelledBox(text, classes.index(box.label), box.left, box.top, box.right, box.bottom)


def _notes(facts: PictureFacts) -> tuple[Note, ...]:
    notes = []
    if facts.frames > 1:
        notes.append(Note(Message("note-picture-animated")))
    if facts.turned:
        notes.append(Note(Message("note-picture-turned")))
    return tuple(notes)


def _bolder(request: Request, confidence: float) -> tuple[Button, ...]:
    """Offer the same picture with a lower threshold, where that makes a difference."""
    if confidence <= DARING:
        return ()
    arguments: dict[str, Any] = {**call_of(request).arguments, "confidence": DARING}
    return (Button(Message("detect-bolder"), Call("detect", arguments)),)
