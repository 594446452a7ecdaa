"""Fields on disk: one safetensors file, tokens as they are and geometry as JSON in the header.

The file is memory-mapped when opened, so the field of a very large image costs only what is used of it.
"""

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from patchfield.atomic import atomic_path
from patchfield.errors import FieldError
from patchfield.field.axis import Axis, Interpolation
from patchfield.field.field import Block, FeatureField
from patchfield.field.grid import Grid
from patchfield.field.recipe import FeatureRecipe
from patchfield.field.views import AxisView

_KEY, _VERSION = "patchfield.field", 1
_MISSING, _GUIDE = "missing", "guide"


def save_field(field: FeatureField, path: str | Path) -> None:
    """Write a field to `path`, whole or not at all.

    Examples
    --------
    >>> import numpy as np, patchfield as pf
    >>> save_field(pf.extract(np.eye(32), "filters"), "eye.field")
    >>> load_field("eye.field").shape
    (32, 32)
    """
    tensors: dict[str, torch.Tensor] = {}
    blocks = []
    for i, block in enumerate(field.blocks):
        grids = []
        for j, grid in enumerate(block.grids):
            tensors[f"{i}.{j}"] = grid.tokens.contiguous()
            grids.append({"rows": _axis_json(grid.rows), "columns": _axis_json(grid.columns), "count": grid.count})
        if block.guide is not None:
            tensors[f"{i}.{_GUIDE}"] = block.guide.contiguous()
        guided = block.guide is not None
        blocks.append({"interpolation": block.interpolation, "grids": grids, _GUIDE: guided})
    if field.missing is not None:
        tensors[_MISSING] = torch.from_numpy(np.packbits(field.missing, axis=1))
    header = {
        "version": _VERSION,
        "shape": field.shape,
        "blocks": blocks,
        "recipes": [recipe.to_json() for recipe in field.recipes],
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={_KEY: json.dumps(header)})


def load_field(path: str | Path) -> FeatureField:
    """Open a field that :func:`save_field` wrote.

    Raises
    ------
    FieldError
        When the file is missing, damaged, not a field, or of a newer version.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(_KEY, "null"))
            if not isinstance(header, dict) or header.get("version") != _VERSION:
                raise FieldError(f"'{path}' is not a field that this version reads: extract it again.")
            height, width = header["shape"]
            blocks = tuple(_read_block(file, i, block) for i, block in enumerate(header["blocks"]))
            missing = _read_missing(file, width)
            recipes = tuple(FeatureRecipe.from_json(values) for values in header["recipes"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, FieldError):
            raise
        raise FieldError(f"The field '{path}' cannot be read ({error}): extract it again.") from error
    return FeatureField((height, width), blocks, recipes, missing)


def _read_missing(file: Any, width: int) -> NDArray[np.bool_] | None:
    if _MISSING not in file.keys():  # noqa: SIM118 (no mapping)
        return None
    return np.unpackbits(file.get_tensor(_MISSING).numpy(), axis=1, count=width).astype(bool)


def _read_block(file: Any, i: int, values: dict[str, Any]) -> Block:
    grids = tuple(
        Grid(file.get_tensor(f"{i}.{j}"), _axis(grid["rows"]), _axis(grid["columns"]), grid["count"])
        for j, grid in enumerate(values["grids"])
    )
    guide = file.get_tensor(f"{i}.{_GUIDE}") if values.get(_GUIDE, False) else None
    return Block(grids, cast(Interpolation, values["interpolation"]), guide)


def _axis_json(axis: Axis) -> dict[str, Any]:
    return {
        "size": axis.size,
        "flip": axis.view.flip,
        "shift": axis.view.shift,
        "origin": axis.origin,
        "pitch": axis.pitch,
        "pixels": axis.pixels,
        "count": axis.count,
    }


def _axis(values: dict[str, Any]) -> Axis:
    view = AxisView(values["flip"], values["shift"])
    return Axis(values["size"], view, values["origin"], values["pitch"], values["count"], values.get("pixels"))
