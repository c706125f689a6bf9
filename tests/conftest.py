"""What tests of all rooms share: real weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import platformdirs
import pytest

from inference.weights import Manifest, WeightsError, WeightsStore


@pytest.fixture(scope="session")
def weights_store() -> WeightsStore:
    """The store that all test runs share, so that weights are pulled once.

    `TADIM_TEST_WEIGHTS` names its folder, else it lies in the user's cache.
    """
    chosen = os.environ.get("TADIM_TEST_WEIGHTS")
    folder = Path(chosen) if chosen else platformdirs.user_cache_path("tadim") / "test-weights"
    return WeightsStore(folder, Manifest.shipped())


@pytest.fixture(scope="session")
def pulled(weights_store: WeightsStore) -> Callable[[str], Path]:
    """`pulled(name)` gives the file of an entry; without a network it skips the test.

    Where `TADIM_REQUIRE_WEIGHTS` is 1, that fails instead.
    """

    def pull(name: str) -> Path:
        try:
            return weights_store.path(name) or weights_store.pull(name)
        except WeightsError as error:
            if error.reason != "no-network" or os.environ.get("TADIM_REQUIRE_WEIGHTS") == "1":
                raise
            pytest.skip(f"weights cannot be fetched: {error}")

    return pull


@pytest.fixture(scope="session")
def bus_photo() -> bytes:
    """The photo that ultralytics ships, read without importing it.

    Importing patches Pillow for the whole process, and other tests look at Pillow itself.
    """
    spec = find_spec("ultralytics")
    assert spec is not None and spec.origin is not None
    return (Path(spec.origin).parent / "assets" / "bus.jpg").read_bytes()
