"""The whole suite on generated micrographs: grey phases that one backbone sees and another does not."""

import numpy as np
import pytest
import torch
from PIL import Image

from patchfield.backbones.base import Backbone, Level
from patchfield.errors import LabelError
from patchfield.evaluate import labelled_sets
from patchfield.evaluate.suite import LABEL_FREE, EvaluationSettings, evaluate

QUICK = EvaluationSettings(sampling="fast", pixels=(5, 50), cluster_factors=(1, 4), neighbours=5, patch=4, seeds=2)


class Seeing(Backbone):
    """Tokens are the grey level of each patch beside noise, or noise alone."""

    def __init__(self, sees: bool) -> None:
        self.name, self.fingerprint, self.options = "seeing" if sees else "blind", str(sees), {}
        self.levels, self.tile, self.margin = (Level(4, 4, 6),), 256, 0
        self.device = torch.device("cpu")
        self._sees = sees

    def encode(self, batch: torch.Tensor) -> list[torch.Tensor]:
        grey = torch.nn.functional.avg_pool2d(batch[:, :1], 4) * 255 / 60
        bumps = torch.cat([torch.exp(-4 * (grey - level) ** 2) for level in (1, 2, 3)], 1)
        noise = torch.randn(len(batch), 3, *grey.shape[2:], generator=torch.Generator().manual_seed(0))
        return [torch.cat([bumps if self._sees else torch.zeros_like(bumps), 0.1 * noise], 1)]


@pytest.fixture
def folder(tmp_path):
    """A set of four images with masks and strokes, and one of two images without strokes."""
    generator = np.random.default_rng(0)
    for name, count in (("alloy", 4), ("tissue", 2)):
        (tmp_path / name).mkdir()
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
                Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name / f"{kind}_{i}.png")
    return tmp_path


@pytest.fixture
def evaluations(folder):
    backbones = {"seeing": Seeing(True), "again": Seeing(True), "blind": Seeing(False)}
    return evaluate(backbones, labelled_sets(folder), QUICK)


def test_every_measure_tells_a_seeing_backbone_from_a_blind_one(evaluations):
    seeing, _, blind = evaluations
    for measure in seeing.measures():
        if measure == LABEL_FREE:
            continue
        means = [np.mean(list(each.of(measure).values())) for each in (seeing, blind)]
        assert means[0] > means[1] + 0.15, measure
        assert 0 <= means[1] < means[0] <= 1, measure


def test_equal_backbones_score_equal(evaluations):
    assert evaluations[0].scores == evaluations[1].scores


def test_what_is_measured(evaluations, folder):
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
    assert set(seeing.of("retrieval, 5 neighbours")) == {
        ("alloy", "1"),
        ("alloy", "2"),
        ("alloy", "3"),
        ("tissue", "1"),
    }
    assert {dataset for dataset, _ in seeing.of("linear probe, strokes")} == {"alloy"}
    assert set(seeing.class_iou["alloy"]["linear probe, full masks"]) == {1, 2, 3}
    assert {len(score.values) for score in seeing.scores if "pixels" in score.measure} == {2}
    assert all(seconds > 0 for seconds in seeing.seconds.values())


def test_progress_counts_to_the_end(folder):
    calls = []
    evaluate({"blind": Seeing(False)}, labelled_sets(folder)[1:], QUICK, lambda *call: calls.append(call))
    assert [done for done, _, _ in calls] == [0, 1, 2, 3]
    assert {total for _, total, _ in calls} == {3}


def test_a_set_that_teaches_one_class_is_refused(folder):
    Image.fromarray(np.full((72, 60), 2, np.uint8)).save(folder / "tissue" / "mask_0.png")
    with pytest.raises(LabelError, match=r"tissue.*fewer than two classes"):
        evaluate({"blind": Seeing(False)}, labelled_sets(folder), QUICK)
