"""A few strokes on a third of a set's images: how well are these, and the others, segmented?

    python benchmarks/strokes.py FOLDER [--backbone micro] [--sampling balanced] [--l2 L2] [--baselines] [--thirds]

FOLDER holds a folder for each set, with `image_NAME`, `mask_NAME`, `strokes_NAME` files. Of a set's images, sorted by
name, every (n // 6)-th is used, at most six. The strokes of the first third train one probe; every image is segmented
and scored by the mean IoU over the classes in its mask. The table has the mean over the images that gave strokes
("same") and over the others ("other"). Give --backbone several times to compare, with | to join features
(--backbone micro --backbone "micro|filters"). With --thirds, every third of the images (every single one of fewer than
six) gives the strokes once, and the table has the means: three times the work, and less chance in the result.

Baselines, on request in the same run: a forest of 100 trees and a logistic regression (scikit-learn) on the classical
features of scikit-image (`multiscale_basic_features`, widths 1 to 16) of the image stretched between its 0.5 and 99.5
percentiles, which helps both of them on the other images.
"""

import argparse
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.feature import multiscale_basic_features
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from patchfield import LinearProbe
from patchfield.errors import LabelError
from patchfield.evaluate.metrics import mean_iou
from patchfield.evaluate.micrographs import LabelledImage, LabelledSet, labelled_sets, labels_of
from patchfield.field import FeatureRecipe
from patchfield.images import ImageSettings, model_image, read_image
from patchfield.pipeline import Extractor
from patchfield.probe.linear import DEFAULT_L2

MAX_IMAGES = 6

Scores = tuple[float, float]


class Method(ABC):
    """Something that learns from strokes: features of images, and a classifier of pixels."""

    def __init__(self, name: str) -> None:
        self.name, self.seconds = name, 0.0

    @abstractmethod
    def features_of(self, image: LabelledImage) -> Any:
        """Features of an image."""

    @abstractmethod
    def learn(self, features: Sequence[Any], strokes: Sequence[NDArray[Any]]) -> None:
        """Train on the strokes of some images."""

    @abstractmethod
    def segment(self, features: Any) -> NDArray[Any]:
        """The class of every pixel, (H, W)."""

    def scores(self, train: Sequence[LabelledImage], test: Sequence[LabelledImage]) -> Scores:
        """Mean IoU of the images that give strokes, and of the others."""
        start = time.perf_counter()
        features = [self.features_of(image) for image in train]
        masks = [_labels(image, "mask") for image in train]
        strokes = [_labels(image, "strokes") for image in train]
        self.learn(features, strokes)
        same = [mean_iou(self.segment(part), mask) for part, mask in zip(features, masks, strict=True)]
        del features  # one image's dense features at a time from here on
        other = [mean_iou(self.segment(self.features_of(image)), _labels(image, "mask")) for image in test]
        self.seconds += time.perf_counter() - start
        return float(np.mean(same)), float(np.mean(other))


class Probe(Method):
    """The linear probe on the fields of one or more backbones."""

    def __init__(self, backbones: Sequence[str], sampling: str, l2: float) -> None:
        super().__init__(" | ".join(backbones) + f", {sampling}")
        self._extractor, self._l2 = Extractor.load([FeatureRecipe(name, sampling) for name in backbones]), l2
        self._probe = LinearProbe(l2)

    def features_of(self, image: LabelledImage) -> Any:
        return self._extractor.field(read_image(image.image))

    def learn(self, features: Sequence[Any], strokes: Sequence[NDArray[Any]]) -> None:
        self._probe = LinearProbe(self._l2).fit(list(zip(features, strokes, strict=True)))

    def segment(self, features: Any) -> NDArray[Any]:
        return self._probe.segment(features)


class Classical(Method):
    """A classifier of scikit-learn on dense features of scikit-image."""

    def __init__(self, name: str, classifier: ClassifierMixin) -> None:
        super().__init__(name)
        self._classifier = classifier

    def features_of(self, image: LabelledImage) -> Any:
        pixels = read_image(image.image).pixels
        stretched = model_image(pixels, ImageSettings(contrast="percentile")).whole()
        colour = pixels.ndim == 3
        return multiscale_basic_features(
            stretched if colour else stretched[..., 0], sigma_min=1, sigma_max=16, channel_axis=-1 if colour else None
        )

    def learn(self, features: Sequence[Any], strokes: Sequence[NDArray[Any]]) -> None:
        samples = [part[labels > 0] for part, labels in zip(features, strokes, strict=True)]
        values = [labels[labels > 0] for labels in strokes]
        self._classifier.fit(np.concatenate(samples), np.concatenate(values))

    def segment(self, features: Any) -> NDArray[Any]:
        height, width, channels = features.shape
        labels: NDArray[Any] = self._classifier.predict(features.reshape(-1, channels)).reshape(height, width)
        return labels


def main() -> None:
    """Print one row per set, and their mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", action="append", help="names or files, joined by |; repeat it to compare")
    parser.add_argument("--sampling", default="balanced")
    parser.add_argument("--l2", type=float, default=DEFAULT_L2, help="the probe's penalty")
    parser.add_argument("--baselines", action="store_true", help="forest and logistic regression, too")
    parser.add_argument("--thirds", action="store_true", help="every third of the images gives the strokes once")
    arguments = parser.parse_args()
    methods: list[Method] = [
        Probe(joined.split("|"), arguments.sampling, arguments.l2) for joined in arguments.backbone or ["micro"]
    ]
    if arguments.baselines:
        methods += baselines()
    table = {}
    for labelled in labelled_sets(arguments.folder):
        print(f"{labelled.name}: {len(labelled.images)} images", file=sys.stderr)
        table[labelled.name] = [scored(method, labelled, arguments.thirds) for method in methods]
    print_table({method.name: method.seconds for method in methods}, table)


def baselines() -> list[Method]:
    """What the linear probe is compared with."""
    forest = RandomForestClassifier(100, class_weight="balanced", random_state=0, n_jobs=-1)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    return [Classical("forest", forest), Classical("logistic", logistic)]


def scored(method: Method, labelled: LabelledSet, thirds: bool = False) -> Scores:
    """Mean IoU of the images that give strokes and of the others: of a set's first split, or the mean over all."""
    chosen = splits(labelled.images)
    scores = [method.scores(*split) for split in (chosen if thirds else chosen[:1])]
    return tuple(np.mean(scores, axis=0).tolist())


def splits(images: Sequence[LabelledImage]) -> list[tuple[list[LabelledImage], list[LabelledImage]]]:
    """Images that give strokes, and the others: each third of at most six of a set gives them once."""
    chosen = list(images[:: max(1, len(images) // MAX_IMAGES)][:MAX_IMAGES])
    count = max(1, len(chosen) // 3)
    starts = range(0, len(chosen) - count + 1, count)
    return [(chosen[start : start + count], chosen[:start] + chosen[start + count :]) for start in starts]


def print_table(seconds: Mapping[str, float], table: dict[str, list[Scores]]) -> None:
    """The scores as a table in Markdown, a column for each method, with the seconds that it took in all."""
    table = {**table, "**mean**": [(*np.mean(scores, axis=0),) for scores in zip(*table.values(), strict=True)]}
    print("| set | " + " | ".join(f"{name}: same / other" for name in seconds) + " |")
    print("|---|" + "---|" * len(seconds))
    for name, scores in table.items():
        print(f"| {name} | " + " | ".join(f"{same:.3f} / {other:.3f}" for same, other in scores) + " |")
    print("| seconds in all | " + " | ".join(f"{spent:.0f}" for spent in seconds.values()) + " |")


def _labels(image: LabelledImage, kind: str) -> NDArray[Any]:
    path = image.mask if kind == "mask" else image.strokes
    if path is None:
        raise LabelError(f"{image.image} has no {kind}: the benchmark needs a file {kind}_{image.name} beside it.")
    return labels_of(path, read_image(image.image).pixels.shape[:2])


if __name__ == "__main__":
    main()
