"""Reports from scores that are given."""

import json
from pathlib import Path

import numpy as np
import pytest

from patchfield.evaluate.micrographs import Evaluation, EvaluationSettings, ImageScore, LabelledImage, LabelledSet
from patchfield.evaluate.micrographs.suite import LABEL_FREE
from patchfield.evaluate.report import Report, write_report
from patchfield.evaluate.report.tables import markdown_table

STROKES = "linear probe, strokes"


@pytest.fixture
def sets(tmp_path):
    """Two sets with eight and seven test images."""

    def images(name, count):
        paths = [tmp_path / f"{name}{i}.png" for i in range(count)]
        for path in paths:
            path.write_bytes(path.name.encode())
        return tuple(LabelledImage(path.stem, path, mask=path) for path in paths)

    return tuple(
        LabelledSet(name, images(name, count)[:1], images(name, count)[1:]) for name, count in (("a", 9), ("b", 8))
    )


@pytest.fixture
def report_of(sets):
    """Factory of a report on backbones whose scores differ from the first by the given amounts."""

    def make(**shifts):
        generator = np.random.default_rng(0)
        base = {(each.name, image.name): generator.uniform(0.2, 0.8) for each in sets for image in each.test}
        noise = {key: generator.normal(0, 0.002) for key in base}
        evaluations = []
        for name, shift in shifts.items():
            evaluation = Evaluation(name, name, f"print-{name}", seconds={"extraction": 1.0})
            for (dataset, image), value in base.items():
                moved = value + (shift + noise[dataset, image] if shift is not None else 0)
                evaluation.scores.append(ImageScore(dataset, image, STROKES, (moved - 0.01, moved + 0.01)))
                evaluation.scores.append(ImageScore(dataset, image, LABEL_FREE, (0.5,)))
            evaluations.append(evaluation)
        return Report(EvaluationSettings(), sets, tuple(evaluations))

    return make


@pytest.mark.parametrize(
    ("shift", "verdict"), [(0.05, "higher"), (-0.05, "lower"), (0.0, "no measurable change"), (None, "equal")]
)
def test_verdicts(report_of, shift, verdict):
    report = report_of(before=None, after=shift)
    change = {each.measure: each for each in report.changes(report.evaluations[1])}
    assert change[STROKES].verdict == verdict
    assert change[LABEL_FREE].verdict == "equal"
    assert change[STROKES].difference.count == 15
    assert verdict in report.table()


def test_means_are_of_sets_not_of_images(report_of):
    report = report_of(before=None, after=0.1)
    change = report.changes(report.evaluations[1])[0]
    scores = report.evaluations[0].image_means(STROKES)
    by_set = [np.mean([value for (dataset, _), value in scores.items() if dataset == name]) for name in "ab"]
    assert change.before == pytest.approx(np.mean(by_set))
    assert change.after - change.before == pytest.approx(change.difference.mean)


def test_table_names_every_backbone_and_set(report_of):
    table = report_of(before=None, after=0.1, **{"learning rate 0": None}).table()
    for expected in ("## after against before", "## learning rate 0 against before", "print-after", "| a ", "| b "):
        assert expected in table


def test_a_single_backbone_needs_no_comparison(report_of):
    table = report_of(only=None).table()
    assert "against" not in table
    assert STROKES in table


def test_json_holds_everything_needed_to_check(report_of, sets, tmp_path):
    report = report_of(before=None, after=0.1)
    write_report(report, tmp_path / "out", pictures=[tmp_path / "out" / "curves.png"])
    read = json.loads((tmp_path / "out" / "report.json").read_text())
    assert read["data"]["a"]["test"] == [image.name for image in sets[0].test]
    assert read["backbones"][1]["fingerprint"] == "print-after"
    assert read["comparisons"][0]["changes"][0]["verdict"] == "higher"
    assert read["environment"]["torch"]
    assert "![curves](curves.png)" in (tmp_path / "out" / "report.md").read_text()


def test_hashes_follow_settings_and_data(report_of, sets):
    report = report_of(before=None)
    other_settings = Report(EvaluationSettings(seeds=3), sets, report.evaluations).to_json()
    assert other_settings["settings_hash"] != report.to_json()["settings_hash"]
    before = report.to_json()["data_hash"]
    Path(sets[0].test[0].image).write_bytes(b"changed")
    assert report.to_json()["data_hash"] != before


def test_markdown_tables_are_aligned():
    lines = markdown_table(("a", "long head"), [("longer cell", "1")]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2] == "| longer cell | 1         |"
