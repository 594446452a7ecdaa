"""Outlines drawn around classes, as QuPath writes them (GeoJSON), as labels."""

import json
from collections.abc import Iterator, MutableMapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.errors import LabelError
from patchfield.images.colors import LabelClass, default_color
from patchfield.images.stack import Stack

OUTLINE_SUFFIXES = frozenset({".geojson", ".json"})
_FARTHEST = 1e9
_IGNORED = "*"
"""QuPath's mark, at the end of its name, of a class that is to be ignored."""


def is_outlines(path: Path) -> bool:
    """Whether a file may hold GeoJSON."""
    return path.suffix.lower() in OUTLINE_SUFFIXES


def read_outlines(
    path: Path, stack: Stack, class_values: MutableMapping[str, int]
) -> tuple[NDArray[np.int64], dict[int, LabelClass]]:
    """Draw the outlines of a file as labels, later ones over earlier ones.

    Parameters
    ----------
    path : Path
        A FeatureCollection or a list of features; polygons are filled, lines and points are drawn. Coordinates are
        x, y in pixels of the image, counted from the corner of the first one. Features without a class, and those of
        a class whose name ends with an asterisk, are left out.
    stack : Stack
        The image that they were drawn on: it says how large the labels are.
    class_values : mapping of class name to label value
        The numbers of classes so far; new names are added with the next free number ("class 7": 7, if it is free).

    Returns
    -------
    labels : ndarray (..., H, W)
        With the leading axes of the image.
    classes : dict of label value to LabelClass

    Raises
    ------
    LabelError
        When the file cannot be understood, or no outline in it has a class.
    """
    try:
        features = list(_features(json.loads(path.read_text(encoding="utf-8-sig"))))
        labels = np.zeros((*stack.lengths, *stack.shape), np.int64)
        classes: dict[int, LabelClass] = {}
        for feature in features:
            classification = (feature.get("properties") or {}).get("classification") or {}
            name = str(classification.get("name", ""))
            if not name or name.endswith(_IGNORED):
                continue
            value = _value_of(name, class_values)
            color = _color(classification)
            if color is not None or value not in classes:
                classes[value] = LabelClass(name, color or default_color(value))
            geometry = feature["geometry"]
            _draw(labels[_plane_of(geometry.get("plane") or {}, stack)], geometry, value)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise LabelError(f"{path} cannot be read as outlines, GeoJSON as QuPath exports it ({reason}).") from error
    if not classes:
        raise LabelError(f"{path} holds {len(features)} outline(s), none of which has a class: set their class first.")
    return labels, classes


def _features(document: Any) -> Iterator[dict[str, Any]]:
    if isinstance(document, list):
        for entry in document:
            yield from _features(entry)
    elif document["type"] == "FeatureCollection":
        yield from _features(document["features"])
    elif document["type"] == "Feature":
        yield document
    else:
        yield {"geometry": document}


def _value_of(name: str, values: MutableMapping[str, int]) -> int:
    if name not in values:
        number = name.rpartition(" ")[2]
        wanted = int(number) if number.isdecimal() and len(number) < 4 else 0
        taken = set(values.values())
        free = next(value for value in range(1, len(taken) + 2) if value not in taken)
        values[name] = wanted if wanted and wanted not in taken else free
    return values[name]


def _color(classification: dict[str, Any]) -> str | None:
    """QuPath writes a list of red, green, blue, formerly one number."""
    color = classification.get("color")
    if isinstance(color, list) and len(color) == 3:
        return "#" + "".join(f"{int(part) & 255:02x}" for part in color)
    if isinstance(classification.get("colorRGB"), int):
        return f"#{classification['colorRGB'] & 0xFFFFFF:06x}"
    return None


def _plane_of(plane: dict[str, Any], stack: Stack) -> tuple[int, ...]:
    """The plane that an outline lies in, by QuPath's z and t."""
    position = {"Z": int(plane.get("z", 0)), "T": int(plane.get("t", 0))}
    if len(stack.axes) == 1 and stack.axes not in position:
        position[stack.axes] = max(position.values())
    index = tuple(position.get(axis, 0) for axis in stack.axes)
    inside = all(0 <= i < length for i, length in zip(index, stack.lengths, strict=True))
    left_over = any(axis not in position and length > 1 for axis, length in zip(stack.axes, stack.lengths, strict=True))
    if not inside or left_over:
        raise LookupError(
            f"an outline lies in plane {plane}, which {stack.name} ({stack.axes or 'one plane'}) does not have"
        )
    return index


def _draw(labels: NDArray[np.int64], geometry: dict[str, Any], value: int) -> None:
    """Draw one geometry into labels (H, W)."""
    kind = geometry["type"]
    if kind == "GeometryCollection":
        for part in geometry["geometries"]:
            _draw(labels, part, value)
        return
    points: list[Any] = geometry["coordinates"]
    if kind == "Polygon":
        _fill(labels, points, value)
    elif kind in ("MultiPolygon", "MultiLineString", "MultiPoint"):
        for part in points:
            _draw(labels, {"type": kind.removeprefix("Multi"), "coordinates": part}, value)
    elif kind == "LineString":
        _trace(labels, points, value)
    elif kind == "Point":
        _trace(labels, [points, points], value)
    else:
        raise ValueError(f"an outline of the type {kind} cannot be drawn")


def _fill(labels: NDArray[np.int64], rings: list[Any], value: int) -> None:
    """Fill a polygon; every ring but the first is a hole. Pixels whose centre lies inside count."""
    from skimage.draw import polygon2mask

    corners = [_points(ring) for ring in rings]
    low = np.maximum(np.floor(corners[0].min(0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(corners[0].max(0)).astype(int) + 1, labels.shape[::-1])
    if (high <= low).any():
        return
    size = (high[1] - low[1], high[0] - low[0])
    # Coordinates count from the corner of a pixel, arrays from its centre.
    inside, *holes = (polygon2mask(size, ring[:, ::-1] - low[::-1] - 0.5) for ring in corners)
    for hole in holes:
        inside &= ~hole
    labels[low[1] : high[1], low[0] : high[0]][inside] = value


def _trace(labels: NDArray[np.int64], points: list[Any], value: int) -> None:
    """Draw a line one pixel wide."""
    from skimage.draw import line

    corners = np.floor(_points(points)).astype(int)
    for (x0, y0), (x1, y1) in pairwise(corners):
        rows, columns = line(y0, x0, y1, x1)
        inside = (rows >= 0) & (rows < labels.shape[0]) & (columns >= 0) & (columns < labels.shape[1])
        labels[rows[inside], columns[inside]] = value


def _points(coordinates: list[Any]) -> NDArray[np.float64]:
    """Points (n, 2) as x, y."""
    points = np.asarray(coordinates, float)[:, :2]
    if not (np.abs(points) < _FARTHEST).all():
        raise ValueError(f"a point lies at {points[~(np.abs(points) < _FARTHEST).all(1)][0]}")
    return points
