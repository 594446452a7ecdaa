"""What is measured of objects, in pixels and in physical units."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from scipy.spatial import cKDTree
from skimage.measure import regionprops_table

from patchfield.errors import LabelError
from patchfield.images import Calibration
from patchfield.objects.instances import at_border
from patchfield.objects.perimeter import perimeters
from patchfield.objects.table import ObjectTable

_AXES = ("slice", "row", "column")


def measure(
    instances: NDArray[Any],
    calibration: Calibration | None = None,
    intensity: NDArray[Any] | None = None,
    plane: str = "0",
) -> ObjectTable:
    """Measure objects: one row for each.

    Parameters
    ----------
    instances : ndarray (H, W), or (Z, H, W) for a volume
        0 outside, objects numbered from 1 without gaps.
    calibration : Calibration, optional
        The size of a pixel, which need not be square. Without it, for printing resolutions, and for volumes without
        the distance of slices (`depth`), there are no physical columns.
    intensity : ndarray of the shape of `instances`, with the channels, if any, as a further last axis, optional
        NaN does not count.
    plane : str
        What the column "plane" says.

    Returns
    -------
    ObjectTable
        With the columns, "µm" standing for the unit of the calibration:

        - object, plane, border (whether it touches the edge of the image);
        - area (px), area (µm²); of volumes: volume (px), volume (µm³);
        - equivalent diameter (px), (µm): of the disc (ball) of the same area (volume);
        - perimeter (px), (µm): see :func:`patchfield.objects.perimeter.perimeters`;
        - eccentricity: of the ellipse of the same second moments, 0 for a disc, towards 1 for a line;
        - orientation (°): of its long axis, 0 along the rows, counterclockwise as seen, from 0 to below 180;
        - solidity: the share of the convex hull that the object fills;
        - mean intensity, or mean intensity 0, 1, ... with several channels;
        - centroid row (px), centroid column (px), (µm): the centre of the first pixel is (0, 0);
        - first row, last row, first column, last column: the bounding box, both ends inside;
        - nearest neighbour (px), (µm): distance of the centroid to the next one, NaN for a single object.

        Volumes have slices beside rows and columns, and no perimeter, eccentricity, orientation and solidity. Shapes
        (eccentricity, orientation) are those of the object, not of its pixels, where the pixels are not square.

    Raises
    ------
    LabelError
        When the intensities have another shape.

    Examples
    --------
    >>> table = measure(np.pad(np.ones((4, 2), int), 3), Calibration(0.5, 1, "µm"))
    >>> {name: float(table[name][0]) for name in ("area (px)", "area (µm²)", "eccentricity", "solidity")}
    {'area (px)': 8.0, 'area (µm²)': 4.0, 'eccentricity': 0.0, 'solidity': 1.0}
    """
    spacing = _spacing(calibration, instances.ndim)
    unit = "" if spacing is None or calibration is None else calibration.unit
    border = at_border(instances)
    columns: dict[str, NDArray[Any]] = {
        "object": np.arange(1, len(border) + 1),
        "plane": np.full(len(border), plane),
        "border": border,
    }
    pixels = _Pixels.from_instances(instances)
    columns |= _sizes(pixels, spacing, unit)
    if instances.ndim == 2:
        columns |= _outlines(instances, spacing, unit)
        columns |= _shapes(instances, pixels, spacing)
    columns |= _intensities(instances, pixels, intensity)
    columns |= _places(instances, pixels, spacing, unit)
    return ObjectTable(columns, unit)


@dataclass(frozen=True, eq=False)
class _Pixels:
    """The pixels of all objects in one list.

    Attributes
    ----------
    objects : ndarray (P,) of int
        The number of each pixel's object, from 0.
    positions : tuple of ndarray (P,)
        Along every axis.
    counts : ndarray (N,) of int
        Pixels of each object.
    centroids : ndarray (N, D) of float
    """

    objects: NDArray[np.intp]
    positions: tuple[NDArray[np.intp], ...]
    counts: NDArray[np.intp]
    centroids: NDArray[np.float64]

    @classmethod
    def from_instances(cls, instances: NDArray[Any]) -> Self:
        positions = np.nonzero(instances)
        objects = instances[positions].astype(np.intp) - 1
        counts = np.bincount(objects, minlength=int(instances.max(initial=0)))
        sums = [np.bincount(objects, weights=axis, minlength=len(counts)) for axis in positions]
        return cls(objects, positions, counts, np.stack(sums, axis=1) / counts[:, None])

    def moment(self, first: int, second: int) -> NDArray[np.float64]:
        """The second central moment of every object along two axes, that of its pixels' own area included."""
        from_first, from_second = (
            self.positions[axis] - self.centroids[self.objects, axis] for axis in (first, second)
        )
        sums = np.bincount(self.objects, weights=from_first * from_second, minlength=len(self.counts))
        return sums / self.counts + (1 / 12 if first == second else 0)


def _spacing(calibration: Calibration | None, dimensions: int) -> tuple[float, ...] | None:
    """The size of a pixel along every axis, where it is known."""
    if calibration is None or not calibration.is_physical:
        return None
    if dimensions == 2:
        return calibration.height, calibration.width
    return None if calibration.depth is None else (calibration.depth, calibration.height, calibration.width)


def _sizes(pixels: _Pixels, spacing: tuple[float, ...] | None, unit: str) -> dict[str, NDArray[Any]]:
    flat = len(pixels.positions) == 2
    name, power = ("area", "²") if flat else ("volume", "³")
    columns: dict[str, NDArray[Any]] = {f"{name} (px)": pixels.counts}
    if spacing is not None:
        columns[f"{name} ({unit}{power})"] = pixels.counts * float(np.prod(spacing))
    for size_name, size in list(columns.items()):
        diameter = np.sqrt(4 * size / np.pi) if flat else np.cbrt(6 * size / np.pi)
        columns[f"equivalent diameter ({'px' if size_name.endswith('(px)') else unit})"] = diameter
    return columns


def _outlines(instances: NDArray[Any], spacing: tuple[float, ...] | None, unit: str) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {"perimeter (px)": perimeters(instances)}
    if spacing is not None:
        columns[f"perimeter ({unit})"] = perimeters(instances, *spacing)
    return columns


def _shapes(instances: NDArray[Any], pixels: _Pixels, spacing: tuple[float, ...] | None) -> dict[str, NDArray[Any]]:
    """Eccentricity, orientation and solidity of objects in a plane."""
    height, width = spacing or (1.0, 1.0)
    along_y, along_x = pixels.moment(0, 0) * height**2, pixels.moment(1, 1) * width**2
    mixed = -pixels.moment(0, 1) * height * width  # y points up
    spread = np.hypot(along_x - along_y, 2 * mixed)
    shorter, longer = along_x + along_y - spread, along_x + along_y + spread
    angle = np.rad2deg(np.arctan2(2 * mixed, along_x - along_y)) / 2 % 180
    return {
        "eccentricity": np.sqrt(np.clip(1 - shorter / longer, 0, 1)),
        "orientation (°)": np.where(angle < 180, angle, 0),
        "solidity": np.asarray(regionprops_table(instances, properties=("solidity",))["solidity"], float),
    }


def _intensities(instances: NDArray[Any], pixels: _Pixels, intensity: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
    """The mean of every channel, without what is NaN."""
    if intensity is None:
        return {}
    if intensity.shape[: instances.ndim] != instances.shape or intensity.ndim > instances.ndim + 1:
        raise LabelError(
            f"The intensities have the shape {intensity.shape} and the objects {instances.shape}: give the image that "
            "was segmented."
        )
    channels = intensity.reshape(*instances.shape, -1)[pixels.positions].astype(float)
    columns = {}
    for channel in range(channels.shape[-1]):
        values = channels[:, channel]
        known = ~np.isnan(values)
        sums = np.bincount(pixels.objects[known], values[known], minlength=len(pixels.counts))
        counts = np.bincount(pixels.objects[known], minlength=len(pixels.counts))
        name = "mean intensity" if channels.shape[-1] == 1 else f"mean intensity {channel}"
        columns[name] = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return columns


def _places(
    instances: NDArray[Any], pixels: _Pixels, spacing: tuple[float, ...] | None, unit: str
) -> dict[str, NDArray[Any]]:
    """Centroids, bounding boxes and distances to the next object."""
    columns: dict[str, NDArray[Any]] = {}
    axes = _AXES[-instances.ndim :]
    boxes = find_objects(instances)
    for axis, name in enumerate(axes):
        columns[f"centroid {name} (px)"] = pixels.centroids[:, axis]
        if spacing is not None:
            columns[f"centroid {name} ({unit})"] = pixels.centroids[:, axis] * spacing[axis]
    for axis, name in enumerate(axes):
        columns[f"first {name}"] = np.array([box[axis].start for box in boxes], int)
        columns[f"last {name}"] = np.array([box[axis].stop - 1 for box in boxes], int)
    columns["nearest neighbour (px)"] = _nearest(pixels.centroids)
    if spacing is not None:
        columns[f"nearest neighbour ({unit})"] = _nearest(pixels.centroids * spacing)
    return columns


def _nearest(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distance of every point to the next one; NaN where there is none."""
    if len(points) < 2:
        return np.full(len(points), np.nan)
    distances, _ = cKDTree(points).query(points, k=2)
    return np.asarray(distances[:, 1])
