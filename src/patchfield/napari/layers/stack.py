"""Image layers as images: which plane, which channels, which contrast."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from napari.layers import Image

from patchfield.images import Contrast, ImageSettings, ModelImage, model_image

PlaneIndex = tuple[int, ...]
"""Place of a plane along an image's leading axes; () for an image of one plane."""

MOST_CHANNELS = 32
_OVERVIEW_PLANES = 9


@dataclass(frozen=True)
class Plane:
    """One plane of one image: what a field belongs to."""

    image: str
    index: PlaneIndex


@dataclass(frozen=True)
class Channel:
    """A grey image to be used as a channel: a layer, or one entry along its first axis."""

    layer: Image
    entry: int | None = None

    @property
    def name(self) -> str:
        return self.layer.name if self.entry is None else f"channel {self.entry}"


@dataclass(frozen=True)
class ImageSource:
    """An image layer, and how it is looked at.

    Attributes
    ----------
    layer : napari.layers.Image
        Any dtype, RGB or not, multiscale (its finest level is used) or not, with any leading axes.
    channels : tuple of Channel
        Nothing for the layer as it is, one channel to be seen as grey, or three as red, green and blue.
    contrast : Contrast
        As :class:`patchfield.ImageSettings` has it. Stacks are stretched by limits of the whole stack, so that
        planes do not flicker.
    """

    layer: Image
    channels: tuple[Channel, ...] = ()
    contrast: Contrast = "auto"

    @property
    def id(self) -> str:
        """Never changes while the layer lives, whatever its name."""
        return str(self.layer.unique_id)

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a plane."""
        return _grey_shape(self.layer)[-2:]

    @property
    def axes(self) -> tuple[int, ...]:
        """The layer's axes that labels share: all but a first axis that holds channels."""
        return tuple(range(1 if self._first_axis_is_channels else 0, self.layer.ndim))

    @property
    def labels_shape(self) -> tuple[int, ...]:
        shape = _grey_shape(self.layer)
        return tuple(shape[axis] for axis in self.axes)

    @property
    def planes(self) -> tuple[int, ...]:
        """Lengths of the leading axes; () for an image of one plane."""
        return self.labels_shape[:-2]

    def indices(self) -> Iterable[PlaneIndex]:
        """All planes, in order."""
        return np.ndindex(*self.planes)

    def index_at(self, point: Iterable[float]) -> PlaneIndex:
        """The plane at a point in world coordinates, the nearest one where the point lies outside."""
        place = np.asarray(self.layer.world_to_data(tuple(point)))[list(self.axes[:-2])]
        return tuple(int(np.clip(round(x), 0, n - 1)) for x, n in zip(place, self.planes, strict=True))

    def pixels(self, index: PlaneIndex) -> Any:
        """The plane at `index` as (H, W) or (H, W, 3), still lazy where the layer is."""
        if self.channels:
            return np.stack([np.asarray(self._channel(channel, index)) for channel in self.channels], axis=-1)
        data = _finest(self.layer)[index]
        return data[..., :3] if self.layer.rgb else data

    def seen(self, index: PlaneIndex) -> ModelImage:
        """What a model sees of the plane at `index`.

        Raises
        ------
        ImageError
            When the layer is nothing that a model can look at.
        """
        image = model_image(self.pixels(index), self.settings, name=f"layer '{self.name}'")
        if not self.planes or isinstance(self.contrast, tuple):
            return image
        return replace(image, limits=self._stack_limits)

    @property
    def settings(self) -> ImageSettings:
        return ImageSettings(self.contrast, tuple(range(len(self.channels))) if self.channels else None)

    def describe(self) -> str:
        """What was understood of the layer, in a line.

        Examples
        --------
        >>> ImageSource(Image(np.zeros((5, 64, 48), np.uint16))).describe()
        'grey · uint16 · 64 × 48 · 5 planes'
        """
        height, width = self.shape
        kind = "RGB" if self.layer.rgb else "grey"
        if self.channels:
            kind = f"{len(self.channels)} channels" if len(self.channels) > 1 else self.channels[0].name
        parts = [kind, str(_finest(self.layer).dtype), f"{height} × {width}", self._pixel_size()]
        if self.planes:
            parts.append(f"{int(np.prod(self.planes))} planes")
        return " · ".join(part for part in parts if part)

    @property
    def _first_axis_is_channels(self) -> bool:
        return any(channel.entry is not None for channel in self.channels)

    @cached_property
    def _stack_limits(self) -> tuple[tuple[float, float], ...]:
        """Contrast limits of the whole stack, from a few of its planes."""
        indices = list(self.indices())
        chosen = indices[:: -(-len(indices) // _OVERVIEW_PLANES)]
        step = max(1, max(self.shape) // 512)
        overview = np.concatenate([np.asarray(self.pixels(i)[::step, ::step]) for i in chosen])
        return model_image(overview, self.settings, name=f"layer '{self.name}'").limits

    def _channel(self, channel: Channel, index: PlaneIndex) -> Any:
        entry = () if channel.entry is None else (channel.entry,)
        return _finest(channel.layer)[entry + index]

    def _pixel_size(self) -> str:
        """The size of a pixel, where the layer has units and square pixels."""
        (rows, columns), units = self.layer.scale[-2:], self.layer.units[-2:]
        if units[0] != units[1] or str(units[1]) == "pixel" or not np.isclose(rows, columns):
            return ""
        return f"{columns:.3g} {units[1]:~}"


def channel_choices(layer: Image, others: Iterable[Image]) -> list[Channel]:
    """The grey channels that can be combined with or instead of a layer: entries of its first axis, other layers."""
    if layer.rgb:
        return []
    shape = _grey_shape(layer)
    entries: list[Channel] = []
    if len(shape) > 2 and 1 < shape[0] <= MOST_CHANNELS:
        entries = [Channel(layer, entry) for entry in range(shape[0])]
    alike = [Channel(other) for other in others if not other.rgb and _grey_shape(other) == shape]
    return entries + (alike if len(alike) > 1 else [])


def _finest(layer: Image) -> Any:
    return layer.data[0] if layer.multiscale else layer.data


def _grey_shape(layer: Image) -> tuple[int, ...]:
    shape = tuple(int(n) for n in _finest(layer).shape)
    return shape[:-1] if layer.rgb else shape
