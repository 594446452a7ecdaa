"""What learns from strokes in the stroke benchmark: the linear probe on any features, and classical baselines."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
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
from stroke_images import Indices, Labels, Scored

from patchfield import LinearProbe
from patchfield.field import FeatureRecipe
from patchfield.images import ImageSettings, model_image, read_image
from patchfield.pipeline import Extractor
from patchfield.probe.shift import PENALTY

Features = NDArray[np.float32]

FOLDS = "folds.json"


@dataclass(frozen=True, eq=False)
class SampledField:
    """Features of some pixels of an image, as much of a field as a probe asks for.

    Its centre is that of the pixels that are scored.
    """

    shape: tuple[int, int]
    pixels: Indices
    features: NDArray[np.float16]
    centre: Features
    recipes: tuple[FeatureRecipe, ...] = ()
    missing: None = None

    @property
    def channels(self) -> int:
        return int(self.features.shape[1])

    def sample(self, rows: Indices, columns: Indices) -> Features:
        """Features at pixels that are among those known."""
        return self.at(np.asarray(rows) * self.shape[1] + np.asarray(columns))

    def at(self, pixels: Indices) -> Features:
        """Features at flat indices."""
        positions = np.searchsorted(self.pixels, pixels)
        assert np.array_equal(self.pixels[positions], pixels)
        return self.features[positions].astype(np.float32)


class Method(ABC):
    """Features of images, and a classifier of pixels.

    Attributes
    ----------
    name : str
        In tables.
    settings : str
        What its scores depend on, beside its features.
    seconds : float
        Spent on learning and predicting; features are often only read.
    """

    def __init__(self, name: str, settings: str = "") -> None:
        self.name, self.settings, self.seconds = name, f"{type(self).__name__} {settings}", 0.0

    @abstractmethod
    def key(self, dataset: str) -> str:
        """A name for the features of a set's images: another one whenever they would differ."""

    @abstractmethod
    def compute(self, image: Scored, pixels: Indices, dataset: str) -> Features:
        """Features (n, channels) at the pixels of flat indices."""

    @abstractmethod
    def predictions(
        self, train: Sequence[SampledField], strokes: Sequence[Labels], images: Sequence[tuple[SampledField, Indices]]
    ) -> list[NDArray[Any]]:
        """Learn from strokes; the classes of some pixels of some images."""

    def field(self, image: Scored, dataset: str) -> SampledField:
        """Features of the pixels that are scored or painted, half precision; kept on disk."""
        pixels = np.union1d(image.scored, image.painted)
        name = f"features/{self.key(dataset)}/{image.digest}-{sha256(pixels.tobytes()).hexdigest()[:8]}"
        made = image.kept.array(name, lambda: self.compute(image, pixels, dataset).astype(np.float16))
        centre = made[np.searchsorted(pixels, image.scored)].mean(0, dtype=np.float64).astype(np.float32)
        return SampledField(image.mask.shape, pixels, made, centre)

    def timed(
        self, train: Sequence[SampledField], strokes: Sequence[Labels], images: Sequence[tuple[SampledField, Indices]]
    ) -> list[NDArray[Any]]:
        """As :meth:`predictions`; the time counts."""
        start = time.perf_counter()
        found = self.predictions(train, strokes, images)
        self.seconds += time.perf_counter() - start
        return found


class Probe(Method):
    """The linear probe on the fields of one or more backbones.

    Parameters
    ----------
    backbones : sequence of str
        Names or files; ``folds:DIR`` is the network of `unseen_kinds.py --output DIR` that no image of the set's fold
        was shown to.
    sampling : str
    l2 : float
    """

    def __init__(self, backbones: Sequence[str], sampling: str, l2: float) -> None:
        super().__init__(" | ".join(_title(name) for name in backbones), f"{l2} {PENALTY}")
        self._backbones, self._sampling, self._l2 = backbones, sampling, l2
        self._extractors: dict[tuple[str, ...], Extractor] = {}

    def key(self, dataset: str) -> str:
        prints = [recipe.fingerprint for recipe in self._extractor(dataset).recipes]
        return "-".join([*prints, self._sampling.replace(" ", "")])

    def compute(self, image: Scored, pixels: Indices, dataset: str) -> Features:
        extracted = self._extractor(dataset).field(read_image(image.labelled.image))
        features: Features = extracted.sample(*np.divmod(pixels, extracted.shape[1]))
        return features

    def predictions(
        self, train: Sequence[SampledField], strokes: Sequence[Labels], images: Sequence[tuple[SampledField, Indices]]
    ) -> list[NDArray[Any]]:
        probe = LinearProbe(self._l2).fit(list(zip(train, strokes, strict=True)))  # type: ignore[arg-type]
        known = [(field, at, probe.scores_on(field)) for field, at in images]  # type: ignore[arg-type]
        return [probe.values[(field.at(at) @ scores.weights + scores.bias).argmax(1)] for field, at, scores in known]

    def _extractor(self, dataset: str) -> Extractor:
        names = tuple(
            fold_network(Path(name[6:]), dataset) if name[:6] == "folds:" else name for name in self._backbones
        )
        if names not in self._extractors:
            self._extractors[names] = Extractor.load([FeatureRecipe(name, self._sampling) for name in names])
        return self._extractors[names]


class Classical(Method):
    """A classifier of scikit-learn on scikit-image's `multiscale_basic_features` (widths 1 to 16).

    The image is stretched between its 0.5 and 99.5 percentiles, which helps on the other images.
    """

    def __init__(self, name: str, classifier: ClassifierMixin) -> None:
        super().__init__(name, name)
        self._classifier = classifier

    def key(self, dataset: str) -> str:
        return "scikit-image"

    def compute(self, image: Scored, pixels: Indices, dataset: str) -> Features:
        plane = read_image(image.labelled.image).pixels
        stretched = model_image(plane, ImageSettings(contrast="percentile")).whole()
        colour = plane.ndim == 3
        dense = multiscale_basic_features(
            stretched if colour else stretched[..., 0], sigma_min=1, sigma_max=16, channel_axis=-1 if colour else None
        )
        features: Features = dense.reshape(-1, dense.shape[-1])[pixels]
        return features

    def predictions(
        self, train: Sequence[SampledField], strokes: Sequence[Labels], images: Sequence[tuple[SampledField, Indices]]
    ) -> list[NDArray[Any]]:
        painted = [np.flatnonzero(labels) for labels in strokes]
        samples = [field.at(pixels) for field, pixels in zip(train, painted, strict=True)]
        values = [labels.ravel()[pixels] for labels, pixels in zip(strokes, painted, strict=True)]
        self._classifier.fit(np.concatenate(samples), np.concatenate(values))
        return [self._classifier.predict(field.at(at)) for field, at in images]


def baselines() -> list[Method]:
    """What the linear probe is compared with: a forest of 100 trees and a logistic regression."""
    forest = RandomForestClassifier(100, class_weight="balanced", random_state=0, n_jobs=1)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    return [Classical("forest", forest), Classical("logistic", logistic)]


def fold_network(folder: Path, dataset: str) -> str:
    """The file of the network that was trained without a set."""
    return str(folder / json.loads((folder / FOLDS).read_text())[dataset] / "micro.safetensors")


def _title(name: str) -> str:
    return f"micro, folds {Path(name[6:]).name}" if name.startswith("folds:") else name
