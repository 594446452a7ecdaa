"""The project of a window: nothing that is painted is lost, whatever happens to layers, files and the disk."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel

from patchfield.errors import ProjectError
from patchfield.field import FeatureRecipe
from patchfield.images import write_image
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.layers import Role
from patchfield.napari.project.reading import Opened, read_project
from patchfield.napari.session.settings import Settings
from patchfield.napari.session.view import Show
from patchfield.store import Project, recoverable
from tests.napari.conftest import SteppedRunner


@pytest.fixture
def scans(tmp_path, two_phases) -> Path:
    """Three images in a folder: grey of 8 bits, a time-lapse of 16 bits, and colours."""
    folder = tmp_path / "scans"
    write_image(folder / "a2.tif", two_phases())
    write_image(folder / "a10.tif", np.stack([two_phases(seed=s) for s in range(3)]).astype(np.uint16) * 200, axes="T")
    write_image(folder / "b.tif", np.stack([two_phases(seed=7)] * 3, axis=-1))
    return folder


def begin(viewer=None, settings=None) -> Controller:
    errors: list[Exception] = []
    recipe = FeatureRecipe("filters", "fast")
    controller = Controller(viewer or ViewerModel(), InlineRunner(), recipe, errors.append, settings)
    controller.errors = errors
    return controller


def names(controller) -> list[str]:
    return [entry.name for entry in controller.images.entries]


def marks(controller) -> dict[str, str]:
    return {entry.name: entry.marks for entry in controller.images.entries}


@pytest.fixture
def at_work(scans, paint_both):
    """A window with the three images, the first of them painted."""
    controller = begin(settings=Settings(scans.parent / "window.json"))
    controller.images.add_folder(scans)
    paint_both(controller)
    yield controller
    controller.close()


def test_strokes_are_on_the_disk_from_the_first_one_on(at_work, scans):
    (found,) = recoverable_while_open(at_work)
    assert found.images[0].path == scans / "a2.tif"
    assert found.labels.strokes(found.images[0]) == 2
    np.testing.assert_array_equal(found.labels[found.images[0], ()], at_work.current.labels.data)
    assert [image.name for image in found.images] == ["a2", "a10", "b"]
    at_work.current.labels.undo()
    (found,) = recoverable_while_open(at_work)
    assert len(found.labels.history(found.images[0]).undone) == 1


def recoverable_while_open(controller) -> list[Project]:
    folder = controller.project.path.parent
    assert recoverable() == [], "what is open is offered to nobody else"
    return [Project.open(path, read_only=True) for path in folder.glob("*.patchfield")]


def test_one_goes_on_where_one_was(at_work, stroke, scans):
    at_work.classes.rename(1, "ferrite")
    at_work.classes.set_visible(2, False)
    at_work.images.step(1)
    at_work.viewer.dims.set_point(0, 2)
    stroke(at_work, 2, 60, 60)
    at_work.viewer.scene.camera.zoom = 3.5
    at_work.view.choose(Show.UNCERTAINTY)
    at_work.select_class(2)
    at_work.close()
    after = begin()
    (offer,) = after.project.offers
    assert (offer.strokes, offer.images, offer.is_unsaved) == (3, ("a2", "a10", "b"), True)
    after.project.open(offer.path)
    assert not after.errors
    assert names(after) == ["a2", "a10", "b"]
    assert after.current.source.title == "a10"
    assert after.viewer.dims.point[0] == 2
    assert after.viewer.scene.camera.zoom == pytest.approx(3.5)
    assert after.selected_class == 2
    assert after.view.show is Show.UNCERTAINTY
    assert [(entry.name, entry.pixels, entry.visible) for entry in after.classes] == [
        ("ferrite", 64, True),
        ("class 2", 128, False),
    ]
    assert after.live.probe is not None
    assert [entry.is_open for entry in after.images.entries] == [False, True, False], "only what is chosen is opened"
    after.images.step(-1)
    assert after.current.labels.data.sum() == 64 + 2 * 64
    after.current.labels.undo()
    assert after.current.labels.data.max() == 1, "the second stroke of another day is undone"
    after.current.labels.redo()
    with Project.open(after.project.path, read_only=True) as stored:
        assert stored.labels.strokes() == 3
    after.close()


def test_an_image_that_is_closed_keeps_its_strokes_and_is_learned_from(at_work, scans):
    layer = at_work.current.source.layer
    painted = at_work.current.labels.data.copy()
    at_work.viewer.layers.remove(layer)
    assert not [name for name in (layer.name for layer in at_work.viewer.layers) if name.startswith("a2")]
    assert marks(at_work)["a2"] == "painted"
    assert at_work.classes.painted == 2
    assert at_work.live.probe is not None
    at_work.images.choose(at_work.images.entries[0].key)
    np.testing.assert_array_equal(at_work.current.labels.data, painted)
    at_work.current.labels.undo()
    assert at_work.current.labels.data.max() == 1


def test_labels_that_are_deleted_come_back_with_their_image(at_work):
    told = []
    at_work.project.said.connect(told.append)
    image, painted = at_work.current.source.layer, at_work.current.labels.data.copy()
    at_work.viewer.layers.remove(at_work.current.labels)
    assert "its strokes are kept" in told[0]
    assert at_work.live.probe is not None, "what was painted goes on being learned from"
    at_work.select(image)
    np.testing.assert_array_equal(at_work.current.labels.data, painted)


def test_an_image_without_a_file_is_kept_with_its_pixels(two_phases, paint_both):
    controller = begin()
    controller.viewer.add_image(two_phases().astype(np.float32) / 255, name="made here")
    paint_both(controller)
    assert marks(controller)["made here"] == "painted · segmented · no file"
    controller.viewer.layers.remove("made here")
    controller.images.choose(controller.images.entries[0].key)
    assert controller.current.labels.data.max() == 2
    np.testing.assert_allclose(controller.current.source.layer.data, two_phases().astype(np.float32) / 255)
    controller.close()


def test_a_project_is_saved_under_a_name_and_opened_by_the_command_line(at_work, tmp_path):
    unsaved = at_work.project.path
    at_work.project.save_as(tmp_path / "steel")
    assert at_work.project.path == tmp_path / "steel.patchfield"
    assert not unsaved.exists()
    at_work.close()
    after = begin(settings=Settings(tmp_path / "window.json"))
    assert [offer.path for offer in after.project.offers] == [tmp_path / "steel.patchfield"]
    with Project.open(tmp_path / "steel.patchfield") as project:
        assert project.probe is not None
        assert len(np.unique(project.segment(project.images[2]))) == 2
    after.close()


def test_another_project_takes_the_place_of_this_one(at_work, tmp_path, stroke):
    at_work.project.save_as(tmp_path / "steel")
    at_work.project.new()
    assert (names(at_work), at_work.current, at_work.project.path, at_work.live.probe) == ([], None, None, None)
    assert at_work.classes.painted == 0
    at_work.project.open(tmp_path / "steel.patchfield")
    assert not at_work.errors
    assert names(at_work) == ["a2", "a10", "b"]
    assert at_work.classes.painted == 2


@pytest.mark.parametrize("what", ["held", "newer", "damaged", "none"])
def test_what_cannot_be_opened_is_refused_and_left_as_it_is(at_work, tmp_path, what):
    path = tmp_path / "other.patchfield"
    other = Project.create(path, FeatureRecipe("filters"))
    description = path / "project.json"
    if what != "held":
        other.close()
    if what == "newer":
        description.write_text(description.read_text().replace('"version": 1', '"version": 99'))
    elif what == "damaged":
        description.write_text("{")
    elif what == "none":
        description.unlink()
    before = {file: file.read_bytes() for file in path.iterdir()}
    at_work.project.open(path)
    (error,) = at_work.errors
    assert isinstance(error, ProjectError)
    assert {file: file.read_bytes() for file in path.iterdir()} == before
    assert names(at_work) == ["a2", "a10", "b"], "the window goes on with what it had"


def test_images_that_moved_are_said_and_found_again(at_work, scans, tmp_path):
    at_work.project.save_as(tmp_path / "steel")
    at_work.close()
    scans.rename(tmp_path / "elsewhere")
    after, told = begin(), []
    after.project.said.connect(told.append)
    after.project.open(tmp_path / "steel.patchfield")
    assert "a2, a10, b" in told[0]
    assert set(marks(after).values()) == {"painted · cannot be opened", "cannot be opened"}
    after.project.relocate(tmp_path / "elsewhere")
    assert not after.project.lost
    after.images.choose(after.images.entries[0].key)
    assert after.current.labels.data.max() == 2
    after.close()


def test_a_disk_that_is_full_is_said_once_and_nothing_is_lost(at_work, stroke, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("patchfield.store.labels.write_plane", full)
        stroke(at_work, 1, 10, 10)
        stroke(at_work, 1, 20, 10)
    assert len(at_work.errors) == 1
    assert "disk is full" in at_work.project.problem
    at_work.project.retry()
    assert at_work.project.problem == ""
    (found,) = recoverable_while_open(at_work)
    np.testing.assert_array_equal(found.labels[found.images[0], ()], at_work.current.labels.data)
    assert found.labels.strokes() == 4


def test_a_class_that_is_removed_is_erased_on_closed_images_too(at_work):
    at_work.images.step(1)
    at_work.viewer.layers.remove("a2")
    at_work.remove_class(2)
    (found,) = recoverable_while_open(at_work)
    assert found.labels.pixels() == {1: 64}


def test_a_panel_that_is_opened_again_goes_on_with_the_same_project(at_work):
    path = at_work.project.path
    at_work.close()
    after = begin(at_work.viewer)
    assert after.project.path == path
    assert names(after) == ["a2", "a10", "b"]
    after.close()


def test_an_image_leaves_the_project_with_its_strokes_only_when_it_is_removed(at_work):
    at_work.project.remove(at_work.images.entries[0].key)
    assert names(at_work) == ["a10", "b"]
    assert at_work.classes.painted == 0
    (found,) = recoverable_while_open(at_work)
    assert [image.name for image in found.images] == ["a10", "b"]


def test_a_window_that_is_killed_left_all_that_it_said_was_kept(scans, tmp_path):
    script = Path(__file__).with_name("killed_window.py")
    with subprocess.Popen([sys.executable, script, scans / "a2.tif"], stdout=subprocess.PIPE, text=True) as window:
        assert window.stdout is not None
        kept = 0
        while kept < 3:
            kept = int(window.stdout.readline().split()[1])
        window.send_signal(signal.SIGKILL)
        kept = max([kept, *(int(line.split()[1]) for line in window.stdout if line.count(" ") == 2)])
    (found,) = recoverable()
    assert found.problem == ""
    assert found.strokes >= kept
    after = begin()
    after.project.open(after.project.offers[0].path)
    assert after.current.labels.data.any(axis=1).sum() == min(found.strokes, 90)
    after.close()


def test_an_erased_stroke_leaves_no_trace_in_another_session(at_work, stroke):
    stroke(at_work, 2, 10, 10)
    at_work.close()
    after = begin()
    after.project.open(after.project.offers[0].path)
    stroke(after, 0, 10, 10)
    fresh = begin()
    fresh.viewer.add_image(after.current.source.layer.data)
    fresh.current.replace_labels(after.current.labels.data)
    again, never = (each.current.result(Role.SEGMENTATION).data for each in (after, fresh))
    assert np.mean(again != never) < 0.01
    after.close()
    fresh.close()


def test_how_an_image_is_seen_and_called_comes_back(at_work):
    at_work.annotations.set_contrast((20.0, 190.0))
    at_work.current.source.layer.name = "ferrite 1"
    assert at_work.current.labels.name == "ferrite 1 labels"
    at_work.close()
    after = begin()
    after.project.open(after.project.offers[0].path)
    assert after.current.source.settings.contrast == (20.0, 190.0)
    assert names(after)[0] == "ferrite 1"
    after.close()


def test_a_stroke_made_while_the_next_project_is_read_is_kept_in_its_own(at_work, tmp_path, monkeypatch):
    at_work.project.save_as(tmp_path / "steel")
    other = begin()
    other.project.save_as(tmp_path / "other")
    other.close()
    painter = at_work.current
    resting = SteppedRunner()

    def read_slowly(path: Path) -> Opened:
        opened = read_project(path)
        with monkeypatch.context() as later:
            later.setattr(at_work.runner, "start", resting.start)  # strokes are written after a while only
            painter.labels.paint((40, 40), 2)
        return opened

    monkeypatch.setattr("patchfield.napari.project.working.read_project", read_slowly)
    at_work.project.open(tmp_path / "other.patchfield")
    painted = np.array(painter.labels.data)
    assert at_work.project.path == tmp_path / "other.patchfield"
    with Project.open(tmp_path / "steel.patchfield", read_only=True) as left:
        np.testing.assert_array_equal(left.labels[left.images[0], ()], painted)
