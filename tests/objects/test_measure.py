"""Measurements against closed forms and scikit-image."""

import numpy as np
import pytest
from skimage.measure import label, perimeter_crofton, regionprops_table

from patchfield.errors import LabelError
from patchfield.images import Calibration
from patchfield.objects import measure, perimeters

SQUARE = Calibration(0.5, 0.5, "µm")


def ellipse(long: float, short: float, angle: float, height: float = 1, width: float = 1, size: float = 90):
    """An ellipse with its long axis at `angle` from the rows, counterclockwise as seen; pixels of any shape."""
    y, x = np.mgrid[: size / height, : size / width]
    y, x = size / 2 - y * height, x * width - size / 2
    along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    return ((along / long) ** 2 + (across / short) ** 2 <= 1).astype(int)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (0.5, 0.5), (0.5, 1), (1, 0.4), (0.3, 1)])
@pytest.mark.parametrize("degrees", [0, 25, 90, 140])
def test_an_ellipse_whatever_its_pixels_are(height, width, degrees):
    calibration = Calibration(height, width, "µm")
    row = {
        name: values[0]
        for name, values in measure(ellipse(30, 15, np.deg2rad(degrees), height, width), calibration).items()
    }
    assert row["area (µm²)"] == pytest.approx(np.pi * 30 * 15, rel=0.01)
    assert row["equivalent diameter (µm)"] == pytest.approx(2 * np.sqrt(30 * 15), rel=0.01)
    assert row["perimeter (µm)"] == pytest.approx(145.3, rel=0.04)  # Ramanujan
    assert row["eccentricity"] == pytest.approx(np.sqrt(0.75), abs=0.01)
    turned = abs(row["orientation (°)"] - degrees)
    assert min(turned, 180 - turned) < 1
    assert 0 <= row["orientation (°)"] < 180
    assert row["solidity"] > 0.95
    assert row["centroid row (µm)"] == pytest.approx(45, abs=height)
    assert row["centroid column (µm)"] == pytest.approx(45, abs=width)


def test_a_rectangle_is_exact():
    instances = np.zeros((9, 12), int)
    instances[2:5, 4:10] = 1
    row = {name: values[0] for name, values in measure(instances, SQUARE).items()}
    assert (row["area (px)"], row["area (µm²)"]) == (18, 4.5)
    assert (row["first row"], row["last row"], row["first column"], row["last column"]) == (2, 4, 4, 9)
    assert (row["centroid row (px)"], row["centroid column (µm)"]) == (3, 3.25)
    assert row["eccentricity"] == pytest.approx(np.sqrt(1 - (3 / 6) ** 2))
    assert (row["orientation (°)"], row["solidity"], row["border"]) == (0, 1, False)
    assert np.isnan(row["nearest neighbour (px)"])


def test_scikit_image_says_the_same():
    rng = np.random.default_rng(0)
    instances = label(rng.random((60, 70)) < 0.35)
    intensity = rng.normal(size=(60, 70, 2))
    table = measure(instances, intensity=intensity)
    names = ("area", "centroid", "bbox", "solidity", "mean_intensity", "equivalent_diameter_area")
    expected = regionprops_table(instances, intensity, properties=names)
    for ours, theirs in {
        "area (px)": "area",
        "centroid row (px)": "centroid-0",
        "centroid column (px)": "centroid-1",
        "first row": "bbox-0",
        "first column": "bbox-1",
        "solidity": "solidity",
        "mean intensity 0": "mean_intensity-0",
        "mean intensity 1": "mean_intensity-1",
        "equivalent diameter (px)": "equivalent_diameter_area",
    }.items():
        np.testing.assert_allclose(table[ours], expected[theirs])
    np.testing.assert_allclose(
        table["perimeter (px)"], [perimeter_crofton(instances == number, 4) for number in table["object"]]
    )


def test_a_ring_has_two_outlines_and_the_area_between():
    rows, columns = np.mgrid[:101, :101]
    away = np.hypot(rows - 50, columns - 50)
    ring = ((away < 40) & (away > 20)).astype(int)
    table = measure(ring)
    assert table["area (px)"][0] == pytest.approx(np.pi * (40**2 - 20**2), rel=0.01)
    assert table["perimeter (px)"][0] == pytest.approx(2 * np.pi * (40 + 20), rel=0.02)
    assert table["solidity"][0] == pytest.approx(0.75, abs=0.02)


def test_outlines_of_objects_that_touch_count_for_both():
    assert perimeters(np.array([[1, 1, 2, 2]] * 2))[0] == perimeters(np.array([[1, 1, 0, 0]] * 2))[0]


def test_the_nearest_neighbour_depends_on_the_shape_of_pixels():
    instances = np.zeros((30, 30), int)
    instances[10, 10], instances[10, 15], instances[18, 10] = 1, 2, 3
    table = measure(instances, Calibration(0.5, 2, "nm"))
    assert table["nearest neighbour (px)"].tolist() == [5, 5, 8]
    assert table["nearest neighbour (nm)"].tolist() == [4, 10, 4]


def test_missing_intensities_do_not_count_and_negative_ones_do():
    instances = np.array([[1, 1, 2]])
    table = measure(instances, intensity=np.array([[np.nan, -3.0, np.nan]]))
    assert table["mean intensity"][0] == -3
    assert np.isnan(table["mean intensity"][1])
    assert [row["mean intensity"] for row in table.cells()] == ["-3", ""]
    with pytest.raises(LabelError, match="shape"):
        measure(instances, intensity=np.zeros((2, 3)))


def test_a_ball_in_flat_voxels():
    z, y, x = np.mgrid[:30, :60, :60]
    ball = (np.sqrt((2 * z - 30) ** 2 + (y - 30) ** 2 + (x - 30) ** 2) < 24).astype(int)
    table = measure(ball, Calibration(1, 1, "µm", depth=2))
    assert table["volume (µm³)"][0] == pytest.approx(4 / 3 * np.pi * 24**3, rel=0.01)
    assert table["equivalent diameter (µm)"][0] == pytest.approx(48, rel=0.01)
    assert table["centroid slice (µm)"][0] == pytest.approx(30)
    assert (table["first slice"][0], table["last slice"][0]) == (4, 26)
    assert "perimeter (px)" not in table


@pytest.mark.parametrize("calibration", [None, Calibration(1 / 300, 1 / 300, "inch")])
def test_without_a_physical_size_there_are_pixels_only(calibration):
    table = measure(np.eye(3, dtype=int), calibration)
    assert table.unit == ""
    assert [name for name in table if "(" in name and "(px)" not in name] == ["orientation (°)"]
    assert not any("(µm" in name for name in measure(np.ones((2, 2, 2), int), SQUARE))  # no distance of slices


def test_no_objects_make_a_table_without_rows():
    table = measure(np.zeros((4, 5), np.int32), SQUARE, np.zeros((4, 5)))
    assert table.rows == 0
    assert set(table) == set(measure(np.ones((4, 5), np.int32), SQUARE, np.zeros((4, 5))))
