"""A controller on a viewer model: no Qt, no display, jobs run inline."""

import os
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManager

from patchfield.field import FeatureRecipe
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner, Job
from patchfield.napari.session.settings import FOLDER_VARIABLE
from patchfield.samples import load_sample

SIDE = 96


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "gui: needs a display with OpenGL (xvfb-run gives one)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("DISPLAY") or sys.platform in ("darwin", "win32"):
        return
    skip = pytest.mark.skip(reason="no display: run under xvfb-run")
    for item in items:
        if item.get_closest_marker("gui"):
            item.add_marker(skip)


class SteppedRunner:
    """Runs jobs one step at a time, when told to: what a slow machine does, without the waiting."""

    def __init__(self) -> None:
        self._jobs: list[tuple[Job, Iterator]] = []
        self._calls: list[Callable[[], None]] = []

    def start(self, job: Job) -> None:
        self._jobs.append((job, job.work()))

    def later(self, call: Callable[[], None]) -> None:
        self._calls.append(call)

    def close(self) -> None:
        for job, _ in self._jobs:
            job.cancel()

    @property
    def running(self) -> int:
        return len(self._jobs)

    def step(self) -> None:
        """One step of every job, or its end."""
        calls, self._calls = self._calls, []
        for call in calls:
            call()
        for job, steps in list(self._jobs):
            value = None if job.cancelled else next(steps, None)
            if value is None:
                steps.close()
                self._jobs.remove((job, steps))
                job.finish()
            else:
                job.deliver(value)

    def run(self) -> None:
        while self._jobs or self._calls:
            self.step()


def raise_error(error: Exception) -> None:
    raise error


def _two_phases(rows: int = SIDE, columns: int = SIDE, seed: int = 0) -> np.ndarray:
    """A dark left and a bright right half, with noise: (rows, columns) uint8."""
    rng = np.random.default_rng(seed)
    image = np.full((rows, columns), 60.0)
    image[:, columns // 2 :] = 180
    return (image + rng.normal(0, 5, image.shape)).astype(np.uint8)


def _stroke(controller: Controller, value: int, row: int, column: int) -> None:
    """A short stroke, 4 x 16 pixels, as one step of undo."""
    labels = controller.current.labels
    index = controller.current.source.index_at(controller.viewer.dims.point)
    rows, columns = (grid.ravel() for grid in np.mgrid[row : row + 4, column : column + 16])
    labels.data_setitem((*(np.full(rows.size, i) for i in index), rows, columns), value)


def _paint_both(controller: Controller) -> None:
    """One stroke of class 1 on the left, one of class 2 on the right."""
    height, width = controller.current.source.shape
    _stroke(controller, 1, height // 2, width // 8)
    _stroke(controller, 2, height // 2, 5 * width // 8)


@pytest.fixture(autouse=True)
def _nothing_remembered(tmp_path, monkeypatch) -> None:
    """Every window of a test is a first start."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "config"))


@pytest.fixture
def two_phases() -> Callable[..., np.ndarray]:
    return _two_phases


@pytest.fixture
def stroke() -> Callable[..., None]:
    return _stroke


@pytest.fixture
def paint_both() -> Callable[[Controller], None]:
    return _paint_both


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def controller(viewer: ViewerModel) -> Iterator[Controller]:
    controller = Controller(viewer, InlineRunner(), FeatureRecipe("filters"), on_error=raise_error)
    yield controller
    controller.close()


@pytest.fixture
def painted(controller: Controller) -> Controller:
    """A controller with an image of two phases, both painted."""
    controller.viewer.add_image(_two_phases(), name="steel")
    _paint_both(controller)
    return controller


@pytest.fixture(scope="session")
def alloy():
    return load_sample("alloy")


@pytest.fixture
def napari_readers() -> None:
    """Makes napari's own readers known, as its menu has them."""
    # Not napari's own call: it does nothing a second time, and the first may have been for the manager of a test.
    PluginManager.instance().discover()


@pytest.fixture
def stepped() -> SteppedRunner:
    return SteppedRunner()
