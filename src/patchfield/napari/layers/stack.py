"""Image layers as stacks: which plane, which channels, which contrast."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from napari.layers import Image

from patchfield.errors import ImageError
from patchfield.images import Calibration, Contrast, ImageSettings, LazyArray, PlaneIndex, model_image, plane_indices
from patchfield.images.readers.axes import is_ambiguous
from patchfield.napari.layers.content import LayerContent, calibration_of_layer, channel_names, finest, layer_content

MAX_CHANNELS = 32
"""An axis with more entries is not offered as channels."""

_AUTOMATIC = ImageSettings()


@dataclass(frozen=True, eq=False)
class LayerStack:
    """An image layer as a :class:`patchfield.images.Stack`, and the settings that it is seen with.

    Made by :meth:`from_layer`.

    Attributes
    ----------
    layer : napari.layers.Image
        Any dtype, RGB or not, multiscale (its finest level is used) or not, with any leading axes.
    content : LayerContent
        What its pixels are.
    settings : ImageSettings
        Contrast and channels, as the image counts them.
    joined : tuple of LayerStack
        Three grey layers of one shape that are seen as red, green and blue; nothing for the layer alone.

    Examples
    --------
    >>> stack = LayerStack.from_layer(Image(np.zeros((5, 64, 48), np.uint16), axis_labels=("t", "y", "x")))
    >>> stack.axes, stack.lengths, stack.shape
    ('T', (5,), (64, 48))
    >>> stack.summary()
    'grey · uint16 · 64 × 48 · 5 planes (T)'
    """

    layer: Image
    content: LayerContent
    settings: ImageSettings
    joined: "tuple[LayerStack, ...]" = ()

    @classmethod
    def from_layer(cls, layer: Image, settings: ImageSettings = _AUTOMATIC) -> Self:
        """A layer seen with some settings; where channels must be chosen among, the first one as grey.

        Parameters
        ----------
        layer : napari.layers.Image
        settings : ImageSettings
            Channels count where the layer has these. Axes are what the user says about axes that neither the layer nor
            its file explains.
        """
        stack = cls(layer, layer_content(layer, settings.axes), replace(settings, channels=None))
        count = stack.channels
        if settings.channels is not None and count > max(1, *settings.channels):
            return stack.with_channels(settings.channels)
        return stack if stack.is_usable_whole else stack.with_channels((0, 1, 2) if layer.rgb else (0,))

    def with_contrast(self, contrast: Contrast) -> Self:
        """The same image in another contrast."""
        return replace(self, settings=replace(self.settings, contrast=contrast))

    def with_channels(self, channels: tuple[int, ...] | None) -> Self:
        """Seen through some of the image's own channels: one as grey, three as colours, None for all as they are."""
        return replace(self, settings=replace(self.settings, channels=channels), joined=())

    def with_joined(self, parts: "Sequence[LayerStack]") -> Self:
        """Three grey layers seen as red, green and blue, in place of this one.

        Raises
        ------
        ImageError
            When one of them is not grey, or of another shape.
        """
        for part in parts:
            if part.content.stack.channels != 1 or part.labels_shape != self.labels_shape:
                raise ImageError(
                    f"{part.name} cannot be one of the colours of {self.name}: choose grey layers of one shape."
                )
        return replace(self, settings=replace(self.settings, channels=(0, 1, 2)), joined=tuple(parts))

    # -- as a Stack

    @property
    def name(self) -> str:
        return f"layer '{self.layer.name}'"

    @property
    def axes(self) -> str:
        return self.content.stack.axes

    @property
    def lengths(self) -> tuple[int, ...]:
        return self.content.stack.lengths

    @property
    def shape(self) -> tuple[int, int]:
        return self.content.stack.shape

    @property
    def channels(self) -> int:
        return len(self.joined) or self.content.stack.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        parts = [part.content.stack.dtype for part in self.joined] or [self.content.stack.dtype]
        return np.result_type(*parts)

    @property
    def calibration(self) -> Calibration | None:
        """As the layer says; else as its file does."""
        return calibration_of_layer(self.layer, self.content.letters) or self.content.stack.calibration

    def pixels_at(self, index: PlaneIndex) -> LazyArray:
        """The plane at `index`, (H, W) or (H, W, C), lazy where the layer is."""
        if self.joined:
            planes = [np.asarray(part.content.stack.pixels_at(index)[...]) for part in self.joined]
            return np.stack(planes, axis=-1)
        return self.content.stack.pixels_at(index)

    # -- as a layer

    @property
    def id(self) -> str:
        """Never changes while the layer lives, whatever its name."""
        return str(self.layer.unique_id)

    @property
    def title(self) -> str:
        """The layer's name."""
        return str(self.layer.name)

    @property
    def file(self) -> Path | None:
        """The image file whose pixels these are, just as it is."""
        return None if self.joined else self.content.file

    @property
    def layer_axes(self) -> tuple[int, ...]:
        """The layer's axes that its labels share: all but one of channels."""
        return tuple(axis for axis, letter in enumerate(self.content.letters) if letter != "C")

    @property
    def labels_shape(self) -> tuple[int, ...]:
        return (*self.lengths, *self.shape)

    def indices(self) -> list[PlaneIndex]:
        """All planes, in order."""
        return plane_indices(self)

    def index_at(self, point: Iterable[float]) -> PlaneIndex:
        """The plane at a point in world coordinates, the nearest one where the point lies outside."""
        position = np.asarray(self.layer.world_to_data(tuple(point)))[list(self.layer_axes[:-2])]
        return tuple(int(np.clip(round(x), 0, n - 1)) for x, n in zip(position, self.lengths, strict=True))

    @property
    def channel_names(self) -> Sequence[str]:
        """The image's own channels where there is a choice; nothing for grey."""
        return channel_names(self.content, self.layer.rgb) if self.content.stack.channels > 1 else ()

    @property
    def axes_choices(self) -> tuple[str, ...]:
        """What the axes of the layer may mean where nobody says it: "CYX" (channels first), "YXC" (channels last)."""
        letters, shape = self.content.letters, tuple(finest(self.layer).shape)
        if self.settings.axes is None and (self.content.says_axes or self.layer.rgb or len(shape) < 3):
            return ()
        others = "TZR"[: len(shape) - 3]
        first = [f"C{others}YX"] if 1 < shape[0] <= MAX_CHANNELS else []
        last = [f"{others}YXC"] if is_ambiguous(shape, letters) else []
        chosen = [self.settings.axes] if self.settings.axes is not None else []
        return tuple(dict.fromkeys([*first, *last, *chosen]))

    @cached_property
    def is_usable_whole(self) -> bool:
        """Whether all channels together are grey or colours, so that none must be chosen."""
        if self.content.stack.channels == 1:
            return True
        try:
            model_image(self.content.stack, replace(self.settings, channels=None), self.indices()[0])
        except ImageError:
            return False
        return True

    def summary(self) -> str:
        """What was understood of the layer, in a line."""
        height, width = self.shape
        parts = [self._kind(), str(self.dtype), f"{height} × {width}", self._pixel_size()]
        if self.lengths:
            known = [letter for letter in self.axes if letter in "TZR"]
            names = f" ({' × '.join(known)})" if len(known) == len(self.axes) else ""
            parts.append(f"{int(np.prod(self.lengths))} planes{names}")
        if self.settings.axes is None and any(axes.endswith("C") for axes in self.axes_choices):
            parts.append("if the last axis holds channels, say so under Axes")
        if self.content.left_out:
            parts.append(f"not all of its file, or another page: that holds {self.content.left_out}")
        return " · ".join(part for part in parts if part)

    def _kind(self) -> str:
        if self.joined:
            return f"{len(self.joined)} layers"
        if self.settings.channels is not None:
            names = [self.channel_names[channel] for channel in self.settings.channels] if self.channel_names else []
            return " + ".join(names) or "grey"
        return "grey" if self.channels == 1 else "RGB" if self.channels in (3, 4) else f"{self.channels} channels"

    def _pixel_size(self) -> str:
        """The size of a pixel, where it is known and pixels are square."""
        calibration = self.calibration
        if calibration is None or not np.isclose(calibration.height, calibration.width):
            return ""
        return f"{calibration.width:.3g} {calibration.unit}"


def joinable(layer: Image, others: Iterable[Image]) -> list[Image]:
    """The grey layers, `layer` among them, that can be joined as red, green and blue: all of one shape."""
    if layer.rgb:
        return []
    alike = [other for other in others if not other.rgb and finest(other).shape == finest(layer).shape]
    return alike if len(alike) > 1 else []


def move_last_axis_first(layer: Image) -> None:
    """Show a layer whose last axis holds channels with rows and columns last, as napari has to have it."""
    _reorder(layer, (layer.ndim - 1, *range(layer.ndim - 1)))
    layer.axis_labels = ("channel", *layer.axis_labels[1:])


def move_first_axis_last(layer: Image) -> None:
    """Undo :func:`move_last_axis_first`."""
    _reorder(layer, (*range(1, layer.ndim), 0))
    layer.axis_labels = None


def _reorder(layer: Image, order: tuple[int, ...]) -> None:
    chosen = list(order)
    scale, translate, units = layer.scale[chosen], layer.translate[chosen], [layer.units[axis] for axis in chosen]
    labels = tuple(layer.axis_labels[axis] for axis in chosen)
    levels = [np.transpose(level, order) for level in (layer.data if layer.multiscale else [layer.data])]
    layer.data = levels if layer.multiscale else levels[0]
    layer.scale, layer.translate, layer.units, layer.axis_labels = scale, translate, units, labels
