"""Outlines as QuPath exports them, drawn as labels."""

import json

import numpy as np
import pytest

from patchfield.errors import LabelError
from patchfield.images import ArrayStack, read_label_stack, read_labels

IMAGE = ArrayStack(np.zeros((30, 40)), "YX", name="i.tif")


def box(left, top, right, bottom):
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def feature(geometry, name=None, **classification):
    properties = {"objectType": "annotation"}
    if name is not None:
        properties["classification"] = {"name": name, **classification}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


def written(folder, *features, name="a.geojson"):
    (folder / name).write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return folder / name


def test_a_box_covers_the_pixels_that_qupath_shows_inside_it(tmp_path):
    """Coordinates count from the corner of the first pixel."""
    labels = read_label_stack(written(tmp_path, feature(polygon(box(10, 5, 20, 9)), "pore", color=[255, 0, 16])), IMAGE)
    expected = np.zeros((30, 40), int)
    expected[5:9, 10:20] = 1
    np.testing.assert_array_equal(labels.values, expected)
    assert (labels.classes[1].name, labels.classes[1].color) == ("pore", "#ff0010")


def test_holes_parts_lines_points_and_what_hangs_over_the_edge(tmp_path):
    file = written(
        tmp_path,
        feature(polygon(box(0, 0, 10, 10), box(3, 3, 6, 6)), "a"),
        feature({"type": "MultiPolygon", "coordinates": [[box(20, 0, 22, 2)], [box(30, 25, 60, 50)]]}, "b"),
        feature({"type": "LineString", "coordinates": [[12.5, 0.5], [12.5, 4.5]]}, "c", colorRGB=-65536),
        feature({"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [14.2, 1.9]}]}, "c"),
        feature(polygon(box(0, 0, 40, 30))),
        feature(polygon(box(0, 0, 40, 30)), "Ignore*"),
    )
    expected = np.zeros((30, 40), int)
    expected[:10, :10] = 1
    expected[3:6, 3:6] = 0
    expected[:2, 20:22] = expected[25:, 30:] = 2
    expected[:5, 12] = expected[1, 14] = 3
    labels = read_label_stack(file, IMAGE)
    np.testing.assert_array_equal(labels.values, expected)
    assert labels.classes[3].color == "#ff0000"


def test_a_class_has_one_number_in_all_files_of_a_training(tmp_path):
    numbers = {}
    first = written(tmp_path, feature(polygon(box(0, 0, 2, 2)), "pore"), feature(polygon(box(4, 0, 6, 2)), "class 7"))
    second = written(
        tmp_path, feature(polygon(box(0, 0, 2, 2)), "matrix"), feature(polygon(box(4, 0, 6, 2)), "pore"), name="b.json"
    )
    assert sorted(read_label_stack(first, IMAGE, numbers).classes) == [1, 7]
    labels = read_label_stack(second, IMAGE, numbers)
    assert numbers == {"pore": 1, "class 7": 7, "matrix": 2}
    assert (labels.values[0, 0], labels.values[0, 5]) == (2, 1)


def test_outlines_lie_in_their_plane(tmp_path):
    stack = ArrayStack(np.zeros((2, 3, 30, 40)), "TZYX", name="i.tif")
    file = written(tmp_path, feature(polygon(box(0, 0, 2, 2)) | {"plane": {"c": -1, "z": 2, "t": 1}}, "pore"))
    labels = read_label_stack(file, stack)
    assert labels.axes == "TZ"
    assert np.argwhere(labels.values)[:, :2].tolist() == [[1, 2]] * 4
    with pytest.raises(LabelError, match="lies in plane"):
        read_label_stack(file, ArrayStack(np.zeros((2, 2, 30, 40)), "TZYX"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "cannot be read as outlines"),
        ('{"type": "FeatureCollection"}', "cannot be read as outlines"),
        ('{"type": "FeatureCollection", "features": []}', r"0 outline\(s\), none of which has a class"),
        ("[" * 100_000, "cannot be read as outlines"),
        (json.dumps([feature({"type": "Polygon", "coordinates": [[["a", "b"]]]}, "x")]), "cannot be read as outlines"),
        (json.dumps([feature({"type": "Circle", "coordinates": []}, "x")]), "cannot be drawn"),
        (json.dumps([feature(polygon(box(0, 0, 4, 4)))]), "none of which has a class"),
        (json.dumps([feature(polygon(box(0, 0, float("nan"), 4)), "x")]), "cannot be read as outlines"),
    ],
)
def test_what_is_no_outline_is_refused(tmp_path, content, sentence):
    (tmp_path / "a.geojson").write_text(content, encoding="utf-8")
    with pytest.raises(LabelError, match=sentence):
        read_label_stack(tmp_path / "a.geojson", IMAGE)


def test_outlines_without_their_image_are_refused(tmp_path):
    file = written(tmp_path, feature(polygon(box(0, 0, 4, 4)), "x"))
    for read in (read_labels, read_label_stack):
        with pytest.raises(LabelError, match="image"):
            read(file)
