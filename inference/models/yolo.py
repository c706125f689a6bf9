"""YOLO: you only look once. Objects and their boxes from one pass of a convolutional network.

Redmon, Divvala, Girshick & Farhadi, "You Only Look Once: Unified, Real-Time Object Detection",
CVPR 2016, arXiv:1506.02640. The checkpoint is YOLO26 (Ultralytics, 2026), trained on the 80 classes
of COCO (Lin et al., 2014); it predicts one box an object, so no suppression of doubles follows.

Source and weights: ultralytics, AGPL-3.0.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from inference.model import OneStepModel
from inference.pictures import PictureError, decode
from inference.tasks.detection import IMAGE_SIZE, STRIDE, Box, DetectionInput, Detections


class Yolo(OneStepModel):
    """Detects objects in batches of pictures whose letterboxed shapes are equal."""

    def load(self, device: str) -> None:
        (path,) = self.files.values()
        YOLO = _quiet_ultralytics(settings_folder=path.parent)  # noqa: N806 (a class)
        self._network = YOLO(str(path), task="detect")
        self._device = device
        # The first pass fuses layers and allocates; nobody should wait for that.
        self._forward([np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)], confidence=0.9)

    def predict(self, inputs: Sequence[DetectionInput]) -> Sequence[Detections | PictureError]:
        """Boxes for each picture; a damaged picture fails alone.

        One pass serves different thresholds: it keeps what the lowest of them asks for, and each
        picture then drops what lies below its own.
        """
        pixels: dict[int, NDArray[np.uint8]] = {}
        results: list[Any] = [None] * len(inputs)
        for index, wanted in enumerate(inputs):
            try:
                pixels[index] = np.asarray(decode(wanted.picture))[:, :, ::-1]  # RGB → BGR
            except PictureError as error:
                results[index] = error
        if pixels:
            began = time.perf_counter()
            lowest = min(inputs[index].confidence for index in pixels)
            found = self._forward(list(pixels.values()), lowest)
            seconds = time.perf_counter() - began
            for index, boxes in zip(pixels, found, strict=True):
                kept = tuple(box for box in boxes if box.confidence >= inputs[index].confidence)
                results[index] = Detections(kept, seconds)
        return results

    def _forward(
        self, pictures: list[NDArray[np.uint8]], confidence: float
    ) -> list[tuple[Box, ...]]:
        """One pass. `pictures`: arrays of (height, width, 3) in BGR, one letterboxed shape.

        They are letterboxed here: left to itself, ultralytics pads pictures of different sizes to a
        square, even where one shape would fit them all, and finds other boxes than in each alone.
        """
        from ultralytics.data.augment import LetterBox

        letterbox = LetterBox((IMAGE_SIZE, IMAGE_SIZE), auto=True, stride=STRIDE)
        found = self._network.predict(
            [letterbox(image=np.ascontiguousarray(picture)) for picture in pictures],
            imgsz=IMAGE_SIZE,
            conf=confidence,
            device=self._device,
            verbose=False,
            save=False,
        )
        return [_boxes(result, picture) for result, picture in zip(found, pictures, strict=True)]


def _boxes(result: Any, picture: NDArray[np.uint8]) -> tuple[Box, ...]:
    """An ultralytics result as boxes in the pixels of `picture`, most confident first."""
    from ultralytics.utils.ops import scale_boxes

    # (n, 6): left, top, right, bottom, confidence, class
    table = result.boxes.data.cpu().numpy()
    scale_boxes(result.orig_shape, table[:, :4], picture.shape[:2])
    order = np.argsort(-table[:, 4], kind="stable")
    return tuple(
        Box(result.names[int(row[5])], float(row[4]), *(float(edge) for edge in row[:4]))
        for row in table[order]
    )


def _quiet_ultralytics(settings_folder: Path) -> Any:
    """The YOLO class of an ultralytics that neither phones home, installs packages nor prints.

    It writes a settings file where it is imported; that goes to `settings_folder`, not home.
    """
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ["YOLO_OFFLINE"] = "true"
    os.environ["YOLO_VERBOSE"] = "false"
    os.environ.setdefault("YOLO_CONFIG_DIR", str(settings_folder))
    from ultralytics import YOLO
    from ultralytics.utils import SETTINGS, events, patches

    SETTINGS["sync"] = False
    events.events.enabled = False
    # Its own `Image.open` installs a plugin, or raises ImportError, at the sight of a damaged file.
    PIL.Image.open = patches._image_open
    return YOLO
