"""Scores of files."""

import csv
from pathlib import Path

import numpy as np
import pytest

from patchfield.batch.scores import check_scores_file, mean_score, score_files, write_scores
from patchfield.batch.selection import MASKS_FIRST, find_labels, find_segmentations
from patchfield.errors import LabelError, OutputError
from patchfield.images import write_labels

SEGMENTATION = np.array([[1, 1, 2], [2, 2, 1]])


@pytest.fixture
def compare(tmp_path):
    """Write segmentations and masks, given by name, and compare the two folders."""

    def compare(segmentations: dict[str, object], masks: dict[str, object], ignore=None):
        for folder, images in (("s", segmentations), ("m", masks)):
            for name, values in images.items():
                write_labels(tmp_path / folder / name, np.array(values))
        found = find_segmentations([tmp_path / "s"]), find_labels(tmp_path / "m", MASKS_FIRST)
        return score_files(*found, tmp_path, ignore)

    return compare


def test_values_by_hand(compare, tmp_path):
    result = compare({"a_segmentation.tif": SEGMENTATION}, {"mask_a.png": [[1, 1, 1], [2, 2, 0]]})
    (score,) = result.scores
    assert score.iou == pytest.approx({1: 2 / 3, 2: 2 / 3})
    assert score.mean_iou == pytest.approx(2 / 3)
    assert score.accuracy == pytest.approx(4 / 5)
    assert not result.notes
    assert not result.failures.sentences
    write_scores(tmp_path / "scores.csv", [score])
    with (tmp_path / "scores.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["mean IoU"] for row in csv.DictReader(file)] == ["0.6667", "0.6667"]


def test_predictions_of_no_class_of_the_mask_count_against_those_they_hide(compare):
    result = compare({"a_segmentation.tif": [[1, 7, 9, 2]]}, {"a.tif": [[1, 1, 2, 2]]})
    assert result.scores[0].iou == pytest.approx({1: 0.5, 2: 0.5})
    assert result.scores[0].accuracy == 0.5


def test_a_class_missing_in_one_mask_is_averaged_over_the_others(compare):
    result = compare(
        {"a_segmentation.tif": [[1, 1]], "b_segmentation.tif": [[1, 1]]}, {"a.tif": [[1, 1]], "b.tif": [[1, 2]]}
    )
    total = mean_score(result.scores)
    assert total.iou == pytest.approx({1: 0.75, 2: 0.0})
    assert total.mean_iou == pytest.approx((1 + 0.25) / 2)
    assert "2 of the masks occurs in no segmentation" in result.notes[0]


@pytest.mark.parametrize(("ignore", "right", "said"), [(None, 1, "void"), ([255], 1, None), ([0], 1 / 3, "255")])
def test_void_pixels_do_not_count_and_that_is_said(compare, ignore, right, said):
    result = compare({"a_segmentation.tif": [[1, 1, 2, 2]]}, {"a.tif": [[1, 255, 255, 2]]}, ignore)
    assert result.scores[0].mean_iou == pytest.approx(right)
    assert any(said in note for note in result.notes) if said else not result.notes


def test_void_of_16_bits_does_not_count_either(compare):
    result = compare({"a_segmentation.tif": [[1, 1, 2, 2]]}, {"a.tif": [[1, 65535, 65535, 2]]}, None)
    assert result.scores[0].mean_iou == 1
    assert ["65535" in note for note in result.notes] == [True]


def test_255_is_a_class_where_it_is_one(compare):
    both = {"a_segmentation.tif": [[255, 1]]}, {"a.tif": [[255, 255]]}
    assert compare(*both).scores[0].iou == {255: 0.5}


def test_planes_are_matched_by_their_axes(tmp_path):
    values = np.arange(1, 7).reshape(2, 3, 1, 1) * np.ones((4, 5), int)
    write_labels(tmp_path / "a_segmentation.tif", values, axes="TZ")
    write_labels(tmp_path / "a.tif", values.transpose(1, 0, 2, 3), axes="ZT")
    assert score_files([tmp_path / "a_segmentation.tif"], [tmp_path / "a.tif"], tmp_path).scores[0].mean_iou == 1


def test_what_cannot_be_compared_leaves_the_others(compare, tmp_path):
    names = ("a", "b", "c", "d", "e")
    masks = {
        "a.tif": SEGMENTATION,
        "b.tif": SEGMENTATION[:1],
        "c.tif": SEGMENTATION * 0,
        "d.tif": np.arange(6).reshape(2, 3) + 1,
    }
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "e.tif").write_bytes(b"II*\0damaged")
    result = compare({f"{name}_segmentation.tif": SEGMENTATION for name in names}, masks)
    assert [score.name for score in result.scores] == ["a", "d"]
    assert sorted(file.name for file in result.failures.sentences) == ["b_segmentation.tif", "e_segmentation.tif"]
    assert any("c.tif labels nothing" in note for note in result.notes)


def test_masks_of_objects_are_refused_by_their_number_of_values(compare):
    numbers = np.arange(1, 70_001).reshape(100, 700)
    result = compare({"a_segmentation.tif": numbers}, {"a.tif": numbers})
    (sentence,) = result.failures.sentences.values()
    assert "70000 values" in sentence


def test_two_segmentations_of_one_image_are_refused(compare):
    both = {"a_segmentation.tif": SEGMENTATION, "a_segmentation.png": SEGMENTATION}
    with pytest.raises(LabelError, match=r"a_segmentation.png and .*a_segmentation.tif"):
        compare(both, {"a.tif": SEGMENTATION, "b.tif": SEGMENTATION})


def test_only_a_table_of_scores_is_replaced(tmp_path):
    path = tmp_path / "scores.csv"
    check_scores_file(path)
    path.write_text("image,mean IoU,accuracy,IoU 1\n", encoding="utf-8-sig")
    check_scores_file(path)
    for content in (b"my,own\n", b"\x89PNG\xff\0"):
        path.write_bytes(content)
        with pytest.raises(OutputError, match="would be replaced"):
            check_scores_file(Path(path))
