"""The probe on real fields, scikit-learn as the reference."""

import copy

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from patchfield.errors import LabelError, ProbeError
from patchfield.pipeline import extract
from patchfield.probe import ClassInfo, FeatureCache, LinearProbe
from patchfield.testing.backbones import RandomLift


@pytest.fixture
def probe(field, labels) -> LinearProbe:
    return LinearProbe().fit([(field, labels)])


def test_it_is_scikit_learns_classifier_on_the_painted_pixels(probe, field, labels):
    rows, columns = np.nonzero(labels)
    features = StandardScaler().fit(field.sample(rows, columns))
    logistic = LogisticRegression(C=1 / (probe.l2 * len(rows)), class_weight="balanced", tol=1e-8, max_iter=5000)
    logistic.fit(features.transform(field.sample(rows, columns)), labels[rows, columns])
    everywhere = features.transform(field.dense().reshape(field.channels, -1).T)
    expected = logistic.predict_proba(everywhere).T.reshape(3, *field.shape)
    np.testing.assert_allclose(probe.probabilities(field), expected, atol=0.01)
    sure = np.ptp(np.sort(expected, axis=0)[-2:], axis=0) > 0.02
    np.testing.assert_array_equal(probe.segment(field)[sure], logistic.classes_[expected.argmax(0)][sure])


def test_a_few_strokes_segment_the_image(probe, field):
    segmentation = probe.segment(field)
    assert segmentation.dtype == np.uint8
    for value, columns in ((2, slice(4, 28)), (5, slice(36, 60)), (200, slice(68, 92))):
        assert (segmentation[:, columns] == value).mean() > 0.95


def test_segmentation_probabilities_and_uncertainty_agree(probe, field):
    region = (slice(3, 40), slice(20, 81))
    probabilities = probe.probabilities(field)
    np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-5)
    np.testing.assert_array_equal(probe.segment(field), probe.values[probabilities.argmax(0)])
    best, second = np.sort(probabilities, axis=0)[:-3:-1]
    unsure = probe.uncertainty(field)
    assert unsure.min() >= 0
    np.testing.assert_allclose(unsure, 1 - best + second, atol=1e-5)
    np.testing.assert_allclose(probe.probabilities(field, region), probabilities[:, *region], atol=1e-5)
    np.testing.assert_allclose(probe.uncertainty(field, region), unsure[region], atol=1e-4)
    np.testing.assert_array_equal(probe.segment(field, region), probe.segment(field)[region])


@pytest.mark.parametrize(("value", "dtype"), [(255, np.uint8), (256, np.uint16), (70_000, np.uint32)])
def test_label_values_come_back_in_the_smallest_type(field, labels, value, dtype):
    labels = np.where(labels == 200, value, labels.astype(np.int64))
    probe = LinearProbe().fit([(field, labels)])
    segmentation = probe.segment(field)
    assert segmentation.dtype == dtype
    assert segmentation.max() == value


def test_two_classes_have_two_columns_and_unsure_pixels_are_where_they_meet(field, labels):
    labels[labels == 200] = 0
    probe = LinearProbe().fit([(field, labels)])
    assert probe.weights.shape == (field.channels, 2)
    assert probe.uncertainty(field)[:, 30:34].mean() > 3 * probe.uncertainty(field)[:, 8:24].mean()


def test_strokes_on_several_images_train_one_probe(field, image, labels):
    other = extract(image[:, ::-1].copy(), RandomLift(), "fast")
    first, second = labels.copy(), np.zeros_like(labels)
    first[labels == 200] = 0
    second[10:14, 5:20] = 200  # the stripes are on the left there
    probe = LinearProbe().fit([(field, first), (other, second), (field, np.zeros_like(first))])
    assert (probe.segment(field)[:, 68:92] == 200).mean() > 0.9
    assert (probe.segment(other)[:, 68:92] == 2).mean() > 0.9
    assert probe.training.images == 2
    assert probe.training.strokes == {2: 3, 5: 3, 200: 1}
    assert probe.training.pixels == {2: 60, 5: 60, 200: 60}


def test_a_warm_refit_equals_a_cold_fit_whatever_was_added_or_removed(field, labels):
    early, changed = labels.copy(), labels.copy()
    early[labels == 200] = 0
    early[50] = 0
    changed[labels == 5] = 0
    changed[20:24, 40:60] = 9
    probe = LinearProbe()
    for painted in (early, labels, changed, labels):
        probabilities = probe.fit([(field, painted)]).probabilities(field)
        cold = LinearProbe().fit([(field, painted)])
        np.testing.assert_array_equal(probe.values, np.unique(painted[painted > 0]))
        np.testing.assert_allclose(probabilities, cold.probabilities(field), atol=0.02)


def test_fits_are_reproducible(field, labels):
    first, second = (LinearProbe(samples_per_class=20).fit([(field, labels)]) for _ in range(2))
    np.testing.assert_array_equal(first.weights, second.weights)
    assert first.training.samples == {2: 20, 5: 20, 200: 20}


def test_names_and_colours_stay_from_fit_to_fit(field, labels):
    pore = ClassInfo("pore", "#112233")
    probe = LinearProbe().fit([(field, labels)], classes={2: pore, 77: pore})
    assert list(probe.classes) == [2, 5, 200]
    probe.fit([(field, labels)])
    assert probe.classes[2] == pore
    assert probe.classes[5].name == "class 5"
    with pytest.raises(ProbeError, match="#rrggbb"):
        ClassInfo("pore", "red")


def test_a_copy_refits_without_changing_the_original(probe, field, labels):
    before = probe.weights.copy()
    labels[labels == 5] = 0
    refitted = copy.copy(probe).fit([(field, labels)])
    np.testing.assert_array_equal(probe.weights, before)
    assert len(refitted.values) == 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda field, labels: [], "nothing is painted"),
        (lambda field, labels: [(field, labels * 0)], "nothing is painted"),
        (lambda field, labels: [(field, labels == 5)], "only class 1 is painted"),
        (lambda field, labels: [(field, labels[:, :-1])], "should have the shape of their image"),
        (lambda field, labels: [(field, labels), (None, labels)], "Labels 2 of 2 have no image"),
        (lambda field, labels: (field, labels), r"fit\(\[\(field, labels\)\]\)"),
        (lambda field, labels: [(labels, field)], "the field first"),
        (lambda field, labels: [(field, np.where(labels == 5, 2**63, labels.astype(np.uint64)))], "up to"),
        (lambda field, labels: [(field, np.where(labels == 5, 1e30, labels))], "up to"),
        (lambda field, labels: [(field, np.arange(labels.size).reshape(labels.shape))], "6143 values"),
    ],
)
def test_labels_that_do_not_suffice_get_one_sentence(field, labels, make, words):
    with pytest.raises(LabelError, match=words):
        LinearProbe().fit(make(field, labels))


def test_features_of_another_backbone_are_refused_by_name(probe, image, field, labels):
    other = extract(image, RandomLift(fingerprint="lift-2"), "fast")
    for use in (probe.segment, probe.probabilities, probe.uncertainty):
        with pytest.raises(ProbeError, match=r"lift-1.*lift-2.*Extractor"):
            use(other)
    with pytest.raises(ProbeError, match="lift-1"):
        probe.segment(field | field)
    with pytest.raises(ProbeError, match="extract all images alike"):
        LinearProbe().fit([(field, labels), (other, labels)])
    probe.fit([(other, labels)])  # new features: a new start
    assert probe.recipes == other.recipes


def test_a_probe_that_learned_nothing_says_so(field, tmp_path):
    for use in (lambda p: p.segment(field), lambda p: p.weights, lambda p: p.save(tmp_path / "a.probe")):
        with pytest.raises(ProbeError, match="fit it"):
            use(LinearProbe())
    with pytest.raises(ProbeError, match="positive"):
        LinearProbe(l2=0)


def test_pixels_without_a_value_are_neither_trained_on_nor_segmented(image, labels):
    holes = image.copy()
    holes[:, 45:50] = np.nan
    field = extract(holes, RandomLift(), "fast")
    misleading = labels.copy()
    misleading[:, 45:50] = 2
    probe = LinearProbe().fit([(field, misleading)])
    assert probe.training.pixels[2] == 60
    segmentation = probe.segment(field)
    np.testing.assert_array_equal(segmentation == 0, np.isnan(holes))
    region = (slice(3, 40), slice(20, 81))
    np.testing.assert_array_equal(probe.segment(field, region), segmentation[region])
    assert (probe.uncertainty(field)[:, 45:50] == 0).all()
    assert (probe.probabilities(field)[:, :, 45:50] == 0).all()


def test_what_was_learned_has_a_fingerprint(probe, field, labels):
    assert probe.fingerprint == LinearProbe().fit([(field, labels)]).fingerprint
    labels[labels == 5] = 0
    assert probe.fingerprint != LinearProbe().fit([(field, labels)]).fingerprint


class Counting:
    """A field that counts the pixels it is asked for."""

    def __init__(self, field) -> None:
        self.shape, self.channels, self._field, self.asked = field.shape, field.channels, field, 0

    def sample(self, rows, columns):
        self.asked += len(rows)
        return self._field.sample(rows, columns)


def test_a_new_stroke_samples_its_own_pixels_only(field):
    counting, cache = Counting(field), FeatureCache()
    rng = np.random.default_rng(0)
    for count, fresh in ((50, 50), (80, 30), (60, 0), (80, 0)):
        pixels = np.sort(rng.permutation(np.random.default_rng(5).permutation(64 * 96)[:count]))
        before = counting.asked
        features = cache.features(counting, pixels)
        np.testing.assert_allclose(features, field.sample(*np.divmod(pixels, 96)), rtol=1e-5, atol=1e-5)
        assert counting.asked - before == fresh


def test_the_cache_forgets_fields_that_are_gone(field):
    cache = FeatureCache()
    counting = Counting(field)
    cache.features(counting, np.arange(3))
    assert len(cache) == 1
    del counting
    assert len(cache) == 0
