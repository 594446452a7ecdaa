"""Arrays as other programs keep them: NumPy, HDF5 (ilastik and others) and OME-Zarr."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from patchfield.errors import ImageError
from patchfield.images.calibration import Calibration
from patchfield.images.notes import KEY, Notes
from patchfield.images.readers.axes import UNKNOWN_AXES, arranged, guessed_axes, resolved_axes
from patchfield.images.readers.contents import Contents
from patchfield.images.readers.decoding import check_claim, decoding

ARRAY_SUFFIXES = frozenset({".npy", ".npz", ".h5", ".hdf5", ".ilp", ".zarr"})
_NPY, _ZIP, _HDF5 = b"\x93NUMPY", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_USUAL_NAMES = ("exported_data", "data", "image", "images", "raw", "labels", "masks", "volume")
"""Of several arrays in one file, these are the image: what ilastik and others call it."""


def is_array_file(path: Path) -> bool:
    """Whether a file or folder holds arrays that `read_array` knows."""
    if path.is_dir():
        return _is_zarr(path)
    with path.open("rb") as file:
        head = file.read(8)
    return head.startswith((_NPY, _ZIP, _HDF5))


def read_array(path: Path, *, as_labels: bool = False, axes: str | None = None) -> Contents:
    """The array of an .npy, .npz or HDF5 file, or of a Zarr folder.

    Parameters
    ----------
    path : Path
    as_labels : bool
        Whether the numbers are labels, which have no channels.
    axes : str, optional
        What the axes mean where the file does not say it.

    Raises
    ------
    ImageError
        When it is damaged, holds several arrays or Python objects, or needs a package that is not installed.
    """
    if path.is_dir():
        return _zarr(path, as_labels, axes)
    with path.open("rb") as file:
        head = file.read(8)
    if head == _HDF5:
        return _hdf5(path, as_labels, axes)
    return _contents(path, _numpy(path), None, as_labels, axes)


def _contents(
    path: Path,
    array: Any,
    file_axes: str | None,
    as_labels: bool,
    axes: str | None,
    calibration: Calibration | None = None,
) -> Contents:
    shape = tuple(int(length) for length in array.shape)
    if array.dtype.kind not in "buif":
        raise ImageError(f"{path} holds {array.dtype} values: give an image of integers, floats or booleans.")
    if len(shape) < 2:
        raise ImageError(f"{path} holds an array of shape {shape}: an image has rows and columns.")
    if file_axes is None and as_labels:
        file_axes = UNKNOWN_AXES[: len(shape) - 2] + "YX" if len(shape) < 6 else None
    elif as_labels and file_axes is not None:
        # A single channel is none, and several are planes: labels have no colours.
        array, file_axes = _without_single(array, file_axes)
        file_axes = file_axes.replace("C", UNKNOWN_AXES[0])
    if file_axes is None:
        if len(shape) > 5:
            raise ImageError(f"{path} has {len(shape)} axes {shape}: an image has five at most (T, Z, C, Y, X).")
        file_axes = resolved_axes(path, shape, axes, guessed_axes(shape, array.dtype.itemsize))
    return Contents(arranged(array, file_axes), calibration)


def _without_single(array: Any, axes: str) -> tuple[Any, str]:
    if "C" in axes and array.shape[axes.index("C")] == 1:
        channel = axes.index("C")
        return np.asarray(array).squeeze(channel), axes.replace("C", "")
    return array, axes


def _numpy(path: Path) -> Any:
    with decoding(path):
        try:
            loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            if not any(reason in str(error) for reason in ("pickle", "Python objects")):
                raise
            raise ImageError(
                f"{path} holds Python objects, which are never loaded because they may run code: export an image "
                "instead (in Cellpose: File > Save masks as PNG/tif)."
            ) from None
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            names = loaded.files
            name = _chosen_name(path, [name for name in names if name.endswith(_USUAL_NAMES)] or names)
            return loaded[name]


def _hdf5(path: Path, as_labels: bool, axes: str | None) -> Contents:
    try:
        import h5py
    except ImportError:
        raise ImageError(f"{path} is an HDF5 file: install h5py to read it (pip install h5py).") from None
    with decoding(path), h5py.File(path, "r") as file:
        if "PixelClassification" in file:
            raise ImageError(
                f"{path} is a project of ilastik: export its labels or its segmentation there, as HDF5 or TIFF."
            )
        datasets: dict[str, Any] = {}

        def collect(name: str, entry: Any) -> None:
            if isinstance(entry, h5py.Dataset) and len(entry.shape or ()) >= 2 and entry.dtype.kind in "buif":
                datasets[name] = entry

        file.visititems(collect)
        usual = [name for name in datasets if name.rpartition("/")[2] in _USUAL_NAMES]
        dataset = datasets[_chosen_name(path, usual if len(datasets) > 1 and usual else list(datasets))]
        check_claim(path, dataset.shape, dataset.size * dataset.dtype.itemsize)
        file_axes = _axistags(dataset.attrs.get("axistags"))
        spacing = np.ravel(dataset.attrs.get("element_size_um", ()))
        array = dataset[()]
    if file_axes is not None and len(file_axes) != array.ndim:
        file_axes = None
    depth = spacing[-3] if len(spacing) > 2 else None
    calibration = Calibration.from_metadata(spacing[-2], spacing[-1], "µm", depth=depth) if len(spacing) > 1 else None
    return _contents(path, array, file_axes, as_labels, axes, calibration)


def _axistags(text: Any) -> str | None:
    """The axes as ilastik (VIGRA) writes them, in our letters."""
    if not isinstance(text, (str, bytes)):
        return None
    try:
        letters = "".join(entry["key"] for entry in json.loads(text)["axes"]).upper()
    except (ValueError, KeyError, TypeError):
        return None
    return letters if {*"YX"} <= {*letters} and len(set(letters)) == len(letters) else None


def _chosen_name(path: Path, names: list[str]) -> str:
    if len(names) != 1:
        listed = ", ".join(names[:5]) or "none"
        raise ImageError(f"{path} holds {len(names)} arrays ({listed}): give a file with just the one that is meant.")
    return names[0]


def _is_zarr(path: Path) -> bool:
    return any((path / name).is_file() for name in (".zattrs", ".zgroup", ".zarray", "zarr.json"))


def _zarr(path: Path, as_labels: bool, axes: str | None) -> Contents:
    try:
        import zarr
    except ImportError:
        raise ImageError(f"{path} is a Zarr folder: install zarr to read it (pip install zarr).") from None
    with decoding(path):
        node = zarr.open(str(path), mode="r")
        found, file_axes, calibration = _image_of(path, node, isinstance(node, zarr.Array))
        array = _NettedArray(path, found)
        said = dict(node.attrs).get(KEY)
    contents = _contents(path, array, file_axes, as_labels, axes, calibration)
    return replace(contents, notes=Notes.from_text(said)) if isinstance(said, str) else contents


def zarr_notes(path: Path) -> Notes | None:
    """What Patchfield wrote into a Zarr folder; None when it is not one of ours."""
    try:
        attributes = json.loads((path / ".zattrs").read_text())
    except (OSError, ValueError):
        return None
    said = attributes.get(KEY) if isinstance(attributes, dict) else None
    return Notes.from_text(said) if isinstance(said, str) else None


def _image_of(path: Path, node: Any, is_array: bool) -> tuple[Any, str | None, Calibration | None]:
    """The array of a Zarr folder that is its image, with its axes and calibration."""
    if is_array:
        return node, None, None
    attributes = dict(node.attrs)
    metadata = attributes.get("ome", attributes)
    scales = metadata.get("multiscales") if isinstance(metadata, dict) else None
    if isinstance(scales, list) and scales:
        array = node[scales[0]["datasets"][0]["path"]]
        return array, *_multiscale(scales[0], array.ndim)
    arrays = dict(node.arrays())
    return arrays[_chosen_name(path, list(arrays))], None, None


class _NettedArray:
    """A lazy array whose decoder's errors become sentences wherever it is sliced."""

    def __init__(self, path: Path, array: Any) -> None:
        self.shape = tuple(int(length) for length in array.shape)
        self.dtype = np.dtype(array.dtype)
        self._path = path
        self._array = array

    def __getitem__(self, key: Any, /) -> Any:
        with decoding(self._path):
            return np.asarray(self._array[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self[...], dtype)


def _multiscale(scale: dict[str, Any], ndim: int) -> tuple[str | None, Calibration | None]:
    """Axes and calibration of the first level of an OME-Zarr image, versions 0.1 to 0.5."""
    entries = list(_axis_entries(scale.get("axes"), ndim))
    letters = "".join(name[:1].upper() for name, _ in entries)
    if len(letters) != ndim or len(set(letters)) != ndim or not {*"YX"} <= {*letters}:
        return None, None
    lengths = [1.0] * ndim
    for step in [
        *scale["datasets"][0].get("coordinateTransformations", ()),
        *scale.get("coordinateTransformations", ()),
    ]:
        if step.get("type") == "scale":
            lengths = [length * float(factor) for length, factor in zip(lengths, step["scale"], strict=True)]
    of = {letter: (length, unit) for letter, length, (_, unit) in zip(letters, lengths, entries, strict=True)}
    z, t = of.get("Z", (None, None)), of.get("T", (None, None))
    calibration = Calibration.from_metadata(
        *(of["Y"][0], of["X"][0], of["Y"][1]),
        width_unit=of["X"][1],
        depth=z[0] if z[1] else None,
        depth_unit=z[1],
        interval=t[0] if t[1] else None,
        interval_unit=t[1],
    )
    return letters, calibration


def _axis_entries(entries: Any, ndim: int) -> Iterator[tuple[str, str | None]]:
    """Name and unit of every axis."""
    for entry in entries if isinstance(entries, list) else list("tczyx"[-ndim:]):
        if isinstance(entry, dict):
            yield str(entry.get("name", "")), entry.get("unit")
        else:
            yield str(entry), None
