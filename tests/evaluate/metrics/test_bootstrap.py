import numpy as np
import pytest
import scipy.stats

from patchfield.errors import PatchfieldError
from patchfield.evaluate.metrics import paired_bootstrap


@pytest.fixture
def scores():
    generator = np.random.default_rng(3)
    before = generator.uniform(0.3, 0.8, 15)
    return before, before + generator.normal(0.03, 0.05, 15)


def test_many_images_give_the_percentile_interval_of_scipy():
    difference = np.random.default_rng(1).exponential(0.05, 400)
    expected = scipy.stats.bootstrap(
        (difference,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    ours = paired_bootstrap(np.zeros(400), difference)
    assert ours.mean == pytest.approx(difference.mean())
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), abs=2e-4)


def test_few_images_give_the_width_of_a_t_interval(scores):
    before, after = (values[:7] for values in scores)
    expected = scipy.stats.ttest_rel(after, before).confidence_interval(0.95)
    ours = paired_bootstrap(before, after)
    assert ours.high - ours.low == pytest.approx(expected.high - expected.low, rel=0.1)


def test_pairing_removes_what_images_have_in_common(scores):
    before, _ = scores
    difference = paired_bootstrap(before, before + 0.01)
    assert difference.verdict == "higher"
    assert difference.high - difference.low < 1e-12
    assert paired_bootstrap(before + 0.01, before).verdict == "lower"


@pytest.mark.parametrize(("images", "sets"), [(6, 1), (30, 1), (20, 5)])
def test_noise_is_called_a_change_in_one_case_of_twenty(images, sets):
    generator = np.random.default_rng(0)
    groups = np.arange(images) % sets
    noise = generator.normal(0, 1, (400, images))
    false_alarms = np.mean([paired_bootstrap(0 * each, each, groups, resamples=1000).measurable for each in noise])
    assert 0.025 < false_alarms < 0.085


def test_two_images_prove_nothing(scores):
    before, _ = scores
    assert paired_bootstrap(before[:5], before[:5] + 0.2).verdict == "too few images"
    assert paired_bootstrap(before[:6], before[:6] + 0.2).verdict == "higher"


def test_sets_weigh_the_same_however_many_images_they_have():
    after = np.array([0.1] * 9 + [0.3])
    groups = ["large"] * 9 + ["small"]
    assert paired_bootstrap(np.zeros(10), after, groups).mean == pytest.approx(0.2)
    assert paired_bootstrap(np.zeros(10), after).mean == pytest.approx(0.12)


@pytest.mark.parametrize(("before", "after"), [([], []), ([1.0], [1.0, 2.0]), ([np.nan, 1], [1, 1])])
def test_refuses_unpaired_scores(before, after):
    with pytest.raises(PatchfieldError, match="paired"):
        paired_bootstrap(before, after)
