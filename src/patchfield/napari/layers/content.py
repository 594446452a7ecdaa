"""What the pixels of a layer are: those of a file with all that the file says, or an array with the layer's axes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

from patchfield.errors import ImageError
from patchfield.images import ArrayStack, Calibration, LazyArray, Micrograph, Stack, plane_indices, read_image
from patchfield.images.readers.axes import UNKNOWN_AXES, unknown_named
from patchfield.images.readers.orientation import UPRIGHT, swaps_axes, turned_pixels

_LETTERS = {
    **dict.fromkeys(("t", "time", "frame", "frames"), "T"),
    **dict.fromkeys(("z", "slice", "slices", "depth"), "Z"),
    **dict.fromkeys(("c", "ch", "channel", "channels"), "C"),
    **dict.fromkeys(("r", "p", "position", "positions", "series", "scene"), "R"),
}
"""What people call the leading axes of a layer."""

_COMPARED_SIDE = 256
"""A layer is compared with its file at a lattice of at most this many rows and columns."""

_MAX_PALETTE = 256


@dataclass(frozen=True)
class LayerContent:
    """The pixels of a layer as a stack.

    Attributes
    ----------
    stack : Stack
        Where pixels come from. Its leading axes are those of the layer, in the same order.
    letters : str
        One letter for each axis of the layer (the samples of an RGB layer are none).
    says_axes : bool
        Whether the file or the layer says what its axes mean.
    file : Path or None
        The image file that the layer shows.
    orientation : int
        How the layer is to be turned before it is what its file says (EXIF, 1 to 8): napari shows it as it is stored.
    left_out : str
        What the layer's file holds, where napari shows only a part or another page of it.
    """

    stack: Stack
    letters: str
    says_axes: bool
    file: Path | None = None
    orientation: int = UPRIGHT
    left_out: str = ""


def layer_content(layer: Image, axes: str | None = None) -> LayerContent:
    """What a layer shows.

    A layer that was opened from an image file and still has the file's pixels is read as that file: axes, channels and
    pixel size are the file's, and where napari shows stored numbers that stand for something else (colours of a
    palette, a negative), the pixels are, too. The command line sees the same.

    Parameters
    ----------
    layer : napari.layers.Image
    axes : str, optional
        What the user said about the axes of the array or file, one letter each ("CYX"); it counts where neither the
        file nor the layer says it.

    Raises
    ------
    ImageError
        When the layer has fewer than two axes.
    """
    micrograph = _micrograph(layer, axes)
    if micrograph is not None:
        content = _content_of_file(layer, finest(layer), micrograph, axes)
        if content is not None:
            return content
    letters, says_axes = _letters_of_layer(layer, axes)
    stack = _array_stack(layer, finest(layer), letters, None)
    if micrograph is None:
        return LayerContent(stack, letters, says_axes)
    upright = turned_pixels(finest(layer), micrograph.orientation, _rows(layer))
    stored = micrograph.orientation != UPRIGHT and _content_of_file(layer, upright, micrograph, axes) is not None
    return LayerContent(
        stack,
        letters,
        says_axes,
        orientation=micrograph.orientation if stored else UPRIGHT,
        left_out="" if stored else _left_out(stack, micrograph),
    )


def finest(layer: Image) -> LazyArray:
    """The data of a layer, of its finest level where it has several."""
    data: LazyArray = layer.data[0] if layer.multiscale else layer.data
    return data


def axes_of_layer(layer: Layer) -> str:
    """One letter for each axis of a layer: what it says, else unknown; rows and columns are always the last two.

    Raises
    ------
    ImageError
        When the layer has fewer than two axes.
    """
    return _letters_of_layer(layer, None)[0]


def calibration_of_layer(layer: Layer, letters: str) -> Calibration | None:
    """Pixel size, distance of slices and time between frames, where the layer has physical units."""
    scale = dict(zip(letters, (float(length) for length in layer.scale), strict=True))
    units = dict(zip(letters, (f"{unit:~}" for unit in layer.units), strict=True))
    return Calibration.from_metadata(
        scale["Y"],
        scale["X"],
        units["Y"],
        width_unit=units["X"],
        depth=scale.get("Z") if units.get("Z") else None,
        depth_unit=units.get("Z"),
        interval=scale.get("T"),
        interval_unit=units.get("T"),
    )


def turn_upright(layer: Image, orientation: int) -> None:
    """Show a layer as its file says that it is to be turned, as other viewers do."""
    rows = _rows(layer)
    levels = [turned_pixels(level, orientation, rows) for level in (layer.data if layer.multiscale else [layer.data])]
    order = [*range(rows), rows + 1, rows] if swaps_axes(orientation) else list(range(rows + 2))
    scale, units = layer.scale[order], [layer.units[axis] for axis in order]
    layer.data = levels if layer.multiscale else levels[0]
    layer.scale, layer.units = scale, units


def _rows(layer: Image) -> int:
    """The axis of rows in a layer's data: the samples of colours are no axis of the layer."""
    return int(layer.ndim) - 2


def _left_out(stack: Stack, micrograph: Micrograph) -> str:
    """What a file holds whose pixels are more, or fewer, than those of its layer."""
    sizes = [prod(one.lengths) * prod(one.shape) * one.channels for one in (stack, micrograph)]
    if sizes[0] == sizes[1]:
        return ""
    count = prod(micrograph.lengths)
    height, width = micrograph.shape
    planes = f"{count} planes ({micrograph.axes})" if count > 1 else "1 plane"
    return f"{planes} of {height} × {width}"


def _array_stack(layer: Image, data: LazyArray, letters: str, calibration: Calibration | None) -> ArrayStack:
    samples = "S" if layer.rgb else ""
    return ArrayStack(data, letters + samples, f"layer '{layer.name}'", calibration)


def _letters_of_layer(layer: Layer, axes: str | None) -> tuple[str, bool]:
    """One letter for each axis, and whether the layer itself says so; rows and columns are always the last two."""
    if layer.ndim < 2:
        raise ImageError(f"layer '{layer.name}' has {layer.ndim} axis: an image has rows and columns.")
    lead = layer.axis_labels[:-2]
    named = [_LETTERS.get(str(label).strip().lower(), UNKNOWN_AXES[0]) for label in lead]
    if any(letter != UNKNOWN_AXES[0] for letter in named):
        return unknown_named("".join(named)) + "YX", True
    if axes is not None and len(axes) == layer.ndim and axes.endswith("YX"):
        return axes, False
    return unknown_named(UNKNOWN_AXES[0] * len(lead)) + "YX", not lead


def _micrograph(layer: Image, axes: str | None) -> Micrograph | None:
    """The file that a layer was opened from, where it is an image that can be read."""
    path = layer.source.path
    if path is None or not Path(path).is_file():
        return None
    try:
        return read_image(path, axes=axes)
    except ImageError:
        # napari, or a plugin of it, reads more than we do; then the layer is all there is.
        return None


def _content_of_file(layer: Image, data: LazyArray, micrograph: Micrograph, axes: str | None) -> LayerContent | None:
    """The file that `data`, a layer's pixels, are; None where they are others."""
    says_axes = not any(letter in UNKNOWN_AXES for letter in micrograph.axes) and axes is None
    for letters in _possible_letters(layer, micrograph):
        as_array = _array_stack(layer, data, letters, micrograph.calibration)
        if as_array.lengths != micrograph.lengths or as_array.shape != micrograph.shape:
            continue
        compared = list(_lattices(as_array, micrograph))
        if all(np.array_equal(shown, read, equal_nan=_may_be_nan(shown)) for shown, read in compared):
            return LayerContent(as_array, letters, says_axes, micrograph.path)
        if all(_stands_for(shown, read) for shown, read in compared):
            return LayerContent(micrograph, letters, says_axes, micrograph.path)
    return None


def _possible_letters(layer: Image, micrograph: Micrograph) -> Iterator[str]:
    """How a layer may show the axes of a file: without channels (or with those of RGB), or with them among the axes."""
    if layer.ndim == len(micrograph.axes) + 2:
        yield micrograph.axes + "YX"
    if layer.ndim == len(micrograph.axes) + 3 and not layer.rgb:
        for position in range(len(micrograph.axes) + 1):
            yield micrograph.axes[:position] + "C" + micrograph.axes[position:] + "YX"


def _lattices(first: Stack, second: Stack) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """The same rows and columns of the first, the middle and the last plane of two stacks."""
    indices = plane_indices(first)
    rows, columns = (slice(None, None, max(1, length // _COMPARED_SIDE)) for length in first.shape)
    for index in dict.fromkeys((indices[0], indices[len(indices) // 2], indices[-1])):
        yield np.asarray(first.pixels_at(index)[rows, columns]), np.asarray(second.pixels_at(index)[rows, columns])


def _may_be_nan(values: NDArray[Any]) -> bool:
    return values.dtype.kind == "f"


def _stands_for(shown: NDArray[Any], read: NDArray[Any]) -> bool:
    """Whether numbers that napari shows are the stored form of pixels: with an alpha, a negative, or of a palette."""
    if shown.ndim == read.ndim == 3 and shown.shape[-1] == read.shape[-1] + 1:
        return np.array_equal(shown[..., :-1], read)
    if shown.dtype.kind not in "bu":
        return False
    if shown.shape == read.shape:
        return _is_negative(shown, read)
    return shown.ndim == 2 and read.ndim == 3 and _is_palette(shown, read)


def _is_negative(shown: NDArray[Any], read: NDArray[Any]) -> bool:
    highest = 1 if shown.dtype.kind == "b" else int(np.iinfo(shown.dtype).max)
    return np.array_equal(highest - shown.astype(np.int64), read.astype(np.int64))


def _is_palette(shown: NDArray[Any], read: NDArray[Any]) -> bool:
    """Whether each number stands for one colour."""
    numbers, first, inverse = np.unique(shown, return_index=True, return_inverse=True)
    if len(numbers) > _MAX_PALETTE:
        return False
    colours: NDArray[Any] = read.reshape(-1, read.shape[-1])[first]
    return np.array_equal(colours[inverse.reshape(-1)], read.reshape(-1, read.shape[-1]))


def channel_names(content: LayerContent, rgb: bool) -> Sequence[str]:
    """What the channels of a layer are called where one can be chosen, in the image's own order."""
    count = content.stack.channels
    if rgb and content.stack.channels in (3, 4):
        return ("red", "green", "blue", "alpha")[:count]
    return [f"channel {number}" for number in range(count)]
