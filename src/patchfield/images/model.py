"""Any array as what a model sees: three channels of float32 between 0 and 1, computed crop by crop."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from patchfield.errors import ImageError
from patchfield.images.settings import ImageSettings

PERCENTILES = (0.5, 99.5)
SAMPLED_SIDE = 2048
"""Limits of larger images are read from a regular lattice of at most this many rows and columns: with four
million pixels the value found is between the true 0.49 and 0.51 percentiles (three standard errors)."""

MANY_CHANNELS = 32
"""An array with more entries along its last axis is more likely a stack than a multi-channel image."""

Limits = tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class ModelImage:
    """An image with its channels chosen and its contrast decided, read lazily.

    Made by :func:`model_image`. Nothing is converted until a crop is asked for, so memory-mapped files of
    any size will do. Values below the low limit become 0 and above the high limit 1 (infinities too); NaN
    becomes 0; a channel that is constant becomes 0.5.

    Attributes
    ----------
    pixels : array (H, W) or (H, W, C)
        The image as it came; anything with `shape`, a numpy `dtype` and slicing.
    channels : tuple of int
        The channels of `pixels` that are used: one or three.
    limits : tuple of (low, high)
        Which values of the image become 0 and 1, for each of `channels`.
    """

    pixels: Any
    channels: tuple[int, ...]
    limits: Limits

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

    def rescaled(self, low: float, high: float) -> "ModelImage":
        """The same image with `low` and `high`, fractions of the present range, as the new 0 and 1.

        Values outside of the present range are not lost: ``image.rescaled(-1, 2)`` shows them.

        Raises
        ------
        ImageError
            When `low` is not smaller than `high`.
        """
        if not low < high:
            raise ImageError(f"Contrast limits ({low:g}, {high:g}) do not make a range: low must be smaller.")
        limits = tuple((zero + low * (one - zero), zero + high * (one - zero)) for zero, one in self.limits)
        return replace(self, limits=limits)


def model_image(
    image: ArrayLike | ModelImage, settings: ImageSettings | None = None, name: str = "The image"
) -> ModelImage:
    """Choose the channels of an image and decide its contrast.

    Parameters
    ----------
    image : array (H, W), (H, W, 1), (H, W, 3), (H, W, 4) or (H, W, C)
        Numbers of any real dtype; numpy arrays, memory maps and other lazy arrays alike. Four channels are
        RGBA when the fourth is opaque throughout. A :class:`ModelImage` is returned as it is.
    settings : ImageSettings, optional
        Contrast and channels; automatic when left out.
    name : str
        How error messages call the image: a file or layer name.

    Raises
    ------
    ImageError
        When the array is no image, is empty, or has channels that must be chosen.

    Examples
    --------
    >>> import numpy as np
    >>> seen = model_image(np.arange(12, dtype=np.uint16).reshape(3, 4))
    >>> seen.shape, seen.whole().shape
    ((3, 4), (3, 4, 3))
    """
    if isinstance(image, ModelImage):
        return image
    settings = settings or ImageSettings()
    pixels = _checked_pixels(image, name)
    channels = _chosen_channels(pixels, settings.channels, name)
    if settings.channels is None:
        limits: Limits = (_limits(pixels, channels, settings),) * len(channels)
    else:
        limits = tuple(_limits(pixels, (channel,), settings) for channel in channels)
    return ModelImage(pixels, channels, limits)


def is_opaque(pixels: Any) -> bool:
    """Whether the last channel is full throughout, as the alpha channel of an opaque RGBA image."""
    return bool((np.asarray(pixels[..., -1]) == dtype_range(pixels.dtype)[1]).all())


def dtype_range(dtype: np.dtype) -> tuple[float, float]:
    """What ``contrast="none"`` takes for 0 and 1: an integer type's extremes, 0 and 1 for the others."""
    if np.issubdtype(dtype, np.integer):
        return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return 0.0, 1.0


def _checked_pixels(image: Any, name: str) -> Any:
    """`image` itself when it can be sliced lazily, else as a numpy array; refused when it is no image."""
    if not isinstance(getattr(image, "dtype", None), np.dtype):
        try:
            image = np.asarray(image)
        except ValueError:
            raise ImageError(f"{name} is not an array of numbers: its rows differ in length.") from None
    shape = tuple(int(length) for length in image.shape)
    if image.dtype.kind not in "buif":
        raise ImageError(f"{name} holds {image.dtype} values: give an image of integers, floats or booleans.")
    if len(shape) not in (2, 3):
        raise ImageError(
            f"{name} has {len(shape)} dimension(s) {shape}: give one plane, (rows, columns) or "
            "(rows, columns, channels)."
        )
    if 0 in shape:
        raise ImageError(f"{name} is empty (shape {shape}): give an image with at least one pixel.")
    return image


def _chosen_channels(pixels: Any, chosen: tuple[int, ...] | None, name: str) -> tuple[int, ...]:
    count = 1 if len(pixels.shape) == 2 else int(pixels.shape[2])
    if chosen is not None:
        if max(chosen) >= count:
            raise ImageError(f"{name} has {count} channel(s), counted from 0: there is no {max(chosen)}.")
        return chosen
    if count == 1:
        return (0,)
    if count == 3 or (count == 4 and is_opaque(pixels)):
        return (0, 1, 2)
    if count > MANY_CHANNELS:
        raise ImageError(
            f"{name} has shape {tuple(pixels.shape)}, which reads as {count} channels: give one plane of a "
            "stack, move the channels to the last axis, or choose one or three channels."
        )
    raise ImageError(
        f"{name} has {count} channels: choose one (as grey) or three (as red, green, blue), counted from 0."
    )


def _limits(pixels: Any, channels: Sequence[int], settings: ImageSettings) -> tuple[float, float]:
    contrast = settings.contrast
    if not isinstance(contrast, str):
        return contrast
    if contrast == "auto":
        contrast = "none" if pixels.dtype in (np.uint8, np.bool_) else "percentile"
    if contrast == "none":
        return dtype_range(pixels.dtype)
    values = _finite_sample(pixels, channels)
    if values.size == 0:
        return 0.0, 1.0
    if contrast == "percentile":
        low, high = (float(limit) for limit in np.percentile(values, PERCENTILES))
        if low < high:
            return low, high
        # Nearly empty images (a few bright spots on black): the percentiles coincide, the extremes do not.
    return float(values.min()), float(values.max())


def _finite_sample(pixels: Any, channels: Sequence[int]) -> NDArray[Any]:
    """The finite values of some channels on a lattice of at most SAMPLED_SIDE rows and columns, (n,)."""
    height, width = pixels.shape[:2]
    lattice = np.asarray(pixels[:: -(-height // SAMPLED_SIDE), :: -(-width // SAMPLED_SIDE)])
    values = lattice if lattice.ndim == 2 else lattice[..., list(channels)]
    if values.dtype.kind == "f":
        return values[np.isfinite(values)].astype(np.float64)
    return values.ravel() if values.dtype.kind != "b" else values.ravel().view(np.uint8)


def _stretched(values: NDArray[Any], low: float, high: float) -> NDArray[np.float32]:
    """Values as float32 between 0 (at `low`) and 1 (at `high`)."""
    # 8- and 16-bit numbers are exact in float32; wider types would lose small contrasts on a large offset.
    exact: NDArray[np.floating] = values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
    exact -= low
    if low < high:
        exact /= high - low
    else:
        exact = 0.5 + 0.5 * np.sign(exact)
    finite = np.nan_to_num(exact, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
    return np.clip(finite, 0, 1).astype(np.float32, copy=False)
