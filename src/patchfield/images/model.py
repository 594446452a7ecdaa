"""Any image as what a model sees: three channels of float32 between 0 and 1, computed crop by crop."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from patchfield.errors import ImageError
from patchfield.images.resampling import ResampledPixels, resampled_size
from patchfield.images.settings import ImageSettings
from patchfield.images.stack import ArrayStack, LazyArray, PlaneIndex, Stack, checked_index, plane_indices

PERCENTILES = (0.5, 99.5)
SAMPLED_SIDE = 2048
"""Limits of larger images are read from a regular lattice of at most this many rows and columns, over all planes
together: with four million pixels the value found is between the true 0.49 and 0.51 percentiles (three standard
errors)."""

SAMPLED_PLANES = 64
"""Of stacks with more planes, this many (the first, the last, and equally spaced ones between) decide the limits."""

MANY_CHANNELS = 32
"""An array with more entries along its last axis is more likely a stack than a multi-channel image."""

Limits = tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class ModelImage:
    """An image with its channels chosen and its contrast decided, read lazily.

    Made by :func:`model_image`. Nothing is converted until a crop is asked for, so memory-mapped files of
    any size will do. Values below the low limit become 0 and above the high limit 1 (infinities too); NaN
    becomes 0 and counts as missing; a channel that is constant becomes 0.5.

    Attributes
    ----------
    pixels : array (H, W) or (H, W, C)
        The plane as it came; anything with `shape`, a numpy `dtype` and slicing.
    channels : tuple of int
        The channels of `pixels` that are used: one or three.
    limits : tuple of (low, high)
        Which values of the image become 0 and 1, for each of `channels`.
    settings : ImageSettings
        The choices that channels and limits come from.
    """

    pixels: LazyArray
    channels: tuple[int, ...]
    limits: Limits
    settings: ImageSettings

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.pixels.shape[0]), int(self.pixels.shape[1])

    def crop(self, rows: NDArray[np.integer], columns: NDArray[np.integer]) -> NDArray[np.float32]:
        """The pixels at the crossings of some rows and columns.

        Parameters
        ----------
        rows : ndarray (h,) of int
            Rows between 0 and H - 1, in any order, repeated or not: a mirrored edge is a list of rows.
        columns : ndarray (w,) of int
            Columns between 0 and W - 1, likewise.

        Returns
        -------
        ndarray (h, w, 3) float32
            Values 0 to 1; grey is repeated three times.
        """
        rows, columns = np.asarray(rows), np.asarray(columns)
        top, left = int(rows.min()), int(columns.min())
        # Slicing first keeps lazy arrays (memory maps, dask, zarr) from being read beyond the box.
        box = np.asarray(self.pixels[top : int(rows.max()) + 1, left : int(columns.max()) + 1])
        values = box[np.ix_(rows - top, columns - left)]
        if values.ndim == 2:
            values = values[..., None]
        planes = [
            _stretched(values[..., channel], low, high)
            for channel, (low, high) in zip(self.channels, self.limits, strict=True)
        ]
        return np.stack(planes if len(planes) == 3 else planes * 3, axis=-1)

    def whole(self) -> NDArray[np.float32]:
        """The whole image, (H, W, 3) float32 with values 0 to 1."""
        height, width = self.shape
        return self.crop(np.arange(height), np.arange(width))

    def resampled(self) -> "ModelImage":
        """The image as large as its settings say that a model is to see it."""
        if self.settings.zoom == 1:
            return self
        return replace(self, pixels=ResampledPixels(self.pixels, resampled_size(self.shape, self.settings.zoom)))

    def missing(self) -> NDArray[np.bool_] | None:
        """Where there is no value: NaN in one of the channels used; (H, W), or None where every pixel has one.

        Examples
        --------
        >>> model_image(np.array([[0.0, np.nan]])).missing()
        array([[False,  True]])
        >>> model_image(np.zeros((1, 2), np.uint8)).missing() is None
        True
        """
        if self.pixels.dtype.kind != "f":
            return None
        height, width = self.shape
        missing = np.zeros((height, width), bool)
        step = max(1, SAMPLED_SIDE**2 // width)
        for top in range(0, height, step):
            strip = np.asarray(self.pixels[top : top + step])
            absent = np.isnan(strip if strip.ndim == 2 else strip[..., list(self.channels)])
            missing[top : top + step] = absent if absent.ndim == 2 else absent.any(-1)
        return missing if missing.any() else None


def model_image(
    image: Stack | ArrayLike | ModelImage,
    settings: ImageSettings | None = None,
    plane: PlaneIndex | None = None,
    name: str = "The image",
) -> ModelImage:
    """Choose the channels of an image and decide its contrast, by all planes of it together.

    This is the only place where either is decided, for files, layers, arrays and training images alike.

    Parameters
    ----------
    image : Stack, or array (H, W), (H, W, 1), (H, W, 3), (H, W, 4) or (H, W, C)
        Numbers of any real dtype; numpy arrays, memory maps and other lazy arrays alike. Four channels are
        RGBA when the fourth is opaque throughout. A :class:`ModelImage` is returned as it is.
    settings : ImageSettings, optional
        Contrast and channels; automatic when left out.
    plane : tuple of int, optional
        Which plane of a stack; may be left out where there is one.
    name : str
        How error messages call an array.

    Raises
    ------
    ImageError
        When there is no image, no such plane, channels must be chosen, or other settings are given than those an
        image was prepared with.

    Examples
    --------
    >>> import numpy as np
    >>> prepared = model_image(np.arange(12, dtype=np.uint16).reshape(3, 4))
    >>> prepared.shape, prepared.whole().shape
    ((3, 4), (3, 4, 3))
    """
    if isinstance(image, ModelImage):
        if settings is not None and settings != image.settings:
            raise ImageError(
                f"The image was prepared with {image.settings}, not with {settings}: leave the settings out, or give "
                "the image itself."
            )
        return image
    settings = settings or ImageSettings()
    stack = _checked(image if isinstance(image, Stack) else _single_plane(image, name))
    index = checked_index(stack, plane)
    channels, limits = _decided(stack, settings)
    return ModelImage(stack.pixels_at(index), channels, limits, settings)


def dtype_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    """What ``contrast="none"`` takes for 0 and 1: an integer type's extremes, 0 and 1 for the others."""
    if np.issubdtype(dtype, np.integer):
        return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return 0.0, 1.0


_DECISIONS: WeakKeyDictionary[Stack, dict[ImageSettings, tuple[tuple[int, ...], Limits]]] = WeakKeyDictionary()
"""Channels and limits of the stacks in use: all planes of a stack share them, and finding them reads many planes."""


def _decided(stack: Stack, settings: ImageSettings) -> tuple[tuple[int, ...], Limits]:
    known = _DECISIONS.setdefault(stack, {})
    if settings not in known:
        channels = _chosen_channels(stack, settings.channels)
        groups = [channels] if settings.channels is None else [(channel,) for channel in channels]
        limits = [_limits(stack, group, settings) for group in groups]
        known[settings] = channels, tuple(limits if len(limits) == len(channels) else limits * len(channels))
    return known[settings]


def _single_plane(image: Any, name: str) -> ArrayStack:
    """An array (H, W) or (H, W, C) as a stack of one plane; converted to numpy where it cannot be sliced lazily."""
    if not isinstance(getattr(image, "dtype", None), np.dtype):
        try:
            image = np.asarray(image)
        except ValueError:
            raise ImageError(f"{name} is not an array of numbers: its rows differ in length.") from None
        except (TypeError, RuntimeError) as error:  # tensors of PyTorch: bfloat16, on a GPU, with gradients
            raise ImageError(f"{name} cannot be made an array of numpy ({error}): convert it first.") from None
    if isinstance(image, np.ma.MaskedArray) and np.ma.is_masked(image):
        raise ImageError(f"{name} is a masked array, whose mask would be lost: give floats, NaN where masked.")
    shape = tuple(int(length) for length in image.shape)
    if len(shape) not in (2, 3):
        raise ImageError(
            f"{name} has {len(shape)} dimension(s) {shape}: give one plane, (rows, columns) or "
            "(rows, columns, channels)."
        )
    return ArrayStack(image, "YXC"[: len(shape)], name)


def _checked(stack: Stack) -> Stack:
    shape = (*stack.lengths, *stack.shape, stack.channels)
    if stack.dtype.kind not in "buif":
        raise ImageError(f"{stack.name} holds {stack.dtype} values: give an image of integers, floats or booleans.")
    if 0 in shape:
        raise ImageError(f"{stack.name} is empty (shape {shape}): give an image with at least one pixel.")
    return stack


def _chosen_channels(stack: Stack, chosen: tuple[int, ...] | None) -> tuple[int, ...]:
    count, name = stack.channels, stack.name
    if chosen is not None:
        if max(chosen) >= count:
            raise ImageError(f"{name} has {count} channel(s), counted from 0: there is no {max(chosen)}.")
        return chosen
    if count == 1:
        return (0,)
    if count == 3 or (count == 4 and _is_opaque(stack)):
        return (0, 1, 2)
    if count > MANY_CHANNELS:
        raise ImageError(
            f"{name} has shape {(*stack.shape, count)}, which reads as {count} channels: give one plane of a "
            "stack, move the channels to the last axis, or choose one or three channels."
        )
    raise ImageError(
        f"{name} has {count} channels: choose one (as grey) or three (as red, green, blue), counted from 0."
    )


def _is_opaque(stack: Stack) -> bool:
    """Whether the last of the channels is full throughout, as the alpha channel of an opaque RGBA image."""
    full = dtype_range(stack.dtype)[1]
    return all(bool((lattice[..., -1] == full).all()) for lattice in _lattices(stack))


def _limits(stack: Stack, channels: Sequence[int], settings: ImageSettings) -> tuple[float, float]:
    contrast = settings.contrast
    if not isinstance(contrast, str):
        return contrast
    if contrast == "auto":
        contrast = "none" if stack.dtype in (np.uint8, np.bool_) else "percentile"
    if contrast == "none":
        return dtype_range(stack.dtype)
    values = np.concatenate([_finite(lattice, channels) for lattice in _lattices(stack)])
    if values.size == 0:
        return 0.0, 1.0
    if contrast == "percentile":
        low, high = (float(limit) for limit in np.percentile(values, PERCENTILES))
        if low < high:
            return low, high
        # Nearly empty images (a few bright spots on black): the percentiles coincide, the extremes do not.
    return float(values.min()), float(values.max())


def _lattices(stack: Stack) -> list[NDArray[Any]]:
    """Every n-th row and column of some planes, at most SAMPLED_SIDE squared pixels in all."""
    indices = plane_indices(stack)
    numbers = np.linspace(0, len(indices) - 1, min(len(indices), SAMPLED_PLANES)).round().astype(int)
    side = int(SAMPLED_SIDE / sqrt(len(numbers)))
    row_step, column_step = (-(-length // side) for length in stack.shape)
    return [np.asarray(stack.pixels_at(indices[number])[::row_step, ::column_step]) for number in numbers]


def _finite(lattice: NDArray[Any], channels: Sequence[int]) -> NDArray[Any]:
    """The finite values of some channels, (n,)."""
    values: NDArray[Any] = lattice if lattice.ndim == 2 else lattice[..., list(channels)]
    if values.dtype.kind == "f":
        finite: NDArray[np.float64] = values[np.isfinite(values)].astype(np.float64)
        return finite
    return values.ravel() if values.dtype.kind != "b" else values.ravel().view(np.uint8)


def _stretched(values: NDArray[Any], low: float, high: float) -> NDArray[np.float32]:
    """Values as float32 between 0 (at `low`) and 1 (at `high`)."""
    # 8- and 16-bit numbers are exact in float32; wider types would lose small contrasts on a large offset.
    exact: NDArray[np.floating] = values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
    if not np.isfinite(high - low):
        # Limits so far apart that their difference is no number any more: a quarter of everything will do.
        exact, low, high = exact / 4, low / 4, high / 4
    exact -= low
    if low < high:
        exact /= high - low
    else:
        exact = 0.5 + 0.5 * np.sign(exact)
    finite = np.nan_to_num(exact, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
    stretched: NDArray[np.float32] = np.clip(finite, 0, 1).astype(np.float32, copy=False)
    return stretched
