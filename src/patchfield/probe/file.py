"""Probes on disk: one safetensors file, the numbers as tensors and all the rest as JSON in its header.

Version 1 had no samples; such files are read, and a probe from one keeps none. Version 2 does not finish segmentations.
Version 3 knows nothing of the shift of images (:mod:`patchfield.probe.shift`): scores from it are the same on all. Both
are still written of probes that are so. Features of samples are float16: at most
500 of each class and 8 MiB in all (:mod:`patchfield.probe.kept`), with 24 bytes for each that say where it was painted.

Nothing in such a file is ever executed, and nothing in it is believed before it is checked: probes are handed on.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from patchfield.atomic import atomic_path
from patchfield.errors import LabelError, ProbeError
from patchfield.field import FeatureRecipe
from patchfield.objects.cleaning import Cleaning
from patchfield.probe.classes import ClassInfo
from patchfield.probe.kept import MAX_PER_CLASS, KeptSamples
from patchfield.probe.labels import MAX_LABEL
from patchfield.probe.shift import Shift
from patchfield.probe.solver import LinearMap
from patchfield.probe.trained import MAX_CLASSES, Trained, TrainingFacts
from patchfield.probe.training_image import TrainingImage

SUFFIX = ".probe"
MAX_BYTES = 2**30
"""A probe of 255 classes on 100,000 channels has a tenth of this."""

_KEY, _VERSION = "patchfield.probe", 4
_WITHOUT_SAMPLES, _WITHOUT_FINISHING, _WITHOUT_SHIFT = 1, 2, 3
_MAX_RECIPES = 64
_MAX_SAMPLES_PER_CLASS = 10**7
_MAX_KEPT = MAX_CLASSES * MAX_PER_CLASS
_MAX_TEXT = 200
_COLUMNS = 6
_UNFINISHED = Cleaning()


def write_probe(
    path: str | Path,
    trained: Trained,
    settings: Mapping[str, Any],
    kept: KeptSamples,
    finishing: Cleaning = _UNFINISHED,
) -> None:
    """Write what a probe knows to `path`, whole or not at all.

    Parameters
    ----------
    path : str or Path
    trained : Trained
    settings : mapping
        JSON-able arguments that make an equal, untrained probe.
    kept : KeptSamples
        What it is to go on learning from.
    finishing : Cleaning
        What it does to its segmentations.

    Raises
    ------
    ProbeError
        When it cannot be written, for example because the disk is full.
    """
    shift = trained.shift
    earlier = _WITHOUT_FINISHING if finishing == _UNFINISHED else _WITHOUT_SHIFT
    header = {
        "version": earlier if shift is None else _VERSION,
        "settings": dict(settings),
        "classes": {str(value): asdict(info) for value, info in trained.classes.items()},
        "recipes": [recipe.to_json() for recipe in trained.recipes],
        "training": asdict(trained.facts),
        "images": [source.to_json() for source in kept.sources],
    }
    if finishing != _UNFINISHED or shift is not None:
        header["finishing"] = asdict(finishing)
    tensors: dict[str, np.ndarray] = {
        "values": trained.values,
        "weights": trained.scores.weights,
        "bias": trained.scores.bias,
    }
    if shift is not None:
        tensors |= {"centres": shift.centres, "response": shift.response}
    if len(kept):
        places = (kept.images, kept.strokes, kept.values, kept.rows, kept.columns, kept.sizes)
        tensors |= {"features": kept.features, "samples": np.stack(places, axis=1).astype(np.uint32)}
    with atomic_path(path) as temporary:
        try:
            save_file(tensors, temporary, metadata={_KEY: json.dumps(header)})
        except SafetensorError as error:
            raise ProbeError(
                f"The probe '{path}' cannot be written ({error}): make room, or write elsewhere."
            ) from error


def is_probe(path: str | Path) -> bool:
    """Whether a file is a probe, whole or not; never raises."""
    try:
        with safe_open(path, framework="np") as file:
            return _KEY in (file.metadata() or {})
    except (OSError, SafetensorError):
        return False


def read_probe(path: str | Path) -> tuple[Trained, dict[str, Any], KeptSamples, Cleaning]:
    """What :func:`write_probe` wrote.

    Raises
    ------
    ProbeError
        When the file is missing, damaged, no probe, or of a newer version.
    """
    path = Path(path)
    if not path.is_file():
        raise ProbeError(f"There is no probe '{path}': check the path.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ProbeError(f"'{path}' is no probe: it is too large to be one.")
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError, TypeError) as error:
        raise ProbeError(f"'{path}' is no probe, or it is damaged ({error}): choose another, or train again.") from None
    if _KEY not in metadata:
        raise ProbeError(f"'{path}' is no probe: choose a file that Patchfield saved as one.")
    try:
        header = json.loads(metadata[_KEY])
        version = header["version"]
        _require(_is_whole(version) and version >= _WITHOUT_SAMPLES, f"version {version!r}")
        if version <= _VERSION:
            trained = _trained(header, tensors, None if version <= _WITHOUT_SHIFT else _shift(tensors))
            kept = KeptSamples() if version == _WITHOUT_SAMPLES else _kept(header["images"], tensors, trained)
            finishing = _UNFINISHED if version <= _WITHOUT_FINISHING else _finishing(header["finishing"])
            return trained, _settings(header["settings"]), kept, finishing
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, LabelError) as error:
        missing = isinstance(error, KeyError)
        reason = f"{error.args[0]!r} is missing" if missing else " ".join(str(error).split()).rstrip(".")
        raise ProbeError(f"The probe '{path}' is damaged ({reason}): choose another, or train again.") from error
    raise ProbeError(f"The probe '{path}' was saved by a newer Patchfield: update Patchfield to use it.")


def _shift(tensors: Mapping[str, NDArray[Any]]) -> Shift:
    channels = len(tensors["weights"])
    centres, response = tensors["centres"], tensors["response"]
    _require(centres.ndim == 2 and 0 < len(centres) <= _MAX_KEPT, f"centres {centres.shape}")
    _require(centres.shape[1:] == (channels,) and response.shape == (channels, channels), f"response {response.shape}")
    for numbers in (centres, response):
        _require(numbers.dtype == np.float32 and bool(np.isfinite(numbers).all()), "what it knows of shifts")
    return Shift(centres, partial(np.asarray, response))


def _trained(header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], shift: Shift | None) -> Trained:
    values, weights, bias = (tensors[name] for name in ("values", "weights", "bias"))
    _require(values.dtype.kind in "iu" and values.ndim == 1, f"values of type {values.dtype}")
    _require(2 <= len(values) <= MAX_CLASSES, f"{len(values)} classes")
    _require(bool((values[1:] > values[:-1]).all()) and values[0] >= 1 and values[-1] <= MAX_LABEL, "its label values")
    fits = weights.ndim == 2 and bias.shape == values.shape == weights.shape[1:] and len(weights) > 0
    _require(fits, f"weights {weights.shape} for {len(values)} classes")
    _require(weights.dtype == bias.dtype == np.float32, f"weights of type {weights.dtype}")
    _require(bool(np.isfinite(weights).all() and np.isfinite(bias).all()), "weights that are no finite numbers")
    return Trained(
        values=values.astype(np.int64),
        scores=LinearMap(weights, bias),
        classes=_classes(header["classes"], values),
        recipes=_recipes(header["recipes"]),
        facts=_facts(header["training"]),
        shift=shift,
    )


def _facts(training: Mapping[str, Any]) -> TrainingFacts:
    size = training.get("pixel_size")
    if size is not None:
        _require(isinstance(size, list) and len(size) == 2 and all(_is_length(end) for end in size), "its pixel size")
        _require(size[0] <= size[1], "its pixel size")
    return TrainingFacts.from_json(dict(training))


def _kept(entries: Any, tensors: Mapping[str, NDArray[Any]], trained: Trained) -> KeptSamples:
    sources = _sources(entries)
    if "samples" not in tensors:
        _require(not sources and "features" not in tensors, "its samples")
        return KeptSamples()
    places, features = tensors["samples"], tensors["features"]
    _require(places.dtype == np.uint32 and places.ndim == 2 and places.shape[1] == _COLUMNS, "its samples")
    _require(0 < len(places) <= _MAX_KEPT, f"{len(places)} samples")
    _require(features.dtype == np.float16, f"features of type {features.dtype}")
    _require(features.shape == (len(places), len(trained.scores.weights)), f"features {features.shape}")
    _require(bool(np.isfinite(features).all()), "features that are no finite numbers")
    images, strokes, values, rows, columns, sizes = places.T.astype(np.int64)
    _require(bool(np.isin(values, trained.values).all()), "samples of other classes")
    _require(bool((np.diff(images) >= 0).all() and images[-1] < len(sources)), "the images of its samples")
    _require(bool(strokes.max() < len(places)), "the strokes of its samples")
    centres = KeptSamples().centres if trained.shift is None else trained.shift.centres
    everything = KeptSamples(features, values, images, strokes, rows, columns, sizes, sources, centres)
    return everything.subset(np.lexsort((columns, rows, images)))


def _sources(entries: Any) -> tuple[TrainingImage, ...]:
    _require(isinstance(entries, list) and len(entries) <= _MAX_KEPT, "its images")
    for entry in entries:
        _require(isinstance(entry, dict) and set(entry) == {"id", "pixel_size", "name"}, "an image")
        for name in ("id", "name"):
            _require(isinstance(entry[name], str) and len(entry[name]) <= _MAX_TEXT, f"the {name} of an image")
        _require(entry["pixel_size"] is None or _is_length(entry["pixel_size"]), "the pixel size of an image")
    return tuple(TrainingImage(**entry) for entry in entries)


def _classes(entries: Mapping[str, Any], values: NDArray[np.integer]) -> dict[int, ClassInfo]:
    classes = {int(value): ClassInfo(**info) for value, info in entries.items()}
    _require(sorted(classes) == values.tolist(), "names of other classes")
    return {int(value): classes[int(value)] for value in values}


def _recipes(entries: Any) -> tuple[FeatureRecipe, ...]:
    _require(isinstance(entries, list) and len(entries) <= _MAX_RECIPES, "its recipes")
    for entry in entries:
        _require(isinstance(entry, dict) and isinstance(entry["options"], dict), "a recipe")
        for name in ("backbone", "fingerprint", "sampling", "interpolation"):
            _require(isinstance(entry[name], str) and bool(entry[name]), f"the {name} of a recipe")
        _require(isinstance(entry.get("guide", ""), str), "the guide of a recipe")
    return tuple(FeatureRecipe.from_json(entry) for entry in entries)


def _settings(settings: Any) -> dict[str, Any]:
    """The arguments of an equal probe."""
    _require(isinstance(settings, dict) and set(settings) == {"l2", "samples_per_class", "seed"}, "its settings")
    l2, samples, seed = settings["l2"], settings["samples_per_class"], settings["seed"]
    _require(_is_number(l2) and math.isfinite(l2) and l2 > 0, f"a penalty of {l2!r}")
    _require(_is_whole(samples) and 1 <= samples <= _MAX_SAMPLES_PER_CLASS, f"{samples!r} samples per class")
    _require(_is_whole(seed) and 0 <= seed < 2**63, f"the seed {seed!r}")
    return dict(settings)


def _finishing(entry: Any) -> Cleaning:
    _require(isinstance(entry, dict) and set(entry) == {"smoothing", "fill_holes", "min_size"}, "its finishing")
    smoothing, holes, size = entry["smoothing"], entry["fill_holes"], entry["min_size"]
    _require(_is_number(smoothing) and _is_whole(size), "its finishing")
    _require(isinstance(holes, list) and len(holes) <= MAX_CLASSES and all(map(_is_whole, holes)), "its finishing")
    return Cleaning(smoothing, tuple(holes), size)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_length(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value) and value > 0


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)
