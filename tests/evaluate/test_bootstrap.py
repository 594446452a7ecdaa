import numpy as np
import pytest
import scipy.stats

from patchfield.errors import PatchfieldError
from patchfield.evaluate import paired_bootstrap


@pytest.fixture
def scores():
    generator = np.random.default_rng(3)
    before = generator.uniform(0.3, 0.8, 15)
    return before, before + generator.normal(0.03, 0.05, 15)


def test_matches_scipy(scores):
    before, after = scores
    expected = scipy.stats.bootstrap(
        (after - before,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    ours = paired_bootstrap(before, after)
    assert ours.mean == pytest.approx(np.mean(after - before))
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), abs=1.5e-3)


def test_pairing_removes_what_images_have_in_common(scores):
    before, _ = scores
    difference = paired_bootstrap(before, before + 0.01)
    assert difference.verdict == "gain"
    assert difference.high - difference.low < 1e-12
    assert paired_bootstrap(before + 0.01, before).verdict == "loss"


def test_noise_is_no_measurable_change():
    generator = np.random.default_rng(0)
    false_alarms = sum(
        paired_bootstrap(np.zeros(30), generator.normal(0, 1, 30), resamples=500).measurable for _ in range(300)
    )
    assert 3 <= false_alarms <= 33  # 5 % nominal; the percentile interval is a little narrow


def test_two_images_prove_nothing(scores):
    before, _ = scores
    assert paired_bootstrap(before[:5], before[:5] + 0.2).verdict == "too few images"
    assert paired_bootstrap(before[:6], before[:6] + 0.2).verdict == "gain"


def test_sets_weigh_the_same_however_many_images_they_have():
    after = np.array([0.1] * 9 + [0.3])
    groups = ["large"] * 9 + ["small"]
    assert paired_bootstrap(np.zeros(10), after, groups).mean == pytest.approx(0.2)
    assert paired_bootstrap(np.zeros(10), after).mean == pytest.approx(0.12)


@pytest.mark.parametrize(("before", "after"), [([], []), ([1.0], [1.0, 2.0]), ([np.nan, 1], [1, 1])])
def test_refuses_unpaired_scores(before, after):
    with pytest.raises(PatchfieldError, match="paired"):
        paired_bootstrap(before, after)
