"""Fields on disk: one safetensors file, tokens as they are and geometry as JSON in the header.

The file is memory-mapped when opened, so the field of a very large image costs only what is looked at. The tokens of
a very large image lie on disk from the start, in a temporary file without a name that ends with the field.
"""

import json
import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from patchfield.atomic import atomic_path
from patchfield.errors import FieldError
from patchfield.field.axis import Axis, Interpolation
from patchfield.field.field import Block, FeatureField
from patchfield.field.grid import Grid
from patchfield.field.recipe import Recipe
from patchfield.field.views import AxisView

_KEY, _VERSION = "patchfield.field", 1

_ON_DISK_FROM = 1 << 30
"""Bytes of one view's tokens from which they are kept in a file: a ViT's at about 16,000 x 16,000 pixels."""


def empty_tokens(rows: int, columns: int, channels: int) -> torch.Tensor:
    """Zeros (rows, columns, channels) float16 for the tokens of one view, in memory or, if very large, on disk."""
    shape = (rows, columns, channels)
    if np.prod(shape, dtype=np.int64) * torch.float16.itemsize < _ON_DISK_FROM:
        return torch.zeros(shape, dtype=torch.float16)
    with tempfile.TemporaryFile(prefix="patchfield-") as file:  # the mapping keeps the nameless file alive
        return torch.from_numpy(np.memmap(file, np.float16, "w+", shape=shape))


def save_field(field: FeatureField, path: str | Path) -> None:
    """Write a field to `path`, whole or not at all."""
    tensors: dict[str, torch.Tensor] = {}
    blocks = []
    for i, block in enumerate(field.blocks):
        grids = []
        for j, grid in enumerate(block.grids):
            tensors[f"{i}.{j}"] = grid.tokens.contiguous()
            grids.append({"rows": _axis_json(grid.rows), "columns": _axis_json(grid.columns), "count": grid.count})
        blocks.append({"interpolation": block.interpolation, "grids": grids})
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
            blocks = tuple(_read_block(file, i, block) for i, block in enumerate(header["blocks"]))
    except (OSError, SafetensorError) as error:
        raise FieldError(f"The field '{path}' cannot be read ({error}): extract it again.") from error
    recipes = tuple(Recipe.from_json(values) for values in header["recipes"])
    return FeatureField((header["shape"][0], header["shape"][1]), blocks, recipes)


def _read_block(file: Any, i: int, values: dict[str, Any]) -> Block:
    grids = tuple(
        Grid(file.get_tensor(f"{i}.{j}"), _axis(grid["rows"]), _axis(grid["columns"]), grid["count"])
        for j, grid in enumerate(values["grids"])
    )
    return Block(grids, cast(Interpolation, values["interpolation"]))


def _axis_json(axis: Axis) -> dict[str, Any]:
    return {
        "size": axis.size,
        "flip": axis.view.flip,
        "shift": axis.view.shift,
        "origin": axis.origin,
        "pitch": axis.pitch,
        "count": axis.count,
    }


def _axis(values: dict[str, Any]) -> Axis:
    view = AxisView(values["flip"], values["shift"])
    return Axis(values["size"], view, values["origin"], values["pitch"], values["count"])
