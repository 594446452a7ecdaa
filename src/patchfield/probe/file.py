"""Probes on disk: one safetensors file, the numbers as tensors and all the rest as JSON in its header.

Nothing in such a file is ever executed.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from patchfield.atomic import atomic_path
from patchfield.errors import ProbeError
from patchfield.field import FeatureRecipe
from patchfield.probe.classes import ClassInfo
from patchfield.probe.solver import LinearMap
from patchfield.probe.trained import Trained, TrainingFacts

_KEY, _VERSION = "patchfield.probe", 1


def write_probe(path: str | Path, trained: Trained, settings: dict[str, Any]) -> None:
    """Write what a probe knows to `path`, whole or not at all.

    Parameters
    ----------
    path : str or Path
    trained : Trained
    settings : dict
        JSON-able arguments that make an equal, untrained probe.
    """
    header = {
        "version": _VERSION,
        "settings": settings,
        "classes": {str(value): asdict(info) for value, info in trained.classes.items()},
        "recipes": [recipe.to_json() for recipe in trained.recipes],
        "training": asdict(trained.facts),
    }
    tensors: dict[str, np.ndarray] = {
        "values": trained.values,
        "weights": trained.scores.weights,
        "bias": trained.scores.bias,
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={_KEY: json.dumps(header)})


def read_probe(path: str | Path) -> tuple[Trained, dict[str, Any]]:
    """What :func:`write_probe` wrote.

    Raises
    ------
    ProbeError
        When the file is missing, damaged, no probe, or of a newer version.
    """
    if not Path(path).is_file():
        raise ProbeError(f"There is no probe '{path}': check the path.")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError) as error:
        raise ProbeError(f"'{path}' is no probe, or it is damaged ({error}): choose another, or train again.") from None
    if _KEY not in metadata:
        raise ProbeError(f"'{path}' is no probe: choose a file that Patchfield saved as one.")
    try:
        header = json.loads(metadata[_KEY])
        if header["version"] > _VERSION:
            raise ProbeError(f"The probe '{path}' was saved by a newer Patchfield: update Patchfield to use it.")
        return _trained(header, **tensors), header["settings"]
    except ProbeError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProbeError(f"The probe '{path}' is damaged ({error!r}): choose another, or train again.") from error


def _trained(header: dict[str, Any], values: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> Trained:
    if weights.ndim != 2 or not values.shape == bias.shape == (weights.shape[1],):
        raise ValueError(f"weights {weights.shape} for {len(values)} classes")
    return Trained(
        values=values,
        scores=LinearMap(weights, bias),
        classes={int(value): ClassInfo(**info) for value, info in header["classes"].items()},
        recipes=tuple(FeatureRecipe.from_json(recipe) for recipe in header["recipes"]),
        facts=TrainingFacts.from_json(header["training"]),
    )
