"""Labels -> probe -> segmentation, plane by plane."""

from contextlib import suppress

import numpy as np
import pytest

from patchfield.errors import ImageError, LabelError
from patchfield.images import ArrayStack
from patchfield.pipeline import Extractor
from patchfield.probe import LinearProbe
from patchfield.probe.planes import KeptFields, LabelledPlane, PlaneTask, segment_planes, train_probe
from patchfield.testing.backbones import RandomLift


@pytest.fixture
def stack(image) -> ArrayStack:
    return ArrayStack(np.stack([image, image[:, ::-1], image[::-1]]), "TYX", "movie.tif")


@pytest.fixture
def extractor() -> Extractor:
    return Extractor.from_backbone(RandomLift(), "fast")


@pytest.fixture
def planes(stack, labels) -> list[LabelledPlane]:
    """Strokes on two of three planes."""
    return [LabelledPlane(stack, (0,), labels), LabelledPlane(stack, (1,), labels[:, ::-1])]


def test_one_field_at_a_time_trains_the_probe_of_all_fields_at_once(planes, stack, extractor):
    probe = train_probe(planes, extractor)
    expected = LinearProbe().fit([(extractor.field(stack, plane.index), plane.labels) for plane in planes])
    np.testing.assert_array_equal(probe.weights, expected.weights)
    assert probe.fingerprint == expected.fingerprint
    assert probe.training == expected.training


def test_every_plane_is_segmented_and_known_fields_are_not_computed_again(planes, stack, extractor):
    kept = KeptFields()
    probe = train_probe(planes, extractor, kept=kept)
    tasks = [PlaneTask(stack, (number,), kept.take(stack, (number,))) for number in range(3)]
    steps = list(segment_planes(tasks, probe, extractor))
    assert {step.task.index for step in steps if step.extraction is not None} == {(2,)}
    whole = [step for step in steps if step.labels is not None]
    assert [step.task.index for step in whole] == [(0,), (1,), (2,)]
    for step in whole:
        np.testing.assert_array_equal(step.labels, probe.segment(extractor.field(stack, step.task.index)))
    assert kept.take(stack, (0,)) is None


def test_fields_are_kept_up_to_a_size(planes, stack, extractor):
    one = extractor.field(stack, (0,)).nbytes
    kept = KeptFields(capacity=one)
    train_probe(planes, extractor, kept=kept)
    assert kept.take(stack, (0,)) is not None
    assert kept.take(stack, (1,)) is None


def test_a_plane_that_fails_is_left_out_where_that_is_wanted(planes, stack, labels, extractor):
    gone = LabelledPlane(stack, (7,), labels)
    with pytest.raises(ImageError):
        train_probe([gone, *planes], extractor)
    probe = train_probe([gone, *planes], extractor, guard=lambda plane: suppress(ImageError))
    assert probe.training.images == 2
    with pytest.raises(LabelError, match="nothing is painted"):
        train_probe([gone], extractor, guard=lambda plane: suppress(ImageError))


def test_pixels_without_a_value_train_nothing(image, labels, extractor):
    holes = image.copy()
    holes[:, 45:50] = np.nan
    stack = ArrayStack(holes, "YX")
    probe = train_probe([LabelledPlane(stack, (), labels)], extractor)
    assert probe.training.samples[5] == 3 * 15
