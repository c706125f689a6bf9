"""MobileStyleGAN against OpenVINO's own run of the published graphs, and what we added to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from inference.jobs import Progress
from inference.model import Result
from inference.models.faces import FaceFilm, Faces, found_face, to_pixels
from inference.models.stylegan import (
    LAYERS,
    OFFSET,
    READOUT_SIZES,
    STYLE,
    Generator,
    Readout,
    inverse_wavelet,
)
from inference.openvino_ir import Graph
from inference.tasks.face_film import FilmInput
from inference.tasks.faces import ATTRIBUTES, WEIGHTS, Face, FacesInput

SEEDS = range(10)


@pytest.fixture(scope="module")
def files(pulled: Callable[[str], Path]) -> dict[str, Path]:
    return {name: pulled(name) for name in WEIGHTS}


@pytest.fixture(scope="module")
def generator(files: dict[str, Path]) -> Generator:
    return Generator.from_files(files, "cpu")


@pytest.fixture(scope="module")
def faces(files: dict[str, Path]) -> Iterator[Faces]:
    model = Faces({}, files)
    model.load("cpu")
    yield model
    model.close()


@torch.no_grad()
def test_it_is_what_openvino_computes(generator: Generator, files: dict[str, Path]) -> None:
    """Ten seeds, both networks, to 1e-3 of the colours' range from -1 to 1."""
    openvino = pytest.importorskip("openvino")
    core = openvino.Core()
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    mapping, synthesis = (
        core.compile_model(str(files[f"mobilestylegan-{part}-xml"].resolve()), "CPU", exact)
        if files[f"mobilestylegan-{part}-xml"].with_suffix(".bin").exists()
        else core.compile_model(
            core.read_model(
                str(files[f"mobilestylegan-{part}-xml"]), str(files[f"mobilestylegan-{part}-bin"])
            ),
            "CPU",
            exact,
        )
        for part in ("mapping", "synthesis")
    )
    for seed in SEEDS:
        z = torch.randn(1, STYLE, generator=torch.Generator().manual_seed(seed))
        (w,) = mapping([z.numpy()]).values()
        assert np.abs(generator.mapping(z).numpy() - w).max() < 1e-4
        (face,) = synthesis([w]).values()
        ours = generator.synthesis(torch.from_numpy(np.array(w))).numpy()
        assert np.abs(ours - face).max() < 1e-3, f"seed {seed}"


def test_the_inverse_wavelet_is_haar_s() -> None:
    """Analysing what it made gives the bands back; PyTorch's own convolutions do that here."""
    bands = torch.randn(2, 12, 5, 7, generator=torch.Generator().manual_seed(0))
    pixels = inverse_wavelet(bands)
    assert pixels.shape == (2, 3, 10, 14)
    kernels = (
        torch.tensor(
            [[[1, 1], [1, 1]], [[1, 1], [-1, -1]], [[1, -1], [1, -1]], [[1, -1], [-1, 1]]]
        )[:, None]
        * 0.5
    )
    again = F.conv2d(pixels.flatten(0, 1)[:, None], kernels, stride=2).unflatten(0, (2, 3))
    average, details = bands[:, :3], bands[:, 3:].unflatten(1, (3, 3))
    assert torch.allclose(again[:, :, 0], average, atol=1e-5)
    assert torch.allclose(again[:, :, 1:], details, atol=1e-5)


@torch.no_grad()
def test_half_the_size_is_the_average_of_four_pixels(generator: Generator) -> None:
    style = generator.style(3, 0.7)
    whole = F.avg_pool2d(generator.synthesis(style), 2)
    assert torch.allclose(generator.synthesis(style, 512), whole, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("size", READOUT_SIZES)
def test_the_readouts_resemble_the_whole_face(generator: Generator, size: int) -> None:
    """On seeds that no readout was fitted to."""
    for seed in (5001, 5002):
        style = generator.style(seed, 0.7)
        whole = F.adaptive_avg_pool2d(generator.synthesis(style), size)
        off = generator.synthesis(style, size) - whole
        explained = 1 - off.square().sum() / (whole - whole.mean((2, 3), True)).square().sum()
        assert explained > 0.8, f"{size} pixels, seed {seed}"


@torch.no_grad()
def test_each_face_of_a_batch_is_its_own(generator: Generator) -> None:
    styles = torch.cat([generator.style(seed) for seed in (1, 2)])
    both = generator.synthesis(styles, 256)
    alone = generator.synthesis(styles[1:], 256)
    assert torch.allclose(both[1:], alone, atol=1e-4)


def test_gradients_reach_every_layer_s_style(generator: Generator) -> None:
    styles = generator.style(1).expand(LAYERS, -1)[None].clone().requires_grad_()
    generator.synthesis(styles, 512).square().mean().backward()
    assert styles.grad is not None
    assert (styles.grad.norm(dim=-1) > 0).all()


def test_the_average_face_and_the_whole_style(generator: Generator) -> None:
    assert torch.allclose(generator.style(7, 0.0), generator.mean[None])
    half = (generator.style(7) + generator.mean) / 2
    assert torch.allclose(generator.style(7, 0.5), half, atol=1e-6)
    assert not torch.allclose(generator.style(7), generator.style(8))


def test_a_readout_looks_at_features_and_style() -> None:
    readout = Readout(4)
    x, w = torch.randn(1, 4, 3, 3), torch.randn(1, 5, STYLE)
    base = readout(x, w)
    assert not torch.allclose(readout(x + 1, w), base)
    assert not torch.allclose(readout(x, w + 1), base)


# --- the file format -----------------------------------------------------------------------------


def test_a_binary_file_that_is_too_short_is_told(files: dict[str, Path], tmp_path: Path) -> None:
    cut = tmp_path / "cut.bin"
    cut.write_bytes(files["mobilestylegan-mapping-bin"].read_bytes()[:1000])
    with pytest.raises(ValueError, match="ends before"):
        Graph(files["mobilestylegan-mapping-xml"], cut)


def test_a_type_that_is_unknown_is_told(files: dict[str, Path], tmp_path: Path) -> None:
    tree = ElementTree.parse(files["mobilestylegan-mapping-xml"])
    for data in tree.getroot().iterfind("layers/layer/data"):
        if data.get("element_type"):
            data.set("element_type", "u4")
    other = tmp_path / "other.xml"
    tree.write(other)
    with pytest.raises(ValueError, match="u4"):
        Graph(other, files["mobilestylegan-mapping-bin"])


# --- painting ------------------------------------------------------------------------------------


def run(session: object) -> dict[int, object]:
    """Step a session to its end: the results by job."""
    results: dict[int, object] = {}
    while session.jobs:  # type: ignore[attr-defined]
        for job, event in session.step():  # type: ignore[attr-defined]
            if isinstance(event, Result):
                results[job] = event.value
    return results


def test_jobs_share_a_batch_and_get_their_own_faces(faces: Faces) -> None:
    asked = {
        1: FacesInput((Face(1), Face(2)), 256),
        2: FacesInput((Face(2),), 256),
        3: FacesInput((Face(1),), 512),
    }
    painted = run(faces.start(asked))
    assert painted[1].pixels.shape == (2, 256, 256, 3)  # type: ignore[attr-defined]
    assert painted[3].pixels.shape == (1, 512, 512, 3)  # type: ignore[attr-defined]
    alike = np.abs(
        painted[1].pixels[1].astype(int) - painted[2].pixels[0].astype(int)  # type: ignore[attr-defined]
    )
    assert alike.max() <= 1
    assert painted[2].seconds > 0  # type: ignore[attr-defined]


def test_a_cancelled_job_is_not_painted(faces: Faces) -> None:
    session = faces.start({1: FacesInput((Face(1), Face(2)), 512), 2: FacesInput((Face(3),), 512)})
    events = list(session.step())
    assert [job for job, _ in events] == [1]
    assert isinstance(events[0][1], Progress)
    assert events[0][1].fraction == 0.5
    assert events[0][1].preview.shape == (512, 512, 3)
    session.cancel(1)
    assert session.jobs == {2}
    assert list(run(session)) == [2]


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_every_attribute_on_offer_changes_the_face(faces: Faces, attribute: str) -> None:
    edited = run(faces.start({1: FacesInput((Face(1), Face(1, edits=((attribute, 2.0),))), 256)}))[
        1
    ]
    before, after = edited.pixels.astype(int)  # type: ignore[attr-defined]
    assert np.abs(before - after).mean() > 0.5


def test_what_a_style_cannot_be(faces: Faces) -> None:
    good = found_face(faces.styles([Face(4)])[0], torch.zeros(OFFSET))
    for bad in (
        Face(style=b"\0" * 10),
        replace(good, offset=good.offset[:-2]),
        Face(edits=(("wings", 1.0),)),
    ):
        with pytest.raises(ValueError):
            faces.start({1: FacesInput((bad,), 256)})


def test_a_face_that_was_found_is_painted(faces: Faces) -> None:
    same = found_face(faces.styles([Face(4)])[0], torch.zeros(OFFSET))
    offset = torch.zeros(OFFSET)
    offset[:, :, :4] = 0.5
    other = found_face(faces.styles([Face(4)])[0], offset)
    three = run(faces.start({1: FacesInput((Face(4), same, other), 256)}))[1]
    seeded, found, moved = three.pixels.astype(int)  # type: ignore[attr-defined]
    assert np.abs(seeded - found).mean() < 1
    apart = np.abs(found - moved).mean((0, 2))  # of each column
    assert apart[:64].mean() > 5 > 1 > apart[192:].mean()


def test_a_film_mixes_its_faces(files: dict[str, Path]) -> None:
    model = FaceFilm({}, files)
    model.load("cpu")
    ends, middle = (1.0, 0.0), (0.5, 0.5)
    film = run(model.start({1: FilmInput((Face(1), Face(2)), (ends, middle, ends), 256)}))[1]
    frames = film.frames.astype(int)  # type: ignore[attr-defined]
    assert np.abs(frames[0] - frames[2]).max() <= 1
    offsets = model.offsets([Face(1), Face(2)])[:1]
    styles = model.styles([Face(1), Face(2)]).mean(0, keepdim=True)
    assert np.abs(frames[1] - model.paint(styles, offsets, 256)[0].astype(int)).max() <= 2


def test_an_offset_gives_way_where_edits_change_the_face(faces: Faces) -> None:
    found = found_face(faces.styles([Face(4)])[0], torch.ones(OFFSET))
    wide, blond = (
        replace(found, edits=((attribute, 2.0),)) for attribute in ("mouth_open", "hair_lightness")
    )
    before, mouth, hair = faces.offsets([found, wide, blond])[:, 0]  # (16, 16) each
    assert (before == 1).all()
    assert mouth[10:13, 6:10].mean() < 0.5 < 0.8 < mouth[:4].mean()
    assert torch.allclose(hair, before), "it works in finer layers"


def test_an_offset_gives_way_in_a_film_as_in_a_picture(files: dict[str, Path]) -> None:
    """Also where it goes against an edit: the share of the edited face is negative there."""
    model = FaceFilm({}, files)
    model.load("cpu")
    offset = torch.randn(OFFSET, generator=torch.Generator().manual_seed(0)) / 4
    still = found_face(model.styles([Face(1)])[0], offset)
    edited = [replace(still, edits=(("turn", turn),)) for turn in (1.0, -1.0)]
    film = run(model.start({1: FilmInput((still, edited[0]), ((0.0, 1.0), (2.0, -1.0)), 256)}))[1]
    for frame, face in zip(film.frames, edited, strict=True):  # type: ignore[attr-defined]
        (alone,) = model.paint(model.styles([face]), model.offsets([face]), 256)
        assert np.abs(frame.astype(int) - alone.astype(int)).mean() < 1


def test_a_film_mixes_offsets_too(files: dict[str, Path]) -> None:
    model = FaceFilm({}, files)
    model.load("cpu")
    styles = model.styles([Face(1)])
    offset = torch.randn(OFFSET, generator=torch.Generator().manual_seed(0)) / 4
    with_one, without = found_face(styles[0], offset), found_face(styles[0], 0 * offset)
    film = run(model.start({1: FilmInput((with_one, without), ((0.5, 0.5), (0.0, 1.0)), 256)}))[1]
    half, none = film.frames.astype(int)  # type: ignore[attr-defined]
    expected = model.paint(styles, offset[None] / 2, 256)[0].astype(int)
    assert np.abs(half - expected).mean() < 1 < np.abs(none - expected).mean()


def test_colours_beyond_the_range_are_cut() -> None:
    colours = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0]).reshape(1, 1, 1, 5).expand(1, 3, 1, 5)
    assert to_pixels(colours)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_tensors_are_what_they_say(generator: Generator) -> None:
    assert isinstance(generator.mean, Tensor)
    assert generator.mean.shape == (STYLE,)
