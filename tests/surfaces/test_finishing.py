"""A segmentation is finished in one way: in the window, in what is saved, by the command line and by the API."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from patchfield.images import ImageSettings
from patchfield.napari.layers import Role
from patchfield.napari.segment import drawing
from patchfield.objects import Cleaning, clean
from patchfield.probe import LinearProbe
from patchfield.store import Project
from tests.surfaces.ways import RECIPE, Window, from_probe, run

FINISHING = Cleaning(smoothing=2, fill_holes=(2,), min_size=40)
OPTIONS = ("--smooth", "2", "--fill-holes", "class 2", "--min-size", "40")


@pytest.fixture
def window(tmp_path) -> Window:
    """A speckled image, painted."""
    pixels = np.full((64, 96), 100.0)
    pixels[:, 48:] = 130
    pixels += np.random.default_rng(0).normal(0, 20, pixels.shape)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / "steel.png")
    window = Window.opened(tmp_path / "steel.png", ImageSettings())
    labels = np.zeros((64, 96), np.uint8)
    labels[20:30, 6:20], labels[20:30, 70:84] = 1, 2
    window.paint((), labels)
    return window


@pytest.mark.parametrize("small", [drawing.SMALL, 0], ids=["whole", "in pieces"])
def test_window_files_command_and_api_finish_alike(window, tmp_path, small, monkeypatch):
    monkeypatch.setattr(drawing, "SMALL", small)
    monkeypatch.setattr(drawing.pieces, "__defaults__", (40,))
    controller = window.controller
    raw = window.segmentation(()).copy()
    controller.files.save_probe(tmp_path / "raw.probe")
    controller.live.finish(FINISHING)
    shown = window.segmentation(())
    np.testing.assert_array_equal(shown, clean(raw, FINISHING))
    assert (shown != raw).any()

    controller.files.save_probe(tmp_path / "a.probe")
    controller.files.save_segmentation(tmp_path / "saved.tif")
    run("segment", tmp_path / "steel.png", "--probe", tmp_path / "a.probe", "-o", tmp_path / "one")
    run("segment", tmp_path / "steel.png", "--probe", tmp_path / "raw.probe", "-o", tmp_path / "two", *OPTIONS)
    _, of_api = from_probe(tmp_path / "a.probe", tmp_path / "steel.png", ())
    for other in (
        tifffile.imread(tmp_path / "saved.tif"),
        tifffile.imread(tmp_path / "one" / "steel_segmentation.tif"),
        tifffile.imread(tmp_path / "two" / "steel_segmentation.tif"),
        of_api,
    ):
        np.testing.assert_array_equal(other, shown)


def test_later_strokes_apply_and_a_loaded_probe_keep_the_finishing(window, tmp_path):
    controller = window.controller
    controller.live.finish(FINISHING)
    more = np.zeros((64, 96), np.uint8)
    more[50:54, 70:84] = 1
    window.paint((), more)
    assert controller.live.probe.finishing == FINISHING
    shown = window.segmentation(()).copy()
    assert (shown == clean(shown, Cleaning(min_size=40))).all()
    controller.applying.to_all_planes()
    np.testing.assert_array_equal(window.segmentation(()), shown)

    controller.files.save_probe(tmp_path / "a.probe")
    other = Window.opened(tmp_path / "steel.png", ImageSettings())
    other.controller.files.load_probe(tmp_path / "a.probe")
    assert other.controller.live.finishing == FINISHING
    np.testing.assert_array_equal(other.segmentation(()), shown)
    other.controller.live.finish(Cleaning())
    assert (other.segmentation(()) != shown).any()
    assert other.controller.current.result(Role.SEGMENTATION).data.all()


def test_what_a_command_is_told_replaces_what_the_probe_says_and_is_saved(window, tmp_path, capsys):
    window.controller.live.finish(FINISHING)
    window.controller.files.save_probe(tmp_path / "a.probe")
    run("probe", tmp_path / "a.probe")
    assert "holes filled by class 2" in " ".join(capsys.readouterr().out.split())
    window.controller.files.save_labels(tmp_path / "steel_strokes.png")
    options = ("--labels", tmp_path / "steel_strokes.png", "--probe", tmp_path / "a.probe", "--smooth", "0")
    run("segment", tmp_path / "steel.png", *options, "--save-probe", tmp_path / "b.probe", "-o", tmp_path / "out")
    assert LinearProbe.load(tmp_path / "b.probe").finishing == Cleaning(0, (2,), 40)


def test_a_project_that_is_fitted_again_goes_on_finishing(window, tmp_path):
    with Project.create(tmp_path / "p.patchfield", RECIPE) as project:
        image = project.add(tmp_path / "steel.png")
        project.labels[image, ()] = window.controller.current.labels.data
        project.fit()
        probe = project.probe
        probe.finishing = FINISHING
        project.probe = probe
        project.fit()
        assert project.probe.finishing == FINISHING
        again = project.segment(image)
        assert (again == clean(again, Cleaning(min_size=40))).all()
