"""The choices of how an image's numbers become what a model sees, as data."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from patchfield.errors import ImageError

Contrast = Literal["auto", "none", "percentile", "minmax"] | tuple[float, float]
NAMED_CONTRASTS = ("auto", "none", "percentile", "minmax")
MAX_ZOOM = 16
"""Beyond, images show other things altogether."""


@dataclass(frozen=True)
class ImageSettings:
    """Contrast and channels of an image; JSON-able, so that a probe remembers what it was trained on.

    Attributes
    ----------
    contrast : "auto", "none", "percentile", "minmax" or (low, high)
        Which values become 0 and 1. ``auto``: uint8 as it is (value / 255), bool as 0 and 1, everything else
        like ``percentile``. ``percentile``: the 0.5 and 99.5 percentiles of the finite pixels of the whole
        image. ``minmax``: their extremes. ``none``: the range of the dtype (floats: 0 to 1). Two numbers:
        these values of the image itself.
    channels : tuple of int, optional
        One channel (used as grey) or three (as red, green, blue; a number may repeat), as the image counts them,
        from 0. Left out, grey and RGB(A) images are used as they are, and any other number of channels is refused.
        Channels chosen here are stretched one by one; an RGB image as a whole, which keeps its hues.
    axes : str, optional
        What the axes of an array mean for images that do not say it themselves, one letter each: "CYX" for
        channels first, "YXC" for channels last, "TYX" for a time-lapse. Images that do say it keep their own.
    zoom : float
        How many times a model sees the image enlarged (above 1) or reduced, because its pixels are not of the size
        that a probe knows. Results have the pixels of the image as it is.

    Raises
    ------
    ImageError
        When a value is none of these.

    Examples
    --------
    >>> ImageSettings(contrast=(100, 4000)).to_json()
    {'contrast': [100.0, 4000.0], 'channels': None, 'axes': None}
    """

    contrast: Contrast = "auto"
    channels: tuple[int, ...] | None = None
    axes: str | None = None
    zoom: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "contrast", _checked_contrast(self.contrast))
        if self.channels is not None:
            object.__setattr__(self, "channels", _checked_channels(self.channels))
        if self.axes is not None:
            object.__setattr__(self, "axes", checked_axes(self.axes))
        object.__setattr__(self, "zoom", _checked_zoom(self.zoom))

    def to_json(self) -> dict[str, Any]:
        """The settings as lists, strings and numbers; the zoom where there is one."""
        contrast = self.contrast if isinstance(self.contrast, str) else list(self.contrast)
        channels = None if self.channels is None else list(self.channels)
        zoom = {} if self.zoom == 1 else {"zoom": self.zoom}
        return {"contrast": contrast, "channels": channels, "axes": self.axes, **zoom}

    @classmethod
    def from_json(cls, settings: dict[str, Any]) -> "ImageSettings":
        """The settings that `to_json` wrote; files from before axes could be chosen have none."""
        chosen = {name: settings[name] for name in ("axes", "zoom") if name in settings}
        return cls(contrast=settings["contrast"], channels=settings["channels"], **chosen)


def _checked_zoom(zoom: Any) -> float:
    if isinstance(zoom, int | float) and 1 / MAX_ZOOM <= zoom <= MAX_ZOOM:
        return float(zoom)
    raise ImageError(f"An image cannot be seen {zoom!r} times enlarged: give a number from 1/{MAX_ZOOM} to {MAX_ZOOM}.")


def checked_axes(axes: Any) -> str:
    """Letters of axes in capitals.

    Raises
    ------
    ImageError
        When they are no letters, repeat, or lack rows or columns.

    Examples
    --------
    >>> checked_axes("cyx")
    'CYX'
    """
    letters = str(axes).upper()
    if not (letters.isascii() and letters.isalpha() and len(set(letters)) == len(letters) and {*"YX"} <= {*letters}):
        raise ImageError(
            f"Axes '{axes}' cannot be used: give one different letter for each axis, with Y for rows and X for "
            "columns, such as 'CYX', 'YXC' or 'TYX'."
        )
    return letters


def _checked_contrast(contrast: Any) -> Contrast:
    if isinstance(contrast, str) and contrast in NAMED_CONTRASTS:
        return contrast  # type: ignore[return-value]
    try:
        low, high = (float(limit) for limit in contrast)
    except (TypeError, ValueError):
        names = ", ".join(NAMED_CONTRASTS)
        raise ImageError(
            f"Contrast {contrast!r} is unknown: give one of {names}, or two numbers (low, high)."
        ) from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ImageError(f"Contrast limits ({low:g}, {high:g}) do not make a range: low must be smaller.")
    return (low, high)


def _checked_channels(channels: Any) -> tuple[int, ...]:
    try:
        chosen = tuple(int(channel) for channel in channels)
    except (TypeError, ValueError):
        raise ImageError(f"Channels {channels!r} are no channel numbers: give one or three, from 0.") from None
    if any(isinstance(channel, float) and channel != int(channel) for channel in channels):
        raise ImageError(f"Channels {channels!r} are no channel numbers: give one or three, from 0.")
    if len(chosen) not in (1, 3) or min(chosen) < 0:
        raise ImageError(
            f"Channels {chosen} cannot be used: give one channel (as grey) or three (as red, green, blue; "
            "a number may repeat), counted from 0."
        )
    return chosen
