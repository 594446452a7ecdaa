"""Areas and scores, from files to CSV."""

import csv

import numpy as np
import pytest

from patchfield.batch.areas import class_areas, write_areas
from patchfield.batch.scores import mean_score, score_files, write_scores
from patchfield.errors import LabelError
from patchfield.images import Calibration, write_labels

SEGMENTATION = np.array([[1, 1, 2], [1, 1, 2]])


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


class TestAreas:
    def test_pixels_fractions_and_physical_areas(self, tmp_path):
        areas = class_areas("a.tif", 0, SEGMENTATION, {1: "pore", 2: "solid", 5: "gone"}, Calibration(0.5, 0.2, "µm"))
        assert [row.pixels for row in areas] == [4, 2, 0]
        assert sum(row.fraction for row in areas) == pytest.approx(1)
        assert [row.area for row in areas] == pytest.approx([0.4, 0.2, 0])
        write_areas(tmp_path / "areas.csv", areas)
        first = rows_of(tmp_path / "areas.csv")[0]
        assert (first["name"], first["label"], first["unit"]) == ("pore", "1", "µm²")
        assert float(first["area"]) == pytest.approx(0.4)

    @pytest.mark.parametrize("calibration", [None, Calibration(1 / 300, 1 / 300, "inch")])
    def test_a_printing_resolution_gives_no_physical_area(self, calibration):
        row = class_areas("a.tif", 0, SEGMENTATION, {1: "pore"}, calibration)[0]
        assert (row.area, row.unit) == (None, "")


class TestScores:
    def test_values_by_hand(self, tmp_path):
        truth = np.array([[1, 1, 1], [2, 2, 0]])
        write_labels(tmp_path / "s" / "a_segmentation.tif", np.array([[1, 1, 2], [2, 2, 1]]))
        write_labels(tmp_path / "m" / "mask_a.png", truth)
        (score,) = score_files([str(tmp_path / "s")], str(tmp_path / "m"))
        assert score.iou == pytest.approx({1: 2 / 3, 2: 2 / 3})
        assert score.mean_iou == pytest.approx(2 / 3)
        assert score.accuracy == pytest.approx(4 / 5)
        write_scores(tmp_path / "scores.csv", [score])
        assert [row["mean IoU"] for row in rows_of(tmp_path / "scores.csv")] == ["0.6667", "0.6667"]

    def test_a_class_missing_in_one_mask_is_averaged_over_the_others(self, tmp_path):
        for name, truth in {"a": [[1, 1]], "b": [[1, 2]]}.items():
            write_labels(tmp_path / f"{name}_segmentation.tif", np.array([[1, 1]]))
            write_labels(tmp_path / "m" / f"{name}.tif", np.array(truth))
        total = mean_score(score_files([str(tmp_path)], str(tmp_path / "m")))
        assert total.iou == pytest.approx({1: 0.75, 2: 0.0})
        assert total.mean_iou == pytest.approx((1 + 0.25) / 2)

    def test_what_does_not_fit_is_named(self, tmp_path):
        write_labels(tmp_path / "a_segmentation.tif", SEGMENTATION)
        write_labels(tmp_path / "m" / "a.tif", SEGMENTATION[:1])
        with pytest.raises(LabelError, match="has shape"):
            score_files([str(tmp_path)], str(tmp_path / "m"))
        write_labels(tmp_path / "b_segmentation.tif", SEGMENTATION)
        with pytest.raises(LabelError, match=r"b_segmentation.tif has no mask"):
            score_files([str(tmp_path)], str(tmp_path / "m"))
