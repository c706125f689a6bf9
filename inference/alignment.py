"""Faces as FFHQ frames them: cut out of a photo upright and square, and put back.

Karras, Laine & Aila, "A Style-Based Generator Architecture for Generative Adversarial Networks",
CVPR 2019, arXiv:1812.04948, appendix A. The steps are those of `recreate_aligned_images` in their
ffhq-dataset, which made the pictures that the generator learnt from: a face that lies otherwise in
its square is a face that the generator has never seen. They had 68 points from dlib; here MTCNN's
five do, with constants of their own.

No torch here: the studio and the workers use it alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from inference.tasks.face_detection import Landmarks, Point

OVERSAMPLING = 2  # a photo is brought to at most so many times the cut-out's size beforehand

# Half the square's side in distances from eye to eye and from eyes to mouth, and how far its middle
# lies on the way from eyes to mouth. FFHQ's are 2, 1.8 and 0.1, for dlib's points; MTCNN's lie a
# little otherwise. Fitted on 170 faces of the generator, which come framed; on 170 others the side
# is 100.4 ± 1.6 % of the whole, the middle 0.3 % off, the angle 0 ± 0.6°. (FFHQ's constants there:
# 103.1 ± 1.7 %, 0.6 % off; with dlib's points 100.2 ± 1.4 %, 0.3 % off, on 200.)
EYES, MOUTH, DOWN = 1.95, 1.74, 0.119

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frame:
    """A square in a photo, turned as the face in it is.

    `centre`: x, y in pixels of the photo. `right`: from the centre to the middle of the right edge.
    """

    centre: Point
    right: Point

    @property
    def side(self) -> float:
        """Pixels of the photo along one edge."""
        return 2 * math.hypot(*self.right)

    @property
    def angle(self) -> float:
        """Radians; positive where the face is turned clockwise, as the viewer sees it."""
        return math.atan2(self.right[1], self.right[0])

    @property
    def quad(self) -> Array:
        """(4, 2) corners, x and y: top left, bottom left, bottom right, top right of the face."""
        centre, right = np.array(self.centre), np.array(self.right)
        down = np.array([-right[1], right[0]])
        top, bottom = centre - down, centre + down
        return np.stack([top - right, bottom - right, bottom + right, top + right])

    def inside(self, point: Point) -> Point:
        """A point of the photo in parts of the square: (0, 0) top left, (1, 1) bottom right."""
        x, y = point[0] - self.centre[0], point[1] - self.centre[1]
        across, up = self.right
        length = 2 * (across**2 + up**2)
        return (x * across + y * up) / length + 0.5, (y * across - x * up) / length + 0.5


def align(picture: Image.Image, landmarks: Landmarks, size: int) -> Image.Image:
    """The face with these landmarks as FFHQ would show it, `size` × `size` pixels."""
    return cut_out(picture, frame_of(landmarks), size)


def frame_of(landmarks: Landmarks) -> Frame:
    """Where FFHQ would cut this face out.

    Raises:
        ValueError: the points lie in one place or at infinity.
    """
    eyes = (np.array(landmarks.left_eye) + np.array(landmarks.right_eye)) / 2
    mouth = (np.array(landmarks.mouth_left) + np.array(landmarks.mouth_right)) / 2
    eye_to_eye = np.array(landmarks.right_eye) - np.array(landmarks.left_eye)
    eye_to_mouth = mouth - eyes
    # Both say where right is; of a face that is turned aside one is short and says little.
    right = eye_to_eye + np.array([eye_to_mouth[1], -eye_to_mouth[0]])
    length = np.hypot(*right)
    if not 0 < length < math.inf:
        raise ValueError("these points are no face")
    half = max(EYES * np.hypot(*eye_to_eye), MOUTH * np.hypot(*eye_to_mouth))
    centre = eyes + DOWN * eye_to_mouth
    across = right * (half / length)
    return Frame((float(centre[0]), float(centre[1])), (float(across[0]), float(across[1])))


def cut_out(picture: Image.Image, frame: Frame, size: int) -> Image.Image:
    """What the frame shows of an RGB picture, `size` × `size` pixels, upright.

    Where it reaches beyond the picture, the picture is mirrored and fades into a blur.

    Raises:
        ValueError: nothing of the picture would be seen.
    """
    quad = frame.quad
    border = _border(frame.side)
    low, high = quad.min(0) - border, quad.max(0) + border
    left, top = (max(0, math.floor(edge)) for edge in low)
    right, bottom = (
        min(end, math.ceil(edge)) for end, edge in zip(picture.size, high, strict=True)
    )
    width, height, side = right - left, bottom - top, frame.side
    shrink = max(1.0, side / (OVERSAMPLING * size))
    if min(width, height) < shrink:
        raise ValueError("the frame shows nothing of the picture")
    small = round(width / shrink), round(height / shrink)
    piece = picture.resize(
        small, Image.Resampling.LANCZOS, (left, top, right, bottom), reducing_gap=3.0
    )
    quad = (quad - (left, top)) * (small[0] / width, small[1] / height)
    piece, quad = _padded(piece, quad, side / shrink)

    detail = size * min(OVERSAMPLING, max(1, math.ceil(side / shrink / size)))
    corners = tuple(float(value) for value in quad.flatten())
    face = piece.transform(
        (detail, detail), Image.Transform.QUAD, corners, Image.Resampling.BILINEAR
    )
    return face.resize((size, size), Image.Resampling.LANCZOS)


def put_back(
    picture: Image.Image, face: Image.Image, frame: Frame, fade: float = 0.1
) -> Image.Image:
    """The picture with `face`, a square one as `cut_out` makes it, where the frame lies.

    `fade`: the part of the square at each edge, 0…0.5, in which the face fades into the picture.
    """
    quad = frame.quad
    left, top = (max(0, math.floor(edge)) for edge in quad.min(0))
    right, bottom = (
        min(end, math.ceil(edge)) for end, edge in zip(picture.size, quad.max(0), strict=True)
    )
    result = picture.copy()
    if left >= right or top >= bottom:
        return result
    if face.width > frame.side:  # else its pixels would be picked here and there
        side = max(1, round(frame.side))
        face = face.resize((side, side), Image.Resampling.LANCZOS)
    # From the picture's pixels to the face's: x and y each as a·x + b·y + c.
    origin = np.array(frame.inside((left, top))) * face.width
    along_x = np.array(frame.inside((left + 1, top))) * face.width - origin
    along_y = np.array(frame.inside((left, top + 1))) * face.width - origin
    matrix = tuple(float(v) for v in np.stack([along_x, along_y, origin], axis=1).flatten())
    where = (right - left, bottom - top)
    placed, mask = (
        layer.transform(where, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
        for layer in (face, _fading(face.width, fade))
    )
    result.paste(placed, (left, top), mask)
    return result


def _fading(side: int, fade: float) -> Image.Image:
    """A mask (side × side): full in the middle, nothing at the edges."""
    from_edge = (np.minimum(np.arange(side), np.arange(side)[::-1]) + 0.5) / side  # 0…0.5
    ramp = np.clip(from_edge / max(fade, 1e-6), 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)  # no crease where it begins and ends
    return Image.fromarray(np.rint(255 * np.outer(ramp, ramp)).astype(np.uint8))


def _border(side: float) -> int:
    """Pixels around the square that are kept, so that resampling finds neighbours."""
    return max(round(0.1 * side), 3)


def _padded(piece: Image.Image, quad: Array, side: float) -> tuple[Image.Image, Array]:
    """The picture, mirrored and blurred beyond its edges where the square needs it.

    With it comes the quad, moved by what was added.
    """
    border = _border(side)
    needed = np.concatenate([-quad.min(0), quad.max(0) - piece.size])  # left, top, right, bottom
    if needed.max() <= -4:
        return piece, quad
    least = max(1, round(0.3 * side))
    left, top, right, bottom = (max(math.ceil(pixels) + border, least) for pixels in needed)
    pixels = np.pad(np.asarray(piece), ((top, bottom), (left, right), (0, 0)), mode="reflect")
    height, width = pixels.shape[:2]
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    # 1 at the outer edge, 0 where the picture begins, below 0 in it. FFHQ's blur begins in the
    # picture already; here that is left as it is, for the face shall go back into it.
    beyond = 1 - np.minimum(
        np.minimum(x / left, x[::-1] / right), np.minimum(y / top, y[::-1] / bottom)
    )
    mirrored = Image.fromarray(pixels)
    blurred = mirrored.filter(ImageFilter.GaussianBlur(0.02 * side))
    mirrored = Image.composite(blurred, mirrored, _mask(3 * beyond))
    colour = tuple(int(value) for value in np.median(pixels, axis=(0, 1)))
    plain = Image.new("RGB", mirrored.size, colour)
    return Image.composite(plain, mirrored, _mask(beyond)), quad + np.array([left, top])


def _mask(strength: NDArray[np.float32]) -> Image.Image:
    """Strengths 0…1, clipped, as a mask."""
    return Image.fromarray(np.rint(255 * np.clip(strength, 0, 1)).astype(np.uint8))
