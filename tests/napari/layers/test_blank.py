"""Empty labels of any size."""

import numpy as np

from patchfield.napari.layers.blank import MAX_IN_MEMORY, blank


def test_labels_larger_than_memory_are_empty_and_can_be_painted_on():
    planes = MAX_IN_MEMORY // 1024**2 + 10_000
    labels = blank((planes, 1024, 1024))
    assert labels.nbytes > MAX_IN_MEMORY
    labels[planes - 1, 5, 7] = 3
    assert (labels[planes - 1] > 0).sum() == 1
    assert not labels[0].any()


def test_small_labels_are_ordinary_arrays():
    assert type(blank((4, 5, 6), np.uint16)) is np.ndarray
