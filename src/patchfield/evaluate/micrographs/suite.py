"""All protocols on all labelled sets for any number of backbones: what is run before and after a training."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from patchfield.backbones.base import Backbone
from patchfield.errors import LabelError
from patchfield.evaluate.metrics import class_iou, confusion_matrix, mean_boundary_f, mean_iou_of_image
from patchfield.evaluate.micrographs.labelled import LabelledImage, LabelledSet, labels_of
from patchfield.evaluate.micrographs.position import position_predictability
from patchfield.evaluate.micrographs.protocols import (
    Example,
    Labels,
    classes_of,
    drawn_pixels,
    linear_probe,
    overclustering,
    retrieval,
)
from patchfield.images import ImageSettings, read_image
from patchfield.pipeline import Extractor

ProgressCallback = Callable[[int, int, str], None]
"""Called with steps done, steps in all, and what is being done."""

LABEL_FREE = "position R2"
"""The measure that needs no labels, and of which less is better."""

FULL_MASKS = "linear probe, full masks"

FULL_PIXELS = 10_000
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
    image : ImageSettings
        Contrast, channels and meaning of axes, as everywhere.
    ignore : tuple of int
        Values of masks and strokes that mean unlabelled, besides 0: 255 where it stands for void.
    """

    sampling: str = "balanced"
    pixels: tuple[int, ...] = (10, 100, 1000)
    cluster_factors: tuple[int, ...] = (1, 4, 16)
    neighbours: int = 30
    temperature: float = 0.02
    patch: int = 14
    seeds: int = 5
    image: ImageSettings = field(default_factory=ImageSettings)
    ignore: tuple[int, ...] = ()


@dataclass(frozen=True)
class ImageScore:
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
    scores : list of ImageScore
    class_iou : dict
        Data set, measure, class value: IoU of the set's test images together, mean over seeds; None for a class that
        occurs neither in the masks nor in the predictions.
    seconds : dict of str to float
        Time spent on extraction and on each kind of measure.
    left_out : list of str
        Test images without a single labelled pixel: nothing can be said about them.
    """

    name: str
    backbone: str
    fingerprint: str
    scores: list[ImageScore] = field(default_factory=list)
    class_iou: dict[str, dict[str, dict[int, float | None]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def measures(self) -> list[str]:
        """Names of the measures, in order."""
        return list(dict.fromkeys(score.measure for score in self.scores))

    def image_means(self, measure: str) -> dict[tuple[str, str], float]:
        """Data set and image to the mean over seeds of a measure."""
        return {(score.dataset, score.image): score.mean for score in self.scores if score.measure == measure}

    def to_json(self) -> dict[str, Any]:
        """Plain values for a report."""
        return asdict(self)


def evaluate(
    backbones: Mapping[str, Backbone],
    sets: Sequence[LabelledSet],
    settings: EvaluationSettings | None = None,
    progress: ProgressCallback | None = None,
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
        The training images of a set hold fewer than two classes, none of its test images is labelled, or labels do not
        fit their image.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> import patchfield as pf
    >>> from patchfield.evaluate.micrographs import labelled_sets
    >>> mask = np.kron([[1, 2], [2, 1]], np.ones((32, 32))).astype(np.uint8)
    >>> settings = EvaluationSettings("fast", pixels=(5,), cluster_factors=(1,), seeds=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in "ab":
    ...         Image.fromarray(mask).save(Path(folder) / f"mask_{name}.png")
    ...         Image.fromarray(mask * 100).save(Path(folder) / f"image_{name}.png")
    ...     (filters,) = evaluate({"filters": pf.load_backbone("filters")}, labelled_sets(folder), settings)
    >>> [round(mean, 1) for mean in filters.image_means("linear probe, full masks").values()]
    [1.0]
    """
    settings = settings or EvaluationSettings()
    total, done = len(backbones) * sum(len(labelled.images) + 1 for labelled in sets), 0
    report = progress or (lambda *_: None)
    evaluations = []
    for name, backbone in backbones.items():
        evaluation = Evaluation(name, backbone.name, backbone.fingerprint)
        extractor = Extractor.from_backbone(backbone, settings.sampling, image=settings.image)
        for labelled in sets:
            examples = []
            for image in labelled.images:
                report(done, total, f"{name}, {labelled.name}: features of {image.name}")
                with _timed(evaluation, "extraction"):
                    examples.append(_example(image, extractor, settings.ignore))
                done += 1
            report(done, total, f"{name}, {labelled.name}: measures")
            _measure(evaluation, labelled, examples, settings)
            done += 1
        evaluations.append(evaluation)
    report(total, total, "done")
    return evaluations


def _example(image: LabelledImage, extractor: Extractor, ignore: tuple[int, ...]) -> Example:
    features = extractor.field(read_image(image.image, axes=extractor.axes))
    strokes = None if image.strokes is None else _counted(image.strokes, features.shape, ignore)
    return Example(image.name, features, _counted(image.truth, features.shape, ignore), strokes)


def _counted(path: Path, shape: tuple[int, int], ignore: tuple[int, ...]) -> Labels:
    """Labels in which every value that means unlabelled is 0."""
    labels = labels_of(path, shape)
    return np.where(np.isin(labels, ignore), 0, labels) if ignore else labels


def _measure(
    evaluation: Evaluation, labelled: LabelledSet, examples: Sequence[Example], settings: EvaluationSettings
) -> None:
    train, test = examples[: len(labelled.train)], examples[len(labelled.train) :]
    if len(classes_of(train)) < 2:
        raise LabelError(
            f"the training images of {labelled.name} ({', '.join(example.name for example in train)}) hold fewer than "
            "two classes: label more of them, or raise the share of images to train on."
        )
    evaluation.left_out += [f"{labelled.name}/{example.name}" for example in test if not example.truth.any()]
    test = [example for example in test if example.truth.any()]
    if not test:
        raise LabelError(f"no test image of {labelled.name} has a labelled pixel: nothing can be compared.")
    for kind, run in (("linear probe", _linear), ("overclustering", _clustering), ("retrieval", _retrieval)):
        with _timed(evaluation, kind):
            for measure, seeds in run(train, test, settings):
                _score(evaluation, labelled.name, measure, test, seeds)
    with _timed(evaluation, LABEL_FREE):
        for example in test:
            # Below 0 the read-out is worse than none at all, and how much worse is chance.
            value = max(0.0, position_predictability(example.field, settings.patch))
            evaluation.scores.append(ImageScore(labelled.name, example.name, LABEL_FREE, (value,)))


Segmentations = Iterator[tuple[str, list[list[Labels]]]]
"""Names of measures, each with the segmentations of the test images for every seed."""


def _linear(train: Sequence[Example], test: Sequence[Example], settings: EvaluationSettings) -> Segmentations:
    truths, seeds = [example.truth for example in train], range(settings.seeds)

    def with_pixels(count: int) -> list[list[Labels]]:
        return [linear_probe(train, test, drawn_pixels(truths, count, seed), count) for seed in seeds]

    for count in settings.pixels:
        yield f"linear probe, {count} pixels per class", with_pixels(count)
    strokes = [np.zeros_like(example.truth) if example.strokes is None else example.strokes for example in train]
    if np.count_nonzero(np.unique(np.concatenate([np.unique(labels) for labels in strokes]))) > 1:
        yield "linear probe, strokes", [linear_probe(train, test, strokes)]
    yield FULL_MASKS, with_pixels(FULL_PIXELS)


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
    predicted = [np.unique(segmentation) for segmentations in seeds for segmentation in segmentations]
    values = np.unique(np.concatenate([classes_of(test), *predicted]))
    confusions = np.array(
        [
            [
                confusion_matrix(segmentation, example.truth, values)
                for segmentation, example in zip(segmentations, test, strict=True)
            ]
            for segmentations in seeds
        ]
    )
    for image, example in enumerate(test):
        scores = tuple(float(value) for value in mean_iou_of_image(confusions[:, image]))
        evaluation.scores.append(ImageScore(dataset, example.name, measure, scores))
    iou = np.mean(class_iou(confusions.sum(1)), axis=0)
    by_class = {int(value): None if np.isnan(share) else float(share) for value, share in zip(values, iou, strict=True)}
    evaluation.class_iou.setdefault(dataset, {})[measure] = by_class
    if measure == FULL_MASKS:
        for segmentation, example in zip(seeds[0], test, strict=True):
            value = mean_boundary_f(segmentation, example.truth)
            if not np.isnan(value):
                evaluation.scores.append(ImageScore(dataset, example.name, "boundary F (2 px), full masks", (value,)))


@contextmanager
def _timed(evaluation: Evaluation, what: str) -> Iterator[None]:
    """Add the time spent inside to the seconds of an evaluation."""
    start = perf_counter()
    yield
    evaluation.seconds[what] = evaluation.seconds.get(what, 0.0) + perf_counter() - start
