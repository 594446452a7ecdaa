"""The whole suite on generated micrographs: grey phases that one backbone sees and another does not."""

import numpy as np
import pytest
from PIL import Image

from patchfield.errors import LabelError
from patchfield.evaluate.micrographs import EvaluationSettings, evaluate, labelled_sets
from patchfield.evaluate.micrographs.suite import LABEL_FREE
from patchfield.testing.backbones import GreyLevels

QUICK = EvaluationSettings(sampling="fast", pixels=(5, 50), cluster_factors=(1, 4), neighbours=5, patch=4, seeds=2)


def grey_levels(sees: bool) -> GreyLevels:
    return GreyLevels([level * 60 / 255 for level in (1, 2, 3)], width=30 / 255, sees=sees)


def write_sets(folder):
    """A set of four images with masks and strokes, and one of two images without strokes."""
    generator = np.random.default_rng(0)
    for name, count in (("alloy", 4), ("tissue", 2)):
        (folder / name).mkdir()
        for i in range(count):
            classes = np.kron(generator.integers(1, 4, (6, 5)), np.ones((12, 12), int))
            image = 60 * classes + generator.normal(0, 8, classes.shape)
            files = {
                "image": np.clip(image, 0, 255),
                "mask": np.where(generator.random(classes.shape) < 0.1, 0, classes),
            }
            if name == "alloy":
                files["strokes"] = np.where(np.indices(classes.shape)[0] % 12 == 6, classes, 0)
            for kind, pixels in files.items():
                Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{kind}_{i}.png")
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_sets(tmp_path)


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory):
    folder = write_sets(tmp_path_factory.mktemp("sets"))
    backbones = {"seeing": grey_levels(True), "again": grey_levels(True), "blind": grey_levels(False)}
    return evaluate(backbones, labelled_sets(folder), QUICK)


def test_every_measure_tells_a_seeing_backbone_from_a_blind_one(evaluations):
    seeing, _, blind = evaluations
    for measure in seeing.measures():
        if measure == LABEL_FREE:
            continue
        means = [np.mean(list(each.image_means(measure).values())) for each in (seeing, blind)]
        assert means[0] > means[1] + 0.15, measure
        assert 0 <= means[1] < means[0] <= 1, measure


def test_equal_backbones_score_equal(evaluations):
    assert evaluations[0].scores == evaluations[1].scores


def test_what_is_measured(evaluations):
    seeing = evaluations[0]
    assert seeing.measures() == [
        "linear probe, 5 pixels per class",
        "linear probe, 50 pixels per class",
        "linear probe, strokes",
        "linear probe, full masks",
        "boundary F (2 px), full masks",
        "overclustering, 1 x classes",
        "overclustering, 1 x classes, oracle map",
        "overclustering, 4 x classes",
        "overclustering, 4 x classes, oracle map",
        "retrieval, 5 neighbours",
        LABEL_FREE,
    ]
    assert set(seeing.image_means("retrieval, 5 neighbours")) == {
        ("alloy", "1"),
        ("alloy", "2"),
        ("alloy", "3"),
        ("tissue", "1"),
    }
    assert {dataset for dataset, _ in seeing.image_means("linear probe, strokes")} == {"alloy"}
    assert set(seeing.class_iou["alloy"]["linear probe, full masks"]) == {1, 2, 3}
    assert {len(score.values) for score in seeing.scores if "pixels" in score.measure} == {2}
    assert all(seconds > 0 for seconds in seeing.seconds.values())


def test_progress_counts_to_the_end(folder):
    calls = []
    evaluate({"blind": grey_levels(False)}, labelled_sets(folder)[1:], QUICK, lambda *call: calls.append(call))
    assert [done for done, _, _ in calls] == [0, 1, 2, 3]
    assert {total for _, total, _ in calls} == {3}


def test_a_set_that_teaches_one_class_is_refused(folder):
    Image.fromarray(np.full((72, 60), 2, np.uint8)).save(folder / "tissue" / "mask_0.png")
    with pytest.raises(LabelError, match=r"tissue.*fewer than two classes"):
        evaluate({"blind": grey_levels(False)}, labelled_sets(folder), QUICK)
