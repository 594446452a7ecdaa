"""All protocols on all labelled sets for any number of backbones: what `evaluate` runs before and after a training."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from patchfield.backbones.base import Backbone
from patchfield.errors import LabelError
from patchfield.evaluate.boundary import mean_boundary_f
from patchfield.evaluate.labelled import LabelledImage, LabelledSet, labels_of
from patchfield.evaluate.metrics import class_iou, confusion_matrix, mean_iou_of_image
from patchfield.evaluate.position import position_predictability
from patchfield.evaluate.protocols import (
    Example,
    Labels,
    classes_of,
    drawn_pixels,
    linear_probe,
    overclustering,
    retrieval,
)
from patchfield.images import read_image
from patchfield.pipeline import extract

Progress = Callable[[int, int, str], None]
"""Called with steps done, steps in all, and what is being done."""

LABEL_FREE = "position R2"
"""The measure that needs no labels, and of which less is better."""

FULL_MASKS = "linear probe, full masks"

_FULL = 10_000
"""Pixels per class that stand for full masks: many times the channels of a backbone, and still seconds to fit."""


@dataclass(frozen=True)
class EvaluationSettings:
    """What is measured, and how; the same for every backbone of a comparison.

    Attributes
    ----------
    sampling : str
        Views of each image: fast, balanced, fine, hr-dv2, or an explicit one.
    pixels : tuple of int
        Label budgets of the linear probe: pixels per class, drawn from all training images together. Strokes, where
        there are any, and full masks are budgets of their own.
    cluster_factors : tuple of int
        Numbers of clusters, in multiples of the number of classes.
    neighbours : int
        How many patches vote in dense retrieval.
    temperature : float
        Of their weights in dense retrieval; small values trust the nearest only.
    patch : int
        Side in pixels of the patches of dense retrieval and of position predictability. Keep it the same for backbones
        that are compared, whatever their own patches.
    seeds : int
        Choices of pixels and of first centroids to average over.
    """

    sampling: str = "balanced"
    pixels: tuple[int, ...] = (10, 100, 1000)
    cluster_factors: tuple[int, ...] = (1, 4, 16)
    neighbours: int = 30
    temperature: float = 0.02
    patch: int = 14
    seeds: int = 5


@dataclass(frozen=True)
class Score:
    """One measure of one test image.

    Attributes
    ----------
    dataset, image, measure : str
    values : tuple of float
        One for each seed; a single one where nothing is random.
    """

    dataset: str
    image: str
    measure: str
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(np.mean(self.values))


@dataclass
class Evaluation:
    """All scores of a backbone.

    Attributes
    ----------
    name : str
        What the report calls it.
    backbone : str
        Name or file that it was loaded from.
    fingerprint : str
        Of its weights and options.
    scores : list of Score
    class_iou : dict
        Data set, measure, class value: IoU of the set's test images together, mean over seeds; None for a class that
        occurs neither in the masks nor in the predictions.
    seconds : dict of str to float
        Time spent on extraction and on each kind of measure.
    """

    name: str
    backbone: str
    fingerprint: str
    scores: list[Score] = field(default_factory=list)
    class_iou: dict[str, dict[str, dict[int, float | None]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def measures(self) -> list[str]:
        """Names of the measures, in order."""
        return list(dict.fromkeys(score.measure for score in self.scores))

    def of(self, measure: str) -> dict[tuple[str, str], float]:
        """Data set and image to the mean over seeds of a measure."""
        return {(score.dataset, score.image): score.mean for score in self.scores if score.measure == measure}

    def to_json(self) -> dict[str, Any]:
        """Plain values for a report."""
        return asdict(self)


def evaluate(
    backbones: Mapping[str, Backbone],
    sets: Sequence[LabelledSet],
    settings: EvaluationSettings | None = None,
    progress: Progress | None = None,
) -> list[Evaluation]:
    """Measure backbones on labelled sets, with the same settings, images and seeds.

    Parameters
    ----------
    backbones : mapping of str to Backbone
        By the name that reports call them.
    sets : sequence of LabelledSet
        Of :func:`labelled_sets`.
    settings : EvaluationSettings, optional
    progress : callable, optional

    Returns
    -------
    list of Evaluation
        In the order of `backbones`.

    Raises
    ------
    LabelError
        The training images of a set hold fewer than two classes, or labels do not fit their image.

    Examples
    --------
    >>> sets = labelled_sets("micrographs")                                          # doctest: +SKIP
    >>> filters, = evaluate({"filters": pf.load_backbone("filters")}, sets)          # doctest: +SKIP
    >>> np.mean(list(filters.of("linear probe, strokes").values()))                  # doctest: +SKIP
    0.54
    """
    settings = settings or EvaluationSettings()
    total, done = len(backbones) * sum(len(each.images) + 1 for each in sets), 0
    report = progress or (lambda *_: None)
    evaluations = []
    for name, backbone in backbones.items():
        evaluation = Evaluation(name, backbone.name, backbone.fingerprint)
        for each in sets:
            examples = []
            for labelled in each.images:
                report(done, total, f"{name}, {each.name}: features of {labelled.name}")
                with _timed(evaluation, "extraction"):
                    examples.append(_example(labelled, backbone, settings.sampling))
                done += 1
            report(done, total, f"{name}, {each.name}: measures")
            _measure(evaluation, each, examples, settings)
            done += 1
        evaluations.append(evaluation)
    report(total, total, "done")
    return evaluations


def _example(labelled: LabelledImage, backbone: Backbone, sampling: str) -> Example:
    pixels = read_image(labelled.image).pixels
    features = extract(pixels, backbone, sampling)
    strokes = None if labelled.strokes is None else labels_of(labelled.strokes, features.shape)
    return Example(labelled.name, features, labels_of(labelled.truth, features.shape), strokes)


def _measure(
    evaluation: Evaluation, labelled: LabelledSet, examples: Sequence[Example], settings: EvaluationSettings
) -> None:
    train, test = examples[: len(labelled.train)], examples[len(labelled.train) :]
    if len(classes_of(train)) < 2:
        raise LabelError(
            f"the training images of {labelled.name} ({', '.join(each.name for each in train)}) hold fewer than two "
            "classes: label more of them, or raise the share of images to train on."
        )
    for kind, run in (("linear probe", _linear), ("overclustering", _clustering), ("retrieval", _retrieval)):
        with _timed(evaluation, kind):
            for measure, seeds in run(train, test, settings):
                _score(evaluation, labelled.name, measure, test, seeds)
    with _timed(evaluation, LABEL_FREE):
        for each in test:
            # Below 0 the read-out is worse than none at all, and how much worse is chance.
            value = max(0.0, position_predictability(each.field, settings.patch))
            evaluation.scores.append(Score(labelled.name, each.name, LABEL_FREE, (value,)))


Segmentations = Iterator[tuple[str, list[list[Labels]]]]
"""Names of measures, each with the segmentations of the test images for every seed."""


def _linear(train: Sequence[Example], test: Sequence[Example], settings: EvaluationSettings) -> Segmentations:
    truths, seeds = [each.truth for each in train], range(settings.seeds)

    def with_pixels(count: int) -> list[list[Labels]]:
        return [linear_probe(train, test, drawn_pixels(truths, count, seed), count) for seed in seeds]

    for count in settings.pixels:
        yield f"linear probe, {count} pixels per class", with_pixels(count)
    strokes = [np.zeros_like(each.truth) if each.strokes is None else each.strokes for each in train]
    if len(np.unique(np.concatenate([np.unique(each) for each in strokes]))) > 2:
        yield "linear probe, strokes", [linear_probe(train, test, strokes)]
    yield FULL_MASKS, with_pixels(_FULL)


def _clustering(train: Sequence[Example], test: Sequence[Example], settings: EvaluationSettings) -> Segmentations:
    classes = len(classes_of(train))
    for factor in settings.cluster_factors:
        both = [overclustering(train, test, factor * classes, seed) for seed in range(settings.seeds)]
        yield f"overclustering, {factor} x classes", [fitted for fitted, _ in both]
        yield f"overclustering, {factor} x classes, oracle map", [oracle for _, oracle in both]


def _retrieval(train: Sequence[Example], test: Sequence[Example], settings: EvaluationSettings) -> Segmentations:
    found = retrieval(train, test, settings.neighbours, settings.temperature, settings.patch)
    yield f"retrieval, {settings.neighbours} neighbours", [found]


def _score(
    evaluation: Evaluation, dataset: str, measure: str, test: Sequence[Example], seeds: list[list[Labels]]
) -> None:
    """Add the mean IoU of each image, the IoU of each class and, for the probe with most labels, the boundary F."""
    values = np.unique(np.concatenate([classes_of(test), *(np.unique(each) for seed in seeds for each in seed)]))
    confusions = np.array(
        [
            [confusion_matrix(each, example.truth, values) for each, example in zip(seed, test, strict=True)]
            for seed in seeds
        ]
    )
    for image, example in enumerate(test):
        scores = tuple(float(value) for value in mean_iou_of_image(confusions[:, image]))
        evaluation.scores.append(Score(dataset, example.name, measure, scores))
    iou = np.mean(class_iou(confusions.sum(1)), axis=0)
    by_class = {int(value): None if np.isnan(each) else float(each) for value, each in zip(values, iou, strict=True)}
    evaluation.class_iou.setdefault(dataset, {})[measure] = by_class
    if measure == FULL_MASKS:
        for segmentation, example in zip(seeds[0], test, strict=True):
            value = mean_boundary_f(segmentation, example.truth)
            if not np.isnan(value):
                evaluation.scores.append(Score(dataset, example.name, "boundary F (2 px), full masks", (value,)))


@contextmanager
def _timed(evaluation: Evaluation, what: str) -> Iterator[None]:
    """Add the time spent inside to the seconds of an evaluation."""
    start = perf_counter()
    yield
    evaluation.seconds[what] = evaluation.seconds.get(what, 0.0) + perf_counter() - start
