"""A probe goes on from what it learned before: kept samples, their bounds, classes that come and go, pixel sizes."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from patchfield.errors import LabelError, ProbeError
from patchfield.field import FeatureRecipe
from patchfield.images import ArrayStack, Calibration
from patchfield.pipeline import Extractor, extract
from patchfield.probe import KeptSamples, LinearProbe, TrainingImage, find_strokes, kept
from patchfield.probe.planes import LabelledPlane, train_probe
from patchfield.testing.backbones import RandomLift

A, B = TrainingImage("a", 10.0), TrainingImage("b", 40.0)


@pytest.fixture(scope="module")
def other(image):
    """Another image of the same kind."""
    return extract(image[::-1, ::-1].copy(), RandomLift(), "fast")


@pytest.fixture
def load(field, labels, tmp_path):
    """Loads a probe that was trained on image A, as often as wanted."""
    LinearProbe().fit([(field, labels)], images=[A]).save(tmp_path / "a.probe")
    return lambda: LinearProbe.load(tmp_path / "a.probe")


def stroke(value: int, rows: slice, columns: slice) -> np.ndarray:
    labels = np.zeros((64, 96), np.uint8)
    labels[rows, columns] = value
    return labels


def test_a_correction_is_as_good_as_training_on_everything_again(load, field, labels, other):
    correction = stroke(2, slice(4, 8), slice(70, 90))  # the dark third lies right in the other image
    corrected = load().fit([(other, correction)], images=[B])
    scratch = LinearProbe().fit([(field, labels), (other, correction)])
    np.testing.assert_array_equal(corrected.values, scratch.values)
    np.testing.assert_allclose(corrected.probabilities(other), scratch.probabilities(other), atol=0.02)
    assert corrected.training.images == 2
    assert corrected.training.strokes == {2: 4, 5: 3, 200: 3} == scratch.training.strokes
    assert corrected.training.pixels == scratch.training.pixels


def test_strokes_that_are_loaded_again_count_once_and_are_no_longer_kept(load, field, labels):
    probe = load()
    before = probe.training
    assert probe.fit([(field, labels)], images=[A]).training == before
    assert len(probe.kept) == 0
    assert probe.fit([(field, np.where(labels == 5, 0, labels))], images=[A]).training.strokes == {2: 3, 200: 3}
    assert load().fit([(field, labels)]).training.strokes == {2: 6, 5: 6, 200: 6}  # an image nothing is known of


def test_one_stroke_on_a_known_image_leaves_the_others_and_overrides_what_it_covers(load, field, labels):
    probe = load().fit([(field, stroke(5, slice(9, 12), slice(0, 30)))], images=[A])  # over a stroke of class 2
    assert probe.training.strokes == {2: 2, 5: 4, 200: 3}
    assert probe.training.images == 1


def test_what_is_kept_travels_on_from_file_to_file(load, other, tmp_path):
    load().fit([(other, stroke(9, slice(4, 8), slice(70, 90)))], images=[B]).save(tmp_path / "b.probe")
    probe = LinearProbe.load(tmp_path / "b.probe")
    assert list(probe.values) == [2, 5, 9, 200]
    assert probe.kept.sources == (A, B)
    assert probe.training.pixel_size == (10.0, 40.0)
    probe.save(tmp_path / "c.probe")
    assert (tmp_path / "c.probe").read_bytes() == (tmp_path / "b.probe").read_bytes()


def test_classes_can_be_removed_and_merged(load, field, labels, tmp_path):
    removed = load().remove_class(5)
    expected = LinearProbe().fit([(field, np.where(labels == 5, 0, labels))])
    np.testing.assert_allclose(removed.probabilities(field), expected.probabilities(field), atol=0.02)
    merged = LinearProbe().fit([(field, labels)]).merge_classes(200, into=2)
    assert merged.training.strokes == {2: 6, 5: 3}
    merged.save(tmp_path / "merged.probe")
    assert set(LinearProbe.load(tmp_path / "merged.probe").kept.values) == {2, 5}
    with pytest.raises(LabelError, match="only class 200"):
        removed.remove_class(2)
    assert list(removed.values) == [2, 200]
    with pytest.raises(ProbeError, match="no class 7"):
        removed.merge_classes(7, into=2)


def test_other_features_are_refused_and_not_what_was_kept_dropped(load, image, labels):
    probe = load()
    unlike = extract(image, RandomLift(fingerprint="lift-2"), "fast")
    with pytest.raises(ProbeError, match=r"keeps samples.*lift-1.*lift-2"):
        probe.fit([(unlike, labels)])
    assert len(probe.kept) == len(load().kept)


def test_what_is_kept_is_bounded_and_spread_over_images_and_strokes(field, other, monkeypatch):
    large, small = stroke(1, slice(0, 40), slice(0, 96)), stroke(1, slice(50, 51), slice(0, 30))
    large[60], small[60] = 2, 2
    probe = LinearProbe().fit([(field, large), (other, small)])
    samples = probe.samples
    counts = {(image, value): int(((samples.images == image) & (samples.values == value)).sum())
              for image in (0, 1) for value in (1, 2)}  # fmt: skip
    assert counts == {(0, 1): 470, (1, 1): 30, (0, 2): 96, (1, 2): 96}
    assert samples.features.dtype == np.float16
    monkeypatch.setattr(kept, "MAX_BYTES", 24 * 2 * 2 * 20)
    assert list(np.bincount(probe.samples.values)) == [0, 20, 20]


def test_features_beyond_float16_are_kept_as_large_as_can_be(field, labels):
    probe = LinearProbe().fit([(field, labels)])
    probe._latest.features[0][0, 0] = 1e30
    assert np.isfinite(probe.samples.features).all()


def test_a_file_without_samples_is_read_and_starts_anew(load, field, labels, tmp_path):
    load()
    path = tmp_path / "a.probe"
    with safe_open(path, framework="np") as file:
        tensors = {name: file.get_tensor(name) for name in ("values", "weights", "bias")}
        header = json.loads(file.metadata()["patchfield.probe"])
    header["version"] = 1
    del header["images"], header["training"]["pixel_size"]
    save_file(tensors, path, metadata={"patchfield.probe": json.dumps(header)})
    probe = LinearProbe.load(path)
    assert len(probe.kept) == 0
    assert probe.pixel_size_mismatch(Calibration(1, 1, "µm")) is None
    np.testing.assert_array_equal(probe.segment(field), LinearProbe().fit([(field, labels)]).segment(field))
    with pytest.raises(ProbeError, match="keeps no samples"):
        probe.remove_class(5)
    assert list(probe.fit([(field, np.where(labels == 5, 0, labels))]).values) == [2, 200]


def test_images_are_known_by_content_wherever_they_lie(image):
    one, same = ArrayStack(image[None], "TYX", "one"), ArrayStack(image.copy(), "YX", "other")
    changed = image.copy()
    changed[5, 7] += 1
    known = TrainingImage.from_plane(one, (0,))
    assert known == TrainingImage.from_plane(same)
    assert known.id != TrainingImage.from_plane(ArrayStack(changed, "YX")).id
    assert known.id != TrainingImage.from_plane(ArrayStack(image.reshape(96, 64), "YX")).id


@pytest.mark.parametrize(
    ("calibration", "factor"),
    [
        (None, None),
        (Calibration(2, 2, "nm"), None),
        (Calibration(7, 7, "nm"), None),
        (Calibration(59, 59, "nm"), None),
        (Calibration(0.08, 0.08, "µm"), 2.0),
        (Calibration(5, 5, "nm"), 0.5),
        (Calibration(1 / 300, 1 / 300, "inch"), None),
    ],
)
def test_another_magnification_is_said(load, other, calibration, factor):
    probe = load().fit([(other, stroke(2, slice(4, 8), slice(70, 90)))], images=[B])
    found = probe.pixel_size_mismatch(calibration)
    if calibration is not None and calibration.height == 2:
        assert found.factor == pytest.approx(0.2)
        assert found.sentence.startswith(
            "its pixels are 2 nm wide, and the probe was trained on 10 nm to 40 nm: let it be seen reduced"
        )
    else:
        assert (None if found is None else round(found.factor, 6)) == factor


def test_planes_are_known_by_content_and_pixel_size(image, labels):
    extractor = Extractor.load(FeatureRecipe("filters", "fast"))
    stack = ArrayStack(np.stack([image, image[::-1]]), "ZYX", calibration=Calibration(2, 2, "nm"))
    planes = [LabelledPlane(stack, (0,), labels), LabelledPlane(stack, (1,), labels * 0)]
    probe = train_probe(planes, extractor)
    assert probe.samples.sources == (TrainingImage.from_plane(stack, (0,)),)
    assert probe.training.pixel_size == (2.0, 2.0)
    probe.kept = probe.samples
    again = train_probe([LabelledPlane(stack, (1,), stroke(2, slice(0, 3), slice(0, 9)))], extractor, probe=probe)
    assert again.training.images == 2


def test_images_have_to_be_as_many_as_labels(field, labels):
    with pytest.raises(LabelError, match="give one for each"):
        LinearProbe().fit([(field, labels)], images=[A, B])


def test_joining_keeps_order_and_images_apart():
    assert len(KeptSamples().joined(KeptSamples())) == 0
    assert len(KeptSamples().thinned()) == 0
    assert find_strokes([[1, 0], [0, 2]]).width == 2
