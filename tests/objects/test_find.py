"""From segmentations to objects: classes, planes, volumes, distributions, figures."""

import numpy as np
import pytest

import patchfield as pf
from patchfield.errors import LabelError, PatchfieldError
from patchfield.images import Calibration, LabelStack
from patchfield.images.colors import LabelClass
from patchfield.objects import (
    Cleaning,
    class_fractions,
    find_objects,
    fraction_figure,
    size_distribution,
    size_figure,
)
from patchfield.objects import figures as figures_module

CLASSES = {1: LabelClass("matrix", "#4aa8ff"), 2: LabelClass("Pore", "#ffb000")}
CALIBRATION = Calibration(2, 2, "nm")


def plane(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Class 1 with boxes (row, column, height, width) of class 2."""
    segmentation = np.ones((20, 30), np.uint8)
    for row, column, height, width in boxes:
        segmentation[row : row + height, column : column + width] = 2
    return segmentation


STACK = np.stack([plane((2, 2, 3, 3)), plane((2, 2, 3, 3), (10, 20, 2, 5))])


def test_the_package_is_the_function_whatever_was_imported_first(monkeypatch):
    import patchfield.objects

    assert pf.objects(STACK, 2)[1].rows == 3
    monkeypatch.delattr(pf, "objects")  # as if nothing had imported the package
    assert pf.objects is patchfield.objects
    assert pf.objects(STACK, 2)[1].rows == 3
    assert "objects" in dir(pf)


def test_numbers_go_on_from_plane_to_plane():
    instances, table = find_objects(STACK, 2)
    assert table["plane"].tolist() == ["0", "1", "1"]
    assert table["object"].tolist() == [1, 2, 3]
    assert [instances[0, 3, 3], instances[1, 3, 3], instances[1, 10, 20]] == [1, 2, 3]
    assert np.isnan(table["nearest neighbour (px)"][0])


def test_a_volume_is_one_body_along_z_and_other_axes_keep_apart():
    series = np.stack([STACK, STACK], axis=1)  # Z before T
    labels = LabelStack("a.tif", series, "ZT", Calibration(1, 1, "µm", depth=3))
    instances, table = find_objects(labels, 2, volume=True)
    assert table["volume (px)"].tolist() == [18, 10, 18, 10]
    assert table["volume (µm³)"].tolist() == [54, 30, 54, 30]
    assert table["plane"].tolist() == ["0", "0", "1", "1"]
    assert set(np.unique(instances[:, 1])) == {0, 3, 4}
    with pytest.raises(LabelError, match="no axis of slices"):
        find_objects(LabelStack("a.tif", STACK, "T"), 2, volume=True)


def test_small_ones_and_those_at_the_edge_are_left_out():
    segmentation = plane((0, 2, 4, 4), (8, 8, 4, 4), (15, 20, 1, 2))
    _, table = find_objects(segmentation, 2)
    assert table["border"].tolist() == [True, False, False]
    instances, table = find_objects(segmentation, 2, exclude_border=True, cleaning=Cleaning(min_size=3))
    assert (table["object"].tolist(), table["first row"].tolist()) == ([1], [8])
    assert instances.max() == 1
    assert table["nearest neighbour (px)"][0] < 15  # the one at the edge is still a neighbour
    segmentation[segmentation == 1] = 0
    assert find_objects(segmentation, 2, cleaning=Cleaning(min_size=3))[1].rows == 2


@pytest.mark.parametrize(("value", "rows"), [(2, 1), ("2", 1), ("Pore", 1), ("pore", 1), ("matrix", 1)])
def test_a_class_is_a_number_or_a_name(value, rows):
    labels = LabelStack("a.tif", plane((2, 2, 3, 3)), classes=CLASSES)
    assert find_objects(labels, value)[1].rows == rows


@pytest.mark.parametrize("value", [0, -1, 7, "void", "0", ""])
def test_a_class_that_is_none_is_refused_with_the_classes(value):
    with pytest.raises(LabelError, match="class"):
        find_objects(LabelStack("a.tif", plane(), classes=CLASSES), value)


@pytest.mark.parametrize("wrong", [np.zeros((3, 3)), np.zeros(4, int), np.zeros((0, 3, 3), int)])
def test_what_is_no_segmentation_is_refused(wrong):
    with pytest.raises(LabelError, match="segmentation"):
        find_objects(wrong, 1)


def test_intensities_of_every_plane():
    image = np.zeros((*STACK.shape, 2))
    image[1, ..., 1] = 5
    _, table = find_objects(STACK, 2, intensity=image)
    assert table["mean intensity 1"].tolist() == [0, 5, 5]
    with pytest.raises(LabelError, match="intensities"):
        find_objects(STACK, 2, intensity=image[0])


def test_the_distribution_adds_up_and_knows_large_from_many():
    _, table = find_objects(plane((2, 2, 1, 1), (2, 6, 1, 1), (2, 10, 1, 1), (8, 8, 6, 6)), 2, calibration=CALIBRATION)
    found = size_distribution(table, bins=4)
    assert found.unit == "nm"
    assert found.number_fraction.tolist() == [0.75, 0, 0, 0.25]
    np.testing.assert_allclose(found.size_fraction, [3 / 39, 0, 0, 36 / 39])
    assert (found.count, found.median) == (4, pytest.approx(2 * np.sqrt(4 / np.pi)))
    assert found.median_by_size == pytest.approx(12 * np.sqrt(4 / np.pi))
    assert size_distribution(find_objects(plane(), 2)[1]).count == 0


def test_fractions_count_all_pixels():
    assert class_fractions(np.array([[0, 1], [2, 2]]), CLASSES) == {1: 0.25, 2: 0.5}
    assert class_fractions(np.array([[1, 1]]), CLASSES) == {1: 1, 2: 0}


def test_figures_belong_to_the_caller_and_need_matplotlib(monkeypatch, tmp_path):
    _, table = find_objects(plane((2, 2, 3, 3), (9, 9, 2, 2)), 2)
    size_figure(size_distribution(table)).savefig(tmp_path / "sizes.png")
    size_figure(size_distribution(find_objects(plane(), 2)[1]))
    figure = fraction_figure({1: 0.25, 2: 0.75}, CLASSES)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["matrix", "Pore"]
    monkeypatch.setattr(figures_module, "find_spec", lambda name: None)
    with pytest.raises(PatchfieldError, match="pip install matplotlib"):
        fraction_figure({1: 1.0})
