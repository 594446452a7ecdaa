"""What was painted is known, however it was painted, also where only the part that a stroke reached is compared."""

import numpy as np
import pytest

from patchfield.napari.layers import annotated
from patchfield.probe import PaintedPixels


@pytest.fixture(params=["whole planes", "parts of planes"])
def current(request, controller, two_phases, monkeypatch):
    """A stack that is painted on; its planes are compared as a whole, or as those of a large one."""
    if request.param == "parts of planes":
        monkeypatch.setattr(annotated, "WHOLE_PIXELS", 0)
        monkeypatch.setattr(annotated, "COMPARED_PIXELS", 0)
    controller.viewer.add_image(np.stack([two_phases(), two_phases()]), name="steel")
    return controller.current


def agrees(current) -> bool:
    """Whether snapshots and what jobs get are what is painted."""
    labels = np.asarray(current.labels.data)
    painted = {plane.index: pixels for plane, pixels in current.painted_planes()}
    expected = {(i,) for i, plane in enumerate(labels) if plane.any()}
    return (
        set(current.snapshots) == set(painted) == expected
        and all(np.array_equal(labels[index], current.snapshots[index]) for index in expected)
        and all(np.array_equal(labels[index], painted[index]) for index in expected)
    )


def by_brush(labels) -> None:
    with labels.block_history():
        for column in range(10, 40, 3):
            labels.paint((0, 30, column), 1)


def by_eraser_over_it(labels) -> None:
    by_brush(labels)
    labels.paint((0, 30, 20), 0)


def by_polygon(labels) -> None:
    labels.paint_polygon([(0, 5, 5), (0, 5, 60), (0, 40, 30)], 2)


def by_fill(labels) -> None:
    by_polygon(labels)
    labels.fill((0, 10, 30), 3)


def by_script(labels) -> None:
    labels.data_setitem((np.array([0, 1]), np.array([3, 90]), np.array([4, 91])), 5)


def by_a_brush_through_planes(labels) -> None:
    labels.n_edit_dimensions = 3
    labels.paint((1, 50, 50), 4)


@pytest.mark.parametrize(
    "paint", [by_brush, by_eraser_over_it, by_polygon, by_fill, by_script, by_a_brush_through_planes]
)
def test_strokes_are_known_and_so_are_undo_and_redo(current, paint):
    told = []
    current.strokes_changed.connect(lambda: told.append(1))
    paint(current.labels)
    assert current.labels.data.any()
    assert agrees(current)
    assert told
    current.labels.undo()
    assert agrees(current)
    current.labels.redo()
    assert agrees(current)


def test_a_class_is_erased_from_what_is_known(current):
    by_polygon(current.labels)
    by_brush(current.labels)
    current.erase(1)
    assert agrees(current)
    assert set(np.unique(current.labels.data)) == {0, 2}


def test_snapshots_are_not_written_to_by_later_strokes(current):
    by_brush(current.labels)
    before = current.snapshots[0,]
    kept = before.copy()
    by_polygon(current.labels)
    assert np.array_equal(before, kept)


def test_painted_pixels_stand_for_the_label_image():
    labels = np.zeros((6, 7), np.uint8)
    labels[1, 2:5], labels[4, 0] = 3, 1
    painted = PaintedPixels.from_array(labels)
    assert np.array_equal(painted, labels)
    assert len(painted) == 4
    labels[0:3, 1:4] = [[0, 2, 0], [0, 0, 0], [1, 0, 0]]
    part = (slice(0, 3), slice(1, 4))
    assert np.array_equal(painted.repainted(part, labels[part]), labels)
    assert np.array_equal(painted.repainted(part, labels[part]).without(labels == 2), np.where(labels == 2, 0, labels))
