"""What goes wrong around the window loses nothing that was painted, and is said in a sentence."""

import socket
from pathlib import Path

import numpy as np
import pytest
import tifffile

from patchfield.errors import PatchfieldError, error_sentence
from patchfield.field import FeatureRecipe
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.layers import Role
from patchfield.napari.session.status import State
from patchfield.napari.session.view import Show

RECIPE = FeatureRecipe("filters", "fast")


@pytest.fixture
def said(painted) -> list[Exception]:
    """The errors that the user is shown from now on."""
    shown: list[Exception] = []
    painted.on_error = shown.append
    return shown


@pytest.fixture
def at_work(viewer, stepped, two_phases):
    """A controller whose jobs are taken step by step, with an image whose features are there."""
    errors: list[Exception] = []
    controller = Controller(viewer, stepped, RECIPE, errors.append)
    viewer.add_image(two_phases(), name="steel")
    stepped.run()
    yield controller
    controller.close()
    assert errors == []


def sentences(errors: list[Exception]) -> list[str]:
    """Each error as its one sentence; that of a defect is none."""
    return [error_sentence(error) or f"a defect: {error!r}" for error in errors]


def is_live(controller: Controller) -> bool:
    segmentation = controller.current.result(Role.SEGMENTATION)
    return controller.status.state is State.LIVE and segmentation is not None and segmentation.data.all()


def test_without_network_the_strokes_stay_and_the_way_back_is_open(painted, said, monkeypatch):
    def unreachable(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    before = painted.current.labels.data.copy()
    painted.make_features(FeatureRecipe("neco-small"))
    assert painted.status.state is State.STOPPED
    (sentence,) = sentences(said)
    assert not sentence.startswith("a defect")
    np.testing.assert_array_equal(painted.current.labels.data, before)
    painted.make_features(FeatureRecipe("filters"))
    assert is_live(painted)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no folder that nobody can write to")
@pytest.mark.parametrize("what", ["probe", "labels", "segmentation", "probabilities", "areas"])
def test_a_folder_that_cannot_be_written_to_is_said_and_the_next_place_works(painted, said, tmp_path, what):
    save = getattr(painted.files, f"save_{what}")
    suffix = {"probe": ".probe", "areas": ".csv"}.get(what, ".tif")
    try:
        save(Path("/proc") / f"steel{suffix}")
    except PatchfieldError as refused:
        said.append(refused)
    (sentence,) = sentences(said)
    assert not sentence.startswith("a defect")
    assert is_live(painted)
    save(tmp_path / f"steel{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == [f"steel{suffix}"]
    assert len(said) == 1


def test_a_file_deleted_before_it_is_opened_is_said_and_the_image_at_work_stays(
    painted, said, two_phases, paint_both, tmp_path
):
    for name in ("here.tif", "gone.tif"):
        tifffile.imwrite(tmp_path / name, two_phases())
    painted.images.add_files([tmp_path / "here.tif", tmp_path / "gone.tif"])
    paint_both(painted)
    at_work, before = painted.current, painted.current.labels.data.copy()
    (tmp_path / "gone.tif").unlink()
    (entry,) = [entry for entry in painted.images.entries if entry.name.startswith("gone")]
    try:
        painted.images.choose(entry.key)
    except PatchfieldError as refused:
        said.append(refused)
    (sentence,) = sentences(said)
    assert "gone.tif" in sentence
    assert painted.current is at_work
    np.testing.assert_array_equal(painted.current.labels.data, before)
    assert is_live(painted)


def test_a_file_deleted_while_its_image_is_open_changes_nothing(viewer, two_phases, paint_both, stroke, tmp_path):
    tifffile.imwrite(tmp_path / "steel.tif", two_phases())
    controller = Controller(viewer, InlineRunner(), RECIPE)
    controller.images.add_files([tmp_path / "steel.tif"])
    controller.images.choose(controller.images.entries[0].key)
    (tmp_path / "steel.tif").unlink()
    paint_both(controller)
    assert is_live(controller)
    controller.files.save_probe(tmp_path / "steel.probe")
    stroke(controller, 1, 10, 10)
    assert is_live(controller)
    controller.close()


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("gone", [Role.LABELS, Role.SEGMENTATION, None], ids=["labels", "segmentation", "image"])
def test_a_layer_deleted_in_the_middle_of_an_update_is_no_error(
    at_work, viewer, stepped, two_phases, paint_both, gone, steps
):
    paint_both(at_work)
    stepped.run()
    assert is_live(at_work)
    at_work.current.labels.undo()
    at_work.current.labels.redo()
    for _ in range(steps):
        stepped.step()
    viewer.layers.remove(at_work.current.source.layer if gone is None else at_work.current.result(gone))
    stepped.run()
    if gone is None:
        viewer.add_image(two_phases(seed=1), name="another")
    elif gone is Role.LABELS:
        at_work.select(next(iter(at_work.annotations.choices)))
    stepped.run()
    paint_both(at_work)
    stepped.run()
    assert is_live(at_work)


@pytest.mark.parametrize("show", [Show.SEGMENTATION, Show.UNCERTAINTY, Show.PCA, Show.CLUSTERS])
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_closing_in_the_middle_of_a_job_leaves_strokes_and_quiet(viewer, stepped, two_phases, paint_both, show, steps):
    errors: list[Exception] = []
    controller = Controller(viewer, stepped, RECIPE, errors.append)
    viewer.add_image(two_phases(), name="steel")
    for _ in range(steps):
        stepped.step()
    paint_both(controller)
    controller.show(show)
    for _ in range(steps):
        stepped.step()
    labels, before = controller.current.labels, controller.current.labels.data.copy()
    controller.close()
    layers = [(layer.name, np.array(layer.data)) for layer in viewer.layers]
    stepped.run()
    assert errors == []
    assert labels in viewer.layers
    np.testing.assert_array_equal(labels.data, before)
    assert all(np.array_equal(data, viewer.layers[name].data) for name, data in layers), "nothing draws any more"


def test_two_panels_on_one_viewer_share_the_strokes_and_outlive_each_other(viewer, two_phases, paint_both, stroke):
    errors: list[Exception] = []
    first = Controller(viewer, InlineRunner(), RECIPE, errors.append)
    second = Controller(viewer, InlineRunner(), RECIPE, errors.append)
    viewer.add_image(two_phases(), name="steel")
    assert first.current.labels is second.current.labels
    paint_both(first)
    assert is_live(first)
    assert is_live(second)
    first.close()
    stroke(second, 1, 10, 10)
    assert is_live(second)
    assert second.current.labels.data[12, 12] == 1
    second.close()
    assert errors == []
