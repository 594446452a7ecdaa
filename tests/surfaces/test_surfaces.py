"""One way in, one way through: array, file, window, command line and saved probe agree on every kind of image."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from patchfield.images import ImageSettings, plane_indices, read_image, write_labels
from patchfield.napari.files import Files
from patchfield.probe import LinearProbe
from tests.surfaces.kinds import CONTRASTS, HEIGHT, KINDS, WIDTH, Kind
from tests.surfaces.ways import Window, equal, extractor_for, from_array, from_file, from_probe, run


@pytest.fixture(params=KINDS, ids=[name.replace(" ", "_") for name in KINDS])
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def path(kind: Kind, tmp_path: Path) -> Path:
    return kind.write(tmp_path)


def strokes(*lengths: int) -> NDArray[np.uint8]:
    """(*lengths, H, W): a short stroke on either half of the first and the last plane."""
    labels = np.zeros((*lengths, HEIGHT, WIDTH), np.uint8)
    planes = labels.reshape(-1, HEIGHT, WIDTH)
    for plane in (planes[0], planes[-1]):
        plane[20:23, 6:20] = 1
        plane[20:23, 40:54] = 2
    return labels


def written(path: Path, lengths: tuple[int, ...]) -> NDArray[np.integer]:
    """A segmentation from its file, (*lengths, H, W)."""
    read = tifffile.imread(path) if path.suffix == ".tif" else np.asarray(Image.open(path))
    return read.reshape(*lengths, HEIGHT, WIDTH)


def test_a_file_is_read_as_what_it_means(kind, path):
    stack = read_image(path, axes=kind.settings.axes)
    assert stack.axes == kind.axes
    for index in plane_indices(stack):
        np.testing.assert_array_equal(np.asarray(stack.pixels_at(index)[...]), kind.planes[index])


def test_array_file_and_window_give_the_same_field(kind, path):
    window = Window.opened(path, kind.settings)
    indices = plane_indices(window.controller.current.source)
    assert len(indices) == np.prod(kind.planes.shape[: len(kind.axes)], dtype=int)
    for contrast in CONTRASTS:
        settings = replace(kind.settings, contrast=contrast)
        window.controller.annotations.set_contrast(contrast)
        for index in {indices[0], indices[-1]}:
            of_array = from_array(kind.planes, kind.axes, settings, index)
            assert equal(of_array, from_file(path, settings, index))
            assert equal(of_array, window.field(index))


def test_strokes_in_the_window_segment_the_file_to_the_same_pixels(kind, path, tmp_path):
    window = Window.opened(path, kind.settings)
    lengths = window.controller.current.source.lengths
    labels = strokes(*lengths)
    painted = [index for index in np.ndindex(*lengths) if labels[index].any()]
    for index in painted:
        window.paint(index, labels[index])

    extractor, stack = extractor_for(kind.settings), read_image(path, axes=kind.settings.axes)
    of_library = LinearProbe().fit([(extractor.field(stack, index), labels[index]) for index in painted])
    in_window = window.controller.live.probe
    np.testing.assert_allclose(in_window.weights, of_library.weights, atol=0.02)
    assert in_window.recipes == of_library.recipes

    Files(window.controller).save_probe(tmp_path / "painted.probe")
    run("segment", path, "--probe", tmp_path / "painted.probe", "-o", tmp_path / "out")
    of_command = written(tmp_path / "out" / f"{path.stem}_segmentation.tif", lengths)
    assert len(np.unique(of_command)) == 2
    for index in np.ndindex(*lengths):
        field, of_probe = from_probe(tmp_path / "painted.probe", path, index)
        assert equal(field, window.field(index))
        np.testing.assert_array_equal(of_probe, of_command[index])
        np.testing.assert_array_equal(of_command[index], window.segmentation(index))


def test_a_probe_of_the_command_line_does_the_same_in_the_window(kind, path, tmp_path):
    lengths = kind.planes.shape[: len(kind.axes)]
    write_labels(tmp_path / "strokes.tif", strokes(*lengths), axes=kind.axes)
    options: list[str] = []
    if kind.settings.channels is not None:
        options += ["--channels", ",".join(map(str, kind.settings.channels))]
    if kind.settings.axes is not None:
        options += ["--axes", kind.settings.axes]
    common = ["-b", "filters", "--sampling", "fast", "--labels", tmp_path / "strokes.tif"]
    run("segment", path, *common, *options, "--save-probe", tmp_path / "a.probe", "-o", tmp_path / "out")
    of_command = written(tmp_path / "out" / f"{path.stem}_segmentation.tif", lengths)
    window = Window.opened(path, ImageSettings())
    Files(window.controller).load_probe(tmp_path / "a.probe")
    for index in np.ndindex(*lengths):
        np.testing.assert_array_equal(window.segmentation(index), of_command[index])
