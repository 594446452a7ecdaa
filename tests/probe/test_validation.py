"""Agreement with held-out strokes."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from patchfield.backbones import load_backbone
from patchfield.errors import ProbeError
from patchfield.probe import (
    ChannelGroup,
    LinearProbe,
    TrainingImage,
    channel_groups,
    find_strokes,
    group_importance,
    stroke_agreement,
)


class Narrow:
    """A field with some of the channels of another."""

    def __init__(self, field, channels) -> None:
        self.shape, self.channels, self.recipes, self.missing = field.shape, len(channels), field.recipes, None
        self._field, self._kept = field, channels
        self.centre = field.centre[channels]

    def sample(self, rows, columns):
        return np.ascontiguousarray(self._field.sample(rows, columns)[:, self._kept])


@pytest.fixture
def noisy(labels) -> np.ndarray:
    """Labels with a stroke of class 5 where class 2 is, so that agreement cannot be complete."""
    labels[20, 5:25] = 5
    return labels


def test_it_is_the_balanced_accuracy_of_strokes_held_out(field, noisy):
    strokes = find_strokes(noisy)
    features = field.sample(*np.divmod(strokes.pixels, 96))
    folds = np.empty(len(strokes.pixels), int)
    for value in np.unique(strokes.values):  # strokes of each class, dealt over three folds
        mine = strokes.values == value
        folds[mine] = np.unique(strokes.numbers[mine], return_inverse=True)[1] % 3
    predicted = np.empty_like(strokes.values)
    for fold in range(3):
        train, test = folds != fold, folds == fold
        logistic = LogisticRegression(C=1 / (0.03 * train.sum()), class_weight="balanced", max_iter=5000)
        model = make_pipeline(StandardScaler(), logistic).fit(features[train], strokes.values[train])
        predicted[test] = model.predict(features[test])
    agreement = stroke_agreement([(field, noisy)], LinearProbe(l2=0.03))
    assert agreement.mean == pytest.approx(balanced_accuracy_score(strokes.values, predicted), abs=0.03)
    assert agreement.strokes == 10
    assert agreement.mean == pytest.approx(np.mean(list(agreement.per_class.values())))
    assert agreement.per_class[5] < 0.85 < agreement.per_class[200]


def test_no_figure_before_each_class_has_three_strokes(field, labels):
    assert stroke_agreement([(field, labels)]).mean > 0.9
    labels[50, 5:25] = 0
    assert stroke_agreement([(field, labels)]) is None
    labels[labels != 5] = 0
    assert stroke_agreement([(field, labels)]) is None
    assert stroke_agreement([]) is None


def test_strokes_of_all_images_count(field, labels):
    first, second = labels.copy(), labels.copy()
    first[40:], second[:40] = 0, 0
    assert stroke_agreement([(field, first)]) is None
    assert stroke_agreement([(field, first), (field, second)]).strokes == 9


def test_it_leaves_the_probe_as_it_was(field, labels):
    probe = LinearProbe().fit([(field, labels)])
    before = probe.weights
    stroke_agreement([(field, labels)], probe)
    assert probe.weights is before


def test_the_confusion_and_the_strokes_say_where_it_disagrees(field, noisy):
    agreement = stroke_agreement([(field, noisy)])
    count = len(agreement.per_class)
    assert agreement.confusion.shape == (count, count)
    assert agreement.confusion.sum() == np.count_nonzero(noisy)
    shares = np.diag(agreement.confusion) / agreement.confusion.sum(1)
    np.testing.assert_allclose(shares, list(agreement.per_class.values()))
    assert len(agreement.results) == agreement.strokes == 10
    assert agreement.disagreeing == agreement.results[: len(agreement.disagreeing)]
    (wrong,) = (result for result in agreement.disagreeing if result.centre[0] == 20)
    assert wrong.pair == 0
    assert wrong.centre[0] == 20
    assert noisy[wrong.centre] == wrong.value == 5
    assert wrong.predicted == 2
    assert wrong.right < 0.5
    found = {(painted, predicted): share for painted, predicted, share in agreement.confusions()}
    assert found[5, 2] == pytest.approx(agreement.confusion[1, 0] / agreement.confusion[1].sum())
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_kept_strokes_are_held_out_beside_those_that_are_given(field, labels, noisy, tmp_path):
    known = TrainingImage("a")
    LinearProbe().fit([(field, labels)], images=[known]).save(tmp_path / "a.probe")
    probe = LinearProbe.load(tmp_path / "a.probe")
    alone = stroke_agreement([], probe)
    assert alone.strokes == 10
    assert {result.pair for result in alone.results} == {None}
    assert {result.image for result in alone.results} == {known}
    empty, one = np.zeros_like(labels), np.zeros_like(labels)
    one[60, 40:60] = 5
    both = stroke_agreement([(field, empty), (field, one)], probe)
    (given,) = [result for result in both.results if result.pair is not None]
    assert (given.pair, given.centre[0]) == (1, 60)
    assert both.strokes == 11
    assert stroke_agreement([(field, noisy)], probe, [known]).strokes == 10  # loaded again: not twice


def test_as_many_images_as_samples(field, labels):
    agreement = stroke_agreement([(field, labels), (field, labels), (field, labels)], LinearProbe(samples_per_class=1))
    assert agreement is None


def test_importance_is_the_agreement_lost_in_a_refit_without_the_group(field, noisy):
    pairs, kept = [(field, noisy)], [np.arange(6), np.arange(6, field.channels)]
    groups = [ChannelGroup("first", kept[0]), ChannelGroup("rest", kept[1])]
    found = {entry.group: entry.loss for entry in group_importance(pairs, groups)}
    for name, rest in (("first", kept[1]), ("rest", kept[0])):
        narrow = Narrow(field, rest)
        expected = stroke_agreement(pairs).mean - stroke_agreement([(narrow, noisy)]).mean
        assert found[name] == pytest.approx(expected, abs=0.02)


def test_groups_cover_the_filters_by_scale_and_family_and_joined_backbones_whole():
    filters, micro = load_backbone("filters"), load_backbone("micro")
    alone = channel_groups([filters])
    pitches = [group for group in alone if group.name.startswith("pitch")]
    families = [group for group in alone if not group.name.startswith("pitch")]
    for groups in (pitches, families):
        np.testing.assert_array_equal(
            np.sort(np.concatenate([group.channels for group in groups])), np.arange(filters.channels)
        )
    assert {group.name for group in families} >= {"intensity", "texture", "edges", "lines", "colour"}
    joined = {group.name: group for group in channel_groups([micro, filters])}
    np.testing.assert_array_equal(joined["micro"].channels, np.arange(micro.channels))
    np.testing.assert_array_equal(joined["filters: lines"].channels - micro.channels,
                                  next(group.channels for group in alone if group.name == "lines"))  # fmt: skip
    assert channel_groups([micro]) == ()


def test_groups_that_leave_nothing_or_are_not_there_are_refused(field, labels):
    for channels, words in ((np.arange(field.channels), "no features are left"), (np.array([99]), "lack")):
        with pytest.raises(ProbeError, match=words):
            group_importance([(field, labels)], [ChannelGroup("all", channels)])
    assert group_importance([], []) is None
