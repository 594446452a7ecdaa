"""From painted labels to samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import label

from patchfield.errors import LabelError
from patchfield.probe import choose_samples, find_strokes
from patchfield.probe.labels import fair_shares


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 2)))
def test_strokes_are_connected_components_of_equal_labels(labels):
    strokes = find_strokes(labels)
    expected = label(labels, background=0, connectivity=2)
    np.testing.assert_array_equal(strokes.numbers + 1, expected.flat[strokes.pixels])
    np.testing.assert_array_equal(strokes.values, labels.flat[strokes.pixels])
    assert len(strokes.pixels) == np.count_nonzero(labels)
    assert strokes.count == expected.max()


@pytest.mark.parametrize("dtype", [bool, np.uint16, np.int64, np.float32])
def test_any_type_that_holds_integers_will_do(dtype):
    labels = np.array([[0, 1], [1, 0]]).astype(dtype)
    np.testing.assert_array_equal(find_strokes(labels).values, [1, 1])


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros((3, 4), int), "should have the shape of their image"),
        (np.zeros((5, 6, 1), int), "should have"),
        (np.full((5, 6), -1), "negative"),
        (np.full((5, 6), 0.5), "must be integers"),
        (np.full((5, 6), np.nan), "must be integers"),
        (np.full((5, 6), np.inf), "must be integers"),
        (np.full((5, 6), "a"), "must be integers"),
    ],
)
def test_unusable_labels_get_one_sentence_that_names_them(labels, words):
    with pytest.raises(LabelError, match=words) as caught:
        find_strokes(labels, (5, 6), "strokes.tif")
    assert "strokes.tif" in str(caught.value)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.integers(0, 200))
def test_fair_shares_give_all_there_is_and_favour_no_part(sizes, total):
    sizes = np.array(sizes)
    shares = fair_shares(sizes, total)
    assert shares.sum() == min(total, sizes.sum())
    assert np.all((shares >= 0) & (shares <= sizes))
    crowded = shares[shares < sizes]
    if len(crowded):
        assert crowded.max() - crowded.min() <= 1
        assert np.all(shares[shares == sizes] <= crowded.min() + 1)


def test_the_specks_of_a_full_mask_do_not_drown_its_grains():
    mask = np.zeros((200, 200), int)
    mask[:100] = 1
    mask[102::4, ::4] = 1
    samples = choose_samples([find_strokes(mask)], 500)
    assert 0.4 < np.mean(samples.pixels < 100 * 200) < 0.6


def test_a_large_area_drowns_neither_a_thin_stroke_nor_another_image():
    first, second = np.zeros((200, 200), int), np.zeros((50, 50), int)
    first[:150], first[190, :60] = 1, 1
    second[5, :40] = 1
    samples = choose_samples([find_strokes(first), find_strokes(second)], 200)
    np.testing.assert_array_equal(np.bincount(samples.strokes), [120, 40, 40])
    assert np.all(np.diff(samples.pixels[samples.slice_of(0)]) > 0)


def test_a_new_stroke_hardly_changes_which_other_pixels_are_used():
    labels = np.zeros((200, 200), int)
    labels[:100] = 1
    before = choose_samples([find_strokes(labels)], 1000)
    labels[150, :100] = 1
    after = choose_samples([find_strokes(labels)], 1000)
    assert len(after.pixels) == 1000
    assert np.isin(after.pixels[after.strokes == 0], before.pixels).all()


def test_samples_of_a_large_area_come_from_all_of_it():
    samples = choose_samples([find_strokes(np.ones((100, 100), int))], 400)
    rows, columns = np.divmod(samples.pixels, 100)
    counts, _, _ = np.histogram2d(rows, columns, bins=4)
    assert counts.min() >= 10  # 25 expected, 3 standard deviations are 15


def test_another_seed_is_another_choice():
    strokes = [find_strokes(np.ones((100, 100), int))]
    chosen = [set(choose_samples(strokes, 100, seed).pixels) for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1]
    assert len(chosen[0] & chosen[2]) < 10
