"""The face detector against facenet-pytorch's own, with the real weights."""

from __future__ import annotations

import io
import math
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import torch
from numpy.typing import NDArray
from PIL import Image

from inference.models import mtcnn
from inference.models.mtcnn import Cascade, Mtcnn
from inference.pictures import PictureError
from inference.queue import InferenceQueue, QueueOptions
from inference.tasks import all_tasks
from inference.tasks.face_detection import Face, FaceInput, Faces
from inference.weights import WeightsStore
from tests.inference.fake_models import job

WEIGHTS = ("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet")

#: What facenet-pytorch 2.6.0 finds in the photos that ultralytics ships: box, probability, five
#: points. It wants an old torch, so it was installed without its dependencies, beside torch 2.15:
#:
#:     picture = PIL.Image.open(assets / "zidane.jpg")
#:     boxes, probabilities, points = MTCNN(keep_all=True).detect(picture, landmarks=True)
#:
#: So were 18 more pictures with 44 faces compared, and 29 without any: the same faces in all of
#: them, boxes and points within 0.0004 pixels.
REFERENCE = {
    "bus.jpg": [
        (
            (118.4, 423.5, 152.5, 467.8),
            1.0,
            ((132.4, 436.9), (147.5, 437.4), (143.8, 445.0), (133.8, 455.0), (147.4, 456.0)),
        ),
        (
            (272.3, 428.4, 304.9, 470.2),
            0.9992,
            ((285.4, 443.8), (300.1, 443.4), (294.4, 452.2), (286.7, 460.8), (298.0, 459.7)),
        ),
    ],
    "zidane.jpg": [
        (
            (909.2, 97.0, 1047.7, 285.1),
            1.0,
            ((964.9, 165.3), (1025.7, 169.9), (1001.9, 202.4), (960.1, 233.6), (1016.3, 236.5)),
        ),
        (
            (559.2, 262.3, 670.0, 430.4),
            0.997,
            ((626.7, 325.8), (656.6, 332.5), (656.1, 365.8), (615.3, 388.9), (636.8, 394.7)),
        ),
        (
            (783.2, 262.5, 849.0, 336.1),
            0.7759,
            ((814.5, 289.7), (832.9, 290.5), (826.2, 305.7), (812.0, 314.9), (826.4, 316.1)),
        ),
        (
            (271.1, -13.6, 386.2, 143.2),
            0.7649,
            ((328.2, 35.9), (372.0, 44.0), (352.5, 78.0), (315.1, 99.5), (348.0, 107.4)),
        ),
    ],
}


@pytest.fixture(scope="module")
def model(pulled: Callable[[str], Path]) -> Iterator[Mtcnn]:
    made = Mtcnn({}, {name: pulled(name) for name in WEIGHTS})
    made.load("cpu")
    yield made
    made.close()


@pytest.fixture(scope="module")
def assets() -> Path:
    from importlib.util import find_spec

    spec = find_spec("ultralytics")  # not imported: it patches Pillow for the whole process
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "assets"


@pytest.fixture(scope="module")
def zidane(assets: Path) -> Image.Image:
    """1280 × 720 pixels, two faces."""
    return Image.open(assets / "zidane.jpg").convert("RGB")


@pytest.fixture(scope="module")
def portrait(zidane: Image.Image) -> Image.Image:
    """256 × 256 pixels, one face, about half as wide."""
    return zidane.crop((850, 5, 1140, 295)).resize((256, 256), Image.Resampling.BOX)


def asking(picture: Image.Image, kind: str = "PNG", confidence: float = 0.9) -> FaceInput:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return FaceInput(buffer.getvalue(), *picture.size, confidence)


def found_in(model: Mtcnn, wanted: FaceInput) -> tuple[Face, ...]:
    (result,) = model.predict([wanted])
    assert isinstance(result, Faces)
    return result.faces


def points_of(face: Face) -> NDArray[np.float64]:
    """(5, 2)"""
    return np.array(face.landmarks)


def assert_same(found: tuple[Face, ...], expected: tuple[Face, ...], within: float = 0.02) -> None:
    """The same faces in the same order, `within` parts of each one's width."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        tolerance = within * (other.box[2] - other.box[0])
        assert one.box == pytest.approx(other.box, abs=3 * tolerance)
        assert points_of(one) == pytest.approx(points_of(other), abs=tolerance)


# --- the same as facenet-pytorch ----------------------------------------------------------------


@pytest.mark.weights
@pytest.mark.parametrize("name", REFERENCE)
def test_it_finds_what_facenet_pytorch_finds(model: Mtcnn, assets: Path, name: str) -> None:
    pixels = torch.from_numpy(np.array(Image.open(assets / name))).permute(2, 0, 1).float()
    ((boxes, scores, points),) = model._cascade([pixels])
    expected_boxes, expected_scores, expected_points = zip(*REFERENCE[name], strict=True)
    assert boxes.numpy() == pytest.approx(np.array(expected_boxes), abs=0.5)
    assert scores.numpy() == pytest.approx(np.array(expected_scores), abs=0.01)
    assert points.numpy() == pytest.approx(np.array(expected_points), abs=0.5)


# --- what the task promises ---------------------------------------------------------------------


@pytest.mark.weights
def test_faces_and_their_points(model: Mtcnn, assets: Path) -> None:
    large, small = found_in(model, FaceInput((assets / "zidane.jpg").read_bytes(), 1280, 720))
    assert large.area > small.area
    for face, (box, score, points) in zip((large, small), REFERENCE["zidane.jpg"], strict=False):
        # The photo was reduced first, to two thirds, and its faces were looked at again.
        width = box[2] - box[0]
        assert face.box == pytest.approx(box, abs=0.1 * width)
        assert face.confidence == pytest.approx(score, abs=0.02)
        assert points_of(face) == pytest.approx(np.array(points), abs=0.12 * width)
    marks = large.landmarks
    assert marks.left_eye[0] < marks.nose[0] < marks.right_eye[0]
    assert marks.mouth_left[0] < marks.mouth_right[0]
    assert marks.left_eye[1] < marks.nose[1] < marks.mouth_left[1]


@pytest.mark.weights
def test_looking_again_sees_the_same_in_a_mirror(model: Mtcnn, portrait: Image.Image) -> None:
    """The first look does not: there a mirror moves points by up to a twentieth of the face."""
    pixels = torch.from_numpy(np.array(portrait)).permute(2, 0, 1).float()
    ((boxes, _, first),) = model._cascade([pixels])
    again = model._cascade.look_again(pixels, boxes.round())
    mirrored = boxes.round()[:, [2, 1, 0, 3]] * torch.tensor([-1, 1, -1, 1])
    mirrored += torch.tensor([256, 0, 256, 0])
    seen = model._cascade.look_again(pixels.flip(2), mirrored)[0].numpy()
    back = seen[[1, 0, 2, 4, 3]] * (-1, 1) + np.array([256, 0])
    width = float(boxes[0, 2] - boxes[0, 0])
    assert back == pytest.approx(again[0].numpy(), abs=0.01 * width)
    assert again[0].numpy() == pytest.approx(first[0].numpy(), abs=0.06 * width)
    assert model._cascade.look_again(pixels, boxes[:0]).shape == (0, 5, 2)
    outside = torch.tensor([[-90.0, -80, -20, -10], [300, 300, 400, 400], [40, 40, 40, 40]])
    assert model._cascade.look_again(pixels, outside).isfinite().all()


@pytest.mark.weights
def test_unlikely_faces_are_dropped(model: Mtcnn, zidane: Image.Image) -> None:
    certain, usual, daring = (found_in(model, asking(zidane, confidence=c)) for c in (1, 0.9, 0.7))
    assert len(certain) < len(usual) == 2 <= len(daring)
    assert all(face.confidence >= 0.9 for face in usual)
    assert set(usual) <= set(daring)


@pytest.mark.weights
def test_no_face(model: Mtcnn) -> None:
    for picture in (
        Image.new("RGB", (300, 200), "teal"),
        Image.effect_noise((400, 300), 90).convert("RGB"),
        Image.linear_gradient("L").convert("RGB"),
    ):
        assert found_in(model, asking(picture)) == ()


@pytest.mark.weights
def test_boxes_end_at_the_picture_s_edges(model: Mtcnn, zidane: Image.Image) -> None:
    cut = zidane.crop((940, 120, 1240, 420))  # through the face
    (face,) = found_in(model, asking(cut, confidence=0.7))
    left, top, right, bottom = face.box
    assert 0 <= left < right <= 300 and 0 <= top < bottom <= 300


@pytest.mark.weights
def test_a_batch_changes_nothing(model: Mtcnn, zidane: Image.Image, assets: Path) -> None:
    bus = Image.open(assets / "bus.jpg")
    wanted = [
        asking(zidane),
        asking(Image.new("RGB", (64, 64))),
        asking(bus, "JPEG"),
        asking(zidane.resize((320, 180)), confidence=0.7),
        asking(zidane.crop((800, 0, 1280, 720))),
    ]
    together = model.predict(wanted)
    for one, result in zip(wanted, together, strict=True):
        assert isinstance(result, Faces)
        assert_same(result.faces, found_in(model, one), within=0.001)
    assert [len(result.faces) for result in together if isinstance(result, Faces)][:3] == [2, 0, 2]


@pytest.mark.weights
def test_a_damaged_picture_fails_alone(model: Mtcnn, portrait: Image.Image) -> None:
    good = asking(portrait)
    cut = FaceInput(good.picture[: len(good.picture) // 2], good.width, good.height)
    broken, first, unknown, tiny = model.predict(
        [cut, good, FaceInput(b"no picture", 10, 10), asking(Image.new("RGB", (1, 1)))]
    )
    assert isinstance(broken, PictureError) and broken.reason == "broken"
    assert isinstance(unknown, PictureError) and unknown.reason == "unknown"
    assert isinstance(tiny, PictureError) and tiny.reason == "too-small"
    assert isinstance(first, Faces) and len(first.faces) == 1
    (empty,) = model.predict([FaceInput(b"", 10, 10)])
    assert isinstance(empty, PictureError) and empty.reason == "empty"


@pytest.mark.weights
@pytest.mark.parametrize("turn", [3, 6, 8])
def test_points_lie_in_the_upright_picture(model: Mtcnn, zidane: Image.Image, turn: int) -> None:
    """As phones store it: lying, with a tag that says so."""
    how = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}
    lying = zidane.transpose(how.get(turn, Image.Transpose.ROTATE_270))
    exif = Image.Exif()
    exif[0x0112] = turn
    buffer = io.BytesIO()
    lying.save(buffer, "JPEG", quality=95, exif=exif)
    upright = found_in(model, asking(zidane))
    assert_same(found_in(model, FaceInput(buffer.getvalue(), *zidane.size)), upright, within=0.1)


@pytest.mark.weights
@pytest.mark.parametrize(
    ("mode", "kind"),
    [("L", "PNG"), ("RGBA", "PNG"), ("P", "GIF"), ("CMYK", "JPEG"), ("LA", "PNG"), ("RGB", "WEBP")],
)
def test_every_mode_is_looked_at(model: Mtcnn, portrait: Image.Image, mode: str, kind: str) -> None:
    plain = found_in(model, asking(portrait))
    assert_same(found_in(model, asking(portrait.convert(mode), kind)), plain, within=0.08)


@pytest.mark.weights
@pytest.mark.parametrize("size", [(8, 8), (20_000, 8), (8, 20_000), (33, 2000), (12, 12)])
def test_extreme_shapes_are_looked_at(model: Mtcnn, size: tuple[int, int]) -> None:
    assert found_in(model, asking(Image.new("RGB", size, "teal"))) == ()


@pytest.mark.weights
def test_a_large_photo(model: Mtcnn, zidane: Image.Image) -> None:
    """A JPEG of 12 megapixels is read and looked at in a fraction of its size."""
    scale = math.sqrt(12e6 / (1280 * 720))
    large = zidane.resize((round(1280 * scale), round(720 * scale)), Image.Resampling.BICUBIC)
    faces = found_in(model, asking(large, "JPEG"))
    assert len(faces) == 2
    for face, expected in zip(faces, found_in(model, asking(zidane)), strict=True):
        width = expected.box[2] - expected.box[0]
        assert points_of(face) / scale == pytest.approx(points_of(expected), abs=0.1 * width)


@pytest.mark.weights
def test_faces_in_a_panorama(model: Mtcnn, zidane: Image.Image) -> None:
    """It is measured by its area: its longer side alone would leave the face 14 pixels."""
    wide = Image.new("RGB", (6400, 720), "grey")
    wide.paste(zidane, (3000, 0))
    faces = found_in(model, asking(wide))
    assert len(faces) == 2
    for face, expected in zip(faces, found_in(model, asking(zidane)), strict=True):
        shifted = points_of(expected) + np.array([3000, 0])
        width = expected.box[2] - expected.box[0]
        assert points_of(face) == pytest.approx(shifted, abs=0.1 * width)


@pytest.mark.weights
def test_a_crowd_is_cut_short(
    model: Mtcnn, portrait: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a picture made of faces does not hold the worker up."""
    crowd = Image.new("RGB", (640, 512))
    for n in range(20):
        crowd.paste(portrait.resize((128, 128)), (128 * (n % 5), 128 * (n // 5)))
    assert len(found_in(model, asking(crowd))) == 20
    monkeypatch.setattr(mtcnn, "FACES", 7)
    assert len(found_in(model, asking(crowd))) == 7


# --- mosaics ------------------------------------------------------------------------------------


@pytest.mark.weights
@pytest.mark.parametrize("blocks", [64, 32])
@pytest.mark.parametrize("enlarged", [None, Image.Resampling.NEAREST, Image.Resampling.BICUBIC])
def test_a_pixelated_face_is_found(
    model: Mtcnn, portrait: Image.Image, blocks: int, enlarged: Image.Resampling | None
) -> None:
    mosaic = portrait.resize((blocks, blocks), Image.Resampling.BOX)
    if enlarged is not None:
        mosaic = mosaic.resize((512, 512), enlarged)
    (face,) = found_in(model, asking(mosaic))
    (clear,) = found_in(model, asking(portrait))
    scale = portrait.width / mosaic.width
    width = clear.box[2] - clear.box[0]
    assert points_of(face) * scale == pytest.approx(points_of(clear), abs=0.12 * width)


@pytest.mark.weights
def test_a_coarse_mosaic_is_found_by_squinting(
    model: Mtcnn, portrait: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    mosaic = portrait.resize((16, 16), Image.Resampling.BOX)
    wanted = asking(mosaic.resize((512, 512), Image.Resampling.NEAREST), confidence=0.7)
    assert len(found_in(model, wanted)) == 1
    monkeypatch.setattr(mtcnn, "SQUINTS", ())
    assert found_in(model, wanted) == ()


# --- the parts ----------------------------------------------------------------------------------


def test_of_nested_boxes_the_best_is_kept() -> None:
    boxes = torch.tensor(
        [[0, 0, 99, 99], [30, 30, 60, 60], [80, 0, 179, 99], [300, 0, 310, 10], [5, 5, 104, 104]]
    ).float()
    kept = mtcnn._not_nested(boxes, torch.tensor([0.8, 0.9, 0.7, 0.6, 0.75]), 0.7)
    # The second lies in the first and in the last; the third shares a fifth with the first.
    assert kept.tolist() == [1, 2, 3]
    assert mtcnn._not_nested(boxes[:0], torch.empty(0), 0.7).tolist() == []


def test_squares_keep_their_centre() -> None:
    boxes = torch.tensor([[10.0, 20.0, 30.0, 80.0], [0.0, 0.0, 8.0, 8.0]])
    assert mtcnn._squares(boxes).tolist() == [[-10, 20, 50, 80], [0, 0, 8, 8]]


def test_crops_end_at_the_picture_s_edges() -> None:
    """A box outside has no pixels: facenet-pytorch fails there, or takes others' for its own."""
    picture = torch.arange(100.0).reshape(1, 10, 10).expand(3, -1, -1)
    boxes = torch.tensor([[1.0, 1, 10, 10], [-20, -20, -5, -5], [9, 9, 30, 30], [11, 0, 19, 8]])
    windows = mtcnn.Windows(boxes, torch.ones(4), torch.zeros(4, 4), torch.zeros(4).long())
    kept, crops = mtcnn._crops([picture], boxes, windows, 2)
    assert kept.boxes.tolist() == boxes[[0, 2]].tolist()
    shown = crops[:, 0] * 128 + 127.5
    assert shown.tolist() == [[[22, 27], [72, 77]], [[88, 89], [98, 99]]]


def test_a_cascade_without_pictures_to_propose_from() -> None:
    """Weights by chance, pictures too small for any window."""
    torch.manual_seed(0)
    results = Cascade().eval()([torch.zeros(3, 5, 900), torch.zeros(3, 1, 1)])
    assert [[len(part) for part in table] for table in results] == [[0, 0, 0]] * 2


def test_weights_that_are_a_program_are_not_run(tmp_path: Path) -> None:
    class Program:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"conv1.weight": Program()}, tmp_path / "pnet.pt")
    with pytest.raises(Exception, match="weights_only"):
        Mtcnn({}, dict.fromkeys(WEIGHTS, tmp_path / "pnet.pt")).load("cpu")
    assert not (tmp_path / "ran").exists()


def test_equal_pictures_share_a_run() -> None:
    task = all_tasks()["face-detection"]
    one = FaceInput(b"picture", 10, 10, digest="d")
    assert task.share_key(one) == task.share_key(FaceInput(b"picture", 10, 10, digest="d"))
    assert task.share_key(one) != task.share_key(FaceInput(b"picture", 10, 10, 0.5, digest="d"))
    assert task.share_key(FaceInput(b"picture", 10, 10)) is None


# --- through the queue --------------------------------------------------------------------------

one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def q(
    weights_store: WeightsStore, pulled: Callable[[str], Path]
) -> AsyncIterator[InferenceQueue]:
    for name in WEIGHTS:
        pulled(name)
    tasks = {"face-detection": all_tasks()["face-detection"]}
    made = InferenceQueue(weights_store, QueueOptions(devices=("cpu",), tasks=tasks))
    yield made
    await made.close()


@pytest.mark.weights
@one_loop
async def test_the_queue_gives_the_same(
    q: InferenceQueue, model: Mtcnn, portrait: Image.Image
) -> None:
    async with q.submit(job("face-detection", asking(portrait))) as ticket:
        result = await ticket.result()
    assert_same(result.faces, found_in(model, asking(portrait)))
    assert result.seconds > 0
